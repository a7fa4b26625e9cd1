"""The words and numbers of the format: classes, channels, regions, rates, signals, columns.

Everything that FORMAT.md states as a table is stated here as code, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

FORMAT_NAME = "hms-eeg-store"
FORMAT_VERSION = 1

CLASSES = ("seizure", "lpd", "gpd", "lrda", "grda", "other")
"""The six patterns, in the order of every array of votes, targets and predictions."""

CLASS_TITLES = ("Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other")
"""The same patterns as clinicians write them (ACNS 2021)."""

SPLITS = ("train", "test", "predict", "dropped")
"""What a window is for. A window's ``split`` is the position of its word here."""

CHANNELS = tuple("Fp1 F3 C3 P3 F7 T3 T5 O1 Fz Cz Pz Fp2 F4 C4 P4 F8 T4 T6 O2 EKG".split())
"""Nineteen electrodes of the 10-20 system and the electrocardiogram, referential."""

REGIONS = ("LL", "RL", "LP", "RP")
"""Left and right lateral (temporal), left and right parasagittal: one chain of electrodes each."""

CHAINS = {
    "LL": ("Fp1", "F7", "T3", "T5", "O1"),
    "RL": ("Fp2", "F8", "T4", "T6", "O2"),
    "LP": ("Fp1", "F3", "C3", "P3", "O1"),
    "RP": ("Fp2", "F4", "C4", "P4", "O2"),
}
"""Longitudinal bipolar ("double banana") chains, front to back: four differences each."""

MIDLINE = ("Fz", "Cz", "Pz")

FREQUENCIES_HZ = tuple(k * 200 / 1024 for k in range(3, 103))
"""Bins 3 to 102 of a 1024-point transform at 200 Hz: 0.59 to 19.92 Hz."""

JUDGED_S = 10.0
"""Raters judged the central ten seconds of the EEG window."""


def frequency_name(frequency_hz: float) -> str:
    """Name a frequency as the competition's files do: two decimals, halves up, no end zeros."""
    return f"{floor(frequency_hz * 100 + 0.5) / 100:g}"


FEATURES = tuple(f"{region}_{frequency_name(f)}" for region in REGIONS for f in FREQUENCIES_HZ)
"""The 400 spectrogram features, region by region, low to high frequency."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One of the two recorded signals, as an array of rows in time by features."""

    name: str
    """Name of its array in the store."""
    features: tuple[str, ...]
    """Names of the columns of the array."""
    dims: tuple[str, str]
    """Names of the two axes."""
    unit: str
    """Unit of the values once denormalised."""
    row_rate_hz: float
    """Rows per second."""
    window_rows: int
    """Rows of one window, and of one inner chunk."""
    shard_rows: int
    """Rows of one shard (one file) by default."""

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.window_rows / self.row_rate_hz

    def row_at(self, offset_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row of a recording at which a window with this offset starts; half rows are floored."""
        return np.floor(np.asarray(offset_s) * self.row_rate_hz + 1e-6).astype(np.int64)


EEG = Signal(
    name="eeg",
    features=CHANNELS,
    dims=("eeg_sample", "channel"),
    unit="uV",
    row_rate_hz=200.0,
    window_rows=10_000,
    shard_rows=1_600_000,
)
SPECTROGRAM = Signal(
    name="spectrogram",
    features=FEATURES,
    dims=("spectrogram_row", "region_frequency"),
    unit="ln(uV^2/Hz)",
    row_rate_hz=0.5,
    window_rows=300,
    shard_rows=79_800,
)
SIGNALS = {signal.name: signal for signal in (EEG, SPECTROGRAM)}
DTYPE = np.dtype("<f2")
"""Both signals are stored as little-endian IEEE half precision."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: an array with one entry (or one row of six) per table row."""

    name: str
    dtype: str
    meaning: str
    per_class: bool = False
    words: tuple[str, ...] = ()
    """What the codes 0, 1, 2 ... stand for, if the column holds codes."""
    absent: float = -1
    """The value that says 'there is none' (also the Zarr fill value)."""


WINDOW_COLUMNS = (
    Column("eeg_id", "<i8", "recording of the EEG"),
    Column("eeg_sub_id", "<i4", "number of the window within its EEG; -1: not given"),
    Column("spectrogram_id", "<i8", "recording of the spectrogram"),
    Column("spectrogram_sub_id", "<i4", "number of the window in its spectrogram; -1: not given"),
    Column("label_id", "<i8", "the data set's own name for the window; -1: not given"),
    Column("patient_id", "<i8", "whose recording it is"),
    Column("eeg_offset_s", "<f8", "start of the EEG window in its recording, seconds"),
    Column("spectrogram_offset_s", "<f8", "start of the spectrogram window, seconds"),
    Column("eeg_start", "<i8", "first row of the EEG window in /eeg"),
    Column("spectrogram_start", "<i8", "first row of the spectrogram window in /spectrogram"),
    Column("eeg_span_start", "<i8", "first row of /eeg that a shifted window may use"),
    Column("eeg_span_stop", "<i8", "row of /eeg before which a shifted window must end"),
    Column("spectrogram_span_start", "<i8", "first row of /spectrogram that it may use"),
    Column("spectrogram_span_stop", "<i8", "row of /spectrogram before which it must end"),
    Column(
        "votes", "<i4", "raters' votes per class; all 0: not labelled", per_class=True, absent=0
    ),
    Column("target", "<f4", "votes over their sum; NaN: not labelled", True, absent=float("nan")),
    Column("expert_consensus", "|i1", "class with most votes; -1: not labelled", words=CLASSES),
    Column("split", "|i1", "what the window is for", words=SPLITS),
    Column("fold", "|i1", "fold of cross-validation that holds it out; -1: none"),
    Column("eeg_nan_fraction", "<f4", "share of the EEG window's values that were missing"),
    Column("spectrogram_nan_fraction", "<f4", "share of the spectrogram window's missing values"),
)

RECORDING_COLUMNS = (
    Column("id", "<i8", "name of the recording (of its file)"),
    Column("patient_id", "<i8", "whose recording it is"),
    Column("start", "<i8", "first row of the recording's span in the array"),
    Column("rows", "<i8", "rows of the span"),
    Column("source_start", "<i8", "row of the source file at which the span starts"),
)
