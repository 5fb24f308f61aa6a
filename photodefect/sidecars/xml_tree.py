"""XMP as a tree of XML: parsed with care, and changed without disturbing how it is laid out."""

from __future__ import annotations

from typing import Final

from lxml import etree

from photodefect.errors import SidecarError

MAX_BYTES: Final = 32 * 1024**2
"""Larger sidecars are refused; those with painted masks have a few megabytes."""

X: Final = "adobe:ns:meta/"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
VALUE: Final = f"{{{RDF}}}value"


def parse(data: bytes, most_bytes: int = MAX_BYTES) -> etree._Element:
    """The root element.

    Raises:
        SidecarError: it isn't well-formed, has a document type, or is too large.
    """
    if len(data) > most_bytes:
        raise SidecarError(f"it has {len(data) / 1024**2:.0f} MiB, more than any sidecar")
    if not data.strip():
        raise SidecarError("it is empty")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        strip_cdata=False,
        huge_tree=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        reason = error.msg if isinstance(error, etree.XMLSyntaxError) else str(error)
        raise SidecarError(f"it isn't well-formed XML: {reason}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SidecarError("it has a document type, which XMP doesn't have and which may be an attack")
    return root


def find_rdf(root: etree._Element) -> etree._Element:
    """The ``rdf:RDF`` element.

    Raises:
        SidecarError: there is none where XMP has it.
    """
    name = f"{{{RDF}}}RDF"
    if root.tag == name:
        return root
    found = root.find(name) if root.tag in (f"{{{X}}}xmpmeta", f"{{{X}}}xapmeta") else None
    if found is None:
        raise SidecarError("it is XML, but not XMP: there is no rdf:RDF in an x:xmpmeta")
    return found


def value_holder(element: etree._Element) -> etree._Element | None:
    """The element whose text is the value of a simple property, which may have qualifiers; None for an attribute."""
    if element.get(VALUE) is not None:
        return None
    return next(element.iter(VALUE), element)


def text_of(element: etree._Element) -> str:
    """All text inside an element."""
    return "".join(str(part) for part in element.itertext())


def append(parent: etree._Element, child: etree._Element) -> None:
    """Append a child, indented as its siblings are."""
    last = parent[-1] if len(parent) else None
    if last is not None:
        closing = last.tail
        last.tail = parent.text if is_blank(parent.text) and is_blank(closing) else closing
        child.tail = closing if is_blank(closing) else None
    elif is_blank(parent.text):
        outer = parent.getprevious()
        indent = (outer.tail if outer is not None else _indent_before(parent)) or ""
        if "\n" in indent and is_blank(indent):
            parent.text = indent + " "
            child.tail = indent
    parent.append(child)


def _indent_before(element: etree._Element) -> str | None:
    parent = element.getparent()
    return None if parent is None or not is_blank(parent.text) else parent.text


def drop(element: etree._Element) -> None:
    """Remove an element, and the white space before it; what else follows it stays."""
    parent = element.getparent()
    if parent is None:
        return
    previous, tail = element.getprevious(), element.tail
    before = parent.text if previous is None else previous.tail
    if element.getnext() is not None and is_blank(tail):
        tail = before
    elif not is_blank(before):
        tail = (before or "") + (tail or "")
    if previous is None:
        parent.text = tail
    else:
        previous.tail = tail
    element.tail = None
    parent.remove(element)


def is_blank(text: str | None) -> bool:
    """Whether there is nothing but white space."""
    return not (text or "").strip()
