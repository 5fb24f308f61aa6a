"""Fields of a JSON document that know where they stand, so that an error names the one that is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from photodefect.defects import BY_KEY, DEFECTS, Defect
from photodefect.errors import ModelError

_T = TypeVar("_T")


class Field:
    """A value inside a document.

    Every method that reads it raises :class:`~photodefect.errors.ModelError` if it isn't what the method is to give.

    Args:
        value: as ``json`` has read it.
        name: where it stands, e.g. ``networks.holistic.file``; empty for the document itself.
        file: the document, named in errors.
    """

    def __init__(self, value: object, name: str, file: str) -> None:
        self.value = value
        self.name = name
        self.file = file

    def wrong(self, what: str) -> ModelError:
        """The error that says what is wrong with the value."""
        return ModelError(f"{self.file}: {self.name or 'the document'} {what}")

    def mapping(self) -> dict[str, Any]:
        """The value, an object."""
        if not isinstance(self.value, dict):
            raise self.wrong("is not an object")
        return self.value

    def only(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Check that all ``required`` items are there and none but those and ``optional``."""
        for name in required:
            self.item(name)
        for name in self.mapping():
            if name not in required and name not in optional:
                raise self.wrong(f"has an unknown field {name!r}")

    def child(self, name: str | int, value: object) -> Field:
        """A value inside this one, by its name in an object or its index in a list."""
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if self.name else name
        return Field(value, self.name + step, self.file)

    def item(self, name: str) -> Field:
        """One item of an object."""
        mapping = self.mapping()
        if name not in mapping:
            raise self.child(name, None).wrong("is missing")
        return self.child(name, mapping[name])

    def items(self) -> list[Field]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("is not a list")
        return [self.child(index, value) for index, value in enumerate(self.value)]

    def text(self) -> str:
        """The value, a text that isn't blank."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.wrong("is not a text")
        return self.value

    def choice(self, choices: tuple[str, ...]) -> str:
        """The value, one of some texts."""
        if self.value not in choices:
            raise self.wrong(f"is {self.value!r}, not one of {', '.join(choices)}")
        return str(self.value)

    def number(self, lowest: float = -math.inf, highest: float = math.inf) -> float:
        """The value, a finite number from ``lowest`` to ``highest``."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong("is not a number")
        if not lowest <= value <= highest:
            raise self.wrong(f"is {value}, outside {lowest:g}..{highest:g}")
        return float(value)

    def numbers(self, lowest: float = -math.inf, highest: float = math.inf) -> tuple[float, ...]:
        """The value, a list of such numbers."""
        return tuple(item.number(lowest, highest) for item in self.items())

    def by_defect(self, name: str, read: Callable[[Field, Defect], _T]) -> dict[str, _T]:
        """An optional object whose items are named by defect keys, in the order of the defects."""
        if name not in self.mapping():
            return {}
        field = self.item(name)
        for key in field.mapping():
            if key not in BY_KEY:
                raise field.child(key, None).wrong("is not a defect")
        return {defect.key: read(field.item(defect.key), defect) for defect in DEFECTS if defect.key in field.mapping()}
