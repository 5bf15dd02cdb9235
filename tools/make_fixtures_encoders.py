"""Makes Fixtures/expected/encoders: what PyTorch computes in f64 from the tiny models of make_fixtures.py.

    .build/python-peers/bin/python tools/make_fixtures_encoders.py

One safetensors file a checkpoint: `pixel_values` and `input_ids` go in; the embeddings and the outputs of the stages of
both encoders come out, in f64, in the names of `StageOutput`; `flops` are PyTorch's count for one picture and one text.
Also makes checkpoints/openclip-layer-scale: layer scale,
heads of 12, a width of 2.5 in the middle of a block.
"""
import json
import pathlib
import shutil

import numpy as np
import torch

import tiny_models as tiny

import safetensors.torch
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
CHECKPOINTS, EXPECTED = ROOT / "checkpoints", ROOT / "expected/encoders"
LAYER_SCALE = {
    "embed_dim": 40,
    "vision_cfg": {"image_size": 24, "layers": 2, "width": 24, "head_width": 12, "patch_size": 8, "mlp_ratio": 2.5,
                   "ls_init_value": 0.5},
    "text_cfg": {"context_length": tiny.CONTEXT, "vocab_size": 64, "width": 24, "heads": 2, "layers": 1,
                 "ls_init_value": 0.5},
}


def make_layer_scale():
    model = tiny.open_clip_model(LAYER_SCALE, 7)
    folder = CHECKPOINTS / "openclip-layer-scale"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": LAYER_SCALE, "preprocess_cfg": tiny.CLIP_PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def record(outputs, name, module, take=lambda value: value, before=False):
    """Keeps what goes into a module, or what comes out of it."""
    def hook(_, inputs, result=None):
        value = inputs[0] if before else result
        outputs[name] = take(value[0] if isinstance(value, tuple) else value).detach().clone()
    (module.register_forward_pre_hook if before else module.register_forward_hook)(hook)


def tokens_last(grid):
    """[N, C, H, W] as [N, H·W, C]."""
    return grid.flatten(2).transpose(1, 2)


def run(encode_image, encode_text, outputs, image_size, vocabulary):
    """Everything of one model; texts' stages only for the tokens that are there."""
    images, ids = tiny.inputs(image_size, vocabulary)
    flops = []
    for encode, item in ((encode_image, images[:1].double()), (encode_text, ids[:1])):
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            encode(item)
        flops.append(counter.get_total_flops())
    with torch.no_grad():
        embeddings = {"image_embeds": encode_image(images.double()), "text_embeds": encode_text(ids)}
    for name, value in embeddings.items():
        outputs[name] = torch.nn.functional.normalize(getattr(value, "pooler_output", value), dim=-1)
    return {"pixel_values": images, "input_ids": ids.int(), "flops": torch.tensor(flops, dtype=torch.float64), **{
        name: value.reshape(*value.shape[:1], -1, value.shape[-1]) if "blocks" in name or "stem" in name else value
        for name, value in outputs.items()}}


def from_open_clip(config, state):
    model = tiny.open_clip_model(config)
    model.load_state_dict(state)
    model = model.double().eval()
    outputs, visual = {}, model.visual
    text = model.text if hasattr(model, "text") else model
    if hasattr(visual, "layer1"):
        record(outputs, "image.stem", visual.layer1, tokens_last, before=True)
        blocks = [block for stage in range(1, 5) for block in getattr(visual, f"layer{stage}")]
        for index, block in enumerate(blocks):
            record(outputs, f"image.blocks.{index}", block, tokens_last)
    elif hasattr(visual, "trunk"):
        record(outputs, "image.stem", visual.trunk.blocks[0], before=True)
        for index, block in enumerate(visual.trunk.blocks):
            record(outputs, f"image.blocks.{index}", block)
        if visual.trunk.attn_pool is not None:
            record(outputs, "image.pooled", visual.trunk.attn_pool)
    else:
        record(outputs, "image.stem", visual.transformer, before=True)
        for index, block in enumerate(visual.transformer.resblocks):
            record(outputs, f"image.blocks.{index}", block)
        record(outputs, "image.pooled", visual.ln_post, lambda value: value[:, 0] if value.ndim == 3 else value)
    record(outputs, "text.stem", text.transformer, before=True)
    for index, block in enumerate(text.transformer.resblocks):
        record(outputs, f"text.blocks.{index}", block)
    vision, vocabulary = config["vision_cfg"], config["text_cfg"]["vocab_size"]
    return run(model.encode_image, model.encode_text, outputs, vision["image_size"], vocabulary)


def from_transformers(kind, folder):
    model = kind.from_pretrained(folder, attn_implementation="eager").double().eval()
    outputs = {}
    for tower, part in (("image", model.vision_model), ("text", model.text_model)):
        record(outputs, f"{tower}.stem", part.encoder.layers[0], before=True)
        for index, block in enumerate(part.encoder.layers):
            record(outputs, f"{tower}.blocks.{index}", block)
    config = model.config
    return run(lambda images: model.get_image_features(pixel_values=images),
               lambda ids: model.get_text_features(input_ids=ids), outputs,
               config.vision_config.image_size, config.text_config.vocab_size)


def open_clip_folder(name):
    folder = CHECKPOINTS / name
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    return from_open_clip(config, safetensors.torch.load_file(folder / "open_clip_model.safetensors"))


def openai_archive():
    state = torch.jit.load(CHECKPOINTS / "openai-vit.pt").state_dict()
    buffers = ("attn_mask", "input_resolution", "context_length", "vocab_size")
    return from_open_clip(tiny.OPENAI, {name: value for name, value in state.items() if name not in buffers})


def main():
    make_layer_scale()
    shutil.rmtree(EXPECTED, ignore_errors=True)
    EXPECTED.mkdir(parents=True)
    results = {name: open_clip_folder(name)
               for name in ("openclip-vit", "openclip-rn", "openclip-siglip", "openclip-layer-scale")}
    results["openai-vit.pt"] = openai_archive()
    for name, config in (("class-token", tiny.CLASS_TOKEN), ("average", tiny.AVERAGE)):
        # The seed of make_fixtures.make_big_vision.
        results[f"big-vision-{name}.npz"] = from_open_clip(config, tiny.open_clip_model(config, 6).state_dict())
        # What the arrays do not tell.
        (EXPECTED / f"big-vision-{name}.npz.json").write_text(json.dumps({"model_cfg": config}, indent=2) + "\n")
    results["hf-clip"] = from_transformers(transformers.CLIPModel, CHECKPOINTS / "hf-clip")
    results["hf-siglip"] = from_transformers(transformers.SiglipModel, CHECKPOINTS / "hf-siglip")
    for name, tensors in results.items():
        # The files hold f64 only where it says something that f32 does not: the embeddings.
        compact = {key: value if value.dtype != torch.float64 or key.endswith(("embeds", "flops")) else value.float()
                   for key, value in tensors.items()}
        safetensors.torch.save_file({key: value.contiguous() for key, value in compact.items()},
                                    EXPECTED / f"{name}.safetensors")


if __name__ == "__main__":
    torch.manual_seed(0)
    np.random.seed(0)
    main()
