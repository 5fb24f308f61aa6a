"""The bytes of an XMP file as text, and changed text as bytes of the same encoding, byte order mark and line ends."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from photodefect.errors import SidecarError

MAX_BYTES: Final = 32 * 1024**2
"""Larger sidecars are refused; those with painted masks have a few megabytes."""

_DECLARATION: Final = re.compile(r"<\?xml\s.*?\?>\s*", re.DOTALL)
_DECLARED: Final = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before that of UTF-16, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FIRST: Final = b"[< \t\r\n]"
_WIDE: Final = (
    (re.compile(rb"%b\0\0\0" % _FIRST), "utf-32-le"),
    (re.compile(rb"\0\0\0%b" % _FIRST), "utf-32-be"),
    (re.compile(rb"%b\0[^\0]\0" % _FIRST), "utf-16-le"),
    (re.compile(rb"\0%b\0[^\0]" % _FIRST), "utf-16-be"),
)
"""How text of two or four bytes a letter begins without a mark (XML 1.0, appendix F)."""

_LIKE_ASCII: Final = re.compile(rb"(utf-?8|us-ascii|iso-8859-\d+|windows-125\d)$", re.IGNORECASE)
"""Encodings in which a document type is spelled in ASCII, so that its absence can be seen before parsing."""


@dataclass(frozen=True)
class XmlText:
    """An XML file, parsed, and how its text is stored.

    Attributes:
        root: the root element.
        codec: Python's name of the encoding.
        mark: the byte order mark, or nothing.
        before: the XML declaration with the line end after it, or nothing.
        ends_line: whether the text ends with a line end.
        windows: whether most lines end as Windows has them.
    """

    root: etree._Element
    codec: str
    mark: bytes
    before: str
    ends_line: bool
    windows: bool

    def encode(self, text: str) -> bytes:
        """Text in place of what follows the declaration, stored like the file.

        Letters that the encoding lacks become character references.
        """
        text = self.before + text + ("\n" if self.ends_line else "")
        if self.windows:
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")
        return self.mark + text.encode(self.codec, "xmlcharrefreplace")


def read_xml(data: bytes, most_bytes: int = MAX_BYTES) -> XmlText:
    """Parse an XML file in any encoding that it declares, that its byte order mark or its first letters tell.

    NUL bytes at the end, with which some programs pad packets, are dropped.

    Raises:
        SidecarError: it isn't well-formed, has a document type, or is too large.
    """
    if len(data) > most_bytes:
        raise SidecarError(f"it has {len(data) / 1024**2:.0f} MiB, more than any sidecar")
    wide = _wide_codec(data)
    if wide is None:
        return _read_narrow(data.rstrip(b"\0"))
    codec, mark = wide
    try:
        text = data[len(mark) :].decode(codec).rstrip("\0")
    except UnicodeDecodeError as error:
        raise SidecarError(f"it isn't well-formed XML: it begins as {codec.upper()} text and isn't") from error
    before = _declaration(text)
    root = _parse(text[len(before) :].encode(), huge="<!DOCTYPE" not in text, encoding="utf-8")
    return _stored(root, codec, mark, text)


def _read_narrow(data: bytes) -> XmlText:
    """XML of one or more bytes a letter, of which those of ASCII have one."""
    if not data.strip():
        raise SidecarError("it is empty")
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    declared = _DECLARED.match(data, len(mark))
    if declared is not None and declared[1].lower().startswith((b"utf-16", b"utf-32", b"ucs-")):
        # It isn't: programs that make text first and bytes later leave such declarations.
        root, codec = _parse(data, huge=b"<!DOCTYPE" not in data, encoding="utf-8"), "utf-8"
    else:
        plain = declared is None or _LIKE_ASCII.match(declared[1]) is not None
        root = _parse(data, huge=plain and b"<!DOCTYPE" not in data)
        codec = root.getroottree().docinfo.encoding or "utf-8"
    try:
        text = data[len(mark) :].decode(codec, "replace")
    except LookupError as error:
        raise SidecarError(f"its encoding {codec} is unknown") from error
    return _stored(root, codec, mark, text)


def _stored(root: etree._Element, codec: str, mark: bytes, text: str) -> XmlText:
    windows = 2 * text.count("\r\n") > text.count("\n")
    return XmlText(root, codec, mark, _declaration(text), text.endswith("\n"), windows)


def _declaration(text: str) -> str:
    found = _DECLARATION.match(text)
    return "" if found is None else found[0]


def _wide_codec(data: bytes) -> tuple[str, bytes] | None:
    """The codec of text of two or four bytes a letter, and its mark."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return codec, mark
    return next(((codec, b"") for pattern, codec in _WIDE if pattern.match(data)), None)


def _parse(data: bytes, *, huge: bool, encoding: str | None = None) -> etree._Element:
    """The root element.

    Args:
        data: what to parse.
        huge: allow texts of more than 10 MB. The parser's other guards go with it, so that no document type,
            which could make much of little, may be there then.
        encoding: overrides what is declared.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        strip_cdata=False,
        huge_tree=huge,
        encoding=encoding,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        reason = str(error.msg if isinstance(error, etree.XMLSyntaxError) else error)
        if "XML_PARSE_HUGE" in reason:
            raise SidecarError("it has a text of more than 10 MB, which is read only of UTF-8 and UTF-16") from error
        raise SidecarError(f"it isn't well-formed XML: {reason}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SidecarError("it has a document type, which XMP doesn't have and which may be an attack")
    return root
