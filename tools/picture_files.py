"""Writes PNG files of every kind, and baseline JPEG files of any sampling: what Pillow cannot write."""
import struct
import zlib

import numpy as np

# First column, first row, and steps of each pass of an interlaced PNG.
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(rows, depth):
    """Rows [height, samples] as bytes: samples of less than 8 bits share one."""
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in rows]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in rows]
    bits = np.unpackbits(rows.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth:]
    return [np.packbits(row.reshape(-1)).tobytes() for row in bits]


def paeth(a, b, c):
    p = a + b - c
    distances = abs(p - a), abs(p - b), abs(p - c)
    return (a, b, c)[distances.index(min(distances))]


def filtered(rows, unit):
    """Each row with the next of the five filters."""
    above, result = bytes(len(rows[0])) if rows else b"", b""
    for y, row in enumerate(rows):
        kind = y % 5
        left = bytes(unit) + row
        corner = bytes(unit) + above
        predicted = [(0, left[x], above[x], (left[x] + above[x]) // 2, paeth(left[x], above[x], corner[x]))[kind]
                     for x in range(len(row))]
        result += bytes([kind]) + bytes((value - guess) & 255 for value, guess in zip(row, predicted))
        above = row
    return result


def png(samples, color_type, depth, interlaced=False, before=(), after=()):
    """A PNG of samples [height, width, channels]; `before` and `after` are (name, data) around the image data."""
    height, width, _ = samples.shape
    unit = max(1, CHANNELS[color_type] * depth // 8)
    passes = [samples]
    if interlaced:
        passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
    data = b"".join(filtered(packed(part.reshape(part.shape[0], -1), depth), unit) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(data, 9)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, -(i // 8) if (i // 8 + i % 8) % 2 == 0 else i // 8))
DCT = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (np.sqrt(0.5) if u == 0 else 1) / 2 for x in range(8)]
                for u in range(8)])
AC_SYMBOLS = [0, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11)]


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


class Bits:
    def __init__(self):
        self.text = []

    def add(self, value, count):
        if count:
            self.text.append(format(value, f"0{count}b"))

    def value(self, number):
        """A signed number after its size in bits."""
        size = int(abs(number)).bit_length()
        self.add(int(number) if number >= 0 else int(number) + (1 << size) - 1, size)

    def stuffed(self):
        text = "".join(self.text)
        text += "1" * (-len(text) % 8)
        return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\x00")


def write_block(bits, block, previous):
    """Huffman codes are all of one length here: 4 bits for DC, 8 for AC."""
    values = [int(block[i // 8, i % 8]) for i in ZIGZAG]
    difference = values[0] - previous
    bits.add(abs(difference).bit_length(), 4)
    bits.value(difference)
    run = 0
    last = max([0] + [k for k in range(1, 64) if values[k]])
    for value in values[1:last + 1]:
        if value == 0 and run < 15:
            run += 1
            continue
        bits.add(AC_SYMBOLS.index(run << 4 | abs(value).bit_length()), 8)
        bits.value(value)
        run = 0
    if last < 63:
        bits.add(AC_SYMBOLS.index(0), 8)
    return values[0]


def jpeg(size, planes, sampling, quantizer=8, segments=b""):
    """A baseline JPEG of width, height and one plane of samples for each component, as large as its sampling says."""
    width, height = size
    largest = [max(axis) for axis in zip(*sampling)]
    columns, rows = (-(-length // (8 * factor)) for length, factor in zip(size, largest))
    blocks = []
    for plane, (h, v) in zip(planes, sampling):
        full = np.zeros((rows * v * 8, columns * h * 8))
        full[:] = np.pad(plane, ((0, full.shape[0] - plane.shape[0]), (0, full.shape[1] - plane.shape[1])), "edge")
        tiles = full.reshape(rows * v, 8, columns * h, 8).swapaxes(1, 2) - 128
        blocks.append(np.rint(DCT @ tiles @ DCT.T / quantizer).astype(int))
    bits, previous = Bits(), [0] * len(planes)
    for y in range(rows):
        for x in range(columns):
            for c, (h, v) in enumerate(sampling):
                for dy in range(v):
                    for dx in range(h):
                        previous[c] = write_block(bits, blocks[c][y * v + dy, x * h + dx], previous[c])
    frame = struct.pack(">BHHB", 8, height, width, len(planes))
    frame += b"".join(bytes([c + 1, h << 4 | v, 0]) for c, (h, v) in enumerate(sampling))
    scan = bytes([len(planes)]) + b"".join(bytes([c + 1, 0]) for c in range(len(planes))) + b"\x00\x3f\x00"
    tables = bytes([0] + [0] * 3 + [12] + [0] * 12) + bytes(range(12))
    tables += bytes([0x10] + [0] * 7 + [len(AC_SYMBOLS)] + [0] * 8) + bytes(AC_SYMBOLS)
    return (b"\xff\xd8" + segments + segment(0xDB, bytes([0] + [quantizer] * 64)) + segment(0xC0, frame) +
            segment(0xC4, tables) + segment(0xDA, scan) + bits.stuffed() + b"\xff\xd9")
