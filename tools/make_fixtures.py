"""Makes the tiny valid checkpoints of Fixtures/ with the real libraries, and what a reader must find in them.

    .build/python-peers/bin/python tools/make_fixtures.py

Deterministic: a second run gives the same bytes. `tools/fixture_table.py` then brings the table in Fixtures/README.md up
to date.
"""
import argparse
import hashlib
import json
import pathlib
import shutil
import tempfile

import numpy as np
import torch

import tiny_models as tiny
import dialects

import gguf
import huggingface_hub
import safetensors.torch
import transformers
from open_clip.convert import load_big_vision_weights
from open_clip.model import convert_weights_to_lp

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
CHECKPOINTS, EXPECTED = ROOT / "checkpoints", ROOT / "expected"
SEED = 2


def numpy_of(state):
    return {name: tensor.numpy() for name, tensor in state.items()}


def torch_of(arrays):
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def directory(name):
    path = CHECKPOINTS / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def expect(name, state, config, files, **facts):
    """Fixtures/expected/NAME.json: the tensors that each of `files` holds, in open_clip's names and layout."""
    tensors = {}
    for tensor_name in sorted(state):
        tensor = state[tensor_name]
        tensor = tensor if isinstance(tensor, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(tensor))
        data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        tensors[tensor_name] = {
            "dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
            "sha256": hashlib.sha256(data).hexdigest()}
    write_json(EXPECTED / f"{name}.json", {"files": files, "config": config, **facts, "tensors": tensors})


def assert_same_embeddings(left, right, image_size, vocabulary):
    for a, b in zip(tiny.embeddings(left, image_size, vocabulary), tiny.embeddings(right, image_size, vocabulary)):
        assert torch.equal(a, b) or (a - b).abs().max() < 1e-6, (a - b).abs().max()


def facts(config):
    """What a reader must know of the model beside its tensors."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    timm = "timm_model_name" in vision
    width = 32 if timm else vision["width"]
    resnet = isinstance(vision.get("layers"), list)
    pooling = {"map": "attention", "token": "class_token", "avg": "average"}[vision["timm_pool"]] if timm else (
        "attention_2d" if resnet else "class_token")
    activation = "gelu_tanh" if timm else "quick_gelu" if config.get("quick_gelu") else "gelu"
    return {
        "embed_dim": config["embed_dim"], "activation": activation, "layer_norm_eps": 1e-6 if timm else 1e-5,
        "image_size": vision["image_size"], "patch_size": None if resnet else vision.get("patch_size", 4),
        "vision_width": width, "vision_layers": 2 if timm else vision["layers"],
        "vision_heads": 2 if timm else width * (32 if resnet else 1) // vision.get("head_width", 64),
        "context_length": text["context_length"], "vocab_size": text["vocab_size"], "text_width": text["width"],
        "text_layers": text["layers"], "text_heads": text["heads"], "pooling": pooling}


def hugging_face_clip():
    """The empty CLIPModel of tiny.VIT's shape."""
    text = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
            "vocab_size": 528, "max_position_embeddings": tiny.CONTEXT, "bos_token_id": 526, "eos_token_id": 527,
            "pad_token_id": 527, "hidden_act": "gelu", "projection_dim": 24}
    vision = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 4, "hidden_act": "gelu", "projection_dim": 24}
    return transformers.CLIPModel(transformers.CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=24)).eval()


def make_open_clip_vit():
    """One CLIP in every suit that open_clip, its training script and torch.compile give it."""
    model = tiny.open_clip_model(tiny.VIT, SEED)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    folder = directory("openclip-vit")
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    write_json(folder / "open_clip_config.json", {"model_cfg": tiny.VIT, "preprocess_cfg": tiny.CLIP_PREPROCESSING})
    torch.save(state, CHECKPOINTS / "openclip-vit.pt")
    save_legacy(state, CHECKPOINTS / "openclip-vit-legacy.pt")
    training = {
        "epoch": 3, "name": "tiny", "args": argparse.Namespace(lr=0.001, model="tiny", precision="amp"),
        "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "optimizer": optimizer_state(model)}
    torch.save(training, CHECKPOINTS / "openclip-vit-training.pt")

    custom = tiny.open_clip_model(tiny.VIT, SEED, custom_text=True)
    folder = directory("openclip-custom")
    safetensors.torch.save_file(custom.state_dict(), folder / "open_clip_model.safetensors")
    write_json(folder / "open_clip_config.json", {
        "model_cfg": {**tiny.VIT, "custom_text": True}, "preprocess_cfg": tiny.CLIP_PREPROCESSING})
    assert_same_embeddings(tiny.open_clip_model(tiny.VIT, SEED), custom, 16, 528)

    expect("openclip-vit", state, facts(tiny.VIT), [
        "openclip-vit", "openclip-vit.pt", "openclip-vit-legacy.pt", "openclip-vit-training.pt", "openclip-custom",
        "hf-clip", "hf-clip-sharded", "hf-clip-bin"])

    half = {name: tensor.bfloat16() for name, tensor in state.items()}
    torch.save({"model": {f"_orig_mod.{name}": tensor for name, tensor in half.items()}},
               CHECKPOINTS / "openclip-vit-compiled-bf16.pt")
    expect("openclip-vit-bf16", half, facts(tiny.VIT), ["openclip-vit-compiled-bf16.pt"])

    mixed = tiny.open_clip_model(tiny.VIT, SEED)
    convert_weights_to_lp(mixed, torch.float16)
    safetensors.torch.save_file(mixed.state_dict(), CHECKPOINTS / "openclip-vit-mixed-f16.safetensors")
    expect("openclip-vit-mixed-f16", mixed.state_dict(), facts(tiny.VIT), ["openclip-vit-mixed-f16.safetensors"])
    return state


def optimizer_state(model):
    """AdamW after one step over the smallest parameters."""
    small = [parameter for parameter in model.parameters() if parameter.numel() <= 64]
    optimizer = torch.optim.AdamW([{"params": small, "weight_decay": 0.0}], lr=0.001)
    for parameter in small:
        parameter.grad = torch.full_like(parameter, 0.5)
    optimizer.step()
    return optimizer.state_dict()


def save_legacy(state, path):
    """torch.save as before 1.6, with counted storage keys instead of the addresses it would write."""
    keys = {}

    class Matches(type):
        def __instancecheck__(cls, value):
            return isinstance(value, str)

    class CountedKey(str, metaclass=Matches):
        def __new__(cls, value):
            return str(94000000000000 + 64 * keys.setdefault(value, len(keys)))

    torch.serialization.str = CountedKey
    try:
        torch.save(state, path, _use_new_zipfile_serialization=False)
    finally:
        del torch.serialization.str


def make_resnet():
    model = tiny.open_clip_model(tiny.RESNET, SEED + 1)
    state = model.state_dict()
    torch.save(state, CHECKPOINTS / "openclip-rn.pt")
    folder = directory("openclip-rn")
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    write_json(folder / "open_clip_config.json", {"model_cfg": tiny.RESNET, "preprocess_cfg": tiny.CLIP_PREPROCESSING})
    expect("openclip-rn", state, facts(tiny.RESNET), ["openclip-rn", "openclip-rn.pt"])


def make_openai_archive():
    """A TorchScript archive as OpenAI published: mixed f16, three integer buffers, modules within modules."""
    model = tiny.open_clip_model(tiny.OPENAI, SEED + 2)
    convert_weights_to_lp(model, torch.float16)
    half = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, value in (("input_resolution", 16), ("context_length", tiny.CONTEXT), ("vocab_size", 128)):
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(value))
    model.float()
    traced = torch.jit.trace(model, tiny.inputs(16, 128), check_trace=False)
    for name, parameter in traced.named_parameters():
        parameter.data = half[name]
    with tempfile.TemporaryDirectory() as folder:
        # The stem of the file's name becomes the archive's top folder.
        torch.jit.save(traced, f"{folder}/openai-vit.pt")
        without_debug_records(f"{folder}/openai-vit.pt", CHECKPOINTS / "openai-vit.pt")
    state = torch.jit.load(CHECKPOINTS / "openai-vit.pt").state_dict()
    assert {name: tensor.dtype for name, tensor in state.items() if name in half} == {
        name: tensor.dtype for name, tensor in half.items()}
    expect("openai-vit", half, facts(tiny.OPENAI), ["openai-vit.pt"])


def without_debug_records(source, target):
    """The archive, written again by torch's own writer, less the records that hold this machine's paths."""
    reader = torch._C.PyTorchFileReader(source)
    writer = torch._C.PyTorchFileWriter(str(target))
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in ("version", "byteorder", ".data/serialization_id"):
            data = reader.get_record(name)
            writer.write_record(name, data, len(data))
    writer.write_end_of_file()


def make_hugging_face_clip(native):
    model = hugging_face_clip()
    tensors = torch_of(dialects.clip_to_hugging_face(numpy_of(native)))
    model.load_state_dict(tensors)
    assert_same_embeddings(tiny.open_clip_model(tiny.VIT, SEED), model, 16, 528)

    folder = directory("hf-clip")
    model.save_pretrained(folder)
    write_tokenizer(folder)
    write_json(folder / "preprocessor_config.json", {
        "crop_size": {"height": 16, "width": 16}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
        "do_rescale": True, "do_resize": True, "image_mean": tiny.CLIP_PREPROCESSING["mean"],
        "image_processor_type": "CLIPImageProcessor", "image_std": tiny.CLIP_PREPROCESSING["std"], "resample": 3,
        "rescale_factor": 1 / 255, "size": {"shortest_edge": 16}})
    transformers.CLIPTokenizer.from_pretrained(folder)

    folder = directory("hf-clip-sharded")
    model.save_pretrained(folder, max_shard_size="64KB")
    folder = directory("hf-clip-bin")
    # As transformers wrote until 2023: position_ids among the weights, and an end token that is not the vocabulary's.
    old = {**model.state_dict(), "text_model.embeddings.position_ids": torch.arange(tiny.CONTEXT)[None],
           "vision_model.embeddings.position_ids": torch.arange(17)[None]}
    huggingface_hub.save_torch_state_dict(old, folder, safe_serialization=False, max_shard_size="80KB",
                                          filename_pattern="pytorch_model{suffix}.bin")
    config = json.loads((CHECKPOINTS / "hf-clip/config.json").read_text())
    config["text_config"]["eos_token_id"] = 2
    write_json(folder / "config.json", config)

    for name, kind, tower in (("hf-text", transformers.CLIPTextModelWithProjection, "text"),
                              ("hf-vision", transformers.CLIPVisionModelWithProjection, "vision")):
        part = kind(getattr(model.config, f"{tower}_config"))
        part.load_state_dict({key: tensors[key] for key in part.state_dict()})
        part.save_pretrained(directory(name))
        expect(name, dialects.clip_from_hugging_face(numpy_of(part.state_dict())), facts(tiny.VIT), [name])
    return model


def write_tokenizer(folder):
    write_json(folder / "vocab.json", tiny.vocabulary())
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(tiny.MERGES) + "\n")
    ends = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>"}
    write_json(folder / "special_tokens_map.json", ends)
    write_json(folder / "tokenizer_config.json", {
        **ends, "do_lower_case": True, "model_max_length": tiny.CONTEXT, "tokenizer_class": "CLIPTokenizer"})


def make_siglip():
    native = tiny.open_clip_model(tiny.SIGLIP, SEED + 3)
    state = native.state_dict()
    folder = directory("openclip-siglip")
    safetensors.torch.save_file(state, folder / "open_clip_model.safetensors")
    write_json(folder / "open_clip_config.json", {"model_cfg": tiny.SIGLIP, "preprocess_cfg": tiny.SIGLIP_PREPROCESSING})

    text = {"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "vocab_size": 64, "max_position_embeddings": tiny.CONTEXT, "projection_size": 32, "bos_token_id": 62,
            "eos_token_id": 63}
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 4}
    model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=vision)).eval()
    native_names = inverse_names(model.state_dict(), dialects.siglip_from_hugging_face, numpy_of(state))
    model.load_state_dict(native_names)
    assert_same_embeddings(native, model, 16, 64)
    folder = directory("hf-siglip")
    model.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", {
        "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor", "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor", "resample": 3, "rescale_factor": 1 / 255,
        "size": {"height": 16, "width": 16}})

    save_big_vision("siglip-big-vision.npz", tiny.SIGLIP, state)
    expect("siglip", state, facts(tiny.SIGLIP), ["openclip-siglip", "hf-siglip", "siglip-big-vision.npz"])


def save_big_vision(name, config, state):
    """big_vision's file of a model, which open_clip's own loader finds to hold the same numbers."""
    arrays = dialects.siglip_to_big_vision(numpy_of(state), heads=2, text_heads=2)
    if config is tiny.AVERAGE:
        arrays = dialects.scanned(arrays)
    # One is stored, as big_vision stores all; the others are small.
    (np.savez if config is tiny.SIGLIP else np.savez_compressed)(CHECKPOINTS / name, **arrays)
    loaded = tiny.open_clip_model(config)
    load_big_vision_weights(loaded, str(CHECKPOINTS / name))
    # The loader knows no projection behind the pooling: for it, only flax.linen.Dense speaks.
    assert all(torch.equal(tensor, state[key]) for key, tensor in loaded.state_dict().items()
               if not key.startswith("visual.head."))


def make_big_vision():
    for name, config in (("big-vision-class-token", tiny.CLASS_TOKEN), ("big-vision-average", tiny.AVERAGE)):
        state = tiny.open_clip_model(config, SEED + 4).state_dict()
        save_big_vision(f"{name}.npz", config, state)
        expect(name, state, facts(config), [f"{name}.npz"])


def inverse_names(empty, forward, target):
    """The state dict that `forward` maps onto `target`: every element of `empty` is numbered, mapped and looked up."""
    numbered, count = {}, 0
    for name, tensor in empty.items():
        numbered[name] = np.arange(count, count + tensor.numel(), dtype=np.int64).reshape(tuple(tensor.shape))
        count += tensor.numel()
    flat = np.full(count, np.nan, np.float32)
    mapped = forward(numbered)
    assert mapped.keys() == target.keys(), mapped.keys() ^ target.keys()
    for name, numbers in mapped.items():
        assert numbers.shape == target[name].shape, name
        flat[numbers.ravel()] = target[name].ravel()
    assert not np.isnan(flat).any()
    return torch_of({name: flat[numbers] for name, numbers in numbered.items()})


def make_gguf(model):
    """clip.cpp's files of the Hugging Face model, by gguf-py; ffn_down and ffn_up swapped, no logit_scale."""
    state = numpy_of(model.state_dict())
    # clip.cpp numbers Q8_0 as file type 8, which others read as Q5_0.
    for kind, file_type in (("F32", 0), ("F16", 1), ("Q8_0", 8)):
        name = f"clip-cpp-{kind.lower()}"
        stored = write_gguf(CHECKPOINTS / f"{name}.gguf", state, gguf.GGMLQuantizationType[kind], file_type)
        said = {"dequantized": "Q8_0 tensors appear as the f32 values gguf-py gives for them"} if kind == "Q8_0" else {}
        expect(name, dialects.clip_from_hugging_face(stored), facts(tiny.VIT), [f"{name}.gguf"], **said)


def write_gguf(path, state, kind, file_type):
    """Writes the file; gives back, in Hugging Face names, the arrays a reader finds in it."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name("tiny")
    writer.add_description("two-tower CLIP model")
    writer.add_file_type(file_type)
    for key, value in (("has_text_encoder", True), ("has_vision_encoder", True), ("use_gelu", True)):
        writer.add_bool(f"clip.{key}", value)
    for tower, numbers in (("text", (16, 64, 3, 2)), ("vision", (32, 128, 2, 2))):
        for key, value in zip(("embedding_length", "feed_forward_length", "block_count", "attention.head_count"),
                              numbers):
            writer.add_uint32(f"clip.{tower}.{key}", value)
        writer.add_uint32(f"clip.{tower}.projection_dim", 24)
        writer.add_float32(f"clip.{tower}.attention.layer_norm_epsilon", 1e-5)
    writer.add_uint32("clip.text.context_length", tiny.CONTEXT)
    writer.add_uint32("clip.vision.image_size", 16)
    writer.add_uint32("clip.vision.patch_size", 4)
    writer.add_array("clip.vision.image_mean", tiny.CLIP_PREPROCESSING["mean"])
    writer.add_array("clip.vision.image_std", tiny.CLIP_PREPROCESSING["std"])
    writer.add_array("tokenizer.ggml.tokens", list(tiny.vocabulary()))
    types = gguf.GGMLQuantizationType
    stored = {}
    for name, array in state.items():
        target = dialects.clip_cpp_name(name)
        if target is None or name == "logit_scale":
            continue
        # As clip.cpp's converter: vectors stay f32, the convolution is always halved.
        tensor_kind = types.F32 if array.ndim < 2 else types.F16 if array.ndim == 4 else kind
        if tensor_kind == types.Q8_0 and array.shape[-1] % 32:
            tensor_kind = types.F16
        data = gguf.quants.quantize(array, tensor_kind)
        writer.add_tensor(target, data, raw_dtype=tensor_kind)
        stored[name] = gguf.quants.dequantize(data, tensor_kind) if tensor_kind == types.Q8_0 else data
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stored


def main():
    torch.manual_seed(0)
    for path in (CHECKPOINTS, EXPECTED):
        path.mkdir(parents=True, exist_ok=True)
    native = make_open_clip_vit()
    make_resnet()
    make_openai_archive()
    model = make_hugging_face_clip(native)
    make_gguf(model)
    make_siglip()
    make_big_vision()


if __name__ == "__main__":
    main()
