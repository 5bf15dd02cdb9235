#!/usr/bin/env python3
"""Writes the official node tests of the onnx package where the Swift tests find them.

    tools/onnx_node_tests.py FOLDER OPERATOR …

FOLDER becomes a folder for each test: model.onnx, and data.safetensors with `input.N`, `output.N` and the tolerances
as metadata. Only tests are written that use no other operators than these, and no types that a safetensors file does
not have; FOLDER/not-claimed.txt lists, with the reason, those tests of the operators that are not written.
"""
import pathlib
import shutil
import sys
import warnings

import numpy as np
import onnx
import onnx.backend.test.case.node
import onnx.backend.test.loader
import onnx.numpy_helper
from safetensors.numpy import save_file

TYPES = {name: np.dtype(name) for name in (
    "bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64")}
OPSETS = range(7, 29)


def operators(graph):
    for node in graph.node:
        yield node.domain, node.op_type
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from operators(inner)


def reason(case, model, claimed):
    """Why a test cannot be claimed; None for one that is."""
    if model.functions:
        return "functions of its own"
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), None)
    if opset not in OPSETS:
        return f"operators of version {opset}"
    for domain, kind in operators(model.graph):
        if domain not in ("", "ai.onnx") or kind not in claimed:
            return f"operator {kind}"
    for value in [*model.graph.input, *model.graph.output]:
        if not value.type.HasField("tensor_type"):
            return f"a value that is a {value.type.WhichOneof('value')}"
        name = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        if name not in {"BOOL", "FLOAT16", "FLOAT", "DOUBLE", "BFLOAT16"} and str(name).lower() not in TYPES:
            return f"elements of type {name}"
    if any(value is None for data in case.data_sets for part in data for value in part):
        return "an input that is left out"
    return None


def array(value):
    """An array that safetensors writes; bfloat16 as its bits."""
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    value = np.asarray(value)
    if value.dtype.name == "bfloat16":
        return np.ascontiguousarray(value).view(np.uint16), True
    return np.ascontiguousarray(value).reshape(value.shape), False


def main():
    folder, claimed = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
    warnings.simplefilter("ignore")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    skipped, count = [], 0
    for case in onnx.backend.test.loader.load_model_tests(kind="node"):
        model = case.model or onnx.load(pathlib.Path(case.model_dir) / "model.onnx")
        kinds = {kind for _, kind in operators(model.graph)}
        why = reason(case, model, claimed)
        if why:
            # A test of an operator that is not claimed says nothing about those that are.
            if len(kinds) and kinds <= claimed:
                skipped.append(f"{case.name}: {why}")
            continue
        for number, (inputs, outputs) in enumerate(case.data_sets):
            tensors, bits = {}, []
            for kind, values in (("input", inputs), ("output", outputs)):
                for index, value in enumerate(values):
                    name = f"{kind}.{index}"
                    tensors[name], is_bits = array(value)
                    bits += [name] if is_bits else []
            target = folder / (case.name + (f"-{number}" if number else ""))
            target.mkdir()
            onnx.save(model, target / "model.onnx")
            save_file(tensors, target / "data.safetensors", {
                "rtol": repr(case.rtol), "atol": repr(case.atol), "bf16": " ".join(bits)})
            count += 1
    (folder / "not-claimed.txt").write_text("".join(line + "\n" for line in sorted(skipped)))
    print(count)


if __name__ == "__main__":
    main()
