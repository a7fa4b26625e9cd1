"""The page of one reader: where he is, how the EEG is shown, what he does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from bokeh.document import Document
from bokeh.models import CustomJS, Div, TextInput

from hmsstore.errors import StoreError
from hmsstore.view import MONTAGES
from hmstrain.errors import ConfigError, TrainError
from hmstrain.reading.events.acns import BACKGROUND_TERMS
from hmstrain.reading.page.arriving import Arriving
from hmstrain.reading.page.commands import (
    COPY,
    KEEP,
    LISTEN,
    command_of,
    number_of,
    read_here,
    write_here,
)
from hmstrain.reading.page.controls import Controls
from hmstrain.reading.page.eeg import DARK, LIGHT, EegFigure, Stretch
from hmstrain.reading.page.marking import Marking
from hmstrain.reading.page.opened import Opened, usual_size
from hmstrain.reading.page.overview import model_strips, trend_strips
from hmstrain.reading.page.places import Place, exact_clock, read_clock
from hmstrain.reading.page.reviewing import Reviewing
from hmstrain.reading.page.scale import Screen, Sensitivity, read_screen, write_screen
from hmstrain.reading.page.strips import Strip, Strips
from hmstrain.reading.page.traces import View, read_page
from hmstrain.reading.page.zoom import Zoom
from hmstrain.reporting.dark import paint_when_dark
from hmstrain.words import clock

TEMPLATE = (Path(__file__).parent / "page.html").read_text()
EKG_UV = 1_000.0
"""Of the EKG that fill its lane, until one was seen."""
MARKING = {"[": "onset", "]": "offset", "Escape": "drop", "u": "undo"}
"""Keys of commands of `Marking`."""
MARKS = Strip("marks", "", 14, ticks=((0.5, "marks"),))
STEP_S = 1.0
"""How far a step goes."""


class Reader:
    """The widgets and figures of one page.

    Made before the page is requested, so that opening it only attaches it to a document.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened, self.recording = opened, opened.recording
        self.document: Document | None = None
        self.place = Place(self.recording.seconds)
        self.zoom = Zoom(self.recording.seconds)
        self.view = View()
        self.ekg_uv: float | None = None
        self.screen = read_screen(opened.screen)
        self.pixel_ratio = 1.0
        self.drawn_marks: list[Stretch] = []
        self.told = TextInput(name="told", visible=False)
        self.here = Div(name="here", visible=False, render_as_text=True)
        self.copied = Div(name="copied", visible=False, render_as_text=True)
        self.said = Div(name="said", css_classes=["said"])
        self.shown = Div(name="shown")
        self.eeg = EegFigure()
        models = () if opened.answers is None else model_strips(opened.answers.spec)
        self.strips = Strips(
            self.recording.seconds, (*trend_strips(), *models, MARKS), self.go_around
        )
        self.notes = self.opened.notes()
        self.strips.show_blocks("marks", self.notes)
        self.eeg.on_tap(self.tapped)
        self.controls = Controls(self)
        self.marking = Marking(
            self, opened.labels, opened.name, lambda: self.recording.sha256, opened.spec,
            self.recording.seconds,
        )  # fmt: skip
        self.arriving = Arriving(self)
        self.reviewing = Reviewing(self)
        self.keys: dict[str, Callable[[], object]] = {
            "ArrowRight": lambda: self.go(self.place.turned(1)),
            "ArrowLeft": lambda: self.go(self.place.turned(-1)),
            "Shift+ArrowRight": lambda: self.go(self.place.at(self.place.start_s + STEP_S)),
            "Shift+ArrowLeft": lambda: self.go(self.place.at(self.place.start_s - STEP_S)),
            "PageDown": lambda: self.go(self.place.turned(10)),
            "PageUp": lambda: self.go(self.place.turned(-10)),
            "Home": lambda: self.go(self.place.at(0.0)),
            "End": lambda: self.go(self.place.at(self.place.seconds)),
            "ArrowUp": lambda: self.controls.scale(larger=True),
            "+": lambda: self.controls.scale(larger=True),
            "=": lambda: self.controls.scale(larger=True),
            "ArrowDown": lambda: self.controls.scale(larger=False),
            "-": lambda: self.controls.scale(larger=False),
            **{key: self.controls.turner(name) for key, name in self.controls.KEYS.items()},
            "v": self.arriving.unblind,
            "c": self.turn_clock,
            **self.reviewing.keys,
            **{key: partial(self.marking.mark, label) for key, label in self.marking.keys.items()},
            **{key: partial(self.marking.commands[name], "") for key, name in MARKING.items()},
        }
        self.commands: dict[str, Callable[[str], object]] = {
            "key": self.pressed,
            "at": self.go_to_address,
            "ratio": self.zoomed,
            "go": lambda seconds: self.go_around(number_of(seconds)),
            "model": lambda _: self.arriving.unblind(),
            **self.marking.commands,
            **self.reviewing.commands,
        }
        _on(self.told, self.hear)
        self.here.js_on_change("text", CustomJS(args={"here": self.here}, code=KEEP))
        self.copied.js_on_change("text", CustomJS(args={"copied": self.copied}, code=COPY))
        self.eeg.on_resize(self.resized)
        self.show()

    @property
    def roots(self) -> dict[str, Any]:
        """What the template embeds, by name."""
        arriving = (self.arriving.words, self.arriving.coming)
        hidden = (self.told, self.here, self.copied, self.said, self.shown, *arriving)
        return (
            {one.name: one for one in hidden}
            | self.controls.widgets
            | self.marking.widgets
            | self.reviewing.widgets
            | {
                "strips": self.strips.figure,
                "eeg": self.eeg.figure,
            }
        )

    def attach_to(self, document: Document) -> None:
        """Put the page into a document."""
        screen = read_screen(self.opened.screen)
        if screen not in (None, self.screen):  # measured on another page since this one was made
            self.screen = screen
            self.controls.count_millimetres()
        self.document = document
        with document.models.freeze():  # or else Bokeh walks all models again for each root
            for root in self.roots.values():
                document.add_root(root)
        document.title = f"{self.opened.name}: hms-eeg"
        document.template = TEMPLATE
        document.template_variables.update(
            name=self.opened.name,
            has_model=self.opened.answers is not None,
            length=clock(self.recording.seconds),
            has_clock=self.recording.start is not None,
            background=BACKGROUND_TERMS,
            classes=[
                (key, label, self.marking.titles[label], self.marking.colours[label])
                for key, label in self.marking.keys.items()
            ],
            **self.controls.listed,
        )
        listening = {"told": self.told, "here": self.here, "keys": list(self.keys)}
        paint_when_dark(
            document,
            [self.eeg.figure, self.strips.figure],
            [*self.eeg.inks, *self.strips.inks],
            {one.mapper: (LIGHT, DARK) for one in (self.eeg, self.strips)},
        )
        document.js_on_event("document_ready", CustomJS(args=listening, code=LISTEN))
        self.arriving.follow(document)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Send all changes in one message; tell what a user caused, on the page."""
        if self.document is not None:
            self.document.hold("combine")
        try:
            yield
        except (TrainError, StoreError) as error:
            self.say(str(error))
            self.marking.changed()  # another page's changes may have been read: places are new
            self.reviewing.show()
        finally:
            if self.document is not None:
                self.document.unhold()

    def say(self, sentence: str) -> None:
        """Show a sentence on the page; '' takes it away."""
        self.said.text = escape(sentence)

    def hear(self, told: str) -> None:
        """Do what a key, a button or the address asks for."""
        kind, value = command_of(told)
        act = self.commands.get(kind)
        if act is not None:
            with self.at_once():
                self.say("")
                act(value)

    def pressed(self, key: str) -> None:
        """Do what a key is for."""
        if key in self.keys:
            self.keys[key]()

    def go(self, place: Place) -> None:
        """Show another stretch."""
        self.place = place
        self.show()

    def go_around(self, middle_s: float) -> None:
        """Put a time into the middle of the page."""
        with self.at_once():
            self.go(self.place.around(middle_s))

    def go_to_address(self, text: str) -> None:
        """Show what an address asks for, as far as it can be."""
        asked = read_here(text)
        self.controls.take(asked)
        if "at" in asked:
            self.place = self.place.at(read_clock(asked["at"], self.place.seconds))
        self.show()

    def zoomed(self, ratio: str) -> None:
        """Take a browser's zoom: pixels of the screen for one of the page."""
        self.pixel_ratio = min(max(number_of(ratio), 0.1), 16.0)
        self.show()

    def resized(self) -> None:
        """Draw anew where the size of a figure counts."""
        if self.px_mm is not None:
            with self.at_once():
                self.show()

    def measured(self, ruler_mm: float) -> None:
        """Take what a ruler shows, for this page and later ones, if it can be kept."""
        self.screen = Screen.measured(ruler_mm, self.pixel_ratio)
        try:
            write_screen(self.opened.screen, self.screen)
        except OSError as error:
            self.say(
                f"What was measured is kept for this page alone: {self.opened.screen} cannot be "
                f"written: {error.strerror}."
            )

    @property
    def px_mm(self) -> float | None:
        """Pixels of the page in a millimetre, if the screen was measured."""
        return None if self.screen is None else self.screen.px_mm(self.pixel_ratio)

    def show(self) -> None:
        """Draw the page as it is now to be seen."""
        left_out = self.opened.left_out()
        page = read_page(
            self.recording, self.place.start_s, self.place.length_s, self.view, left_out
        )
        if self.ekg_uv is None:
            self.ekg_uv = usual_size(page.ekg)
        sensitivity = self.controls.sensitivity
        step_uv = sensitivity.step_uv(self.eeg.step_px(self.view.montage), self.px_mm)
        length_s = self.place.length_s
        self.eeg.draw(page, length_s, step_uv, self.ekg_uv or EKG_UV, self.recording.states)
        self.shown.text = self.title(sensitivity)
        self.marks_changed()
        self.strips.point_at(self.place.start_s, self.place.stop_s)
        self._zoom(self.zoom.holding(self.place.start_s, self.place.stop_s))
        self.controls.show()
        self.here.text = write_here(
            {"at": exact_clock(self.place.start_s), **self.controls.address}
        )

    def zoom_to(self, name: str) -> None:
        """Let the trends show another length, about the page."""
        middle_s = (self.place.start_s + self.place.stop_s) / 2
        self._zoom(replace(self.zoom, name=name).around(middle_s))
        self.show()

    def _zoom(self, zoom: Zoom) -> None:
        if zoom != self.zoom:
            self.zoom = zoom
            self.strips.look_at(zoom.start_s, zoom.length_s)
            self.arriving.zoomed()

    def marks_changed(self) -> None:
        """Draw marks and what is chosen, in the page and in the strip."""
        start_s, length_s = self.place.start_s, self.place.length_s
        marks = self.marking.stretches()
        self.eeg.draw_marks([*self.notes, *marks], start_s, length_s)
        self.eeg.draw_choice(self.marking.onset_s, self.marking.offset_s, start_s, length_s)
        if marks != self.drawn_marks:
            self.strips.show_blocks("marks", [*self.notes, *marks])
            self.drawn_marks = marks

    def signed(self) -> None:
        """Take the events of who reads now."""
        self.reviewing.open()

    def copy(self, text: str) -> None:
        """Put a text where other programs can paste it."""
        self.copied.text = text

    def turn_clock(self) -> None:
        """Show times of day, or times from the start again."""
        start = self.recording.start
        if start is None:
            raise ConfigError("The recording does not tell the time of day at which it starts.")
        seconds = start.hour * 3600 + start.minute * 60 + start.second
        self.eeg.offset_s = 0 if self.eeg.offset_s else seconds
        self.strips.count_from(self.eeg.offset_s)
        whence = " from the start" * bool(self.eeg.offset_s)
        for name in ("time", "onset", "offset"):
            self.roots[name].title = name + whence
        self.show()

    def page_span(self) -> tuple[float, float]:
        """Start and stop of what is shown."""
        return self.place.start_s, self.place.stop_s

    def words(self) -> dict[str, str]:
        """How the EEG is shown."""
        return self.controls.words

    def tapped(self, seconds: float) -> None:
        """Take a click into the EEG, so many seconds from the page's start."""
        with self.at_once():
            self.marking.point(min(self.place.start_s + max(seconds, 0.0), self.place.stop_s))

    def title(self, sensitivity: Sensitivity) -> str:
        """What is said above the traces: montage, sensitivity, filters, speed."""
        montage = MONTAGES[self.view.montage].title
        speed = ""
        width_px = self.eeg.inner_px["inner_width"]
        if self.px_mm is not None and width_px:
            speed = f", {width_px / self.px_mm / self.place.length_s:.0f} mm/s"
        shown = f"{montage}, {sensitivity.words}{speed}, {self.view.filters}, negative up"
        return shown + ", axes in times of day, lists from the start" * bool(self.eeg.offset_s)

    def set_view(self, **changed: Any) -> None:
        """Take another montage or filter; refused ones leave the view as it was."""
        self.view = replace(self.view, **changed)
        self.show()


def _on(widget: Any, then: Callable[[Any], None]) -> None:
    """Call with the new value of a widget; Bokeh insists on these three arguments."""

    def told(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
        then(new)

    widget.on_change("value", told)
