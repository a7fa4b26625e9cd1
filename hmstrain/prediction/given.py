"""Runs that the user names, or a blend of them -> whose answers make one, and how it is calibrated.

A blend that `hmstrain blend` made of runs stands wherever a run does. A calibration belongs to what
it was fitted on: to one run, or to a blend; nothing is calibrated unless that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import SPLITS, Store
from hmstrain.errors import ConfigError, RunError
from hmstrain.models.populations import FEW
from hmstrain.prediction.demo import called
from hmstrain.prediction.episodes import EpisodeRule
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.notice import read_notice
from hmstrain.runs.trained import check_population
from hmstrain.scoring import blending
from hmstrain.scoring.blending import FITTED, Blend, combine, networks_of, read_blend
from hmstrain.scoring.calibration import FILE, POPULATIONS, Calibration, read_calibration

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Given:
    """Runs, and which of them make up a member of a blend."""

    runs: tuple[RunFolder, ...]
    members: tuple[tuple[int, ...], ...]
    """Places among the runs of each member: several where they differ in their seed alone."""
    blend: Blend | None
    folder: Path | None
    """Of the one run or the blend, which may be calibrated; None of several runs."""

    def combine(self, answers: Sequence[Floats], how: str, weights: Floats | None) -> Floats:
        """Make one answer of the runs' own, (N, K) each."""
        if self.blend is None:
            return combine(np.stack(answers), how, weights)
        means = [np.mean([answers[place] for place in member], axis=0) for member in self.members]
        return self.blend.apply(means)

    def warnings(
        self, store: Store, rows: NDArray[np.int64], calibrating: Calibrating | None = None
    ) -> list[str]:
        """What speaks against scores of these windows (N,), one sentence each."""
        fitted = []
        if self.blend is not None and self.blend.windows == "test" and self.blend.how in FITTED:
            fitted.append("weights")
        if calibrating is not None and calibrating.calibration.of_test_windows:
            fitted.append("calibration")
        tested = (store.windows["split"][rows] == SPLITS.index("test")).any()
        if not tested or all(run.store().identity != store.identity for run in self.runs):
            return []
        return [
            f"The {what} of {self.folder} {'are' if what == 'weights' else 'is'} fitted to test "
            "windows of this store: scores with them are too good."
            for what in fitted
        ]

    def weights(self, fitted: Floats | None) -> list[float | None]:
        """Weight of each run in the answer; None where all weigh the same."""
        if self.blend is None:
            return [None if fitted is None else float(fitted[n]) for n in range(len(self.runs))]
        found: list[float | None] = [None] * len(self.runs)
        for member, places in zip(self.blend.members, self.members, strict=True):
            for place in places:
                found[place] = member.weight / len(places)
        return found


def given_runs(paths: Sequence[Path | str] | Path | str) -> Given:
    """Take one run, several, or a blend of runs.

    Raises
    ------
    ConfigError
        Nothing is named, or a blend beside something else.
    RunError
        The blend is damaged, or is one of files.
    """
    named = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not named:
        raise ConfigError("Name at least one run.")
    blends = [path for path in named if (path / blending.FILE).is_file()]
    if not blends:
        runs = tuple(RunFolder(path) for path in named)
        alone = named[0] if len(named) == 1 else None
        return Given(runs, tuple((place,) for place in range(len(runs))), None, alone)
    if len(named) > 1:
        raise ConfigError(
            f"{blends[0]} is a blend, which cannot be averaged with other runs: name it alone, or "
            "blend them all."
        )
    blend = read_blend(blends[0])
    runs_of = networks_of(blend, blends[0])
    edges = np.cumsum([0, *(len(paths) for paths in runs_of)]).tolist()
    return Given(
        tuple(RunFolder(path) for paths in runs_of for path in paths),
        tuple(tuple(range(first, last)) for first, last in pairwise(edges)),
        blend,
        blends[0],
    )


def check_answer(given: Given, population: str | None, *, calibrated: bool) -> None:
    """Refuse a population of votes whose answers the runs lack, or what was fitted to the other's.

    Raises
    ------
    ConfigError
        A run has one answer for all, or few votes are asked of a blend or a calibration.
    """
    check_population(given.runs, population)
    if population == FEW and (calibrated or given.blend is not None):
        what = "the calibration" if calibrated else f"the blend {given.folder}"
        raise ConfigError(
            f"--population {FEW}: {what} was fitted to answers for many votes, and would be wrong "
            "for these. Name the runs without it."
        )


def check_rule(given: Given, rule: EpisodeRule) -> None:
    """Refuse to look for episodes in another way than by default with a run that gives none.

    Raises
    ------
    ConfigError
        Naming the option and the run.
    """
    for run in given.runs if rule.options else ():
        if read_notice(run.path):
            raise ConfigError(
                f"{rule.options[0]} is for episodes, and {called(run.path)} gives probabilities "
                "alone: leave it out."
            )


@dataclass(frozen=True, slots=True)
class Calibrating:
    """A calibration, and whose mix of classes the answers are to have."""

    calibration: Calibration
    prior: str | None
    """The population that the user names; None: not said."""

    def apply(self, prediction: Floats, *, new: bool = False) -> Floats:
        """Calibrate probabilities (N, K).

        Parameters
        ----------
        new : bool
            Whether they are of a new recording, whose mix of classes nobody knows: it gets the
            temperature alone, unless the user says whose mix it has.
        """
        return self.calibration.apply(prediction, bias=not new or self.prior is not None)

    def said(self, *, new: bool = False) -> dict[str, Any]:
        """What is applied, for a summary."""
        one = self.calibration
        biased = not new or self.prior is not None
        return {
            "population": one.population if biased else None,
            "temperature": one.temperature if biased else one.temperature_alone,
            "bias": dict(one.bias) if biased else None,
            "fitted_on": dict(one.fitted_on),
        }

    def words(self, *, new: bool = False) -> str:
        """The same as a sentence."""
        one = self.calibration
        votes = "any number of votes" if one.population == "all" else f"{one.population} votes"
        if new and self.prior is None:
            return (
                f"Calibrated by a temperature of {one.temperature_alone:.3f} alone: it is unknown "
                f"how often each class occurs in a new recording. --prior {one.population} assumes "
                f"the class mix of windows with {votes}."
            )
        return (
            f"Calibrated for windows with {votes}, whose mix of classes is assumed: temperature "
            f"{one.temperature:.3f} and a bias of each class."
        )


def calibrating(
    given: Given, class_keys: Sequence[str], *, calibrated: bool, prior: str | None
) -> Calibrating | None:
    """Read the calibration that is asked for; None if none is.

    Raises
    ------
    ConfigError
        It is asked for several runs, or another population is named than it is for.
    RunError
        There is none, or it is damaged.
    """
    if not calibrated:
        if prior is not None:
            raise ConfigError(f"--prior {prior} is a part of the calibration: add --calibrated.")
        return None
    if prior is not None and prior not in POPULATIONS:
        raise ConfigError(f"--prior {prior}: expected one of {', '.join(POPULATIONS)}.")
    if given.folder is None:
        raise ConfigError(
            "--calibrated: several runs have no calibration together. Make one answer of them "
            "with hmstrain blend, and calibrate that."
        )
    path = given.folder / FILE
    if not path.is_file():
        raise RunError(
            f"{given.folder} is not calibrated: run hmstrain calibrate "
            f"{quote(str(given.folder))} first."
        )
    found = read_calibration(path, class_keys)
    if prior is not None and prior != found.population:
        raise ConfigError(f"--prior {prior}: {path} is for windows with {found.population} votes.")
    return Calibrating(found, prior)
