"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import platformdirs
import pytest
from hypothesis import HealthCheck, settings

# Machines are loaded at times, and no test has a clock.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

_CACHES = pytest.StashKey[str]()

_LONG = (
    "cli_train",
    "cluster",
    "interrupts",
    "originals",
    "report_browser",
    "review_browser",
    "shell_examples",
    "team",
)
"""Files of few tests that each start a cluster, a browser, a training or many commands."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep tests, and the commands that they start, away from the caches, journals and marks of whoever runs them."""
    config.stash[_CACHES] = tempfile.mkdtemp(prefix="photodefect-tests-")
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        os.environ[variable] = str(Path(config.stash[_CACHES]) / variable)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files: at the end, one of the processes that share the files would be left alone with one."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in _LONG)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the caches away again."""
    shutil.rmtree(config.stash[_CACHES], ignore_errors=True)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's configuration folder, empty."""
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_args, **_options: folder)
    return folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the person's journals, not there yet."""
    folder = tmp_path / "state"
    monkeypatch.setattr(platformdirs, "user_state_path", lambda *_args, **_options: folder)
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample photographs."""
    return Path(__file__).parents[1] / "samples"


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of the compact network with random weights: enough for all that isn't about being right."""
    # Torch takes a while to import, and most test files do without.
    import torch  # noqa: PLC0415

    from photodefect.core.network.manifest import Manifest, Normalization  # noqa: PLC0415
    from photodefect.core.network.model import save_model  # noqa: PLC0415
    from photodefect.core.network.registry import NETWORKS, build_network  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("random-model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        normalization = Normalization.from_mapping(NETWORKS["lite0"].default_normalization)
        networks = [build_network("lite0", kind) for kind in ("holistic", "patches")]
        with torch.no_grad():
            for network in networks:
                for name, parameter in network.named_parameters():
                    # Freshly initialized columns say nearly the same about every photo.
                    if name.startswith("columns.") and parameter.ndim > 1:
                        parameter.mul_(3)
        save_model(folder, Manifest("random", "0", "lite0", normalization), *networks)
    return folder
