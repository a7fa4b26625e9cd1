"""Windows are found by filters and ordered, and described in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.helpers import Program, blank_outside, build_store, train_row, write_pair
from support.other_data import WARD, write_ward

import hmsprep
from hmsstore import CLASSES, Store
from hmsstore.schema import CLASS_TITLES
from hmstrain.errors import DataError
from hmstrain.prediction.predict import predict
from hmstrain.reporting.browse.answering import answerer
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


def test_an_answer_among_the_tied_is_right_as_in_the_scores(browser: Browser) -> None:
    votes = browser.store.windows["votes"]
    leading = votes == votes.max(axis=1, keepdims=True)
    last = votes.shape[1] - 1 - leading[:, ::-1].argmax(axis=1)
    opened = replace(browser, prediction=np.eye(votes.shape[1])[last], said={})
    assert (last != browser.store.windows["expert_consensus"]).any()
    assert len(opened.find(Filter(answer="right"))) == len(browser.store)
    assert len(opened.find(Filter(answer="wrong"))) == 0


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


def test_a_store_can_be_browsed_by_itself(store: Store, tmp_path: Path) -> None:
    alone = open_browser(store.path)
    assert not alone.predicted.any()
    assert len(alone.find(Filter(order="loss"))) == 0
    assert answerer(alone) is None
    assert "Expected a store" in PROGRAM.fail("view", tmp_path / "nothing", "--no-browser")


def test_windows_without_a_stored_answer_get_the_one_that_predict_gives(
    folder: RunFolder, tmp_path: Path
) -> None:
    browser = open_browser(folder.path)
    answer = answerer(browser)
    assert answer is not None
    train = int(browser.store.select("train")[0])
    answer(train)
    assert "may have learnt from this window" in browser.about(train)["model"]
    found = predict(folder.path, browser.store.path, out=tmp_path / "out")
    expected = found.prediction[found.rows == train]
    np.testing.assert_allclose(browser.prediction[[train]], expected, atol=1e-5)
    target = browser.store.windows["target"][[train]]
    np.testing.assert_allclose(browser.loss[[train]], kl_rows(target, expected), atol=1e-4)
    assert train in browser.find(Filter(order="loss"))


def test_a_run_answers_on_another_store_and_is_refused_on_one_of_other_classes(
    folder: RunFolder, data: Path, tmp_path: Path
) -> None:
    other = build_store(data, tmp_path / "other.zarr", split_by="window")
    browser = open_browser(folder.path, other.path)
    assert not browser.predicted.any()
    answer = answerer(browser)
    assert answer is not None
    answer(3)
    assert browser.about(3)["model"].endswith(", predicted now")
    assert browser.predicted.tolist() == [row == 3 for row in range(len(other))]
    ward = write_ward(tmp_path / "ward", data)
    hmsprep.build(ward, tmp_path / "ward.zarr", spec=WARD)
    with pytest.raises(DataError, match=r"was trained on the classes .* expected the same"):
        open_browser(folder.path, tmp_path / "ward.zarr")


def test_a_window_without_its_judged_seconds_gets_no_answer(
    folder: RunFolder, tmp_path: Path
) -> None:
    write_pair(tmp_path / "data", [train_row(eeg_id=1, spectrogram_id=1)])
    blank_outside(tmp_path / "data", 1, 1, (0, 4000), (0, 300))
    build_store(tmp_path / "data", tmp_path / "silent.zarr", split_by="all")
    browser = open_browser(folder.path, tmp_path / "silent.zarr")
    answer = answerer(browser)
    assert answer is not None
    with pytest.raises(DataError, match=r"Row 0 of .* has no probability"):
        answer(0)
    assert not browser.predicted.any()
    assert np.isnan(browser.loss).all()
