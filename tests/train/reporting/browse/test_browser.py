"""Windows are found by filters and ordered, and described in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.helpers import Program, build_store

from hmsstore import CLASSES, Store
from hmsstore.schema import CLASS_TITLES
from hmstrain.errors import DataError
from hmstrain.reporting.browse.browser import Browser, Filter, open_browser
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.formulas import kl_rows

PROGRAM = Program("hmstrain")


def test_a_filter_finds_just_the_windows_that_pass(browser: Browser) -> None:
    table = browser.store.windows
    assert len(browser.find(Filter())) == len(browser.store)
    for code in range(len(CLASSES)):
        found = browser.find(Filter(consensus=code, votes=10))
        fits = (table["expert_consensus"] == code) & (table["votes"].sum(axis=1) >= 10)
        np.testing.assert_array_equal(found, np.flatnonzero(fits))
    patient, eeg = int(table["patient_id"][7]), int(table["eeg_id"][7])
    assert (table["patient_id"][browser.find(Filter(patient=patient))] == patient).all()
    assert 7 in browser.find(Filter(eeg=eeg))
    assert len(browser.find(Filter(patient=-5))) == 0
    test = browser.find(Filter(split=1))
    np.testing.assert_array_equal(test, browser.store.select("test"))


def test_losses_are_the_metric_and_order_the_windows(browser: Browser, folder: RunFolder) -> None:
    with np.load(folder.path / "predictions.npz") as saved:
        rows, prediction = saved["row"], saved["prediction"]
    expected = kl_rows(browser.store.windows["target"][rows], prediction)
    np.testing.assert_array_equal(browser.loss[rows], expected)
    found = browser.find(Filter(order="loss"))
    assert sorted(found.tolist()) == sorted(rows.tolist())
    assert (np.diff(browser.loss[found]) <= 0).all()
    wrong = browser.find(Filter(answer="wrong"))
    answer = browser.prediction[wrong].argmax(axis=1)
    assert (answer != browser.store.windows["expert_consensus"][wrong]).all()
    right = browser.find(Filter(answer="right"))
    assert sorted([*wrong, *right]) == sorted(rows.tolist())
    found = browser.find(Filter(predicted=int(prediction[0].argmax())))
    assert rows[0] in found


def test_disagreement_comes_first_and_unlabelled_windows_last(browser: Browser) -> None:
    target = browser.store.windows["target"]
    found = browser.find(Filter(order="disagreement"))
    agreed = target[found].max(axis=1)
    assert (np.diff(agreed) >= 0).all()
    everywhere = browser.find(Filter(order="random"))
    assert sorted(everywhere.tolist()) == list(range(len(target)))
    assert everywhere.tolist() != sorted(everywhere.tolist())


def test_a_window_is_described_with_votes_and_the_model(browser: Browser) -> None:
    row = int(browser.store.select("test")[0])
    about = browser.about(row)
    votes = browser.store.windows["votes"][row]
    assert f"of {votes.sum()}" in about["votes"]
    best = CLASS_TITLES[int(browser.prediction[row].argmax())]
    assert about["model"].startswith(best)
    assert about["loss"] == f"KL {browser.loss[row]:.2f}"
    untested = browser.about(int(browser.store.select("train")[0]))
    assert untested["model"] == "no prediction stored for train windows"


def test_a_store_can_be_browsed_by_itself_and_another_runs_is_refused(
    store: Store, folder: RunFolder, data: Path, tmp_path: Path
) -> None:
    alone = open_browser(store.path)
    assert not alone.predicted.any()
    assert len(alone.find(Filter(order="loss"))) == 0
    other = build_store(data, tmp_path / "other.zarr", nan="mean")
    with pytest.raises(DataError, match="is of another store"):
        open_browser(folder.path, other.path)
    assert "Expected a store" in PROGRAM.fail("view", tmp_path / "nothing", "--no-browser")
