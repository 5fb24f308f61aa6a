"""Quantiles, against NumPy's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from photodefect.photos.quantiles import quantiles


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 101, 3136])
def test_quantiles_are_those_of_numpy(size: int, dtype: type[np.floating]) -> None:
    values = np.random.default_rng(size).random(size).astype(dtype)
    shares = (0.0, 0.01, 0.2, 0.5, 0.75, 0.99, 1.0)
    np.testing.assert_allclose(quantiles(values, *shares), np.quantile(values.astype(np.float64), shares), atol=1e-12)


def test_quantiles_are_of_all_values_of_any_shape_and_leave_them_in_place() -> None:
    values = np.array([[3.0, 1.0], [4.0, 2.0]])
    assert quantiles(values, 0.5) == [2.5]
    assert values.tolist() == [[3.0, 1.0], [4.0, 2.0]]


def test_measuring_a_photo_imports_no_masked_arrays() -> None:
    code = (
        "import sys; import numpy as np\n"
        "from photodefect.photos.monochrome import is_monochrome\n"
        "from photodefect.ranking.hints.measurements import measure\n"
        "photo = np.random.default_rng(0).integers(0, 256, (600, 800, 3)).astype(np.uint8)\n"
        "measure(photo), is_monochrome(photo[:224, :224])\n"
        "assert 'numpy.ma' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
