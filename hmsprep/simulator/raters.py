"""Recordings to judge -> the distribution that raters vote by, and their votes.

Shares and disagreement are those of the competition's train.csv in each of its three populations.
Small sets would stray far from them by chance, so what falls behind its share catches up, and doubt
is spread evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import CLASSES

CONFUSED_WITH = np.asarray(
    [
        [0.000, 0.312, 0.186, 0.162, 0.106, 0.234],
        [0.176, 0.000, 0.106, 0.202, 0.040, 0.476],
        [0.168, 0.209, 0.000, 0.022, 0.132, 0.470],
        [0.094, 0.263, 0.008, 0.000, 0.131, 0.505],
        [0.074, 0.046, 0.144, 0.130, 0.000, 0.606],
        [0.052, 0.229, 0.159, 0.218, 0.341, 0.000],
    ]
)
"""What raters take each class for if not for itself, by the majority's class: from 35,740 segments
of the IIIC data with 9 to 20 expert votes each (Jing et al. 2023). Rows sum to 1."""
SLIP = 0.02
"""Share of votes that are cast for any class, by mistake."""
CHANGING = 0.12
"""Share of EEGs whose votes change on their way."""
SPREAD = 0.95
"""Deviation of the logarithm of how many windows an EEG has."""
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of the golden ratio, modulo 1, fill the unit interval evenly."""


@dataclass(frozen=True, slots=True)
class Population:
    """EEGs that about as many raters voted on.

    Its figures are those of train.csv, which count one window of each pair of EEG and votes.
    """

    share: float
    """Share of such pairs."""
    classes: tuple[float, ...]
    """Mean share of votes of each class."""
    doubt: tuple[float, float]
    """Beta distribution of the share of votes that go to other classes than the leading one, fitted
    to the mean entropy of the shares of votes and to how often all raters agree."""
    windows: tuple[float, ...]
    """Windows with the same votes in a row, on average, by the class that leads them."""
    votes: Mapping[int, float]
    """Chance of each number of votes; none: ten and more, up to 28."""
    votes_of_one: Mapping[int, float] | None = None
    """The same where they are on a single window, if that differs."""

    @property
    def leads(self) -> NDArray[np.float64]:
        """How often each class must lead for the votes to have these shares, float64 (6,)."""
        doubt = self.doubt[0] / sum(self.doubt)
        confused = (1 - doubt) * np.eye(len(CLASSES)) + doubt * CONFUSED_WITH
        meant = (np.asarray(self.classes) - SLIP / len(CLASSES)) / (1 - SLIP)
        found = (meant @ np.linalg.inv(confused)).clip(0.005)
        return np.asarray(found / found.sum())


POPULATIONS = (
    Population(
        share=0.585,
        classes=(0.226, 0.124, 0.089, 0.065, 0.122, 0.374),
        doubt=(0.32, 2.3),
        windows=(6.6, 3.2, 4.5, 13.7, 9.2, 1.8),
        votes={1: 0.15, 2: 0.09, 3: 0.76},
        votes_of_one={1: 0.62, 2: 0.38},
    ),
    Population(
        share=0.101,
        classes=(0.356, 0.215, 0.110, 0.049, 0.038, 0.232),
        doubt=(2.0, 4.5),
        windows=(2.1, 5.1, 8.7, 12.0, 5.8, 3.5),
        votes={4: 0.367, 5: 0.563, 6: 0.07},
    ),
    Population(
        share=0.314,
        classes=(0.052, 0.189, 0.123, 0.083, 0.088, 0.464),
        doubt=(1.1, 3.5),
        windows=(2.1, 5.8, 12.5, 17.3, 12.1, 3.2),
        votes={},
    ),
)
"""One to three votes, four to nine, ten and more: 11,741, 2,026 and 6,313 pairs of EEG and votes.
Seizures are rare where many voted, and most is none of the patterns."""


class Raters:
    """Raters who have judged some EEGs already."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.seen = np.asarray([20 * one.share for one in POPULATIONS])
        """EEGs of each population so far, and twenty as they should be."""
        self.mass = [20 * np.asarray(one.classes) for one in POPULATIONS]
        """The same of each population's EEGs, by class."""
        self.quantile = rng.random(len(POPULATIONS))

    def judge(
        self, habit: NDArray[np.float64], most: int
    ) -> list[tuple[NDArray[np.float64], NDArray[np.int64], int]]:
        """Judge the windows of one EEG, which has more of them the longer its pattern lasts.

        Parameters
        ----------
        habit : float64 (6,)
            How much the patient tends to each class.
        most : int
            Most windows that the EEG may have.

        Returns
        -------
        list of (truth, votes, windows)
            Distribution that the votes are drawn from, float64 (6,); the votes, int64 (6,); for how
            many windows, one after the other.
        """
        if not most:
            return []
        which = self._population()
        lead = self._lead(which, habit)
        extra = (POPULATIONS[which].windows[lead] - 0.5) * self.rng.lognormal(
            -(SPREAD**2) / 2, SPREAD
        )
        windows = min(1 + int(extra), most)
        parts = [windows]
        if windows > 1 and self.rng.random() < CHANGING:
            change = int(self.rng.integers(1, windows))
            parts = [change, windows - change]
        found = []
        for number, count in enumerate(parts):
            if number:
                lead = self._lead(which, habit)
            truth = self._truth(which, lead)
            self.mass[which] += truth
            found.append((truth, self.rng.multinomial(self._votes(which, count), truth), count))
        return found

    def _population(self) -> int:
        shares = np.asarray([one.share for one in POPULATIONS])
        chance = shares * (shares * self.seen.sum() / self.seen) ** 5
        which = int(self.rng.choice(len(POPULATIONS), p=chance / chance.sum()))
        self.seen[which] += 1
        return which

    def _lead(self, which: int, habit: NDArray[np.float64]) -> int:
        one, mass = POPULATIONS[which], self.mass[which]
        behind = np.asarray(one.classes) * mass.sum() / mass
        chance = one.leads * (0.35 + habit) * behind**3
        return int(self.rng.choice(len(CLASSES), p=chance / chance.sum()))

    def _truth(self, which: int, lead: int) -> NDArray[np.float64]:
        from scipy.special import betaincinv

        self.quantile[which] = (self.quantile[which] + GOLDEN) % 1
        doubt = betaincinv(*POPULATIONS[which].doubt, self.quantile[which])
        others = self.rng.dirichlet(6 * CONFUSED_WITH[lead] + 1e-3)
        truth = (1 - doubt) * np.eye(len(CLASSES))[lead] + doubt * others
        return np.asarray((1 - SLIP) * truth + SLIP / len(CLASSES))

    def _votes(self, which: int, windows: int) -> int:
        """How many raters vote on so many windows."""
        one = POPULATIONS[which]
        if not one.votes:
            return int(np.clip(10 + self.rng.negative_binomial(4, 0.5), 10, 28))
        chances = one.votes_of_one if windows == 1 and one.votes_of_one else one.votes
        return int(self.rng.choice(list(chances), p=list(chances.values())))
