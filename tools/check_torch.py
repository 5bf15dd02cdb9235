"""Has torch read the .pt files that clipkit writes, in every way it can; `check_peers.py --peers` runs it."""
import hashlib
import json
import pathlib
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
FILES = ("types-p2.pt", "types-legacy-p2.pt", "views.pt", "views-big-endian.pt", "nested.pt", "module.pt", "script.pt")


def planned(checks):
    for file in FILES:
        yield f"torch reads {file} as written", check_written, checks, file


def check_written(checks, file):
    """Equal numbers with weights_only, mapped and with computed offsets; equal shapes on the device without data."""
    import torch
    from torch.utils.serialization import config
    wanted = json.loads((ROOT / "expected/pytorch.json").read_text())[file]
    path = checks.convert(ROOT / "checkpoints/pytorch" / file, "out.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mapped, computed in ((False, False), (True, False), (True, True)):
            config.load.calculate_storage_offsets = computed
            try:
                state = torch.load(path, weights_only=True, mmap=mapped)
            finally:
                config.load.calculate_storage_offsets = False
            assert type(state).__name__ == "OrderedDict", type(state)
            assert list(state) == sorted(wanted, key=str.encode), "order of names"
            for name, tensor in state.items():
                assert summary(tensor) == wanted[name], f"{name}: {summary(tensor)}, expected {wanted[name]}"
                assert tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes, name
        shapes = torch.load(path, weights_only=True, map_location="meta")
        assert {name: list(tensor.shape) for name, tensor in shapes.items()} == {
            name: entry["shape"] for name, entry in wanted.items()}


def summary(tensor):
    """What expected/pytorch.json has of each tensor."""
    import torch
    data = tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
            "sha256": hashlib.sha256(data).hexdigest()}
