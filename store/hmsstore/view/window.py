"""A window of a store -> a figure as a doctor reads it. The only drawing of windows there is.

Needs matplotlib, which is imported only when something is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import StoreError
from hmsstore.reader import Store
from hmsstore.schema import (
    CHAINS,
    CHANNELS,
    CLASS_TITLES,
    EEG,
    FREQUENCIES_HZ,
    JUDGED_S,
    MIDLINE,
    REGIONS,
    SPECTROGRAM,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REGION_TITLES = {
    "LL": "left lateral",
    "RL": "right lateral",
    "LP": "left parasagittal",
    "RP": "right parasagittal",
}
DISPLAY_HZ = (0.5, 70.0)
"""Band shown, as on a clinical screen."""
SENSITIVITIES_UV = (20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
"""Steps of microvolts between neighbouring traces."""


def draw_window(store: Store, row: int) -> Figure:
    """Draw one window: bipolar EEG with the judged 10 s shaded, spectrograms, votes.

    Parameters
    ----------
    store : Store
        An open store.
    row : int
        Row of its window table.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    StoreError
        The row does not exist, or matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise StoreError("Drawing needs matplotlib. Run: pip install matplotlib") from None
    values = store.denormalise(store.gather([row]))
    window = {name: column[row] for name, column in store.windows.items()}
    figure = Figure(figsize=(15, 9), dpi=100, layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(3, 2))[0]
    gaps = {name: float(window[f"{name}_nan_fraction"]) for name in values}
    draw_eeg(left.subplots(), values["eeg"][0], gaps["eeg"])
    axes = right.subplots(5, 1, height_ratios=(1, 1, 1, 1, 0.9))
    draw_spectrograms(axes[:4], values["spectrogram"][0], gaps["spectrogram"])
    draw_votes(axes[4], window["votes"])
    figure.suptitle(
        f"EEG {window['eeg_id']} at {window['eeg_offset_s']:g} s, "
        f"spectrogram {window['spectrogram_id']} at {window['spectrogram_offset_s']:g} s, "
        f"patient {window['patient_id']}, row {row}"
    )
    return figure


def bipolar_pairs() -> list[tuple[str, str, str]]:
    """Longitudinal bipolar montage: chain, electrode and electrode taken from it, in order."""
    chains = {**CHAINS, "midline": MIDLINE}
    order = ("LL", "RL", "LP", "RP", "midline")
    return [
        (chain, first, second)
        for chain in order
        for first, second in zip(chains[chain][:-1], chains[chain][1:], strict=True)
    ]


def draw_eeg(axes: Axes, eeg_uv: NDArray[np.float32], missing: float = 0.0) -> None:
    """Draw 18 bipolar traces and the EKG below each other, negative up as clinicians do.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    eeg_uv : float32 (10000, 20)
        Referential microvolts.
    missing : float
        Share of the values that were missing, for the title.
    """
    shown = _band(eeg_uv, EEG.row_rate_hz)
    seconds = np.arange(len(shown)) / EEG.row_rate_hz
    column = {name: shown[:, number] for number, name in enumerate(CHANNELS)}
    pairs = bipolar_pairs()
    traces = [column[first] - column[second] for _, first, second in pairs]
    spread = float(np.median([np.percentile(np.abs(trace), 98) for trace in traces]))
    step = next((s for s in SENSITIVITIES_UV if s >= 2 * spread), SENSITIVITIES_UV[-1])
    ekg = column["EKG"]
    ekg_scale = 0.8 * step / max(float(np.abs(ekg).max()), 1e-6)

    labels, places = [], []
    place, last_chain = 0.0, pairs[0][0]
    for (chain, first, second), trace in zip(pairs, traces, strict=True):
        place += 0.8 * step * (chain != last_chain)
        last_chain = chain
        colour = "tab:blue" if chain[0] == "L" else "tab:red" if chain[0] == "R" else "0.2"
        # The axis grows downwards, so a negative voltage goes up.
        axes.plot(seconds, place + np.clip(trace, -3 * step, 3 * step), lw=0.6, color=colour)
        labels.append(f"{first}-{second}")
        places.append(place)
        place += step
    place += 0.8 * step
    axes.plot(seconds, place - ekg * ekg_scale, lw=0.6, color="0.4")
    middle = EEG.window_s / 2
    axes.axvspan(middle - JUDGED_S / 2, middle + JUDGED_S / 2, color="gold", alpha=0.25, lw=0)
    axes.set_yticks([*places, place], [*labels, "EKG"], fontsize=8)
    axes.set_ylim(place + step, -2.2 * step)
    axes.set_xlim(0, EEG.window_s)
    axes.set_xticks(range(0, int(EEG.window_s) + 1, 5))
    axes.grid(axis="x", lw=0.3)
    axes.set_xlabel("seconds; shaded: the 10 s that the raters judged")
    low, high = DISPLAY_HZ
    axes.set_title(
        f"Bipolar EEG, {low:g}-{high:g} Hz, negative up, {step} uV from trace to trace"
        + _gap(missing),
        fontsize=10,
        loc="left",
    )
    axes.plot([0.6, 0.6], [-2.0 * step, -1.0 * step], color="black", lw=2)
    axes.annotate(f"{step} uV", (0.9, -1.3 * step), fontsize=8)


def draw_spectrograms(axes: Any, log_power: NDArray[np.float32], missing: float = 0.0) -> None:
    """Draw the four regions' spectrograms on one colour scale.

    Parameters
    ----------
    axes : four matplotlib Axes
        Where to draw.
    log_power : float32 (300, 400)
        ln(uV^2/Hz), region by region.
    missing : float
        Share of the values that were missing, for the title.
    """
    bins = len(FREQUENCIES_HZ)
    low, high = np.percentile(log_power, (2, 99.5))
    minutes = SPECTROGRAM.window_s / 120
    extent = (-minutes, minutes, FREQUENCIES_HZ[0], FREQUENCIES_HZ[-1])
    image = None
    for number, region in enumerate(REGIONS):
        axis = axes[number]
        image = axis.imshow(
            log_power[:, number * bins : (number + 1) * bins].T,
            origin="lower",
            aspect="auto",
            extent=extent,
            vmin=low,
            vmax=max(high, low + 1e-3),
            cmap="magma",
            interpolation="nearest",
        )
        for edge in (-EEG.window_s / 120, EEG.window_s / 120):
            axis.axvline(edge, color="white", lw=0.8, ls=":")
        axis.set_ylabel("Hz", fontsize=8)
        axis.tick_params(labelsize=8, labelbottom=number == len(REGIONS) - 1)
        title = f"{region}: {REGION_TITLES[region]}{_gap(missing)}"
        axis.set_title(title, fontsize=9, loc="left", pad=2)
    axes[-1].set_xlabel("minutes from the window's centre; dotted: the EEG shown", fontsize=8)
    bar = axes[0].figure.colorbar(image, ax=list(axes), aspect=40, pad=0.01)
    bar.set_label("ln(uV$^2$/Hz)", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def draw_votes(axes: Axes, votes: NDArray[np.int32]) -> None:
    """Draw how many raters voted for each class, int32 (6,)."""
    from matplotlib.ticker import MaxNLocator

    total = int(votes.sum())
    places = np.arange(len(CLASS_TITLES))
    axes.barh(places, votes, color="tab:blue")
    axes.set_yticks(places, CLASS_TITLES, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(total, 1) * 1.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="x", labelsize=8)
    for place, count in zip(places, votes.tolist(), strict=True):
        axes.annotate(f" {count}", (count, place), va="center", fontsize=8)
    title = f"Votes of {total} rater{'s' * (total != 1)}" if total else "Not labelled"
    axes.set_title(title, fontsize=9, loc="left", pad=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _gap(missing: float) -> str:
    """What to say of missing values, which the store has filled."""
    return f"; {max(missing, 0.01):.0%} was missing and filled" if missing else ""


def _band(signal: NDArray[np.float32], rate_hz: float) -> NDArray[np.float64]:
    """Band-pass for display, zero-phase: Butterworth gains of order 4 on a mirrored spectrum."""
    low, high = DISPLAY_HZ
    mirrored = np.concatenate([signal, signal[::-1]]).astype(np.float64)
    frequency = np.fft.rfftfreq(len(mirrored), 1 / rate_hz)[:, None]
    ratio = np.maximum(frequency, 1e-9)
    gain = 1 / np.sqrt((1 + (low / ratio) ** 8) * (1 + (ratio / high) ** 8))
    return np.fft.irfft(np.fft.rfft(mirrored, axis=0) * gain, len(mirrored), axis=0)[: len(signal)]
