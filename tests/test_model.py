"""Model folders: what is saved is what is loaded, and what is damaged is refused by name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import photodefect
from photodefect.core.network import folders
from photodefect.core.network.folders import find_model, shipped_models_folder
from photodefect.core.network.layers import ConvNorm
from photodefect.core.network.manifest import Calibration, Manifest, Normalization, Weighting
from photodefect.core.network.model import Model, load_model, save_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import NETWORKS, build_network
from photodefect.defects import DEFECTS, KEYS
from photodefect.errors import ModelError

Spoil = Callable[[dict[str, Any]], object]

RAMP = tuple(k / 100 for k in range(101))


def manifest(**changes: Any) -> Manifest:
    normalization = Normalization.from_mapping(NETWORKS["lite0"].default_normalization)
    return replace(Manifest("tiny", "1.2", "lite0", normalization), **changes)


def network(kind: str, seed: int) -> MultiColumnNetwork:
    torch.manual_seed(seed)
    made = build_network("lite0", kind)  # type: ignore[arg-type]
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
    return made


@pytest.fixture(scope="module")
def networks() -> tuple[MultiColumnNetwork, MultiColumnNetwork]:
    return network("holistic", 1), network("patches", 2)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, networks: tuple[MultiColumnNetwork, MultiColumnNetwork]) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, manifest(), *networks)
    return folder


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "copied"))


def edit_manifest(folder: Path, change: Spoil) -> None:
    file = folder / "manifest.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def rewrite_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Change the tensors of the patch network and set the hash right, as a wrong export would."""
    file = folder / "patches.safetensors"
    tensors = safetensors.torch.load_file(file)
    change(tensors)
    file.unlink()
    safetensors.torch.save_file(tensors, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    edit_manifest(folder, lambda it: it["networks"]["patches"].update(sha256=digest))


# Loading and saving


def test_a_loaded_model_gives_the_logits_of_the_networks_that_were_saved(
    saved: Path, networks: tuple[MultiColumnNetwork, MultiColumnNetwork]
) -> None:
    image = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    plain, folded = load_model(saved, folded=False), load_model(saved)
    for original, unfolded, merged in zip(
        networks, (plain.holistic, plain.patches), (folded.holistic, folded.patches), strict=True
    ):
        with torch.inference_mode():
            wanted = original.eval()(image)
            exact, close = unfolded(image), merged(image)
        assert list(exact) == list(wanted)
        for key, logits in wanted.items():
            torch.testing.assert_close(exact[key], logits, rtol=1e-5, atol=1e-6)  # the order of sums
            torch.testing.assert_close(close[key], logits, rtol=1e-3, atol=1e-3)


def test_a_loaded_model_is_folded_frozen_and_in_evaluation_mode(saved: Path) -> None:
    model = load_model(saved)
    for loaded in (model.holistic, model.patches):
        assert not any(module.training for module in loaded.modules())
        assert not any(parameter.requires_grad for parameter in loaded.parameters())
        norms = [module.norm for module in loaded.modules() if isinstance(module, ConvNorm)]
        assert norms
        assert all(isinstance(norm, torch.nn.Identity) for norm in norms)


def test_weights_stored_in_half_precision_are_loaded_as_single(
    tmp_path: Path, networks: tuple[MultiColumnNetwork, MultiColumnNetwork]
) -> None:
    save_model(tmp_path / "half", manifest(), *networks, half_precision=True)
    stored = safetensors.torch.load_file(tmp_path / "half" / "holistic.safetensors")
    assert all(tensor.dtype == (torch.float16 if tensor.ndim > 1 else torch.float32) for tensor in stored.values())
    loaded = load_model(tmp_path / "half", folded=False).holistic
    original = networks[0].state_dict()
    for name, tensor in loaded.state_dict().items():
        if tensor.is_floating_point():
            assert tensor.dtype == torch.float32
            torch.testing.assert_close(tensor, original[name], rtol=1e-3, atol=1e-6)


def test_saving_leaves_three_readable_files_and_hashes_that_are_right(saved: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == [
        "holistic.safetensors",
        "manifest.json",
        "patches.safetensors",
    ]
    for entry in json.loads((saved / "manifest.json").read_text())["networks"].values():
        assert hashlib.sha256((saved / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_a_save_that_fails_leaves_the_model_that_was_there(
    copied: Path, networks: tuple[MultiColumnNetwork, MultiColumnNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    written: list[int] = []

    def full_disk(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_model(copied, manifest(version="2"), *reversed_weights(networks))
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before


def reversed_weights(
    networks: tuple[MultiColumnNetwork, MultiColumnNetwork],
) -> tuple[MultiColumnNetwork, MultiColumnNetwork]:
    return network("holistic", 5), networks[1]


def test_a_network_of_another_kind_is_not_saved(
    tmp_path: Path, networks: tuple[MultiColumnNetwork, MultiColumnNetwork]
) -> None:
    with pytest.raises(ModelError, match=r"holistic network.*lacks tensor"):
        save_model(tmp_path / "m", manifest(), networks[1], networks[1])
    assert not (tmp_path / "m").exists()


# Damage


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flip_a_bit])
def test_a_damaged_weight_file_is_named(copied: Path, damage: Callable[[Path], None]) -> None:
    damage(copied / "patches.safetensors")
    with pytest.raises(ModelError, match=r"patches\.safetensors: damaged.*SHA-256"):
        load_model(copied)


def test_a_truncated_weight_file_with_the_right_hash_is_named(copied: Path) -> None:
    file = copied / "holistic.safetensors"
    cut(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    edit_manifest(copied, lambda it: it["networks"]["holistic"].update(sha256=digest))
    with pytest.raises(ModelError, match=r"holistic\.safetensors: not a whole safetensors file"):
        load_model(copied)


@pytest.mark.parametrize("name", ["holistic.safetensors", "manifest.json"])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: missing"):
        load_model(copied)


def test_a_missing_model_is_named_with_the_ones_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "manifest.json").write_text("{}")
    monkeypatch.setattr(folders, "shipped_models_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"'nowhere/to/be'.*photodefect are: ours"):
        load_model("nowhere/to/be")
    with pytest.raises(ModelError, match="''"):
        load_model("")


def test_a_file_in_place_of_a_model_folder_is_named(copied: Path) -> None:
    with pytest.raises(ModelError, match=r"holistic\.safetensors: a model is a folder"):
        load_model(copied / "holistic.safetensors")


BIAS = "columns.noise.experts.votes.classes.bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it.pop(BIAS), f"lacks tensor '{BIAS}'"),
        (lambda it: it.update(surplus=torch.zeros(1)), "unknown tensor 'surplus'"),
        (lambda it: it.update({BIAS: torch.zeros(21)}), r"shape \(21,\), not \(11,\)"),
        (lambda it: it[BIAS].fill_(float("nan")), "not a finite number"),
        (lambda it: it.update({BIAS: torch.zeros(11, dtype=torch.int32)}), "not a finite"),
    ],
)
def test_weights_that_do_not_fit_the_network_are_named(
    copied: Path, change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    rewrite_weights(copied, change)
    with pytest.raises(ModelError, match=rf"patches\.safetensors: .*{message}"):
        load_model(copied)


def test_a_device_that_does_not_exist_is_named(saved: Path) -> None:
    with pytest.raises(ModelError, match="abacus"):
        load_model(saved, device="abacus")


# The manifest


def test_a_manifest_survives_its_json() -> None:
    full = manifest(
        combination=dict(manifest().combination) | {"noise": Weighting(0.25, 0.75)},
        calibration={"bad_saturation": Calibration((-1.0, 0.1, 1.0), (-0.9, 0.0, 1.0))},
        reference={"haze": RAMP},
        networks=dict(
            zip(
                ("holistic", "patches"),
                Manifest.from_json(example()).networks.values(),
                strict=True,
            )
        ),
    )
    assert Manifest.from_json(full.to_json()) == full


def example(change: Spoil | None = None) -> str:
    """A manifest written by hand from the schema, then changed."""
    halves = [
        "bad_exposure",
        "bad_white_balance",
        "noise",
        "haze",
        "undesired_blur",
        "bad_composition",
    ]
    eleven = [round(0.1 * k, 1) for k in range(11)]
    centres = dict.fromkeys(halves, eleven) | {"bad_saturation": [round(0.1 * k, 1) for k in range(-10, 11)]}
    document: dict[str, Any] = {
        "schema_version": 1,
        "name": "compact",
        "version": "1",
        "network": "lite0",
        "normalization": {"channels": "rgb", "mean": [127, 127, 127], "scale": 0.0078125},
        "defects": [{"key": key, "class_centres": centres[key]} for key in KEYS],
        "networks": {
            "holistic": {"file": "holistic.safetensors", "sha256": "0" * 64},
            "patches": {"file": "patches.safetensors", "sha256": "f" * 64},
        },
        "combination": {"bad_exposure": {"holistic": 0.5, "patches": 0.5}, "bad_composition": {"holistic": 1}},
        "calibration": {"bad_saturation": {"raw": [-1, 0, 1], "severity": [-1, 0, 1]}},
        "reference": {"noise": list(RAMP)},
    }
    if change is not None:
        change(document)
    return json.dumps(document)


def test_a_manifest_written_by_hand_is_read() -> None:
    read = Manifest.from_json(example())
    assert read.normalization == Normalization("rgb", (127.0, 127.0, 127.0), 0.0078125)
    assert read.combination["noise"] == Weighting(0.5, 0.5)
    assert read.combination["bad_composition"] == Weighting(1.0, 0.0)
    assert read.networks["patches"].sha256 == "f" * 64


def put(*steps: str | int, value: Any) -> Spoil:
    def change(document: dict[str, Any]) -> None:
        inner: Any = document
        for step in steps[:-1]:
            inner = inner[step]
        inner[steps[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put("schema_version", value=2), "schema_version is 2"),
        (lambda it: it.pop("schema_version"), "schema_version is missing"),
        (lambda it: it.pop("name"), "name is missing"),
        (put("name", value=""), "name is not a text"),
        (put("nmae", value="x"), "unknown field 'nmae'"),
        (put("network", value="resnet"), "network is 'resnet'"),
        (put("normalization", "channels", value="hsv"), r"normalization\.channels"),
        (put("normalization", "mean", value=[1, 2]), r"normalization\.mean has 2"),
        (put("normalization", "mean", 1, value="x"), r"normalization\.mean\[1\] is not a number"),
        (put("normalization", "scale", value=0), r"normalization\.scale"),
        (put("normalization", "scale", value=True), r"normalization\.scale is not a number"),
        (put("defects", 3, "key", value="fog"), "defects are .*fog"),
        (lambda it: it["defects"].reverse(), "defects are bad_composition"),
        (put("defects", 0, "class_centres", value=[0, 1]), r"defects\[0\]\.class_centres differ"),
        (put("defects", 2, "class_centres", 4, value=-0.5), r"defects\[2\]\.class_centres differ"),
        (lambda it: it["networks"].pop("patches"), r"networks\.patches is missing"),
        (put("networks", "patches", "file", value="../x.safetensors"), r"networks\.patches\.file"),
        (put("networks", "patches", "file", value="/x.safetensors"), r"networks\.patches\.file"),
        (put("networks", "patches", "sha256", value="12"), r"networks\.patches\.sha256"),
        (put("combination", "noise", value={"holistic": 0, "patches": 0}), r"combination\.noise gives no"),
        (put("combination", "noise", value={"holistic": -1, "patches": 2}), r"combination\.noise\.holistic is -1"),
        (put("combination", "fog", value={"holistic": 1}), r"combination\.fog is not a defect"),
        (put("combination", "bad_composition", "patches", value=0.5), r"combination\.bad_composition\.patches"),
        (put("calibration", "noise", value={"raw": [0, 0, 1], "severity": [0, 0, 1]}), r"calibration\.noise\.raw"),
        (put("calibration", "noise", value={"raw": [0, 1], "severity": [1, 0]}), r"noise\.severity descends"),
        (put("calibration", "noise", value={"raw": [0, 1], "severity": [0, 0.5, 1]}), r"calibration\.noise needs"),
        (put("calibration", "noise", value={"raw": [-1, 1], "severity": [0, 1]}), r"noise\.raw\[0\] is -1"),
        (put("reference", "noise", value=[0, 1]), r"reference\.noise has 2"),
        (put("reference", "noise", 50, value=0.9), r"reference\.noise descends"),
        (put("reference", "noise", 100, value=1.5), r"reference\.noise\[100\] is 1\.5"),
        (put("reference", value=[]), "reference is not an object"),
        (put("defects", value={}), "defects is not a list"),
    ],
)
def test_a_wrong_manifest_is_refused_with_file_and_field(change: Spoil, field: str) -> None:
    with pytest.raises(ModelError, match=rf"somewhere\.json: .*{field}"):
        Manifest.from_json(example(change), "somewhere.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": NaN}', "[" * 5])
def test_what_is_no_manifest_at_all_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"manifest\.json"):
        Manifest.from_json(text)


def test_a_manifest_nested_deeper_than_python_reads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(_text: str) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr("photodefect.core.network.manifest.json.loads", too_deep)
    with pytest.raises(ModelError, match=r"manifest\.json: not a manifest: maximum recursion depth"):
        Manifest.from_json("[[[[[]]]]]")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from(sorted(json.loads(example()))),
)
def test_any_value_in_place_of_a_field_is_either_read_or_a_model_error(value: Any, name: str) -> None:
    try:
        read = Manifest.from_json(example(put(name, value=value)))
    except ModelError:
        return
    assert Manifest.from_json(read.to_json()) == read


def test_a_manifest_that_is_not_text_is_named(copied: Path) -> None:
    (copied / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"manifest\.json: can't be read"):
        load_model(copied)


# Scores


def light(**changes: Any) -> Model:
    """A model whose networks are never asked."""
    empty = network("patches", 0)
    return Model(manifest(**changes), empty, empty)


def test_scores_combine_by_their_mean_and_composition_is_holistic_alone() -> None:
    holistic = dict.fromkeys(KEYS, 0.2) | {"bad_saturation": -0.8}
    patches = {key: 0.6 for key in KEYS if key != "bad_composition"} | {"bad_saturation": -0.2}
    combined = light().combine(holistic, patches)
    assert list(combined) == list(KEYS)
    assert combined == pytest.approx(dict.fromkeys(KEYS, 0.4) | {"bad_saturation": -0.5, "bad_composition": 0.2})


def test_scores_combine_by_the_manifests_weights_then_are_calibrated() -> None:
    default = dict(manifest().combination)
    model = light(
        combination=default | {"noise": Weighting(3, 1), "haze": Weighting(0, 1)},
        calibration={"noise": Calibration((0.0, 0.4, 1.0), (0.0, 0.8, 1.0))},
    )
    holistic = dict.fromkeys(KEYS, 0.4)
    combined = model.combine(holistic, dict.fromkeys(KEYS, 0.0))
    assert combined["noise"] == pytest.approx(0.6)  # (3 x 0.4 + 1 x 0) / 4 = 0.3, which is 3/4 of the way to 0.8
    assert combined["haze"] == 0
    assert combined["bad_exposure"] == pytest.approx(0.2)


def test_a_calibration_is_flat_beyond_its_ends() -> None:
    model = light(calibration={"noise": Calibration((0.2, 0.6), (0.1, 0.9))})
    for score, severity in ((0.0, 0.1), (0.4, 0.5), (1.0, 0.9)):
        same = dict.fromkeys(KEYS, score)
        assert model.combine(same, same)["noise"] == pytest.approx(severity)


def test_a_percentile_counts_the_less_severe_reference_photos() -> None:
    photos = np.sort(np.random.default_rng(3).beta(1, 3, 5000))
    model = light(reference={"bad_saturation": tuple(np.percentile(photos, range(101)))})
    for severity in (0.001, 0.03, 0.2, 0.5, 0.77):
        share = 100 * float(np.mean(photos < severity))
        for signed in (severity, -severity):
            percentile = model.percentile("bad_saturation", signed)
            assert isinstance(percentile, int)
            assert share - 1.5 <= percentile <= share + 0.5


def test_a_percentile_is_0_below_all_and_100_only_above_all() -> None:
    model = light(reference={"noise": tuple(0.1 + 0.8 * k / 100 for k in range(101))})
    cases = {0.0: 0, 0.1: 0, 0.5: 50, 0.9: 99, 0.91: 100, 1.0: 100}
    assert {severity: model.percentile("noise", severity) for severity in cases} == cases


def test_photos_equal_to_many_reference_photos_are_worse_than_none_of_those() -> None:
    model = light(reference={"noise": (0.0,) * 80 + tuple(k / 20 for k in range(21))})
    assert model.percentile("noise", 0.0) == 0
    assert model.percentile("noise", 0.02) == 80


def test_without_a_reference_there_is_no_percentile() -> None:
    assert light().percentile("noise", 0.5) is None


# Identity and places


def test_the_identity_changes_with_the_weights_and_with_all_that_changes_a_score(saved: Path) -> None:
    first = load_model(saved)
    assert first.identity == load_model(saved).identity
    assert first.identity.name == "tiny"
    assert len(first.identity.sha256) == 64
    recombined = replace(
        first,
        manifest=replace(first.manifest, combination=dict(first.manifest.combination) | {"noise": Weighting(1, 0)}),
    )
    files = dict(first.manifest.networks)
    files["patches"] = replace(files["patches"], sha256="0" * 64)
    reweighted = replace(first, manifest=replace(first.manifest, networks=files))
    assert len({first.identity, recombined.identity, reweighted.identity}) == 3


def test_a_shipped_name_is_found_from_any_folder_and_not_shadowed_by_one(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(saved, shipped / "tiny")
    (tmp_path / "here" / "tiny").mkdir(parents=True)
    (tmp_path / "here" / "own").mkdir()
    monkeypatch.setattr(folders, "shipped_models_folder", lambda: shipped)
    monkeypatch.chdir(tmp_path / "here")
    assert find_model("tiny") == shipped / "tiny"
    assert find_model("./tiny") == Path("tiny")
    assert find_model("own") == Path("own")
    assert load_model("tiny").identity == load_model(saved).identity


def test_the_shipped_models_lie_in_the_package_or_beside_it() -> None:
    package = Path(photodefect.__file__).parent
    assert shipped_models_folder() in (package / "weights", package.parent / "weights")


def test_a_folded_network_keeps_its_scores(saved: Path) -> None:
    image = torch.randint(0, 256, (3, 3, 224, 224), dtype=torch.uint8)
    with torch.inference_mode():
        folded = load_model(saved).holistic.severities(image)
        plain = load_model(saved, folded=False).holistic.severities(image)
    for defect in DEFECTS:
        torch.testing.assert_close(folded[defect.key], plain[defect.key], rtol=0, atol=1e-4)


def test_patches_count_by_their_mean_or_by_that_of_the_lowest_share() -> None:
    scores = np.array([0.9, 0.1, 0.8, 0.2, 0.7, 0.6, 0.5, 0.4, 0.3, 1.0], np.float32)
    assert Weighting(0.5, 0.5).pool(scores) == pytest.approx(0.55)
    assert Weighting(0.5, 0.5, lowest=0.2).pool(scores) == pytest.approx(0.15)
    assert Weighting(0.5, 0.5, lowest=0.2).pool(scores[:1]) == pytest.approx(0.9)
    assert Weighting(0.5, 0.5, lowest=0.25).pool(scores) == pytest.approx(0.2)


def test_the_share_of_patches_that_counts_is_kept_in_the_manifest_and_checked(
    tmp_path: Path, networks: tuple[MultiColumnNetwork, MultiColumnNetwork]
) -> None:
    combination = {defect.key: Weighting.default(defect) for defect in DEFECTS}
    combination["undesired_blur"] = Weighting(0.25, 0.75, lowest=0.2)
    model = tmp_path / "model"
    save_model(model, manifest(combination=combination), *networks)
    assert load_model(model).manifest.combination["undesired_blur"] == combination["undesired_blur"]
    for wrong in (0, 1.5):
        edit_manifest(
            model, lambda document, wrong=wrong: document["combination"]["undesired_blur"].update(lowest=wrong)
        )  # type: ignore[misc]
        with pytest.raises(ModelError, match="lowest"):
            load_model(model)
