#!/usr/bin/env python3
"""Writes tests/golden/data: synthetic images and what Pillow makes of them, and what torchvision's
random choices are like.

Run with the Python of .deps/venv (needs numpy and Pillow 13). Outputs are PNGs written by Pillow,
which tests/data compares pixel by pixel with what mobileone makes of the same inputs, and CSV files.
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


def turn_hue(image, shift):
    """torchvision's adjust_hue."""
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.int32(shift * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")


# As torchvision's _apply_op and ColorJitter call Pillow.
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
    "SolarizeAdd": lambda im, m: im.point([min(255, i + int(m)) if i < 128 else i for i in range(256)] * 3),
    "AutoContrast": lambda im, m: ImageOps.autocontrast(im),
    "Equalize": lambda im, m: ImageOps.equalize(im),
    "Invert": lambda im, m: ImageOps.invert(im),
    "Hue": turn_hue,
}
SHEARS = [-0.3, -0.1, 0, 0.16666667, 0.3]
FACTORS = [-0.9, -0.4, 0, 0.3, 0.9]
MAGNITUDES = {
    "ShearX": [*SHEARS, 0.99, -0.7],
    "ShearY": [*SHEARS, 0.99, -0.7],
    "TranslateX": [-24.9, -3, 0, 0.9, 16.3],
    "TranslateY": [-16.9, -3, 0, 0.9, 11.3],
    "Rotate": [-30, -10, 0, 26.666667, 30, 90, 135, -121.5],
    "Brightness": FACTORS,
    "Color": FACTORS,
    "Contrast": FACTORS,
    "Sharpness": FACTORS,
    "Posterize": [1, 2, 4, 5, 6, 7, 8],
    "Solarize": [0, 28.333334, 113.33334, 255, 256],
    "SolarizeAdd": [0, 33.5, 110],
    "AutoContrast": [0],
    "Equalize": [0],
    "Invert": [0],
    "Hue": [-0.5, -0.2, -0.003, 0, 0.1, 0.4, 0.5],
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


def write_hues():
    """Sums over all colours after some shifts: of the levels times the colour's number."""
    numbers = np.arange(1 << 24, dtype=np.int64)
    colors = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=1).astype(np.uint8)
    image = Image.fromarray(colors.reshape(1 << 12, 1 << 12, 3))
    lines = ["shift,red,green,blue"]
    for shift in [-0.5, -0.07, 0, 0.013, 0.25]:
        levels = np.asarray(turn_hue(image, shift)).reshape(-1, 3)
        sums = [int((levels[:, channel] * numbers).sum()) for channel in range(3)]
        lines.append(",".join(map(str, [shift, *sums])))
    (FOLDER / "hues.csv").write_text("\n".join(lines) + "\n")


# ColorJitter's steps in some of their orders.
JITTERS = [
    [("Brightness", 0.31), ("Contrast", -0.24), ("Color", 0.39), ("Hue", 0.08)],
    [("Hue", -0.1), ("Color", -0.4), ("Contrast", 0.4), ("Brightness", -0.4)],
    [("Contrast", 0.17), ("Hue", 0.5), ("Brightness", 0.05), ("Color", 1)],
    [("Color", 0.2), ("Brightness", -1)],
]


def write_jitters():
    """One PNG, the results from top to bottom."""
    lines = ["row,operation,magnitude"]
    results = []
    for row, steps in enumerate(JITTERS):
        image = synthetic(HEIGHT, WIDTH, seed=0)
        for name, magnitude in steps:
            image = OPERATIONS[name](image, magnitude)
            lines.append(f"{row},{name},{magnitude}")
        results.append(np.asarray(image))
    save_expected(Image.fromarray(np.concatenate(results)), "jitters")
    (FOLDER / "jitters.csv").write_text("\n".join(lines) + "\n")


# torchvision's AutoAugmentPolicy.IMAGENET.
POLICY = [
    (("Posterize", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, None)),
    (("Equalize", 0.8, None), ("Equalize", 0.6, None)),
    (("Posterize", 0.6, 7), ("Posterize", 0.6, 6)),
    (("Equalize", 0.4, None), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, None), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, None)),
    (("Posterize", 0.8, 5), ("Equalize", 1.0, None)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, None), ("Posterize", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, None)),
    (("Equalize", 0.0, None), ("Equalize", 0.8, None)),
    (("Invert", 0.6, None), ("Equalize", 1.0, None)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, None)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, None)),
    (("Color", 0.4, 0), ("Equalize", 0.6, None)),
    (("Equalize", 0.4, None), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, None)),
    (("Invert", 0.6, None), ("Equalize", 1.0, None)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, None), ("Equalize", 0.6, None)),
]


def policy_magnitude(name, bin, sign):
    """Of the ten that torchvision lays out with torch.linspace, in its float32."""
    if name == "Posterize":
        return 8 - round(bin / (9 / 4))
    ends = {"ShearX": (0, 0.3), "Rotate": (0, 30), "Solarize": (255, 0)}
    first, last = map(np.float32, ends.get(name, (0, 0.9)))
    step = (last - first) / np.float32(9)
    magnitude = first + step * np.float32(bin) if bin < 5 else last - step * np.float32(9 - bin)
    return float(magnitude) * (1 if name == "Solarize" else sign)


def write_policy():
    """The table, and one PNG for each sign with what the sub-policies make of an image."""
    try:
        from torchvision.transforms import AutoAugment, AutoAugmentPolicy

        assert POLICY == AutoAugment()._get_policies(AutoAugmentPolicy.IMAGENET)
    except ImportError:
        pass
    lines = ["sub_policy,operation,probability,bin"]
    for number, steps in enumerate(POLICY):
        lines += [f"{number},{name},{p},{'' if bin is None else bin}" for name, p, bin in steps]
    (FOLDER / "policy.csv").write_text("\n".join(lines) + "\n")
    for name, sign in [("positive", 1), ("negative", -1)]:
        results = []
        for steps in POLICY:
            image = synthetic(23, 33, seed=2)
            for operation, _, bin in steps:
                magnitude = 0 if bin is None else policy_magnitude(operation, bin, sign)
                image = OPERATIONS[operation](image, magnitude)
            results.append(np.asarray(image))
        save_expected(Image.fromarray(np.concatenate(results)), f"policy_{name}")


def sample_crops(random, count, height, width, area=(0.08, 1), ratio=(3 / 4, 4 / 3)):
    """`count` boxes (top, left, height, width) of torchvision's RandomResizedCrop.get_params."""
    own_ratio = width / height
    box_height, box_width = height, width
    if own_ratio < ratio[0]:
        box_height = round(width / ratio[0])
    elif own_ratio > ratio[1]:
        box_width = round(height * ratio[1])
    central = ((height - box_height) // 2, (width - box_width) // 2, box_height, box_width)
    boxes = np.tile(central, (count, 1))
    missing = np.arange(count)
    for _ in range(10):
        target = height * width * random.uniform(*area, missing.size)
        shape = np.exp(random.uniform(*np.log(ratio), missing.size))
        w = np.rint(np.sqrt(target * shape)).astype(int)
        h = np.rint(np.sqrt(target / shape)).astype(int)
        fits = (0 < w) & (w <= width) & (0 < h) & (h <= height)
        h, w = h[fits], w[fits]
        places = random.integers(0, height - h + 1), random.integers(0, width - w + 1)
        boxes[missing[fits]] = np.stack([*places, h, w], axis=1)
        missing = missing[~fits]
    return boxes


def write_crops():
    """Quantiles of the boxes' areas, ratios and places: the share of boxes with at most a value."""
    random = np.random.default_rng(3)
    lines = ["height,width,quantity,value,share"]
    for height, width in [(375, 500), (64, 64), (400, 100), (60, 500), (9, 7)]:
        top, left, h, w = sample_crops(random, 400_000, height, width).T
        quantities = {"area": h * w, "ratio": w / h, "top": top, "left": left}
        for name, values in quantities.items():
            steps = np.quantile(values, np.arange(0.05, 1, 0.1), method="inverted_cdf")
            for value in np.unique(steps):
                share = np.mean(values <= value)
                lines.append(f"{height},{width},{name},{float(value)!r},{share:.5f}")
    (FOLDER / "crops.csv").write_text("\n".join(lines) + "\n")


RESIZES = [(24, 24), (83, 30), (40, 61), (20, 58), (100, 90), (150, 20), (1, 1), (83, 1), (3, 130)]


def write_resizes():
    pixels = np.asarray(synthetic(83, 61, seed=1)).copy()
    pixels[50:60, 10:40:2] = 255  # a bicubic filter leaves the range of levels here
    pixels[50:60, 11:40:2] = 0
    image = Image.fromarray(pixels)
    image.save(FOLDER / "resize.png", optimize=True)
    left, top, width, height = 7, 11, 40, 50
    box = image.crop((left, top, left + width, top + height))
    column = image.crop((0, 0, 1, 83))
    for filter in [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC]:
        name = filter.name.lower()
        for height, width in RESIZES:
            save_expected(image.resize((width, height), filter), f"{name}_{height}x{width}")
        save_expected(box.resize((32, 32), filter), f"{name}_crop")
        save_expected(column.resize((9, 20), filter), f"{name}_column")
        # torchvision's Resize(40) and CenterCrop(32).
        whole = image.resize((40, int(40 * 83 / 61)), filter)
        save_expected(whole.crop((4, 11, 36, 43)), f"{name}_evaluation")


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
    write_png16(FOLDER / "grey_alpha16.png", wide[..., :2], 4)
    save_expected(image.getchannel("R"), "grey_alpha16.png")
    write_png16(FOLDER / "rgba16.png", np.concatenate([wide, wide[..., :1]], axis=2), 6)
    save_expected(image, "rgba16.png")


def exif(orientation):
    """With another tag before it, in one byte order or the other."""
    order, heading = ("<", b"II") if orientation % 2 else (">", b"MM")
    entries = [(0x0102, 3, 1, 8), (0x0112, 3, 1, orientation)]
    directory = b"".join(struct.pack(order + "HHIHxx", *entry) for entry in entries)
    return heading + struct.pack(order + "HIH", 42, 8, len(entries)) + directory + bytes(4)


def write_oriented(image):
    for orientation in range(1, 9):
        path = FOLDER / f"orientation{orientation}.jpg"
        image.save(path, quality=85, exif=b"Exif\0\0" + exif(orientation))
        save_expected(Image.open(path), f"orientation{orientation}.jpg")
        upright = ImageOps.exif_transpose(Image.open(path))
        save_expected(upright, f"orientation{orientation}_upright")


def write_ycck(image):
    """Pillow writes no YCCK, but the same four components as CMYK: only a marker differs."""
    components = [*image.convert("YCbCr").split(), image.getchannel("R")]
    inverted = [ImageOps.invert(component) for component in components]  # as Pillow writes them
    path = FOLDER / "ycck.jpg"
    Image.merge("CMYK", inverted).save(path, quality=85)
    jpeg = bytearray(path.read_bytes())
    transform = jpeg.index(b"Adobe") + 11
    assert jpeg[transform] == 0
    jpeg[transform] = 2
    path.write_bytes(jpeg)
    save_expected(Image.open(path), "ycck.jpg")


def write_jpegs(image):
    variants = {
        "420": (image, dict(subsampling="4:2:0")),
        "422": (image, dict(subsampling="4:2:2")),
        "444": (image, dict(subsampling="4:4:4")),
        "progressive": (image, dict(progressive=True)),
        "rgb": (image, dict(keep_rgb=True)),
        "grey": (image.convert("L"), {}),
        "cmyk": (image.convert("CMYK"), {}),
    }
    for name, (picture, options) in variants.items():
        path = FOLDER / f"{name}.jpg"
        picture.save(path, quality=85, **options)
        save_expected(Image.open(path), f"{name}.jpg")


def write_boxes(image):
    """Of several blocks each way, to be decoded in part."""
    variants = {
        "420": (image, dict(subsampling="4:2:0")),
        "422": (image, dict(subsampling="4:2:2")),
        "444": (image, dict(subsampling="4:4:4")),
        "grey": (image.convert("L"), {}),
        "progressive": (image, dict(subsampling="4:2:0", progressive=True)),
        "restarts": (image, dict(subsampling="4:2:0", restart_marker_blocks=3)),
    }
    for name, (picture, options) in variants.items():
        picture.save(FOLDER / f"boxes_{name}.jpg", quality=85, **options)


def write_others(image):
    for name in ["rgb.bmp", "rgb.ppm", "rgb.tif"]:
        image.save(FOLDER / name)
        save_expected(image, name)
    alpha = Image.merge("RGBA", (*image.split(), Image.linear_gradient("L").resize(image.size)))
    for name, picture in {
        "palette": image.quantize(31),
        "grey": image.convert("L"),
        "bilevel": image.convert("1"),
        "rgba": alpha,
    }.items():
        picture.save(FOLDER / f"{name}.bmp")
        save_expected(picture, f"{name}.bmp")
    write_webps(image, alpha)


def write_webps(image, alpha):
    still = {
        "lossless": (image, dict(lossless=True)),
        "lossy": (image, dict(quality=80)),
        "alpha_lossless": (alpha, dict(lossless=True, exact=True)),
        "alpha_lossy": (alpha, dict(quality=80)),
    }
    for name, (picture, options) in still.items():
        path = FOLDER / f"{name}.webp"
        picture.save(path, **options)
        save_expected(Image.open(path), f"{name}.webp")
        path = FOLDER / f"animated_{name}.webp"
        picture.save(path, save_all=True, append_images=[picture.rotate(180)], **options)
        save_expected(Image.open(path), f"animated_{name}.webp")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_operations()
    write_hues()
    write_jitters()
    write_policy()
    write_crops()
    write_resizes()
    image = synthetic(23, 33, seed=2)
    write_pngs(image)
    write_jpegs(image)
    write_boxes(synthetic(97, 131, seed=3))
    write_oriented(image)
    write_ycck(image)
    write_others(image)


if __name__ == "__main__":
    main()
