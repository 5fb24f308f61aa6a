"""What one photo costs, stage by stage.

    python benchmarks/stages.py [PHOTO] [--repeats 15]

Prints the processor milliseconds of each stage of a photo, by default a 24-megapixel JPEG made as `speed.py` makes
them, as a worker goes through it: one thread, its memory warm. Each is the least of several, so that what else the
machine does disturbs little. "What starting takes" is the processor time of a worker's imports and of loading the
networks, which a run pays once a worker.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg
from speed import make_photos, processor

from photodefect.core.inputs import content_seed, patch_inputs
from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.core.warp import warp
from photodefect.diagnosis.content import content_key
from photodefect.diagnosis.scoring import make_inputs, score
from photodefect.engines import choose_engine
from photodefect.photos.decode import Memory, decode_bytes
from photodefect.photos.exif import read_capture
from photodefect.photos.files import read_photo
from photodefect.photos.monochrome import is_monochrome

ALL, ONLY_DECODING = "**all of it**", "only simplejpeg, new memory each time"

STARTING = """
import time
import photodefect.diagnosis.scoring, photodefect.diagnosis.workers.process
import photodefect.photos.decode, photodefect.photos.exif
from photodefect.engines import choose_engine
choose_engine().open(1)
print(time.process_time())
"""


def least(work: Callable[[], object], repeats: int) -> float:
    """Processor milliseconds."""
    taken = []
    for _ in range(repeats + 1):  # the first warms up
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken[1:]) * 1000


def starting() -> float:
    """Processor milliseconds until a new worker could take a photo."""
    run = subprocess.run([sys.executable, "-c", STARTING], capture_output=True, text=True, check=True)
    return float(run.stdout) * 1000


def stages(file: Path, repeats: int) -> dict[str, float]:
    """Each stage by name, then all of them in one go."""
    choice = choose_engine(device="cpu")
    engine = choice.open(1)
    memory = Memory()
    data = read_photo(file)
    pixels = decode_bytes(data, file.suffix).view
    height, width, _ = pixels.shape
    whole = warp(pixels, 224)
    seed = content_seed(whole, width, height)
    side = choice.patch_side
    options = {"count": choice.patches, "placement": DEFAULT_PLACEMENT, "seed": seed, "side": side}
    look = partial(make_inputs, patches=choice.patches, placement=DEFAULT_PLACEMENT, side=side)
    inputs = look(pixels)
    buffer = np.empty(pixels.size, np.uint8)

    def photo() -> None:
        content = read_photo(file)
        content_key(content, file.suffix)
        capture = read_capture(content)
        decoded = decode_bytes(content, file.suffix, memory=memory)
        found = look(decoded.view, capture=capture)
        score(engine, choice.manifest, [found])

    work: dict[str, Callable[[], object]] = {
        "read the file": lambda: read_photo(file),
        "hash its content": lambda: content_key(data, file.suffix),
        "EXIF data": lambda: read_capture(data),
        "decode": lambda: decode_bytes(data, file.suffix, memory=memory),
        "warp": lambda: warp(pixels, 224),
        "patches": lambda: patch_inputs(pixels, **options),  # type: ignore[arg-type]
        "seed, and whether it is monochrome": lambda: (content_seed(whole, width, height), is_monochrome(whole)),
        "network of the whole photo": lambda: engine.scores("holistic", inputs.holistic[np.newaxis]),
        f"network of patches, {len(inputs.patches)} of them": lambda: engine.scores("patches", inputs.patches),
        ALL: photo,
    }
    if file.suffix.lower() in (".jpg", ".jpeg"):
        work[ONLY_DECODING] = lambda: simplejpeg.decode_jpeg(data, "RGB")
        work["only simplejpeg, into the same memory"] = lambda: simplejpeg.decode_jpeg(data, "RGB", buffer=buffer)
    return {name: least(one, repeats) for name, one in work.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path, nargs="?", metavar="PHOTO")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        file = arguments.photo or next(make_photos(Path(scratch) / "photos", 1).iterdir())
        taken = stages(file, arguments.repeats)
        print(f"{processor()}; a file of {file.stat().st_size / 1e6:.1f} MB\n")
        print("| stage | ms of a core |\n|---|---:|")
        for name, milliseconds in taken.items():
            print(f"| {name} | {milliseconds:.1f} |")
        if ONLY_DECODING in taken:
            print(f"| of all, by simplejpeg's with new memory | {taken[ALL] / taken[ONLY_DECODING]:.2f} |")
        print(f"| what starting takes, once a worker | {min(starting() for _ in range(3)):.0f} |")


if __name__ == "__main__":
    main()
