"""Windows are told apart by how much of what a model looks at was observed."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.helpers import blank_outside, build_store, train_row, write_pair

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.context import by_context, context_of

GOLDEN = Path(__file__).parents[2] / "golden"
SPEC, RAW = Config(inputs="spec"), Config(model="resnet1d", inputs="raw")
BOTH = Config(model="naive_cnn", inputs="spec+raw")
WHOLE, TEN, EARLY, NONE, DEAF = range(5)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A whole window; ten seconds; one that ends early; no judged second; no spectrogram there."""
    folder = tmp_path_factory.mktemp("context")
    names = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
    rows = [train_row(**dict.fromkeys(names, number + 1)) for number in range(5)]
    write_pair(folder / "data", rows)
    blank_outside(folder / "data", 2, 2)
    blank_outside(folder / "data", 3, 3, (0, 9000), (0, 290))
    blank_outside(folder / "data", 4, 4, (0, 4000), (0, 300))
    blank_outside(folder / "data", 5, 5, (0, 10_000), (0, 100))
    made = build_store(folder / "data", folder / "hms.zarr", split_by="all")
    assert made.windows["eeg_id"].tolist() == [1, 2, 3, 4, 5]
    return made


def observed(store: Store, *configs: Config) -> list[float]:
    return context_of(configs, store, np.arange(5)).observed.tolist()


def comparable(store: Store, *configs: Config) -> list[int]:
    return np.flatnonzero(context_of(configs, store, np.arange(5)).comparable).tolist()


def test_only_the_part_that_a_model_looks_at_counts(store: Store) -> None:
    assert observed(store, RAW) == [1, 0.2, 0.9, 0.4, 1]
    assert observed(store, replace(RAW, eeg_seconds=10)) == [1, 1, 1, 0, 1]
    assert observed(store, replace(RAW, eeg_seconds=40)) == [1, 0.25, 1, 0.375, 1]
    assert observed(store, SPEC) == pytest.approx([1, 4 / 300, 290 / 300, 1, 1 / 3])
    assert observed(store, replace(SPEC, spectrogram_rows=(146, 154)))[TEN] == 0.5


def test_of_several_signals_and_runs_the_smallest_share_counts(store: Store) -> None:
    assert observed(store, BOTH) == pytest.approx([1, 4 / 300, 0.9, 0.4, 1 / 3])
    assert observed(store, SPEC, RAW) == observed(store, BOTH)


def test_a_model_that_never_saw_missing_context_is_not_compared_where_there_is_some(
    store: Store,
) -> None:
    assert comparable(store, RAW) == [WHOLE, DEAF]
    assert comparable(store, SPEC) == [WHOLE, EARLY]
    assert comparable(store, replace(RAW, eeg_seconds=10)) == [WHOLE, TEN, EARLY, DEAF]
    seen = replace(RAW, context_dropout=0.2)
    assert comparable(store, seen) == [WHOLE, TEN, EARLY, DEAF]
    assert comparable(store, seen, RAW) == [WHOLE, DEAF]  # one of the two never saw any


def test_no_training_stands_for_judged_seconds_of_a_signal(store: Store) -> None:
    assert comparable(store, replace(BOTH, context_dropout=0.2)) == [WHOLE, TEN, EARLY]


def test_whoever_answers_there_is_none_without_the_judged_seconds(store: Store) -> None:
    for config in (RAW, SPEC, replace(BOTH, context_dropout=1)):
        found = context_of([config], store, np.arange(5))
        assert np.flatnonzero(~found.judged).tolist() == [NONE]
        assert NONE not in np.flatnonzero(found.comparable)
    counts = context_of([RAW], store, np.arange(5)).counts()
    assert counts == {
        "full": 2,
        "partial": 2,
        "unknown": 0,
        "not_comparable": 2,
        "without_probability": 1,
    }


def test_nobody_knows_of_a_store_that_kept_no_gaps(tmp_path: Path) -> None:
    with zipfile.ZipFile(GOLDEN / "store-v1.zip") as archive:
        archive.extractall(tmp_path)
    old = Store.open(tmp_path / "store-v1.zarr")
    rows = np.arange(len(old))
    found = context_of([RAW], old, rows)
    filled = old.windows["eeg_nan_fraction"] > 0
    assert filled.any()
    np.testing.assert_array_equal(np.isnan(found.observed), filled)
    assert (found.observed[~filled] == 1).all()
    assert found.counts()["unknown"] == filled.sum()
    assert found.judged.all()
    assert found.comparable.all()


def test_windows_are_split_by_shares_or_by_yes_and_no() -> None:
    def places(observed: object) -> dict[str, list[int]]:
        found = by_context(np.asarray(observed))
        return {name: part.tolist() for name, part in found.items()}

    assert places([1.0, 0.95, 0.94, np.nan, 0.0]) == {"full": [0, 1], "partial": [2, 4]}
    assert places([True, False]) == {"full": [0], "partial": [1]}
    assert places([1.0, np.nan]) == places([]) == {}
    assert places([0.2]) == {"partial": [0]}
