"""The Python side of tests/checkpoint/torch_file_test.cpp.

torch_file_peer.py write FOLDER   writes python.pth: what people save, for C++ to read
torch_file_peer.py check FOLDER   checks cpp.pth, which C++ wrote
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch


def write(folder: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    base = torch.arange(12, dtype=torch.float32)
    torch.save(
        {
            "state_dict": net.state_dict(),
            "parameter": torch.nn.Parameter(torch.ones(2)),
            "optimizer": optimizer.state_dict(),
            "nested": [1, (2.5, [None, True, "größe"]), {}, -(2**40)],
            "size": net[0].weight.shape,
            "dtypes": [
                torch.arange(3).to(dtype)
                for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16,
                              torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
                              torch.bool)
            ],
            "shared": [base, base[3:6], base.view(3, 4).t()],
            "scalar": torch.tensor(3),
            "empty": torch.zeros(0, 5),
        },
        folder / "python.pth",
    )


def check(folder: Path) -> None:
    loaded = torch.load(folder / "cpp.pth", weights_only=True)
    assert type(loaded) is dict and list(loaded) == [
        "step", "big", "rate", "done", "nothing", "names", "state_dict", "shared", "dtypes"
    ]
    assert loaded["step"] == 7 and loaded["big"] == -(2**40) and loaded["rate"] == 0.1
    assert loaded["done"] is True and loaded["nothing"] is None
    assert loaded["names"] == ["größe", [], {}]

    state = loaded["state_dict"]
    assert type(state) is OrderedDict and list(state) == ["weight", "bias"]
    torch.nn.Linear(3, 2).load_state_dict(state, strict=True)
    assert state["weight"].tolist() == [[0, 1, 2], [3, 4, 5]] and not state["weight"].requires_grad

    base, part, turned = loaded["shared"]
    assert base.tolist() == list(range(12)) and part.tolist() == [3, 4, 5]
    assert turned.stride() == (1, 4) and turned.tolist() == base.view(3, 4).t().tolist()
    assert base.untyped_storage().data_ptr() == part.untyped_storage().data_ptr()
    for name, tensor in loaded["dtypes"].items():
        assert str(tensor.dtype) == "torch." + name and tensor.tolist() == [0, 1, 1], name


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
