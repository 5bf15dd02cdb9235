"""Makes Fixtures/numerics: numbers, and what numpy, torch and gguf make of them.

    .build/python-peers/bin/python tools/make_fixtures_numerics.py

Deterministic: a second run gives the same bytes. `tools/fixture_table.py` then brings the table in Fixtures/README.md up
to date.
"""
import fractions
import json
import pathlib

import gguf
import gguf.quants
import numpy as np
import safetensors.torch
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "numerics"
SEED = 7


def f32_patterns(random):
    """Bits of f32 at and beside every kind of boundary of f16 and bf16, both signs."""
    bits = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x7F7FFFFF, 0x7F800000]
    bits += [0x7F800001, 0x7F800100, 0x7FA00000, 0x7FBFFFFF, 0x7FC00000, 0x7FC02000, 0x7FFFFFFF]
    f16 = np.array([0, 1, 2, 3, 0x1FF, 0x3FE, 0x3FF, 0x400, 0x401, 0x7FF, 0x800, 0x3BFF, 0x3C00, 0x3C01, 0x7BFE, 0x7BFF],
                   np.uint16)
    values = f16.view(np.float16).astype(np.float64)
    above = np.minimum((f16 + np.uint16(1)).view(np.float16).astype(np.float64), 65536)
    for value in np.concatenate([values, (values + above) / 2]):
        bits += [int(np.float32(value).view(np.uint32)) + step for step in (-1, 0, 1)]
    bits += [0x477FE000, 0x477FEFFF, 0x477FF000, 0x477FFFFF, 0x47800000]  # 65504 … 65520 … 65536
    for exponent in (0, 1, 2, 100, 126, 127, 128, 200, 253, 254):
        for upper in (0, 1, 2, 0x7E, 0x7F):
            for lower in (0x7FFF, 0x8000, 0x8001):
                bits.append(exponent << 23 | upper << 16 | lower)
    bits = np.array([b for b in bits if b >= 0], np.uint32)
    noise = random.integers(0, 2**32, 200, dtype=np.uint32)
    ordinary = (random.standard_normal(200) * 10 ** random.uniform(-9, 6, 200)).astype(np.float32).view(np.uint32)
    return np.concatenate([bits, bits | np.uint32(0x80000000), noise, ordinary]).astype(np.uint32)


def f64_values(random):
    """Where rounding to f32 first and then again gives another result than rounding once."""
    values = [0.0, 5e-324, 1e-310, 1e-60, 2.0**-150, 2.0**-149, 3e-39, 65504, 65519.999999, 65520, 65536, 3.4e38]
    values += [3.4028235677973366e38, np.nextafter(3.4028235677973366e38, 0), 3.3895313892515355e38 * (1 + 2.0**-9)]
    values += [1.7e308, np.inf, np.nan]
    for precision in (11, 8, 24):  # f16, bf16, f32
        for scale in (1.0, 2.0**-10, 2.0**13):
            middle = scale * (1 + 2.0**-precision)
            odd = scale * (1 + 3 * 2.0**-precision)
            for tie in (middle, odd):
                values += [tie, tie * (1 + 2.0**-40), tie * (1 - 2.0**-40), tie * (1 + 2.0**-26)]
    for tie in (2.0**-25, 3 * 2.0**-25, 2047 * 2.0**-25, 2.0**-134, 3 * 2.0**-134, 2.0**-150, 3 * 2.0**-150):
        values += [tie, tie * (1 + 2.0**-40), tie * (1 - 2.0**-40)]
    values = np.array(values)
    ordinary = random.standard_normal(100) * 10 ** random.uniform(-9, 6, 100)
    return np.concatenate([values, -values, ordinary])


def bf16_once(value):
    """The bits of the bf16 nearest to a f64, by the definition, in rational numbers: torch rounds twice."""
    sign = 0x8000 if np.signbit(value) else 0
    if np.isnan(value):
        return 0x7FC0
    if np.isinf(value):
        return sign | 0x7F80
    exact = abs(fractions.Fraction(float(value)))
    low, high = 0, 0x7F80  # bits; the first too large one stands for infinity and has the value 2^128
    as_value = lambda bits: (fractions.Fraction(2)**128 if bits == 0x7F80 else fractions.Fraction(
        float(np.array([bits << 16], np.uint32).view(np.float32)[0])))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if as_value(middle) <= exact else (low, middle)
    if exact >= as_value(0x7F80):
        return sign | 0x7F80
    below, above = exact - as_value(low), as_value(high) - exact
    return sign | (low if below < above or (below == above and low % 2 == 0) else high)


def casts(random):
    bits = f32_patterns(random)
    f32 = bits.view(np.float32)
    # torch converts NaN as the processor does; for every other number numpy must agree.
    f16 = torch.from_numpy(f32).to(torch.float16)
    with np.errstate(all="ignore"):
        by_numpy = f32.astype(np.float16)
    assert ((f16.view(torch.int16).numpy() == by_numpy.view(np.int16)) | np.isnan(f32)).all()
    f64 = f64_values(random)
    with np.errstate(all="ignore"):
        f64_to_f32, f64_to_f16 = f64.astype(np.float32), f64.astype(np.float16)
    f64_to_bf16 = torch.from_numpy(np.array([bf16_once(value) for value in f64], np.uint16).view(np.int16))
    twice = torch.from_numpy(f64).to(torch.bfloat16).view(torch.int16)
    assert 0 < (twice != f64_to_bf16).sum() < 60
    return {
        "f32": torch.from_numpy(f32), "f32_to_f16": f16, "f32_to_bf16": torch.from_numpy(f32).to(torch.bfloat16),
        "f64": torch.from_numpy(f64), "f64_to_f32": torch.from_numpy(f64_to_f32),
        "f64_to_f16": torch.from_numpy(f64_to_f16), "f64_to_bf16": f64_to_bf16.view(torch.bfloat16)}


def q8_0_input(random):
    """Blocks of 32 values that meet every branch of the quantizer."""
    blocks = [random.standard_normal(32) * scale for scale in (1, 0.02, 1e-3, 1e-6, 1e-7, 3e-8, 1e4, 8.3e6, 8.4e6, 1e30)]
    blocks += [random.uniform(-1, 1, 32) * 10.0**e for e in (-36, -37, -38, -39, -40, -42, -44)]
    blocks += [np.zeros(32), -np.zeros(32), np.full(32, 1e-45), np.arange(32.0) - 16]
    blocks.append(np.append(np.arange(31) * 4 + 0.5 - 62, 127.0))  # d = 1: every value is a tie
    blocks.append(-blocks[-1])
    ties = blocks[-1].astype(np.float32)
    blocks += [np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(np.inf)), 0.37 * ties]
    blocks.append(np.append(np.full(31, 0.49999997), 127))
    for bad in (np.nan, np.inf, -np.inf):
        block = random.standard_normal(32)
        block[5], block[20] = bad, bad
        blocks.append(block)
    blocks += list(random.standard_normal((30, 32)) * 0.05)
    return np.array(blocks).astype(np.float32)


def blocks(random):
    values = q8_0_input(random)
    tensors = {"q8_0_input": torch.from_numpy(values)}
    with np.errstate(all="ignore"):
        q8_0 = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    tensors["q8_0_input_to_q8_0"] = torch.from_numpy(q8_0.reshape(len(values), 34))
    for name, size in (("q8_0", 34), ("q4_0", 18), ("q4_1", 20), ("q5_0", 22), ("q5_1", 24)):
        raw = random.integers(0, 256, (40, size), dtype=np.uint8)
        # Scales, and minima where there are any, of every finite kind: any 16 bits are allowed but for the exponent 31.
        for at in (0, 2)[:2 if name.endswith("1") else 1]:
            raw[:, at + 1] = np.where(raw[:, at + 1] & 0x7C == 0x7C, raw[:, at + 1] & 0xBF, raw[:, at + 1])
        raw[0, :2] = raw[1, :2] = [0, 0]
        raw[1, 1] = 0x80
        f32 = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[name.upper()])
        tensors[name], tensors[f"{name}_to_f32"] = torch.from_numpy(raw), torch.from_numpy(f32)
    return tensors


def reductions(random):
    """Tensors, and what numpy says of each and of pairs of them, in double precision."""
    f32 = (random.standard_normal(1400) * 0.05 + 0.01).astype(np.float32)
    f32[[3, 700, 1399]] = [0, -0.0, 1e-30]
    special = f32.copy()
    special[[5, 900, 901, 902, 1300]] = [np.nan, np.inf, -np.inf, np.inf, np.nan]
    other = special.copy()
    other[[5, 6, 900, 902, 1398]] = [1, np.nan, np.inf, -np.inf, 9]
    tensors = {"f32": torch.from_numpy(f32), "special": torch.from_numpy(special), "other": torch.from_numpy(other)}
    tensors["f16"], tensors["bf16"] = tensors["f32"].half(), tensors["f32"].bfloat16()
    tensors["f64"] = tensors["f32"].double() + torch.from_numpy(random.standard_normal(1400) * 1e-12)
    tensors["zeros"], tensors["nan"] = torch.zeros(1400), torch.full((1400,), float("nan"))
    tensors["f8_e4m3"] = torch.from_numpy(np.arange(256, dtype=np.uint8)).view(torch.float8_e4m3fn)
    tensors["f8_e5m2"] = torch.from_numpy(np.arange(256, dtype=np.uint8)).view(torch.float8_e5m2)
    tensors["c64"] = torch.complex(tensors["f32"], -tensors["f32"].flip(0))
    for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        limits = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
        limits = tuple(max(-2**62, min(2**62, limit)) for limit in limits)
        array = np.append(random.integers(*limits, 200, endpoint=True), [*limits, 0])
        tensors[str(dtype).removeprefix("torch.")] = torch.from_numpy(array).to(dtype)
    # Far from zero, where the mean square less the squared mean has no digit left.
    tensors["far"] = torch.from_numpy(1e9 + random.standard_normal(100) * 1e-3)
    tensors["far_f32"] = torch.from_numpy((1e6 + random.standard_normal(100)).astype(np.float32))
    tensors["far_f32"][[3, 50, 99]] = torch.tensor([np.nan, np.inf, -np.inf])

    def doubles(name):
        tensor = tensors[name]
        return (torch.view_as_real(tensor).reshape(-1) if tensor.is_complex() else tensor).double().numpy()

    statistics = {}
    for name in tensors:
        values = doubles(name)
        finite = values[np.isfinite(values)]
        moments = [float(f(finite)) if len(finite) else None for f in (np.min, np.max, np.mean, np.std)]
        statistics[name] = dict(zip(("min", "max", "mean", "std"), moments)) | {
            "count": len(values), "zeros": int((values == 0).sum()), "nan": int(np.isnan(values).sum()),
            "positive": int((values == np.inf).sum()), "negative": int((values == -np.inf).sum())}
    comparisons = []
    for a, b in (("f32", "f16"), ("f16", "f32"), ("f32", "bf16"), ("bf16", "f16"), ("f32", "f64"), ("f64", "f16"),
                 ("special", "other"), ("other", "special"), ("f32", "zeros"), ("zeros", "f32"), ("special", "f16"),
                 ("zeros", "nan"), ("nan", "f32"), ("int64", "int32"), ("bool", "uint8"), ("f8_e4m3", "f8_e5m2")):
        x, y = doubles(a), doubles(b)
        with np.errstate(all="ignore"):
            difference = np.where(x == y, 0, np.abs(x - y))
        difference[np.isnan(difference)] = 0
        both = np.isfinite(x) & np.isfinite(y)
        lengths = float(np.linalg.norm(x[both]) * np.linalg.norm(y[both]))
        largest, magnitude = float(difference.max()), float(np.abs(x[np.isfinite(x)]).max(initial=0))
        comparisons.append({
            "a": a, "b": b, "max_absolute": str(largest), "index": int(difference.argmax()),
            "relative": str(np.float64(largest) / magnitude if magnitude else np.inf),
            "differing": int(((x != y) & ~(np.isnan(x) & np.isnan(y))).sum()),
            "nan_mismatches": int((np.isnan(x) != np.isnan(y)).sum()),
            "cosine": float(x[both] @ y[both]) / lengths if lengths else float(not (x[both].any() or y[both].any())),
            "distance": float(np.linalg.norm(x[both] - y[both]))})
    (ROOT / "reductions.json").write_text(
        json.dumps({"statistics": statistics, "comparisons": comparisons}, indent=1) + "\n")
    return tensors


def main():
    ROOT.mkdir(exist_ok=True)
    random = np.random.default_rng(SEED)
    for name, tensors in (("casts", casts(random)), ("blocks", blocks(random)), ("reductions", reductions(random))):
        path = ROOT / f"{name}.safetensors"
        safetensors.torch.save_file(tensors, path)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
