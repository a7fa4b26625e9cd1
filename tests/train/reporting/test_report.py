"""The page about a run."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.helpers import LARGEST_PAGE, build_store
from support.inside import Inside
from support.runs import train_small

from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.cli.results import print_scores
from hmstrain.errors import DataError, RunError
from hmstrain.reporting.report import make_report, worst
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import TESTED, Predicted, read_predictions, write_predictions
from hmstrain.scoring.formulas import kl_rows

PROGRAM = Inside("hmstrain")


@pytest.fixture(scope="module")
def folder(store: Store, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run."""
    path = tmp_path_factory.mktemp("run") / "one"
    train_small(store, path)
    return RunFolder(path)


def test_a_report_shows_scores_settings_and_windows(folder: RunFolder, store: Store) -> None:
    html = make_report(folder, store).to_html()
    outcome = folder.outcome()
    assert outcome.test is not None
    assert outcome.constant is not None
    assert len(html) < LARGEST_PAGE
    assert f"{outcome.test['kl_votes']:.3f}" in html
    assert f"{outcome.constant['kl_votes']:.3f}" in html
    assert store.identity in html
    assert "0.966" in html  # what the report published of this system
    assert "image_size" in html
    assert "not a medical device" in html
    assert html.count("<figure>") >= 5
    assert re.findall(r"Row (\d+) \(test\), ", html)


def test_the_worst_windows_are_of_different_eegs(store: Store) -> None:
    rows = np.flatnonzero(store.windows["expert_consensus"] >= 0)
    prediction = np.full((len(rows), 6), 0.1)
    prediction[:, 2] = 0.5
    divergence = kl_rows(store.windows["target"][rows], prediction)
    hardest, confident = worst(
        store, Predicted(rows, prediction, np.ones(len(rows)), "windows"), divergence
    )
    eegs = store.windows["eeg_id"][rows]
    chosen = hardest + confident
    assert len(set(eegs[chosen].tolist())) == len(chosen)
    typical = typical_rows(store.windows, rows)["votes"]
    of_eeg = [divergence[typical][eegs[typical] == eeg].max() for eeg in set(eegs[typical])]
    best = sorted(of_eeg)
    np.testing.assert_array_equal(divergence[hardest], best[::-1][: len(hardest)])
    assert len(hardest) == 4
    assert len(confident) == 4
    assert (np.diff(divergence[hardest]) <= 0).all()
    assert (store.windows["expert_consensus"][rows[confident]] != 2).all()
    assert (store.windows["target"][rows[confident]].max(axis=1) > 0.5).all()


def test_predictions_that_are_damaged_or_of_another_store_are_refused(
    folder: RunFolder, store: Store, tmp_path: Path
) -> None:
    (found,) = read_predictions(folder.path, store)
    np.testing.assert_array_equal(found.rows, store.select("test"))
    write_predictions(tmp_path / TESTED, store, found.rows, found.prediction[:, :5])
    with pytest.raises(RunError, match="do not fit"):
        read_predictions(tmp_path, store)
    (tmp_path / TESTED).write_bytes((folder.path / TESTED).read_bytes()[:500])
    with pytest.raises(RunError, match="is damaged"):
        read_predictions(tmp_path, store)
    assert read_predictions(store.path, store) == []


def test_a_run_of_all_folds_has_a_curve_for_each(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "all", fold="all", epochs=1)
    html = make_report(RunFolder(tmp_path / "all"), store).to_html()
    assert all(f"fold{fold}: " in html for fold in range(store.folds))


def test_a_report_says_what_was_kept_and_that_rotating_folds_leak(
    folder: RunFolder, store: Store, tmp_path: Path
) -> None:
    html = make_report(folder, store).to_html()
    assert folder.outcome().kept in html
    assert "fold=rotate" not in html
    train_small(store, tmp_path / "run", fold="rotate", epochs=1)
    html = make_report(RunFolder(tmp_path / "run"), store).to_html()
    assert "the latest: with fold=rotate, none can be compared" in html
    assert "patients leak between training and validation" in html


def test_report_and_terminal_say_how_windows_with_a_tie_are_counted(
    folder: RunFolder, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "several classes" not in make_report(folder, store).to_html()
    outcome = folder.outcome()
    assert outcome.test is not None
    tied = replace(outcome.test, tied=3)
    shutil.copytree(folder.path, tmp_path / "run")
    other = RunFolder(tmp_path / "run")
    other.write_outcome(replace(outcome, test=tied))
    html = make_report(other, store).to_html()
    sentence = "3 windows with several classes in the lead: any of them is right; kappa and F1"
    assert sentence in html
    assert "in the row of the one that the table of windows names" in html
    print_scores("test", store.spec.class_titles, tied, None, None)
    assert sentence in " ".join(capsys.readouterr().out.split())


def test_a_report_says_among_which_windows_the_hardest_were_looked_for(
    folder: RunFolder, store: Store
) -> None:
    assert "among those that the scores over one window per EEG and votes are of" in (
        make_report(folder, store).to_html()
    )


def test_without_a_test_split_the_folds_held_out_are_shown(data: Path, tmp_path: Path) -> None:
    store = build_store(data, tmp_path / "hms.zarr", split_by="patient", half=True)
    if len(store.select("test")):
        pytest.skip("this half has enough patients for a test split")
    train_small(store, tmp_path / "all", fold="all", epochs=1)
    html = make_report(RunFolder(tmp_path / "all"), store).to_html()
    assert "each by the network that held its fold out" in html


def test_another_store_and_an_unfinished_run_are_refused(
    folder: RunFolder, data: Path, tmp_path: Path
) -> None:
    other = build_store(data, tmp_path / "other.zarr", nan="mean")
    with pytest.raises(DataError, match="was trained on another store"):
        make_report(folder, other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="it is not a run, or not finished"):
        make_report(RunFolder(tmp_path / "empty"), other)


def test_the_command_writes_into_the_run_folder(folder: RunFolder) -> None:
    done = PROGRAM.succeed("report", folder.path)
    assert "report.html" in done.stderr
    assert (folder.path / "report.html").read_text().startswith("<!doctype html>")
