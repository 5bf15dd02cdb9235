"""`clipkit tokenize` of SigLIP models beside transformers and open_clip, with tokenizers that are trained for the occasion
and the whole character map, on texts that no fixture holds; part of `tools/test --peers`."""
import functools
import json
import pathlib
import shutil
import subprocess

import numpy as np
import safetensors.numpy

import make_fixtures_sentencepiece
import sentencepiece_peers

CHECKPOINTS = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/checkpoints"
SEED, COUNT, VOCABULARY = 815, 20_000, 2048


def add_model(folder, is_open_clip):
    """The weights of a tiny SigLIP beside a tokenizer, with embeddings for all of its tokens."""
    source = CHECKPOINTS / ("openclip-siglip" if is_open_clip else "hf-siglip")
    name = "open_clip_model.safetensors" if is_open_clip else "model.safetensors"
    tensors = safetensors.numpy.load_file(source / name)
    for key, tensor in tensors.items():
        if key.endswith(("token_embedding.weight", "text.positional_embedding", "text_model.embeddings.position_embedding.weight")):
            rows = VOCABULARY if "token_embedding" in key else sentencepiece_peers.CONTEXT
            tensors[key] = np.zeros((rows, tensor.shape[1]), np.float32)
    safetensors.numpy.save_file(tensors, folder / name)
    config = json.loads((source / ("open_clip_config.json" if is_open_clip else "config.json")).read_text())
    if is_open_clip:
        own = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]["text_cfg"]
        config["model_cfg"]["text_cfg"] |= own | {"vocab_size": VOCABULARY}
    else:
        config["text_config"] |= {"vocab_size": VOCABULARY, "max_position_embeddings": sentencepiece_peers.CONTEXT}
        shutil.copy(source / "preprocessor_config.json", folder)
    (folder / ("open_clip_config.json" if is_open_clip else "config.json")).write_text(json.dumps(config))


def tokenize(checks, model, texts):
    done = subprocess.run([checks.clipkit, "tokenize", model, "-", "--json"], input=json.dumps(texts),
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [entry["ids"] for entry in json.loads(done.stdout)["texts"]]


def check_kind(checks, kind, texts):
    """The directory, and a GGUF file by itself."""
    folder = trained(checks.folder / "sentencepiece")
    add_model(folder / kind, sentencepiece_peers.KINDS[kind] is not None)
    alone = folder / f"{kind}.gguf"
    done = subprocess.run([checks.clipkit, "convert", folder / kind, alone], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected, _ = sentencepiece_peers.encoded(folder, texts, kind)
    for model, count in ((folder / kind, len(texts)), (alone, 500)):
        found = tokenize(checks, model, texts[:count])
        wrong = [text for text, ours, theirs in zip(texts, found, expected) if ours != theirs]
        assert not wrong, f"{len(wrong)} of {count} texts differ, as {wrong[0]!r}"


@functools.cache
def trained(folder):
    """Trains the tokenizers, when a check first asks for them."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    make_fixtures_sentencepiece.make(folder, scratch, full=True)
    return folder


def planned(checks, seed=SEED, count=COUNT):
    texts = sentencepiece_peers.texts(seed, count)
    for kind in sentencepiece_peers.KINDS:
        yield f"SentencePiece {kind}, {count} texts", check_kind, checks, kind, texts
