"""Where time goes in a folded network, kind of convolution by kind of convolution: as TorchScript in
LibTorch and as ONNX in ONNX Runtime and OpenVINO, by their own profilers, at batch 1:

operator_latency.py model.pt model.onnx [--size 224] [--threads 1]   both from `mobileone export`
"""

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import torch


def convolutions_of(path: str, size: int) -> list[tuple[str, int]]:
    """Of each convolution of images, in order: its kind, and its multiply-adds."""
    model = onnx.load(path)
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        outputs, inputs, kernel, _ = weights[node.input[1]]
        size = (size - 1) // attributes["strides"][0] + 1
        if kernel == 1:
            kind = "pointwise"
        else:
            kind = "depthwise" if inputs == 1 else "dense"
        found.append((f"{kind} {kernel}x{kernel} at {size} px",
                      size * size * outputs * inputs * kernel * kernel))
    return found


def in_torch(path: str, images: np.ndarray, threads: int, runs: int) -> list[list[float]]:
    torch.set_num_threads(threads)
    model, x = torch.jit.load(path).eval(), torch.from_numpy(images)
    with torch.inference_mode():
        for _ in range(20):
            model(x)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(runs):
                model(x)
    times = [event.cpu_time_total for event in sorted(profile.events(),
                                                      key=lambda e: e.time_range.start)
             if event.name in ("mkldnn::_convolution_pointwise", "aten::conv2d")]
    return np.reshape(times, (runs, -1)).tolist()


def in_onnxruntime(path: str, images: np.ndarray, threads: int, runs: int) -> list[list[float]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for _ in range(20 + runs):
            session.run(None, {"images": images})
        events = json.loads(Path(session.end_profiling()).read_text())
    times = [event["dur"] for event in events
             if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
             and event["args"]["op_name"] in ("Conv", "FusedConv")]
    return np.reshape(times, (20 + runs, -1))[20:].tolist()


def in_openvino(path: str, images: np.ndarray, threads: int, runs: int) -> list[list[float]]:
    request = openvino.Core().compile_model(path, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERF_COUNT": True,
    }).create_infer_request()
    times = []
    for run in range(20 + runs):
        request.infer([images])
        if run >= 20:
            times.append([1e6 * node.real_time.total_seconds()
                          for node in request.get_profiling_info()
                          if "Convolution" in node.node_type
                          and str(node.status) == "Status.EXECUTED"])
    return times


def medians_by_kind(kinds: list[str], runs: list[list[float]], runtime: str) -> dict[str, float]:
    """Microseconds a kind: the median over runs of its convolutions' sum."""
    if len(runs[0]) != len(kinds):
        raise SystemExit(f"{runtime}: ran {len(runs[0])} convolutions, the file has {len(kinds)}")
    sums = defaultdict(list)
    for run in runs:
        of_kind = defaultdict(float)
        for kind, time in zip(kinds, run):
            of_kind[kind] += time
        for kind, time in of_kind.items():
            sums[kind].append(time)
    return {kind: statistics.median(times) for kind, times in sums.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("torchscript")
    parser.add_argument("onnx")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    shape = (1, 3, options.size, options.size)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    convolutions = convolutions_of(options.onnx, options.size)
    kinds = [kind for kind, _ in convolutions]
    files = {"LibTorch": (in_torch, options.torchscript),
             "ONNX Runtime": (in_onnxruntime, options.onnx),
             "OpenVINO": (in_openvino, options.onnx)}
    columns = {name: medians_by_kind(kinds, run(path, images, options.threads, options.runs), name)
               for name, (run, path) in files.items()}
    print("| convolutions | number | M multiply-adds | "
          + " | ".join(f"{name}, µs" for name in columns) + " | GMAC/s of each |")
    print("|" + "---|" * (len(columns) + 4))
    for row in [*dict.fromkeys(kinds), "all"]:
        of_row = [kind for kind in columns["LibTorch"] if row in (kind, "all")]
        times = [sum(column[kind] for kind in of_row) for column in columns.values()]
        macs = sum(macs for kind, macs in convolutions if row in (kind, "all"))
        print(f"| {row} | {sum(row in (kind, 'all') for kind in kinds)} | {1e-6 * macs:.1f} | "
              + " | ".join(f"{time:.0f}" for time in times) + " | "
              + ", ".join(f"{1e-3 * macs / time:.0f}" for time in times) + " |")


if __name__ == "__main__":
    main()
