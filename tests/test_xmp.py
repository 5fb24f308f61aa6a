"""Merging into XMP that others wrote, read back by other parsers."""

from __future__ import annotations

import codecs
from pathlib import Path
from xml.dom import minidom

import pyexiv2
import pytest
from exiftool import exiftool, keywords, needs_exiftool, tags
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from photodefect.errors import SidecarError
from photodefect.photos.embedded_xmp import EmbeddedXmp
from photodefect.sidecars.elsewhere import Said
from photodefect.sidecars.marks import Marks
from photodefect.sidecars.properties import NAMESPACES
from photodefect.sidecars.xml_text import read_xml as parse
from photodefect.sidecars.xmp import XmpDocument

XMP = Path(__file__).parent / "xmp"
PROGRAMS = ("lightroom", "darktable", "digikam")
NOISE = ("photodefect", "severe", "noise")
HAZE = ("photodefect", "mild", "haze")
SEVERE = Marks(-1, "Purple", (NOISE, HAZE), {"noise": "0.612", "overall": "0.530", "verdict": "severe"})
MILD = Marks(2, "Yellow", (HAZE,), {"noise": "0.100", "overall": "0.310", "verdict": "mild"})
GOOD = Marks(values={"noise": "0.100", "overall": "0.100", "verdict": "good"})
GONE = Marks()

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
OPEN = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
CLOSE = "</rdf:RDF></x:xmpmeta>"
PREFIXES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if prefix != "photodefect")


def description(attributes: str = "", children: str = "") -> bytes:
    return f'{OPEN}<rdf:Description rdf:about="" {PREFIXES} {attributes}>{children}</rdf:Description>{CLOSE}'.encode()


def bag(name: str, *items: str, kind: str = "Bag") -> str:
    listed = "".join(f"<rdf:li>{item}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{listed}</rdf:{kind}></{name}>"


def merged(data: bytes | None, *marks: Marks, overwrite: bool = False) -> bytes:
    for each in marks:
        document = XmpDocument(data)
        document.merge(each, overwrite=overwrite)
        data = document.to_bytes()
    assert data is not None
    return data


def canonical(data: bytes) -> bytes:
    return etree.tostring(etree.fromstring(data), method="c14n", with_comments=True)


def shown(data: bytes, tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "shown.xmp"
    path.write_bytes(data)
    return tags(path)


@needs_exiftool
def test_exiftool_reads_all_of_a_new_sidecar(tmp_path: Path) -> None:
    found = shown(merged(None, SEVERE), tmp_path)
    assert found["XMP-xmp:Rating"] == -1
    assert found["XMP-xmp:Label"] == "Purple"
    assert found["XMP-dc:Subject"] == ["photodefect", "severe", "noise", "mild", "haze"]
    assert found["XMP-lr:HierarchicalSubject"] == ["photodefect|severe|noise", "photodefect|mild|haze"]
    assert found["XMP-photodefect:Noise"] == 0.612
    assert found["XMP-photodefect:Overall"] == 0.53
    assert found["XMP-photodefect:Verdict"] == "severe"


@needs_exiftool
@pytest.mark.parametrize("program", PROGRAMS)
def test_exiftool_reads_everything_that_was_there_beside_ours(program: str, tmp_path: Path) -> None:
    original = (XMP / f"{program}.xmp").read_bytes()
    before, after = shown(original, tmp_path), shown(merged(original, SEVERE), tmp_path)
    for name, value in before.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            assert after[name][: len(value)] == value  # type: ignore[index]
        elif not (program == "darktable" and name == "XMP-xmp:Rating"):  # a zero, which is none
            assert after[name] == value
    assert after["XMP-photodefect:Noise"] == 0.612


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_other_programs_wrote_is_unchanged_when_ours_is_gone(program: str) -> None:
    original = (XMP / f"{program}.xmp").read_bytes()
    data = merged(original, SEVERE)
    assert b"photodefect|severe|noise" in data
    assert canonical(merged(data, MILD, GONE)) == canonical(original)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_second_run_changes_nothing(program: str) -> None:
    data = merged((XMP / f"{program}.xmp").read_bytes(), SEVERE)
    document = XmpDocument(data)
    merge = document.merge(SEVERE)
    assert not document.changed
    assert merge.changes == ()
    assert merged(data, SEVERE) == data


def test_comments_and_packet_markers_stay_where_they_are() -> None:
    original = (XMP / "digikam.xmp").read_bytes()
    lines = merged(original, SEVERE).decode().splitlines()
    assert lines[:3] == original.decode().splitlines()[:3]
    assert lines[-1] == '<?xpacket end="w"?>'


def test_a_persons_rating_and_label_stay_and_that_is_told() -> None:
    document = XmpDocument((XMP / "lightroom.xmp").read_bytes())
    merge = document.merge(SEVERE)
    assert (document.rating, document.label) == (4, "Green")
    assert merge.kept == ("your rating 4 stays", "your label Green stays")
    document = XmpDocument((XMP / "digikam.xmp").read_bytes())
    assert document.merge(SEVERE).kept == ("your rating 3 stays",)
    assert (document.rating, document.label) == (3, "Purple")


def test_a_label_that_darktable_or_digikam_keeps_for_itself_is_the_persons() -> None:
    document = XmpDocument((XMP / "darktable.xmp").read_bytes())
    assert document.merge(SEVERE).kept == ("your label Green stays",)
    assert document.label is None
    digikam = (XMP / "digikam.xmp").read_bytes().replace(b'ColorLabel="0"', b'ColorLabel="4"')
    document = XmpDocument(digikam)
    document.merge(SEVERE)
    assert document.label is None
    document.merge(SEVERE, overwrite=True)
    assert document.label == "Purple"


def test_ratings_are_overwritten_if_asked_for_but_not_by_nothing() -> None:
    original = (XMP / "lightroom.xmp").read_bytes()
    document = XmpDocument(merged(original, SEVERE, overwrite=True))
    assert (document.rating, document.label) == (-1, "Purple")
    document = XmpDocument(merged(original, GOOD, overwrite=True))
    assert (document.rating, document.label) == (4, "Green")


def test_our_own_earlier_rating_label_and_keywords_are_replaced() -> None:
    document = XmpDocument(merged(None, SEVERE, MILD))
    assert (document.rating, document.label) == (2, "Yellow")
    assert document.keywords == ["photodefect", "mild", "haze"]
    assert document.hierarchical_keywords == ["photodefect|mild|haze"]
    document = XmpDocument(merged(None, SEVERE, GOOD))
    assert (document.rating, document.label) == (None, None)
    assert document.keywords == document.hierarchical_keywords == []


def test_what_a_person_made_of_our_rating_is_theirs() -> None:
    data = merged(None, SEVERE).replace(b'xmp:Rating="-1"', b'xmp:Rating="5"')
    assert XmpDocument(merged(data, MILD)).rating == 5
    zero = merged(None, SEVERE).replace(b'xmp:Rating="-1"', b'xmp:Rating="0"')
    assert XmpDocument(merged(zero, SEVERE)).rating == 0


def test_a_rating_that_a_person_gave_too_isnt_claimed() -> None:
    data = merged(description('xmp:Rating="-1" xmp:Label="Purple"'), SEVERE, MILD)
    document = XmpDocument(data)
    assert (document.rating, document.label) == (-1, "Purple")


def test_a_zero_rating_is_none_and_comes_back() -> None:
    darktable = (XMP / "darktable.xmp").read_bytes()
    assert XmpDocument(merged(darktable, SEVERE)).rating == -1
    assert XmpDocument(merged(darktable, SEVERE, GOOD)).rating == 0


def test_a_persons_keyword_that_is_one_of_ours_stays_when_ours_goes() -> None:
    # "noise" was in Lightroom's list already.
    lightroom = (XMP / "lightroom.xmp").read_bytes()
    document = XmpDocument(merged(lightroom, SEVERE, GOOD))
    assert document.keywords == ["Alps", "noise"]
    assert document.hierarchical_keywords == ["Places|Alps", "noise"]
    document = XmpDocument(merged(description(children=bag("dc:subject", "Noise")), SEVERE))
    assert document.keywords == ["Noise", "photodefect", "severe", "mild", "haze"]


def test_keywords_are_taken_back_even_if_another_program_dropped_our_memory() -> None:
    data = description(
        children=bag("dc:subject", "Alps", "photodefect", "severe", "noise", "haze", "mild")
        + bag("lr:hierarchicalSubject", "Places|Alps", "Weather|haze", "|".join(NOISE), "|".join(HAZE))
    )
    assert XmpDocument(data).has_ours
    assert XmpDocument(merged(data, Marks(keywords=(HAZE,)))).keywords == ["Alps", "photodefect", "haze", "mild"]
    # One run later, too.
    document = XmpDocument(merged(data, SEVERE, GOOD))
    assert document.keywords == ["Alps", "haze"]
    assert document.hierarchical_keywords == ["Places|Alps", "Weather|haze"]


def test_digikams_own_list_gets_our_keywords_if_it_is_there() -> None:
    digikam = merged((XMP / "digikam.xmp").read_bytes(), SEVERE)
    assert b"<rdf:li>photodefect/severe/noise</rdf:li>" in digikam
    assert b"photodefect/noise" not in merged(digikam, MILD)
    assert b"TagsList" not in merged((XMP / "lightroom.xmp").read_bytes(), SEVERE)


@pytest.mark.parametrize(
    "written",
    [
        'xmp:Rating="3"',
        "<xmp:Rating>3</xmp:Rating>",
        "<xmp:Rating> 3\n</xmp:Rating>",
        '<xmp:Rating rdf:value="3"/>',
        '<xmp:Rating rdf:parseType="Resource"><rdf:value>3</rdf:value><xmp:Who>me</xmp:Who></xmp:Rating>',
        "<xmp:Rating><rdf:Description><rdf:value>3</rdf:value></rdf:Description></xmp:Rating>",
        '<xmp:Rating><rdf:Description rdf:value="3" xmp:Who="me"/></xmp:Rating>',
        "<xmp:Rating>3.0</xmp:Rating>",
    ],
)
def test_a_simple_property_is_understood_in_every_form(written: str) -> None:
    data = description(written) if written.startswith("xmp") else description(children=written)
    document = XmpDocument(data)
    assert document.rating == 3
    assert document.merge(SEVERE).kept == ("your rating 3 stays",)
    overwritten = merged(data, SEVERE, overwrite=True)
    assert XmpDocument(overwritten).rating == -1
    assert overwritten.count(b"Rating") - overwritten.count(b"/xmp:Rating") == 1
    if "Who" in written:
        assert b"<xmp:Who>me</xmp:Who>" in overwritten or b'xmp:Who="me"' in overwritten


@pytest.mark.parametrize(
    ("children", "there"),
    [
        (bag("dc:subject", "a", "b", kind="Seq"), ["a", "b"]),
        (bag("dc:subject"), []),
        ("<dc:subject/>", []),
        ("<dc:subject>alone</dc:subject>", ["alone"]),
        ("<dc:subject><rdf:Bag/></dc:subject>", []),
        (bag("dc:subject", "<![CDATA[R&D]]>"), ["R&D"]),
        (bag("dc:subject", "a") + bag("dc:subject", "b"), ["a", "b"]),
    ],
)
def test_keywords_are_merged_into_every_form_of_list(children: str, there: list[str]) -> None:
    data = merged(description(children=children), SEVERE)
    assert XmpDocument(data).keywords[:1] == there[:1] or not there
    assert set(XmpDocument(data).keywords) == {*there, "photodefect", "severe", "noise", "haze", "mild"}
    assert XmpDocument(merged(data, GOOD)).keywords == there
    if "CDATA" in children:
        assert b"<![CDATA[R&D]]>" in data


QUALIFIED = "".join(
    (
        '<rdf:li xml:lang="en">sky</rdf:li>',
        '<rdf:li rdf:parseType="Resource"><rdf:value>sea</rdf:value><xmp:Sure>yes</xmp:Sure></rdf:li>',
        "<rdf:li><rdf:Description><rdf:value>sand</rdf:value><xmp:Sure>no</xmp:Sure></rdf:Description></rdf:li>",
        '<rdf:li rdf:value="noise" xmp:Sure="no"/>',
    )
)


@needs_exiftool
def test_a_keywords_qualifiers_are_no_part_of_it_and_stay(tmp_path: Path) -> None:
    data = description(children=f"<dc:subject><rdf:Bag>{QUALIFIED}</rdf:Bag></dc:subject>")
    there = ["sky", "sea", "sand", "noise"]
    assert shown(data, tmp_path)["XMP-dc:Subject"] == there
    assert XmpDocument(data).keywords == there
    both = merged(data, SEVERE)
    assert XmpDocument(both).keywords == [*there, "photodefect", "severe", "mild", "haze"]
    assert shown(both, tmp_path)["XMP-dc:Subject"] == XmpDocument(both).keywords
    gone = merged(both, GONE)
    assert XmpDocument(gone).keywords == there
    assert gone.count(b"Sure") == data.count(b"Sure")


def test_a_keyword_list_as_an_attribute_becomes_a_list() -> None:
    data = merged(description('dc:subject="alone"'), SEVERE)
    assert XmpDocument(data).keywords == ["alone", "photodefect", "severe", "noise", "mild", "haze"]
    assert b'dc:subject="' not in data


def test_properties_in_several_descriptions_and_other_prefixes_are_found() -> None:
    data = (
        f'{OPEN}<rdf:Description about="" xmlns:xap="{NAMESPACES["xmp"]}"><xap:Rating>2</xap:Rating></rdf:Description>'
        f'<rdf:Description about="" xmlns:d="{NAMESPACES["dc"]}">{bag("d:subject", "mine")}</rdf:Description>{CLOSE}'
    ).encode()
    document = XmpDocument(merged(data, SEVERE))
    assert document.rating == 2
    assert document.keywords == ["mine", "photodefect", "severe", "noise", "mild", "haze"]


def test_ours_is_about_what_the_others_are_about() -> None:
    data = description().replace(b'rdf:about=""', b'rdf:about="uuid:1f2e"')
    assert merged(data, SEVERE).count(b'rdf:about="uuid:1f2e"') == 2


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("UTF-8", codecs.BOM_UTF8),
        ("UTF-16", codecs.BOM_UTF16_LE),
        ("UTF-16", codecs.BOM_UTF16_BE),
        ("UTF-16LE", codecs.BOM_UTF16_LE),
        ("ISO-8859-1", b""),
        ("windows-1252", b""),
    ],
)
def test_encoding_byte_order_mark_and_line_ends_stay(encoding: str, mark: bytes) -> None:
    codec = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(mark, encoding)
    text = description(children=bag("dc:subject", "Zürich")).decode().replace("><rdf", ">\r\n<rdf")
    declared = f'<?xml version="1.0" encoding="{encoding}" standalone="yes"?>\r\n'
    original = mark + (declared + text + "\r\n").encode(codec)
    data = merged(original, SEVERE)
    found = data.decode(encoding).lstrip("\ufeff")
    assert found.startswith(declared + "<x:xmpmeta")
    assert bool(mark) == data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    assert "\n" not in found.replace("\r\n", "")
    # Read by Python's own parser.
    items = minidom.parseString(data).getElementsByTagName("rdf:li")
    assert "Zürich" in {item.firstChild.data for item in items}
    assert XmpDocument(data).keywords == ["Zürich", "photodefect", "severe", "noise", "mild", "haze"]
    assert canonical(merged(data, GONE)) == canonical(original)


def test_a_letter_that_the_encoding_lacks_is_written_all_the_same() -> None:
    original = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + description()
    data = merged(original, Marks(label="緑", values={"verdict": "mild"}))
    assert XmpDocument(data).label == "緑"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\0" * 400, "it is empty"),
        (b"\xff\xd8\xff\xe1 a photo", "it isn't well-formed XML"),
        (description()[:-20], "it isn't well-formed XML"),
        (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", "no rdf:RDF"),
        (b"<html><body/></html>", "it is XML, but not XMP"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "it isn't well-formed XML"),
        (b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>" + description(), "document type"),
        (b'<!DOCTYPE x [<!ENTITY a "ha">]>' + description(children="<dc:s>&a;</dc:s>"), "document type"),
        (b'<!DOCTYPE x [<!ENTITY a "ha">]>' + description('xmp:Label="&a;"'), "document type"),
        (
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + description(children="<dc:s>&e;</dc:s>"),
            "document type",
        ),
        (b"<a>" * 5, "it isn't well-formed XML"),
        (description(children="<dc:subject><dc:odd/></dc:subject>"), "its dc:subject is no list"),
    ],
    ids=[
        "empty",
        "blank",
        "zeros",
        "photo",
        "cut off",
        "no RDF",
        "html",
        "encoding",
        "doctype",
        "entity",
        "entity in attribute",
        "external entity",
        "open elements",
        "subject",
    ],
)
def test_what_cant_be_read_as_xmp_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(SidecarError, match=reason):
        merged(content, SEVERE)


def test_a_sidecar_larger_than_the_limit_is_refused() -> None:
    whole = description()
    parse(whole, most_bytes=len(whole))
    with pytest.raises(SidecarError, match="more than any sidecar"):
        parse(whole, most_bytes=len(whole) - 1)


NAMES = st.sampled_from(["a:one", "a:two", "b:three", "dc:title", "crs:Exposure2012", "xmp:CreateDate", "lr:weighted"])
CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="\ufffe\uffff")
TEXT = st.text(CHARACTERS, max_size=12)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace(">", "&gt;")


COMMENTS = TEXT.map(lambda text: f"<!--{text.replace('-', ' ')}-->")
INSTRUCTIONS = TEXT.map(lambda text: f"<?{'edit'} {text.replace('?>', '')} ?>")
LEAVES = st.builds(lambda name, text: f"<{name}>{escaped(text)}</{name}>", NAMES, TEXT)
PROPERTIES = st.recursive(
    st.one_of(LEAVES, COMMENTS, INSTRUCTIONS),
    lambda inner: st.one_of(
        st.builds(lambda name, items: bag(name, *items), NAMES, st.lists(inner, max_size=3)),
        st.builds(
            lambda name, items: f'<{name} rdf:parseType="Resource">{"".join(items)}</{name}>',
            NAMES,
            st.lists(inner, max_size=3),
        ),
    ),
    max_leaves=8,
)
OURS = st.one_of(
    st.just(""),
    st.lists(TEXT.filter(str.strip), max_size=3).map(
        lambda words: bag("dc:subject", *(escaped(word) for word in words))
    ),
    st.integers(-1, 5).map(lambda stars: f"<xmp:Rating>{stars}</xmp:Rating>"),
)
SPACE = st.sampled_from(["", "\n  ", " "])


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """XMP as some program might write it, in any shape."""
    prefixes = PREFIXES + ' xmlns:a="urn:a" xmlns:b="urn:b" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"'
    body = ""
    for number in range(draw(st.integers(0, 3))):
        attributes = {name: draw(TEXT) for name in draw(st.sets(NAMES, max_size=2))}
        listed = " ".join(f'{name}="{escaped(text)}"' for name, text in attributes.items())
        properties = [*draw(st.lists(PROPERTIES, max_size=4)), draw(OURS) if number == 0 else ""]
        children = draw(SPACE).join(properties)
        body += f'{draw(SPACE)}<rdf:Description rdf:about="" {prefixes} {listed}>{children}</rdf:Description>'
    inner = f'<rdf:RDF xmlns:rdf="{RDF}">{body}{draw(st.one_of(st.just(""), COMMENTS))}</rdf:RDF>'
    return (
        draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>', "<?xpacket begin='' id='W5M0'?>\n"]))
        + draw(st.one_of(st.just(""), COMMENTS))
        + draw(st.sampled_from([inner, f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{inner}</x:xmpmeta>']))
        + draw(st.sampled_from(["", "\n", "\n<?xpacket end='w'?>"]))
    ).encode()


def unspaced(data: bytes) -> bytes:
    """Canonical form without white space between elements, which has no meaning in XMP."""
    root = etree.fromstring(data)
    for element in root.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None
    return etree.tostring(root.getroottree(), method="c14n", with_comments=True)


@given(documents())
def test_any_xmp_keeps_all_that_isnt_ours(original: bytes) -> None:
    data = merged(original, SEVERE)
    assert XmpDocument(data).hierarchical_keywords == ["photodefect|severe|noise", "photodefect|mild|haze"]
    assert merged(data, SEVERE) == data
    gone = unspaced(merged(data, MILD, GONE))
    # A list without items is no list, and a rating of zero none.
    empty = b"<dc:subject><rdf:Bag></rdf:Bag></dc:subject>"
    assert gone.replace(empty, b"") == unspaced(original).replace(empty, b"")


@pytest.mark.parametrize("program", PROGRAMS)
def test_exiv2_which_darktable_and_digikam_use_reads_all_and_keeps_it(program: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(merged((XMP / f"{program}.xmp").read_bytes(), SEVERE))
    with pyexiv2.Image(str(path)) as image:
        found = image.read_xmp()
        image.modify_xmp({"Xmp.dc.source": "written by Exiv2"})
    assert found["Xmp.lr.hierarchicalSubject"][-2:] == ["photodefect|severe|noise", "photodefect|mild|haze"]
    assert {"photodefect", "severe", "noise", "haze", "mild"} <= set(found["Xmp.dc.subject"])
    assert found["Xmp.photodefect.noise"] == "0.612"
    if program == "digikam":
        assert "photodefect/severe/noise" in found["Xmp.digiKam.TagsList"]
    # It writes one description with everything in it; ours is known again.
    rewritten = path.read_bytes()
    assert b"written by Exiv2" in rewritten
    document = XmpDocument(rewritten)
    document.merge(SEVERE)
    assert not document.changed
    before, after = XmpDocument((XMP / f"{program}.xmp").read_bytes()), XmpDocument(merged(rewritten, GOOD))
    assert (after.rating or None, after.label) == (before.rating or None, before.label)
    assert after.keywords == before.keywords
    assert after.hierarchical_keywords == before.hierarchical_keywords


@needs_exiftool
def test_exiftool_and_we_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(merged(None, SEVERE))
    exiftool("-q", "-overwrite_original", "-XMP-dc:Subject+=Alps", "-XMP-dc:Title=Peak", path)
    path.write_bytes(merged(path.read_bytes(), MILD))
    assert keywords(path) == ["photodefect", "mild", "haze", "Alps"]
    found = tags(path)
    assert found["XMP-dc:Title"] == "Peak"
    assert (found["XMP-xmp:Rating"], found["XMP-xmp:Label"]) == (2, "Yellow")


# What another program wrote under another prefix, or in another form


ABOUT = '<rdf:Description rdf:about=""'
XAP, CORE, ROOM = (f'"{NAMESPACES[prefix]}"' for prefix in ("xmp", "dc", "lr"))


def plain(inside: str) -> bytes:
    return f"{OPEN}{inside}{CLOSE}".encode()


@pytest.mark.parametrize(
    "inside",
    [
        f"{ABOUT} xmlns:xap={XAP}><xap:CreateDate>2006</xap:CreateDate></rdf:Description>",
        f'{ABOUT} xmlns:xap={XAP} xap:CreateDate="2006"/>',
        f"{ABOUT} xmlns={XAP}><CreateDate>2006</CreateDate></rdf:Description>",
        f"{ABOUT} xmlns:core={CORE}>{bag('core:subject', 'cat')}</rdf:Description>",
        f"{ABOUT} xmlns={CORE}>{bag('subject', 'cat')}</rdf:Description>",
        f"{ABOUT} xmlns={CORE}>{bag('creator', 'me')}</rdf:Description>",
        f"{ABOUT} xmlns:lightroom={ROOM}>{bag('lightroom:weightedFlatSubject', 'a')}</rdf:Description>",
        f"{ABOUT}><CreateDate xmlns={XAP}>2006</CreateDate>{bag('creator', 'me')}</rdf:Description>".replace(
            "<creator>", f"<creator xmlns={CORE}>"
        ),
    ],
    ids=[
        "element",
        "attribute",
        "default",
        "list",
        "default list",
        "default, other list",
        "lr",
        "two defaults",
    ],
)
def test_exiv2_reads_all_after_a_merge_whatever_prefixes_were_there(inside: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(plain(inside))
    with pyexiv2.Image(str(path)) as image:
        before = image.read_xmp()
    assert before
    path.write_bytes(merged(plain(inside), SEVERE))
    with pyexiv2.Image(str(path)) as image:
        found = image.read_xmp()
    for name, value in before.items():
        assert found[name] == value or set(value) < set(found[name]), name
    assert (found["Xmp.xmp.Rating"], found["Xmp.xmp.Label"]) == ("-1", "Purple")
    assert {"photodefect", "severe", "noise"} < set(found["Xmp.dc.subject"])
    assert found["Xmp.lr.hierarchicalSubject"] == ["photodefect|severe|noise", "photodefect|mild|haze"]
    assert unspaced(merged(path.read_bytes(), GONE)) == unspaced(plain(inside))


@needs_exiftool
def test_a_prefix_that_stands_for_something_else_is_left_to_it(tmp_path: Path) -> None:
    # Read by exiftool alone: exiv2 keeps such a prefix for all files after that.
    data = merged(plain(f'{ABOUT} xmlns:xmp="urn:another" xmp:Thing="1" xmlns:xap={XAP} xap:Nickname="a"/>'), SEVERE)
    assert b'xap:Rating="-1"' in data
    assert shown(data, tmp_path)["XMP-xmp:Rating"] == -1


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["\ufeff", ""], ids=["mark", "no mark"])
@pytest.mark.parametrize(
    "before",
    ["", '<?xml version="1.0" encoding="{}"?>\n', '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'],
    ids=["bare", "declared", "packet"],
)
@needs_exiftool
def test_text_of_two_or_four_bytes_a_letter_comes_back_so(codec: str, mark: str, before: str, tmp_path: Path) -> None:
    text = mark + before.format(codec[:6].upper()) + description(children=bag("dc:subject", "Zürich")).decode()
    data = merged(text.encode(codec), SEVERE)
    found = data.decode(codec)
    assert found.startswith(text[: text.index("<x:xmpmeta")] + "<x:xmpmeta")
    assert XmpDocument(data).keywords[0] == "Zürich"
    if codec.startswith("utf-16") and before:  # exiftool knows no others
        assert "Zürich" in shown(data, tmp_path)["XMP-dc:Subject"]  # type: ignore[operator]
    gone = merged(data, GONE).decode(codec)
    start = text.index("<x:xmpmeta")
    assert canonical(gone[start:].encode()) == canonical(text[start:].encode())


def test_utf8_that_says_it_is_utf16_stays_utf8() -> None:
    data = b'<?xml version="1.0" encoding="UTF-16"?>' + description(children=bag("dc:subject", "Zürich"))
    assert XmpDocument(merged(data, SEVERE)).keywords[0] == "Zürich"
    assert "Zürich".encode() in merged(data, SEVERE)


def test_zeros_after_a_packet_are_padding() -> None:
    data = merged(description('xmp:Rating="3"') + bytes(2000), SEVERE)
    assert XmpDocument(data).rating == 3
    assert b"\0" not in data


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (f'<rdf:RDF xmlns:rdf="{RDF}">', "</rdf:RDF>"),
        (f'<x:xapmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">', "</rdf:RDF></x:xapmeta>"),
        (f'<x:xmpmeta xmlns:x="adobe:ns:meta"><rdf:RDF xmlns:rdf="{RDF}">', "</rdf:RDF></x:xmpmeta>"),
    ],
    ids=["no meta", "old meta", "another namespace"],
)
@needs_exiftool
def test_roots_that_others_read_are_read(opening: str, closing: str, tmp_path: Path) -> None:
    text = description('xmp:Rating="3"').decode().removeprefix(OPEN).removesuffix(CLOSE)
    data = merged((opening + text + closing).encode(), SEVERE)
    assert XmpDocument(data).rating == 3
    assert shown(data, tmp_path)["XMP-xmp:Rating"] == 3


def test_a_text_of_more_than_ten_megabytes_is_read_and_in_odd_encodings_refused_in_plain_words() -> None:
    painted = "x" * 11_000_000
    data = description(children=f"<dc:source>{painted}</dc:source>")
    assert len(merged(data, SEVERE)) > 11_000_000
    with pytest.raises(SidecarError, match="a text of more than 10 MB"):
        merged(b'<?xml version="1.0" encoding="Shift_JIS"?>' + data, SEVERE)


@pytest.mark.parametrize("rating", ["three", "***", "4,5", "5/5", "nan"])
def test_a_rating_that_is_no_number_stays(rating: str) -> None:
    for data in (description(f'xmp:Rating="{rating}"'), description(children=f"<xmp:Rating>{rating}</xmp:Rating>")):
        document = XmpDocument(data)
        assert document.merge(SEVERE).kept == (f"your rating {rating} stays",)
        assert document.rating_text == rating
        assert XmpDocument(merged(data, SEVERE, overwrite=True)).rating == -1


def test_a_rating_in_a_list_is_the_persons_too() -> None:
    data = description(children=bag("xmp:Rating", "4"))
    assert merged(data, SEVERE).count(b"<rdf:li>4</rdf:li>") == 1
    assert XmpDocument(merged(data, SEVERE, overwrite=True)).rating == -1


# Whose it is, for good


def changed_by_hand(data: bytes, **tags: str) -> bytes:
    """As another program writes it: by minidom, in the first description."""
    document = minidom.parseString(data)
    for description in document.getElementsByTagName("rdf:Description"):
        for tag, value in tags.items():
            if description.hasAttribute(f"xmp:{tag}"):
                description.setAttribute(f"xmp:{tag}", value)
    return document.toxml(encoding="UTF-8")


def without_keyword(data: bytes, *words: str) -> bytes:
    """As another program removes keywords, which leaves our memory alone."""
    document = minidom.parseString(data)
    for name in ("dc:subject", "lr:hierarchicalSubject"):
        for element in document.getElementsByTagName(name):
            for item in element.getElementsByTagName("rdf:li"):
                if item.firstChild.data in words:
                    item.parentNode.removeChild(item)
    return document.toxml(encoding="UTF-8")


def test_a_rating_that_was_ours_once_and_is_the_persons_now_stays_theirs() -> None:
    ours = merged(None, SEVERE)
    three = merged(changed_by_hand(ours, Rating="3", Label="Green"), SEVERE)
    document = XmpDocument(three)
    assert (document.rating, document.label) == (3, "Green")
    # The person's own -1 and Purple, as ours were.
    back = merged(changed_by_hand(three, Rating="-1", Label="Purple"), MILD)
    document = XmpDocument(back)
    assert (document.rating, document.label) == (-1, "Purple")
    assert XmpDocument(merged(back, GOOD, SEVERE, MILD)).rating == -1
    assert XmpDocument(merged(back, MILD, overwrite=True)).rating == 2


def test_a_rating_that_the_person_removed_doesnt_come_back() -> None:
    none = merged(changed_by_hand(merged(None, SEVERE), Rating="0", Label=""), SEVERE, GOOD, SEVERE)
    document = XmpDocument(none)
    assert (document.rating, document.label) == (0, None)


def test_a_keyword_of_ours_that_the_person_removed_doesnt_come_back() -> None:
    data = without_keyword(merged(None, SEVERE), "photodefect|severe|noise", "noise", "severe")
    document = XmpDocument(merged(data, SEVERE))
    assert document.hierarchical_keywords == ["photodefect|mild|haze"]
    assert document.keywords == ["photodefect", "mild", "haze"]
    later = XmpDocument(merged(data, SEVERE, GOOD, SEVERE))
    assert later.hierarchical_keywords == ["photodefect|mild|haze"]
    flat = XmpDocument(merged(without_keyword(merged(None, SEVERE), "photodefect"), SEVERE))
    assert flat.keywords == ["severe", "noise", "mild", "haze"]
    assert len(flat.hierarchical_keywords) == 2


def test_what_we_wrote_over_comes_back_when_we_no_longer_say_it() -> None:
    original = (XMP / "lightroom.xmp").read_bytes()
    over = merged(original, SEVERE, overwrite=True)
    assert XmpDocument(merged(over, SEVERE)).rating == -1
    document = XmpDocument(merged(over, GOOD))
    assert (document.rating, document.label) == (4, "Green")
    assert canonical(merged(over, GONE)) == canonical(original)


OTHERS = (
    'xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/" '
    'xmlns:acdsee="http://ns.acdsee.com/iptc/1.0/" xmlns:xmpDM="http://ns.adobe.com/xmp/1.0/DynamicMedia/" '
    'xmlns:photomechanic="http://ns.camerabits.com/photomechanic/1.0/" xmlns:darktable="http://darktable.sf.net/"'
)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('MicrosoftPhoto:Rating="99"', "your rating 5 stays"),
        ('MicrosoftPhoto:Rating="25"', "your rating 2 stays"),
        ('acdsee:rating="4"', "your rating 4 stays"),
        ('digiKam:PickLabel="3"', "your pick stays"),
        ('xmpDM:pick="1"', "your pick stays"),
        ('xmpDM:good="True"', "your pick stays"),
        ('photomechanic:Tagged="True"', "your pick stays"),
        ('digiKam:ColorLabel="4"', "your label Green stays"),
        ('photomechanic:ColorClass="2"', "your label 2 stays"),
    ],
)
def test_a_rating_pick_or_label_anywhere_is_the_persons(written: str, kept: str) -> None:
    document = XmpDocument(description(f"{OTHERS} {written}"))
    assert document.merge(SEVERE).kept == (kept,)
    assert (document.label is None) == ("label" in kept)
    assert (document.rating is None) == ("label" not in kept)


@pytest.mark.parametrize("written", ['MicrosoftPhoto:Rating="0"', 'digiKam:PickLabel="0"', 'digiKam:ColorLabel="0"'])
def test_nothing_said_is_nothing_said_in_other_programs_words_too(written: str) -> None:
    document = XmpDocument(description(f"{OTHERS} {written}"))
    assert document.merge(SEVERE).kept == ()
    assert (document.rating, document.label) == (-1, "Purple")


def test_what_was_said_in_other_places_counts_and_ours_gives_way() -> None:
    for said in (Said(rating="5"), Said(pick="1")):
        document = XmpDocument(merged(None, SEVERE))
        merge = document.merge(SEVERE, said=[said])
        assert document.rating is None
        assert "no rating" in merge.changes
        document.merge(SEVERE)
        assert document.rating is None
    document = XmpDocument(merged(None, SEVERE))
    document.merge(SEVERE, said=[Said(rating="-1", label="Purple")])  # copies of ours
    assert not document.changed


def test_a_new_sidecar_has_the_photos_xmp_but_no_development_of_darktables() -> None:
    inside = description('xmp:Label="Green"', bag("dc:subject", "Alps")).replace(
        b"<dc:subject>",
        b'<d:history xmlns:d="http://darktable.sf.net/"><rdf:Seq><rdf:li d:operation="flip"/></rdf:Seq></d:history>'
        b'<d:colorlabels xmlns:d="http://darktable.sf.net/"><rdf:Seq><rdf:li>2</rdf:li></rdf:Seq></d:colorlabels>'
        b"<dc:subject>",
    )
    document = XmpDocument.from_photo(EmbeddedXmp(inside, exif_rating=4))
    document.merge(SEVERE)
    data = document.to_bytes()
    assert (document.rating, document.label, document.keywords[0]) == (4, "Green", "Alps")
    assert b"colorlabels" in data
    assert b"flip" not in data
    assert XmpDocument(data).said == Said("4", "Green")


# Taking all back


def taken_back(data: bytes) -> bytes:
    document = XmpDocument(data)
    document.take_back()
    return document.to_bytes()


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_of_ours_can_be_taken_back(program: str) -> None:
    original = (XMP / f"{program}.xmp").read_bytes()
    assert canonical(taken_back(merged(original, SEVERE, MILD))) == canonical(original)
    over = merged(original, SEVERE, overwrite=True)
    assert XmpDocument(over).said == Said()
    assert XmpDocument(taken_back(over)).said == XmpDocument(original).said
    gone = without_keyword(merged(None, SEVERE), "photodefect|severe|noise", "noise", "severe")
    document = XmpDocument(merged(changed_by_hand(gone, Rating="3"), SEVERE))
    document.take_back()
    assert (document.rating, document.label, document.keywords) == (3, None, [])
    assert b"photodefect" not in document.to_bytes().replace(b'xmptk="photodefect', b"")


def test_what_is_left_of_a_sidecar_that_we_made_is_what_the_photo_says() -> None:
    packet = EmbeddedXmp(description('xmp:Label="Green"'))
    for start in (EmbeddedXmp(), packet):
        made = XmpDocument.from_photo(start)
        made.merge(SEVERE)
        document = XmpDocument(made.to_bytes())
        assert document.is_new
        assert not document.says_only(XmpDocument.from_photo(start))
        document.take_back()
        assert document.says_only(XmpDocument.from_photo(start))
    assert not document.says_only(XmpDocument())
    assert not XmpDocument(merged(packet.packet, SEVERE)).is_new


def test_what_digikam_copies_of_ours_is_taken_back_as_well() -> None:
    # As digiKam 7.9 writes what it has read of ours; its own names for what we call Purple and one star.
    categories = (
        "&lt;Categories&gt;&lt;Category Assigned=&quot;0&quot;&gt;photodefect&lt;Category Assigned=&quot;0&quot;&gt;"
        "noise&lt;/Category&gt;&lt;/Category&gt;&lt;Category Assigned=&quot;1&quot;&gt;Alps&lt;/Category&gt;"
        "&lt;/Categories&gt;"
    )
    ours = merged(None, Marks(1, "Purple", (NOISE,), {"noise": "0.6"})).decode()
    copies = (
        f'{OTHERS} xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" MicrosoftPhoto:Rating="1" acdsee:rating="1" '
        f'digiKam:ColorLabel="6" photoshop:Urgency="6" digiKam:PickLabel="0" acdsee:categories="{categories}" '
        'xmlns:mediapro="http://ns.iview-multimedia.com/mediapro/1.0/"'
    )
    lists = (
        bag("digiKam:TagsList", "photodefect/severe/noise", "Places/Alps")
        + bag("MicrosoftPhoto:LastKeywordXMP", "photodefect/severe/noise", "Places/Alps")
        + bag("mediapro:CatalogSets", "photodefect|severe|noise", "Places|Alps")
        + bag("darktable:colorlabels", "4", kind="Seq")
    )
    data = ours.replace('rdf:about=""', f'rdf:about="" {copies}', 1).replace("<dc:subject>", lists + "<dc:subject>", 1)
    document = XmpDocument(data.encode())
    document.merge(Marks(1, "Purple", (NOISE,), {"noise": "0.6"}))
    assert not document.changed
    text = taken_back(data.encode()).decode()
    assert "photodefect" not in text.replace('xmptk="photodefect', "")
    assert text.count("Alps") == 4
    for gone in ("darktable:colorlabels", "xmp:Rating", "xmp:Label"):
        assert gone not in text
    for zero in ("MicrosoftPhoto:Rating", "acdsee:rating", "digiKam:ColorLabel", "photoshop:Urgency"):
        assert f'{zero}="0"' in text


@needs_exiftool
def test_ours_is_taken_back_after_exiftool_and_exiv2_rewrote_it(tmp_path: Path) -> None:
    path = tmp_path / "photo.xmp"
    path.write_bytes(merged((XMP / "lightroom.xmp").read_bytes(), SEVERE, overwrite=True))
    exiftool("-q", "-overwrite_original", "-XMP-dc:Title=Peak", path)
    with pyexiv2.Image(str(path)) as image:
        image.modify_xmp({"Xmp.dc.source": "written by Exiv2"})
    path.write_bytes(taken_back(path.read_bytes()))
    assert b"photodefect" not in path.read_bytes()
    found = tags(path)
    assert (found["XMP-xmp:Rating"], found["XMP-xmp:Label"], found["XMP-dc:Title"]) == (4, "Green", "Peak")
    assert keywords(path) == ["Alps", "noise"]


def test_a_rating_whose_owner_another_program_forgot_stays_and_that_is_told() -> None:
    data = description('xmp:Rating="-1"', bag("lr:hierarchicalSubject", "photodefect|severe|noise"))
    merge = XmpDocument(data).take_back()
    assert merge.changes == ("no keyword photodefect|severe|noise",)
    assert merge.kept == ("rating -1 stays: nothing says whose it is",)
