"""What a network says about photos that are held out, and what training begins from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_training import MemoryPhotos, grey_photos, tiny_builder, tiny_network

from photodefect.core.batches import Batch
from photodefect.core.network.manifest import Calibration, Manifest, Normalization, Weighting
from photodefect.core.network.model import Model, save_model
from photodefect.core.network.registry import NETWORKS
from photodefect.defects import BY_KEY, KEYS
from photodefect.diagnosis.diagnoser import Diagnoser
from photodefect.errors import ModelError
from photodefect.training.calibration import reference_quantiles
from photodefect.training.experts import compact_column
from photodefect.training.initial import initial_network, needs_standardization, standardize
from photodefect.training.samples import SampleReader
from photodefect.training.validation import Predictions, fitted_calibrations, predict, validation_loss

MATRICES = {key: torch.eye(BY_KEY[key].class_count) for key in KEYS}


def noisy_photos(count: int) -> MemoryPhotos:
    photos = [
        np.random.default_rng(seed).integers(0, 40 + 8 * seed, (260, 240, 3), dtype=np.uint8) for seed in range(count)
    ]
    return MemoryPhotos(photos, grey_photos(count).severities)


def test_the_loss_is_the_mean_over_photos_in_evaluation_mode() -> None:
    photos, network = noisy_photos(3), tiny_network().train()
    with SampleReader(photos, seed=0, workers=1, cache_mb=50) as reader:
        found = validation_loss(network, "holistic", reader, [0, 2], loss="infogain", matrices=MATRICES)
        assert found is not None
        assert network.training, "as before"
        inputs = [reader.whole(index).result().inputs for index in (0, 2)]
    network.eval()
    with torch.no_grad():
        losses = []
        for photo, cut in zip((0, 2), inputs, strict=True):
            logarithms = network(torch.from_numpy(cut).permute(0, 3, 1, 2))["noise"].log_softmax(1)[0]
            losses.append(-float(logarithms[BY_KEY["noise"].nearest_class(photo / 3)]))
    assert found.losses["noise"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found.loss == pytest.approx(np.mean(list(found.losses.values())))
    assert list(found.losses) == list(KEYS)


def test_photos_that_can_not_be_read_are_passed_over() -> None:
    photos = MemoryPhotos([None, *noisy_photos(12).photos], np.zeros((13, 7)))
    with SampleReader(photos, seed=0, workers=2, cache_mb=50) as reader:
        some = validation_loss(tiny_network(), "holistic", reader, [0, 1, 2], loss="infogain", matrices=MATRICES)
        same = validation_loss(tiny_network(), "holistic", reader, [1, 2], loss="infogain", matrices=MATRICES)
        assert some == same
        assert validation_loss(tiny_network(), "holistic", reader, [0], loss="infogain", matrices=MATRICES) is None


def test_the_reference_are_quantiles_of_what_diagnose_says_of_the_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "lite0", tiny_builder())
    photos = noisy_photos(11)
    manifest = Manifest(
        "tiny",
        "1",
        "lite0",
        Normalization.from_mapping(NETWORKS["lite0"].default_normalization),
        combination={key: Weighting.default(BY_KEY[key]) for key in KEYS} | {"haze": Weighting(0.4, 0.6, 0.25)},
        calibration={"haze": Calibration((0.0, 0.5, 1.0), (0.0, 0.9, 1.0))},
    )
    networks = [tiny_network(kind).eval() for kind in ("holistic", "patches")]
    save_model(tmp_path, manifest, *networks)
    with SampleReader(photos, seed=0, workers=1, cache_mb=50) as reader:
        predictions = predict(Model(manifest, *networks), reader, range(11), torch.device("cpu"))
    diagnoser = Diagnoser(tmp_path, device="cpu", engine="torch", isolated=False)  # the tiny network has no graph
    records = [diagnoser.diagnose_pixels(pixels) for pixels in photos.photos if pixels is not None]
    for key in KEYS:
        strengths = sorted(abs((record.severity or {})[key]) for record in records)
        # Eleven photos: every tenth quantile is one of them.
        quantiles = reference_quantiles(manifest.calibration.get(key), predictions.raw[key])
        assert quantiles[::10] == pytest.approx(strengths, abs=1e-4)
    assert predictions.members.tolist() == list(range(11))
    assert np.allclose(predictions.severities, photos.severities)


def seen_photos(severities: NDArray[np.float64]) -> Predictions:
    """Photos whose scores are half of their severities; all labels but haze and saturation are 0."""
    labels = np.zeros((len(severities), len(KEYS)), np.float32)
    for key in ("haze", "bad_saturation"):
        labels[:, KEYS.index(key)] = severities
    raw = {key: labels[:, column] / 2 for column, key in enumerate(KEYS)}
    return Predictions(np.arange(len(labels)), raw, labels)


def test_a_calibration_is_fitted_where_mild_plain_and_severe_photos_are_held_out() -> None:
    predictions = seen_photos(np.repeat([0.0, 0.1, 0.2, 0.3, 0.6, 0.9], [30, 5, 5, 5, 5, 5]))
    fitted = fitted_calibrations(predictions, ["haze", "bad_saturation", "noise"])
    assert list(fitted) == ["haze"], "of saturation one side is known, of noise nothing but that there is none"
    typical = np.interp([0.3, 0.45], fitted["haze"].raw, fitted["haze"].severity)
    assert typical == pytest.approx([0.6, 0.9], abs=0.02)
    assert fitted_calibrations(predictions, ["noise"]) == {}


@pytest.mark.parametrize(
    ("levels", "numbers"),
    [
        ([0.0, 0.2, 0.6, 0.9], [30, 5, 5, 4]),
        ([0.0, 0.2, 0.3, 0.9], [30, 5, 5, 5]),
        ([0.0, 0.5, 0.6, 0.9], [30, 5, 5, 5]),
        ([0.0, 0.2, 0.6, 0.9], [14, 5, 5, 5]),
    ],
)
def test_too_few_photos_of_some_sort_are_not_fitted_to(levels: list[float], numbers: list[int]) -> None:
    assert fitted_calibrations(seen_photos(np.repeat(levels, numbers)), ["haze"]) == {}


def test_imagenet_weights_go_into_the_compact_trunk() -> None:
    network = initial_network("lite0", "patches", "imagenet", 0)
    again = initial_network("lite0", "patches", "imagenet", 1)
    random = initial_network("lite0", "patches", "random", 1)
    name = "trunk.lite0.stem.conv.weight"
    assert torch.equal(network.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(network.state_dict()[name], random.state_dict()[name])
    name = "columns.haze.experts.votes.hidden.weight"
    assert not torch.equal(network.state_dict()[name], again.state_dict()[name])
    with pytest.raises(ModelError, match="--init random"):
        initial_network("googlenet", "patches", "imagenet", 0)


def test_a_model_of_another_network_can_not_be_begun_from(random_model: Path) -> None:
    with pytest.raises(ModelError, match=r"is a model of lite0, not of googlenet; take --network lite0"):
        initial_network("googlenet", "holistic", str(random_model), 0)
    network = initial_network("lite0", "holistic", str(random_model), 0)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_compact_columns_are_told_the_scale_of_their_descriptors_by_samples() -> None:
    network = initial_network("lite0", "patches", "random", 0)
    assert needs_standardization(network, "random")
    assert not needs_standardization(network, "a/model")
    assert not needs_standardization(tiny_network(), "random")
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (6, 3, 224, 224), dtype=torch.uint8, generator=generator)
    inputs = (inputs * torch.linspace(0.2, 1, 6).reshape(6, 1, 1, 1)).to(torch.uint8)
    standardize(network, [Batch(inputs, torch.zeros(6, 7), torch.arange(6), torch.zeros(6, 7))])
    predictions: list[torch.Tensor] = []
    dropout = compact_column(network, "haze").expert("votes").descriptor_dropout
    dropout.register_forward_pre_hook(lambda _layer, given: predictions.append(given[0]))
    with torch.no_grad():
        network(inputs)
    (standardized,) = predictions
    varying = standardized.flatten(1).std(0, unbiased=False) > 0.01
    assert varying.sum() > 500
    assert torch.allclose(standardized.flatten(1).mean(0), torch.zeros(()), atol=0.01)
    assert torch.allclose(standardized.flatten(1).std(0, unbiased=False)[varying], torch.ones(()), atol=0.05)
