#!/usr/bin/env python3
"""ONNX files of models of true size: valid, and in ONNX Runtime and OpenVINO what PyTorch makes of the same inputs.

    tools/check_onnx_models.py CLIPKIT [--only NAME]

Makes each model with random weights, which takes up to 4 GB of disk and 8 GB of memory. Printed is the largest error of
a unit vector's number against PyTorch in single precision; allowed are 1e-5, and for 16 bits cosines of 0.9995. Needs the
libraries of tools/setup --peers; a release build, or it takes long.
"""
import argparse
import gc
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import openvino

import tiny_models as tiny

import open_clip
import safetensors.torch
import torch
import transformers

LIMIT, COSINE = 1e-5, 0.9995


def write_open_clip(name, folder):
    torch.manual_seed(71)
    config = open_clip.get_model_config(name)
    model = tiny.open_clip_model(config).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1 and parameter.eq(parameter.flatten()[0]).all():
            parameter.data.add_(torch.randn_like(parameter) * 0.02)  # biases, too, shall not be all zeros
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(
        {"model_cfg": config, "preprocess_cfg": tiny.CLIP_PREPROCESSING}))
    return model, config["vision_cfg"]["image_size"], lambda ids, pixels: (
        model.encode_text(ids), model.encode_image(pixels))


def write_siglip(_, folder):
    torch.manual_seed(72)
    model = transformers.SiglipModel(transformers.SiglipConfig()).eval()
    model.save_pretrained(folder)
    transformers.SiglipImageProcessorPil().save_pretrained(folder)

    def embeddings(ids, pixels):
        pair = model.get_text_features(input_ids=ids), model.get_image_features(pixel_values=pixels)
        return tuple(getattr(item, "pooler_output", item) for item in pair)
    return model, model.config.vision_config.image_size, embeddings


MODELS = {"ViT-B-32-quickgelu": (write_open_clip, []), "RN50": (write_open_clip, []),
          "ViT-L-14": (write_open_clip, ["--external-data", "always"]), "SigLIP": (write_siglip, [])}


def inputs(size, is_siglip):
    random = np.random.Generator(np.random.PCG64(73))
    pixels = random.standard_normal((3, 3, size, size), np.float32)
    if is_siglip:
        return np.concatenate([random.integers(2, 31000, (3, 63)), np.ones((3, 1), int)], axis=1), pixels
    ids = np.full((3, 77), 49407)
    for row, length in enumerate((4, 20, 75)):
        ids[row, :length + 1] = [49406, *random.integers(300, 40000, length)]
    return ids, pixels


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def with_onnx_runtime(path, fed):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return dict(zip([entry.name for entry in session.get_outputs()], session.run(None, fed)))


def with_openvino(path, fed):
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(fed)
    return {port.any_name: found[port] for port in compiled.outputs}


def check(clipkit, title, folder):
    make, extra = MODELS[title]
    model, size, embeddings = make(title, folder)
    ids, pixels = inputs(size, title == "SigLIP")
    with torch.no_grad():
        wanted = [unit(rows.numpy()) for rows in embeddings(torch.from_numpy(ids), torch.from_numpy(pixels))]
    del model, embeddings
    gc.collect()
    fed = {"input_ids": ids.astype(np.int64), "pixel_values": pixels}
    good = True
    for dtype in ("f32", "f16", "bf16-weights"):
        path = folder / "out" / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        subprocess.run([clipkit, "convert", folder, path, "--dtype", dtype, "--force", "--quiet", *extra], check=True,
                       capture_output=True)
        onnx.checker.check_model(str(path), full_check=True)
        for name, run in (("ONNX Runtime", with_onnx_runtime), ("OpenVINO", with_openvino)):
            found = run(str(path), fed)
            pairs = list(zip(wanted, (found["text_embeds"], found["image_embeds"])))
            error = max(np.abs(a - b).max() for a, b in pairs)
            cosine = min((a * unit(b)).sum(axis=-1).min() for a, b in pairs)
            fits = error <= LIMIT if dtype == "f32" else cosine >= COSINE
            good &= bool(fits)
            print(f"{title:20} {dtype:13} {name:13} max-abs {error:.2e}  cosine {cosine:.6f}  "
                  f"{'ok' if fits else 'TOO FAR'}", flush=True)
            del found
            gc.collect()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clipkit", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--only", default="", help="models whose name contains this")
    options = parser.parse_args()
    failed = []
    for title in MODELS:
        if options.only in title:
            with tempfile.TemporaryDirectory() as folder:
                if not check(options.clipkit, title, pathlib.Path(folder)):
                    failed.append(title)
    print(f"not within the limits: {', '.join(failed)}" if failed else "all within the limits")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
