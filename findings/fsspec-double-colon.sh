#!/bin/bash
# fsspec 2026.9.0, told to write a new file photos/DSC::2.jpg, replaces photos/DSC instead, and reads that for photos/DSC::1.jpg.
#
# Expected before running it: the file of that name, as open() has it and every file system of fsspec itself; at worst an error, as two
# colons chain storages in its URLs (zip://a.jpg::s3://bucket/b.zip), and here there is neither a URL nor a second storage.
# Seen: what follows the colons is taken for a storage and dropped, without an error or a warning, of plain paths and of file:// URLs.
# With in-memory storage the URL that its own listing gives leads nowhere, and with s3:// one gets an error about AioSession. Names with
# :: are what programs make of namespaces and of times; S3 and POSIX allow them.
#
# What photodefect does: takes :: for a chain only where a scheme and :// follow, and gives paths to fsspec as paths
# (distributed/storage.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fsspec==2026.9.0
mkdir "$folder/photos"
cd "$folder/photos"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from pathlib import Path

import fsspec

print("fsspec", fsspec.__version__)
here = Path.cwd()
Path("DSC").write_text("another file")
Path("DSC::1.jpg").write_text("the file")
files, memory = fsspec.filesystem("file"), fsspec.filesystem("memory")
assert files.cat_file(str(here / "DSC::1.jpg")) == b"the file"
seen = []
for url in (f"{here}/DSC::1.jpg", f"file://{here}/DSC::1.jpg"):
    with fsspec.open(url, "rt") as file:
        seen.append(file.read())
    print(url.replace(str(here), "..."), "reads", repr(seen[-1]))
with fsspec.open(f"{here}/DSC::2.jpg", "wt") as file:
    file.write("new")
seen += [Path("DSC").read_text(), Path("DSC::2.jpg").exists()]
print(".../DSC::2.jpg written: DSC is", repr(seen[2]), "and DSC::2.jpg is there:", seen[3])
memory.pipe_file("/DSC::1.jpg", b"the file")
url = memory.unstrip_protocol(memory.ls("/", detail=False)[0])
try:
    with fsspec.open(url, "rt") as file:
        seen.append(file.read())
except FileNotFoundError as error:
    seen.append(f"FileNotFoundError: {error}")
print(url, "as listed:", seen[-1])
as_written = seen == ["another file", "another file", "new", False, "FileNotFoundError: /DSC"]
print("as written here" if as_written else "it behaves otherwise now")
sys.exit(0 if as_written else 1)
PYTHON
