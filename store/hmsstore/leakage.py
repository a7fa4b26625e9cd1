"""Patients and splits of all windows -> the patients that stand on both sides.

A model that has seen a patient in training knows more of that patient's test windows than it will
know of any new patient, so its score is too good. This is the one check that every store must pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import SPLITS


def leaking_patients(
    patient_id: NDArray[Any], split: NDArray[Any], fold: NDArray[Any]
) -> NDArray[np.int64]:
    """Find the patients with windows in both train and test, or in two folds.

    Parameters
    ----------
    patient_id, split, fold : integer arrays (windows,)
        Columns of the window table; windows of split 'predict' and 'dropped' do not count.

    Returns
    -------
    int64 (patients,)
        Ids in ascending order; empty if nothing leaks.
    """
    train, test = SPLITS.index("train"), SPLITS.index("test")
    side = np.where(split == test, -2, fold).astype(np.int64)  # test is one more group
    counted = (split == train) | (split == test)
    patient, side = patient_id[counted], side[counted]
    if not len(patient):
        return np.empty(0, np.int64)
    # Rows of a recording stand together, so looking at changes alone keeps this quick at any size.
    change = np.ones(len(patient), bool)
    change[1:] = (patient[1:] != patient[:-1]) | (side[1:] != side[:-1])
    pairs = np.unique(np.stack([patient[change], side[change]]), axis=1)
    patients, sides = np.unique(pairs[0], return_counts=True)
    return patients[sides > 1].astype(np.int64)
