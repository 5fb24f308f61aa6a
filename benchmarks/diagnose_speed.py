"""Photos a second and peak memory of `photodefect diagnose`, beside decoding the same files alone.

    python benchmarks/diagnose_speed.py [--photos 20] [--runs 3] [--model MODEL_DIR]...

Makes a folder of 24-megapixel JPEGs from the sample photographs (enlarged, turned, with sensor-like noise so that they
compress as camera files do) and takes each measurement in a process of its own: the median of the runs, and the peak
resident memory. The paper's network runs with random weights unless a model folder is given: its speed doesn't depend
on them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 6000, 4000


def make_photos(folder: Path, count: int) -> list[Path]:
    """Write ``count`` different photos of 24 megapixels."""
    sources = sorted((ROOT / "samples").glob("*.jpg"))
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as image:
            large = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        if number // len(sources) % 2:
            large = large.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        noise = generator.normal(0, 3, (HEIGHT, WIDTH, 1)).astype(np.float32)
        pixels = (np.asarray(large) + noise).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{number:04}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=92)
    return paths


def decode_alone(paths: list[Path]) -> float:
    """Seconds to decode all photos with as many threads as cores."""
    from photodefect.diagnosis import available_cores  # noqa: PLC0415
    from photodefect.photos.decode import decode  # noqa: PLC0415

    started = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        # Pixels are dropped where they are made: nobody keeps a folder's worth of them.
        for _ in pool.map(lambda path: decode(path).width, paths):
            pass
    return time.perf_counter() - started


def diagnose(paths: list[Path], model: str) -> float:
    """Seconds to diagnose all photos, after the model is loaded and warm."""
    from photodefect import Diagnoser  # noqa: PLC0415

    diagnoser = Diagnoser(model, device="cpu")
    list(diagnoser.diagnose(paths[:1]))
    started = time.perf_counter()
    for diagnosis in diagnoser.diagnose(paths):
        if diagnosis.error is not None:
            raise SystemExit(f"{diagnosis.path}: {diagnosis.error.message}")
    return time.perf_counter() - started


def random_model(network: str, folder: Path) -> Path:
    """A model folder of a network with random weights."""
    from photodefect.network.manifest import Manifest, Normalization  # noqa: PLC0415
    from photodefect.network.model import save_model  # noqa: PLC0415
    from photodefect.network.registry import NETWORKS, build_network  # noqa: PLC0415

    normalization = Normalization.from_mapping(NETWORKS[network].default_normalization)
    manifest = Manifest(network, "random", network, normalization)
    save_model(folder, manifest, build_network(network, "holistic"), build_network(network, "patches"))
    return folder


def measure(task: str, folder: Path) -> tuple[float, float]:
    """Seconds, and peak memory in MiB, of one task in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    return result["seconds"], result["peak_mib"]


def run_task(task: str, folder: Path) -> None:
    paths = sorted(folder.glob("*.jpg"))
    seconds = decode_alone(paths) if task == "decode" else diagnose(paths, task)
    json.dump({"seconds": seconds, "peak_mib": peak_mib()}, sys.stdout)


def peak_mib() -> float:
    """The most memory this process ever held at once, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage() counts what the parent held before this process was started, too
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", action="append", default=[], help="a further model folder to measure")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        run_task(arguments.task, arguments.folder)
        return
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, str(ROOT))
    import torch  # noqa: PLC0415

    from photodefect.diagnosis import available_cores  # noqa: PLC0415

    software = f"Python {platform.python_version()}, torch {torch.__version__}"
    print(f"{platform.machine()}, {available_cores()} cores, {software}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photos"
        folder.mkdir()
        paths = make_photos(folder, arguments.photos)
        size = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
        print(f"{len(paths)} JPEGs of {WIDTH} x {HEIGHT}, {size:.1f} MB each; median of {arguments.runs} runs\n")
        googlenet = random_model("googlenet", Path(scratch) / "googlenet")
        tasks = {"decode alone": "decode", "compact": "compact", "googlenet (random weights)": str(googlenet)}
        tasks |= {model: model for model in arguments.model}
        print(f"{'':<28}{'ms a photo':>12}{'photos/s':>10}{'x decode':>10}{'peak MiB':>10}")
        decoding = 0.0
        for name, task in tasks.items():
            results = [measure(task, folder) for _ in range(arguments.runs)]
            seconds = statistics.median(result[0] for result in results) / len(paths)
            decoding = decoding or seconds
            peak = max(result[1] for result in results)
            print(f"{name:<28}{seconds * 1000:>12.0f}{1 / seconds:>10.2f}{seconds / decoding:>10.2f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
