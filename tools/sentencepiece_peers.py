"""Texts, and the ids that transformers and open_clip make of them with a SentencePiece tokenizer of each kind."""
import pathlib
import random
import unicodedata

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/tokenizer/sentencepiece"
# By folder: whether open_clip's cleaning comes first, and which.
KINDS = {
    "siglip": None, "siglip-bytes": None, "t5": "canonicalize", "backend": "whitespace", "gemma": "canonicalize",
    "siglip2": None}
CONTEXT = 64

WORDS = "a photo of the small digit letter with greek cyrillic sign arrow syllable two dogs İstanbul ΣΊΣΥΦΟΣ ΑΣ, naïve".split()
SNIPPETS = [
    " ", "  ", "\t", "\n", "\n\n", "\r\n", "\u00a0", "\u3000", "\u200b", "\u2581", "\u2581\u2581", "</s>", "<unk>", "<pad>",
    "<eos>", "<bos>", " </s> ", "<mask>", "[MASK]", "ＡＢ", "<0x41>", "<extra_id_0>", "_", "__init__", "'s", "...", "!?",
    "ﬁ", "e\u0301", "o\u0302\u0301", "カ\u3099", "\u1112\u1161\u11ab", "각", "½", "①", "™", "…", "ＦＵＬＬ", "\u00ad", "\u0001",
    "\u001c", "\u0085", "\u2028", "\u0000", "\ufeff", "👩\u200d👩\u200d👧", "🇩🇪", "✊🏽", "1️⃣", "&amp;", "&lt;b&gt;", "mÃ©tÃ©o",
    "A\u0345", "ǅ", "ß", "ẞ", "ﬃ\u0301", "\u0915\u094d\u0937", "\u0e33", "\U0001d400", "\u0300", "\ud7ff", "\U0010ffff"]
BLOCKS = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
    (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x218F), (0x2460, 0x24FF), (0x3040, 0x30FF),
    (0x3300, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFEF),
    (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1F100, 0x1F6FF), (0, 0x1F), (0x10000, 0x2FFFF), (0x80, 0xD7FF)]


def texts(seed, count):
    """Captions, names, runs of one script and of all, controls, spaces, special tokens, very long ones. All characters
    are ones that every library's Unicode knows: newer letters have no case in some."""
    pick = random.Random(seed)

    def character():
        while True:
            c = chr(pick.randint(*pick.choice(BLOCKS)))
            if unicodedata.category(c) not in ("Cs", "Cn"):
                return c

    def script():
        low, high = pick.choice(BLOCKS)
        found = (chr(pick.randint(low, high)) for _ in range(pick.randint(1, 24)))
        return "".join(c for c in found if unicodedata.category(c) not in ("Cs", "Cn"))

    def words():
        chosen = [pick.choice(WORDS) for _ in range(pick.randint(1, 9))]
        return pick.choice([" ", " ", "  ", "-", "_", ""]).join(pick.choice([str, str.upper, str.title])(w) for w in chosen)

    def name():
        return unicodedata.name(character(), "none").lower()

    parts = [words, words, name, script, lambda: pick.choice(SNIPPETS), lambda: pick.choice(SNIPPETS), character,
             lambda: str(pick.randint(0, 10 ** 9)), lambda: pick.choice(SNIPPETS) * pick.randint(2, 5)]
    result = ["", " ", "a", "\u2581", "</s>", "a </s>", "a photo of a cat"]
    while len(result) < count:
        length = pick.choice([1, 1, 2, 2, 3, 4, 6]) if len(result) % 50 else pick.randint(20, 60)
        result.append("".join(pick.choice(parts)() for _ in range(length)))
    return result


def encoded(folder, inputs, kind):
    """What transformers makes of texts: padded ids, and a mask that tells the padding."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / kind)
    texts = [cleaned(text, kind) for text in inputs]
    batch = tokenizer(texts, max_length=CONTEXT, padding="max_length", truncation=True)
    return batch["input_ids"], batch["attention_mask"]


def expected(folder, inputs):
    """Rows of a text and its ids by each kind, padding left out: [text, [ids], …]. Left padding is marked by a null."""
    columns = []
    for kind in KINDS:
        rows = zip(*encoded(folder, inputs, kind))
        columns.append([[i for i, m in zip(ids, mask) if m] + ([None] if mask[0] == 0 else []) for ids, mask in rows])
    return [[text, *row] for text, row in zip(inputs, zip(*columns))]


def cleaned(text, kind):
    if KINDS[kind] is None:
        return text
    from open_clip.tokenizer import get_clean_fn
    return get_clean_fn(KINDS[kind])(text)
