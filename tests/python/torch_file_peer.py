"""The Python side of tests/checkpoint/torch_file_test.cpp.

torch_file_peer.py write FOLDER   writes zip.pth, legacy.pth and *.pt: what people save, for C++ to read
torch_file_peer.py check FOLDER   checks cpp.pth, which C++ wrote
"""

import argparse
import dataclasses
import datetime
import enum
import sys
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path

import numpy
import torch


class Mode(enum.Enum):
    TRAIN = 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1


class History:
    """What a training loop keeps, itself included."""

    def __init__(self):
        self.losses = numpy.arange(3.0)
        self.owner = self


class Names(OrderedDict):
    pass


def odd_value(net: torch.nn.Module) -> dict:
    """What training programs save beside weights."""
    return {
        "args": argparse.Namespace(lr=0.1, out=Path("runs")),
        "path": Path("runs"),
        "when": datetime.datetime(2020, 1, 1),
        "scalar": numpy.float64(0.5),
        "array": numpy.arange(1000.0),
        "mode": Mode.TRAIN,
        "config": Settings(),
        "history": History(),
        "counts": defaultdict(int, a=2),
        "ordered": Names(b=3),
        "huge": 2**64,
        "complex": torch.arange(3).to(torch.complex64),
        "sparse": torch.eye(3).to_sparse(),
        "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        "keys": {(1, 2): 3, None: 4},
        "class": Settings,
        "dtype": torch.complex64,
        "module": net,
        "state": net.state_dict(),
        "last": torch.arange(5.0),
    }


def write(folder: Path) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    base = torch.arange(12, dtype=torch.float32)
    tagged = torch.arange(2.0)
    tagged.tag = "an attribute"
    value = {
        "state_dict": net.state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "optimizer": optimizer.state_dict(),
        "nested": [1, (2.5, [None, True, "größe"]), {}, -(2**40)],
        "size": net[0].weight.shape,
        "dtypes": [
            torch.arange(3).to(dtype)
            for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64,
                          torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
                          torch.uint16, torch.float8_e4m3fn, torch.float8_e5m2)
        ],
        "shared": [base, base[3:6], base.view(3, 4).t(), base.half()[::3]],
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 5),
        "tagged": tagged,
        "set": {1, 2},
        "counter": Counter([30, 30, 60]),
        "bytes": [b"ab\xff", bytearray(b"c")],
        "dtype": torch.float16,
        "device": torch.device("cuda:1"),
    }
    torch.save(value, folder / "zip.pth")
    torch.save(value, folder / "legacy.pth", _use_new_zipfile_serialization=False)

    odd = odd_value(net)
    torch.save(odd, folder / "odd.pth")
    torch.save(odd, folder / "odd_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(odd, folder / "odd_protocol5.pth", pickle_protocol=5)

    net.half()
    torch.save(net.state_dict(), folder / "state.pth")
    net.eval()
    torch.jit.script(net).save(folder / "scripted.pt")
    torch.jit.trace(net, torch.zeros(1, 3, 8, 8).half()).save(folder / "traced.pt")
    torch.jit.freeze(torch.jit.script(net)).save(folder / "frozen.pt")


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
