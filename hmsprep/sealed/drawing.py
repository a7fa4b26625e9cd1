"""A store and what to look for -> rows of its window table, and a picture of those windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import ParameterError
from hmsprep.planning import checks
from hmsprep.planning.choices import Montage
from hmsprep.seeds import generator
from hmsprep.words import plural
from hmsstore import Store
from hmsstore.view import Display, draw, draw_grid, load_window
from hmsstore.view.eeg import SPACING_UV
from hmsstore.view.saving import PICTURES, check_suffix, save, save_pages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_WINDOWS = 60
"""Neither a picture nor a reader takes more than that."""
SECONDS_ALONE, SECONDS_IN_GRID = 50.0, 10.0
"""Length of EEG around the centre: all of a window drawn alone, the judged part of several."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Windows that were drawn."""

    rows: tuple[int, ...]
    """Their rows in the store's window table."""
    titles: tuple[str, ...]
    """What each is: row, EEG, second, votes."""
    figure: Figure | None
    """The picture; None where several windows became the pages of a PDF."""
    others: int
    """Windows of the same EEG that were not drawn, if an EEG was asked for."""


def show(
    store: str | Path | Store = "hms.zarr",
    *,
    row: int | Sequence[int] = (),
    eeg: int | None = None,
    consensus: str | None = None,
    count: int | None = None,
    seed: int = 42,
    montage: Montage = "bipolar",
    seconds: float | None = None,
    spacing: float | Literal["auto"] | None = None,
    band: tuple[float, float] = (0.5, 70.0),
    notch: float = 0.0,
    out: str | Path | None = None,
) -> Drawn:
    """Draw windows of a store: EEG, spectrograms and votes.

    Parameters
    ----------
    store : str, Path or Store
        A sealed store.
    row, eeg, consensus, count, seed
        Which windows to draw: see `choose_rows`.
    montage : {'bipolar', 'referential', 'average', 'transverse'}
        Montage of the EEG.
    seconds : float, optional
        Length of EEG around the centre; 50 s by default, 10 s if several windows share a picture.
    spacing : float or 'auto', optional
        Microvolts between traces; 100 by default, so that pictures can be compared. 'auto': chosen
        to fit, the same for all windows of a picture.
    band : (float, float)
        Pass band of the EEG, Hz.
    notch : float
        Mains frequency to notch out, Hz; 0 for none.
    out : str or Path, optional
        Picture to write; a .pdf has a page per window.

    Returns
    -------
    Drawn

    Raises
    ------
    StoreError
        The store cannot be opened, a display setting makes no sense, or the picture cannot be
        written.
    ParameterError
        No window fits, two choices contradict each other, or too many windows are asked for.

    Examples
    --------
    >>> hmsprep.show("hms.zarr", consensus="lpd", count=6, out="lpd.png").rows
    (31, 7, 64, 12, 80, 55)
    >>> hmsprep.show("hms.zarr", row=3).figure  # a matplotlib figure, shown by a notebook
    """
    path = None if out is None else Path(out)
    if path is not None:
        check_suffix(path, PICTURES)
    opened = store if isinstance(store, Store) else Store.open(Path(store))
    rows = choose_rows(
        opened,
        row=row if isinstance(row, Iterable) else [row],
        eeg=eeg,
        consensus=consensus,
        count=count,
        seed=seed,
    )
    pages = len(rows) > 1 and path is not None and path.suffix == ".pdf"
    grid = len(rows) > 1 and not pages
    length = (SECONDS_IN_GRID if grid else SECONDS_ALONE) if seconds is None else seconds
    step = None if spacing == "auto" else SPACING_UV if spacing is None else spacing
    display = Display(montage, length, step, band, notch)
    windows = [load_window(opened, row) for row in rows]
    figure = None
    if pages and path is not None:
        save_pages((draw(window, display) for window in windows), path)
    else:
        figure = draw_grid(windows, display) if grid else draw(windows[0], display)
        if path is not None:
            save(figure, path)
    of_eeg = 0 if eeg is None else int((opened.windows["eeg_id"] == eeg).sum())
    titles = tuple(window.short_title for window in windows)
    return Drawn(tuple(rows), titles, figure, max(0, of_eeg - len(rows)))


def choose_rows(
    store: Store,
    *,
    row: Sequence[int] = (),
    eeg: int | None = None,
    consensus: str | None = None,
    count: int | None = None,
    seed: int = 42,
) -> list[int]:
    """Choose windows by row, EEG or class; one at random of each class by default.

    Parameters
    ----------
    store : Store
        An open store.
    row : sequence of int
        These rows.
    eeg : int, optional
        Windows of the EEG with this id, evenly spread over its length.
    consensus : str, optional
        Windows with this consensus (the command's --class), at random; each EEG comes once before
        any comes twice.
    count : int, optional
        Number of windows; 1 by default with `eeg` or `consensus`.
    seed : int
        Random seed.

    Returns
    -------
    list of int

    Raises
    ------
    ParameterError
        No window fits, two choices contradict each other, or too many windows are asked for.
    """
    row = [checks.whole("row", one, 0) for one in row]
    if bool(row) + (eeg is not None) + (consensus is not None) > 1:
        raise ParameterError("--row, --eeg and --class each choose windows: use only one of them.")
    if count is not None:
        count = checks.whole("count", count, 1)
    asked = max(count or 1, len(row))
    if asked > MOST_WINDOWS:
        raise ParameterError(
            f"{plural(asked, 'window')} are too many: one picture holds at most {MOST_WINDOWS}."
        )
    if row and count is not None:
        raise ParameterError("--count has no meaning with --row, which names the windows.")
    wrong = next((one for one in row if one >= len(store)), None)
    if wrong is not None:
        raise ParameterError(f"{store.path} has no row {wrong}: expected 0 to {len(store) - 1}.")
    random = generator(seed, "show")
    if row:
        return row
    if eeg is not None:
        found = np.flatnonzero(store.windows["eeg_id"] == eeg)
        if not len(found):
            raise ParameterError(f"{store.path} has no EEG {eeg}.")
        found = found[np.argsort(store.windows["eeg_offset_s"][found], kind="stable")]
        wanted = min(count or 1, len(found))
        middle = (np.arange(wanted) + 0.5) / wanted * len(found)
        return [int(row) for row in found[middle.astype(int)]]
    codes = store.windows["expert_consensus"]
    if consensus is not None:
        keys = store.spec.class_keys
        if consensus not in keys:
            raise ParameterError(f"--class: expected one of {', '.join(keys)}, got {consensus}.")
        found = np.flatnonzero(codes == keys.index(consensus))
        if not len(found):
            raise ParameterError(f"{store.path} has no window with consensus {consensus}.")
        found = random.permutation(found)
        return _eegs_in_turn(store, found)[: count or 1]
    if count is not None:
        return [int(r) for r in random.choice(len(store), min(count, len(store)), replace=False)]
    of_each = [np.flatnonzero(codes == code) for code in range(-1, len(store.spec.classes))]
    return [int(random.choice(found)) for found in of_each if len(found)]


def _eegs_in_turn(store: Store, rows: NDArray[np.int64]) -> list[int]:
    """The first window of every EEG, then every second one, and so on, else in their order."""
    eegs = store.windows["eeg_id"][rows].tolist()
    seen: Counter[int] = Counter()
    turns = []
    for eeg in eegs:
        turns.append(seen[eeg])
        seen[eeg] += 1
    return [int(rows[place]) for place in np.argsort(turns, kind="stable")]
