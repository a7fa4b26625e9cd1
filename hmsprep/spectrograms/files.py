"""EEG files -> spectrogram files in the competition's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hmsprep.errors import DataError, ParameterError
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.write import write_spectrogram
from hmsprep.spectrograms.multitaper import STEP_SAMPLES, WINDOW_SAMPLES, spectrogram
from hmsstore.atomic import whole_file
from hmsstore.schema import EEG, FEATURES, SPECTROGRAM

AROUND_S = (SPECTROGRAM.window_s - EEG.window_s) / 2
"""A window's spectrogram begins so long before its EEG: 275 s."""
FIRST_ROW = 138
"""Row of the spectrogram whose 4 s are the first of the EEG: centred 277 s after its start."""


def matching_spectrogram(
    eeg_uv_TC: NDArray[np.floating],
    before: int = 0,
    after: int = 0,
    *,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Compute the spectrogram file that matches an EEG file: the same offsets fit both.

    Parameters
    ----------
    eeg_uv_TC : float (T, 20)
        Microvolts at 200 Hz, NaN where nothing was recorded.
    before, after : int
        Number of samples at either end that are not part of the file, but were recorded around
        it; `before` is a multiple of 400.
    threads : int, optional
        As `spectrogram` takes them.

    Returns
    -------
    float32 (rows, 400)
        uV^2/Hz; it begins 275 s before the EEG and ends 275 s after it. A region is NaN in a row
        unless its electrodes were recorded in all of its 4 s.
    """
    seconds = (len(eeg_uv_TC) - before - after) / EEG.row_rate_hz
    rows = int((seconds + 2 * AROUND_S) * SPECTROGRAM.row_rate_hz)
    whole = np.full((rows, len(FEATURES)), np.nan, np.float32)
    known = spectrogram(eeg_uv_TC, threads=threads)
    first = FIRST_ROW - before // STEP_SAMPLES
    whole[first : first + len(known)] = known
    return whole


def spectrogram_file(
    eeg: str | Path, out: str | Path, *, edges: bool = False, force: bool = False
) -> int:
    """Write the spectrogram of an EEG file.

    Parameters
    ----------
    eeg : str or Path
        EEG file: parquet in the competition's layout.
    out : str or Path
        Spectrogram file to write, in the competition's layout.
    edges : bool
        False: the file that belongs to the EEG file (see `matching_spectrogram`). True: rows from
        the EEG's first second to its last, the outermost reaching 1 s beyond it.
    force : bool
        Replace an existing file.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    DataError
        The EEG file is not as the competition's, or too short for a row.
    ParameterError
        The file exists already, or is the EEG file, or there is no folder to write it in.

    Examples
    --------
    >>> hmsprep.spectrogram_file("train_eegs/1000.parquet", "1000.parquet")
    305
    """
    eeg, out = Path(eeg), Path(out)
    if out.suffix != ".parquet":
        raise ParameterError(f"{out}: expected a name that ends in .parquet.")
    if out.exists() and eeg.exists() and out.samefile(eeg):
        raise ParameterError(f"{out} is the EEG file itself: name another file.")
    if out.exists() and not force:
        raise ParameterError(f"{out} exists: name another file, or use --force to replace it.")
    if not out.parent.is_dir():
        raise ParameterError(f"{out} cannot be written: there is no folder {out.parent}.")
    eeg_uv = decode(eeg.read_bytes(), EEG, str(eeg)).T
    least = STEP_SAMPLES if edges else WINDOW_SAMPLES
    if len(eeg_uv) < least:
        raise DataError(f"{eeg} is too short: {len(eeg_uv)} samples, expected {least} or more.")
    power = spectrogram(eeg_uv, edges=True) if edges else matching_spectrogram(eeg_uv)
    with whole_file(out, replace=force) as partial:
        write_spectrogram(partial, power, pa.int64())
    return len(power)
