"""What people do today with the competition's files.

Both cut, fill, clip and take the logarithm as `hmsprep build` does by default; neither normalises,
checks, deduplicates or seals. Each returns how many windows it wrote.
"""

from __future__ import annotations

import os
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from hmsprep.planning.parameters import Parameters
from hmsprep.processes import own_processes
from hmsstore.schema import EEG, SPECTROGRAM

DEFAULT = Parameters()
EEG_LIMITS = np.float32(
    [DEFAULT.ekg_clip if channel == "EKG" else DEFAULT.eeg_clip for channel in EEG.features]
)


def filled(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 in place of what is not finite."""
    return np.where(np.isfinite(window), window, np.float32(0))


def eeg_values(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill and clip EEG in microvolts, (rows, 20)."""
    return np.clip(filled(window), -EEG_LIMITS, EEG_LIMITS)


def spectrogram_values(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill, clip and logarithm of a spectrogram in uV^2/Hz, (rows, 400)."""
    assert DEFAULT.spectrogram_clip is not None
    low, high = map(np.float32, DEFAULT.spectrogram_clip)
    return np.log(np.clip(filled(window), low, high))


def report_way(data: Path, out: Path, windows: int) -> int:
    """pandas, both files read again for every row of the table, float32, two pickles.

    The rows come in random order, as they do once they are split by class or shuffled.
    """
    table = pd.read_csv(data / "train.csv").sample(frac=1, random_state=0).head(windows)
    eegs: dict[int, Any] = {}
    spectrograms: dict[int, Any] = {}
    for row in table.itertuples():
        frame = pd.read_parquet(data / "train_eegs" / f"{row.eeg_id}.parquet")
        first = EEG.row_at(row.eeg_label_offset_seconds)
        window = frame.iloc[first : first + EEG.window_rows].to_numpy(np.float32)
        eegs[row.label_id] = eeg_values(window)
        frame = pd.read_parquet(data / "train_spectrograms" / f"{row.spectrogram_id}.parquet")
        first = SPECTROGRAM.row_at(row.spectrogram_label_offset_seconds)
        window = frame.iloc[first : first + SPECTROGRAM.window_rows, 1:].to_numpy(np.float32)
        spectrograms[row.label_id] = spectrogram_values(window)
    for name, content in (("eegs", eegs), ("spectrograms", spectrograms)):
        with (out / f"{name}.pkl").open("wb") as file:
            pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)
    return len(table)


def npy_way(data: Path, out: Path) -> int:
    """Each recording decoded once by polars on all processors, a float16 .npy file per window."""
    rows = pl.read_csv(data / "train.csv")
    jobs = []
    for name, folder in (("eeg", "train_eegs"), ("spectrogram", "train_spectrograms")):
        columns = rows.select(f"{name}_id", f"{name}_label_offset_seconds", "label_id")
        for (recording,), part in columns.group_by(f"{name}_id", maintain_order=True):
            file = data / folder / f"{recording}.parquet"
            jobs.append((name, file, part.to_numpy()[:, 1:].tolist()))
    with own_processes(os.cpu_count() or 1) as pool:
        written = sum(pool.map(partial(_cut, out), jobs, chunksize=8))
    assert written == 2 * len(rows)
    return len(rows)


def _cut(out: Path, job: tuple[str, Path, list[tuple[float, float]]]) -> int:
    name, file, windows = job
    signal = EEG if name == "eeg" else SPECTROGRAM
    values = eeg_values if name == "eeg" else spectrogram_values
    frame = pl.read_parquet(file, columns=list(signal.features), use_statistics=False)
    recording = frame.to_numpy()
    for offset, label in windows:
        first = signal.row_at(offset)
        window = values(recording[first : first + signal.window_rows])
        np.save(out / f"{int(label)}-{name}.npy", window.astype(np.float16))
    return len(windows)
