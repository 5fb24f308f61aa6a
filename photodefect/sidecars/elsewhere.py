"""What else in XMP is a rating, a label or a pick: other programs' properties beside ``xmp:Rating`` and ``xmp:Label``.

Programs copy what they read into properties of their own. A copy of what we wrote is ours; anything else there is the
person's. Names and values are those that exiv2 and exiftool document, and that digiKam and darktable write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from photodefect.photos.embedded_xmp import stars_of_percent
from photodefect.sidecars.properties import XmpProperties

_MICROSOFT: Final = ("http://ns.microsoft.com/photo/1.0/", "http://ns.microsoft.com/photo/1.0")
_ACDSEE: Final = "http://ns.acdsee.com/iptc/1.0/"
_DIGIKAM: Final = "http://www.digikam.org/ns/1.0/"
_MECHANIC: Final = "http://ns.camerabits.com/photomechanic/1.0/"
_MEDIA: Final = "http://ns.adobe.com/xmp/1.0/DynamicMedia/"
COLOURS: Final = "{http://darktable.sf.net/}colorlabels"
"""Colour labels of darktable, a list of numbers."""

_URGENCY: Final = "{http://ns.adobe.com/photoshop/1.0/}Urgency"

_PERCENT: Final = ("0", "1", "25", "50", "75", "99")
"""Windows' percentages by stars."""

_DARKTABLE_LABELS: Final = ("Red", "Yellow", "Green", "Blue", "Purple")
_DIGIKAM_LABELS: Final = ("", "Red", "Orange", "Yellow", "Green", "Blue", "Purple", "Gray", "Black", "White")
_NONE: Final = frozenset(("", "0", "false", "none"))


@dataclass(frozen=True)
class _Copy:
    """A property in which a program keeps a rating or a label.

    Attributes:
        name: of the property.
        read: what its text means, as ``xmp:Rating`` or ``xmp:Label`` would say it; empty for nothing.
        write: its text for what is in ``xmp:Rating`` or ``xmp:Label``.
    """

    name: str
    read: Callable[[str], str]
    write: Callable[[str], str]


@dataclass(frozen=True)
class Said:
    """What a person said about a photo in one place: the rating, the label and the pick, each None if they didn't."""

    rating: str | None = None
    label: str | None = None
    pick: str | None = None


def number(text: str | None) -> int | float | None:
    """A rating as a number; None if there is none, or it is no number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return int(value) if value.is_integer() else value


def said_rating(text: str | None) -> str | None:
    """A rating as people write it; 0 is none, as XMP has it, and one that is no number is one all the same."""
    value = number(text)
    if value is None:
        return text or None
    return f"{value:g}" if value else None


def _percent_read(text: str) -> str:
    value = number(text)
    return text if value is None else str(stars_of_percent(value))


def _percent_written(rating: str) -> str:
    value = number(rating)
    return _PERCENT[min(max(int(value), 0), 5)] if value is not None else "0"


def _stars_written(rating: str) -> str:
    value = number(rating)
    return str(max(int(value), 0)) if value is not None else "0"


def _named(names: tuple[str, ...]) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """A colour's name by its number, and its number by its name."""

    def read(text: str) -> str:
        return names[int(text)] if text.isdecimal() and int(text) < len(names) else text

    return read, lambda label: str(names.index(label)) if label in names else ""


_RATINGS: Final = (
    *(_Copy(f"{{{uri}}}Rating", _percent_read, _percent_written) for uri in _MICROSOFT),
    _Copy(f"{{{_ACDSEE}}}rating", str, _stars_written),
)
_LABELS: Final = (
    _Copy(f"{{{_DIGIKAM}}}ColorLabel", *_named(_DIGIKAM_LABELS)),
    _Copy(f"{{{_MECHANIC}}}ColorClass", str, lambda _label: "0"),
)
_PICKS: Final = (
    f"{{{_DIGIKAM}}}PickLabel",
    f"{{{_MEDIA}}}pick",
    f"{{{_MEDIA}}}good",
    f"{{{_MECHANIC}}}Tagged",
    f"{{{_ACDSEE}}}tagged",
)


def other_rating(properties: XmpProperties, own: str | None) -> str | None:
    """A rating that a program keeps for itself, unless it is a copy of our own."""
    for copy in _RATINGS:
        text = properties.get(copy.name)
        rating = None if text is None else said_rating(copy.read(text))
        # What a rejected photo is copied as, programs don't agree on: none, as ours is below all stars.
        if rating is not None and (own is None or text != copy.write(own)):
            return rating
    return None


def other_label(properties: XmpProperties, own: str | None) -> str | None:
    """A colour label that a program keeps for itself, unless it is a copy of our own."""
    own_colour = str(_DARKTABLE_LABELS.index(own)) if own in _DARKTABLE_LABELS else None
    colours = [item for item in properties.list_items(COLOURS) if item and item != own_colour]
    if colours:
        return ", ".join(_colour(it) for it in colours)
    for copy in _LABELS:
        text = properties.get(copy.name)
        label = None if text is None or text in _NONE else copy.read(text)
        if label and (own is None or text != copy.write(own)):
            return label
    return None


def _colour(item: str) -> str:
    """The name of a number of darktable's; another program's list may hold anything."""
    return _DARKTABLE_LABELS[int(item)] if item in ("0", "1", "2", "3", "4") else item


def pick(properties: XmpProperties) -> str | None:
    """A flag by which a person picked or rejected a photo, as its program writes it."""
    texts = (properties.get(name) for name in _PICKS)
    return next((text for text in texts if text is not None and text.lower() not in _NONE), None)


def follow_rating(properties: XmpProperties, rating: str | None, *, back: bool = False) -> None:
    """Have programs' own ratings, where they are, say what ``xmp:Rating`` says now.

    Args:
        properties: of the document; they are changed in place.
        rating: None for none.
        back: it is the person's again, so that those that say nothing meanwhile say it again.
    """
    _follow(properties, _RATINGS, rating or "0", back=back)


def follow_label(properties: XmpProperties, label: str | None, *, back: bool = False) -> None:
    """Have programs' own labels, where they are, say what ``xmp:Label`` says now; as :func:`follow_rating`."""
    was = properties.get(_LABELS[0].name)
    if was is not None and properties.get(_URGENCY) == was:  # where digiKam writes its label, too
        properties.set(_URGENCY, _LABELS[0].write(label or "") or "0")
    _follow(properties, _LABELS, label or "", back=back)
    if properties.has_list(COLOURS):
        colours = [str(_DARKTABLE_LABELS.index(label))] if label in _DARKTABLE_LABELS else []
        there = properties.list_items(COLOURS)
        properties.edit(COLOURS, add=colours, remove=[item for item in there if item not in colours])


def _follow(properties: XmpProperties, copies: Iterable[_Copy], text: str, *, back: bool) -> None:
    for copy in copies:
        there = properties.get(copy.name)
        if there is not None and (back or there not in _NONE):
            properties.set(copy.name, copy.write(text) or "0")
