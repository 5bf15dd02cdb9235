"""The same conversions by numpy, torch and gguf-py, on the same data: `tools/bench kernels` calls this."""
import time

import gguf
import gguf.quants
import numpy as np
import torch

N = 1 << 16


def best(call, runs=200):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    torch.set_num_threads(1)
    array = (np.random.default_rng(0).standard_normal(N) * 0.02).astype(np.float32)
    tensor = torch.from_numpy(array)
    half, brain = tensor.half(), tensor.bfloat16()
    out16, out_brain, out32 = torch.empty_like(half), torch.empty_like(brain), torch.empty_like(tensor)
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    blocks = gguf.quants.quantize(array, q8_0)
    for name, call in (
            ("torch: f32 to f16", lambda: out16.copy_(tensor)), ("torch: f16 to f32", lambda: out32.copy_(half)),
            ("torch: f32 to bf16", lambda: out_brain.copy_(tensor)), ("torch: bf16 to f32", lambda: out32.copy_(brain)),
            ("numpy: f32 to f16", lambda: array.astype(np.float16)),
            ("gguf: f32 to q8_0", lambda: gguf.quants.quantize(array, q8_0)),
            ("gguf: q8_0 to f32", lambda: gguf.quants.dequantize(blocks, q8_0)),
            ("torch: isfinite", lambda: torch.isfinite(tensor).all())):
        print(f"  {name:20} {4e-9 * N / best(call):7.1f} GB/s")


if __name__ == "__main__":
    main()
