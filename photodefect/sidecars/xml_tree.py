"""XMP as a tree of XML: found in it, and changed without disturbing how it is laid out."""

from __future__ import annotations

from typing import Final

from lxml import etree

from photodefect.errors import SidecarError

X: Final = "adobe:ns:meta/"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
VALUE: Final = f"{{{RDF}}}value"
_DESCRIPTION: Final = f"{{{RDF}}}Description"

_USERS: Final = etree.XPath("//*[namespace-uri() = $uri or @*[namespace-uri() = $uri]]")
_NAME: Final = etree.XPath("name()")
_ATTRIBUTE_NAME: Final = etree.XPath("name(@*[namespace-uri() = $uri])")
_NOWHERE: Final = "nowhere"


def find_rdf(root: etree._Element) -> etree._Element:
    """The ``rdf:RDF`` element: the root, or in an ``x:xmpmeta`` or ``x:xapmeta``, whatever namespace that has.

    Other programs look nowhere else.

    Raises:
        SidecarError: there is none where XMP has it.
    """
    name = f"{{{RDF}}}RDF"
    if root.tag == name:
        return root
    found = root.find(name) if etree.QName(root).localname in ("xmpmeta", "xapmeta") else None
    if found is None:
        raise SidecarError("it is XML, but not XMP: there is no rdf:RDF in an x:xmpmeta")
    return found


def prefix_of(root: etree._Element, uri: str) -> str | None:
    """The prefix that a document has for a namespace, one in use before one that is only declared.

    Returns:
        The prefix; empty if names of the namespace stand without one; None if the namespace isn't there.
    """
    for element in _USERS(root, uri=uri):
        name = str(_ATTRIBUTE_NAME(element, uri=uri)) or str(_NAME(element))
        return name.rpartition(":")[0]
    declared = (prefix for element in root.iter(etree.Element) for prefix, it in element.nsmap.items() if it == uri)
    found = next(declared, _NOWHERE)
    return None if found is _NOWHERE else found or ""


def drop_prefix(root: etree._Element, uri: str) -> None:
    """Drop the prefixes of a namespace that isn't used any more; all others stay, used or not."""
    if root.xpath("boolean(//*[namespace-uri() = $uri or @*[namespace-uri() = $uri]])", uri=uri):
        return
    kept = {
        prefix
        for element in root.iter(etree.Element)
        for prefix, it in element.nsmap.items()
        if it != uri and prefix is not None
    }
    etree.cleanup_namespaces(root, keep_ns_prefixes=sorted(kept))


def move_content(source: etree._Element, target: etree._Element) -> None:
    """Move all that is in an element to the end of another, with its namespaces."""
    for node in list(source):
        node.tail = None
        target.append(node)


def canonical(node: etree._Element) -> bytes:
    """A node as bytes that don't depend on how it is laid out."""
    copy = etree.fromstring(
        etree.tostring(node, with_tail=False), etree.XMLParser(remove_blank_text=True, huge_tree=True)
    )
    return etree.tostring(copy, method="c14n", exclusive=True)


def value_holder(element: etree._Element) -> tuple[etree._Element, bool]:
    """The element that has the value of a simple property or of an item, which may have qualifiers.

    Whether it is in its attribute ``rdf:value`` comes with it; otherwise it is the element's text (XMP specification
    part 1, section 7.8).
    """
    for it in (element, *element.findall(_DESCRIPTION)):
        if it.get(VALUE) is not None:
            return it, True
    return next(element.iter(VALUE), element), False


def value_of(element: etree._Element) -> str:
    """The value of a simple property or an item, without its qualifiers."""
    holder, in_attribute = value_holder(element)
    return str(holder.get(VALUE)) if in_attribute else text_of(holder)


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
