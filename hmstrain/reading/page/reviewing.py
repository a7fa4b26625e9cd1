"""A model's episodes and a reader's marks -> one list to accept, reject and edit; a summary.

The model's part is empty while its answers are hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from bokeh.models import Div, Select

from hmsstore.labels.owner import EVENTS
from hmstrain.errors import ConfigError, DataError
from hmstrain.prediction.episodes import heading
from hmstrain.reading.events.background import Background, BackgroundFile
from hmstrain.reading.events.event import ACCEPTED, CERTAINTIES, MODEL, PROPOSED, REJECTED, Event
from hmstrain.reading.events.event_file import EventFile, of_marks
from hmstrain.reading.events.export import write_annotations, write_seizures, write_table
from hmstrain.reading.events.summary import gaps_where, report_text, summarise
from hmstrain.reading.page.commands import index_of
from hmstrain.reading.page.marking import LISTED
from hmstrain.reading.page.places import exact_clock
from hmstrain.reporting.dark import FIELDS

if TYPE_CHECKING:
    from hmstrain.reading.page.app import Reader

EXPORTED = "exported"
"""Folder of exports, in that of label files."""
MOST_LISTED = 300


class Reviewing:
    """The list of events of a page, and what follows of it."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.file: EventFile | None = None
        self.backgrounds: BackgroundFile | None = None
        self.current: tuple[float, float, str] | None = None
        """What tells the event that was last gone to: places change as the model's are proposed
        anew."""
        self.list = Div(name="events", sizing_mode="stretch_width")
        self.summary = Div(name="summary", sizing_mode="stretch_width")
        self.certainty = Select(
            name="certainty", title="certainty of what is accepted", value="", width=200,
            options=[("", "not said"), *((one, one) for one in CERTAINTIES)], stylesheets=[FIELDS],
        )  # fmt: skip
        self.widgets: dict[str, Any] = {
            one.name: one for one in (self.list, self.summary, self.certainty)
        }
        self.commands: dict[str, Callable[[str], object]] = {
            "event": lambda index: self.go(index_of(index, len(self.events), "events")),
            "accept": lambda index: self.accept(self._place(index)),
            "reject": lambda index: self.reject(self._place(index)),
            "reset": lambda index: self.reset(self._place(index)),
            "change": lambda index: self.change(self._place(index)),
            "summary": lambda _: self.summarise(),
            "export": lambda _: self.export(),
            "background": self.describe,
        }
        self.keys: dict[str, Callable[[], object]] = {
            "e": lambda: self.step(1),
            "E": lambda: self.step(-1),
            "a": lambda: self.accept(self._place("")),
            "x": lambda: self.reject(self._place("")),
        }
        self.show()

    @property
    def events(self) -> Sequence[Event]:
        """The model's events, in the file's order; none while they are hidden."""
        return () if self.file is None or self.reader.arriving.blind else self.file.events

    @property
    def all_events(self) -> list[Event]:
        """What the reader decided, shown or not, and his marks; the model's own unless hidden."""
        kept = () if self.file is None else self.file.events
        if self.reader.opened.answers is None or self.reader.arriving.blind:
            kept = tuple(one for one in kept if one.state != PROPOSED)
        return [*kept, *of_marks(self.reader.marking.marks, self.reader.opened.spec)]

    def open(self) -> None:
        """Take the files of who has signed; propose the model's episodes once they may be seen."""
        labels, opened = self.reader.marking.file, self.reader.opened
        self.file = self.backgrounds = self.current = None
        if labels is not None:
            whose = (opened.labels, opened.name, self.reader.recording.sha256, labels.reader)
            # Episodes are kept once they were shown, by this page or an earlier one: that their
            # file is there tells so, though it cannot be read.
            shown = labels.owner.path(opened.labels, EVENTS)
            self.reader.marking.looked_before = shown.exists()
            self.file = EventFile.open(*whose, spec=opened.spec)
            self.backgrounds = BackgroundFile.open(*whose)
        self.propose()

    def propose(self) -> None:
        """Put the model's episodes into the list, if they are there and may be seen."""
        answers = self.reader.opened.answers
        timeline = None if answers is None or self.reader.arriving.blind else answers.timeline
        if self.file is not None and answers is not None and timeline is not None:
            self.file.propose(answers.episodes)
        self.show()

    def _file(self) -> EventFile:
        if self.file is None:
            raise ConfigError("Type your initials first: events are kept in a file of each reader.")
        return self.file

    def _place(self, index: str) -> int:
        """Place of an event; of the one that was gone to if none is named."""
        if index:
            return index_of(index, len(self.events), "events")
        if self.current is None or not self.events:
            raise ConfigError("Go to an event first: e takes you to the next one.")
        return self._of(self.current)

    def _of(self, told: tuple[float, float, str]) -> int:
        """Place of the event that this tells."""
        for place, one in enumerate(self.events):
            if _told(one) == told:
                return place
        raise ConfigError(
            "This event was removed by another page meanwhile. Look at the list again."
        )

    def go(self, index: int) -> None:
        """Show an event, with its onset in the first third of the page."""
        event = self.events[index]
        self.current = _told(event)
        place = self.reader.place
        self.reader.go(place.at(event.start_s - place.length_s / 3))
        self.show()

    def step(self, by: int) -> None:
        """Go to the next event in time, or the one before."""
        order = self._ordered()
        if not order:
            raise ConfigError(
                "There are no events of the model to go to."
                if not self.reader.arriving.blind
                else "The model's answers are hidden: v shows them."
            )
        known = [_told(self.events[place]) for place in order]
        if self.current in known:
            place = min(max(known.index(self.current) + by, 0), len(order) - 1)
        else:
            place = 0 if by > 0 else len(order) - 1
        self.go(order[place])

    def _ordered(self) -> list[int]:
        return sorted(range(len(self.events)), key=lambda n: self.events[n].start_s)

    def accept(self, index: int) -> None:
        """Accept an event, with the certainty that is set."""
        self._file().accept(index, self.certainty.value)
        self.show()

    def reject(self, index: int) -> None:
        """Reject an event of the model."""
        self._file().reject(index)
        self.show()

    def reset(self, index: int) -> None:
        """Make an event again what the model proposed."""
        self._file().undo(index)
        self.show()

    def change(self, index: int) -> None:
        """Take an event into the fields of marks; the next class that is marked changes it."""
        event = self._file().events[index]
        told, marking = _told(event), self.reader.marking
        self.go(index)

        def changed(start_s: float, stop_s: float, label: str, text: str) -> None:
            self._file().edit(
                self._of(told), start_s=start_s, stop_s=stop_s, label=label, text=text,
                certainty=event.certainty or self.certainty.value,
            )  # fmt: skip
            self.show()

        marking.take(event.start_s, event.stop_s, event.text, event.label, changed)

    def show(self) -> None:
        """Fill in the list."""
        self.list.text = self._table()

    def _table(self) -> str:
        titles, colours = self.reader.marking.titles, self.reader.marking.colours
        proposals = {one.key: heading(one) for one in self.reader.opened.spec.classes}
        if self.reader.opened.answers is not None and self.reader.arriving.blind:
            return "<p>The model's episodes are hidden.</p>"
        if self.file is None:
            return "<p>Type your initials to review events.</p>"
        rows = []
        for index in self._ordered()[:MOST_LISTED]:
            one = self.events[index]
            of_model = one.source == MODEL and one.state != ACCEPTED
            name = escape((proposals if of_model else titles)[one.label])
            told = [one.state, one.certainty, "edited" * one.edited, escape(one.text)]
            if one.probability is not None:
                told.insert(0, f"{one.probability:.2f}")
            struck = ' style="text-decoration:line-through"' if one.state == REJECTED else ""
            chosen = ' class="edited"' if _told(one) == self.current else ""
            buttons = "".join(
                f'<button data-command="{verb}:{index}" aria-label="{verb} {name} at '
                f'{exact_clock(one.start_s)}">{verb}</button> '
                for verb in ("accept", "reject", "change", "reset")
            )
            rows.append(
                f'<li{chosen}><button data-command="event:{index}">{exact_clock(one.start_s)}'
                f"</button> to {exact_clock(one.stop_s)} "
                f'<span class="swatch" style="background:{colours[one.label]}"></span>'
                f"<span{struck}>{name}</span> ({', '.join(filter(None, told))}) {buttons}</li>"
            )
        answers = self.reader.opened.answers
        if not rows and answers is not None and not answers.done:
            return "<p>The model's episodes are still to come. Your marks count as events.</p>"
        if not rows:
            return "<p>There are no episodes of a model. Your marks count as events.</p>"
        more = len(self.events) - len(rows)
        return f"{LISTED}<ol>{''.join(rows)}</ol>" + f"<p>And {more:,} later ones.</p>" * (more > 0)

    def summarise(self) -> None:
        """Show the figures of each hour, and copy them."""
        file, recording = self._file(), self.reader.recording
        following = self.reader.opened.following
        trends = None if following is None else following.trends
        gaps = None
        if trends is not None:
            gaps = gaps_where(trends.time_s, trends.artefacts["missing"], trends.epoch_s)
        whole = None if gaps is None else trends  # or else a part would stand for the whole
        found = summarise(
            self.all_events,
            recording.seconds,
            gaps=gaps,
            quality_time_s=None if whole is None else whole.time_s,
            quality=None if whole is None else whole.artefact,
            spec=self.reader.opened.spec,
        )
        described = () if self.backgrounds is None else self.backgrounds.descriptions
        text = report_text(found, self.reader.opened.name, file.owner.reader, background=described)
        self.summary.text = f'<pre style="white-space:pre-wrap">{escape(text)}</pre>'
        self.reader.copy(text)

    def export(self) -> None:
        """Write what was accepted as EDF+ annotations, SzCORE events and a table."""
        file, opened = self._file(), self.reader.opened
        folder = opened.labels / EXPORTED
        stem, reader = f"{opened.name}.{file.owner.reader}", file.owner.reader
        events, seconds = self.all_events, self.reader.recording.seconds
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_annotations(folder / f"{stem}.annotations.edf", events, reader, spec=opened.spec)
            write_table(folder / f"{stem}.events.csv", events, spec=opened.spec)
            write_seizures(folder / f"{stem}_events.tsv", events, seconds, reader)
        except OSError as error:
            raise DataError(f"{folder} cannot be written: {error.strerror}.") from None
        self.reader.say(f"Wrote EDF+ annotations, SzCORE events and a table into {folder}.")

    def describe(self, form: str) -> None:
        """Keep a description of the background of the page, as a form sends it."""
        if self.backgrounds is None:
            raise ConfigError("Type your initials first.")
        start_s, stop_s = self.reader.marking.chosen_or_page()
        fields = {name: value for name, value in parse_qsl(form) if value.strip()}
        if not fields:
            raise ConfigError("Fill in at least one field of the background.")
        self.backgrounds.describe(Background(start_s, stop_s, fields))
        self.reader.say(f"Kept the background of {exact_clock(start_s)} to {exact_clock(stop_s)}.")


def _told(event: Event) -> tuple[float, float, str]:
    """What tells an event from the others, whatever is decided on it: what the model proposed."""
    return event.proposed or (event.start_s, event.stop_s, event.label)
