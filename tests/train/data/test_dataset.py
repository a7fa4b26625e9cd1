"""A store as a torch Dataset, as torch's own DataLoader asks it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import hmstrain
from hmsstore import RequestError, Store
from hmstrain.data.dataset import WindowDataset


@pytest.mark.parametrize("workers", [0, 2])
def test_the_default_collate_gives_the_stores_batches(store: Store, workers: int) -> None:
    rows = store.select("train")[:10]
    loader = DataLoader(WindowDataset(store, rows), batch_size=4, num_workers=workers)
    batches = list(loader)
    assert [len(batch["row"]) for batch in batches] == [4, 4, 2]
    found = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    stored = store.gather(rows)
    assert found["row"].tolist() == rows.tolist()
    for name, array in stored.items():
        assert found[name].dtype == torch.float16
        np.testing.assert_array_equal(found[name].numpy(), array)
    np.testing.assert_array_equal(found["target"].numpy(), store.windows["target"][rows])


def test_the_former_collate_still_works(store: Store) -> None:
    dataset = WindowDataset(store, store.select("train")[:8], ["spectrogram"])
    loader = DataLoader(dataset, batch_size=4, collate_fn=WindowDataset.collate)
    plain = DataLoader(dataset, batch_size=4)
    for ours, default in zip(loader, plain, strict=True):
        assert ours.keys() == default.keys() == {"spectrogram", "target", "row", "patient_id"}
        for name, value in ours.items():
            assert torch.equal(value, default[name])


def test_one_item_is_one_window(store: Store) -> None:
    item = WindowDataset(store, [3])[0]
    assert item["eeg"].shape == (10_000, 20)
    assert item["spectrogram"].shape == (300, 400)
    assert int(item["row"]) == 3


def test_one_signal_is_named_by_its_word(store: Store) -> None:
    item = WindowDataset(store, [3], "eeg")[0]
    assert item.keys() == {"eeg", "target", "row", "patient_id"}
    both = WindowDataset(store, [3], None)[0]  # type: ignore[arg-type]
    assert both.keys() == {"eeg", "spectrogram", "target", "row", "patient_id"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda count: np.arange(count) < 3, "np.flatnonzero(mask)"),
        (lambda _: [0.9, 1.9], "whole numbers"),
        (lambda _: ["0", "1"], "whole numbers"),
        (lambda _: [np.nan], "whole numbers"),
        (lambda _: [[0], [1]], "one dimension"),
        (lambda _: [[0, 1], [1]], "one dimension"),
        (lambda _: 3, "one dimension"),
        (lambda _: [-1], "row -1 does not exist"),
        (lambda count: [count], "rows go from 0 to"),
    ],
)
def test_rows_that_are_not_rows_of_the_store_are_refused(store: Store, rows, message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        WindowDataset(store, rows(len(store)))


def test_signals_that_the_store_lacks_are_refused(store: Store) -> None:
    with pytest.raises(RequestError, match="signal 'ekg' does not exist"):
        WindowDataset(store, [3], "ekg")


def test_places_are_whole_numbers(store: Store) -> None:
    dataset = WindowDataset(store, [3, 5])
    assert int(dataset[np.int64(-1)]["row"]) == 5
    assert [int(one["row"]) for one in dataset.__getitems__([torch.tensor(1), 0])] == [5, 3]
    assert not dataset.__getitems__([])
    with pytest.raises(TypeError):
        dataset[0.9]  # type: ignore[index]


def test_the_former_place_of_the_dataset_still_has_it() -> None:
    from hmstrain.dataset import WindowDataset as Former

    assert Former is WindowDataset is hmstrain.WindowDataset
