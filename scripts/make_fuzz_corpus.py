"""Writes the files that the fuzzers of tests/fuzz start from.

make_fuzz_corpus.py FOLDER   writes FOLDER/torch_file, .../safetensors, .../pickle and .../jpeg

Small files of every container and of what people save in them, and the tests' JPEG files. Check sums are left out of zip files
where torch can: a fuzzer would seldom get past them.
"""

import io
import json
import struct
import sys
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import torch

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16,
          "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16,
          "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 1)
        self.norm = torch.nn.BatchNorm2d(2)

    def forward(self, x):
        return self.norm(self.conv(x))


def values():
    net = Block()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.randn(2, 1, 2, 2)).sum().backward()
    optimizer.step()
    base = torch.arange(6.0)
    tagged = torch.ones(2)
    tagged.tag = "kept by _rebuild_from_type_v2"
    return {
        "state": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "dtypes": [torch.arange(2).to(dtype) for dtype in DTYPES.values()],
        "new_dtypes": [torch.zeros(2).to(torch.float8_e5m2), torch.zeros(2, dtype=torch.uint16)],
        "views": [base, base[2:4], base.view(2, 3).t(), torch.zeros(0, 3), torch.tensor(1)],
        "plain": {"a": 1, "b": [2.5, None, True, -(2**40)], "c": ("x", "größe"), 3: {}},
        "others": [torch.Size([2]), {1, 2}, b"ab\xff", bytearray(b"c"), torch.float16,
                   torch.device("cuda:0"), Counter([1, 1, 2]), OrderedDict(a=1),
                   torch.nn.Parameter(torch.ones(1)), tagged],
    }


def write_torch_files(folder):
    torch.serialization.set_crc32_options(False)
    for name, value in values().items():
        torch.save(value, folder / f"{name}.pth")
        torch.save(value, folder / f"{name}.legacy", _use_new_zipfile_serialization=False)
    torch.jit.script(Block()).save(folder / "script.pt")
    torch.jit.freeze(torch.jit.script(Block().eval())).save(folder / "frozen.pt")
    torch.serialization.set_crc32_options(True)


def write_pickles(folder):
    for name, value in values().items():
        file = io.BytesIO()
        torch.save(value, file)
        with zipfile.ZipFile(file) as archive:
            (record,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            (folder / name).write_bytes(archive.read(record))


def write_safetensors(folder):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, dtype in DTYPES.items():
        size = 6 * dtype.itemsize
        header[name] = {"dtype": name, "shape": [2, 3],
                        "data_offsets": [len(data), len(data) + size]}
        data += bytes(size)
        text = json.dumps(header).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_jpegs(folder):
    """Followed by what the fuzzer chooses a box by: its place, its size and its scale, 3 for all."""
    golden = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"
    for path in golden.glob("*.jpg"):
        for scale in range(4):
            choice = struct.pack("<4H4B", 5, 7, 40, 50, scale, 20, 30, scale)
            (folder / f"{path.stem}_{scale}").write_bytes(path.read_bytes() + choice)


def main():
    for name, write in (("torch_file", write_torch_files), ("pickle", write_pickles),
                        ("safetensors", write_safetensors), ("jpeg", write_jpegs)):
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)


if __name__ == "__main__":
    main()
