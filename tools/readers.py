"""Reads checkpoints with the real libraries into {name: numpy array}; a bf16 array has the dtype V2, its raw bits."""
import collections
import io
import json
import pathlib
import pickle
import zipfile

import gguf
import numpy as np
import safetensors

_SAFETENSORS = {"F32": "<f4", "F16": "<f2", "BF16": "V2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1"}
_STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "V2", "DoubleStorage": "<f8",
             "LongStorage": "<i8", "IntStorage": "<i4", "ByteStorage": "u1"}


def read_safetensors(path):
    return {name: np.frombuffer(entry["data"], _SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in safetensors.deserialize(pathlib.Path(path).read_bytes())}


def read_npz(path):
    with np.load(path, allow_pickle=False) as archive:
        # Metadata travels as an array of bytes, which formats/npz.md specifies.
        return {name: archive[name] for name in archive.files if name != "__metadata__"}


def read_gguf(path, raw=False):
    """Quantized tensors as the f32 values gguf-py gives for them, or with `raw` as rows of bytes."""
    types = gguf.GGMLQuantizationType
    plain = {types.F32: "<f4", types.F16: "<f2", types.BF16: "V2", types.F64: "<f8", types.I64: "<i8", types.I32: "<i4"}
    result = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        if tensor.tensor_type in plain:
            data = np.frombuffer(tensor.data.tobytes(), plain[tensor.tensor_type])
        elif raw:
            data, shape = np.array(tensor.data), tensor.data.shape
        else:
            data = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        result[tensor.name] = data.reshape(shape)
    return result


def read_torch(path):
    """With torch itself, as carefully as it can."""
    import torch
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: from_torch(tensor) for name, tensor in state.items()}


def from_torch(tensor):
    import torch
    tensor = tensor.detach().contiguous()
    return tensor.view(torch.uint16).numpy().view("V2") if tensor.dtype == torch.bfloat16 else tensor.numpy()


class _StateDict(pickle.Unpickler):
    """What torch.load(weights_only=True) allows in a state dict, and nothing else."""

    def __init__(self, data, storages):
        super().__init__(io.BytesIO(data))
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self.tensor
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, identifier):
        kind, dtype, key, location, count = identifier
        assert (kind, location) == ("storage", "cpu")
        array = np.frombuffer(self.storages(key), dtype)
        assert array.size == count
        return array

    @staticmethod
    def tensor(storage, offset, size, stride, requires_grad, hooks):
        strides = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False).copy()


def read_torch_zip(path):
    """Without torch: the zip by zipfile, which checks the sums, and the pickle by Python's own."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        top = archive.namelist()[0].split("/")[0]
        storages = lambda key: archive.read(f"{top}/data/{key}")  # noqa: E731
        return _StateDict(archive.read(f"{top}/data.pkl"), storages).load()


def read_directory(path, torch=False):
    """The weights of a Hugging Face or open_clip directory, its shards together."""
    result = {}
    for index in path.glob("*.index.json"):
        weight_map = json.loads(index.read_text())["weight_map"]
        for shard in sorted(set(weight_map.values())):
            part = read(path / shard, torch)
            assert sorted(part) == sorted(name for name, file in weight_map.items() if file == shard)
            result |= part
        return result
    weights = [file for file in path.iterdir() if file.suffix in (".safetensors", ".bin")]
    assert len(weights) == 1, weights
    return read(weights[0], torch)


def read(path, torch=False):
    """Any checkpoint; `torch` reads PyTorch files with torch instead of the few lines above."""
    path = pathlib.Path(path)
    if path.is_dir():
        return read_directory(path, torch)
    suffix = path.suffix if path.suffix not in (".bin", ".pth") else ".pt"
    readers = {".safetensors": read_safetensors, ".npz": read_npz, ".gguf": read_gguf,
               ".pt": read_torch if torch else read_torch_zip}
    return readers[suffix](path)
