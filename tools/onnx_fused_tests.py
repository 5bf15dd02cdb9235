#!/usr/bin/env python3
"""Writes tests of ONNX Runtime's own operators, as `onnx_node_tests.py` writes the official ones of ONNX's.

    tools/onnx_fused_tests.py FOLDER

FOLDER becomes a folder for each test: model.onnx of one node, and data.safetensors with `input.N`, `output.N` as ONNX
Runtime computes them, and the tolerances as metadata.
"""
import pathlib
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from safetensors.numpy import save_file

RANDOM = np.random.Generator(np.random.PCG64(11))


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def whole(dtype, *shape):
    info = np.iinfo(dtype)
    return RANDOM.integers(info.min, info.max + 1, shape).astype(dtype)


def number(value, dtype=np.float32):
    return np.array(value, dtype)


def cases():
    """(operator, inputs of which None is left out, attributes, outputs of which None is left out)"""
    x, wide = floats(2, 3, 24), floats(3, 24) * 4
    for alpha in ({}, {"alpha": 1.702}, {"alpha": 0.5}):
        yield "QuickGelu", [wide], alpha
    yield "Gelu", [wide], {}
    yield "BiasGelu", [x, floats(24)], {}
    yield "FastGelu", [wide], {}
    yield "FastGelu", [x, floats(24)], {}
    a, b = floats(2, 5, 3, 4), floats(2, 5, 4, 6)
    for alpha in (1.0, 0.125):
        yield "FusedMatMul", [a, b], {"alpha": alpha}
    yield "FusedMatMul", [a.swapaxes(2, 3).copy(), b], {"transA": 1}
    yield "FusedMatMul", [a, b.swapaxes(2, 3).copy()], {"transB": 1}
    yield "FusedMatMul", [a.swapaxes(2, 3).copy(), b.swapaxes(2, 3).copy()], {"transA": 1, "transB": 1}
    # [rows, batch, batch, inputs]: the first dimension is one of the matrix.
    yield "FusedMatMul", [a.transpose(2, 0, 1, 3).copy(), b], {"transBatchA": 1}
    yield "FusedMatMul", [a, b.transpose(3, 0, 1, 2).copy()], {"transBatchB": 1, "transB": 1, "alpha": 2.0}
    yield "FusedMatMul", [a.transpose(3, 0, 1, 2).copy(), b.transpose(2, 0, 1, 3).copy()], {
        "transBatchA": 1, "transA": 1, "transBatchB": 1}
    yield "FusedMatMul", [floats(3, 4), floats(4, 9)], {"alpha": 3.0}
    for kind in (np.uint8, np.int8):
        for scales in ((), (12,)):
            scale, zero = np.abs(floats(*scales)) / 100 + number(0.01), whole(kind, *scales)
            if kind == np.int8:
                zero = np.zeros_like(zero)
            for bias in (None, floats(12)):
                yield "DynamicQuantizeMatMul", [x, whole(kind, 24, 12), scale, zero, bias], {}
                yield "MatMulIntegerToFloat", [
                    whole(np.uint8, 2, 3, 24), whole(kind, 24, 12), number(0.02), scale, number(7, np.uint8), zero, bias], {}
            yield "DynamicQuantizeMatMul", [x, whole(kind, 24, 12), scale], {}
    picture, kernel = floats(2, 4, 6, 6), floats(8, 4, 3, 3)
    layout = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    yield "FusedConv", [picture, kernel, floats(8)], {"activation": "Relu", **layout}
    yield "FusedConv", [picture, kernel, floats(8)], {"activation": "Relu", "strides": [2, 2], **layout}
    yield "FusedConv", [picture, kernel, floats(8), floats(2, 8, 6, 6)], {"activation": "Relu", **layout}
    gamma, beta = floats(24), floats(24)
    for bias in ([], [floats(24)]):
        for outputs in (["y"], ["y", "", "", "sum"]):
            yield "SkipLayerNormalization", [x, floats(2, 3, 24), gamma, beta, *bias], {"epsilon": 1e-5}, outputs
    yield "SkipLayerNormalization", [x, floats(1, 3, 24), gamma], {}
    yield "SkipLayerNormalization", [x, floats(3, 24), gamma, beta], {"epsilon": 1e-3}
    weights, bias = floats(24, 36) / 5, floats(36)
    for attributes in ({}, {"unidirectional": 1}, {"scale": 0.3}):
        yield "Attention", [x, weights, bias], {"num_heads": 3, **attributes}
    yield "Attention", [x, weights, bias, None, None, floats(2, 3, 3, 3)], {"num_heads": 3}


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for index, (kind, inputs, attributes, *outputs) in enumerate(cases()):
        outputs = outputs[0] if outputs else ["y"]
        names = ["" if value is None else f"x{place}" for place, value in enumerate(inputs)]
        node = helper.make_node(kind, names, outputs, domain="com.microsoft", **attributes)
        given = {name: np.asarray(value) for name, value in zip(names, inputs) if name}
        graph = helper.make_graph(
            [node], kind,
            [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
             for name, value in given.items()],
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs if name])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
        model.ir_version = 8
        found = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, given)
        target = folder / f"{kind}-{index}"
        target.mkdir(parents=True)
        onnx.save(model, target / "model.onnx")
        tensors = {f"input.{place}": np.ascontiguousarray(value).reshape(value.shape) for place, value in enumerate(given.values())}
        tensors |= {f"output.{place}": np.ascontiguousarray(value) for place, value in enumerate(found)}
        save_file(tensors, target / "data.safetensors", {"rtol": "1e-4", "atol": "2e-5", "bf16": ""})


if __name__ == "__main__":
    main()
