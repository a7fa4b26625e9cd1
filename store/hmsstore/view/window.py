"""Windows -> figures as a doctor reads them.

Needs matplotlib, which is imported only when something is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore.errors import RequestError, ViewError
from hmsstore.reader import Store
from hmsstore.schema import CLASS_TITLES, JUDGED_S, REGIONS, SIGNALS, SPLITS
from hmsstore.spec import HMS
from hmsstore.view.eeg import Display, draw_eeg, fitting_step, share, shown_traces
from hmsstore.view.importance import Importance
from hmsstore.view.montage import MONTAGES
from hmsstore.view.spectrogram import draw_scale, draw_spectrograms, draw_stacked
from hmsstore.view.votes import draw_votes

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


SHORTEST_GAP = {"eeg": 40, "spectrogram": 2}
"""Rows that must be equal to be taken for filled ones in a store that keeps no gaps: 0.2 s of EEG,
4 s of spectrogram."""


@dataclass(frozen=True, slots=True)
class WindowView:
    """All that is drawn of one window."""

    eeg_uv: NDArray[np.float32]
    """(10000, 20) referential microvolts; NaN where nothing is known."""
    log_power: NDArray[np.float32]
    """(300, 400) ln(uV^2/Hz); NaN likewise."""
    votes: NDArray[np.int32]
    """(K,)"""
    title: str
    """Which window it is."""
    short_title: str
    """The same in a few words."""
    eeg_filled: float = 0.0
    """Share of the EEG's values that were missing."""
    spectrogram_filled: float = 0.0
    prediction: ArrayLike | None = None
    """Probabilities (K,) of a model."""
    importance: Importance | None = None
    """What that rests on."""
    class_titles: tuple[str, ...] = CLASS_TITLES
    """Of the K classes."""
    judged_s: float = JUDGED_S
    """Seconds at the centre that raters judged."""
    chains_only: bool = False
    """Whether only differences of neighbours on a chain are known: only they can be drawn."""


def load_window(store: Store, row: int, prediction: ArrayLike | None = None) -> WindowView:
    """Read what is drawn of one window of a store; filled values become a gap again.

    Raises
    ------
    RequestError
        The row does not exist, or the store's signals are not those of HMS, which alone are drawn.
    """
    if not store.spec.same_signals(HMS):
        raise RequestError(
            f"{store.path} cannot be drawn: its signals are not those of HMS (20 channels at 200 "
            "Hz, four regions of 100 frequencies)."
        )
    values = store.denormalise(store.gather([row]))
    window = {name: column[row] for name, column in store.windows.items()}
    titles = store.spec.class_titles
    label = vote_label(window["votes"], titles)
    eeg, offset_s = window["eeg_id"], window["eeg_offset_s"]
    gone = {name: float(window[f"{name}_nan_fraction"]) for name in SIGNALS}
    for name, fraction in gone.items():
        if fraction:
            values[name][0][_filled(store, row, name, values[name][0])] = np.nan
    computed = np.flatnonzero(store.interpolated([row])[0])
    names = ", ".join(store.spec.eeg.features[place] for place in computed.tolist())
    note = f", {names} interpolated" if names else ""
    filled = "".join(f"; {share(part)} of {name} missing" for name, part in gone.items() if part)
    return WindowView(
        values["eeg"][0],
        values["spectrogram"][0],
        window["votes"],
        f"Row {row} ({SPLITS[window['split']]}), {label}: EEG {eeg} at "
        f"{offset_s:g} s, spectrogram {window['spectrogram_id']} at "
        f"{window['spectrogram_offset_s']:g} s, patient {window['patient_id']}{note}",
        f"row {row}, {eeg} at {offset_s:g} s, {label}{filled}{note}",
        gone["eeg"],
        gone["spectrogram"],
        prediction,
        class_titles=titles,
        judged_s=store.spec.judged_s,
        chains_only=bool(store.chains_only([row])[0]),
    )


def _filled(store: Store, row: int, name: str, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark what was filled: values (T, features), or whole rows (T,) where the store keeps no gaps.

    Such a store was built before gaps were kept; what was interpolated in it stays unseen.
    """
    if store.gaps is None:
        return _repeated(values, SHORTEST_GAP[name])
    missing: NDArray[np.bool_] = store.missing([row], name)[name][0]
    return missing


def _repeated(values: NDArray[np.float32], shortest: int) -> NDArray[np.bool_]:
    """Rows (T,) that repeat all values of their neighbour, so many at once: only filling does."""
    same = np.concatenate([[False], (values[1:] == values[:-1]).all(axis=1), [False]])
    begins, ends = np.flatnonzero(same[1:] > same[:-1]), np.flatnonzero(same[1:] < same[:-1])
    found = np.zeros(len(values), bool)
    for begin, end in zip(begins, ends, strict=True):
        found[begin : end + 1] = end + 1 - begin >= shortest
    return found


def vote_label(votes: NDArray[np.int32], titles: Sequence[str] = CLASS_TITLES) -> str:
    """The class with most votes, and how many of all it has: 'LPD 5/7'; a tie: 'LPD = GPD 3/7'."""
    total = int(votes.sum())
    best = [title for title, n in zip(titles, votes, strict=True) if n == votes.max()]
    return f"{' = '.join(best)} {votes.max()}/{total}" if total else "not labelled"


def draw_window(
    store: Store,
    row: int,
    display: Display | None = None,
    prediction: ArrayLike | None = None,
) -> Figure:
    """Draw one window of a store: EEG with the judged seconds shaded, spectrograms, votes.

    Parameters
    ----------
    store : Store
        An open store.
    row : int
        Row of its window table.
    display : Display, optional
        Montage, length, spacing and filters of the EEG.
    prediction : float (K,), optional
        A model's probabilities, drawn beside the votes.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    RequestError
        The row does not exist.
    ViewError
        matplotlib is not installed.
    """
    return draw(load_window(store, row, prediction), display)


def draw(window: WindowView, display: Display | None = None) -> Figure:
    """Draw one window on a page of its own.

    Raises
    ------
    ViewError
        matplotlib is not installed, or the montage needs a reference that the window has not.
    """
    _check_montage(window, display)
    figure = _figure(15, 9)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(3, 2))[0]
    importance = window.importance
    draw_eeg(
        left.subplots(),
        window.eeg_uv,
        display,
        window.eeg_filled,
        importance=importance,
        judged_s=window.judged_s,
    )
    axes = right.subplots(5, 1, height_ratios=(1, 1, 1, 1, 1.1))
    draw_spectrograms(
        axes[:4], window.log_power, window.spectrogram_filled, importance, window.judged_s
    )
    draw_votes(axes[4], window.votes, window.prediction, window.class_titles)
    note = "" if importance is None else f"\n{importance.note}"
    figure.suptitle(f"{window.title}{note}", fontsize=11, parse_math=False)
    return figure


def draw_grid(windows: Sequence[WindowView], display: Display | None = None) -> Figure:
    """Draw many windows small, beside and below each other: judged EEG and spectrograms.

    All have the same spacing of traces (if it is to be chosen, the median of what suits each) and
    the same colours.

    Raises
    ------
    ViewError
        As `draw`.
    """
    for window in windows:
        _check_montage(window, display)
    columns = min(3, len(windows))
    rows = math.ceil(len(windows) / columns)
    figure = _figure(6 * columns, 3.6 * rows)
    display = display or Display(seconds=max(1.0, windows[0].judged_s))
    if display.spacing_uv is None:
        fitting = [fitting_step(shown_traces(one.eeg_uv, display)[0]) for one in windows]
        display = replace(display, spacing_uv=float(np.median(fitting)))
    cells = figure.subfigures(rows, columns, squeeze=False).ravel()
    for cell, window in zip(cells, windows, strict=False):
        _draw_small(cell, window, display)
    figure.suptitle(
        f"{MONTAGES[display.montage].title}, {display.filters}, negative up, "
        f"{display.spacing_uv:g} uV from trace to trace, cut off at their neighbours; seconds of "
        f"the window, the middle {display.seconds:g}. Beside: ten minutes of {', '.join(REGIONS)}, "
        "0.5 to 20 Hz each, minutes from the centre",
        fontsize=9,
        wrap=True,
    )
    return figure


def _check_montage(window: WindowView, display: Display | None) -> None:
    if window.chains_only and display is not None and display.montage != "bipolar":
        raise ViewError(
            f"{window.short_title}: the recording is bipolar, so its electrodes share no reference "
            f"and the montage {display.montage!r} would be wrong. Use the montage 'bipolar'."
        )


def _draw_small(cell: SubFigure, window: WindowView, display: Display) -> None:
    eeg, spectrogram = cell.subplots(1, 2, width_ratios=(3, 2))
    draw_eeg(eeg, window.eeg_uv, display, small=True, judged_s=window.judged_s)
    image = draw_stacked(spectrogram, window.log_power, window.judged_s)
    draw_scale([spectrogram], image, size=5)
    cell.suptitle(window.short_title, fontsize=9, parse_math=False)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ViewError("Drawing needs matplotlib. Run: pip install matplotlib") from None
    return Figure(figsize=(width, height), dpi=100, layout="constrained")
