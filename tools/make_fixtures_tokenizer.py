"""Makes Fixtures/tokenizer with open_clip, ftfy and transformers:

    .build/python-peers/bin/python tools/make_fixtures_tokenizer.py

strings.npz   20,000 texts of tools/make_tokenizer_strings.py, and a hash of the 77 ids that each dialect's library gives
cases.json    some more in full, also with the vocabulary of checkpoints/hf-clip and its 16 positions
"""
import hashlib
import io
import json
import pathlib
import struct
import zipfile

import numpy as np

import make_tokenizer_strings
import reference_tokenizers

TARGET = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/tokenizer"
COUNT = 20_000
# What was found to differ between libraries, or between them and a plain reading of their recipes.
SPECIAL_CASES = [
    "", " ", "a photo of a cat", "A DOG", "it's 'S", "&amp;amp; &lt;b&gt;", "“quoted”", "ﬁ ligature ＦＵＬＬ", "café",
    "cafe\u0301", "mÃ©tÃ©o", "😀 12345 3.14", "don't we'll", "日本語", "İstanbul ΣΊΣΥΦΟΣ", "x²", "①②", "'\u017f", "a\x1cb",
    "this is a test string of text", "a <|endoftext|> b", "a<|ENDOFTEXT|>b", "<start_of_text>cat<end_of_text>",
    "<\u017ftart_of_text>", "<|ENDOFTEXT|>>", "\u0345a\u0345b", "<b>&eacute;</b>\n&eacute;", "&notit; &notin; &NOTIT",
    "\xed\xa0\xbd\xed\xb8\x80", "\xc0\x80", "Ã la mode", "voilÃ le travail", "â€œ like this â€\ufffd", "sÃ³ &#x80; &#59;",
    "&#xD800; &#1114112; &#0; &#11;", "\x1b[36;44mblue\x1b[0m", "ｱｲｳ ﾊﾟ", "ŉ Ǆ ǆ Ĳ", "q\u0898\u0334", "\U00011935\U00011930",
    "<|endoftext|>", "x" * 500, "ab " * 200, "\u1100\u1161\u11a8", "&" + "amp;" * 60, "a\r\nb\rc\u2028d\x85e"]


def fingerprint(ids):
    """The first four bytes of the SHA-256 of ids as 32-bit integers."""
    return int.from_bytes(hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).digest()[:4], "little")


def save(path, arrays):
    """Deflated, with times that do not change."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, array)
            entry = zipfile.ZipInfo(name + ".npy")
            archive.writestr(entry, data.getvalue(), zipfile.ZIP_DEFLATED, 9)


def unpadded(ids):
    """Ids without what repeats the last, of which one stays."""
    end = len(ids)
    while end > 1 and ids[end - 2] == ids[-1]:
        end -= 1
    return ids[:end]


def main():
    TARGET.mkdir(exist_ok=True)
    references = reference_tokenizers.references()
    texts = make_tokenizer_strings.strings(20260101, COUNT)
    data = [text.encode() for text in texts]
    save(TARGET / "strings.npz", {
        "text": np.frombuffer(b"".join(data), np.uint8),
        "length": np.array([len(text) for text in data], np.int32),
        **{name: np.array([fingerprint(ids) for ids in encode(texts)], np.uint32) for name, encode in references.items()}})
    cases = SPECIAL_CASES + make_tokenizer_strings.strings(7, 152)
    small = reference_tokenizers.hugging_face(TARGET.parent / "checkpoints/hf-clip")
    references["hf-clip"] = lambda texts: reference_tokenizers.padded(small, texts, 16)
    rows = zip(cases, *([unpadded(ids) for ids in encode(cases)] for encode in references.values()))
    lines = [json.dumps(dict(zip(["text", *references], row))) for row in rows]
    (TARGET / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


main()
