"""`hmsprep votes`: readers' marks -> `hmsprep.votes` -> a table for `build`, agreement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hmsprep.cli.options import REPORT, RUN, Json, LogFile, Quiet, option

if TYPE_CHECKING:
    from hmsprep.labelling.agreement import PairAgreement
    from hmsprep.labelling.merge import MergedVotes

SHOWN = 10
"""Stretches to look at again that are shown."""


def votes(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Folder that `hmsprep import` made, or any data set."),
    ],
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="Folder of the readers' label files.")
    ],
    out: Annotated[
        Path, option("--out", "Table to write, for `hmsprep build --table`.", metavar="FILE")
    ] = Path("votes.csv"),
    store: Annotated[
        Path | None,
        option("--store", "Store of the same data in which windows were marked.", metavar="STORE"),
    ] = None,
    predictions: Annotated[
        Path | None,
        option(
            "--predictions",
            "Compare a model with marks made blind: predictions.csv of `hmstrain predict`.",
            metavar="FILE",
        ),
    ] = None,
    second_look: Annotated[
        Path | None,
        option(
            "--second-look", "Also write all stretches worth a second look.", REPORT, metavar="FILE"
        ),
    ] = None,
    force: Annotated[bool, option("--force", "Replace existing tables.", RUN)] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Merge readers' marks into votes.

    Writes a table of the windows that readers marked, for `hmsprep build --table`; prints the
    agreement between readers, and stretches worth a second look.
    """
    import hmsprep
    from hmsprep.cli import console, tables

    with console.reporting(quiet=quiet, log_file=log_file):
        found = hmsprep.votes(
            data, labels, out, store=store, predictions=predictions, second_look_csv=second_look,
            force=force,
        )  # fmt: skip
        console.warn_all(found.warnings)
        if json:
            tables.print_json(found.to_json())
        else:
            _print(found)
        for path in (out, second_look):
            if path is not None:
                console.note(f"Wrote {path}.")


def _print(found: MergedVotes) -> None:
    from hmsprep.cli import tables
    from hmsprep.words import clock, plural

    tables.print_section(
        "Readers",
        ("reader", "marks", "windows", "blind", "unsure", *found.classes),
        [
            (one.reader, *(f"{n:,}" for n in (one.marks, one.windows, one.blind, one.unsure)),
             *(f"{n:,}" for n in one.by_class.values()))
            for one in found.readers
        ],
        f"{found.voted:,} of {plural(found.windows, 'window')} have a vote.",
    )  # fmt: skip
    rows = [_agreement(f"{one.first}, {one.second}", one) for one in (*found.pairs, *found.model)]
    if found.fleiss is not None:
        kappa = _number(found.fleiss.kappa)
        rows.append(("all readers", f"{found.fleiss.windows:,}", "", kappa))
    if rows:
        tables.print_section(
            "Agreement",
            ("who", "windows", "same class", "kappa"),
            rows,
            "On windows that all of them judged. Kappa is Cohen's of two, Fleiss' of all readers; "
            "the model is compared where readers had not seen its answer.",
        )
    for one in (*found.pairs, *found.model):
        used = [code for code, n in enumerate(one.confusion + one.confusion.T) if n.any()]
        if one.windows:
            tables.print_section(
                f"Confusion of {one.first} (rows) and {one.second} (columns), windows",
                ("", *(found.classes[code] for code in used)),
                [
                    (found.classes[code], *(f"{one.confusion[code, to]:,}" for to in used))
                    for code in used
                ],
            )
    if found.second_look:
        tables.print_section(
            "Worth a second look",
            ("recording", "from", "to", "why", "readers", "model"),
            [
                (one.recording, clock(one.start_s), clock(one.stop_s), "; ".join(one.reasons),
                 ", ".join(f"{reader} {label}" for reader, label in one.labels.items()),
                 f"{one.model} {one.probability:.2f}" if one.probability is not None else "")
                for one in found.second_look[:SHOWN]
            ],
            f"{min(SHOWN, len(found.second_look))} of {len(found.second_look):,}; times: h:mm:ss.",
        )  # fmt: skip


def _agreement(who: str, one: PairAgreement) -> tuple[str, str, str, str]:
    same = "" if one.same is None else f"{one.same:.0%}"
    return who, f"{one.windows:,}", same, _number(one.kappa)


def _number(kappa: float | None) -> str:
    return "not defined" if kappa is None else f"{kappa:.2f}"
