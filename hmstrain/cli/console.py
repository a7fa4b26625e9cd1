"""Progress and results of runs -> what the user reads: tables on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from hmsstore.schema import CLASS_TITLES
from hmstrain.models.catalogue import Listed
from hmstrain.runs.outcome import Alignment, Constant, Outcome, Scores, score_text
from hmstrain.scoring.metrics import shown_in

if TYPE_CHECKING:
    from hmstrain.scoring.score_run import Tested

errors = Console(stderr=True)
EVERY_S = 10.0
"""Seconds between lines of training figures where stderr is no terminal."""


def note(message: str) -> None:
    """Tell the user something."""
    print(message, file=sys.stderr)


def warn(message: str) -> None:
    """Warn the user."""
    errors.print(Text.assemble(("warning: ", "bold yellow"), message), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for another program, on one line."""
    print(json.dumps(value))


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal while something is counted; it is told (done, total)."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class RunProgress:
    """Shows a run as it goes: a bar with loss, rate and share of waiting; a line per validation."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.spoken = time.monotonic()

    def __call__(self, event: str, values: Mapping[str, Any]) -> None:
        """Show what a run tells."""
        getattr(self, f"_{event}")(values)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _fold(self, values: Mapping[str, Any]) -> None:
        self.close()
        note(f"Fold {values['fold']} of {values['folds']}.")

    def _start(self, values: Mapping[str, Any]) -> None:
        going_on = f", going on at step {values['step']:,}" if values["step"] else ""
        note(
            f"{self.title}: {values['model']}, {values['parameters']:,} parameters on "
            f"{values['device']}; {values['train']:,} training windows, {values['valid']:,} to "
            f"validate on (one of each EEG and votes), {values['test']:,} test windows; "
            f"{values['steps']:,} steps in {values['epochs']} epoch(s){going_on}."
        )
        if values["random"] and not values["step"]:
            note("Starting from random weights; --pretrained or --weights start from others.")
        if values["rotating"]:
            warn("--fold rotate trains on every fold in turn: validation leaks patients.")
        self.bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True),
            console=errors,
            disable=not errors.is_terminal,
        )
        self.bar.start()
        self.task = self.bar.add_task("", total=values["steps"], completed=values["step"])

    def _train(self, values: Mapping[str, Any]) -> None:
        text = (
            f"loss {values['loss']:.3f}, {values['windows_per_s']:.0f} windows/s, "
            f"{values['waiting']:.1%} waiting"
        )
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=values["step"], description=text)
        if not errors.is_terminal and time.monotonic() - self.spoken > EVERY_S:
            note(f"step {values['step']:,}: {text}")
            self.spoken = time.monotonic()

    def _valid(self, values: Mapping[str, Any]) -> None:
        aligned = ""
        if "retrieval_at_1" in values:
            aligned = (
                f", cosine {values['positive_cosine']:.2f} / {values['negative_cosine']:.2f}, "
                f"retrieval {values['retrieval_at_1']:.0%} (chance {values['chance']:.0%})"
            )
        best = " (best)" if values["best"] else ""
        self._say("validation", values, f"{aligned}{best}")

    def _test(self, values: Mapping[str, Any]) -> None:
        self._say("test", values, "")

    def _say(self, word: str, values: Mapping[str, Any], more: str) -> None:
        errors.print(
            f"step {values['step']:,}, epoch {values['epoch'] + 1}: {word} kl_votes "
            f"{score_text(values['kl_votes'])}, accuracy {score_text(values['accuracy'])}{more}",
            soft_wrap=True,
            highlight=False,
        )


def print_outcome(outcome: Outcome) -> None:
    """Print a finished run's scores."""
    _print_folds(outcome)
    if outcome.test is None:
        note("The store has no test split; the best validation is in metrics.json.")
        return
    print_scores("test", outcome.test, outcome.constant, outcome.alignment)
    if outcome.leaks:
        warn("Patients leak between training and test: these scores are too good.")


def print_tested(found: Tested) -> None:
    """Print a run's scores on a store."""
    print_scores(found.split, found.test, found.constant, found.alignment)
    if found.patients_trained_on:
        warn(
            f"{found.patients_trained_on} of {found.test.patients} patients have the numbers of "
            "patients that the run was trained or validated on: if they are the same, these scores "
            "are too good."
        )
    elif found.leaks:
        warn("Patients leak between training and test: these scores are too good.")


def print_scores(
    split: str, found: Scores, constant: Constant | None, alignment: Alignment | None
) -> None:
    """Print every score of a split, beside those of the constant prediction."""
    counts = {"votes": f" ({found.windows_votes:,})", "hi": f" ({found.windows_hi:,})"}
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{found.windows:,} windows, {found.patients:,} patients", overflow="fold")
    table.add_column(split, justify="right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    if constant is not None:
        table.add_column("constant", justify="right", no_wrap=True)
    for score in shown_in("final"):
        interval = found.intervals.get(score.key)
        cells = [
            score.label + counts.get(score.over, ""),
            score_text(found.get(score.key)),
            "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
        ]
        if constant is not None:
            compared = score.key in constant.values
            cells.append(score_text(constant.get(score.key)) if compared else "")
        table.add_row(*cells)
    Console().print(table)
    by_class = zip(CLASS_TITLES, found.kl_per_class.values(), strict=True)
    parts = ", ".join(f"{title} {score_text(value)}" for title, value in by_class)
    Console().print(f"Parts of the KL, by class: {parts}", highlight=False)
    if alignment is not None:
        print(
            f"embeddings: cosine {alignment.positive_cosine:.2f} matched, "
            f"{alignment.negative_cosine:.2f} mismatched; "
            f"retrieval@1 {alignment.retrieval_at_1:.0%}, chance {alignment.chance:.0%}"
        )


def _print_folds(outcome: Outcome) -> None:
    """Say how the folds of a run of all of them did."""
    found = outcome.out_of_fold
    if found is None:
        return
    print(
        f"Out of fold, {found.windows:,} windows: KL {score_text(found['kl'])}, "
        f"{score_text(found['kl_votes'])} over one of each EEG and votes; "
        f"accuracy {score_text(found['accuracy'])}."
    )
    alone = outcome.test_of_single_folds.get("kl_votes")
    if alone is not None:
        print(
            f"Test, below: the mean prediction of all {len(outcome.folds)} networks. KL of each "
            f"alone, over one of each EEG and votes: {alone.mean:.3f} +- {alone.std:.3f}."
        )


def print_models(rows: list[Listed], more: int | None) -> None:
    """Print models with parameters and what they take; `more` than these, None: all of timm's."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("takes", overflow="fold")
    for row in rows:
        millions = "" if row.parameters is None else f"{row.parameters / 1e6:.1f} M"
        table.add_row(row.model, millions, row.takes)
    Console().print(table)
    if more is None:
        print("Any model of timm will do: hmstrain models WORD lists those with a word in them.")
    elif more:
        print(f"{more:,} more have this word in their name.")


def print_predicted(found: Mapping[str, Any], prediction: NDArray[np.float64]) -> None:
    """Print how often each class is the most probable, over all windows or each recording."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for title in CLASS_TITLES:
        table.add_column(title, justify="right")
    chosen = np.bincount(prediction.argmax(axis=1), minlength=len(CLASS_TITLES))
    rows = {f"{found['windows']:,} windows": chosen / max(chosen.sum(), 1)}
    rows |= {one["file"]: list(one["share_of_time"].values()) for one in found["recordings"]}
    for name, shares in rows.items():
        table.add_row(Text(name), *(f"{share:.0%}" for share in shares))
    Console().print("Most probable class, share of windows and of time:", highlight=False)
    Console().print(table)
