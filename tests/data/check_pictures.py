#!/usr/bin/env python3
"""Decodes pictures of every kind with our reader and with Pillow, and compares the pixels.

    tests/data/check_pictures.py BUILD/tests/picture_dump    # needs numpy and pillow

Over 500 small pictures are made: every PNG type, depth, interlacing and transparency (by a writer of our own: Pillow
writes few of them); JPEG with every subsampling, progressive, with restarts, grey, CMYK, YCCK, each EXIF orientation,
without an end, with bytes behind it; WebP, BMP, GIF; odd sizes. Equal means within 2 levels, 4 where chroma is
subsampled. Damaged files must be refused, with the reason that stands here.
"""
import io
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SIZES = ((1, 1), (3, 5), (8, 8), (17, 9), (31, 33))
random = np.random.default_rng(0)


def scene(height, width):
    """A smooth picture with some noise: what a camera gives."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = [127 + 100 * np.sin(x / (5 + c) + c) * np.cos(y / (7 - c)) for c in range(3)]
    return np.clip(np.stack(planes, -1) + random.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)


# ---- PNG ----

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(rows, depth):
    """Scanlines of samples (height, width * channels) with filter 0."""
    lines = b""
    for row in rows:
        if depth == 16:
            line = row.astype(">u2").tobytes()
        elif depth == 8:
            line = row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in row)
            bits += "0" * (-len(bits) % 8)
            line = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
        lines += b"\0" + line
    return lines


ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png(kind, depth, interlaced, transparent, height, width):
    """The file, and the pixels that it shows."""
    top = 1 << depth
    samples = random.integers(0, top, (height, width, CHANNELS[kind]))
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    palette = None
    if kind == 3:
        palette = random.integers(0, 256, (top, 3)).astype(np.uint8)
        file += chunk(b"PLTE", palette.tobytes())
    if transparent:
        key = samples[0, 0]
        file += chunk(b"tRNS", bytes(random.integers(0, 256, top).astype(np.uint8)) if kind == 3 else
                      b"".join(struct.pack(">H", int(v)) for v in key))
    if interlaced:
        data = b""
        for y, x, dy, dx in ADAM7:
            part = samples[y::dy, x::dx]
            if part.size:
                data += packed(part.reshape(part.shape[0], -1), depth)
    else:
        data = packed(samples.reshape(height, -1), depth)
    file += chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    if kind == 3:
        shown = palette[samples[..., 0]]
    else:
        levels = samples >> 8 if depth == 16 else samples * 255 // (top - 1)
        colours = levels[..., :3] if kind in (2, 6) else levels[..., :1].repeat(3, -1)
        shown = colours.astype(np.uint8)
    return file, shown


def all_png():
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for kind, of_kind in depths.items():
        for depth in of_kind:
            for interlaced in (False, True):
                for transparent in (False, True) if kind in (0, 2, 3) else (False,):
                    for height, width in SIZES:
                        file, shown = png(kind, depth, interlaced, transparent, height, width)
                        name = f"png-{kind}-{depth}-{'adam7' if interlaced else 'plain'}" \
                               f"{'-trns' if transparent else ''}-{height}x{width}.png"
                        # Pillow is the second witness, but for 16 bits of grey, which it does not cut to 8.
                        pillow = None if depth == 16 and kind in (0, 4) else rgb(file)
                        if pillow is not None and np.abs(pillow.astype(int) - shown).max() > 2:
                            sys.exit(f"error: [pictures] {name}: this script and Pillow disagree")
                        yield name, file, shown, 2


# ---- JPEG and the rest ----

def rgb(file):
    """As Pillow shows it."""
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB"))


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def without_segment(file, marker):
    """A JPEG without its segments of that marker."""
    kept, at = file[:2], 2
    while file[at + 1] != 0xDA:
        length = 2 + struct.unpack(">H", file[at + 2:at + 4])[0]
        if file[at + 1] != marker:
            kept += file[at:at + length]
        at += length
    return kept + file[at:]


def all_jpeg():
    for height, width in SIZES + ((64, 48), (100, 75)):
        picture = Image.fromarray(scene(height, width))
        name = f"{height}x{width}"
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                for quality in (60, 95):
                    file = saved(picture, "JPEG", subsampling=subsampling, progressive=progressive, quality=quality)
                    yield f"jpeg-{subsampling}-{progressive}-{quality}-{name}.jpg", file, 4 if subsampling else 2
            file = saved(picture, "JPEG", subsampling=subsampling, restart_marker_blocks=1)
            yield f"jpeg-restart-{subsampling}-{name}.jpg", file, 4 if subsampling else 2
        yield f"jpeg-grey-{name}.jpg", saved(picture.convert("L"), "JPEG"), 2
        cmyk = saved(picture.convert("CMYK"), "JPEG", quality=90)
        yield f"jpeg-cmyk-{name}.jpg", cmyk, 2
        adobe = cmyk.index(b"Adobe")
        yield f"jpeg-ycck-{name}.jpg", cmyk[:adobe + 11] + b"\x02" + cmyk[adobe + 12:], 4
        yield f"jpeg-cmyk-no-adobe-{name}.jpg", without_segment(cmyk, 0xEE), 2
        plain = saved(picture, "JPEG", quality=90)
        yield f"jpeg-no-eoi-{name}.jpg", plain[:-2], 4, rgb(plain)  # browsers show it, Pillow does not
        yield f"jpeg-behind-{name}.jpg", plain + b"camera" * 50, 4
        for kind in (3, 4):  # of the entry: 16 bits, as it should be, and 32, as some write
            entry = struct.pack(">HHI", 0x0112, kind, 1) + struct.pack(">HH", *((6, 0) if kind == 3 else (0, 6)))
            exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
            yield f"exif-type-{kind}-{name}.jpg", saved(picture, "JPEG", exif=exif), 4
        for orientation in range(1, 9):
            for kind, ending in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")):
                exif = Image.Exif()
                exif[0x0112] = orientation
                more = {"lossless": True} if kind == "WEBP" else {}
                yield f"exif-{orientation}-{name}.{ending}", saved(picture, kind, exif=exif, **more), 4


def os2(picture):
    """A BMP with the header of OS/2."""
    width, height = picture.size
    rows = np.asarray(picture)[::-1, :, ::-1]
    padded = np.pad(rows.reshape(height, -1), ((0, 0), (0, -3 * width % 4)))
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, width, height, 1, 24) + padded.tobytes()


def top_down(file):
    """A BMP whose first row is said to be the upper one."""
    return file[:22] + struct.pack("<i", -struct.unpack("<i", file[22:26])[0]) + file[26:]


def all_other():
    for height, width in SIZES + ((64, 48),):
        picture = Image.fromarray(scene(height, width))
        name = f"{height}x{width}"
        yield f"webp-lossless-{name}.webp", saved(picture, "WEBP", lossless=True), 2
        yield f"webp-{name}.webp", saved(picture, "WEBP", quality=80), 2
        clear = picture.convert("RGBA")
        clear.putalpha(picture.convert("L"))
        yield f"webp-alpha-{name}.webp", saved(clear, "WEBP", lossless=True, exact=True), 2
        yield f"bmp-{name}.bmp", saved(picture, "BMP"), 2
        yield f"bmp-palette-{name}.bmp", saved(picture.quantize(16), "BMP"), 2
        yield f"bmp-grey-{name}.bmp", saved(picture.convert("L"), "BMP"), 2
        yield f"bmp-os2-{name}.bmp", os2(picture), 2
        yield f"bmp-top-down-{name}.bmp", top_down(saved(picture, "BMP")), 2
        yield f"gif-{name}.gif", saved(picture.quantize(64), "GIF"), 2
        yield f"gif-named-png-{name}.png", saved(picture.quantize(64), "GIF"), 2


def damaged():
    """Name, file, what its refusal says."""
    picture = Image.fromarray(scene(40, 40))
    whole_png, whole_jpeg = saved(picture, "PNG"), saved(picture, "JPEG")
    whole_webp = saved(picture, "WEBP")
    idat = whole_png.index(b"IDAT")
    flipped = bytearray(whole_png)
    flipped[idat + 200] ^= 1
    yield "png-checksum.png", bytes(flipped), "damaged PNG (IDAT"
    yield "png-cut.png", whole_png[:len(whole_png) // 2], "truncated"
    yield "jpeg-cut.jpg", whole_jpeg[:len(whole_jpeg) * 2 // 3], "truncated"
    yield "jpeg-head.jpg", whole_jpeg[:20], ""
    bmp, gif = saved(picture, "BMP"), saved(picture.quantize(64), "GIF")
    yield "bmp-cut.bmp", bmp[:len(bmp) // 2], "truncated BMP"
    yield "bmp-rle.bmp", bmp[:30] + struct.pack("<I", 1) + bmp[34:], "compressed by run lengths"
    yield "gif-cut.gif", gif[:len(gif) // 2], "truncated GIF"
    yield "gif-head.gif", gif[:13], "truncated GIF"
    yield "film.gif", bytes(4) + b"ftypmp42" + bytes(40), "a film"
    yield "tar.jpg", b"a" + bytes(256) + b"ustar" + bytes(300), "tar archive"
    yield "webp-cut.webp", whole_webp[:len(whole_webp) // 2], "truncated"
    yield "empty.png", b"", "empty (0 bytes)"
    yield "page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "web page"
    yield "pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "Git LFS"
    yield "zipped.png", b"\x1f\x8b\x08\0" + bytes(20), "gzip"
    yield "zeros.jpg", bytes(500), "zeros"
    yield "tiff.png", saved(picture, "TIFF"), "TIFF"
    yield "huge.png", whole_png[:16] + struct.pack(">II", 20000, 20000) + whole_png[24:29] + \
        struct.pack(">I", zlib.crc32(b"IHDR" + struct.pack(">II", 20000, 20000) + whole_png[24:29])) + \
        whole_png[33:], "20000 x 20000 pixels, expected at most 100 million"


def dumped(program, files):
    """What our reader gives for each file: pixels, or a reason."""
    output = subprocess.run([program, *map(str, files)], capture_output=True, check=True).stdout
    results, at = [], 0
    for _ in files:
        end = output.index(b"\n", at)
        line, at = output[at:end].decode(), end + 1
        if line.startswith("error"):
            results.append(line)
            continue
        height, width = map(int, line.split())
        size = 3 * height * width
        results.append(np.frombuffer(output[at:at + size], np.uint8).reshape(height, width, 3))
        at += size
    return results


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        good = list(all_png()) + [(name, file, shown[0] if shown else rgb(file), near)
                                   for name, file, near, *shown in (*all_jpeg(), *all_other())]
        bad = list(damaged())
        for name, file, *_ in good + bad:
            Path(folder, name).write_bytes(file)
        faults, furthest = [], 0
        for (name, _, shown, near), got in zip(good, dumped(sys.argv[1], [Path(folder, g[0]) for g in good])):
            if isinstance(got, str):
                faults.append(f"{name}: {got}")
            elif got.shape != shown.shape:
                faults.append(f"{name}: got {got.shape}, expected {shown.shape}")
            else:
                off = int(np.abs(got.astype(int) - shown).max())
                furthest = max(furthest, off)
                if off > near:
                    faults.append(f"{name}: off by {off} levels, expected {near} at most")
        for (name, _, reason), got in zip(bad, dumped(sys.argv[1], [Path(folder, b[0]) for b in bad])):
            if not isinstance(got, str) or reason not in got:
                faults.append(f"{name}: got {got if isinstance(got, str) else 'pixels'}, expected '{reason}'")
    print(f"{len(good)} pictures, off by {furthest} levels at most; {len(bad)} damaged ones; {len(faults)} faults")
    for fault in faults[:20]:
        print(fault)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
