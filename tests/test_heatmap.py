"""Maps of severity: the classifier's own scores, the same tiled as whole, honest about how they were made."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.manifest import Calibration, Manifest, Normalization
from photodefect.core.network.model import Model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.receptive_field import ReceptiveField
from photodefect.core.network.registry import NETWORKS, Kind, build_network
from photodefect.core.network.stages import network_stages
from photodefect.core.network.statistics import CELL
from photodefect.defects import DEFECTS, PATCH_DEFECTS
from photodefect.diagnosis.diagnoser import Diagnoser
from photodefect.errors import UnreadableError
from photodefect.heatmap import SAMPLES, HeatMap, heatmaps
from photodefect.heatmap.maps import sample_grid
from photodefect.heatmap.tiles import spans
from photodefect.heatmap.torch_mapper import TorchMapper, severity_cells, trunk_features
from photodefect.heatmap.workers import Workers

MAPPED = [defect.key for defect in PATCH_DEFECTS]
LARGE = (700, 1000)
"""A photo that is large for the limits of :func:`small_limits`."""


@cache
def network(name: str) -> MultiColumnNetwork:
    """Random weights with which different places get different scores."""
    generator = torch.Generator().manual_seed(4)
    built = build_network(name, "patches").eval().requires_grad_(False)
    for module in built.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, generator=generator)
        elif isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.3, generator=generator)
    with torch.inference_mode():
        logits = built(torch.from_numpy(photo(224, 224)).permute(2, 0, 1).unsqueeze(0))
    for key, column in built.columns.items():
        for name, layer in column.named_modules():
            if name.rpartition(".")[2] == "classes":
                layer.weight /= logits[key].std()  # type: ignore[operator]
    return built


@cache
def whole_photo_network(name: str) -> MultiColumnNetwork:
    return build_network(name, "holistic").eval().requires_grad_(False)


def model(name: str = "lite0", calibration: dict[str, Calibration] | None = None) -> Model:
    normalization = Normalization.from_mapping(NETWORKS[name].default_normalization)
    manifest = Manifest("random", "0", name, normalization, calibration=calibration or {})
    return Model(manifest, whole_photo_network(name), network(name))


def mapper(name: str = "lite0", calibration: dict[str, Calibration] | None = None) -> TorchMapper:
    return TorchMapper(model(name, calibration))


def photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise whose brightness, colour and strength differ from place to place."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (height // 64 + 2, width // 64 + 2, 3)).repeat(64, 0).repeat(64, 1)
    strength = np.linspace(0, 40, width)[None, :, None]
    return np.clip(coarse[:height, :width] + rng.normal(size=(height, width, 3)) * strength, 0, 255).astype(np.uint8)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take smaller photos for large, so that tests needn't wait for really large ones."""
    monkeypatch.setattr("photodefect.heatmap.maps.DENSE_PIXELS", 300_000)
    monkeypatch.setattr("photodefect.heatmap.maps.SAMPLES", 6)
    monkeypatch.setattr("photodefect.heatmap.maps.WORKING_SIDE", 520)


@pytest.mark.parametrize("name", sorted(NETWORKS))
@torch.inference_mode()
def test_on_a_patch_the_middle_of_the_pooled_map_is_the_classifiers_score(name: str) -> None:
    patch = photo(224, 224)
    scores = network(name).severities(torch.from_numpy(patch).permute(2, 0, 1).unsqueeze(0))

    cells = severity_cells(network(name), trunk_features(network(name), patch), MAPPED, window=7)

    assert list(cells) == MAPPED
    for key, severity in cells.items():
        assert severity.shape == (7, 7)
        assert severity[3, 3] == pytest.approx(scores[key].item(), abs=1e-4)
    assert np.ptp(cells["noise"]) > 1e-3, "the map is not the same everywhere"


@pytest.mark.parametrize(("height", "width"), [(92, 1150), (1150, 92)])
@pytest.mark.parametrize("name", sorted(NETWORKS))
@torch.inference_mode()
def test_tiles_give_what_the_whole_photo_gives(name: str, height: int, width: int) -> None:
    pixels = photo(height, width)
    mirrored = np.pad(pixels, ((0, -height % 32), (0, -width % 32), (0, 0)), mode="symmetric")
    whole = network(name).features(torch.from_numpy(mirrored).permute(2, 0, 1).unsqueeze(0))

    with Workers(2) as workers:
        tiled = trunk_features(network(name), pixels, side=224, workers=workers)

    assert tiled.shape == whole.shape
    assert float((tiled - whole).abs().max()) <= 1e-5 * max(1.0, float(whole.abs().max()))
    expected = network(name).map_logits(whole, "noise", 3)
    assert float(expected.std()) > 1e-3
    maps = severity_cells(network(name), tiled, ["noise"], window=3)
    centres = torch.arange(11) / 10
    reference = (expected.softmax(1) * centres.reshape(1, -1, 1, 1)).sum(1)[0].numpy()
    assert maps["noise"] == pytest.approx(reference, abs=1e-5)


@torch.inference_mode()
def test_the_columns_are_the_same_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.rand(1, 1024, 20, 23)
    whole = severity_cells(network("googlenet"), features, ["haze"], window=5)["haze"]

    monkeypatch.setattr("photodefect.heatmap.torch_mapper.COLUMN_SIDE", 6)
    tiled = severity_cells(network("googlenet"), features, ["haze"], window=5)["haze"]

    assert np.ptp(whole) > 1e-4
    assert tiled == pytest.approx(whole, abs=1e-5)


def seen(receptive_field: ReceptiveField, pixels: range, positions: int) -> list[bool]:
    """Which positions see any of the pixels, by the receptive_field."""
    starts = [position * receptive_field.stride for position in range(positions)]
    return [
        start - receptive_field.before < pixels.stop and pixels.start <= start + receptive_field.after
        for start in starts
    ]


def reached(result: Tensor) -> tuple[list[bool], list[bool]]:
    """Rows and columns that a number that isn't one has got to."""
    lost = result.isnan().any(1)[0]
    return lost.any(1).tolist(), lost.any(0).tolist()


@pytest.mark.parametrize(
    ("name", "kind", "index"),
    [
        *(("googlenet", "patches", index) for index in range(2)),
        *(("lite0", "patches", index) for index in range(2)),
        ("lite0", "holistic", 2),
    ],
)
@torch.inference_mode()
def test_a_stage_sees_exactly_as_far_as_it_says(name: str, kind: Kind, index: int) -> None:
    chain = network_stages(build_network(name, kind).eval()).chain
    stage, stride = chain[index], chain[index].source_stride
    channels = 3 if index == 0 else chain[index - 1].carries
    side = 640 // stride if index == 0 else 1024 // stride
    source = torch.rand(1, channels, side, side) * (255 if index == 0 else 1)
    row, column = side // 2 - 1, side // 2 + 4
    # Whatever is computed from this number is not a number either.
    source[:, :, row, column] = torch.nan

    result = stage.run(source)

    final, receptive_field = result.carried, stage.receptive_field
    if final is None:
        # A cell is the mean of the positions inside it.
        final = result.features[max(result.features)]
        receptive_field = ReceptiveField(
            CELL, receptive_field.before, receptive_field.after + CELL - receptive_field.stride
        )
    rows, columns = reached(final)
    assert rows == seen(receptive_field, range(row * stride, (row + 1) * stride), len(rows))
    assert columns == seen(receptive_field, range(column * stride, (column + 1) * stride), len(columns))
    for features in result.features.values():
        lost_rows, _ = reached(features)
        within = seen(
            ReceptiveField(CELL, stage.receptive_field.lead, CELL - 1 + stage.receptive_field.trail),
            range(row * stride, row * stride + 1),
            len(lost_rows),
        )
        assert all(allowed or not lost for lost, allowed in zip(lost_rows, within, strict=True))


def test_the_compact_networks_reach_is_the_one_worked_out_by_hand() -> None:
    # Through the stem (3x3, stride 2, padded after), kernels 3 3s 3 5s 5 3s 3 3 5 5 5 5s at strides 2 to 32.
    patches, holistic = (build_network("lite0", kind).trunk.lite0 for kind in ("patches", "holistic"))  # type: ignore[arg-type, union-attr]

    assert patches.receptive_field(0, 11) == ReceptiveField(stride=16, before=154, after=184)  # type: ignore[union-attr, operator]
    assert holistic.receptive_field(0, 12) == ReceptiveField(stride=32, before=170, after=232)  # type: ignore[union-attr, operator]


@given(st.integers(1, 90), st.integers(1, 400), st.integers(0, 300), st.integers(0, 300))
def test_spans_cover_a_side_once_and_stay_inside_it(units: int, side: int, lead: int, trail: int) -> None:
    length = units * 32

    cut = spans(length, side, lead, trail, 32)

    assert [position for span in cut for position in range(span.start, span.stop, 32)] == list(range(0, length, 32))
    for span in cut:
        assert span.stop - span.start <= max(side, 32)
        assert span.outer_start == 0 or span.outer_start <= span.start - lead
        assert span.outer_stop == length or span.outer_stop >= span.stop + trail
        assert 0 <= span.outer_start % 32 == span.outer_stop % 32 == 0
        assert span.outer_stop <= length


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (33, 31), (225, 640)])
def test_a_photo_of_any_size_has_a_map(size: tuple[int, int]) -> None:
    made = heatmaps(mapper(), photo(*size))

    assert list(made.maps) == MAPPED
    for heatmap in made.maps.values():
        assert heatmap.severity.shape == (-(-size[0] // 32), -(-size[1] // 32))
        assert heatmap.severity.min() >= heatmap.defect.lowest
        assert heatmap.severity.max() <= 1
        assert heatmap.enlarged().shape == size


@pytest.mark.usefixtures("small_limits")
def test_a_large_photos_noise_and_blur_are_sampled_at_original_resolution_and_the_rest_reduced() -> None:
    made = heatmaps(mapper(), photo(*LARGE), ["noise", "haze"])

    haze, noise = made.maps["haze"], made.maps["noise"]
    assert not haze.sampled
    assert haze.scale == pytest.approx(0.52, rel=1e-2)
    assert haze.stride == pytest.approx((32 / haze.scale, 32 / haze.scale), rel=1e-2)
    assert haze.origin == (haze.stride[0] / 2, haze.stride[1] / 2)
    assert noise.sampled
    assert noise.scale == 1
    assert noise.describe() == "original resolution, 6 sampled places"
    assert haze.describe() == "at 52% of the original size"


@pytest.mark.usefixtures("small_limits")
@torch.inference_mode()
def test_a_sampled_value_is_the_classifiers_score_of_the_patch_around_it() -> None:
    pixels = photo(*LARGE)

    blur = heatmaps(mapper(), pixels, ["undesired_blur"], calibrated=False).maps["undesired_blur"]

    row, column = 1, blur.severity.shape[1] - 1
    middle = (blur.origin[0] + column * blur.stride[0], blur.origin[1] + row * blur.stride[1])
    left, top = (round(place - 64) for place in middle)
    assert left == LARGE[1] - 128
    patch = torch.from_numpy(pixels[top : top + 128, left : left + 128].copy()).permute(2, 0, 1).unsqueeze(0)
    score = network("lite0").severities(patch)["undesired_blur"].item()
    assert blur.severity[row, column] == pytest.approx(score, abs=1e-4)


@pytest.mark.usefixtures("small_limits")
def test_full_maps_cover_everything_at_original_resolution() -> None:
    noise = heatmaps(mapper(), photo(*LARGE), ["noise"], full=True).maps["noise"]

    assert not noise.sampled
    assert noise.severity.shape == (22, 32)
    assert (noise.stride, noise.origin, noise.window) == ((32, 32), (16, 16), 96)
    assert noise.describe() == "original resolution"


@pytest.mark.usefixtures("small_limits")
def test_a_scale_holds_for_all_defects() -> None:
    made = heatmaps(mapper(), photo(*LARGE), ["noise", "haze"], scale=0.25)

    for heatmap in made.maps.values():
        assert not heatmap.sampled
        assert heatmap.scale == pytest.approx(0.25)
        assert heatmap.severity.shape == (6, 8)
        assert heatmap.stride == pytest.approx((128, 128))


def test_threads_change_nothing() -> None:
    pixels = photo(300, 500)

    one = heatmaps(mapper(), pixels, threads=1)
    two = heatmaps(mapper(), pixels, threads=2)

    for key in MAPPED:
        assert two.maps[key].severity == pytest.approx(one.maps[key].severity, abs=1e-5)


def test_maps_are_on_the_scale_of_diagnosed_severities() -> None:
    pixels = photo(96, 96)
    calibration = {"noise": Calibration((0.0, 0.5, 1.0), (0.0, 0.9, 1.0))}

    bare = heatmaps(mapper(calibration=calibration), pixels, ["noise"], calibrated=False).maps["noise"].severity
    scaled = heatmaps(mapper(calibration=calibration), pixels, ["noise"]).maps["noise"].severity

    assert np.all(np.where(bare < 0.5, np.isclose(scaled, bare * 1.8), np.isclose(scaled, 0.9 + (bare - 0.5) / 5)))


def test_the_papers_network_maps_without_pooling_and_the_compact_one_over_a_few_cells() -> None:
    pixels = photo(96, 128)

    assert heatmaps(mapper("googlenet"), pixels, ["noise"]).maps["noise"].window == 32
    assert heatmaps(mapper("lite0"), pixels, ["noise"]).maps["noise"].window == 3 * 32
    assert heatmaps(mapper("lite0"), pixels, ["haze"]).maps["haze"].window == 5 * 32
    assert heatmaps(mapper("lite0"), pixels, ["noise"], window=7).maps["noise"].window == 224


def test_an_enlarged_map_is_bilinear() -> None:
    severity = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    heatmap = HeatMap("noise", severity, 7 * 32, 5 * 32, (32, 32), (16, 16), 96, 1.0, sampled=False)
    expected = nn.functional.interpolate(torch.from_numpy(severity)[None, None], scale_factor=32, mode="bilinear")

    assert heatmap.enlarged() == pytest.approx(expected[0, 0].numpy(), abs=1e-5)
    assert heatmap.enlarged(rows=(40, 90)) == pytest.approx(expected[0, 0, 40:90].numpy(), abs=1e-5)


def test_an_enlarged_map_has_each_value_at_its_place() -> None:
    severity = np.array([[0.1, 0.9], [0.4, 0.2], [0.7, 0.3]], dtype=np.float32)
    heatmap = HeatMap("noise", severity, 1024, 1424, (800, 600), (112, 112), 224, 1.0, sampled=True)

    large = heatmap.enlarged()

    assert large.shape == (1424, 1024)
    assert large[712, 112] == pytest.approx(0.4, abs=2e-3)
    assert large[1312, 912] == pytest.approx(0.3, abs=2e-3)
    assert large[112, 512] == pytest.approx(0.5, abs=2e-3)
    assert large[0, 0] == pytest.approx(0.1), "beyond the outermost values nothing changes"
    assert large[1423, 1023] == pytest.approx(0.3)


@given(st.integers(224, 12000), st.integers(224, 12000))
def test_sampled_windows_lie_inside_apart_and_border_to_border(height: int, width: int) -> None:
    tops, lefts = sample_grid(height, width, SAMPLES, 224)

    for positions, length in ((tops, height), (lefts, width)):
        assert all(later - earlier >= 224 for earlier, later in pairwise(positions))
        assert positions[0] >= 0
        assert positions[-1] + 224 <= length
        assert len(positions) == 1 or (positions[0], positions[-1]) == (0, length - 224)
    assert len(tops) * len(lefts) <= 2 * SAMPLES


def test_composition_has_no_map() -> None:
    with pytest.raises(ValueError, match="bad_composition has no heat map"):
        heatmaps(mapper(), photo(64, 64), ["bad_composition"])
    assert {defect.key for defect in DEFECTS} - set(MAPPED) == {"bad_composition"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"defects": ["bokeh"]}, "'bokeh' is not a defect"),
        ({"scale": 0.0}, "scale is 0"),
        ({"scale": 1.5}, "scale is 1.5"),
        ({"scale": 0.5, "full": True}, "exclude each other"),
        ({"window": 4}, "odd number"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        heatmaps(mapper(), photo(64, 64), **arguments)  # type: ignore[arg-type]


def test_folding_batch_norms_changes_no_map() -> None:
    pixels = photo(160, 192)
    folded = build_network("lite0", "patches").eval().requires_grad_(False)
    folded.load_state_dict(network("lite0").state_dict())
    fold_batch_norms(folded)

    with torch.inference_mode():
        before = severity_cells(network("lite0"), trunk_features(network("lite0"), pixels), ["noise"])
        after = severity_cells(folded, trunk_features(folded, pixels), ["noise"])

    assert after["noise"] == pytest.approx(before["noise"], abs=1e-4)


def test_a_diagnoser_maps_a_photo_by_its_path(tmp_path: Path) -> None:
    pixels = photo(90, 130)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    diagnoser = Diagnoser(model(), device="cpu")

    made = diagnoser.heatmap(tmp_path / "photo.png", ["haze", "noise"])

    assert (made.width, made.height, list(made.maps)) == (130, 90, ["noise", "haze"])
    expected = heatmaps(mapper(), pixels, ["haze"]).maps["haze"].severity
    assert made.maps["haze"].severity == pytest.approx(expected, abs=1e-5)
    assert made.model == model().identity
    whole = diagnoser.diagnose_pixels(pixels)
    assert whole.severity is not None
    assert {key: it.photo for key, it in made.maps.items()} == {key: whole.severity[key] for key in made.maps}
    with pytest.raises(UnreadableError):
        diagnoser.heatmap(tmp_path / "missing.png")
