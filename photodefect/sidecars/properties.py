"""Properties of an XMP document, read and set wherever in the RDF they stand: simple values and lists.

A simple property may be an attribute or an element, ``xmp:Rating="3"`` or ``<xmp:Rating>3</xmp:Rating>``; a list is an
element with an ``rdf:Bag``, ``rdf:Seq`` or ``rdf:Alt`` (XMP specification part 1, section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree

from photodefect.errors import SidecarError
from photodefect.sidecars.xml_tree import RDF, VALUE, append, drop, is_blank, prefix_of, value_holder, value_of

NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "photodefect": "photodefect:ns:1.0/",
    }
)
"""What is written, by the prefix that it has unless the document has another; the last is our own."""

OWN: Final = f"{{{NAMESPACES['photodefect']}}}"

_DESCRIPTION: Final = f"{{{RDF}}}Description"
_ABOUT: Final = f"{{{RDF}}}about"
_ITEM: Final = f"{{{RDF}}}li"
_BAG: Final = f"{{{RDF}}}Bag"
_RESOURCE: Final = f"{{{RDF}}}resource"
_PREFIXES: Final = {uri: prefix for prefix, uri in NAMESPACES.items()}
_LISTS: Final = (_BAG, f"{{{RDF}}}Seq", f"{{{RDF}}}Alt")


class XmpProperties:
    """The properties below an ``rdf:RDF`` element.

    Args:
        rdf: the element; it is changed in place.

    Attributes:
        changed: whether anything was changed.
    """

    def __init__(self, rdf: etree._Element) -> None:
        self._rdf = rdf
        self._prefixes: dict[str, str] = {}
        self.changed = False

    def tidy(self) -> None:
        """Drop a description of ours that says nothing any more."""
        for description in self._descriptions():
            bare = len(description) == 0 and set(description.attrib) <= {_ABOUT} and is_blank(description.text)
            if bare and NAMESPACES["photodefect"] in description.nsmap.values():
                drop(description)

    def has_list(self, name: str) -> bool:
        """Whether a property is a list."""
        return self._list_of(name) is not None

    def list_items(self, name: str) -> list[str]:
        """The items of a property's lists, but no lone value."""
        return [value_of(item).strip() for container in self._lists(name) for item in container.findall(_ITEM)]

    def _descriptions(self) -> list[etree._Element]:
        return self._rdf.findall(_DESCRIPTION)

    def _elements(self, name: str | None = None) -> list[etree._Element]:
        """The properties that are elements."""
        return [
            child
            for description in self._descriptions()
            for child in description
            if isinstance(child.tag, str) and name in (None, child.tag)
        ]

    def names(self) -> set[str]:
        """Names of all properties, with their namespace in braces."""
        names = {str(name) for description in self._descriptions() for name in description.attrib}
        return names | {str(element.tag) for element in self._elements()}

    def own_names(self) -> set[str]:
        """Names of properties of our own namespace."""
        return {name.removeprefix(OWN) for name in self.names() if name.startswith(OWN)}

    def get(self, name: str) -> str | None:
        """The value of a simple property, or all text of one that should be simple; None if it isn't there."""
        for description in self._descriptions():
            if name in description.attrib:
                return str(description.attrib[name]).strip()
        for element in self._elements(name):
            return (value_of(element) or element.get(_RESOURCE, "")).strip()
        return None

    def set(self, name: str, value: str) -> None:
        """Set a simple property, where it stands or else in our own description."""
        if self.get(name) == value:
            return
        self.changed = True
        for description in self._descriptions():
            if name in description.attrib:
                description.set(name, value)
                return
        for element in self._elements(name):
            holder, in_attribute = value_holder(element)
            if in_attribute:
                holder.set(VALUE, value)
            else:
                for child in list(holder):
                    holder.remove(child)
                element.attrib.pop(_RESOURCE, None)
                holder.text = value
            return
        home = self._home(name)
        if self._prefix(_namespace(name)):
            home.set(name, value)
        else:  # attributes need a prefix
            append(home, self._made(name, value))

    def unset(self, name: str) -> None:
        """Remove a property, wherever it stands."""
        for description in self._descriptions():
            if name in description.attrib:
                del description.attrib[name]
                self.changed = True
        for element in self._elements(name):
            drop(element)
            self.changed = True

    def _prefix(self, uri: str) -> str:
        """The prefix of a namespace in this document: that in use, since exiv2 takes no second one."""
        if uri not in self._prefixes:
            there = prefix_of(self._rdf.getroottree().getroot(), uri)
            self._prefixes[uri] = _PREFIXES[uri] if there is None else there
        return self._prefixes[uri]

    def _made(self, name: str, text: str | None = None) -> etree._Element:
        """A new property as an element."""
        uri = _namespace(name)
        element = etree.Element(name, nsmap={self._prefix(uri) or None: uri})
        element.text = text
        return element

    def _home(self, name: str) -> etree._Element:
        """The description that a new property goes to: our own, which declares all prefixes."""
        uri = _namespace(name)
        prefix = self._prefix(uri)
        for description in self._descriptions():
            if _is_ours(description) and (not prefix or description.nsmap.get(prefix) == uri):
                return description
        prefixes = {self._prefix(each): each for each in NAMESPACES.values()}
        home = etree.Element(_DESCRIPTION, nsmap={prefix: each for prefix, each in prefixes.items() if prefix})
        first = next(iter(self._descriptions()), None)
        home.set(_ABOUT, "" if first is None else first.get(_ABOUT, first.get("about", "")))
        append(self._rdf, home)
        return home

    def _lists(self, name: str) -> list[etree._Element]:
        """The containers of a list's items, of any kind."""
        return [child for element in self._elements(name) for child in element if child.tag in _LISTS]

    def _list_of(self, name: str) -> etree._Element | None:
        return next(iter(self._lists(name)), None)

    def items(self, name: str) -> list[str]:
        """All items of a list; a lone value counts as one."""
        items = [value_of(item) for container in self._lists(name) for item in container.findall(_ITEM)]
        for description in self._descriptions():
            items.append(str(description.get(name, "")))
        items += [element.text or "" for element in self._elements(name) if len(element) == 0]
        return [item.strip() for item in items if item.strip()]

    def edit(self, name: str, *, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add items that are missing to a list and remove others, one by one.

        Raises:
            SidecarError: the property is no list.
        """
        unwanted = set(remove)
        there = self.items(name)
        missing = [item for item in dict.fromkeys(add) if item not in there]
        if not missing and not unwanted.intersection(there):
            return
        self.changed = True
        container = self._made_list(name)
        for other in self._lists(name):
            for item in other.findall(_ITEM):
                if value_of(item).strip() in unwanted:
                    drop(item)
        for text in missing:
            item = etree.Element(_ITEM)
            item.text = text
            append(container, item)
        for element in self._elements(name):
            if not self.items(name) and not element.attrib:
                drop(element)

    def _made_list(self, name: str) -> etree._Element:
        """The container of a list, made if there is none, around a lone value if there is one.

        Raises:
            SidecarError: the property holds something else.
        """
        container = self._list_of(name)
        if container is not None:
            return container
        values = self.items(name)
        for description in self._descriptions():
            description.attrib.pop(name, None)
        element = next(iter(self._elements(name)), None)
        if element is None:
            home, element = self._home(name), self._made(name)
            append(home, element)
        elif len(element) or element.attrib:
            raise SidecarError(f"its {element.prefix}:{etree.QName(name).localname} is no list")
        element.text = None
        container = etree.Element(_BAG)
        append(element, container)
        for value in values:
            item = etree.Element(_ITEM)
            item.text = value
            append(container, item)
        return container


def _is_ours(description: etree._Element) -> bool:
    return any(str(attribute).startswith(OWN) for attribute in description.attrib)


def _namespace(name: str) -> str:
    return etree.QName(name).namespace or ""
