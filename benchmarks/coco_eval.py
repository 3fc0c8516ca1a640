#!/usr/bin/env python3
"""How long COCO's evaluation of boxes takes: pycocotools, faster-coco-eval and `mobileone eval`.

Draws a set like COCO's validation images (80 classes with gaps in their ids, some 7 objects an image,
crowds, areas at the limits) and 100 detections an image, of which a part are shifted objects and
some scores are equal. Each evaluates it in turn, in a process of its own on one thread; a round's
order is drawn. Prints medians of the wall time: `all` is the whole process, `evaluation` is without
starting and reading the files. All must find the same twelve numbers.

    pip install --no-deps --target /tmp/peers pycocotools faster-coco-eval
    PYTHONPATH=/tmp/peers .deps/venv/bin/python benchmarks/coco_eval.py build/mobileone
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

KEYS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
        "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large")


def draw(folder, images, detections):
    random = np.random.default_rng(0)
    missing = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
    categories = [i for i in range(1, 91) if i not in missing]
    popularity = 1 / np.arange(1, len(categories) + 1)
    popularity /= popularity.sum()

    def boxes(count):
        sizes = np.exp(random.uniform(np.log(8), np.log(400), (count, 2)))
        corners = random.uniform(0, 1, (count, 2)) * np.maximum(640 - sizes, 0)
        return np.concatenate([corners, sizes], 1)

    annotations, results = [], []
    for image in range(1, images + 1):
        objects = boxes(random.poisson(7)).round(2)
        classes = random.choice(categories, len(objects), p=popularity)
        for box, category in zip(objects, classes):
            area = random.choice([1024, 9216]) if random.random() < 0.01 else \
                round(box[2] * box[3] * random.uniform(0.4, 1), 2)
            annotations.append({"id": len(annotations) + 1, "image_id": image, "bbox": box.tolist(),
                                "category_id": int(category), "area": float(area),
                                "iscrowd": int(random.random() < 0.01)})
        near = min(2 * len(objects), detections // 2)
        chosen = random.integers(0, max(1, len(objects)), near)
        found = boxes(detections)
        found[:near] = objects[chosen] * random.normal(1, 0.05, (near, 4))
        labels = random.choice(categories, detections, p=popularity)
        labels[:near] = np.where(random.random(near) < 0.8, classes[chosen], labels[:near])
        scores = np.where(np.arange(detections) < near, random.beta(4, 2, detections),
                          random.beta(1, 6, detections)).round(3)
        results += [{"image_id": image, "category_id": int(category), "bbox": box.tolist(),
                     "score": float(score)}
                    for box, category, score in zip(found.astype(np.float32).round(2).astype(float).round(2),
                                                    labels, scores)]
    instances = {"images": [{"id": i, "file_name": f"{i:012}.jpg", "width": 640, "height": 640}
                            for i in range(1, images + 1)],
                 "annotations": annotations,
                 "categories": [{"id": i, "name": f"class {i}"} for i in categories]}
    (folder / "instances.json").write_text(json.dumps(instances))
    (folder / "results.json").write_text(json.dumps(results))


def peer(name, folder):
    """What the process of a peer does: prints its numbers and the seconds of its evaluation."""
    if name == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval as Evaluation
    else:
        from faster_coco_eval import COCO, COCOeval_faster as Evaluation
    truth = COCO(str(folder / "instances.json"))
    found = truth.loadRes(str(folder / "results.json"))
    start = time.perf_counter()
    evaluation = Evaluation(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds} |
                     {key: 100 * float(value) for key, value in zip(KEYS, evaluation.stats)}))


def measure(command):
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    start = time.perf_counter()
    lines = subprocess.run(["taskset", "-c", "0", *command], env=environment, check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return time.perf_counter() - start, json.loads(lines[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path, help="build/mobileone")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=100, help="of each image")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer[0], Path(options.peer[1]))
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), options.images, options.detections)
        commands = {name: [sys.executable, __file__, "-", "--peer", name, folder]
                    for name in ("pycocotools", "faster-coco-eval")}
        commands["mobileone"] = [options.program, "eval", "--detections", f"{folder}/results.json",
                                 "--data", f"{folder}/instances.json", "--json"]
        walls, evaluations = ({name: [] for name in commands} for _ in range(2))
        for _ in range(options.rounds):
            numbers = {}
            for name in random.sample(list(commands), len(commands)):
                wall, numbers[name] = measure(commands[name])
                walls[name].append(wall)
                evaluations[name].append(numbers[name]["seconds"])
            for name in commands:
                for key in KEYS:
                    assert abs(numbers[name][key] - numbers["pycocotools"][key]) < 1e-10, (name, key)
    for what, times in (("all", walls), ("evaluation", evaluations)):
        own = statistics.median(times["mobileone"])
        for name in commands:
            median = statistics.median(times[name])
            print(f"{what:<10}  {name:<16}  {median:8.3f} s  {median / own:6.1f} times mobileone's")


if __name__ == "__main__":
    main()
