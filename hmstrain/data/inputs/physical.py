"""A signal as stored -> in physical units, its sides and its time turned as drawn.

Of a window that was not recorded from end to end, the *observed run* around its judged seconds is
all that is used: what lies outside of it becomes that run mirrored, before anything is computed of
it. Filters and transforms then see a signal without a step at the ends of what was recorded.

Legend: B windows, T time, C channels or features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import HMS, Store
from hmsstore.montage import SWAPPED_CHANNELS, SWAPPED_FEATURES
from hmsstore.reading.observed import judged_rows
from hmstrain.data.apart import APART
from hmstrain.data.augment import Draws, where_B
from hmstrain.data.centre import CENTRE
from hmstrain.data.chains import CHANNEL_ORDERS, FEATURE_ORDERS, FRONT_BACK_CHANNELS
from hmstrain.data.inputs import INPUTS, Windows, spans
from hmstrain.data.inputs.stretch import folded, held, moved_frequencies, stretched, stretched_run
from hmstrain.data.observed import run_key
from hmstrain.errors import DataError
from hmstrain.words import plural

if TYPE_CHECKING:
    from hmstrain.config import Config


class Physical:
    """Turns stored signals of one store into physical ones, the part that a run uses.

    Parameters
    ----------
    mirror : bool
        Exchange left and right in all windows.
    reverse : bool
        Reverse time in all windows, once they are turned as drawn.
    rows : int64 (N,), optional
        Windows of the store that will be asked for, if not all.

    Raises
    ------
    DataError
        The store's signals are not those of HMS, which all inputs are made of, or an input needs
        a reference that recordings of the store lack.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        device: torch.device,
        *,
        mirror: bool = False,
        reverse: bool = False,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        check_signals(store)
        check_reference(config, store, np.arange(len(store)) if rows is None else rows)
        self.config, self.store, self.device = config, store, device
        self.mirror, self.reverse = mirror, reverse
        self.span = spans(config)
        self.scale = {name: on_device(*physical_scale(store, name), device) for name in self.span}
        self.swapped = {
            "eeg": torch.tensor(SWAPPED_CHANNELS, device=device),
            "spectrogram": torch.tensor(SWAPPED_FEATURES, device=device),
        }
        self.chain_orders = {
            "eeg": torch.tensor(CHANNEL_ORDERS, device=device),
            "spectrogram": torch.tensor(FEATURE_ORDERS, device=device),
        }
        self.front_back = torch.tensor(FRONT_BACK_CHANNELS, device=device)

    def windows(
        self, batch: Mapping[str, Tensor], draws: Draws | None, signals: Iterable[str]
    ) -> Windows:
        """Turn a batch as stored into windows as inputs are made of them.

        Parameters
        ----------
        batch : mapping of tensors
            As a loader gives it.
        signals : iterable of str
            Those that are wanted.
        """
        batch = self.stretched(batch, draws)
        runs = {name: self.run(name, batch, draws) for name in signals}
        values = {name: self(name, batch[name], draws, run_B2) for name, run_B2 in runs.items()}
        turned = {
            name: None if run_B2 is None else turned_run(run_B2, values[name].shape[1], draws)
            for name, run_B2 in runs.items()
        }
        count = len(next(iter(values.values())))
        centre_B = self.centre(batch, draws, turned.get("eeg"), count)
        if self.reverse:
            turned = {
                name: None if run_B2 is None else values[name].shape[1] - run_B2.flip(1)
                for name, run_B2 in turned.items()
            }
            values = {name: signal_BTC.flip(1) for name, signal_BTC in values.items()}
            first, stop = self.span["eeg"]
            centre_B = stop - first - centre_B
        as_recorded = draws is None and not self.reverse and turned.get("eeg") is None
        apart = int(batch[APART]) if as_recorded and APART in batch else 0
        return Windows(values, turned, centre_B, apart)

    def stretched(self, batch: Mapping[str, Tensor], draws: Draws | None) -> Mapping[str, Tensor]:
        """A batch in which time runs as fast as drawn, around each window's label.

        Both signals are resampled alike, and their observed runs go with them. The label's centre
        stays where it is.
        """
        if draws is None or draws.speed_B is None:
            return batch
        spec, speed_B = self.store.spec, draws.speed_B
        found = dict(batch)
        for name in batch.keys() & self.span.keys():
            rows, key = spec.signals[name].window_rows, run_key(name)
            centre_B = torch.full_like(speed_B, rows / 2)
            if CENTRE in batch:
                per_row = 1 if name == "eeg" else spec.samples_per_row
                centre_B = centre_B + (batch[CENTRE] - spec.eeg.window_rows // 2) / per_row
            run_B2 = held((0, rows), speed_B.device).expand(len(speed_B), 2)
            if key in batch and self.config.context == "observed":
                run_B2 = batch[key]
                found[key] = stretched_run(run_B2, centre_B, speed_B, rows)
            found[name] = stretched(batch[name], run_B2, centre_B, speed_B, self.span[name])
        return found

    def centre(
        self,
        batch: Mapping[str, Tensor],
        draws: Draws | None,
        run_B2: Tensor | None,
        count: int,
    ) -> Tensor:
        """Find the sample that `Windows.centre_B` says, int64 (B,).

        Parameters
        ----------
        run_B2 : int64 (B, 2), optional
            The observed run of the EEG that is used, with time turned as drawn.
        count : int
            Number of windows.
        """
        first, stop = self.span["eeg"]
        middle = self.store.spec.signals["eeg"].window_rows // 2
        centre_B = batch.get(CENTRE)
        if centre_B is None:
            centre_B = torch.full((count,), middle, device=self.device)
        centre_B = centre_B - first
        if draws is not None:
            centre_B = torch.where(draws.flip_B, stop - first - centre_B, centre_B)
            centre_B = centre_B + draws.zoom_B
        if run_B2 is not None:
            centre_B = torch.minimum(torch.maximum(centre_B, run_B2[:, 0]), run_B2[:, 1])
        return centre_B.clamp(0, stop - first)

    def run(self, signal: str, batch: Mapping[str, Tensor], draws: Draws | None) -> Tensor | None:
        """Find the observed run of each window, within the part of the signal that is used.

        Where nothing of that part was observed, all of it stands for the run.

        Parameters
        ----------
        batch : mapping of tensors
            With the runs of `observed_runs`, if there are any.
        draws : Draws, optional
            Where they leave out what is around the judged seconds, only those are left.

        Returns
        -------
        int64 (B, 2), optional
            Its first row and the one after its last, counted from the first that is used. None:
            all windows are used as they are stored.
        """
        run_B2 = batch.get(run_key(signal))
        if self.config.context == "filled":
            return None
        if draws is not None and self.config.context_dropout:
            run_B2 = self._alone(signal, run_B2, draws.alone_B, batch.get(CENTRE))
        if run_B2 is None:
            return None
        first, stop = self.span[signal]
        run_B2 = (run_B2 - first).clamp(0, stop - first)
        whole = held((0, stop - first), run_B2.device)
        return torch.where((run_B2[:, 0] < run_B2[:, 1])[:, None], run_B2, whole)

    def _alone(
        self, signal: str, run_B2: Tensor | None, alone_B: Tensor, centre_B: Tensor | None
    ) -> Tensor:
        """Cut runs down to the judged seconds, wherever in the window, if the draws say so."""
        spec = self.store.spec
        if run_B2 is None:
            whole = spec.signals[signal].window_rows
            run_B2 = held((0, whole), alone_B.device).expand(len(alone_B), 2)
        judged_B2 = held(judged_rows(spec, signal), alone_B.device).expand_as(run_B2)
        if centre_B is not None:
            per_row = 1 if signal == "eeg" else spec.samples_per_row
            moved_B = (centre_B - spec.eeg.window_rows // 2) / per_row
            judged_B2 = judged_B2 + moved_B.round().long()[:, None]
        cut_B2 = torch.minimum(torch.maximum(run_B2, judged_B2[:, :1]), judged_B2[:, 1:])
        cut_B2 = torch.where((cut_B2[:, 0] < cut_B2[:, 1])[:, None], cut_B2, run_B2)
        return where_B(alone_B, cut_B2, run_B2)

    def __call__(
        self, signal: str, stored_BTC: Tensor, draws: Draws | None, run_B2: Tensor | None = None
    ) -> Tensor:
        """EEG in microvolts or spectrogram in log power, its sides and its time turned as drawn.

        Parameters
        ----------
        stored_BTC : float16 (B, T, C)
            Whole windows.
        run_B2 : int64 (B, 2), optional
            What of them was observed, as `run` tells; the rest is that part mirrored.
        """
        first, stop = self.span[signal]
        mean, std = self.scale[signal]
        stored_BTC = stored_BTC[:, first:stop]
        if run_B2 is not None:
            stored_BTC = mirrored(stored_BTC, run_B2)
        values_BTC = stored_BTC.float() * std + mean
        if self.mirror:
            values_BTC = values_BTC.index_select(2, self.swapped[signal])
        if draws is None:
            return values_BTC
        if self.config.swap:
            swapped = values_BTC.index_select(2, self.swapped[signal])
            values_BTC = where_B(draws.swap_B, swapped, values_BTC)
        if draws.speed_B is not None and signal == "spectrogram":
            values_BTC = moved_frequencies(values_BTC, draws.speed_B)
        if draws.chains_B is not None:
            order_BC = self.chain_orders[signal][draws.chains_B]
            values_BTC = torch.take_along_dim(values_BTC, order_BC[:, None], dim=2)
        if draws.front_back_B is not None and signal == "eeg":
            turned = values_BTC.index_select(2, self.front_back)
            values_BTC = where_B(draws.front_back_B, turned, values_BTC)
        return where_B(draws.flip_B, values_BTC.flip(1), values_BTC)


def mirrored(values_BTC: Tensor, run_B2: Tensor) -> Tensor:
    """Put the observed run, mirrored at its ends as often as it takes, around itself.

    Parameters
    ----------
    values_BTC : tensor (B, T, C)
    run_B2 : int64 (B, 2)
        First row of each run, and the one after its last: one row at least.

    Returns
    -------
    tensor (B, T, C)
        The rows of a run stay as they are; at its end the last comes again, then the one before.
    """
    row_BT = folded(torch.arange(values_BTC.shape[1], device=run_B2.device), run_B2)
    return torch.take_along_dim(values_BTC, row_BT[:, :, None], dim=1)


def turned_run(run_B2: Tensor, rows: int, draws: Draws | None) -> Tensor:
    """Observed runs of so many rows, with time turned as drawn: int64 (B, 2)."""
    return run_B2 if draws is None else where_B(draws.flip_B, rows - run_B2.flip(1), run_B2)


def seen_columns(run_B2: Tensor, rows: int, columns: int, draws: Draws | None) -> Tensor:
    """Tell which columns of an input, made of so many rows in time, are of the observed run.

    Returns
    -------
    bool (B, W)
        Whether the middle of a column lies in the run, with time turned as drawn; all, of a run
        that is too short for the middle of any.
    """
    run_B2 = turned_run(run_B2, rows, draws)
    middle = (torch.arange(columns, device=run_B2.device) + 0.5) * (rows / columns)
    seen_BW = (middle >= run_B2[:, :1]) & (middle < run_B2[:, 1:])
    return seen_BW | ~seen_BW.any(1, keepdim=True)


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


def inputs_of_electrodes(config: Config) -> list[str]:
    """Name the inputs that show electrodes by themselves, which must share a reference."""
    return [name for name in config.encoders if INPUTS[name].referential]


def check_reference(config: Config, store: Store, rows: NDArray[np.int64]) -> None:
    """Refuse an input of single electrodes where recordings of these windows have no reference.

    Raises
    ------
    DataError
        Naming the input, and how many windows lack one.
    """
    needing = inputs_of_electrodes(config)
    count = int(store.chains_only(rows).sum()) if needing else 0
    if count:
        raise DataError(
            f"{plural(count, 'window')} of {store.path} are of bipolar recordings, whose "
            f"electrodes share no reference, and the input {', '.join(needing)} needs one. Use an "
            "input of pairs or spectrograms, such as raw, mel16 or spec."
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
