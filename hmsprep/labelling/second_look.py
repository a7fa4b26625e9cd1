"""Ratings, a model's answers -> stretches that are worth a second look, those that need it first.

Windows in a row of which the same is to be said are one stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.labelling.agreement import NONE, UNSURE
from hmsprep.labelling.places import Places
from hmsprep.labelling.ratings import Ratings
from hmsprep.words import clock
from hmsstore.labels import UNSURE as UNSURE_WORD

DISAGREE, UNDECIDED, AGAINST = "readers disagree", "a reader is unsure", "the model disagrees"
ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class SecondLook:
    """A stretch that is worth a second look."""

    recording: str
    eeg_id: int
    start_s: float
    """Of the judged seconds, from the start of the recording; of an EEG of its own from its."""
    stop_s: float
    windows: int
    labels: dict[str, str]
    """Reader -> class, or 'unsure'; those who judged it."""
    model: str
    """The model's class; '' if it was not asked or readers saw its answer."""
    probability: float | None
    """Mean probability of that class."""
    reasons: tuple[str, ...]
    split: float
    """Share of the votes that are not for the class with the most."""
    against: float
    """Mean of the model's probability of its class, less that of the readers'; 0 if they agree."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "recording": self.recording,
            "eeg_id": self.eeg_id,
            "start_s": round(self.start_s, 3),
            "stop_s": round(self.stop_s, 3),
            "start": clock(self.start_s),
            "stop": clock(self.stop_s),
            "windows": self.windows,
            "labels": self.labels,
            "model": self.model or None,
            "probability": self.probability,
            "reasons": list(self.reasons),
        }


def second_look(
    places: Places, ratings: Ratings, probabilities: NDArray[np.float64] | None = None
) -> list[SecondLook]:
    """Find windows on which readers disagree, are unsure, or that a model sees otherwise.

    Parameters
    ----------
    places : Places
        The windows.
    ratings : Ratings
        What readers said of them.
    probabilities : float64 (N, K), optional
        A model's; NaN where it gave none. It counts where marks were made blind.
    """
    keys = places.spec.class_keys
    votes, blind = (ratings.votes(len(keys), blind=one) for one in (False, True))
    total = votes.sum(axis=1)
    split = np.where(total > 0, 1 - votes.max(axis=1) / np.maximum(total, 1), 0.0)
    unsure = (ratings.codes == UNSURE).any(axis=0)
    answers = np.full(len(places), NONE)
    against = np.zeros(len(places))
    if probabilities is not None:
        asked = np.isfinite(probabilities).all(axis=1) & (blind.sum(axis=1) > 0)
        sure = np.where(asked[:, None], probabilities, 0.0)
        answers[asked] = sure[asked].argmax(axis=1)
        theirs = np.where(blind == blind.max(axis=1, keepdims=True), sure, 0.0).max(axis=1)
        against = np.where(asked, sure.max(axis=1) - theirs, 0.0)
    wanted = np.flatnonzero((split > 0) | unsure | (against > 0))
    start, recording = places.start_s, places.recording
    key = np.where(recording >= 0, recording, -1 - places.table["eeg_id"])
    order = wanted[np.lexsort((start[wanted], key[wanted]))]
    found: list[list[int]] = []
    for row in order.tolist():
        before = found[-1][-1] if found else None
        joined = (
            before is not None
            and key[before] == key[row]
            and start[row] <= start[before] + places.spec.judged_s + ROUNDING_S
            and (ratings.codes[:, before] == ratings.codes[:, row]).all()
            and answers[before] == answers[row]
            and (against[before] > 0) == (against[row] > 0)
        )
        if joined:
            found[-1].append(row)
        else:
            found.append([row])
    looks = [
        _stretch(places, ratings, rows, answers, probabilities, split, against) for rows in found
    ]
    return sorted(looks, key=lambda one: (-one.split, -one.against, one.recording, one.start_s))


def _stretch(
    places: Places,
    ratings: Ratings,
    rows: Sequence[int],
    answers: NDArray[np.int64],
    probabilities: NDArray[np.float64] | None,
    split: NDArray[np.float64],
    against: NDArray[np.float64],
) -> SecondLook:
    keys, first = places.spec.class_keys, rows[0]
    codes = ratings.codes[:, first].tolist()
    labels = {
        reader: UNSURE_WORD if code == UNSURE else keys[code]
        for reader, code in zip(ratings.readers, codes, strict=True)
        if code != NONE
    }
    answer = int(answers[first])
    mean = None
    if answer >= 0 and probabilities is not None:
        mean = round(float(probabilities[list(rows), answer].mean()), 4)
    reasons = (
        (DISAGREE, split[first] > 0),
        (UNDECIDED, UNSURE in codes),
        (AGAINST, against[first] > 0),
    )
    return SecondLook(
        recording=places.name(first),
        eeg_id=int(places.table["eeg_id"][first]),
        start_s=float(places.start_s[first]),
        stop_s=float(places.start_s[rows[-1]]) + places.spec.judged_s,
        windows=len(rows),
        labels=labels,
        model=keys[answer] if answer >= 0 else "",
        probability=mean,
        reasons=tuple(word for word, holds in reasons if holds),
        split=float(split[first]),
        against=float(against[list(rows)].mean()),
    )
