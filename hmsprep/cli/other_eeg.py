"""What spectrogram, import and publish do once their options are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from hmsprep.cli import console


def spectrogram(eeg: Path, out: Path, *, edges: bool, force: bool, as_json: bool) -> None:
    """Write one spectrogram file."""
    from hmsprep.spectrograms.files import FIRST_ROW, convert

    rows = convert(eeg, out, edges=edges, force=force)
    if as_json:
        console.print_json({"out": str(out), "rows": rows, "first_row": 0 if edges else FIRST_ROW})
        return
    where = "its first and last row reach 1 s beyond the EEG, mirrored"
    if not edges:
        where = (
            f"EEG second 0 is its second 275, row {FIRST_ROW} the first; nothing is known around"
        )
    console.note(f"Wrote {out}: {rows:,} rows of 2 s; {where}.")


def check_spectrograms(
    data: Path, part: str | None, count: int, figure: Path | None, *, as_json: bool
) -> None:
    """Compare with a data set's own spectrograms; print it, and draw it if asked."""
    from hmsprep.kaggle.files import KaggleData
    from hmsprep.spectrograms.figure import draw_agreement
    from hmsprep.spectrograms.files import SMALLEST, check
    from hmsstore.view.saving import PICTURES, check_suffix, save

    if figure is not None:
        check_suffix(figure, PICTURES)
    with console.stoppable("Stopped."), console.progress({"compare": "Comparing"}) as progress:
        found = check(KaggleData(data, part), count, progress=progress)
    regions = found.by_region()
    if as_json:
        console.print_json(
            {
                "eegs": found.eegs,
                "left out": found.left_out,
                "regions": regions,
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
            for name, line in (regions | found.by_band()).items()
        ]
        header = ("region or band", "values", "correlation", "ratio", "error")
        note = (
            f"EEGs: {found.eegs:,}, and {found.left_out:,} that have no files or lie between two "
            "rows. Correlation of log power; median of computed over given; median distance of "
            f"natural logarithms. Of values of {SMALLEST:g} uV^2/Hz or more."
        )
        console.print_section("Spectrograms, computed beside given", header, rows, note)
    if figure is not None:
        save(draw_agreement(found), figure)
        console.note(f"Wrote {figure}.")


def import_recordings(
    files: Sequence[Path],
    out: Path,
    *,
    stride_s: float,
    renamed: Mapping[str, str],
    unlabelled: bool,
    as_json: bool,
) -> None:
    """Import recordings; say what came of them and what they lack."""
    from hmsprep.importing.convert import import_recordings as import_them

    with (
        console.stoppable("Stopped; nothing was written."),
        console.progress({"import": "Importing"}) as progress,
    ):
        made = import_them(
            files,
            out,
            stride_s=stride_s,
            renamed=renamed,
            unlabelled=unlabelled,
            progress=progress,
        )
    warnings = []
    for one in made.recordings:
        if one["filled"]:
            warnings.append(f"{one['file']} has no {', '.join(one['filled'])}: filled with 0.")
        if len(one["references"]) > 1:
            warnings.append(
                f"{one['file']} has electrodes against several references "
                f"({', '.join(one['references'])}): differences between those mean little."
            )
    console.warn(warnings)
    if as_json:
        console.print_json({"out": str(out), **asdict(made), "warnings": warnings})
        return
    pieces = sum(len(one["pieces"]) for one in made.recordings)
    console.note(
        f"Wrote {out}: {made.windows:,} windows of {made.hours:,.1f} hours, {pieces:,} EEG files "
        f"of {_many(len(made.recordings), 'recording')} and {_many(made.patients, 'patient')}."
    )
    if made.labelled:
        counts = ", ".join(f"{name} {n:,}" for name, n in made.by_class.items() if n)
        console.note(f"Labels: {counts}; {made.left_out:,} windows without are left out.")
    console.note(f"Next: hmsprep build {out} STORE")


def publish(store: Path, out: Path, name: str, title: str, licence: str, *, as_json: bool) -> None:
    """Make the folder; say how it is uploaded."""
    from hmsprep.kaggle.publish import publish as make_folder

    nbytes = make_folder(store, out, name, title, licence)
    command = f"kaggle datasets create -p {out} --dir-mode tar"
    if as_json:
        console.print_json({"out": str(out), "bytes": nbytes, "upload": command})
        return
    console.note(
        f"Made {out}, {nbytes / 1e9:,.1f} GB. Upload it (private, unless you say --public):"
    )
    print(command)


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"
