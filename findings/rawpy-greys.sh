#!/bin/bash
# rawpy 0.28.0 (LibRaw 0.22.2), told to take the camera's white balance and to leave the brightness alone, makes the average of a
# photo grey if the file has no white balance, and its brightest part white.
#
# Expected before running it: with use_camera_wb and no_auto_bright, and use_auto_wb left off, the sensor's numbers through the
# curve, however dark or coloured; daylight, or an error, where no white balance is recorded.
# Seen: without AsShotNeutral an orange surface comes out grey: automatic white balance, nothing says so. With it, samples of 80 % of
# a DNG's white level come out as white, and all others brighter by that factor; of 70 % they are right. The factor is that of
# adjust_maximum_thr, three quarters unless told otherwise, which is on even so; with 0 all is as recorded.
#
# What photodefect does: gives daylight's multipliers where none are recorded, and 0 for DNGs (photos/raw.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rawpy==0.28.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys

import numpy as np
import rawpy

print("rawpy", rawpy.__version__, "LibRaw", ".".join(map(str, rawpy.libraw_version)))
TO_SRGB = [32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570]  # from XYZ (IEC 61966-2-1), in ten-thousandths
CODES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 10: "i"}


def dng(levels, balanced):
    """An even surface of such shares of white, by a sensor that sees sRGB under daylight."""
    red, green, blue = (round(level * 65535) for level in levels)
    mosaic = np.tile(np.array([[red, green], [green, blue]], "<u2"), (60, 100))
    tags = {
        254: (4, [0]), 256: (4, [200]), 257: (4, [120]), 258: (3, [16]), 259: (3, [1]), 262: (3, [32803]),
        271: (2, b"Nobody\0"), 272: (2, b"Nothing 1\0"), 273: (4, [8]), 277: (3, [1]), 278: (4, [120]), 279: (4, [48000]),
        33421: (3, [2, 2]), 33422: (1, [0, 1, 1, 2]), 50706: (1, [1, 4, 0, 0]), 50707: (1, [1, 1, 0, 0]),
        50708: (2, b"Nobody Nothing 1\0"), 50714: (4, [0]), 50717: (4, [65535]),
        50721: (10, [number for entry in TO_SRGB for number in (entry, 10000)]), 50778: (3, [21]),
    }
    if balanced:
        tags[50728] = (5, [1, 1] * 3)
    rows, values, behind = b"", b"", 8 + 48000 + 2 + 12 * len(tags) + 4
    for tag, (kind, given) in sorted(tags.items()):
        packed = given if kind == 2 else struct.pack(f"<{len(given)}{CODES[kind]}", *given)
        count = len(given) // (2 if kind in (5, 10) else 1)
        if len(packed) > 4:
            where = struct.pack("<I", behind + len(values))
            values += packed + bytes(len(packed) % 2)
        else:
            where = packed.ljust(4, b"\0")
        rows += struct.pack("<HHI", tag, kind, count) + where
    header = struct.pack("<2sHI", b"II", 42, 8 + 48000)
    return header + mosaic.tobytes() + struct.pack("<H", len(tags)) + rows + bytes(4) + values


def seen(levels, balanced, **others):
    with rawpy.imread(io.BytesIO(dng(levels, balanced))) as raw:
        linear = raw.postprocess(use_camera_wb=True, no_auto_bright=True, gamma=(1, 1), output_bps=16, **others)
    shares = [round(float(share), 2) for share in linear[20:-20, 20:-20].mean((0, 1)) / 65535]
    print(levels, "of white,", "with" if balanced else "without", "white balance", others or "", "->", shares)
    return shares


orange = (0.4, 0.2, 0.1)
as_recorded = seen(orange, True)
greyed = seen(orange, False)
bright, told = seen((0.8,) * 3, True), seen((0.8,) * 3, True, adjust_maximum_thr=0.0)
less = seen((0.7,) * 3, True)
as_written = (
    np.allclose(as_recorded, orange, atol=0.02)
    and max(greyed) - min(greyed) < 0.05
    and min(bright) > 0.97
    and np.allclose(told, 0.8, atol=0.02)
    and np.allclose(less, 0.7, atol=0.02)
)
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
