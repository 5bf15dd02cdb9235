"""Training pictures for tools/train_demo_model.py: another place, light, background and style for each view of an emoji.

Style is what an unseen artist changes: parts in other colours, flat instead of shaded, outlines, or nothing but outlines.
"""
import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.nn import functional

SIZE, PARTS = 64, 8
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])


def parts(textures):
    """Each texture [4, H, W] as at most PARTS flat colours: (which one at each place [N, H, W] u8, the colours [N, PARTS, 3])."""
    places, colours = [], torch.zeros(len(textures), PARTS, 3)
    for row, pixels in enumerate(textures.numpy()):
        image = Image.fromarray(pixels.transpose(1, 2, 0), "RGBA")
        plain = Image.new("RGB", image.size, "white")
        plain.paste(image, mask=image.getchannel("A"))
        flat = plain.filter(ImageFilter.ModeFilter(5)).quantize(PARTS, Image.Quantize.MEDIANCUT)
        found = torch.tensor(flat.getpalette()[:3 * PARTS]).view(-1, 3) / 255
        colours[row, :len(found)] = found
        places.append(np.asarray(flat))
    return torch.from_numpy(np.stack(places)), colours


def uniform(generator, shape, low, high):
    return low + (high - low) * torch.rand(shape, generator=generator)


def colour_jitter(rgb, keeps_hue, g):
    """Hue, saturation, brightness, contrast, gamma and steps, another for each picture; [N, 3, H, W] in 0…1."""
    n = len(rgb)
    angle = uniform(g, n, -1, 1) ** 3 * torch.where(keeps_hue, 0.1, 1.0)
    saturation = uniform(g, n, 0.4, 1.6) * (torch.rand(n, generator=g) > torch.where(keeps_hue, 0.0, 0.08))
    to_yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    turn = torch.zeros(n, 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 1, 2], turn[:, 2, 1] = -saturation * angle.sin(), saturation * angle.sin()
    rgb = torch.einsum("nij,njhw->nihw", torch.linalg.inv(to_yiq) @ turn @ to_yiq, rgb)
    contrast, shift = uniform(g, (n, 1, 1, 1), 0.6, 1.4), uniform(g, (n, 1, 1, 1), -0.2, 0.2)
    # A light that differs from place to place, as another artist's shading does.
    light = functional.interpolate(uniform(g, (n, 1, 3, 3), -0.15, 0.15), rgb.shape[-2:], mode="bilinear")
    rgb = ((rgb - 0.5) * contrast + 0.5 + shift + light).clamp(0, 1)
    rgb = rgb ** torch.exp(uniform(g, (n, 1, 1, 1), -0.3, 0.3))
    levels = uniform(g, (n, 1, 1, 1), 3, 8)
    return torch.where(torch.rand(n, 1, 1, 1, generator=g) < 0.15, (rgb * levels).round() / levels, rgb)


def restyle(rgb, alpha, place, colours, keeps_hue, strength, g):
    """Pictures [N, 3, H, W] of 0…1 as another artist may draw them: of ten, three with parts in other colours, half of them
    flat, and two with outlines, half of them nothing else."""
    rgb, kind = rgb.clone(), torch.rand(len(rgb), generator=g) / max(strength, 1e-6)
    if len(rows := (kind < 0.3).nonzero()[:, 0]):
        n = len(rows)
        limit = torch.where(keeps_hue[rows], 0.15, 0.5)[:, None, None] * torch.rand(n, 1, 1, generator=g)
        moved = uniform(g, (n, PARTS, 3), -1, 1) * limit
        base = torch.where((kind[rows] < 0.15)[:, None, None, None], spread(colours[rows], place[rows]), rgb[rows])
        rgb[rows] = (base + spread(moved, place[rows])).clamp(0, 1)
    if len(rows := ((kind >= 0.3) & (kind < 0.5)).nonzero()[:, 0]):
        n, seen = len(rows), alpha[rows]
        light = (rgb[rows] * seen).mean(1, keepdim=True)
        edge = torch.maximum(((differences(light) - 0.08) * 6).clamp(0, 1), differences(seen).clamp(0, 1))
        ink, paper = torch.rand(n, 3, 1, 1, generator=g) * 0.4, 1 - 0.3 * torch.rand(n, 3, 1, 1, generator=g)
        base = torch.where((kind[rows] < 0.4)[:, None, None, None], rgb[rows], paper)
        rgb[rows] = torch.lerp(base, ink.expand_as(base), edge)
    return rgb


def spread(colours, place):
    """The colour [N, PARTS, 3] of the part that lies at each place [N, H, W]: [N, 3, H, W]."""
    flat = colours.gather(1, place.flatten(1).long()[..., None].expand(-1, -1, 3))
    return flat.view(*place.shape, 3).permute(0, 3, 1, 2)


def differences(images):
    """How far the values around each place lie apart."""
    return functional.max_pool2d(images, 3, 1, 1) + functional.max_pool2d(-images, 3, 1, 1)


def placement(mirrors, strength, g):
    """Sampling grids of scale, stretch, rotation, shear, shift and a smooth bending; [N, SIZE, SIZE, 2]."""
    n = len(mirrors)
    angle = strength * (uniform(g, n, -1, 1) ** 3 * 0.7 + uniform(g, n, -0.12, 0.12))
    zoom = 1 / uniform(g, n, 0.9 - 0.35 * strength, 1.02 + 0.1 * strength)
    stretch, shear = torch.exp(strength * uniform(g, n, -0.2, 0.2)), strength * uniform(g, n, -0.2, 0.2)
    flip = 1 - 2 * ((torch.rand(n, generator=g) < 0.5) & mirrors).float()
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = flip * zoom * stretch * angle.cos(), zoom * (shear - angle.sin())
    matrix[:, 1, 0], matrix[:, 1, 1] = flip * zoom * angle.sin(), zoom / stretch * angle.cos()
    matrix[:, :, 2] = uniform(g, (n, 2), -1, 1) * (zoom - 0.85).clamp(0.05, 1)[:, None] * 0.7
    bend = uniform(g, (n, 2, 4, 4), -1, 1) * uniform(g, (n, 1, 1, 1), 0, 0.16 * strength)
    bend = functional.interpolate(bend, (SIZE, SIZE), mode="bicubic", align_corners=True)
    return functional.affine_grid(matrix, (n, 4, SIZE, SIZE), align_corners=False) + bend.permute(0, 2, 3, 1)


def backgrounds(n, g):
    """Black, white, one colour, a gradient or coarse noise; [N, 3, SIZE, SIZE]."""
    corners = functional.interpolate(torch.rand(n, 3, 2, 2, generator=g), (SIZE, SIZE), mode="bilinear", align_corners=True)
    noise = functional.interpolate(torch.rand(n, 3, 6, 6, generator=g), (SIZE, SIZE), mode="bicubic").clamp(0, 1)
    flat = torch.rand(n, 3, 1, 1, generator=g).expand(-1, -1, SIZE, SIZE)
    kind = torch.rand(n, 1, 1, 1, generator=g)
    result = torch.where(kind < 0.75, flat, torch.where(kind < 0.9, corners, noise))
    return torch.where(kind < 0.35, 0.0, torch.where(kind < 0.55, 1.0, result))


def erase(images, strength, g):
    """A rectangle of one colour over every fourth picture, or fewer."""
    n = len(images)
    low = torch.rand(n, 2, generator=g) * 0.8
    high = low + uniform(g, (n, 2), 0.1, 0.4) * (torch.rand(n, 1, generator=g) < 0.25 * strength)
    place = (torch.arange(SIZE) + 0.5) / SIZE
    rows, columns = ((place > low[:, i, None]) & (place < high[:, i, None]) for i in (0, 1))
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(inside, torch.rand(n, 3, 1, 1, generator=g), images)


def augment(textures, place, colours, mirrors, keeps_hue, inked, strength, g):
    """Training pictures of u8 textures [N, 4, H, W] and their parts: normalised, [N, 3, SIZE, SIZE]; strength is 0…1.
    Those that are `inked` have their ink in any colour."""
    n, pixels = len(textures), textures.float() / 255
    alpha, rgb = pixels[:, 3:], restyle(pixels[:, :3], pixels[:, 3:], place, colours, keeps_hue, strength, g)
    rgb = torch.lerp(rgb, colour_jitter(rgb, keeps_hue, g), strength)
    rgb = torch.where(inked[:, None, None, None], torch.rand(n, 3, 1, 1, generator=g), rgb)
    # CLIP's preprocessing drops a picture's transparency, which hardens its edges.
    alpha = torch.where(torch.rand(n, 1, 1, 1, generator=g) < 0.5, (alpha * 16).clamp(0, 1), alpha)
    layer = functional.grid_sample(torch.cat([rgb * alpha, alpha], 1), placement(mirrors, strength, g), align_corners=False)
    images = layer[:, :3] + (1 - layer[:, 3:]) * backgrounds(n, g)
    blurred = functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    images = torch.lerp(images, blurred, (uniform(g, (n, 1, 1, 1), -1.5, 1)).clamp(0, 1))
    images = images + torch.randn(images.shape, generator=g) * uniform(g, (n, 1, 1, 1), -0.05, 0.06 * strength).clamp(0, 1)
    return normalise(erase(images, strength, g).clamp(0, 1))


def normalise(images):
    return (images - MEAN[:, None, None]) / STD[:, None, None]


def plain(textures):
    """The pictures as they are, on white, for evaluation."""
    pixels = textures.float() / 255
    images = pixels[:, :3] * pixels[:, 3:] + 1 - pixels[:, 3:]
    return normalise(functional.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False))
