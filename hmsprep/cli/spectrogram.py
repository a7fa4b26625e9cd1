"""`hmsprep spectrogram`: an EEG file -> its spectrogram; with --check, compared with given ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import Json, LogFile, Quiet, option
from hmsprep.planning.choices import Part

WRITE, CHECK = "How to write", "How to compare"


def spectrogram(
    eeg: Annotated[
        Path | None, typer.Argument(metavar="EEG", help="EEG file: parquet in Kaggle's layout.")
    ] = None,
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Spectrogram file to write (parquet).")
    ] = None,
    edges: Annotated[
        bool,
        option(
            "--edges",
            "Write rows from the EEG's first second to its last, not 275 s around it; the first "
            "and last row mirror 1 s beyond the ends.",
            WRITE,
        ),
    ] = False,
    force: Annotated[bool, option("--force", "Replace an existing file.", WRITE)] = False,
    check: Annotated[
        Path | None,
        option(
            "--check",
            "Compare with the spectrograms of this data set instead.",
            CHECK,
            metavar="DATA",
        ),
    ] = None,
    count: Annotated[
        int | None,
        option(
            "--count",
            "Number of EEGs to compare, at random.",
            CHECK,
            min=1,
            metavar="N",
            show_default="100",
        ),
    ] = None,
    part: Annotated[
        Part | None,
        option(
            "--part",
            "Part of the data set.",
            CHECK,
            metavar="train|test",
            show_default="train if present, else test",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        option("--figure", "Picture of the comparison to write.", CHECK, metavar="FILE"),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Compute a spectrogram from EEG.

    It is the competition's spectrogram. With --check, compare computed spectrograms with those of a
    data set.
    """
    from hmsprep.cli import console

    with console.reporting(quiet=quiet, log_file=log_file):
        how_to_compare = any(one is not None for one in (count, part, figure))
        if check is not None and eeg is None and out is None and not (edges or force):
            _compare(check, 100 if count is None else count, part, figure, as_json=json)
        elif check is None and eeg is not None and out is not None and not how_to_compare:
            _write(eeg, out, edges=edges, force=force, as_json=json)
        else:
            raise typer.BadParameter(
                "give EEG and OUT, with --edges or --force, or --check DATA, with --count, --part "
                "or --figure"
            )


def _write(eeg: Path, out: Path, *, edges: bool, force: bool, as_json: bool) -> None:
    import hmsprep
    from hmsprep.cli import console, tables
    from hmsprep.spectrograms.files import FIRST_ROW
    from hmsprep.words import plural

    rows = hmsprep.spectrogram_file(eeg, out, edges=edges, force=force)
    if as_json:
        tables.print_json({"out": str(out), "rows": rows, "first_row": 0 if edges else FIRST_ROW})
        return
    where = "The first and last row reach 1 s beyond the EEG, mirrored."
    if not edges:
        where = (
            f"The EEG begins at the spectrogram's second 275; its first row is {FIRST_ROW}. Rows "
            "before and after the EEG, and where it is missing, are NaN."
        )
    console.note(f"Wrote {out}: {plural(rows, 'row')} of 2 s. {where}")


def _compare(
    data: Path, count: int, part: Part | None, figure: Path | None, *, as_json: bool
) -> None:
    import hmsprep
    from hmsprep.cli import console, progress, tables
    from hmsprep.spectrograms.agreement import SMALLEST
    from hmsprep.words import plural

    with progress.bars({"compare": progress.Stage("Comparing", "EEG")}) as report:
        found = hmsprep.check_spectrograms(
            data, count=count, part=part, figure=figure, progress=report
        )
    if as_json:
        tables.print_json(
            {
                "eegs": found.eegs,
                "left out": found.left_out,
                "regions": found.by_region(),
                "bands": found.by_band(),
                "features": found.by_feature(),
            }
        )
    else:
        rows = [
            (
                name,
                f"{line['values']:,}",
                f"{line['correlation']:.5f}",
                f"{line['median ratio']:.4f}",
                f"{line['median error']:.4f}",
            )
            for name, line in (found.by_region() | found.by_band()).items()
        ]
        header = ("region or band", "values", "correlation", "ratio", "error")
        explained = (
            f"{plural(found.eegs, 'EEG')} compared; {found.left_out:,} left out (no files, or "
            "between two spectrogram rows). Correlation: of log power. Ratio: median of computed "
            "over given. Error: median difference of natural logarithms. Only values of "
            f"{SMALLEST:g} uV^2/Hz or more are compared."
        )
        tables.print_section("Computed and given spectrograms", header, rows, explained)
    if figure is not None:
        console.note(f"Wrote {figure}.")
