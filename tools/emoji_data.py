"""Pictures and captions for tools/train_demo_model.py, from four Debian packages.

fonts-noto-color-emoji draws what is trained on, and fonts-symbola the same things in black and white, so that shape is
learned beside colour; ruby-gemojione holds another artist's pictures of them for evaluation only; unicode-cldr-core names
them in English and Korean. A concept is an emoji without its skin tone: tones
are more views of it. Flags of countries are left out, since their names say nothing about what is seen.
"""
import pathlib
import random
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

FONT = pathlib.Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
INK = pathlib.Path("/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf")
CLDR = pathlib.Path("/usr/share/unicode/cldr/common")
GEMS = pathlib.Path("/usr/share/rubygems-integration/all/gems")
PACKAGES = {"fonts-noto-color-emoji": FONT, "fonts-symbola": INK, "unicode-cldr-core": CLDR / "annotations/en.xml",
            "ruby-gemojione": GEMS}
SPLIT_SEED, HELD_OUT = 4, 1 / 5
TEXTURE = 80
TONES = range(0x1F3FB, 0x1F400)
# What is another thing when mirrored, and what is another thing in another hue.
HANDED = re.compile(
    r"left|right|arrow|clock|button|keycap|letter|number|symbol|sign|mark|input|text|music|east|west")
COLOURED = re.compile(r"\b(red|orange|yellow|green|blue|purple|brown|black|white|pink|gr[ae]y|hair)\b")
GENDERS = {"👨": "🧑", "👩": "🧑", "👦": "🧒", "👧": "🧒", "♂": "", "♀": "", "👴": "🧓", "👵": "🧓"}


@dataclass
class Concept:
    """One thing: its names, the textures that show it, the one that draws it in ink, and whether it is kept out of training."""

    key: str
    name: str
    keywords: list
    korean: str
    korean_keywords: list
    views: list = field(default_factory=list)
    ink: int = None
    evaluation: pathlib.Path = None
    held_out: bool = False

    def __post_init__(self):
        self.terms = {self.name, *self.keywords, self.korean, *self.korean_keywords}
        said = " ".join([self.name, *self.keywords])
        self.mirrors = not HANDED.search(said)
        self.keeps_hue = bool(COLOURED.search(said))


def key_of(sequence):
    """A sequence without joiners, variation selectors and skin tones, which each source spells its own way."""
    return "".join(c for c in sequence if c not in "\u200d\ufe0f" and ord(c) not in TONES)


def annotations(language):
    """{sequence: name}, {sequence: keywords}"""
    names, keywords = {}, {}
    for folder in ("annotations", "annotationsDerived"):
        for item in ElementTree.parse(CLDR / folder / f"{language}.xml").getroot().iter("annotation"):
            if item.get("type") == "tts":
                names[item.get("cp")] = item.text.lower()
            else:
                keywords[item.get("cp")] = [word.strip().lower() for word in item.text.split("|")]
    return names, keywords


def evaluation_files():
    """{key: file} of the other artist's pictures, without skin tones."""
    found = {}
    for path in sorted(next(GEMS.glob("gemojione-*")).glob("assets/png/*.png")):
        sequence = "".join(chr(int(part, 16)) for part in path.stem.split("-"))
        if not any(ord(c) in TONES for c in sequence):
            found[key_of(sequence)] = path
    return found


def draw(font, sequence):
    """The font's bitmap of a sequence as RGBA, cropped to what is seen; None where the font has no single picture."""
    if font.getbbox(sequence) != (0, 0, 136, 128):
        return None
    image = Image.new("RGBA", (136, 128))
    ImageDraw.Draw(image).text((0, 0), sequence, font=font, embedded_color=True)
    box = image.getchannel("A").getbbox()
    return image.crop(box) if box and np.asarray(image)[..., :3].any() else None


def draw_ink(font, sequence):
    """The glyph of one character in black, cropped; None where the font lacks it."""
    box = font.getbbox(sequence) if len(sequence) == 1 else (0, 0, 0, 0)
    if min(box[2] - box[0], box[3] - box[1]) < 5 or bytes(font.getmask(sequence)) == bytes(font.getmask("\U0010fffd")):
        return None
    image = Image.new("RGBA", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(image).text((-box[0], -box[1]), sequence, font=font, fill="black")
    return image


def texture(image):
    """A square RGBA picture of TEXTURE pixels with a little air, [4, TEXTURE, TEXTURE]."""
    scale = (TEXTURE - 4) / max(image.size)
    image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (TEXTURE, TEXTURE))
    square.paste(image, ((TEXTURE - image.width) // 2, (TEXTURE - image.height) // 2))
    return np.asarray(square).transpose(2, 0, 1)


def load():
    """(concepts, textures [N, 4, TEXTURE, TEXTURE] u8). The split is by groups: people who differ in gender share one."""
    missing = [package for package, path in PACKAGES.items() if not path.exists()]
    if missing:
        sys.exit(f"missing Debian packages; as root run: apt-get install --no-install-recommends {' '.join(missing)}")
    font = ImageFont.truetype(FONT, 109, layout_engine=ImageFont.Layout.RAQM)
    (names, keywords), (korean, korean_keywords), files = annotations("en"), annotations("ko"), evaluation_files()
    concepts, textures = {}, []
    # Those without a skin tone, which name a concept, come first. Two sequences of one name are one concept.
    for sequence in sorted(names, key=lambda sequence: (any(ord(c) in TONES for c in sequence), sequence)):
        name, key = re.sub(r": .*skin tone.*", "", names[sequence]), key_of(sequence)
        if key and not name.startswith("flag: ") and (image := draw(font, sequence)):
            if name not in concepts:
                concepts[name] = Concept(key, name, keywords.get(sequence, []), korean.get(sequence, ""),
                                         korean_keywords.get(sequence, []))
            concepts[name].evaluation = concepts[name].evaluation or files.get(key)
            concepts[name].views.append(len(textures))
            textures.append(texture(image))
    ink = ImageFont.truetype(INK, 72)
    for concept in concepts.values():
        if image := draw_ink(ink, concept.key):
            concept.ink = len(textures)
            textures.append(texture(image))
    groups = {concept.key: "".join(GENDERS.get(c, c) for c in concept.key) for concept in concepts.values()}
    order = sorted(set(groups.values()))
    random.Random(SPLIT_SEED).shuffle(order)
    kept_out = set(order[:round(len(order) * HELD_OUT)])
    for concept in concepts.values():
        concept.held_out = groups[concept.key] in kept_out
    return list(concepts.values()), torch.from_numpy(np.stack(textures))


TEMPLATES = ["{}", "{}", "a {}", "the {}", "an emoji of {}", "an emoji of a {}", "a picture of {}", "a picture of a {}",
             "a photo of a {}", "a small drawing of {}", "an icon of a {}", "{} icon", "{} emoji", "a sticker with a {}",
             "this is {}", "an image of the {}"]
KOREAN = ["{}", "{} 그림", "{} 사진", "{} 이모티콘"]
PROMPT = "a picture of {}"


def caption(concept, kind, dice):
    """(text, what it says): a short one, a "long" one of many keywords, or a "korean" one."""
    if kind == "korean" and concept.korean:
        words = dice.sample(concept.korean_keywords, min(len(concept.korean_keywords), dice.randint(0, 2)))
        return ", ".join([dice.choice(KOREAN).format(concept.korean), *words]), {concept.korean, *words}
    words = list(concept.keywords)
    dice.shuffle(words)
    name = dice.choice(TEMPLATES).format(concept.name)
    if kind == "long":
        extra = dice.choice(["", concept.korean, ", ".join(concept.korean_keywords)])
        text = f"{name}. it shows {', '.join(words)}. {extra}"
        return f"{text} {' '.join(words)}" if dice.random() < 0.5 else text, {concept.name, *words}
    style = dice.random()
    if style < 0.15 and len(words) > 1:
        words = words[:dice.randint(2, 3)]
        return dice.choice(TEMPLATES).format(dice.choice([", ", " ", " and "]).join(words)), set(words)
    if style < 0.4 and words:
        words = words[:dice.randint(1, 3)]
        return f"{name}{dice.choice([', ', ' with ', ': '])}{dice.choice([', ', ' ']).join(words)}", {concept.name, *words}
    return name, {concept.name}
