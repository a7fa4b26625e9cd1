"""What the user chose -> one checked, frozen value that every stage of the build reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import exp
from typing import Any, get_args

from hmsprep.planning import checks
from hmsprep.planning.choices import (
    EEG_CLIP_UV,
    EKG_CLIP_UV,
    LOWEST_HZ,
    Balance,
    Fill,
    Normalise,
    SplitBy,
    Windows,
)
from hmsstore.spec import HMS, Spec

SPECTROGRAM_CLIP = exp(-4), exp(8)
"""Range of power in uV^2/Hz that medal teams of the competition kept."""
HALF_MAX = 65_504.0
"""Largest finite half-precision number: what cannot be clipped lower saturates here."""
LOG_FLOOR = 0.005
"""Power below which the logarithm is not taken where no clip is set: half the files' 0.01 grid."""
WORDS: dict[str, tuple[str, ...]] = {
    "windows": get_args(Windows),
    "balance": get_args(Balance),
    "nan": get_args(Fill),
    "normalise": get_args(Normalise),
    "split_by": get_args(SplitBy),
}
"""Options that take one of some words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """Everything that decides the content of a store besides the data themselves.

    Raises
    ------
    ParameterError
        A value is outside its range; the message names the option.
    """

    windows: Windows = "all"
    """Every labelled window, the most typical one per (EEG, votes), or the middle one per EEG."""
    balance: Balance = "none"
    """'votes' thins the windows until the classes carry equal vote mass."""
    half: bool = False
    """Keep exactly half of the windows, whole recordings as far as possible."""
    nan: Fill = "zero"
    """What stands in for missing values."""
    eeg_clip: float | None = EEG_CLIP_UV
    """EEG is clipped to this many microvolts either way."""
    ekg_clip: float | None = EKG_CLIP_UV
    """The EKG channel is clipped to this many microvolts either way."""
    spectrogram_clip: tuple[float, float] | None = SPECTROGRAM_CLIP
    """Range of the power, in uV^2/Hz, before its natural logarithm is taken."""
    bandpass: tuple[float, float] | None = None
    """Edges in Hz of a zero-phase band-pass over the whole EEG recording."""
    normalise: Normalise = "zscore"
    """'zscore' by the training recordings' mean and deviation per feature."""
    split_by: SplitBy = "patient"
    """Whole patients to test, single windows at random (leaks), or all windows to test."""
    seed: int = 42
    """Seed of every random choice."""
    eeg_shard_rows: int = HMS.eeg.shard_rows
    """Rows of one file of /eeg."""
    spectrogram_shard_rows: int = HMS.spectrogram.shard_rows
    """Rows of one file of /spectrogram."""
    spec: Spec = HMS
    """What the data consist of: their classes, channels and rates."""

    def __post_init__(self) -> None:
        for name, words in WORDS.items():
            checks.word(name, getattr(self, name), words)
        checks.truth(half=self.half)
        for name in ("eeg_clip", "ekg_clip"):
            limit = getattr(self, name)
            if limit is not None and not (checks.is_number(limit) and 0 < limit <= HALF_MAX):
                expected = f"none, or microvolts above 0 and up to {HALF_MAX:,.0f}"
                checks.refuse(name, expected, limit)
        if self.spectrogram_clip is not None:
            low, high = checks.pair(self.spectrogram_clip)
            if not 1e-30 <= low < high <= 1e30:
                expected = "none, or two powers LOW < HIGH (1e-30 to 1e30)"
                checks.refuse("spectrogram_clip", expected, self.spectrogram_clip)
        if self.bandpass is not None:
            low, high = checks.pair(self.bandpass)
            if not LOWEST_HZ <= low < high < self.spec.eeg.row_rate_hz / 2:
                nyquist = f"{self.spec.eeg.row_rate_hz / 2:g}"
                expected = f"none, or Hz with {LOWEST_HZ:g} <= LOW < HIGH < {nyquist}"
                checks.refuse("bandpass", expected, self.bandpass)
        for signal in self.spec.signals.values():
            rows, window = self.shard_rows(signal.name), signal.window_rows
            if rows % window or rows < 2 * window:
                checks.refuse(
                    f"{signal.name}_shard_rows",
                    f"a multiple of {window}, at least {2 * window}",
                    rows,
                )
        expected = "a whole number from 0 to 2^32 - 1"
        seed = checks.whole("seed", self.seed, 0, 2**32 - 1, expected)
        object.__setattr__(self, "seed", seed)
        for name in ("eeg_clip", "ekg_clip", "spectrogram_clip", "bandpass"):
            object.__setattr__(self, name, _as_floats(getattr(self, name)))

    def shard_rows(self, signal: str) -> int:
        """Rows of one shard of a signal."""
        return self.eeg_shard_rows if signal == "eeg" else self.spectrogram_shard_rows

    @property
    def single_pass(self) -> bool:
        """Whether no stored value depends on the statistics of the training recordings."""
        return self.normalise == "none" and self.nan != "mean"

    def to_json(self) -> dict[str, Any]:
        """As a JSON value, for the store's attributes; `spec` stands apart."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "spec"}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], spec: Spec) -> Parameters:
        """Read back what `to_json` wrote."""
        found: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
        }
        return cls(**found, spec=spec)

    def changed(self) -> dict[str, Any]:
        """Those that differ from their defaults, for the plan's hash.

        So an option that a later version adds does not make another plan of an earlier one.
        """
        usual = type(self)().to_json()
        return {key: value for key, value in self.to_json().items() if value != usual[key]}


def _as_floats(value: Any) -> Any:
    """A number or a pair as floats, since JSON, and so the plan's hash, tells 40 from 40.0."""
    if value is None:
        return None
    return float(value) if checks.is_number(value) else tuple(map(float, value))
