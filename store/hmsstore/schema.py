"""The words and columns of the format, and the classes and signals of HMS by short names.

Everything that FORMAT.md states as a table is stated here or in `hmsstore.spec` as code, and
nowhere else. A store at hand says in its own `Store.spec` what it consists of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hmsstore.spec import HMS, HMS_FREQUENCIES_HZ, Spec

FORMAT_NAME = "hms-eeg-store"
FORMAT_VERSION = 1
"""Version of stores of HMS; stores of other data are of version 2."""
READABLE = (1, 2)
"""Versions that this package reads."""

CLASSES = HMS.class_keys
"""The six patterns of HMS, in the order of every array of votes, targets and predictions."""

CLASS_TITLES = HMS.class_titles
"""The same patterns as clinicians write them (ACNS 2021)."""

REFERENCES = ("scalp", "chains")
"""What a recording's electrodes share: one reference; or none, so that only the differences of
neighbours on a chain are known, each chain up to a constant."""

PATIENTS = ("known", "guessed", "unknown")
"""How sure it is whose recordings are whose: if it is not, splits may leak patients."""

SPLITS = ("train", "test", "predict", "dropped")
"""What a window is for. A window's ``split`` is the position of its word here."""

CHANNELS = HMS.eeg.features
"""Nineteen electrodes of the 10-20 system and the electrocardiogram, referential."""

REGIONS = tuple(HMS.chains)
"""Left and right lateral (temporal), left and right parasagittal: one chain of electrodes each."""

CHAINS = HMS.chains
"""Longitudinal bipolar ("double banana") chains, front to back: four differences each."""

MIDLINE = HMS.midline

FREQUENCIES_HZ = HMS_FREQUENCIES_HZ
"""Bins 3 to 102 of a 1024-point transform at 200 Hz: 0.59 to 19.92 Hz."""

JUDGED_S = HMS.judged_s
"""Raters judged the central ten seconds of the EEG window."""

FEATURES = HMS.spectrogram.features
"""The 400 spectrogram features, region by region, low to high frequency."""

EEG, SPECTROGRAM = HMS.eeg, HMS.spectrogram
SIGNALS = HMS.signals
DTYPE = np.dtype("<f2")
"""Both signals are stored as little-endian IEEE half precision."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: an array with one entry per table row, or one for each class."""

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

"""The columns of the table of windows of HMS; `window_columns` gives those of other data."""


def window_columns(spec: Spec) -> tuple[Column, ...]:
    """Describe the columns of the table of windows: the consensus codes this data's classes."""
    return tuple(
        replace(column, words=spec.class_keys) if column.name == "expert_consensus" else column
        for column in WINDOW_COLUMNS
    )


RECORDING_COLUMNS = (
    Column("id", "<i8", "name of the recording (of its file)"),
    Column("patient_id", "<i8", "whose recording it is"),
    Column("start", "<i8", "first row of the recording's span in the array"),
    Column("rows", "<i8", "rows of the span"),
    Column("source_start", "<i8", "row of the source file at which the span starts"),
)

MONTAGE_COLUMNS = (
    Column("reference", "|i1", "what the recording's electrodes share", words=REFERENCES, absent=0),
    Column(
        "interpolated", "<i8", "bit n is 1: column n was computed from other electrodes", absent=0
    ),
)
"""Columns that the table of recordings of EEG has besides, where not all recordings have a common
reference and measured electrodes; without them all have."""

GAP_COLUMNS = (
    Column("recording", "<i8", "name of the recording (of its file)"),
    Column("feature", "<i2", "column of the array that was missing; -1: all of them"),
    Column("start", "<i8", "first row of the gap in the array"),
    Column("rows", "<i8", "rows of the gap"),
)
