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
from hmsstore.montage import neighbours
from hmsstore.spec import Signal

FILTER_ORDER = 4
"""Order of the Butterworth band-pass; run forwards and backwards, so its slope doubles."""

CLIP_ROUNDS = 200
CLIP_EXACT_UV = 0.01
"""Pairs are clipped until none is beyond by more than this, or for so many rounds."""


def clean(
    raw: NDArray[np.float32],
    missing: NDArray[np.bool_] | None,
    signal: Signal,
    parameters: Parameters,
    *,
    by_pair: bool = False,
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
    by_pair : bool
        Clip the differences of neighbours on a chain, not the electrodes: what these were recorded
        against is unknown, so their own values mean nothing and may be of any size.

    Returns
    -------
    float32 (features, rows)
        Microvolts, or ln(uV^2/Hz). Finite, but for NaN at missing values where `nan` is 'mean',
        unless EEG is band-passed: the training mean is known only after the last recording.
    """
    if signal.name == "eeg":
        _clean_eeg(raw, missing, parameters, by_pair=by_pair)
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


def count_clipped(
    eeg_uv: NDArray[np.float32], parameters: Parameters, *, by_pair: bool = False
) -> NDArray[np.int64]:
    """Count the values of each channel that are beyond the clip; none without a clip.

    Parameters
    ----------
    eeg_uv : float32 (channels, rows)
        As it was recorded; missing values do not count.
    parameters : Parameters
    by_pair : bool
        Count the differences of neighbours on a chain, each for the front one of the two.
    """
    spec = parameters.spec
    features = spec.eeg.features
    counts = np.zeros(len(features), np.int64)
    if not by_pair and _within(eeg_uv, _limits(parameters)):
        return counts
    measured = [(name, eeg_uv[place]) for place, name in enumerate(features)]
    if by_pair:
        pairs = neighbours({**spec.chains, "midline": spec.midline})
        channel = dict(measured)
        measured = [(front, channel[front] - channel[back]) for front, back in pairs]
        measured += [(name, channel[name]) for name in features if name == spec.heart]
    for name, values in measured:
        clip = parameters.ekg_clip if name == spec.heart else parameters.eeg_clip
        if clip is not None and values.size and not max(values.max(), -values.min()) <= clip:
            beyond = np.count_nonzero((np.abs(values) > np.float32(clip)) & np.isfinite(values))
            counts[features.index(name)] = max(counts[features.index(name)], beyond)
    return counts


def _clean_eeg(
    eeg_uv: NDArray[np.float32],
    missing: NDArray[np.bool_] | None,
    parameters: Parameters,
    *,
    by_pair: bool,
) -> None:
    clip = _clip_pairs if by_pair else _clip_eeg
    if missing is not None:
        FILLS[parameters.nan](eeg_uv, missing)
        if parameters.bandpass is not None:
            _fill_by_own_mean(eeg_uv)
    clip(eeg_uv, parameters)
    if parameters.bandpass is not None:
        _filter(eeg_uv, parameters.bandpass, parameters.spec.eeg.row_rate_hz)
        clip(eeg_uv, parameters)


def fill_by_zero(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> None:
    """Put 0 in place of missing values: 0 uV, or no power."""
    values[missing] = 0.0


def fill_by_line(values: NDArray[np.floating], missing: NDArray[np.bool_]) -> None:
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
    limits = _limits(parameters)
    if not _within(eeg_uv, limits):
        np.clip(eeg_uv, -limits[:, None], limits[:, None], out=eeg_uv)


def _limits(parameters: Parameters) -> NDArray[np.float32]:
    """How far each channel may be from zero, in microvolts; what half precision holds, at most."""
    spec = parameters.spec
    clips = (
        parameters.ekg_clip if name == spec.heart else parameters.eeg_clip
        for name in spec.eeg.features
    )
    return np.array([HALF_MAX if clip is None else clip for clip in clips], np.float32)


def _within(eeg_uv: NDArray[np.float32], limits: NDArray[np.float32]) -> bool:
    """Whether no value of any channel is beyond its limit or NaN: one look at all of them."""
    if not eeg_uv.size:
        return True
    return bool(np.all((eeg_uv.max(axis=1) <= limits) & (eeg_uv.min(axis=1) >= -limits)))


def _clip_pairs(eeg_uv: NDArray[np.float32], parameters: Parameters) -> None:
    """Move electrodes as little as it takes to bring each pair of the montage within the clip.

    Electrodes of a ring of pairs depend on each other, so what is beyond the clip is taken off by
    least squares, again and again, until no pair is beyond it. Samples without such a pair stay,
    and so do missing values: nothing is known of their pairs.
    """
    spec = parameters.spec
    features = spec.eeg.features
    if spec.heart is not None:
        heart = eeg_uv[features.index(spec.heart)]
        limit = np.float32(HALF_MAX if parameters.ekg_clip is None else parameters.ekg_clip)
        np.clip(heart, -limit, limit, out=heart)
    if parameters.eeg_clip is not None:
        pairs = neighbours({**spec.chains, "midline": spec.midline})
        front, back = ([features.index(pair[end]) for pair in pairs] for end in (0, 1))
        differences = np.zeros((len(pairs), len(features)))
        differences[np.arange(len(pairs)), front] = 1
        differences[np.arange(len(pairs)), back] = -1
        limit_uv = parameters.eeg_clip
        found_uv = eeg_uv[front]
        found_uv -= eeg_uv[back]  # a product of matrices would be NaN wherever any channel is
        over = np.flatnonzero((np.abs(found_uv) > limit_uv).any(axis=0))
        unknown = np.isnan(found_uv[:, over])
        missing = np.isnan(eeg_uv[:, over])
        moved_uv = np.where(missing, 0.0, eeg_uv[:, over].astype(np.float64))
        undo = np.linalg.pinv(differences)
        for _ in range(CLIP_ROUNDS if len(over) else 0):
            pairs_uv = differences @ moved_uv
            beyond_uv = np.clip(pairs_uv, -limit_uv, limit_uv) - pairs_uv
            beyond_uv[unknown] = 0.0
            if np.abs(beyond_uv).max() < CLIP_EXACT_UV:
                break
            moved_uv += undo @ beyond_uv
        moved_uv[missing] = np.nan
        eeg_uv[:, over] = moved_uv
    np.clip(eeg_uv, -np.float32(HALF_MAX), np.float32(HALF_MAX), out=eeg_uv)


def _filter(eeg_uv: NDArray[np.float32], bandpass: tuple[float, float], rate_hz: float) -> None:
    """Band-pass in place, zero-phase, channel by channel (the filter works in double precision)."""
    from scipy.signal import butter, sosfiltfilt

    sections = butter(FILTER_ORDER, bandpass, "bandpass", fs=rate_hz, output="sos")
    for channel in eeg_uv:
        channel[:] = sosfiltfilt(sections, channel)
