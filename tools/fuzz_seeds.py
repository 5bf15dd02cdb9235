"""Fills a fuzzer's corpus with small files of its kind: tools/fuzz_seeds.py NAME DIRECTORY"""
import hashlib
import io
import pathlib
import sys
import tempfile
import zipfile

import gguf
import numpy as np
import safetensors.numpy

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
LARGEST = 16 << 10
ARRAYS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((4, 32), np.float16), "c": np.array(7, np.int64),
    "d": np.zeros((0, 5), np.float64), "e": np.arange(64, dtype=np.uint8)}


def fixtures(*suffixes):
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file() and path.suffix in suffixes:
            yield path.read_bytes()


def zips():
    """Every zip archive among the fixtures, whatever it is called."""
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file() and zipfile.is_zipfile(path):
            yield path.read_bytes()


def members(suffix):
    for data in zips():
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    if name.endswith(suffix):
                        yield archive.read(name)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
            continue  # a hostile one


def arrays():
    for array in [*ARRAYS.values(), np.asfortranarray(ARRAYS["a"]), ARRAYS["a"].astype(">f4"), np.array([True, False])]:
        for version in ((1, 0), (2, 0)):
            file = io.BytesIO()
            np.lib.format.write_array(file, array, version)
            yield file.getvalue()


def small_zips():
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **ARRAYS)
        yield file.getvalue()


def small_gguf():
    for kind in ("F32", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "BF16"):
        kind = gguf.GGMLQuantizationType[kind]
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            writer = gguf.GGUFWriter(file.name, "clip")
            writer.add_uint32("clip.vision.patch_size", 4)
            writer.add_array("tokens", ["a", "b"])
            writer.add_float64("x", 0.5)
            data = gguf.quants.quantize(np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64), kind)
            writer.add_tensor("t", data, raw_dtype=kind)
            writer.add_tensor("u", ARRAYS["a"])
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            yield pathlib.Path(file.name).read_bytes()


def legacy():
    """Files of torch.save before 1.6, which begin with a pickled magic number."""
    for data in fixtures(".pt", ".bin", ".pth"):
        if data[:2] == b"\x80\x02":
            yield data


SEEDS = {
    "safetensors": lambda: [safetensors.numpy.save(ARRAYS), safetensors.numpy.save({"a": ARRAYS["a"]}, {"k": "v"}),
                            *fixtures(".safetensors")],
    "pickle": lambda: [*members(".pkl"), *legacy()],
    "zip": lambda: [*small_zips(), *zips()],
    "npy": lambda: [*arrays(), *members(".npy"), *fixtures(".npy")],
    "gguf": lambda: [*small_gguf(), *fixtures(".gguf")],
}


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    for data in SEEDS[name]():
        if len(data) <= LARGEST:
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main()
