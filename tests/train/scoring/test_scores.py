"""The table of scores decides what is computed, over which windows, and where it is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.runs import SMALL, train_small

from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.cli import console
from hmstrain.cli.results import print_outcome
from hmstrain.config import Config
from hmstrain.reporting.report import make_report
from hmstrain.reporting.systems import System
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.outcome import Outcome, StoreId
from hmstrain.scoring import formulas, metrics
from hmstrain.scoring.metrics import EVERYWHERE, SCORES, Judged, Score, mean_of
from hmstrain.scoring.scores import constant
from hmstrain.studies.study_table import Row, Study, columns


def test_scores_of_a_perfect_and_of_a_uniform_prediction(store: Store) -> None:
    rows = store.select("test")
    perfect = metrics.scores(store, rows, store.windows["target"][rows])
    assert perfect["kl"] == pytest.approx(0, abs=1e-6)
    assert perfect["kl_votes"] == pytest.approx(0, abs=1e-6)
    assert sum(map(sum, perfect.confusion)) == len(rows) == perfect.windows
    uniform = metrics.scores(store, rows, np.full((len(rows), 6), 1 / 6))
    target = store.windows["target"][rows].astype(np.float64)
    entropy = -(target * np.log(np.where(target > 0, target, 1))).sum(axis=1)
    assert uniform["kl"] == pytest.approx((np.log(6) - entropy).mean())
    assert sum(uniform.kl_per_class.values()) == pytest.approx(uniform["kl"])
    low, high = uniform.intervals["kl"] or (np.nan, np.nan)
    assert low <= (uniform["kl"] or np.nan) <= high


def test_each_score_is_over_the_windows_that_its_row_names(store: Store) -> None:
    rows = store.select("test")
    prediction = np.random.default_rng(0).dirichlet(np.ones(6), len(rows))
    found = metrics.scores(store, rows, prediction)
    divergence = formulas.kl_rows(store.windows["target"][rows], prediction)
    typical = typical_rows(store.windows, rows)
    for key, part in (
        ("kl", slice(None)),
        ("kl_votes", typical["votes"]),
        ("kl_hi", typical["hi"]),
    ):
        assert found[key] == pytest.approx(divergence[part].mean())
    assert (found.windows_votes, found.windows_hi) == (len(typical["votes"]), len(typical["hi"]))
    assert found.intervals.keys() == {score.key for score in SCORES}
    assert all(low <= high for low, high in filter(None, found.intervals.values()))


def test_scores_of_no_windows_of_a_kind_are_none(store: Store) -> None:
    few = np.flatnonzero(store.windows["votes"].sum(axis=1) < 10)
    few = few[store.windows["votes"][few].sum(axis=1) > 0]
    found = metrics.scores(store, few, np.full((len(few), 6), 1 / 6))
    assert found["kl_hi"] is None
    assert found.intervals["kl_hi"] is None
    assert found.kl_per_votes["10+"] is None


def test_the_constant_prediction_compared_with_itself_differs_by_nothing(store: Store) -> None:
    rows = store.select("test")
    usual = store.windows["target"][store.select("train")].mean(axis=0, dtype=np.float64)
    found = constant(store, rows, np.tile(usual / usual.sum(), (len(rows), 1)))
    assert set(found.difference.values()) == {0.0}
    known = {one for one in found.difference_intervals.values() if one is not None}
    assert known == {(0.0, 0.0)}


def brier(judged: Judged) -> np.ndarray:
    return ((judged.prediction - judged.target) ** 2).sum(axis=1)


def test_one_row_adds_a_score_to_files_terminal_report_and_study(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = Score("brier", "Brier score", *mean_of(brier), over="votes", shown=EVERYWHERE)
    monkeypatch.setattr(metrics, "SCORES", (*SCORES, row))
    outcome = train_small(store, tmp_path / "run", steps=4, test_each_epoch=True)
    assert outcome.test is not None
    assert outcome.constant is not None
    value = outcome.test["brier"]
    assert value is not None
    rows = store.select("test")
    rows = rows[typical_rows(store.windows, rows)["votes"]]
    with np.load(tmp_path / "run" / "predictions.npz") as predicted:
        given = predicted["prediction"][np.isin(predicted["row"], rows)]
    expected = ((given - store.windows["target"][rows]) ** 2).sum(axis=1).mean()
    assert value == pytest.approx(expected, rel=1e-5)

    written = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert written["test"]["brier"] == value
    assert written["test"]["intervals"]["brier"][0] < value
    assert written["constant"]["brier"] == outcome.constant["brier"]
    less = value - (outcome.constant["brier"] or 0)
    assert written["constant"]["difference"]["brier"] == pytest.approx(less, rel=1e-5)
    logged = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert all("brier" in line for line in logged if line["event"] != "train")
    assert {line["event"] for line in logged} == {"train", "valid", "test"}

    print_outcome(outcome, store)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("Brier score")]
    assert f"{value:.3f}" in line

    html = make_report(RunFolder(tmp_path / "run"), store).to_html()
    assert f">Brier score</td><td class=number>{value:.3f}</td>" in html

    table = Study("", Config(**SMALL), store.identity, (Row(System("a", "spec", False), outcome),))
    assert table.rows[0].cells()[columns().index("brier")] == f"{value:.3f}"
    assert "brier: Brier score" in table.to_markdown()

    whole = train_small(store, tmp_path / "all", fold="all", steps=1)
    assert whole.test_of_single_folds["brier"] is not None
    assert whole.valid_of_single_folds["brier"] is not None


def test_a_run_without_a_test_says_where_its_scores_are_if_it_has_any(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = Outcome(store=StoreId.of(store), versions={}, leaks=False, best_step=3, steps=3)
    rows = store.select("train")
    found = metrics.scores(store, rows, store.windows["target"][rows])
    none = "The store has no test split, and no fold was held out: there are no scores."
    somewhere = "The store has no test split; validation scores are in metrics.json."
    for outcome, said in (
        (nothing, none),
        (replace(nothing, best_by="kl", best_value=0.5), somewhere),
        (replace(nothing, best_by="last", valid_kl_votes=0.5), somewhere),
        (replace(nothing, out_of_fold=found), somewhere),
    ):
        with console.reporting():
            print_outcome(outcome, store)
        assert said in capsys.readouterr().err.splitlines()


def test_an_unchanged_table_does_without_the_added_score(store: Store) -> None:
    rows = store.select("test")
    assert "brier" not in metrics.scores(store, rows, store.windows["target"][rows]).values
