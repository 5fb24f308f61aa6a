"""Do two states of the source tree say the same of the same photos, byte for byte?

    git worktree add ../before REVISION
    python benchmarks/same_outputs.py ../before . [PHOTOS]

Runs in both trees what writes something (records in every format, a ranking, heat maps with their raw values, a report
with its maps, sidecars, a synthetic set and a small training), over a copy of the photos each, and compares all files
that come out. Prints what differs; exits with 1 if anything does. For changes that should change nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "samples"

RUNS = {
    "records.ndjson": "diagnose photos --no-cache --format ndjson --detail",
    "records.csv": "diagnose photos --format csv --detail",
    "records.json": "diagnose photos --format json --patches 4 --seed 7 --engine torch --no-cache",
    "table.txt": "diagnose photos",
    "ranking.csv": "rank-folder photos --format csv --show-excluded --exclude-severe",
    "ranking.json": "rank-folder photos --format json",
    "ranking.txt": "rank-folder photos --best 50% --summary",
    "marks.csv": "rank-folder photos --format exiftool-csv",
    "maps.json": "heatmap photos/dog.jpg photos/city.jpg -o maps --raw --json --no-cache",
    "report.txt": "report photos -o report --title Photos --maps",
    "sidecars.txt": "rank-folder photos --xmp --apply --journal sidecars.jsonl",
    "set.txt": "synthesize photos --output set --count 12 --size 256",
    "training.txt": "train set/labels.csv --output model --recipe finetune --batch 1 --steps 2 --seed 3 --device cpu",
    "evaluation.txt": "evaluate records.csv --labels labels.csv",
}
"""What is run, by the file that its standard output goes to."""

DIFFERS_EACH_TIME = re.compile(rb"(?<=photodefect-files-)[0-9a-f]{12}|[-0-9]{10} [:0-9]{5}(?=</p>)")
"""The name of the folder of a report's files, and when it was made."""

OWN_CLOCK = {"sidecars.jsonl", "sidecars.txt"}
"""Files that say when they were made."""


def run_all(tree: Path, photos: Path, folder: Path) -> None:
    """Run everything in a folder, with the package of a source tree."""
    shutil.copytree(photos, folder / "photos", ignore=shutil.ignore_patterns("*.md"))
    names = sorted(path.name for path in (folder / "photos").iterdir())
    rows = [f"photos/{name},{index / len(names):.2f}" for index, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["path,noise", *rows]) + "\n")
    own = {"PYTHONPATH": str(tree.resolve()), "COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    places = {name: str(folder / "home") for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    for name, command in RUNS.items():
        arguments = [sys.executable, "-m", "photodefect", *command.split()]
        done = subprocess.run(arguments, cwd=folder, env=os.environ | own | places, capture_output=True, check=False)
        if done.returncode not in (0, 2):
            sys.exit(f"{tree}: photodefect {command}: exit {done.returncode}\n{done.stderr.decode()}")
        (folder / name).write_bytes(done.stdout + done.stderr if done.returncode else done.stdout)
    shutil.rmtree(folder / "home", ignore_errors=True)


def digests(folder: Path) -> dict[str, str]:
    """A checksum of every file, by its path; the photos themselves among them."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in OWN_CLOCK:
            name, data = (DIFFERS_EACH_TIME.sub(b"", it) for it in (bytes(file.relative_to(folder)), file.read_bytes()))
            found[os.fsdecode(name)] = hashlib.sha256(data).hexdigest()
    return found


def main() -> int:
    """Compare two trees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("photos", type=Path, nargs="?", default=SAMPLES)
    parser.add_argument("--keep", type=Path, help="keep what is written in this folder; what is there isn't made again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = options.keep or Path(temporary)
        found = []
        for name, tree in (("before", options.before), ("after", options.after)):
            # Both work in a folder of the same name: some outputs have it inside.
            folder = base / name / "work"
            if not folder.exists():
                folder.mkdir(parents=True)
                run_all(tree, options.photos, folder)
            found.append(digests(folder))
    before, after = found
    different = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    for name in different:
        state = "differs" if name in before and name in after else "is there only " + ("before", "after")[name in after]
        print(f"{name} {state}")
    print(f"{len(before.keys() & after.keys())} files compared, {len(different)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
