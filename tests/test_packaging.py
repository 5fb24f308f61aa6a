"""The wheel holds what it needs, and works by itself: from any folder, offline, without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from no_network_here import FOLDER as NO_NETWORK

from photodefect import __version__

ROOT = Path(__file__).parents[1]
NO_TORCH = Path(__file__).parent / "no_torch"
PARTS = ("LICENSE", "README.md", "photodefect", "pyproject.toml", "weights")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of what it is made of."""
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(target), str(source)], check=True, stdout=subprocess.DEVNULL)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as it is installed."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, stdout=subprocess.DEVNULL)
    return target


def test_the_wheel_holds_the_package_the_weights_and_the_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert {name.split("/")[0] for name in names} == {"photodefect", f"photodefect-{__version__}.dist-info"}
    for needed in ("photodefect/py.typed", "photodefect/cli/diagnose.py", "photodefect/weights/README.md"):
        assert needed in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for file in (ROOT / "weights").rglob("*"):
        if file.is_file():
            assert f"photodefect/{file.relative_to(ROOT)}" in names


def test_the_wheel_holds_the_default_model(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        manifest = json.loads(archive.read("photodefect/weights/compact/manifest.json"))
        for network in manifest["networks"].values():
            assert archive.getinfo(f"photodefect/weights/compact/{network['file']}").file_size > 1_000_000


def test_the_installed_package_diagnoses_from_any_folder_without_network_or_torch(
    installed: Path, samples: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    script = f"""
import photodefect
from photodefect.cli import main
import sys
assert photodefect.__file__.startswith({str(installed)!r}), photodefect.__file__
sys.argv = ["photodefect", "diagnose", "--format", "json", {str(samples / "dog.jpg")!r}]
main()
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(NO_TORCH), str(NO_NETWORK), str(installed)])}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["error"] is None
    assert record["model"]["name"] == "compact"
    assert list(elsewhere.iterdir()) == []
