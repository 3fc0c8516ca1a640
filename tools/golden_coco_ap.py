#!/usr/bin/env python3
"""Writes tests/golden/coco_ap.json: sets of boxes with the twelve numbers and the AP of each class
that pycocotools gives, one for each thing that is easily done otherwise, and drawn ones. -1 stands
where there is nothing to find.

    pip install --no-deps --target /tmp/coco pycocotools
    PYTHONPATH=/tmp/coco .deps/venv/bin/python tools/golden_coco_ap.py
"""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"


def truth(image, box, category=1, area=None, crowd=0):
    return {"image_id": image, "bbox": list(box), "category_id": category, "iscrowd": crowd,
            "area": box[2] * box[3] if area is None else area}


def found(image, box, score, category=1):
    return {"image_id": image, "bbox": list(box), "category_id": category, "score": score}


def instances(annotations, images, categories):
    return {"images": [{"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 640}
                       for i in images],
            "annotations": [{"id": i, **each} for i, each in enumerate(annotations, 1)],
            "categories": [{"id": i, "name": f"class {i}"} for i in categories]}


def judge(name, annotations, results, images=(1, 2), categories=(1, 2)):
    data = instances(annotations, images, categories)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = json.loads(json.dumps(data))
        coco.createIndex()
        if results:
            other = coco.loadRes(json.loads(json.dumps(results)))
        else:  # loadRes fails on an empty list
            other = COCO()
            other.dataset = {**data, "annotations": []}
            other.createIndex()
        evaluation = COCOeval(coco, other, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    by_class = evaluation.eval["precision"][:, :, :, 0, 2]
    return {"name": name, "instances": data, "results": results,
            "expected": evaluation.stats.tolist(),
            "class_ap": [float(by_class[:, :, k].mean()) for k in range(len(categories))]}


def cases():
    box = (10, 20, 100, 50)
    other = (300, 300, 100, 50)
    yield "a right one", [truth(1, box)], [found(1, box, 0.5)]
    yield "one of two images", [truth(1, box), truth(2, box)], [found(2, box, 0.5)]
    yield "nothing found", [truth(1, box)], []
    yield "nothing to find", [], [found(1, box, 0.5)]
    yield "a class without objects", [truth(1, box)], [found(1, box, 0.5), found(1, box, 0.9, 2)]
    yield "found in an image without objects", [truth(1, box)], [found(2, box, 0.9), found(1, box, 0.5)]
    yield "equal scores go by image, whatever the file's order", \
        [truth(1, box), truth(2, box)], [found(2, box, 0.5), found(1, other, 0.5), found(1, box, 0.5)]
    yield "equal scores in an image go by the file's order", \
        [truth(1, box)], [found(1, other, 0.5), found(1, box, 0.5)]
    yield "an object is found once", [truth(1, box)], [found(1, box, 0.9), found(1, box, 0.8)]
    yield "the later one of equal objects", \
        [truth(1, box, area=500), truth(1, box, area=5000)], [found(1, box, 0.9)]
    yield "the one that is overlapped most", \
        [truth(1, (10, 20, 100, 60)), truth(1, box)], [found(1, box, 0.9), found(1, (10, 20, 100, 60), 0.8)]
    yield "a crowd takes any number", [truth(1, (0, 0, 400, 400), crowd=1), truth(1, other)], \
        [found(1, (10, 10, 50, 50), 0.9), found(1, (100, 10, 50, 50), 0.8), found(1, other, 0.7)]
    yield "an object goes before a crowd", [truth(1, (0, 0, 400, 400), crowd=1), truth(1, box)], \
        [found(1, (10, 20, 100, 40), 0.9), found(1, box, 0.8)]
    yield "the overlap with a crowd is the share within", [truth(1, (0, 0, 60, 60), crowd=1), truth(1, other)], \
        [found(1, (30, 0, 60, 60), 0.9), found(1, (31, 0, 60, 60), 0.8), found(1, other, 0.7)]
    yield "areas at the limits", [truth(1, (0, 0, 40, 40), area=1024), truth(1, (100, 0, 40, 40), area=9216),
                                  truth(2, (0, 0, 32, 32)), truth(2, (100, 100, 96, 96))], \
        [found(1, (0, 0, 40, 40), 0.9), found(1, (100, 0, 40, 40), 0.8), found(2, (0, 0, 32, 32), 0.7),
         found(2, (100, 100, 96, 96), 0.6), found(2, (200, 200, 32, 32), 0.5), found(2, (200, 300, 96, 96), 0.4)]
    yield "areas are the annotations'", [truth(1, (0, 0, 40, 40), area=500)], \
        [found(1, (0, 0, 40, 40), 0.9), found(1, (100, 0, 40, 40), 0.95)]
    yield "an object of another size is taken last", \
        [truth(1, (0, 0, 30, 30)), truth(1, (0, 0, 30, 38), area=1140)], \
        [found(1, (0, 0, 30, 34), 0.9), found(1, (0, 0, 30, 33), 0.8)]
    yield "an overlap of 0.9 is enough for the ninth", [truth(1, (0, 0, 10, 100))], [found(1, (0, 0, 10, 90), 0.9)]
    for denominator in (20, 40, 3):
        yield f"overlaps at thresholds, of sides in {denominator}ths", \
            [truth(1 + i % 2, (7 / denominator * i, 100 / denominator * (i // 2), 40 / denominator, 3.3))
             for i in range(6)], \
            [found(1 + i % 2, (7 / denominator * i, 100 / denominator * (i // 2), 2 * (20 - i) / denominator, 3.3),
                   0.9 - i / 10) for i in range(6)]
    yield "empty boxes", [truth(1, (5, 5, 0, 10)), truth(1, box)], \
        [found(1, (5, 5, 0, 10), 0.9), found(1, (5, 5, 3, 10), 0.8), found(1, box, 0.7)]
    yield "a hundred of a class and image", [truth(1, (4 * i, 0, 4, 4)) for i in range(120)], \
        [found(1, (4 * i, 0, 4, 4), 1 - (i * 37 % 120) / 200) for i in range(120)]
    yield "negative scores", [truth(1, box), truth(2, box)], [found(1, box, -3), found(2, box, -2), found(2, other, -2.5)]
    for seed in range(4):
        random = np.random.default_rng(seed)
        step, levels = (1, 8) if seed % 2 else (0.25, 20)

        def draw():
            sizes = random.choice([16, 30, 32, 60, 96, 120], 2) + step * random.integers(-3, 4, 2)
            return [float(value) for value in (*(step * random.integers(0, 60, 2)), *sizes)]

        annotations = [truth(int(random.integers(1, 7)), draw(), int(random.integers(1, 4)),
                             crowd=int(random.random() < 0.1)) for _ in range(30)]
        results = []
        for _ in range(80):
            near = annotations[random.integers(len(annotations))]
            shifted = [value + step * float(random.integers(-2, 3)) for value in near["bbox"]]
            results.append(found(near["image_id"], shifted if random.random() < 0.7 else draw(),
                                 float(random.integers(levels)) / levels, int(random.integers(1, 4))))
        yield f"drawn {seed}", annotations, results, range(1, 8), (1, 2, 3, 7)


def main():
    text = ",\n".join(json.dumps(judge(*case), separators=(",", ":")) for case in cases())
    (GOLDEN / "coco_ap.json").write_text(f"[{text}]\n")


if __name__ == "__main__":
    main()
