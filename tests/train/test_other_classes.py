"""A data set with three classes of other names, from its files to predictions and pages."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.other_data import WARD, write_ward
from support.runs import unsealed

import hmsprep
import hmstrain
from hmsstore import HMS, Store
from hmsstore.manifest import parse_manifest
from hmsstore.view.colours import BACKGROUND, class_colours
from hmstrain.cli.results import print_outcome, print_predicted
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.prediction.episodes import EpisodeRule
from hmstrain.prediction.leaving import text_of
from hmstrain.prediction.page import make_page
from hmstrain.prediction.tables import write_timeline
from hmstrain.prediction.timeline import Timeline
from hmstrain.reporting.browse.app import Viewer
from hmstrain.reporting.browse.browser import open_browser
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import TESTED, read_file
from hmstrain.studies.study import Study

SHORT = {
    "image_size": 32,
    "epochs": 1,
    "steps": 2,
    "batch_size": 8,
    "loader_threads": 1,
    "device": "cpu",
}
TITLES = list(WARD.class_titles)


@dataclass(frozen=True)
class Ward:
    """The ward's store, a study of one system on it, and the run of that system."""

    store: Store
    study: Study
    run: Path


@pytest.fixture(scope="module")
def ward(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    folder = tmp_path_factory.mktemp("ward")
    with ThreadPoolExecutor(2) as pool:
        store = hmsprep.build(
            write_ward(folder / "data", data), folder / "ward.zarr", spec=WARD, executor=pool
        )
    found = hmstrain.study(store, out=folder / "study", systems=["naive_cnn-spec"], **SHORT)
    return Ward(store, found, folder / "study" / "naive_cnn-spec")


@pytest.fixture(scope="module")
def hms_run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hms") / "run"
    hmstrain.train(store, out=path, model="naive_cnn", inputs="spec", **SHORT)
    return path


def test_the_library_builds_it_as_format_version_2(ward: Ward) -> None:
    assert hmsprep.verify(ward.store.path) == []
    assert parse_manifest(ward.store.path).format_version == 2
    assert Store.open(ward.store.path).spec == WARD


def test_a_run_has_as_many_logits_and_keeps_the_classes(ward: Ward) -> None:
    outcome = RunFolder(ward.run).outcome()
    assert outcome.store.classes == RunFolder(ward.run).store().classes == WARD.classes
    assert outcome.test is not None
    assert list(outcome.test.kl_per_class) == ["quiet", "burst", "spikes"]
    assert np.shape(outcome.test.confusion) == (3, 3)
    saved = read_file(ward.run / TESTED, ward.store)
    assert saved.prediction.shape == (len(ward.store.select("test")), 3)
    np.testing.assert_allclose(saved.prediction.sum(axis=1), 1)


def test_it_is_tested_anew_to_the_same_scores(ward: Ward) -> None:
    found = hmstrain.test(ward.run, device="cpu")
    assert found.test["kl"] == pytest.approx(ward.study.rows[0].outcome.test["kl"])
    assert found.store.classes == WARD.classes


def test_scores_are_printed_by_its_titles(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    print_outcome(RunFolder(ward.run).outcome(), ward.store)
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"{title} " in text for title in TITLES)
    assert "LPD" not in text


def test_a_study_compares_it_with_nothing_published(ward: Ward) -> None:
    (row,) = ward.study.rows
    assert row.system.published
    assert row.published == {}
    assert "The report's numbers" not in ward.study.explanation()


def test_it_is_compared_by_its_own_classes_without_a_truth(
    ward: Ward, hms_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = hmstrain.compare([ward.run])
    (model,) = found.models.values()
    assert list(model.by_class) == list(WARD.class_keys)
    monkeypatch.setattr("hmstrain.scoring.calibrate.FEWEST_ROWS", 2)
    monkeypatch.setattr("hmstrain.scoring.calibrate.FEWEST_PATIENTS", 2)
    fitted = hmstrain.calibrate(ward.run, votes="all").calibration
    assert list(fitted.bias) == list(WARD.class_keys)
    with pytest.raises(RunError, match=r"is of the classes quiet, burst, spikes, and .* of seiz"):
        hmstrain.compare([ward.run, hms_run])


def test_a_report_names_its_classes(ward: Ward) -> None:
    html = hmstrain.report(ward.run, store=ward.store).read_text()
    assert all(title in html for title in TITLES)
    assert "Seizure" not in html


def test_the_page_to_browse_offers_its_classes(ward: Ward) -> None:
    browser = open_browser(ward.run, ward.store.path)
    viewer = Viewer(browser, None)
    for name in ("consensus", "predicted"):
        options = viewer.widgets[name].options
        assert [title for _, title in options[1:]] == TITLES
    assert viewer.votes.source.data["title"] == TITLES
    viewer.widgets["split"].value = "any"
    viewer.widgets["consensus"].value = "2"
    assert (ward.store.windows["expert_consensus"][viewer.rows] == 2).all()
    assert "Spikes" in viewer.about.text


def test_its_windows_are_explained_by_its_classes(ward: Ward, tmp_path: Path) -> None:
    found = hmstrain.explain(
        ward.run, 3, store=ward.store, method="gradcam", pattern="burst",
        out=tmp_path / "why.png", device="cpu",
    )  # fmt: skip
    assert found.to_json()["class"] == "burst"
    assert list(found.to_json()["probability"]) == list(WARD.class_keys)
    assert "Burst suppression" in found.text
    with pytest.raises(ConfigError, match="use quiet, burst, spikes"):
        hmstrain.explain(ward.run, 3, store=ward.store, pattern="lpd")


def test_predictions_have_its_columns(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = hmstrain.predict(ward.run, ward.store.path, out=tmp_path / "out", device="cpu")
    table = pl.read_csv(tmp_path / "out" / "predictions.csv")
    votes = [f"{key}_vote" for key in WARD.class_keys]
    answer = ["quiet", "burst", "spikes", "predicted", "observed", "comparable"]
    assert table.columns[-9:] == [*answer, *votes]
    assert found.scores is not None
    assert found.scores.kl_per_class.keys() == set(WARD.class_keys)
    assert set(table["predicted"]) <= set(WARD.class_keys)
    np.testing.assert_allclose(
        table.select(WARD.class_keys).to_numpy(), found.prediction, atol=1e-6
    )
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())["classes"]
    assert [one["title"] for one in told] == TITLES
    print_predicted(found)
    assert "Burst suppression" in capsys.readouterr().out


def test_a_run_of_other_classes_refuses_a_store_in_one_sentence(
    ward: Ward, hms_run: Path, store: Store, tmp_path: Path
) -> None:
    for run, other, titles in (
        (hms_run, ward.store, "Quiet sleep, Burst suppression, Spikes, but this run was trained"),
        (ward.run, store, "Seizure, LPD, GPD, LRDA, GRDA, Other, but this run was trained"),
    ):
        with pytest.raises(DataError, match=titles):
            hmstrain.predict(run, other.path, out=tmp_path / "out", device="cpu")
        with pytest.raises(DataError, match=titles):
            hmstrain.test(run, store=other, device="cpu")
        with pytest.raises(DataError, match=titles):
            hmstrain.explain(run, 0, store=other, device="cpu")


def test_recordings_and_submissions_are_of_hms_alone(ward: Ward, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Spikes, and .*night\.edf, which is not a store"):
        hmstrain.predict(ward.run, tmp_path / "night.edf", out=tmp_path / "out")
    with pytest.raises(DataError, match="Spikes, and a submission has the six of HMS"):
        hmstrain.submission(ward.run, tmp_path, out=tmp_path / "submission.csv")


def test_a_run_whose_classes_cannot_be_read_is_called_damaged(ward: Ward, tmp_path: Path) -> None:
    described = unsealed(ward.run / "config.json")
    described["store"]["classes"] = [{"key": "quiet"}]
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(RunError, match=r"config\.json is damaged: store: classes: title"):
        RunFolder(tmp_path).store()


def test_a_store_of_other_signals_cannot_be_trained_on(data: Path, tmp_path: Path) -> None:
    names = HMS.eeg.features
    renamed = replace(HMS.eeg, features=("Nz", *names[1:]))
    chains = {r: tuple("Nz" if e == "Fp1" else e for e in c) for r, c in HMS.chains.items()}
    spec = replace(HMS, name="nose", signals={**HMS.signals, "eeg": renamed}, chains=chains)
    folder = tmp_path / "data"
    (folder / "train_eegs").mkdir(parents=True)
    (folder / "train_spectrograms").symlink_to(data / "train_spectrograms")
    (folder / "train.csv").write_bytes((data / "train.csv").read_bytes())
    for file in (data / "train_eegs").glob("*.parquet"):
        pl.read_parquet(file).rename({"Fp1": "Nz"}).write_parquet(folder / "train_eegs" / file.name)
    with ThreadPoolExecutor(2) as pool:
        other = hmsprep.build(folder, tmp_path / "nose.zarr", spec=spec, executor=pool)
    with pytest.raises(DataError, match="holds data 'nose' with other channels"):
        hmstrain.train(other, out=tmp_path / "run", model="naive_cnn", inputs="spec", **SHORT)


def test_a_timeline_takes_classes_background_and_judged_seconds_from_the_spec(
    tmp_path: Path,
) -> None:
    spec = replace(WARD, judged_s=4.0)
    codes = [0, 1, 1, 0, 2]
    centre = 25 + 10 * np.arange(5.0)
    found = Timeline("x.edf", 90, centre, np.eye(3)[codes], np.zeros(5), np.zeros(5), spec)
    alone = EpisodeRule(shortest_s=0, smoothing_s=0)
    episodes = found.episodes(alone)
    assert [(one.start_s, one.stop_s, text_of(one)) for one in episodes] == [
        (30, 50, "RESEARCH, model, p=1.00: Burst suppression"),
        (60, 67, "RESEARCH, model, p=1.00: Spikes"),
    ]
    assert found.spans_s[0, 0] == 23
    assert list(found.share_over_threshold(alone)) == ["quiet", "burst", "spikes"]
    assert class_colours(spec)[0] == BACKGROUND
    assert len(set(class_colours(spec))) == 3
    html = make_page(found, alone, {}).to_html()
    assert all(title in html for title in TITLES)
    assert "each is of the 4 seconds around its time" in html
    write_timeline(tmp_path / "x.csv", found)
    assert pl.read_csv(tmp_path / "x.csv")["predicted"].to_list() == [
        "quiet", "burst", "burst", "quiet", "spikes",
    ]  # fmt: skip
    everything = replace(WARD, background=None)
    whole = Timeline("x.edf", 90, centre, np.eye(3)[codes], np.zeros(5), np.zeros(5), everything)
    assert [one.code for one in whole.episodes(alone)] == [0, 1, 0, 2]
