"""How much space an installation takes, by package.

    python benchmarks/installed_size.py [--extras heif,raw] [--pip-options="--index-url ..."]

Installs photodefect from this folder, with the pinned versions, into a new virtual environment without pip and
setuptools, and adds up the sizes of all files of each distribution, compiled modules too, in millions of bytes.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL = 1_000_000


def install(folder: Path, extras: str, options: list[str], source: Path = ROOT) -> Path:
    """Where packages lie in a new environment that has photodefect, from a working tree or a wheel."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = next(place for place in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if place.exists())
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--constraint", "constraints.txt"]
    subprocess.run([*pip, *options, f"{source}[{extras}]" if extras else str(source)], check=True, cwd=ROOT)
    where = "import sysconfig; print(sysconfig.get_path('platlib'))"
    return Path(subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip())


def sizes(packages: Path) -> dict[str, int]:
    """Bytes by distribution; what none of them names, compiled by pip, belongs to the folder's."""
    found = {}
    for distribution in distributions(path=[str(packages)]):
        files = {Path(str(file.locate())) for file in distribution.files or ()}
        found[distribution.metadata["Name"]] = sum(file.stat().st_size for file in files if file.is_file())
    everything = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    return found | {"(not named by any)": max(0, everything - sum(found.values()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="of photodefect, separated by commas")
    parser.add_argument("--pip-options", default="", help="passed to pip install")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = sizes(install(Path(folder), arguments.extras, shlex.split(arguments.pip_options)))
    for name, size in sorted(found.items(), key=lambda item: -item[1]):
        if size >= SMALL:
            print(f"{size / 1e6:8.1f} MB  {name}")
    rest = [size for size in found.values() if size < SMALL]
    print(f"{sum(rest) / 1e6:8.1f} MB  {len(rest)} smaller ones")
    print(f"{sum(found.values()) / 1e6:8.1f} MB  together")


if __name__ == "__main__":
    main()
