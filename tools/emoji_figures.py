"""What a CLIP makes of emoji it was trained on and of others: zero-shot accuracy, retrieval, and the training's plot."""
import csv

import tiny_models  # noqa: F401  makes a torchvision without its operators usable
import torch
from torch.nn import functional
from transformers import AutoImageProcessor, CLIPModel, CLIPTokenizer
from transformers.image_utils import load_image

import emoji_augment as augment
import emoji_data as data

CARD = """# emoji-clip

A small CLIP ({parameters} parameters, f16) that `tools/train_demo_model.py` trained on pictures of {concepts} emoji. It is
there to be converted, quantized and measured with weights that mean something; the figures below say how little it sees.
`CLIPModel` and `CLIPProcessor` of transformers load this directory.

A fifth of the concepts was kept out of training, in every style; EmojiOne's pictures, by another artist, were kept out
altogether. Noto Color Emoji, whose style the figures call its own, was shown most, Symbola's drawings in ink beside it. The
figures are of these weights as they are here, with the prompt "{prompt}":

| pictures (how many, of how many candidates) | measure | value | chance |
|---|---|---|---|
{table}

Rounding the weights to f16 moved no embedding of a picture or a name further than to a cosine of {agreement}.
`training.csv` and `training.svg` show the training: its loss, and validation in its own style, of the running mean of the
weights. `figures.csv` holds the table above.

## Sources and licences

- The weights, Apache-2.0 as the rest of this repository. They were trained on bitmaps of Noto Color Emoji (Debian's
  fonts-noto-color-emoji 2.042, Copyright Google Inc., SIL Open Font License 1.1) and glyphs of Symbola (Debian's
  fonts-symbola 2.60, Copyright George Douros, free for any use), with names and keywords in English and Korean of the
  Unicode CLDR (Debian's unicode-cldr-core 41, Copyright Unicode, Inc., Unicode-DFS-2016).
- `merges.txt` and `vocab.json`: the beginning of the byte-pair merges of OpenAI's CLIP, Copyright (c) 2021 OpenAI, MIT;
  `Sources/CTokenizer/README.md` has the licence.
- EmojiOne's pictures (ruby-gemojione 3.3.0) are only what the figures of the unseen style were measured on.
"""
COLUMNS = ["epoch", "step", "loss", "rate", "scale", "trained_top5", "held_out_top1", "held_out_top5"]


@torch.no_grad()
def embed(model, tokenizer, concepts, pixels):
    """Unit rows of pictures and of the concepts' names in one template."""
    device = model.logit_scale.device
    images = torch.cat([model.get_image_features(pixel_values=part.to(device)).pooler_output for part in pixels.split(128)])
    names = [data.PROMPT.format(concept.name) for concept in concepts]
    ids = tokenizer(names, padding="longest", truncation=True, max_length=77, return_tensors="pt").input_ids
    texts = torch.cat([model.get_text_features(input_ids=part.to(device)).pooler_output for part in ids.split(256)])
    return functional.normalize(images.float(), dim=-1), functional.normalize(texts.float(), dim=-1)


def top(images, texts, truth, counts=(1, 5)):
    """{k: how often the true row of `texts` is among the k nearest}"""
    ranks = (images @ texts.T).argsort(dim=1, descending=True)
    hits = ranks == truth[:, None].to(ranks.device)
    return {k: hits[:, :k].any(1).float().mean().item() for k in counts}


def validation(model, tokenizer, concepts, textures):
    """Top-1 and top-5 among all concepts, in the style of training: of those held out, and of every fourth trained one."""
    held = torch.tensor([index for index, concept in enumerate(concepts) if concept.held_out])
    trained = torch.tensor([index for index, concept in enumerate(concepts) if not concept.held_out][::4])
    chosen = torch.cat([held, trained])
    pixels = augment.plain(textures[[concepts[index].views[0] for index in chosen]])
    images, texts = embed(model.eval(), tokenizer, concepts, pixels)
    return (top(images[:len(held)], texts, held), top(images[len(held):], texts, trained))


def evaluation_pixels(directory, concepts):
    """The other artist's pictures as the model's own preprocessing makes them of their files."""
    processor = AutoImageProcessor.from_pretrained(directory, backend="pil")
    pictures = [load_image(str(concept.evaluation)) for concept in concepts]
    return processor(pictures, return_tensors="pt").pixel_values.float()


def measure(directory, concepts, textures, trained):
    """[{pictures, count, candidates, measure, value, chance}] of the f16 model in a directory, and the least cosine between
    its embeddings and those of the f32 weights it was rounded from."""
    model = CLIPModel.from_pretrained(directory, dtype=torch.float32).eval()
    tokenizer, rows = CLIPTokenizer.from_pretrained(directory), []
    shown = [index for index, concept in enumerate(concepts) if concept.evaluation]
    pixels = augment.plain(textures[[concept.views[0] for concept in concepts]])
    own, texts = embed(model, tokenizer, concepts, pixels)
    exact = embed(trained.eval(), tokenizer, concepts, pixels)
    agreement = min((a * b.cpu()).sum(1).min().item() for a, b in zip((own, texts), exact))
    other, _ = embed(model, tokenizer, concepts, evaluation_pixels(directory, [concepts[index] for index in shown]))

    def add(pictures, images, candidates, truth, counts, kind):
        for k, value in top(images, candidates, truth, counts).items():
            rows.append({"pictures": pictures, "count": len(images), "candidates": len(candidates),
                         "measure": f"{kind}{k}", "value": round(value, 4), "chance": round(k / len(candidates), 4)})

    for style, images, indices in (("own style", own, range(len(concepts))), ("unseen style", other, shown)):
        for held_out in (False, True):
            chosen = [row for row, index in enumerate(indices) if concepts[index].held_out == held_out]
            truth = torch.tensor([indices[row] for row in chosen])
            name = f"{'held-out' if held_out else 'trained'} concepts, {style}"
            add(name, images[chosen], texts, truth, (1, 5), "top ")
    for name, wanted in (("all", (False, True)), ("held-out", (True,))):
        chosen = [row for row, index in enumerate(shown) if concepts[index].held_out in wanted]
        images, captions, truth = other[chosen], texts[[shown[row] for row in chosen]], torch.arange(len(chosen))
        add(f"{name} pairs, unseen style", images, captions, truth, (1, 5, 10), "image → text recall@")
        add(f"{name} pairs, unseen style", captions, images, truth, (1, 5, 10), "text → image recall@")
    return rows, agreement


def plot(rows):
    """The log as an SVG: loss on the left scale, accuracies on the right one."""
    width, height, left, bottom = 640, 320, 50, 280
    last, most = rows[-1]["step"], max(row["loss"] for row in rows)
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" '
             f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>']
    for part in range(6):
        y = bottom - 250 * part / 5
        lines.append(f'<path d="M{left} {y:.0f}H590" stroke="#ddd"/><text x="45" y="{y + 4:.0f}" text-anchor="end">'
                     f'{most * part / 5:.1f}</text><text x="595" y="{y + 4:.0f}">{20 * part} %</text>')
    curves = (("loss", most, "#444", "loss"), ("trained_top5", 1, "#1b7f3b", "trained concepts, top 5"),
              ("held_out_top5", 1, "#c0392b", "held-out concepts, top 5"))
    for place, (column, scale, colour, label) in enumerate(curves):
        points = " ".join(f"{left + 540 * row['step'] / last:.1f},{bottom - 250 * row[column] / scale:.1f}" for row in rows)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{left + 10 + 180 * place}" y="18" fill="{colour}">{label}</text>')
    lines.append(f'<text x="320" y="310" text-anchor="middle">steps, of {last}</text></svg>\n')
    return "\n".join(lines)


def write_rows(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def report(directory, log, concepts, textures, trained):
    """Writes training.csv, training.svg, figures.csv and README.md beside the model."""
    write_rows(directory / "training.csv", log)
    (directory / "training.svg").write_text(plot(log))
    rows, agreement = measure(directory, concepts, textures, trained)
    write_rows(directory / "figures.csv", rows)
    table = "\n".join(f"| {row['pictures']} ({row['count']} of {row['candidates']}) | {row['measure']} "
                      f"| {row['value']:.1%} | {row['chance']:.1%} |" for row in rows)
    parameters = sum(p.numel() for p in CLIPModel.from_pretrained(directory).parameters())
    (directory / "README.md").write_text(CARD.format(
        parameters=f"{parameters:,}", concepts=f"{len(concepts):,}", prompt=data.PROMPT.format("…"), table=table,
        agreement=f"{agreement:.6f}"))
    print(table, agreement, sep="\n")
