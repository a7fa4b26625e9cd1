"""Events that a reader accepted -> EDF+ annotations, a CSV table, SzCORE events.

What was proposed and not accepted leaves in the table alone, which says so of each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hmsstore import HMS, Spec
from hmsstore.atomic import whole_file
from hmstrain.errors import RunError
from hmstrain.prediction.episodes import SEIZURE
from hmstrain.prediction.seizures.events import (
    BACKGROUND_WORD,
    COLUMNS,
    SEIZURE_WORD,
    UNKNOWN,
    union,
)
from hmstrain.prediction.tables import write_csv
from hmstrain.reading.events.event import ACCEPTED, MODEL, Event
from hmstrain.runs.json_file import write_json
from hmstrain.words import clock

HEADER = (
    "from (h:mm:ss)", "to (h:mm:ss)", "length (h:mm:ss)", "class", "state", "certainty", "found by",
    "edited", "text", "model's mean probability", "start_s", "stop_s",
)  # fmt: skip


def _accepted(events: Sequence[Event]) -> list[Event]:
    return sorted(
        (one for one in events if one.state == ACCEPTED), key=lambda one: (one.start_s, one.label)
    )


def text_of(event: Event, reader: str, spec: Spec = HMS) -> str:
    """Say what an accepted event is: 'AB: Seizure, probable; accepted from a model, edited'."""
    title = dict(zip(spec.class_keys, spec.class_titles, strict=True))[event.label]
    parts = [", ".join(filter(None, (title, event.certainty)))]
    if event.source == MODEL:
        parts.append("accepted from a model" + ", edited" * event.edited)
    return f"{reader}: {'; '.join([*parts, *filter(None, (event.text,))])}"


def write_annotations(
    path: Path, events: Sequence[Event], reader: str, *, spec: Spec = HMS
) -> None:
    """Write accepted events as an EDF+ file of annotations alone, which viewers show over the EEG.

    Raises
    ------
    RunError
        edfio is not installed.
    """
    try:
        import edfio
    except ImportError:
        raise RunError("edfio is not installed. Run: pip install 'hms-eeg[prep]'") from None
    annotations = [
        edfio.EdfAnnotation(one.start_s, round(one.seconds, 3), text_of(one, reader, spec))
        for one in _accepted(events)
    ]
    first = f"Events accepted by the reader {reader} (hms-eeg)."
    with whole_file(path) as partial:
        edfio.Edf([], annotations=[edfio.EdfAnnotation(0, None, first), *annotations]).write(
            partial
        )


def write_table(path: Path, events: Sequence[Event], *, spec: Spec = HMS) -> None:
    """Write all events as CSV, in order of time; the column `state` says which were accepted."""
    titles = dict(zip(spec.class_keys, spec.class_titles, strict=True))
    rows = (
        (
            clock(one.start_s), clock(one.stop_s), clock(one.seconds), titles[one.label], one.state,
            one.certainty, one.source, "yes" if one.edited else "no", one.text,
            "" if one.probability is None else f"{one.probability:.2f}",
            f"{one.start_s:.2f}", f"{one.stop_s:.2f}",
        )
        for one in sorted(events, key=lambda one: (one.start_s, one.stop_s, one.label))
    )  # fmt: skip
    write_csv(path, HEADER, rows)


def write_seizures(path: Path, events: Sequence[Event], seconds: float, reader: str) -> None:
    """Write accepted seizures as SzCORE events, beside them a description of the columns.

    Those that overlap are one, as SzCORE asks. A recording without seizures has one row that says
    so.

    Parameters
    ----------
    path : Path
        It ends in `_events.tsv`.
    events : sequence of Event
    seconds : float
        Length of the recording.
    reader : str
        Initials.
    """
    accepted = [one for one in _accepted(events) if one.label == SEIZURE]
    spans = union([(one.start_s, min(one.stop_s, seconds)) for one in accepted])
    said = f"accepted by the reader {reader}"
    rows = [
        (
            f"{start:.3f}", f"{stop - start:.3f}", SEIZURE_WORD, UNKNOWN, UNKNOWN, UNKNOWN,
            f"{seconds:.3f}", said,
        )
        for start, stop in spans
        if stop > start
    ] or [
        (
            "0.000", f"{seconds:.3f}", BACKGROUND_WORD, UNKNOWN, UNKNOWN, UNKNOWN,
            f"{seconds:.3f}", f"no seizure {said}",
        )
    ]  # fmt: skip
    write_csv(path, (*COLUMNS, "description"), rows, delimiter="\t")
    write_json(path.with_suffix(".json"), _described(reader))


def _described(reader: str) -> dict[str, object]:
    """Describe the columns, as BIDS asks; words and HED tags are those of SzCORE."""
    return {
        "onset": {"Description": "Start, from the start of the recording.", "Units": "s"},
        "duration": {"Description": "Length.", "Units": "s"},
        "eventType": {
            "Description": f"Seizures that the reader {reader} accepted.",
            "Levels": {SEIZURE_WORD: "Seizure.", BACKGROUND_WORD: "No seizure."},
            "HED": {
                SEIZURE_WORD: "Unclassified-epileptic-seizure",
                BACKGROUND_WORD: "Continuous-background-activity",
            },
        },
        "confidence": {"Description": "Not stated."},
        "channels": {"Description": "Not stated."},
        "dateTime": {"Description": "Left out, so that no date leaves with the table."},
        "recordingDuration": {"Description": "Length of the recording.", "Units": "s"},
        "description": {"Description": "Who accepted the row."},
    }
