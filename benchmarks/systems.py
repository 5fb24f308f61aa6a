"""Whether the pinned versions can be had, built, for each Python and each system that photodefect is for.

    pip install uv
    python benchmarks/systems.py [--extras all]

Has uv choose versions as pip would with ``-c constraints.txt`` on that system, from wheels alone: nothing may have to
be compiled. Nothing is installed. Prints a line for each Python and system, and ends with 1 if something is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SYSTEMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux arm64": "aarch64-manylinux_2_28",
    "Windows x64": "x86_64-pc-windows-msvc",
    "macOS 14 arm64": "aarch64-apple-darwin",
}


def chosen(python: str, system: str, extras: str) -> tuple[list[str], str]:
    """Requirements as they would be installed, and why they can't be."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"]
    command += ["--python-version", python, "--python-platform", SYSTEMS[system], "--constraint", "constraints.txt"]
    command += [argument for extra in filter(None, extras.split(",")) for argument in ("--extra", extra)]
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(
        [*command, "pyproject.toml"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.split(), done.stderr.strip() if done.returncode else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="of photodefect, separated by commas")
    extras = parser.parse_args().extras
    failed = False
    for python in PYTHONS:
        for system in SYSTEMS:
            packages, problem = chosen(python, system, extras)
            failed |= bool(problem)
            wanted = ("numpy=", "onnxruntime=", "pillow=", "scipy=", "torch=")
            told = problem or " ".join(
                [f"{len(packages)} packages:", *(it for it in packages if it.startswith(wanted))]
            )
            print(f"{python}  {system:15} {told}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
