"""Pictures and captions for tools/train_demo_model.py, from three Debian packages.

fonts-noto-color-emoji draws what is trained on, ruby-gemojione holds another artist's pictures of the same things for
evaluation only, unicode-cldr-core names them in English and Korean. A concept is an emoji without its skin tone: tones
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
from torch.nn import functional

FONT = pathlib.Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
CLDR = pathlib.Path("/usr/share/unicode/cldr/common")
GEMS = pathlib.Path("/usr/share/rubygems-integration/all/gems")
PACKAGES = {"fonts-noto-color-emoji": FONT, "unicode-cldr-core": CLDR / "annotations/en.xml", "ruby-gemojione": GEMS}
SPLIT_SEED, HELD_OUT = 4, 1 / 5
TEXTURE, SIZE = 80, 64
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])
TONES = range(0x1F3FB, 0x1F400)
# What is another thing when mirrored, and what is another thing in another hue.
HANDED = re.compile(
    r"left|right|arrow|clock|button|keycap|letter|number|symbol|sign|mark|input|text|music|east|west")
COLOURED = re.compile(r"\b(red|orange|yellow|green|blue|purple|brown|black|white|pink|gr[ae]y|hair)\b")
GENDERS = {"👨": "🧑", "👩": "🧑", "👦": "🧒", "👧": "🧒", "♂": "", "♀": "", "👴": "🧓", "👵": "🧓"}


@dataclass
class Concept:
    """One thing: its names, the textures that show it, and whether it is kept out of training."""

    key: str
    name: str
    keywords: list
    korean: str
    korean_keywords: list
    views: list = field(default_factory=list)
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


def uniform(generator, shape, low, high):
    return low + (high - low) * torch.rand(shape, generator=generator)


def colour_jitter(rgb, keeps_hue, g):
    """Hue, saturation, brightness, contrast, gamma and steps, another for each picture; [N, 3, H, W] in 0…1."""
    n = len(rgb)
    angle = uniform(g, n, -1, 1) ** 3 * torch.where(keeps_hue, 0.1, 1.0)
    saturation = uniform(g, n, 0.4, 1.6) * (torch.rand(n, generator=g) > torch.where(keeps_hue, 0.0, 0.08))
    to_yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    turn = torch.zeros(n, 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 1, 2], turn[:, 2, 1] = -saturation * angle.sin(), saturation * angle.sin()
    rgb = torch.einsum("nij,njhw->nihw", torch.linalg.inv(to_yiq) @ turn @ to_yiq, rgb)
    contrast, shift = uniform(g, (n, 1, 1, 1), 0.6, 1.4), uniform(g, (n, 1, 1, 1), -0.2, 0.2)
    # A light that differs from place to place, as another artist's shading does.
    light = functional.interpolate(uniform(g, (n, 1, 3, 3), -0.15, 0.15), rgb.shape[-2:], mode="bilinear")
    rgb = ((rgb - 0.5) * contrast + 0.5 + shift + light).clamp(0, 1)
    rgb = rgb ** torch.exp(uniform(g, (n, 1, 1, 1), -0.3, 0.3))
    levels = uniform(g, (n, 1, 1, 1), 3, 8)
    return torch.where(torch.rand(n, 1, 1, 1, generator=g) < 0.15, (rgb * levels).round() / levels, rgb)


def placement(mirrors, strength, g):
    """Sampling grids of scale, stretch, rotation, shear, shift and a smooth bending; [N, SIZE, SIZE, 2]."""
    n = len(mirrors)
    angle = strength * (uniform(g, n, -1, 1) ** 3 * 0.7 + uniform(g, n, -0.12, 0.12))
    zoom = 1 / uniform(g, n, 0.9 - 0.35 * strength, 1.02 + 0.1 * strength)
    stretch, shear = torch.exp(strength * uniform(g, n, -0.2, 0.2)), strength * uniform(g, n, -0.2, 0.2)
    flip = 1 - 2 * ((torch.rand(n, generator=g) < 0.5) & mirrors).float()
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = flip * zoom * stretch * angle.cos(), zoom * (shear - angle.sin())
    matrix[:, 1, 0], matrix[:, 1, 1] = flip * zoom * angle.sin(), zoom / stretch * angle.cos()
    matrix[:, :, 2] = uniform(g, (n, 2), -1, 1) * (zoom - 0.85).clamp(0.05, 1)[:, None] * 0.7
    bend = uniform(g, (n, 2, 4, 4), -1, 1) * uniform(g, (n, 1, 1, 1), 0, 0.16 * strength)
    bend = functional.interpolate(bend, (SIZE, SIZE), mode="bicubic", align_corners=True)
    return functional.affine_grid(matrix, (n, 4, SIZE, SIZE), align_corners=False) + bend.permute(0, 2, 3, 1)


def backgrounds(n, g):
    """Black, white, one colour, a gradient or coarse noise; [N, 3, SIZE, SIZE]."""
    corners = functional.interpolate(torch.rand(n, 3, 2, 2, generator=g), (SIZE, SIZE), mode="bilinear", align_corners=True)
    noise = functional.interpolate(torch.rand(n, 3, 6, 6, generator=g), (SIZE, SIZE), mode="bicubic").clamp(0, 1)
    flat = torch.rand(n, 3, 1, 1, generator=g).expand(-1, -1, SIZE, SIZE)
    kind = torch.rand(n, 1, 1, 1, generator=g)
    result = torch.where(kind < 0.55, flat, torch.where(kind < 0.75, corners, noise))
    return torch.where(kind < 0.2, 0.0, torch.where(kind < 0.35, 1.0, result))


def erase(images, strength, g):
    """A rectangle of one colour over every fourth picture, or fewer."""
    n = len(images)
    low = torch.rand(n, 2, generator=g) * 0.8
    high = low + uniform(g, (n, 2), 0.1, 0.4) * (torch.rand(n, 1, generator=g) < 0.25 * strength)
    place = (torch.arange(SIZE) + 0.5) / SIZE
    rows, columns = ((place > low[:, i, None]) & (place < high[:, i, None]) for i in (0, 1))
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(inside, torch.rand(n, 3, 1, 1, generator=g), images)


def augment(textures, mirrors, keeps_hue, strength, g):
    """Training pictures of u8 textures [N, 4, TEXTURE, TEXTURE]: normalised, [N, 3, SIZE, SIZE]; strength is 0…1."""
    n, pixels = len(textures), textures.float() / 255
    rgb, alpha = torch.lerp(pixels[:, :3], colour_jitter(pixels[:, :3], keeps_hue, g), strength), pixels[:, 3:]
    # CLIP's preprocessing drops a picture's transparency, which hardens its edges.
    alpha = torch.where(torch.rand(n, 1, 1, 1, generator=g) < 0.5, (alpha * 16).clamp(0, 1), alpha)
    layer = functional.grid_sample(torch.cat([rgb * alpha, alpha], 1), placement(mirrors, strength, g), align_corners=False)
    images = layer[:, :3] + (1 - layer[:, 3:]) * backgrounds(n, g)
    blurred = functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = torch.lerp(images, blurred, (uniform(g, (n, 1, 1, 1), -1.5, 1)).clamp(0, 1))
    images = images + torch.randn(images.shape, generator=g) * uniform(g, (n, 1, 1, 1), -0.05, 0.06 * strength).clamp(0, 1)
    return normalise(erase(images, strength, g).clamp(0, 1))


def normalise(images):
    return (images - MEAN[:, None, None]) / STD[:, None, None]


def plain(textures):
    """The pictures as they are, on white, for evaluation."""
    pixels = textures.float() / 255
    images = pixels[:, :3] * pixels[:, 3:] + 1 - pixels[:, 3:]
    return normalise(functional.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False))
