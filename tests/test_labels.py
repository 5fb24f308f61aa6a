from __future__ import annotations

import csv
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.labels.table import LabelledPhoto, read_labels, read_table, vote_levels, write_labels

AUTHORS_HEADER = "url,Bad Exposure,Bad White Balance,Bad Saturation,Noise,Haze,Undesired Blur,Bad Composition"
OWN_HEADER = "path," + ",".join(KEYS)


def write(folder: Path, *lines: str, images: tuple[str, ...] = ("a.jpg", "b.jpg")) -> Path:
    """A CSV of these lines beside empty image files."""
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).touch()
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def test_the_authors_layout_maps_urls_to_files_of_that_name(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        AUTHORS_HEADER,
        "https://farm1.example.org/22/a.jpg?size=o,0.1,0.2,-1.0,0.3,0,0.05,1",
        "https://farm1.example.org/23/b.jpg,0,0,0,0,0,0,0",
    )
    photos = read_labels(table, tmp_path).photos
    assert [photo.path.name for photo in photos] == ["a.jpg", "b.jpg"]
    assert [photos[0].severities[key] for key in KEYS] == [0.1, 0.2, -1.0, 0.3, 0.0, 0.05, 1.0]
    assert photos[0].votes is None


def test_our_own_layout_holds_paths_below_the_folder_and_single_votes(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        OWN_HEADER + ",workers,bad_exposure_votes",
        "sub/a.jpg,0.4,0,0,0,0,0,0,w1;w2;w3,0;0.5;1",
        "b.jpg,0,0,0,0,0,0,0,w1;w2;w9,0;;0",
        images=("sub/a.jpg", "b.jpg"),
    )
    labelled = read_labels(table)
    first, second = labelled.photos
    assert first.path == tmp_path / "sub/a.jpg"
    assert first.votes == {"bad_exposure": (0.0, 0.5, 1.0)}
    assert first.workers == ("w1", "w2", "w3")
    assert second.votes is not None
    assert math.isnan(second.votes["bad_exposure"][1])
    assert labelled.severities(BY_KEY["bad_exposure"]).tolist() == [0.4, 0.0]


def test_column_order_case_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    table = write(tmp_path, "﻿Noise,PATH," + ",".join(key for key in KEYS if key != "noise"), "0.5,a.jpg,0,0,0,0,0,0")
    assert read_labels(table).photos[0].severities["noise"] == 0.5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "lines",
    [
        ("path,noise", "été.jpg,0.5"),
        ("path;noise", "été.jpg;0,5"),
        ("path\tnoise", "été.jpg\t0,5"),
        ("sep=;", "path;noise", "été.jpg;0,5"),
        ('"sep=,"', "path,noise", '"été.jpg","0.5"'),
    ],
)
def test_tables_are_read_as_spreadsheets_save_them(tmp_path: Path, encoding: str, lines: tuple[str, ...]) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes("\r\n".join(lines).encode(encoding))
    assert read_table(table).rows == [(len(lines), {"path": "été.jpg", "noise": "0.5"})]


def test_a_table_in_tabs_or_cut_text_says_what_to_do(tmp_path: Path) -> None:
    table = write(tmp_path, "path\tnoise", "a\tb.jpg\t0")
    with pytest.raises(DataError, match=r"row 2: 3 cells where the header has 2\. Put cells that contain a tab in"):
        read_table(table)
    table.write_bytes("path,noise\na.jpg,0".encode("utf-16")[:-1])
    with pytest.raises(DataError, match="UTF-16 text ends within a letter"):
        read_table(table)


def test_semicolons_and_decimal_commas_read_as_commas_and_decimal_points(tmp_path: Path) -> None:
    header = OWN_HEADER + ",workers,haze_votes"
    plain = write(tmp_path, header, '"a, b.jpg",0.25,1e-3,-0.5,.5,0,1,,v;w;x,0;;0.5', images=("a, b.jpg",))
    expected = read_labels(plain).photos
    table = write(
        tmp_path, "", header.replace(",", ";"), 'a, b.jpg;0,25;1E-03;-0,5;,5;0,00;1;;"v;w;x";"0;; 0,5"', images=()
    )
    (photo,) = read_labels(table).photos
    assert (photo.path, photo.workers) == (tmp_path / "a, b.jpg", ("v", "w", "x"))
    for ours, theirs in ((photo.severities, expected[0].severities), (photo.votes, expected[0].votes)):
        assert repr(ours) == repr(theirs)


def test_commas_in_names_stay_where_semicolons_separate(tmp_path: Path) -> None:
    table = write(tmp_path, "path;worker", "1,5.jpg;2,5 m", '"3,5/a.jpg";Lee, Ann')
    assert [tuple(cells.values()) for _, cells in read_table(table).rows] == [
        ("1,5.jpg", "2,5 m"),
        ("3,5/a.jpg", "Lee, Ann"),
    ]


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "  "])
def test_an_empty_or_nan_cell_masks_the_label(tmp_path: Path, cell: str) -> None:
    table = write(tmp_path, OWN_HEADER, f"a.jpg,{cell},0,0,0,0,0,0")
    severities = read_labels(table).photos[0].severities
    assert math.isnan(severities["bad_exposure"])
    assert severities["noise"] == 0


def test_a_missing_image_is_reported_and_left_out(tmp_path: Path) -> None:
    table = write(tmp_path, OWN_HEADER, "a.jpg,0,0,0,0,0,0,0", "gone.jpg,0,0,0,0,0,0,0", "b.jpg,0,0,0,0,0,0,0")
    labelled = read_labels(table)
    assert [photo.name for photo in labelled.photos] == ["a.jpg", "b.jpg"]
    assert labelled.missing == (tmp_path / "gone.jpg",)


def test_images_need_not_be_there_for_a_comparison_with_predictions(tmp_path: Path) -> None:
    table = write(tmp_path, OWN_HEADER, "x/gone.jpg,0,0,0,0,0,0,0", images=())
    labelled = read_labels(table, tmp_path / "nowhere", need_images=False)
    assert labelled.photos[0].path == tmp_path / "nowhere/x/gone.jpg"
    assert labelled.missing == ()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "labels.csv is empty"),
        ((OWN_HEADER,), "has a header but no rows"),
        (("name," + ",".join(KEYS), "a.jpg,0,0,0,0,0,0,0"), r"row 1: no column 'path' \(it has 'name', "),
        ((OWN_HEADER.replace(",haze", ""), "a.jpg,0,0,0,0,0,0"), "row 1: no column 'haze'"),
        ((AUTHORS_HEADER.replace(",Haze", ""), "a.jpg,0,0,0,0,0,0"), "row 1: no column 'Haze'"),
        ((OWN_HEADER + ",noise", "a.jpg,0,0,0,0,0,0,0,0"), "row 1: column 'noise' is there twice"),
        ((OWN_HEADER, "a.jpg,0,0,0,0,0,0"), "row 2: 7 cells where the header has 8"),
        ((OWN_HEADER, "a.jpg" + ",0,5" * 7), "row 2: 15 cells where the header has 8.*write decimals with a point"),
        ((OWN_HEADER, "a.jpg" + ',"0,0000"' * 7), "row 2: bad_exposure is '0,0000', .*Write decimals with a point"),
        ((OWN_HEADER.replace(",", ";"), "a;b.jpg" + ";0" * 7), "row 2: 9 cells .* contain a semicolon in quotes"),
        ((OWN_HEADER.replace(",", ";"), "a.jpg" + ";1,5" * 7), r"row 2: bad_exposure is 1\.5, outside"),
        ((OWN_HEADER, "a.jpg,0,0,0,0,0,0,0", "", "b.jpg,0,0,0,1.2,0,0,0"), r"row 4: noise is 1.2, outside 0..1"),
        ((OWN_HEADER, "a.jpg,0,0,-1.5,0,0,0,0"), r"row 2: bad_saturation is -1.5, outside -1..1"),
        ((OWN_HEADER, "a.jpg,-0.1,0,0,0,0,0,0"), r"row 2: bad_exposure is -0.1, outside 0..1"),
        ((OWN_HEADER, "a.jpg,inf,0,0,0,0,0,0"), r"row 2: bad_exposure is inf, outside 0..1"),
        ((OWN_HEADER, "a.jpg,severe,0,0,0,0,0,0"), "row 2: bad_exposure is 'severe', not a number"),
        ((OWN_HEADER, "a.jpg,0,0,0,0,0,0,0", "./a.jpg,0,0,0,0,0,0,0"), "row 3: .*a.jpg is in row 2 already"),
        ((OWN_HEADER, ",0,0,0,0,0,0,0"), "row 2: '' names no photo"),
        ((OWN_HEADER, "gone.jpg,0,0,0,0,0,0,0"), "none of its 1 photos is in"),
        ((OWN_HEADER + ",noise_votes", "a.jpg,0,0,0,0,0,0,0,0;0.3"), "row 2: a vote for noise is '0.3'"),
        ((OWN_HEADER + ",noise_votes", "a.jpg,0,0,0,0,0,0,0,0;mild"), "row 2: a vote for noise is 'mild'"),
        ((OWN_HEADER + ",workers,noise_votes", "a.jpg,0,0,0,0,0,0,0,w1,0;1"), "row 2: 2 votes for noise but 1 workers"),
        ((OWN_HEADER, '"a.jpg,0,0,0,0,0,0,0'), "labels.csv is not a CSV"),
    ],
)
def test_a_wrong_csv_says_which_row_and_what(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(write(tmp_path, *lines))


def test_two_urls_of_one_file_name_are_duplicates(tmp_path: Path) -> None:
    table = write(tmp_path, AUTHORS_HEADER, "http://x/1/a.jpg,0,0,0,0,0,0,0", "http://x/2/a.jpg,0,0,0,0,0,0,0")
    with pytest.raises(DataError, match=r"row 3: .*a\.jpg is in row 2 already"):
        read_labels(table)


def test_a_csv_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv can't be read: No such file"):
        read_labels(tmp_path / "nothing.csv")
    photo = tmp_path / "photo.csv"
    photo.write_bytes(b"\xff\xd8\xff\xe0 not text")
    with pytest.raises(DataError, match=r"photo\.csv is not UTF-8 text"):
        read_labels(photo)


def test_a_folder_of_images_that_is_not_there_is_named(tmp_path: Path) -> None:
    table = write(tmp_path, OWN_HEADER, "a.jpg,0,0,0,0,0,0,0")
    with pytest.raises(DataError, match="nowhere is not a folder"):
        read_labels(table, tmp_path / "nowhere")


def test_rounding_errors_at_the_ends_of_the_range_are_clipped(tmp_path: Path) -> None:
    table = write(tmp_path, OWN_HEADER, "a.jpg,1.0000000002,-0.0000000001,0,0,0,0,0")
    severities = read_labels(table).photos[0].severities
    assert severities["bad_exposure"] == 1.0
    assert severities["bad_white_balance"] == 0.0


def labelled_photos(count: int) -> st.SearchStrategy[LabelledPhoto]:
    scores = st.fixed_dictionaries({d.key: st.floats(d.lowest, 1) | st.just(math.nan) for d in DEFECTS})
    votes = st.fixed_dictionaries(
        {d.key: st.tuples(*[st.sampled_from([*vote_levels(d), math.nan])] * count) for d in DEFECTS}
    )
    names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
    workers = st.tuples(*[st.from_regex(r"[A-Z0-9]{1,8}", fullmatch=True)] * count)
    return st.builds(
        LabelledPhoto,
        path=st.just(Path("unused")),
        severities=scores,
        votes=votes,
        workers=workers,
        name=names.map(str.strip).filter(lambda name: name not in ("", ".", "..")),
    )


@given(
    photos=st.lists(labelled_photos(5), min_size=1, max_size=4, unique_by=lambda photo: os.path.normpath(photo.name))
)
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, photos: list[LabelledPhoto]) -> None:
    target = tmp_path_factory.mktemp("labels") / "labels.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        write_labels(stream, photos)
    back = read_labels(target, need_images=False).photos
    assert [photo.name for photo in back] == [photo.name for photo in photos]
    for ours, theirs in zip(back, photos, strict=True):
        assert ours.workers == theirs.workers
        for key in KEYS:
            assert ours.severities[key] == pytest.approx(theirs.severities[key], abs=5e-7, nan_ok=True)
            assert (ours.votes or {})[key] == pytest.approx((theirs.votes or {})[key], nan_ok=True)


def test_a_file_name_that_is_not_utf8_comes_through(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    photo = LabelledPhoto(tmp_path / name, dict.fromkeys(KEYS, 0.0), name=name)
    target = tmp_path / "labels.csv"
    with target.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        write_labels(stream, [photo])
    assert read_labels(target, need_images=False).photos[0].path == photo.path


def test_a_table_counts_rows_as_an_editor_does(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "x"], ["two\nlines", "1"], [], ["b", "2"]])
    assert [row for row, _ in read_table(table).rows] == [3, 5]
