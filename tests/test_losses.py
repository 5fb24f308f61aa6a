"""What a network is told about each defect."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_training import MemoryPhotos, grey_photos, tiny_network

from photodefect.core.batches import Batch
from photodefect.core.infogain import classes_of, infogain_matrix, modelled_vote_distributions
from photodefect.core.losses import defect_losses, euclidean_loss, infogain_matrices
from photodefect.defects import BY_KEY, KEYS
from photodefect.training.initial import initial_network
from photodefect.training.photo_sets import SyntheticPhotos
from photodefect.training.samples import Batches, SampleReader

HAZE = KEYS.index("haze")


def batch(*rows: tuple[str, float]) -> Batch:
    severities = torch.full((len(rows), len(KEYS)), torch.nan)
    for row, (key, severity) in enumerate(rows):
        severities[row, KEYS.index(key)] = severity
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (len(rows), 3, 224, 224), dtype=torch.uint8, generator=generator)
    return Batch(inputs, severities, torch.arange(len(rows)), severities)


def flat_matrices() -> dict[str, torch.Tensor]:
    return {key: torch.eye(BY_KEY[key].class_count) for key in KEYS}


def test_the_infogain_loss_of_a_defect_is_minus_the_weighted_logarithms_of_its_own_samples() -> None:
    network = tiny_network().eval().requires_grad_(False)
    data = batch(("haze", 0.3), ("noise", 0.0), ("haze", 1.0))
    matrices = flat_matrices()
    matrices["haze"][10] *= 4
    losses = defect_losses(network, data, "infogain", matrices)
    assert set(losses) == {"haze", "noise"}
    logarithms = network(data.inputs)["haze"].log_softmax(1)
    assert float(losses["haze"]) == pytest.approx(float(-(logarithms[0, 3] + 4 * logarithms[2, 10]) / 2), rel=1e-5)


def test_a_column_learns_from_the_samples_of_its_defect_alone_and_the_trunk_from_all() -> None:
    network = tiny_network().train()
    losses = defect_losses(network, batch(("haze", 0.3), ("haze", 0.9)), "infogain", flat_matrices())
    losses["haze"].backward()  # type: ignore[no-untyped-call]
    for key in KEYS:
        touched = any(parameter.grad is not None for parameter in network.column(key).parameters())
        assert touched == (key == "haze")
    assert all(parameter.grad is not None for parameter in network.trunk.parameters())


def test_the_papers_network_learns_from_the_same_batches() -> None:
    """One step along the gradient lowers the loss of the column that it was for; dropout is left out to see it."""
    network = initial_network("googlenet", "patches", "random", 0).train()
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    data, key = batch(("haze", 0.3), ("haze", 0.9)), "haze"
    optimizer = torch.optim.SGD([*network.trunk.parameters(), *network.column(key).parameters()], lr=0.01)
    before = defect_losses(network, data, "infogain", flat_matrices())[key]
    before.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.trunk.parameters())
    optimizer.step()
    with torch.no_grad():
        after = defect_losses(network, data, "infogain", flat_matrices())[key]
    assert float(after) < float(before.detach())


def test_a_sample_is_of_the_class_that_resulted_and_weighs_as_the_one_that_was_planned() -> None:
    network = tiny_network().eval().requires_grad_(False)
    data = batch(("haze", 0.3), ("haze", 1.0))
    data.planned[:, HAZE] = torch.tensor([0.7, torch.nan])
    data = data._replace(severities=batch(("haze", 0.3), ("haze", 1.0)).severities)
    matrices = flat_matrices()
    matrices["haze"] *= torch.linspace(1, 2, 11)[:, None]
    loss = defect_losses(network, data, "infogain", matrices)["haze"]
    logarithms = network(data.inputs)["haze"].log_softmax(1)
    assert float(loss) == pytest.approx(float(-(1.7 * logarithms[0, 3] + 2 * logarithms[1, 10]) / 2), rel=1e-5)


def test_over_an_epoch_of_synthesis_samples_weigh_one_on_average(samples: Path, tmp_path: Path) -> None:
    """A network that knows nothing has the loss w ln K on each sample of weight w, as the rows of V sum to 1."""
    sources = []
    for name in ("guitar", "haze"):  # little colour: saturation doesn't become what was planned
        image = Image.open(samples / f"{name}.jpg")
        image.thumbnail((128, 128))
        sources.append(tmp_path / f"{name}.png")
        image.save(sources[-1])
    photos = SyntheticPhotos(sources, variants=4, rebalanced=0.5, seed=0, check=False)
    members, key = np.arange(8), "bad_saturation"
    column, defect = KEYS.index(key), BY_KEY[key]
    network = tiny_network().eval().requires_grad_(False)
    network.column(key).classes.weight.zero_()  # type: ignore[union-attr,operator]
    network.column(key).classes.bias.zero_()  # type: ignore[union-attr,operator]
    with SampleReader(photos, seed=0, workers=1, cache_mb=100) as reader:
        plan = Batches(reader, members, "holistic", seed=0, batch=1, window=128, labels="own").plan
        epoch = Batches(reader, members, "holistic", seed=0, batch=len(plan[key]), window=128, labels="own")
        matrices = infogain_matrices(photos, members, epoch.effective_counts())
        (data,) = islice(epoch.from_step(0), 1)
    own = data.severities[:, column]
    known = ~own.isnan()
    assert int(known.sum()) == len(plan[key])
    true = classes_of(defect, own[known].tolist())
    assert (true != classes_of(defect, data.planned[known, column].tolist())).any()
    loss = float(defect_losses(network, data, "infogain", matrices)[key])
    assert loss == pytest.approx(math.log(defect.class_count), rel=0.001)
    by_result = float(matrices[key].sum(1)[torch.from_numpy(true)].mean())
    assert by_result != pytest.approx(1, abs=0.01)


def test_the_euclidean_loss_is_half_the_squared_error_of_the_expected_severity() -> None:
    saturation = BY_KEY["bad_saturation"]
    logits = torch.full((2, 21), -50.0)
    logits[0, [0, 20]] = 0.0  # -1 or 1, evenly: 0 expected
    logits[1, 15] = 0.0  # 0.5
    assert float(euclidean_loss(saturation, logits, torch.tensor([0.6, -0.5]))) == pytest.approx(0.5 * (0.36 + 1) / 2)


def test_regression_takes_the_severity_itself_not_its_class() -> None:
    network = tiny_network().eval().requires_grad_(False)
    data = batch(("haze", 0.34))
    expected = network.severities(data.inputs)["haze"]
    loss = defect_losses(network, data, "euclidean", flat_matrices())["haze"]
    assert float(loss) == pytest.approx(0.5 * (float(expected) - 0.34) ** 2, rel=1e-4)


def test_without_votes_the_matrix_is_made_by_the_vote_model() -> None:
    effective = np.linspace(1, 11, 11)
    matrices = infogain_matrices(grey_photos(), np.arange(8), {"haze": effective})
    expected = infogain_matrix(modelled_vote_distributions(BY_KEY["haze"]), effective)
    assert np.allclose(matrices["haze"].numpy(), expected, atol=1e-6)


def test_with_votes_the_matrix_is_made_from_those_on_training_photos() -> None:
    severities = np.zeros((3, 7))
    severities[:, HAZE] = [0.5, 0.5, 0.5]
    votes = [(0.5, 0.5, 0.5, 0.5), (0.0, 1.0), (1.0,) * 5]
    photos = MemoryPhotos([None] * 3, severities, given={"haze": [*votes]})
    effective = np.zeros(11)
    effective[5] = 20
    row = infogain_matrices(photos, np.array([0, 1]), {"haze": effective})["haze"][5].numpy()
    none, mild, severe = 1 / 6, 4 / 6, 1 / 6  # of six votes; the third photo is held out
    assert row[0] == pytest.approx(none**5)
    assert row[10] == pytest.approx(severe**5)
    assert row[1] == pytest.approx(5 * none**4 * mild)
    assert row.sum() == pytest.approx(1)
