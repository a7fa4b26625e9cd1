"""What a loader that one might pick instead is given: a store, a folder, an order of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tools.conditions import BATCH
from hmsstore import Store
from hmsstore.schema import EEG

SHAPE = (EEG.window_rows, len(EEG.features))
WINDOW_BYTES = SHAPE[0] * SHAPE[1] * 2

Epoch = Callable[[], Iterable[Any]]
Order = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """What a peer is given: where the store is, a folder of its own, rows in the order wanted."""

    path: Path
    folder: Path
    order: Order

    @cached_property
    def store(self) -> Store:
        """The store, opened by those who read it."""
        return Store.open(self.path)

    def batches(self) -> Iterator[Order]:
        """Rows of each batch."""
        return iter(self.order.reshape(-1, BATCH))

    def window(self, row: int) -> NDArray[np.float16]:
        """One window, (10000, 20)."""
        eeg: NDArray[np.float16] = self.store.gather([row], "eeg")["eeg"][0]
        return eeg

    def windows(self) -> Iterator[NDArray[np.float16]]:
        """All windows that are asked for, in the store's order."""
        return map(self.window, range(len(self.order)))

    def begin_writing(self) -> bool:
        """Make this peer's folder; False if it was there, and all is written."""
        if self.folder.exists():
            return False
        self.folder.mkdir()
        return True

    def npy(self) -> Path:
        """All windows in one .npy file, written once for all peers."""
        file = self.folder.parent / "windows.npy"
        if not file.exists():
            shape = (len(self.order), *SHAPE)
            array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
            for row, window in enumerate(self.windows()):
                array[row] = window
            array.flush()
        return file
