"""ONNX files that clipkit writes: valid for onnx, and in ONNX Runtime what PyTorch made of the same inputs.

Expected are the golden files of the fixtures, which PyTorch made (tools/make_fixtures_golden.py).
"""
import pathlib

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

import readers

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
MODELS = ["hf-clip", "openclip-vit", "openclip-rn", "hf-siglip", "openclip-siglip", "hf-square"]
# The first, the first with another form of each operator that changed, and the last.
OPSETS = [17, 18, 20, 23]
# Unit vectors' numbers; logits are a hundred times as large.
LIMIT, LOGIT_LIMIT = 1e-6, 1e-4


def session(path):
    options = onnxruntime.SessionOptions()
    # What ONNX Runtime has to warn of is an error here.
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def validate(path):
    """The checker's whole programme, and shapes that fit each other from end to end."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def close(found, wanted, limit, what):
    assert found.shape == wanted.shape, f"{what}: shape {found.shape}, expected {wanted.shape}"
    worst = np.abs(found.astype(np.float64) - wanted).max()
    assert worst <= limit, f"{what} differs by {worst:.2e}, allowed {limit:.0e}"
    return worst


def fed(graph, golden):
    """The golden inputs that a graph takes."""
    return {entry.name: golden[entry.name].astype(np.int64 if "int64" in entry.type else entry.type[7:-1].replace(
        "float", "float32")) for entry in graph.get_inputs()}


def check_whole(path, golden, limit=LIMIT):
    graph = session(path)
    names = [entry.name for entry in graph.get_outputs()]
    assert names == ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"], names
    outputs = dict(zip(names, graph.run(None, fed(graph, golden))))
    for name in ("image_embeds", "text_embeds"):
        close(outputs[name], golden[name], limit, name)
    close(outputs["logits_per_image"], golden["logits_per_image"], limit * 100, "logits_per_image")
    close(outputs["logits_per_text"], golden["logits_per_image"].T, limit * 100, "logits_per_text")


def check_lengths(path, golden):
    """Texts end where the longest does, and one at a time gives the same, where the sequence is dynamic."""
    graph = session(path)
    entry = graph.get_inputs()[0]
    if not isinstance(entry.shape[1], str):
        return
    longest = int(golden["token_counts"].max())
    for ids, wanted in [(golden["input_ids"][:, :longest], golden["text_embeds"])] + [
            (golden["input_ids"][row:row + 1, :count], golden["text_embeds"][row:row + 1])
            for row, count in enumerate(golden["token_counts"])]:
        found = graph.run(None, {entry.name: ids.astype(np.int64)})[0]
        close(unit(found), wanted, LIMIT, f"text of {ids.shape[1]} tokens")


def check_stages(path, golden, tower):
    """Values inside the graph have the names of the stages."""
    model = onnx.load(path)
    stages = [name for node in model.graph.node for name in node.output
              if name in golden and not name.endswith("_embeds")]
    # Without a projection what is pooled is the embedding.
    pooled = golden[f"{tower}.pooled"].shape != golden[f"{tower}_embeds"].shape
    assert f"{tower}.stem" in stages and (f"{tower}.pooled" in stages or not pooled), stages
    for name in stages:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    graph = session(model.SerializeToString())
    outputs = graph.run(stages, fed(graph, golden))
    for name, found in zip(stages, outputs):
        wanted = golden[name]
        if found.ndim == 4:
            found = found.reshape(*found.shape[:2], -1).transpose(0, 2, 1)
        if tower == "text" and name != "text.pooled":
            counts, length = golden["token_counts"], golden["input_ids"].shape[1]
            found = np.concatenate([rows[:count] for rows, count in zip(found.reshape(
                -1, length, found.shape[-1]), counts)])
        close(found.reshape(-1, found.shape[-1]), wanted.reshape(-1, wanted.shape[-1]), 1e-5, name)


def check_model(checks, name, *options):
    golden = load_file(ROOT / f"golden/{name}.safetensors")
    source = ROOT / "checkpoints" / name
    if name == "openclip-siglip":
        options += ("--assume", "siglip", "--config", ROOT / "checkpoints/hf-siglip/config.json")
    files = {tower: checks.convert(source, f"{tower}.onnx", "--tower", tower, *options)
             for tower in ("both", "image", "text")}
    for file in files.values():
        validate(file)
    check_whole(files["both"], golden)
    for tower in ("image", "text"):
        graph = session(files[tower])
        found = graph.run(None, fed(graph, golden))[0]
        close(unit(found), golden[f"{tower}_embeds"], LIMIT, f"{tower} alone")
        check_stages(files[tower], golden, tower)
    check_lengths(files["text"], golden)


def check_expected(checks, path):
    """What PyTorch computed in double precision: every kind of encoder that there is a fixture of."""
    name = path.name.removesuffix(".safetensors")
    config = []
    if name == "openclip-siglip":
        config = ["--config", ROOT / "checkpoints/hf-siglip/config.json"]
    if name.endswith(".npz"):
        config = ["--config", path.with_suffix(".json")]
    expected = load_file(path)
    file = checks.convert(ROOT / "checkpoints" / name, "expected.onnx", "--dtype", "f32", *config)
    validate(file)
    graph = session(file)
    outputs = dict(zip([entry.name for entry in graph.get_outputs()], graph.run(None, fed(graph, expected))))
    for key in ("image_embeds", "text_embeds"):
        close(unit(outputs[key]), expected[key], LIMIT, key)


def check_type(checks, name, dtype):
    """16 bits: all of f16 is computed in f16, weights of bf16 in f32; inputs and outputs are f32."""
    path = checks.convert(ROOT / "checkpoints" / name, f"{dtype}.onnx", "--dtype", dtype)
    model = validate(path)
    kind = onnx.TensorProto.FLOAT16 if dtype == "f16" else onnx.TensorProto.BFLOAT16
    assert all(entry.data_type == kind for entry in model.graph.initializer if sum(entry.dims) > 1)
    check_whole(path, load_file(ROOT / f"golden/{name}.safetensors"), 2e-3 if dtype == "f16" else 1e-2)


def check_names(checks, name):
    """Initializers are the source's own tensors, under their names, bit for bit."""
    source = readers.read(ROOT / "checkpoints" / name)
    model = onnx.load(checks.convert(ROOT / "checkpoints" / name, "names.onnx"))
    found = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    expected = {key: array for key, array in source.items()
                if not key.endswith(("num_batches_tracked", "position_ids"))}
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    for key, array in expected.items():
        assert array.shape == found[key].shape and array.tobytes() == found[key].tobytes(), key


def planned(checks):
    for name in MODELS:
        for opset in OPSETS:
            yield f"ONNX of {name}, opset {opset}", check_model, checks, name, "--opset", opset
    for name in ("hf-clip", "openclip-vit", "openclip-rn", "hf-siglip"):
        yield f"ONNX names of {name}", check_names, checks, name
        for dtype in ("f16", "bf16-weights"):
            yield f"ONNX of {name} in {dtype}", check_type, checks, name, dtype
    for path in sorted((ROOT / "expected/encoders").glob("*.safetensors")):
        yield f"ONNX beside f64 of {path.stem}", check_expected, checks, path
    yield "ONNX of folded norms", check_model, checks, "openclip-rn", "--fold-batch-norm"
