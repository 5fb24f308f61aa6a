"""The compact network: what its columns see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from photodefect.core.network.compact import TEACHERS, describe, pool_part, region_means, view_of
from photodefect.core.network.compact_trunk import TAPS, CompactTrunk, View
from photodefect.core.network.multicolumn import expected_severity
from photodefect.core.network.registry import KINDS, build_network
from photodefect.defects import BY_KEY, DEFECTS, PATCH_DEFECTS
from photodefect.training.experts import compact_column
from photodefect.training.trunk_features import patch_features, whole_descriptors, whole_features


def test_it_has_a_column_of_the_right_classes_for_every_defect() -> None:
    for kind, defects in (("holistic", DEFECTS), ("patches", PATCH_DEFECTS)):
        network = build_network("lite0", kind).eval()  # type: ignore[arg-type]
        with torch.inference_mode():
            logits = network(torch.zeros(2, 3, 224, 224, dtype=torch.uint8))
        assert {key: tuple(value.shape) for key, value in logits.items()} == {
            defect.key: (2, defect.class_count) for defect in defects
        }


def test_the_trunk_gives_as_many_channels_as_it_says() -> None:
    for kind in KINDS:
        trunk = CompactTrunk(kind).eval()
        with torch.inference_mode():
            cells = trunk(torch.zeros(1, 3, 64, 96), torch.zeros(1, 3, 64, 96))
        assert tuple(cells.shape) == (1, trunk.outputs, 2, 3)


def test_what_is_cached_of_a_whole_photo_is_what_its_columns_see_and_patches_share_the_first_channels() -> None:
    networks = {kind: build_network("lite0", kind).eval() for kind in KINDS}
    networks["patches"].trunk.load_state_dict(networks["holistic"].trunk.state_dict(), strict=False)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    early, late, carried = whole_features(networks, pixels)
    np.testing.assert_allclose(early, patch_features(networks, pixels), atol=1e-3)
    trunk, column = networks["holistic"].trunk, compact_column(networks["holistic"], "bad_composition")
    assert isinstance(trunk, CompactTrunk)
    with torch.inference_mode():
        features = networks["holistic"].features(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        seen = column.describe(column.pool(features)).flatten(1)
        part = trunk.parts[1]
        tuned = describe(pool_part(trunk.tuned_features(torch.from_numpy(carried).float()), part), part.tapped)
    areas = torch.tensor([4, 6, 4, 6, 9, 6, 4, 6, 4]) / 49
    pooled = (torch.from_numpy(early) * areas[:, None]).sum(1)[:, :, None, None]
    own = describe(pooled, sum(trunk.lite0.channels[tap] for tap in TAPS["patches"])).flatten(1)
    joined = whole_descriptors(trunk, own, torch.from_numpy(late).float())
    torch.testing.assert_close(torch.cat([joined, tuned.flatten(1)], 1), seen, atol=5e-3, rtol=5e-3)


def test_a_column_mixes_the_probabilities_of_its_experts() -> None:
    network = build_network("lite0", "patches").eval()
    column = compact_column(network, "noise")
    descriptors = torch.rand(3, CompactTrunk("patches").outputs, 1, 1, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        own = [expected_severity(BY_KEY["noise"], expert(descriptors)) for expert in column.taught()]
        for share in (0.0, 0.25, 1.0):
            column.shares.copy_(torch.tensor([share, 1 - share]))
            mixed = expected_severity(BY_KEY["noise"], column.classify_descriptors(descriptors))
            torch.testing.assert_close(mixed, share * own[0] + (1 - share) * own[1])


@pytest.mark.parametrize(
    ("key", "cases"),
    [
        (
            "bad_exposure",
            ((0.1, 0.9, 0.74), (0.3, 0.9, 0.78), (0.65, 0.25, 0.44636), (0.9, 0.1, 0.78364), (1.0, 0.1, 1.0)),
        ),
        # By three tenths of their shares at most: .44 * 1 + .56 * .1 is .496.
        ("bad_composition", ((0.1, 0.9, 0.74), (0.3, 0.9, 0.78), (0.65, 0.25, 0.378), (1.0, 0.1, 0.496))),
    ],
)
def test_where_synthesis_finds_a_photo_severe_votes_yield_to_it(
    key: str, cases: Sequence[tuple[float, float, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    defect = BY_KEY[key]
    column = compact_column(build_network("lite0", "holistic").eval(), defect.key)
    column.shares.copy_(torch.tensor([0.2, 0.5, 0.3]))
    severe = torch.full((1, defect.class_count, 1, 1), -50.0)
    for synthesis, votes, mixed in cases:
        for expert, told in zip(column.taught(), (synthesis, votes, votes), strict=True):
            # All of the probability lies on the class, or the two classes, beside the severity.
            logits = severe.clone()
            low = int(told * 10)
            logits[:, low] = np.log(low + 1 - told * 10)
            if told * 10 > low:
                logits[:, low + 1] = np.log(told * 10 - low)
            monkeypatch.setattr(expert, "forward", lambda _seen, logits=logits: logits)
        found = expected_severity(defect, column.classify_descriptors(torch.zeros(1, 1, 1, 1)))
        assert float(found) == pytest.approx(mixed, abs=0.002)


def test_the_layout_tells_in_which_ninth_of_the_frame_something_is() -> None:
    cells = torch.zeros(1, 1, 7, 7)
    cells[..., 5:, 2:5] = 1.0  # below, in the middle
    assert region_means(cells).flatten().tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(("key", "block"), [("bad_exposure", 4), ("haze", 4), ("bad_saturation", 10), ("noise", 10)])
def test_experts_of_synthesis_see_no_deeper_block_and_saturations_no_statistics(key: str, block: int) -> None:
    trunk = CompactTrunk("holistic").eval()
    assert trunk.tuned is not None
    with torch.no_grad():
        deeper = [trunk.lite0.block(index) for index in range(block + 1, trunk.lite0.stop)]
        for parameter in (parameter for blocks in (*deeper, trunk.tuned) for parameter in blocks.parameters()):
            parameter.fill_(torch.nan)
        visible = ~trunk(torch.ones(1, 3, 64, 64), torch.ones(1, 3, 64, 64))[0, :, 0, 0].isnan()
    visible[2 * trunk.tapped : trunk.own.stop] = key != "bad_saturation"
    seen = trunk.seen(view_of("holistic", "synthesis", BY_KEY[key]))
    assert torch.equal(seen, visible.nonzero().flatten())
    assert not visible.all()


def test_only_a_view_with_layout_sees_regions() -> None:
    trunk = CompactTrunk("holistic")
    plain, layout = (trunk.seen(View(deepest=15, tuned=True, layout=own)) for own in (False, True))
    assert len(layout) - len(plain) == 9 * (192 + 320)


def test_experts_that_learnt_by_tuning_and_compositions_see_tuned_blocks_instead_of_the_trunks_own() -> None:
    trunk = CompactTrunk("holistic")
    blocks = torch.cat([torch.full((trunk.lite0.channels[tap],), tap) for tap in trunk.lite0.taps])
    replaced = (blocks >= 11).nonzero().flatten()
    for teacher in TEACHERS["holistic"]:
        for defect in DEFECTS:
            seen = trunk.seen(view_of("holistic", teacher, defect))
            tuned = teacher == "tuning" or (teacher, defect.key) == ("synthesis", "bad_composition")
            assert bool((seen >= trunk.own.described).any()) == tuned
            if tuned:
                assert not torch.isin(seen, torch.cat([replaced, replaced + trunk.tapped])).any()


def test_descriptors_are_means_deviations_and_statistics_as_they_are() -> None:
    values = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))  # 5 positions of 6 channels
    pooled = torch.cat([values.mean(0), values.square().mean(0), torch.tensor([0.5, 0.25])]).reshape(1, -1, 1, 1)
    descriptors = describe(pooled, 6).flatten()
    np.testing.assert_allclose(descriptors[:6], values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(descriptors[6:12], values.numpy().std(0), atol=1e-2)
    assert descriptors[12:].tolist() == [0.5, 0.25]
