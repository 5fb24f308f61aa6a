"""How long heat maps take and how much memory, for photos of several sizes.

    python benchmarks/heatmap_speed.py --network lite0 --megapixels 24 --mode default

Weights are random, as time and memory don't depend on them. Every measurement runs in a process of its own, so that
its peak memory is its own. Photos are noise over a gradient, 3:2.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.manifest import Manifest, Normalization
from photodefect.core.network.model import Model
from photodefect.core.network.registry import NETWORKS, build_network
from photodefect.heatmap.maps import HeatMaps, heatmaps

MODES = ("default", "full", "scale1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", choices=sorted(NETWORKS))
    parser.add_argument("--megapixels", action="append", type=float)
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(args.network[0], args.megapixels[0], args.mode[0], args.threads)
        return
    print("| network | photo | maps | seconds | CPU seconds | peak memory |\n|---|---|---|---|---|---|", flush=True)
    for network in args.network or ["lite0", "googlenet"]:
        for megapixels in args.megapixels or [24.0]:
            for mode in args.mode or MODES:
                command = [sys.executable, __file__, "--one", "--network", network, "--mode", mode]
                command += ["--megapixels", str(megapixels), "--threads", str(args.threads)]
                subprocess.run(command, check=True)


def measure(network: str, megapixels: float, mode: str, threads: int) -> None:
    """Time one photo twice and print the faster run as a row of the table."""
    model = untrained(network)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    photo = noisy_photo(height, round(height * 1.5))
    runs = []
    for _ in range(2 if mode == "default" else 1):
        started, busy = time.perf_counter(), time.process_time()
        made(model, photo, mode, threads)
        runs.append((time.perf_counter() - started, time.process_time() - busy))
    seconds, cpu_seconds = min(runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"| {network} | {megapixels:g} MP | {mode} | {seconds:.1f} | {cpu_seconds:.1f} | {peak:.2f} GiB |", flush=True
    )


def made(model: Model, photo: NDArray[np.uint8], mode: str, threads: int) -> HeatMaps:
    """All six maps of a photo."""
    match mode:
        case "full":
            return heatmaps(model, photo, full=True, threads=threads)
        case "scale1":
            return heatmaps(model, photo, scale=1, threads=threads)
        case _:
            return heatmaps(model, photo, threads=threads)


def untrained(network: str) -> Model:
    """A model with random weights, ready for inference."""
    patches = build_network(network, "patches")
    fold_batch_norms(patches)
    patches.requires_grad_(False).eval()
    normalization = Normalization.from_mapping(NETWORKS[network].default_normalization)
    # Only the patch network makes maps; the other one stays away from the measured memory.
    return Model(Manifest("untrained", "0", network, normalization), patches, patches)


def noisy_photo(height: int, width: int) -> NDArray[np.uint8]:
    """Something that no layer can make short work of."""
    rng = np.random.default_rng(0)
    photo = np.empty((height, width, 3), dtype=np.uint8)
    ramp = np.linspace(40, 200, width, dtype=np.float32)[None, :, None]
    for top in range(0, height, 256):
        rows = photo[top : top + 256]
        rows[...] = np.clip(ramp + rng.normal(0, 12, rows.shape).astype(np.float32), 0, 255)
    return photo


if __name__ == "__main__":
    main()
