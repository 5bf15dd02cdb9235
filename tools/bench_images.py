"""Preprocessing of a picture beside Pillow and open_clip: one thread, the picture in memory.

    tools/bench images [RUNS]     a 640 × 480 photograph as JPEG and PNG, at 224 pixels, bicubic
"""
import io
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import PIL.Image
import skimage.data

import image_pipelines
import tiny_models

PIPELINE = {"dialect": "open_clip", "size": 224, "mode": "shortest", "filter": "bicubic",
            "mean": image_pipelines.CLIP_MEAN, "std": image_pipelines.CLIP_STD}


def pictures(folder):
    photo = PIL.Image.fromarray(skimage.data.coffee()).resize((640, 480), PIL.Image.Resampling.LANCZOS)
    for name, options in {"photo.jpg": {"quality": 90}, "photo.png": {}, "photo.webp": {"quality": 90}}.items():
        photo.save(folder / name, **options)
        yield folder / name


def model(folder):
    """A model with 224 pixels, from the real library."""
    import open_clip
    from safetensors.torch import save_file
    config = json.loads(json.dumps(tiny_models.VIT))
    config["vision_cfg"] |= {"image_size": 224, "patch_size": 32}
    save_file(open_clip.CLIP(**config).state_dict(), str(folder / "open_clip_model.safetensors"))
    document = {"model_cfg": config, "preprocess_cfg": tiny_models.CLIP_PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(document))
    return folder / "open_clip_model.safetensors"


def fastest(runs, call):
    times = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return min(times) / 1000, statistics.median(times) / 1000


def decoded(data):
    image = PIL.Image.open(io.BytesIO(data))
    image.load()
    return image


def resized(data):
    """Decode, resize, crop and convert: what no faster peer than Pillow itself does to these pixels."""
    width, height = PIL.Image.open(io.BytesIO(data)).size
    image = decoded(data).resize((int(224 * width / height), 224), PIL.Image.Resampling.BICUBIC)
    left = round((image.width - 224) / 2)
    return np.asarray(image.crop((left, 0, left + 224, 224)).convert("RGB"))


def main():
    bench, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
    image_pipelines.torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        checkpoint, paths = model(folder), list(pictures(folder))
        print(f"{'µs, fastest (median)':22}{'clipkit':>18}{'Pillow: pixels':>20}{'open_clip':>20}{'decoding alone':>20}")
        for path in paths:
            data = path.read_bytes()
            line = subprocess.run([bench, "images", checkpoint, str(runs), path], capture_output=True, check=True, text=True).stdout
            own = tuple(map(float, line.split()[1:]))
            columns = [own, fastest(runs, lambda: resized(data)),
                       fastest(runs, lambda: image_pipelines.composed(decoded(data), PIPELINE)),
                       fastest(runs, lambda: decoded(data))]
            print(f"{path.name:22}" + "".join(f"{low:11.0f} ({middle:.0f})" for low, middle in columns)
                  + f"   {columns[1][0] / own[0]:.2f}x Pillow, {columns[2][0] / own[0]:.2f}x open_clip")


if __name__ == "__main__":
    main()
