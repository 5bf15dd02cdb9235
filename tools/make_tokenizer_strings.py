"""Text of all kinds for tokenizers, the same from the same seed: tools/make_tokenizer_strings.py [SEED [COUNT]]

Prints a JSON array. Scripts, emoji, HTML references, mojibake, control characters, marks, random scalars, long texts,
and special tokens spelled out; nothing but Python's standard library takes part.
"""
import html.entities
import json
import random
import sys

WORDS = """a an the photo of picture painting cat dog two dogs car red blue in on at with and street house tree
mountain sunset beach person man woman child holding bottle wine glass train station airplane flying over city
black white close-up low-resolution bad good itap origami toy plastic rendition sculpture embroidered video game
don't we'll it's I'm they've you're he'd can't rock'n'roll naïve café façade jalapeño über Straße crème brûlée
3.14 1,000 42 2023 50% $9.99 #1 C++ e-mail user@example.com https://example.com/a?b=c&d=e state-of-the-art""".split()
# First and last scalar of stretches that scripts and symbols lie in.
SCRIPTS = [(0x21, 0x7E), (0xA1, 0xFF), (0x100, 0x17F), (0x180, 0x24F), (0x250, 0x2AF), (0x370, 0x3FF), (0x400, 0x52F),
           (0x531, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FF),
           (0xA80, 0xAFF), (0xB80, 0xBFF), (0xC00, 0xC7F), (0xD00, 0xD7F), (0xE00, 0xE7F), (0xE80, 0xEFF),
           (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF),
           (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1C80, 0x1CBF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF),
           (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20CF), (0x2100, 0x218F), (0x2190, 0x22FF), (0x2460, 0x24FF),
           (0x2500, 0x27BF), (0x2C00, 0x2CFF), (0x3000, 0x303F), (0x3041, 0x30FF), (0x3130, 0x318F), (0x3200, 0x33FF),
           (0x4E00, 0x9FFF), (0xA640, 0xA69F), (0xA720, 0xA7FF), (0xAB30, 0xABBF), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FF),
           (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE50, 0xFE6F), (0xFF00, 0xFFEF), (0x10400, 0x1044F),
           (0x10C80, 0x10CFF), (0x10D40, 0x10D8F), (0x110D0, 0x1114F), (0x118A0, 0x1196F), (0x16E40, 0x16E9F),
           (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F100, 0x1F1FF), (0x1F300, 0x1FAFF),
           (0x20000, 0x2A6DF), (0x30000, 0x323AF)]
MARKS = [(0x300, 0x36F), (0x483, 0x487), (0x591, 0x5BD), (0x64B, 0x65F), (0x898, 0x89F), (0x8CA, 0x8FF),
         (0x93C, 0x94D), (0x9FE, 0x9FE), (0xC3C, 0xC56), (0xD3B, 0xD3C), (0x1AB0, 0x1ACE), (0x1DC0, 0x1DFF),
         (0x20D0, 0x20F0), (0x302A, 0x302F), (0x3099, 0x309A), (0xA82C, 0xA82C), (0x10D24, 0x10D27), (0x10EAB, 0x10EAC),
         (0x10F46, 0x10F50), (0x11930, 0x11943), (0x1D165, 0x1D172), (0x1E2AE, 0x1E2AE), (0x1E4EC, 0x1E4EF)]
SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b"
ENCODINGS = ["latin-1", "windows-1252", "windows-1251", "windows-1250", "windows-1253", "windows-1254", "windows-1257",
             "iso-8859-2", "macroman", "cp437"]
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "<start_of_text>", "<end_of_text>", "<|STARTOFTEXT|>", "<|EndOfText|>",
            "<START_OF_TEXT>", "<\u017ftart_of_text>", "<|\u017ftartoftext|>", "<|endoftext|", "|endoftext|>",
            "<|end oftext|>", "&lt;|endoftext|&gt;", "<|endoftext|>>", "<|ENDOFTEXT|>>", "!<|ENDOFTEXT|>", "</w>", "<pad>"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'\u017f", "\u2019s", "''s", "'", "' s", "'x",
                "!'s", "'s's", "'re\u0301"]
ENTITIES = sorted(html.entities.html5)
# Where mojibake lies: what UTF-8 looks like in other encodings.
SOUP = sorted({scalar for name in ENCODINGS for scalar in bytes(range(0x80, 0x100)).decode(name, "ignore")})


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def scalar(self, low, high):
        while True:
            value = self.random.randint(low, high)
            if not 0xD800 <= value < 0xE000:
                return chr(value)

    def words(self, low=1, high=12):
        words = [self.random.choice(WORDS) for _ in range(self.random.randint(low, high))]
        words = [self.random.choice([str.upper, str.title, str])(word) if self.random.random() < 0.2 else word
                 for word in words]
        return " ".join(words) + self.random.choice(["", ".", "!", "?!", "...", ",", "\u2026", "\u201d"])

    def script(self):
        stretch = self.random.choice(SCRIPTS)
        return " ".join("".join(self.scalar(*stretch) for _ in range(self.random.randint(1, 9)))
                        for _ in range(self.random.randint(1, 6)))

    def scripts(self):
        return self.random.choice(["", " ", ", "]).join(self.script() for _ in range(self.random.randint(2, 4)))

    def emoji(self):
        parts = []
        for _ in range(self.random.randint(1, 6)):
            emoji = self.scalar(*self.random.choice([(0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF),
                                                     (0x2600, 0x27BF)]))
            if self.random.random() < 0.3:
                emoji += self.scalar(0x1F3FB, 0x1F3FF)
            if self.random.random() < 0.3:
                emoji += "\ufe0f"
            if self.random.random() < 0.2:
                emoji += "\u200d" + self.scalar(0x1F300, 0x1F64F)
            if self.random.random() < 0.1:
                emoji = self.scalar(0x1F1E6, 0x1F1FF) + self.scalar(0x1F1E6, 0x1F1FF)
            if self.random.random() < 0.1:
                emoji = self.random.choice("0123456789#*") + "\ufe0f\u20e3"
            parts.append(emoji)
        return self.random.choice(["", " "]).join(parts) + self.random.choice(["", " " + self.words(1, 4)])

    def reference(self):
        kind = self.random.randrange(8)
        if kind < 3:
            name = self.random.choice(ENTITIES)
            if kind == 1:
                name = name.rstrip(";") + self.random.choice(["", "x", " ", ";;", "&"])
            if kind == 2:
                name = self.random.choice([name.upper(), name.lower(), name.title()])
            return "&" + name
        if kind == 3:
            return "&" + "amp;" * self.random.randint(1, 4) + self.random.choice(["lt;", "quot;", "#39;", "eacute", "b"])
        value = self.random.choice([self.random.randint(0, 0xFF), self.random.randint(0, 0x3000),
                                    self.random.randint(0, 0x120000), 0xD800, 0x3B, 0x26, 10 ** 12])
        number = [f"&#{value};", f"&#x{value:x};", f"&#{value}", f"&#X{value:X}"][kind % 4]
        return number + self.random.choice(["", "", "a", "12", ";", "&#;", "&#x;"])

    def references(self):
        parts = [self.random.choice([self.reference, self.reference, lambda: self.words(1, 3)])()
                 for _ in range(self.random.randint(1, 7))]
        if self.random.random() < 0.2:
            parts.insert(self.random.randrange(len(parts) + 1), self.random.choice(["<b>", "<", "a<\n", "\n"]))
        return self.random.choice(["", " "]).join(parts)

    def misread(self, text):
        """`text` in UTF-8, read as something else; as ftfy's sloppy codecs would, or with losses."""
        encoding = self.random.choice(ENCODINGS)
        data = text.encode()
        if self.random.random() < 0.1:  # CESU-8, and Java's zero
            data = text.encode("utf-16-be", "surrogatepass")
            units = [int.from_bytes(data[index:index + 2], "big") for index in range(0, len(data), 2)]
            data = b"".join(b"\xc0\x80" if unit == 0 else chr(unit).encode("utf-8", "surrogatepass") for unit in units)
        if self.random.random() < 0.2:
            data = data.replace(b"\xa0", b" ")
        if self.random.random() < 0.2 and data:
            place = self.random.randrange(len(data))
            data = data[:place] + self.random.choice([b"\x1a", b"?", b" ", b"", b"\xc0\x80", b"\xed\xa0\x80"]) + \
                data[place + 1:]
        result = ""
        for byte in data:
            scalar = bytes([byte]).decode(encoding, "replace")
            if scalar == "\ufffd" and self.random.random() < 0.8:
                scalar = chr(byte)
            result += scalar
        return result

    def mojibake(self):
        text = self.random.choice([self.words, self.script, self.emoji, self.accented, self.scripts])()
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            text = self.misread(text)
        if self.random.random() < 0.3:
            text = self.random.choice([self.words(1, 3), self.script()]) + " " + text
        if self.random.random() < 0.2:
            text += self.random.choice([self.script(), "\n", "\n" + self.script(), "\r\n"])
        return text

    def accented(self):
        return " ".join(self.random.choice(["voilà le travail", "Ã la mode", "fácil às àquela", "“quoted”", "it’s — ok",
                                            "Köln … été", "señor ¿qué?", "naïve œuvre", "Ðỏ ŠŽ", "Άγιος ΌΣΟΣ", "ёлка Ёж"])
                        for _ in range(self.random.randint(1, 3)))

    def soup(self):
        choice = self.random.choice
        return "".join(choice(SOUP) if self.random.random() < 0.75 else choice("ab Z.,?\n ") for _ in
                       range(self.random.randint(1, 30)))

    def controls(self):
        text = list(self.random.choice([self.words, self.script])())
        for _ in range(self.random.randint(1, 6)):
            extra = self.random.choice([
                lambda: chr(self.random.randint(0, 0x1F)), lambda: self.scalar(0x7F, 0x9F),
                lambda: f"\x1b[{self.random.randint(0, 99)};{self.random.choice(['1', '', '٣'])}m", lambda: "\x1b[",
                lambda: self.random.choice("\r\n\u2028\u2029\x85\ufeff\u200d\u200e\u202a\ufff9\ufffc\ufffd\u206a\u206f"),
                lambda: "\r\n", lambda: self.scalar(0xE0000, 0xE007F), lambda: self.scalar(0xFFF0, 0xFFFF)])()
            text.insert(self.random.randrange(len(text) + 1), extra)
        return "".join(text)

    def marks(self):
        text = ""
        for _ in range(self.random.randint(1, 8)):
            text += self.scalar(*self.random.choice([(0x41, 0x7A), (0xC0, 0x17F), (0x370, 0x3FF), (0x915, 0x939), (0x1100, 0x1112),
                                                     (0x3041, 0x3096), (0xAC00, 0xD7A3), (0x11900, 0x11943)]))
            for _ in range(self.random.randint(0, 4)):
                text += self.scalar(*self.random.choice([*MARKS, (0x1161, 0x1175), (0x11A8, 0x11C2)]))
        return text

    def sigma(self):
        return "".join(self.random.choice("ΣσςAaΑα'.\u00ad\u0301\u0345ʰ1 İIıſKÅßẞǅﬁﬅ\u2019:·") for _ in
                       range(self.random.randint(1, 20)))

    def spaces(self):
        return "".join(self.random.choice([lambda: self.random.choice(SPACES), lambda: self.random.choice(WORDS)])()
                       for _ in range(self.random.randint(1, 15)))

    def any(self):
        high = self.random.choice([0xFF, 0x7FF, 0xFFFF, 0x1FFFF, 0x10FFFF])
        return "".join(self.scalar(0, high) for _ in range(self.random.randint(1, 20)))

    def long(self):
        if self.random.random() < 0.2:
            return self.random.choice(["a", "ab", "!", "1", "é", "\u4e00", "aaaaab"]) * self.random.randint(60, 400)
        return " ".join(self.random.choice([self.words, self.words, self.script, self.emoji])() for _ in
                        range(self.random.randint(8, 25)))

    def specials(self):
        parts = [self.random.choice([lambda: self.random.choice(SPECIALS), lambda: self.random.choice(CONTRACTIONS),
                                     lambda: self.random.choice(WORDS), lambda: self.random.choice(SPACES)])()
                 for _ in range(self.random.randint(1, 8))]
        return self.random.choice(["", " "]).join(parts)

    def mixed(self):
        kinds = [self.words, self.script, self.emoji, self.references, self.mojibake, self.soup, self.controls,
                 self.marks, self.specials, self.spaces, self.any]
        return self.random.choice(["", " ", "\n"]).join(self.random.choice(kinds)() for _ in
                                                        range(self.random.randint(2, 4)))


def strings(seed, count):
    maker = Maker(seed)
    kinds = [maker.words, maker.words, maker.script, maker.scripts, maker.emoji, maker.references, maker.references,
             maker.mojibake, maker.mojibake, maker.accented, maker.soup, maker.controls, maker.marks, maker.sigma,
             maker.spaces, maker.any, maker.long, maker.specials, maker.mixed]
    return [kinds[index % len(kinds)]() for index in range(count)]


if __name__ == "__main__":
    seed, count = [*map(int, sys.argv[1:]), 1, 20000][:2] if len(sys.argv) < 3 else map(int, sys.argv[1:3])
    json.dump(strings(seed, count), sys.stdout)
