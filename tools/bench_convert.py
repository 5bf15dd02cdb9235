"""The speed and memory of conversions, whole processes one after the other: clipkit, cp, and Python with the usual libraries.

`tools/bench convert` calls this. Times are medians of the runs, taken in turn with everything in the page cache; memory
is the largest resident set that the kernel reports for the process (wait4). clipkit reads with `pread` and maps no
file, so no page of a file counts towards its set.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent.parent / ".build/bench"
PYTHON = os.environ["CLIPKIT_BENCH_PYTHON"]
LARGEST_TENSOR = 49408 * 512 * 4
COPYING_MIB = 64 + 1.25 * LARGEST_TENSOR / 2**20

# What a Python user would write for the same job.
LOAD = {
    ".pt": "import torch; s = torch.load(i, map_location='cpu', weights_only=True)",
    ".safetensors": "import torch; from safetensors.torch import load_file; s = load_file(i)",
    ".gguf": "import torch, gguf; s = {t.name: torch.from_numpy(t.data.copy()) for t in gguf.GGUFReader(i).tensors}"}
CAST = {None: "", "f16": "s = {n: t.half() for n, t in s.items()}", "bf16": "s = {n: t.bfloat16() for n, t in s.items()}",
        "q8_0": ""}
SAVE = {
    ".pt": "torch.save(s, o)",
    ".safetensors": "from safetensors.torch import save_file; save_file(s, o)",
    ".gguf": """
import gguf
types = gguf.GGMLQuantizationType
w = gguf.GGUFWriter(o, 'clip')
for n, t in s.items():
    a = t.numpy()
    if KIND == 'q8_0' and a.ndim == 2 and a.shape[1] % 32 == 0:
        w.add_tensor(n[-63:], gguf.quants.quantize(a, types.Q8_0), raw_dtype=types.Q8_0)
    else:
        w.add_tensor(n[-63:], a.reshape(1) if a.ndim == 0 else a)
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()"""}
DIFF = """
from safetensors.torch import load_file
import torch
a, b = load_file(i), load_file(o)
for n in a:
    x, y = a[n].float().flatten(), b[n].float().flatten()
    d = (x - y).abs()
    print(n, d.max().item(), (d / x.abs().clamp_min(1e-12)).max().item(),
          torch.nn.functional.cosine_similarity(x, y, dim=0).item())"""


def python(code, source, target, kind=None):
    return [PYTHON, "-c", f"i, o, KIND = {str(source)!r}, {str(target)!r}, {kind!r}\n{code}"]


def measure(command, allowed=(0,)):
    """Wall seconds and MiB of one process. It inherits this one's largest set, which therefore stays small."""
    with open(os.devnull, "wb") as null:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=null, stderr=subprocess.PIPE)
        complaint = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.stderr.close()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        sys.exit(f"{command[0]} {command[1]} … ended with {process.returncode}: {complaint.decode()[-2000:]}")
    return wall, usage.ru_maxrss / 1024


class Case:
    def __init__(self, name, clipkit, reference, limit, peer=None, output=None, memory=None, faster=None, allowed=(0,)):
        self.name, self.output, self.limit, self.memory, self.faster = name, output, limit, memory, faster
        self.allowed = allowed
        self.commands = {"clipkit": clipkit, "reference": reference, "peer": peer}

    def run(self, runs):
        times = {who: [] for who, command in self.commands.items() if command}
        for _ in range(runs):
            for who in times:
                if self.output:
                    self.output.unlink(missing_ok=True)
                allowed = self.allowed if who == "clipkit" else (0,)
                times[who].append(measure(self.commands[who], allowed))
        if self.output:
            self.output.unlink(missing_ok=True)
        return {who: (statistics.median(wall for wall, _ in taken), max(size for _, size in taken))
                for who, taken in times.items()}

    def report(self, taken):
        wall, memory = taken["clipkit"]
        cells, good = [self.name, f"{wall:.3f}", f"{memory:.0f}"], []
        if "reference" in taken:
            ratio = wall / taken["reference"][0]
            good.append(ratio <= self.limit)
            cells += [f"{taken['reference'][0]:.3f}", f"{ratio:.2f} (≤ {self.limit})"]
        elif self.limit:
            good.append(wall <= self.limit)
            cells += ["–", f"{wall * 1000:.0f} ms (≤ {self.limit * 1000:.0f})"]
        else:
            cells += ["–", "–"]
        if self.memory:
            good.append(memory <= self.memory)
            cells[2] += f" (≤ {self.memory:.0f})"
        if "peer" in taken:
            times = taken["peer"][0] / wall
            good.append(self.faster is None or times >= self.faster)
            cells += [f"{taken['peer'][0]:.2f}", f"{taken['peer'][1]:.0f}",
                      f"{times:.1f}×" + (f" (≥ {self.faster})" if self.faster else "")]
        else:
            cells += ["–", "–", "–"]
        print("| " + " | ".join([*cells, "ok" if all(good) else "MISSED"]) + " |", flush=True)
        return all(good)


def conversion(clipkit, source, target, limit, dtype=None):
    """From one format to another; both named by their extensions."""
    read, write = FOLDER / f"f32{source}", FOLDER / f"out{target}"
    code = "\n".join([LOAD[source], CAST[dtype], SAVE[target]])
    arguments = [clipkit, "convert", read, write, "--quiet"]
    if target == ".gguf":
        arguments += ["--dialect", "clip.cpp", "--config", FOLDER / "open_clip_config.json"]
    if target != ".gguf" and source == ".gguf":
        arguments += ["--dialect", "openai"]
    arguments += ["--dtype", dtype] if dtype else []
    return Case(f"{source} → {target} {dtype or 'f32'}", arguments, ["cp", read, write], limit,
                python(code, read, write, dtype), output=write, memory=COPYING_MIB)


def cases(clipkit):
    names = (".pt", ".safetensors", ".gguf")
    for source in names:
        for target in names:
            yield conversion(clipkit, source, target, 1.7 if target == ".pt" else 1.3)
    for dtype, target in (("f16", ".safetensors"), ("bf16", ".safetensors"), ("f16", ".gguf"), ("q8_0", ".gguf"),
                          ("f16", ".pt")):
        yield conversion(clipkit, ".pt", target, 1.5, dtype)
    for name in names:
        yield Case(f"inspect {name}", [clipkit, "inspect", FOLDER / f"f32{name}"], None, 0.030, memory=32)
    wide, half = FOLDER / "f32.safetensors", FOLDER / "f16.safetensors"
    yield Case("diff f32 f16", [clipkit, "diff", wide, half], None, None, python(DIFF, wide, half), faster=10,
               allowed=(0, 1))
    yield Case("hash", [clipkit, "hash", wide], ["openssl", "dgst", "-sha256", wide], 0.7)


def prepare():
    """Makes the model, unless it is there, and brings its files into the page cache."""
    if not (FOLDER / "complete").exists():
        print("making a ViT-B/32 …", flush=True)
        here = pathlib.Path(__file__).resolve().parent
        subprocess.run([PYTHON, here / "bench_models.py", FOLDER], check=True)
    (FOLDER / "open_clip_config.json").write_text(
        '{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, '
        '"patch_size": 32}, "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, '
        '"layers": 12}}, "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], '
        '"std": [0.26862954, 0.26130258, 0.27577711], "interpolation": "bicubic", "resize_mode": "shortest"}}\n')
    for path in FOLDER.iterdir():
        subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)  # into the page cache


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clipkit", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    prepare()
    print(f"ViT-B/32, f32 605 MB; {options.runs} runs of each in turn, medians; the reference is cp, "
          "for hash one-core openssl")
    print("| | clipkit s | MiB | reference s | ratio (limit) | Python s | MiB | faster | |")
    print("|---|---|---|---|---|---|---|---|---|")
    results = [case.report(case.run(options.runs)) for case in cases(options.clipkit) if options.only in case.name]
    print(f"{sum(results)} of {len(results)} within the limits")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
