"""What an editor could do about a photo: its defects, how bad each is, which way it went, and what to change.

The network says how severe a defect is, and of saturation in which direction. The other directions are measured, and
where pixels and capture data don't tell, the hint says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from photodefect.defects import KEYS
from photodefect.records import Capture, Diagnosis
from photodefect.verdicts import DEFAULT_THRESHOLDS, Verdict, grades

if TYPE_CHECKING:
    from photodefect.ranking.hints.measurements import Measurements


@dataclass(frozen=True)
class Hint:
    """What could be done about a defect.

    Attributes:
        direction: which way it went, e.g. ``under-exposed`` or ``motion``; None if that can't be told.
        text: for people.
        amount: by how much to change what, by unit, with a sign: ``stops`` of exposure, ``kelvin`` of colour
            temperature, ``green_stops`` of green against red and blue; None if that can't be told.
    """

    direction: str | None
    text: str
    amount: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Finding:
    """One defect of a photo that is mild or severe.

    Attributes:
        defect: its key.
        severity: with its sign.
        percentile: percentage of reference photos that are less severe, or None.
        grade: ``mild`` or ``severe``.
        direction: which way it went; None if that can't be told or hints aren't wanted.
        hint: what to change and which way; None if hints aren't wanted.
        amount: by how much, as in :class:`Hint`; None if that can't be told or hints aren't wanted.
    """

    defect: str
    severity: float
    percentile: int | None
    grade: Verdict
    direction: str | None = None
    hint: str | None = None
    amount: Mapping[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def findings(
    diagnosis: Diagnosis,
    measurements: Measurements | None = None,
    *,
    hints: bool = True,
    ignored: Collection[str] = (),
) -> tuple[Finding, ...]:
    """What is wrong with a photo, severe defects before mild ones, then by size.

    Args:
        diagnosis: its record.
        measurements: of its pixels; without them most directions can't be told.
        hints: say what to change.
        ignored: keys of defects that don't count.
    """
    severity = {key: value for key, value in (diagnosis.severity or {}).items() if key not in ignored}
    thresholds = diagnosis.thresholds or DEFAULT_THRESHOLDS
    graded = grades(severity, thresholds, monochrome=bool(diagnosis.monochrome))
    wrong = [key for key, grade in graded.items() if grade != "good"]
    wrong.sort(key=lambda key: (graded[key] != "severe", -abs(severity[key]), KEYS.index(key)))
    result = []
    for key in wrong:
        hint = hint_for(key, severity[key], diagnosis.capture or Capture(), measurements) if hints else None
        result.append(
            Finding(
                key,
                severity[key],
                (diagnosis.percentile or {}).get(key),
                graded[key],
                hint.direction if hint else None,
                hint.text if hint else None,
                hint.amount if hint else None,
            )
        )
    return tuple(result)


def hint_for(key: str, severity: float, capture: Capture, measurements: Measurements | None) -> Hint:
    """What could be done about one defect.

    Args:
        key: of the defect.
        severity: with its sign.
        capture: how the photo was taken.
        measurements: of its pixels.
    """
    return _HINTS[key](severity, capture, measurements)


def _exposure(_severity: float, _capture: Capture, measured: Measurements | None) -> Hint:
    if measured is None:
        return Hint(None, "can't tell whether too dark or too bright")
    light = measured.light
    fault = light.fault()
    lost = f"{light.clipped:.0%} of the frame is blown out" if light.clipped >= 0.01 else "no lights are lost"
    if fault == "under-exposed":
        raised = min(light.stops, 4.0)
        deep = f", {light.crushed:.0%} of the frame is black for good" if light.crushed >= 0.02 else ""
        beyond = " or more" if light.stops > raised else ""
        text = f"under-exposed: raise exposure, by up to {_half(raised)} EV{beyond} ({lost}{deep})"
        return Hint(fault, text, {"stops": round(raised, 2)})
    if fault == "over-exposed":
        lowered = max(-light.stops, 0.5)
        text = f"over-exposed: lower exposure, by about {_half(lowered)} EV ({lost})"
        return Hint(fault, text, {"stops": -round(lowered, 2)})
    if fault == "too contrasty":
        return Hint(
            fault,
            f"too contrasty: lift shadows and recover lights ({lost}, {light.crushed:.0%} is black)",
        )
    return Hint(None, f"can't tell whether too dark or too bright: the median is {_from_grey(light.middle)}, {lost}")


def _half(stops: float) -> str:
    return f"{round(2 * stops) / 2:g}"


def _from_grey(luminance: float) -> str:
    from photodefect.ranking.hints.light import MIDDLE_GREY  # noqa: PLC0415  numpy, which whoever measured has

    return f"{luminance / MIDDLE_GREY:.1f} times middle grey"


def _white_balance(_severity: float, _capture: Capture, measured: Measurements | None) -> Hint:
    tints = measured.cast.tints() if measured is not None else ()
    if measured is None or not tints:
        return Hint(None, "can't tell which way: nothing in it is surely neutral; pick a grey or white thing by hand")
    remedies, amount = [], {}
    for tint in tints:
        if tint in ("too warm", "too cool"):
            amount["kelvin"] = kelvin = round(measured.cast.kelvin(), -2)
            remedies.append(f"{'lower' if kelvin < 0 else 'raise'} the colour temperature by about {abs(kelvin):.0f} K")
        else:
            amount["green_stops"] = round(measured.cast.green_stops(), 2)
            remedies.append(f"move the tint towards {'magenta' if tint == 'too green' else 'green'}")
    return Hint(" and ".join(tints), f"{' and '.join(tints)}: {' and '.join(remedies)}", amount)


def _saturation(severity: float, _capture: Capture, _measured: Measurements | None) -> Hint:
    if severity < 0:
        return Hint("under-saturated", "under-saturated: raise saturation or vibrance")
    return Hint("over-saturated", "over-saturated: lower saturation")


def _noise(_severity: float, capture: Capture, _measured: Measurements | None) -> Hint:
    if capture.iso is None:
        return Hint(None, "reduce noise; can't tell why: the ISO speed isn't recorded")
    if capture.iso >= 800:
        return Hint("high ISO", f"noise at ISO {capture.iso}: reduce noise, of colour first, then of luminance")
    return Hint(
        "low ISO", f"noise at only ISO {capture.iso}: from lifted shadows, sharpening or scanning; undo some of that"
    )


def _haze(_severity: float, _capture: Capture, measured: Measurements | None) -> Hint:
    if measured is not None and measured.light.dark > 0.02:
        return Hint(
            "veiled blacks",
            f"hazy: remove haze or set the black point; blacks start at {measured.light.dark:.0%} light",
        )
    return Hint(None, "hazy: remove haze where it is far away; the darkest parts are black already")


# Smear, in doublings of energy (:class:`~photodefect.ranking.hints.softness.Softness`). Up to the first nothing speaks
# for motion: out-of-focus photos stay below. From the second on motion is likely, if the shutter was slow. From the
# last on it is motion whatever the shutter: a scene full of stripes reaches that at most.
_EVEN_SMEAR: Final = 1.3
_LIKELY_SMEAR: Final = 1.8
_CERTAIN_SMEAR: Final = 3.0


def _blur(_severity: float, capture: Capture, measured: Measurements | None) -> Hint:
    shot = _shot(capture)
    smear = measured.softness.smear if measured is not None else None
    if smear is None:
        return Hint(None, f"can't tell whether moved or out of focus: too little detail{shot and f' ({shot})'}")
    steadiness = _steadiness(capture)
    known = shot if capture.shutter_s else "the shutter isn't recorded"
    # The shutter is a witness too: what it makes unlikely takes more evidence.
    needed = {"slow": _LIKELY_SMEAR, "fast": _CERTAIN_SMEAR}.get(steadiness, 0.5 * (_LIKELY_SMEAR + _CERTAIN_SMEAR))
    angle = 0.0 if measured is None else measured.softness.angle
    if smear >= needed:
        at = f" at {shot}" if shot else ""
        reason = ", too slow for steady hands" if steadiness == "slow" else ""
        return Hint("motion", f"looks like motion{at}{reason}, {_along(angle)}: sharpening won't help much")
    if smear > _EVEN_SMEAR or steadiness in ("slow", "unknown view"):
        why = {
            "slow": f"; {shot} is slow enough to shake",
            "unknown view": f"; whether {shot} is slow enough to shake isn't known without the angle of view",
        }.get(steadiness, f" ({known})")
        return Hint(None, f"can't tell whether moved or out of focus{why}")
    why = f", as {shot} is fast enough" if steadiness == "fast" else f" ({known})"
    return Hint("focus", f"looks like missed focus{why}: all directions are equally soft; slight blur can be sharpened")


Steadiness = Literal["slow", "fast", "between", "unknown view", "unknown shutter"]

# How many times the focal length counts for the view on 35 mm film: with the largest sensor and the smallest, and with
# those of the cameras that never say.
_CROPS: Final = (0.5, 12.0)
_CANON_EOS_CROPS: Final = (1.0, 1.63)
_WIDEST_MM: Final = 8.0
"""The focal length on 35 mm film of the widest lenses."""


def _steadiness(capture: Capture) -> Steadiness:
    """How a shutter compares with the rule of thumb for a steady hand: 1 / focal length for the view on 35 mm film.

    With twice that time stabilized lenses still do well, and with half of it a subject may move: between them it is
    neither slow nor fast. Where the view isn't recorded, it is what it is with any sensor.
    """
    if not capture.shutter_s:
        return "unknown shutter"
    if capture.focal_35mm:
        shortest = longest = capture.focal_35mm
    else:
        least, most = _CANON_EOS_CROPS if (capture.camera or "").startswith("Canon EOS") else _CROPS
        shortest = max(_WIDEST_MM, least * (capture.focal_mm or 0.0))
        longest = max(_WIDEST_MM, most * (capture.focal_mm or math.inf))
    if capture.shutter_s * shortest > 2:
        return "slow"
    if capture.shutter_s * longest < 0.5:
        return "fast"
    return "between" if capture.shutter_s * longest <= 2 or shortest == longest else "unknown view"


def _shot(capture: Capture) -> str:
    """Shutter and focal length, e.g. ``1/15 s and 4.25 mm (26 mm equivalent)``."""
    parts = []
    if capture.shutter_s:
        shutter = capture.shutter_s
        parts.append(f"{shutter:g} s" if shutter >= 0.4 else f"1/{round(1 / shutter)} s")
    if capture.focal_mm:
        parts.append(f"{capture.focal_mm:g} mm")
    text = " and ".join(parts)
    if capture.focal_35mm and not math.isclose(capture.focal_35mm, capture.focal_mm or 0.0, rel_tol=0.03):
        text += f" ({capture.focal_35mm:g} mm equivalent)"
    return text


def _along(angle: float) -> str:
    if angle <= 20 or angle >= 160:
        return "sideways"
    if 70 <= angle <= 110:
        return "up and down"
    return "diagonally"


def _composition(_severity: float, _capture: Capture, _measured: Measurements | None) -> Hint:
    return Hint(None, "can't tell what: try another crop, level the horizon, see what the edges cut off")


_HINTS: Final[Mapping[str, Callable[[float, Capture, Measurements | None], Hint]]] = MappingProxyType(
    {
        "bad_exposure": _exposure,
        "bad_white_balance": _white_balance,
        "bad_saturation": _saturation,
        "noise": _noise,
        "haze": _haze,
        "undesired_blur": _blur,
        "bad_composition": _composition,
    }
)
