#!/bin/bash
# OpenEXR 3.5.3 for Python, given a part of a picture, writes other pixels than that part's, without an error.
#
# Expected before running it: the pixels that NumPy shows, as every encoder of imagecodecs writes them, or an error, as simplejpeg gives
# ("image must have C contiguous rows").
# Seen: only where an array begins is looked at, and how large it is; what follows there in memory is written. Of a cropped photo
# each row begins farther to the left than the one above and runs on into the next, a channel of an RGB photo is a squeezed mixture of
# all three, and a photo that was turned upright is torn into stripes. The file is whole, and a copy of the same part is right.
#
# What photodefect does: reads and writes no OpenEXR. The arrays that it gives to encoders are contiguous.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet OpenEXR==3.5.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import OpenEXR

print("OpenEXR", version("OpenEXR"))
rows, columns = np.mgrid[0:60, 0:80].astype(np.float32)
photo = np.dstack([rows, columns, 200 - rows - columns])


def written(pixels):
    """A picture as it is read from the file that was written of it."""
    name = "RGB" if pixels.ndim == 3 else "Y"
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {name: pixels}) as file:
        file.write("a.exr")
    with OpenEXR.File("a.exr") as file:
        return file.channels()[name].pixels


PARTS = {
    "whole": photo,
    "upper half": photo[:30],
    "cropped": photo[10:50, 20:60],
    "green": photo[:, :, 1],
    "half the size": photo[::2, ::2],
    "turned": photo.transpose(1, 0, 2),
}
RIGHT = ["whole", "upper half"]
right = []
for name, part in PARTS.items():
    found, of_copy = written(part), written(part.copy(order="C"))
    assert found.shape == part.shape
    assert np.array_equal(of_copy, part)
    right += [name] if np.array_equal(found, part) else []
    wrong = float((found != part).mean())
    print(f"{name} {part.shape}: {wrong:.0%} of the numbers are wrong; row 5 begins {found[5, :3].ravel()[:4].tolist()}, "
          f"not {part[5, :3].ravel()[:4].tolist()}")
print("as written here" if right == RIGHT else "it behaves otherwise now")
sys.exit(0 if right == RIGHT else 1)
PYTHON
