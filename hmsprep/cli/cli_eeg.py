"""Commands for EEG from and to elsewhere: spectrogram, import, publish. `cli` adds them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hmsprep.cli.options import Json, PartChoice, StoreIn


def spectrogram(
    eeg: Annotated[Path | None, typer.Argument(help="EEG, parquet in Kaggle's layout.")] = None,
    out: Annotated[Path | None, typer.Argument(help="Spectrogram to write, likewise.")] = None,
    edges: Annotated[
        bool,
        typer.Option(
            "--edges",
            help="Rows from the EEG's first second to its last, not 275 s around it; the outermost "
            "mirror 1 s beyond its ends.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="DATA", help="Compare with the spectrograms of this data."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="EEGs to compare, at random.")] = 100,
    part: PartChoice = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Picture of the comparison to write.")
    ] = None,
    json: Json = False,
) -> None:
    """Compute the competition's spectrogram from EEG, or compare it with those given."""
    from hmsprep.cli import other_eeg

    both, any_ = eeg is not None and out is not None, eeg is not None or out is not None or edges
    if not both if check is None else any_:
        raise typer.BadParameter("give EEG and OUT, or --check DATA by itself")
    if check is not None:
        other_eeg.check_spectrograms(check, part, count, figure, as_json=json)
    else:
        assert eeg is not None
        assert out is not None
        other_eeg.spectrogram(eeg, out, edges=edges, force=force, as_json=json)


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Recordings: EDF, EDF+, BDF.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    stride: Annotated[
        float, typer.Option("--stride", help="Seconds from window to window.")
    ] = 10.0,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="LABEL=NAME",
            help="Read a signal's label as another, such as EEG1=Fp1; may be repeated.",
        ),
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Do not read the intervals beside the files.")
    ] = False,
    json: Json = False,
) -> None:
    """Turn recordings of any length into a data set that build takes, spectrograms computed."""
    from hmsprep.cli import other_eeg

    renamed = {}
    for word in rename or ():
        label, _, name = word.partition("=")
        if not label or not name:
            raise typer.BadParameter(f"--rename takes LABEL=NAME, such as EEG1=Fp1, not {word!r}")
        renamed[label] = name
    other_eeg.import_recordings(
        files, out, stride_s=stride, renamed=renamed, unlabelled=unlabelled, as_json=json
    )


def publish(
    store: StoreIn,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make and upload.")],
    name: Annotated[
        str, typer.Option("--id", metavar="USER/NAME", help="What Kaggle is to call it.")
    ],
    title: Annotated[str, typer.Option("--title", help="6 to 50 characters.")] = "HMS EEG store",
    licence: Annotated[
        str, typer.Option("--licence", help="Kaggle's name of a licence.")
    ] = "other",
    json: Json = False,
) -> None:
    """Make a folder of a store that Kaggle's client uploads, for every session to map."""
    from hmsprep.cli import other_eeg

    other_eeg.publish(store, out, name, title, licence, as_json=json)
