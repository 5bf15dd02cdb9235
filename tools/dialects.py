"""Names and layouts of one model in different libraries, written from their sources and checked by equal embeddings.

Every function takes and gives a dict of numpy arrays (or anything with numpy's `concatenate`, `.T`, `.reshape`).
Native names are open_clip's: CLIP without the `text.` prefix, SigLIP with its timm trunk.
"""
import re

import numpy as np

_CLIP_BLOCK = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
_CLIP_OUTSIDE = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "logit_scale": "logit_scale"}
_LAYER = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$")


def _fused(tensors, prefix, kind):
    return np.concatenate([tensors[f"{prefix}{part}_proj.{kind}"] for part in "qkv"])


def _blocks(tensors, tower_names, sub_names, fused_name, separator):
    """The transformer blocks of a Hugging Face model under other names, q, k and v fused."""
    result = {}
    for name, tensor in tensors.items():
        match = _LAYER.match(name)
        if not match:
            continue
        tower, layer, part, kind = match.groups()
        block = f"{tower_names[tower]}{layer}."
        if part == "self_attn.q_proj":
            prefix = f"{tower}_model.encoder.layers.{layer}.self_attn."
            result[f"{block}{fused_name[tower]}{separator[tower]}{kind}"] = _fused(tensors, prefix, kind)
        elif part in sub_names[tower]:
            result[f"{block}{sub_names[tower][part]}.{kind}"] = tensor
    return result


def clip_from_hugging_face(tensors):
    """CLIPModel (or one tower of it) → open_clip's CLIP."""
    result = {native: tensors[name] for name, native in _CLIP_OUTSIDE.items() if name in tensors}
    towers = {"vision": "visual.transformer.resblocks.", "text": "transformer.resblocks."}
    result |= _blocks(tensors, towers, {"vision": _CLIP_BLOCK, "text": _CLIP_BLOCK},
                      {"vision": "attn.in_proj", "text": "attn.in_proj"}, {"vision": "_", "text": "_"})
    if "visual_projection.weight" in tensors:
        result["visual.proj"] = np.ascontiguousarray(tensors["visual_projection.weight"].T)
    if "text_projection.weight" in tensors:
        result["text_projection"] = np.ascontiguousarray(tensors["text_projection.weight"].T)
    return result


def clip_to_hugging_face(tensors):
    """open_clip's CLIP → CLIPModel."""
    result = {name: tensors[native] for name, native in _CLIP_OUTSIDE.items() if native in tensors}
    for name, tensor in tensors.items():
        match = re.match(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)$", name)
        if not match:
            continue
        visual, layer, part, kind = match.groups()
        block = f"{'vision' if visual else 'text'}_model.encoder.layers.{layer}."
        if part == "attn.in_proj":
            for letter, third in zip("qkv", np.split(tensor, 3)):
                result[f"{block}self_attn.{letter}_proj.{kind}"] = third
        else:
            outer = next(theirs for theirs, ours in _CLIP_BLOCK.items() if ours == part)
            result[f"{block}{outer}.{kind}"] = tensor
    if "visual.proj" in tensors:
        result["visual_projection.weight"] = np.ascontiguousarray(tensors["visual.proj"].T)
    if "text_projection" in tensors:
        result["text_projection.weight"] = np.ascontiguousarray(tensors["text_projection"].T)
    return result


_TIMM_BLOCK = {
    "layer_norm1": "norm1", "layer_norm2": "norm2", "self_attn.out_proj": "attn.proj",
    "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
_SIGLIP_OUTSIDE = {
    "vision_model.embeddings.patch_embedding": "visual.trunk.patch_embed.proj",
    "vision_model.post_layernorm": "visual.trunk.norm",
    "vision_model.head.attention.out_proj": "visual.trunk.attn_pool.proj",
    "vision_model.head.layernorm": "visual.trunk.attn_pool.norm",
    "vision_model.head.mlp.fc1": "visual.trunk.attn_pool.mlp.fc1",
    "vision_model.head.mlp.fc2": "visual.trunk.attn_pool.mlp.fc2",
    "text_model.final_layer_norm": "text.ln_final",
    "text_model.head": "text.text_projection"}


def siglip_from_hugging_face(tensors):
    """SiglipModel → open_clip's CustomTextCLIP over a timm trunk."""
    result = _blocks(
        tensors, {"vision": "visual.trunk.blocks.", "text": "text.transformer.resblocks."},
        {"vision": _TIMM_BLOCK, "text": _CLIP_BLOCK}, {"vision": "attn.qkv", "text": "attn.in_proj"},
        {"vision": ".", "text": "_"})
    for name, native in _SIGLIP_OUTSIDE.items():
        for kind in ("weight", "bias"):
            result[f"{native}.{kind}"] = tensors[f"{name}.{kind}"]
    result["visual.trunk.pos_embed"] = tensors["vision_model.embeddings.position_embedding.weight"][None]
    result["visual.trunk.attn_pool.latent"] = tensors["vision_model.head.probe"]
    for kind in ("weight", "bias"):
        rows = tensors[f"vision_model.head.attention.in_proj_{kind}"]
        third = rows.shape[0] // 3
        result[f"visual.trunk.attn_pool.q.{kind}"] = rows[:third]
        result[f"visual.trunk.attn_pool.kv.{kind}"] = rows[third:]
    result["text.token_embedding.weight"] = tensors["text_model.embeddings.token_embedding.weight"]
    result["text.positional_embedding"] = tensors["text_model.embeddings.position_embedding.weight"]
    result["logit_scale"] = tensors["logit_scale"].reshape(())
    result["logit_bias"] = tensors["logit_bias"].reshape(())
    return result


def siglip_to_big_vision(tensors, heads, text_heads):
    """open_clip's SigLIP → the flat dict of a big_vision .npz: kernels [in, out], attention split into heads."""
    result = {"params/t": tensors["logit_scale"].reshape(1), "params/b": tensors["logit_bias"].reshape(1)}
    image, text = "params/img/", "params/txt/"

    def norm(target, source):
        result[f"{target}/scale"] = tensors[f"{source}.weight"]
        result[f"{target}/bias"] = tensors[f"{source}.bias"]

    def dense(target, source):
        result[f"{target}/kernel"] = tensors[f"{source}.weight"].T
        result[f"{target}/bias"] = tensors[f"{source}.bias"]

    def projection(target, weight, bias, heads):
        width = weight.shape[1]
        result[f"{target}/kernel"] = weight.T.reshape(width, heads, -1)
        result[f"{target}/bias"] = bias.reshape(heads, -1)

    def attention(target, weight, bias, out, heads):
        for part, rows, row in zip(("query", "key", "value"), np.split(weight, 3), np.split(bias, 3)):
            projection(f"{target}/{part}", rows, row, heads)
        kernel = tensors[f"{out}.weight"]
        result[f"{target}/out/kernel"] = kernel.T.reshape(heads, -1, kernel.shape[0])
        result[f"{target}/out/bias"] = tensors[f"{out}.bias"]

    def blocks(target, source, norms, fused, out, dense_names, heads):
        layer = 0
        while f"{source}{layer}.{norms[0]}.weight" in tensors:
            here, there = f"{target}encoderblock_{layer}/", f"{source}{layer}."
            norm(f"{here}LayerNorm_0", there + norms[0])
            norm(f"{here}LayerNorm_1", there + norms[1])
            attention(f"{here}MultiHeadDotProductAttention_0", tensors[there + fused[0]], tensors[there + fused[1]],
                      there + out, heads)
            dense(f"{here}MlpBlock_0/Dense_0", there + dense_names[0])
            dense(f"{here}MlpBlock_0/Dense_1", there + dense_names[1])
            layer += 1

    trunk = "visual.trunk."
    result[f"{image}embedding/kernel"] = tensors[f"{trunk}patch_embed.proj.weight"].transpose(2, 3, 1, 0)
    result[f"{image}embedding/bias"] = tensors[f"{trunk}patch_embed.proj.bias"]
    result[f"{image}pos_embedding"] = tensors[f"{trunk}pos_embed"]
    blocks(f"{image}Transformer/", f"{trunk}blocks.", ("norm1", "norm2"), ("attn.qkv.weight", "attn.qkv.bias"),
           "attn.proj", ("mlp.fc1", "mlp.fc2"), heads)
    norm(f"{image}Transformer/encoder_norm", f"{trunk}norm")
    pool, head = f"{trunk}attn_pool.", f"{image}MAPHead_0/"
    if f"{pool}latent" in tensors:
        result[f"{head}probe"] = tensors[f"{pool}latent"]
        attention(f"{head}MultiHeadDotProductAttention_0",
                  np.concatenate([tensors[f"{pool}q.weight"], tensors[f"{pool}kv.weight"]]),
                  np.concatenate([tensors[f"{pool}q.bias"], tensors[f"{pool}kv.bias"]]), f"{pool}proj", heads)
        norm(f"{head}LayerNorm_0", f"{pool}norm")
        dense(f"{head}MlpBlock_0/Dense_0", f"{pool}mlp.fc1")
        dense(f"{head}MlpBlock_0/Dense_1", f"{pool}mlp.fc2")
    if f"{trunk}cls_token" in tensors:
        result[f"{image}cls"] = tensors[f"{trunk}cls_token"]
    if "visual.head.proj.weight" in tensors:
        dense(f"{image}head", "visual.head.proj")
    result[f"{text}Embed_0/embedding"] = tensors["text.token_embedding.weight"]
    result[f"{text}pos_embedding"] = tensors["text.positional_embedding"][None]
    blocks(f"{text}Encoder_0/", "text.transformer.resblocks.", ("ln_1", "ln_2"),
           ("attn.in_proj_weight", "attn.in_proj_bias"), "attn.out_proj", ("mlp.c_fc", "mlp.c_proj"), text_heads)
    norm(f"{text}Encoder_0/encoder_norm", "text.ln_final")
    dense(f"{text}head", "text.text_projection")
    return {name: np.ascontiguousarray(array) for name, array in result.items()}


def scanned(tensors):
    """A big_vision dict with the blocks of each encoder stacked, as nn.scan has them."""
    stacks, result = {}, {}
    for name, array in tensors.items():
        match = re.fullmatch(r"(.*/encoderblock)_(\d+)(/.*)", name)
        if match:
            stacks.setdefault(match[1] + match[3], {})[int(match[2])] = array
        else:
            result[name] = array
    return result | {name: np.stack([layers[n] for n in range(len(layers))]) for name, layers in stacks.items()}


_CLIP_CPP_BLOCK = {
    "layer_norm1": "ln1", "layer_norm2": "ln2", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.out_proj": "attn_out"}
_CLIP_CPP_OUTSIDE = {
    "vision_model.embeddings.class_embedding": "v.class_embd",
    "vision_model.embeddings.patch_embedding.weight": "v.patch_embd.weight",
    "vision_model.embeddings.position_embedding.weight": "v.position_embd.weight",
    "vision_model.pre_layrnorm.weight": "v.pre_ln.weight", "vision_model.pre_layrnorm.bias": "v.pre_ln.bias",
    "vision_model.post_layernorm.weight": "v.post_ln.weight", "vision_model.post_layernorm.bias": "v.post_ln.bias",
    "text_model.embeddings.token_embedding.weight": "t.token_embd.weight",
    "text_model.embeddings.position_embedding.weight": "t.position_embd.weight",
    "text_model.final_layer_norm.weight": "t.post_ln.weight", "text_model.final_layer_norm.bias": "t.post_ln.bias",
    "visual_projection.weight": "visual_projection.weight", "text_projection.weight": "text_projection.weight"}


def clip_cpp_name(name, swapped=True):
    """A CLIPModel name in clip.cpp's GGUF, or None; `swapped` writes fc1 as ffn_down, which clip.cpp's loader expects."""
    if name in _CLIP_CPP_OUTSIDE:
        return _CLIP_CPP_OUTSIDE[name]
    match = _LAYER.match(name)
    if not match:
        return None
    tower, layer, part, kind = match.groups()
    feed = {"mlp.fc1": "ffn_down", "mlp.fc2": "ffn_up"} if swapped else {"mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}
    return f"{tower[0]}.blk.{layer}.{ {**_CLIP_CPP_BLOCK, **feed}[part] }.{kind}"
