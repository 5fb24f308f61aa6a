"""What Pillow leaves out of a BMP: its colour profile.

Source: BITMAPV5HEADER of the Windows API.
"""

from __future__ import annotations

_HEADER_AT, _KIND_AT, _PLACE_AT, _HEADER_SIZE = 14, 56, 112, 124
_EMBEDDED = b"DEBM"
"""The letters MBED as a number."""


def profile(data: bytes) -> bytes | None:
    """The embedded colour profile; None if there is none.

    Args:
        data: the file.
    """
    header = data[_HEADER_AT : _HEADER_AT + _HEADER_SIZE]
    if len(header) < _HEADER_SIZE or header[0] != _HEADER_SIZE or header[_KIND_AT : _KIND_AT + 4] != _EMBEDDED:
        return None
    place, size = (int.from_bytes(header[at : at + 4], "little") for at in (_PLACE_AT, _PLACE_AT + 4))
    return data[_HEADER_AT + place : _HEADER_AT + place + size] or None
