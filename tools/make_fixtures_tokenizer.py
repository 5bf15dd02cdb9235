"""Makes Fixtures/tokenizer with open_clip, ftfy and transformers:

    .build/python-peers/bin/python tools/make_fixtures_tokenizer.py

strings.npz   20,000 texts of tools/make_tokenizer_strings.py, and a hash of the 77 ids that each dialect's library gives
cases.json    some more in full, also with the vocabulary of checkpoints/hf-clip and its 16 positions
special-tokens.json   files that name other special tokens, and the ids that follow
"""
import hashlib
import io
import json
import pathlib
import shutil
import struct
import tempfile
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


CLIP = {"tokenizer_class": "CLIPTokenizer", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}


def token(index, content, **flags):
    return {"id": index, "content": content, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False} | flags


# What the files of a directory say of special tokens: added_tokens of tokenizer.json if any, and tokenizer_config.json.
SPECIAL_TOKENS = {
    "padding with a token of text": (None, CLIP | {"pad_token": "!"}),
    "padding in an object": (None, CLIP | {"pad_token": {"content": "!", "__type": "AddedToken", "normalized": False}}),
    "found after cleaning": ([token(526, "<|startoftext|>", normalized=True), token(527, "<|endoftext|>", normalized=True)],
                             CLIP),
    "padding behind the vocabulary": ([token(526, "<|startoftext|>"), token(527, "<|endoftext|>"), token(528, "<pad>")],
                                      CLIP | {"pad_token": "<pad>"}),
}
SPECIAL_TEXTS = ["a cat! hi!!", "A <|ENDOFTEXT|> b", "a<|endoftext|>b", "<pad> <PAD>", "a photo of cats and the dog in it"]


def special_tokens():
    """Ids with the vocabulary of checkpoints/hf-clip under what SPECIAL_TOKENS say."""
    source, cases = TARGET.parent / "checkpoints/hf-clip", {}
    for name, (added, config) in SPECIAL_TOKENS.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "tokenizer_config.json").write_text(json.dumps(config))
            if added:
                model = {"type": "BPE", "vocab": json.loads((source / "vocab.json").read_text()),
                         "merges": (source / "merges.txt").read_text().splitlines()[1:], "end_of_word_suffix": "</w>"}
                (folder / "tokenizer.json").write_text(json.dumps(
                    {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                     "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}))
            else:
                for file in ("vocab.json", "merges.txt"):
                    shutil.copy(source / file, folder)
            ids = reference_tokenizers.padded(reference_tokenizers.hugging_face(folder), SPECIAL_TEXTS, 16)
        cases[name] = {"added_tokens": added, "tokenizer_config": config, "texts": SPECIAL_TEXTS, "ids": ids}
    (TARGET / "special-tokens.json").write_text(json.dumps(cases, indent=1).replace("\n     ", "") + "\n")


main()
special_tokens()
