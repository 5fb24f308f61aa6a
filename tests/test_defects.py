"""The table of defects: how their severities are written."""

import pytest

from photodefect.defects import BY_KEY


@pytest.mark.parametrize(
    ("key", "severity", "text"),
    [
        ("noise", 0.256, "0.26"),
        ("bad_saturation", 0.256, "+0.26"),
        ("bad_saturation", -0.256, "-0.26"),
        ("bad_saturation", 0.0, "0.00"),
        ("bad_saturation", -0.004, "0.00"),
        ("bad_saturation", 0.004, "0.00"),
    ],
)
def test_severities_have_two_decimals_and_a_sign_where_it_means_something(key: str, severity: float, text: str) -> None:
    assert BY_KEY[key].format(severity) == text
