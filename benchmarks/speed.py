"""How long photodefect takes beside only decoding the same files, and beside what one would take instead.

    python benchmarks/speed.py [--photos 240] [--runs 3] [--rivals PYTHON]

Makes folders of JPEGs from the sample photographs (enlarged, turned, with sensor-like noise, so that they compress as
a camera's files do) and prints, from one run: every way to go through them with its median, its ratio to decoding with
the fastest decoder at hand, and its peak memory; then how the default grows with megapixels and with the number of
photos. Every measurement is a process of its own, started new, so that start-up counts; results are never taken from a
cache. Rounds go over all ways in turn, so that a machine that slows down slows down all of them.

cleanvision (dark, light, blurry), BRISQUE (the package brisque), imagededup (its perceptual hash), image-quality-ai,
photo-s-tools (`cull --score`) and bppicker (`analyze`; without models that it would ask for and download) are measured
where they can be imported, by this Python or by the one given by `--rivals`: they pin versions that don't go with ours.

    python -m venv /tmp/rivals
    /tmp/rivals/bin/pip install torch cleanvision brisque opencv-python-headless PyWavelets "numpy<2.3"
    /tmp/rivals/bin/pip install --no-deps imagededup
    /tmp/rivals/bin/pip install scikit-learn image-quality-ai photo-s-tools bppicker
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parents[1]
RIVALS = {
    "cleanvision": "cleanvision",
    "BRISQUE": "brisque",
    "imagededup": "imagededup",
    "image-quality-ai": "image_quality_ai",
    "photo-s-tools": "photo_s",
    "bppicker": "bpp",
}
"""What others are called, and the packages that they are imported as."""


SIZES = {6: (3000, 2000), 12: (4240, 2832), 24: (6000, 4000), 50: (8660, 5774)}


WEIGHTS = {"light": (92, "4:2:0"), "fine": (95, "4:2:2"), "heavy": (98, "4:2:2")}
"""Quality and colours of JPEGs: 1.7 bits a pixel and a quarter of the colours' pixels, as phones and cameras' lesser
settings; 2.6 bits and half of the colours' columns, as cameras' finest at their lightest; 3.7 bits, as their finest of
subjects with much detail."""


def make_photos(
    folder: Path, count: int, size: tuple[int, int] = SIZES[24], *, weight: str = "fine", orientation: int = 1
) -> Path:
    """Write ``count`` different JPEGs, width and height as given, of one of :data:`WEIGHTS`, in an EXIF orientation."""
    import numpy as np  # noqa: PLC0415
    from PIL import ExifTags, Image  # noqa: PLC0415

    folder.mkdir(parents=True)
    sources = sorted((ROOT / "samples").glob("*.jpg"))
    generator = np.random.default_rng(0)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as image:
            large = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        if number // len(sources) % 2:
            large = large.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        noise = generator.standard_normal((size[1], size[0], 1), dtype=np.float32) * 3
        pixels = (np.asarray(large) + noise).clip(0, 255).astype(np.uint8)
        quality, subsampling = WEIGHTS[weight]
        file = folder / f"{number:05}.jpg"
        Image.fromarray(pixels).save(file, quality=quality, subsampling=subsampling, exif=exif)
    return folder


def copies(originals: Path, folder: Path, count: int) -> Path:
    """A folder of ``count`` photos, copies of those in another in turn: without a cache none is known already."""
    folder.mkdir()
    files = sorted(originals.iterdir())
    for number in range(count):
        shutil.copy(files[number % len(files)], folder / f"{number:05}.jpg")
    return folder


# One task each, run in a process of its own: seconds are taken around that process.


def decode_simplejpeg(file: str) -> int:
    import simplejpeg  # noqa: PLC0415

    return len(simplejpeg.decode_jpeg(Path(file).read_bytes()))


def decode_pillow(file: str) -> int:
    import numpy as np  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    with Image.open(file) as image:
        return len(np.asarray(image))


def brisque_score(file: str) -> float:
    import numpy as np  # noqa: PLC0415
    from brisque import BRISQUE  # type: ignore[import-not-found]  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    with Image.open(file) as image:
        return float(BRISQUE(url=False).score(np.asarray(image)))


def each_on_a_core(work: Callable[[str], float]) -> Callable[[Path], None]:
    """Do the work for every file, in as many processes as there are cores."""

    def run(folder: Path) -> None:
        with ProcessPoolExecutor(cores()) as pool:
            list(pool.map(work, [str(file) for file in sorted(folder.iterdir())]))

    return run


def clean_vision(folder: Path) -> None:
    from cleanvision import Imagelab  # type: ignore[import-not-found]  # noqa: PLC0415

    Imagelab(data_path=str(folder)).find_issues({"dark": {}, "light": {}, "blurry": {}}, n_jobs=cores(), verbose=False)


def image_dedup(folder: Path) -> None:
    # Its other methods import torchvision, for whose builds torch's have to be the right ones; hashing needs neither.
    for name in ("", ".models", ".models.vision_transformer", ".transforms"):
        sys.modules[f"torchvision{name}"] = MagicMock()
    from imagededup.methods import PHash  # type: ignore[import-not-found]  # noqa: PLC0415

    PHash(verbose=False).encode_images(image_dir=str(folder), num_enc_workers=cores())


def quality_ai(folder: Path) -> None:
    run_beside("image-quality-ai", str(folder), "--workers", str(cores()), "--json")


def photo_s(folder: Path) -> None:
    run_beside("photo-s", "cull", "--score", "--json", str(folder))


def best_photo_picker(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as out:
        run_beside("bpp", "analyze", "--input", str(folder), "--out", out, "--workers", str(cores()))


def run_beside(command: str, *arguments: str) -> None:
    """Run a command that lies beside this Python."""
    subprocess.run([Path(sys.executable).with_name(command), *arguments], check=True, stdout=subprocess.DEVNULL)


TASKS: dict[str, Callable[[Path], None]] = {
    "simplejpeg": each_on_a_core(decode_simplejpeg),
    "Pillow": each_on_a_core(decode_pillow),
    "BRISQUE": each_on_a_core(brisque_score),
    "cleanvision": clean_vision,
    "imagededup": image_dedup,
    "image-quality-ai": quality_ai,
    "photo-s-tools": photo_s,
    "bppicker": best_photo_picker,
}


def diagnose(folder: Path, *options: str) -> list[str]:
    """The command that a user would give."""
    return [
        *(sys.executable, "-m", "photodefect", "diagnose", str(folder), "--no-cache", "--quiet"),
        *("--format", "ndjson", "--output", os.devnull, "--force", *options),
    ]


def by_engine(folder: Path, engine: str, model: str) -> list[str]:
    """A run from Python: the engine is no option of the command."""
    code = (
        "import sys; from photodefect import Diagnoser, find_photos\n"
        "if __name__ == '__main__':\n"
        "    with Diagnoser(sys.argv[2], engine=sys.argv[3], device='cpu') as it:\n"
        "        bad = [d for d in it.diagnose(find_photos([sys.argv[1]])) if d.error]\n"
        "    sys.exit(len(bad))"
    )
    return [sys.executable, "-c", code, str(folder), model, engine]


def task(name: str, folder: Path, python: str) -> list[str]:
    return [python, __file__, "--task", name, "--folder", str(folder)]


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(command: list[str], folder: Path = ROOT) -> tuple[float, float]:
    """Seconds, and the most memory in MiB that it and its children held together (0 where /proc isn't there).

    The package that lies in ``folder`` is the one that runs.
    """
    environment = os.environ | {"PYTHONPATH": str(folder)}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder, env=environment)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, resident_mib(process.pid))
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        seconds = time.perf_counter() - started
        errors.seek(0)
        if process.returncode:
            tail = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(f"exit code {process.returncode}: {' '.join(tail)}")
    return seconds, peak


def resident_mib(parent: int) -> float:
    """Memory of a process and all that descend from it; what they share is counted once, by proportional size."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    total, waiting = 0.0, [parent]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def random_googlenet(folder: Path) -> Path:
    """The paper's network with random weights: its speed doesn't depend on them."""
    from photodefect.core.network.manifest import Manifest, Normalization  # noqa: PLC0415
    from photodefect.core.network.model import save_model  # noqa: PLC0415
    from photodefect.core.network.registry import NETWORKS, build_network  # noqa: PLC0415

    normalization = Normalization.from_mapping(NETWORKS["googlenet"].default_normalization)
    manifest = Manifest("random", "0", "googlenet", normalization)
    save_model(folder, manifest, *(build_network("googlenet", kind) for kind in ("holistic", "patches")))
    return folder


def has(python: str, package: str) -> bool:
    return subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


def table(title: str, ways: dict[str, tuple[list[str], int]], runs: int, base: str | None = None) -> None:
    """Measure all ways in turn, ``runs`` times, and print them.

    Ratios are to the last row before whose name ends with ``base``, or to the first row if none does.
    """
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    failed: dict[str, str] = {}
    for _ in range(runs):
        for name, (command, _) in ways.items():
            if name not in failed:
                try:
                    results[name].append(measure(command))
                except RuntimeError as error:
                    failed[name] = str(error)
    print(f"| {title} | ms a photo | photos/s | x decoding | peak MiB |\n|---|---:|---:|---:|---:|")
    first = 0.0
    for name, (_, photos) in ways.items():
        if name in failed:
            print(f"| {name} | failed: {failed[name]} | | | |")
            continue
        seconds = statistics.median(one[0] for one in results[name]) / photos
        if not first or (base and name.endswith(base)):
            first = seconds
        peak = max(one[1] for one in results[name])
        print(f"| {name} | {seconds * 1000:.0f} | {1 / seconds:.2f} | {seconds / first:.2f} | {peak:.0f} |", flush=True)
    print()


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=240, help="of 24 megapixels; what is slow gets fewer")
    parser.add_argument("--brief", action="store_true", help="only decoding and the default, at 24 megapixels")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rivals", default=sys.executable, metavar="PYTHON", help="that can import the others")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        TASKS[arguments.task](arguments.folder)
        return
    from importlib.metadata import version  # noqa: PLC0415

    packages = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "torch", "simplejpeg", "numpy"))
    print(f"{processor()}, {cores()} cores; {platform.system()}, Python {platform.python_version()}, {packages}")
    missing = [name for name, package in RIVALS.items() if not has(arguments.rivals, package)]
    if missing:
        print(f"Not installed, so not measured: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as scratch:
        count = arguments.photos
        fewer = min(48, max(1, count // 5))
        few = make_photos(Path(scratch) / "few", fewer)
        folder = copies(few, Path(scratch) / "photos", count)
        size = sum(file.stat().st_size for file in few.iterdir()) / fewer / 1e6
        print(f"{count} JPEGs of 24 megapixels, {size:.1f} MB each; medians of {arguments.runs}, start-up included\n")
        ways = {
            "decode only, simplejpeg": (task("simplejpeg", folder, sys.executable), count),
            "**photodefect, default**": (diagnose(folder), count),
        }
        if arguments.brief:
            table("way", ways, arguments.runs)
            return
        paper = str(random_googlenet(Path(scratch) / "googlenet"))
        ways |= {
            "decode only, Pillow": (task("Pillow", folder, sys.executable), count),
            "compact, 3 patches": (diagnose(folder, "--patches", "3"), count),
            "compact, 10 patches": (diagnose(folder, "--patches", "10"), count),
            "compact, torch": (by_engine(folder, "torch", "compact"), count),
            "paper's network, ONNX Runtime": (diagnose(few, "--model", paper), fewer),
            "paper's network, torch": (by_engine(few, "torch", paper), fewer),
        }
        for name in RIVALS:
            if name not in missing:
                ways[name] = (task(name, few, arguments.rivals), fewer)
        table("way", ways, arguments.runs)
        sizes = {}
        for megapixels, shape in SIZES.items():
            distinct = make_photos(Path(scratch) / f"{megapixels} distinct", min(8, fewer), shape)
            photos = copies(distinct, Path(scratch) / f"{megapixels}", 2 * fewer)
            sizes[f"{megapixels} megapixels, decode only"] = (task("simplejpeg", photos, sys.executable), 2 * fewer)
            sizes[f"{megapixels} megapixels, default"] = (diagnose(photos), 2 * fewer)
        others = {"in light files": ("light", 1), "in heavy files": ("heavy", 1), "taken upright": ("fine", 6)}
        for kind, (weight, orientation) in others.items():
            distinct = Path(scratch) / f"{kind} distinct"
            make_photos(distinct, min(8, fewer), weight=weight, orientation=orientation)
            photos = copies(distinct, Path(scratch) / kind, 2 * fewer)
            name = f"24 megapixels {kind}"
            sizes[f"{name}, decode only"] = (task("simplejpeg", photos, sys.executable), 2 * fewer)
            sizes[f"{name}, default"] = (diagnose(photos), 2 * fewer)
        table("size", sizes, arguments.runs, base="decode only")
        numbers = {}
        originals = make_photos(Path(scratch) / "originals", min(16, fewer), SIZES[6])
        for number in (it for it in (1, 4, 16, 64, 256) if it <= 4 * count):
            photos = copies(originals, Path(scratch) / f"n{number}", number)
            numbers[f"{number} photos of 6 megapixels"] = (diagnose(photos), number)
        table("number (ratios to the first row)", numbers, arguments.runs)


if __name__ == "__main__":
    main()
