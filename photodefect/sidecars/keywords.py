"""Our keywords among those of others: in ``dc:subject``, in hierarchical lists, and in what programs copy of them.

What we added is remembered in the own namespace. A keyword of ours that is gone without us was removed by the person:
that is remembered too, and it doesn't come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lxml import etree

from photodefect.sidecars.marks import ROOT_KEYWORD, Marks
from photodefect.sidecars.properties import NAMESPACES, OWN, XmpProperties

SUBJECT: Final = f"{{{NAMESPACES['dc']}}}subject"
HIERARCHICAL_SUBJECT: Final = f"{{{NAMESPACES['lr']}}}hierarchicalSubject"

_OWN_KEYWORDS: Final = f"{OWN}keywords"
_OWN_PATHS: Final = f"{OWN}hierarchicalKeywords"
_REMOVED: Final = f"{OWN}removedKeywords"
MEMORY: Final = frozenset(name.removeprefix(OWN) for name in (_OWN_KEYWORDS, _OWN_PATHS, _REMOVED))
"""Names of the own namespace that remember keywords."""

_TAGS_LIST: Final = "{http://www.digikam.org/ns/1.0/}TagsList"
_COPIES: Final = (
    (_TAGS_LIST, "/"),
    ("{http://ns.microsoft.com/photo/1.0/}LastKeywordXMP", "/"),
    ("{http://ns.iview-multimedia.com/mediapro/1.0/}CatalogSets", "|"),
)
"""Lists that programs copy hierarchical keywords to, and what parts a keyword from those above it there."""

_CATEGORIES: Final = "{http://ns.acdsee.com/iptc/1.0/}categories"


class Keywords:
    """The keywords of one document.

    Args:
        properties: of the document; they are changed in place.
    """

    def __init__(self, properties: XmpProperties) -> None:
        self._properties = properties

    @property
    def flat(self) -> list[str]:
        """All keywords of ``dc:subject``."""
        return self._properties.items(SUBJECT)

    @property
    def paths(self) -> list[str]:
        """All keywords of ``lr:hierarchicalSubject``, with those above them before a bar."""
        return self._properties.items(HIERARCHICAL_SUBJECT)

    @property
    def has_ours(self) -> bool:
        """Whether one of the hierarchical keywords is ours, in any list."""
        copies = (is_own_path(item, bar) for name, bar in _COPIES for item in self._properties.items(name))
        return any(map(is_own_path, self.paths)) or any(copies)

    def merge(self, marks: Marks) -> list[str]:
        """Add ours that are missing, and take away what we no longer say.

        Returns:
            For people, what was changed.

        Raises:
            SidecarError: a list of keywords isn't one.
        """
        there, before = self.paths, self.flat
        removed = self._removed(there, before)
        wanted = [path for path in marks.keywords if path[-1] not in removed]
        paths = ["|".join(path) for path in wanted]
        flat = [word for word in dict.fromkeys(word for path in wanted for word in path) if word not in removed]
        stale = [path for path in there if is_own_path(path) and path not in paths]
        known = {word.casefold() for word in before}
        added = [word for word in flat if word.casefold() not in known]
        ours = self._own_flat()
        self._properties.edit(SUBJECT, add=added, remove=[word for word in ours if word not in flat])
        self._properties.edit(HIERARCHICAL_SUBJECT, add=paths, remove=stale)
        self._edit_copies(paths, stale)
        self._remember(_OWN_KEYWORDS, [word for word in ours if word in flat] + added)
        self._remember(_OWN_PATHS, paths)
        self._remember(_REMOVED, removed)
        told = [f"keyword {path}" for path in paths if path not in there]
        return told + [f"no keyword {path}" for path in stale]

    def take_back(self) -> list[str]:
        """Take all of ours away, and what is remembered of them.

        Returns:
            For people, what was changed.
        """
        there = self.paths
        stale = [path for path in there if is_own_path(path)]
        self._properties.edit(SUBJECT, add=(), remove=self._own_flat())
        self._properties.edit(HIERARCHICAL_SUBJECT, add=(), remove=stale)
        self._edit_copies((), stale)
        for name in (_OWN_KEYWORDS, _OWN_PATHS, _REMOVED):
            self._properties.unset(name)
        return [f"no keyword {path}" for path in stale]

    def _removed(self, there: list[str], flat: list[str]) -> list[str]:
        """Words that the person doesn't want: those that they removed before, and now.

        Of a hierarchical keyword that is the last word, the defect, at whatever grade.
        """
        gone = [path for path in self._properties.items(_OWN_PATHS) if path not in there]
        parts = {word for path in gone for word in path.split("|")}
        words = [path.rpartition("|")[2] for path in gone]
        # Programs remove the words of a hierarchical keyword with it, which says nothing of others with these words.
        words += [word for word in self._properties.items(_OWN_KEYWORDS) if word not in flat and word not in parts]
        return list(dict.fromkeys((*self._properties.items(_REMOVED), *words)))

    def _remember(self, name: str, words: list[str]) -> None:
        self._properties.edit(name, add=words, remove=[it for it in self._properties.items(name) if it not in words])

    def _edit_copies(self, paths: Iterable[str], stale_paths: Iterable[str]) -> None:
        """Have the copies that programs keep say the same; only digiKam reads its own before the usual list."""
        for name, bar in _COPIES:
            if self._properties.has_list(name):
                wanted = [path.replace("|", bar) for path in paths]
                own = (item for item in self._properties.items(name) if is_own_path(item, bar))
                stale = [item for item in own if item not in wanted]
                self._properties.edit(name, add=wanted if name == _TAGS_LIST else (), remove=stale)
        categories = self._properties.get(_CATEGORIES)
        if categories and any(stale_paths):
            self._properties.set(_CATEGORIES, _without_ours(categories))

    def _own_flat(self) -> list[str]:
        """The keywords of ``dc:subject`` that are ours."""
        there = self.flat
        if self._properties.has_list(_OWN_KEYWORDS):
            return [word for word in self._properties.items(_OWN_KEYWORDS) if word in there]
        # Somebody dropped the memory, or exiftool wrote them: then what made up our paths, and no other's.
        paths = self.paths
        others = {word for path in paths if not is_own_path(path) for word in path.split("|")}
        parts = dict.fromkeys(word for path in paths if is_own_path(path) for word in path.split("|"))
        return [word for word in parts if word in there and word not in others]


def is_own_path(path: str, separator: str = "|") -> bool:
    """Whether a hierarchical keyword is one of ours."""
    return path == ROOT_KEYWORD or path.startswith(ROOT_KEYWORD + separator)


def _without_ours(categories: str) -> str:
    """ACDSee's categories, an XML document in an attribute, without ours."""
    try:
        root = etree.fromstring(categories, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return categories
    for category in list(root):
        if (category.text or "").strip() == ROOT_KEYWORD:
            root.remove(category)
    return etree.tostring(root, encoding="unicode")
