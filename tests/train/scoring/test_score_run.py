"""Scores of any split, what the run knows of its patients, and where they are written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.helpers import SMALL, build_dataset, build_store, tree_bytes, write_pair
from support.inside import Inside
from support.runs import ALONE, train_small

from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import SPLITS, Store
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.trained import Views, load_trained
from hmstrain.scoring import tested
from hmstrain.scoring.metrics import SCORES, scores
from hmstrain.scoring.score_run import labelled, score_run
from hmstrain.scoring.score_run import test as score
from hmstrain.scoring.seen import Part, seen_before

PROGRAM = Inside("hmstrain")
SHORT: dict[str, Any] = {"epochs": 1, "steps": 2}


@pytest.fixture(scope="module")
def runs(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    train_small(store, folder / "one", **SHORT)
    train_small(store, folder / "all", fold="all", **SHORT)
    return {name: folder / name for name in ("one", "all")}


def count(store: Store, rows: Any) -> Part:
    return Part(len(rows), len(np.unique(store.windows["patient_id"][rows])))


def test_every_labelled_window_is_scored_by_every_score(
    runs: dict[str, Path], store: Store
) -> None:
    found = score_run(RunFolder(runs["one"]), store, "all", ALONE)
    votes = store.windows["votes"].sum(axis=1)
    kept = store.windows["split"] != SPLITS.index("dropped")
    assert found.rows.tolist() == np.flatnonzero(kept & (votes > 0)).tolist()
    assert found.test.windows == len(found.rows)
    assert found.test.to_json() == scores(store, found.rows, found.prediction).to_json()
    assert found.test.values.keys() == {score.key for score in SCORES}
    parts = [score_run(RunFolder(runs["one"]), store, s, ALONE) for s in ("train", "test")]
    assert sorted(np.concatenate([part.rows for part in parts])) == found.rows.tolist()
    for part in parts:
        places = np.searchsorted(found.rows, part.rows)
        np.testing.assert_allclose(found.prediction[places], part.prediction, atol=1e-5)


def test_mirrored_and_reversed_views_are_scored_and_kept_apart(
    runs: dict[str, Path], store: Store, tmp_path: Path
) -> None:
    run = RunFolder(runs["one"])
    plain = score_run(run, store, "test", ALONE)
    assert (plain.views, plain.to_json()["reverse"]) == (Views(), False)
    with load_trained(run, ALONE.device).evaluator(
        store, ALONE, mirror=True, reverse=True
    ) as evaluator:
        turned, _ = evaluator.predict(load_trained(run, ALONE.device).network, plain.rows)
    assert np.abs(turned - plain.prediction).max() > 1e-6
    halves = [
        score_run(run, store, "test", ALONE, views=view).prediction
        for view in (Views(swap=True), Views(reverse=True))
    ]
    four = score_run(run, store, "test", ALONE, views=Views(swap=True, reverse=True)).prediction
    # Four times the mean of all is both means, twice, less what is in both, and the last view.
    expected = (2 * halves[0] + 2 * halves[1] - plain.prediction + turned) / 4
    np.testing.assert_allclose(four, expected, atol=1e-6)
    out = tmp_path / "scores"
    for words in ([], ["--swap", "--reverse"], ["--reverse"]):
        PROGRAM.succeed("test", runs["one"], "--device", "cpu", "--out", out, *words)
    identity = store.identity[:12]
    names = {path.name for path in out.glob("*.json")}
    assert names == {f"test-{words}{identity}.json" for words in ("", "reverse-", "swap-reverse-")}
    told = json.loads((out / f"test-reverse-{identity}.json").read_text())
    assert (told["swap"], told["reverse"]) == (False, True)


def test_windows_of_patients_that_were_trained_on_are_counted(
    runs: dict[str, Path], store: Store
) -> None:
    train, valid = store.select("train", fold=0), store.select("valid", fold=0)
    none = Part(0, 0)
    found = {
        split: score_run(RunFolder(runs["one"]), store, split, ALONE).seen
        for split in ("all", "train", "valid", "test")
    }
    assert found["all"].scored == count(store, labelled(store, "all"))
    for split in ("all", "train"):
        assert found[split].trained == count(store, train)
        assert found[split].chosen_by == count(store, valid)
        assert found[split].elsewhere == none
    assert (found["valid"].trained, found["valid"].chosen_by) == (none, count(store, valid))
    assert found["test"] == replace(found["test"], trained=none, chosen_by=none, elsewhere=none)
    assert found["test"].warnings == []
    assert len(found["all"].warnings) == 2
    part, whole = found["all"].trained, found["all"].scored
    assert (
        found["all"]
        .warnings[0]
        .startswith(
            f"{part.windows} of {whole.windows} windows, of {part.patients} of {whole.patients} "
            "patients, are of patients that were trained on"
        )
    )
    every = score_run(RunFolder(runs["all"]), store, "all", ALONE).seen
    assert every.trained == count(store, store.select("train"))
    assert every.chosen_by == none


def test_a_share_of_the_patients_is_all_that_counts_as_trained_on(
    store: Store, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "run", fraction=0.3, fold="1", **SHORT)
    from hmstrain.data.rows import training_rows

    config = RunFolder(tmp_path / "run").config()
    described = read_description(tmp_path / "run" / "best")
    rows = store.select("train")
    found = seen_before([described], store, rows)
    used = training_rows(config, store, 1, 1)
    patients = store.windows["patient_id"]
    assert found.trained == count(store, rows[np.isin(patients[rows], patients[used])])
    assert 0 < found.trained.patients < found.scored.patients
    assert found.trained.windows + found.chosen_by.windows == len(rows)


def test_patients_of_another_store_are_known_by_their_numbers_alone(
    runs: dict[str, Path], store: Store, data: Path, tmp_path: Path
) -> None:
    other = build_store(data, tmp_path / "other.zarr", split_by="all")
    found = score_run(RunFolder(runs["one"]), other, "all", ALONE)
    known = np.isin(other.windows["patient_id"], store.windows["patient_id"][store.select("train")])
    assert found.seen.elsewhere == count(other, np.flatnonzero(known))
    assert found.seen.trained == found.seen.chosen_by == Part(0, 0)
    message, about_context = found.warnings
    assert "are not comparable" in about_context
    assert "have the numbers of patients that a run was trained or validated on" in message
    told = PROGRAM.succeed("test", runs["one"], "--store", other.path, "--split", "all").stderr
    assert message in " ".join(told.split())
    PROGRAM.succeed("test", runs["one"], "--store", other.path, "--json", "--split", "test")


def test_a_split_without_votes_is_refused_and_says_where_there_are_some(
    runs: dict[str, Path], store: Store
) -> None:
    folder = RunFolder(runs["one"])
    with pytest.raises(ConfigError, match=r"There is no split 'dropped' to score: use all, train"):
        score_run(folder, store, "dropped", ALONE)
    counts = {split: len(labelled(store, split)) for split in ("train", "test")}
    there = f"it has {counts['train']} in train, {counts['test']} in test: name such a split"
    with pytest.raises(DataError, match=f"no labelled windows in the split 'predict'; {there}"):
        score_run(folder, store, "predict", ALONE)


def test_a_store_without_votes_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    for kind in ("eegs", "spectrograms"):
        (data / f"train_{kind}").rename(data / f"test_{kind}")
    columns = ("spectrogram_id", "eeg_id", "patient_id")
    pl.read_csv(data / "train.csv").select(columns).write_csv(data / "test.csv")
    unlabelled = build_dataset(load(data, Parameters(**SMALL), part="test"), tmp_path / "none.zarr")
    for split in ("all", "predict"):
        with pytest.raises(DataError, match="no labelled windows, so there is nothing to score by"):
            score_run(RunFolder(runs["one"]), unlabelled, split, ALONE)


def test_out_is_made_whole_and_takes_other_splits_of_the_same_run(
    runs: dict[str, Path], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree_bytes(runs["one"])
    out = tmp_path / "new" / "scores"
    monkeypatch.setattr(tested, "write_json", _stop)
    with pytest.raises(KeyboardInterrupt):
        score(runs["one"], out=out, device="cpu")
    assert not out.exists()
    monkeypatch.undo()
    for split in ("test", "all", "test"):
        told = json.loads(
            PROGRAM.succeed("test", runs["one"], "--split", split, "--out", out, "--json").stdout
        )
        assert told["predictions"] == str(out / f"{split}-{store.identity[:12]}.npz")
    names = {path.name for path in out.iterdir()}
    assert names == {
        f"{split}-{store.identity[:12]}.{end}"
        for split in ("test", "all")
        for end in ("json", "npz")
    }
    assert tree_bytes(runs["one"]) == before
    told_again = json.loads((out / f"all-{store.identity[:12]}.json").read_text())
    assert told_again["seen"]["trained"]["windows"] == len(store.select("train", fold=0))
    assert len(told_again["warnings"]) == 3


def _stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_scores_stopped_between_their_two_files_are_not_taken_for_old_ones(
    runs: dict[str, Path], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    score(runs["one"], out=out, device="cpu")
    monkeypatch.setattr(tested, "write_json", _stop)
    with pytest.raises(KeyboardInterrupt):
        score(runs["one"], out=out, device="cpu")
    monkeypatch.undo()
    assert [path.suffix for path in out.iterdir()] == [".npz"]
    score(runs["one"], out=out, device="cpu")
    assert {path.suffix for path in out.iterdir()} == {".npz", ".json"}


def test_out_that_holds_anything_else_is_left_alone(
    runs: dict[str, Path], store: Store, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"holds thesis\.txt, which is not a score"):
        score(runs["one"], out=mine)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="is a file: name a folder"):
        score(runs["one"], out=tmp_path / "file")
    with pytest.raises(RunError, match="lies within the store"):
        score(runs["one"], out=store.path / "scores")
    score(runs["one"], out=tmp_path / "scores", device="cpu")
    before = tree_bytes(tmp_path / "scores")
    with pytest.raises(
        RunError, match=rf"holds scores of another run \({re.escape(str(runs['one']))}\)"
    ):
        score(runs["all"], out=tmp_path / "scores")
    assert tree_bytes(tmp_path / "scores") == before
    assert tree_bytes(mine) == {"thesis.txt": b"mine"}


READ_ONLY = """
import os, sys
from pathlib import Path
from hmsstore.atomic import refusal
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(refusal(Path(sys.argv[1])))
"""


def test_a_folder_that_only_others_may_write_into_is_found_out_by_trying(tmp_path: Path) -> None:
    """As somebody who is not root, whom rights do not concern."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755 if os.geteuid() == 0 else 0o555)
        words = [sys.executable, "-c", READ_ONLY, name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
    assert done.stdout.strip() == "Permission denied", done.stderr


def test_a_run_in_a_read_only_folder_names_out_before_it_predicts(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = {runs["one"]: "Read-only file system"}
    monkeypatch.setattr(tested, "refusal", refuse.get)
    told = PROGRAM.fail("test", runs["one"])
    assert told == (
        f"hmstrain: {runs['one']} cannot be written into (Read-only file system): name a folder "
        "for the scores and predictions with --out.\n"
    )
    PROGRAM.succeed("test", runs["one"], "--out", tmp_path / "out")
