#!/usr/bin/env bash
# A depthwise convolution whose dilation is large, as in the atrous spatial pyramid of a separable
# DeepLabV3 (rates 6, 12, 18), is not computed by oneDNN's generated code on x86 but by a slow
# general one: on a map of 1024 channels of 45x60, a dilation of 12 takes many times as long as the
# same convolution, with the same number of multiplications, without dilation. In channels-last
# memory, which PyTorch recommends for CPUs, it is slower still than in its default layout. Nothing
# says so.
#
# Versions: torch 2.13.0 (CPU), on AVX2: 133 ms channels-last, 22 ms in the default layout, 1.4 ms
#   without dilation, 2 threads.
# Source: measured; oneDNN's verbose output (ONEDNN_VERBOSE=1) names the implementation.
# Hurts: who runs or trains separable DeepLab heads on CPUs: the three dilated layers take longer
#   than the rest of a small network together. To compute the interleaved grids of a dilation as
#   images of a batch, or to write the kernel by oneself, helps.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet numpy==2.4.6 torch==2.13.0
"$dir/venv/bin/python" - <<'PYTHON'
import sys
import time

import torch

print("torch", torch.__version__, torch.backends.cpu.get_cpu_capability())
torch.set_num_threads(1)
weight = torch.randn(1024, 1, 3, 3)


def milliseconds(x, dilation):
    times = []
    with torch.no_grad():
        for _ in range(5):
            start = time.perf_counter()
            torch.conv2d(x, weight, None, 1, dilation, dilation, 1024)
            times.append(time.perf_counter() - start)
    return 1e3 * min(times)


plain = torch.randn(1, 1024, 45, 60)
last = plain.contiguous(memory_format=torch.channels_last)
without, dilated = milliseconds(last, 1), milliseconds(last, 12)
default = milliseconds(plain, 12)
print(f"dilation 1, channels last: {without:.1f} ms")
print(f"dilation 12, channels last: {dilated:.1f} ms, default layout: {default:.1f} ms")
if dilated < 8 * without:
    sys.exit("the behaviour has changed")
PYTHON
