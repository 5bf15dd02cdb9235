"""Makes the fixtures of PyTorch's file formats with torch itself, and what a reader must find in them.

    .build/python-peers/bin/python tools/make_fixtures_pytorch.py

Fixtures/expected/pytorch.json says for each file what torch finds: by name the type, shape and SHA-256 of the
row-major little-endian bytes. Deterministic: a second run gives the same bytes. Then
`tools/fixture_table.py --update --made-by tools/make_fixtures_pytorch.py`.
"""
import argparse
import collections
import hashlib
import inspect
import json
import os
import pathlib
import sys
import tempfile
import zipfile

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
CHECKPOINTS, HOSTILE, EXPECTED = ROOT / "checkpoints/pytorch", ROOT / "hostile", ROOT / "expected"
expected = {}


def numbers(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def expect(file, tensors):
    """Records what `file` holds; `tensors` are those that torch gave back."""
    found = {}
    for name, tensor in tensors.items():
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        found[name] = {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
                       "sha256": hashlib.sha256(data).hexdigest()}
    expected[file] = found


def save(value, file, folder=CHECKPOINTS, **options):
    torch.save(value, folder / file, **options)
    return folder / file


def save_legacy(value, file, **options):
    """torch.save as before 1.6, with counted storage keys instead of the addresses it would write."""
    keys = {}

    class Matches(type):
        def __instancecheck__(cls, value):
            return isinstance(value, str)

    class CountedKey(str, metaclass=Matches):
        def __new__(cls, value):
            return str(94000000000000 + 64 * keys.setdefault(value, len(keys)))

    torch.serialization.str = CountedKey
    # The source of a module's class goes into the file: ours, under a name that is no path.
    source = torch.serialization.get_source_lines_and_file
    torch.serialization.get_source_lines_and_file = lambda kind: (inspect.getsourcelines(kind)[0], 0, "tiny.py")
    try:
        torch.save(value, CHECKPOINTS / file, _use_new_zipfile_serialization=False, **options)
    finally:
        del torch.serialization.str
        torch.serialization.get_source_lines_and_file = source
    return CHECKPOINTS / file


def plain_types():
    return collections.OrderedDict({
        "f64": numbers(2, 3, dtype=torch.float64), "f32": numbers(3), "f16": numbers(5, dtype=torch.float16),
        "bf16": numbers(2, 2, dtype=torch.bfloat16), "i64": torch.tensor([-2**63, 2**63 - 1]),
        "i32": torch.tensor([-2**31, 7], dtype=torch.int32), "i16": torch.tensor([[-300]], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8), "u8": torch.arange(250, 256, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]), "c64": torch.tensor([1 + 2j, -0.5j]),
        "scalar": torch.tensor(4.6052), "empty": torch.zeros(0, 3), "name with 'quotes' and ü, 字": torch.ones(1)})


def new_types():
    """Those that torch stores through untyped storages."""
    return {
        "u16": torch.tensor([65535, 1], dtype=torch.uint16), "u32": torch.tensor([2**32 - 1], dtype=torch.uint32),
        "u64": torch.tensor([2**64 - 1], dtype=torch.uint64),
        "f8_e4m3": numbers(4).to(torch.float8_e4m3fn), "f8_e5m2": numbers(4).to(torch.float8_e5m2)}


def make_types():
    types = collections.OrderedDict(**plain_types(), **new_types())
    for protocol in (1, 2, 3, 4, 5):
        file = f"types-p{protocol}.pt"
        expect(file, torch.load(save(types, file, pickle_protocol=protocol), weights_only=False))
    for protocol in (2, 4):
        file = f"types-legacy-p{protocol}.pt"
        expect(file, torch.load(save_legacy(plain_types(), file, pickle_protocol=protocol), weights_only=False))


def make_views():
    base = numbers(4, 6)
    shared = numbers(8)
    attribute, parameter = numbers(2, seed=3), torch.nn.Parameter(numbers(3, seed=4))
    attribute.note = parameter.note = "wraps the tensor once more"
    views = {
        "transposed": base.t(), "columns": base[:, 1::2], "row": base[2], "rows": base[1:3], "whole": base,
        "permuted": numbers(2, 3, 4, dtype=torch.float16).permute(2, 0, 1), "tied": shared, "tied_again": shared,
        "tied_slice": shared[2:5], "one_row": numbers(5, 3).t()[1:2], "expanded": numbers(3, 1).expand(3, 4),
        "reversed_diagonal": numbers(3, 3).diagonal(), "windows": torch.arange(5.).unfold(0, 3, 1),
        "complex": torch.tensor([[1 + 2j, 3j], [4, 5 - 1j]]).t(), "offset_scalar": base[3, 4], "none": base[:, :0],
        "attribute": attribute, "parameter": parameter,
        "bytes": torch.arange(12, dtype=torch.uint8).reshape(3, 4).t()}
    file = "views.pt"
    expect(file, torch.load(save(views, file), weights_only=True))
    file = "views-legacy.pt"
    expect(file, torch.load(save_legacy(views, file), weights_only=True))
    swap_bytes(CHECKPOINTS / "views.pt", "views-big-endian.pt", views)


def rewrite(source, file, change):
    """An archive by torch's own writer; `change` gives each record's new bytes, or None to leave it out."""
    reader = torch._C.PyTorchFileReader(str(source))
    writer = torch._C.PyTorchFileWriter(str(CHECKPOINTS / file))
    for name in reader.get_all_records():
        if name not in ("version", ".data/serialization_id"):
            data = change(name, reader.get_record(name))
            if data is not None:
                writer.write_record(name, data, len(data))
    writer.write_end_of_file()


def swap_bytes(source, file, views):
    """The same checkpoint as a big-endian machine writes it; torch reads it back to the same numbers."""
    keys, units = {}, {}
    for tensor in views.values():
        key = f"data/{keys.setdefault(tensor.untyped_storage()._cdata, len(keys))}"
        units[key] = tensor.element_size() // (2 if tensor.is_complex() else 1)

    def change(name, data):
        if name == "byteorder":
            return b"big"
        return np.frombuffer(data, f"u{units[name]}").byteswap().tobytes() if name in units else data

    rewrite(source, file, change)
    loaded = torch.load(CHECKPOINTS / file, weights_only=True)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in views.items())
    expect(file, loaded)


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = torch.nn.Parameter(numbers(2, 3))
        self.register_buffer("mask", torch.tensor([True, False]))
        self.register_buffer("cache", torch.ones(2), persistent=False)
        self.register_parameter("bias", None)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Tower()
        self.text = Tower()
        self.shared = self.visual
        self.logit_scale = torch.nn.Parameter(torch.tensor(4.6052))
        self.hidden = 12


def make_modules():
    """Whole modules, as torch.save(model) pickles them: names are those of state_dict()."""
    for file, saver, options in (("module.pt", save, {}), ("module-p4.pt", save, {"pickle_protocol": 4}),
                                 ("module-legacy.pt", save_legacy, {})):
        expect(file, torch.load(saver(Model(), file, **options), weights_only=False).state_dict())
    wrapped = {"epoch": 7, "model": Model(), "optimizer": optimizer()}
    expect("module-training.pt",
           torch.load(save(wrapped, "module-training.pt"), weights_only=False)["model"].state_dict())


def optimizer():
    parameter = torch.nn.Parameter(torch.ones(2))
    adam = torch.optim.AdamW([parameter], lr=0.001)
    parameter.grad = torch.ones(2)
    adam.step()
    return adam.state_dict()


def make_wrappers():
    state = {"weight": numbers(2, 2), "bias": numbers(2, seed=1)}
    average = {"weight": numbers(2, 2, seed=2), "bias": numbers(2, seed=3)}
    torch_objects = {
        "state_dict": state, "epoch": 12, "lr": 0.5, "best": True, "arch": "ViT-B-32", "none": None,
        "args": argparse.Namespace(lr=0.1, path=pathlib.PurePosixPath("runs"), sizes=[1, 2]),
        "loss": np.float64(0.25), "history": np.arange(3), "optimizer": optimizer(), "size": torch.Size([2, 3]),
        "device": torch.device("cpu"), "dtype": torch.float16, "set": {1, 2}, "complex": 1 + 2j, "bytes": b"\xff\x00",
        "frozen": frozenset(["a"]), "array": bytearray(b"ab"), "range": range(3), "long": 2**80, "negative": -2**70,
        "default": collections.defaultdict(list, a=[1]), "rng_state": torch.zeros(4, dtype=torch.uint8)}
    for protocol in (2, 4):
        file = f"objects-p{protocol}.pt"
        expect(file, torch.load(save(torch_objects, file, pickle_protocol=protocol), weights_only=False)["state_dict"])
    two = {"state_dict": state, "state_dict_ema": average, "optimizer": optimizer()}
    expect("two.pt", torch.load(save(two, "two.pt"), weights_only=True)["state_dict_ema"])
    nested = {"visual": {"conv": state, "ln": {"weight": numbers(3)}}, "text": [numbers(1), {"bias": numbers(2)}],
              3: numbers(1, seed=5)}
    save(nested, "nested.pt")
    expect("nested.pt", {
        "visual.conv.weight": state["weight"], "visual.conv.bias": state["bias"],
        "visual.ln.weight": nested["visual"]["ln"]["weight"], "text.0": nested["text"][0],
        "text.1.bias": nested["text"][1]["bias"], "3": nested[3]})


def make_unreadable():
    """Valid, but of kinds that are not read; one that is stands beside them."""
    values = {
        "good": numbers(2), "sparse": torch.eye(2).to_sparse(), "csr": torch.eye(2).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(numbers(3), 0.1, 0, torch.qint8),
        "complex128": torch.ones(2, dtype=torch.complex128), "conj": torch.tensor([1 + 2j]).conj(),
        "negated": torch.tensor([1 + 2j]).conj().imag, "f8": numbers(2).to(torch.float8_e4m3fnuz)}
    save(values, "unreadable.pt")
    expect("unreadable.pt", {"good": values["good"]})


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = torch.nn.LayerNorm(4)
        self.in_proj_weight = torch.nn.Parameter(numbers(12, 4, dtype=torch.float16))
        self.mlp = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU())

    def forward(self, x):
        return self.mlp(self.ln_1(x)) + (x.half() @ self.in_proj_weight.t()).float()[:, :8]


class Scripted(torch.nn.Module):
    """Shaped as OpenAI's archives: blocks in a list, types mixed, sizes as integers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.logit_scale = torch.nn.Parameter(torch.tensor(4.6052))
        self.register_buffer("input_resolution", torch.tensor(224))
        self.context_length = 77
        self.dims = [4, 8]
        self.tables = [numbers(2), numbers(3)]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)[:, :4]
        return x * self.logit_scale.exp() + self.context_length + self.dims[0] + self.tables[0][0]


def make_scripts():
    with tempfile.TemporaryDirectory() as folder:
        # The stem of the file's name becomes the archive's top folder.
        for file, old in (("script.pt", False), ("script-1.7.pt", True)):
            scripted = torch.jit.script(Scripted().eval())
            torch.jit.save(scripted, f"{folder}/{file}")
            # Debug records hold this machine's paths; PyTorch 1.7 knew neither of the other two.
            rewrite(f"{folder}/{file}", file, lambda name, data:
                    None if name.endswith(".debug_pkl") or old and name == "byteorder" else data)
            loaded = torch.jit.load(CHECKPOINTS / file)
            tensors = {**loaded.state_dict(), **{f"tables.{i}": table for i, table in enumerate(loaded.tables)}}
            expect(file, tensors)


def make_hostile():
    canary = Canary()
    for protocol in (2, 4):
        save({"weight": torch.ones(1), "x": canary}, f"pytorch-canary-p{protocol}.pt", HOSTILE, pickle_protocol=protocol)
    torch.save({"x": canary}, HOSTILE / "pytorch-canary-legacy.pt", _use_new_zipfile_serialization=False)
    save({"weight": torch.ones(2, device="meta")}, "pytorch-meta.pt", HOSTILE)
    with tempfile.TemporaryDirectory() as folder:
        linear = torch.jit.script(torch.nn.Linear(1, 1))
        linear._save_for_lite_interpreter(f"{folder}/mobile.ptl")
        strip(f"{folder}/mobile.ptl", HOSTILE / "pytorch-mobile.ptl")
        torch.export.save(torch.export.export(torch.nn.Linear(1, 1), (torch.ones(1, 1),)), f"{folder}/exported.pt2")
        strip(f"{folder}/exported.pt2", HOSTILE / "pytorch-exported.pt2")


class Canary:
    """Unpickled by Python, makes a file that a test looks for."""

    def __reduce__(self):
        return __import__("os").system, ("touch clipkit-canary",)


def strip(source, target):
    """The archive without the records that hold code, traces and this machine's paths."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            if not any(part in entry.filename for part in ("/code/", "model.json", "model.pt", "serialization_id")):
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))


if __name__ == "__main__":
    # TorchScript writes a class's constants in the order of a set.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    CHECKPOINTS.mkdir(exist_ok=True)
    HOSTILE.mkdir(exist_ok=True)
    for make in (make_types, make_views, make_modules, make_wrappers, make_unreadable, make_scripts, make_hostile):
        make()
    (EXPECTED / "pytorch.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
