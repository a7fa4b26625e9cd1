"""Progress and results of runs -> what the user reads: tables on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

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
            f"{_number(values['kl_votes'])}, accuracy {_number(values['accuracy'])}{more}",
            soft_wrap=True,
            highlight=False,
        )


def print_outcome(outcome: Mapping[str, Any]) -> None:
    """Print a run's scores on the test split, or on what else it was tested on."""
    test = outcome["test"]
    _print_folds(outcome)
    if test is None:
        note("The store has no test split; the best validation is in metrics.json.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    table.add_column(outcome.get("split", "test"), justify="right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    constant = outcome.get("constant")
    if constant:
        table.add_column("constant", justify="right", no_wrap=True)
    intervals = test["intervals"]
    rows = {
        "kl": f"KL, all {test['windows']:,} windows",
        "kl_votes": f"KL, one of each EEG and votes ({test['windows_votes']:,})",
        "kl_hi": f"KL, 10 or more votes ({test['windows_hi']:,})",
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "f1_macro": "F1, macro",
        "report_accuracy": "one-vs-rest accuracy",
        "calibration_error": "calibration error",
    }
    for key, words in rows.items():
        span = intervals.get(key)
        cells = [words, _number(test[key]), f"{span[0]:.3f} to {span[1]:.3f}" if span else ""]
        if constant:
            cells.append(_number(constant[key]) if key in constant else "")
        table.add_row(*cells)
    Console().print(table)
    by_class = zip(CLASS_TITLES, test["kl_per_class"].values(), strict=True)
    parts = ", ".join(f"{title} {_number(value)}" for title, value in by_class)
    Console().print(f"Parts of the KL, by class: {parts}", highlight=False)
    if outcome.get("alignment"):
        found = outcome["alignment"]
        print(
            f"embeddings: cosine {found['positive_cosine']:.2f} matched, "
            f"{found['negative_cosine']:.2f} mismatched; "
            f"retrieval@1 {found['retrieval_at_1']:.0%}, chance {found['chance']:.0%}"
        )
    if outcome.get("patients_trained_on"):
        warn(
            f"{outcome['patients_trained_on']} of {test['patients']} patients have the numbers of "
            "patients that the run was trained or validated on: if they are the same, these scores "
            "are too good."
        )
    elif outcome["leaks"]:
        warn("Patients leak between training and test: these scores are too good.")


def _print_folds(outcome: Mapping[str, Any]) -> None:
    """Say how the folds of a run of all of them did."""
    if "out_of_fold" not in outcome:
        return
    found = outcome["out_of_fold"]
    print(
        f"Out of fold, {found['windows']:,} windows: KL {_number(found['kl'])}, "
        f"{_number(found['kl_votes'])} over one of each EEG and votes; "
        f"accuracy {_number(found['accuracy'])}."
    )
    alone = outcome.get("test_of_single_folds", {}).get("kl_votes")
    if alone:
        print(
            f"Test, below: the mean prediction of all {len(outcome['folds'])} networks. KL of each "
            f"alone, over one of each EEG and votes: {alone['mean']:.3f} +- {alone['std']:.3f}."
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


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


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
