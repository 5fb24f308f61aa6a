"""XMP as a document to be merged into: everything that isn't ours stays as it is.

XMP is RDF in XML: below ``rdf:RDF`` lie one or more ``rdf:Description`` elements about the photo, whose attributes and
children are its properties. What we add goes to a description of our own, unless the property is there already.

The own namespace remembers what was written: a rating or label that is another by now, and a keyword that was there
before, are the person's.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from photodefect._version import __version__
from photodefect.errors import SidecarError
from photodefect.sidecars.marks import ROOT_KEYWORD, Marks
from photodefect.sidecars.properties import NAMESPACES, OWN, XmpProperties
from photodefect.sidecars.xml_tree import RDF, X, find_rdf, parse

RATING: Final = f"{{{NAMESPACES['xmp']}}}Rating"
LABEL: Final = f"{{{NAMESPACES['xmp']}}}Label"
SUBJECT: Final = f"{{{NAMESPACES['dc']}}}subject"
HIERARCHICAL_SUBJECT: Final = f"{{{NAMESPACES['lr']}}}hierarchicalSubject"

_OWN_RATING: Final = f"{OWN}rating"
_OWN_LABEL: Final = f"{OWN}label"
_OWN_KEYWORDS: Final = f"{OWN}keywords"
_MEMORY: Final = frozenset(("rating", "label", "keywords"))
"""Names of the own namespace that say what was written; the others say what was found."""

# What digiKam and darktable keep beside the standard properties.
_TAGS_LIST: Final = "{http://www.digikam.org/ns/1.0/}TagsList"
_OTHER_LABELS: Final = ("{http://darktable.sf.net/}colorlabels", "{http://www.digikam.org/ns/1.0/}ColorLabel")

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
        root = etree.Element(f"{{{X}}}xmpmeta", nsmap={"x": X}) if data is None else parse(data)
        if data is None:
            root.set(f"{{{X}}}xmptk", f"photodefect {__version__}")
            etree.SubElement(root, f"{{{RDF}}}RDF", nsmap={"rdf": RDF})
        self._tree = root.getroottree()
        self._properties = XmpProperties(find_rdf(root))

    @property
    def changed(self) -> bool:
        """Whether merging changed anything."""
        return self._properties.changed

    @property
    def has_ours(self) -> bool:
        """Whether we wrote into it before."""
        return bool(self._properties.own_names()) or any(map(is_own_path, self.hierarchical_keywords))

    @property
    def rating(self) -> int | float | None:
        """The rating; 0 is none, as XMP has it."""
        return _number(self._properties.get(RATING))

    @property
    def label(self) -> str | None:
        """The colour label."""
        return self._properties.get(LABEL) or None

    @property
    def keywords(self) -> list[str]:
        """All keywords of ``dc:subject``."""
        return self._properties.items(SUBJECT)

    @property
    def hierarchical_keywords(self) -> list[str]:
        """All keywords of ``lr:hierarchicalSubject``, with those above them before a bar."""
        return self._properties.items(HIERARCHICAL_SUBJECT)

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
        self._properties.tidy()
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

    def _merge_values(self, values: Mapping[str, str]) -> list[str]:
        before = self._properties.changed
        self._properties.changed = False
        for name, value in values.items():
            self._properties.set(OWN + name, value)
        for name in sorted(self._properties.own_names() - set(values) - _MEMORY):
            self._properties.unset(OWN + name)
        changed = self._properties.changed
        self._properties.changed = changed or before
        return ["severities"] if changed else []

    def _merge_rating(self, wanted: int | None, overwrite: bool) -> _Simple:
        now, own = self.rating or None, _number(self._properties.get(_OWN_RATING))
        if now != own and not (overwrite and wanted is not None):
            stays = now is not None and wanted not in (None, now)
            return _Simple(kept=f"your rating {now:g} stays" if stays else None)
        text = None if wanted is None else str(wanted)
        return _Simple(self._say(RATING, _OWN_RATING, text, differs=now != wanted, ours=own is not None))

    def _merge_label(self, wanted: str | None, overwrite: bool) -> _Simple:
        now, own = self.label, self._properties.get(_OWN_LABEL)
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
            self._properties.unset(memory)
            return f"no {title}" if ours else None
        if differs:
            self._properties.set(name, wanted)
        if differs or ours:
            self._properties.set(memory, wanted)
        return f"{title} {wanted}" if differs else None

    def _take_back(self, name: str) -> None:
        """Remove what we said; a rating in somebody's description was there before us, as a zero."""
        if name == RATING and self._properties.is_somebodys(name):
            self._properties.set(name, "0")
        else:
            self._properties.unset(name)

    def _has_other_label(self, name: str) -> bool:
        """Whether a program keeps a colour label of its own, which ``xmp:Label`` would override."""
        return any(self._properties.list_items(name)) or self._properties.get(name) not in (None, "", "0")

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
        self._properties.edit(SUBJECT, add=added, remove=[word for word in ours if word not in flat])
        remembered = [word for word in ours if word in flat] + added
        forgotten = [word for word in self._properties.items(_OWN_KEYWORDS) if word not in remembered]
        self._properties.edit(_OWN_KEYWORDS, add=remembered, remove=forgotten)
        self._properties.edit(HIERARCHICAL_SUBJECT, add=paths, remove=stale)
        if self._properties.has_list(_TAGS_LIST):
            # digiKam reads the first list that it finds, and its own comes first.
            tags = [path.replace("|", "/") for path in paths]
            old = [tag for tag in self._properties.items(_TAGS_LIST) if is_own_path(tag, "/") and tag not in tags]
            self._properties.edit(_TAGS_LIST, add=tags, remove=old)
        told = [f"keyword {path}" for path in paths if path not in there]
        return told + [f"no keyword {path}" for path in stale]

    def _own_flat(self) -> list[str]:
        """The keywords of ``dc:subject`` that are ours."""
        there = self.keywords
        if self._properties.has_list(_OWN_KEYWORDS):
            return [word for word in self._properties.items(_OWN_KEYWORDS) if word in there]
        # Somebody dropped the memory, or exiftool wrote them: then what made up our paths, and no other's.
        paths = self.hierarchical_keywords
        others = {word for path in paths if not is_own_path(path) for word in path.split("|")}
        parts = dict.fromkeys(word for path in paths if is_own_path(path) for word in path.split("|"))
        return [word for word in parts if word in there and word not in others]


def is_own_path(path: str, separator: str = "|") -> bool:
    """Whether a hierarchical keyword is one of ours."""
    return path == ROOT_KEYWORD or path.startswith(ROOT_KEYWORD + separator)


def _number(text: str | None) -> int | float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return int(value) if value.is_integer() else value
