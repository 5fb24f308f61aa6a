"""XMP as a document to be merged into: everything that isn't ours stays as it is.

XMP is RDF in XML: below ``rdf:RDF`` lie one or more ``rdf:Description`` elements about the photo, whose attributes and
children are its properties. A simple property may be either, ``xmp:Rating="3"`` or ``<xmp:Rating>3</xmp:Rating>``; a
list is an element with an ``rdf:Bag`` or ``rdf:Seq`` (XMP specification part 1, section 7). What we add goes to a
description of our own, unless the property is there already.

The own namespace remembers what was written: a rating or label that is another by now, and a keyword that was there
before, are the person's.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lxml import etree

from photodefect._version import __version__
from photodefect.errors import SidecarError
from photodefect.sidecars.marks import ROOT_KEYWORD, Marks

MAX_BYTES: Final = 32 * 1024**2
"""Larger sidecars are refused; those with painted masks have a few megabytes."""

NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "photodefect": "photodefect:ns:1.0/",
    }
)
"""What is written, by prefix; the last is our own."""

_X: Final = "adobe:ns:meta/"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DARKTABLE: Final = "http://darktable.sf.net/"
_DIGIKAM: Final = "http://www.digikam.org/ns/1.0/"

_DESCRIPTION: Final = f"{{{_RDF}}}Description"
_ABOUT: Final = f"{{{_RDF}}}about"
_ITEM: Final = f"{{{_RDF}}}li"
_VALUE: Final = f"{{{_RDF}}}value"
_BAG: Final = f"{{{_RDF}}}Bag"
_LISTS: Final = (_BAG, f"{{{_RDF}}}Seq", f"{{{_RDF}}}Alt")

RATING: Final = f"{{{NAMESPACES['xmp']}}}Rating"
LABEL: Final = f"{{{NAMESPACES['xmp']}}}Label"
SUBJECT: Final = f"{{{NAMESPACES['dc']}}}subject"
HIERARCHICAL_SUBJECT: Final = f"{{{NAMESPACES['lr']}}}hierarchicalSubject"

_OWN: Final = f"{{{NAMESPACES['photodefect']}}}"
_OWN_RATING: Final = f"{_OWN}rating"
_OWN_LABEL: Final = f"{_OWN}label"
_OWN_KEYWORDS: Final = f"{_OWN}keywords"
_MEMORY: Final = frozenset(("rating", "label", "keywords"))
"""Names of the own namespace that say what was written; the others say what was found."""

_TAGS_LIST: Final = f"{{{_DIGIKAM}}}TagsList"
_OTHER_LABELS: Final = (f"{{{_DARKTABLE}}}colorlabels", f"{{{_DIGIKAM}}}ColorLabel")

_DECLARATION: Final = re.compile(r"<\?xml\s.*?\?>\s*", re.DOTALL)

_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Merge:
    """What a merge did.

    Attributes:
        changes: for people.
        kept: what is the person's and stays, for people.
    """

    changes: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class _Simple:
    """What was done about one property."""

    change: str | None = None
    kept: str | None = None


class XmpDocument:
    """The XMP of one photo.

    Args:
        data: a sidecar or a packet, in any encoding that XML declares; None for a new one.

    Raises:
        SidecarError: it can't be read as XMP.
    """

    def __init__(self, data: bytes | None = None) -> None:
        self._data = data
        root = etree.Element(f"{{{_X}}}xmpmeta", nsmap={"x": _X}) if data is None else _parse(data)
        if data is None:
            root.set(f"{{{_X}}}xmptk", f"photodefect {__version__}")
            etree.SubElement(root, f"{{{_RDF}}}RDF", nsmap={"rdf": _RDF})
        self._tree = root.getroottree()
        self._rdf = _find_rdf(root)
        self._changed = False

    @property
    def changed(self) -> bool:
        """Whether merging changed anything."""
        return self._changed

    @property
    def has_ours(self) -> bool:
        """Whether we wrote into it before."""
        return bool(self._own_names()) or any(map(is_own_path, self.hierarchical_keywords))

    @property
    def rating(self) -> int | float | None:
        """The rating; 0 is none, as XMP has it."""
        return _number(self._get(RATING))

    @property
    def label(self) -> str | None:
        """The colour label."""
        return self._get(LABEL) or None

    @property
    def keywords(self) -> list[str]:
        """All keywords of ``dc:subject``."""
        return self._items(SUBJECT)

    @property
    def hierarchical_keywords(self) -> list[str]:
        """All keywords of ``lr:hierarchicalSubject``, with those above them before a bar."""
        return self._items(HIERARCHICAL_SUBJECT)

    def merge(self, marks: Marks, *, overwrite: bool = False) -> Merge:
        """Say what is to be said, and take back what we said before and no longer do.

        Args:
            marks: what to say.
            overwrite: replace a person's rating and label.

        Raises:
            SidecarError: a list of keywords isn't one.
        """
        # First, for it makes the description that the others go to.
        values = self._merge_values(marks.values)
        changes, kept = [], []
        for done in (self._merge_rating(marks.rating, overwrite), self._merge_label(marks.label, overwrite)):
            changes += [done.change] if done.change else []
            kept += [done.kept] if done.kept else []
        changes += self._merge_keywords(marks)
        self._tidy()
        return Merge((*changes, *values), tuple(kept))

    def to_bytes(self) -> bytes:
        """The document in its own encoding, with its own declaration and line ends.

        Raises:
            SidecarError: Python doesn't know the encoding.
        """
        if self._data is None:
            etree.indent(self._tree, space=" ")
            return f'<?xml version="1.0" encoding="UTF-8"?>\n{self._to_text()}\n'.encode()
        encoding = self._tree.docinfo.encoding or "UTF-8"
        try:
            original = self._data.decode(encoding, "replace").lstrip("\ufeff")
            declaration = _DECLARATION.match(original)
            text = "" if declaration is None else declaration[0]
            text += self._to_text() + ("\n" if original.endswith("\n") else "")
            if 2 * original.count("\r\n") > original.count("\n"):
                text = text.replace("\r\n", "\n").replace("\n", "\r\n")
            data = text.encode(encoding, "xmlcharrefreplace")
        except LookupError as error:
            raise SidecarError(f"its encoding {encoding} is unknown") from error
        mark = next((mark for mark in _BYTE_ORDER_MARKS if self._data.startswith(mark)), b"")
        return data if data.startswith(_BYTE_ORDER_MARKS) else mark + data

    def _to_text(self) -> str:
        root = self._tree.getroot()
        before = reversed(list(root.itersiblings(preceding=True)))
        nodes = [*before, root, *root.itersiblings()]
        return "\n".join(etree.tostring(node, encoding="unicode", with_tail=False) for node in nodes)

    # -- what is said

    def _merge_values(self, values: Mapping[str, str]) -> list[str]:
        before = self._changed
        self._changed = False
        for name, value in values.items():
            self._set(_OWN + name, value)
        for name in sorted(self._own_names() - set(values) - _MEMORY):
            self._unset(_OWN + name)
        changed, self._changed = self._changed, self._changed or before
        return ["severities"] if changed else []

    def _tidy(self) -> None:
        """Drop a description of ours that says nothing any more."""
        for description in self._descriptions():
            bare = len(description) == 0 and set(description.attrib) <= {_ABOUT} and _blank(description.text)
            if bare and NAMESPACES["photodefect"] in description.nsmap.values():
                _drop(description)

    def _merge_rating(self, wanted: int | None, overwrite: bool) -> _Simple:
        now, own = self.rating or None, _number(self._get(_OWN_RATING))
        if now != own and not (overwrite and wanted is not None):
            stays = now is not None and wanted not in (None, now)
            return _Simple(kept=f"your rating {now:g} stays" if stays else None)
        text = None if wanted is None else str(wanted)
        return _Simple(self._say(RATING, _OWN_RATING, text, differs=now != wanted, ours=own is not None))

    def _merge_label(self, wanted: str | None, overwrite: bool) -> _Simple:
        now, own = self.label, self._get(_OWN_LABEL)
        elsewhere = now is None and any(self._has_other_label(name) for name in _OTHER_LABELS)
        if (now != own or elsewhere) and not (overwrite and wanted is not None):
            stays = (now is not None or elsewhere) and wanted not in (None, now)
            return _Simple(kept=f"your label{'' if now is None else f' {now}'} stays" if stays else None)
        return _Simple(self._say(LABEL, _OWN_LABEL, wanted, differs=now != wanted, ours=own is not None))

    def _say(self, name: str, memory: str, wanted: str | None, *, differs: bool, ours: bool) -> str | None:
        """Set a property that isn't the person's, or take back what we said, and remember that.

        Returns:
            For people, what was changed.
        """
        title = etree.QName(name).localname.lower()
        if wanted is None:
            if ours:
                self._take_back(name)
            self._unset(memory)
            return f"no {title}" if ours else None
        if differs:
            self._set(name, wanted)
        if differs or ours:
            self._set(memory, wanted)
        return f"{title} {wanted}" if differs else None

    def _take_back(self, name: str) -> None:
        """Remove what we said; a rating in somebody's description was there before us, as a zero."""
        theirs = any(name in it.attrib and not _is_ours(it) for it in self._descriptions()) or self._elements(name)
        if name == RATING and theirs:
            self._set(name, "0")
        else:
            self._unset(name)

    def _has_other_label(self, name: str) -> bool:
        """Whether a program keeps a colour label of its own, which ``xmp:Label`` would override."""
        in_list = any(_text(item).strip() for container in self._lists(name) for item in container.findall(_ITEM))
        return in_list or self._get(name) not in (None, "", "0")

    def _merge_keywords(self, marks: Marks) -> list[str]:
        """Merge all lists of keywords.

        Returns:
            For people, what was changed.
        """
        paths = ["|".join(path) for path in marks.keywords]
        there = self.hierarchical_keywords
        stale = [path for path in there if is_own_path(path) and path not in paths]
        ours = self._own_flat()
        flat = list(marks.flat_keywords)
        known = {word.casefold() for word in self.keywords}
        added = [word for word in flat if word.casefold() not in known]
        self._edit(SUBJECT, add=added, remove=[word for word in ours if word not in flat])
        remembered = [word for word in ours if word in flat] + added
        forgotten = [word for word in self._items(_OWN_KEYWORDS) if word not in remembered]
        self._edit(_OWN_KEYWORDS, add=remembered, remove=forgotten)
        self._edit(HIERARCHICAL_SUBJECT, add=paths, remove=stale)
        if self._list_of(_TAGS_LIST) is not None:
            # digiKam reads the first list that it finds, and its own comes first.
            tags = [path.replace("|", "/") for path in paths]
            old = [tag for tag in self._items(_TAGS_LIST) if is_own_path(tag, "/") and tag not in tags]
            self._edit(_TAGS_LIST, add=tags, remove=old)
        told = [f"keyword {path}" for path in paths if path not in there]
        return told + [f"no keyword {path}" for path in stale]

    def _own_flat(self) -> list[str]:
        """The keywords of ``dc:subject`` that are ours."""
        there = self.keywords
        if self._list_of(_OWN_KEYWORDS) is not None:
            return [word for word in self._items(_OWN_KEYWORDS) if word in there]
        # Somebody dropped the memory, or exiftool wrote them: then what made up our paths, and no other's.
        paths = self.hierarchical_keywords
        others = {word for path in paths if not is_own_path(path) for word in path.split("|")}
        parts = dict.fromkeys(word for path in paths if is_own_path(path) for word in path.split("|"))
        return [word for word in parts if word in there and word not in others]

    # -- properties

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

    def _own_names(self) -> set[str]:
        names = {str(name) for description in self._descriptions() for name in description.attrib}
        names |= {str(element.tag) for element in self._elements()}
        return {name.removeprefix(_OWN) for name in names if name.startswith(_OWN)}

    def _get(self, name: str) -> str | None:
        """The value of a simple property."""
        for description in self._descriptions():
            if name in description.attrib:
                return str(description.attrib[name]).strip()
        for element in self._elements(name):
            holder = _value_holder(element)
            text = element.get(_VALUE) if holder is None else holder.text
            return (text or "").strip()
        return None

    def _set(self, name: str, value: str) -> None:
        if self._get(name) == value:
            return
        self._changed = True
        for description in self._descriptions():
            if name in description.attrib:
                description.set(name, value)
                return
        for element in self._elements(name):
            holder = _value_holder(element)
            if holder is None:
                element.set(_VALUE, value)
            else:
                holder.text = value
            return
        self._home(name).set(name, value)

    def _unset(self, name: str) -> None:
        for description in self._descriptions():
            if name in description.attrib:
                del description.attrib[name]
                self._changed = True
        for element in self._elements(name):
            _drop(element)
            self._changed = True

    def _home(self, name: str) -> etree._Element:
        """The description that a new property goes to: our own, which declares all prefixes."""
        uri = etree.QName(name).namespace
        for description in self._descriptions():
            if _is_ours(description) and uri in description.nsmap.values():
                return description
        home = etree.Element(_DESCRIPTION, nsmap=dict(NAMESPACES))
        first = next(iter(self._descriptions()), None)
        home.set(_ABOUT, "" if first is None else first.get(_ABOUT, first.get("about", "")))
        _append(self._rdf, home)
        return home

    # -- lists

    def _lists(self, name: str) -> list[etree._Element]:
        """The containers of a list's items, of any kind."""
        return [child for element in self._elements(name) for child in element if child.tag in _LISTS]

    def _list_of(self, name: str) -> etree._Element | None:
        return next(iter(self._lists(name)), None)

    def _items(self, name: str) -> list[str]:
        """All items of a list; a lone value counts as one."""
        items = [_text(item) for container in self._lists(name) for item in container.findall(_ITEM)]
        for description in self._descriptions():
            items.append(str(description.get(name, "")))
        items += [element.text or "" for element in self._elements(name) if len(element) == 0]
        return [item.strip() for item in items if item.strip()]

    def _edit(self, name: str, *, add: Iterable[str], remove: Iterable[str]) -> None:
        """Add items that are missing and remove others, one by one."""
        unwanted = set(remove)
        there = self._items(name)
        missing = [item for item in dict.fromkeys(add) if item not in there]
        if not missing and not unwanted.intersection(there):
            return
        self._changed = True
        container = self._made_list(name)
        for other in self._lists(name):
            for item in other.findall(_ITEM):
                if _text(item).strip() in unwanted:
                    _drop(item)
        for text in missing:
            item = etree.Element(_ITEM)
            item.text = text
            _append(container, item)
        for element in self._elements(name):
            if not self._items(name) and not element.attrib:
                _drop(element)

    def _made_list(self, name: str) -> etree._Element:
        """The container of a list, made if there is none, around a lone value if there is one.

        Raises:
            SidecarError: the property holds something else.
        """
        container = self._list_of(name)
        if container is not None:
            return container
        values = self._items(name)
        for description in self._descriptions():
            description.attrib.pop(name, None)
        element = next(iter(self._elements(name)), None)
        if element is None:
            element = etree.Element(name)
            _append(self._home(name), element)
        elif len(element) or element.attrib:
            raise SidecarError(f"its {element.prefix}:{etree.QName(name).localname} is no list")
        element.text = None
        container = etree.Element(_BAG)
        _append(element, container)
        for value in values:
            item = etree.Element(_ITEM)
            item.text = value
            _append(container, item)
        return container


def is_own_path(path: str, separator: str = "|") -> bool:
    """Whether a hierarchical keyword is one of ours."""
    return path == ROOT_KEYWORD or path.startswith(ROOT_KEYWORD + separator)


def _parse(data: bytes) -> etree._Element:
    """The root element.

    Raises:
        SidecarError: as :class:`XmpDocument`.
    """
    if len(data) > MAX_BYTES:
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


def _find_rdf(root: etree._Element) -> etree._Element:
    name = f"{{{_RDF}}}RDF"
    if root.tag == name:
        return root
    found = root.find(name) if root.tag in (f"{{{_X}}}xmpmeta", f"{{{_X}}}xapmeta") else None
    if found is None:
        raise SidecarError("it is XML, but not XMP: there is no rdf:RDF in an x:xmpmeta")
    return found


def _is_ours(description: etree._Element) -> bool:
    return any(str(attribute).startswith(_OWN) for attribute in description.attrib)


def _value_holder(element: etree._Element) -> etree._Element | None:
    """The element whose text is the value of a simple property, which may have qualifiers; None for an attribute."""
    if element.get(_VALUE) is not None:
        return None
    return next(element.iter(_VALUE), element)


def _number(text: str | None) -> int | float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return int(value) if value.is_integer() else value


def _text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext())


def _append(parent: etree._Element, child: etree._Element) -> None:
    """Append a child, indented as its siblings are."""
    last = parent[-1] if len(parent) else None
    if last is not None:
        closing = last.tail
        last.tail = parent.text if _blank(parent.text) and _blank(closing) else closing
        child.tail = closing if _blank(closing) else None
    elif _blank(parent.text):
        outer = parent.getprevious()
        indent = (outer.tail if outer is not None else _indent_before(parent)) or ""
        if "\n" in indent and _blank(indent):
            parent.text = indent + " "
            child.tail = indent
    parent.append(child)


def _indent_before(element: etree._Element) -> str | None:
    parent = element.getparent()
    return None if parent is None or not _blank(parent.text) else parent.text


def _drop(element: etree._Element) -> None:
    """Remove an element, and the white space before it; what else follows it stays."""
    parent = element.getparent()
    if parent is None:
        return
    previous, tail = element.getprevious(), element.tail
    before = parent.text if previous is None else previous.tail
    if element.getnext() is not None and _blank(tail):
        tail = before
    elif not _blank(before):
        tail = (before or "") + (tail or "")
    if previous is None:
        parent.text = tail
    else:
        previous.tail = tail
    element.tail = None
    parent.remove(element)


def _blank(text: str | None) -> bool:
    return not (text or "").strip()
