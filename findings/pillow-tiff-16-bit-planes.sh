#!/bin/bash
# Pillow 13.0.0 opens an uncompressed TIFF of 16-bit RGB stored by channel (PlanarConfiguration 2, TIFF 6.0 page 38) without an
# error or a warning, and its pixels are wrong.
#
# Expected before running it: the pixels of the same picture stored by pixel (PlanarConfiguration 1), or an error that says that
# this kind is not known. Compressed, the same layout is read rightly.
# Seen: mode RGB, the right size, and pixels that are wrong by 64 of 255 on average. tifffile reads both files alike.
#
# What photodefect does: reads these files with tifffile (photos/tiff.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6 tifffile==2026.3.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

print("Pillow", PIL.__version__, "tifffile", tifffile.__version__)
rows, columns = np.mgrid[0:200, 0:300]
pixels = np.stack([columns * 200, rows * 300, (rows + columns) * 100], axis=2).astype(np.uint16)
planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
tifffile.imwrite("by-pixel.tif", pixels, photometric="rgb")
tifffile.imwrite("by-channel.tif", planes, photometric="rgb", planarconfig="separate")
tifffile.imwrite("by-channel-packed.tif", planes, photometric="rgb", planarconfig="separate", compression="zlib")
assert np.array_equal(tifffile.imread("by-channel.tif"), planes)
wrong = {}
for name in ("by-pixel", "by-channel", "by-channel-packed"):
    with Image.open(f"{name}.tif") as image:
        read = np.asarray(image)
        wrong[name] = float(np.abs(read.astype(int) - (pixels >> 8)).mean())
        print(f"{name}: {image.mode} {image.size}, wrong by {wrong[name]:.1f} of 255 on average")
as_written = wrong["by-pixel"] == wrong["by-channel-packed"] == 0 and wrong["by-channel"] > 20
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
