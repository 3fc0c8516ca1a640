#!/usr/bin/env python3
"""Writes tests/golden/voc_ap.json: drawn sets of boxes and what Pascal VOC's evaluation makes of
them, by a literal numpy version of the development kit's VOCevaldet.m and VOCap.m.

Boxes are xmin, ymin, xmax, ymax in pixels from 1, ends included. Run with a Python that has numpy.
"""

import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return -np.inf
    union = (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - width * height
    return width * height / union


def average_precisions(objects, found, label):
    """Of one class, as VOC 2007 and as VOC 2010 have it; None without objects."""
    own = [each for each in objects if each["label"] == label]
    count = sum(not each["difficult"] for each in own)
    detections = [each for each in found if each["label"] == label]
    order = np.argsort([-each["score"] for each in detections], kind="stable")
    taken = set()
    right, wrong = np.zeros(len(order)), np.zeros(len(order))
    for i, index in enumerate(order):
        detection = detections[index]
        best, chosen = -np.inf, None
        for j, each in enumerate(own):
            if each["image"] == detection["image"]:
                value = overlap(detection["box"], each["box"])
                if value > best:
                    best, chosen = value, j
        if best < 0.5:
            wrong[i] = 1
        elif not own[chosen]["difficult"]:
            (wrong if chosen in taken else right)[i] = 1
            taken.add(chosen)
    if count == 0:
        return None
    right, wrong = np.cumsum(right), np.cumsum(wrong)
    judged = right + wrong > 0  # before that precision is 0 / 0, which Matlab's max passes over
    recall, precision = (right / count)[judged], (right[judged] / (right + wrong)[judged])
    of_2007 = sum(max(precision[recall >= t], default=0) / 11 for t in np.arange(0, 1.1, 0.1))
    recall = np.concatenate([[0], recall, [1]])
    precision = np.concatenate([[0], precision, [0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return [float(of_2007), float(np.sum((recall[steps] - recall[steps - 1]) * precision[steps]))]


def draw(seed):
    random = np.random.default_rng(seed)
    images, classes = 5, 4

    def box():
        left, top = random.integers(1, 40, 2)
        width, height = random.integers(0, 40, 2)
        return [int(left), int(top), int(left + width), int(top + height)]

    objects = [{"image": int(random.integers(images)), "label": int(random.integers(classes - 1)),
                "box": box(), "difficult": bool(random.random() < 0.2)} for _ in range(25)]
    found = []
    for _ in range(60):
        near = objects[random.integers(len(objects))]
        edges = [int(value) for value in np.array(near["box"]) + random.integers(-3, 4, 4)]
        edges[2:] = max(edges[0], edges[2]), max(edges[1], edges[3])
        found.append({"image": near["image"], "box": edges if random.random() < 0.8 else box(),
                      "label": near["label"] if random.random() < 0.8 else int(random.integers(classes)),
                      "score": float(random.integers(12)) / 12})
    found.sort(key=lambda each: each["image"])  # files of results are written image by image
    return {"objects": objects, "found": found,
            "expected": [average_precisions(objects, found, label) for label in range(classes)]}


def main():
    text = ",\n".join(json.dumps(draw(seed), separators=(",", ":")) for seed in range(6))
    (GOLDEN / "voc_ap.json").write_text(f"[{text}]\n")


if __name__ == "__main__":
    main()
