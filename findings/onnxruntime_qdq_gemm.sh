#!/usr/bin/env bash
# ONNX Runtime computes the classifier of a quantised network in floating point if QuantizeLinear and
# DequantizeLinear stand before a Flatten but not behind it as well, though Flatten changes no number: the
# pair is not moved past it, and Gemm with its quantised weights becomes DequantizeLinear (of input, weight
# and bias, at every run) and a Gemm of float32. With a second pair of the same scale behind Flatten it
# becomes one integer QGemm; but only if the weight's and the bias's DequantizeLinear have their third input,
# the zero point, which is optional in ONNX (absent: 0), and which a convolution in the same file does not
# need in order to become QLinearConv. Global average pooling, Flatten and a linear layer are how nearly
# every image classifier ends.
#
# Versions: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6.
# Source: onnxruntime/core/optimizer/qdq_transformer (Flatten is none of the nodes that DequantizeLinear is
#   moved through).
# Hurts: who writes QDQ files by hand or by a tool that puts one pair on each tensor that is computed: the
#   largest matrix of a small network, 1024 x 1000 in MobileOne-S0, stays in floating point without a word.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
cd "$dir" && "$dir/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)


def operators(behind_flatten, zeros):
    """Of the optimised network, by kind."""
    constants = {"s": np.float32(0.02), "z": np.uint8(0), "w": np.ones((10, 16), np.int8),
                 "ws": np.full(10, 0.01, np.float32), "wz": np.zeros(10, np.int8),
                 "b": np.ones(10, np.int32), "bs": np.full(10, 0.0002, np.float32),
                 "bz": np.zeros(10, np.int32)}
    nodes = []

    def pair(x):
        nodes.append(helper.make_node("QuantizeLinear", [x, "s", "z"], [x + "_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [x + "_q", "s", "z"], [x + "_d"]))
        return x + "_d"

    nodes.append(helper.make_node("GlobalAveragePool", [pair("x")], ["mean"]))
    nodes.append(helper.make_node("Flatten", [pair("mean")], ["flat"]))
    flat = pair("flat") if behind_flatten else "flat"
    for own in "wb":
        inputs = [own, own + "s", own + "z"][:3 if zeros else 2]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [own + "f"], axis=0))
    nodes.append(helper.make_node("Gemm", [flat, "wf", "bf"], ["y"], transB=1))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 7, 7])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = "optimised.onnx", 3
    onnxruntime.InferenceSession(model.SerializeToString(), options,
                                 providers=["CPUExecutionProvider"])
    return sorted(node.op_type for node in onnx.load("optimised.onnx").graph.node)


one, two, implied = operators(False, True), operators(True, True), operators(True, False)
print("a pair before Flatten:", one)
print("a pair behind it, too:", two)
print("the same without zero points:", implied)
if "Gemm" not in one or "QGemm" not in two or "Gemm" in two or "Gemm" not in implied:
    sys.exit("the behaviour has changed")
PYTHON
