"""A store as a torch Dataset, as torch's own DataLoader asks it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import hmstrain
from hmsstore import Store
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


def test_the_former_place_of_the_dataset_still_has_it() -> None:
    from hmstrain.dataset import WindowDataset as Former

    assert Former is WindowDataset is hmstrain.WindowDataset
