#!/usr/bin/env python3
"""Writes tests/golden/masks: masks of every kind that stores indices, and what Pillow makes of an
image, and of a mask, that is blurred or rotated.

Run with the Python of .deps/venv (needs numpy and Pillow 13), after tools/golden_data.py.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
FOLDER = GOLDEN / "masks"
GREY, PALETTE = 0, 3
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def values_of(bits):
    """What tests/data/index_mask_test.cpp expects, too."""
    y, x = np.mgrid[0:11, 0:13]
    return (7 * x + 3 * y + x * y) % min(1 << bits, 250)


def packed(values, bits):
    """Rows of a PNG without filters."""
    if bits == 16:
        return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    rows = []
    for row in values:
        of_bits = "".join(f"{value:0{bits}b}" for value in row)
        of_bits += "0" * (-len(of_bits) % 8)
        rows.append(b"\0" + bytes(int(of_bits[i : i + 8], 2) for i in range(0, len(of_bits), 8)))
    return b"".join(rows)


def write_mask(name, bits, kind, interlaced):
    """Pillow writes neither grey of 2 and 4 bits nor interlaced files."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    values = values_of(bits)
    height, width = values.shape
    passes = [values[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [values]
    rows = b"".join(packed(part, bits) for part in passes if part.size)
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))]
    if kind == PALETTE:  # all of one colour: it must not matter
        chunks.append(chunk(b"PLTE", bytes([9, 8, 7] * (1 << bits))))
    chunks += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    (FOLDER / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for interlaced in (0, 1):
        for kind, name in ((GREY, "grey"), (PALETTE, "palette")):
            for bits in (1, 2, 4, 8, 16) if kind == GREY else (1, 2, 4, 8):
                suffix = "_interlaced" if interlaced else ""
                write_mask(f"{name}{bits}{suffix}.png", bits, kind, interlaced)
    pillows = Image.fromarray(values_of(8).astype(np.uint8)).convert("P")
    pillows.putpalette(bytes(range(256)) * 3)
    pillows.save(FOLDER / "pillow.png")

    image = Image.open(GOLDEN / "data" / "operations.png")
    radii = [0, 0.05, 0.3, 0.71, 0.99]
    blurred = [np.asarray(image.filter(ImageFilter.GaussianBlur(radius))) for radius in radii]
    Image.fromarray(np.concatenate(blurred)).save(FOLDER / "blurred.png", optimize=True)
    angles = [-10, -3.3, 0, 0.01, 7.77, 45, 90, 170]
    turned = [np.asarray(image.rotate(angle, Image.Resampling.BILINEAR)) for angle in angles]
    Image.fromarray(np.concatenate(turned)).save(FOLDER / "turned.png", optimize=True)
    y, x = np.mgrid[0 : image.height, 0 : image.width]
    mask = Image.fromarray(((x // 5 + 3 * (y // 4)) % 20).astype(np.uint8))
    masks = [np.asarray(mask.rotate(angle, Image.Resampling.NEAREST, fillcolor=255)) for angle in angles]
    mask.save(FOLDER / "mask.png")
    Image.fromarray(np.concatenate(masks)).save(FOLDER / "turned_mask.png", optimize=True)


if __name__ == "__main__":
    main()
