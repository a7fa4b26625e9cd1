"""`channels.tsv` of a BIDS tree -> what it says of a recording's signals and is not followed.

The table lies beside the recording, or higher up for all recordings that its name fits::

    name	type	units	status
    Fp1	EEG	uV	bad
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.formats.edf_units import read_unit
from hmsprep.importing.recording import Recording, read_rows, read_text, stem_of

ENDING = "channels.tsv"
HIGHEST = 3
"""Folders above a recording's own that may be of its tree: session, subject, all."""
UNITS_NAMED = (".edf", ".bdf", ".rec", ".vhdr")
"""Endings of files that name the units of their signals."""


def describe_channels(recording: Recording) -> Iterator[str]:
    """Say which signals that are read are marked as bad, and which have another unit, by the table.

    Yields
    ------
    str
        A sentence.
    """
    path = _find(recording.path)
    if path is None:
        return
    try:
        _, rows = read_rows(path, read_text(path).splitlines(), "\t", quoted=False)
    except DataError:
        yield f"{path.name} of {recording.path.name} cannot be read: not looked at."
        return
    told = {(row.get("name") or "").strip(): row for row in rows}
    labels = [recording.signals[n].strip() for n in recording.chosen.signals if recording.signals]
    read = {label: told[label] for label in labels if label in told}
    bad = [name for name, row in read.items() if (row.get("status") or "").strip().lower() == "bad"]
    if bad:
        yield f"{path.name} marks as bad, and they are read: {', '.join(bad)}."
    units = {(row.get("units") or "").strip() for row in read.values()}
    others = sorted(one for one in units if _unit(one) and _unit(one) not in _units_of(recording))
    if others and all(_units_of(recording)):
        yield (
            f"{path.name} has {', '.join(map(repr, others))} as units, and {recording.path.name} "
            f"{', '.join(sorted(map(repr, recording.units)))}: the recording is followed."
        )


def _unit(text: str) -> str:
    """One of `UNITS`, '' if it is none."""
    return read_unit(text.encode("utf-8")) or ""


def _units_of(recording: Recording) -> set[str]:
    """Units that the file itself names; '' where it does not."""
    if recording.path.name.lower().removesuffix(".gz").endswith(UNITS_NAMED):
        return {_unit(one) for one in recording.units}
    return {""}


def _find(recording: Path) -> Path | None:
    """Find the table of a recording, the nearest and most particular one."""
    stem = stem_of(recording)
    own = recording.with_name(f"{stem.removesuffix('_eeg')}_{ENDING}")
    if own.is_file() or not stem.startswith("sub-"):
        return own if own.is_file() else None
    words = set(stem.split("_"))
    for folder in recording.absolute().parents[: HIGHEST + 1]:
        fitting = [
            path
            for path in sorted(folder.glob(f"*{ENDING}"))
            if set(path.name.removesuffix(ENDING).strip("_").split("_")) - {""} <= words
        ]
        if fitting:
            return max(fitting, key=lambda path: path.name.count("_"))
    return None
