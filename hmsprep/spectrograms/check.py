"""A data set's EEG and its spectrograms -> how well computed spectrograms agree with the given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmsprep.errors import DataError
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.table import read_table
from hmsprep.planning import checks
from hmsprep.planning.choices import Part
from hmsprep.processes import Progress, silent
from hmsprep.seeds import generator
from hmsprep.spectrograms.agreement import Agreement
from hmsprep.spectrograms.files import FIRST_ROW
from hmsprep.spectrograms.multitaper import spectrogram
from hmsstore.schema import EEG, SPECTROGRAM
from hmsstore.view.saving import PICTURES, check_suffix, save


def check_spectrograms(
    data: str | Path,
    *,
    count: int = 100,
    part: Part | None = None,
    figure: str | Path | None = None,
    seed: int = 42,
    progress: Progress = silent,
) -> Agreement:
    """Compute the spectrograms of a data set's EEGs and compare them with those it gives.

    Parameters
    ----------
    data : str or Path
        A folder in Kaggle's layout, or the competition's zip, with EEG and spectrogram files.
    count : int
        EEGs to compare, drawn at random.
    part : {'train', 'test'}, optional
        Part of the data set; 'train' if present, else 'test'.
    figure : str or Path, optional
        Picture of the comparison to write.
    seed : int
        Random seed of the draw.
    progress : callable
        Called with the stage 'compare' and a number of EEGs.

    Returns
    -------
    Agreement

    Raises
    ------
    DataError
        No EEG has a spectrogram to compare with, or a file is bad.
    ParameterError
        `count` or `seed` is not a whole number that makes sense.
    StoreError
        The picture cannot be written.

    Examples
    --------
    >>> found = hmsprep.check_spectrograms("hms.zip", count=20)
    >>> found.by_region()["all"]["correlation"]
    0.9997
    """
    checks.whole("count", count, 1)
    checks.whole("seed", seed, 0)
    if figure is not None:
        check_suffix(Path(figure), PICTURES)
    source = KaggleData(Path(data), part)
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
        raise DataError(f"{source.path}: no EEG has a spectrogram to compare with.")
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
        computed = spectrogram(eeg_uv)
        skipped = max(0, -begin)
        given_rows = given[max(0, begin) : begin + len(computed)]
        ours.append(computed[skipped : skipped + len(given_rows)])
        theirs.append(given_rows)
    progress("compare", len(chosen), len(chosen))
    found = Agreement(
        len(chosen), len(eegs) - len(usable), np.concatenate(ours), np.concatenate(theirs)
    )
    if figure is not None:
        from hmsprep.spectrograms.figure import draw_agreement

        save(draw_agreement(found), Path(figure))
    return found
