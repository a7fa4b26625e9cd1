"""A signal as stored -> in physical units, its sides and its time turned as drawn.

Legend: B windows, T time, C channels or features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import HMS, Store
from hmsstore.montage import SWAPPED_CHANNELS, SWAPPED_FEATURES
from hmsstore.schema import EEG
from hmstrain.data.augment import Draws, where_B
from hmstrain.errors import DataError

if TYPE_CHECKING:
    from hmstrain.config import Config


class Physical:
    """Turns stored signals of one store into physical ones, the part that a run uses.

    Parameters
    ----------
    mirror : bool
        Exchange left and right in all windows.

    Raises
    ------
    DataError
        The store's signals are not those of HMS, which all inputs are made of.
    """

    def __init__(
        self, config: Config, store: Store, device: torch.device, *, mirror: bool = False
    ) -> None:
        check_signals(store)
        self.config, self.store, self.device, self.mirror = config, store, device, mirror
        used = round(config.eeg_seconds * EEG.row_rate_hz)
        first = (EEG.window_rows - used) // 2
        self.span = {"eeg": (first, first + used), "spectrogram": config.spectrogram_rows}
        self.scale = {name: on_device(*physical_scale(store, name), device) for name in self.span}
        self.swapped = {
            "eeg": torch.tensor(SWAPPED_CHANNELS, device=device),
            "spectrogram": torch.tensor(SWAPPED_FEATURES, device=device),
        }

    def __call__(self, signal: str, stored_BTC: Tensor, draws: Draws | None) -> Tensor:
        """EEG in microvolts or spectrogram in log power, its sides and its time turned as drawn."""
        first, stop = self.span[signal]
        mean, std = self.scale[signal]
        values_BTC = stored_BTC[:, first:stop].float() * std + mean
        if self.mirror:
            values_BTC = values_BTC.index_select(2, self.swapped[signal])
        if draws is None:
            return values_BTC
        if self.config.swap:
            swapped = values_BTC.index_select(2, self.swapped[signal])
            values_BTC = where_B(draws.swap_B, swapped, values_BTC)
        return where_B(draws.flip_B, values_BTC.flip(1), values_BTC)


def check_signals(store: Store) -> None:
    """Refuse a store of other channels, features, rates or lengths than those of HMS.

    Raises
    ------
    DataError
        Naming the data.
    """
    if not store.spec.same_signals(HMS):
        raise DataError(
            f"{store.path} holds data {store.spec.name!r} with other channels, rates or window "
            "lengths than HMS: networks here take 20 channels at 200 Hz for 50 s and four regions "
            "of 100 frequencies for 600 s."
        )


def physical_scale(store: Store, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation that turn a store's values back into physical ones."""
    statistics = store.info["statistics"][name]
    mean = np.asarray(statistics["mean"], np.float32)
    std = np.asarray(statistics["std"], np.float32)
    if store.info["parameters"]["normalise"] == "zscore":
        return mean, std
    return np.zeros_like(mean), np.ones_like(std)


def on_device(mean: Any, std: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation as float32 tensors."""
    mean, std = (torch.tensor(np.asarray(x, np.float32), device=device) for x in (mean, std))
    return mean, std
