"""Finished members of a recipe -> one answer to its test windows, and what each part is worth.

Blend and calibration are fitted on windows that their networks held out, never on the test split.
Each is said to gain or not on patients left out of the fit: a fitted blend that is worse there than
the members' mean is not kept, nor is a calibration that does not surely gain, by its 95% interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsstore import Store
from hmstrain.data.context import context_of
from hmstrain.distributed import World
from hmstrain.prediction.ensemble import load_members, predict_rows
from hmstrain.prediction.given import given_runs
from hmstrain.reporting.comparison.files import write_blend, write_calibration
from hmstrain.reporting.comparison.table import precise_text
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.json_file import write_sealed
from hmstrain.runs.predictions import TESTED, read_arrays, read_file, write_predictions
from hmstrain.runs.trained import Views
from hmstrain.scoring import blending, calibration
from hmstrain.scoring.answers.matched import Matched
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.blending import Blend, Blended, Member, blend_matched
from hmstrain.scoring.calibrate import (
    FEWEST_PATIENTS,
    FEWEST_ROWS,
    Calibrated,
    calibrate_matched,
    choose_population,
    words,
)
from hmstrain.scoring.calibration import Calibration
from hmstrain.studies.recipe_file import AnswerOf

Floats = NDArray[np.float64]

EQUAL = "arithmetic"
"""The blend in which all members weigh the same: nothing is fitted."""
BLEND, VIEWED = "blend", "views"
"""Folders beside those of the members: the blend; predictions of changed input."""
ANSWER, PLAIN, CONSTANT = "answer.npz", "one-view.npz", "constant.npz"
"""Predictions of the test windows: the recipe's; the same of unchanged input; the mean training
target for each."""


@dataclass(slots=True)
class Answered:
    """How a recipe's members made one answer."""

    folder: Path | None = None
    """What `hmstrain predict` takes: the blend, or the only member."""
    blended: Blended | None = None
    """None of a single member, and where too few windows were held out to judge a blend."""
    calibrated: Calibrated | None = None
    """None unless asked for, and where too few windows were held out."""
    applied: Calibration | None = None
    """The calibration, if it gains."""
    notes: list[str] = field(default_factory=list)
    """What was kept and why, a sentence each."""


def make_answer(
    asked: AnswerOf, members: Mapping[str, RunFolder], store: Store, out: Path
) -> Answered:
    """Blend and calibrate what the members say of windows that they held out; write both.

    Parameters
    ----------
    members : mapping of str to RunFolder
        Finished runs, each with predictions out of fold.
    out : Path
        Folder of the recipe; the blend is written into a folder within.
    """
    found = Answered()
    paths = [folder.path for folder in members.values()]
    if asked.blend is None:
        found.folder = paths[0]
    else:
        found.folder = out / BLEND
        _blend(asked, paths, store, found)
    if asked.calibrate:
        _calibrate(asked, store, found)
    return found


def _blend(asked: AnswerOf, paths: list[Path], store: Store, found: Answered) -> None:
    assert asked.blend is not None
    assert found.folder is not None
    matched = matched_answers(paths, truth=store, split="valid")
    few = _too_few(matched, asked.votes)
    if few:
        found.notes.append(f"The members weigh the same, blend={asked.blend} was not fitted: {few}")
        members = tuple(
            Member(name, (str(Path("..") / path.name),), True, 1 / len(paths))
            for name, path in zip(matched.names, paths, strict=True)
        )
        found.folder.mkdir(exist_ok=True)
        blend = Blend(EQUAL, members, None, "all")
        write_sealed(found.folder / blending.FILE, blend.to_json())
        return
    found.blended = blend_matched(matched, how=asked.blend, votes=asked.votes)
    fitted, plain = (found.blended.hows[how] for how in (asked.blend, EQUAL))
    if fitted.kl > plain.kl:
        found.blended = blend_matched(matched, how=EQUAL, votes=asked.votes)
        found.notes.append(
            f"The members weigh the same: on held-out windows of patients left out of its fit, "
            f"blend={asked.blend} is worse than their mean (KL {fitted.kl:.4f} and {plain.kl:.4f})."
        )
    write_blend(found.blended, found.folder)
    how, best = found.blended.blend.how, found.blended.best
    worth = found.blended.hows[how]
    verdict = "gains" if worth.difference < 0 else "gains nothing"
    found.notes.append(
        f"The blend ({how}) {verdict} on held-out windows of patients left out of its fit: "
        f"{worth.difference:+.4f} in KL {precise_text(worth.interval)} to {best}, the best member "
        "there."
    )


def _calibrate(asked: AnswerOf, store: Store, found: Answered) -> None:
    assert found.folder is not None
    (found.folder / calibration.FILE).unlink(missing_ok=True)
    if found.blended is None and asked.blend is not None:
        found.notes.append("The calibration was not fitted either.")
        return
    split = None if asked.blend is not None else "valid"
    matched = matched_answers([found.folder], truth=store, split=split)
    few = _too_few(matched, asked.votes)
    if few:
        found.notes.append(f"The calibration was not fitted: {few}")
        return
    found.calibrated = calibrate_matched(matched, votes=asked.votes)
    worth = found.calibrated.kinds["temperature and bias"]
    gain = f"{worth.difference:+.4f} in KL {precise_text(worth.interval)}".rstrip()
    if worth.interval is None or worth.interval[1] >= 0:
        found.notes.append(
            "The calibration was left out: on held-out windows of patients left out of its fit it "
            f"does not surely gain ({gain})."
        )
        return
    write_calibration(found.calibrated, found.folder)
    found.applied = found.calibrated.calibration
    found.notes.append(
        f"The calibration was kept: {gain} on held-out windows of patients left out of its fit. "
        f"{words(found.calibrated)}"
    )


def _too_few(matched: Matched, votes: str | None) -> str:
    """Why nothing can be fitted on these rows; empty if it can."""
    population, rows = choose_population(matched, votes)
    patients = len(np.unique(matched.group[rows]))
    if len(rows) >= FEWEST_ROWS and patients >= FEWEST_PATIENTS:
        return ""
    return (
        f"expected at least {FEWEST_ROWS} held-out windows of {FEWEST_PATIENTS} {matched.unit} "
        f"with {population} votes, got {len(rows)} of {patients}."
    )


def predict_views(
    views: Views, members: Mapping[str, RunFolder], store: Store, out: Path, world: World
) -> None:
    """Predict the test windows by each member, averaged over views; each is kept once it is made.

    Plain input was predicted when they were trained. All processes take part.
    """
    for name, folder in members.items():
        path = _viewed(out, name)
        if path.is_file():
            continue
        rows = read_file(folder.path / TESTED, store).rows
        loaded = load_members([folder], world, trust=True)
        (prediction,) = predict_rows(loaded, store, rows, world, views=views)
        if world.main:
            path.parent.mkdir(exist_ok=True)
            _write(path, [folder], store, rows, prediction)
        world.wait()


def write_answer(
    found: Answered, asked: AnswerOf, members: Mapping[str, RunFolder], store: Store, out: Path
) -> list[Path]:
    """Answer the test windows; files of the answer, and of the same without views if it has any."""
    assert found.folder is not None
    given = given_runs(found.folder)
    plain = {name: read_file(one.path / TESTED, store) for name, one in members.items()}
    rows = next(iter(plain.values())).rows
    answers = {ANSWER: {name: one.prediction for name, one in plain.items()}}
    if asked.views:
        answers[PLAIN] = answers[ANSWER]
        answers[ANSWER] = {name: read_arrays(_viewed(out, name))["prediction"] for name in members}
    for file, predicted in answers.items():
        by_path = {members[name].path.resolve(): one for name, one in predicted.items()}
        in_order = [by_path[run.path.resolve()] for run in given.runs]
        prediction = given.combine(in_order, "arithmetic", None)
        if found.applied is not None:
            prediction = found.applied.apply(prediction)
        _write(out / file, list(members.values()), store, rows, prediction)
    return [out / file for file in answers]


def write_constant(members: Mapping[str, RunFolder], store: Store, out: Path, file: str) -> Path:
    """Answer the windows of a run's file by the mean training target, which models have to beat."""
    folders = list(members.values())
    rows = read_file(folders[0].path / file, store).rows
    usual = store.windows["target"][store.select("train")].mean(axis=0, dtype=np.float64)
    path = out / CONSTANT
    _write(path, folders, store, rows, np.tile(usual / usual.sum(), (len(rows), 1)))
    return path


def _viewed(out: Path, name: str) -> Path:
    return out / VIEWED / f"{name}.npz"


def _write(
    path: Path,
    folders: Sequence[RunFolder],
    store: Store,
    rows: NDArray[np.int64],
    prediction: Floats,
) -> None:
    observed = context_of([folder.config() for folder in folders], store, rows).observed
    write_predictions(path, store, rows, prediction, observed)
