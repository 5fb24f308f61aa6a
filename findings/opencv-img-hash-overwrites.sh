#!/bin/bash
# OpenCV contrib 5.0.0 and 4.14.0: hashing a colour photo overwrites the grey photo that was hashed before it.
#
# Expected before running it: hashes of a picture in grey and in three equal channels are the same, and no input is ever changed.
# Seen: `MarrHildrethHash` and `RadialVarianceHash` of `cv2.img_hash` take a grey picture for their own working memory. The next colour
# picture of the same size that they hash is turned to grey there: the caller's array then holds the other picture. Whoever compares a
# folder of photos of one camera, some of them grey, hashes, shows or saves the wrong picture after that. The other four hashes leave
# their input alone, and so do these with a picture of another size. A copy of the picture given to them is a way around it.
#
# What photodefect does: compares reduced pictures of its own making, without hashes of them (ranking/series/likeness.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/seen.py" <<'PYTHON'
import sys

import cv2
import numpy as np

WRITE = {"MarrHildrethHash", "RadialVarianceHash"}
KINDS = ("AverageHash", "BlockMeanHash", "ColorMomentHash", "MarrHildrethHash", "PHash", "RadialVarianceHash")


def picture(seed, shape=(300, 400, 3)):
    return cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8), (0, 0), 9)


print("OpenCV", cv2.__version__)
first, second = (cv2.cvtColor(picture(seed), cv2.COLOR_BGR2GRAY) for seed in (1, 2))
as_written = True
for kind in KINDS:
    states = []
    for following in (picture(2), picture(2, (150, 200, 3))):
        hasher = getattr(cv2.img_hash, kind).create()
        mine = first.copy()
        hasher.compute(mine)
        assert np.array_equal(mine, first)
        hasher.compute(following)
        states.append("kept" if np.array_equal(mine, first) else "overwritten")
        if states[-1] == "overwritten":
            assert np.array_equal(mine, second)
    print(f"{kind}: after a colour picture of the same size {states[0]}, of another size {states[1]}")
    as_written &= states == (["overwritten", "kept"] if kind in WRITE else ["kept", "kept"])
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
for opencv in 5.0.0.93 4.14.0.94; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet "opencv-contrib-python-headless==$opencv" numpy==2.4.6
    "$folder/venv/bin/python" "$folder/seen.py"
done
