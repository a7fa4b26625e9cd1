"""A batch as stored -> what the network takes, on its device: `NetworkInputs.__call__`.

Stored values are turned back into physical ones with the statistics of the store they come from,
augmented there, and standardised with the statistics that the run was trained with. So a model
sees the same whichever store its windows are read from.

Legend: B windows, T time, C channels or features, P bipolar pairs, H image rows (frequency), W
image columns (time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hmsstore import Store
from hmsstore.montage import SWAPPED_CHANNELS, SWAPPED_FEATURES
from hmsstore.schema import EEG, SPECTROGRAM
from hmstrain.config import Config
from hmstrain.data.augment import Draws, add_noise, blank_stripes, choose, mixed
from hmstrain.data.eeg import IMAGE_ROWS, bipolar, eeg_image, image_frames, raw_input
from hmstrain.errors import DataError, RunError
from hmstrain.seeds import Stream, generator

FULL_IMAGE = (len(SPECTROGRAM.features), SPECTROGRAM.window_rows)
"""Height and width of a whole spectrogram as an image: 400 frequencies, 300 rows in time."""
CLEANING = ("nan", "eeg_clip", "ekg_clip", "spectrogram_clip", "bandpass")
"""Parameters of a store that decide what its physical values mean."""
MEASURED = 512
"""Windows that the standardisation of the EEG's image is measured on."""
SMALLEST_DEVIATION = 1e-3
"""What a nearly constant image is divided by when it is standardised by itself."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a run standardises its inputs with, and how its store was cleaned."""

    spectrogram_mean: tuple[float, ...]
    spectrogram_std: tuple[float, ...]
    image_mean: tuple[float, ...]
    """Of each row of the EEG's image; empty where the run uses none."""
    image_std: tuple[float, ...]
    cleaning: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "spectrogram_mean": list(self.spectrogram_mean),
            "spectrogram_std": list(self.spectrogram_std),
            "image_mean": list(self.image_mean),
            "image_std": list(self.image_std),
            "cleaning": self.cleaning,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Normalisation:
        """From what `to_json` gave.

        Raises
        ------
        RunError
            It is something else.
        """
        try:
            lists = {key: tuple(values) for key, values in value.items() if key != "cleaning"}
            return cls(**lists, cleaning=value["cleaning"])
        except (KeyError, TypeError, AttributeError):
            raise RunError("The checkpoint's normalisation is damaged.") from None


def signals(config: Config) -> tuple[str, ...]:
    """Names of the signals that a run reads, in the store's words."""
    words = {"spec": "spectrogram", "eeg": "eeg"}
    return tuple(words[word] for word in config.inputs.split("+"))


def check_cleaning(normalisation: Normalisation, store: Store) -> None:
    """Refuse a store whose physical values do not mean the same as those trained on.

    Raises
    ------
    DataError
        Naming each parameter that differs.
    """
    ours, theirs = normalisation.cleaning, cleaning(store)
    different = [
        f"{name} {theirs[name]} (trained with {ours[name]})"
        for name in CLEANING
        if theirs[name] != ours[name]
    ]
    if different:
        raise DataError(
            f"{store.path} was cleaned in another way than what this run was trained on: "
            f"{', '.join(different)}. Build a store with the run's parameters."
        )


def cleaning(store: Store) -> dict[str, Any]:
    """How a store was cleaned; windows that were dropped are filled like 'zero'."""
    chosen = {name: store.info["parameters"][name] for name in CLEANING}
    return chosen | {"nan": "zero" if chosen["nan"] == "drop" else chosen["nan"]}


def physical_scale(store: Store, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and deviation that turn a store's values back into physical ones."""
    statistics = store.info["statistics"][name]
    mean = np.asarray(statistics["mean"], np.float32)
    std = np.asarray(statistics["std"], np.float32)
    if store.info["parameters"]["normalise"] == "zscore":
        return mean, std
    return np.zeros_like(mean), np.ones_like(std)


class NetworkInputs:
    """Turns stored batches of one store into a run's inputs; `mirror`: left and right exchanged."""

    def __init__(
        self,
        config: Config,
        normalisation: Normalisation,
        store: Store,
        device: torch.device,
        *,
        mirror: bool = False,
    ) -> None:
        self.config = config
        self.device = device
        self.mirror = mirror
        self.eeg_scale = self._scale(*physical_scale(store, "eeg"))
        self.spectrogram_scale = self._scale(*physical_scale(store, "spectrogram"))
        self.run_scale = self._scale(normalisation.spectrogram_mean, normalisation.spectrogram_std)
        self.image_scale = self._scale(normalisation.image_mean, normalisation.image_std)
        self.swapped_channels = torch.tensor(SWAPPED_CHANNELS, device=device)
        self.swapped_features = torch.tensor(SWAPPED_FEATURES, device=device)

    def __call__(self, batch: Mapping[str, Tensor], draws: Draws | None) -> dict[str, Tensor]:
        """Prepare a batch.

        Parameters
        ----------
        batch : dict of float16 tensors on the device
            'eeg' (B, 10000, 20) and 'spectrogram' (B, 300, 400), whichever the run reads.
        draws : Draws, optional
            Augmentation; none for evaluation.

        Returns
        -------
        dict of float32 tensors
            As far as the run uses them: 'spectrogram_BHW' (B, 400, rows) standardised;
            'eeg_image_BHW' (B, 300, frames) standardised; 'eeg_raw_BPT' (B, 18, T);
            'eeg_uv_BTC' (B, T, 20), for networks of one's own.
        """
        prepared: dict[str, Tensor] = {}
        if "spectrogram" in batch:
            prepared["spectrogram_BHW"] = self.spectrogram(batch["spectrogram"], draws)
        if "eeg" in batch:
            eeg_uv_BTC = self.eeg_uv(batch["eeg"], draws)
            if ":" in self.config.model:
                prepared["eeg_uv_BTC"] = eeg_uv_BTC
            elif self.config.raw_eeg:
                raw = raw_input(bipolar(eeg_uv_BTC))
                if draws is not None:
                    raw = add_noise(raw * draws.kept_BP[..., None], draws, 0)
                prepared["eeg_raw_BPT"] = raw
            else:
                kept = None if draws is None else draws.kept_BP
                mean, std = self.image_scale
                image = (eeg_image(bipolar(eeg_uv_BTC), kept) - mean[:, None]) / std[:, None]
                prepared["eeg_image_BHW"] = self._finished(image, draws, 0)
        if draws is not None:
            prepared = {name: mixed(value, draws) for name, value in prepared.items()}
        return prepared

    def eeg_uv(self, stored_BTC: Tensor, draws: Draws | None) -> Tensor:
        """Referential EEG in microvolts, its central part, turned round as drawn."""
        used = round(self.config.eeg_seconds * EEG.row_rate_hz)
        first = (stored_BTC.shape[1] - used) // 2
        mean, std = self.eeg_scale
        eeg_uv_BTC = stored_BTC[:, first : first + used].float() * std + mean
        if self.mirror:
            eeg_uv_BTC = eeg_uv_BTC.index_select(2, self.swapped_channels)
        if draws is None:
            return eeg_uv_BTC
        if self.config.swap:
            swapped = eeg_uv_BTC.index_select(2, self.swapped_channels)
            eeg_uv_BTC = choose(draws.swap_B, swapped, eeg_uv_BTC)
        return choose(draws.flip_B, eeg_uv_BTC.flip(1), eeg_uv_BTC)

    def spectrogram(self, stored_BTC: Tensor, draws: Draws | None) -> Tensor:
        """Spectrogram as a standardised image, float32 (B, 400, rows)."""
        first, stop = self.config.spectrogram_rows
        mean, std = self.spectrogram_scale
        power_BTC = stored_BTC[:, first:stop].float() * std + mean
        if self.mirror:
            power_BTC = power_BTC.index_select(2, self.swapped_features)
        if draws is not None:
            if self.config.swap:
                swapped = power_BTC.index_select(2, self.swapped_features)
                power_BTC = choose(draws.swap_B, swapped, power_BTC)
            power_BTC = choose(draws.flip_B, power_BTC.flip(1), power_BTC)
        mean, std = self.run_scale
        return self._finished(((power_BTC - mean) / std).transpose(1, 2), draws, 1)

    def _finished(self, image_BHW: Tensor, draws: Draws | None, stream: int) -> Tensor:
        """Take each image's own level and contrast off if asked, blank stripes, add noise."""
        if self.config.standardise == "window":
            centred = image_BHW - image_BHW.mean((1, 2), keepdim=True)
            deviation = centred.square().mean((1, 2), keepdim=True).sqrt()
            image_BHW = centred / deviation.clamp_min(SMALLEST_DEVIATION)
        if draws is None:
            return image_BHW
        if self.config.mask:
            image_BHW = blank_stripes(image_BHW, draws.stripes)
        return add_noise(image_BHW, draws, stream)

    def _scale(self, mean: Any, std: Any) -> tuple[Tensor, Tensor]:
        mean, std = (
            torch.tensor(np.asarray(x, np.float32), device=self.device) for x in (mean, std)
        )
        return mean, std


def measure_normalisation(
    config: Config, store: Store, rows: NDArray[np.int64], device: torch.device
) -> Normalisation:
    """Collect what a run standardises with: the store's statistics, and those of the EEG's image.

    Parameters
    ----------
    rows : int64 (N,)
        Training windows; up to 512 of them, drawn by the seed, are measured.
    """
    statistics = store.info["statistics"]["spectrogram"]
    known = Normalisation(
        tuple(statistics["mean"]), tuple(statistics["std"]), (), (), cleaning(store)
    )
    if "eeg" not in signals(config) or config.raw_eeg or ":" in config.model:
        return known
    drawn = generator(config.seed, Stream.NORMALISATION).permutation(rows)[:MEASURED]
    prepare = NetworkInputs(config, known, store, device)
    total = torch.zeros(2, IMAGE_ROWS, dtype=torch.float64)
    for first in range(0, len(drawn), 16):
        stored = store.gather(drawn[first : first + 16], "eeg")["eeg"]
        image = eeg_image(bipolar(prepare.eeg_uv(torch.from_numpy(stored).to(device), None)))
        total += torch.stack([image.mean(2).sum(0), image.square().mean(2).sum(0)]).cpu().double()
    mean, square = total / len(drawn)
    std = (square - mean.square()).clamp_min(1e-6).sqrt()
    return Normalisation(
        known.spectrogram_mean,
        known.spectrogram_std,
        tuple(mean.tolist()),
        tuple(std.tolist()),
        known.cleaning,
    )


def image_BCHW(image_BHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Three equal copies of a mono image, resized (bilinear, anti-aliased) where it must be."""
    image = image_BHW[:, None]
    if tuple(image.shape[-2:]) != size:
        image = functional.interpolate(
            image, size=size, mode="bilinear", align_corners=False, antialias=True
        )
    return image.expand(-1, 3, -1, -1)


def image_shape(config: Config, name: str) -> tuple[int, int]:
    """Height and width of a run's image of a signal, before anything is resized for a model."""
    if name == "spectrogram":
        first, stop = config.spectrogram_rows
        return FULL_IMAGE[0], stop - first
    return IMAGE_ROWS, image_frames(round(config.eeg_seconds * EEG.row_rate_hz))
