"""A blend stands wherever a run does; a calibration is applied where it is asked for, and said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inside import Inside
from support.recorder import noise, write_edf
from support.runs import train_small, unsealed

from hmsstore import CLASSES, Store
from hmstrain.errors import ConfigError, RunError
from hmstrain.prediction.bundle import bundle
from hmstrain.prediction.given import Calibrating, given_runs
from hmstrain.prediction.predict import Predictions, predict
from hmstrain.prediction.submission import submission
from hmstrain.reporting.comparison.files import write_blend, write_calibration
from hmstrain.runs.json_file import write_json
from hmstrain.scoring.blending import blend, combine
from hmstrain.scoring.calibrate import calibrate
from hmstrain.scoring.calibration import FILE, Calibration
from hmstrain.scoring.score_run import test as score

PROGRAM = Inside("hmstrain")


@pytest.fixture(scope="module")
def folder(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of a run of all folds, one of another size, their blend, all calibrated."""
    made = tmp_path_factory.mktemp("given")
    kinds: dict[str, dict[str, Any]] = {"a0": {"seed": 0}, "a1": {"seed": 1}, "b": {}}
    kinds["b"] = {"image_size": 48}
    for name, settings in kinds.items():
        train_small(store, made / name, fold="all", steps=2, **settings)
    found = blend([made / name for name in kinds], how="logits", votes="all", split="valid")
    write_blend(found, made / "blend")
    for name in ("a0", "blend"):
        write_calibration(calibrate(made / name, truth=store, votes="all"), made / name)
    return made


def test_a_blend_answers_as_its_runs_do_together(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    alone = [
        predict(folder / name, store.path, out=tmp_path / name, device="cpu").prediction
        for name in ("a0", "a1", "b")
    ]
    found = predict(folder / "blend", store.path, out=tmp_path / "blend", device="cpu")
    kept = json.loads((folder / "blend" / "blend.json").read_text())
    weights = np.asarray([one["weight"] for one in kept["members"]])
    means = np.stack([(alone[0] + alone[1]) / 2, alone[2]])
    expected = combine(means, "logits", weights, np.asarray(list(kept["bias"].values())))
    np.testing.assert_allclose(found.prediction, expected, rtol=1e-6)
    assert found.summary["average"] == "logits"
    assert [run["weight"] for run in found.summary["runs"]] == pytest.approx(
        [weights[0] / 2, weights[0] / 2, weights[1]], abs=1e-6
    )


def test_a_calibration_is_applied_only_if_asked_for_and_said(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    plain = predict(folder / "a0", store.path, out=tmp_path / "plain", device="cpu")
    assert "calibration" not in plain.summary
    notes: list[str] = []
    found = predict(
        folder / "a0",
        store.path,
        out=tmp_path / "out",
        device="cpu",
        calibrated=True,
        notices=notes.append,
    )
    kept = Calibration.from_json(json.loads((folder / "a0" / FILE).read_text()))
    np.testing.assert_allclose(found.prediction, kept.apply(plain.prediction))
    assert found.summary["calibration"]["population"] == "all"
    assert found.summary["calibration"]["bias"] == kept.bias
    assert any("Calibrated for windows with any number of votes" in note for note in notes)


def test_a_new_recording_gets_no_class_bias_unless_somebody_says_whose() -> None:
    q = np.random.default_rng(0).dirichlet(np.ones(6), 20)
    bias = dict(zip(CLASSES, [0.5, 0, 0, 0, 0, -0.5], strict=True))
    one = Calibration("10+", 1.5, bias, 1.2, {})
    silent, said = Calibrating(one, None), Calibrating(one, "10+")
    np.testing.assert_allclose(silent.apply(q, new=True), one.apply(q, bias=False))
    np.testing.assert_allclose(said.apply(q, new=True), one.apply(q))
    np.testing.assert_allclose(silent.apply(q), one.apply(q))
    assert silent.said(new=True)["bias"] is None
    assert "alone: it is unknown how often each class occurs" in silent.words(new=True)
    assert "whose mix of classes is assumed" in said.words(new=True)


def test_a_recording_gets_the_temperature_alone_unless_its_mix_of_classes_is_named(
    folder: Path, tmp_path: Path
) -> None:
    night = write_edf(tmp_path / "night.edf", noise(60))

    def answer(name: str, **asked: Any) -> Predictions:
        return predict(folder / "a0", night, out=tmp_path / name, device="cpu", **asked)

    plain = answer("plain").prediction
    silent = answer("silent", calibrated=True)
    named = answer("named", calibrated=True, prior="all")
    kept = Calibration.from_json(json.loads((folder / "a0" / FILE).read_text()))
    np.testing.assert_allclose(silent.prediction, kept.apply(plain, bias=False), rtol=1e-9)
    np.testing.assert_allclose(named.prediction, kept.apply(plain), rtol=1e-9)
    assert not np.allclose(silent.prediction, named.prediction, rtol=1e-3)
    assert silent.summary["calibration"]["bias"] is None
    assert named.summary["calibration"]["bias"] == kept.bias


def test_testing_a_calibrated_run_keeps_both_scores(folder: Path, store: Store) -> None:
    plain = score(folder / "a0", store=store, split="all", device="cpu")
    found = score(folder / "a0", store=store, split="all", device="cpu", calibrated=True)
    assert plain.calibrated_for is None
    assert found.calibrated_for == "all"
    kept = Calibration.from_json(json.loads((folder / "a0" / FILE).read_text()))
    np.testing.assert_array_equal(found.prediction, kept.apply(plain.prediction))
    assert found.test["kl"] != plain.test["kl"]
    names = {path.name for path in (folder / "a0").glob("all-*.json")}
    identity = store.identity[:12]
    assert names == {f"all-{identity}.json", f"all-calibrated-{identity}.json"}
    text = PROGRAM.succeed("test", folder / "a0", "--calibrated", "--device", "cpu", "--json")
    assert json.loads(text.stdout)["calibrated_for"] == "all"


def test_submissions_and_bundles_take_blends_and_calibrations(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, tuned = tmp_path / "plain.csv", tmp_path / "tuned.csv"
    submission(folder / "blend", data, out=plain, device="cpu")
    made = submission(folder / "blend", data, out=tuned, device="cpu", calibrated=True)
    assert made.made["calibration"]["population"] == "all"
    kept = Calibration.from_json(json.loads((folder / "blend" / FILE).read_text()))
    before, after = (
        np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2) for path in (plain, tuned)
    )
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    np.testing.assert_allclose(after[:, 1:], kept.apply(before[:, 1:]), rtol=1e-9)
    assert plain.read_text() != tuned.read_text()
    monkeypatch.setattr("hmstrain.prediction.bundle._download", lambda *_: None)
    monkeypatch.setattr("hmstrain.prediction.bundle.write_own_wheel", lambda _: None)
    bundle(folder / "blend", tmp_path / "bundle", calibrated=True)
    cell = (tmp_path / "bundle" / "cell.py").read_text()
    assert "'--calibrated'" in cell
    again = tmp_path / "again.csv"
    submission(tmp_path / "bundle" / "blend", data, out=again, device="cpu", calibrated=True)
    assert again.read_text() == tuned.read_text()


def test_what_cannot_be_blended_or_calibrated_is_refused(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    def fails(runs: Any, match: str, error: type[Exception] = ConfigError, **more: Any) -> None:
        with pytest.raises(error, match=match):
            predict(runs, store.path, out=tmp_path / "out", device="cpu", **more)
        assert not (tmp_path / "out").exists()

    fails([], "Name at least one run")
    fails([folder / "blend", folder / "b"], "is a blend, which cannot be averaged")
    fails(folder / "blend", "defines how its runs", average="geometric")
    fails(folder / "b", "is not calibrated: run hmstrain calibrate", RunError, calibrated=True)
    fails([folder / "a0", folder / "b"], "several runs have no calibration", calibrated=True)
    fails(folder / "a0", "add --calibrated", prior="10+")
    fails(folder / "a0", "expected one of all", calibrated=True, prior="5")
    fails(folder / "a0", "is for windows with all votes", calibrated=True, prior="10+")
    (tmp_path / "files").mkdir()
    kept = unsealed(folder / "blend" / "blend.json")
    kept["members"][0]["runs"] = False
    write_json(tmp_path / "files" / "blend.json", kept)
    with pytest.raises(RunError, match="is a blend of files: a0"):
        given_runs(tmp_path / "files")
