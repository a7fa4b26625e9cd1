"""A batch as stored -> what the network takes, on its device: `NetworkInputs.__call__`.

Stored values are turned back into physical ones with the statistics of the store they come from,
augmented there, and standardised with the statistics that the run was trained with. So a model
sees the same whichever store its windows are read from.

Legend: B windows, T time, C channels or features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import Store
from hmstrain.data.augment import Drawn, Draws, add_noise, blank_boxes, mixed
from hmstrain.data.inputs import INPUTS, Input, Scale, Windows, make_inputs
from hmstrain.data.inputs.image import finish
from hmstrain.data.inputs.physical import Physical, on_device
from hmstrain.errors import DataError, RunError

if TYPE_CHECKING:
    from hmstrain.config import Config

Generate = Callable[[Tensor, Tensor], Tensor]
CLEANING = ("nan", "eeg_clip", "ekg_clip", "spectrogram_clip", "bandpass")
"""Parameters of a store that decide what its physical values mean."""
NOISE_STREAMS = {"eeg": 0, "spectrogram": 1}
"""What tells the noise on one signal from that on the other."""
OLD_SCALES = {"spec": "spectrogram", "eeg-image": "image"}
"""Inputs that checkpoints of before there were others hold, as NAME_mean and NAME_std."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a run standardises its inputs with, and how its store was cleaned."""

    scales: dict[str, Scale]
    """By input; those that are not in it are not standardised."""
    cleaning: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        scales = {name: scale._asdict() for name, scale in self.scales.items()}
        return {"scales": scales, "cleaning": self.cleaning}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Normalisation:
        """From what `to_json` gave, or what it gave when there were two inputs.

        Raises
        ------
        RunError
            It is something else.
        """
        try:
            scales = value.get("scales") or {
                name: {part: value[f"{old}_{part}"] for part in Scale._fields}
                for name, old in OLD_SCALES.items()
                if value.get(f"{old}_mean")
            }
            return cls(
                {
                    name: Scale(tuple(scale["mean"]), tuple(scale["std"]))
                    for name, scale in scales.items()
                },
                value["cleaning"],
            )
        except (KeyError, TypeError, AttributeError):
            raise RunError("The checkpoint's normalisation is damaged.") from None


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
            f"{store.path} was cleaned differently from the store that this run was trained on: "
            f"{', '.join(different)}. Build a store with the run's parameters."
        )


def cleaning(store: Store) -> dict[str, Any]:
    """How a store was cleaned; windows that were dropped are filled like 'zero'."""
    chosen = {name: store.info["parameters"][name] for name in CLEANING}
    return chosen | {"nan": "zero" if chosen["nan"] == "drop" else chosen["nan"]}


class NetworkInputs:
    """Turns stored batches of one store into a run's inputs.

    Parameters
    ----------
    mirror, reverse : bool
        Exchange left and right, reverse time, in all windows.
    rows : int64 (N,), optional
        Windows of the store that will be asked for, if not all.
    generate : callable, optional
        Draws standardised images of the run's only input, for shares of votes (N, K) and seeds,
        int64 (N,); needed where the draws have such windows.
    """

    def __init__(
        self,
        config: Config,
        normalisation: Normalisation,
        store: Store,
        device: torch.device,
        *,
        mirror: bool = False,
        reverse: bool = False,
        rows: NDArray[np.int64] | None = None,
        generate: Generate | None = None,
    ) -> None:
        self.generate = generate
        self.physical = Physical(config, store, device, mirror=mirror, reverse=reverse, rows=rows)
        self.inputs = make_inputs(config)
        self.scales = {
            name: on_device(*normalisation.scales[name], device)
            for name in self.inputs
            if name in normalisation.scales
        }

    def __call__(self, batch: Mapping[str, Tensor], draws: Draws | None) -> dict[str, Tensor]:
        """Prepare a batch.

        Parameters
        ----------
        batch : dict of float16 tensors on the device
            'eeg' (B, 10000, 20) and 'spectrogram' (B, 300, 400), whichever the run reads; with the
            observed runs, int64 (B, 2), of windows that were not recorded from end to end, and the
            labels' centres, int64 (B,), of windows that were shifted.
        draws : Draws, optional
            Augmentation; none for evaluation.

        Returns
        -------
        dict of float32 tensors
            What each input of the run makes of them, under its key.
        """
        signals = dict.fromkeys(one for name in self.inputs for one in INPUTS[name].signals)
        windows = self.physical.windows(batch, draws, signals)
        return {
            one.key: self._prepared(name, one, windows, draws) for name, one in self.inputs.items()
        }

    def _prepared(self, name: str, one: Input, windows: Windows, draws: Draws | None) -> Tensor:
        """One input, standardised, augmented and mixed."""
        kind = INPUTS[name]
        values = one(windows, draws)
        if name in self.scales:
            values = one.standardised(values, *self.scales[name])
        seen_BHW = one.seen(windows)
        if draws is not None and draws.generated is not None:
            values, seen_BHW = self._generated(values, seen_BHW, draws.generated)
        if kind.layout == "image":
            values = finish(values, one.config, draws, seen_BHW)
        if draws is None:
            return one.complete(values, None)
        if kind.layout == "image" and draws.boxes is not None:
            boxes = draws.boxes[:, list(self.inputs).index(name)]
            halves = values.split(one.widths or values.shape[-1], dim=-1)
            blanked = [blank_boxes(half, boxes[:, place]) for place, half in enumerate(halves)]
            values = torch.cat(blanked, dim=-1)
        if kind.layout != "microvolts":  # whose unit is not its own deviation
            values = add_noise(values, draws, NOISE_STREAMS[kind.signals[0]])
        return mixed(one.complete(values, draws), draws)

    def _generated(
        self, image: Tensor, seen_BHW: Tensor | None, drawn: Drawn
    ) -> tuple[Tensor, Tensor | None]:
        """Draw some of the images anew, of which all is seen."""
        assert self.generate is not None
        new = self.generate(drawn.target_BK[drawn.chosen_B], drawn.seed_B[drawn.chosen_B])
        image = image.index_put((drawn.chosen_B,), new.to(image))
        if seen_BHW is not None:
            seen_BHW = seen_BHW | drawn.chosen_B[:, None, None]
        return image, seen_BHW


def measure_normalisation(
    config: Config, store: Store, rows: NDArray[np.int64], device: torch.device
) -> Normalisation:
    """Collect what a run standardises its inputs with.

    Parameters
    ----------
    rows : int64 (N,)
        Training windows.
    """
    physical = Physical(config, store, device)
    measured = {name: one.measure(physical, rows) for name, one in make_inputs(config).items()}
    scales = {name: scale for name, scale in measured.items() if scale is not None}
    return Normalisation(scales, cleaning(store))
