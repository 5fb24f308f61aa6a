"""Thousands of damaged photos through decoding and EXIF reading: which of them crash, hang, or eat memory?

    nice -n 19 python benchmarks/fuzz_decode.py [--files 2000] [--seed 0] [--first 0] [--keep DIR]

Ordinary small photos are damaged at random: file N of a seed is the same today and tomorrow, so that `--first N
--files 1` brings a finding back. A child process takes them one by one; if it dies or is silent for too
long, that file is a finding and a new child goes on after it. Anything but pixels or a PhotoError from decode(), or
anything but a Capture from read_capture(), is a finding too, and so is a file that takes too much time or memory.
Prints one line a finding and a summary as JSON; exits with 1 if there was any. Linux only (memory is read from /proc).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

MAX_PIXELS = 20_000_000
"""For these files, so that a lying header is cheap to believe."""

MEMORY_MB = 1000
"""What a file may take: 48 bytes a pixel of the limit."""

ADDRESS_SPACE = 8 * 1024**3


def files(seed: int, first: int) -> Iterator[tuple[int, str, str, bytes]]:
    """Number, kind, name and content of one file after another, without end."""
    from photo_files import damaged, file_name, seeds  # noqa: PLC0415

    whole = seeds()
    kinds, contents = list(whole), list(whole.values())
    number = first
    while True:
        generator = random.Random(f"{seed}:{number}")
        kind = generator.choice(kinds)
        yield number, kind, file_name(kind, generator), damaged(whole[kind], generator, contents)
        number += 1


def peak_mb() -> float:
    """Most memory that this process had since the last :func:`forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def child(jobs: Path) -> None:
    """Decode each file that a line of stdin names; say what came of it."""
    import resource  # noqa: PLC0415

    from photodefect.errors import PhotoError  # noqa: PLC0415
    from photodefect.photos.decode import decode  # noqa: PLC0415
    from photodefect.photos.exif import Capture, read_capture  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    for line in sys.stdin:
        path = jobs / line.rstrip("\n")
        outcome, bug = "decoded", ""
        forget_peak()
        before, started = peak_mb(), time.process_time()
        try:
            decode(path, max_pixels=MAX_PIXELS)
        except PhotoError as error:
            outcome = type(error).__name__
            if str(error).isprintable() is False or not str(error):
                bug = f"message {str(error)!r}"
        except BaseException:  # noqa: BLE001  that is what is looked for
            bug = traceback.format_exc()
        decoding = time.process_time() - started
        try:
            if not isinstance(read_capture(path), Capture):
                bug += "no Capture"
        except BaseException:  # noqa: BLE001
            bug += traceback.format_exc()
        seconds = time.process_time() - started
        result = {"outcome": outcome, "bug": bug, "decode_s": decoding, "seconds": seconds, "mb": peak_mb() - before}
        print(json.dumps(result), flush=True)


@dataclass
class Findings:
    """What came out."""

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")

    def add(self, kind: str, what: str, name: str) -> None:
        self.kinds[what] += 1
        print(f"FOUND {what}: {name} ({kind})", flush=True)


class Worker:
    """A child that decodes; started anew when it is gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.noise = folder / "stderr"

    def ask(self, name: str, patience: float) -> dict[str, Any]:
        """The result for a file, or how the child ended."""
        if self._process is None:
            command = [sys.executable, str(Path(__file__)), "--child", str(self._folder)]
            with self.noise.open("ab") as noise:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, text=True
                )
            patience += 30
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            answered = bool(selector.select(patience))
        line = process.stdout.readline() if answered else ""
        if line:
            result: dict[str, Any] = json.loads(line)
            return result
        if not answered:
            process.kill()
        code = process.wait()
        self._process = None
        return {"death": signal.Signals(-code).name if code < 0 else f"exit {code}", "hung": not answered}

    def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


def run(arguments: argparse.Namespace) -> int:
    """Try the files; 1 if anything was found."""
    findings = Findings()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        worker = Worker(folder)
        for number, kind, name, content in islice(files(arguments.seed, arguments.first), arguments.files):
            path = folder / name
            path.write_bytes(content)
            result = worker.ask(name, arguments.patience)
            label = f"file {number}"
            found = judge(result, arguments.slow)
            if found:
                findings.add(kind, found, label)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / f"{number}{path.suffix}").write_bytes(content)
                    (arguments.keep / f"{number}.json").write_text(json.dumps(result | {"kind": kind, "name": name}))
            findings.tried += 1
            findings.outcomes[result.get("outcome", "none")] += 1
            if arguments.verbose:
                print(number, kind, json.dumps(result), flush=True)
            if "seconds" in result:
                findings.slowest = max(findings.slowest, (round(result["seconds"], 2), f"{label} ({kind})"))
                findings.largest = max(findings.largest, (round(result["mb"]), f"{label} ({kind})"))
            path.unlink()
        worker.close()
        noise = worker.noise.stat().st_size if worker.noise.exists() else 0
    print(json.dumps(vars(findings) | {"stderr_bytes": noise}, indent=2))
    return 1 if findings.kinds else 0


def judge(result: dict[str, Any], slow: float) -> str:
    """What is wrong with a result; nothing if it is as it should be."""
    if "death" in result:
        return "hang" if result["hung"] else f"death by {result['death']}"
    if result["bug"]:
        return f"error of no PhotoError's kind: {result['bug'].strip().splitlines()[-1]}"
    if result["seconds"] > slow:
        return f"slow: {result['seconds']:.1f} s"
    return f"memory: {result['mb']:.0f} MB" if result["mb"] > MEMORY_MB else ""


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=2000, help="damaged files to try")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument(
        "--patience", type=float, default=30.0, help="seconds by the clock after which a file counts as a hang"
    )
    parser.add_argument("--slow", type=float, default=5.0, help="seconds of computing that a file may take")
    parser.add_argument("--keep", type=Path, help="a folder for files that were findings")
    parser.add_argument("--verbose", action="store_true", help="a line a file")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return 0
    return run(arguments)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
