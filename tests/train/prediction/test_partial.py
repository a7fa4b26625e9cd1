"""Windows that were recorded in part are predicted, marked and scored as what they are."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import blank_outside, build_store, train_row, write_pair
from support.inside import Inside
from support.runs import train_small

import hmstrain
from hmsstore import CLASSES, Store
from hmstrain.errors import DataError

PROGRAM = Inside("hmstrain")
NAMES = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
COUNT = 8
TEN, NONE = (6, 7), (8,)
"""EEGs of ten seconds each, and one without any judged second."""


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Eight labelled windows: five whole, two of ten seconds, one that ends before those."""
    folder = tmp_path_factory.mktemp("partial")
    numbers = range(9001, 9001 + COUNT)
    write_pair(folder / "data", [train_row(**dict.fromkeys(NAMES, n)) for n in numbers])
    for number in TEN:
        blank_outside(folder / "data", 9000 + number, 9000 + number)
    for number in NONE:
        blank_outside(folder / "data", 9000 + number, 9000 + number, (0, 4000), (0, 140))
    return build_store(folder / "data", folder / "hms.zarr", split_by="all")


@pytest.fixture(scope="module")
def runs(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run that was shown whole windows, one that learnt to do with ten seconds."""
    folder = tmp_path_factory.mktemp("runs")
    settings: dict[str, Any] = {"epochs": 1, "steps": 2, "inputs": "spec+eeg"}
    for name, dropout in (("whole", 0.0), ("dropped", 0.5)):
        train_small(store, folder / name, context_dropout=dropout, **settings)
    return {name: folder / name for name in ("whole", "dropped")}


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def of(number: int, lines: list[dict[str, str]]) -> dict[str, str]:
    return next(line for line in lines if line["eeg_id"] == str(9000 + number))


def test_predictions_tell_what_was_observed_and_where_there_are_none(
    runs: dict[str, Path], partial: Store, tmp_path: Path
) -> None:
    found = hmstrain.predict(runs["whole"], partial.path, out=tmp_path / "out", device="cpu")
    lines = table(tmp_path / "out" / "predictions.csv")
    assert len(lines) == COUNT
    for number in range(1, COUNT + 1):
        line = of(number, lines)
        known = [line[name] != "" for name in CLASSES]
        assert all(known) if number not in NONE else not any(known)
        assert bool(line["predicted"]) == (number not in NONE)
        assert line["comparable"] == ("true" if number not in TEN + NONE else "false")
        expected = 4 / 300 if number in TEN else 0.4 if number in NONE else 1.0
        assert float(line["observed"]) == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found.prediction).all(axis=1).sum() == len(NONE)
    assert found.summary["context"] == {
        "full": 5,
        "partial": 2,
        "unknown": 0,
        "not_comparable": 2,
        "without_probability": 1,
    }
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert any("1 of 8 windows have no probability" in text for text in told["warnings"])
    assert any("2 of 8 windows are not comparable" in text for text in told["warnings"])


def test_a_run_that_learnt_to_do_without_context_is_comparable(
    runs: dict[str, Path], partial: Store, tmp_path: Path
) -> None:
    one = hmstrain.predict(runs["dropped"], partial.path, out=tmp_path / "one", device="cpu")
    assert one.summary["context"]["not_comparable"] == 0
    assert of(6, table(tmp_path / "one" / "predictions.csv"))["comparable"] == "true"
    both = hmstrain.predict(list(runs.values()), partial.path, out=tmp_path / "two", device="cpu")
    assert both.summary["context"]["not_comparable"] == 2


def test_scores_of_predictions_are_split_and_leave_out_what_has_none(
    runs: dict[str, Path], partial: Store, tmp_path: Path
) -> None:
    done = PROGRAM.succeed("predict", runs["whole"], partial.path, "--out", tmp_path / "out")
    assert "full (5)" in done.stdout
    assert "partial (2)" in done.stdout
    assert "have no probability" in done.stderr
    assert "are not comparable" in done.stderr
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert told["scores"]["windows"] == COUNT - len(NONE)
    assert told["left_out"] == len(NONE)
    parts = told["by_context"]
    assert {name: part["windows"] for name, part in parts.items()} == {"full": 5, "partial": 2}
    mean = (5 * parts["full"]["kl"] + 2 * parts["partial"]["kl"]) / 7
    assert told["scores"]["kl"] == pytest.approx(mean)


def test_a_test_is_split_and_leaves_out_what_cannot_be_judged(
    runs: dict[str, Path], partial: Store, tmp_path: Path
) -> None:
    words = ("test", runs["whole"], "--store", partial.path, "--split", "all", "--out", tmp_path)
    told = json.loads(PROGRAM.succeed(*words, "--json").stdout)
    assert told["test"]["windows"] == COUNT - len(NONE)
    assert told["left_out"] == len(NONE)
    assert told["context"]["not_comparable"] == len(TEN)
    counts = {name: part["windows"] for name, part in told["by_context"].items()}
    assert counts == {"full": 5, "partial": 2}
    with np.load(told["predictions"]) as saved:
        assert np.isfinite(saved["prediction"]).all()
        shares = dict(zip(saved["eeg_id"].tolist(), saved["observed"].tolist(), strict=True))
    assert shares[9001] == 1.0
    assert shares[9006] == pytest.approx(4 / 300)
    assert 9008 not in shares
    done = PROGRAM.succeed(*words)
    assert "by observed context" in done.stdout
    assert "1 labelled window left out" in done.stderr


def test_a_store_of_whole_windows_is_not_split(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "data", [train_row(**dict.fromkeys(NAMES, 9001))])
    whole = build_store(folder, tmp_path / "hms.zarr", split_by="all")
    found = hmstrain.test(
        runs["whole"], store=whole, split="test", out=tmp_path / "out", device="cpu"
    )
    assert found.by_context == {}
    assert found.left_out == 0
    assert not any("recorded" in text for text in found.warnings)


def test_without_any_judged_second_nothing_is_predicted_or_scored(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    folder = write_pair(tmp_path / "data", [train_row(**dict.fromkeys(NAMES, 9001))])
    blank_outside(folder, 9001, 9001, (0, 4000), (0, 300))
    silent = build_store(folder, tmp_path / "hms.zarr", split_by="all")
    with pytest.raises(DataError, match=r"None of the 1 window of .* has a probability"):
        hmstrain.predict(runs["whole"], silent.path, out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=r"None of the 1 labelled window of .* can be scored"):
        hmstrain.test(runs["whole"], store=silent, out=tmp_path / "scores", device="cpu")
