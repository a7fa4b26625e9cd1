"""Windows with patients and classes -> what each window is for: split and fold.

scikit-learn's splitters do the dividing. A patient is never on two sides, unless the split by
window is asked for, which is how the field's early reports were scored; the store then declares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hmsprep.kaggle.table import Columns
from hmsprep.planning.parameters import Parameters
from hmsprep.seeds import generator
from hmsprep.words import LEAK_WARNING, plural
from hmsstore.schema import SPLITS

if TYPE_CHECKING:
    from sklearn.model_selection import BaseCrossValidator

TEST_PARTS = 10
"""One of ten parts of the patients is the test set."""
FOLDS = 5
FEWEST_FOR_TEST = 10
"""With fewer patients than this there is no test set."""
FEWEST_FOR_FOLDS = 5
"""With fewer patients than this there are as many folds as patients."""
FEWEST_TESTED = 10
"""A test set of fewer patients than this says little; a warning says so."""
WINDOW_TRAIN_SHARE = 0.9
"""The split by window trains on this share of the windows."""


@dataclass(frozen=True, slots=True)
class Split:
    """What each window is for.

    Attributes
    ----------
    split : int8 (windows,)
        Position of its word in `hmsstore.SPLITS`.
    fold : int8 (windows,)
        Fold that holds it out; -1 for none.
    folds : int
        Number of folds.
    leaks : bool
        Whether patients are in both train and test.
    warnings : tuple of str
        What is not as usual.
    """

    split: NDArray[np.int8]
    fold: NDArray[np.int8]
    folds: int
    leaks: bool
    warnings: tuple[str, ...]


def assign(columns: Columns, parameters: Parameters) -> Split:
    """Divide windows into train and test and the training windows into folds."""
    rows = len(columns["eeg_id"])
    split = np.full(rows, SPLITS.index("train"), np.int8)
    fold = np.full(rows, -1, np.int8)
    if (columns["expert_consensus"] < 0).all():
        split[:] = SPLITS.index("predict")
        return Split(split, fold, 0, False, ("No labels: every window is to be predicted.",))
    if parameters.split_by == "all":
        split[:] = SPLITS.index("test")
        return Split(split, fold, 0, False, ())
    notes: list[str] = []
    patient, consensus, seed = columns["patient_id"], columns["expert_consensus"], parameters.seed
    titles = parameters.spec.class_titles
    patients = len(np.unique(patient))
    test = np.zeros(rows, bool)
    leaks = False
    if parameters.split_by == "window":
        order = generator(seed, "split").permutation(rows)
        test[order[round(WINDOW_TRAIN_SHARE * rows) :]] = True
        leaks = bool(np.isin(patient[test], patient[~test]).any())
        notes += [LEAK_WARNING] * leaks
    elif patients >= FEWEST_FOR_TEST:
        test = parts(patient, consensus, TEST_PARTS, seed, "the test set is", notes, titles) == 0
    split[test] = SPLITS.index("test")
    train = np.flatnonzero(~test)
    to_train_on = len(np.unique(patient[train]))
    folds = FOLDS if to_train_on >= FEWEST_FOR_FOLDS else to_train_on if to_train_on > 1 else 0
    lacking = [] if test.any() else [f"no test set (it needs {FEWEST_FOR_TEST})"]
    if folds < FOLDS:
        lacking.append(f"{plural(folds, 'fold') if folds else 'no folds'} instead of {FOLDS}")
    if lacking:
        notes.append(f"Only {plural(patients, 'patient')}: {' and '.join(lacking)}.")
    tested = len(np.unique(patient[test]))
    if 0 < tested < FEWEST_TESTED and not leaks:
        notes.append(
            f"Only {plural(tested, 'patient')} in the test set: its scores will be imprecise."
        )
    if folds:
        fold[train] = parts(
            patient[train], consensus[train], folds, seed, "the folds are", notes, titles
        )
    return Split(split, fold, folds, leaks, tuple(notes))


def parts(
    patient: NDArray[np.int64],
    consensus: NDArray[np.int8],
    count: int,
    seed: int,
    what: str,
    notes: list[str],
    titles: Sequence[str],
) -> NDArray[np.int8]:
    """Number the part of each window, int8 (windows,): patients whole, classes spread evenly."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    rows = np.bincount(consensus)
    scarce = np.flatnonzero((rows > 0) & (rows < count))
    if not len(scarce):
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        part = _numbered(splitter, patient, consensus)
        if len(np.unique(part)) == count:
            return part
        reason = "stratifying by class would leave a part empty"
    else:
        number, title = int(rows[scarce[0]]), titles[scarce[0]]
        reason = f"{title} has {plural(number, 'window')}, fewer than {count}"
    reason = reason[0].upper() + reason[1:]
    notes.append(f"{reason}: {what} drawn by patient alone, without balancing the classes.")
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    return _numbered(splitter, patient, consensus)


def _numbered(
    splitter: BaseCrossValidator, patient: NDArray[np.int64], consensus: NDArray[np.int8]
) -> NDArray[np.int8]:
    part = np.empty(len(patient), np.int8)
    held_out = splitter.split(np.zeros(len(patient)), consensus, patient)
    for number, (_, rows_out) in enumerate(held_out):
        part[rows_out] = number
    return part
