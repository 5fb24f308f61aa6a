#!/bin/bash
# pathspec 1.1.1 matches patterns of .gitignore that hold a class of characters otherwise than git 2.39.5, without an error.
#
# Expected before running it: GitIgnoreSpec, which is there to match as git does, knows the classes that fnmatch(3) has and git
# documents by reference to it: [[:digit:]] is any digit.
# Seen: the class is read as the characters "[", ":" and those of its name, followed by "]". "[[:digit:]].jpg" matches no 1.jpg, but it does
# match d].jpg, which git leaves alone; with a class negated, "[![:digit:]].jpg", a.jpg isn't matched either. Python warns of a
# "possible nested set" while the pattern is compiled. A tab at the end of a pattern is taken away, too, where git keeps all but spaces.
#
# What photodefect does: writes the classes of --exclude as ranges before pathspec sees them (photos/places.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pathspec==1.1.1
cd "$folder"
git --version
git init --quiet photos
"$folder/venv/bin/python" -W ignore::FutureWarning - <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import pathspec

print("pathspec", pathspec.__version__)
names = ["1.jpg", "a.jpg", "d].jpg", "2.jpg\t"]
EXPECTED = {
    "[0-9].jpg": (["1.jpg"], ["1.jpg"]),
    "[[:digit:]].jpg": (["1.jpg"], ["d].jpg"]),
    "[![:digit:]].jpg": (["a.jpg"], []),
    "2.jpg\t": (["2.jpg\t"], []),
}
seen = {}
for pattern in EXPECTED:
    Path("photos/.gitignore").write_text(pattern + "\n")
    asked = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    told = subprocess.run(asked, cwd="photos", input="\0".join(names) + "\0", capture_output=True, text=True)
    by_git = [name for name in told.stdout.split("\0") if name]
    spec = pathspec.GitIgnoreSpec.from_lines([pattern])
    seen[pattern] = (by_git, [name for name in names if spec.match_file(name)])
    print(f"{pattern!r}: git {seen[pattern][0]}, pathspec {seen[pattern][1]}")
print("as written here" if seen == EXPECTED else "it behaves otherwise now")
sys.exit(0 if seen == EXPECTED else 1)
PYTHON
