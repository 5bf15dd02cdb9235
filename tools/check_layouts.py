"""Directories that clipkit writes, loaded by transformers and open_clip: the embeddings are the source's."""
import json

import torch

import tiny_models as tiny
import dialects
import readers

import open_clip
import transformers
from safetensors.torch import load_file

from check_peers import CHECKPOINTS, MODELS, expected, same, sums


def numpy_state(model):
    return {name: readers.from_torch(tensor) for name, tensor in model.state_dict().items()}


def source_model(name):
    config = {"openclip-vit": tiny.VIT, "openclip-rn": tiny.RESNET, "openai-vit": tiny.OPENAI, "siglip": tiny.SIGLIP}
    model = tiny.open_clip_model(config[name])
    state = {"openclip-vit": lambda: load_file(CHECKPOINTS / "openclip-vit/open_clip_model.safetensors"),
             "openclip-rn": lambda: load_file(CHECKPOINTS / "openclip-rn/open_clip_model.safetensors"),
             "siglip": lambda: load_file(CHECKPOINTS / "openclip-siglip/open_clip_model.safetensors"),
             "openai-vit": lambda: {key: tensor.float() for key, tensor in torch.jit.load(
                 CHECKPOINTS / "openai-vit.pt", map_location="cpu").state_dict().items()
                 if key not in ("input_resolution", "context_length", "vocab_size", "attn_mask")}}[name]()
    model.load_state_dict(state)
    return model.eval(), config[name]


def same_embeddings(model, name):
    source, config = source_model(name)
    size, vocabulary = config["vision_cfg"]["image_size"], config["text_cfg"]["vocab_size"]
    pairs = zip(tiny.embeddings(source, size, vocabulary), tiny.embeddings(model.eval(), size, vocabulary))
    for kind, (wanted, found) in zip(("image", "text"), pairs):
        worst = (wanted - found).abs().max().item()
        assert worst <= 1e-6, f"{kind} embeddings differ by {worst}"


def options(name, file):
    """What to say beside the file: nothing, where its directory says it all."""
    if name == "siglip" and file != "hf-siglip":
        return ["--config", CHECKPOINTS / MODELS[name][1], "--assume", "siglip"]
    if MODELS[name][1] and not (CHECKPOINTS / file / "preprocessor_config.json").exists():
        return ["--config", CHECKPOINTS / MODELS[name][1]]
    return []


def check_transformers(checks, name, file, dtype=None):
    """`from_pretrained` finds every weight, and none too many."""
    extra = ["--dtype", dtype] if dtype else []
    target = checks.convert(CHECKPOINTS / file, "hf", "--layout", "hf", *options(name, file), *extra)
    kind = transformers.SiglipModel if name == "siglip" else transformers.CLIPModel
    model, info = kind.from_pretrained(target, output_loading_info=True, dtype=torch.float32)
    unexpected = {key: value for key, value in info.items() if value}
    assert not unexpected, unexpected
    same_embeddings(model, name)
    transformers.AutoImageProcessor.from_pretrained(target)


def check_open_clip(checks, name, file):
    extra = options(name, file) if name != "siglip" else []
    target = checks.convert(CHECKPOINTS / file, "oc", "--layout", "open_clip", *extra)
    model = open_clip.create_model(f"local-dir:{target}")
    if name != "openai-vit":  # that one is stored in f16 and loaded in f32
        state = numpy_state(model)
        state = {key.removeprefix("text.") if name != "siglip" else key: array for key, array in state.items()}
        same(sums(state), expected(name)["tensors"])
    same_embeddings(model, name)


def check_tower(checks, tower, kind):
    """One tower of a model, loaded by the class that transformers has for it."""
    target = checks.convert(CHECKPOINTS / "hf-clip", tower, "--layout", "hf", "--tower", tower)
    model, info = kind.from_pretrained(target, output_loading_info=True)
    assert not any(info.values()), info
    wanted = expected("hf-text" if tower == "text" else "hf-vision")["tensors"]
    same(sums(dialects.clip_from_hugging_face(numpy_state(model))), wanted)


def check_tokenizer(checks):
    target = checks.convert(CHECKPOINTS / "hf-clip", "hf", "--layout", "hf")
    text = ["a photo of the cat", "in the dog, 7!"]
    ours = transformers.CLIPTokenizer.from_pretrained(target)(text)["input_ids"]
    assert ours == transformers.CLIPTokenizer.from_pretrained(CHECKPOINTS / "hf-clip")(text)["input_ids"]


def check_preprocessing(checks):
    target = checks.convert(CHECKPOINTS / "openclip-vit", "hf", "--layout", "hf")
    processor = json.loads((target / "preprocessor_config.json").read_text())
    assert processor["image_mean"] == tiny.CLIP_PREPROCESSING["mean"], processor
    assert processor["image_std"] == tiny.CLIP_PREPROCESSING["std"], processor
    assert processor["crop_size"] == {"height": 16, "width": 16}, processor
    assert processor["size"] == {"shortest_edge": 16}, processor
    assert processor["resample"] == 3, processor


def planned(checks):
    for file in ("openclip-vit", "openclip-custom", "hf-clip", "hf-clip-sharded", "openclip-vit-training.pt"):
        yield f"transformers loads {file}", check_transformers, checks, "openclip-vit", file
        yield f"open_clip loads {file}", check_open_clip, checks, "openclip-vit", file
    yield "open_clip loads openclip-rn", check_open_clip, checks, "openclip-rn", "openclip-rn"
    yield "transformers loads openai-vit.pt", check_transformers, checks, "openai-vit", "openai-vit.pt"
    yield "open_clip loads openai-vit.pt", check_open_clip, checks, "openai-vit", "openai-vit.pt"
    for file in ("openclip-siglip", "hf-siglip", "siglip-big-vision.npz"):
        yield f"transformers loads {file}", check_transformers, checks, "siglip", file
    # The others do not know which of timm's models they are.
    yield "open_clip loads openclip-siglip", check_open_clip, checks, "siglip", "openclip-siglip"
    yield "transformers loads the text tower", check_tower, checks, "text", transformers.CLIPTextModelWithProjection
    yield "transformers loads the image tower", check_tower, checks, "image", transformers.CLIPVisionModelWithProjection
    yield "transformers loads the tokenizer", check_tokenizer, checks
    yield "preprocessing in Hugging Face's words", check_preprocessing, checks
