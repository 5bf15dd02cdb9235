"""Tiny models of the real libraries, with values that are the same on every machine.

Every number follows from the tensor's open_clip name and the model's seed, so the same model in another library's
clothes holds the same numbers. Import this before open_clip: it makes a torchvision without its operators usable.
"""
import copy
import zlib

import numpy as np
import torch

_operators = torch.library.Library("torchvision", "FRAGMENT")
for _signature in (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
):
    try:
        _operators.define(_signature)
    except RuntimeError:
        pass  # this torchvision brings its own

import open_clip  # noqa: E402
import timm  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402

CONTEXT = 16
MERGES = ["a n", "c a", "ca t</w>", "d o", "do g</w>", "p h", "ph o", "t o</w>", "pho to</w>", "o f</w>", "i n",
          "in g</w>", "t h", "th e</w>"]

VIT = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 16, "layers": 2, "width": 32, "head_width": 16, "patch_size": 4},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 528, "width": 16, "heads": 2, "layers": 3},
}
RESNET = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 2, "head_width": 32},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 128, "width": 16, "heads": 2, "layers": 1},
}
# Widths and heads of 64, as everything OpenAI published.
OPENAI = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 128, "width": 64, "heads": 1, "layers": 1},
}
SIGLIP = {
    "embed_dim": 32,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {"image_size": 16, "timm_model_name": "vit_tiny_patch4_siglip_16", "timm_model_pretrained": False,
                   "timm_pool": "map", "timm_proj": "none"},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 64, "width": 16, "heads": 2, "layers": 2,
                 "no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
                 "act_kwargs": {"approximate": "tanh"}},
}
# What else big_vision's two towers may be: a class token whose position is not learned; or the mean of the tokens, and
# a projection behind it.
CLASS_TOKEN = copy.deepcopy(SIGLIP)
CLASS_TOKEN["vision_cfg"] |= {"timm_model_name": "vit_tiny_patch4_token_16", "timm_pool": "token"}
AVERAGE = copy.deepcopy(SIGLIP) | {"embed_dim": 24}
AVERAGE["vision_cfg"] |= {"timm_model_name": "vit_tiny_patch4_average_16", "timm_pool": "avg", "timm_proj": "linear",
                          "timm_proj_bias": True}
CLIP_PREPROCESSING = {
    "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic", "resize_mode": "shortest"}
SIGLIP_PREPROCESSING = {
    "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "squash"}


def _vit(options, **own):
    """A vision transformer as big_vision has them, of the shape SIGLIP asks for."""
    options = {key: options[key] for key in ("num_classes", "global_pool") if key in options}
    model = VisionTransformer(**{
        "img_size": 16, "patch_size": 4, "embed_dim": 32, "depth": 2, "num_heads": 2, "mlp_ratio": 1.5,
        "class_token": False, "act_layer": "gelu_tanh", **own, **options})
    model.default_cfg = {}  # open_clip asks it for the shape of a convolutional trunk's output
    return model


@timm.models.register_model
def vit_tiny_patch4_siglip_16(pretrained=False, **options):
    return _vit(options, global_pool="map")


@timm.models.register_model
def vit_tiny_patch4_token_16(pretrained=False, **options):
    return _vit(options, global_pool="token", class_token=True, no_embed_class=True)


@timm.models.register_model
def vit_tiny_patch4_average_16(pretrained=False, **options):
    # As timm's vit_…_siglip_gap_…: the norm comes before the mean.
    return _vit(options, global_pool="avg", fc_norm=False)


def values(name, shape, seed):
    """f32 numbers for a tensor: few bits in matrices, so that files compress; 14 bits where rounding shall show."""
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))

    def grid(limit, steps):
        return random.integers(-limit, limit, shape, endpoint=True) / steps

    if name.endswith("num_batches_tracked"):
        return np.full(shape, 7, np.int64)
    if name == "logit_scale":
        result = np.full(shape, np.log(1 / 0.07))
    elif name == "logit_bias":
        result = np.full(shape, -10.125)
    elif name.endswith("running_var"):
        result = 1 + grid(32, 64)
    elif len(shape) == 1 and name.endswith("weight"):
        result = 1 + grid(48, 256)
    elif len(shape) >= 2 and "pos" not in name:
        result = grid(64, 256)
    else:
        result = grid(16000, 65536)
    return result.astype(np.float32)


def fill(state, seed):
    """The same names and shapes with our values."""
    plain = {name: name[5:] if name.startswith("text.") else name for name in state}
    return {name: torch.from_numpy(np.asarray(values(plain[name], tuple(tensor.shape), seed)))
            for name, tensor in state.items()}


def open_clip_model(config, seed=None, custom_text=False):
    """open_clip's model for a `model_cfg`, with our values when there is a seed."""
    config = copy.deepcopy(config)
    custom_text = config.pop("custom_text", False) or custom_text
    model = (open_clip.CustomTextCLIP if custom_text else open_clip.CLIP)(**config)
    if seed is not None:
        model.load_state_dict(fill(model.state_dict(), seed))
    return model.eval()


def inputs(image_size, vocabulary):
    """Two images and three texts; the highest id ends each text, as CLIP's end token does."""
    random = np.random.Generator(np.random.PCG64(20))
    images = random.standard_normal((2, 3, image_size, image_size)).astype(np.float32)
    ids = np.zeros((3, CONTEXT), np.int64)
    for row, length in enumerate((3, 9, CONTEXT - 2)):
        ids[row, :length + 2] = [vocabulary - 2, *random.integers(1, vocabulary - 2, length), vocabulary - 1]
    return torch.from_numpy(images), torch.from_numpy(ids)


def embeddings(model, image_size, vocabulary):
    """Unit-length embeddings of `inputs` by an open_clip or transformers model, as (images, texts)."""
    images, ids = inputs(image_size, vocabulary)
    with torch.no_grad():
        if hasattr(model, "encode_image"):
            pair = model.encode_image(images), model.encode_text(ids)
        else:
            pair = model.get_image_features(pixel_values=images), model.get_text_features(input_ids=ids)
            pair = tuple(getattr(item, "pooler_output", item) for item in pair)
    return tuple(torch.nn.functional.normalize(item.float(), dim=-1) for item in pair)


def vocabulary():
    """A byte-pair vocabulary of CLIP's construction: 256 byte symbols, the same ending a word, merges, two tokens."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    symbols = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    tokens = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in MERGES]
    return {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
