"""Several models' predictions on the same rows -> one answer, and what blending them is worth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.json_shapes import (
    ShapeError,
    entry,
    entry_or,
    finite,
    items,
    mapping,
    optional,
    read_json,
    text,
)
from hmsstore.json_shapes import truth as true_or_false
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.runs.json_file import check_seal
from hmstrain.runs.predictions import OUT_OF_FOLD
from hmstrain.scoring.answers.matched import Matched, members_of
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.answers.read import ROUNDED, Answers
from hmstrain.scoring.bootstrap import Span, check_seed
from hmstrain.scoring.calibrate import (
    FEWEST_PATIENTS,
    FEWEST_ROWS,
    WINDOWS_OF,
    choose_population,
)
from hmstrain.scoring.calibration import POPULATIONS
from hmstrain.scoring.fitting import cross_fitted, fit_logits, fit_mixture, logs, softmax
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import SCORES, Judged, difference_of
from hmstrain.words import plural

FILE = "blend.json"
HOWS = ("arithmetic", "geometric", "fitted", "logits")
"""The mean; that of logarithms; a weighted mean; weighted logarithms and a bias of each class."""
FITTED = HOWS[2:]
"""Those of which weights are fitted."""


@dataclass(frozen=True, slots=True)
class Member:
    """A model of a blend: one, or several that differ in their seed alone and count as one."""

    name: str
    paths: tuple[str, ...]
    """Runs, or files of predictions; relative ones are seen from the blend's folder."""
    runs: bool
    """Whether they are runs, which can predict."""
    weight: float

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a JSON object; raises ShapeError."""
        return cls(
            name=entry(value, "name", text),
            paths=tuple(text(one) for one in entry(value, "paths", items)),
            runs=entry(value, "runs", true_or_false),
            weight=entry(value, "weight", finite),
        )


@dataclass(frozen=True, slots=True)
class Blend:
    """How several answers make one."""

    how: str
    members: tuple[Member, ...]
    bias: Mapping[str, float] | None
    """Of each class, where `how` is 'logits'."""
    population: str
    """Windows by number of votes that weights were fitted on."""
    windows: str | None = None
    """Where they come from: 'held-out folds', 'test' or 'a file'; None if nobody said."""

    def apply(self, predictions: Sequence[Floats]) -> Floats:
        """Blend the members' probabilities, (N, K) each."""
        weights = np.asarray([one.weight for one in self.members])
        bias = None if self.bias is None else np.asarray(list(self.bias.values()))
        return combine(np.stack(predictions), self.how, weights, bias)

    def to_json(self) -> dict[str, Any]:
        """As part of blend.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what `to_json` gives; raises ShapeError."""
        bias = mapping(value).get("bias")
        found = cls(
            how=entry(value, "how", text),
            members=tuple(Member.from_json(one) for one in entry(value, "members", items)),
            bias=None if bias is None else {key: entry(bias, key, finite) for key in mapping(bias)},
            population=entry(value, "population", text),
            windows=entry_or(value, "windows", optional(text), None),
        )
        if found.how not in HOWS:
            raise ShapeError(f"how: expected one of {', '.join(HOWS)}")
        if not found.members or not all(one.paths for one in found.members):
            raise ShapeError("members: expected one at least, each with its paths")
        weights = [one.weight for one in found.members]
        if min(weights) < 0 or (
            found.how in ("arithmetic", "fitted") and abs(sum(weights) - 1) > ROUNDED
        ):
            raise ShapeError("weights: expected numbers from 0 that sum to 1")
        if (found.how == "logits") != (found.bias is not None):
            raise ShapeError("bias: expected one of each class with logits, and none otherwise")
        if found.population not in POPULATIONS:
            raise ShapeError(f"population: expected one of {', '.join(POPULATIONS)}")
        return found


@dataclass(frozen=True, slots=True)
class Worth:
    """What a way of blending is worth on the windows that it is fitted on."""

    kl_in_sample: float
    kl: float
    """Cross-fitted: each patient's windows by weights fitted on other patients."""
    difference: float
    """That less the best single member's KL."""
    interval: Span | None
    """95% interval of the difference, over patients."""
    weights: Mapping[str, float]
    bias: Mapping[str, float] | None


@dataclass(frozen=True, slots=True)
class Blended:
    """A blend, and what each way of blending is worth."""

    blend: Blend
    single: Mapping[str, float]
    """KL of each member by itself, on the population's rows."""
    best: str
    """The best of them, chosen on these very rows."""
    hows: Mapping[str, Worth]
    matched: Matched
    prediction: Floats
    """(N, K) of all matched rows; where weights are fitted, each patient's by other patients'."""
    rows: int
    """Rows of the population."""
    patients: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As blend.json: the blend, and what each way is worth."""
        return {
            **self.blend.to_json(),
            "rows": self.rows,
            "patients": self.patients,
            "kl_of_members": dict(self.single),
            "best_member": self.best,
            "ways": {how: asdict(one) for how, one in self.hows.items()},
            "notes": list(self.notes),
        }


def combine(
    stacked: Floats, how: str, weights: Floats | None = None, bias: Floats | None = None
) -> Floats:
    """Make one answer of several.

    Parameters
    ----------
    stacked : float64 (M, N, K)
    how : str
        'arithmetic' and 'fitted': weighted mean; 'geometric' and 'logits': softmax of the weighted
        sum of logarithms, and a bias.
    weights : float64 (M,), optional
        By default all 1 / M.
    bias : float64 (K,), optional

    Returns
    -------
    float64 (N, K)
    """
    weights = np.full(len(stacked), 1 / len(stacked)) if weights is None else weights
    if how in ("arithmetic", "fitted"):
        return np.asarray(np.tensordot(weights, stacked, axes=1), np.float64)
    summed = np.tensordot(weights, logs(stacked), axes=1)
    return softmax(summed if bias is None else summed + bias)


def fit(stacked: Floats, target: Floats, how: str) -> tuple[Floats, Floats | None]:
    """Weights (M,), and for 'logits' a bias (K,), with the least KL to the votes."""
    if how == "fitted":
        return fit_mixture(stacked, target), None
    if how == "logits":
        return fit_logits(stacked, target)
    return np.full(len(stacked), 1 / len(stacked)), None


def blend(
    models: Sequence[Path | str] | Path | str,
    *,
    how: str = "arithmetic",
    truth: Store | Path | str | None = None,
    votes: str | None = None,
    split: str | None = None,
    id_column: str | None = None,
    patient_column: str | None = None,
    different_folds: bool = False,
    scale: bool = False,
    seed: int = 0,
) -> Blended:
    """Blend models, and say what each way of doing so is worth on patients it was not fitted on.

    Models that differ in their seed alone count as one: their mean.

    Parameters
    ----------
    models : path or sequence of paths
        Finished runs, folders of predictions or blends, `.npz`, CSV or parquet: out of fold, or on
        windows that none was trained on.
    how : str
        'arithmetic', 'geometric', 'fitted' or 'logits': what the answer is made by.
    truth, id_column, patient_column, different_folds, scale
        As of `hmstrain.compare`.
    split : str, optional
        Of runs: 'valid' or 'test'. By default predictions out of fold, if all models are runs that
        have them of the same fold, or of all, since what is fitted to the test windows is no longer
        tested by them.
    votes : str, optional
        Population to fit on: 'all', '1-3', '4-9' or '10+' votes. By default '10+', or all where
        fewer than 50 windows have so many.
    seed : int
        By which patients are drawn into folds.

    Returns
    -------
    Blended
        Nothing is written: `write_blend` does that.

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        A file cannot be read, rows cannot be matched, or too few have votes.

    Examples
    --------
    >>> found = hmstrain.blend(["a.csv", "b.csv"], truth="train.csv")  # doctest: +SKIP
    >>> found.hows["arithmetic"].kl  # doctest: +SKIP
    0.2243
    """
    if how not in HOWS:
        raise ConfigError(f"--how {how}: expected one of {', '.join(HOWS)}.")
    if votes is not None and votes not in POPULATIONS:
        raise ConfigError(f"--votes {votes}: expected one of {', '.join(POPULATIONS)}.")
    models = [models] if isinstance(models, str | Path) else list(models)
    split = split or _held_out(models)
    matched = matched_answers(
        models,
        truth=truth,
        split=split,
        id_column=id_column,
        patient_column=patient_column,
        different_folds=different_folds,
        scale=scale,
    )
    return blend_matched(matched, how=how, votes=votes, seed=seed)


def _held_out(models: Sequence[Path | str]) -> str | None:
    """'valid' if all are runs that predicted the same held-out windows; else None."""
    from hmstrain.runs.folder import RunFolder

    paths = [Path(one) for one in models]
    if not all((path / OUT_OF_FOLD).is_file() for path in paths):
        return None
    return "valid" if len({RunFolder(path).config().fold for path in paths}) == 1 else None


def blend_matched(
    matched: Matched, *, how: str = "arithmetic", votes: str | None = None, seed: int = 0
) -> Blended:
    """Blend models whose rows are matched: see `blend`."""
    names, stacked = _members(matched)
    if len(names) < 2:
        raise ConfigError(
            f"Expected at least two models to blend, got {plural(len(names), 'model')}."
        )
    check_seed(seed)
    population, rows = choose_population(matched, votes)
    group = matched.group
    patients = len(np.unique(group[rows]))
    if len(rows) < FEWEST_ROWS or patients < FEWEST_PATIENTS:
        raise DataError(
            f"Expected at least {FEWEST_ROWS} rows of {FEWEST_PATIENTS} {matched.unit} with "
            f"{population} votes to blend on, got {len(rows)} of {patients}."
        )
    target = matched.shares[rows]
    within = stacked[:, rows]
    judged = [matched.judged(0, one).take(rows) for one in stacked]
    kl = next(score for score in SCORES if score.key == "kl")
    single = {name: kl.of(one) or 0.0 for name, one in zip(list(names), judged, strict=True)}
    best = min(single, key=lambda name: single[name])
    reference = judged[list(names).index(best)]
    keys = matched.answers[0].class_keys
    fitted = {one: fit(within, target, one) for one in HOWS}
    crossed = {one: _cross_fit(stacked, matched, rows, one, seed) for one in HOWS}
    hows = {
        one: _worth(
            kl.of(reference.with_prediction(combine(within, one, *fitted[one]))) or 0.0,
            reference,
            crossed[one][rows],
            dict(zip(list(names), fitted[one][0].tolist(), strict=True)),
            _named(fitted[one][1], keys),
            seed,
        )
        for one in HOWS
    }
    weights, bias = fitted[how]
    notes = [*matched.warnings, *matched.notes]
    splits = [one.split for one in matched.answers]
    windows = WINDOWS_OF["test" if "test" in splits else splits[0]]
    if windows == "test" and how in FITTED:
        notes.append(
            "The weights are fitted to test windows: scores of the blend on these are too good. "
            "Blend runs of --fold all to fit them to windows that were held out."
        )
    members = tuple(
        _member(name, [matched.answers[place] for place in places], float(weight))
        for (name, places), weight in zip(names.items(), weights, strict=True)
    )
    return Blended(
        Blend(how, members, _named(bias, keys), population, windows),
        single,
        best,
        hows,
        matched,
        crossed[how],
        len(rows),
        patients,
        tuple(notes),
    )


def seen_from(found: Blended, folder: Path) -> Blended:
    """The same with its members' paths as they are seen from a folder, which moves with them."""
    members = tuple(
        replace(one, paths=tuple(os.path.relpath(path, folder) for path in one.paths))
        for one in found.blend.members
    )
    return replace(found, blend=replace(found.blend, members=members))


def networks_of(blend: Blend, folder: Path) -> list[list[Path]]:
    """Runs of each member of the blend in a folder.

    Raises
    ------
    RunError
        A member was read from a file, which has no network.
    """
    for member in blend.members:
        if not member.runs:
            raise RunError(
                f"{folder} is a blend of files: {member.name} was read from {member.paths[0]}, "
                "which holds answers and no network. Blend runs to predict with them."
            )
    return [[folder / path for path in member.paths] for member in blend.members]


def read_blend(folder: Path) -> Blend:
    """Read the blend in a folder that `hmstrain blend` wrote.

    Raises
    ------
    RunError
        It is damaged.
    """
    path = folder / FILE
    try:
        value = read_json(path)
        check_seal(path, value)
        return Blend.from_json(value)
    except (ShapeError, OSError) as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def _members(matched: Matched) -> tuple[dict[str, list[int]], Floats]:
    """Places of each member's answers, and their mean: seeds of one model count as one."""
    names = members_of(matched.answers, matched.names)
    means = [
        np.mean([matched.answers[place].prediction for place in places], axis=0)
        for places in names.values()
    ]
    return names, np.stack(means)


def _member(name: str, answers: Sequence[Answers], weight: float) -> Member:
    runs = [one.run for one in answers]
    known = [run for run in runs if run is not None]
    paths = known if len(known) == len(runs) else [one.path for one in answers]
    return Member(name, tuple(map(str, paths)), len(known) == len(runs), weight)


def _cross_fit(
    stacked: Floats, matched: Matched, rows: NDArray[np.int64], how: str, seed: int
) -> Floats:
    """Answer all rows, each patient's by weights of other patients' rows of the population."""
    if how in ("arithmetic", "geometric"):
        return combine(stacked, how)
    fits = np.zeros(len(matched), bool)
    fits[rows] = True

    def fit_and_apply(others: NDArray[np.int64], apart: NDArray[np.int64]) -> Floats:
        seen = others[fits[others]]
        return combine(stacked[:, apart], how, *fit(stacked[:, seen], matched.shares[seen], how))

    return cross_fitted(fit_and_apply, matched.group, seed=seed)


def _worth(
    in_sample: float,
    reference: Judged,
    answer: Floats,
    weights: Mapping[str, float],
    bias: Mapping[str, float] | None,
    seed: int,
) -> Worth:
    kl = next(score for score in SCORES if score.key == "kl")
    now = reference.with_prediction(answer)
    less, span = difference_of(kl, now, reference, seed=seed)
    assert less is not None
    return Worth(in_sample, kl.of(now) or 0.0, less, span, weights, bias)


def _named(bias: Floats | None, keys: Sequence[str]) -> dict[str, float] | None:
    return None if bias is None else dict(zip(keys, bias.tolist(), strict=True))
