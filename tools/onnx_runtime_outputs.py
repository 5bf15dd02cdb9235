#!/usr/bin/env python3
"""Writes what ONNX Runtime makes of ONNX files, for the Swift tests to hold their evaluator against.

    tools/onnx_runtime_outputs.py FOLDER MODEL.onnx …

FOLDER/MODEL.safetensors gets `input.NAME` and `output.NAME` for everything that the graph takes and gives. Pictures are
noise, texts ids of any tiny vocabulary. FOLDER/MODEL.optimized.onnx is what ONNX Runtime's optimiser makes of the graph,
but for layouts of the processor it runs on.
"""
import pathlib
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import save_file

ITEMS, TOKENS, VOCABULARY = 2, 8, 16


def feed(entry, random):
    sizes = [ITEMS, TOKENS] if "int" in entry.type else [ITEMS, 3, 16, 16]
    shape = [size if isinstance(size, int) else sizes[axis] for axis, size in enumerate(entry.shape)]
    if "int" not in entry.type:
        return random.standard_normal(shape).astype(np.float16 if "float16" in entry.type else np.float32)
    dtype = np.int32 if "int32" in entry.type else np.int64
    return np.ones(shape, dtype) if "mask" in entry.name else random.integers(1, VOCABULARY, shape).astype(dtype)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # The graph as it is, and not as an optimiser would have it.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for path in map(pathlib.Path, sys.argv[2:]):
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        random = np.random.Generator(np.random.PCG64(3))
        inputs = {entry.name: feed(entry, random) for entry in session.get_inputs()}
        outputs = session.run(None, inputs)
        tensors = {f"input.{name}": value for name, value in inputs.items()}
        for entry, value in zip(session.get_outputs(), outputs):
            tensors[f"output.{entry.name}"] = np.ascontiguousarray(value)
        save_file(tensors, folder / f"{path.stem}.safetensors")
        optimizing = onnxruntime.SessionOptions()
        optimizing.log_severity_level = 4
        optimizing.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        optimizing.optimized_model_filepath = str(folder / f"{path.stem}.optimized.onnx")
        onnxruntime.InferenceSession(path, optimizing, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
