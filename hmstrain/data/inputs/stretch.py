"""A window as stored -> the same, faster or slower, around its label.

At twice the speed a rhythm of 1 Hz is one of 2 Hz, in the EEG and in the spectrogram alike: the
spectrogram's rows move towards the label, and its frequencies up. What comes in from outside the
window, where time runs faster, is the window mirrored at its ends.

Legend: B windows, T time, C channels or features.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from hmsstore.schema import FREQUENCIES_HZ

KERNEL = -0.5
"""Slope of the cubic convolution kernel (Keys 1981, Cubic convolution interpolation for digital
image processing), for which it reproduces any parabola."""


@lru_cache(maxsize=256)
def held(
    values: tuple[float, ...], device: torch.device, dtype: torch.dtype = torch.int64
) -> Tensor:
    """Numbers as a tensor that stays on the device; do not change it in place.

    Making it there for each batch would wait until a GPU has done all that it was given.
    """
    return torch.tensor(values, device=device, dtype=dtype)


def folded(place_BT: Tensor, run_B2: Tensor) -> Tensor:
    """Rows within runs that stand for any rows around them: the run mirrored at its ends.

    Parameters
    ----------
    place_BT : int64 (B, T) or (T,)
        Rows, of the window or beyond.
    run_B2 : int64 (B, 2)
        First row of each run, and the one after its last: one row at least.

    Returns
    -------
    int64 (B, T)
        At a run's end its last row comes again, then the one before.
    """
    first_B1, length_B1 = run_B2[:, :1], run_B2[:, 1:] - run_B2[:, :1]
    place_BT = (place_BT - first_B1).remainder(2 * length_B1)
    return first_B1 + torch.minimum(place_BT, 2 * length_B1 - 1 - place_BT)


def stretched(
    stored_BTC: Tensor, run_B2: Tensor, centre_B: Tensor, speed_B: Tensor, used: tuple[int, int]
) -> Tensor:
    """Resample windows in time, by cubic convolution.

    Parameters
    ----------
    stored_BTC : float16 or float32 (B, T, C)
        Whole windows.
    run_B2 : int64 (B, 2)
        Rows that were observed; beyond them stands their mirror image.
    centre_B : (B,)
        Where the label's centre lies, in rows from the window's start: it stays there.
    speed_B : float32 (B,)
        How much faster time runs.
    used : (int, int)
        First row that will be looked at, and the one after the last; others stay as they are.

    Returns
    -------
    float32 (B, T, C)
    """
    count, rows, features = stored_BTC.shape
    values_BTC = stored_BTC.float()
    first, stop = used
    middle = torch.arange(first, stop, device=stored_BTC.device) + 0.5
    centre_B1 = centre_B.to(middle)[:, None]
    source_BT = centre_B1 - 0.5 + speed_B[:, None] * (middle - centre_B1)
    before_BT = source_BT.floor()
    part_BT = source_BT - before_BT
    start_B1 = torch.arange(count, device=stored_BTC.device)[:, None] * rows
    flat = values_BTC.reshape(count * rows, features)
    found = flat.new_zeros(count * (stop - first), features)
    taken = torch.empty_like(found)
    for step in range(-1, 3):
        place_BT = folded(before_BT.long() + step, run_B2) + start_B1
        torch.index_select(flat, 0, place_BT.flatten(), out=taken)
        found.addcmul_(taken, keys_kernel(part_BT - step).reshape(-1, 1))
    found_BTC = found.view(count, stop - first, features)
    return torch.cat([values_BTC[:, :first], found_BTC, values_BTC[:, stop:]], dim=1)


def keys_kernel(distance: Tensor) -> Tensor:
    """Weight of a sample at this distance, in samples, in cubic convolution."""
    x = distance.abs()
    near = ((KERNEL + 2) * x - (KERNEL + 3)) * x * x + 1
    far = KERNEL * (((x - 5) * x + 8) * x - 4)
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def stretched_run(run_B2: Tensor, centre_B: Tensor, speed_B: Tensor, rows: int) -> Tensor:
    """Rows of stretched windows that show nothing but what was observed: int64 (B, 2)."""
    centre_B1 = centre_B.to(speed_B)[:, None]
    there = centre_B1 + (run_B2 - centre_B1) / speed_B[:, None]
    first_B, stop_B = there[:, 0].ceil(), there[:, 1].floor()
    return torch.stack([first_B, stop_B], dim=1).long().clamp(0, rows)


def moved_frequencies(power_BTC: Tensor, speed_B: Tensor) -> Tensor:
    """Move the frequencies of a spectrogram as those of a faster signal move.

    Of x(a t) the power spectral density at f is that of x at f / a, divided by a. Beyond the first
    and the last frequency stands the power of these.

    Parameters
    ----------
    power_BTC : float32 (B, T, regions * frequencies)
        Natural logarithm of power.
    speed_B : float32 (B,)
        a, of each window.
    """
    bins = len(FREQUENCIES_HZ)
    frequency = held(tuple(FREQUENCIES_HZ), power_BTC.device, torch.float32)
    source_BF = frequency / speed_B[:, None]
    step_hz = (frequency[-1] - frequency[0]) / (bins - 1)
    place_BF = ((source_BF - frequency[0]) / step_hz).clamp(0, bins - 1)
    bin_F1 = torch.arange(bins, device=power_BTC.device)[:, None]
    weight_BFF = (1 - (place_BF[:, None] - bin_F1).abs()).clamp_min(0)  # linear interpolation
    power = power_BTC.unflatten(2, (-1, bins)).flatten(1, 2)  # (B, T * regions, frequencies)
    moved = power @ weight_BFF - speed_B.log().view(-1, 1, 1)
    return moved.view_as(power_BTC)
