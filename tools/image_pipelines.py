"""The reference: what Pillow, open_clip, OpenAI's CLIP and transformers make of a picture file."""
import io
import warnings

import numpy as np
import PIL.Image

import tiny_models  # noqa: F401  makes torchvision usable
import torch
from open_clip.transform import image_transform
from torchvision import transforms
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil
from transformers.image_utils import load_image

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
HALF = [0.5, 0.5, 0.5]
RESAMPLE = {"nearest": 0, "bilinear": 2, "bicubic": 3, "box": 4}

# Numbers are the facts of a model's config; `resize` is the side before the crop.
PIPELINES = {
    "openai": {"dialect": "openai", "size": 32, "mode": "shortest", "filter": "bicubic"},
    "openai-odd": {"dialect": "openai", "size": 27, "mode": "shortest", "filter": "bicubic"},
    "open_clip-bilinear": {"dialect": "open_clip", "size": 31, "mode": "shortest", "filter": "bilinear",
                           "mean": IMAGENET_MEAN, "std": IMAGENET_STD},
    "open_clip-longest": {"dialect": "open_clip", "size": 32, "mode": "longest", "filter": "bicubic", "fill": 9},
    "open_clip-longest-odd": {"dialect": "open_clip", "size": 25, "mode": "longest", "filter": "bilinear"},
    "open_clip-squash": {"dialect": "open_clip", "size": 24, "mode": "squash", "filter": "bicubic", "mean": HALF,
                         "std": HALF},
    "hf-clip": {"dialect": "hf-pil", "size": 32, "mode": "shortest", "filter": "bicubic"},
    "hf-clip-cropped": {"dialect": "hf-pil", "size": 33, "resize": 40, "mode": "shortest", "filter": "bilinear"},
    "hf-clip-padded": {"dialect": "hf-pil", "size": 21, "resize": 14, "mode": "shortest", "filter": "bicubic"},
    "hf-siglip": {"dialect": "hf-pil", "size": 24, "mode": "squash", "filter": "bicubic", "mean": HALF, "std": HALF},
    "hf-nearest": {"dialect": "hf-pil", "size": 20, "mode": "squash", "filter": "nearest"},
    "hf-box": {"dialect": "hf-pil", "size": 22, "mode": "squash", "filter": "box"},
}
for _pipeline in PIPELINES.values():
    _pipeline.setdefault("mean", CLIP_MEAN)
    _pipeline.setdefault("std", CLIP_STD)


def opened(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # palettes with alpha lose it: that is what the libraries do
        image = PIL.Image.open(io.BytesIO(data))
        image.load()
    return image


def openai_transform(size, mean, std):
    """As openai/CLIP's `_transform` composes it."""
    return transforms.Compose([
        transforms.Resize(size, interpolation=transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(size),
        lambda image: image.convert("RGB"), transforms.ToTensor(), transforms.Normalize(mean, std)])


def composed(image, pipeline):
    """Pixels and numbers of OpenAI's or open_clip's transform."""
    if pipeline["dialect"] == "openai":
        transform = openai_transform(pipeline["size"], pipeline["mean"], pipeline["std"])
    else:
        transform = image_transform(
            pipeline["size"], is_train=False, mean=pipeline["mean"], std=pipeline["std"],
            resize_mode=pipeline["mode"], interpolation=pipeline["filter"], fill_color=pipeline.get("fill", 0))
    steps = transform.transforms
    for step in steps[:-2]:
        image = step(image)
    pixels = np.asarray(image)
    for step in steps[-2:]:
        image = step(image)
    return pixels, image.numpy()


def processed(image, pipeline):
    """Pixels and numbers of transformers' processor in Pillow and numpy."""
    side = pipeline.get("resize", pipeline["size"])
    arguments = {"resample": RESAMPLE[pipeline["filter"]], "image_mean": pipeline["mean"], "image_std": pipeline["std"]}
    if pipeline["mode"] == "shortest":
        processor = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": pipeline["size"], "width": pipeline["size"]}, **arguments)
    else:
        processor = SiglipImageProcessorPil(size={"height": side, "width": side}, **arguments)
    pixels = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
    numbers = processor(image, return_tensors="np")["pixel_values"][0]
    return np.ascontiguousarray(np.moveaxis(pixels, 0, -1)), np.ascontiguousarray(numbers)


def run(data, pipeline):
    """uint8 [size, size, 3] and float32 [3, size, size], or None where the library fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = opened(data)
        if pipeline["dialect"] == "hf-pil":
            pixels, numbers = processed(load_image(image), pipeline)
        else:
            try:
                pixels, numbers = composed(image, pipeline)
            except ValueError as error:
                if "must be > 0" in str(error):
                    return None
                raise
    side = pipeline["size"]
    assert pixels.shape == (side, side, 3) and pixels.dtype == np.uint8, (pixels.shape, pixels.dtype)
    assert numbers.shape == (3, side, side) and numbers.dtype == np.float32
    return pixels, numbers
