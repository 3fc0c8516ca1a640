"""What Python's readers of ONNX make of a file, as one JSON object.

onnx_peer.py MODEL [SHAPE ...]   SHAPE is 3x3x64x64; for each, MODEL.SHAPE.in holds an input of the
                                 network's own type and MODEL.SHAPE.out the float32 output expected
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime
import openvino


def in_order(detections: np.ndarray) -> np.ndarray:
    """Rows by class and box: of equal scores runtimes have orders of their own."""
    return detections[np.lexsort(np.round(detections[:, [3, 2, 1, 0, 5]], 1).T)]


def main() -> None:
    path, shapes = sys.argv[1], sys.argv[2:]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    value = model.graph.input[0].type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.elem_type)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    # Else OpenVINO computes in bfloat16 or float16 where the machine has instructions for it.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    differences = {"onnxruntime": [], "openvino": []}
    unequal = {"onnxruntime": [], "openvino": []}
    types = set()
    for shape in shapes:
        x = np.fromfile(f"{path}.{shape}.in", dtype).reshape([int(n) for n in shape.split("x")])
        expected = np.fromfile(f"{path}.{shape}.out", np.float32)
        answers = {"onnxruntime": session.run(None, {"images": x})[0], "openvino": compiled(x)[0]}
        for name, answer in answers.items():
            assert answer.size == expected.size, (name, answer.shape)
            if model.graph.output[0].name == "detections":
                answer, expected = in_order(answer), in_order(expected.reshape(-1, 6)).ravel()
            types.add(str(answer.dtype))
            distances = np.abs(answer.astype(np.float64).ravel() - expected)
            differences[name].append(float(distances.max()))
            unequal[name].append(float((distances > 0).mean()))
    print(json.dumps({
        "opsets": [(entry.domain, entry.version) for entry in model.opset_import],
        "producer": [model.producer_name, model.producer_version],
        "metadata": session.get_modelmeta().custom_metadata_map,
        "initializers": [initializer.name for initializer in model.graph.initializer],
        "nodes": [node.op_type for node in model.graph.node],
        "input": [dim.dim_param or dim.dim_value for dim in value.shape.dim],
        "output": model.graph.output[0].name,
        "output_shape": [dim.dim_param or dim.dim_value
                         for dim in model.graph.output[0].type.tensor_type.shape.dim],
        "output_types": sorted(types),
        "differences": differences,
        "unequal": unequal,
    }))


if __name__ == "__main__":
    main()
