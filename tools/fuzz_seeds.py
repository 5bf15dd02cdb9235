"""Fills a fuzzer's corpus with small files of its kind: tools/fuzz_seeds.py NAME DIRECTORY"""
import hashlib
import io
import json
import pathlib
import sys
import tempfile
import zipfile

import gguf
import numpy as np
import onnx
import safetensors.numpy

import dialects
import make_tokenizer_strings

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
LARGEST = 16 << 10
ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((4, 32), np.float16), "c": np.array(7, np.int64),
    "d": np.zeros((0, 5), np.float64), "e": np.arange(64, dtype=np.uint8)}


def fixtures(*suffixes):
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file() and path.suffix in suffixes:
            yield path.read_bytes()


def zips():
    """Every zip archive among the fixtures, whatever it is called."""
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file() and zipfile.is_zipfile(path):
            yield path.read_bytes()


def members(suffix):
    for data in zips():
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    if name.endswith(suffix):
                        yield archive.read(name)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
            continue  # a hostile one


def arrays():
    for array in [*ARRAYS.values(), np.asfortranarray(ARRAYS["a"]), ARRAYS["a"].astype(">f4"), np.array([True, False])]:
        for version in ((1, 0), (2, 0)):
            file = io.BytesIO()
            np.lib.format.write_array(file, array, version)
            yield file.getvalue()


def small_zips():
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **ARRAYS)
        yield file.getvalue()


def small_gguf():
    for kind in ("F32", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "BF16"):
        kind = gguf.GGMLQuantizationType[kind]
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            writer = gguf.GGUFWriter(file.name, "clip")
            writer.add_uint32("clip.vision.patch_size", 4)
            writer.add_array("tokens", ["a", "b"])
            writer.add_float64("x", 0.5)
            data = gguf.quants.quantize(np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64), kind)
            writer.add_tensor("t", data, raw_dtype=kind)
            writer.add_tensor("u", ARRAYS["a"])
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            yield pathlib.Path(file.name).read_bytes()


def small_onnx():
    """A graph with every kind of attribute and of data, and one in one another."""
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, None])
    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "inner", [], [value])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=tensor(np.arange(3))),
        helper.make_node("If", ["b"], ["y"], then_branch=inner, else_branch=inner),
        helper.make_node("Odd", ["x", "", "c"], ["o"], "name", domain="d", a=0.5, b=[1.5], c=[-1], d="t", e=["u", "v"])]
    lists = [helper.make_tensor(f"l{kind}", kind, [2], [1, 2]) for kind in (1, 2, 3, 6, 7, 9, 10, 11, 12, 13, 16)]
    for arrays in ([tensor(array, name) for name, array in ARRAYS.items()], lists):
        graph = helper.make_graph(nodes, "g", [value], [value], arrays)
        model = helper.make_model(graph, producer_name="p", ir_version=8)
        helper.set_model_props(model, {"k": "v"})
        yield model.SerializeToString()


def exported_onnx():
    """What an exporter makes of parts of a model, whose names are to be found."""
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    scope = "/visual/transformer/resblocks.0/mlp/c_fc/"
    floats, bytes_ = np.ones((4, 4), np.float32), np.ones((4, 4), np.int8)
    constants = {
        "onnx::MatMul_1": floats, "onnx::MatMul_2_quantized": bytes_, "onnx::MatMul_2_scale": np.ones(4, np.float32),
        "onnx::MatMul_2_zero_point": np.zeros(4, np.int8), "visual.transformer.resblocks.0.mlp.c_fc.bias": floats[0],
        "onnx::Concat_3": floats[:1].reshape(1, 1, 4), "onnx::Add_4": floats, "cat": np.ones(12, np.float32),
        "onnx::Conv_5": np.ones((2, 3, 1, 1), np.float32), "onnx::Conv_6": np.ones(2, np.float32),
        "visual.ln_pre.weight": floats[0], "visual.ln_pre.bias": floats[0], "s": np.float32(14.3), "q": bytes_}
    nodes = [
        node("MatMul", ["x", "onnx::MatMul_1"], ["a"], scope + "MatMul"),
        node("Add", ["a", "visual.transformer.resblocks.0.mlp.c_fc.bias"], ["b"], scope + "Add"),
        node("MatMulInteger", ["b", "onnx::MatMul_2_quantized"], ["c"], "/visual_projection/MatMul_quant"),
        node("Cast", ["c"], ["d"], to=1), node("Mul", ["d", "s"], ["e"], "/Mul"),
        node("Concat", ["onnx::Concat_3", "e"], ["f"], "/visual/Concat", axis=1),
        node("Add", ["f", "onnx::Add_4"], ["g"], "/visual/Add"),
        node("LayerNormalization", ["g", "visual.ln_pre.weight", "visual.ln_pre.bias"], ["h"], "LayerNormalization_9"),
        node("Split", ["cat"], ["i", "j", "k"]), node("DequantizeLinear", ["q", "s"], ["l"], axis=0),
        node("Transpose", ["l"], ["m"], perm=[1, 0]), node("Gemm", ["h", "m", "i"], ["n"], "/visual/attnpool/Gemm", transB=1),
        node("Conv", ["n", "onnx::Conv_5", "onnx::Conv_6"], ["o"], "/visual/layer1/layer1.0/conv1/Conv"),
        node("Expand", ["onnx::Concat_3", "o"], ["y"], "/vision_model/head/Expand")]
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4])
    graph = onnx.helper.make_graph(nodes, "g", [value], [], [tensor(array, name) for name, array in constants.items()])
    yield onnx.helper.make_model(graph, ir_version=8).SerializeToString()
    for entry in graph.node:
        entry.name = ""
    yield onnx.helper.make_model(graph, ir_version=8).SerializeToString()


def legacy():
    """Files of torch.save before 1.6, which begin with a pickled magic number."""
    for data in fixtures(".pt", ".bin", ".pth"):
        if data[:2] == b"\x80\x02":
            yield data


def module(name, rows, columns=None):
    shape = (rows, columns) if columns else (rows,)
    return {f"{name}.weight": np.ones(shape, np.float32), f"{name}.bias": np.zeros(rows, np.float32)}


def block(name, width, mlp=("mlp.c_fc", "mlp.c_proj"), norms=("ln_1", "ln_2"), fused="attn.in_proj_", out="attn.out_proj"):
    tensors = module(f"{name}.{norms[0]}", width) | module(f"{name}.{norms[1]}", width)
    tensors |= module(f"{name}.{out}", width, width)
    tensors |= module(f"{name}.{mlp[0]}", 2 * width, width) | module(f"{name}.{mlp[1]}", width, 2 * width)
    tensors[f"{name}.{fused}weight"] = np.ones((3 * width, width), np.float32)
    tensors[f"{name}.{fused}bias"] = np.zeros(3 * width, np.float32)
    return tensors


def text_tower(prefix=""):
    return {f"{prefix}{name}": array for name, array in {
        **block("transformer.resblocks.0", 4), **module("ln_final", 4),
        "token_embedding.weight": np.ones((8, 4), np.float32), "positional_embedding": np.ones((4, 4), np.float32)
    }.items()}


def tiny_clip():
    """The smallest CLIP under OpenAI's names: one block a tower, width 4."""
    return {
        **text_tower(), **block("visual.transformer.resblocks.0", 4), **module("visual.ln_pre", 4),
        **module("visual.ln_post", 4), "visual.class_embedding": np.ones(4, np.float32),
        "visual.conv1.weight": np.ones((4, 3, 2, 2), np.float32), "logit_scale": np.array(2, np.float32),
        "visual.positional_embedding": np.ones((5, 4), np.float32), "visual.proj": np.ones((4, 3), np.float32),
        "text_projection": np.ones((4, 3), np.float32)}


def tiny_siglip():
    """The same for SigLIP under open_clip's names."""
    timm = {"mlp": ("mlp.fc1", "mlp.fc2"), "norms": ("norm1", "norm2"), "fused": "attn.qkv.", "out": "attn.proj"}
    trunk, pool = "visual.trunk", "visual.trunk.attn_pool"
    return {
        **text_tower("text."), **module("text.text_projection", 4, 4), **block(f"{trunk}.blocks.0", 4, **timm),
        **module(f"{trunk}.norm", 4), f"{trunk}.patch_embed.proj.weight": np.ones((4, 3, 2, 2), np.float32),
        f"{trunk}.patch_embed.proj.bias": np.ones(4, np.float32), f"{trunk}.pos_embed": np.ones((1, 4, 4), np.float32),
        f"{pool}.latent": np.ones((1, 1, 4), np.float32), **module(f"{pool}.q", 4, 4), **module(f"{pool}.kv", 8, 4),
        **module(f"{pool}.proj", 4, 4), **module(f"{pool}.norm", 4), **module(f"{pool}.mlp.fc1", 8, 4),
        **module(f"{pool}.mlp.fc2", 4, 8), "logit_scale": np.ones(1, np.float32), "logit_bias": np.ones(1, np.float32)}


def tiny_resnet():
    """The first stage of a ModifiedResNet: enough to be known as one."""
    tensors = text_tower()
    for name in ("visual.bn1", "visual.layer1.0.bn1", "visual.layer1.0.bn2", "visual.layer1.0.bn3"):
        tensors |= module(name, 2)
        tensors[f"{name}.running_mean"] = tensors[f"{name}.running_var"] = np.ones(2, np.float32)
    for name in ("visual.conv1", "visual.layer1.0.conv1", "visual.layer2.0.conv1"):
        tensors[f"{name}.weight"] = np.ones((2, 2, 1, 1), np.float32)
    return tensors | {"visual.attnpool.positional_embedding": np.ones((5, 64), np.float32)}


def gguf_of(tensors, **metadata):
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        writer = gguf.GGUFWriter(file.name, "clip")
        for key, value in metadata.items():
            writer.add_key_value(f"clip.{key.replace('__', '.')}", value, gguf.GGUFValueType.get_type(value))
        for name, array in tensors.items():
            writer.add_tensor(name, array)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return pathlib.Path(file.name).read_bytes()


def npz_of(tensors):
    file = io.BytesIO()
    np.savez_compressed(file, **tensors)
    return file.getvalue()


def models():
    """Checkpoints of every dialect, each with the configs of every library: see Tests/Fuzz/FuzzModel.swift."""
    clip, siglip = tiny_clip(), tiny_siglip()
    hugging_face = dialects.clip_to_hugging_face(clip)
    ggml = {dialects.clip_cpp_name(name) or name: array for name, array in hugging_face.items()}
    save = safetensors.numpy.save
    checkpoints = [
        save(clip), save(hugging_face), save(siglip), save(tiny_resnet()), save(clip, {"clipkit.vision.heads": "2"}),
        save({f"text.{name}" if name in text_tower() or name == "text_projection" else name: array
              for name, array in clip.items()}),
        gguf_of(ggml, use_gelu=True, vision__image_size=4, vision__attention__head_count=2),
        npz_of(dialects.siglip_to_big_vision(siglip, heads=2, text_heads=2)),
        npz_of(dialects.scanned(dialects.siglip_to_big_vision(siglip, heads=2, text_heads=2)))]
    fitting = {
        "embed_dim": 3, "quick_gelu": True,
        "vision_cfg": {"image_size": 4, "patch_size": 2, "width": 4, "layers": 1, "head_width": 2, "mlp_ratio": 2},
        "text_cfg": {"context_length": 4, "vocab_size": 8, "width": 4, "heads": 2, "layers": 1, "mlp_ratio": 2}}
    configs = [b"{}", json.dumps(fitting).encode(), *(path.read_bytes() for path in sorted(FIXTURES.rglob("*config.json")))]
    for index, checkpoint in enumerate(checkpoints):
        for number, config in enumerate(configs):
            compact = json.dumps(json.loads(config), separators=(",", ":")).encode()
            yield bytes([(index * 37 + number * 13) % 256]) + compact + b"\0" + checkpoint


def vocabularies():
    """The vocabulary of a fixture in one file and in two, and cut to its bytes and one merge."""
    folder = FIXTURES / "checkpoints/hf-clip"
    tokens = json.loads((folder / "vocab.json").read_text())
    merges = (folder / "merges.txt").read_text().splitlines()[1:]
    small = {token: index for index, token in enumerate([*list(tokens)[:512], "an", "<|startoftext|>", "<|endoftext|>"])}
    for vocabulary, lines in ((tokens, merges), (small, ["a n"])):
        text = json.dumps(vocabulary, separators=(",", ":"), ensure_ascii=False)
        yield f"{text}\0#version: 0.2\n{chr(10).join(lines)}\n".encode()
        for pairs in (lines, [line.split() for line in lines]):
            model = {"type": "BPE", "vocab": vocabulary, "merges": pairs}
            yield json.dumps({"version": "1.0", "model": model}, ensure_ascii=False).encode()


def sentencepieces():
    """Small vocabularies, each behind a text and its length."""
    folder = FIXTURES / "tokenizer/sentencepiece"
    texts = ["a photo of the small letter", "[MASK] ＡＢ é 日本 \U0001f600", " \u2581\u2581 </s> <unk>\n\n", "e\u0301½ﬁ"]
    for path in sorted([*folder.glob("*/spiece.model"), *folder.glob("*/tokenizer.json")]):
        for text in map(str.encode, texts):
            yield bytes([len(text)]) + text + path.read_bytes()
            if path.suffix == ".json":
                model = json.loads(path.read_text())
                vocab = model["model"]["vocab"]
                model["model"]["vocab"] = vocab[:40] if isinstance(vocab, list) else dict(list(vocab.items())[:300])
                model["model"].pop("merges", None)
                yield bytes([len(text)]) + text + json.dumps(model, ensure_ascii=False).encode()


SEEDS = {
    "safetensors": lambda: [safetensors.numpy.save(ARRAYS), safetensors.numpy.save({"a": ARRAYS["a"]}, {"k": "v"}),
                            *fixtures(".safetensors")],
    "pickle": lambda: [*members(".pkl"), *legacy()],
    "image": lambda: [*fixtures(".png", ".jpg", ".webp")],
    "zip": lambda: [*small_zips(), *zips()],
    "npy": lambda: [*arrays(), *members(".npy"), *fixtures(".npy")],
    "model": models,
    "gguf": lambda: [*small_gguf(), *fixtures(".gguf")],
    "onnx": lambda: [*small_onnx(), *exported_onnx(), *fixtures(".onnx")],
    "text": lambda: [text.encode() for text in make_tokenizer_strings.strings(3, 600)],
    "vocabulary": vocabularies,
    "sentencepiece": sentencepieces,
}


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    for data in SEEDS[name]():
        if len(data) <= LARGEST:
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main()
