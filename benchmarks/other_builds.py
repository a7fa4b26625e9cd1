"""What people do today with the competition's files, for as many windows as are asked for.

Both cut, fill, clip and take the logarithm as `hmsprep build` does by default; neither normalises,
checks, deduplicates or seals. Each returns how many windows it wrote.
"""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hmsprep.parameters import Parameters
from hmsstore.schema import EEG, SPECTROGRAM

DEFAULT = Parameters()


def eeg_values(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill and clip EEG in microvolts."""
    limit = np.float32(DEFAULT.eeg_clip)
    return np.clip(np.nan_to_num(window, nan=0.0), -limit, limit)


def spectrogram_values(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill, clip and logarithm of a spectrogram in uV^2/Hz."""
    assert DEFAULT.spectrogram_clip is not None
    low, high = map(np.float32, DEFAULT.spectrogram_clip)
    return np.log(np.clip(np.nan_to_num(window, nan=0.0), low, high))


def report_way(data: Path, out: Path, windows: int) -> int:
    """pandas, both files read again for every row of the table, float32, two pickles.

    The rows come in random order, as they do once they are split by class or shuffled.
    """
    import pandas as pd

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


def npy_way(data: Path, out: Path, windows: int) -> int:
    """Each recording decoded once by polars on all processors, a float16 .npy file per window."""
    table = pl.read_csv(data / "train.csv")
    some = table["eeg_id"].unique(maintain_order=True)
    rows = table.filter(pl.col("eeg_id").is_in(some.head(_leading(table, windows)).implode()))
    jobs = []
    for name, folder in (("eeg", "train_eegs"), ("spectrogram", "train_spectrograms")):
        columns = rows.select(f"{name}_id", f"{name}_label_offset_seconds", "label_id")
        for (recording,), part in columns.group_by(f"{name}_id", maintain_order=True):
            file = data / folder / f"{recording}.parquet"
            jobs.append((name, file, part.to_numpy()[:, 1:].tolist()))
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        written = sum(pool.map(partial(_cut, out), jobs, chunksize=8))
    assert written == 2 * len(rows)
    return len(rows)


def _leading(table: pl.DataFrame, windows: int) -> int:
    """How many of the first EEG recordings have about so many windows."""
    counts = table.group_by("eeg_id", maintain_order=True).len()["len"].cum_sum()
    return int((counts < windows).sum()) + 1


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
