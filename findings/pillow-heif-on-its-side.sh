#!/bin/bash
# pillow-heif 1.8.1 lays an upright photo on its side when it saves it as HEIC, if an outdated orientation is left in its XMP.
#
# Expected before running it: what EXIF data says counts, as pillow-heif documents it ("If both XMP and EXIF orientation tags are
# present, EXIF orientation tag will be returned"), as Pillow's exif_transpose() has it, and as browsers and editors do.
# Seen: EXIF data that says 1, upright, is taken for none, and XMP counts. So a photo that somebody turned upright with a program that
# changes EXIF data alone gets a quarter turn in its HEIC, as a box that every viewer follows. Read back, a HEIC that needs no turn
# has an original_orientation of 6, too. Saved as WebP it stays upright. Pillow 13.0.0's AVIF drops an EXIF orientation of 1, so that its
# own reader goes by XMP then.
#
# What photodefect does: goes by a HEIC's boxes, or else by its EXIF data as stored, and never by XMP (photos/orientation.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 pillow-heif==1.8.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import pillow_heif
import PIL
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
print("pillow-heif", pillow_heif.__version__, "Pillow", PIL.__version__)
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>'
)
pixels = np.zeros((64, 96, 3), np.uint8)
pixels[:32] = 255, 0, 0


def photo(exif, xmp):
    """A JPEG of 96 x 64 pixels with an orientation in its EXIF data and another in its XMP."""
    tags = Image.Exif()
    tags[0x0112] = exif
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=tags, xmp=XMP.format(xmp).encode())
    return Image.open(file)


def saved(image, form):
    file = io.BytesIO()
    image.save(file, form, exif=image.info["exif"], xmp=image.info["xmp"])
    return Image.open(io.BytesIO(file.getvalue()))


seen = {}
for exif, xmp in ((1, 1), (1, 6), (6, 1)):
    image = photo(exif, xmp)
    sizes = [ImageOps.exif_transpose(image).size]
    heif, webp, avif = (saved(image, form) for form in ("HEIF", "WEBP", "AVIF"))
    sizes += [heif.size, ImageOps.exif_transpose(webp).size, ImageOps.exif_transpose(avif).size]
    seen[exif, xmp] = sizes
    print(f"EXIF {exif}, XMP {xmp}: by Pillow {sizes[0]}, as HEIC {sizes[1]}, as WebP {sizes[2]}, as AVIF {sizes[3]}")
level, turned = (96, 64), (64, 96)
stored = {"exif": photo(1, 6).info["exif"], "xmp": XMP.format(6).encode()}
original = pillow_heif.set_orientation(stored)
print("set_orientation() of EXIF 1 and XMP 6:", original)
EXPECTED = {
    (1, 1): [level] * 4,
    (1, 6): [level, turned, level, turned],
    (6, 1): [turned] * 4,
}
as_written = seen == EXPECTED and original == 6
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
