"""Prepares some hundred other pictures, and lets the Swift tests compare them with the reference libraries.

    .build/python-peers/bin/python tools/check_images.py [FLAGS OF SWIFT TEST]

The pictures are those of the fixtures from other seeds, and ones of extreme shapes; half of the pipelines are drawn by
chance. The tests must have been built.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

import image_pipelines
import make_fixtures_images as made

SEEDS = (101, 102)
SHAPES = [(1, 300), (500, 3), (1, 1000), (3, 700), (2000, 2), (1, 101), (101, 1), (7, 701), (7, 700), (640, 480),
          (333, 500), (225, 224), (224, 225), (2, 2), (5, 511)]
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")


def drawn_pipelines(random):
    """The fixtures' pipelines with other sizes."""
    for name, pipeline in image_pipelines.PIPELINES.items():
        drawn = pipeline | {"size": int(random.integers(1, 70))}
        if "resize" in drawn:
            drawn["resize"] = int(random.integers(1, 70))
        if "fill" in drawn:
            drawn["fill"] = int(random.integers(1, 256))
        yield f"{name}-drawn", drawn


def pictures(random):
    for seed in SEEDS:
        for name, data in made.files(np.random.default_rng(seed)):
            yield f"{seed}-{name}", data
    for width, height in SHAPES:
        for mode in MODES:
            name = f"shape-{width}x{height}-{mode}.png"
            yield name, made.saved(made.picture(random, width, height, mode), "PNG")


def main():
    random = np.random.default_rng(100)
    pipelines = image_pipelines.PIPELINES
    pipelines |= dict(drawn_pipelines(random))
    with tempfile.TemporaryDirectory() as folder:
        folder, entries = pathlib.Path(folder), {}
        for name, data in pictures(random):
            (folder / name).write_bytes(data)
            entries[name] = made.expected(data)
        (folder / "images.json").write_text(json.dumps({"pipelines": pipelines, "files": entries}))
        command = ["swift", "test", "--skip-build", "--disable-xctest", "--filter", "picturesAre(Decoded|Prepared)",
                   *sys.argv[1:]]
        run = subprocess.run(command, env=os.environ | {"CLIPKIT_PICTURES": str(folder)}, capture_output=True, text=True)
    cases = sum(map(int, re.findall(r"with (\d+) test cases passed", run.stdout)))
    if run.returncode or cases != len(entries) * (len(pipelines) + 1):
        print("\n".join(line for line in run.stdout.splitlines() if "recorded an issue" in line)[:5000], file=sys.stderr)
        sys.exit(f"check_images: {cases} cases passed, {len(entries) * (len(pipelines) + 1)} expected")
    print(f"pictures: {len(entries)}, each in {len(pipelines)} pipelines, as the reference libraries have them")


if __name__ == "__main__":
    main()
