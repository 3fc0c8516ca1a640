#!/usr/bin/env python3
"""Writes annotations in COCO's format, and the pixels that pycocotools says they cover.

golden_coco.py                  writes tests/golden/coco: a few annotations of each kind
golden_coco.py FOLDER COUNT     writes COUNT of them instead
golden_coco.py FOLDER FILE      takes those of a file

instances.json holds the annotations, runs.txt a line for each: its id and the lengths of the runs of
its mask, columns from left to right, beginning with what is outside. Run with the Python of
.deps/venv (needs numpy and pycocotools).
"""

import contextlib
import io
import json
import random
import sys
from pathlib import Path

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "coco"


def grid(value, step):
    return round(round(value / step) * step, 4)


def drawn(rng, height, width, reach=1.0, step=0.01):
    """Vertices around a centre, as one draws an object."""
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    angles = sorted(rng.uniform(0, 2 * np.pi) for _ in range(rng.randint(3, 20)))
    radii = [rng.uniform(0.1, reach) * max(height, width) / 2 for _ in angles]
    points = [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(angles, radii)]
    return [grid(value, step) for point in points for value in point]


def scattered(rng, height, width, margin, step):
    """Vertices anywhere, so that edges cross."""
    return [grid(rng.uniform(-margin, side + margin), step)
            for _ in range(rng.randint(3, 12)) for side in (width, height)]


def polygon(rng, height, width):
    kind = rng.randrange(10)
    if kind < 3:
        return drawn(rng, height, width, step=rng.choice([0.01, 0.1, 0.2, 0.5, 1]))
    if kind == 3:
        return drawn(rng, height, width, reach=rng.choice([0.02, 0.1]), step=1e-4)  # tiny
    if kind == 4:
        return drawn(rng, height, width, reach=rng.choice([4, 1000]))  # far outside
    if kind < 7:
        return scattered(rng, height, width, rng.choice([0, 5]), rng.choice([0.01, 0.1, 0.5, 1]))
    if kind == 7:  # vertices that come twice, and the first once more in the end
        points = scattered(rng, height, width, 2, 0.5)
        return [value for i in range(0, len(points), 2) for value in points[i:i + 2] * 2] + points[:2]
    if kind == 8:  # collinear: all in one line, or in one point
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        dx, dy = rng.choice([(0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (3, 1)])
        return [grid(value, 0.1) for t in (0, rng.randint(1, 30), rng.randint(1, 30))
                for value in (x + t * dx, y + t * dy)]
    side = rng.choice([1, 0.5, 7.25])  # a box
    x, y = grid(rng.uniform(-1, width), 0.5), grid(rng.uniform(-1, height), 0.5)
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def runs_of(mask):
    """Beginning with what is outside."""
    pixels = mask.flatten(order="F")
    borders = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff([0, *borders, pixels.size]).tolist()
    return [0, *runs] if pixels[0] else runs


def noise(rng, height, width):
    seed = np.random.default_rng(rng.randrange(1 << 30))
    mask = seed.random((height, width)) < rng.choice([0, 0.05, 0.5, 1])
    mask = np.kron(mask, np.ones((rng.choice([1, 5]),) * 2))[:height, :width]
    return np.asfortranarray(mask.astype(np.uint8))


def segmentation(rng, height, width):
    kind = rng.randrange(12)
    if kind < 7:
        return [polygon(rng, height, width)]
    if kind < 9:
        return [polygon(rng, height, width) for _ in range(rng.randint(2, 5))]
    if kind == 9:
        runs = runs_of(noise(rng, height, width))
        if rng.random() < 0.5 and runs[-1] > 1:  # a run of nothing amid them
            runs[-1:] = [runs[-1] - 1, 0, 1]
        return {"size": [height, width], "counts": runs}
    encoded = rle.encode(noise(rng, height, width))
    return {"size": [height, width], "counts": encoded["counts"].decode()}


def draw(count):
    rng = random.Random(1)
    images, annotations = [], []
    for number in range(1, count + 1):
        height, width = (rng.choice([1, 2, *[rng.randint(3, 90)] * 8]) for _ in range(2))
        images.append({"id": number, "file_name": f"{number}.jpg", "height": height, "width": width})
        shape = segmentation(rng, height, width)
        annotations.append({"id": number, "image_id": number, "category_id": 1, "area": 1,
                            "iscrowd": int(isinstance(shape, dict)), "bbox": [0, 0, width, height],
                            "segmentation": shape})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    count = sys.argv[2] if len(sys.argv) > 2 else "60"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "instances.json"
    if count.isdigit():
        lines = json.dumps(draw(int(count))).replace('{"id"', '\n{"id"')
        file.write_text(lines + "\n")
    else:
        file.write_bytes(Path(count).read_bytes())
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(file)
    with (folder / "runs.txt").open("w") as out:
        for annotation in coco.anns.values():
            mask = coco.annToMask(annotation)
            print(annotation["id"], *runs_of(mask), file=out)


if __name__ == "__main__":
    main()
