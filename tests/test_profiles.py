"""Profiles: what they may say, where they lie, which of them wins, and a record judged by one."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from ranked import failure, record

from photodefect.defects import DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.ranking.profiles.locations import find_profile, gather, named_profiles
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE, Curve, Profile, RejectPolicy
from photodefect.ranking.profiles.settings import Setting, parse_settings, read_settings, to_profile, to_toml
from photodefect.verdicts import DEFAULT_THRESHOLDS, Threshold

pytestmark = pytest.mark.usefixtures("config")


def profile_of(text: str) -> Profile:
    return to_profile(parse_settings(text, "mine.toml"))


def test_an_empty_profile_is_the_default_one() -> None:
    assert profile_of("") == DEFAULT_PROFILE
    assert DEFAULT_PROFILE.thresholds == DEFAULT_THRESHOLDS


def test_every_setting_is_read() -> None:
    profile = profile_of("""
        hints = false
        [weights]
        noise = 0.5
        bad_saturation = 0
        [thresholds.noise]
        mild = 0.4
        severe = 0.6
        [thresholds.haze]
        severe = 0.7
        [overall]
        mean_share = 0
        [reject]
        at = "mild"
        defects = ["noise", "haze"]
        as = "label"
        [calibration.haze]
        raw = [0, 0.5, 1]
        severity = [0, 0.2, 1]
    """)
    assert not profile.hints
    assert profile.weights == dict.fromkeys(KEYS, 1.0) | {"noise": 0.5, "bad_saturation": 0.0}
    assert profile.thresholds["noise"] == Threshold(0.4, 0.6)
    assert profile.thresholds["haze"] == Threshold(0.3, 0.7)
    assert profile.mean_share == 0
    assert profile.reject == RejectPolicy("mild", ("noise", "haze"), "label")
    assert profile.calibration["haze"](0.5) == 0.2
    assert profile.ignored == ("bad_saturation",)


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("[thresholds.blur]\nsevere = 0.4", "thresholds.blur", "did you mean thresholds.undesired_blur?"),
        ("[weigths]\nnoise = 1", "weigths", "did you mean weights?"),
        ("noise = 1", "noise", "did you mean weights.noise?"),
        ("[thresholds.noise]\nsevre = 0.4", "thresholds.noise.sevre", "did you mean thresholds.noise.severe?"),
        ("[overall]\nxyz = 1", "overall.xyz", "there are overall.mean_share"),
    ],
)
def test_an_unknown_key_is_named_with_its_file_and_what_was_meant(text: str, key: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_settings(text, "mine.toml")
    assert str(caught.value) == f"mine.toml: there is no setting {key!r}; {hint}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hints = 1", "hints is 1; it must be true or false"),
        ("weights = 3", "weights is 3; it is a table of"),
        ("[weights]\nnoise = -1", "weights.noise is -1; it must be a number from 0 to 1000"),
        ("[weights]\nnoise = nan", "weights.noise is nan; it must be"),
        ("[weights]\nnoise = true", "weights.noise is True; it must be"),
        ("[thresholds.noise]\nsevere = 1.5", "thresholds.noise.severe is 1.5; it must be a number from 0 to 1"),
        ("[thresholds.noise]\nsevere = '0.5'", "thresholds.noise.severe is '0.5'"),
        ("[reject]\nat = 'good'", "reject.at is 'good'; it must be one of mild, severe"),
        ("[reject]\ndefects = ['blur']", "reject.defects is ['blur']; it must be a list of some of"),
        ("[calibration.noise]\nraw = [0, 2]\nseverity = [0, 1]", "calibration.noise.raw is [0, 2]"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_must_be(text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_settings(text, "mine.toml")
    assert str(caught.value).startswith(f"mine.toml: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[thresholds.noise]\nmild = 0.8", "mine.toml: thresholds.noise: thresholds must satisfy"),
        ("[calibration.noise]\nraw = [0, 1]", "mine.toml: calibration.noise: raw and severity need the same number"),
        ("[calibration.noise]\nraw = [1, 0]\nseverity = [0, 1]", "mine.toml: calibration.noise: raw must ascend"),
        ("[calibration.noise]\nraw = [0, 1]\nseverity = [1, 0]", "calibration.noise: severity must not descend"),
        ("[weights]\n" + "\n".join(f"{key} = 0" for key in KEYS), "mine.toml: all weights are 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        profile_of(text)


def test_what_is_not_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mine\.toml is not TOML: .*line 2"):
        parse_settings("hints = true\nnoise = = 2", "mine.toml")
    with pytest.raises(DataError, match=r"gone\.toml can't be read: No such file"):
        read_settings(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(DataError, match="isn't UTF-8"):
        read_settings(tmp_path / "latin.toml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_profiles_are_read_as_editors_save_them(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "mine.toml").write_bytes("# à moi\r\n[weights]\r\n\tnoise = 2\r\n".encode(encoding))
    settings = read_settings(tmp_path / "mine.toml")
    assert {key: setting.value for key, setting in settings.items()} == {"weights.noise": 2.0}


@given(st.text(max_size=60))
def test_any_text_is_settings_or_an_error_that_names_the_file(text: str) -> None:
    try:
        settings = parse_settings(text, "mine.toml")
    except DataError as error:
        settings = {}
        message = str(error)
    else:
        message = "mine.toml"
    assert "mine.toml" in message
    assert all(setting.source == "mine.toml" for setting in settings.values())


CURVES = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=5).map(
    lambda pairs: (sorted({x for x, _ in pairs}), sorted(y for _, y in pairs))
)
PROFILES = st.builds(
    Profile,
    thresholds=st.fixed_dictionaries(
        dict.fromkeys(
            KEYS,
            st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(lambda pair: Threshold(min(pair), max(pair))),
        )
    ),
    weights=st.fixed_dictionaries({key: st.floats(0.01 if key == "noise" else 0, 1000) for key in KEYS}),
    mean_share=st.floats(0, 1),
    hints=st.booleans(),
    reject=st.builds(
        RejectPolicy,
        at=st.sampled_from(["mild", "severe"]),
        defects=st.lists(st.sampled_from(KEYS), unique=True).map(tuple),
        mark=st.sampled_from(["rating", "label", "keyword"]),
    ),
    calibration=st.dictionaries(
        st.sampled_from(KEYS),
        CURVES.filter(lambda curve: len(curve[0]) == len(curve[1])).map(lambda it: Curve(tuple(it[0]), tuple(it[1]))),
        max_size=2,
    ),
)


@given(PROFILES)
def test_a_profile_survives_being_written_and_read(profile: Profile) -> None:
    text = to_toml(profile, {}, heading=["by hand\n\x1b[31m"])
    assert "\x1b" not in text
    assert to_profile(parse_settings(text, "shown")) == profile


def test_what_is_shown_says_where_each_setting_comes_from(tmp_path: Path, config: Path) -> None:
    (config / "profile.toml").write_text("[weights]\nnoise = 0.5\n")
    layers = gather([tmp_path])
    lines = to_toml(layers.profile, layers.settings).splitlines()
    assert f"noise = 0.5 # {config}/profile.toml" in lines
    assert "haze = 1.0 # default" in lines


def test_stronger_profiles_win_setting_by_setting(tmp_path: Path, config: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (config / "profile.toml").write_text(
        "[weights]\nnoise = 0.1\nhaze = 0.1\nbad_exposure = 0.1\nundesired_blur = 0.1\n"
    )
    (photos / ".photodefect.toml").write_text("[weights]\nhaze = 0.2\nbad_exposure = 0.2\nundesired_blur = 0.2\n")
    mine = tmp_path / "mine.toml"
    mine.write_text("[weights]\nbad_exposure = 0.3\nundesired_blur = 0.3\n")
    layers = gather([photos], str(mine), {"weights.undesired_blur": Setting(0.4, "--weight")})
    assert {key: layers.profile.weights[key] for key in ("noise", "haze", "bad_exposure", "undesired_blur")} == {
        "noise": 0.1,
        "haze": 0.2,
        "bad_exposure": 0.3,
        "undesired_blur": 0.4,
    }
    assert layers.files == (config / "profile.toml", photos / ".photodefect.toml", mine)
    assert layers.settings["weights.haze"].source == str(photos / ".photodefect.toml")


def test_a_conflict_between_layers_names_both_files(tmp_path: Path, config: Path) -> None:
    (config / "profile.toml").write_text("[thresholds.noise]\nmild = 0.45\n")
    (tmp_path / ".photodefect.toml").write_text("[thresholds.noise]\nsevere = 0.4\n")
    with pytest.raises(DataError) as caught:
        gather([tmp_path])
    assert f"{config}/profile.toml and {tmp_path}/.photodefect.toml: thresholds.noise" in str(caught.value)


def test_profiles_are_found_by_name_and_by_file(tmp_path: Path, config: Path) -> None:
    (config / "profiles").mkdir()
    own = config / "profiles" / "weddings.toml"
    own.write_text("hints = false\n")
    assert find_profile("weddings") == own
    assert find_profile("./weddings.toml") == Path("weddings.toml")
    assert set(named_profiles()) == {"black-and-white", "weddings"}
    with pytest.raises(DataError, match=r"no profile is called 'weding'; did you mean weddings\?"):
        find_profile("weding")
    with pytest.raises(DataError, match="can't be read"):
        gather([tmp_path], str(tmp_path / "none.toml"))


def test_the_profile_for_black_and_white_ignores_colour(tmp_path: Path) -> None:
    profile = gather([tmp_path], "black-and-white").profile
    photo = record("a", bad_saturation=-1.0, bad_white_balance=0.9, noise=0.35)
    judged = profile.judge(photo)
    assert (judged.worst, judged.verdict) == ("noise", "mild")
    assert profile.reasons_to_reject(judged) == []
    assert profile.overall(judged) == pytest.approx(0.8 * 0.35 + 0.2 * 0.35 / 5)
    assert photo.verdict == "severe"


def test_judging_takes_the_persons_scale_and_thresholds() -> None:
    profile = profile_of("""
        [calibration.noise]
        raw = [0, 1]
        severity = [0, 0.5]
        [thresholds.noise]
        mild = 0.1
        severe = 0.4
    """)
    judged = profile.judge(record("a", noise=0.7))
    assert judged.severity is not None
    assert judged.severity["noise"] == pytest.approx(0.35)
    assert (judged.worst, judged.verdict) == ("noise", "mild")
    assert judged.thresholds == profile.thresholds
    assert (judged.percentile or {})["noise"] == 50
    assert profile.judge(record("b", noise=0.9)).verdict == "severe"


def test_judging_leaves_failed_photos_alone_and_a_photo_without_applicable_defects_good() -> None:
    assert DEFAULT_PROFILE.judge(failure("a")) == failure("a")
    only_colour = Profile(weights={d.key: float(d.key == "bad_saturation") for d in DEFECTS})
    judged = only_colour.judge(record("a", monochrome=True, bad_saturation=-1.0, noise=1.0))
    assert (judged.worst, judged.verdict) == (None, "good")


def test_rejection_follows_the_policy() -> None:
    photo = DEFAULT_PROFILE.judge(record("a", noise=0.55, haze=0.8, undesired_blur=0.4))
    assert DEFAULT_PROFILE.reasons_to_reject(photo) == ["haze", "noise"]
    strict = Profile(reject=RejectPolicy(at="mild", defects=("undesired_blur", "noise")))
    assert strict.reasons_to_reject(photo) == ["noise", "undesired_blur"]
    assert Profile(reject=RejectPolicy(defects=())).reasons_to_reject(photo) == []


def test_the_shipped_profiles_are_valid() -> None:
    for file in named_profiles().values():
        assert tomlkit.parse(file.read_text())
        to_profile(read_settings(file))
