"""The house keeps its order: rooms import only from those below them, and no module grows too long."""

from __future__ import annotations

import ast
import graphlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "photodefect"
LONGEST = 400
LOOSE_MODULES = 10


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def rooms() -> list[str]:
    """The rooms as CONTRIBUTING.md lists them, from the lowest to the highest."""
    (block,) = re.findall(r"^```rooms\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)
    return [line.split()[0] for line in block.splitlines()][::-1]


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(module: str, code: str, known: dict[str, Path]) -> Iterator[str]:
    """Modules of the package that one imports: anywhere, inside functions and under TYPE_CHECKING as well."""
    package = module if known[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                if name in known or base in known:
                    yield name if name in known else base


def all_imports() -> Iterator[tuple[str, str]]:
    known = modules()
    for module, file in known.items():
        for imported in imports(module, file.read_text(), known):
            yield module, imported


def test_every_room_is_listed_once_and_there_is_no_other() -> None:
    assert sorted(rooms()) == sorted({room_of(module) for module in modules()})


def test_rooms_import_only_from_those_below_them() -> None:
    order = {room: height for height, room in enumerate(rooms())}
    upwards = [
        f"{module} imports {imported}"
        for module, imported in all_imports()
        if order[room_of(imported)] > order[room_of(module)]
    ]
    assert upwards == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = defaultdict(set)
    for module, imported in all_imports():
        # A package's own list of names imports its modules, and they live in it.
        if module != imported and not imported.startswith(f"{module}.") and not module.startswith(f"{imported}."):
            graph[module].add(imported)
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import photodefect.cli.main", "photodefect.cli.main"),
        ("from photodefect.cli import main", "photodefect.cli.main"),
        ("from photodefect.cli.main import run", "photodefect.cli.main"),
        ("def f():\n    from ..cli.main import run", "photodefect.cli.main"),
        ("if TYPE_CHECKING:\n    from ..cli import main", "photodefect.cli.main"),
    ],
)
def test_an_import_is_seen_however_it_is_written(line: str, expected: str) -> None:
    known = dict.fromkeys(("photodefect.core.method", "photodefect.cli", "photodefect.cli.main"), Path("a.py"))
    assert list(imports("photodefect.core.method", line, known)) == [expected]


def test_few_modules_lie_loose_beside_the_rooms() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= LOOSE_MODULES


def test_no_file_of_the_package_has_more_than_400_lines() -> None:
    # Graphs of networks in ONNX's binary form have no lines.
    files = [file for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in (".pyc", ".onnx")]
    assert len(files) > 200
    assert {file.name: count for file in files if (count := len(file.read_bytes().splitlines())) > LONGEST} == {}


def test_every_module_says_in_a_sentence_what_it_holds() -> None:
    for module, file in modules().items():
        first, *rest = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()
        assert first.endswith("."), f"{module}: {first!r}"
        assert not rest or not rest[0], f"{module}: the first sentence runs over its line"
