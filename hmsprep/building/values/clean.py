"""A raw recording -> the values that are stored: filled, clipped, band-passed, as logarithm.

All functions take float32 arrays (features, rows) and a mask of the values that were missing.
Order, per recording: with a band-pass fill, clip, filter, clip again; otherwise fill, clip. The
spectrogram's natural logarithm comes last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hmsprep.planning.parameters import HALF_MAX, LOG_FLOOR, Parameters
from hmsstore.spec import Signal

FILTER_ORDER = 4
"""Order of the Butterworth band-pass; run forwards and backwards, so its slope doubles."""


def clean(
    raw: NDArray[np.float32],
    missing: NDArray[np.bool_] | None,
    signal: Signal,
    parameters: Parameters,
) -> NDArray[np.float32]:
    """Clean a whole recording in place.

    Parameters
    ----------
    raw : float32 (features, rows)
        Microvolts, or power in uV^2/Hz. Overwritten.
    missing : bool (features, rows), optional
        Where nothing was recorded; None if everything was.
    signal : Signal
        Which of the two it is.
    parameters : Parameters
        Fill, clip and band-pass.

    Returns
    -------
    float32 (features, rows)
        Microvolts, or ln(uV^2/Hz). Finite, but for NaN at missing values where `nan` is 'mean',
        unless EEG is band-passed: the training mean is known only after the last recording.
    """
    if signal.name == "eeg":
        _clean_eeg(raw, missing, parameters)
        return raw
    if missing is not None:
        FILLS[parameters.nan](raw, missing)
    if parameters.spectrogram_clip is None:
        np.maximum(raw, LOG_FLOOR, out=raw)
    else:
        low, high = parameters.spectrogram_clip
        np.clip(raw, np.float32(low), np.float32(high), out=raw)
    return np.log(raw, out=raw)


def missing_values(raw: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Mark the values that are NaN or infinite; None if there are none."""
    finite = np.isfinite(raw)
    return None if finite.all() else ~finite


def _clean_eeg(
    eeg_uv: NDArray[np.float32], missing: NDArray[np.bool_] | None, parameters: Parameters
) -> None:
    if missing is not None:
        FILLS[parameters.nan](eeg_uv, missing)
        if parameters.bandpass is not None:
            _fill_by_own_mean(eeg_uv)
    _clip_eeg(eeg_uv, parameters)
    if parameters.bandpass is not None:
        _filter(eeg_uv, parameters.bandpass, parameters.spec.eeg.row_rate_hz)
        _clip_eeg(eeg_uv, parameters)


def fill_by_zero(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Put 0 in place of missing values: 0 uV, or no power."""
    values[missing] = 0.0


def fill_by_line(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Put a straight line between the neighbours, the nearest value at the ends, 0 without any."""
    rows = np.arange(values.shape[1])
    for feature in np.flatnonzero(missing.any(axis=1)):
        gap = missing[feature]
        known = rows[~gap]
        between = np.interp(rows[gap], known, values[feature, known]) if len(known) else 0.0
        values[feature, gap] = between


def fill_later(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Put NaN, for the training mean to take its place once the last recording was read."""
    values[missing] = np.nan


FILLS: dict[str, Callable[[NDArray[np.float32], NDArray[np.bool_]], None]] = {
    "zero": fill_by_zero,
    "interpolate": fill_by_line,
    "mean": fill_later,
    "drop": fill_by_zero,  # the windows are marked as dropped when the store is sealed
}
"""What `--nan` takes -> the function that fills a recording (features, rows) in place.

Where a function leaves NaN, the feature's training mean is stored; with a band-pass, which needs
whole recordings, the channel's own mean. The words stand in `planning.choices.Fill` too, so that
the command line need not import NumPy.
"""


def _fill_by_own_mean(values: NDArray[np.float32]) -> None:
    """Put each channel's own mean where it is NaN."""
    left = np.isnan(values)
    for channel in np.flatnonzero(left.any(axis=1)):
        known = values[channel, ~left[channel]]
        values[channel, left[channel]] = known.mean(dtype=np.float64) if len(known) else 0.0


def _clip_eeg(eeg_uv: NDArray[np.float32], parameters: Parameters) -> None:
    """Clip in place; without a clip, to what half precision holds."""
    for name, channel in zip(parameters.spec.eeg.features, eeg_uv, strict=True):
        clip = parameters.ekg_clip if name == parameters.spec.heart else parameters.eeg_clip
        limit = np.float32(HALF_MAX if clip is None else clip)
        np.clip(channel, -limit, limit, out=channel)


def _filter(eeg_uv: NDArray[np.float32], bandpass: tuple[float, float], rate_hz: float) -> None:
    """Band-pass in place, zero-phase, channel by channel (the filter works in double precision)."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(FILTER_ORDER, bandpass, "bandpass", fs=rate_hz, output="sos")
    for channel in eeg_uv:
        channel[:] = sosfiltfilt(sections, channel)
