"""What open_clip's and transformers' models make of images and texts at every stage, as formats/golden.md names them."""
import json
import struct

import numpy as np
import tiny_models  # noqa: F401  makes a torchvision without its operators usable
import torch

from open_clip.transformer import text_global_pool  # noqa: E402
from transformers.image_utils import load_image  # noqa: E402

DTYPES = {np.dtype("u1"): "U8", np.dtype("<i4"): "I32", np.dtype("<f4"): "F32", np.dtype("<f8"): "F64"}


class Recorder:
    """Runs a model's encoders and keeps what `blocks` asks for; arrays of one entry for each image or text."""

    def __init__(self, model, blocks=True):
        self.model, self.blocks = model.eval(), blocks
        self.is_open_clip = hasattr(model, "encode_image")
        self.family = "siglip" if getattr(model, "logit_bias", None) is not None else "clip"
        self.kept = {}

    # Each encoder's hooks: (stage, module, what to keep of its input and output).

    def _image_hooks(self):
        if not self.is_open_clip:
            tower = self.model.vision_model
            stem = tower.pre_layrnorm if hasattr(tower, "pre_layrnorm") else tower.embeddings
            return [("image.stem", stem, lambda i, o: o), *self._blocks("image", tower.encoder.layers),
                    ("image.pooled", tower, lambda i, o: o.pooler_output)]
        visual = self.model.visual
        if hasattr(visual, "trunk"):
            return [("image.stem", visual.trunk.norm_pre, lambda i, o: o), *self._blocks("image", visual.trunk.blocks),
                    ("image.pooled", visual.head, lambda i, o: i[0])]
        if hasattr(visual, "attnpool"):
            bottlenecks = [block for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4)
                           for block in layer]
            return [("image.stem", visual.avgpool, lambda i, o: places(o)),
                    *self._blocks("image", bottlenecks, places),
                    ("image.pooled", visual.attnpool, lambda i, o: unprojected(visual.attnpool, i[0]))]
        assert visual.attn_pool is None, "attention pooling of a ViT is not known here"
        return [("image.stem", visual.ln_pre, lambda i, o: o), *self._blocks("image", visual.transformer.resblocks),
                ("image.pooled", visual.ln_post, lambda i, o: o if o.ndim == 2 else visual._global_pool(o)[0])]

    def _text_hooks(self, ids):
        if not self.is_open_clip:
            tower = self.model.text_model
            pooled = (("text.pooled", tower.final_layer_norm, lambda i, o: o[:, -1]) if self.family == "siglip"
                      else ("text.pooled", tower, lambda i, o: o.pooler_output))
            return [("text.stem", tower.embeddings, lambda i, o: o), *self._blocks("text", tower.encoder.layers), pooled]
        text = self._text()
        kind, end = self._pooling()
        return [("text.stem", text.transformer.resblocks[0], lambda i, o: i[0]),
                *self._blocks("text", text.transformer.resblocks),
                ("text.pooled", text.ln_final, lambda i, o: text_global_pool(o, ids, kind, end))]

    @staticmethod
    def _blocks(encoder, modules, change=lambda output: output):
        return [(f"{encoder}.blocks.{index}", module,
                 lambda i, o: change(o[0] if isinstance(o, tuple) else o)) for index, module in enumerate(modules)]

    def _text(self):
        return getattr(self.model, "text", self.model)

    def _pooling(self):
        text = self._text()
        if text is self.model:
            return text.text_pool_type, getattr(text, "text_eos_id", None)
        return text.pool_type, getattr(text, "eos_id", None)

    def token_counts(self, ids):
        """How many ids of each text count: up to the pooled one; all where the text sees itself whole."""
        whole = [ids.shape[1]] * len(ids)
        if self.is_open_clip:
            (kind, end), mask = self._pooling(), self._text().attn_mask
            if mask is None or kind not in ("argmax", "eos"):
                return whole
        elif self.family == "siglip":
            return whole
        else:
            end = self.model.config.text_config.eos_token_id
            kind = "argmax" if end == 2 else "eos"
        marked = ids if kind == "argmax" else (ids == end).int()
        return (marked.argmax(dim=-1) + 1).tolist()

    def _run(self, hooks, call):
        self.kept, handles = {}, []
        if self.blocks:
            for stage, module, pick in hooks:
                def keep(module, inputs, output, stage=stage, pick=pick):
                    # The first call counts: a residual block may share a module.
                    self.kept.setdefault(stage, pick(inputs, output).detach().clone())
                handles.append(module.register_forward_hook(keep))
        try:
            with torch.no_grad():
                output = call()
        finally:
            for handle in handles:
                handle.remove()
        return torch.nn.functional.normalize(getattr(output, "pooler_output", output), dim=-1)

    def images(self, pixel_values):
        """{stage: array} of [N, 3, S, S]."""
        if self.is_open_clip:
            output = self._run(self._image_hooks(), lambda: self.model.encode_image(pixel_values))
        else:
            output = self._run(self._image_hooks(), lambda: self.model.get_image_features(pixel_values=pixel_values))
        return {**arrays(self.kept), "image_embeds": output.numpy()}

    def texts(self, ids):
        """{stage: array} of [N, C]; inside the encoder the rows of all texts that count."""
        if self.is_open_clip:
            output = self._run(self._text_hooks(ids), lambda: self.model.encode_text(ids))
        else:
            output = self._run(self._text_hooks(ids), lambda: self.model.get_text_features(input_ids=ids))
        counts, kept = self.token_counts(ids), arrays(self.kept)
        rows = {stage: array if array.ndim == 2 else np.concatenate([a[:n] for a, n in zip(array, counts)])
                for stage, array in kept.items()}
        return {**rows, "text_embeds": output.numpy(), "token_counts": np.array(counts, np.int32)}

    def scores(self, image_embeds, text_embeds):
        """logits_per_image with what they are made with."""
        scale = self.model.logit_scale.detach().exp().reshape(()).numpy()
        result, logits = {"logit_scale": scale}, scale * (image_embeds @ text_embeds.T)
        if self.family == "siglip":
            result["logit_bias"] = self.model.logit_bias.detach().reshape(()).numpy()
            logits = logits + result["logit_bias"]
        return {**result, "logits_per_image": logits}


def arrays(kept):
    return {stage: tensor.numpy() for stage, tensor in kept.items()}


def places(maps):
    """[N, C, H, W] as [N, H·W, C]."""
    return maps.flatten(2).transpose(1, 2)


def unprojected(pool, maps):
    """A ResNet's attention pooling without its output layer."""
    tokens = places(maps).transpose(0, 1)
    tokens = torch.cat([tokens.mean(dim=0, keepdim=True), tokens]) + pool.positional_embedding[:, None, :]
    width = tokens.shape[-1]
    pooled, _ = torch.nn.functional.multi_head_attention_forward(
        query=tokens, key=tokens, value=tokens, embed_dim_to_check=width, num_heads=pool.num_heads,
        q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight, v_proj_weight=pool.v_proj.weight,
        in_proj_weight=None, in_proj_bias=torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]),
        bias_k=None, bias_v=None, add_zero_attn=False, dropout_p=0.0, out_proj_weight=torch.eye(width, dtype=maps.dtype),
        out_proj_bias=torch.zeros(width, dtype=maps.dtype), use_separate_proj_weight=True, training=False,
        need_weights=False)
    return pooled[0]


class OpenCLIPPreprocessing:
    """open_clip's transforms for evaluation, stopped before the numbers and run to their end."""

    def __init__(self, transform):
        self.transform = transform

    def __call__(self, image):
        levels = image
        for step in self.transform.transforms:
            if "ToTensor" in type(step).__name__:
                break
            levels = step(levels)
        return np.asarray(levels), self.transform(image).numpy()


class HuggingFacePreprocessing:
    """A transformers image processor that uses Pillow, fed by transformers' own loader: it turns and converts pictures."""

    def __init__(self, processor):
        self.processor = processor

    def __call__(self, image):
        image = load_image(image)
        levels = self.processor(image, do_rescale=False, do_normalize=False, return_tensors="np").pixel_values[0]
        values = self.processor(image, return_tensors="np").pixel_values[0]
        return np.ascontiguousarray(levels.transpose(1, 2, 0)).astype(np.uint8), values.astype(np.float32)


def record(recorder, preprocessing, images, ids, batch=8):
    """The tensors of a golden file for (name, bytes, PIL image) triples and an array of ids; either may be empty."""
    tensors = {}
    dtype = next(recorder.model.parameters()).dtype
    if images:
        pairs = [preprocessing(image) for _, _, image in images]
        tensors["pixels"] = np.stack([levels for levels, _ in pairs])
        values = np.stack([values for _, values in pairs])
        tensors["pixel_values"] = values
        batches = [recorder.images(torch.from_numpy(values[start:start + batch]).to(dtype))
                   for start in range(0, len(values), batch)]
        tensors |= joined(batches)
        tensors |= {f"images.{index}": np.frombuffer(data, np.uint8) for index, (_, data, _) in enumerate(images)}
    if len(ids):
        tensors["input_ids"] = np.asarray(ids, np.int32)
        batches = [recorder.texts(torch.from_numpy(np.asarray(ids[start:start + batch], np.int64)))
                   for start in range(0, len(ids), batch)]
        tensors |= joined(batches)
    if images and len(ids):
        tensors |= recorder.scores(tensors["image_embeds"], tensors["text_embeds"])
    return tensors


def joined(batches):
    return {stage: np.concatenate([part[stage] for part in batches]) for stage in batches[0]}


def save(path, tensors, metadata):
    """A safetensors file whose bytes depend on nothing but what it holds: the library's own order of metadata varies."""
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header, offset = {"__metadata__": dict(sorted({**metadata, "format": "pt"}.items()))}, 0
    for name in order:
        array = tensors[name]
        header[name] = {"dtype": DTYPES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def metadata(recorder, model_name, image_names, prompts, libraries):
    """What a golden file says beside its tensors; `prompts` None where ids are the input."""
    said = {"clipkit.golden": "1", "clipkit.producer": ", ".join(libraries), "clipkit.model": model_name,
            "clipkit.family": recorder.family,
            "clipkit.precision": str(next(recorder.model.parameters()).dtype).removeprefix("torch.")}
    if image_names:
        said["clipkit.images"] = json.dumps(image_names, ensure_ascii=False)
    if prompts is not None:
        said["clipkit.prompts"] = json.dumps(prompts, ensure_ascii=False)
    return said
