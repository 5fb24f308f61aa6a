"""From the pixels of a photo to its scores, by the networks of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.inputs import content_seed, holistic_input, patch_inputs
from photodefect.core.network.manifest import Manifest
from photodefect.core.patches import Placement
from photodefect.defects import DEFECTS
from photodefect.diagnosis.findings import Finding
from photodefect.engines import Engine
from photodefect.photos.facts import Capture, Provenance, with_one_orientation
from photodefect.photos.graphics import why_no_photograph
from photodefect.photos.monochrome import is_monochrome
from photodefect.photos.plain_background import subject_on_plain_background

if TYPE_CHECKING:
    from photodefect.diagnosis.settings import Settings

_DIGITS: Final = 6
"""Decimals of a score in a record; the last of them is beyond what a network's score means."""

TOLD_BY_SUBJECT: Final = ("bad_exposure", "bad_white_balance", "bad_saturation", "haze")
"""What is told by the subject alone if its background is plain: black, white or colour that is meant."""


@dataclass(frozen=True)
class Inputs:
    """What is left of a photo once its pixels are gone.

    Attributes:
        width: of the photo, in pixels.
        height: likewise.
        holistic: the whole photo, (224, 224, 3).
        patches: crops, (N, side, side, 3).
        monochrome: the photo has no colour, but for a small part.
        subject: what is on a plain background, warped as the whole photo is; None if there is no such thing.
        not_photograph: why it is no photograph; None of a photograph.
        capture: how it was taken.
        provenance: where its pixels came from.
    """

    width: int
    height: int
    holistic: NDArray[np.uint8]
    patches: NDArray[np.uint8]
    monochrome: bool
    subject: NDArray[np.uint8] | None = None
    not_photograph: str | None = None
    capture: Capture | None = None
    provenance: Provenance | None = None


def make_inputs(
    pixels: NDArray[np.uint8],
    *,
    patches: int,
    placement: Placement,
    side: int,
    seed: int | None = None,
    capture: Capture | None = None,
    provenance: Provenance | None = None,
    holistic: NDArray[np.uint8] | None = None,
) -> Inputs:
    """What the networks see of a photo.

    Args:
        pixels: (height, width, 3), uint8, sRGB, upright.
        patches: how many random crops.
        placement: of the crops.
        side: of the crops, in pixels.
        seed: draws others than the content alone does.
        capture: goes along.
        provenance: likewise.
        holistic: the photo's :func:`~photodefect.core.inputs.holistic_input`; None to make it.

    Raises:
        ValueError: the array has another shape or type.
    """
    if capture is not None and provenance is not None:
        capture = with_one_orientation(capture, provenance)
    holistic = holistic_input(pixels) if holistic is None else holistic
    height, width, _ = pixels.shape
    # The same parts of the frame are looked at in every photo, unless places are to be random.
    content = 0 if placement == "sharp" else content_seed(holistic, width, height)
    drawn = combined_seed(content, seed)
    crops = patch_inputs(pixels, count=patches, placement=placement, seed=drawn, side=side)
    # The warped photo shows as well as the full one whether there is colour, and takes a thousandth of the time.
    # Who knows how long the shutter was open has a camera.
    taken = capture is not None and (capture.shutter_s is not None or capture.iso is not None)
    reason = None if taken else why_no_photograph(pixels)
    box = subject_on_plain_background(holistic)
    subject = None if box is None else holistic_input(box.of(pixels))
    monochrome = is_monochrome(holistic if subject is None else subject)
    return Inputs(width, height, holistic, crops, monochrome, subject, reason, capture, provenance)


def inputs_by(
    settings: Settings,
    pixels: NDArray[np.uint8],
    *,
    capture: Capture | None = None,
    provenance: Provenance | None = None,
    holistic: NDArray[np.uint8] | None = None,
) -> Inputs:
    """:func:`make_inputs` as the settings of a run say."""
    return make_inputs(
        pixels,
        patches=settings.patches,
        placement=settings.placement,
        side=settings.choice.patch_side,
        seed=settings.seed,
        capture=capture,
        provenance=provenance,
        holistic=holistic,
    )


def score(engine: Engine, manifest: Manifest, photos: Sequence[Inputs]) -> list[Finding]:
    """Compute what is found in photos, all of them as one batch (section 4.4).

    Args:
        engine: computes the model's networks.
        manifest: the model's.
        photos: one or more.
    """
    holistic = engine.scores("holistic", np.stack([photo.holistic for photo in photos]))
    patches = engine.scores("patches", np.concatenate([photo.patches for photo in photos]))
    ends = np.cumsum([len(photo.patches) for photo in photos])
    findings = []
    for index, (photo, end) in enumerate(zip(photos, ends, strict=True)):
        whole = {key: float(scores[index]) for key, scores in holistic.items()}
        if photo.subject is not None:
            of_subject = engine.scores("holistic", photo.subject[np.newaxis])
            whole |= {key: float(of_subject[key][0]) for key in TOLD_BY_SUBJECT}
        own = slice(end - len(photo.patches), end)
        parts = {key: manifest.combination[key].pool(scores[own]) for key, scores in patches.items()}
        findings.append(_finding(manifest, photo, whole, parts))
    return findings


def combined_seed(content: int, seed: int | None) -> int:
    """The seed of a photo's patches: that of its content, mixed with a person's own where there is one."""
    if seed is None:
        return content
    return int.from_bytes(hashlib.blake2b(f"{content}:{seed}".encode(), digest_size=8).digest(), "big")


def _finding(manifest: Manifest, photo: Inputs, holistic: dict[str, float], patches: dict[str, float]) -> Finding:
    combined = manifest.combine(holistic, patches)
    severity = {defect.key: _rounded(combined[defect.key]) for defect in DEFECTS}
    percentile = {key: manifest.percentile(key, value) for key, value in severity.items()}
    known = {key: value for key, value in percentile.items() if value is not None}
    return Finding(
        width=photo.width,
        height=photo.height,
        severity=severity,
        percentile=known or None,
        holistic={key: _rounded(value) for key, value in holistic.items()},
        patches={key: _rounded(value) for key, value in patches.items()},
        monochrome=photo.monochrome,
        not_photograph=photo.not_photograph,
        capture=photo.capture,
        provenance=photo.provenance,
    )


def _rounded(score: float) -> float:
    return round(score, _DIGITS) + 0.0  # no negative zero
