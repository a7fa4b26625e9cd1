"""Predictions of windows that have votes: their scores, what speaks against them, their table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, current_thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.helpers import tree_bytes
from support.inside import Inside
from support.runs import train_small

import hmstrain
from hmsstore import CLASSES, Store
from hmstrain.config import Config
from hmstrain.data.context import Context
from hmstrain.errors import RunError
from hmstrain.prediction import answering, ensemble, source
from hmstrain.prediction import predict as predicting
from hmstrain.prediction.tables import write_windows
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.metrics import SCORES, kl_rows, scores

PROGRAM = Inside("hmstrain")
VOTES = [f"{key}_vote" for key in CLASSES]


@pytest.fixture(scope="module")
def run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "run"
    train_small(store, path, epochs=1, steps=3)
    return path


def test_networks_are_loaded_while_the_input_is_prepared_by_a_thread_that_ends(
    run: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, by = Event(), []

    def load(*given: Any, **named: Any) -> Any:
        loaded.set()
        by.append(current_thread())
        return ensemble.load_members(*given, **named)

    @contextmanager
    def prepare(*given: Any, **named: Any) -> Iterator[Any]:
        assert loaded.wait(60)
        with source.open_or_build(*given, **named) as opened:
            yield opened

    def answer(*given: Any, **named: Any) -> Any:
        (thread,) = by
        assert not thread.is_alive()
        raise RunError("This network cannot be used.")

    monkeypatch.setattr(answering, "load_members", load)
    monkeypatch.setattr(answering, "predict_rows", answer)
    monkeypatch.setattr(predicting, "open_or_build", prepare)
    with pytest.raises(RunError, match="cannot be used"):
        predicting.predict(run, store.path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_labelled_store_is_scored_over_every_window_by_every_score(
    run: Path, store: Store, tmp_path: Path
) -> None:
    done = PROGRAM.succeed("predict", run, store.path, "--out", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert told["scores"].keys() >= {score.key for score in SCORES}
    assert told["scores"]["windows"] == len(store)
    for score in SCORES:
        assert score.label in " ".join(done.stdout.split()), score
    train, valid = store.select("train", fold=0), store.select("valid", fold=0)
    assert told["seen"]["trained"]["windows"] == len(train)
    assert told["seen"]["chosen_by"]["windows"] == len(valid)
    assert told["warnings"][0].startswith(f"{len(train)} of {len(store)} windows, of ")
    said = " ".join(done.stderr.split())
    for message in told["warnings"]:
        assert message in said
    found = hmstrain.predict(run, store.path, out=tmp_path / "again", device="cpu")
    assert found.scores is not None
    assert found.constant is not None
    assert found.scores.to_json() == scores(store, found.rows, found.prediction).to_json()
    assert json.loads(json.dumps(found.summary["scores"])) == told["scores"]
    assert json.loads(json.dumps(found.constant.to_json())) == told["constant"]


def test_the_table_of_a_labelled_store_is_enough_to_score_it(
    run: Path, store: Store, tmp_path: Path
) -> None:
    found = hmstrain.predict(run, store.path, out=tmp_path / "out", device="cpu")
    table = pl.read_csv(tmp_path / "out" / "predictions.csv")
    for name in ("label_id", "eeg_id", "eeg_sub_id", "patient_id"):
        assert table[name].to_list() == store.windows[name].tolist()
    votes = table.select(VOTES).to_numpy()
    np.testing.assert_array_equal(votes, store.windows["votes"])
    prediction = table.select(CLASSES).to_numpy()
    np.testing.assert_allclose(prediction, found.prediction, rtol=1e-8)
    assert found.scores is not None
    target = votes / votes.sum(axis=1, keepdims=True)
    assert kl_rows(target, prediction).mean() == pytest.approx(found.scores["kl"], rel=1e-6)


def test_a_folder_in_kaggles_layout_with_votes_is_scored_as_its_store_is(
    run: Path, store: Store, data: Path, tmp_path: Path
) -> None:
    labelled = tmp_path / "data"
    labelled.mkdir()
    for path in data.glob("train*"):
        (labelled / path.name).symlink_to(path)
    out = tmp_path / "out"
    done = PROGRAM.succeed("predict", run, labelled, "--out", out, "--json")
    told = json.loads(done.stdout)
    given = hmstrain.predict(run, store.path, out=tmp_path / "store", device="cpu")
    assert given.scores is not None
    assert told["scores"]["windows"] == given.scores.windows == len(store)
    assert told["scores"]["kl"] == pytest.approx(given.scores["kl"], abs=2e-3)
    assert told["constant"] is None
    table = pl.read_csv(out / "predictions.csv").sort("label_id")
    truth = pl.read_csv(data / "train.csv").sort("label_id")
    assert table["label_id"].to_list() == truth["label_id"].to_list()
    np.testing.assert_array_equal(table.select(VOTES).to_numpy(), truth.select(VOTES).to_numpy())
    known = store.windows["patient_id"][store.select("train")]
    assert told["seen"]["elsewhere"]["patients"] == len(np.unique(known))
    message, about_context, *about_signals = told["warnings"]
    assert all("beyond the clip" in warning for warning in about_signals)
    assert "are not comparable" in about_context
    assert "have the numbers of patients that a run was trained or validated on" in message
    assert f"warning: {message}" in " ".join(done.stderr.split())


def table_of(votes: list[list[int]], keys: tuple[str, ...], path: Path) -> pl.DataFrame:
    """The table of these windows, of a store that has these classes."""
    rows = np.arange(len(votes))
    names = ("label_id", "eeg_id", "eeg_sub_id", "spectrogram_id", "patient_id")
    windows: dict[str, Any] = dict.fromkeys(names, rows)
    windows |= dict.fromkeys(("eeg_offset_s", "spectrogram_offset_s"), rows.astype(np.float64))
    windows |= {"split": np.zeros(len(rows), np.int8), "votes": np.asarray(votes, np.int16)}
    store: Any = SimpleNamespace(windows=windows, spec=SimpleNamespace(class_keys=keys))
    prediction = np.full((len(rows), len(keys)), 1 / len(keys))
    prediction[0] = [1 - 3e-8 * (len(keys) - 1), *[3e-8] * (len(keys) - 1)]
    whole = np.ones(len(rows), bool)
    write_windows(path, store, rows, prediction, Context(whole.astype(float), whole, whole))
    return pl.read_csv(path, infer_schema_length=None)


def test_windows_without_votes_have_empty_cells_and_alone_no_columns(tmp_path: Path) -> None:
    some = table_of([[1, 2], [0, 0]], ("a", "b"), tmp_path / "some.csv")
    assert some["a_vote"].to_list() == [1, None]
    assert some["b_vote"].to_list() == [2, None]
    assert some["b"].to_list() == [3e-8, 0.5]  # small ones do not become 0
    none = table_of([[0, 0], [0, 0]], ("a", "b"), tmp_path / "none.csv")
    assert none.columns == some.columns[:-2]


@pytest.mark.parametrize("keys", [("a", "a_vote"), ("split", "b"), ("a", "predicted")])
def test_classes_that_are_called_as_other_columns_are_leave_each_name_once(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    found = table_of([[1, 2], [3, 4]], keys, tmp_path / "t.csv")
    assert len(set(found.columns)) == len(found.columns)
    for place, key in enumerate(keys):
        assert found[f"{key}_vote"].to_list() == [place + 1, place + 3]
        assert found[f"{key}_vote_prediction"][1] == 0.5


@pytest.mark.parametrize("write", ["write_windows", "write_json"])
def test_a_prediction_that_was_stopped_between_its_files_is_made_again(
    run: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """Into a new folder, and over an earlier prediction, of which no summary stays behind."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    def predict(out: Path) -> None:
        hmstrain.predict(run, store.path, out=out, device="cpu")

    predict(tmp_path / "earlier")
    whole = tree_bytes(tmp_path / "earlier")
    for name in ("earlier", "new"):
        out = tmp_path / name
        monkeypatch.setattr(predicting, write, stop)
        with pytest.raises(KeyboardInterrupt):
            predict(out)
        monkeypatch.undo()
        assert not (out / "predictions.json").exists()
        (out / ".predictions.csv.0123abcd.partial").write_text("cut sh")  # as a killed one leaves
        predict(out)
        assert tree_bytes(out).keys() == whole.keys()
        assert tree_bytes(out)["predictions.csv"] == whole["predictions.csv"]


def test_a_table_that_is_not_ours_is_not_written_over(
    run: Path, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "predictions.csv").write_text("row,mine\n")
    told = PROGRAM.fail("predict", run, store.path, "--out", tmp_path)
    assert "holds something other than predictions" in told
    assert (tmp_path / "predictions.csv").read_text() == "row,mine\n"


def test_without_votes_there_are_no_scores(
    run: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Callable[..., Store] = Store.open

    def unlabelled(path: Any) -> Store:
        opened = read(path)
        votes = np.zeros_like(opened.windows["votes"])
        opened.windows = {**opened.windows, "votes": votes}  # type: ignore[assignment]
        return opened

    monkeypatch.setattr(Store, "open", unlabelled)
    told = json.loads(
        PROGRAM.succeed("predict", run, store.path, "--out", tmp_path / "o", "--json").stdout
    )
    assert "scores" not in told
    assert "A run was trained on the 'train' windows" in told["warnings"][0]
    assert not set(VOTES) & set(pl.read_csv(tmp_path / "o" / "predictions.csv").columns)


def test_a_run_of_all_folds_of_which_none_has_begun_is_told(store: Store, tmp_path: Path) -> None:
    RunFolder(tmp_path / "run").begin(Config(fold="all"), store)
    told = PROGRAM.fail("predict", tmp_path / "run", store.path, "--out", tmp_path / "out")
    assert "holds no network that has begun: resume it" in told
