"""Makes Fixtures/golden: golden files of the tiny models, and two made-up ones with what NumPy and SciPy say of them.

    .build/python-peers/bin/python tools/make_fixtures_golden.py

Deterministic on one machine; on another, products in f32 may differ in their last bits. Also makes checkpoints/hf-square,
a CLIP whose widths are all alike, so that its layers can be confused.
"""
import io
import json

import golden
import make_reference
import numpy as np
import scipy.stats
import tiny_models as tiny
import torch
import transformers
from make_fixtures import CHECKPOINTS, EXPECTED, ROOT, directory, write_json, write_tokenizer
from PIL import Image

GOLDEN = ROOT / "golden"
PROMPTS = ["a photo of a cat", "The dog in the photo", "a cat &amp; a dog!"]
# End of text is the largest id, as in CLIP's vocabulary.
IDS_528 = [[526, 5, 7, 9, 527] + [0] * 11, [526, *range(20, 34), 527], [526, 300, 527] + [0] * 13]
IDS_128 = [[126, 5, 7, 9, 127] + [0] * 11, [126, *range(20, 34), 127]]
IDS_64 = [[2, 5, 7, 9, 1] + [1] * 11, [*range(20, 35), 1], [33, 1] + [1] * 14]


def pictures():
    """Three small pictures with edges and gradients: (name, bytes, PIL image). The second's crop has halves to round."""
    random = np.random.Generator(np.random.PCG64(30))
    for name, (width, height), options in (("wide.png", (37, 29), {}), ("tall.jpg", (24, 35), {"quality": 90}),
                                           ("square.png", (31, 31), {})):
        y, x = np.mgrid[0:height, 0:width]
        base = np.stack([255 * x / width, 255 * y / height, 127 + 120 * np.sin(x * y / 40)], axis=-1)
        spots = random.integers(0, 256, (height // 5 + 1, width // 5 + 1, 3)).repeat(5, 0).repeat(5, 1)[:height, :width]
        data = io.BytesIO()
        Image.fromarray(((2 * base + spots) / 3).astype(np.uint8)).save(
            data, "JPEG" if name.endswith("jpg") else "PNG", **options)
        yield name, data.getvalue(), Image.open(io.BytesIO(data.getvalue()))


def make_square():
    """checkpoints/hf-square: embed_dim, widths and MLP widths of 24, three heads."""
    common = {"hidden_size": 24, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
              "hidden_act": "quick_gelu", "projection_dim": 24}
    text = {**common, "vocab_size": 528, "max_position_embeddings": tiny.CONTEXT, "bos_token_id": 526,
            "eos_token_id": 527, "pad_token_id": 527}
    vision = {**common, "image_size": 16, "patch_size": 4}
    model = transformers.CLIPModel(transformers.CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=24)).eval()
    model.load_state_dict(tiny.fill(model.state_dict(), 40))
    folder = directory("hf-square")
    model.save_pretrained(folder)
    write_tokenizer(folder)
    write_json(folder / "preprocessor_config.json",
               json.loads((CHECKPOINTS / "hf-clip/preprocessor_config.json").read_text()))


def make_models():
    images = list(pictures())
    for name, count, words in (
            ("hf-clip", 3, {"prompts": PROMPTS}), ("hf-square", 3, {"prompts": PROMPTS}),
            ("openclip-vit", 3, {"ids": IDS_528}), ("openclip-rn", 2, {"ids": IDS_128}),
            ("hf-siglip", 3, {"ids": IDS_64}), ("openclip-siglip", 3, {"ids": IDS_64})):
        folder = CHECKPOINTS / name
        loaded = (make_reference.load_open_clip(f"local-dir:{folder}") if name.startswith("openclip")
                  else make_reference.load_hugging_face(folder))
        tensors, said = make_reference.make(*loaded, name=name, images=images[:count], blocks=True, **words)
        golden.save(GOLDEN / f"{name}.safetensors", tensors, said)


# Two made-up golden files, and every number of their comparison.

def made_up(random):
    """Nine images of one pixel and seven texts; equal scores, a text without an image, an image without a text."""
    counts = np.array([3, 2, 4, 1, 2, 3, 2], np.int32)

    def rows(*shape):
        return random.standard_normal(shape).astype(np.float32)

    def unit(count):
        offset = rows(count, 6) + 2
        return (offset / np.linalg.norm(offset, axis=1, keepdims=True)).astype(np.float32)

    tensors = {f"images.{index}": np.array([index], np.uint8) for index in range(9)}
    tensors |= {
        "pixels": random.integers(0, 256, (9, 1, 1, 3), np.uint8), "pixel_values": rows(9, 3, 1, 1),
        "image.stem": rows(9, 5, 4), "image.blocks.0": 3 * rows(9, 5, 4), "image.pooled": rows(9, 8),
        "image_embeds": unit(9), "input_ids": random.integers(0, 90, (7, 4)).astype(np.int32), "token_counts": counts,
        "text.stem": rows(counts.sum(), 3), "text.blocks.0": rows(counts.sum(), 3), "text.pooled": rows(7, 5),
        "text_embeds": unit(7), "logit_scale": np.array(20, np.float32), "logit_bias": np.array(-3, np.float32),
        "logits_per_image": np.round(4 * rows(9, 7)) / 2, "pairs": np.array([4, 0, 0, 2, -1, 8, 3], np.int32)}
    return tensors


def disturbed(tensors, random):
    other = {name: array.copy() for name, array in tensors.items()}
    for name, array in other.items():
        if array.dtype == np.float32 and name.startswith(("image", "text", "pixel_values")):
            array += (0.05 * random.standard_normal(array.shape)).astype(np.float32)
    for name in ("image_embeds", "text_embeds"):
        other[name] = (other[name] / np.linalg.norm(other[name], axis=1, keepdims=True)).astype(np.float32)
    other["logits_per_image"] = tensors["logits_per_image"] + np.round(2 * random.standard_normal((9, 7))).astype("f4") / 2
    other["pixels"][3, 0, 0, 1] ^= 6
    other["pixels"][5, 0, 0, 2] ^= 1
    other["input_ids"][2, 1] += 1
    other["input_ids"][6, 3] += 1
    return other


def distribution(numbers):
    return {"min": numbers.min(), "percentile_1": np.percentile(numbers, 1), "percentile_5": np.percentile(numbers, 5),
            "median": np.median(numbers), "mean": numbers.mean()}


def cosines(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def grouped(name, array, counts):
    """The rows of each item."""
    if array.ndim == 3:
        return list(array)
    if name.startswith("text.") and name != "text.pooled":
        return np.split(array, np.cumsum(counts)[:-1])
    return [row[None] for row in array]


def compared(name, reference, candidate, counts):
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    found = {"max_absolute": np.abs(a - b).max(), "relative": np.linalg.norm(a - b) / np.linalg.norm(a),
             "differing": int((a != b).sum())}
    if name in ("pixel_values", "logits_per_image"):
        return {**found, "error": found["max_absolute"] / (20 if name == "logits_per_image" else 1)}
    errors = [np.linalg.norm(y - x, axis=1).max() / np.sqrt((np.linalg.norm(x, axis=1) ** 2).mean())
              for x, y in zip(grouped(name, a, counts), grouped(name, b, counts))]
    width = a.shape[-1]
    found |= {"error": max(errors), "worst_item": int(np.argmax(errors)),
              "cosine": distribution(cosines(a.reshape(-1, width), b.reshape(-1, width)))}
    if name.endswith("_embeds"):
        mean = a.mean(axis=0)
        found |= {"item_errors": errors, "centred_cosine": distribution(cosines(a - mean, b - mean))}
    return found


def best(scores):
    return np.argsort(-scores, axis=-1, kind="stable")


def ranking(a, b):
    correlations = [scipy.stats.spearmanr(x, y).statistic for x, y in zip(a, b)]
    return {"top1": np.mean(best(a)[:, 0] == best(b)[:, 0]),
            "top5": np.mean([len(set(x[:5]) & set(y[:5])) / 5 for x, y in zip(best(a), best(b))]),
            "spearman_mean": np.mean(correlations), "spearman_min": np.min(correlations)}


def pair_scores(logits, pairs):
    texts = [text for text, image in enumerate(pairs) if image >= 0]
    images = sorted({pairs[text] for text in texts})
    by_image = [min(list(best(logits[image])).index(text) for text in texts if pairs[text] == image) for image in images]
    by_text = [list(best(logits[:, text])).index(pairs[text]) for text in texts]
    first = [next(text for text in texts if pairs[text] == image) for image in images]
    square = torch.from_numpy(logits[np.ix_(images, first)].astype(np.float64))
    right, signs = torch.arange(len(images)), 2 * torch.eye(len(images), dtype=torch.float64) - 1
    entropy = torch.nn.functional.cross_entropy
    return {
        "image_to_text_1": np.mean(np.array(by_image) < 1), "image_to_text_5": np.mean(np.array(by_image) < 5),
        "text_to_image_1": np.mean(np.array(by_text) < 1), "text_to_image_5": np.mean(np.array(by_text) < 5),
        "loss": {"clip": float((entropy(square, right) + entropy(square.T, right)) / 2),
                 "siglip": float(-torch.nn.functional.logsigmoid(signs * square).sum() / len(images))}}


def make_scores():
    random = np.random.Generator(np.random.PCG64(31))
    reference = made_up(random)
    candidate = disturbed(reference, random)
    said = {"clipkit.golden": "1", "clipkit.producer": "numpy", "clipkit.family": "clip",
            "clipkit.images": json.dumps([f"{index}.png" for index in range(9)])}
    for name, tensors in (("reference", reference), ("candidate", candidate)):
        golden.save(GOLDEN / f"scores-{name}.safetensors", tensors, {**said, "clipkit.model": name})
    counts, pairs = reference["token_counts"], reference["pairs"].tolist()
    floats = [name for name in reference if reference[name].dtype == np.float32 and not name.startswith("logit_")]
    logits = reference["logits_per_image"], candidate["logits_per_image"]
    write_json(EXPECTED / "verification.json", json.loads(json.dumps({
        "stages": {name: compared(name, reference[name], candidate[name], counts) for name in sorted(floats)},
        "ranking": ranking(*logits),
        "pairs": {"reference": pair_scores(logits[0], pairs), "candidate": pair_scores(logits[1], pairs)}})))


def main():
    GOLDEN.mkdir(exist_ok=True)
    make_square()
    make_models()
    make_scores()


if __name__ == "__main__":
    main()
