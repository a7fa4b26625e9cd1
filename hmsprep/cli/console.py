"""Results and progress -> what the user reads: tables on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from hmsstore import Store
from hmsstore.schema import SPLITS
from hmsstore.spec import HMS, Spec

errors = Console(stderr=True)


def note(message: str) -> None:
    """Tell the user something."""
    print(message, file=sys.stderr)


def warn(messages: list[str]) -> None:
    """Warn the user of each of these."""
    for message in messages:
        errors.print(Text.assemble(("warning: ", "bold yellow"), message), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for another program, on one line."""
    print(json.dumps(value))


def thinking(what: str) -> AbstractContextManager[object]:
    """Show that something goes on that has no measure; nothing when stderr is no terminal."""
    return errors.status(what) if errors.is_terminal else nullcontext()


@contextmanager
def progress(
    stages: Mapping[str, str], unit: str = "bytes"
) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar per stage with rate and time left; nothing at all when stderr is no terminal.

    Parameters
    ----------
    stages : dict of str to str
        Name of each stage and how to label it.
    unit : str
        'bytes', or what else is counted.
    """
    amounts = (
        (DownloadColumn(), TransferSpeedColumn())
        if unit == "bytes"
        else (MofNCompleteColumn(), TextColumn(unit))
    )
    bars = Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        *amounts,
        TimeRemainingColumn(compact=True),
        console=errors,
        disable=not errors.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stages[stage], total=total, completed=done)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield show


@contextmanager
def stoppable(message: str) -> Iterator[None]:
    """On Ctrl-C, say this and exit as shells expect."""
    try:
        yield
    except KeyboardInterrupt:
        note(message)
        raise typer.Exit(130) from None


def print_section(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], note_: str = ""
) -> None:
    """Print one table under its title; numbers stand to the right."""
    cells = list(rows)
    table = Table(
        title=title, title_style="bold", title_justify="left", box=box.SIMPLE_HEAD,
        show_header=any(header), pad_edge=False, caption=note_ or None, caption_justify="left",
    )  # fmt: skip
    for number, name in enumerate(header):
        numeric = all(row[number][:1].lstrip("-").isdigit() or not row[number] for row in cells)
        table.add_column(
            name,
            justify="right" if numeric and number else "left",
            overflow="fold",
            no_wrap=number == 0,
        )
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def print_list(title: str, texts: Iterable[str]) -> None:
    """Print sentences under a title, a dash before each."""
    out = Console()
    out.print(Text(title, style="bold"))
    for text in texts:
        out.print(Padding(Text(f"- {text}"), (0, 0, 0, 1)))
    out.print()


def print_plan(found: Mapping[str, Any], spec: Spec) -> None:
    """Print what a build would make."""
    rows = _contents(found)
    for name, signal in found["signals"].items():
        rows[f"{name} stored"] = f"{signal['seconds']:,} s in {signal['shards']:,} files"
    rows["votes"] = ", ".join(
        f"{title} {count:,}" for title, count in zip(spec.class_titles, found["votes"], strict=True)
    )
    rows["size"] = _size(found["bytes"])
    _print_table(rows)


def print_info(store: Store) -> None:
    """Print what a store holds and how it was made."""
    info = store.info
    counts = info["counts"]
    windows = store.windows
    more = {
        "folds": [int((windows["fold"] == fold).sum()) for fold in range(store.folds)],
        "patients_per_split": {
            word: len(np.unique(windows["patient_id"][windows["split"] == code]))
            for code, word in enumerate(SPLITS)
        },
    }
    rows = {"store": str(store.path)} | _contents(counts | more)
    if counts["dropped"]:
        rows["dropped"] = f"{counts['dropped']:,} windows with missing values"
    rows["with NaN"] = (
        f"{counts['eeg_windows_with_nan']:,} EEG, "
        f"{counts['spectrogram_windows_with_nan']:,} spectrogram windows"
        f"{', all dropped' if counts['dropped'] else ''}"
    )
    if store.spec != HMS:
        rows["classes"] = f"{', '.join(store.spec.class_titles)} (data {store.spec.name!r})"
    rows |= _cleaning(info["parameters"])
    constant = [name for found in info["statistics"].values() for name in found["constant"]]
    if constant:
        rows["constant"] = f"{', '.join(constant[:6])}{' ...' if len(constant) > 6 else ''}"
    if any(info["saturated"].values()):
        rows["saturated"] = f"{sum(info['saturated'].values()):,} values"
    if info["skipped"]:
        rows["skipped"] = f"{info['skipped']['windows']:,} windows whose recordings had no file"
    rows["size"] = _size(sum(size for size, _ in store.manifest.files.values()))
    rows["identity"] = store.identity[:16]
    _print_table(rows)


def print_synth(out: Path, made: Mapping[str, Any]) -> None:
    """Print how much was simulated, and between which scores a model on it will lie."""
    _print_table(
        {
            "data": str(out),
            "windows": f"{made['windows']:,}",
            "recordings": _recordings(made),
            "patients": f"{made['patients']:,}",
        }
        | (
            {
                "KL": f"{made['kl_of_truth']:.2f} if the truth were known, "
                f"{made['kl_of_mean']:.2f} for the mean of all votes"
            }
            if "kl_of_truth" in made
            else {}
        )
    )


def _cleaning(parameters: Mapping[str, Any]) -> dict[str, str]:
    """How values were made, a line each."""
    eeg = f"+-{parameters['eeg_clip']:g} uV" if parameters["eeg_clip"] else "none"
    power = "none"
    if parameters["spectrogram_clip"]:
        power = "{:.3g} to {:.4g} uV^2/Hz".format(*parameters["spectrogram_clip"])
    rows = {"filled": parameters["nan"], "clipped": f"EEG {eeg}; spectrogram {power}, then ln"}
    if parameters["bandpass"]:
        rows["band-pass"] = "{:g} to {:g} Hz".format(*parameters["bandpass"])
    return rows | {"normalised": parameters["normalise"]}


def _contents(found: Mapping[str, Any]) -> dict[str, str]:
    rows = {
        "windows": f"{found['windows']:,}",
        "recordings": _recordings(found),
        "patients": f"{found['patients']:,}",
    }
    for word in ("train", "test"):
        patients = found["patients_per_split"][word]
        rows[word] = f"{found[word]:,} windows of {patients:,} patient{'s' * (patients != 1)}"
    if found["predict"]:
        rows["to predict"] = f"{found['predict']:,}"
    if found["folds"]:
        rows["folds"] = ", ".join(f"{count:,}" for count in found["folds"])
    return rows


def _recordings(found: Mapping[str, Any]) -> str:
    counts = ((found["eegs"], "EEG"), (found["spectrograms"], "spectrogram"))
    return ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in counts)


def _size(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"


def _print_table(rows: Mapping[str, str]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))
    Console().print(table)
