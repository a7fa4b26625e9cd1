"""A reader's initials, a stretch and a class -> marks in his file; a list to change them.

Whether the model's answers were seen is kept with each mark. Nothing takes that back: after a look,
all marks of this reader in this recording say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any, Protocol

from bokeh.models import Div, TextInput

from hmsstore import Spec
from hmsstore.labels import UNSURE, LabelFile, Mark
from hmsstore.labels.label_file import now
from hmsstore.view.colours import GREY, class_colours
from hmstrain.errors import ConfigError
from hmstrain.reading.page.commands import index_of
from hmstrain.reading.page.eeg import Stretch
from hmstrain.reading.page.places import exact_clock, read_clock
from hmstrain.reporting.dark import FIELDS

UNSURE_KEY = "0"
NOTE_COLOUR = "#000000"
MOST_LISTED = 300
Changed = Callable[[float, float, str, str], None]
"""Takes start, stop, class and text."""


class Surroundings(Protocol):
    """What marking needs of the page that it is on."""

    def page_span(self) -> tuple[float, float]:
        """Start and stop of what is shown, in seconds."""
        ...

    def words(self) -> Mapping[str, str]:
        """How the EEG is shown."""
        ...

    def marks_changed(self) -> None:
        """Draw marks and what is chosen anew."""
        ...

    def signed(self) -> None:
        """Take note of who reads now."""
        ...

    def say(self, sentence: str) -> None:
        """Show a sentence; '' takes it away."""
        ...

    def at_once(self) -> Any:
        """A context: send all changes at once, tell what a user caused."""
        ...


class Marking:
    """Widgets and commands by which a reader marks a recording.

    Parameters
    ----------
    page : Surroundings
    folder : Path
        Where label files lie.
    recording, sha256 : str
        Name of the recording, and what tells it from others of that name.
    spec : Spec
        Whose classes there are.
    seconds : float
        Length of the recording.
    """

    def __init__(
        self,
        page: Surroundings,
        folder: Path,
        recording: str,
        sha256: Callable[[], str],
        spec: Spec,
        seconds: float,
    ) -> None:
        self.page, self.folder, self.recording, self.spec = page, folder, recording, spec
        self.seconds = seconds
        self.sha256 = sha256
        self.file: LabelFile | None = None
        self.onset_s: float | None = None
        self.offset_s: float | None = None
        self.editing: Mark | None = None
        """The mark that is in the fields."""
        self.instead: tuple[str, Changed] | None = None
        """Class of an event that is in the fields, and what changes it in place of a mark."""
        self.looked = False
        """Whether the model's answers were shown since the page was opened."""
        self.looked_before = False
        """Whether they were shown to this reader by an earlier page."""
        self.undone: list[Callable[[LabelFile], None]] = []
        titles = zip(spec.class_keys, spec.class_titles, strict=True)
        self.titles = {**dict(titles), UNSURE: "Unsure", "": "Note"}
        colours = dict(zip(spec.class_keys, class_colours(spec), strict=True))
        self.colours = {**colours, UNSURE: GREY, "": NOTE_COLOUR}
        self.keys = {str(n): key for n, key in enumerate(spec.class_keys, start=1) if n < 10}
        self.keys[UNSURE_KEY] = UNSURE
        texts = {
            "initials": ("your initials", "such as AB", 110),
            "onset": ("onset", "h:mm:ss", 100),
            "offset": ("offset", "h:mm:ss", 100),
            "text": ("text", "what you see", 230),
        }
        self.widgets: dict[str, Any] = {
            name: TextInput(
                name=name, title=title, placeholder=hint, width=width, stylesheets=[FIELDS]
            )
            for name, (title, hint, width) in texts.items()
        }
        self.list = Div(name="marks", sizing_mode="stretch_width")
        self.widgets["marks"] = self.list
        self._listen("initials", self.sign)
        self._listen("onset", lambda text: self._typed("onset_s", text))
        self._listen("offset", lambda text: self._typed("offset_s", text))
        self.commands: dict[str, Callable[[str], object]] = {
            "mark": self.mark,
            "note": lambda _: self.mark(""),
            "save": lambda _: self.save(),
            "edit": lambda index: self.edit(index_of(index, len(self.marks), "marks")),
            "delete": lambda index: self.delete(index_of(index, len(self.marks), "marks")),
            "undo": lambda _: self.undo(),
            "onset": lambda _: self.choose(self.page.page_span()[0], self.offset_s),
            "offset": lambda _: self.choose(self.onset_s, self.page.page_span()[1]),
            "drop": lambda _: self.drop(),
        }
        self.show()

    def _listen(self, name: str, then: Callable[[str], object]) -> None:
        def told(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
            if str(new) != self.fields.get(name):  # or else it is only told what is chosen
                with self.page.at_once():
                    self.page.say("")
                    then(str(new))

        self.widgets[name].on_change("value", told)

    @property
    def marks(self) -> Sequence[Mark]:
        """The reader's marks; none before he has said who he is."""
        return () if self.file is None else self.file.marks

    @property
    def seen_model(self) -> bool:
        """Whether the reader has seen the model's answers of this recording, now or earlier."""
        return self.looked or self.looked_before or any(one.seen_model for one in self.marks)

    def sign(self, initials: str) -> None:
        """Open the file of the reader with these initials."""
        self.file, self.undone = None, []
        if self.editing is not None or self.instead is not None:
            self.drop()  # it is of who read before
        self.looked_before = False
        if initials.strip():
            self.file = LabelFile.open(
                self.folder, self.recording, self.sha256(), initials, spec=self.spec
            )
        self.page.signed()
        self.changed()

    def _typed(self, field: str, text: str) -> None:
        try:
            value = read_clock(text, self.seconds) if text.strip() else None
        except ConfigError:
            self.show()  # or else the page would be marked in place of what stands in the field
            raise
        if value != getattr(self, field):
            setattr(self, field, value)
            self.changed()

    @property
    def fields(self) -> dict[str, str]:
        """What the fields of times are to say: what is chosen."""
        chosen = {"onset": self.onset_s, "offset": self.offset_s}
        return {name: "" if value is None else exact_clock(value) for name, value in chosen.items()}

    def chosen_or_page(self) -> tuple[float, float]:
        """Start and stop of what is chosen; those of the page where they are not."""
        start_s, stop_s = self.page.page_span()
        return (
            start_s if self.onset_s is None else self.onset_s,
            stop_s if self.offset_s is None else self.offset_s,
        )

    def choose(self, onset_s: float | None, offset_s: float | None) -> None:
        """Choose a stretch; the earlier time is its onset."""
        if onset_s is not None and offset_s is not None and offset_s < onset_s:
            onset_s, offset_s = offset_s, onset_s
        self.onset_s, self.offset_s = onset_s, offset_s
        self.changed()

    def point(self, at_s: float) -> None:
        """Take a click: an onset first, then the offset, then another onset."""
        if self.onset_s is None or self.offset_s is not None:
            self.choose(at_s, None)
        else:
            self.choose(self.onset_s, at_s)

    def drop(self) -> None:
        """Choose nothing."""
        self.editing = self.instead = None
        self.widgets["text"].value = ""
        self.choose(None, None)

    def _open_file(self) -> LabelFile:
        if self.file is None:
            raise ConfigError("Type your initials first: marks are kept in a file of each reader.")
        return self.file

    def mark(self, label: str) -> None:
        """Give a class to what is chosen, or to the page if nothing is; '' for a text alone."""
        file = self._open_file()
        start_s, stop_s = self.chosen_or_page()
        if self.instead is not None:
            self.instead[1](start_s, stop_s, label, self.widgets["text"].value)
            self.drop()
            return
        made = Mark(
            start_s, stop_s, label, self.widgets["text"].value, self.seen_model, self.page.words()
        )
        if self.editing is not None:
            self._replace(file, self.editing, made)
        else:
            file.add(made)
            added = file.marks[-1]
            self.undone.append(lambda labels: labels.remove(labels.place(added)))
        self.drop()

    def save(self) -> None:
        """Keep changed times and text of the mark that is edited, with its class."""
        if self.instead is not None:
            self.mark(self.instead[0])
        elif self.editing is not None:
            self.mark(self.editing.label)
        else:
            raise ConfigError("Choose a mark or an event of the lists to change it.")

    def take(self, start_s: float, stop_s: float, text: str, label: str, then: Changed) -> None:
        """Take an event into the fields; what is marked next, or saved, changes it."""
        self.editing, self.instead = None, (label, then)
        self.widgets["text"].value = text
        self.choose(start_s, stop_s)

    def _replace(self, file: LabelFile, before: Mark, made: Mark) -> None:
        after = replace(
            made, seen_model=made.seen_model or before.seen_model, marked_at=made.marked_at or now()
        )
        file.replace(file.place(before), after)
        self.undone.append(lambda labels: labels.replace(labels.place(after), before))

    def edit(self, index: int) -> None:
        """Take a mark into the fields."""
        mark = self._open_file().marks[index]
        self.editing, self.instead = mark, None
        self.widgets["text"].value = mark.text
        self.choose(mark.start_s, mark.stop_s)

    def delete(self, index: int) -> None:
        """Take a mark away."""
        file = self._open_file()
        gone = file.marks[index]
        file.remove(index)
        self.undone.append(lambda labels: labels.add(gone))
        self.drop()

    def undo(self) -> None:
        """Take the last change of this page back."""
        if not self.undone:
            raise ConfigError("There is nothing to undo.")
        self.undone.pop()(self._open_file())
        self.drop()

    def changed(self) -> None:
        """Show what is chosen and the marks, here and on the page."""
        self.show()
        self.page.marks_changed()

    def show(self) -> None:
        """Fill in the fields and the list."""
        for name, text in self.fields.items():
            if self.widgets[name].value != text:
                self.widgets[name].value = text
        self.list.text = self._table()

    def stretches(self) -> list[Stretch]:
        """The marks, to be drawn."""
        return [
            Stretch(
                one.start_s,
                max(one.stop_s, one.start_s),
                self.words_of(one),
                self.colours[one.label],
            )
            for one in self.marks
        ]

    def words_of(self, mark: Mark) -> str:
        """What a mark says: its class and its text."""
        return ": ".join(part for part in (self.titles[mark.label], mark.text) if part)

    def _table(self) -> str:
        """The list of marks as rows with buttons."""
        if self.file is None:
            return "<p>Type your initials to mark what you see.</p>"
        marks = self.file.marks
        if not marks:
            return f"<p>{escape(self.file.reader)} has marked nothing yet.</p>"
        rows = []
        for index in range(len(marks) - 1, max(-1, len(marks) - 1 - MOST_LISTED), -1):
            one = marks[index]
            seen = " (saw the model)" if one.seen_model else ""
            name = escape(f"{self.words_of(one)}{seen}")
            middle = (one.start_s + one.stop_s) / 2
            edited = ' class="edited"' if one == self.editing else ""
            rows.append(
                f'<li{edited}><button data-command="go:{middle:.2f}">{exact_clock(one.start_s)}'
                f"</button> to {exact_clock(one.stop_s)} "
                f'<span class="swatch" style="background:{self.colours[one.label]}"></span>{name} '
                f'<button data-command="edit:{index}" aria-label="edit {name}">edit</button> '
                f'<button data-command="delete:{index}" aria-label="delete {name}">delete</button>'
                "</li>"
            )
        more = f"<p>The last {MOST_LISTED} of {len(marks):,}.</p>" if len(marks) > len(rows) else ""
        return f"{LISTED}<ol>{''.join(rows)}</ol>{more}"


LISTED = """<style>
ol { list-style: none; margin: 0; padding: 0; max-height: 15rem; overflow-y: auto; }
li { padding: .2rem 0; border-bottom: 1px solid var(--faint); font-size: 13px; }
li.edited { outline: 2px solid var(--on); outline-offset: -2px; }
.swatch { display: inline-block; width: .8em; height: .8em; border: 1px solid var(--ink);
          margin-right: .3em; }
button { font: inherit; padding: 0 .35rem; border: 1px solid var(--faint); border-radius: 4px;
         background: var(--soft); color: var(--ink); cursor: pointer; min-height: 1.6rem; }
:focus-visible { outline: 2px solid var(--on); }
</style>"""
"""Before a list in a widget, whose style is its own."""
