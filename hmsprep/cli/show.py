"""`hmsprep show` and `hmsprep montage`: a store, or none -> pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hmsprep.cli.options import Json, LogFile, Quiet, StoreIn, option
from hmsprep.planning.choices import Montage

CHOOSE, DRAW = "Which windows", "How to draw them"


def show(
    store: StoreIn = Path("hms.zarr"),
    row: Annotated[
        list[int] | None,
        option("--row", "This row; repeatable.", CHOOSE, min=0, metavar="N"),
    ] = None,
    eeg: Annotated[
        int | None, option("--eeg", "Windows of the EEG with this id.", CHOOSE, metavar="ID")
    ] = None,
    consensus: Annotated[
        str | None,
        option(
            "--class",
            "Windows with this consensus: seizure, lpd, gpd, lrda, grda, other, or another class "
            "of the store.",
            CHOOSE,
            metavar="CLASS",
        ),
    ] = None,
    count: Annotated[
        int | None,
        option("--count", "Number of windows.", CHOOSE, min=1, metavar="N", show_default="1"),
    ] = None,
    seed: Annotated[int, option("--seed", "Random seed.", CHOOSE, min=0, metavar="N")] = 42,
    montage: Annotated[
        Montage,
        option("--montage", "bipolar, referential, average or transverse.", DRAW, metavar="NAME"),
    ] = "bipolar",
    seconds: Annotated[
        float | None,
        option(
            "--seconds",
            "Length of EEG around the centre.",
            DRAW,
            metavar="S",
            show_default="50; 10 if several",
        ),
    ] = None,
    spacing: Annotated[
        str | None,
        option(
            "--spacing",
            "Microvolts between traces; auto: fit to the windows, the same for all.",
            DRAW,
            metavar="UV|auto",
            show_default="100",
        ),
    ] = None,
    band: Annotated[
        tuple[float, float],
        option(
            "--band", "Pass band of the EEG, Hz.", DRAW, metavar="LOW HIGH", show_default="0.5 70"
        ),
    ] = (0.5, 70.0),
    notch: Annotated[
        float,
        option(
            "--notch",
            "Mains frequency to notch out, Hz: 50 or 60.",
            DRAW,
            metavar="HZ",
            show_default="none",
        ),
    ] = 0.0,
    out: Annotated[
        Path | None,
        option(
            "--out",
            "Picture to write: .png, .svg or .pdf (a page per window).",
            DRAW,
            metavar="FILE",
            show_default="window-ROW.png or windows.png",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Draw windows of a store.

    Shows EEG, spectrograms and votes as a clinician reads them; without a choice, one window of
    each class.
    """
    import hmsprep
    from hmsprep.cli import console, progress, tables
    from hmsprep.words import plural
    from hmsstore import Store
    from hmsstore.view.saving import save

    apart = _spacing(spacing)
    with console.reporting(quiet=quiet, log_file=log_file):
        opened = Store.open(store)
        console.warn_of_leak(opened.leaks)
        with progress.spinner("Drawing"):
            drawn = hmsprep.show(
                opened,
                row=row or (),
                eeg=eeg,
                consensus=consensus,
                count=count,
                seed=seed,
                montage=montage,
                seconds=seconds,
                spacing=apart,
                band=band,
                notch=notch,
                out=out,
            )
            if out is None and drawn.figure is not None:
                rows = drawn.rows
                out = Path(f"window-{rows[0]}.png" if len(rows) == 1 else "windows.png")
                save(drawn.figure, out)
        if json:
            windows = [
                {"row": number, "title": title}
                for number, title in zip(drawn.rows, drawn.titles, strict=True)
            ]
            tables.print_json({"out": str(out), "windows": windows})
        console.note(f"Wrote {out}: {', '.join(drawn.titles)}.")
        if drawn.others and count is None:
            total = drawn.others + len(drawn.rows)
            console.note(
                f"This is the middle one of {plural(total, 'window')}; --count {total} draws all."
            )


def _spacing(word: str | None) -> float | Literal["auto"] | None:
    if word is None or word == "auto":
        return None if word is None else "auto"
    try:
        return float(word)
    except ValueError:
        raise typer.BadParameter(f"--spacing: expected a number or auto, got {word!r}") from None


def montage(
    out: Annotated[Path, option("--out", "Picture to write.", metavar="FILE")] = Path(
        "montage.png"
    ),
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Explain the twenty channels.

    Says where each electrode sits, which chains and regions it belongs to, and what it is for.
    """
    import hmsprep
    from hmsprep.cli import console, tables
    from hmsprep.inspection.channels import LOBES, READING, SOURCES

    with console.reporting(quiet=quiet, log_file=log_file):
        channels = hmsprep.montage(out).channels
        console.note(f"Wrote {out}.")
        if json:
            tables.print_json(channels)
            return
        header, rows = tuple(channels[0]), [tuple(row.values()) for row in channels]
        tables.print_section("Columns of an EEG file", header, rows)
        lobes = (f"{lobe} ({letters}): {about}" for letters, (lobe, about) in LOBES.items())
        tables.print_list("Brain regions below the electrodes", lobes)
        tables.print_list("How to read them", READING)
        tables.print_list("Sources", SOURCES)
