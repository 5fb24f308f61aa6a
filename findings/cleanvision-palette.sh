#!/bin/bash
# CleanVision 0.3.7 calls a bright photo dark if its PNG has a palette: it takes the numbers of the colours for their light.
#
# Expected before running it: the same scores for the same pixels, however they are saved; of 16 bits perhaps none.
# Seen: a picture of 16 light greys has the best score as RGB, 1.000, and is called dark, 0.059, as a palette of these greys, which is
# what GIFs and small PNGs are: 15 of 255 is the highest number of a colour. The same in 16 bits a pixel has 257 for dark and -165 for
# light, on a scale of 0 to 1, and counts as perfectly sharp. With an alpha channel in which all is opaque it holds less information.
#
# What photodefect does: measures what a decoded photo shows, in sRGB (photos/decode.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cleanvision==0.3.7 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2> log || { cat log; exit 1; }
import contextlib
import io
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from cleanvision import Imagelab
from PIL import Image

print("cleanvision", version("cleanvision"), "Pillow", version("pillow"))
rows, columns = np.mgrid[0:160, 0:240]
levels = (rows // 10 + columns // 15) % 16  # 16 greys from 165 to 255
greys = np.repeat((165 + 6 * np.arange(16, dtype=np.uint8))[:, None], 3, axis=1)
picture = Image.fromarray(greys[levels])
palette = Image.fromarray(levels.astype(np.uint8), "L")
palette.putpalette(greys.tobytes())
opaque = picture.convert("RGBA")
wide = Image.fromarray(greys[levels][:, :, 0].astype(np.uint16) * 257)
assert np.array_equal(np.asarray(palette.convert("RGB")), np.asarray(picture))
Path("photos").mkdir()
for name, image in (("rgb", picture), ("palette", palette), ("opaque", opaque), ("wide", wide)):
    image.save(f"photos/{name}.png")
lab = Imagelab(data_path="photos")
with contextlib.redirect_stdout(io.StringIO()):
    lab.find_issues({"dark": {}, "light": {}, "blurry": {}, "low_information": {}}, n_jobs=1)
found = {Path(path).stem: row for path, row in lab.issues.iterrows()}
for name, row in found.items():
    scores = ", ".join(f"{kind} {row[f'{kind}_score']:.3f}" for kind in ("dark", "light", "blurry", "low_information"))
    print(f"{name}: {scores}; called dark: {row['is_dark_issue']}")
as_written = (
    not found["rgb"]["is_dark_issue"]
    and found["rgb"]["dark_score"] > 0.9
    and found["palette"]["is_dark_issue"]
    and found["palette"]["dark_score"] < 0.1
    and found["wide"]["dark_score"] > 1
    and found["wide"]["light_score"] < 0
    and found["opaque"]["low_information_score"] < 0.9 * found["rgb"]["low_information_score"]
)
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
