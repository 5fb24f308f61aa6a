"""XMP as a document to be merged into: everything that isn't ours stays as it is.

XMP is RDF in XML: below ``rdf:RDF`` lie one or more ``rdf:Description`` elements about the photo, whose attributes and
children are its properties. What we add goes to a description of our own, unless the property is there already.

The own namespace remembers what was written: a rating or label that is another by now, and a keyword that was there
before, are the person's. That they are is remembered too, so that they stay theirs whatever they become later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from lxml import etree

from photodefect._version import __version__
from photodefect.errors import SidecarError
from photodefect.photos.embedded_xmp import EmbeddedXmp
from photodefect.sidecars import elsewhere
from photodefect.sidecars.elsewhere import Said, number, said_rating
from photodefect.sidecars.keywords import MEMORY, Keywords
from photodefect.sidecars.marks import Marks
from photodefect.sidecars.properties import NAMESPACES, OWN, XmpProperties
from photodefect.sidecars.xml_text import XmlText, read_xml
from photodefect.sidecars.xml_tree import RDF, X, canonical, drop_prefix, find_rdf, move_content

RATING: Final = f"{{{NAMESPACES['xmp']}}}Rating"
LABEL: Final = f"{{{NAMESPACES['xmp']}}}Label"

_SIDECAR: Final = f"{OWN}sidecar"
_NEW: Final = "new"
"""What is remembered of a sidecar that wasn't there before."""

_MEMORY: Final = MEMORY | {"rating", "label", "ratingBefore", "labelBefore", "sidecar"}
"""Names of the own namespace that say what was written; the others say what was found."""

_YOURS: Final = "yours"
"""What is remembered of a rating or label that the person changed or removed after we wrote it."""

_EXTENDED: Final = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"
_DARKTABLE: Final = "{http://darktable.sf.net/}"


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
class _Field:
    """A property of one value that we write.

    Attributes:
        title: for people.
        name: of the property.
        read: its text as people write it; None for no value.
        other: the value that other programs keep for themselves, unless it is a copy of ours.
        follow: has them say what the property says.
    """

    title: str
    name: str
    read: Callable[[str | None], str | None]
    other: Callable[[XmpProperties, str | None], str | None]
    follow: Callable[..., None]

    @property
    def memory(self) -> str:
        """Where it is remembered what we wrote."""
        return OWN + self.title

    @property
    def before(self) -> str:
        """Where it is remembered what of the person's we wrote over, as they asked for."""
        return f"{OWN}{self.title}Before"


_RATING_FIELD: Final = _Field("rating", RATING, said_rating, elsewhere.other_rating, elsewhere.follow_rating)
_LABEL_FIELD: Final = _Field("label", LABEL, lambda text: text or None, elsewhere.other_label, elsewhere.follow_label)


class XmpDocument:
    """The XMP of one photo.

    Args:
        data: a sidecar or a packet, in any encoding that XML declares; None for a new one.

    Raises:
        SidecarError: it can't be read as XMP.
    """

    def __init__(self, data: bytes | None = None) -> None:
        self._text: XmlText | None = None
        if data is None:
            root = etree.Element(f"{{{X}}}xmpmeta", nsmap={"x": X})
            root.set(f"{{{X}}}xmptk", f"photodefect {__version__}")
            etree.SubElement(root, f"{{{RDF}}}RDF", nsmap={"rdf": RDF})
        else:
            self._text = read_xml(data)
            root = self._text.root
        self._root = root
        self._rdf = find_rdf(root)
        self._properties = XmpProperties(self._rdf)
        self._keywords = Keywords(self._properties)

    @classmethod
    def from_photo(cls, embedded: EmbeddedXmp) -> XmpDocument:
        """A new sidecar, with all that the photo's own file says, so that it hides none of it.

        Raises:
            SidecarError: the XMP in the photo can't be read.
        """
        document = cls()
        try:
            for packet in (embedded.packet, embedded.extension):
                if packet is not None:
                    move_content(find_rdf(read_xml(packet).root), document._rdf)
        except SidecarError as error:
            raise SidecarError(f"the XMP inside the photo can't be read: {error}") from error
        for name in document._properties.names():
            # darktable applies a development that it finds in a sidecar, also to the file that is its result.
            if name == _EXTENDED or (name.startswith(_DARKTABLE) and name != elsewhere.COLOURS):
                document._properties.unset(name)
        if said_rating(document.rating_text) is None:
            stars = embedded.exif_rating or elsewhere.other_rating(document._properties, None)
            if stars is not None:
                document._properties.set(RATING, str(stars))
        document._properties.changed = False
        return document

    @property
    def changed(self) -> bool:
        """Whether merging changed anything."""
        return self._properties.changed

    @property
    def has_ours(self) -> bool:
        """Whether we wrote into it before."""
        return bool(self._properties.own_names()) or self._keywords.has_ours

    @property
    def is_new(self) -> bool:
        """Whether it is a sidecar that we made."""
        return self._properties.get(_SIDECAR) == _NEW

    def says_only(self, other: XmpDocument) -> bool:
        """Whether it says nothing that another doesn't say as well, literally."""
        there = set(map(canonical, other._rdf))
        return all(canonical(node) in there for node in self._rdf)

    @property
    def rating(self) -> int | float | None:
        """The rating; 0 is none, as XMP has it. None if there is none, or it is no number."""
        return number(self._properties.get(RATING))

    @property
    def rating_text(self) -> str | None:
        """The rating as it is written."""
        return self._properties.get(RATING) or None

    @property
    def label(self) -> str | None:
        """The colour label."""
        return self._properties.get(LABEL) or None

    @property
    def keywords(self) -> list[str]:
        """All keywords of ``dc:subject``."""
        return self._keywords.flat

    @property
    def hierarchical_keywords(self) -> list[str]:
        """All keywords of ``lr:hierarchicalSubject``, with those above them before a bar."""
        return self._keywords.paths

    @property
    def said(self) -> Said:
        """What a person said here; what we wrote isn't."""
        rating, label = (self._theirs(field) for field in (_RATING_FIELD, _LABEL_FIELD))
        return Said(rating, label, elsewhere.pick(self._properties))

    def merge(self, marks: Marks, *, overwrite: bool = False, said: Iterable[Said] = ()) -> Merge:
        """Say what is to be said, and take back what we said before and no longer do.

        Args:
            marks: what to say.
            overwrite: replace a person's rating and label.
            said: what the person said about the photo in other places.

        Raises:
            SidecarError: a list of keywords isn't one.
        """
        others = tuple(said)
        # First, for it makes the description that the others go to.
        values = self._merge_values(marks.values)
        if self._text is None:
            self._properties.set(_SIDECAR, _NEW)
        changes, kept = [], []
        rating = None if marks.rating is None else str(marks.rating)
        for field, wanted in ((_RATING_FIELD, rating), (_LABEL_FIELD, marks.label)):
            change, stays = self._merge_field(field, wanted, others, overwrite=overwrite)
            changes += [change] if change else []
            kept += [stays] if stays else []
        changes += self._keywords.merge(marks)
        self._properties.tidy()
        return Merge((*changes, *values), tuple(kept))

    def take_back(self) -> Merge:
        """Take back all that we said, and all that is remembered of it, copies in other programs' properties included.

        A rating or label of which nothing remembers whose it is stays.
        """
        changes, kept = [], []
        forgotten = self._keywords.has_ours and not self._properties.own_names()
        for field in (_RATING_FIELD, _LABEL_FIELD):
            now, own = field.read(self._properties.get(field.name)), self._own(field)
            if own is not None and now == own:
                self._take_back(field)
                changes.append(f"no {field.title}")
            elif now is not None and forgotten:
                kept.append(f"{field.title} {now} stays: nothing says whose it is")
            self._properties.unset(field.memory)
        changes += self._keywords.take_back()
        values = self._merge_values({})
        for name in self._properties.own_names():
            self._properties.unset(OWN + name)
        self._properties.tidy()
        drop_prefix(self._root, NAMESPACES["photodefect"])
        return Merge((*changes, *values), tuple(kept))

    def to_bytes(self) -> bytes:
        """The document in its own encoding, with its own declaration and line ends."""
        if self._text is None:
            etree.indent(self._root.getroottree(), space=" ")
            return f'<?xml version="1.0" encoding="UTF-8"?>\n{self._to_text()}\n'.encode()
        return self._text.encode(self._to_text())

    def _to_text(self) -> str:
        root = self._root
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

    def _own(self, field: _Field) -> str | None:
        """What we wrote, as far as it is still ours."""
        remembered = self._properties.get(field.memory)
        return None if remembered == _YOURS else field.read(remembered)

    def _theirs(self, field: _Field) -> str | None:
        """The person's value in this document; what they removed has none."""
        now, own = field.read(self._properties.get(field.name)), self._own(field)
        return now if now is not None and now != own else field.other(self._properties, own)

    def _merge_field(
        self, field: _Field, wanted: str | None, others: tuple[Said, ...], *, overwrite: bool
    ) -> tuple[str | None, str | None]:
        """Set a property, or take it back, unless the person has their say.

        Returns:
            For people: what was changed, and what stays.
        """
        now, own = field.read(self._properties.get(field.name)), self._own(field)
        # What the person had us write over is no news.
        known = (None, own, self._properties.get(field.before))
        elsewhere_said = (value for said in others if (value := getattr(said, field.title)) not in known)
        theirs = self._theirs(field) or next(elsewhere_said, None)
        stays = f"your {field.title} {theirs} stays"
        if theirs is None and field is _RATING_FIELD and self._picked(others):
            theirs, stays = "", "your pick stays"
        remembered = self._properties.get(field.memory)
        removed = remembered is not None and (own is None or now is None)
        if overwrite and wanted is not None:
            if theirs and theirs != wanted and now in (None, own):
                self._properties.set(field.before, theirs)
        elif theirs is not None or removed:
            ours_stands = own is not None and now == own
            if ours_stands:
                self._take_back(field)
            if remembered is not None:
                self._properties.set(field.memory, _YOURS)
            tell = theirs is not None and wanted not in (None, theirs)
            return f"no {field.title}" if ours_stands else None, stays if tell else None
        return self._say(field, now, own, wanted), None

    def _picked(self, others: tuple[Said, ...]) -> bool:
        return elsewhere.pick(self._properties) is not None or any(said.pick is not None for said in others)

    def _say(self, field: _Field, now: str | None, own: str | None, wanted: str | None) -> str | None:
        """Set a property that isn't the person's, or take back what we said, and remember that.

        Returns:
            For people, what was changed.
        """
        if wanted is None:
            if own is not None:
                self._take_back(field)
            self._properties.unset(field.memory)
            return None if own is None else f"no {field.title}"
        if now != wanted:
            there = self._properties.get(field.name)
            if own is None and there:
                self._properties.set(field.before, there)
            self._properties.set(field.name, wanted)
            field.follow(self._properties, wanted)
        if now != wanted or own is not None:
            self._properties.set(field.memory, wanted)
        return f"{field.title} {wanted}" if now != wanted else None

    def _take_back(self, field: _Field) -> None:
        """Remove what we said, or put back what it was written over: a rating of zero, or what they had us overrule."""
        before = self._properties.get(field.before)
        if before:
            self._properties.set(field.name, before)
        else:
            self._properties.unset(field.name)
        self._properties.unset(field.before)
        field.follow(self._properties, before or None, back=bool(before))
