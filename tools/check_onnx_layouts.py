"""Directories of ONNX files, read as their consumers read them: side-cars by transformers and tokenizers, graphs by ONNX
Runtime. Expected are the golden files of the fixtures, which PyTorch made."""
import json

import numpy as np
import tokenizers
import transformers
from safetensors.numpy import load_file

from check_onnx import LIMIT, ROOT, close, fed, session, unit, validate

TEXTS = ["a photo of a cat", "A DOG's  dog!", "x", "日本 café", "<|startoftext|>two", " ".join(["cat"] * 30)]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def same_ids(tokenizer, source):
    """The fast tokenizer that clipkit made has the ids of the one that transformers makes of vocabulary and merges."""
    slow = transformers.CLIPTokenizer.from_pretrained(source)
    for text in TEXTS:
        assert tokenizer.encode(text).ids == slow(text)["input_ids"], text


def check_transformers_js(checks, dtype):
    """As transformers.js does: sessions by name, config and tokenizer by transformers."""
    folder = checks.convert(ROOT / "checkpoints/hf-clip", "tjs", "--layout", "transformers.js",
                            *(["--dtype", dtype] if dtype else []))
    suffix, limit = ("_fp16", 2e-3) if dtype == "f16" else ("", LIMIT)
    golden = load_file(ROOT / "golden/hf-clip.safetensors")
    assert files(folder) == {
        *(f"onnx/{name}{suffix}.onnx" for name in ("model", "text_model", "vision_model")), "config.json",
        "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
        "merges.txt"}, files(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    assert config.model_type == "clip" and config.projection_dim == 24
    transformers.CLIPImageProcessorPil.from_pretrained(folder)
    same_ids(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), ROOT / "checkpoints/hf-clip")
    for name, output in (("text_model", "text_embeds"), ("vision_model", "image_embeds"), ("model", None)):
        path = folder / f"onnx/{name}{suffix}.onnx"
        validate(path)
        graph = session(path)
        outputs = dict(zip([entry.name for entry in graph.get_outputs()], graph.run(None, fed(graph, golden))))
        for name in [output] if output else ["text_embeds", "image_embeds"]:
            close(unit(outputs[name]), golden[name], limit, name)


def check_siglip(checks):
    """transformers' SigLIP calls an encoder's result `pooler_output`."""
    folder = checks.convert(ROOT / "checkpoints/hf-siglip", "siglip", "--layout", "transformers.js")
    golden = load_file(ROOT / "golden/hf-siglip.safetensors")
    for name, wanted in (("text_model", "text_embeds"), ("vision_model", "image_embeds")):
        graph = session(folder / f"onnx/{name}.onnx")
        assert [entry.name for entry in graph.get_outputs()] == ["pooler_output"]
        close(unit(graph.run(None, fed(graph, golden))[0]), golden[wanted], LIMIT, name)


def check_immich(checks, name):
    """As immich's machine learning does (machine-learning/immich_ml/models/clip)."""
    folder = checks.convert(ROOT / "checkpoints" / name, "immich", "--layout", "immich")
    golden = load_file(ROOT / f"golden/{name}.safetensors")
    if (ROOT / "checkpoints" / name / "vocab.json").exists():
        check_immich_tokenizer(folder)
    text = session(folder / "textual/model.onnx")
    close(text.run(None, {"text": golden["input_ids"].astype(np.int32)})[0], golden["text_embeds"], LIMIT, "text")
    prepared = json.loads((folder / "visual/preprocess_cfg.json").read_text())
    size = prepared["size"][0]
    assert prepared["interpolation"] in ("bicubic", "bilinear") and prepared["resize_mode"] in ("shortest", "squash")
    mean, std = np.array(prepared["mean"], np.float32), np.array(prepared["std"], np.float32)
    pixels = (golden["pixels"].astype(np.float32) / 255 - mean) / std
    assert pixels.shape[1:] == (size, size, 3)
    image = session(folder / "visual/model.onnx")
    found = image.run(None, {"image": pixels.transpose(0, 3, 1, 2)})[0]
    close(found, golden["image_embeds"], 1e-5, "image")


def check_immich_tokenizer(folder):
    config = json.loads((folder / "config.json").read_text())
    said = json.loads((folder / "textual/tokenizer_config.json").read_text())
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "textual/tokenizer.json"))
    length = config["text_cfg"].get("context_length", 77)
    padding = tokenizer.token_to_id(said["pad_token"])
    tokenizer.enable_padding(length=length, pad_token=said["pad_token"], pad_id=padding)
    tokenizer.enable_truncation(max_length=length)
    ids = np.array([tokenizer.encode("a photo of a cat").ids], np.int32)
    assert ids.shape == (1, length)
    row = session(folder / "textual/model.onnx").run(None, {"text": ids})[0][0]
    assert np.isclose(np.linalg.norm(row), 1, atol=1e-6)


def check_open_clip(checks):
    folder = checks.convert(ROOT / "checkpoints/openclip-vit", "open_clip", "--layout", "open_clip", "--format", "onnx")
    golden = load_file(ROOT / "golden/openclip-vit.safetensors")
    config = json.loads((folder / "open_clip_config.json").read_text())
    assert config["model_cfg"]["embed_dim"] == 24 and config["preprocess_cfg"]["interpolation"] == "bicubic"
    for name, key, wanted in (("textual", "input_ids", "text_embeds"), ("visual", "pixel_values", "image_embeds")):
        graph = session(folder / f"{name}.onnx")
        entry = graph.get_inputs()[0]
        found = graph.run(None, {entry.name: golden[key].astype(np.int64 if name == "textual" else np.float32)})[0]
        close(unit(found), golden[wanted], LIMIT, name)


def planned(checks):
    for dtype in (None, "f16"):
        yield f"ONNX layout transformers.js {dtype or ''}", check_transformers_js, checks, dtype
    yield "ONNX layout transformers.js of SigLIP", check_siglip, checks
    for name in ("hf-clip", "openclip-rn"):
        yield f"ONNX layout immich {name}", check_immich, checks, name
    yield "ONNX layout open_clip", check_open_clip, checks
