"""Log power of a window -> the four regions' spectrograms, in decibels on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsstore.montage import CHAIN_TITLES
from hmsstore.schema import EEG, FREQUENCIES_HZ, JUDGED_S, REGIONS, SPECTROGRAM
from hmsstore.view.colours import MISSING, POWER_MAP
from hmsstore.view.eeg import gap_note
from hmsstore.view.importance import SHARES, Importance, contour_levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

MINUTES = SPECTROGRAM.window_s / 120
"""Half of a window; its centre is 0."""
BIN_HZ = FREQUENCIES_HZ[1] - FREQUENCIES_HZ[0]
EDGES_HZ = FREQUENCIES_HZ[0] - BIN_HZ / 2, FREQUENCIES_HZ[-1] + BIN_HZ / 2
"""Where the lowest bin begins and the highest ends."""


SCALE_DB = (-15.0, 25.0)
"""Decibels above 1 uV^2/Hz that have the darkest and the brightest colour, in every picture: most
of the competition's spectrograms lie within."""
UNIT = "dB above 1 \u03bcV\u00b2/Hz"


def decibels(log_power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn ln(uV^2/Hz) into decibels above 1 uV^2/Hz, any shape."""
    return np.asarray(log_power * np.float32(10 / np.log(10)), np.float32)


def draw_spectrograms(
    axes: Sequence[Axes],
    log_power: NDArray[np.float32],
    missing: float = 0.0,
    importance: Importance | None = None,
    judged_s: float = JUDGED_S,
) -> None:
    """Draw the four regions below each other, with the EEG's place in them.

    Parameters
    ----------
    axes : four matplotlib Axes
        Where to draw.
    log_power : float32 (300, 400)
        ln(uV^2/Hz), region by region; NaN is drawn grey.
    missing : float
        Share of the values that were missing and have been filled, for the title.
    importance : Importance, optional
        Drawn as contours.
    judged_s : float
        Seconds at the centre that raters judged.
    """
    for axis, region, picture in zip(axes, REGIONS, _regions(log_power), strict=True):
        image = _show(axis, picture, EDGES_HZ)
        mark_eeg(axis, judged_s)
        axis.set_ylabel("Hz", fontsize=8)
        axis.tick_params(labelsize=8, labelbottom=region == REGIONS[-1])
        title = f"{region}: {CHAIN_TITLES[region]}{gap_note(missing)}"
        axis.set_title(title, fontsize=9, loc="left", pad=2)
    label = (
        "minutes from the window's centre; dotted: the EEG window; lines: the judged "
        f"{judged_s:g} s"
    )
    if importance is not None and importance.spectrogram is not None:
        _contours(axes, importance)
        shares = " and ".join(f"{part:.0%}" for part in sorted(SHARES))
        label += f"\ncyan: the places that carry {shares} of what the answer rests on"
    axes[-1].set_xlabel(label, fontsize=8)
    draw_scale(axes, image)


def draw_scale(axes: Sequence[Axes], image: AxesImage, size: int = 8) -> None:
    """Draw the colour scale beside all of these; arrows say that there is less, and more."""
    bar = axes[0].figure.colorbar(image, ax=list(axes), aspect=40, pad=0.01, extend="both")
    bar.set_label(UNIT, fontsize=size)
    bar.ax.tick_params(labelsize=size)


def _contours(axes: Sequence[Axes], importance: Importance) -> None:
    whole = importance.whole_spectrogram()
    levels = contour_levels(whole)
    rows = SPECTROGRAM.window_rows
    minutes = ((np.arange(rows) + 0.5) / rows * 2 - 1) * MINUTES
    style = "solid" if importance.trusted else "dotted"
    for axis, part in zip(axes, np.split(whole, len(REGIONS), axis=1), strict=True):
        if levels and part.max() > levels[0]:
            axis.contour(
                minutes, FREQUENCIES_HZ, part.T, levels,
                colors="cyan", linewidths=0.9, linestyles=style,
            )  # fmt: skip


def draw_stacked(
    axis: Axes, log_power: NDArray[np.float32], judged_s: float = JUDGED_S
) -> AxesImage:
    """Draw the four regions in one small picture, LL on top; (300, 400) as above."""
    image = _show(axis, np.concatenate(_regions(log_power)), (len(REGIONS), 0))
    for edge in range(1, len(REGIONS)):
        axis.axhline(edge, color="white", lw=0.6)
    mark_eeg(axis, judged_s, 0.4)
    axis.set_xticks([-4, -2, 0, 2, 4])
    axis.set_yticks(np.arange(len(REGIONS)) + 0.5, REGIONS)
    axis.tick_params(length=1, pad=1, labelsize=5)
    axis.tick_params(axis="y", length=0, labelsize=6)
    return image


def mark_eeg(axis: Axes, judged_s: float, width: float = 0.7) -> None:
    """Mark in a spectrogram where the EEG window lies, and its judged seconds."""
    for seconds, style in ((EEG.window_s, ":"), (judged_s, "-")):
        for edge in (-seconds / 120, seconds / 120):
            axis.axvline(edge, color="white", lw=width, ls=style)


def _regions(log_power: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Pictures (100, 300) of the regions, highest frequency on top."""
    return [part.T[::-1] for part in np.split(log_power, len(REGIONS), axis=1)]


def _show(axis: Axes, picture: NDArray[np.float32], heights: tuple[float, float]) -> AxesImage:
    """Show log power whose bottom and top lie at these heights, in decibels."""
    image = axis.imshow(
        np.ma.masked_invalid(decibels(picture)),
        aspect="auto",
        extent=(-MINUTES, MINUTES, *heights),
        vmin=SCALE_DB[0],
        vmax=SCALE_DB[1],
        cmap=POWER_MAP,
        interpolation="nearest",
    )
    axis.set_facecolor(MISSING)
    return image
