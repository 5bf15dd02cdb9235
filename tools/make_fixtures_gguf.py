"""Makes Fixtures/checkpoints/gguf and Fixtures/expected/gguf with gguf-py: every metadata and tensor type of the format.

    .build/python-peers/bin/python tools/make_fixtures_gguf.py

Deterministic: a second run gives the same bytes. `tools/fixture_table.py` then brings the table in Fixtures/README.md up
to date.
"""
import hashlib
import json
import pathlib
import shutil
import struct

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, quants

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
CHECKPOINTS, EXPECTED = ROOT / "checkpoints" / "gguf", ROOT / "expected" / "gguf"
SEED = 7

V, Q = GGUFValueType, GGMLQuantizationType
# Each value once as itself and once in an array with its neighbours; the extremes of the type, where it has some.
METADATA = {
    V.UINT8: [0, 200, 255], V.INT8: [-128, 5, 127], V.UINT16: [0, 40_000, 65_535], V.INT16: [-32_768, 7, 32_767],
    V.UINT32: [0, 3_000_000_000, 2**32 - 1], V.INT32: [-2**31, 11, 2**31 - 1],
    V.UINT64: [0, 2**63 + 1, 2**64 - 1], V.INT64: [-2**63, 13, 2**63 - 1],
    V.FLOAT32: [0.5, -1.25, 3.4028234663852886e38], V.FLOAT64: [0.1, -1e-300, 1.7976931348623157e308],
    V.BOOL: [False, True, True], V.STRING: ["plain", "naïve 日本語 😀", "a line\nanother\ttab\0nul"],
}
PLAIN = {
    "F32": (np.float32, (2, 3, 4, 5)), "F16": (np.float16, (4, 3)), "F64": (np.float64, (3,)),
    "I8": (np.int8, (3, 5)), "I16": (np.int16, (7,)), "I32": (np.int32, (2, 2, 2)), "I64": (np.int64, (1, 9)),
}
BLOCKS = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_all_types(writer, random):
    for kind, values in METADATA.items():
        writer.add_key_value(f"test.{kind.name.lower()}", values[1], kind)
        writer.add_key_value(f"test.{kind.name.lower()}.array", values, V.ARRAY, kind)
    for name, (dtype, shape) in PLAIN.items():
        values = random.integers(-100, 100, shape) if name[0] == "I" else random.standard_normal(shape)
        writer.add_tensor(f"plain.{name.lower()}", values.astype(dtype))
    source = random.standard_normal((3, 64)).astype(np.float32)
    for name in ["BF16"] + BLOCKS:
        writer.add_tensor(f"blocks.{name.lower()}", quants.quantize(source, Q[name]), raw_dtype=Q[name])
    writer.add_tensor("empty", np.zeros((0, 4), np.float32))
    writer.add_tensor("scalar", np.float32(4.6052).reshape(()))
    writer.add_tensor("ünïcode 名", np.arange(3, dtype=np.float32))


def expect(name, path):
    """What gguf-py finds in the file: the value of each key, and the type, shape and SHA-256 of each tensor."""
    reader = GGUFReader(path)
    metadata = {}
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        types = [kind.name.lower() for kind in field.types]
        metadata[key] = {"type": types[0] if len(types) == 1 else f"{types[1]}s", "value": field.contents()}
    tensors = {}
    for tensor in reader.tensors:
        tensors[tensor.name] = {
            "dtype": tensor.tensor_type.name.lower(), "shape": [int(size) for size in reversed(tensor.shape)],
            "sha256": hashlib.sha256(np.ascontiguousarray(tensor.data).tobytes()).hexdigest()}
    text = json.dumps({"metadata": metadata, "tensors": tensors}, indent=1, ensure_ascii=False)
    (EXPECTED / f"{name}.json").write_text(text + "\n")


def make_types():
    path = CHECKPOINTS / "types.gguf"
    writer = GGUFWriter(path, arch="test")
    add_all_types(writer, np.random.default_rng(SEED))
    finish(writer)
    expect("types", path)


def make_version_2():
    """The same layout as version 3; only the number differs. With an alignment of its own."""
    path = CHECKPOINTS / "version2.gguf"
    writer = GGUFWriter(path, arch="test")
    writer.add_custom_alignment(64)
    random = np.random.default_rng(SEED + 1)
    for size in (1, 2, 40):
        writer.add_tensor(f"w{size}", random.standard_normal((size, 3)).astype(np.float32))
    finish(writer)
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", 2)
    path.write_bytes(data)
    expect("version2", path)


def make_k_quants():
    """Types that are known but not read: any bytes will do."""
    path = CHECKPOINTS / "k-quants.gguf"
    writer = GGUFWriter(path, arch="test")
    random = np.random.default_rng(SEED + 2)
    writer.add_tensor("first", random.standard_normal(4).astype(np.float32))
    for name, size in [("Q4_K", 144), ("IQ4_NL", 18), ("TQ2_0", 66)]:
        data = random.integers(0, 256, (2, size), dtype=np.uint8)
        writer.add_tensor(name.lower(), data, raw_dtype=Q[name])
    writer.add_tensor("last", random.standard_normal(4).astype(np.float32))
    finish(writer)
    expect("k-quants", path)


def make_split():
    path = CHECKPOINTS / "split.gguf"
    writer = GGUFWriter(path, arch="test", split_max_tensors=2)
    random = np.random.default_rng(SEED + 3)
    writer.add_string("test.key", "in the first file only")
    for index in range(5):
        writer.add_tensor(f"w{index}", random.standard_normal((index + 1, 2)).astype(np.float32))
    finish(writer)


def block_sources(random):
    """Rows of 32 values that a quantiser can get wrong."""
    scale = lambda power: random.standard_normal((4, 32)) * 10.0**power
    ties = np.arange(-16, 16)[None] + 0.5
    ties[0, 0] = 127  # d = 1, so that halves stay halves
    huge = np.full((1, 32), 3e38)
    signed_zeros = np.where(np.arange(32) % 2, -0.0, 0.0)[None]
    denormal = np.linspace(-1e-40, 1e-40, 32)[None]
    one = np.zeros((1, 32))
    one[0, 5] = -1
    rows = [scale(power) for power in (-20, -9, -6, -3, 0, 3, 6, 12, 30)]
    return np.concatenate(rows + [ties, -ties, huge, signed_zeros, denormal, one]).astype(np.float32)


def make_blocks():
    """Each type's blocks beside what they were made of, `source`, and what they stand for, `TYPE.f32`."""
    path = CHECKPOINTS / "blocks.gguf"
    writer = GGUFWriter(path, arch="test")
    random = np.random.default_rng(SEED + 4)
    source = block_sources(random)
    writer.add_tensor("source", source)
    for name in BLOCKS:
        with np.errstate(all="ignore"):
            blocks = quants.quantize(source, Q[name])
            values = quants.dequantize(blocks, Q[name])
        writer.add_tensor(name.lower(), blocks, raw_dtype=Q[name])
        writer.add_tensor(f"{name.lower()}.f32", values)
    # Blocks of any bits, with scales and minima that are infinite, NaN, denormal and negative.
    for name in BLOCKS:
        size = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20, "Q5_0": 22, "Q5_1": 24}[name]
        blocks = random.integers(0, 256, (24, size), dtype=np.uint8)
        for row, bits in enumerate([0x7C00, 0xFC00, 0x7E00, 0x0001, 0x8001, 0x7BFF, 0x0000, 0x8000]):
            blocks[row, :2] = np.frombuffer(struct.pack("<H", bits), np.uint8)
            if name.endswith("1"):
                blocks[row + 8, 2:4] = blocks[row, :2]
        with np.errstate(all="ignore"):
            values = quants.dequantize(blocks, Q[name])
        writer.add_tensor(f"any.{name.lower()}", blocks, raw_dtype=Q[name])
        writer.add_tensor(f"any.{name.lower()}.f32", values)
    finish(writer)


if __name__ == "__main__":
    for directory in (CHECKPOINTS, EXPECTED):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    make_types()
    make_version_2()
    make_k_quants()
    make_split()
    make_blocks()
