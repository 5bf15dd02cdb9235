"""The real clip.cpp (PyPI's clip_cpp) loads our GGUF and gives the source's embeddings.

clip.cpp counts tensors to know a model, and its tokens for begin and end are CLIP's: so 12 layers and the whole
vocabulary, but narrow. It leaves the process on what it dislikes, and therefore has one of its own. Its released
version normalises every channel with the first one's mean and deviation, so the model's are the same in all.
"""
import importlib.util
import json
import subprocess
import sys

import numpy as np
import torch

import tiny_models as tiny

from PIL import Image
from safetensors.torch import save_file

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 224, "layers": 12, "width": 64, "head_width": 32, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 12},
}
# clip_cpp 0.5.0 takes the first channel's mean and deviation for all three.
PREPROCESSING = {**tiny.CLIP_PREPROCESSING, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
IDS = [49406, 320, 1125, 539, 320, 2368, 49407]  # "a photo of a cat"
CLIENT = """
import json, sys
from clip_cpp import Clip
model = Clip(sys.argv[1], verbosity=1)
ids = model.tokenize("a photo of a cat")
print(json.dumps([ids, model.encode_text(ids), model.load_preprocess_encode_image(sys.argv[2])]))
"""


def make_source(folder):
    """The model's file and config, an image of its size, and its embeddings by open_clip."""
    folder.mkdir()
    model = tiny.open_clip_model(CONFIG, 7)
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": CONFIG, "preprocess_cfg": PREPROCESSING}))
    pixels = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "image.png")
    image = torch.from_numpy(((pixels.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None])
    ids = torch.zeros(1, 77, dtype=torch.long)
    ids[0, :len(IDS)] = torch.tensor(IDS)
    with torch.no_grad():
        return model.encode_text(ids, normalize=True)[0].numpy(), model.encode_image(image, normalize=True)[0].numpy()


def check(checks, dtype, least):
    folder = checks.folder / f"clip_cpp-{dtype}"
    wanted = make_source(folder)
    target = checks.convert(folder, "model.gguf", "--dialect", "clip.cpp", "--dtype", dtype)
    done = subprocess.run([sys.executable, "-c", CLIENT, target, folder / "image.png"], capture_output=True, text=True)
    assert done.returncode == 0, f"clip.cpp ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}"
    ids, *found = json.loads(done.stdout.splitlines()[-1])
    assert ids == IDS, ids
    for kind, ours, theirs in zip(("text", "image"), wanted, found):
        cosine = float(np.dot(ours, np.float32(theirs)))
        assert cosine >= least, f"{kind} embeddings: cosine {cosine}"


def planned(checks):
    if importlib.util.find_spec("clip_cpp") is None:
        print("clip_cpp is not installed: its checks are left out", file=sys.stderr)
        return
    for dtype, least in (("f16", 0.9999), ("q8_0", 0.999)):
        yield f"clip.cpp loads {dtype}", check, checks, dtype, least
