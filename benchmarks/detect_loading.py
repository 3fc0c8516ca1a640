#!/usr/bin/env python3
"""How fast torchvision's v2 transforms prepare images and boxes for detection, on one thread.

The recipe is that of `mobileone` with augment.detect.crop=torchvision: zoom-out, IoU crop, squashed to a
square, flip, photometric distortion, normalised floats. Images are files, boxes COCO's. Prints images a
second of processor time, the median of the rounds.

    python benchmarks/detect_loading.py DIR/train2017 DIR/annotations/instances_train2017.json
    build/mobileone bench data CONFIG data.train=DIR/train2017 data.format=coco \\
        augment.detect.crop=torchvision --workers 1 --consumes 0

Run with a Python that has torch and torchvision.
"""

import argparse
import json
import random
import statistics
import time
from collections import defaultdict
from pathlib import Path

import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--count", type=int, default=200, help="images a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pillow", action="store_true", help="transform Pillow's images, not tensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(0), torch.manual_seed(0)
    coco = json.loads(options.annotations.read_text())
    boxes = defaultdict(list)
    for annotation in coco["annotations"]:
        if not annotation["iscrowd"]:
            x, y, w, h = annotation["bbox"]
            boxes[annotation["image_id"]].append((x, y, x + w, y + h))
    samples = [(options.images / image["file_name"], boxes[image["id"]]) for image in coco["images"]]
    samples = [(file, own) for file, own in samples if own]
    mean = (0.485, 0.456, 0.406)
    transform = v2.Compose([
        *([] if options.pillow else [v2.ToImage()]),
        v2.RandomZoomOut(fill=[round(255 * m) for m in mean]),
        v2.RandomIoUCrop(),
        v2.Resize((options.size, options.size), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.RandomPhotometricDistort(),
        v2.SanitizeBoundingBoxes(),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean, (0.229, 0.224, 0.225)),
    ])

    def load(file, own):
        image = Image.open(file).convert("RGB")
        target = {
            "boxes": tv_tensors.BoundingBoxes(own, format="XYXY", canvas_size=image.size[::-1]),
            "labels": torch.zeros(len(own), dtype=torch.long),
        }
        return transform(image, target)

    load(*samples[0])
    rates = []
    for _ in range(options.rounds):
        chosen = [random.choice(samples) for _ in range(options.count)]
        start = time.process_time()
        for first in range(0, len(chosen), 16):
            torch.stack([load(*sample)[0] for sample in chosen[first : first + 16]])
        rates.append(len(chosen) / (time.process_time() - start))
    print(f"{statistics.median(rates):.1f} img/s per core ({', '.join(f'{rate:.1f}' for rate in rates)})")


if __name__ == "__main__":
    main()
