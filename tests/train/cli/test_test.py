"""`hmstrain test`: the run's own windows again, those of another store, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support.helpers import build_store
from support.inside import Inside

from hmsstore import Store

PROGRAM = Inside("hmstrain")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


def test_test_scores_the_best_checkpoint_again(run: Path, store: Store) -> None:
    found = json.loads(succeed("test", run, "--json").stdout)
    before = json.loads((run / "metrics.json").read_text())
    assert found["test"] == before["test"]
    assert found["same_store"] is True
    assert found["predictions"] == str(run / f"test-{store.identity[:12]}.npz")
    with np.load(found["predictions"]) as a, np.load(run / "predictions.npz") as b:
        np.testing.assert_array_equal(a["prediction"], b["prediction"])


def test_test_scores_the_fold_that_was_held_out(run: Path, store: Store) -> None:
    valid = json.loads(succeed("test", run, "--split", "valid", "--json").stdout)
    assert valid["test"]["windows"] == len(store.select("valid", fold=0))


def test_test_takes_another_store_and_refuses_one_cleaned_otherwise(
    run: Path, data: Path, tmp_path: Path
) -> None:
    foreign = build_store(data, tmp_path / "foreign.zarr", split_by="all")
    found = json.loads(succeed("test", run, "--store", foreign.path, "--json").stdout)
    assert found["same_store"] is False
    assert found["test"]["windows"] == len(foreign)
    other = build_store(data, tmp_path / "other.zarr", split_by="all", eeg_clip=500.0)
    assert "was cleaned differently" in fail("test", run, "--store", other.path)
