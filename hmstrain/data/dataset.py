"""Rows of a store -> a plain torch Dataset, for a training loop of your own."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch.utils.data import Dataset, default_collate

from hmsstore import SIGNALS, Store
from hmsstore.reading.requests import named_signals, row_numbers


class WindowDataset(Dataset[dict[str, Any]]):
    """Windows of a store, one by one or a whole batch in one call.

    `torch.utils.data.DataLoader(dataset, batch_size=32)` finds `__getitems__` and asks for whole
    batches. Its default collate works; `collate_fn=WindowDataset.collate` gives the same batches
    without copying them once more.

    Parameters
    ----------
    store : Store
        It pickles as its path, so worker processes map it for themselves.
    rows : integers (N,)
        Such as `store.select("train", fold=0)`.
    signals : str or sequence of str
        'eeg', 'spectrogram' or both.

    Each item is a dict: float16 'eeg' (10000, 20), float16 'spectrogram' (300, 400), as stored;
    float32 'target' (6,); int64 'row' and 'patient_id'.

    Raises
    ------
    hmsstore.RequestError
        Rows or signals are not what `Store.gather` takes.

    Examples
    --------
    >>> store = Store.open("hms.zarr")  # doctest: +SKIP
    >>> dataset = hmstrain.WindowDataset(store, store.select("train", fold=0))  # doctest: +SKIP
    >>> batch = next(iter(DataLoader(dataset, batch_size=32)))  # doctest: +SKIP
    >>> batch["eeg"].shape  # doctest: +SKIP
    torch.Size([32, 10000, 20])
    """

    def __init__(
        self, store: Store, rows: ArrayLike, signals: str | Sequence[str] = tuple(SIGNALS)
    ) -> None:
        self.store = store
        self.rows = row_numbers(rows, len(store))
        self.signals = tuple(signal.name for signal in named_signals(store.spec, signals))

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        """One window."""
        return self.__getitems__([place])[0]

    def __getitems__(self, places: Sequence[int]) -> Gathered:
        """Windows of a batch, read in one call."""
        rows = self.rows[[index(place) for place in places]]
        batch = self.store.gather(rows, self.signals)
        table = self.store.windows
        return Gathered(
            {name: torch.from_numpy(array) for name, array in batch.items()}
            | {
                "target": torch.from_numpy(table["target"][rows]),
                "row": torch.from_numpy(rows),
                "patient_id": torch.from_numpy(table["patient_id"][rows]),
            }
        )

    @staticmethod
    def collate(windows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One dict of tensors with a batch axis in front, as they were read: without a copy."""
        if isinstance(windows, Gathered):
            return windows.batch
        found: dict[str, Any] = default_collate(list(windows))
        return found


class Gathered(list[dict[str, Any]]):
    """Windows of one batch as items, and the batch that they are views of.

    Parameters
    ----------
    batch : dict of tensors
        Each with a batch axis in front.
    """

    def __init__(self, batch: dict[str, Any]) -> None:
        count = len(batch["row"])
        super().__init__({k: value[i] for k, value in batch.items()} for i in range(count))
        self.batch = batch
