"""The page of an evaluation or a benchmark: one HTML file with its plots inside, so that nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

from jinja2 import Environment, PackageLoader, StrictUndefined

from photodefect._version import __version__
from photodefect.defects import BY_KEY, DEFECTS
from photodefect.evaluation.benchmark_result import BenchmarkResult
from photodefect.evaluation.report import Evaluation
from photodefect.printable import printable
from photodefect.reports.table import short_title

TEMPLATE: Final = "evaluation_page.html.jinja"
NO_NUMBER: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"


def write_page(
    stream: TextIO, *, evaluation: Evaluation | None = None, benchmark: BenchmarkResult | None = None
) -> None:
    """Write the page.

    Args:
        stream: where to, in UTF-8.
        evaluation: predictions on a labelled set, or None.
        benchmark: predictions on a benchmark, or None.
    """
    environment = Environment(
        loader=PackageLoader("photodefect.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "number": _number}
    page = environment.get_template(TEMPLATE)
    titles: Mapping[str, str] = {defect.key: short_title(defect) for defect in DEFECTS}
    stream.write(
        page.render(
            evaluation=evaluation,
            benchmark=benchmark,
            defects=DEFECTS,
            titles=titles,
            by_key=BY_KEY,
            version=__version__,
        )
    )


def _number(value: float | None, digits: int = 3) -> str:
    return NO_NUMBER if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)
