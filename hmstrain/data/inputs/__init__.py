"""What networks can see of a window, by name: one line each in `INPUTS`.

::

    stretch.py      a window as stored -> the same, faster or slower, around its label
    physical.py     a signal as stored -> in physical units
    image.py        what inputs that are images have in common
    pair_image.py   what images with a panel for each bipolar pair have in common
    spectrogram.py  spec: the competition's spectrogram as an image
    eeg_image.py    eeg-image: short-time spectra of the EEG's four chains as an image
    mel.py          mel16, mel16-zoom: mel power of 16 pairs; with a zoom at the judged seconds
    stft.py         stft-50-30-10 and its parts: spectra of 18 pairs, of several lengths of EEG
    raw_image.py    raw-image and its parts: the samples of 18 pairs as pixels
    side_by_side.py side-by-side: the image of the EEG's chains and the spectrogram in one
    raw_eeg.py      raw: the bipolar EEG itself, for 1-D encoders
    microvolts.py   microvolts: the referential EEG, for a network of your own
    prepare.py      a batch as stored -> what a network takes

To add an input, write a file with a class that inherits `Input`, or `image.ImageInput`, and does
what it says, and add a line to `INPUTS`.
Nothing here imports PyTorch before an input is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from hmstrain.config import Config
    from hmstrain.data.augment import Draws
    from hmstrain.data.inputs.physical import Physical


@dataclass(frozen=True, slots=True)
class InputKind:
    """What is known of an input before it is made."""

    signal: str
    """Of the store: 'eeg', 'spectrogram', or both, joined by +."""
    layout: str
    """What a model must take: 'image' (B, H, W) or (B, planes, H, W), 'raw' (B, P, T),
    'microvolts' (B, T, C)."""
    made_by: str
    """The class, 'module:Class'."""
    seconds: float = 0.0
    """Of EEG that it takes at least."""
    by_pair: bool = False
    """Whether it has a panel for each bipolar pair, of which `planes` makes differences."""
    zooms: bool = False
    """Whether it shows a part of the EEG at closer range."""
    referential: bool = False
    """Whether it needs electrodes that share a reference; else differences along chains will do."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that it is made of."""
        return tuple(self.signal.split("+"))


def _of_pairs(made_by: str, seconds: float, *, zooms: bool = True) -> InputKind:
    """Make the line of an image with a panel for each bipolar pair."""
    made_by = f"hmstrain.data.inputs.{made_by}"
    return InputKind("eeg", "image", made_by, seconds, by_pair=True, zooms=zooms)


INPUTS: dict[str, InputKind] = {
    "spec": InputKind("spectrogram", "image", "hmstrain.data.inputs.spectrogram:SpectrogramImage"),
    "eeg-image": InputKind("eeg", "image", "hmstrain.data.inputs.eeg_image:EegImage"),
    "mel16": _of_pairs("mel:MelImage", 2, zooms=False),
    "mel16-zoom": _of_pairs("mel:MelZoomImage", 12),
    "stft-50-30-10": _of_pairs("stft:Stft503010", 50),
    "stft-50-10": _of_pairs("stft:Stft5010", 50),
    "stft-30-10": _of_pairs("stft:Stft3010", 30),
    "stft-50": _of_pairs("stft:Stft50", 50, zooms=False),
    "stft-30": _of_pairs("stft:Stft30", 30),
    "raw-image": _of_pairs("raw_image:RawImage", 50),
    "raw-image-50-10": _of_pairs("raw_image:RawImage5010", 50),
    "raw-image-50": _of_pairs("raw_image:RawImage50", 50, zooms=False),
    "side-by-side": InputKind(
        "eeg+spectrogram", "image", "hmstrain.data.inputs.side_by_side:SideBySide"
    ),
    "raw": InputKind("eeg", "raw", "hmstrain.data.inputs.raw_eeg:RawEeg"),
    "microvolts": InputKind(
        "eeg", "microvolts", "hmstrain.data.inputs.microvolts:Microvolts", referential=True
    ),
}
"""Inputs by name, as `--inputs` takes them."""


class Scale(NamedTuple):
    """What an input is standardised with: values less `mean`, over `std`, of each of its rows."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Windows(NamedTuple):
    """Windows of a batch in physical units, turned as drawn: of each, the part that a run uses."""

    signals: Mapping[str, Tensor]
    """'eeg', float32 (B, T, 20) in microvolts, and 'spectrogram', float32 (B, rows, 400) in log
    power: those that the run reads."""
    runs: Mapping[str, Tensor | None]
    """By signal, int64 (B, 2): first row of the observed run and the one after its last. None: all
    was observed, or is taken as it is stored."""
    centre_B: Tensor
    """int64: sample of the EEG that inputs which show a part of it at closer range have in their
    middle: that of the judged seconds, moved as drawn, if that was observed; else the nearest one
    that was."""
    apart: int = 0
    """Samples from the start of each window's EEG to that of the next, in the same EEG: what two of
    them have in common can be computed once. 0: they do not follow each other so."""


class Overlay(NamedTuple):
    """A map of importance, laid out over a window as it is drawn."""

    traces: dict[str, NDArray[np.float32]]
    """Sums over time by the name of a trace, such as 'Fp1-F7', or of a whole chain, 'LL': all of
    the map's values, each once, so that those of several inputs add up."""
    spectrogram: NDArray[np.float32] | None
    """Values (400, rows) over the spectrogram."""


class Input(Protocol):
    """One input of a run, made by `Class(config)`."""

    config: Config
    key: str
    """Name of what the network is given, with its axes: 'spectrogram_BHW'."""
    argument: str
    """Name of that argument in a network of one's own: 'image_BCHW'."""
    grid: tuple[int | None, int]
    """Rows and columns of parts that a map of it is taken apart into; None: trace by trace."""
    planes: int = 1
    """Different planes that an image consists of."""
    signals: tuple[str, ...] = ("eeg",)
    """What it is made of, as its line in `INPUTS` says."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of one window's as a network sees it, without batch and planes."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the halves of an image that shows two signals beside each other; (): one."""
        return ()

    def measure(self, physical: Physical, rows: NDArray[np.int64], /) -> Scale | None:
        """Measure, on these training rows, what it is standardised with; None: it is not."""

    def __call__(self, windows: Windows, draws: Draws | None, /) -> Tensor:
        """Make it of its signals, not yet standardised; left out is what the draws leave out."""

    def standardised(self, values: Tensor, mean: Tensor, std: Tensor, /) -> Tensor:
        """Take what was measured off, row by row, plane by plane."""
        rows = (*values.shape[1:-1], 1)
        return (values - mean.view(rows)) / std.view(rows)

    def seen(self, _windows: Windows, /) -> Tensor | None:
        """Tell which values of an image are of the observed run: bool (B, H or 1, W); None: all."""
        return None

    def complete(self, values: Tensor, _draws: Draws | None, /) -> Tensor:
        """Do what is left once it is standardised, where 0 is the mean: by default nothing."""
        return values

    def cropped(self, values: Tensor, /) -> Tensor:
        """Take off what `complete` pads it with: by default nothing."""
        return values

    def upright(self, values: Tensor, /) -> Tensor:
        """Turn what the network sees into (B, [planes,] traces or rows, time), and back."""
        return values

    def overlay(self, values: NDArray[np.float32], /) -> Overlay:
        """Lay a map (traces or rows, time) of importance over the window."""

    def of_signals(self, values: NDArray[np.float32], /) -> dict[str, NDArray[np.float32]]:
        """Take a map of importance apart into those of its signals."""
        return {self.signals[0]: values}


def make_input(name: str, config: Config) -> Input:
    """Make one input of a run."""
    module, _, class_ = INPUTS[name].made_by.partition(":")
    made: Any = getattr(import_module(module), class_)(config)
    return made


def make_inputs(config: Config) -> dict[str, Input]:
    """Make the inputs of a run, by name."""
    return {name: make_input(name, config) for name in config.encoders}


def spans(config: Config) -> dict[str, tuple[int, int]]:
    """Tell which part of a window a run looks at, if it reads a signal at all.

    Returns
    -------
    dict of (int, int)
        By signal: the first row of its window, and the one after the last. Inputs are made of
        these rows and nothing else.
    """
    from hmsstore import HMS  # brings NumPy, which `--help` does without
    from hmsstore.reading.observed import judged_rows
    from hmsstore.schema import EEG

    if config.features_span == "judged":
        return {name: judged_rows(HMS, name) for name in ("eeg", "spectrogram")}
    used = round(config.eeg_seconds * EEG.row_rate_hz)
    first = (EEG.window_rows - used) // 2
    return {"eeg": (first, first + used), "spectrogram": config.spectrogram_rows}


def signal_names(config: Config) -> tuple[str, ...]:
    """Names of the signals that a run reads, in the store's words."""
    return tuple(dict.fromkeys(one for name in config.encoders for one in INPUTS[name].signals))
