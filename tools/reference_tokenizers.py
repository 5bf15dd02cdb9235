"""CLIP's tokenizers as the real libraries have them; needs open_clip (with ftfy and regex) and transformers."""
import json
import pathlib
import tempfile

import open_clip.tokenizer
import regex
import transformers


class OpenAITokenizer(open_clip.tokenizer.SimpleTokenizer):
    """OpenAI's, from which open_clip's stems: its own special tokens, and `\\s+` where open_clip splits and joins."""

    def __init__(self):
        super().__init__()
        spellings = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
        self.encoder = {spellings.get(token, token): index for token, index in self.encoder.items()}
        self.cache = {token: token for token in spellings.values()}
        special = "|".join(map(regex.escape, spellings.values()))
        ours = self.pat.pattern.removeprefix("<start_of_text>|<end_of_text>")
        assert ours != self.pat.pattern
        self.pat = regex.compile(special + ours, regex.IGNORECASE)
        self.clean_fn = self.clean

    @staticmethod
    def clean(text):
        return regex.sub(r"\s+", " ", open_clip.tokenizer.basic_clean(text)).strip().lower()


def vocabulary():
    """Tokens by id, and merges, as transformers spells them."""
    tokenizer = OpenAITokenizer()
    ranks = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
    return tokenizer.encoder, [" ".join(merge) for merge in ranks]


def hugging_face(directory=None):
    """transformers' fast tokenizer of a directory, or of CLIP's own vocabulary."""
    if directory:
        return transformers.CLIPTokenizerFast.from_pretrained(directory)
    with tempfile.TemporaryDirectory() as name:
        tokens, merges = vocabulary()
        place = pathlib.Path(name)
        (place / "vocab.json").write_text(json.dumps(tokens))
        (place / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
        return transformers.CLIPTokenizerFast.from_pretrained(name)


def padded(tokenizer, texts, length=77):
    """Ids of a fast tokenizer, truncated and padded to the context."""
    return tokenizer(texts, padding="max_length", truncation=True, max_length=length).input_ids


def references():
    """For each dialect what makes rows of 77 ids from texts."""
    openai, open_clip_tokenizer, fast = OpenAITokenizer(), open_clip.tokenizer.SimpleTokenizer(), hugging_face()
    return {
        "openai": lambda texts: openai(texts).tolist(),
        "open_clip": lambda texts: open_clip_tokenizer(texts).tolist(),
        "hf": lambda texts: padded(fast, texts),
    }
