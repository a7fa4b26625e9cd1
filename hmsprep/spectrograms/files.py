"""EEG files -> spectrogram files in the competition's layout, and how near they are to its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hmsprep.errors import DataError, ParameterError
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.table import read_table
from hmsprep.kaggle.write import write_spectrogram
from hmsprep.progress import Progress, untold
from hmsprep.seeds import generator
from hmsprep.spectrograms.multitaper import STEP_SAMPLES, spectrogram
from hmsstore.atomic import whole_file
from hmsstore.schema import EEG, FEATURES, FREQUENCIES_HZ, REGIONS, SPECTROGRAM

AROUND_S = (SPECTROGRAM.window_s - EEG.window_s) / 2
"""A window's spectrogram begins so long before its EEG: 275 s."""
FIRST_ROW = 138
"""Row of the spectrogram whose 4 s are the first of the EEG: centred 277 s after its start."""


def beside(
    eeg_uv_TC: NDArray[np.floating],
    before: int = 0,
    after: int = 0,
    *,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Compute the spectrogram file that belongs beside an EEG file, with the same offsets.

    Parameters
    ----------
    eeg_uv_TC : float (T, 20)
        Microvolts at 200 Hz.
    before, after : int
        So many samples at its ends are not of the file, but of what was recorded around it;
        `before` a multiple of 400.
    threads : int, optional
        As `spectrogram` takes them.

    Returns
    -------
    float32 (rows, 400)
        uV^2/Hz; it begins 275 s before the EEG and ends 275 s after it, and holds NaN wherever its
        4 s are not wholly within what was given.
    """
    seconds = (len(eeg_uv_TC) - before - after) / EEG.row_rate_hz
    rows = int((seconds + 2 * AROUND_S) * SPECTROGRAM.row_rate_hz)
    whole = np.full((rows, len(FEATURES)), np.nan, np.float32)
    known = spectrogram(eeg_uv_TC, threads=threads)
    first = FIRST_ROW - before // STEP_SAMPLES
    whole[first : first + len(known)] = known
    return whole


def convert(eeg: Path, out: Path, *, edges: bool = False, force: bool = False) -> int:
    """Write the spectrogram of an EEG file.

    Parameters
    ----------
    eeg : Path
        Parquet in the competition's layout.
    out : Path
        Likewise.
    edges : bool
        False: the file that belongs beside the EEG (see `beside`). True: rows from the EEG's first
        second to its last, the outermost reaching 1 s beyond it.
    force : bool
        Replace a file that is there.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    DataError
        The EEG file is not as the competition's.
    ParameterError
        There is a file already, or nowhere to write it.
    """
    if out.suffix != ".parquet":
        raise ParameterError(f"{out}: expected a name that ends in .parquet.")
    if out.exists() and not force:
        raise ParameterError(f"{out} exists: name another file, or replace it with --force.")
    if not out.parent.is_dir():
        raise ParameterError(f"{out} cannot be written: there is no folder {out.parent}.")
    eeg_uv = decode(eeg.read_bytes(), EEG, str(eeg)).T
    power = spectrogram(eeg_uv, edges=True) if edges else beside(eeg_uv)
    if not len(power):
        raise DataError(f"{eeg} is too short: {len(eeg_uv)} samples, expected 400 or more.")
    with whole_file(out, replace=force) as partial:
        write_spectrogram(partial, power, pa.int64())
    return len(power)


SMALLEST = 0.05
"""The competition's files are rounded to 0.01: what is smaller has no logarithm to compare."""


BANDS_HZ = {
    "delta, to 4 Hz": (0.0, 4.0),
    "theta, 4-8 Hz": (4.0, 8.0),
    "alpha, 8-13 Hz": (8.0, 13.0),
    "beta, 13-20 Hz": (13.0, 20.1),
}
"""Clinical bands, as far as the spectrograms reach."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Spectrograms computed here beside those given, row by row."""

    eegs: int
    """EEG recordings compared."""
    left_out: int
    """EEGs that lie between two spectrogram rows, or whose files are missing."""
    ours: NDArray[np.float32]
    """(rows, 400) uV^2/Hz, above 0 wherever `theirs` is known."""
    theirs: NDArray[np.float32]
    """(rows, 400), NaN where nothing is given."""

    def numbers(self, features: slice | NDArray[np.bool_]) -> dict[str, float]:
        """Agreement over some of the 400 features.

        Returns
        -------
        dict
            Values of `SMALLEST` or more compared; Pearson correlation of log power; median ratio,
            ours over theirs;
            median absolute difference of natural logarithms. NaN where there is nothing.
        """
        ours, theirs = self.ours[:, features], self.theirs[:, features]
        known = (ours > 0) & (theirs >= SMALLEST) & np.isfinite(ours)
        a, b = (np.log(side[known].astype(np.float64)) for side in (ours, theirs))
        several = len(a) > 1
        return {
            "values": len(a),
            "correlation": float(np.corrcoef(a, b)[0, 1]) if several else float("nan"),
            "median ratio": float(np.exp(np.median(a - b))) if len(a) else float("nan"),
            "median error": float(np.median(np.abs(a - b))) if len(a) else float("nan"),
        }

    def by_region(self) -> dict[str, dict[str, float]]:
        """Agreement of each region, and of all together."""
        bins = len(FREQUENCIES_HZ)
        regions = {
            region: self.numbers(slice(n * bins, (n + 1) * bins))
            for n, region in enumerate(REGIONS)
        }
        return regions | {"all": self.numbers(slice(None))}

    def by_feature(self) -> list[dict[str, Any]]:
        """Agreement of each of the 400 features: region and frequency."""
        return [
            {"region": region, "Hz": frequency} | self.numbers(slice(number, number + 1))
            for number, (region, frequency) in enumerate(product(REGIONS, FREQUENCIES_HZ))
        ]

    def by_band(self) -> dict[str, dict[str, float]]:
        """Agreement in each of the clinical bands, all regions together."""
        of_feature = np.tile(FREQUENCIES_HZ, len(REGIONS))
        return {
            name: self.numbers((of_feature >= low) & (of_feature < high))
            for name, (low, high) in BANDS_HZ.items()
        }

    def by_frequency(self) -> list[dict[str, float]]:
        """Agreement at each of the 100 frequencies, all regions together."""
        of_feature = np.arange(len(FEATURES)) % len(FREQUENCIES_HZ)
        return [
            {"Hz": frequency} | self.numbers(of_feature == number)
            for number, frequency in enumerate(FREQUENCIES_HZ)
        ]


def check(
    source: KaggleData, count: int, *, seed: int = 42, progress: Progress = untold
) -> Agreement:
    """Compare the spectrograms of a data set's EEGs with those it gives.

    Parameters
    ----------
    source : KaggleData
        A data set with EEG and spectrogram files.
    count : int
        EEGs to compare, drawn at random.
    progress : callable
        Told of the stage 'compare' in EEGs.

    Raises
    ------
    DataError
        No EEG has a spectrogram to compare with, or a file is bad.
    """
    columns = read_table(source.files.read(source.table_name), source.table_name)
    eegs, first = np.unique(columns["eeg_id"], return_index=True)
    between = (columns["spectrogram_offset_s"] - columns["eeg_offset_s"])[first]
    there = {name: source.recordings(name) for name in ("eeg", "spectrogram")}
    usable = [
        row
        for eeg, row, seconds in zip(eegs.tolist(), first.tolist(), between.tolist(), strict=True)
        if eeg in there["eeg"]
        and int(columns["spectrogram_id"][row]) in there["spectrogram"]
        and seconds * SPECTROGRAM.row_rate_hz % 1 == 0
    ]
    if not usable:
        raise DataError(f"{source.path}: no EEG has a spectrogram to be compared with.")
    chosen = generator(seed, "check").permutation(usable)[:count].tolist()
    ours, theirs = [], []
    for done, row in enumerate(chosen):
        progress("compare", done, len(chosen))
        eeg_uv, given = (
            decode(source.files.read(name), signal, name).T
            for signal in (EEG, SPECTROGRAM)
            for name in [source.file_name(signal.name, int(columns[f"{signal.name}_id"][row]))]
        )
        seconds = columns["spectrogram_offset_s"][row] - columns["eeg_offset_s"][row]
        begin = FIRST_ROW + int(seconds * SPECTROGRAM.row_rate_hz)
        found = spectrogram(eeg_uv)
        skipped = max(0, -begin)
        beside_ = given[max(0, begin) : begin + len(found)]
        ours.append(found[skipped : skipped + len(beside_)])
        theirs.append(beside_)
    progress("compare", len(chosen), len(chosen))
    return Agreement(
        len(chosen), len(eegs) - len(usable), np.concatenate(ours), np.concatenate(theirs)
    )
