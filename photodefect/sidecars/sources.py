"""Where else a person may have said something about a photo: in its own file, and in its other sidecars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from photodefect.errors import SidecarError, UnreadableError
from photodefect.photos.embedded_xmp import embedded_xmp
from photodefect.photos.files import open_regular
from photodefect.sidecars.elsewhere import Said
from photodefect.sidecars.xml_text import MAX_BYTES
from photodefect.sidecars.xmp import XmpDocument


@dataclass(frozen=True)
class Sources:
    """Files that may say something about a photo, beside the sidecar that is written.

    Attributes:
        photos: its own file first, then others of the same shot that share the sidecar.
        sidecars: its sidecars of the other style.
    """

    photos: tuple[Path, ...] = ()
    sidecars: tuple[Path, ...] = ()

    def new_document(self) -> XmpDocument:
        """What a new sidecar starts from: all that is in the photo's own file.

        Raises:
            SidecarError: the file, or the XMP in it, can't be read.
        """
        return XmpDocument() if not self.photos else document_of(self.photos[0])

    def said(self, *, beside_own: bool = False) -> tuple[Said, ...]:
        """What the person said in them; what can't be read says nothing.

        Args:
            beside_own: leave out the photo's own file, which the document starts from.
        """
        found = []
        for photo in self.photos[1:] if beside_own else self.photos:
            try:
                found.append(document_of(photo).said)
            except SidecarError:
                continue
        for sidecar in self.sidecars:
            try:
                with open_regular(sidecar) as file:
                    found.append(XmpDocument(file.read(MAX_BYTES + 1)).said)
            except (OSError, UnreadableError, SidecarError):
                continue
        return tuple(found)


def document_of(photo: Path) -> XmpDocument:
    """What is said in a photo's own file, as a new sidecar would say it.

    Raises:
        SidecarError: the file, or the XMP in it, can't be read.
    """
    try:
        embedded = embedded_xmp(photo)
    except UnreadableError as error:
        raise SidecarError(f"{photo} can't be read: {error}") from error
    return XmpDocument.from_photo(embedded)
