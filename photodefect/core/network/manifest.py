"""``manifest.json``: what a model folder says about its two weight files, checked field by field."""

from __future__ import annotations

import hashlib
import json
import math
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from photodefect.core.network.json_fields import Field
from photodefect.core.network.registry import KINDS, NETWORKS, Kind
from photodefect.defects import DEFECTS, Defect
from photodefect.errors import ModelError
from photodefect.records import ModelIdentity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1
MANIFEST_FILE: Final = "manifest.json"
QUANTILES: Final = 101
"""Length of a reference distribution: the quantiles 0, 1 ... 100 %."""


@dataclass(frozen=True)
class Normalization:
    """What a trunk wants of its input: (channels in this order, 0..255, minus ``mean``) x ``scale``."""

    channels: str
    mean: tuple[float, float, float]
    scale: float

    def to_dict(self) -> dict[str, object]:
        """As in the manifest, and as :func:`~photodefect.core.network.registry.build_network` takes it."""
        return {"channels": self.channels, "mean": list(self.mean), "scale": self.scale}

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Normalization:
        """Take over a registry's default normalization."""
        mean = tuple(float(value) for value in cast("tuple[float, ...]", values["mean"]))
        return cls(
            str(values["channels"]), cast("tuple[float, float, float]", mean), float(cast("float", values["scale"]))
        )


@dataclass(frozen=True)
class WeightsFile:
    """One safetensors file beside the manifest and the SHA-256 of its bytes (hexadecimal)."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Weighting:
    """How much each network's score counts; only the proportion matters.

    Attributes:
        holistic: weight of the score of the whole photo.
        patches: weight of the patches' score.
        lowest: share of the patches that make up their score, those with the lowest ones, above 0 to 1. A photo with
            a sharp subject before a soft background isn't blurred, though most of its patches are.
    """

    holistic: float
    patches: float
    lowest: float = 1.0

    def pool(self, scores: NDArray[np.float32]) -> float:
        """Scores of a photo's patches (N,) -> the patches' score: the mean (section 4.4) over the share that counts."""
        if self.lowest == 1:
            return float(scores.mean())
        import numpy as np  # noqa: PLC0415  the process that hands out photos does without

        return float(np.sort(scores)[: math.ceil(self.lowest * len(scores))].mean())

    @classmethod
    def default(cls, defect: Defect) -> Weighting:
        """The mean of both scores; for a defect that needs the whole frame, the holistic score (section 4.4)."""
        return cls(0.5, 0.5) if defect.in_patches else cls(1.0, 0.0)


@dataclass(frozen=True)
class Calibration:
    """Piecewise-linear map from combined score to severity; flat beyond its ends.

    Attributes:
        raw: combined scores, strictly ascending.
        severity: severity at each of them, not descending.
    """

    raw: tuple[float, ...]
    severity: tuple[float, ...]


def _default_combination() -> dict[str, Weighting]:
    return {defect.key: Weighting.default(defect) for defect in DEFECTS}


@dataclass(frozen=True)
class Manifest:
    r"""All that a model folder says about itself. The defects and their classes are those of ``defects.py``.

    Attributes:
        name: what people call the model.
        version: of the weights, for people.
        network: key of the registry.
        normalization: of the input.
        combination: weights of both networks' scores, by defect key; all seven.
        calibration: by defect key; a defect without one keeps its combined score.
        reference: by defect key, 101 ascending quantiles of \|severity\| over reference photos, each in 0..1.
        networks: the weight files by kind; empty until the model is saved.
    """

    name: str
    version: str
    network: str
    normalization: Normalization
    combination: Mapping[str, Weighting] = field(default_factory=_default_combination)
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    reference: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    networks: Mapping[Kind, WeightsFile] = field(default_factory=dict)

    @cached_property
    def identity(self) -> ModelIdentity:
        """The model's name and the SHA-256 of this manifest, which holds the SHA-256 of both weight files.

        Equal identities give equal severities and percentiles: normalization, combination, calibration and
        reference are part of it too.
        """
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()
        return ModelIdentity(self.name, digest)

    def combine(self, holistic: Mapping[str, float], patches: Mapping[str, float]) -> dict[str, float]:
        """Final severities from both networks' scores (section 4.4): their weighted mean, then calibrated.

        Args:
            holistic: score of the whole photo by defect key.
            patches: score of the patches by defect key, from :meth:`Weighting.pool`.

        Returns:
            Severity by defect key, within the defect's range.

        Raises:
            KeyError: a score is missing that has a weight.
        """
        import numpy as np  # noqa: PLC0415  see above

        severities = {}
        for key, weighting in self.combination.items():
            total = 0.0
            if weighting.holistic > 0:
                total += weighting.holistic * holistic[key]
            if weighting.patches > 0:
                total += weighting.patches * patches[key]
            score = total / (weighting.holistic + weighting.patches)
            calibration = self.calibration.get(key)
            if calibration is not None:
                score = float(np.interp(score, calibration.raw, calibration.severity))
            severities[key] = score
        return severities

    def percentile(self, key: str, severity: float) -> int | None:
        """How many of a hundred reference photos have the defect less than this one.

        Args:
            key: the defect.
            severity: of the photo; of a signed defect the sign doesn't count, as in the paper's ranking.

        Returns:
            0..100, rounded down, 100 only above all of them; None if the model has no reference for the defect.
        """
        quantiles = self.reference.get(key)
        if quantiles is None:
            return None
        strength = abs(severity)
        less = bisect_left(quantiles, strength)
        if less in (0, QUANTILES):
            return 0 if less == 0 else 100
        low, high = quantiles[less - 1], quantiles[less]
        # Between two quantiles the share grows linearly; the tolerance keeps a quantile itself from falling below.
        return min(99, int(less - 1 + (strength - low) / (high - low) + 1e-9))

    def to_json(self) -> str:
        """The text of ``manifest.json``; :meth:`from_json` gives back an equal manifest."""
        document: dict[str, object] = {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "version": self.version,
            "network": self.network,
            "normalization": self.normalization.to_dict(),
            "defects": [{"key": defect.key, "class_centres": list(defect.class_centres)} for defect in DEFECTS],
            "networks": {kind: {"file": it.file, "sha256": it.sha256} for kind, it in self.networks.items()},
            "combination": {
                key: {"holistic": it.holistic, "patches": it.patches} | ({"lowest": it.lowest} if it.lowest < 1 else {})
                for key, it in self.combination.items()
            },
        }
        if self.calibration:
            document["calibration"] = {
                key: {"raw": list(it.raw), "severity": list(it.severity)} for key, it in self.calibration.items()
            }
        if self.reference:
            document["reference"] = {key: list(it) for key, it in self.reference.items()}
        text = json.dumps(document, indent=1, allow_nan=False)
        # One line a list of numbers: a reference distribution would fill a hundred lines each.
        return re.sub(r"\[[^\[\]{}\"]*\]", lambda found: re.sub(r"\s+", " ", found.group()), text) + "\n"

    @classmethod
    def from_json(cls, text: str, file: Path | str = MANIFEST_FILE) -> Manifest:
        """Read the text of a ``manifest.json``.

        Args:
            text: the text.
            file: named in errors.

        Raises:
            ModelError: the text is not JSON, or a field is missing, unknown or has a value that can't be. The
                message names the file and the field.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{file}: not a manifest: {error}") from error
        root = Field(document, "", str(file))
        version = root.item("schema_version")
        if version.value != SCHEMA_VERSION:
            raise version.wrong(
                f"is {version.value!r}; this version of photodefect reads {SCHEMA_VERSION}. Take another model or "
                "another version of photodefect"
            )
        root.only(
            ("schema_version", "name", "version", "network", "normalization", "defects", "networks"),
            optional=("combination", "calibration", "reference"),
        )
        _check_defects(root.item("defects"))
        combination = _default_combination()
        combination.update(root.by_defect("combination", _weighting))
        return cls(
            name=root.item("name").text(),
            version=root.item("version").text(),
            network=root.item("network").choice(tuple(NETWORKS)),
            normalization=_normalization(root.item("normalization")),
            combination=combination,
            calibration=root.by_defect("calibration", _calibration),
            reference=root.by_defect("reference", _reference),
            networks=_networks(root.item("networks")),
        )


def _normalization(field: Field) -> Normalization:
    field.only(("channels", "mean", "scale"))
    mean = field.item("mean").numbers(0, 255)
    if len(mean) != 3:
        raise field.item("mean").wrong(f"has {len(mean)} numbers, not 3")
    scale = field.item("scale").number()
    if scale <= 0:
        raise field.item("scale").wrong(f"is {scale}, not above 0")
    return Normalization(field.item("channels").choice(("rgb", "bgr")), mean, scale)


def _check_defects(field: Field) -> None:
    """The columns of the weights mean what our table says, or the scores would be of something else."""
    items = field.items()
    for item in items:
        item.only(("key", "class_centres"))
    keys = [item.item("key").text() for item in items]
    wanted = [defect.key for defect in DEFECTS]
    if keys != wanted:
        raise field.wrong(f"are {', '.join(keys)}; this version of photodefect knows {', '.join(wanted)}")
    for item, defect in zip(items, DEFECTS, strict=True):
        centres = item.item("class_centres")
        values = centres.numbers()
        if len(values) != defect.class_count or any(
            abs(ours - theirs) > 1e-6 for ours, theirs in zip(defect.class_centres, values, strict=True)
        ):
            raise centres.wrong(
                f"differ from the {defect.class_count} of {defect.key}, {defect.lowest:g} to 1 in steps of 0.1"
            )


def _networks(field: Field) -> dict[Kind, WeightsFile]:
    field.only(KINDS)
    files: dict[Kind, WeightsFile] = {}
    for kind in KINDS:
        item = field.item(kind)
        item.only(("file", "sha256"))
        name = item.item("file").text()
        # A manifest may come from anyone: it reads nothing outside its own folder.
        if name in (".", "..") or re.search(r"[/\\:\0]", name):
            raise item.item("file").wrong(f"is {name!r}, not the plain name of a file beside the manifest")
        digest = item.item("sha256").text().lower()
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise item.item("sha256").wrong("is not a SHA-256 of 64 hexadecimal digits")
        files[kind] = WeightsFile(name, digest)
    return files


def _weighting(field: Field, defect: Defect) -> Weighting:
    field.only(("holistic",), optional=("patches", "lowest"))
    holistic = field.item("holistic").number(0)
    patches = field.item("patches").number(0) if "patches" in field.mapping() else 0.0
    lowest = field.item("lowest").number(0, 1) if "lowest" in field.mapping() else 1.0
    if holistic + patches <= 0:
        raise field.wrong("gives no network any weight")
    if patches > 0 and not defect.in_patches:
        raise field.item("patches").wrong(f"is {patches:g}, but patches can't tell {defect.key}")
    if lowest == 0 or (lowest < 1 and defect.signed):
        raise field.item("lowest").wrong(f"is {lowest:g}; it is above 0 to 1, and 1 for a defect with a sign")
    return Weighting(holistic, patches, lowest)


def _calibration(field: Field, defect: Defect) -> Calibration:
    field.only(("raw", "severity"))
    raw = field.item("raw").numbers(defect.lowest, 1)
    severity = field.item("severity").numbers(defect.lowest, 1)
    if len(raw) < 2 or len(raw) != len(severity):
        raise field.wrong(f"needs two knots or more, and as many raw ({len(raw)}) as severity ({len(severity)})")
    if any(later <= earlier for earlier, later in pairwise(raw)):
        raise field.item("raw").wrong("does not ascend")
    if any(later < earlier for earlier, later in pairwise(severity)):
        raise field.item("severity").wrong("descends")
    return Calibration(raw, severity)


def _reference(field: Field, _defect: Defect) -> tuple[float, ...]:
    quantiles = field.numbers(0, 1)
    if len(quantiles) != QUANTILES:
        raise field.wrong(f"has {len(quantiles)} numbers, not {QUANTILES} (the quantiles 0 to 100 %)")
    if any(later < earlier for earlier, later in pairwise(quantiles)):
        raise field.wrong("descends")
    return quantiles
