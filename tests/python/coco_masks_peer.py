"""The Python side of tests/cli/data_masks_test.cpp.

coco_masks_peer.py INSTANCES.json RULE FOLDER   writes FOLDER/expected/NAME for each image: the bytes
    of its mask with Pascal VOC's classes, row by row. RULE is `first`, by which CVNets draws them, or
    `ignore`, by which torchvision's references/segmentation does.
"""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO

# COCO's ids of Pascal VOC's classes, as both projects list them.
IDS = [0, 5, 2, 16, 9, 44, 6, 3, 17, 62, 21, 67, 18, 19, 4, 1, 64, 20, 63, 7, 72]


def drawn(annotation, height, width):
    """0 or 1 for each pixel: several polygons are one shape."""
    mask = rle.decode(rle.frPyObjects(annotation["segmentation"], height, width))
    return mask if mask.ndim == 2 else mask.any(axis=2).astype(np.uint8)


def mask_of(annotations, height, width, rule):
    mask = np.zeros((height, width), np.uint8)
    depth = np.zeros((height, width), np.int64)
    for annotation in annotations:
        if annotation["category_id"] in IDS:
            shape = drawn(annotation, height, width)
            mask += (mask == 0) * shape * np.uint8(IDS.index(annotation["category_id"]))
            depth += shape
    if rule == "ignore":
        mask[depth > 1] = 255
    return mask


def main(instances, rule, folder):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(instances)
    folder = Path(folder) / "expected"
    folder.mkdir()
    for image in coco.imgs.values():
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        mask = mask_of(annotations, image["height"], image["width"], rule)
        (folder / Path(image["file_name"]).stem).write_bytes(mask.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
