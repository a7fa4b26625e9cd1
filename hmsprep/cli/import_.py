"""`hmsprep import`: recordings -> `hmsprep.import_recordings` -> a data set."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hmsprep.cli.options import Command, Json, LogFile, Quiet, option, reads_recordings


def pairs_of(option_: str, words: list[str] | None, example: str) -> dict[str, str]:
    """Read words such as EEG1=Fp1."""
    pairs = {}
    for word in words or ():
        key, _, value = word.rpartition("=")
        if not key or not value:
            raise typer.BadParameter(f"{option_}: expected {example}, got {word!r}")
        pairs[key] = value
    return pairs


class ImportCommand(Command):
    """`import`, which has no OUT where it only lists or answers."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put an OUT that is never made where there is none."""
        without = {"--list", "--answer"} & set(args)
        return super().parse_args(ctx, [*args, "-"] if without else args)


@reads_recordings
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Recordings, or folders, searched recursively."),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    stride: Annotated[
        float, option("--stride", "Seconds from window to window.", metavar="S")
    ] = 10.0,
    importing: Any = None,
    label: Annotated[
        list[str] | None,
        option(
            "--label",
            "Read the label WORD as this class, or leave it out if CLASS is none; repeatable. "
            "'*' means all time that is not annotated.",
            metavar="WORD=CLASS",
        ),
    ] = None,
    patients: Annotated[
        Path | None,
        option(
            "--patients", "CSV with the patient of each recording: file, patient.", metavar="FILE"
        ),
    ] = None,
    unlabelled: Annotated[bool, option("--unlabelled", "Ignore the labels of the files.")] = False,
    listed: Annotated[
        bool,
        option(
            "--list",
            "Dry run: print what would be done with each FILE. Give no OUT.",
        ),
    ] = False,
    answering: Annotated[
        bool,
        option(
            "--answer", "Give stretches of one FILE to the program that asks for them.", hidden=True
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Convert recordings to a data set.

    Recordings of any length become a data set for `hmsprep build`, with spectrograms. Exit status 1
    says that some or all could not be imported.
    """
    reading = dict(importing)
    reading["rename"] = pairs_of("--rename", reading["rename"], "LABEL=NAME, such as EEG1=Fp1")
    labels: dict[str, Any] = {
        "label": pairs_of("--label", label, "WORD=CLASS, such as crise=seizure"),
        "unlabelled": unlabelled,
        "patients": patients,
    }
    if answering:
        _answer(files, reading)
        return
    if listed:
        _list(files, stride, reading | labels, json=json, quiet=quiet, log_file=log_file)
        return
    import hmsprep
    from hmsprep.cli import console, progress, tables
    from hmsprep.words import plural

    stages = {"import": progress.Stage("Importing", "second of EEG", "seconds of EEG")}
    with console.reporting(
        quiet=quiet, log_file=log_file, interrupted="Stopped; nothing was written."
    ):
        with progress.bars(stages) as report:
            made = hmsprep.import_recordings(
                files,
                out,
                stride=stride,
                progress=report,
                **labels,
                **reading,
            )
        console.warn_all(made.warnings)
        if json:
            tables.print_json({"out": str(out), **asdict(made), "warnings": made.warnings})
            raise typer.Exit(int(bool(made.refused)))
        pieces = sum(len(one.pieces) for one in made.recordings)
        console.note(
            f"Wrote {out}: {plural(made.windows, 'window')} of {made.hours:,.1f} h, in "
            f"{plural(pieces, 'EEG file')} of {plural(len(made.recordings), 'recording')} and "
            f"{plural(made.patients, 'patient')}."
        )
        if made.labelled:
            counts = ", ".join(f"{name} {n:,}" for name, n in made.by_class.items() if n)
            console.note(
                f"Labels: {counts}; {plural(made.left_out, 'window')} without a label left out."
            )
        console.note(f"Next: hmsprep build {shlex.quote(str(out))} STORE")
        if made.refused:
            console.note(f"{plural(len(made.refused), 'file')} left out, as warned above.")
            raise typer.Exit(1)


def _list(
    files: list[Path], stride: float, how: dict[str, Any], *, json: bool, quiet: bool,
    log_file: Path | None,
) -> None:  # fmt: skip
    """Show what would be done."""
    import hmsprep
    from hmsprep.cli import console, tables

    with console.reporting(quiet=quiet, log_file=log_file):
        found = hmsprep.list_recordings(files, stride=stride, **how)
        console.warn_all([*found.notes, *(one.reason for one in found.refused)])
        if json:
            tables.print_json(asdict(found))
        else:
            tables.print_listing(found)
        if found.refused:
            raise typer.Exit(1)


def _answer(files: list[Path], reading: dict[str, Any]) -> None:
    """Answer on standard output; what libraries print there goes to stderr."""
    import os
    import sys

    from hmsprep.cli import console
    from hmsprep.importing.answering import answer

    if len(files) != 1:
        raise typer.BadParameter(f"--answer: expected one FILE, got {len(files)}")
    with console.reporting(quiet=True), os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        answer(files[0], sys.stdin, out, reading)
