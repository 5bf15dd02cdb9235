"""Makes the tables of Sources/CTokenizer from the libraries that CLIP's tokenizers are built on:

    .build/python-peers/bin/python tools/make_tokenizer_tables.py          (needs ftfy, regex, tokenizers)

unicode.bin   what Python's str.lower and unicodedata, the regex module, and tokenizers say of every scalar
entities.txt  Python's html.entities.html5, and the names in capitals that ftfy adds
ftfy.txt      ftfy's patterns as sequences of sets, its encodings, and what it replaces

Each table is checked against the library over all scalars before it is written. Sources/CTokenizer/README.md has the
formats, and the versions that made the present files.
"""
import html.entities
import itertools
import pathlib
import re
import struct
import unicodedata

import ftfy.badness
import ftfy.chardata
import ftfy.fixes
import regex
import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

TARGET = pathlib.Path(__file__).resolve().parent.parent / "Sources/CTokenizer"
SCALARS = [chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000]
BLOCK = 128


# unicode.bin

def python_classes():
    """Letter 1, number 2, other 3, and 0 for what no piece holds, as the pattern of OpenAI and open_clip has it."""
    patterns = [(1, r"[\p{L}]+"), (2, r"[\p{N}]"), (3, r"[^\s\p{L}\p{N}]+")]
    compiled = [(code, regex.compile(pattern, regex.IGNORECASE)) for code, pattern in patterns]
    return [next((code for code, pattern in compiled if pattern.match(scalar)), 0) for scalar in SCALARS]


def hugging_face_classes():
    splits = [(code, pre_tokenizers.Split(Regex(pattern), "removed", invert=True))
              for code, pattern in [(1, r"[\p{L}]+"), (2, r"[\p{N}]"), (3, r"[^\s\p{L}\p{N}]+")]]
    return [next((code for code, split in splits if split.pre_tokenize_str(scalar)), 0) for scalar in SCALARS]


def shift(scalar, lowered):
    """The distance to the lower case; U+0130, the one scalar that becomes two, is for the reader to know."""
    assert len(lowered) == 1 or scalar == "\u0130"
    return ord(lowered) - ord(scalar) if len(lowered) == 1 else 0


def is_ignorable(scalar):
    """Whether a search for a cased letter, which decides between the two small sigmas, passes over it."""
    return ("a\u03a3" + scalar + "a").lower()[1] == "\u03c3" and not is_cased(scalar)


def is_cased(scalar):
    return (scalar + "\u03a3").lower()[-1] == "\u03c2"


def unicode_table():
    nfc = normalizers.NFC().normalize_str
    lower = normalizers.Lowercase().normalize_str
    marks = {scalar for scalar in SCALARS if unicodedata.combining(scalar)}
    records = {}
    values = []
    for scalar, python, hugging_face in zip(SCALARS, python_classes(), hugging_face_classes()):
        flags = python | hugging_face << 2 | scalar.isspace() << 4 | is_cased(scalar) << 5 | is_ignorable(scalar) << 6
        changes = not unicodedata.is_normalized("NFC", scalar) or scalar in COMPOSING
        flags |= changes << 7
        flags |= unicodedata.combining(scalar) << 8 | (scalar in marks and not is_known_mark(nfc, scalar)) << 16
        record = struct.pack("<Iii", flags, shift(scalar, scalar.lower()), shift(scalar, lower(scalar)))
        values.append(records.setdefault(record, len(records)))
    assert len(records) < 0x10000
    values[0xD800:0xD800] = [values[0]] * 0x800  # no scalar is a surrogate
    blocks, first = {}, []
    for start in range(0, 0x110000, BLOCK):
        block = struct.pack(f"<{BLOCK}H", *values[start:start + BLOCK])
        first.append(blocks.setdefault(block, len(blocks)))
    pairs = [(ord(scalar), *parts(scalar), composes(scalar) and (1 if composes(scalar, nfc) else 2))
             for scalar in SCALARS if parts(scalar)]
    for scalar in SCALARS:
        assert nfc(scalar) == unicodedata.normalize("NFC", scalar), scalar
    data = struct.pack("<4I", len(first), len(blocks), len(records), len(pairs))
    data += struct.pack(f"<{len(first)}H", *first) + b"".join(blocks) + b"".join(records)
    data += b"".join(struct.pack("<4I", *pair) for pair in pairs)
    return data


def is_known_mark(nfc, scalar):
    """Whether tokenizers, whose Unicode is older, moves it past marks of another class; else it stays where it is."""
    texts = [text for mark in "\u0334\u0323\u302a\u0345" for text in ("q" + mark + scalar, "q" + scalar + mark)]
    return any(nfc(text) != text for text in texts)


def parts(scalar):
    """The one or two scalars that a scalar is canonically made of."""
    text = unicodedata.decomposition(scalar)
    if not text or text.startswith("<"):
        return ()
    values = [int(part, 16) for part in text.split()]
    return tuple(values + [0] * (2 - len(values)))


def composes(scalar, nfc=lambda text: unicodedata.normalize("NFC", text)):
    first, second = parts(scalar)
    return int(second != 0 and nfc(chr(first) + chr(second)) == scalar)


COMPOSING = {chr(parts(scalar)[1]) for scalar in SCALARS if parts(scalar) and composes(scalar)} | {
    chr(value) for value in itertools.chain(range(0x1161, 0x1176), range(0x11A8, 0x11C3))}


# entities.txt

def entities():
    lines = []
    for name, value in sorted(html.entities.html5.items()):
        lines.append(f"{name} {codes(value)}")
    for name, value in sorted(ftfy.chardata.HTML_ENTITIES.items()):
        assert html.entities.html5.get(name[1:], value) == value
        if name[1:] not in html.entities.html5:
            lines.append(f"+{name[1:]} {codes(value)}")
    return "\n".join(lines) + "\n"


def codes(text):
    return ",".join(f"{ord(scalar):x}" for scalar in text)


# ftfy.txt

class Patterns:
    """Regular expressions as alternatives of sequences of sets, every set once."""

    def __init__(self):
        self.sets, self.lines = {}, []

    def add(self, name, pattern):
        parsed = re._parser.parse(pattern.pattern, pattern.flags)
        for sequence in self.expand(list(parsed), isinstance(pattern.pattern, bytes)):
            self.lines.append(" ".join([f"pattern {name}", *sequence]))

    def add_set(self, name, pattern):
        (kind, items), = list(re._parser.parse(pattern))
        self.lines.append(f"pattern {name} {self.set_of(kind, items, False)}")

    def expand(self, items, is_bytes):
        if not items:
            return [[]]
        (kind, value), rest = items[0], self.expand(items[1:], is_bytes)
        name = str(kind)
        if name == "BRANCH":
            heads = [head for branch in value[1] for head in self.expand(list(branch), is_bytes)]
        elif name == "SUBPATTERN":
            heads = self.expand(list(value[3]), is_bytes)
        elif name == "MAX_REPEAT" and value[0] == value[1]:
            heads = self.expand(list(value[2]) * value[0], is_bytes)
        elif name == "MAX_REPEAT" and (value[0], value[1]) == (0, 1):
            heads = self.expand(list(value[2]), is_bytes) + [[]]
        elif name == "AT":
            assert str(value) == "AT_BEGINNING"
            heads = [["^"]]
        else:
            heads = [[self.set_of(kind, value, is_bytes)]]
        return [head + tail for head in heads for tail in rest]

    def set_of(self, kind, value, is_bytes):
        """The number of the set of scalars that an item matches, by asking it about each."""
        source = re._parser.SubPattern(re._parser.State(), [(kind, value)])
        source.state.flags, source.state.str = (0 if is_bytes else re.UNICODE), b"" if is_bytes else ""
        compiled = re._compiler.compile(source, source.state.flags)
        universe = [bytes([value]) for value in range(256)] if is_bytes else SCALARS
        members = [ord(item) for item in universe if compiled.match(item)]
        return str(self.sets.setdefault(ranges(members), len(self.sets)))

    def text(self):
        lines = [f"set {text}" for text in self.sets]
        return lines + self.lines


def ranges(members):
    result = []
    for value in members:
        if result and (value == result[-1][1] + 1 or (result[-1][1], value) == (0xD7FF, 0xE000)):
            result[-1][1] = value
        else:
            result.append([value, value])
    return ",".join(f"{low:x}" if low == high else f"{low:x}-{high:x}" for low, high in result)


def encodings():
    for name in ftfy.chardata.CHARMAP_ENCODINGS:
        # Byte 1A is U+FFFD to the sloppy ones; all other bytes below 80 are ASCII.
        byte_range = bytes([0x1A, *range(0x80, 0x100)])
        scalars = byte_range.decode(name)
        for scalar in SCALARS:
            possible = ftfy.chardata.possible_encoding(scalar, name)
            assert possible == (scalar in scalars or ord(scalar) < 0x80 and ord(scalar) != 0x1A), (name, scalar)
            if possible and ord(scalar) >= 0x80:
                assert scalar.encode(name)[0] == byte_range[scalars.index(scalar)], (name, scalar)
        yield f"encoding {name} " + ",".join(f"{ord(scalar):x}" for scalar in scalars)
    strict = [bytes([value]).decode("windows-1252", "replace") for value in range(0x80, 0xA0)]
    yield "undefined " + ",".join(f"{0x80 + index:x}" for index, scalar in enumerate(strict) if scalar == "\ufffd")


def ftfy_tables():
    patterns = Patterns()
    patterns.add("badness", ftfy.badness.BADNESS_RE)
    patterns.add("altered-utf8", ftfy.chardata.ALTERED_UTF8_RE)
    patterns.add("lossy-utf8", ftfy.chardata.LOSSY_UTF8_RE)
    clues = ftfy.chardata.UTF8_CLUES
    detector = re.compile(
        "[{utf8_first_of_2}][{utf8_continuation}]|[{utf8_first_of_3}][{utf8_continuation}]{{2}}"
        "|[{utf8_first_of_4}][{utf8_continuation}]{{3}}".format(**clues))
    expected = "(?<! [{utf8_continuation_strict}]) ( [{utf8_first_of_2}] [{utf8_continuation}] | [{utf8_first_of_3}] " \
        "[{utf8_continuation}]{{2}} | [{utf8_first_of_4}] [{utf8_continuation}]{{3}} )+".format(**clues)
    assert "".join(ftfy.chardata.UTF8_DETECTOR_RE.pattern.split()) == "".join(expected.split())
    patterns.add("utf8", detector)
    patterns.add_set("not-before-utf8", f"[{clues['utf8_continuation_strict']}]")
    patterns.add_set("single-quote", ftfy.chardata.SINGLE_QUOTE_RE.pattern)
    patterns.add_set("double-quote", ftfy.chardata.DOUBLE_QUOTE_RE.pattern)
    assert ftfy.fixes.ANSI_RE.pattern == r"\033\[((?:\d|;)*)([a-zA-Z])".replace(r"\033", "\033")
    patterns.add_set("terminal-parameter", r"[\d;]")
    lines = patterns.text() + list(encodings())
    lines.append("removed " + ranges(sorted(ftfy.chardata.CONTROL_CHARS)))
    lines += [f"ligature {key:x} {codes(value)}" for key, value in sorted(ftfy.chardata.LIGATURES.items())]
    lines += [f"width {key:x} {codes(value)}" for key, value in sorted(ftfy.chardata.WIDTH_MAP.items())]
    return "\n".join(lines) + "\n"


def main():
    print("Python", unicodedata.unidata_version, "regex", regex.__version__, "tokenizers", tokenizers.__version__,
          "ftfy", ftfy.__version__)
    for name, data in [("entities.txt", entities().encode()), ("ftfy.txt", ftfy_tables().encode()),
                       ("unicode.bin", unicode_table())]:
        (TARGET / name).write_bytes(data)
        print(name, len(data))


main()
