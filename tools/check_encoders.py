#!/usr/bin/env python3
"""Embeddings of models of true size, beside PyTorch in single and in double precision.

    tools/check_encoders.py CLIPKIT [--only NAME] [--images N]

Makes each model with random weights, which takes up to 2 GB of disk and memory, and runs it in PyTorch twice. What is
printed is the largest error of a unit vector's number against double precision, PyTorch's beside clipkit's. clipkit's may
be no more than twice PyTorch's, and no more than 2e-6 where PyTorch's is within that. Weights of 16 bits are held to
cosines of 0.9999. Needs the libraries of tools/setup --peers; a release build, or it takes long.
"""
import argparse
import copy
import gc
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import golden
import make_reference
import numpy as np
import open_clip
import safetensors.torch
import tiny_models as tiny
import torch
import transformers
from PIL import Image

PROMPTS = ["a photo of a cat", "two dogs playing in the snow, seen from above", "x",
           "an old map of the harbour with ships, lighthouses and sea monsters in the margins", "🙂 日本語 café",
           " ".join(["very"] * 90) + " long"]
LIMIT = 2e-6


def named(name):
    """A model that open_clip ships a config for."""
    return open_clip.get_model_config(name)


def long_heads():
    """Heads of 80, as ViT-H/14 has them, in four of its layers."""
    config = named("ViT-H-14")
    config["vision_cfg"]["layers"] = config["text_cfg"]["layers"] = 4
    return config


OPEN_CLIP = {
    "ViT-B-32-quickgelu": lambda: named("ViT-B-32-quickgelu"), "ViT-B-16": lambda: named("ViT-B-16"),
    "RN50": lambda: named("RN50"), "ViT-L-14": lambda: named("ViT-L-14"), "heads of 80": long_heads,
    "custom text": lambda: {**named("ViT-B-32"), "custom_text": True}}
HUGGING_FACE = {"HF CLIP": lambda: transformers.CLIPModel(transformers.CLIPConfig()),
                "HF SigLIP": lambda: transformers.SiglipModel(transformers.SiglipConfig())}


def pictures(count):
    random = np.random.Generator(np.random.PCG64(60))
    for index in range(count):
        levels = random.integers(0, 256, (9 + index, 12, 3), np.uint8)
        data = io.BytesIO()
        Image.fromarray(levels).resize((640 - 40 * index, 427), Image.Resampling.BICUBIC).save(data, "JPEG", quality=92)
        yield f"{index}.jpg", data.getvalue(), Image.open(data)


def write_open_clip(config, folder):
    """Random weights as open_clip draws them, saved as it saves them, and loaded by it."""
    torch.manual_seed(61)
    model = tiny.open_clip_model(copy.deepcopy(config))
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(
        {"model_cfg": config, "preprocess_cfg": tiny.CLIP_PREPROCESSING}))
    return make_reference.load_open_clip(f"local-dir:{folder}"), {"prompts": PROMPTS}


def write_hugging_face(make, folder):
    torch.manual_seed(62)
    model = make().eval()
    model.save_pretrained(folder)
    is_siglip = isinstance(model, transformers.SiglipModel)
    kind = transformers.SiglipImageProcessorPil if is_siglip else transformers.CLIPImageProcessorPil
    kind().save_pretrained(folder)
    # Ids in place of a tokenizer: 49407 ends CLIP's texts, 1 fills SigLIP's.
    random = np.random.Generator(np.random.PCG64(63))
    context, end = (64, 1) if is_siglip else (77, 49407)
    ids = np.full((len(PROMPTS), context), end)
    for row, length in enumerate((3, 8, 1, 15, 30, context - 2)):
        ids[row, :length + 1] = [2 if is_siglip else 49406, *random.integers(300, 30000, length)]
    return make_reference.load_hugging_face(folder), {"ids": ids}


def verify(clipkit, candidate, reference, *options):
    done = subprocess.run([clipkit, "verify", candidate, "--reference", reference, "--json", *options],
                          capture_output=True, text=True)
    if done.returncode > 1:
        raise AssertionError(done.stderr)
    return {stage["stage"]: stage for stage in json.loads(done.stdout)["stages"]}


def check(clipkit, title, folder, images):
    """Prints a line for each tower; whether all is within its limits."""
    if title in OPEN_CLIP:
        loaded, words = write_open_clip(OPEN_CLIP[title](), folder)
    else:
        loaded, words = write_hugging_face(HUGGING_FACE[title], folder)
    single, _ = make_reference.make(*loaded, name=title, images=images, **words)
    double, said = make_reference.make(*loaded, name=title, images=images, precision="float64", **words)
    del loaded
    gc.collect()
    golden.save(folder / "golden.safetensors", double, said)
    found = verify(clipkit, folder, folder / "golden.safetensors")
    good = found["tokens"]["error"] == 0 and found["pixels"]["error"] == 0 and found["pixel_values"]["error"] == 0
    for stage in ("image_embeds", "text_embeds"):
        torch_error = np.abs(single[stage].astype(np.float64) - double[stage]).max()
        error = found[stage]["max_absolute"]
        allowed = min(2 * torch_error, LIMIT) if torch_error <= LIMIT else 2 * torch_error
        good &= error <= allowed
        print(f"{title:20} {stage:13} clipkit {error:.2e}  torch {torch_error:.2e}  allowed {allowed:.2e}"
              f"  {'ok' if error <= allowed else 'TOO FAR'}", flush=True)
    if title in ("ViT-B-32-quickgelu", "HF SigLIP"):
        good &= check_halves(clipkit, title, folder)
    return good


def check_halves(clipkit, title, folder):
    good = True
    for dtype in ("f16", "bf16"):
        target = folder / dtype
        subprocess.run([clipkit, "convert", folder, target, "--dtype", dtype, "--quiet", "--layout",
                        "hf" if title in HUGGING_FACE else "open_clip"], check=True, capture_output=True)
        found = verify(clipkit, target, folder / "golden.safetensors", "--ids")
        worst = min(found[stage]["cosine"]["min"] for stage in ("image_embeds", "text_embeds"))
        good &= worst >= 0.9999
        print(f"{title:20} {dtype + ' weights':13} least cosine {worst:.6f}  {'ok' if worst >= 0.9999 else 'TOO FAR'}",
              flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clipkit", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--images", type=int, default=4)
    options = parser.parse_args()
    images, failed = list(pictures(options.images)), []
    for title in [*OPEN_CLIP, *HUGGING_FACE]:
        if options.only not in title:
            continue
        with tempfile.TemporaryDirectory() as folder:
            if not check(options.clipkit, title, pathlib.Path(folder), images):
                failed.append(title)
    print(f"not within the limits: {', '.join(failed)}" if failed else "all within the limits")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
