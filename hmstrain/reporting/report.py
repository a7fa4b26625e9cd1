"""A finished run -> one HTML page: scores, curves, and its worst windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, Store
from hmsstore.view import draw, load_window
from hmsstore.view.page import Page
from hmsstore.view.saving import check_folder
from hmsstore.windows import typical_rows
from hmstrain.config import Config
from hmstrain.errors import RESEARCH_ONLY, DataError
from hmstrain.reporting.systems import SYSTEMS
from hmstrain.runs import plots
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import LOG, read_metrics
from hmstrain.runs.outcome import Alignment, Outcome, Scores, interval_text, score_text
from hmstrain.runs.predictions import Predicted, read_predictions
from hmstrain.scoring.formulas import kl_rows
from hmstrain.scoring.metrics import VOTE_GROUPS, better_when_higher, shown_in
from hmstrain.scoring.score_run import default_store
from hmstrain.training.importance import draw_importances, read_importances
from hmstrain.words import plural

SHOWN_WINDOWS = 4
"""Number of the hardest windows, and of the most confidently wrong ones."""
CLEAR = 0.5
"""Share of votes above which a consensus is clear enough for a model to be wrong about it."""


def report(
    run: Path | str, *, store: Store | Path | str | None = None, out: Path | str | None = None
) -> Path:
    """Write a page about a finished run: scores, curves, confusion, its worst windows drawn.

    Parameters
    ----------
    run : path
        Folder of a run, or of a run of all folds.
    store : Store or path, optional
        By default, the one that it was trained on.
    out : path, optional
        Page to write; by default RUN/report.html.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StoreError
        The store cannot be opened.
    RunError
        The run is not finished.
    DataError
        It was trained on another store.

    Examples
    --------
    >>> hmstrain.report("runs/first")  # doctest: +SKIP
    PosixPath('runs/first/report.html')
    """
    folder = RunFolder(Path(run))
    if not isinstance(store, Store):
        store = Store.open(store or default_store(folder))
    page = Path(out) if out is not None else folder.path / "report.html"
    if out is None:
        check_folder(page)
    make_report(folder, store).write(page)
    return page


def make_report(folder: RunFolder, store: Store) -> Page:
    """Make a page about a finished run.

    Parameters
    ----------
    folder : RunFolder
        A run, or one of all folds.
    store : Store
        The store that it was trained on: its windows are drawn.

    Raises
    ------
    RunError
        The run is not finished.
    DataError
        It was trained on another store.
    """
    outcome, trained_on = folder.outcome(), folder.store().identity
    if trained_on != store.identity:
        raise DataError(
            f"{folder.path} was trained on another store ({trained_on[:12]}) than {store.path} "
            f"({store.identity[:12]}). Name that store with --store."
        )
    config = folder.config()
    predicted = next(iter(read_predictions(folder.path, store)), None)
    page = Page(f"{config.model}, {config.inputs}: {folder.path.resolve().name}")
    page.note(RESEARCH_ONLY)
    if outcome.leaks:
        page.warning("Patients leak between training and test: these scores are too good.")
    if outcome.validation_leaks:
        page.warning(
            "The held-out fold changed (fold=rotate), so patients leak between training and "
            "validation: validation scores are too good."
        )
    for message in store.info["warnings"]:
        page.warning(message)
    found = outcome.scores
    if found is not None and predicted is not None:
        _scores(page, config, outcome, found, predicted.what)
        _details(page, store, found, predicted)
    elif outcome.alignment is not None:
        page.section("Matching the two signals of a window")
        _matched(page, outcome.alignment)
    _curves(page, folder, outcome)
    _importances(page, folder)
    if predicted is not None:
        _windows(page, store, predicted)
    _identity(page, config, folder.described(), outcome)
    return page


def _scores(page: Page, config: Config, outcome: Outcome, found: Scores, what: str) -> None:
    page.section("Scores")
    published: dict[str, float] = next(
        (
            system.published
            for system in SYSTEMS
            if outcome.store.classes == HMS.classes
            and (system.model, system.inputs, system.contrastive)
            == (config.model, config.inputs, config.contrastive)
        ),
        {},
    )
    constant, shown = outcome.constant, shown_in("final")
    rows = [
        (
            score.label,
            score_text(found.get(score.key)),
            interval_text(found.intervals.get(score.key)),
            score_text(None if constant is None else constant.get(score.key)),
            score_text(published.get(score.key)),
        )
        for score in shown
    ]
    header = ("", "this run", "95% interval", "constant prediction", "the report")
    page.table(f"{found.windows:,} {what}, {plural(found.patients, 'patient')}", header, rows)
    page.note(
        f"{better_when_higher(shown)} Intervals resample patients. The constant prediction is the "
        "mean of the training targets. The report's numbers, where it has this system, are from a "
        "random split of real windows in which patients leak, with its own formulas for accuracy "
        f"and F1. {found.ties}".rstrip()
    )
    if constant is not None:
        page.text(
            "Compared with the constant prediction, window by window (below 0: better): "
            + "; ".join(
                f"{score.label} {value:+.3f} "
                f"{interval_text(constant.difference_intervals.get(score.key))}".strip()
                for score in shown
                if (value := constant.difference.get(score.key)) is not None
            )
            + "."
        )
    if outcome.alignment is not None:
        _matched(page, outcome.alignment)


def _matched(page: Page, found: Alignment) -> None:
    page.text(
        f"Embeddings of EEG and spectrogram: cosine {found.positive_cosine:.2f} for pairs "
        f"that belong together, {found.negative_cosine:.2f} for pairs that do not. A "
        f"patient's spectrogram retrieves its EEG {found.retrieval_at_1:.0%} of the time "
        f"(by chance, {found.chance:.0%})."
    )


def _details(page: Page, store: Store, found: Scores, predicted: Predicted) -> None:
    page.section("Where it is right and wrong")
    page.figure(
        plots.confusion(found.confusion, store.spec.class_titles),
        "Confusion matrix: expert consensus (rows) and the model's most probable class (columns)."
        + " Windows with several classes in the lead are in the row of the one that the table of "
        "windows names, as in the table below." * bool(found.tied),
    )
    _classes(page, store.spec.class_titles, found)
    page.figure(
        plots.reliability(store.windows["target"][predicted.rows], {"": predicted.prediction}),
        "Calibration: share of raters who voted for the model's most probable class, by its "
        "probability. On the diagonal, probabilities match the votes. Below: number of windows.",
    )
    groups = {f"{name} votes": found.kl_per_votes.get(name) for name in VOTE_GROUPS}
    page.figure(
        plots.kl_parts(
            dict(zip(store.spec.class_titles, found.kl_per_class.values(), strict=True)), groups
        ),
        "KL divergence by class (the parts add up to the KL over all windows), and by number of "
        "votes (mean over the windows of each group).",
    )


def _classes(page: Page, titles: Sequence[str], found: Scores) -> None:
    """Say of each class how many windows have it, how many are found, and its part of the KL."""
    counts = np.asarray(found.confusion)
    rows = [
        (title, f"{of_class.sum():,}", f"{right:,}", f"{predicted:,}", score_text(part))
        for title, of_class, right, predicted, part in zip(
            titles,
            counts,
            np.diag(counts),
            counts.sum(axis=0),
            found.kl_per_class.values(),
            strict=True,
        )
    ]
    header = ("", "windows", "predicted right", "predicted", "part of the KL")
    page.table("By class", header, rows)


def _curves(page: Page, folder: RunFolder, outcome: Outcome) -> None:
    page.section("Training")
    baseline = None if outcome.constant is None else outcome.constant.get("kl_votes")
    for part in (one.path for one in folder.networks()):
        if (part / LOG).is_file():
            found = RunFolder(part).outcome()
            name = "" if part == folder.path else f"{part.name}: "
            if found.kept:
                page.text(f"{name}{found.kept}")
            page.figure(
                plots.curves(read_metrics(part / LOG), found.best_step, baseline),
                f"{name}Training, validation and, where it was computed, test KL by step (of what "
                "gives no probabilities, its loss); below: learning rate, if there is one.",
            )


def _importances(page: Page, folder: RunFolder) -> None:
    """Show what models of hand features go by, if the run is of such."""
    found = {part.path.name: read_importances(part.path) for part in folder.networks()}
    if not all(found.values()):
        return
    page.section("What the model relies on")
    for name, importances in found.items():
        of = f" (of {name})" if len(found) > 1 else ""
        page.figure(
            draw_importances(importances),
            f"Importance of hand features{of}, by measure, by electrodes, by part of the window.",
        )


def _windows(page: Page, store: Store, predicted: Predicted) -> None:
    divergence = kl_rows(store.windows["target"][predicted.rows], predicted.prediction)
    hardest, confident = worst(store, predicted, divergence)
    for heading, note, chosen in (
        (
            "Hardest windows",
            "The windows with the largest KL divergence, one per EEG, among those that the scores "
            "over one window per EEG and votes are of.",
            hardest,
        ),
        (
            "Most confidently wrong",
            "Windows, among the same, on which most raters agree and the model is most certain of "
            "another class, one per EEG that is not shown above.",
            confident,
        ),
    ):
        page.section(heading)
        page.note(note if chosen else "There are none.")
        for place in chosen:
            row = int(predicted.rows[place])
            window = load_window(store, row, predicted.prediction[place])
            caption = f"{window.title}. KL {divergence[place]:.2f}."
            page.figure(draw(window), caption, dpi=90, quality=75)


def worst(
    store: Store, predicted: Predicted, divergence: NDArray[np.float64]
) -> tuple[list[int], list[int]]:
    """Positions of the hardest windows and of the most confidently wrong, each EEG once."""
    candidates = typical_rows(store.windows, predicted.rows)["votes"]
    eegs = store.windows["eeg_id"][predicted.rows]
    target = store.windows["target"][predicted.rows]
    truth = store.windows["expert_consensus"][predicted.rows]
    sure = predicted.prediction.max(axis=1)
    wrong = (predicted.prediction.argmax(axis=1) != truth) & (target.max(axis=1) > CLEAR)

    def first_of_eegs(order: NDArray[np.int64], but: list[int]) -> list[int]:
        left = order[~np.isin(eegs[order], eegs[but])]
        _, first = np.unique(eegs[left], return_index=True)
        return [int(place) for place in left[np.sort(first)][:SHOWN_WINDOWS]]

    by_kl = candidates[np.argsort(-divergence[candidates], kind="stable")]
    hardest = first_of_eegs(by_kl, [])
    mistaken = candidates[wrong[candidates]]
    by_sureness = mistaken[np.argsort(-sure[mistaken], kind="stable")]
    return hardest, first_of_eegs(by_sureness, hardest)


def _identity(page: Page, config: Config, settings: Mapping[str, Any], outcome: Outcome) -> None:
    page.section("Settings and versions")
    usual = Config()
    rows = [
        (field.name, str(getattr(config, field.name)), str(getattr(usual, field.name)))
        for field in fields(config)
        if getattr(config, field.name) != getattr(usual, field.name)
    ]
    page.table("Settings that differ from the default", ("setting", "this run", "default"), rows)
    made = {
        "store": settings["store"]["path"],
        "its identity": settings["store"]["identity"],
    }
    made |= outcome.versions
    made["processes"] = settings["processes"]
    page.table("Store and versions", ("", ""), [(key, str(value)) for key, value in made.items()])
