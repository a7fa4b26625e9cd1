"""Windows of a batch that follow each other, and what they share."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.apart import APART, samples_apart
from hmstrain.data.inputs.physical import Physical
from hmstrain.data.inputs.prepare import NetworkInputs, Normalisation, cleaning
from hmstrain.data.loader import MappedLoader, Request, ResidentLoader, stored_batch
from hmstrain.data.observed import run_key

CPU = torch.device("cpu")


def following(store: Store) -> np.ndarray[Any, Any]:
    """Three windows of one EEG, equally far apart, that overlap."""
    eegs, starts = store.windows["eeg_id"], store.windows["eeg_start"]
    for eeg in np.unique(eegs):
        rows = np.flatnonzero(eegs == eeg)
        rows = rows[np.argsort(starts[rows])]
        for first, second in combinations(starts[rows].tolist(), 2):
            wanted = [first, second, 2 * second - first]
            if second - first < 10_000 and np.isin(wanted, starts[rows]).all():
                return np.asarray([rows[starts[rows] == start][0] for start in wanted])
    pytest.fail("the store of the tests has no windows that follow each other")


def test_only_windows_of_one_eeg_equally_far_apart_follow_each_other(store: Store) -> None:
    rows = following(store)
    apart = int(np.diff(store.windows["eeg_start"][rows])[0])
    assert samples_apart(store, rows)[APART] == apart
    other = np.flatnonzero(store.windows["eeg_id"] != store.windows["eeg_id"][rows[0]])[0]
    assert samples_apart(store, rows[::-1]) == {}
    assert samples_apart(store, np.asarray([*rows, other])) == {}
    assert samples_apart(store, rows[[0, 0]]) == {}
    assert samples_apart(store, rows[:1]) == {}
    assert samples_apart(store, rows, np.zeros(3, np.int64)) == {}
    for loader in (MappedLoader(store, ("eeg",), 6, CPU), ResidentLoader(store, ("eeg",), CPU)):
        (_, found), (_, alone) = loader.load([Request(rows), Request(rows[[0, 2, 1]])])
        assert int(found[APART]) == apart
        assert APART not in alone
        loader.close()


def test_windows_that_are_turned_or_were_not_recorded_share_nothing(store: Store) -> None:
    rows = following(store)
    batch = stored_batch(store, rows, ("eeg",), CPU)
    batch.pop(run_key("eeg"), None)
    physical = Physical(Config(), store, CPU)
    assert physical.windows(batch, None, ("eeg",)).apart > 0
    assert Physical(Config(), store, CPU, reverse=True).windows(batch, None, ("eeg",)).apart == 0
    batch[run_key("eeg")] = torch.tensor([[0, 10_000], [0, 9_000], [0, 10_000]])
    assert physical.windows(batch, None, ("eeg",)).apart == 0


def test_images_of_a_batch_are_those_of_its_windows_alone(store: Store) -> None:
    config = Config(model="naive_cnn", inputs="stft-50-30-10")
    prepare = NetworkInputs(config, Normalisation({}, cleaning(store)), store, CPU)
    rows = following(store)
    (together,) = prepare(stored_batch(store, rows, ("eeg",), CPU), None).values()
    for image, row in zip(together, rows, strict=True):
        (alone,) = prepare(stored_batch(store, row[None], ("eeg",), CPU), None).values()
        torch.testing.assert_close(image, alone[0], rtol=0, atol=1e-5)
