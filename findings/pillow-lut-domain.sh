#!/bin/bash
# pillow-lut 1.1.0 applies a .cube file as if its domain were 0 to 1, whatever the file says.
#
# Expected before running it: a table with another domain is applied as its maker meant, or refused by name; 1D tables are refused so.
# Seen: DOMAIN_MIN and DOMAIN_MAX are skipped without a word. A look made for values up to 4, as looks for scene light are, comes out
# four times as light: one that divides by four leaves (0.25, 0.5, 1) as they are instead of making (1/16, 1/8, 1/4) of them.
# OpenColorIO and colour-science read the same file alike, and as Adobe's specification of the format (Cube LUT 1.0) has it.
#
# What photodefect does: applies no looks; it judges photos as they are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow-lut==1.1.0 pillow==13.0.0 numpy==2.4.6 opencolorio==2.6.0 colour-science==0.4.7
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import colour
import numpy as np
import PyOpenColorIO as ocio
from PIL import Image
from pillow_lut import load_cube_file

print("OpenColorIO", ocio.__version__, "colour-science", colour.__version__)
INPUT = (64, 128, 255)
as_written = True
for highest in (1, 2, 4):
    steps = np.linspace(0, 1, 5)  # what comes out is what goes in, divided by the highest input
    rows = [f"{r:.6f} {g:.6f} {b:.6f}" for b in steps for g in steps for r in steps]
    domain = ["DOMAIN_MIN 0.0 0.0 0.0", f"DOMAIN_MAX {highest}.0 {highest}.0 {highest}.0"]
    name = f"look-{highest}.cube"
    with open(name, "w") as file:
        file.write("\n".join(["LUT_3D_SIZE 5", *domain, *rows]) + "\n")
    values = np.array(INPUT, np.float32) / 255
    by_colour = colour.read_LUT(name).apply(values)
    by_ocio = values[None].copy()
    transform = ocio.FileTransform(name, interpolation=ocio.INTERP_LINEAR)
    ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(by_ocio)
    pixel = Image.new("RGB", (1, 1), INPUT).filter(load_cube_file(name)).getpixel((0, 0))
    told = [tuple(round(255 * float(v)) for v in found) for found in (by_ocio[0], by_colour)]
    print(f"up to {highest}: OpenColorIO {told[0]}, colour-science {told[1]}, pillow-lut {pixel}")
    wanted = np.array(INPUT) / highest
    as_written &= all(np.abs(np.array(one) - wanted).max() <= 1 for one in told)
    as_written &= pixel == INPUT
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
