"""Predictions with votes -> a calibration that makes them honest, and what it is worth."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmsstore.manifest import MANIFEST_NAME
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.models.trust import Trust
from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.answers.read import shown
from hmstrain.scoring.bootstrap import Span, check_seed
from hmstrain.scoring.calibration import POPULATIONS, Calibration
from hmstrain.scoring.fitting import LOWEST_SLOPE, cross_fitted, fit_logits, logs, softmax
from hmstrain.scoring.formulas import Floats
from hmstrain.scoring.metrics import SCORES, VOTE_GROUPS, Judged, difference_of
from hmstrain.words import plural

WINDOWS_OF = {"valid": "held-out folds", "test": "test", None: "a file"}
"""What windows that something is fitted on are called, by the split of the answers."""
KINDS = ("as it is", "temperature", "temperature and bias")
FEWEST_ROWS, FEWEST_PATIENTS = 50, 5
"""Fewer are refused: seven numbers would be fitted on noise."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a way of calibrating is worth."""

    kl_in_sample: float
    kl: float
    """Cross-fitted: each patient's windows by numbers fitted on other patients."""
    difference: float
    """That less the KL as it is."""
    interval: Span | None
    """95% interval of the difference, over patients."""
    calibration_error: float
    """Debiased, of the cross-fitted answers."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, and what it is worth on the windows that it was fitted on."""

    calibration: Calibration
    kinds: Mapping[str, Fitted]
    """'as it is', 'temperature', 'temperature and bias'."""
    judged: Judged
    """The windows as they were."""
    answers: Mapping[str, Floats]
    """Cross-fitted answers of each kind, (N, K)."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, without the windows."""
        return {
            "calibration": self.calibration.to_json(),
            "rows": len(self.judged.target),
            "patients": len(np.unique(self.judged.patient)),
            "cross_fitted": {kind: asdict(one) for kind, one in self.kinds.items()},
            "notes": list(self.notes),
        }


def calibrate(
    model: Path | str,
    *,
    truth: Store | Path | str | None = None,
    votes: str | None = None,
    split: str | None = None,
    id_column: str | None = None,
    patient_column: str | None = None,
    scale: bool = False,
    seed: int = 0,
    trust: Trust = False,
) -> Calibrated:
    """Fit a temperature and a class bias on predictions that their model was not trained on.

    Parameters
    ----------
    model : path
        A run, or a file of predictions out of fold or on validation.
    truth : Store or path, optional
        Votes by id: a store, or a table such as train.csv. By default, the file's own.
    votes : str, optional
        Population to fit on: 'all', '1-3', '4-9' or '10+' votes. By default '10+', or all where
        fewer than 50 windows have so many.
    split, id_column, patient_column, scale
        As of `hmstrain.compare`. Of a run, predictions out of fold or of its held-out fold.
    seed : int
        By which patients are drawn into folds.
    trust : bool, str or sequence of str
        As of `hmstrain.predict`, where a run's held-out fold is still to be predicted.

    Returns
    -------
    Calibrated
        Nothing is written: `write_calibration` does that.

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        A file cannot be read, or has too few windows with votes.

    Examples
    --------
    >>> found = hmstrain.calibrate("oof.csv", truth="train.csv")  # doctest: +SKIP
    >>> found.kinds["temperature and bias"].kl  # doctest: +SKIP
    0.277
    """
    from hmstrain.runs.folder import RunFolder  # which needs PyTorch

    model = Path(model)
    of_run = split is None and (model / "config.json").is_file()
    classes = RunFolder(model).store().classes if of_run else ()
    with tempfile.TemporaryDirectory() as folder:
        path = _held_out(model, truth, trust, Path(folder) / "valid") if of_run else model
        matched = matched_answers(
            [path],
            truth=truth,
            split=split,
            id_column=id_column,
            patient_column=patient_column,
            scale=scale,
            class_keys=tuple(one.key for one in classes) or None,
        )
    if of_run:
        answers = replace(matched.answers[0], path=model, config=None, split="valid")
        name, made = shown(model.resolve().name), f"{answers.name}: "
        warnings = [text.replace(made, f"{name}: ", 1) for text in matched.warnings]
        matched = replace(matched, names=(name,), answers=(answers,), warnings=warnings)
    return calibrate_matched(matched, votes=votes, seed=seed)


def calibrate_matched(matched: Matched, *, votes: str | None = None, seed: int = 0) -> Calibrated:
    """Fit a calibration of one model whose rows are matched with their votes."""
    check_seed(seed)
    population, rows = choose_population(matched, votes)
    judged = matched.judged(0).take(rows)
    notes = [*matched.warnings, *matched.notes]
    groups = len(np.unique(judged.patient))
    if len(rows) < FEWEST_ROWS or groups < FEWEST_PATIENTS:
        raise DataError(
            f"{matched.answers[0].path}: expected at least {FEWEST_ROWS} windows of "
            f"{FEWEST_PATIENTS} {matched.unit} with {population} votes to calibrate on, got "
            f"{len(rows)} of {groups}."
        )
    q, p = judged.prediction, judged.target
    keys = matched.answers[0].class_keys
    slope, bias = fit_logits(q[None], p, lowest=LOWEST_SLOPE)
    alone, _ = fit_logits(q[None], p, bias=False, lowest=LOWEST_SLOPE)
    one = matched.answers[0]
    unseen = [key for key, voted in zip(keys, p.sum(axis=0), strict=True) if not voted]
    if unseen:
        notes.append(
            f"No window of these has a vote for {', '.join(unseen)}: the bias makes it next to "
            "impossible, which holds for these windows alone."
        )
    if one.split == "test":
        notes.append(
            "The calibration is fitted to test windows: calibrated scores on these are too good. "
            "Calibrate on windows that were held out, such as those of --fold all."
        )
    if not one.whole:
        notes.append(
            "Fitted on answers out of fold, each of one network; predictions of the run are the "
            "mean of its networks, which is less sure of itself: its temperature is a little too "
            "high for them."
        )
    calibration = Calibration(
        population=population,
        temperature=float(1 / slope[0]),
        bias=dict(zip(keys, bias.tolist(), strict=True)),
        temperature_alone=float(1 / alone[0]),
        fitted_on={
            "model": matched.names[0],
            "windows": WINDOWS_OF[one.split],
            "rows": len(rows),
            matched.unit.replace(" ", "_"): groups,
        },
    )
    answers = {
        "as it is": q,
        "temperature": _cross_fit(q, p, judged.patient, bias=False, seed=seed),
        "temperature and bias": _cross_fit(q, p, judged.patient, bias=True, seed=seed),
    }
    whole = (q, calibration.apply(q, bias=False), calibration.apply(q))
    kinds = {
        kind: _worth(judged, answer, in_sample, seed)
        for (kind, answer), in_sample in zip(answers.items(), whole, strict=True)
    }
    biased = kinds[KINDS[-1]]
    if biased.difference >= 0:
        notes.append(
            "On patients left out of the fit the calibration gains nothing "
            f"({biased.difference:+.4f} in KL): applied, it would make answers no better."
        )
    return Calibrated(calibration, kinds, judged, answers, tuple(notes))


def _held_out(run: Path, truth: Store | Path | str | None, trust: Trust, out: Path) -> Path:
    """Predictions of a run's held-out folds; of a single fold they are made now, in a folder.

    From the store of the truth, if that is the one the run was trained on, else from where it was
    then.
    """
    from hmstrain.runs.folder import RunFolder
    from hmstrain.runs.predictions import OUT_OF_FOLD
    from hmstrain.scoring.score_run import test
    from hmstrain.scoring.tested import predictions_path

    RunFolder(run).outcome()  # refuses what is not finished
    if (run / OUT_OF_FOLD).is_file():
        return run / OUT_OF_FOLD
    store = truth if isinstance(truth, Store) else None
    if isinstance(truth, str | Path) and (Path(truth) / MANIFEST_NAME).is_file():
        store = Store.open(truth)
    trained_on = RunFolder(run).store()
    if store is not None and store.identity != trained_on.identity:
        store = None  # it has votes, and not these folds
    if store is None and not Path(trained_on.path).is_dir():
        raise RunError(
            f"{run} was trained on the store {trained_on.path}, which is not there: name where it "
            "is now with --truth."
        )
    return predictions_path(test(run, store=store, split="valid", out=out, trust=trust), out)


def choose_population(matched: Matched, votes: str | None) -> tuple[str, NDArray[np.int64]]:
    """Name of a population of votes, and the rows of it.

    Raises
    ------
    ConfigError
        There is no such population.
    """
    if votes is not None and votes not in POPULATIONS:
        raise ConfigError(f"--votes {votes}: expected one of {', '.join(POPULATIONS)}.")
    if votes == "all":
        return votes, np.arange(len(matched))
    low, high = VOTE_GROUPS[votes or "10+"]
    rows = np.flatnonzero((matched.counts >= low) & (matched.counts <= high))
    if votes is None and len(rows) < FEWEST_ROWS:
        return "all", np.arange(len(matched))
    return votes or "10+", rows


def _cross_fit(
    q: Floats, p: Floats, patient: NDArray[np.int64], *, bias: bool, seed: int
) -> Floats:
    def fit_and_apply(fitted: NDArray[np.int64], apart: NDArray[np.int64]) -> Floats:
        slope, added = fit_logits(q[None, fitted], p[fitted], bias=bias, lowest=LOWEST_SLOPE)
        return softmax(slope[0] * logs(q[apart]) + added)

    return cross_fitted(fit_and_apply, patient, seed=seed)


def _worth(judged: Judged, answer: Floats, in_sample: Floats, seed: int) -> Fitted:
    scores = {score.key: score for score in SCORES}
    kl, error = scores["kl"], scores["calibration_error_debiased"]
    now = judged.with_prediction(answer)
    less, span = difference_of(kl, now, judged, seed=seed)
    assert less is not None
    return Fitted(
        kl_in_sample=kl.of(judged.with_prediction(in_sample)) or 0.0,
        kl=kl.of(now) or 0.0,
        difference=less,
        interval=span,
        calibration_error=error.of(now) or 0.0,
    )


def words(found: Calibrated) -> str:
    """What was fitted, on what, in a sentence."""
    one = found.calibration
    bias = ", ".join(f"{key} {value:+.3f}" for key, value in one.bias.items())
    rows = plural(len(found.judged.target), "row")
    votes = "any number of votes" if one.population == "all" else f"{one.population} votes"
    return (
        f"For windows with {votes}, fitted on {rows}: temperature {one.temperature:.3f} and bias "
        f"{bias}; without a bias, temperature {one.temperature_alone:.3f}."
    )
