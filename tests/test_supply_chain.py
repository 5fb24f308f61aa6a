"""What comes from others: models run nothing, what is installed is what was tested, and nothing asks the network."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import io
import json
import pickle
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from no_network_here import forbidden_network
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from photodefect.core.network.manifest import MANIFEST_FILE
from photodefect.core.network.model import load_model
from photodefect.errors import ModelError
from photodefect.training.checkpoint import load_checkpoint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def torch_file(content: object) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


# Models


@pytest.mark.parametrize("write", [pickle.dumps, torch_file])
def test_a_pickle_in_place_of_weights_is_refused_and_not_run(write: Any, random_model: Path, tmp_path: Path) -> None:
    model, run = shutil.copytree(random_model, tmp_path / "model"), tmp_path / "run"
    evil = write(Payload(run))
    document = json.loads((model / MANIFEST_FILE).read_text())
    for weights in document["networks"].values():  # its maker knows how to count a checksum
        (model / weights["file"]).write_bytes(evil)
        weights["sha256"] = hashlib.sha256(evil).hexdigest()
    (model / MANIFEST_FILE).write_text(json.dumps(document))
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        load_model(model)
    assert not run.exists()
    pickle.loads(pickle.dumps(Payload(run)))  # so that it is known to be one that would have
    assert run.exists()


def test_a_pickle_in_place_of_a_checkpoint_is_refused_and_not_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for content in (pickle.dumps(Payload(run)), torch_file({"format": 1, "network": Payload(run)})):
        (tmp_path / "step.pt").write_bytes(content)
        with pytest.raises(ModelError, match="damaged or no checkpoint"):
            load_checkpoint(tmp_path / "step.pt", network="lite0", kind="holistic")
    assert not run.exists()


def _calls(tree: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Dotted names of what is called, with the names of the arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {f"{word.arg}={ast.unparse(word.value)}" for word in node.keywords}


def test_nothing_in_the_package_runs_what_it_reads() -> None:
    for file in (ROOT / "photodefect").rglob("*.py"):
        for name, words in _calls(ast.parse(file.read_text("utf-8"))):
            runs = name in ("eval", "exec", "compile", "os.system") or name.startswith(("marshal.", "shelve."))
            loads = name.startswith(("pickle.load", "pickle.Unpickler", "joblib."))
            assert not runs, f"{file}: {name}"
            # What the processes that photodefect starts itself tell each other comes from nobody else.
            assert not loads or file.parent.name == "workers", f"{file}: {name}"
            assert name != "torch.load" or "weights_only=True" in words, f"{file}: {name}"
            assert "allow_pickle=True" not in words, f"{file}: {name}"
            assert "shell=True" not in words, f"{file}: {name}"


# Dependencies


def pins() -> dict[str, Requirement]:
    """The lock: requirements by the name of what they pin."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def own_requirements(*extras: str) -> list[Requirement]:
    """What photodefect asks for, with these extras and those that they name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    found = [Requirement(line) for line in lines]
    for requirement in [it for it in found if it.name == "photodefect"]:
        found.remove(requirement)
        found += own_requirements(*requirement.extras)[len(project["dependencies"]) :]
    return found


def closure(requirements: list[Requirement]) -> set[str]:
    """The distributions here that these bring in, themselves included."""
    pending, seen = list(requirements), set[tuple[str, str]]()
    while pending:
        requirement = pending.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in importlib.metadata.requires(name) or []:
                child = Requirement(line)
                if child.marker is None or child.marker.evaluate({"extra": extra}):
                    child.marker = None
                    pending.append(child)
    return {name for name, _ in seen}


def test_every_distribution_of_the_test_environment_is_pinned() -> None:
    pinned = pins()
    for name in sorted(closure(own_requirements("test"))):
        assert name in pinned, f"{name} is missing in constraints.txt"
        (pin,) = pinned[name].specifier
        assert pin.operator == "==", f"{name} is not pinned to one version"
        marker = pinned[name].marker
        own = name == "setuptools"  # which a virtual environment may have brought along
        if not own and (marker is None or marker.evaluate()):
            installed = importlib.metadata.version(name).split("+")[0]  # torch says what it was built for behind a plus
            assert installed == pin.version, f"{name} {installed} is installed, which is not what is pinned"


def test_every_pin_is_within_the_ranges_of_what_asks_for_it() -> None:
    pinned = pins()
    for requirement in own_requirements("test"):
        name = canonicalize_name(requirement.name)
        assert requirement.specifier, f"{name} has no range"
        if name in pinned:
            (pin,) = pinned[name].specifier
            assert requirement.specifier.contains(pin.version), (
                f"{name} {pin.version} is outside {requirement.specifier}"
            )


def test_every_package_that_might_report_home_was_looked_at_in_the_pinned_version() -> None:
    table = (ROOT / "SECURITY.md").read_text("utf-8").partition("## What the packages report to their makers")[2]
    looked_at = dict(re.findall(r"^\| ([\w-]+)(?: \(tests\))? \| ([\d.]+) \|", table, re.MULTILINE))
    pinned = pins()
    assert {"onnxruntime", "ray", "torch", "typer"} <= looked_at.keys()
    for name, version in looked_at.items():
        (pin,) = pinned[name].specifier
        assert version == pin.version, f"{name} {pin.version} is pinned: look at what it reports, then say so"


# Network


def test_the_guard_that_the_other_tests_rely_on_forbids_loopback_too() -> None:
    with socket.socket() as one, forbidden_network() as attempts:
        for reach in (lambda: socket.getaddrinfo("localhost", 80), lambda: one.connect(("127.0.0.1", 9))):
            with pytest.raises(RuntimeError, match="no network"):
                reach()
        assert len(attempts) == 2
    script = "import socket; socket.create_connection(('127.0.0.1', 9))"
    environment = {"PYTHONPATH": str(ROOT / "tests" / "no_network")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "no network here" in done.stderr
