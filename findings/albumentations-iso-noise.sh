#!/bin/bash
# albumentations 2.0.8 adds no noise to an even surface by ISONoise, only light to others, and hardly any colour.
#
# Expected before running it: what its documents say, noise of brightness and of hue as of a high ISO speed: about the same on a wall
# whatever else is in the frame, with the mean kept, and hues all over the circle for a color_shift of 1, "a full 360° hue rotation".
# Seen: a grey wall stays as it is, at the highest intensity, and so does an orange one but for a level of 255. The same wall beside a
# black and white chart is noisy, as what is added is measured by the contrast of the whole frame; it is never below zero, so that black
# becomes dark grey. With a color_shift of 1 hues are moved by a degree. So photos of fog, sky or night, where noise is seen first,
# are labelled with noise that they don't have, and the noisy ones are better exposed.
#
# What photodefect does: makes noise of its own, by the light of each pixel (synthesis/noise.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet albumentations==2.0.8 albucore==0.0.24 numpy==2.4.6 opencv-python-headless==5.0.0.93
cd "$folder"
export NO_ALBUMENTATIONS_UPDATE=1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import albumentations
import cv2
import numpy as np

print("albumentations", version("albumentations"), "opencv", version("opencv-python-headless"))


def noisy(photo, color_shift, intensity=1.0):
    """A photo with noise, and what was added to it."""
    noise = albumentations.ISONoise(color_shift=(color_shift,) * 2, intensity=(intensity,) * 2, p=1)
    noise.set_random_seed(1)
    found = noise(image=photo)["image"]
    return found, found.astype(float) - photo


def hues(photo):
    """In degrees."""
    return cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2HLS)[:, :, 0]


wall = np.full((200, 300, 3), 120, np.uint8)
orange = np.full_like(wall, (200, 120, 40))
chart = wall.copy()
chart[:, 200:250], chart[:, 250:] = 0, 255
grey, almost = (np.abs(noisy(photo, 0.05)[1]).max() for photo in (wall, orange))
print(f"grey wall: changed by {grey:.0f} of 255 at most, orange wall: by {almost:.0f}")
_, added = noisy(chart, 0.05, 0.5)
beside, black = added[:, :200], added[:, 200:250]
print(f"grey wall beside a chart: deviation {beside.std():.1f}, mean {beside.mean():+.1f}, least {added.min():+.0f}")
print(f"black beside it: mean {black.mean():+.1f}")
moved = float(np.abs(hues(noisy(orange, 1.0)[0]) - hues(orange)).mean())
print(f"orange wall, color_shift 1: hue moved by {moved:.2f} degrees on average")
as_written = (
    grey == 0
    and almost <= 1
    and beside.std() > 10
    and beside.mean() > 5
    and black.mean() > 15
    and added.min() >= -1
    and 0.1 < moved < 2
)
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
