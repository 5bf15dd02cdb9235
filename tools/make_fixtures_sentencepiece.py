"""Makes Fixtures/tokenizer/sentencepiece: small SentencePiece tokenizers as SigLIP models have them, trained by the
sentencepiece library, and the ids that transformers and open_clip make with them.

Usage: tools/make_fixtures_sentencepiece.py [--models DIRECTORY]   (an environment with sentencepiece and transformers)
With --models only the tokenizers are made, with the full character map, which is too large to keep.
"""
import argparse
import json
import pathlib
import random
import shutil
import sys
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from sentencepiece_peers import FOLDER, KINDS, expected, texts  # noqa: E402

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from transformers.tokenization_utils_base import generate_merges

SEED = 20261124
# A few kinds of rules of NFKC: one to one, to more, from more, to a space, to nothing.
RULES = [(c, unicodedata.normalize("NFKC", chr(c))) for c in
         [*range(0xFF01, 0xFF5F), 0xFB00, 0xFB01, 0xFB02, 0x2122, 0x2460, 0x00BD, 0x00AA, 0x2026, 0x3000, 0x00A0, 0x2003]]
SEQUENCES = [("e\u0301", "é"), ("u\u0308", "ü"), ("o\u0302\u0301", "ố"), ("\u30AB\u3099", "ガ"), ("A\u030A", "Å")]


def corpus():
    """Names of characters as captions, and the characters: the same in every Python of one Unicode version."""
    random.seed(SEED)
    lines = []
    for code in range(0x20, 0x2FFFF):
        name = unicodedata.name(chr(code), "")
        if not name or name.startswith("CJK UNIFIED") and code % 97:
            continue
        text = f"a photo of a {name.lower()}." if code % 3 else name.title().replace("-", " ")
        lines.append(text + (f" {chr(code)}" if code % 5 == 0 or code < 0x500 else ""))
    return random.sample(lines, 9000)


def rules(folder):
    path = folder / "rules.tsv"
    rows = [(f"{code:04X}", to) for code, to in RULES]
    rows += [(" ".join(f"{ord(c):04X}" for c in text), to) for text, to in SEQUENCES]
    rows += [("0009", " "), ("000A", " "), ("000D", " "), ("200B", " "), ("00AD", ""), ("0001", "")]
    path.write_text("".join(f"{a}\t{' '.join(f'{ord(c):04X}' for c in to)}\n" for a, to in rows))
    return path


def train(folder, name, **options):
    path = folder / "corpus.txt"
    path.write_text("\n".join(corpus()))
    defaults = dict(
        input=str(path), model_prefix=str(folder / name), num_threads=1, seed_sentencepiece_size=20000,
        hard_vocab_limit=False, minloglevel=2)
    spm.SentencePieceTrainer.train(**defaults | options)
    return (folder / f"{name}.model").read_bytes()


def without_samples(data):
    """The trainer writes paths and its version; models need neither."""
    model = proto.ModelProto.FromString(data)
    del model.trainer_spec.input[:]
    model.trainer_spec.ClearField("model_prefix")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model


def token(content, special=True, strips=False):
    return dict(content=content, lstrip=strips, normalized=False, rstrip=strips, single_word=False, special=special)


def save(folder, name, config, data=None, tokenizer=None, open_clip=None, model_type=None):
    folder = folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False))
    if data:
        (folder / "spiece.model").write_bytes(data)
    if tokenizer:
        text = json.loads(tokenizer.to_str())
        (folder / "tokenizer.json").write_text(json.dumps(text, ensure_ascii=False, separators=(",", ":")))
    if open_clip is not None:
        config = dict(embed_dim=8, vision_cfg={}, text_cfg=dict(
            context_length=64, vocab_size=4096, hf_tokenizer_name="x", tokenizer_kwargs=open_clip))
        (folder / "open_clip_config.json").write_text(json.dumps(dict(model_cfg=config)))


def unigram_json(model, charsmap):
    pieces = [(p.piece, p.score) for p in model.pieces]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap), normalizers.Strip(left=False, right=True),
        normalizers.Replace(Regex_spaces, "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)])
    return tokenizer


from tokenizers import AddedToken, Regex  # noqa: E402

Regex_spaces = Regex(" {2,}")


def make(folder, scratch, full):
    """All tokenizers of `KINDS`."""
    t5 = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>")
    norm = dict(normalization_rule_name="nmt_nfkc") if full else dict(normalization_rule_tsv=str(rules(scratch)))
    size = 1500 if full else 700
    data = train(scratch, "unigram", model_type="unigram", vocab_size=size, character_coverage=0.98, **t5, **norm)
    model = without_samples(data)
    added = {"0": token("<pad>"), "1": token("</s>", strips=True), "2": token("<unk>", strips=True)}
    siglip = dict(
        tokenizer_class="SiglipTokenizer", do_lower_case=True, eos_token="</s>", unk_token="<unk>", pad_token="</s>",
        model_max_length=64, added_tokens_decoder={"1": added["1"], "2": added["2"]}, sp_model_kwargs={})
    save(folder, "siglip", siglip, model.SerializeToString())
    plain = unigram_json(model, model.normalizer_spec.precompiled_charsmap)
    plain.add_special_tokens([AddedToken(t, normalized=False) for t in ("<pad>", "</s>", "<unk>")])
    config = dict(tokenizer_class="T5Tokenizer", extra_ids=0, eos_token="</s>", unk_token="<unk>", pad_token="</s>",
                  model_max_length=64, added_tokens_decoder={k: token(v["content"]) for k, v in added.items()})
    save(folder, "t5", config, tokenizer=plain, open_clip=dict(clean="canonicalize"))
    config = dict(config, tokenizer_class="PreTrainedTokenizerFast")
    save(folder, "backend", config, tokenizer=plain, open_clip=dict())

    # Bytes instead of unknown characters, and a piece that nothing may cut or change.
    data = train(scratch, "bytes", model_type="unigram", vocab_size=size, byte_fallback=True, character_coverage=0.98,
                 user_defined_symbols=["[MASK]", "ＡＢ", "\u2581photo"], **t5, **norm)
    save(folder, "siglip-bytes", dict(siglip, do_lower_case=False), without_samples(data).SerializeToString())

    # As Gemma's: byte pairs, text as it is.
    data = train(scratch, "pairs", model_type="bpe", vocab_size=size, byte_fallback=True, character_coverage=0.98,
                 normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
                 split_digits=True, allow_whitespace_only_pieces=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
                 pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>",
                 user_defined_symbols=["<mask>", "\n\n", "\u2581\u2581"])
    model = without_samples(data)
    vocab = {p.piece: i for i, p in enumerate(model.pieces)}
    merges = generate_merges(vocab, {p.piece: p.score for p in model.pieces})
    tokenizer = Tokenizer(BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing(single=["$A", "<eos>"], special_tokens=[("<eos>", 1)])
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in names])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in ("\n\n", "▁▁")])
    config = dict(
        tokenizer_class="GemmaTokenizer", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>",
        mask_token="<mask>", add_bos_token=False, add_eos_token=True, padding_side="right", model_max_length=64,
        added_tokens_decoder={str(vocab[t]): token(t, t in names) for t in [*names, "\n\n", "▁▁"]})
    save(folder, "gemma", config, tokenizer=tokenizer, open_clip=dict(clean="canonicalize"))
    config = dict(config, tokenizer_class="Siglip2Tokenizer")
    del config["padding_side"], config["add_bos_token"], config["add_eos_token"]
    save(folder, "siglip2", config, tokenizer=tokenizer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=pathlib.Path)
    models = parser.parse_args().models
    folder = models or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    make(folder, scratch, full=models is not None)
    shutil.rmtree(scratch)
    if models is None:
        rows = expected(FOLDER, texts(SEED, 450))
        lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        (FOLDER / "expected.jsonl").write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
