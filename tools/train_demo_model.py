#!/usr/bin/env python3
"""Trains the small CLIP of Fixtures/models/emoji-clip on emoji, and says honestly what it can do.

    tools/train_demo_model.py WORK [--steps N] [--minutes M]   trains, or goes on where WORK's checkpoint ends
    tools/train_demo_model.py WORK --export DIR                writes the Hugging Face directory, its log and its figures

Run it with the Python of tools/setup --peers. It needs four more Debian packages: fonts-noto-color-emoji, fonts-symbola,
unicode-cldr-core and ruby-gemojione (tools/emoji_data.py says for what). Two idle cores take about an hour and a half, a
GPU is used where there is one. Beside other work, OMP_WAIT_POLICY=passive helps much. A step's pictures and captions
follow from the seed and its number, so an interrupted run goes on with the same ones.
"""
import argparse
import copy
import csv
import itertools
import json
import math
import pathlib
import random
import time
from concurrent.futures import ThreadPoolExecutor

import tiny_models  # noqa: F401  makes a torchvision without its operators usable
import torch
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

import emoji_augment
import emoji_data as data
import emoji_figures as figures

SEED = 4
MERGES = 5630
BATCH, WARMUP, RATE, DECAY = 128, 100, 1e-3, 0.1
MATRIX_RATE = 0.02  # of Muon, which learns the layers' matrices in a third of the steps that AdamW took here
INKED = 0.2  # of the pictures that Symbola knows are its drawing
SHOWN = 0.5  # of a picture's patches in a training step, but all of them in the last steps
PART = 32  # pictures on a thread
WHOLE = 0.15  # of the steps, the last ones
EMA = 0.998
EASY, RAMP = 0.2, 0.5  # strength of augmentation at first, and the part of the steps until it is full
PROJECTION = 128
VISION = {"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 3,
          "image_size": emoji_augment.SIZE, "patch_size": 8, "hidden_act": "quick_gelu", "projection_dim": PROJECTION}
TEXT = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 2,
        "max_position_embeddings": 77, "hidden_act": "quick_gelu", "projection_dim": PROJECTION}
ROOT = pathlib.Path(__file__).resolve().parent.parent


def write_tokenizer(directory):
    """The first MERGES of CLIP's merges with the vocabulary that they imply; returns its size."""
    directory.mkdir(parents=True, exist_ok=True)
    merges = (ROOT / "Sources/CTokenizer/merges.txt").read_text().splitlines()[:MERGES]
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    symbols = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    tokens = symbols + [symbol + "</w>" for symbol in symbols] + [merge.replace(" ", "") for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    start, end = tokens[-2:]
    special = {"bos_token": start, "eos_token": end, "pad_token": end, "unk_token": end}
    write_json(directory / "vocab.json", {token: index for index, token in enumerate(tokens)})
    (directory / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    write_json(directory / "special_tokens_map.json", special)
    write_json(directory / "tokenizer_config.json", {
        **special, "do_lower_case": True, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})
    write_json(directory / "preprocessor_config.json", {
        "crop_size": {"height": emoji_augment.SIZE, "width": emoji_augment.SIZE}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": emoji_augment.MEAN.double().numpy().round(8).tolist(),
        "image_processor_type": "CLIPImageProcessor", "image_std": emoji_augment.STD.double().numpy().round(8).tolist(),
        "resample": 3, "rescale_factor": 1 / 255, "size": {"shortest_edge": emoji_augment.SIZE}})
    return len(tokens)


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def make_model(words):
    torch.manual_seed(SEED)
    ends = {"vocab_size": words, "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
    model = CLIPModel(CLIPConfig(text_config={**TEXT, **ends}, vision_config=VISION, projection_dim=PROJECTION))
    start_vision(model.vision_model)
    return model


@torch.no_grad()
def start_vision(vision):
    """Begins where trained ViTs tend to end, which few pictures teach slowly: positions that know rows and columns, and
    attention to what is alike (Trockman and Kolter, "Mimetic Initialization of Self-Attention Layers", 2023)."""
    width, heads = VISION["hidden_size"], VISION["num_attention_heads"]
    side, quarter, each = emoji_augment.SIZE // VISION["patch_size"], width // 4, width // heads
    angles = torch.arange(side)[:, None] / 100 ** (torch.arange(quarter) / quarter)
    waves = torch.cat([angles.sin(), angles.cos()], 1) / 2
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    vision.embeddings.position_embedding.weight[1:] = torch.cat([rows, columns], 2).flatten(0, 1)
    vision.embeddings.patch_embedding.weight.normal_(0, 0.7 / math.sqrt(3 * VISION["patch_size"] ** 2))
    for layer in vision.encoder.layers:
        attention = layer.self_attn
        left, values, right = near_identity(width, -0.4, 0.4)
        attention.v_proj.weight.copy_((right.T * values.sqrt()).T)
        attention.out_proj.weight.copy_(left * values.sqrt())
        for head in range(heads):
            left, values, right = near_identity(width, 0.7, 0.7)
            part, root = slice(head * each, (head + 1) * each), values[:each].sqrt()
            attention.q_proj.weight[part] = (left[:, :each] * root).T
            attention.k_proj.weight[part] = (right[:each].T * root).T


def near_identity(width, scale, noise):
    """Singular vectors and values of a multiple of the identity with noise."""
    return torch.linalg.svd(scale * torch.eye(width) + noise * torch.randn(width, width) / math.sqrt(width))


def image_embeddings(model, pixels, shown=None):
    """Of [N, 3, S, S]; of only the patches in the rows of `shown` [N, K], counted from 1, if there are any (as FLIP trains)."""
    vision = model.vision_model
    tokens = vision.embeddings(pixels)
    if shown is not None:
        rows = torch.cat([torch.zeros_like(shown[:, :1]), shown], 1)
        tokens = tokens.gather(1, rows[..., None].expand(-1, -1, tokens.shape[2]))
    tokens = vision.encoder(inputs_embeds=vision.pre_layrnorm(tokens)).last_hidden_state
    return functional.normalize(model.visual_projection(vision.post_layernorm(tokens[:, 0])).float(), dim=-1)


def text_embeddings(model, ids):
    return functional.normalize(model.get_text_features(input_ids=ids).pooler_output.float(), dim=-1)


class Batches:
    """What step n trains on; it follows from the seed and n."""

    def __init__(self, concepts, textures, tokenizer):
        self.concepts = [concept for concept in concepts if not concept.held_out]
        self.textures, self.tokenizer = textures, tokenizer
        self.places, self.colours = emoji_augment.parts(textures)
        self.per_epoch = len(self.concepts) // BATCH

    def __call__(self, step, steps):
        strength = strength_at(step, steps)
        epoch, place = divmod(step, self.per_epoch)
        order = list(range(len(self.concepts)))
        random.Random(f"{SEED} order {epoch}").shuffle(order)
        chosen = [self.concepts[index] for index in order[place * BATCH:(place + 1) * BATCH]]
        dice, generator = random.Random(f"{SEED} step {step}"), torch.Generator().manual_seed(SEED << 32 | step)
        # One kind of caption a step, so that few steps pay for long texts.
        kind = {3: "long", 7: "korean"}.get(step % 8, "short")
        texts, meanings = zip(*(data.caption(concept, kind, dice) for concept in chosen))
        limit = 32 if kind == "short" else 77
        ids = self.tokenizer(list(texts), padding="longest", truncation=True, max_length=limit, return_tensors="pt").input_ids
        inked = torch.tensor([concept.ink is not None and dice.random() < INKED for concept in chosen])
        views = torch.tensor([c.ink if ink else dice.choice(c.views) for c, ink in zip(chosen, inked.tolist())])
        mirrors, keeps_hue = (torch.tensor([getattr(c, name) for c in chosen]) for name in ("mirrors", "keeps_hue"))
        pixels = emoji_augment.augment(self.textures[views], self.places[views], self.colours[views], mirrors, keeps_hue,
                                       inked, strength, generator)
        # A caption that is true of another picture too is not held against it.
        also = torch.tensor([[said <= concept.terms for said in meanings] for concept in chosen])
        shown = None
        if step < steps * (1 - WHOLE):
            patches = (emoji_augment.SIZE // VISION["patch_size"]) ** 2
            shown = torch.rand(len(chosen), patches, generator=generator).argsort(1)[:, :round(patches * SHOWN)] + 1
        return pixels, ids, also & ~torch.eye(len(chosen), dtype=torch.bool), shown


def rate_at(step, steps):
    """The part of the highest rates that is in force."""
    return min(1, (step + 1) / WARMUP) * (0.01 + 0.99 * (1 + math.cos(math.pi * min(1, step / steps))) / 2)


def strength_at(step, steps):
    """Of the augmentation: pictures that are too hard at the beginning teach nothing for long."""
    return min(1.0, EASY + (1 - EASY) * step / (RAMP * steps))


class Training:
    def __init__(self, work, steps):
        self.work, self.steps, self.step, self.rows, self.losses = work, steps, 0, [], []
        words = write_tokenizer(work / "tokenizer")
        self.tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
        self.concepts, self.textures = data.load()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = make_model(words).to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        named = list(self.model.named_parameters())
        matrices = [p for name, p in named if p.ndim == 2 and ".layers." in name]
        large = [p for name, p in named if p.ndim > 1 and not (p.ndim == 2 and ".layers." in name)]
        small = [p for _, p in named if p.ndim <= 1]
        self.muon = torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=DECAY)
        self.adam = torch.optim.AdamW([{"params": large, "weight_decay": DECAY}, {"params": small, "weight_decay": 0}],
                                      lr=RATE, betas=(0.9, 0.98), eps=1e-6)
        if (work / "checkpoint.pt").exists():
            self.read()

    def read(self):
        saved = torch.load(self.work / "checkpoint.pt", map_location=self.device, weights_only=True)
        self.step, self.rows, self.losses = saved["step"], saved["rows"], saved.get("losses", [])
        for name in ("model", "average", "muon", "adam"):
            getattr(self, name).load_state_dict(saved[name])
        print(f"going on from step {self.step}", flush=True)

    def write(self):
        saved = {name: getattr(self, name).state_dict() for name in ("model", "average", "muon", "adam")}
        saved |= {name: getattr(self, name) for name in ("step", "rows", "losses")}
        torch.save(saved, self.work / "checkpoint.new")
        (self.work / "checkpoint.new").replace(self.work / "checkpoint.pt")
        with open(self.work / "log.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, figures.COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)

    def prepare(self, step):
        self.upcoming = self.preparing.submit(self.batches, step, self.steps)

    def forward(self, function, *inputs):
        with torch.autocast(self.device, torch.bfloat16):
            return function(self.model, *(part if part is None else part.to(self.device) for part in inputs))

    def train_step(self):
        pixels, ids, also, shown = self.upcoming.result()
        self.prepare(self.step + 1)
        rate = rate_at(self.step, self.steps)
        for optimizer, highest in ((self.muon, MATRIX_RATE), (self.adam, RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * highest
        # Parts of a batch on a thread each use two cores better than threads within an operation.
        kept = itertools.repeat(None) if shown is None else shown.split(PART)
        parts = [self.pool.submit(self.forward, text_embeddings, ids)]
        parts += [self.pool.submit(self.forward, image_embeddings, *part) for part in zip(pixels.split(PART), kept)]
        parts = [part.result() for part in parts]
        self.model.zero_grad()
        texts, *images = (part.detach().requires_grad_() for part in parts)
        logits = self.model.logit_scale.exp() * torch.cat(images) @ texts.T
        logits = logits.masked_fill(also.to(self.device), -1e4)
        target = torch.arange(len(logits), device=self.device)
        loss = (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
        loss.backward()
        for part in [self.pool.submit(a.backward, b.grad) for a, b in zip(parts, [texts, *images])]:
            part.result()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.muon.step()
        self.adam.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(100))
            keep = min(EMA, (self.step + 1) / (self.step + 20))
            for mean, now in zip(self.average.parameters(), self.model.parameters()):
                mean.lerp_(now, 1 - keep)
        self.step += 1
        return loss.item()

    def validate(self):
        held, trained = figures.validation(self.average, self.tokenizer, self.concepts, self.textures)
        self.rows.append({"epoch": self.step // self.batches.per_epoch, "step": self.step,
                          "loss": round(sum(self.losses) / len(self.losses), 4),
                          "rate": round(RATE * rate_at(self.step, self.steps), 7),
                          "scale": round(self.model.logit_scale.exp().item(), 2), "trained_top5": round(trained[5], 4),
                          "held_out_top1": round(held[1], 4), "held_out_top5": round(held[5], 4)})
        self.losses = []
        print(self.rows[-1], flush=True)

    def run(self, minutes):
        self.batches = Batches(self.concepts, self.textures, self.tokenizer)
        threads = torch.get_num_threads() if self.device == "cpu" else 1
        torch.set_num_threads(1)
        alone = {"initializer": torch.set_num_threads, "initargs": (1,)}
        self.pool, self.preparing = ThreadPoolExecutor(threads, **alone), ThreadPoolExecutor(1, **alone)
        self.prepare(self.step)
        started = written = time.monotonic()
        while self.step < self.steps and time.monotonic() - started < minutes * 60:
            self.losses.append(self.train_step())
            if self.step % (10 * self.batches.per_epoch) == 0 or self.step == self.steps:
                self.validate()
            if time.monotonic() - written > 60:
                written = time.monotonic()
                print(f"step {self.step}, {(written - started) / 60:.1f} minutes", flush=True)
                self.write()
        self.write()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=6000, help="the length of the schedule")
    parser.add_argument("--minutes", type=float, default=600, help="stop after these, to go on later")
    parser.add_argument("--export", type=pathlib.Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    training = Training(options.work, options.steps)
    if options.export:
        write_tokenizer(options.export)
        copy.deepcopy(training.average).half().save_pretrained(options.export)
        (options.export / "model.safetensors").chmod(0o644)
        figures.report(options.export, training.rows, training.concepts, training.textures, training.average)
    else:
        training.run(options.minutes)


if __name__ == "__main__":
    main()
