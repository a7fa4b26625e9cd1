"""A store and a run's predictions -> the windows that pass a filter, in the order asked for.

Knows nothing of web pages, and reads no signals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore import SPLITS, Store
from hmsstore.view.eeg import share
from hmstrain.errors import DataError
from hmstrain.runs.folder import CONFIG, RunFolder
from hmstrain.runs.predictions import read_predictions
from hmstrain.scoring.formulas import kl_rows
from hmstrain.scoring.score_run import default_store

ORDERS = {
    "row": "as stored",
    "loss": "largest loss first",
    "disagreement": "raters disagree most",
    "random": "random",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which windows to show, and in which order; None lets all pass."""

    consensus: int | None = None
    """Class with most votes."""
    predicted: int | None = None
    """Class that the model finds most probable."""
    answer: str | None = None
    """'right' or 'wrong': whether no class has more votes than that."""
    votes: int = 0
    """Minimum number of votes."""
    split: int | None = None
    fold: int | None = None
    patient: int | None = None
    eeg: int | None = None
    order: str = "row"


@dataclass(frozen=True, slots=True)
class Browser:
    """A store, and what a run predicted for its windows."""

    store: Store
    prediction: NDArray[np.float64]
    """(windows, K); NaN where there is none."""
    run: RunFolder | None = None
    said: dict[int, str] = field(default_factory=dict)
    """What is to be told of answers that were not stored, by row."""
    loss: NDArray[np.float64] = field(init=False)
    """KL divergence (windows,); NaN where there is none."""

    def __post_init__(self) -> None:
        loss = np.full(len(self.store), np.nan)
        known = np.isfinite(self.prediction[:, 0]) & (self.store.windows["expert_consensus"] >= 0)
        loss[known] = kl_rows(self.store.windows["target"][known], self.prediction[known])
        object.__setattr__(self, "loss", loss)

    @property
    def own_store(self) -> bool:
        """Whether the run was trained on this store."""
        return self.run is not None and self.run.store().identity == self.store.identity

    def split_of(self, row: int) -> str:
        """Name of the split that a window is in."""
        return SPLITS[self.store.windows["split"][row]]

    def take(self, row: int, prediction: NDArray[np.float64], said: str) -> None:
        """Keep the answer (K,) for a window that had none, its loss, and what is said of it."""
        self.prediction[row], self.said[row] = prediction, said
        if self.store.windows["expert_consensus"][row] >= 0:
            target = self.store.windows["target"][[row]]
            self.loss[row] = kl_rows(target, self.prediction[[row]])[0]

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """Which windows have a prediction."""
        known: NDArray[np.bool_] = np.isfinite(self.prediction[:, 0])
        return known

    def find(self, chosen: Filter) -> NDArray[np.int64]:
        """Rows that pass a filter, in its order."""
        table = self.store.windows
        consensus = table["expert_consensus"]
        fits = table["votes"].sum(axis=1) >= chosen.votes
        for column, value in (
            (consensus, chosen.consensus),
            (table["split"], chosen.split),
            (table["fold"], chosen.fold),
            (table["patient_id"], chosen.patient),
            (table["eeg_id"], chosen.eeg),
        ):
            if value is not None:
                fits &= column == value
        if chosen.answer or chosen.predicted is not None or chosen.order == "loss":
            fits &= self.predicted
            answer = np.where(self.predicted, np.nan_to_num(self.prediction).argmax(axis=1), -1)
            if chosen.answer:
                votes = table["votes"]  # of several classes in the lead any is right, as in scores
                right = votes[np.arange(len(votes)), answer] == votes.max(axis=1)
                fits &= (right == (chosen.answer == "right")) & (consensus >= 0)
            if chosen.predicted is not None:
                fits &= answer == chosen.predicted
        rows = np.flatnonzero(fits)
        if chosen.order == "loss":
            return rows[np.argsort(-np.nan_to_num(self.loss[rows], nan=-1), kind="stable")]
        if chosen.order == "disagreement":
            agreed = np.nan_to_num(table["target"][rows].max(axis=1), nan=2.0)
            return rows[np.argsort(agreed, kind="stable")]
        if chosen.order == "random":
            return np.random.default_rng(0).permutation(rows)
        return rows

    def about(self, row: int) -> dict[str, str]:
        """Facts about a window besides its signals, as texts."""
        window = {name: column[row] for name, column in self.store.windows.items()}
        votes, total = window["votes"], int(window["votes"].sum())
        titles = self.store.spec.class_titles
        given = [f"{titles[i]} {n}" for i, n in enumerate(votes.tolist()) if n]
        facts = {
            "row": str(row),
            "EEG": f"{window['eeg_id']} at {window['eeg_offset_s']:g} s",
            "spectrogram": f"{window['spectrogram_id']} at {window['spectrogram_offset_s']:g} s",
            "patient": str(window["patient_id"]),
            "votes": f"{', '.join(given)} (of {total})" if total else "not labelled",
            "split": SPLITS[window["split"]]
            + (f", fold {window['fold']}" if window["fold"] >= 0 else ""),
        }
        if self.predicted[row]:
            best = int(self.prediction[row].argmax())
            facts["model"] = f"{titles[best]} {self.prediction[row, best]:.2f}"
            if row in self.said:
                facts["model"] += f", {self.said[row]}"
            if np.isfinite(self.loss[row]):
                facts["loss"] = f"KL {self.loss[row]:.2f}"
        elif self.run is not None:
            facts["model"] = f"no prediction stored for {SPLITS[window['split']]} windows"
        for name in ("eeg", "spectrogram"):
            if window[f"{name}_nan_fraction"]:
                facts[f"{name} missing"] = share(float(window[f"{name}_nan_fraction"]))
        return facts


def open_browser(path: Path, store: Path | None = None) -> Browser:
    """Open a run with a store, by default the one that it was trained on, or a store by itself.

    Of another store the run has no answers yet.

    Raises
    ------
    StoreError
        There is no store.
    DataError
        The store has other classes than the run.
    """
    if not (path / CONFIG).is_file():
        opened = Store.open(path)
        return Browser(opened, _unknown(opened))
    run = RunFolder(path)
    opened = Store.open(store or default_store(run))
    trained_on, prediction = run.store(), _unknown(opened)
    if trained_on.identity == opened.identity:
        for found in read_predictions(path, opened):
            prediction[found.rows] = found.prediction
    elif trained_on.classes != opened.spec.classes:
        raise DataError(
            f"{path} was trained on the classes {', '.join(trained_on.class_titles)}, and "
            f"{opened.path} has {', '.join(opened.spec.class_titles)}: expected the same."
        )
    return Browser(opened, prediction, run)


def _unknown(store: Store) -> NDArray[np.float64]:
    """Probabilities of windows that nothing was predicted of, (windows, K)."""
    return np.full((len(store), len(store.spec.classes)), np.nan)
