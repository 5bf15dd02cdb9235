"""Reads what clipkit writes with the real libraries, and compares with what the real libraries wrote.

    .build/python/bin/python tools/check_peers.py CLIPKIT             safetensors, gguf, numpy, Python's zip and pickle
    .build/python-peers/bin/python tools/check_peers.py --peers CLIPKIT     also torch, transformers and open_clip

Expected are the sums in Fixtures/expected, which the makers of the fixtures computed: no clipkit took part.
"""
import argparse
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np

import check_embeddings
import check_onnx
import check_report
import dialects
import readers

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
CHECKPOINTS = ROOT / "checkpoints"
DTYPES = {np.dtype("<f4"): "float32", np.dtype("<f2"): "float16", np.dtype("V2"): "bfloat16", np.dtype("<i8"): "int64"}


def expected(name):
    return json.loads((ROOT / f"expected/{name}.json").read_text())


def models():
    """Name and file of every model whose tensors are expected under native names."""
    for path in sorted((ROOT / "expected").glob("*.json")):
        if "tensors" in expected(path.stem):
            for file in expected(path.stem)["files"]:
                yield path.stem, file


def sums(tensors):
    """What Fixtures/expected holds of each tensor."""
    return {name: {"dtype": DTYPES[array.dtype], "shape": list(array.shape),
                   "sha256": hashlib.sha256(array.tobytes()).hexdigest()} for name, array in tensors.items()}


# Native names from each dialect's; every one is written from its library's source in dialects.py.

def plain(tensors):
    return {name: array for name, array in tensors.items()
            if name not in ("input_resolution", "context_length", "vocab_size", "attn_mask")}


def from_custom_text(tensors):
    return {name.removeprefix("text."): array for name, array in tensors.items()}


def from_ggml(swapped):
    def rename(tensors):
        hugging_face = {dialects.clip_cpp_name(name, swapped): name for name in clip_names()}
        return dialects.clip_from_hugging_face({hugging_face.get(name, name): array for name, array in tensors.items()})
    return rename


def clip_names():
    names = {name: np.zeros(entry["shape"]) for name, entry in expected("openclip-vit")["tensors"].items()}
    return [name for name in dialects.clip_to_hugging_face(names) if name != "logit_scale"]


def native(tensors):
    """Native names, whichever library's they are."""
    if "visual.trunk.pos_embed" in tensors:
        return tensors
    if "vision_model.head.probe" in tensors:
        return dialects.siglip_from_hugging_face(tensors)
    if any(name.startswith("text.") for name in tensors):
        return from_custom_text(tensors)
    if any(name.startswith(("vision_model.", "text_model.")) for name in tensors):
        return dialects.clip_from_hugging_face(tensors)
    if "v.class_embd" in tensors:
        return from_ggml(tensors["v.blk.0.ffn_down.weight"].shape[0] > tensors["v.blk.0.ffn_down.weight"].shape[1])(tensors)
    return plain(tensors)


NATIVE = {
    "openai": plain, "open_clip-custom": from_custom_text, "hf": dialects.clip_from_hugging_face,
    "clip.cpp": from_ggml(True), "llama.cpp": from_ggml(False)}
SIGLIP_NATIVE = {"open_clip-custom": lambda tensors: tensors, "hf": dialects.siglip_from_hugging_face}
# Model → the dialects it can be written in, and the config to help where the weights do not say enough.
MODELS = {
    "openclip-vit": (NATIVE, "openclip-vit/open_clip_config.json"),
    "openclip-rn": ({name: NATIVE[name] for name in ("openai", "open_clip-custom")}, "openclip-rn/open_clip_config.json"),
    "openai-vit": (NATIVE, None),
    "siglip": (SIGLIP_NATIVE, "hf-siglip/config.json"),
}


class Checks:
    def __init__(self, clipkit, peers, folder):
        self.clipkit, self.peers, self.folder = clipkit, peers, folder
        self.done, self.failed = 0, []

    def run(self, *arguments):
        done = subprocess.run([self.clipkit, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"clipkit {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def check(self, title, body, *arguments):
        self.done += 1
        try:
            body(*arguments)
        except Exception as error:  # one failed check shall not hide the others
            self.failed.append(title)
            print(f"FAILED {title}: {type(error).__name__}: {error}", file=sys.stderr)

    def convert(self, source, name, *options):
        """Converts into a new path of this name and gives it back."""
        target = self.folder / str(self.done) / name
        target.parent.mkdir(exist_ok=True)
        self.run("convert", source, target, "--quiet", *options)
        return target

    def hash(self, path):
        lines = self.run("hash", path, "--quiet").splitlines()
        assert lines[-1].split()[-1] == "model", lines[-1]
        return lines[-1].split()[0]


def same(found, wanted, optional=()):
    wanted = {name: entry for name, entry in wanted.items() if name in found or name not in optional}
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise AssertionError(f"{name}: found {found.get(name)}, expected {wanted.get(name)}")


def scalars(tensors):
    """GGUF has no shape of no dimensions: one number stands for it."""
    single = ("logit_scale", "logit_bias")
    return {name: array.reshape(()) if name in single or name.endswith("num_batches_tracked") else array
            for name, array in tensors.items()}


def check_fixture(name, file, peers):
    """The real reader finds in a fixture what its maker says."""
    path = CHECKPOINTS / file
    if path.suffix == ".npz":
        return  # its maker compared it through open_clip's own loader
    if not peers and file in ("openai-vit.pt", "openclip-vit-legacy.pt", "openclip-vit-training.pt",
                              "openclip-vit-compiled-bf16.pt", "hf-clip-bin"):
        return  # only torch reads these
    import_torch = peers and not file.startswith("openai")
    tensors = read_wrapped(path) if import_torch and path.suffix == ".pt" else None
    if tensors is None and file == "openai-vit.pt":
        import torch
        state = torch.jit.load(path, map_location="cpu").state_dict()
        tensors = {key: readers.from_torch(tensor) for key, tensor in state.items()}
    if tensors is None:
        tensors = readers.read(path, peers)
    tensors = {key: array for key, array in tensors.items() if not key.endswith("position_ids")}
    same(sums(scalars(native(tensors))), expected(name)["tensors"])


def read_wrapped(path):
    import argparse as standard
    import torch
    with torch.serialization.safe_globals([standard.Namespace]):
        state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state.get("model", state))
    return {name.removeprefix("module.").removeprefix("_orig_mod."): readers.from_torch(tensor)
            for name, tensor in state.items()}


def check_conversion(checks, name, file, dialect, suffix):
    """One fixture in one format and dialect, as its real reader finds it; and back, with the hash of the source."""
    table, config = MODELS[name]
    source = CHECKPOINTS / file
    options = ["--config", CHECKPOINTS / config] if config else []
    target = checks.convert(source, f"out{suffix}", "--dialect", dialect, *options)
    found = sums(scalars(table[dialect](readers.read(target, checks.peers))))
    # clip.cpp's files have no place for the scale among the tensors that its loader counts.
    same(found, expected(name)["tensors"], optional=("logit_scale",) if dialect.endswith(".cpp") else ())
    again = checks.convert(target, "again.safetensors", "--dialect", "openai" if name != "siglip" else "hf", *options)
    assert checks.hash(again) == checks.hash(source) == checks.hash(target), "another hash after the way back"
    one, two = checks.convert(source, f"one{suffix}", "--dialect", dialect, *options), target
    assert one.read_bytes() == two.read_bytes(), "another file at the second run"


def bfloat16(array):
    """Rounded to nearest, ties to even."""
    bits = array.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").view("V2")


def check_cast(checks, dtype, suffix):
    """Casts equal numpy's, and for bf16 the definition; the learned scalar keeps its type."""
    source = CHECKPOINTS / "openclip-vit"
    cast = {"f16": lambda array: array.astype("<f2"), "bf16": bfloat16}[dtype]
    target = checks.convert(source, f"out{suffix}", "--dtype", dtype, "--dialect", "openai")
    wanted = {name: cast(array) if array.shape else array for name, array in readers.read(source).items()}
    same(sums(scalars(readers.read(target, checks.peers))), sums(wanted))


def check_q8(checks):
    """Blocks of Q8_0 equal gguf-py's, byte for byte."""
    target = checks.convert(CHECKPOINTS / "hf-clip", "q8.gguf", "--dialect", "clip.cpp", "--dtype", "q8_0")
    stored = readers.read_gguf(target, raw=True)
    source = {dialects.clip_cpp_name(name): array for name, array in readers.read(CHECKPOINTS / "hf-clip").items()}
    blocks = 0
    for name, array in stored.items():
        if array.dtype == np.uint8:
            blocks += 1
            wanted = gguf.quants.quantize(source[name], gguf.GGMLQuantizationType.Q8_0)
            assert np.array_equal(wanted, array), name
    assert blocks >= 14, f"only {blocks} tensors in Q8_0"


def check_wrapper(checks, name, file):
    """Every suit of one model has one hash, and converts to the same tensors."""
    dialect = "hf" if name == "siglip" else "open_clip-custom" if name.startswith("big-vision") else "openai"
    target = checks.convert(CHECKPOINTS / file, "out.safetensors", "--dialect", dialect,
                            *(["--dtype", "f32"] if "dequantized" in expected(name) else []))
    wanted = expected(name)["tensors"]
    found = sums(scalars(native(readers.read(target))))
    if "dequantized" in expected(name):  # all is f32 now, and that is what is expected of the blocks alone
        wanted = {key: entry for key, entry in wanted.items() if entry["dtype"] == "float32"}
        found = {key: entry for key, entry in found.items() if key in wanted}
    same(found, wanted)
    first = CHECKPOINTS / expected(name)["files"][0]
    assert checks.hash(CHECKPOINTS / file) == checks.hash(first), "another hash"


def check_shards(checks):
    target = checks.convert(CHECKPOINTS / "hf-clip", "sharded", "--shard-size", "64KB")
    assert len(list(target.glob("*.safetensors"))) > 2
    same(sums(scalars(native(readers.read(target)))), expected("openclip-vit")["tensors"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="", help="checks whose title contains this")
    parser.add_argument("clipkit", type=lambda path: pathlib.Path(path).resolve())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(options.clipkit, options.peers, pathlib.Path(folder))
        plan = [*planned(checks), *check_embeddings.planned(checks), *check_report.planned(checks),
                *check_onnx.planned(checks)]
        if options.peers:
            import check_clip_cpp
            import check_golden
            import check_layouts
            import check_onnx_layouts
            import check_sentencepiece
            import check_tokenizers
            import check_torch
            plan += [*check_layouts.planned(checks), *check_clip_cpp.planned(checks), *check_torch.planned(checks),
                     *check_tokenizers.planned(checks), *check_sentencepiece.planned(checks),
                     *check_golden.planned(checks), *check_onnx_layouts.planned(checks)]
        for title, body, *arguments in plan:
            if options.only in title:
                checks.check(title, body, *arguments)
    if not checks.done:
        sys.exit("no check of that title")
    print(f"real readers{' and loaders' if options.peers else ''}: "
          f"{checks.done - len(checks.failed)} of {checks.done} checks passed")
    sys.exit(1 if checks.failed else 0)


def planned(checks):
    for name, file in models():
        yield f"fixture {file}", check_fixture, name, file, checks.peers
    for name, (table, _) in MODELS.items():
        for dialect in table:
            for suffix in (".safetensors", ".pt", ".gguf", ".npz"):
                file = expected(name)["files"][0]
                yield f"{file} → {dialect} {suffix}", check_conversion, checks, name, file, dialect, suffix
    for name, file in models():
        yield f"suit {file}", check_wrapper, checks, name, file
    for dtype in ("f16", "bf16"):
        for suffix in (".safetensors", ".pt", ".gguf"):
            yield f"cast {dtype} {suffix}", check_cast, checks, dtype, suffix
    yield "Q8_0", check_q8, checks
    yield "shards", check_shards, checks


if __name__ == "__main__":
    main()
