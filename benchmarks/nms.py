#!/usr/bin/env python3
"""Non-maximum suppression of 3,234 anchors and 80 classes by torchvision's `batched_nms` and by
nms_benchmark, in turn: milliseconds of one thread, and how many boxes each keeps.

    python benchmarks/nms.py build/nms_benchmark

Run with a Python that has torch and torchvision; -DMOBILEONE_BUILD_BENCHMARKS=ON builds the program.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torchvision.ops import batched_nms

ANCHORS, CLASSES, THRESHOLD, ROUNDS = 3234, 80, 0.5, 5


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    begin = torch.rand(ANCHORS, 2) * 280
    boxes = torch.cat([begin, begin + 8 + torch.rand(ANCHORS, 2) * 120], 1)
    scores = torch.rand(CLASSES, ANCHORS)
    labels = torch.arange(CLASSES).repeat_interleave(ANCHORS)
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, tensor in (("boxes", boxes), ("scores", scores)):
            (Path(folder) / name).write_bytes(tensor.numpy().tobytes())
        command = [sys.argv[1], f"{folder}/boxes", f"{folder}/scores", str(ANCHORS), str(CLASSES), str(THRESHOLD)]
        for _ in range(ROUNDS):
            start = time.perf_counter()
            kept = len(batched_nms(boxes.repeat(CLASSES, 1), scores.flatten(), labels, THRESHOLD))
            theirs.append(1e3 * (time.perf_counter() - start))
            milliseconds, count = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            ours.append(float(milliseconds))
            assert kept == int(count), (kept, count)
    own, other = statistics.median(ours), statistics.median(theirs)
    print(f"torchvision {other:.1f} ms, mobileone {own:.1f} ms: {other / own:.1f} times as fast; {kept} boxes remain")


if __name__ == "__main__":
    main()
