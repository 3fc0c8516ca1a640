"""Times ONNX files in turn by ONNX Runtime, at batch 1:

onnx_latency.py model.onnx portable.pt [--size 224] [--threads 1]

TorchScript is exported by torch.onnx first, which knows plain operators only: it takes what
`mobileone export --portable` writes.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch


def torch_export(path: str, size: int, folder: str) -> str:
    """What torch.onnx makes of a TorchScript file, at a fixed size."""
    written = str(Path(folder) / "torch.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.jit.load(path)
        if "mkldnn::" in str(model.inlined_graph):
            raise SystemExit(f"{path}: calls oneDNN's operators, which torch.onnx does not know; "
                             "export it with --portable")
        torch.onnx.export(model, (torch.zeros(1, 3, size, size),), written, opset_version=17,
                          dynamo=False, input_names=["images"])
    return written


def open_session(path: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Threads of a session that waits would take processors from the one whose turn it is.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    shape = (1, 3, options.size, options.size)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        paths = [torch_export(path, options.size, folder) if path.endswith(".pt") else path
                 for path in options.models]
        sessions = [open_session(path, options.threads) for path in paths]
    answers = [session.run(None, {"images": images})[0] for session in sessions]
    times = [[] for _ in sessions]
    for round in range(options.rounds + 10):
        for session, seconds in zip(sessions, times):
            start = time.perf_counter()
            session.run(None, {"images": images})
            if round >= 10:
                seconds.append(time.perf_counter() - start)
    for name, seconds, answer in zip(options.models, times, answers):
        how = "by torch.onnx" if name.endswith(".pt") else "as it is"
        print(f"{name}, {how}: minimum {1e3 * min(seconds):.3f} ms, median "
              f"{1e3 * statistics.median(seconds):.3f} ms, largest difference of logits "
              f"{np.abs(answer - answers[0]).max():.2g}")


if __name__ == "__main__":
    main()
