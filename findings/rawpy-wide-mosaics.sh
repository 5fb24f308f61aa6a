#!/bin/bash
# rawpy 0.28.0 (LibRaw 0.22.2) reads the colour filters of every DNG as two columns wide, whatever the file says, and garbles the rest.
#
# Expected before running it: a DNG of a sensor with four neighbours below one filter (quad Bayer, as phones have them) refused, or red
# and blue swapped. CFARepeatPatternDim and CFAPattern tell any pattern, and 4 x 4 is within the limits of the specification.
# Seen: the picture comes without an error, and an even orange is a pattern of colours that are grey on average. The filters that
# rawpy tells are the file's rows cut into pairs and stacked. So it goes with 3 x 3, and even with RGGB if a file spells it out over
# 4 x 4; told as 2 x 2 the same samples are right. 6 x 6, here left out, is taken for Fujifilm's X-Trans, whatever it is.
#
# What photodefect does: takes the preview, or refuses such a DNG by name (photos/dng.py).
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
SIDE = 240
ORANGE = {"R": 0.4, "G": 0.2, "B": 0.1}
TO_SRGB = [32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570]  # from XYZ (IEC 61966-2-1), in ten-thousandths
CODES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 10: "i"}
PATTERNS = {
    "2 x 2": ["RG", "GB"],
    "quad Bayer": ["RRGG", "RRGG", "GGBB", "GGBB"],
    "2 x 2, told as 4 x 4": ["RGRG", "GBGB", "RGRG", "GBGB"],
    "3 x 3": ["RGB", "GBR", "BRG"],
}


def dng(pattern):
    """An even orange below such filters, by a sensor that sees sRGB under daylight."""
    light = np.array([[round(ORANGE[colour] * 65535) for colour in row] for row in pattern], "<u2")
    mosaic = np.tile(light, (SIDE // light.shape[0], SIDE // light.shape[1]))
    tags = {
        254: (4, [0]), 256: (4, [SIDE]), 257: (4, [SIDE]), 258: (3, [16]), 259: (3, [1]), 262: (3, [32803]),
        271: (2, b"Nobody\0"), 272: (2, b"Nothing 1\0"), 273: (4, [8]), 277: (3, [1]), 278: (4, [SIDE]),
        279: (4, [mosaic.nbytes]), 33421: (3, list(light.shape)),
        33422: (1, ["RGB".index(colour) for row in pattern for colour in row]),
        50706: (1, [1, 4, 0, 0]), 50707: (1, [1, 1, 0, 0]), 50708: (2, b"Nobody Nothing 1\0"), 50714: (4, [0]),
        50717: (4, [65535]), 50721: (10, [number for entry in TO_SRGB for number in (entry, 10000)]),
        50728: (5, [1, 1] * 3), 50778: (3, [21]),
    }
    rows, values, behind = b"", b"", 8 + mosaic.nbytes + 2 + 12 * len(tags) + 4
    for tag, (kind, given) in sorted(tags.items()):
        packed = given if kind == 2 else struct.pack(f"<{len(given)}{CODES[kind]}", *given)
        count = len(given) // (2 if kind in (5, 10) else 1)
        if len(packed) > 4:
            where = struct.pack("<I", behind + len(values))
            values += packed + bytes(len(packed) % 2)
        else:
            where = packed.ljust(4, b"\0")
        rows += struct.pack("<HHI", tag, kind, count) + where
    header = struct.pack("<2sHI", b"II", 42, 8 + mosaic.nbytes)
    return header + mosaic.tobytes() + struct.pack("<H", len(tags)) + rows + bytes(4) + values


right = []
for name, pattern in PATTERNS.items():
    with rawpy.imread(io.BytesIO(dng(pattern))) as raw:
        told = ["".join("RGBG"[number] for number in row) for row in raw.raw_pattern]
        linear = raw.postprocess(use_camera_wb=True, no_auto_bright=True, gamma=(1, 1), output_bps=16) / 65535
    inside = linear[20:-20, 20:-20].reshape(-1, 3)
    mean, spread = inside.mean(0).round(2).tolist(), inside.std(0).round(2).tolist()
    print(f"{name} {pattern}: taken for {told}; orange {list(ORANGE.values())} is {mean}, spread {spread}")
    right += [name] if np.allclose(mean, list(ORANGE.values()), atol=0.02) and max(spread) < 0.02 else []
as_written = right == ["2 x 2"]
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
