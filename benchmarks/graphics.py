"""How often is a screenshot or drawing told from photographs, and how often is a photograph taken for one?

    python benchmarks/graphics.py --graphics FOLDER... --photographs FOLDER...

Each folder's sub-folders are its kinds (a folder without any is one kind; files beside sub-folders have the folder's
name). Only pixels are judged, as if no file had camera data. Prints a Markdown table: of how many pictures of each kind
it is said that they are no photographs; then each photograph taken for a graphic, and each graphic that passed
for a photograph if ``--missed`` asks for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from photodefect.errors import PhotodefectError
from photodefect.photos.decode import decode
from photodefect.photos.find import find_photos
from photodefect.photos.graphics import why_no_photograph


def judged(folders: Sequence[Path], step: int) -> Iterator[tuple[str, Path, str | None]]:
    """Kind, path and reason of every ``step``-th picture; one that can't be read is passed over."""
    for folder in folders:
        for path in list(find_photos([folder]))[::step]:
            try:
                reason = why_no_photograph(decode(path).pixels)
            except PhotodefectError as error:
                print(f"{path}: {error}")
                continue
            yield "/".join((folder.name, *path.relative_to(folder).parts[:-1][:1])), path, reason


def table(found: Sequence[tuple[str, Path, str | None]]) -> Iterator[str]:
    """The lines of the table, kinds in their order, all of them last."""
    kinds = list(dict.fromkeys(kind for kind, _, _ in found))
    yield "| kind | pictures | no photographs | share |"
    yield "|---|--:|--:|--:|"
    for name in (*kinds, "all"):
        reasons = [reason for kind, _, reason in found if name in (kind, "all")]
        hits = sum(reason is not None for reason in reasons)
        yield f"| {name} | {len(reasons)} | {hits} | {100 * hits / max(len(reasons), 1):.2f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphics", nargs="+", type=Path, default=[])
    parser.add_argument("--photographs", nargs="+", type=Path, default=[])
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th picture of a folder")
    options = parser.parse_args()
    for title, folders in (("Graphics", options.graphics), ("Photographs", options.photographs)):
        if not folders:
            continue
        found = list(judged(folders, options.every))
        print(f"\n{title}\n\n" + "\n".join(table(found)) + "\n")
        for _, path, reason in found:
            if title == "Photographs" and reason is not None:
                print(f"- {path}: {reason}")
            elif title == "Graphics" and reason is None and options.missed:
                print(f"- {path}: passed for a photograph")


if __name__ == "__main__":
    main()
