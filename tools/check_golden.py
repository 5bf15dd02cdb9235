"""Golden files made live from models of open_clip and transformers, and verified by clipkit. Part of check_peers --peers."""
import copy
import json
import subprocess
import sys

import safetensors.torch
import torch

import golden
import make_reference
import tiny_models as tiny
from check_peers import CHECKPOINTS, ROOT
from make_fixtures_golden import IDS_64, IDS_128, IDS_528, PROMPTS

# CLIP's whole vocabulary, so that open_clip's own tokenizer can be used.
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
VIT = {"embed_dim": 24, "text_cfg": TEXT,
       "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}}
LIVE = {
    "quick_gelu": ({**VIT, "quick_gelu": True}, {}),
    "gelu, squashed": (VIT, {"resize_mode": "squash"}),
    "longest, bilinear": (VIT, {"resize_mode": "longest", "interpolation": "bilinear"}),
    "another mean": (VIT, {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.5, 0.9]}),
    "custom text, long heads": ({**VIT, "custom_text": True, "vision_cfg": {
        **VIT["vision_cfg"], "width": 60, "head_width": 20, "mlp_ratio": 3.7}}, {}),
    "layer scale": ({**VIT, "vision_cfg": {**VIT["vision_cfg"], "ls_init_value": 0.3}}, {}),
    "ResNet": ({**tiny.RESNET, "text_cfg": TEXT}, {}),
}
# Pictures of every mode, and orientations that one library follows and the other does not.
PICTURES = ["jpeg-420.jpg", "jpeg-cmyk.jpg", "jpeg-exif-6.jpg", "jpeg-l.jpg", "png-0-16.png", "png-3-4.png", "png-6-8.png"]


def write_open_clip(folder, model_cfg, preprocess_cfg, seed=50):
    """A directory that open_clip loads, with random weights."""
    folder.mkdir(parents=True)
    model = tiny.open_clip_model(copy.deepcopy(model_cfg), seed)
    safetensors.torch.save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({
        "model_cfg": model_cfg, "preprocess_cfg": {**tiny.CLIP_PREPROCESSING, **preprocess_cfg}}))


def some_prompts():
    cases = json.loads((ROOT / "tokenizer/cases.json").read_text())
    return PROMPTS + [case["text"] for case in cases][::4][:40]


def verify(checks, candidate, loaded, name, options=(), pictures=PICTURES, **words):
    """The candidate agrees at every stage with what the library makes of pictures and `words`."""
    images = make_reference.read_images([ROOT / "images" / name for name in pictures])
    tensors, said = make_reference.make(*loaded, name=name, images=images, blocks=True, **words)
    folder = checks.folder / str(checks.done)
    folder.mkdir(exist_ok=True)
    golden.save(folder / "golden.safetensors", tensors, said)
    result = json.loads(checks.run("verify", candidate, "--reference", folder / "golden.safetensors", "--json", *options))
    stages = {stage["stage"]: stage["error"] for stage in result["stages"]}
    assert result["passed"] and {"tokens", "pixels", "image.blocks.1", "text.blocks.0", "logits"} <= stages.keys(), stages


def check_live(checks, title):
    model_cfg, preprocess_cfg = LIVE[title]
    folder = checks.folder / str(checks.done) / "model"
    write_open_clip(folder, model_cfg, preprocess_cfg)
    loaded = make_reference.load_open_clip(f"local-dir:{folder}")
    verify(checks, folder, loaded, title, prompts=some_prompts())


def check_fixture(checks, name, words):
    folder = CHECKPOINTS / name
    is_open_clip = name.startswith("openclip")
    loaded = (make_reference.load_open_clip(f"local-dir:{folder}") if is_open_clip
              else make_reference.load_hugging_face(folder))
    if name != "openclip-siglip":
        return verify(checks, folder, loaded, name, **words)
    # Nothing but the other library's config says how many heads timm's tower has; both prepare such pictures alike.
    verify(checks, folder, loaded, name, ["--config", CHECKPOINTS / "hf-siglip/config.json"],
           ["jpeg-444.jpg", "png-2-8.png"], **words)


def check_tool(checks):
    """The tool as a user runs it, and a model that is not the one it ran."""
    folder = checks.folder / "scratch"
    folder.mkdir()
    (folder / "prompts.txt").write_text("\n".join(PROMPTS))
    done = subprocess.run(
        [sys.executable, ROOT.parent / "tools/make_reference.py", "--model-dir", CHECKPOINTS / "hf-clip", "--images",
         ROOT / "images/jpeg-420.jpg", "--prompts", folder / "prompts.txt", "--dtype", "float64", "-o",
         folder / "golden.safetensors"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    checks.run("verify", CHECKPOINTS / "hf-clip", "--reference", folder / "golden.safetensors")
    wrong = subprocess.run([checks.clipkit, "verify", CHECKPOINTS / "hf-square", "--reference",
                            folder / "golden.safetensors"], capture_output=True, text=True)
    assert wrong.returncode == 1 and "departs at image_embeds" in wrong.stdout, wrong


def planned(checks):
    torch.manual_seed(0)
    for title in LIVE:
        yield f"golden, {title}", check_live, checks, title
    for name, words in (
            ("hf-clip", {"prompts": some_prompts()}), ("hf-square", {"prompts": some_prompts()}),
            ("openclip-vit", {"ids": IDS_528}), ("openclip-custom", {"ids": IDS_528}), ("openclip-rn", {"ids": IDS_128}),
            ("hf-siglip", {"ids": IDS_64}), ("openclip-siglip", {"ids": IDS_64})):
        yield f"golden, {name}", check_fixture, checks, name, words
    yield "golden, make_reference.py in double precision", check_tool, checks
