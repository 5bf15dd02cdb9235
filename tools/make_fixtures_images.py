"""Makes Fixtures/images: small pictures of every mode and format, and what the reference libraries make of them.

    .build/python-peers/bin/python tools/make_fixtures_images.py

Deterministic: a second run gives the same bytes. `tools/fixture_table.py` then brings the table in Fixtures/README.md up
to date.
"""
import hashlib
import io
import json
import pathlib
import struct
import warnings

import numpy as np
import PIL.Image
import PIL.ImageFile
import safetensors.numpy

import image_pipelines
import picture_files

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
SEED = 11


def photo(random, width, height, channels):
    """Waves, an edge and noise: every filter's overshoot and rounding has something to do."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for _ in range(channels):
        a, b, c = random.uniform(0.02, 0.7, 3)
        plane = 128 + 90 * np.sin(a * x + b * y) + 60 * np.sign(np.sin(c * x - a * y)) + random.normal(0, 12, x.shape)
        planes.append(plane)
    return np.clip(np.rint(np.stack(planes, -1)), 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(random, width, height, mode):
    if mode == "P":
        image = PIL.Image.fromarray(photo(random, width, height, 1)[:, :, 0], "L").convert("P")
        image.putpalette(random.integers(0, 256, 768, np.uint8).tobytes())
        return image
    if mode == "1":
        return PIL.Image.fromarray(photo(random, width, height, 1)[:, :, 0]).convert("1")
    array = photo(random, width, height, len(mode))
    return PIL.Image.frombytes(mode, (width, height), array.tobytes())


def exif(value, order="<", name=b"Exif\0\0"):
    """An EXIF block whose first directory has two tags, the orientation second."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHIHH", 0x0100, 3, 1, 7, 0) + struct.pack(order + "HHIHH", 274, 3, 1, value, 0)
    return name + magic + struct.pack(order + "IH", 8, 2) + entries + struct.pack(order + "I", 0)


def xmp(value, attribute=True):
    tag = f'tiff:Orientation="{value}"' if attribute else f"<tiff:Orientation>{value}</tiff:Orientation>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {tag}/></x:xmpmeta>'.encode()


def png_files(random):
    def samples(width, height, color, depth):
        channels = picture_files.CHANNELS[color]
        if depth == 16:
            high = photo(random, width, height, channels).astype(np.uint16) << 8
            return high | random.integers(0, 256, high.shape, np.uint16)
        return photo(random, width, height, channels) >> (8 - depth)

    def palette(colors):
        return (b"PLTE", random.integers(0, 256, 3 * colors, np.uint8).tobytes())

    for color, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            for interlaced in (False, True):
                width, height = int(random.integers(5, 75)), int(random.integers(5, 75))
                before = [palette(1 << depth)] if color == 3 else []
                name = f"png-{color}-{depth}" + ("-interlaced" if interlaced else "")
                yield name, picture_files.png(samples(width, height, color, depth), color, depth, interlaced, before)
    alpha = (b"tRNS", random.integers(0, 256, 16, np.uint8).tobytes())
    yield "png-palette-alpha", picture_files.png(samples(45, 38, 3, 4), 3, 4, before=[palette(16), alpha])
    one = (b"tRNS", b"\xff\xff\x00\xff")
    yield "png-palette-one-clear", picture_files.png(samples(33, 61, 3, 4), 3, 4, before=[palette(16), one])
    yield "png-palette-beyond", picture_files.png(samples(40, 35, 3, 8), 3, 8, before=[palette(50)])
    yield "png-grey-clear", picture_files.png(samples(41, 30, 0, 8) // 16 * 16, 0, 8, before=[(b"tRNS", b"\0\x80")])
    yield "png-rgb-clear", picture_files.png(samples(30, 52, 2, 8) // 128 * 128, 2, 8, before=[(b"tRNS", b"\0\x80\0\0\0\x80")])
    yield "png-bilevel-clear", picture_files.png(samples(30, 33, 0, 1), 0, 1, before=[(b"tRNS", b"\0\0")])
    yield "png-grey4-clear", picture_files.png(samples(30, 33, 0, 4), 0, 4, before=[(b"tRNS", b"\0\x33")])
    deep = samples(29, 31, 2, 16) // 9000 * 257
    clear = struct.pack(">HHH", *(int(value) for value in deep[7, 7]))
    yield "png-rgb16-clear", picture_files.png(deep, 2, 16, before=[(b"tRNS", clear)])
    yield "png-grey16-clear", picture_files.png(deep[:, :, :1], 0, 16, before=[(b"tRNS", b"\1\0")])
    low = random.integers(0, 500, (44, 36, 1))
    yield "png-grey16-low", picture_files.png(low, 0, 16)
    gamma = [(b"gAMA", struct.pack(">I", 100000)), (b"tEXt", b"Comment\0a picture"), (b"bKGD", bytes(6))]
    yield "png-gamma", picture_files.png(samples(37, 42, 2, 8), 2, 8, before=gamma)
    tag = (b"eXIf", exif(6, ">", b""))
    yield "png-exif", picture_files.png(samples(38, 50, 2, 8), 2, 8, before=[tag])
    yield "png-exif-after", picture_files.png(samples(38, 50, 0, 8), 0, 8, after=[(b"eXIf", exif(8, "<", b""))])
    text = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(3))
    yield "png-xmp", picture_files.png(samples(51, 34, 2, 8), 2, 8, before=[text])
    frames = [picture(random, 44, 40, "RGB") for _ in range(3)]
    yield "png-animated", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    still = saved(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True)
    yield "png-animated-default", still
    for name, size in {"png-1x1": (1, 1), "png-1x300": (1, 300), "png-500x3": (500, 3), "png-3x400": (3, 400),
                       "png-300x1": (300, 1), "png-2x201": (2, 201)}.items():
        yield name, saved(picture(random, *size, "RGB"), "PNG")
    yield "png-exact-32", saved(picture(random, 32, 32, "RGBA"), "PNG")
    yield "png-wide-32", saved(picture(random, 77, 32, "RGBA"), "PNG")
    yield "png-rgba-1x250", saved(picture(random, 1, 250, "RGBA"), "PNG")
    yield "png-palette-1x220", saved(picture(random, 1, 220, "P"), "PNG")


def jpeg_files(random):
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            size = int(random.integers(9, 120)), int(random.integers(9, 120))
            name = f"jpeg-{mode.lower()}" + ("-progressive" if progressive else "")
            yield name, saved(picture(random, *size, mode), "JPEG", quality=80, progressive=progressive)
    for name, options in {"444": {"subsampling": 0}, "422": {"subsampling": 1}, "420": {"subsampling": 2},
                          "q5": {"quality": 5}, "q100": {"quality": 100}, "restart": {"restart_marker_rows": 1}}.items():
        size = int(random.integers(17, 90)), int(random.integers(17, 90))
        yield f"jpeg-{name}", saved(picture(random, *size, "RGB"), "JPEG", **options)
    cmyk = saved(picture(random, 47, 53, "CMYK"), "JPEG", quality=85)
    adobe = cmyk.index(b"Adobe") + 11
    yield "jpeg-ycck", cmyk[:adobe] + b"\2" + cmyk[adobe + 1:]
    yield "jpeg-cmyk-plain", cmyk[:adobe - 15] + cmyk[adobe + 1:]
    rgb = picture(random, 43, 39, "RGB")
    yield "jpeg-of-rgb", saved(rgb, "JPEG", keep_rgb=True, quality=90)
    yield "jpeg-mpo", saved(rgb, "MPO", save_all=True, append_images=[picture(random, 43, 39, "RGB")])
    yield "jpeg-trailing", saved(rgb, "JPEG") + bytes(100)
    for value in range(1, 9):
        yield f"jpeg-exif-{value}", saved(rgb, "JPEG", quality=70, exif=exif(value, "<>"[value % 2]))
    yield "jpeg-exif-9", saved(rgb, "JPEG", quality=70, exif=exif(9))
    yield "jpeg-xmp", saved(rgb, "JPEG", quality=70, xmp=xmp(5))
    yield "jpeg-xmp-element", saved(rgb, "JPEG", quality=70, xmp=xmp(8, attribute=False))
    yield "jpeg-exif-before-xmp", saved(rgb, "JPEG", quality=70, exif=exif(1), xmp=xmp(6))
    profile = random.integers(0, 256, 600, np.uint8).tobytes()
    yield "jpeg-icc", saved(rgb, "JPEG", quality=70, icc_profile=profile)
    for sampling in ([(4, 1), (1, 1), (1, 1)], [(1, 2), (1, 1), (1, 1)], [(2, 2), (1, 2), (2, 1)],
                     [(1, 1), (2, 1), (1, 1)], [(4, 2), (1, 1), (1, 1)], [(2, 2)], [(1, 4), (1, 1), (1, 1), (1, 4)]):
        width, height = int(random.integers(9, 70)), int(random.integers(9, 70))
        largest = [max(axis) for axis in zip(*sampling)]
        planes = [photo(random, -(-width * h // largest[0]), -(-height * v // largest[1]), 1)[:, :, 0]
                  for h, v in sampling]
        name = "jpeg-" + "-".join(f"{h}x{v}" for h, v in sampling)
        yield name, picture_files.jpeg((width, height), planes, sampling)
    yield "jpeg-1x1", saved(picture(random, 1, 1, "RGB"), "JPEG")
    yield "jpeg-3x350", saved(picture(random, 3, 350, "RGB"), "JPEG")


def webp_files(random):
    for name, mode, options in (("lossy", "RGB", {"quality": 70}), ("lossless", "RGB", {"lossless": True}),
                                ("lossy-alpha", "RGBA", {"quality": 60}), ("exact-alpha", "RGBA", {"lossless": True, "exact": True}),
                                ("lossless-alpha", "RGBA", {"lossless": True})):
        size = int(random.integers(9, 90)), int(random.integers(9, 90))
        yield f"webp-{name}", saved(picture(random, *size, mode), "WEBP", **options)
    frames = [picture(random, 41, 36, "RGBA") for _ in range(2)]
    yield "webp-animated", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    rgb = picture(random, 40, 29, "RGB")
    yield "webp-exif", saved(rgb, "WEBP", exif=exif(7))
    yield "webp-xmp", saved(rgb, "WEBP", xmp=xmp(6))


def files(random):
    for kind, make in (("png", png_files), ("jpg", jpeg_files), ("webp", webp_files)):
        for name, data in make(random):
            yield f"{name}.{kind}", data


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def expected(data):
    image = image_pipelines.opened(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rgb = image.convert("RGB")
    entry = {"mode": image.mode, "size": list(image.size), "rgb": sha(np.asarray(rgb))}
    entry["orientation"] = image.getexif().get(274, 1)
    entry["pipelines"] = {}
    for name, pipeline in image_pipelines.PIPELINES.items():
        result = image_pipelines.run(data, pipeline)
        entry["pipelines"][name] = result and [sha(result[0]), sha(result[1])]
    return entry


WHOLE = [("jpeg-420.jpg", "openai"), ("png-3-8.png", "open_clip-longest"), ("webp-lossy-alpha.webp", "open_clip-bilinear"),
         ("jpeg-exif-6.jpg", "hf-clip"), ("png-6-16.png", "hf-siglip")]
# Files, and how much of each is there, for what Pillow makes of them with LOAD_TRUNCATED_IMAGES.
CUT = {"jpeg-444.jpg": 0.6, "jpeg-422.jpg": 0.5, "jpeg-cmyk.jpg": 0.7, "jpeg-restart.jpg": 0.99,
       "png-2-8.png": 0.6, "png-3-4.png": 0.8, "png-4-16.png": 0.5, "png-6-8-interlaced.png": 0.6,
       "png-0-1-interlaced.png": 0.8}


def short_png():
    """A PNG whose compressed data end before the picture does: all chunks are there and right."""
    data = picture_files.png(np.arange(420, dtype=np.uint8).reshape(14, 10, 3), 2, 8)
    header = struct.pack(">IIBBBBB", 10, 20, 8, 2, 0, 0, 0)
    return data[:8] + picture_files.chunk(b"IHDR", header) + data[33:]


def truncated(data, share):
    length = int(len(data) * share)
    image = PIL.Image.open(io.BytesIO(data[:length]))
    PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True
    image.load()
    PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False
    return {"length": length, "rgb": sha(np.asarray(image.convert("RGB")))}


def main():
    random = np.random.default_rng(SEED)
    folder = ROOT / "images"
    folder.mkdir(exist_ok=True)
    entries = {}
    for name, data in files(random):
        (folder / name).write_bytes(data)
        entries[name] = expected(data)
    (ROOT / "hostile/png-short.png").write_bytes(short_png())
    # A few in full, so that a difference can be seen.
    whole = {f"{name} {pipeline}": image_pipelines.run((folder / name).read_bytes(), image_pipelines.PIPELINES[pipeline])[0]
             for name, pipeline in WHOLE}
    safetensors.numpy.save_file(whole, ROOT / "expected/images.safetensors")
    document = {"pipelines": image_pipelines.PIPELINES, "files": entries,
                "truncated": {name: truncated((folder / name).read_bytes(), share) for name, share in CUT.items()}}
    (ROOT / "expected/images.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
