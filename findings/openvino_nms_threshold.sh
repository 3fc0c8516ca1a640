#!/usr/bin/env bash
# OpenVINO's NonMaxSuppression drops a box whose intersection over union with a better one equals the
# threshold; ONNX Runtime keeps it, as ONNX says (a box is suppressed above iou_threshold), and as
# torchvision's `nms` does.
#
# Seen with OpenVINO 2026.4.1 and ONNX Runtime 1.32.0 on x86-64, CPU. Two boxes of 30 x 10
# that share two thirds of their width have an overlap of exactly 0.5: boxes whose corners lie on a
# grid, as those of drawn scenes, tables, tiles and of detectors that quantise coordinates, meet this
# often, at the usual threshold of 0.5 of all. One exported detector then finds other objects in the
# two runtimes, and a comparison of their outputs differs by a whole row.
#
# Whom it hurts: who exports a detector to ONNX with NonMaxSuppression inside and checks it in one of
# the two. A threshold between two floats (the next one above it) makes both do as ONNX says.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy
cat >"$folder/nms.py" <<'PYTHON'
import sys

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

BOXES = np.array([[[0, 0, 10, 30], [0, 10, 10, 40]]], np.float32)  # y1, x1, y2, x2
SCORES = np.array([[[0.9, 0.8]]], np.float32)


def model(threshold):
    numbers = [
        helper.make_tensor("most", TensorProto.INT64, [1], [10]),
        helper.make_tensor("iou", TensorProto.FLOAT, [1], [threshold]),
        helper.make_tensor("score", TensorProto.FLOAT, [1], [0.0]),
    ]
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "score"], ["chosen"])
    graph = helper.make_graph(
        [node],
        "nms",
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, BOXES.shape),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, SCORES.shape),
        ],
        [helper.make_tensor_value_info("chosen", TensorProto.INT64, [None, 3])],
        numbers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def chosen(threshold):
    feed = {"boxes": BOXES, "scores": SCORES}
    path = sys.argv[1] + "/model.onnx"
    with open(path, "wb") as file:
        file.write(model(threshold))
    runtime = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)[0]
    return len(runtime), len(openvino.Core().compile_model(path, "CPU")(feed)[0])


print("onnxruntime", onnxruntime.__version__, "openvino", openvino.__version__)
at, between = chosen(0.5), chosen(float(np.nextafter(np.float32(0.5), np.float32(1))))
print("boxes kept at 0.5 (ONNX Runtime, OpenVINO):", at)
print("boxes kept at the next float above it:", between)
sys.exit(0 if at == (2, 1) and between == (2, 2) else "the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/nms.py" "$folder"
