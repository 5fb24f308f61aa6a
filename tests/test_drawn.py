"""What is made of a photo for a page can be kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photodefect.errors import DataError
from photodefect.heatmap.heat_map import HeatMap
from photodefect.reports.html.drawn import Drawn

BLUR = HeatMap(
    "undesired_blur",
    np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    640,
    480,
    stride=(160.0, 160.0),
    origin=(80.0, 80.0),
    window=96.0,
    scale=1.0,
    sampled=True,
    clear=np.eye(3, 4, dtype=np.bool_),
)
DRAWN = Drawn(b"thumbnail\n", b"preview", {"undesired_blur": BLUR, "haze": replace(BLUR, key="haze", clear=None)})


def test_what_was_kept_is_what_was_made() -> None:
    again = Drawn.from_bytes(DRAWN.to_bytes())
    assert (again.thumbnail, again.preview, list(again.maps)) == (DRAWN.thumbnail, DRAWN.preview, list(DRAWN.maps))
    for key, heat in DRAWN.maps.items():
        np.testing.assert_array_equal(again.maps[key].severity, heat.severity)
        assert again.maps[key].facts() == heat.facts()
        assert again.maps[key].describe() == heat.describe()
    np.testing.assert_array_equal(again.maps["undesired_blur"].clear, BLUR.clear)
    assert again.maps["haze"].clear is None
    assert Drawn.from_bytes(Drawn(b"a", b"").to_bytes()) == Drawn(b"a", b"")


@pytest.mark.parametrize("cut", [0, 1, 40, 400, -1, -30])
def test_what_is_damaged_is_refused(cut: int) -> None:
    with pytest.raises(DataError, match="no pictures of a photo"):
        Drawn.from_bytes(DRAWN.to_bytes()[:cut])
