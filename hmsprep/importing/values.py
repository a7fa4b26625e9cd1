"""A part of a recording -> its power, whatever is missing of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.values.clean import fill_by_line
from hmsprep.spectrograms.files import FIRST_ROW, matching_spectrogram
from hmsprep.spectrograms.multitaper import STEP_SAMPLES, WINDOW_SAMPLES
from hmsstore.schema import CHAINS, CHANNELS, FREQUENCIES_HZ, REGIONS


def power_around_gaps(
    eeg_uv: NDArray[np.float32], before: int = 0, after: int = 0
) -> NDArray[np.float32]:
    """Compute the spectrogram file that matches a part of a recording.

    A gap is bridged by a straight line first, so that its edges do not ring in the rows beside it.

    Parameters
    ----------
    eeg_uv : float32 (20, T)
        Microvolts at 200 Hz, NaN where nothing was recorded.
    before, after : int
        Samples at either end that are not part of the file, as `matching_spectrogram` takes them.

    Returns
    -------
    float32 (rows, 400)
        uV^2/Hz. A region is NaN in a row unless its electrodes were recorded in all of its 4 s.
    """
    missing = np.isnan(eeg_uv)
    if not missing.any():
        return matching_spectrogram(eeg_uv.T, before, after, threads=1)
    bridged = eeg_uv.copy()
    fill_by_line(bridged, missing)
    power = matching_spectrogram(bridged.T, before, after, threads=1)
    begins = np.arange(0, eeg_uv.shape[1] - WINDOW_SAMPLES + 1, STEP_SAMPLES)
    rows = np.arange(len(begins)) + FIRST_ROW - before // STEP_SAMPLES
    for place, region in enumerate(REGIONS):
        chain = [CHANNELS.index(name) for name in CHAINS[region]]
        so_far = np.concatenate([[0], np.cumsum(missing[chain].any(axis=0))])
        incomplete = rows[so_far[begins + WINDOW_SAMPLES] > so_far[begins]]
        features = slice(place * len(FREQUENCIES_HZ), (place + 1) * len(FREQUENCIES_HZ))
        power[incomplete, features] = np.nan
    return power
