"""Events of a BIDS tree (`..._events.tsv`), as SzCORE and HED-SCORE write them -> intervals.

The column eventType names a seizure ('sz', 'sz_foc_ia'), background ('bckg') or a check of
impedances ('impd'); a file with that column lists all seizures of the recording (Dan et al. 2024)::

    onset	duration	eventType	confidence	channels	dateTime	recordingDuration
    296.0	40.0	sz_foc	n/a	n/a	2016-11-06 13:43:04	3600.00
"""

from __future__ import annotations

from pathlib import Path

from hmsprep.errors import DataError
from hmsprep.importing.labels.layout import Layout, Said, Source, interval
from hmsprep.importing.labels.words import seems_a_pattern
from hmsprep.importing.recording import Recording, read_rows, read_text, stem_of

SCORED, GENERAL = "eventtype", "trial_type"
"""Columns, in lower case: of SzCORE, whose words are all to be known; and of BIDS at large, where
most files list other things than patterns of EEG."""
DESCRIPTION, RESEARCH = "description", "RESEARCH, model"
"""Column, in lower case, in which `hmstrain predict` says of each row that it is a model's answer,
and how it says so."""
TOLERANCE_S = 2.0
"""By which the table and the file may differ in the length of the recording before it is said."""


def find(recording: Path) -> Path | None:
    """Find the events of `sub-01_eeg.edf` in `sub-01_events.tsv`, or of another in its .tsv."""
    stem = stem_of(recording)
    names = (f"{stem.removesuffix('_eeg')}_events.tsv", f"{stem}.tsv")
    each = map(recording.with_name, names)
    return next((path for path in each if path.is_file()), None)


def read(source: Source) -> Said | None:
    """Read the events; None where none of them is a pattern of EEG by its word.

    Raises
    ------
    DataError
        It has the column eventType and lacks another, or times are no times.
    """
    path, recording, words = source.path, source.recording, source.words
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    columns, _ = read_rows(path, lines[:1], "\t", quoted=False)
    names = {name.strip().lower(): name for name in columns}
    column = next((one for one in (SCORED, GENERAL) if one in names), None)
    if column is None:
        return None
    absent = {"onset", "duration"} - set(names)
    if absent:
        raise DataError(
            f"{path} lacks {' and '.join(sorted(absent))}, expected onset, duration and "
            f"{names[column]}. To import the recording without labels, use --unlabelled."
        )
    _, rows = read_rows(path, lines, "\t", quoted=False)
    told = names.get(DESCRIPTION, "")
    if any((row.get(told) or "").strip().strip('"').startswith(RESEARCH) for row in rows):
        note = (
            f"{path.name} beside {recording.path.name} holds a model's answers, so it is not read "
            f"as labels. Once a reader has confirmed every row, remove its column {told}."
        )
        return Said((), notes=(note,), by_model=True)
    events = [
        [(row[names[one]] or "").strip() for one in ("onset", "duration", column)] for row in rows
    ]
    unread: list[str] = []
    if column == GENERAL:
        if not any(words.tells(word) for _, _, word in events):
            return None
        unread = [
            f"{word!r} at {onset} s"
            for onset, _, word in events
            if words.find(word) is None and seems_a_pattern(word)
        ]
        events = [event for event in events if words.find(event[2]) is not None]
    marked = []
    for onset, duration, word in events:
        try:
            stop = str(float(onset) + float(duration))
        except ValueError:
            stop = duration
        marked.append(interval(path, onset, stop, word, ("onset", "end (onset + duration)")))
    notes = _length(path, rows, recording)
    return Said(tuple(marked), column == SCORED, notes, next(iter(unread), ""))


def _length(path: Path, rows: list[dict[str, str]], recording: Recording) -> tuple[str, ...]:
    """Say it if the table's length of the recording is another than the file's."""
    for row in rows:
        try:
            listed = float(row.get("recordingDuration") or "nan")
        except ValueError:
            continue
        if abs(listed - recording.duration_s) > TOLERANCE_S:
            return (
                f"{recording.path.name} is {recording.duration_s:,.0f} s long and {listed:,.0f} s "
                f"by {path.name}: see whether these are its events.",
            )
    return ()


LAYOUT = Layout("BIDS, SzCORE and HED-SCORE: _events.tsv", find, read)
