#!/usr/bin/env python3
"""Puts evaluation pictures into Fixtures/images/emoji, and what transformers makes of them into golden/.

    tools/make_fixtures_emoji.py [--pictures-only]

Chosen for what a person recognises at once, before any model had seen them; captions.txt holds one prompt for each
picture in the order of the file names. Needs the Debian packages of tools/emoji_data.py, tools/setup --peers, and for the
golden files the trained model.
"""
import argparse
import csv
import pathlib
import shutil

import emoji_data as data

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
FOLDER, MODEL = FIXTURES / "images/emoji", FIXTURES / "models/emoji-clip"
NAMES = """
cat face, dog face, tiger face, rabbit face, elephant, penguin, octopus, turtle, spouting whale, lady beetle, banana,
red apple, strawberry, pizza, hot dog, birthday cake, doughnut, bicycle, helicopter, ambulance, bus, tractor, guitar, rose,
cactus, key, crown, light bulb, ghost, closed umbrella, panda, crocodile, snake, rooster, fish, crab, croissant, rocket,
camera, hammer, police car, television
"""
# Of these the golden file holds pictures; of the first one also what is inside the encoders.
GOLDEN = ["cat face", "panda", "pizza", "croissant", "bicycle", "rocket", "guitar", "hammer"]
NOTICE = """The pictures in this directory are EmojiOne's, Copyright 2014 Ranks.com Inc., licensed under
Creative Commons Attribution-ShareAlike 4.0 International (CC BY-SA 4.0):
https://creativecommons.org/licenses/by-sa/4.0/legalcode

They come from the Debian package ruby-gemojione 3.3.0-1 (https://github.com/bonusly/gemojione, assets/png), whose
copyright file states that licence. They are unmodified, byte for byte, but for their file names: labels.csv says what
each was called. The licence comes with a disclaimer of warranties (its section 5).
"""


def slug(name):
    return name.replace(" ", "-")


def phrase(name):
    return f"a picture of {'an' if name[0] in 'aeiou' else 'a'} {name}"


def copy_pictures(concepts):
    """The names in the order of their files."""
    known = {concept.name: concept for concept in concepts}
    names = sorted((name.strip() for name in NAMES.split(",")), key=lambda name: f"{slug(name)}.png".encode())
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with open(FOLDER / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "label", "concept", "original"])
        for name in names:
            concept = known[name]
            shutil.copyfile(concept.evaluation, FOLDER / f"{slug(name)}.png")
            kind = "held-out" if concept.held_out else "trained"
            writer.writerow([f"{slug(name)}.png", name, kind, concept.evaluation.name])
    (FOLDER / "captions.txt").write_text("".join(phrase(name) + "\n" for name in names))
    (FOLDER / "LICENSE").write_text(NOTICE)


def make_golden():
    import golden
    import make_reference
    loaded = make_reference.load_hugging_face(MODEL)
    for title, names, blocks in (("emoji-clip", GOLDEN, False), ("emoji-clip-blocks", GOLDEN[:1], True)):
        tensors, said = make_reference.make(
            *loaded, name=MODEL.name, images=make_reference.read_images([FOLDER / f"{slug(name)}.png" for name in names]),
            prompts=[phrase(name) for name in names], blocks=blocks)
        golden.save(FIXTURES / f"golden/{title}.safetensors", tensors, said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures-only", action="store_true")
    options = parser.parse_args()
    copy_pictures(data.load()[0])
    if not options.pictures_only:
        make_golden()


if __name__ == "__main__":
    main()
