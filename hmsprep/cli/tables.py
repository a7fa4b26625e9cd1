"""Results -> tables and JSON on stdout. No word of a table is broken, however narrow the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from hmsprep.words import plural, size
from hmsstore.plain.screen import Screen, column_blocks
from hmsstore.plain.text import json_line, plain
from hmsstore.spec import HMS

if TYPE_CHECKING:
    from hmsprep.importing.listing import Listing
    from hmsprep.planning.preview import Preview
    from hmsprep.sealed.summary import StoreSummary
    from hmsprep.simulator.make import Simulated


def print_json(value: Any) -> None:
    """Print a value for another program, on one line."""
    print(json_line(value))


def print_section(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]], note_: str = ""
) -> None:
    """Print one table under its title; numbers stand to the right, words are never broken.

    Columns that do not fit beside the others follow below, after the first column once more.
    """
    out = Screen()
    columns = [[*map(plain, column)] for column in zip(header, *rows, strict=True)]
    blocks = column_blocks(columns, out.width)
    out.print(Text(title, style="bold"))
    for place, block in enumerate(blocks):
        if place:
            out.print()
        table = Table(box=box.SIMPLE_HEAD, show_header=any(header), pad_edge=False, show_edge=False)
        for number, width in block.items():
            name, *cells = columns[number]
            numeric = all(cell.lstrip("-")[:1].isdigit() or not cell for cell in cells)
            justify: Literal["left", "right"] = "right" if numeric and number else "left"
            table.add_column(Text(name), justify=justify, width=width)
        for row in zip(*(columns[number][1:] for number in block), strict=True):
            table.add_row(*map(Text, row))
        out.print(table)
    if note_:
        out.print(Text(note_, style="dim italic"))
    out.print()


def print_list(title: str, texts: Iterable[str]) -> None:
    """Print sentences under a title, a dash before each."""
    out = Screen()
    out.print(Text(title, style="bold"))
    for text in texts:
        for line in wrap(f"- {text}", out.width - 1, subsequent_indent="  "):
            out.print(Text(f" {line}"))
    out.print()


def print_plan(found: Preview) -> None:
    """Print what a build would make."""
    rows = _contents(found.to_json(), found.folds, found.patients_per_split)
    for name, signal in found.signals.items():
        title = "EEG" if name == "eeg" else name
        rows[f"{title} stored"] = (
            f"{signal['seconds']:,} s of {title} in {plural(signal['shards'], 'file')}"
        )
    rows["votes"] = ", ".join(
        f"{title} {count:,}" for title, count in zip(found.classes, found.votes, strict=True)
    )
    rows["size"] = size(found.bytes)
    print_facts(rows)


def print_info(found: StoreSummary) -> None:
    """Print what a store holds and how it was made."""
    about, counts = found.attributes, found.counts
    rows = {"store": str(found.path)}
    rows |= _contents(counts, found.folds, found.patients_per_split)
    if counts["dropped"]:
        rows["dropped"] = f"{plural(counts['dropped'], 'window')} with missing values"
    rows["with NaN"] = (
        f"EEG in {plural(counts['eeg_windows_with_nan'], 'window')}, "
        f"spectrogram in {plural(counts['spectrogram_windows_with_nan'], 'window')}"
        f"{', all dropped' if counts['dropped'] else ''}"
    )
    if found.gaps is not None:
        rows["gaps"] = ", ".join(
            f"{count:,} in {plural(recordings, noun)}"
            for (count, recordings), noun in zip(
                found.gaps.values(), ("EEG", "spectrogram"), strict=True
            )
        )
    if found.spec != HMS:
        rows["classes"] = f"{', '.join(found.spec.class_titles)} (data {found.spec.name!r})"
    rows |= _cleaning(about["parameters"])
    constant = [name for one in about["statistics"].values() for name in one["constant"]]
    if constant:
        rows["constant"] = f"{', '.join(constant[:6])}{' ...' if len(constant) > 6 else ''}"
    if any(about["saturated"].values()):
        rows["saturated"] = plural(sum(about["saturated"].values()), "value")
    if about["skipped"]:
        rows["skipped"] = (
            f"{plural(about['skipped']['windows'], 'window')} without files of their recordings"
        )
    rows["size"] = size(found.nbytes)
    rows["identity"] = found.identity[:16]
    print_facts(rows)


def print_synth(made: Simulated) -> None:
    """Print how much was simulated, and between which scores a model on it will lie."""
    rows = {
        "data": str(made.data),
        "windows": f"{made.windows:,}",
        "recordings": _recordings(made.eegs, made.spectrograms),
        "patients": f"{made.patients:,}",
    }
    if made.kl_of_truth is not None and made.kl_of_mean is not None:
        rows["best KL"] = f"{made.kl_of_truth:.2f}, reached by the simulated truth"
        rows["constant KL"] = f"{made.kl_of_mean:.2f}, reached by the mean of all votes"
    print_facts(rows)


def print_listing(found: Listing) -> None:
    """Show what an import would do; the channels of each file where they are not all alike."""
    rows = [
        (
            one.file,
            str(one.patient),
            f"{one.seconds:,.0f}",
            ", ".join(f"{rate:g}" for rate in one.rates_hz),
            ", ".join(unit or "none" for unit in one.units),
            ", ".join(one.references) or ("not named" if one.reference == "scalp" else "none"),
            one.labels or "none",
            f"{one.windows:,}",
            ", ".join(f"{name} {count:,}" for name, count in one.by_class.items()),
        )
        for one in found.recordings
    ]
    header = ("file", "patient", "s", "Hz", "unit", "reference", "labels", "windows", "by class")
    print_section(plural(len(rows), "recording"), header, rows)
    kinds: dict[tuple[Any, ...], list[str]] = {}
    for one in found.recordings:
        kinds.setdefault((tuple(one.channels.items()), one.filled), []).append(one.file)
    for (channels, filled), files in kinds.items():
        others = f" and {plural(len(files) - 1, 'other')}" if len(files) > 1 else ""
        cells = [*channels, *((name, "filled with 0") for name in filled)]
        print_section(f"Channels of {files[0]}{others}", ("channel", "is read from"), cells)
    notes = [note for one in found.recordings for note in one.notes]
    if notes:
        print_list("To know", notes)


def print_facts(rows: Mapping[str, str]) -> None:
    """Print names and values beside each other; values are broken between words."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(name), Text(plain(value)))
    Screen().print(table)


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


def _contents(
    counts: Mapping[str, int], folds: Sequence[int], patients: Mapping[str, int]
) -> dict[str, str]:
    rows = {
        "windows": f"{counts['windows']:,}",
        "recordings": _recordings(counts["eegs"], counts["spectrograms"]),
        "patients": f"{counts['patients']:,}",
    }
    for word in ("train", "test"):
        rows[word] = f"{plural(counts[word], 'window')} of {plural(patients[word], 'patient')}"
    if counts["predict"]:
        rows["to predict"] = plural(counts["predict"], "window")
    if folds:
        rows["folds"] = f"{', '.join(f'{count:,}' for count in folds)} windows"
    return rows


def _recordings(eegs: int, spectrograms: int) -> str:
    return f"{plural(eegs, 'EEG')}, {plural(spectrograms, 'spectrogram')}"
