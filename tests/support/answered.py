"""Simulated votes and answers of models, as files that other tools might write."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import CLASSES

VOTES = [f"{key}_vote" for key in CLASSES]
ANSWERS = [f"{key}_vote_prediction" for key in CLASSES]


class Set:
    """Windows of patients with votes, and models that know more or less of them."""

    def __init__(self, rows: int = 300, *, patients: int = 40, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.eeg = 1_000 + np.arange(rows) // 2
        self.sub = np.arange(rows) % 2
        self.label = 5_000_000 + rng.permutation(rows)
        self.patient = 70 + (self.eeg % patients)
        self.truth = rng.dirichlet(np.full(len(CLASSES), 0.4), rows)
        self.count = rng.choice([3, 5, 12, 20], rows)
        self.votes: NDArray[np.int64] = rng.multinomial(self.count, self.truth)

    @property
    def shares(self) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = self.votes / self.count[:, None]
        return shares

    def model(self, noise: float, seed: int = 1) -> NDArray[np.float64]:
        """Probabilities near the truth."""
        rng = np.random.default_rng(seed)
        logits = np.log(self.truth + 1e-3) + noise * rng.normal(size=self.truth.shape)
        powers = np.exp(logits)
        answer: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return answer

    def table(self, path: Path, rows: Any = slice(None), *, label: bool = True) -> Path:
        """Write a table with ids, patients and votes, such as train.csv."""
        columns: dict[str, Any] = {"eeg_id": self.eeg, "eeg_sub_id": self.sub}
        columns["eeg_label_offset_seconds"] = 10.0 * self.sub
        if label:
            columns["label_id"] = self.label
        columns["patient_id"] = self.patient
        columns |= dict(zip(VOTES, self.votes.T, strict=True))
        return write(path, {name: values[rows] for name, values in columns.items()})

    def ids(self, rows: Any = slice(None)) -> dict[str, Any]:
        return {"eeg_id": self.eeg[rows], "eeg_sub_id": self.sub[rows]}

    def answers(
        self,
        path: Path,
        prediction: NDArray[np.float64],
        rows: Any = slice(None),
        *,
        ids: Mapping[str, Any] | None = None,
        names: Sequence[str] = CLASSES,
        votes: NDArray[Any] | None = None,
    ) -> Path:
        """Write a model's answers, with ids, and votes if they are given."""
        columns = dict(self.ids(rows) if ids is None else ids)
        if votes is not None:
            columns |= dict(zip(VOTES, votes[rows].T, strict=True))
        columns |= dict(zip(names, prediction[rows].T, strict=True))
        return write(path, columns)


def write(path: Path, columns: Mapping[str, Any]) -> Path:
    """Write columns as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(one).tolist() for one in columns.values()), strict=True))
    return path
