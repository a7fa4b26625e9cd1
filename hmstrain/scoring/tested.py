"""A run's scores on a store, and the folder that they are written into.

::

    SPLIT-IDENTITY.json   the scores: written last, so that where it is, the other is its own
    SPLIT-IDENTITY.npz    the predictions that they are of

Of a calibrated run they are called SPLIT-calibrated-IDENTITY, of answers for few votes
SPLIT-few-IDENTITY; averaged over mirrored windows, SPLIT-swap-IDENTITY, over reversed ones
SPLIT-reverse-IDENTITY, and with all SPLIT-swap-reverse-...
IDENTITY are the first twelve digits of the store's.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import SPLITS, Store
from hmsstore.atomic import LEFTOVER, is_empty, refusal, whole_folder
from hmsstore.json_shapes import ShapeError, entry, read_json, text
from hmstrain.data.context import Context
from hmstrain.data.observed import LEAST_JUDGED
from hmstrain.errors import RunError
from hmstrain.models.populations import FEW
from hmstrain.runs.json_file import write_json
from hmstrain.runs.outcome import Alignment, Constant, Scores, StoreId
from hmstrain.runs.precision import Computed
from hmstrain.runs.predictions import write_predictions
from hmstrain.runs.trained import AS_THEY_ARE, Views
from hmstrain.scoring.seen import Seen
from hmstrain.words import plural

ALL = "all"
"""Every split but the windows that were dropped."""
SCORED = (ALL, "train", "valid", *(word for word in SPLITS if word not in ("train", "dropped")))
"""What can be asked for as a split."""
FILES = re.compile(
    rf"(?:{'|'.join(SCORED)})-(?:swap-)?(?:reverse-)?"
    rf"(?:calibrated-|{FEW}-)?[0-9a-f]{{12}}\.(?:json|npz)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A run's scores on a store, its own or another; what they are of, and what speaks against."""

    run: Path
    store: StoreId
    same_store: bool
    """Whether it is the store that the run was trained on."""
    leaks: bool
    """Whether patients are in what it was trained on and in what it was tested on."""
    patients_trained_on: int
    """Patients tested on whose numbers are also those of patients trained or validated on; not
    counted where the split is the fold that was held out."""
    seen: Seen
    """How many windows are of patients that the run knows."""
    split: str
    views: Views = AS_THEY_ARE
    """What the answers were averaged over."""
    views_unseen: tuple[str, ...] = ()
    """Views that the run was not trained on, one sentence each."""
    calibrated_for: str | None = None
    """Population of votes that the run's calibration is for; None if it was not applied."""
    calibrated_by_test: bool = False
    """Whether that calibration was fitted to test windows."""
    population: str | None = None
    """Number of votes, 'few' or 'many', that the answers are for; None: the run has one answer."""
    arithmetic: tuple[Computed, ...] = ()
    """In what each of its networks computed."""
    test: Scores
    constant: Constant | None
    """None where the store has no training windows."""
    alignment: Alignment | None
    rows: NDArray[np.int64]
    """(N,) rows of the store's window table."""
    prediction: NDArray[np.float64]
    """(N, K) probabilities."""
    context: Context
    """(N,) how much of what the run looks at was observed."""
    by_context: dict[str, Scores]
    """Of the windows with full and with partial context by themselves, if any has partial."""
    left_out: int
    """Labelled windows that are not scored: too little of their judged seconds was recorded."""

    @property
    def warnings(self) -> list[str]:
        """What speaks against the scores, one sentence each."""
        refused = [text for one in self.arithmetic for text in one.refused]
        found = [*self.seen.warnings, *self.views_unseen, *refused]
        if self.calibrated_for not in (None, "all"):
            found = [
                *found,
                f"Calibrated for windows with {self.calibrated_for} votes: scores over other "
                "windows are of answers for another mix of classes.",
            ]
        if self.calibrated_by_test and self.split == "test" and self.same_store:
            found = [
                *found,
                "The calibration is fitted to test windows of this store: scores with it are too "
                "good.",
            ]
        if self.population is not None:
            found = [
                *found,
                f"Answers are for windows with {self.population} votes: scores over other windows "
                "are of answers for another mix of classes.",
            ]
        if self.leaks and not self.seen.warnings:
            found = [*found, "Patients leak between training and test: these scores are too good."]
        if self.left_out:
            found = [
                *found,
                f"{plural(self.left_out, 'labelled window')} left out: more than "
                f"{1 - LEAST_JUDGED:.0%} of their judged seconds was not recorded.",
            ]
        return [*found, *self.context.warnings]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, without rows and predictions."""
        return {
            "run": str(self.run),
            "store": self.store.to_json(),
            "same_store": self.same_store,
            "leaks": self.leaks,
            "patients_trained_on": self.patients_trained_on,
            "seen": self.seen.to_json(),
            "warnings": self.warnings,
            "split": self.split,
            "swap": self.views.swap,
            "reverse": self.views.reverse,
            "calibrated_for": self.calibrated_for,
            "population": self.population,
            "arithmetic": [one.to_json() for one in self.arithmetic],
            "test": self.test.to_json(),
            "context": self.context.counts(),
            "by_context": {name: part.to_json() for name, part in self.by_context.items()},
            "left_out": self.left_out,
            "constant": None if self.constant is None else self.constant.to_json(),
            "alignment": None if self.alignment is None else asdict(self.alignment),
        }


def predictions_path(found: Tested, out: Path | None = None) -> Path:
    """Where predictions of a store are written: into a folder, by default the run's."""
    asked = {
        "swap": found.views.swap,
        "reverse": found.views.reverse,
        "calibrated": found.calibrated_for is not None,
        FEW: found.population == FEW,
    }
    words = [found.split, *(word for word, yes in asked.items() if yes), found.store.identity[:12]]
    return (out or found.run) / f"{'-'.join(words)}.npz"


def check_out(out: Path | None, run: Path, store: Store) -> None:
    """Refuse, before anything is predicted, a folder that scores cannot be written into.

    Parameters
    ----------
    out : Path, optional
        None: the run's own folder.

    Raises
    ------
    RunError
        It is read-only, lies within a store, or holds something else or another run's scores.
    """
    if out is None:
        if reason := refusal(run):
            raise RunError(
                f"{run} cannot be written into ({reason}): name a folder for the scores and "
                "predictions with --out."
            )
        return
    if out.resolve().is_relative_to(store.path.resolve()):
        raise RunError(f"--out {out} lies within the store, which is sealed: name another folder.")
    if out.exists():
        _check_own(out, run)
    there = next(path for path in (out, *out.resolve().parents) if path.exists())
    if reason := refusal(there):
        raise RunError(f"--out {out} cannot be written ({reason}): name another folder.")


def write_tested(found: Tested, store: Store, out: Path | None = None) -> None:
    """Write scores and predictions into the run's folder or another, which is made whole."""
    if out is None or out.exists():
        _write(found, store, out or found.run)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(out) as unfinished:
        _write(found, store, unfinished)


def _write(found: Tested, store: Store, folder: Path) -> None:
    path = predictions_path(found, folder)
    path.with_suffix(".json").unlink(missing_ok=True)  # of other predictions than the new ones
    observed = found.context.observed
    write_predictions(path, store, found.rows, found.prediction, observed)
    write_json(path.with_suffix(".json"), found.to_json())


def _check_own(out: Path, run: Path) -> None:
    """Refuse a folder with anything but what `write_tested` left there of the same run."""
    if not out.is_dir():
        raise RunError(f"--out {out} is a file: name a folder.")
    if is_empty(out) or out.resolve() == run.resolve():
        return
    for path in sorted(out.iterdir()):
        if not (FILES.fullmatch(path.name) or LEFTOVER.fullmatch(path.name)):
            raise RunError(
                f"--out {out} holds {path.name}, which is not a score: name another folder."
            )
        if path.suffix == ".json" and (other := _run_of(path)) != run.resolve():
            raise RunError(
                f"--out {out} holds scores of another run ({other or 'not named'}): name another "
                "folder."
            )


def _run_of(path: Path) -> Path | None:
    try:
        return Path(entry(read_json(path), "run", text)).resolve()
    except (OSError, ShapeError):
        return None
