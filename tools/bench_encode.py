"""The speed and memory of the encoders beside ONNX Runtime, OpenVINO and torch, in turn in one run.

`tools/bench encode` calls this. The model is a ViT-B/32 of true size, random weights by open_clip, converted to GGUF by
clipkit; every peer computes the same rows, which is checked first. Each contender is a process of its own that waits
while the others run. A round is the median of a few calls; times are medians of the rounds, in milliseconds, and ratios
medians of the rounds' ratios.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

from bench_convert import FOLDER, PYTHON, measure, prepare

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ("onnxruntime", "openvino", "torch", "padded")
# Kind, batch, calls a round, and the limits: times faster than the best peer of the same length, and than torch's own way.
CASES = (("image", 1, 9, 1.05, ("torch", 3)), ("image", 8, 5, 1.05, ("torch", 3)), ("image", 32, 3, 1.05, ("torch", 3)),
         ("text", 1, 15, 1.1, ("padded", 10)), ("text", 128, 3, 1.1, ("padded", 10)))
COSINE = 0.99999


class Contender:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline() != "ready\n":
            sys.exit(f"{name} did not start")

    def ask(self, kind, batch, runs):
        print(kind, batch, runs, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"{self.name} died of {kind} {batch}")
        return [float(number) for number in answer]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def check_rows(contenders):
    """A race of programs that compute different things says nothing."""
    rows = {one.name: np.reshape(one.ask("rows", 2, 1), (4, -1)) for one in contenders}
    for name, found in rows.items():
        cosine = (found * rows["padded"]).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(rows["padded"], axis=1)
        if cosine.min() < COSINE:
            sys.exit(f"{name} embeds otherwise than open_clip: cosine {cosine.min()}")


def race(contenders, options):
    print("| ms | clipkit | " + " | ".join(PEERS) + " | ratios (limits) | |\n|" + "---|" * (len(PEERS) + 4), flush=True)
    good = True
    for kind, batch, runs, limit, (other, times) in CASES:
        rounds = {one.name: [] for one in contenders}
        for one in contenders:
            one.ask(kind, batch, 1)
        for _ in range(options.rounds):
            for one in contenders:
                time.sleep(0.2)  # until the threads of the one before have stopped spinning
                rounds[one.name].append(statistics.median(one.ask(kind, batch, 1 if one.name == "padded" else runs)))
        taken = {name: statistics.median(found) for name, found in rounds.items()}
        best = min(("onnxruntime", "openvino"), key=taken.get)
        # Within a round first: a machine that slows down for a while does so for all of them.
        ratios = [statistics.median(np.divide(rounds[name], rounds["clipkit"])) for name in (best, other)]
        met = ratios[0] >= limit and ratios[1] >= times
        good &= met
        cells = [f"{kind} × {batch}", f"**{taken['clipkit']:.1f}**", *(f"{taken[name]:.1f}" for name in PEERS),
                 f"{best} / clipkit {ratios[0]:.2f} (≥ {limit}), {other} {ratios[1]:.1f} (≥ {times})",
                 "ok" if met else "MISSED"]
        print("| " + " | ".join(cells) + " |", flush=True)
    return good


def cold_start(clipkit, options):
    """Whole processes, from nothing to the first row of one image, files in the page cache."""
    own = [clipkit, "embed", FOLDER / "encode.gguf", "--images", FOLDER / "image.png", "-q", "--threads", options.threads]
    peer = [PYTHON, HERE / "bench_encode_peers.py", "first", FOLDER, options.threads]
    taken = {"clipkit": [], "onnxruntime": []}
    for _ in range(options.runs):
        taken["clipkit"].append(measure(own))
        taken["onnxruntime"].append(measure(peer))
    wall = {name: statistics.median(seconds for seconds, _ in runs) for name, runs in taken.items()}
    ratio = wall["clipkit"] / wall["onnxruntime"]
    print(f"\nstart to the first row of one image: clipkit from GGUF {wall['clipkit'] * 1000:.0f} ms, ONNX Runtime from .onnx "
          f"{wall['onnxruntime'] * 1000:.0f} ms: {ratio:.2f} (≤ 0.5) {'ok' if ratio <= 0.5 else 'MISSED'}")
    return ratio <= 0.5


def memory(clipkit, options):
    """The largest set of whole runs, against the weights of the encoders that they use."""
    weights = {"image": 0, "text": 0}
    from safetensors import safe_open
    with safe_open(FOLDER / "f32.safetensors", "np") as file:
        for name in file.keys():
            shape = file.get_slice(name).get_shape()
            weights["image" if name.startswith("visual.") else "text"] += 4 * int(np.prod(shape)) / 2**20
    many = FOLDER / "images.txt"
    many.write_text(f"{FOLDER / 'image.png'}\n" * 256)
    images, prompts = ["--images", "-"], ["--prompts", FOLDER / "prompts.txt"]
    good = True
    for name, arguments, towers in (("256 images", images, ["image"]), ("128 prompts", prompts, ["text"]),
                                    ("both", images + prompts, ["image", "text"])):
        # A list on standard input needs a shell.
        command = ["sh", "-c", 'exec "$@" < "$0"', many, clipkit, "embed", FOLDER / "encode.gguf", *arguments, "-q",
                   "--threads", options.threads]
        wall, peak = measure(command)
        limit = 1.15 * sum(weights[tower] for tower in towers) + 100
        good &= peak <= limit
        print(f"embed {name}: {wall:.2f} s, peak {peak:.0f} MiB (≤ {limit:.0f}) {'ok' if peak <= limit else 'MISSED'}")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clipkit", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("race", "cold", "memory"))
    options = parser.parse_args()
    prepare()
    if not (FOLDER / "text.onnx").exists():
        print("exporting to ONNX …", flush=True)
        subprocess.run([PYTHON, HERE / "bench_encode_peers.py", "export", FOLDER], check=True, capture_output=True)
    subprocess.run([options.clipkit, "convert", FOLDER / "f32.pt", FOLDER / "encode.gguf", "--config",
                    FOLDER / "open_clip_config.json", "--force", "-q"], check=True)
    print(f"ViT-B/32, f32, {options.threads} threads; medians of {options.rounds} rounds in turn; text of 12 tokens, "
          "padded: open_clip's encode_text, which pads to 77")
    good = True
    if options.only in (None, "race"):
        bench = options.clipkit.parent / "Bench"
        own = [bench, "encode", FOLDER / "encode.gguf", FOLDER / "image.png", FOLDER / "prompts.txt", options.threads]
        contenders = [Contender("clipkit", own)]
        for name in PEERS:
            contenders.append(
                Contender(name, [PYTHON, HERE / "bench_encode_peers.py", name, FOLDER, options.threads]))
        check_rows(contenders)
        good &= race(contenders, options)
        for one in contenders:
            one.end()
    if options.only in (None, "cold"):
        good &= cold_start(options.clipkit, options)
    if options.only in (None, "memory"):
        good &= memory(options.clipkit, options)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
