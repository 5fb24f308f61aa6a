#!/bin/bash
# Pillow 13.0.0 opens a JPEG 2000 of 16 bits a channel in which white is black, and what is opaque is transparent.
#
# Expected before running it: the upper byte of each sample, as with 16-bit PNGs and TIFFs; at worst off by one level.
# Seen: samples are rounded to eight bits, and those from 255.5 on become 0. White (65535) is 0 in every channel, alpha as well, so
# that an opaque picture with alpha is transparent all over; 65407 is 255. Grey of one channel keeps its 16 bits and is right, and so
# is every colour of eight bits. The file is lossless, and imagecodecs (the same OpenJPEG) reads back what was written.
#
# What photodefect does: decodes such a file a second time at half the contrast, which tells black from white (photos/jpeg2000.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6 imagecodecs==2026.3.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import imagecodecs
import numpy as np
import PIL
from PIL import Image, features

print("Pillow", PIL.__version__, "with OpenJPEG", features.version("jpg_2000"), "imagecodecs", imagecodecs.__version__)
levels = [0, 32768, 65280, 65407, 65408, 65535]
EXPECTED = {
    "grey, 16 bits": [0, 32768, 65280, 65407, 65408, 65535],
    "RGB, 16 bits": [0, 128, 255, 255, 0, 0],
    "RGBA, 16 bits": [0, 128, 255, 255, 0, 0],
    "alpha of the same, opaque": [0] * 6,
    "RGB, 8 bits": [0, 127, 254, 254, 254, 255],
}
row = np.repeat(np.array(levels, np.uint16), 8)
grey = np.tile(row, (16, 1))
opaque = np.full_like(grey, 65535)
pictures = {
    "grey, 16 bits": grey,
    "RGB, 16 bits": np.dstack([grey] * 3),
    "RGBA, 16 bits": np.dstack([grey] * 3 + [opaque]),
    "RGB, 8 bits": np.dstack([grey // 257] * 3).astype(np.uint8),
}
seen = {}
for name, picture in pictures.items():
    file = imagecodecs.jpeg2k_encode(picture, codecformat="jp2", reversible=True, level=0)
    assert np.array_equal(imagecodecs.jpeg2k_decode(file), picture)
    with Image.open(io.BytesIO(file)) as image:
        read = np.asarray(image)
    first = read if read.ndim == 2 else read[:, :, 0]
    seen[name] = first[0, ::8].tolist()
    print(f"{name}: {levels} read as {seen[name]}")
    if read.ndim == 3 and read.shape[2] == 4:
        seen["alpha of the same, opaque"] = read[0, ::8, 3].tolist()
        print("alpha of the same, 65535 everywhere, read as", seen["alpha of the same, opaque"])
print("as written here" if seen == EXPECTED else "it behaves otherwise now")
sys.exit(0 if seen == EXPECTED else 1)
PYTHON
