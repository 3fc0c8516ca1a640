#!/usr/bin/env python3
"""Prints `id<TAB>wnid` for each class of ILSVRC2012, ids 1 to 1000.

usage: ilsvrc_synsets.py META_MAT [CLASSES]

META_MAT is data/meta.mat of the devkit: a MATLAB 5 file whose struct array `synsets` has the fields
ILSVRC2012_ID and WNID, the 1000 classes first and inner nodes of WordNet behind them. By these ids,
which are not the sorted order of the wnids, the ground truth of the validation images counts.
CLASSES (default 1000) is for tests with fewer. Needs nothing but Python.
"""

import re
import struct
import sys
import zlib
from pathlib import Path

MATRIX, COMPRESSED = 14, 15  # types of elements
STRUCT, CHAR = 2, 4  # classes of arrays
NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
LARGEST = 1 << 28  # bytes, unpacked


class MatError(Exception):
    """What is wrong with the file, for one line of output."""


class Reader:
    """Elements of a MATLAB 5 file, one after the other."""

    def __init__(self, data: bytes, order: str):
        self.data, self.order, self.at = data, order, 0

    def more(self) -> bool:
        return self.at < len(self.data)

    def element(self) -> tuple[int, bytes]:
        """The next element's type and data, unpacked if it was compressed."""
        kind, size = self._unpack("II")
        if kind >> 16:  # a small element: both in the first word, the data in the second
            kind, size = kind & 0xFFFF, kind >> 16
            data = self._take(self.at - 4, size)
        else:
            data = self._take(self.at, size)
            # All but compressed data ends at a multiple of eight bytes.
            self.at += size if kind == COMPRESSED else (size + 7) // 8 * 8
        if kind != COMPRESSED:
            return kind, data
        try:
            unpacked = zlib.decompressobj().decompress(data, LARGEST)
        except zlib.error as error:
            raise MatError(f"is damaged ({error})") from None
        return Reader(unpacked, self.order).element()

    def matrix(self) -> "Matrix":
        kind, data = self.element()
        if kind != MATRIX:
            raise MatError(f"is damaged (an element of type {kind} where an array was expected)")
        return Matrix(data, self.order)

    def _unpack(self, form: str) -> tuple:
        size = struct.calcsize("=" + form)
        values = struct.unpack(self.order + form, self._take(self.at, size))
        self.at += size
        return values

    def _take(self, start: int, size: int) -> bytes:
        if start + size > len(self.data):
            raise MatError("ends early")
        return self.data[start : start + size]


class Matrix:
    """An array: its class, number of items, name, and a reader of what follows them."""

    def __init__(self, data: bytes, order: str):
        self.order = order
        self.kind, self.count, self.name = 0, 0, ""
        self.rest = Reader(data, order)
        if not data:  # an empty array may be nothing at all
            return
        self.kind = self._numbers()[0] & 0xFF
        self.count = 1
        for length in self._numbers():
            self.count *= length
        self.name = self.rest.element()[1].decode("latin-1")

    def structs(self):
        """For each item of a struct array, its fields by name."""
        length = self._numbers()[0]
        names = self.rest.element()[1].decode("latin-1")
        fields = [
            names[i : i + length].split("\0")[0] for i in range(0, len(names), max(length, 1))
        ]
        for _ in range(self.count):
            yield {field: self.rest.matrix() for field in fields}

    def scalar(self):
        """The text of a char array, the first item of a numeric one; none if it is empty."""
        if self.count == 0:
            return None
        if self.kind == CHAR:
            kind, data = self.rest.element()
            ending = "-le" if self.order == "<" else "-be"
            codec = TEXTS.get(kind, "latin-1")
            return data.decode(codec + ending if codec in ("utf-16", "utf-32") else codec)
        return self._numbers()[0]

    def _numbers(self) -> tuple:
        kind, data = self.rest.element()
        if kind not in NUMBERS:
            raise MatError(f"is damaged (an element of type {kind} where numbers were expected)")
        count = len(data) // struct.calcsize("=" + NUMBERS[kind])
        if count == 0:
            raise MatError("is damaged (an element without numbers)")
        return struct.unpack_from(f"{self.order}{count}{NUMBERS[kind]}", data)


def read_synsets(data: bytes, classes: int) -> dict[int, str]:
    """The wnids by id, 1 to `classes`."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None or not data.startswith(b"MATLAB 5.0"):
        raise MatError("is no MATLAB 5 file")
    reader = Reader(data[128:], order)
    while reader.more():
        matrix = reader.matrix()
        if matrix.name == "synsets" and matrix.kind == STRUCT:
            return wnids_of(matrix, classes)
    raise MatError("holds no struct array 'synsets'")


def wnids_of(synsets: Matrix, classes: int) -> dict[int, str]:
    wnids: dict[int, str] = {}
    for fields in synsets.structs():
        for field in ("ILSVRC2012_ID", "WNID"):
            if field not in fields:
                raise MatError(f"its synsets have no field {field}")
        number, wnid = fields["ILSVRC2012_ID"].scalar(), fields["WNID"].scalar()
        if not isinstance(number, (int, float)) or number != int(number):
            raise MatError(f"a synset has the id {number!r}, expected a whole number")
        if not isinstance(wnid, str) or not re.fullmatch(r"n\d{8}", wnid):
            raise MatError(f"synset {int(number)} has the WNID {wnid!r}, expected n and 8 digits")
        if 1 <= number <= classes:
            if int(number) in wnids or wnid in wnids.values():
                raise MatError(f"the id {int(number)} or the WNID {wnid} stands there twice")
            wnids[int(number)] = wnid
    missing = [number for number in range(1, classes + 1) if number not in wnids]
    if missing:
        raise MatError(f"has no synset of id {missing[0]} ({len(missing)} of {classes} missing)")
    return wnids


def main() -> int:
    if len(sys.argv) not in (2, 3) or not (sys.argv[2:] or ["1"])[0].isdigit():
        print("usage: ilsvrc_synsets.py META_MAT [CLASSES]", file=sys.stderr)
        return 2
    path, classes = sys.argv[1], int((sys.argv[2:] or ["1000"])[0])
    try:
        wnids = read_synsets(Path(path).read_bytes(), classes)
    except OSError as error:
        print(f"ilsvrc_synsets: {path}: {error.strerror}", file=sys.stderr)
        return 2
    except (MatError, UnicodeDecodeError, OverflowError, ValueError) as error:
        print(f"ilsvrc_synsets: {path}: {error}", file=sys.stderr)
        return 2
    for number in sorted(wnids):
        print(f"{number}\t{wnids[number]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
