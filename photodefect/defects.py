"""The table of the seven defects, which every other module reads.

Source: section 3 of Yu et al., *Learning to Detect Multiple Photographic Defects*. Adding, renaming or
re-ranging a defect is done here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """One photographic defect and the classes a network sorts it into.

    Attributes:
        key: snake_case name used in records, columns, options and file names.
        title: name for people.
        authors_column: the column of the authors' CSV that holds its ground truth.
        caffe_suffix: the suffix of its layers in the authors' released Caffe networks.
        signed: severity runs from -1 (under) to 1 (over) instead of from 0 to 1.
        in_patches: the patch network predicts it too (composition needs the whole frame).
        fine: it sits in the finest detail, so that a reduced photo hides it.
    """

    key: str
    title: str
    authors_column: str
    caffe_suffix: str
    signed: bool = False
    in_patches: bool = True
    fine: bool = False

    @property
    def short_title(self) -> str:
        """The name without the judgement in it: ``Blur`` for ``Undesired blur``."""
        return self.title.removeprefix("Bad ").removeprefix("Undesired ").capitalize()

    @property
    def lowest(self) -> float:
        """Lowest severity on the scale: -1.0 for a signed defect, else 0.0."""
        return -1.0 if self.signed else 0.0

    @property
    def class_centres(self) -> tuple[float, ...]:
        """Severities of the classes, ascending in steps of 0.1: 11 of them, or 21 if signed."""
        return tuple(k / 10 for k in range(-10 if self.signed else 0, 11))

    @property
    def class_count(self) -> int:
        """Number of classes K of this defect's softmax: 11, or 21 if signed."""
        return len(self.class_centres)

    def format(self, severity: float) -> str:
        """Two decimals, with a sign if the defect has one; what rounds to nothing has no direction."""
        text = f"{severity:+.2f}" if self.signed else f"{severity:.2f}"
        return text.lstrip("+-") if float(text) == 0 else text

    def nearest_class(self, severity: float) -> int:
        """Index of the class centre nearest to ``severity``; a severity half-way goes to the higher one.

        Raises:
            ValueError: the severity lies outside the defect's range or is not a number.
        """
        if not self.lowest <= severity <= 1.0:
            raise ValueError(f"{self.key} is {severity}, outside {self.lowest:g}..1")
        return int((severity - self.lowest) * 10 + 0.5 + 1e-9)


DEFECTS: tuple[Defect, ...] = (
    Defect("bad_exposure", "Bad exposure", "Bad Exposure", "badExposure"),
    Defect("bad_white_balance", "Bad white balance", "Bad White Balance", "badWhiteBalance"),
    Defect("bad_saturation", "Bad saturation", "Bad Saturation", "badSaturation", signed=True),
    Defect("noise", "Noise", "Noise", "noise", fine=True),
    Defect("haze", "Haze", "Haze", "haze"),
    Defect("undesired_blur", "Undesired blur", "Undesired Blur", "undesiredBlur", fine=True),
    Defect("bad_composition", "Bad composition", "Bad Composition", "badComposition", in_patches=False),
)
"""All defects in the order of the paper; this order is used for columns everywhere."""

PATCH_DEFECTS: tuple[Defect, ...] = tuple(defect for defect in DEFECTS if defect.in_patches)
"""The defects that the patch network predicts (all but composition)."""

KEYS: tuple[str, ...] = tuple(defect.key for defect in DEFECTS)

IN_PLANE: tuple[str, ...] = ("bad_exposure", "bad_white_balance")
"""Keys of the defects that go wrong in a direction: towards too little or too much light, or towards a colour."""

BY_KEY: dict[str, Defect] = {defect.key: defect for defect in DEFECTS}
