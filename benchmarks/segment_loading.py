#!/usr/bin/env python3
"""How fast torchvision's transforms prepare images and masks for segmentation, on one thread.

The recipe is that of `mobileone` (configs with model.head=deeplabv3, the defaults of
augment.segment): a random short side, flip, a crop that is drawn anew while one class covers more
than 75 % of it, blur, photometric distortion, rotation, floats. Images and masks are files. Prints
images a second of processor time, the median of the rounds.

    pip install --no-deps --target /tmp/tv torchvision==0.28.0
    PYTHONPATH=/tmp/tv .deps/venv/bin/python benchmarks/segment_loading.py DIR/train DIR/trainannot
    build/mobileone bench data CONFIG data.train=DIR/train --workers 1 --consumes 0
"""

import argparse
import random
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

# torchvision's operators (nms, ...) are those of a build for CUDA, and not needed.
torch.library.register_fake = lambda *arguments, **more: lambda function: function
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms.v2 import functional as F  # noqa: E402

IGNORED = 255


def largest_share(mask):
    counts = np.bincount(np.asarray(mask).reshape(-1), minlength=256)[:IGNORED]
    return counts.max() / max(1, counts.sum())


def cut(image, mask, width, height, options):
    short = random.randint(*options.short_side)
    scale = short / min(width, height)
    if scale * max(width, height) > options.long_side:
        scale = options.long_side / max(width, height)
    size = [max(1, int(scale * height)), max(1, int(scale * width))]
    image = F.resize(image, size, InterpolationMode.BILINEAR, antialias=True)
    mask = F.resize(mask, size, InterpolationMode.NEAREST)
    if random.random() < 0.5:
        image, mask = F.horizontal_flip(image), F.horizontal_flip(mask)
    crop = options.size
    right, bottom = max(0, crop - size[1]), max(0, crop - size[0])
    if right or bottom:
        image = F.pad(image, [0, 0, right, bottom], fill=0)
        mask = F.pad(mask, [0, 0, right, bottom], fill=IGNORED)
        size = [size[0] + bottom, size[1] + right]
    for _ in range(10):
        top, left = random.randint(0, size[0] - crop), random.randint(0, size[1] - crop)
        part = F.crop(mask, top, left, crop, crop)
        if largest_share(part) <= 0.75:
            break
    return F.crop(image, top, left, crop, crop), part


def distort(image):
    contrast_first = random.random() < 0.5
    steps = [(F.adjust_brightness, 0.125, 1), (F.adjust_contrast, 0.5, 1),
             (F.adjust_saturation, 0.5, 1), (F.adjust_hue, 0.05, 0)]
    if not contrast_first:
        steps.append(steps.pop(1))
    for adjust, amount, middle in steps:
        if random.random() < 0.5:
            image = adjust(image, middle + random.uniform(-amount, amount))
    if random.random() < 0.5:
        image = F.permute_channels(image, random.sample(range(3), 3))
    return image


def load(image_path, mask_path, options):
    image, mask = Image.open(image_path).convert("RGB"), Image.open(mask_path)
    width, height = image.size
    if options.tensors:
        image, mask = F.pil_to_tensor(image), F.pil_to_tensor(mask)
    image, mask = cut(image, mask, width, height, options)
    if random.random() < 0.5:
        radius = random.random()
        if options.tensors:
            image = F.gaussian_blur(image, [5, 5], [max(0.01, radius)])
        else:
            image = image.filter(ImageFilter.GaussianBlur(radius))
    image = distort(image)
    degrees = random.uniform(-10, 10)
    image = F.rotate(image, degrees, InterpolationMode.BILINEAR, fill=0)
    mask = F.rotate(mask, degrees, InterpolationMode.NEAREST, fill=IGNORED)
    return F.to_dtype(F.to_image(image), torch.float32, scale=True), F.to_image(mask)[0].long()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("masks", type=Path, help="files of the same names, but for their ending .png")
    parser.add_argument("--tensors", action="store_true", help="transform tensors, not Pillow's images")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--short-side", type=int, nargs=2, default=[256, 768])
    parser.add_argument("--long-side", type=int, default=1024)
    parser.add_argument("--count", type=int, default=100, help="images a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = [path for path in sorted(options.images.iterdir())]
    pairs = [(path, options.masks / f"{path.stem}.png") for path in files]
    random.seed(0)
    load(*pairs[0], options)
    rates = []
    for _ in range(options.rounds):
        chosen = [random.choice(pairs) for _ in range(options.count)]
        start = time.process_time()
        batch = [load(*pair, options) for pair in chosen[:8]]
        for first in range(8, len(chosen), 8):
            torch.stack([image for image, _ in batch]), torch.stack([mask for _, mask in batch])
            batch = [load(*pair, options) for pair in chosen[first : first + 8]]
        rates.append(len(chosen) / (time.process_time() - start))
    print(f"{statistics.median(rates):.1f} img/s per core ({', '.join(f'{rate:.1f}' for rate in rates)})")


if __name__ == "__main__":
    main()
