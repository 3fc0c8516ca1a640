#!/usr/bin/env python3
"""Writes tests/golden/images: small files of every kind of image that is read, and beside each, as
NAME.expected.png, what Pillow's convert("RGB") makes of it.

golden_images.py [FOLDER]   with the Python of .deps/venv (needs numpy and Pillow 13)

Where mobileone differs from Pillow on purpose, what is expected says so. Files that end in
.upright.EXT are read with their orientation, by Pillow's exif_transpose.
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden" / "images"
HEIGHT, WIDTH = 11, 13
RANDOM = np.random.default_rng(7)
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]


def levels(channels, most=255):
    """[H,W,channels] with all of the range, not smooth."""
    image = RANDOM.integers(0, most + 1, (HEIGHT, WIDTH, channels))
    image[0, 0], image[0, 1] = 0, most
    return image


def smooth():
    return np.stack([20 * X, 23 * Y, 120 + 9 * X - 8 * Y], axis=2).clip(0, 255).astype(np.uint8)


def save(name, data, expected=None):
    """`expected` is an image of Pillow, or an array of grey levels or RGB, instead of Pillow's."""
    (FOLDER / name).write_bytes(data)
    if expected is None:
        image = Image.open(io.BytesIO(data))
        image.load()
        if ".upright." in name:
            image = ImageOps.exif_transpose(image)
        expected = image.convert("RGB")
    if isinstance(expected, np.ndarray):
        expected = Image.fromarray(expected.astype(np.uint8)).convert("RGB")
    expected.save(FOLDER / f"{name}.expected.png", optimize=True)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# PBM, PGM, PPM


def write_pnms():
    def header(kind, most=None):
        return f"P{kind}\n# a comment\n{WIDTH} {HEIGHT}{'' if most is None else f' {most}'}\n".encode()

    for most in (1, 15, 100, 255, 256, 1000, 4095, 65535):
        colour, grey = levels(3, most), levels(1, most)
        packed = "u1" if most < 256 else ">u2"
        save(f"ppm_{most}.ppm", header(6, most) + colour.astype(packed).tobytes())
        # Of more than 8 bits, Pillow clips when it converts grey; here grey is read as colour is.
        as_colour = Image.open(io.BytesIO(header(6, most) + grey.repeat(3, 2).astype(packed).tobytes()))
        save(f"pgm_{most}.pgm", header(5, most) + grey.astype(packed).tobytes(), as_colour)
        text = " ".join(map(str, colour.ravel())).encode()
        save(f"ppm_plain_{most}.ppm", header(3, most) + text)
        text = "\n".join(map(str, grey.ravel())).encode()
        save(f"pgm_plain_{most}.pgm", header(2, most) + text + b" # the end\n", as_colour)
    bits = levels(1, 1)[..., 0]
    save("pbm.pbm", header(4) + np.packbits(bits, axis=1).tobytes())
    save("pbm_plain.pbm", header(1) + b"".join(b"%d" % bit for bit in bits.ravel()))
    save("pbm_spaced.pbm", header(1) + b"\n".join(b"%d" % bit for bit in bits.ravel()))
    save("crowded.ppm", b"P6 #c\r%d\t%d\n#d\n255 " % (WIDTH, HEIGHT) + levels(3).astype("u1").tobytes())


# BMP


def bmp(bits, rows, compression=0, header=40, height=HEIGHT, palette=b"", masks=b"", colors=0, pad=b""):
    if header == 12:
        info = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(rows),
                           0, 0, colors, 0)
        info = info + masks if header == 40 else (info + masks).ljust(header, b"\0")
    start = info + palette + pad
    return struct.pack("<2sIHHI", b"BM", 14 + len(start) + len(rows), 0, 0, 14 + len(start)) + start + rows


def padded(rows):
    """From the bottom up, each row a multiple of four bytes."""
    return b"".join(row + bytes(-len(row) % 4) for row in reversed(rows))


def masked(image, masks, bits):
    """`image` has levels of 0 to 1; returns pixels and, as mobileone and Pillow scale them, RGB."""
    pixels, scaled = np.zeros((HEIGHT, WIDTH), np.int64), []
    for channel, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1 if mask else 0
        most = mask >> shift
        values = np.floor(image[..., channel] * (most + 0.999)).astype(np.int64)
        pixels |= values << shift
        scaled.append(values * 255 // most if most else values * 0)
    rows = [row.astype(f"<u{bits // 8}").tobytes() for row in pixels]
    return padded(rows), np.stack(scaled, axis=2)


def write_bmps():
    image = levels(3)
    rows24 = [row[:, ::-1].astype("u1").tobytes() for row in image]
    save("bmp_24.bmp", bmp(24, padded(rows24)))
    save("bmp_24_top_down.bmp", bmp(24, padded(rows24[::-1]), height=-HEIGHT))
    save("bmp_24_os2.bmp", bmp(24, padded(rows24), header=12))
    save("bmp_24_os2_v2.bmp", bmp(24, padded(rows24), header=64))
    rows32 = [np.concatenate([row[:, ::-1], row[:, :1]], 1).astype("u1").tobytes() for row in image]
    save("bmp_32.bmp", bmp(32, padded(rows32)))
    unit = image / 255
    for name, bits, masks, by_pillow in (
            ("555", 16, (0x7C00, 0x3E0, 0x1F), True),
            ("565", 16, (0xF800, 0x7E0, 0x1F), True),
            ("bgr565", 16, (0x1F, 0x7E0, 0xF800), False),
            ("444", 16, (0xF00, 0xF0, 0xF), False),
            ("bgrx", 32, (0xFF0000, 0xFF00, 0xFF), True),
            ("rgbx", 32, (0xFF, 0xFF00, 0xFF0000), False),
            ("xbgr", 32, (0xFF000000, 0xFF0000, 0xFF00), True),
            ("10_bits", 32, (0x3FF00000, 0xFFC00, 0x3FF), False),
            ("no_blue", 32, (0xFF0000, 0xFF00, 0), False)):
        rows, scaled = masked(unit, masks, bits)
        packed = struct.pack("<3I", *masks)
        for header in (40, 56, 124):
            data = bmp(bits, rows, 3, header, masks=packed)
            save(f"bmp_{name}_{header}.bmp", data, None if by_pillow else scaled)
    save("bmp_16.bmp", bmp(16, masked(unit, (0x7C00, 0x3E0, 0x1F), 16)[0]))
    for bits in (1, 2, 4, 8):
        indices = levels(1, (1 << bits) - 1)[..., 0]
        per_byte = 8 // bits
        wide = np.pad(indices, ((0, 0), (0, -WIDTH % per_byte))).reshape(HEIGHT, -1, per_byte)
        packed = sum(wide[..., i] << bits * (per_byte - 1 - i) for i in range(per_byte))
        rows = padded([row.astype("u1").tobytes() for row in packed])
        colours = RANDOM.integers(0, 256, (1 << bits, 4))
        quads = colours.astype("u1").tobytes()
        expected = colours[indices][..., 2::-1]
        save(f"bmp_{bits}.bmp", bmp(bits, rows, palette=quads), expected)
        save(f"bmp_{bits}_gap.bmp", bmp(bits, rows, palette=quads, pad=b"gap!"), expected)
        triples = colours[:, :3].astype("u1").tobytes()
        save(f"bmp_{bits}_os2.bmp", bmp(bits, rows, header=12, palette=triples), expected)
    write_rles()


def write_rles():
    colours = RANDOM.integers(0, 256, (256, 4)).astype("u1")
    few = colours[:16].tobytes()
    indices = levels(1, 15)[..., 0]
    indices[3, 2:] = 5  # a run
    expected = colours[indices][..., 2::-1]
    eight, four = b"", b""
    for row in indices[::-1]:
        literal = bytes(row.astype("u1"))
        eight += b"\0" + bytes([WIDTH]) + literal + bytes(WIDTH % 2) + b"\0\0"
        nibbles = [int(a) << 4 | int(b) for a, b in zip(row[::2], [*row[1::2], 0])]
        four += b"\0" + bytes([WIDTH]) + bytes(nibbles) + bytes(len(nibbles) % 2) + b"\0\0"
    save("bmp_rle8.bmp", bmp(8, eight + b"\0\1", 1, palette=few, colors=16), expected)
    save("bmp_rle4.bmp", bmp(4, four + b"\0\1", 2, palette=few), expected)
    # Runs, and a jump over pixels, which have the palette's first colour then.
    jumps = np.zeros((HEIGHT, WIDTH), int)
    jumps[-1, :7] = 3
    jumps[-3, 9:12] = 4
    runs = b"\7\3" + b"\0\2\2\2" + b"\3\4" + b"\0\1"
    save("bmp_rle8_jump.bmp", bmp(8, runs, 1, palette=few, colors=16), colours[jumps][..., 2::-1])
    halves = b"\7\x33" + b"\0\2\2\2" + b"\3\x44" + b"\0\1"
    save("bmp_rle4_jump.bmp", bmp(4, halves, 2, palette=few), colours[jumps][..., 2::-1])


# TIFF

SHORT, LONG, LONG8 = 3, 4, 16


def tiff(tags, blocks, order="<", big=False):
    """A TIFF file of one directory; `tags` are of number to list of values, `blocks` are the coded
    strips or tiles."""
    tags = {256: [WIDTH], 257: [HEIGHT], **tags}
    tiled = 322 in tags
    head = 16 if big else 8
    places, data = [], b""
    for block in blocks:
        places.append(head + len(data))
        data += block + bytes(len(block) % 2)
    tags[324 if tiled else 273] = places
    tags[325 if tiled else 279] = [len(block) for block in blocks]
    word, count = ("Q", "Q") if big else ("I", "H")
    size, entry = (8, 20) if big else (4, 12)
    directory = head + len(data)
    behind = directory + struct.calcsize("=" + count) + entry * len(tags) + size
    entries, extra = b"", b""
    for number in sorted(tags):
        values = tags[number]
        if isinstance(values, bytes):
            kind, packed, items = 7, values, len(values)
        else:
            kind = LONG if max(values) > 65535 or number in (273, 279, 324, 325) else SHORT
            packed = struct.pack(order + {SHORT: "H", LONG: "I"}[kind] * len(values), *values)
            items = len(values)
        if len(packed) > size:
            place = behind + len(extra)
            extra += packed + bytes(len(packed) % 2)
            packed = struct.pack(order + word, place)
        entries += struct.pack(order + "HH" + word, number, kind, items) + packed.ljust(size, b"\0")
    start = b"II" if order == "<" else b"MM"
    start += struct.pack(order + "HHHQ", 43, 8, 0, directory) if big else struct.pack(
        order + "HI", 42, directory)
    return (start + data + struct.pack(order + count, len(tags)) + entries + bytes(size) + extra)


def pack_bits(array, bits):
    """Rows of an array [rows, samples] as bytes, the first sample in the highest bits."""
    rows = []
    for row in array.reshape(array.shape[0], -1):
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


def packed_samples(array, bits, order="<"):
    if bits == 16:
        return array.astype(order + "u2").tobytes()
    return pack_bits(array, bits)


def described(photometric, bits, samples, extra=(), **more):
    tags = {258: [bits] * samples, 259: [1], 262: [photometric], 277: [samples], **more}
    return {**tags, 338: list(extra)} if extra else tags


def write_tiffs():
    for order, name in (("<", "little"), (">", "big")):
        for bits in (1, 2, 4, 8, 16):
            grey = levels(1, (1 << bits) - 1)
            cut = grey[..., 0] >> 8 if bits == 16 else grey[..., 0] * 255 // ((1 << bits) - 1)
            for photometric in (0, 1):
                # Of 16 bits, Pillow clips grey and does not invert it.
                expected = (cut if photometric else 255 - cut) if bits == 16 else None
                save(f"tiff_grey{photometric}_{bits}_{name}.tif",
                     tiff(described(photometric, bits, 1), [packed_samples(grey, bits, order)], order),
                     expected)
        for bits in (8, 16):
            for samples, extra in ((3, ()), (4, (0,)), (4, (1,)), (4, (2,)), (4, ()), (5, (2, 0))):
                if bits == 16 and samples == 5:
                    continue
                colour = levels(samples, (1 << bits) - 1)
                save(f"tiff_rgb_{samples}_{''.join(map(str, extra))}_{bits}_{name}.tif",
                     tiff(described(2, bits, samples, extra), [packed_samples(colour, bits, order)], order))
            inks = levels(4, (1 << bits) - 1)
            save(f"tiff_cmyk_{bits}_{name}.tif",
                 tiff(described(5, bits, 4), [packed_samples(inks, bits, order)], order))
    grey12 = levels(1, 4095)
    save("tiff_grey_12.tif", tiff(described(1, 12, 1), [pack_bits(grey12, 12)]), grey12[..., 0] >> 4)
    for extra in (0, 2):
        save(f"tiff_grey_alpha{extra}.tif", tiff(described(1, 8, 2, (extra,)), [pack_bits(levels(2), 8)]))
    grey = levels(2)  # Pillow does not convert grey that was multiplied by its transparency
    divided = np.where(grey[..., 1] == 0, 0, (255 * grey[..., 0] // np.maximum(grey[..., 1], 1)).clip(0, 255))
    save("tiff_grey_alpha1.tif", tiff(described(1, 8, 2, (1,)), [pack_bits(grey, 8)]), divided)
    for bits in (1, 2, 4, 8):
        colours = list(RANDOM.integers(0, 65536, 3 << bits))
        indices = levels(1, (1 << bits) - 1)
        save(f"tiff_palette_{bits}.tif",
             tiff(described(3, bits, 1, **{}) | {320: colours}, [packed_samples(indices, bits)]))
    narrow = RANDOM.integers(0, 256, 3 * 256)  # as old writers have them; Pillow reads black
    indices = levels(1)
    save("tiff_palette_narrow.tif",
         tiff(described(3, 8, 1) | {320: list(narrow)}, [packed_samples(indices, 8)]),
         narrow.reshape(3, 256).T[indices[..., 0]])
    # the same bits from the other end
    for photometric, bits in ((0, 1), (1, 1), (1, 4), (1, 8), (2, 8)):
        samples = 3 if photometric == 2 else 1
        data = packed_samples(levels(samples, (1 << bits) - 1), bits)
        data = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
        save(f"tiff_fill_{photometric}_{bits}.tif",
             tiff(described(photometric, bits, samples) | {266: [2]}, [data]))
    colour = levels(3)
    save("tiff_big.tif", tiff(described(2, 8, 3), [pack_bits(colour, 8)], big=True))
    write_tiff_blocks(colour)
    for orientation in range(1, 9):
        save(f"tiff_orientation{orientation}.tif",
             tiff(described(2, 8, 3) | {274: [orientation]}, [pack_bits(colour, 8)]))
    write_tiff_codes()


def write_tiff_blocks(colour):
    """Strips, tiles and planes, plain and deflated."""
    for code, compress in ((1, bytes), (8, zlib.compress)):
        strips = [compress(pack_bits(colour[top:top + 4], 8)) for top in range(0, HEIGHT, 4)]
        save(f"tiff_strips_{code}.tif", tiff(described(2, 8, 3) | {259: [code], 278: [4]}, strips))
        planes = [compress(pack_bits(colour[top:top + 4, :, c], 8)) for c in range(3)
                  for top in range(0, HEIGHT, 4)]
        save(f"tiff_planes_{code}.tif",
             tiff(described(2, 8, 3) | {259: [code], 278: [4], 284: [2]}, planes))
        wide = np.pad(np.concatenate([colour] * 2, 1), ((0, 21), (0, 6), (0, 0)))
        tags = {256: [26], 257: [HEIGHT], 259: [code], 322: [16], 323: [16]}
        tiles = [compress(pack_bits(wide[:16, left:left + 16], 8)) for left in (0, 16)]
        save(f"tiff_tiles_{code}.tif", tiff(described(2, 8, 3) | tags, tiles))
        tiles = [compress(pack_bits(wide[:16, left:left + 16, c], 8)) for c in range(3) for left in (0, 16)]
        save(f"tiff_tile_planes_{code}.tif", tiff(described(2, 8, 3) | tags | {284: [2]}, tiles))
    with_alpha = levels(4)
    planes = [zlib.compress(pack_bits(with_alpha[..., c], 8)) for c in range(4)]
    for extra in (1, 2):
        save(f"tiff_planes_alpha{extra}.tif",
             tiff(described(2, 8, 4, (extra,)) | {259: [8], 284: [2]}, planes))
    indices = levels(1, 3)
    tile = np.pad(indices, ((0, 5), (0, 3), (0, 0)))
    save("tiff_tile_2.tif", tiff(described(1, 2, 1) | {322: [16], 323: [16]}, [pack_bits(tile, 2)]))


def write_tiff_codes():
    """As libtiff writes them, in Pillow."""
    colour, grey = Image.fromarray(smooth()), Image.fromarray(smooth()).convert("L")
    bits = grey.convert("1")
    for code in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate", "zstd", "lzma"):
        for name, image in (("rgb", colour), ("grey", grey), ("bits", bits), ("palette", colour.quantize(9)),
                            ("cmyk", colour.convert("CMYK"))):
            save(f"tiff_{code.removeprefix('tiff_')}_{name}.tif", encoded(image, "TIFF", compression=code))
    save("tiff_lzw_predictor.tif",
         encoded(colour, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}))
    for code in ("group3", "group4", "tiff_ccitt"):
        save(f"tiff_{code}.tif", encoded(bits, "TIFF", compression=code))
        save(f"tiff_{code}_black.tif",
             encoded(bits, "TIFF", compression=code, tiffinfo={262: 0}))
    save("tiff_jpeg_rgb.tif", encoded(colour, "TIFF", compression="jpeg", quality=90))
    save("tiff_jpeg_grey.tif", encoded(grey, "TIFF", compression="jpeg", quality=90))
    save("tiff_jpeg_ycbcr.tif", encoded(colour.convert("YCbCr"), "TIFF", compression="jpeg", quality=90))
    save("tiff_lzw_ycbcr.tif", encoded(colour.convert("YCbCr"), "TIFF", compression="tiff_lzw"))


# PNG


def png(kind, bits, rows, *chunks, interlaced=False):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, int(interlaced))
    middle = b"".join(chunk(name, data) for name, data in chunks)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def png_rows(image, bits, interlaced):
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)] if interlaced else [(0, 0, 1, 1)]
    rows = b""
    for top, left, down, right in passes:
        for row in image[top::down, left::right]:
            if row.size:
                rows += b"\0" + packed_samples(row[None], bits, ">")
    return rows


def write_pngs():
    kinds = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)),
             6: (4, (8, 16))}
    for kind, (channels, depths) in kinds.items():
        for bits in depths:
            image = levels(channels, (1 << bits) - 1)
            colours = RANDOM.integers(0, 256, 3 << min(bits, 8)).astype("u1").tobytes()
            palette = [(b"PLTE", colours)] if kind == 3 else []
            # Pillow clips grey of 16 bits; here it is cut as colour is.
            expected = image[..., 0] >> 8 if bits == 16 and channels < 3 else None
            if bits == 1 and kind == 0:  # which Pillow does not convert if a level is transparent
                expected = image[..., 0] * 255
            for interlaced in (False, True):
                rows = png_rows(image, bits, interlaced)
                name = f"png_{kind}_{bits}{'_interlaced' if interlaced else ''}.png"
                save(name, png(kind, bits, rows, *palette, interlaced=interlaced), expected)
            transparent = {0: struct.pack(">H", 1), 2: struct.pack(">HHH", 1, 2, 3), 3: b"\0\x80"}
            if kind in transparent:
                save(f"png_{kind}_{bits}_transparent.png",
                     png(kind, bits, png_rows(image, bits, False), *palette, (b"tRNS", transparent[kind])),
                     expected)
    rows = png_rows(levels(3), 8, False)
    save("png_gamma.png", png(2, 8, rows, (b"gAMA", struct.pack(">I", 100000)),
                              (b"cHRM", struct.pack(">8I", *[30000] * 8)), (b"sBIT", b"\5\6\5")))


# GIF and WebP


def gif_codes(indices, bits):
    """LZW that never grows its codes: a clear code comes in time."""
    clear, out, position, accumulator = 1 << bits, bytearray(), 0, 0

    def put(code):
        nonlocal accumulator, position
        accumulator |= code << position
        position += bits + 1
        while position >= 8:
            out.append(accumulator & 255)
            accumulator >>= 8
            position -= 8

    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            put(clear)
        put(int(index))
    put(clear + 1)
    out.append(accumulator & 255)
    blocks = b"".join(bytes([len(out[i:i + 255])]) + out[i:i + 255] for i in range(0, len(out), 255))
    return bytes([bits]) + blocks + b"\0"


def gif(indices, left=0, top=0, screen=(WIDTH, HEIGHT), own=None, shared=None, transparent=None,
        interlaced=False):
    height, width = indices.shape
    flags = 0x80 | 2 if shared is not None else 0
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, flags, 0, 0) + (shared or b"")
    data += b"!\xfe\5hello\0"
    if transparent is not None:
        data += b"!\xf9\4" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    flags = (0x80 | 2 if own is not None else 0) | (0x40 if interlaced else 0)
    data += b"," + struct.pack("<HHHHB", left, top, width, height, flags) + (own or b"")
    if interlaced:
        order = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4), *range(1, height, 2)]
        indices = indices[order]
    return data + gif_codes(indices.ravel(), 3) + b";"


def write_gifs():
    indices = levels(1, 7)[..., 0]
    one, two = (RANDOM.integers(0, 256, 24).astype("u1").tobytes() for _ in range(2))
    save("gif.gif", gif(indices, shared=one))
    save("gif_own_palette.gif", gif(indices, own=two))
    save("gif_both_palettes.gif", gif(indices, shared=one, own=two))
    save("gif_no_palette.gif", gif(indices))
    save("gif_interlaced.gif", gif(indices, shared=one, interlaced=True))
    save("gif_transparent.gif", gif(indices, shared=one, transparent=3))
    save("gif_part.gif", gif(indices[:5, :6], left=3, top=4, shared=one))
    save("gif_part_transparent.gif", gif(indices[:5, :6], left=3, top=4, shared=one, transparent=5))
    save("gif_beyond.gif", gif(indices, left=3, top=4, shared=one))
    pictures = [Image.fromarray(smooth()).rotate(turn).quantize(40) for turn in (0, 90)]
    save("gif_animated.gif", encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:]))


def exif(orientation, prefix=b""):
    return prefix + b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack("<H", orientation) + b"\0\0\0\0\0\0"


def write_oriented():
    image = Image.fromarray(smooth())
    packet = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'
    rows = png_rows(smooth(), 8, False)
    for orientation in range(1, 9):
        save(f"png_{orientation}.upright.png", png(2, 8, rows, (b"eXIf", exif(orientation))))
        save(f"webp_{orientation}.upright.webp",
             encoded(image, "WEBP", lossless=True, exif=exif(orientation, b"Exif\0\0")))
    xmp = packet.format(6).encode()
    save("png_xmp.upright.png", png(2, 8, rows, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)))
    save("webp_xmp.upright.webp", encoded(image, "WEBP", lossless=True, xmp=xmp))
    save("jpeg_xmp.upright.jpg", encoded(image, "JPEG", xmp=xmp))
    element = b"<tiff:Orientation>8</tiff:Orientation>"
    save("jpeg_xmp_element.upright.jpg", encoded(image, "JPEG", xmp=element))
    save("jpeg_both.upright.jpg", encoded(image, "JPEG", xmp=xmp, exif=exif(3, b"Exif\0\0")))


def main():
    global FOLDER
    if len(sys.argv) > 1:
        FOLDER = Path(sys.argv[1])
    FOLDER.mkdir(parents=True, exist_ok=True)
    for write in (write_pnms, write_bmps, write_tiffs, write_pngs, write_gifs, write_oriented):
        write()


if __name__ == "__main__":
    main()
