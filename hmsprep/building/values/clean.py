"""A raw recording -> the values that are stored: filled, clipped, band-passed, as logarithm.

All functions take float32 arrays (features, rows) and a mask of the values that were missing.
Order, per recording: with a band-pass fill, clip, filter, clip again; otherwise fill, clip. The
spectrogram's natural logarithm comes last.
"""

from __future__ import annotations

from collections.abc import Sequence

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
        Microvolts, or ln(uV^2/Hz). Finite, but for NaN at missing values where `nan` is 'mean'
        without a band-pass: the training mean is known only after the last recording.
    """
    if signal.name == "eeg":
        _clean_eeg(raw, missing, parameters)
        return raw
    if missing is not None:
        _fill(raw, missing, parameters)
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


def missing_in_windows(
    missing: NDArray[np.bool_], windows: Sequence[int], starts: Sequence[int], window_rows: int
) -> dict[int, int]:
    """Count the missing values of each window that has any.

    Parameters
    ----------
    missing : bool (features, rows)
        Of a whole recording, as `missing_values` marks them.
    windows, starts : sequences of int
        Number of each window, and its first row; what lies past the recording's end counts for 0.
    window_rows : int
        Rows of a window.
    """
    per_row = np.concatenate([[0], np.cumsum(missing.sum(axis=0))])
    first = np.asarray(starts, np.int64)
    last = missing.shape[1]
    counts = per_row[np.minimum(first + window_rows, last)] - per_row[np.minimum(first, last)]
    return {window: count for window, count in zip(windows, counts.tolist(), strict=True) if count}


def _clean_eeg(
    eeg_uv: NDArray[np.float32], missing: NDArray[np.bool_] | None, parameters: Parameters
) -> None:
    if missing is not None:
        if parameters.nan == "mean" and parameters.bandpass is not None:
            _fill_channel_mean(eeg_uv, missing)
        else:
            _fill(eeg_uv, missing, parameters)
    _clip_eeg(eeg_uv, parameters)
    if parameters.bandpass is not None:
        _filter(eeg_uv, parameters.bandpass, parameters.spec.eeg.row_rate_hz)
        _clip_eeg(eeg_uv, parameters)


def _fill(values: NDArray[np.float32], missing: NDArray[np.bool_], parameters: Parameters) -> None:
    """Put something in place of missing values; dropped windows are filled like 'zero'."""
    if parameters.nan == "mean":
        values[missing] = np.nan
    elif parameters.nan == "interpolate":
        rows = np.arange(values.shape[1])
        for feature in np.flatnonzero(missing.any(axis=1)):
            gap = missing[feature]
            known = rows[~gap]
            between = np.interp(rows[gap], known, values[feature, known]) if len(known) else 0.0
            values[feature, gap] = between
    else:
        values[missing] = 0.0


def _fill_channel_mean(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    for channel in np.flatnonzero(missing.any(axis=1)):
        known = values[channel, ~missing[channel]]
        values[channel, missing[channel]] = known.mean(dtype=np.float64) if len(known) else 0.0


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
