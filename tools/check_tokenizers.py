"""`clipkit tokenize` beside the libraries themselves, on texts that no fixture holds; part of `tools/test --peers`."""
import json
import subprocess

import make_tokenizer_strings
import reference_tokenizers

SEED, COUNT = 4711, 20_000


def check_dialect(checks, dialect, encode, texts):
    done = subprocess.run(
        [checks.clipkit, "tokenize", "--vocabulary", "standard", "-", "--dialect", dialect, "--json"],
        input=json.dumps(texts), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [entry["ids"] for entry in json.loads(done.stdout)["texts"]]
    assert len(found) == len(texts)
    wrong = [text for text, ours, theirs in zip(texts, found, encode(texts)) if ours != theirs]
    assert not wrong, f"{len(wrong)} of {len(texts)} texts differ, as {wrong[0]!r}"


def planned(checks, seed=SEED, count=COUNT):
    texts = make_tokenizer_strings.strings(seed, count)
    for dialect, encode in reference_tokenizers.references().items():
        yield f"tokenizer {dialect}, {count} texts", check_dialect, checks, dialect, encode, texts
