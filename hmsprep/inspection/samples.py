"""A survey -> some windows as they stand in the files, gaps and all, ready to be drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.inspection.survey import Survey
from hmsprep.kaggle.recording import decode
from hmsprep.planning.parameters import LOG_FLOOR
from hmsprep.seeds import generator
from hmsstore.schema import CLASSES, SIGNALS
from hmsstore.view import WindowView
from hmsstore.view.window import vote_label

LARGEST = 1e9
"""Values beyond this are not measurements and would swamp the picture: drawn as missing."""


def choose(survey: Survey, gappy: int = 2, seed: int = 42) -> list[int]:
    """Rows to show: one at random of each class, then some with missing values."""
    columns = survey.columns
    usable = np.all([counts >= 0 for counts in survey.missing.values()], axis=0)
    draw = generator(seed, "inspect")
    chosen: list[int] = []
    for code in range(-1, len(CLASSES)):
        rows = np.flatnonzero(usable & (columns["expert_consensus"] == code))
        if len(rows):
            chosen.append(int(draw.choice(rows)))
    gaps = np.flatnonzero(usable & np.any([c > 0 for c in survey.missing.values()], axis=0))
    gaps = gaps[~np.isin(gaps, chosen)]
    if len(gaps):
        chosen += draw.choice(gaps, min(gappy, len(gaps)), replace=False).tolist()
    return chosen


def raw_window(survey: Survey, row: int) -> WindowView:
    """Read one window of a data set, not cleaned; the logarithm of power is taken."""
    values: dict[str, NDArray[np.float32]] = {}
    columns = {name: column[row] for name, column in survey.columns.items()}
    for name, signal in SIGNALS.items():
        file = survey.source.file_name(name, int(columns[f"{name}_id"]))
        raw = decode(survey.source.files.read(file), signal, file)
        first = int(signal.row_at(columns[f"{name}_offset_s"]))
        values[name] = raw[:, first : first + signal.window_rows].T
        values[name][np.abs(values[name]) > LARGEST] = np.nan
    log_power = np.log(np.maximum(values["spectrogram"], np.float32(LOG_FLOOR)))
    eeg, offset_s = columns["eeg_id"], columns["eeg_offset_s"]
    title = (
        f"{vote_label(columns['votes'])}: EEG {eeg} at {offset_s:g} s, spectrogram "
        f"{columns['spectrogram_id']} at {columns['spectrogram_offset_s']:g} s, patient "
        f"{columns['patient_id']}"
    )
    return WindowView(values["eeg"], log_power, columns["votes"], title, title)
