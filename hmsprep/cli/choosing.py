"""What the user wants to see -> rows of a store's window table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import ParameterError
from hmsprep.seeds import generator
from hmsstore import Store

MOST_WINDOWS = 60
"""More than that no picture and no reader takes."""


def choose_rows(
    store: Store,
    *,
    rows: Sequence[int] = (),
    eeg: int | None = None,
    consensus: str | None = None,
    count: int | None = None,
    seed: int = 42,
) -> list[int]:
    """Choose windows: these rows; of one EEG, evenly over its length; at random of one class.

    Of a class, each EEG comes once before any comes again.

    Without any wish: one at random of each class.

    Raises
    ------
    ParameterError
        Nothing fits, two wishes contradict each other, or too many windows are wanted.
    """
    if (rows != () and len(rows) > 0) + (eeg is not None) + (consensus is not None) > 1:
        raise ParameterError("--row, --eeg and --class each choose windows: use one of them.")
    if max(count or 1, len(rows)) > MOST_WINDOWS:
        raise ParameterError(
            f"{max(count or 1, len(rows))} windows are too many: at most {MOST_WINDOWS}."
        )
    if rows and count is not None:
        raise ParameterError("--row says which windows, so --count has no meaning.")
    wrong = next((row for row in rows if row >= len(store)), None)
    if wrong is not None:
        raise ParameterError(
            f"{store.path} has no row {wrong}: rows go from 0 to {len(store) - 1}."
        )
    draw = generator(seed, "show")
    if rows:
        return list(rows)
    if eeg is not None:
        found = np.flatnonzero(store.windows["eeg_id"] == eeg)
        if not len(found):
            raise ParameterError(f"{store.path} holds no EEG {eeg}.")
        found = found[np.argsort(store.windows["eeg_offset_s"][found], kind="stable")]
        wanted = min(count or 1, len(found))
        middle = (np.arange(wanted) + 0.5) / wanted * len(found)
        return [int(row) for row in found[middle.astype(int)]]
    codes = store.windows["expert_consensus"]
    if consensus is not None:
        keys = store.spec.class_keys
        if consensus not in keys:
            raise ParameterError(f"--class {consensus} does not exist: use {', '.join(keys)}.")
        found = np.flatnonzero(codes == keys.index(consensus))
        if not len(found):
            raise ParameterError(f"{store.path} holds no window whose consensus is {consensus}.")
        found = draw.permutation(found)
        return _eegs_in_turn(store, found)[: count or 1]
    if count is not None:
        return [int(r) for r in draw.choice(len(store), min(count, len(store)), replace=False)]
    of_each = [np.flatnonzero(codes == code) for code in range(-1, len(store.spec.classes))]
    return [int(draw.choice(found)) for found in of_each if len(found)]


def _eegs_in_turn(store: Store, rows: NDArray[np.int64]) -> list[int]:
    """The first window of every EEG, then every second one, and so on, else in their order."""
    eegs = store.windows["eeg_id"][rows].tolist()
    seen: Counter[int] = Counter()
    turns = []
    for eeg in eegs:
        turns.append(seen[eeg])
        seen[eeg] += 1
    return [int(rows[place]) for place in np.argsort(turns, kind="stable")]
