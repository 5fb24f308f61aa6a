#!/bin/bash
# Pillow 13.0.0 opens a Photoshop document in which a selection was saved without an error, and its pixels are garbled.
#
# Expected before running it: the picture, without the further channel; a selection doesn't show in Photoshop either.
# Seen: where rows are packed (as Photoshop writes them), Pillow reads only as many lengths of rows as the colours have, and takes
# the rest of the table for pixels: RGB with two selections and CMYK with one are garbled, grey is shifted. With one, RGB becomes
# RGBA whose alpha is the selection, so that it vanishes where nothing was selected. psd-tools gives the picture that was written.
#
# What photodefect does: reads documents with further channels itself (photos/psd.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6 psd-tools==1.26.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import struct
import sys
from importlib.metadata import version

import numpy as np
from PIL import Image
from psd_tools import PSDImage

print("Pillow", version("pillow"), "psd-tools", version("psd-tools"))
rows, columns = np.mgrid[0:60, 0:80]
PLANES = {mode: [(columns * (2 + n) + rows * (3 - n) // 2) % 256 for n in range(count)]
          for mode, count in (("L", 1), ("RGB", 3), ("CMYK", 4))}
NUMBERS = {"L": 1, "RGB": 3, "CMYK": 4}


def packed(row: bytes) -> bytes:
    """PackBits without runs."""
    return bytes([len(row) - 1]) + row


def document(mode: str, selections: int) -> bytes:
    planes = [plane.astype(np.uint8) for plane in PLANES[mode]] + [np.zeros((60, 80), np.uint8)] * selections
    lines = [packed(line.tobytes()) for plane in planes for line in plane]
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, len(planes), 60, 80, 8, NUMBERS[mode])
    lengths = struct.pack(f">{len(lines)}H", *map(len, lines))
    return header + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 1) + lengths + b"".join(lines)


seen = {}
for mode in PLANES:
    for selections in (0, 1, 2):
        with open("a.psd", "wb") as file:
            file.write(document(mode, selections))
        written = np.dstack(PLANES[mode]).astype(np.uint8)
        read = np.rint(PSDImage.open("a.psd").numpy("color") * 255).reshape(written.shape)
        assert np.array_equal(read, written)
        with Image.open("a.psd") as image:
            found = np.asarray(image).reshape(60, 80, -1)
        found = 255 - found if mode == "CMYK" else found
        wrong = float(np.abs(found[:, :, : written.shape[2]].astype(int) - written).mean())
        seen[mode, selections] = (image.mode, wrong > 0)
        print(f"{mode} and {selections} selections: {image.mode}, wrong by {wrong:.1f} of 255 on average")
EXPECTED = {
    ("L", 0): ("L", False), ("L", 1): ("L", True), ("L", 2): ("L", True),
    ("RGB", 0): ("RGB", False), ("RGB", 1): ("RGBA", False), ("RGB", 2): ("RGB", True),
    ("CMYK", 0): ("CMYK", False), ("CMYK", 1): ("CMYK", True), ("CMYK", 2): ("CMYK", True),
}
print("as written here" if seen == EXPECTED else "it behaves otherwise now")
sys.exit(0 if seen == EXPECTED else 1)
PYTHON
