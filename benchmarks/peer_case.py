"""What a loader that one might pick instead is given: a store, a folder, an order of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store

BATCH = 32
SHAPE = (10_000, 20)

Epoch = Callable[[], Iterable[Any]]
Order = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Case:
    """What a peer is given: a store, a folder of its own, rows in the order wanted."""

    store: Store
    folder: Path
    order: Order

    def batches(self) -> Iterator[Order]:
        """Rows of each batch."""
        return iter(self.order.reshape(-1, BATCH))

    def window(self, row: int) -> NDArray[np.float16]:
        """One window, (10000, 20)."""
        eeg: NDArray[np.float16] = self.store.gather([row], "eeg")["eeg"][0]
        return eeg

    def windows(self) -> Iterator[NDArray[np.float16]]:
        """All windows, in order."""
        return map(self.window, range(len(self.store)))

    def unwritten(self) -> bool:
        """Whether nothing has been written for this peer yet; makes its folder."""
        if self.folder.exists():
            return False
        self.folder.mkdir()
        return True

    def npy(self) -> Path:
        """All windows in one .npy file, written once for all peers."""
        file = self.folder.parent / "windows.npy"
        if not file.exists():
            shape = (len(self.store), *SHAPE)
            array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
            for row, window in enumerate(self.windows()):
                array[row] = window
            array.flush()
        return file
