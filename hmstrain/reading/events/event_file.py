"""A recording's events, the model's and a reader's own, in one list: each change kept at once.

`night.edf.AB.events.csv` lies beside the label file of the same reader. Burden and prevalence come
of accepted events alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hmsstore import HMS, Spec
from hmsstore.errors import LabelsError
from hmsstore.labels import Kept, Mark
from hmsstore.labels.label_file import now
from hmsstore.labels.owner import EVENTS, Owner
from hmsstore.labels.sheet import read_sheet, write_sheet
from hmstrain.prediction.episodes import Episode
from hmstrain.reading.events.event import (
    ACCEPTED,
    COLUMNS,
    MODEL,
    PROPOSED,
    READER,
    REJECTED,
    REQUIRED,
    Event,
    check_label,
)

KIND = "events 1"
SAME = 0.5
"""Share of an episode that a decided event of its class covers: it is not proposed again."""


class EventFile:
    """Events of one recording, as one reader leaves them.

    >>> events = EventFile.open(Path("labels"), "night.edf", sha256, "AB")  # doctest: +SKIP
    >>> events.propose(timeline.episodes(rule))  # doctest: +SKIP
    >>> events.accept(0, certainty="probable")  # doctest: +SKIP
    """

    def __init__(self, path: Path, owner: Owner, spec: Spec) -> None:
        self.path, self.owner = path, owner
        self._classes = tuple(key for key in spec.class_keys if key != spec.background)
        self._kept: Kept[Event] = Kept(path, self._read, self._write)

    @classmethod
    def open(
        cls, folder: Path, recording: str, sha256: str, reader: str, *, spec: Spec = HMS
    ) -> EventFile:
        """Read a reader's events of a recording, or start a list; parameters as `LabelFile.open`.

        Raises
        ------
        LabelsError
            As `LabelFile.open` raises it.
        """
        owner = Owner.of(recording, sha256, reader)
        return cls(owner.path(folder, EVENTS), owner, spec)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events as the file was last read or written here, in the file's order."""
        return self._kept.things

    @property
    def accepted(self) -> tuple[Event, ...]:
        """Those that the reader accepted or found, in order of time."""
        found = (one for one in self.events if one.state == ACCEPTED)
        return tuple(sorted(found, key=lambda one: (one.start_s, one.stop_s, one.label)))

    def refresh(self) -> bool:
        """Read what other programs wrote since; tell whether anything changed."""
        return self._kept.refresh()

    def propose(self, episodes: Iterable[Episode]) -> int:
        """Put a model's episodes into the list, in place of those that nobody decided on yet.

        An episode is left out if half of it or more lies in a decided event that the model
        proposed as the same class, or that the reader found of that class.

        Returns
        -------
        int
            How many are proposed now.

        Raises
        ------
        LabelsError
            The file cannot be read or written.
        """
        proposed = [_proposal(one) for one in episodes if one.pattern.key in self._classes]
        fresh: list[Event] = []

        def change(here: Sequence[Event]) -> list[Event]:
            decided = [one for one in here if one.state != PROPOSED]
            fresh[:] = [one for one in proposed if not any(_covers(d, one) for d in decided)]
            return [*decided, *fresh]

        self._kept.change(change)
        return len(fresh)

    def accept(self, index: int, certainty: str = "") -> None:
        """Accept an event, by its place in `events`; raises LabelsError."""
        self._decide(index, state=ACCEPTED, certainty=certainty)

    def reject(self, index: int) -> None:
        """Reject a model's event; a reader's own is removed instead; raises LabelsError."""
        if self._at(index).source == READER:
            raise LabelsError("expected one of the model's events to reject: remove your own")
        self._decide(index, state=REJECTED, certainty="")

    def undo(self, index: int) -> None:
        """Make a model's event again what was proposed; raises LabelsError."""
        event = self._at(index)
        if event.proposed is None:
            raise LabelsError("expected one of the model's events: your own was never proposed")
        start_s, stop_s, label = event.proposed
        again = replace(
            event, start_s=start_s, stop_s=stop_s, label=label, state=PROPOSED, certainty="",
            text="", decided_at="",
        )  # fmt: skip
        self._kept.replace(index, again)

    def edit(
        self,
        index: int,
        *,
        start_s: float | None = None,
        stop_s: float | None = None,
        label: str | None = None,
        certainty: str | None = None,
        text: str | None = None,
    ) -> None:
        """Change an event, which accepts it; what is None stays.

        Raises
        ------
        LabelsError
            A value is not as it must be, or another program changed the event meanwhile.
        """
        given = {
            "start_s": start_s, "stop_s": stop_s, "label": label, "certainty": certainty,
            "text": text,
        }  # fmt: skip
        if label is not None:
            check_label(label, self._classes)
        changed = {name: value for name, value in given.items() if value is not None}
        self._decide(index, state=ACCEPTED, **changed)

    def add(self, event: Event) -> None:
        """Append one of the reader's own; raises LabelsError."""
        check_label(event.label, self._classes)
        if event.source != READER:
            raise LabelsError("expected a reader's event: a model's come by `propose`")
        self._kept.add(event if event.decided_at else replace(event, decided_at=now()))

    def remove(self, index: int) -> None:
        """Take one of the reader's own away; a model's is rejected instead; raises LabelsError."""
        if self._at(index).source == MODEL:
            raise LabelsError("expected one of your own events to remove: reject the model's")
        self._kept.remove(index)

    def _at(self, index: int) -> Event:
        if not 0 <= index < len(self.events):
            raise LabelsError(f"{self.path} has no event {index}: it holds {len(self.events)}.")
        return self.events[index]

    def _decide(self, index: int, **changed: object) -> None:
        event = replace(self._at(index), decided_at=now(), **changed)  # type: ignore[arg-type]
        self._kept.replace(index, event)

    def _read(self, content: bytes) -> Sequence[Event]:
        sheet = read_sheet(self.path, content, KIND, REQUIRED, COLUMNS)
        self.owner.check(self.path, Owner.of_head(self.path, sheet.head))
        found: list[Event] = []
        sheet.each(
            self.path,
            lambda row, commas: found.append(Event.from_row(row, self._classes, commas)),
        )
        return found

    def _write(self, events: Sequence[Event]) -> bytes:
        return write_sheet(KIND, self.owner.head(), COLUMNS, (one.row() for one in events))


def of_marks(marks: Iterable[Mark], spec: Spec = HMS) -> list[Event]:
    """Take a reader's marks of patterns as his own events: not of the background, nor unsure."""
    keys = [key for key in spec.class_keys if key != spec.background]
    return [
        Event(
            one.start_s, one.stop_s, one.label, text=one.text, seen_model=one.seen_model,
            decided_at=one.marked_at,
        )
        for one in marks
        if one.label in keys and one.eeg_id is None
    ]  # fmt: skip


def _proposal(episode: Episode) -> Event:
    found = Event(
        episode.start_s, episode.stop_s, episode.pattern.key, MODEL, PROPOSED,
        probability=round(episode.mean, 4),
    )  # fmt: skip
    return replace(found, proposed=(found.start_s, found.stop_s, found.label))


def _covers(decided: Event, episode: Event) -> bool:
    """Whether an event that was decided on answers for an episode."""
    spans = [(decided.start_s, decided.stop_s, decided.label)]
    if decided.proposed is not None:
        spans.append(decided.proposed)
    return any(
        label == episode.label
        and min(stop, episode.stop_s) - max(start, episode.start_s) >= SAME * episode.seconds
        for start, stop, label in spans
    )
