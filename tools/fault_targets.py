"""What fault_sweep and kill_sweep convert: a small source, and outputs that are new or old, files or directories."""
import json
import pathlib
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMATS = ["safetensors", "pytorch", "gguf", "npz"]


def find_clipkit():
    for build in ("release", "debug"):
        path = ROOT / ".build" / build / "clipkit"
        if path.exists():
            return path
    sys.exit("no clipkit in .build; run swift build")


def write_source(path, count=4, size=16384):
    """`count` f32 tensors of `size` bytes each, as safetensors."""
    header, offset = {}, 0
    for number in range(count):
        header[f"t{number}"] = {"dtype": "F32", "shape": [size // 4], "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0\0\x80\x3f" * (offset // 4))


class Target:
    """One output in an otherwise empty folder; with `force` an old one is there before."""

    def __init__(self, folder, clipkit, source, options, is_directory, force):
        self.folder, self.output = folder, folder / "out"
        self.force, self.is_directory = force, is_directory
        self.command = [str(clipkit), "convert", str(source), str(self.output), "--quiet", *options]
        self.name = f"{'old' if force else 'new'} {'directory' if is_directory else 'file'} {' '.join(options)}"
        self.reset(None)
        subprocess.run(self.command, check=True, stdout=subprocess.DEVNULL)
        self.new = self.state()
        # The same names, so that --force may replace them, with other bytes.
        self.old = {name: b"old " + data[:60] for name, data in self.new.items()} if force else None
        if force:
            self.command.append("--force")

    def state(self):
        """{name: bytes} of the output, None when there is none."""
        if not self.output.exists():
            return None
        files = sorted(self.output.iterdir()) if self.is_directory else [self.output]
        return {file.name: file.read_bytes() for file in files}

    def litter(self):
        return [entry.name for entry in self.folder.iterdir() if entry != self.output]

    def reset(self, state):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if state is None:
            return
        if self.is_directory:
            self.output.mkdir()
        for name, data in state.items():
            (self.output / name if self.is_directory else self.output).write_bytes(data)


def targets(folder, clipkit, source, options=(), formats=FORMATS):
    """Every format as a file, and shards as a directory, each new and old."""
    for force in (False, True):
        for name in formats:
            yield Target(folder / "work", clipkit, source, ["--format", name, *options], False, force)
        yield Target(folder / "work", clipkit, source, ["--shard-size", "32KB", *options], True, force)
