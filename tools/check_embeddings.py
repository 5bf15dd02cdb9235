"""Reads what `clipkit embed` writes with numpy and safetensors, and compares with what the real libraries computed.

tools/check_peers.py runs these checks. Expected are the embeddings in Fixtures/golden, of open_clip and transformers, for
the pictures and prompts that lie beside them there.
"""
import json
import pathlib

import numpy as np
import safetensors

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
MODELS = ("hf-clip", "hf-square", "openclip-vit", "openclip-rn", "hf-siglip")
# What f32 sums of another order may differ by in rows of length 1.
TOLERANCE = 2e-6
TEXTS = ("image_paths", "prompts", "errors")


class Golden:
    """A golden file's pictures and prompts, written out, and its rows."""

    def __init__(self, name, folder):
        with safetensors.safe_open(ROOT / f"golden/{name}.safetensors", "numpy") as file:
            said = file.metadata()
            self.tensors = {key: file.get_tensor(key) for key in file.keys()}
        self.model, self.folder = ROOT / f"checkpoints/{name}", folder
        folder.mkdir(parents=True, exist_ok=True)
        self.images = [str(folder / image) for image in json.loads(said["clipkit.images"])]
        for index, path in enumerate(self.images):
            pathlib.Path(path).write_bytes(self.tensors[f"images.{index}"].tobytes())
        self.prompts = json.loads(said.get("clipkit.prompts", "[]"))
        (folder / "prompts.json").write_text(json.dumps(self.prompts))

    @property
    def inputs(self):
        return ["--images", *self.images, *(["--prompts", self.folder / "prompts.json"] if self.prompts else [])]

    def check(self, found):
        expected = {"image_embeds", "text_embeds"} if self.prompts else {"image_embeds"}
        assert set(found) - set(TEXTS) == expected, sorted(found)
        assert found["image_paths"] == self.images and found.get("prompts", []) == self.prompts
        for name in expected:
            rows = found[name]
            assert rows.dtype == np.float32, rows.dtype
            worst = np.abs(rows.astype(float) - self.tensors[name].astype(float)).max()
            assert rows.shape == self.tensors[name].shape and worst <= TOLERANCE, f"{name}: {worst}"
            lengths = np.linalg.norm(rows.astype(float), axis=1)
            assert np.abs(lengths - 1).max() <= 1e-6, lengths


def read(path):
    """The arrays of an output, texts as lists; an array that is alone under its kind's name."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        metadata = json.loads(arrays.pop("__metadata__").tobytes())
        arrays = {name: array.tolist() if name in TEXTS else array for name, array in arrays.items()}
    elif path.suffix == ".safetensors":
        with safetensors.safe_open(path, "numpy") as file:
            metadata, arrays = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
        arrays = {name: json.loads(array.tobytes()) if name in TEXTS else array for name, array in arrays.items()}
    else:
        return read_lines(path)
    assert metadata["clipkit.embeddings"] == "1" and json.loads(metadata["clipkit.config"])["embed_dim"] > 0
    return arrays


def read_lines(path):
    arrays = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        rows, inputs = ("image_embeds", "image_paths") if "path" in entry else ("text_embeds", "prompts")
        given = entry["path"] if "path" in entry else entry["prompt"]
        if "error" in entry:
            arrays.setdefault("errors", []).append(given)
        else:
            arrays.setdefault(inputs, []).append(given)
            arrays.setdefault(rows, []).append(entry["embedding"])
    return {name: np.float32(rows) if name.endswith("_embeds") else rows for name, rows in arrays.items()}


def same(one, two):
    assert set(one) == set(two), (sorted(one), sorted(two))
    for name in one:
        equal = one[name] == two[name] if name in TEXTS else np.array_equal(one[name], two[name])
        assert equal, name


def check_values(checks, name):
    golden = Golden(name, checks.folder / f"embed-{name}")
    outputs = [golden.folder / f"out.{ending}" for ending in ("npz", "safetensors", "jsonl")]
    for path in outputs:
        checks.run("embed", golden.model, *golden.inputs, "-o", path, "--quiet")
        golden.check(read(path))
    for path in outputs[1:]:
        same(read(path), read(outputs[0]))
    alone = golden.folder / "out.npy"
    checks.run("embed", golden.model, "--images", *golden.images, "-o", alone, "--quiet")
    assert np.array_equal(np.load(alone), read(outputs[0])["image_embeds"])


def check_shards(checks, ending):
    golden = Golden("hf-clip", checks.folder / f"embed-shards-{ending}")
    golden.images = [golden.images[index % 3] for index in range(11)]
    arguments = ["embed", golden.model, *golden.inputs, "--quiet", "-o"]
    whole = golden.folder / f"whole.{ending}"
    checks.run(*arguments, whole)
    expected = read(whole)
    parts = []
    for index in range(1, 5):
        part = golden.folder / f"part{index}.{ending}"
        checks.run(*arguments, part, "--shard", f"{index}/4", "--batch", index)
        parts.append(read(part))
    joined = {name: sum((part.get(name, []) for part in parts), []) for name in ("image_paths", "prompts")}
    for name in ("image_embeds", "text_embeds"):
        joined[name] = np.concatenate([part[name] for part in parts if name in part])
    same(joined, expected)


def planned(checks):
    for name in MODELS:
        yield f"embed {name}", check_values, checks, name
    for ending in ("npz", "safetensors", "jsonl"):
        yield f"embed shards {ending}", check_shards, checks, ending
