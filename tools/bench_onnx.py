"""Export to ONNX: clipkit beside cp and torch.onnx.export, and what ONNX Runtime makes of both files.

`tools/bench onnx` calls this. Processes run in turn; times are medians, memory is the largest resident set (wait4). For
ONNX Runtime both files run alternately in one process, and the ratio is the median of the rounds' ratios.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import bench_convert
from bench_convert import FOLDER, PYTHON, measure

HERE = pathlib.Path(__file__).resolve().parent
MEMORY_MIB = 96 + 1.25 * bench_convert.LARGEST_TENSOR / 2**20

# As its users export it: TorchScript needs open_clip's attention without its fast path.
EXPORT = """
import sys; sys.path.insert(0, HERE)
import tiny_models, torch, open_clip
from safetensors.torch import load_file
torch.backends.mha.set_fastpath_enabled(False)
model = open_clip.create_model('ViT-B-32').eval()
model.load_state_dict(load_file(i))
inputs = {'image': torch.zeros(2, 3, 224, 224), 'text': torch.full((2, 77), 49407)}
towers = TOWERS
class Encoders(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, *values):
        encode = {'image': self.model.encode_image, 'text': self.model.encode_text}
        return tuple(encode[tower](value) for tower, value in zip(towers, values))
names = {'input_names': towers, 'output_names': [tower + '_embeds' for tower in towers]}
values = tuple(inputs[tower] for tower in towers)
with torch.no_grad():
    if DYNAMO:
        shapes = tuple({0: torch.export.Dim(tower + '_batch')} for tower in towers)
        torch.onnx.export(Encoders().eval(), values, o, dynamo=True, external_data=False, opset_version=18,
                          dynamic_shapes=(shapes,), **names)
    else:
        torch.onnx.export(Encoders().eval(), values, o, dynamo=False, opset_version=17,
                          dynamic_axes={tower: {0: tower + '_batch'} for tower in towers}, **names)
"""

RUN = """
import json, statistics, time
import numpy as np, onnxruntime
def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 2
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
random = np.random.Generator(np.random.PCG64(81))
fed = {'image': random.standard_normal((4, 3, 224, 224), np.float32), 'text': np.full((4, 77), 49407)}
fed['text'][:, 0], fed['text'][:, 1:9] = 49406, random.integers(300, 40000, (4, 8))
for tower in ('image', 'text'):
    graphs = [session(f'{o}/torch-{tower}.onnx'), session(f'{o}/clipkit-{tower}.onnx')]
    results = [graph.run(None, {graph.get_inputs()[0].name: fed[tower]})[0] for graph in graphs]
    units = [rows / np.linalg.norm(rows, axis=-1, keepdims=True) for rows in results]
    for batch in (1, 4):
        taken = [[], []]
        for _ in range(ROUNDS):
            for graph, times in zip(graphs, taken):
                start = time.perf_counter()
                graph.run(None, {graph.get_inputs()[0].name: fed[tower][:batch]})
                times.append(time.perf_counter() - start)
        ratio = statistics.median(b / a for a, b in zip(*taken))
        print(json.dumps([tower, batch, *map(statistics.median, taken), ratio, float(abs(units[0] - units[1]).max())]))
"""


def python(code, target, **named):
    named = {"i": str(FOLDER / "f32.safetensors"), "o": str(target), "HERE": str(HERE), **named}
    head = "\n".join(f"{name} = {value!r}" for name, value in named.items())
    return [PYTHON, "-c", f"{head}\n{code}"]


def within(value, limit):
    return f"{value:.2f} (≤ {limit})  {'ok' if value <= limit else 'MISSED'}"


def exports(clipkit, runs):
    """Time and memory of exporting both encoders; whether all is within the limits."""
    source, ours, theirs = FOLDER / "f32.safetensors", FOLDER / "out.onnx", FOLDER / "torch.onnx"
    convert = [clipkit, "convert", source, ours, "--force", "--quiet", "--config", FOLDER / "open_clip_config.json"]
    both = ["image", "text"]
    commands = {"clipkit": convert, "cp": ["cp", source, FOLDER / "out.cp"]}
    peers = {"TorchScript": python(EXPORT, theirs, TOWERS=both, DYNAMO=False),
             "dynamo": python(EXPORT, theirs, TOWERS=both, DYNAMO=True)}
    taken = {who: [] for who in [*commands, *peers]}
    for _ in range(runs):
        for who, command in commands.items():
            taken[who].append(measure(command))
    for who, command in peers.items():
        taken[who].append(measure(command))
    median = {who: sorted(wall for wall, _ in times)[len(times) // 2] for who, times in taken.items()}
    memory = {who: max(size for _, size in times) for who, times in taken.items()}
    for who in taken:
        print(f"{who:12} {median[who]:8.3f} s  {memory[who]:6.0f} MiB", flush=True)
    faster = min(median[who] for who in peers) / median["clipkit"]
    print(f"clipkit / cp            {within(median['clipkit'] / median['cp'], 1.5)}")
    print(f"clipkit's memory, MiB   {within(memory['clipkit'], round(MEMORY_MIB))}")
    print(f"faster than torch.onnx  {faster:.1f} (≥ 20)  {'ok' if faster >= 20 else 'MISSED'}", flush=True)
    for path in (ours, theirs, FOLDER / "out.cp"):
        path.unlink(missing_ok=True)
    return median["clipkit"] <= 1.5 * median["cp"] and memory["clipkit"] <= MEMORY_MIB and faster >= 20


def running(clipkit, rounds):
    """What ONNX Runtime takes for either file; whether ours is at least as fast."""
    folder, good = FOLDER.with_name("bench-onnx"), True
    folder.mkdir(exist_ok=True)
    for tower in ("image", "text"):
        measure([clipkit, "convert", FOLDER / "f32.safetensors", folder / f"clipkit-{tower}.onnx", "--tower", tower,
                 "--force", "--quiet", "--config", FOLDER / "open_clip_config.json"])
        if not (folder / f"torch-{tower}.onnx").exists():
            measure(python(EXPORT, folder / f"torch-{tower}.onnx", TOWERS=[tower], DYNAMO=False))
    done = subprocess.run(python(RUN, folder, ROUNDS=rounds), capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        tower, batch, theirs, ours, ratio, error = json.loads(line)
        good &= ratio <= 1.03 and error <= 1e-5
        print(f"ONNX Runtime, {tower:5} × {batch}: torch's {theirs * 1000:.1f} ms, clipkit's {ours * 1000:.1f} ms, ratio "
              f"{within(ratio, 1.03)}, embeddings differ by {error:.1e}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clipkit", required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=["export", "run"])
    options = parser.parse_args()
    bench_convert.prepare()
    parts = {"export": lambda: exports(options.clipkit, options.runs), "run": lambda: running(
        options.clipkit, options.rounds)}
    results = [part() for name, part in parts.items() if options.only in (None, name)]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
