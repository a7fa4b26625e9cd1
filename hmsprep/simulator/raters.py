"""Recordings to judge -> the distribution that raters vote by, and their votes.

The shares and the disagreement are those of the competition's train.csv. Small sets would stray far
from them by chance, so what falls behind its share catches up, and doubt is spread evenly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CLASSES

CONFUSED_WITH = np.asarray(
    [
        [0.00, 0.26, 0.28, 0.10, 0.10, 0.26],
        [0.15, 0.00, 0.20, 0.20, 0.05, 0.40],
        [0.18, 0.20, 0.00, 0.04, 0.20, 0.38],
        [0.08, 0.20, 0.04, 0.00, 0.28, 0.40],
        [0.06, 0.03, 0.18, 0.25, 0.00, 0.48],
        [0.14, 0.20, 0.18, 0.22, 0.26, 0.00],
    ]
)
"""What raters take each class for if not for itself: neighbours on the ictal-interictal continuum,
the other extent of the same pattern, or nothing."""
FEW_RATERS = np.asarray([0.30, 0.11, 0.12, 0.13, 0.19, 0.15])
"""How often each class leads where few raters voted."""
MANY_RATERS = np.asarray([0.06, 0.19, 0.14, 0.13, 0.14, 0.34])
"""The same where ten and more voted: seizures are rare, and most is none of the patterns."""
OVERALL = np.asarray([0.208, 0.132, 0.129, 0.139, 0.180, 0.212])
"""Mean target over all windows of the competition's train.csv."""
MANY_SHARE = 0.37
"""Share of EEGs that ten and more raters saw."""
SLIP = 0.02
"""Share of votes that are cast for any class, by mistake."""
CHANGING = 0.12
"""Share of EEGs whose votes change on their way."""
DOUBT = {True: (0.9, 2.0), False: (0.32, 2.7)}
"""Beta distribution of the share of votes that go to other classes, for many and for few raters."""
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of the golden ratio, modulo 1, fill the unit interval evenly."""


class Raters:
    """Raters who have judged some windows already."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.mass = 20 * OVERALL
        """Windows led by each class so far, and twenty as they should be."""
        self.windows = {True: 20 * MANY_SHARE, False: 20 * (1 - MANY_SHARE)}
        """Windows that many and that few raters judged."""
        self.quantile = {True: rng.random(), False: rng.random()}

    def judge(
        self, habit: NDArray[np.float64], windows: int
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64], int]]:
        """Judge the windows of one EEG.

        Parameters
        ----------
        habit : float64 (6,)
            How much the patient tends to each class.
        windows : int
            Windows of the EEG.

        Yields
        ------
        truth : float64 (6,)
            Distribution that the votes are drawn from.
        votes : int64 (6,)
            The votes.
        windows : int
            For how many windows, one after the other.
        """
        ahead = self.windows[True] / sum(self.windows.values()) - MANY_SHARE
        many = bool(self.rng.random() < MANY_SHARE - 5 * ahead)
        changes = windows > 1 and self.rng.random() < CHANGING
        change = int(self.rng.integers(1, windows)) if changes else windows
        for count in (change, windows - change):
            if count:
                truth = self._truth(habit, many=many)
                self.mass += count * truth
                self.windows[many] += count
                yield truth, self.rng.multinomial(self._votes(many=many), truth), count

    def _truth(self, habit: NDArray[np.float64], *, many: bool) -> NDArray[np.float64]:
        from scipy.special import betaincinv

        behind = OVERALL * self.mass.sum() / self.mass
        prior = (MANY_RATERS if many else FEW_RATERS) * (0.35 + habit) * behind**3
        lead = int(self.rng.choice(len(CLASSES), p=prior / prior.sum()))
        self.quantile[many] = (self.quantile[many] + GOLDEN) % 1
        doubt = betaincinv(*DOUBT[many], self.quantile[many])
        others = self.rng.dirichlet(6 * CONFUSED_WITH[lead] + 1e-3)
        truth = (1 - doubt) * np.eye(len(CLASSES))[lead] + doubt * others
        return np.asarray((1 - SLIP) * truth + SLIP / len(CLASSES))

    def _votes(self, *, many: bool) -> int:
        """How many raters vote: mostly three, or ten to twenty-eight."""
        if many:
            return int(np.clip(10 + self.rng.negative_binomial(4, 0.5), 10, 28))
        return int(self.rng.choice((3, 1, 2, 4, 5, 6), p=(0.78, 0.06, 0.04, 0.05, 0.05, 0.02)))
