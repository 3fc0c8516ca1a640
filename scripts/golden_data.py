#!/usr/bin/env python3
"""Writes tests/golden/data: synthetic images and what Pillow makes of them.

Run with the Python of .deps/venv (needs numpy and pillow). Outputs are PNGs written by Pillow, which
tests/data compares pixel by pixel with what mobileone makes of the same inputs.
"""

import math
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"
HEIGHT, WIDTH = 37, 54


def synthetic(height, width, seed):
    """Gradients, edges and noise; dark enough that autocontrast and equalize have work to do."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    red = 40 + 150 * x / width
    green = 30 + 160 * y / height
    blue = 100 + 70 * np.sin(x / 5) * np.cos(y / 4)
    image = np.stack([red, green, blue], axis=2)
    image[height // 4 : height // 2, width // 3 : width // 2] = (200, 20, 60)
    image += random.normal(0, 6, image.shape)
    return Image.fromarray(np.clip(np.rint(image), 15, 230).astype(np.uint8))


def save_expected(image, name):
    image.convert("RGB").save(FOLDER / f"{name}.expected.png", optimize=True)


def affine(image, matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


# As torchvision's _apply_op calls Pillow.
OPERATIONS = {
    "ShearX": lambda im, m: affine(im, (1, math.tan(math.atan(m)), 0, 0, 1, 0)),
    "ShearY": lambda im, m: affine(im, (1, 0, 0, math.tan(math.atan(m)), 1, 0)),
    "TranslateX": lambda im, m: affine(im, (1, 0, -int(m), 0, 1, 0)),
    "TranslateY": lambda im, m: affine(im, (1, 0, 0, 0, 1, -int(m))),
    "Rotate": lambda im, m: im.rotate(m, Image.Resampling.NEAREST),
    "Brightness": lambda im, m: ImageEnhance.Brightness(im).enhance(1 + m),
    "Color": lambda im, m: ImageEnhance.Color(im).enhance(1 + m),
    "Contrast": lambda im, m: ImageEnhance.Contrast(im).enhance(1 + m),
    "Sharpness": lambda im, m: ImageEnhance.Sharpness(im).enhance(1 + m),
    "Posterize": lambda im, m: ImageOps.posterize(im, int(m)),
    "Solarize": lambda im, m: ImageOps.solarize(im, m),
    "AutoContrast": lambda im, m: ImageOps.autocontrast(im),
    "Equalize": lambda im, m: ImageOps.equalize(im),
    "Invert": lambda im, m: ImageOps.invert(im),
}
SHEARS = [-0.3, -0.1, 0, 0.16666667, 0.3]
FACTORS = [-0.9, -0.4, 0, 0.3, 0.9]
MAGNITUDES = {
    "ShearX": SHEARS,
    "ShearY": SHEARS,
    "TranslateX": [-24.9, -3, 0, 0.9, 16.3],
    "TranslateY": [-16.9, -3, 0, 0.9, 11.3],
    "Rotate": [-30, -10, 0, 26.666667, 30],
    "Brightness": FACTORS,
    "Color": FACTORS,
    "Contrast": FACTORS,
    "Sharpness": FACTORS,
    "Posterize": [4, 5, 6, 7, 8],
    "Solarize": [0, 28.333334, 113.33334, 255, 256],
    "AutoContrast": [0],
    "Equalize": [0],
    "Invert": [0],
}


def write_operations():
    """One PNG per operation, the results at its magnitudes from top to bottom."""
    image = synthetic(HEIGHT, WIDTH, seed=0)
    image.save(FOLDER / "operations.png", optimize=True)
    lines = ["operation,row,magnitude"]
    for name, magnitudes in MAGNITUDES.items():
        results = [np.asarray(OPERATIONS[name](image, m)) for m in magnitudes]
        save_expected(Image.fromarray(np.concatenate(results)), name)
        lines += [f"{name},{row},{m}" for row, m in enumerate(magnitudes)]
    (FOLDER / "operations.csv").write_text("\n".join(lines) + "\n")


def write_resizes():
    image = synthetic(83, 61, seed=1)
    image.save(FOLDER / "resize.png", optimize=True)
    for height, width in [(24, 24), (83, 30), (40, 61), (100, 90), (83, 61)]:
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        save_expected(resized, f"resize_{height}x{width}")
    left, top, width, height = 7, 11, 40, 50
    box = image.crop((left, top, left + width, top + height))
    save_expected(box.resize((32, 32), Image.Resampling.BILINEAR), "resize_crop")


def write_png16(path, values, color_type):
    """Pillow writes no 16-bit colour PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def write_pngs(image):
    alpha = Image.linear_gradient("L").resize(image.size)
    palette = image.quantize(31)
    modes = {
        "rgb": image,
        "rgba": Image.merge("RGBA", (*image.split(), alpha)),
        "grey": image.convert("L"),
        "grey_alpha": Image.merge("LA", (image.convert("L"), alpha)),
        "bilevel": image.convert("1"),
        "palette": palette,
    }
    for name, picture in modes.items():
        picture.save(FOLDER / f"{name}.png")
        save_expected(picture, f"{name}.png")
    palette.save(FOLDER / "palette_alpha.png", transparency=3)
    save_expected(palette, "palette_alpha.png")
    image.save(FOLDER / "bad_profile.png", icc_profile=b"no profile")
    save_expected(image, "bad_profile.png")

    wide = np.asarray(image).astype(np.uint16) * 256 + 200  # the low byte must not round up
    write_png16(FOLDER / "rgb16.png", wide, 2)
    save_expected(image, "rgb16.png")
    # Pillow clips 16-bit grey to 255 when converting; here it is cut to 8 bits as colour is.
    write_png16(FOLDER / "grey16.png", wide[..., :1], 0)
    save_expected(image.getchannel("R"), "grey16.png")


def write_jpegs(image):
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: must be ignored
    variants = {
        "420": (image, dict(subsampling="4:2:0")),
        "422": (image, dict(subsampling="4:2:2")),
        "444": (image, dict(subsampling="4:4:4")),
        "progressive": (image, dict(progressive=True)),
        "rgb": (image, dict(keep_rgb=True)),
        "grey": (image.convert("L"), {}),
        "cmyk": (image.convert("CMYK"), {}),
        "turned": (image, dict(exif=turned)),
    }
    for name, (picture, options) in variants.items():
        path = FOLDER / f"{name}.jpg"
        picture.save(path, quality=85, **options)
        save_expected(Image.open(path), f"{name}.jpg")


def write_others(image):
    for name in ["rgb.bmp", "rgb.ppm", "rgb.tif"]:
        image.save(FOLDER / name)
        save_expected(image, name)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_operations()
    write_resizes()
    image = synthetic(23, 33, seed=2)
    write_pngs(image)
    write_jpegs(image)
    write_others(image)


if __name__ == "__main__":
    main()
