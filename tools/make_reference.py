#!/usr/bin/env python3
"""Writes a golden file (formats/golden.md) of an open_clip or transformers model.

    tools/make_reference.py --model-dir DIR --images FILE|DIR … --prompts FILE -o golden.safetensors [--blocks]
    tools/make_reference.py --model ViT-B-32 [--pretrained TAG|FILE | --seed N] … -o golden.safetensors

DIR holds open_clip_config.json, or config.json of a CLIPModel or SiglipModel. Images are decoded by Pillow, resized and
normalised by the library's own preprocessing, texts go through its own tokenizer. --ids takes token ids instead: a JSON
array of arrays. Needs the libraries of tools/setup --peers.
"""
import argparse
import io
import json
import pathlib
import sys

import golden
import open_clip
import torch
import transformers
from PIL import Image
from PIL import __version__ as pillow_version

IMAGES = (".jpg", ".jpeg", ".png", ".webp")


def image_files(paths):
    """Files, and the images of directories in the order of their names' bytes."""
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            yield from sorted((p for p in path.iterdir() if p.suffix.lower() in IMAGES), key=lambda p: p.name.encode())
        else:
            yield path


def read_images(paths):
    """(name, bytes, PIL image) of each."""
    files = [(path, path.read_bytes()) for path in image_files(paths)]
    return [(path.name, data, Image.open(io.BytesIO(data))) for path, data in files]


def read_prompts(path):
    """The lines of a text file, or a JSON array of texts."""
    text = pathlib.Path(path).read_text()
    return json.loads(text) if text.lstrip().startswith("[") else [line for line in text.splitlines() if line.strip()]


def load_open_clip(name, pretrained=None, seed=None):
    """An open_clip model with its preprocessing and tokenizer."""
    if seed is not None:
        torch.manual_seed(seed)
    model, _, transform = open_clip.create_model_and_transforms(name, pretrained=pretrained)
    return model, golden.OpenCLIPPreprocessing(transform), lambda: open_clip.get_tokenizer(name), "open_clip"


def load_hugging_face(directory):
    """A transformers model with its preprocessing, through Pillow, and tokenizer."""
    model = transformers.AutoModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")

    def tokenizer():
        found, context = transformers.AutoTokenizer.from_pretrained(directory), model.config.text_config
        return lambda texts: torch.tensor(found(
            texts, padding="max_length", truncation=True, max_length=context.max_position_embeddings).input_ids)

    processor = transformers.AutoImageProcessor.from_pretrained(directory, backend="pil")
    return model, golden.HuggingFacePreprocessing(processor), tokenizer, "transformers"


def load(options):
    if options.model:
        return load_open_clip(options.model, options.pretrained, options.seed)
    directory = pathlib.Path(options.model_dir)
    if (directory / "open_clip_config.json").is_file():
        return load_open_clip(f"local-dir:{directory}")
    return load_hugging_face(directory)


def versions(library):
    modules = {"open_clip": open_clip, "transformers": transformers}
    return [f"{library} {modules[library].__version__}", f"torch {torch.__version__.split('+')[0]}",
            f"pillow {pillow_version}"]


def make(model, preprocessing, tokenizer, library, *, name, images=(), prompts=None, ids=None, blocks=False,
         precision="float32"):
    """(tensors, metadata) of a golden file."""
    recorder = golden.Recorder(model.to(getattr(torch, precision)), blocks)
    if prompts:
        ids = tokenizer()(prompts).numpy()
    tensors = golden.record(recorder, preprocessing, list(images), [] if ids is None else ids)
    said = golden.metadata(recorder, name, [image[0] for image in images], prompts, versions(library))
    return tensors, said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model-dir")
    source.add_argument("--model", help="a model that open_clip knows")
    parser.add_argument("--pretrained", help="with --model: open_clip's tag or a file")
    parser.add_argument("--seed", type=int, help="with --model: random weights")
    parser.add_argument("--images", nargs="+", default=[])
    parser.add_argument("--prompts")
    parser.add_argument("--ids")
    parser.add_argument("--blocks", action="store_true", help="also what is inside the encoders")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="the type to compute in")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    if not (options.images or options.prompts or options.ids) or (options.prompts and options.ids):
        parser.error("give --images, --prompts or --ids, and not both of the last two")
    if options.model and not options.pretrained and options.seed is None:
        parser.error("--model needs --pretrained or --seed")
    tensors, said = make(
        *load(options), name=options.model or pathlib.Path(options.model_dir).resolve().name,
        images=read_images(options.images), prompts=read_prompts(options.prompts) if options.prompts else None,
        ids=json.loads(pathlib.Path(options.ids).read_text()) if options.ids else None, blocks=options.blocks,
        precision=options.dtype)
    golden.save(options.output, tensors, said)
    print(f"{options.output}: {len(tensors)} tensors", file=sys.stderr)


if __name__ == "__main__":
    main()
