"""The page of one reader: filters, steps through the windows, figures of the current one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.events import ButtonClick
from bokeh.models import Button, CustomJS, Div, NumericInput, Select, TextInput

from hmsstore.errors import StoreError
from hmsstore.view import MONTAGES, Display, Importance, load_window
from hmsstore.view.eeg import SPACING_UV, SPACINGS_UV
from hmstrain.errors import TrainError
from hmstrain.reporting.browse.answering import Answer
from hmstrain.reporting.browse.browser import Browser
from hmstrain.reporting.browse.figures import Spectrograms, Traces, Votes
from hmstrain.reporting.browse.filters import FILTERS, Filters
from hmstrain.reporting.browse.keys import KEEP, KEYS
from hmstrain.reporting.browse.labels import Labels
from hmstrain.reporting.dark import FIELDS, paint_when_dark

TEMPLATE = (Path(__file__).parent / "page.html").read_text()
BANDS = {"0.5-70 Hz": (0.5, 70.0), "0.5-30 Hz": (0.5, 30.0), "1-15 Hz": (1.0, 15.0)}
NOTCHES = {"off": 0.0, "50 Hz": 50.0, "60 Hz": 60.0}
STEPS = ("back", "on", "place", "of", "montage", "gain", "band", "notch", "explain", "key")
HIDDEN = ("votes", "model", "loss")
"""Facts that a reader who marks does not see."""
Explain = Callable[[int], Importance]


class Viewer:
    """The widgets and figures of one page, and what happens when they are used.

    Made before the page is requested, so that opening it only attaches it to a document.
    """

    def __init__(
        self,
        browser: Browser,
        explain: Explain | None,
        answer: Answer | None = None,
        labels: Path = Path("labels"),
    ) -> None:
        self.browser, self.explain, self.answer = browser, explain, answer
        self.here = Div(name="here", visible=False, render_as_text=True)
        self.failed: dict[int, str] = {}
        """Why the run has no answer, by row."""
        self.document: Document | None = None
        self.place = 0
        self.spacing_uv: float | None = None
        self.importance: Importance | None = None
        self.traces, self.votes = (
            Traces(browser.store.spec.judged_s),
            Votes(browser.store.spec.class_titles, model=browser.run is not None),
        )
        self.spectrograms = Spectrograms(self.traces)
        self.about = Div(name="about", sizing_mode="stretch_width")
        self.told = Div(name="told")
        self.labels = Labels(
            browser.store, labels, model=browser.run is not None, changed=self.hide
        )
        self.filters = Filters(browser, self.search)
        self.widgets: dict[str, Any] = dict(self.filters.widgets)
        self._make_steps()
        self.search()

    def attach_to(self, document: Document) -> None:
        """Put the page into a document."""
        self.document = document
        drawn = (self.traces.figure, self.votes.figure, self.spectrograms.figure)
        with document.models.freeze():  # or else Bokeh walks all models again for each root
            for root in (
                *(self.widgets[name] for name in (*FILTERS, *STEPS)),
                *self._beside,
                *drawn,
            ):
                document.add_root(root)
        document.title = f"hms-eeg: {(self.browser.run or self.browser.store).path.name}"
        document.template = TEMPLATE
        document.template_variables.update(filters=FILTERS, steps=STEPS)
        document.template_variables["name"] = (self.browser.run or self.browser.store).path.name
        paint_when_dark(document, drawn)
        args = {"key": self.key, "here": self.here}
        document.js_on_event("document_ready", CustomJS(args=args, code=KEYS))
        self.here.js_on_change("text", CustomJS(args=args, code=KEEP))

    @property
    def _beside(self) -> tuple[Any, ...]:
        return self.about, self.told, self.here, self.labels.initials, self.labels.said

    def _make_steps(self) -> None:
        self.key = TextInput(name="key", value="", visible=False)
        gains = [("auto", "auto"), *((f"{g:g}", f"{g:g} uV") for g in SPACINGS_UV)]
        steps: dict[str, Any] = {
            "back": Button(label="\u25c0 previous", width=90),
            "on": Button(label="next \u25b6", width=90, button_type="primary"),
            "place": NumericInput(title="number", value=1, low=1, width=80),
            "of": Div(width=130),
            "montage": Select(title="montage", options=list(MONTAGES), value="bipolar", width=110),
            "gain": Select(title="spacing", options=gains, value=f"{SPACING_UV:g}", width=120),
            "band": Select(title="filter", options=list(BANDS), value=next(iter(BANDS)), width=130),
            "notch": Select(title="notch", options=list(NOTCHES), value="off", width=95),
            "explain": Button(label="explain", width=90, visible=self.explain is not None),
            "key": self.key,
        }
        for name, widget in steps.items():
            widget.name = name
            widget.stylesheets = [FIELDS]
        steps["back"].on_event(ButtonClick, lambda _: self.move(-1))
        steps["on"].on_event(ButtonClick, lambda _: self.move(1))
        _on(steps["place"], lambda new: self.go((new or 1) - 1))
        steps["explain"].on_event(ButtonClick, lambda _: self.ask())
        for name in ("montage", "gain", "band", "notch"):
            _on(steps[name], lambda _: self.show_traces())
        _on(self.key, lambda new: self.pressed(new.partition(" ")[0]))
        self.widgets |= steps

    def search(self) -> None:
        """Find the windows that pass the filters, and show the first."""
        self.say("")
        wanted = self.filters.wanted
        number = self.filters.number[:19]  # digits of an id of 64 bits
        if number.isdecimal():
            of_patient = self.browser.find(replace(wanted, patient=int(number)))
            of_eeg = self.browser.find(replace(wanted, eeg=int(number)))
            self.rows = of_patient if len(of_patient) else of_eeg
        else:
            self.rows = self.browser.find(wanted) if not number else np.empty(0, np.int64)
        self.place = 0
        self.show()

    def go(self, place: int) -> None:
        """Show one of the windows found, by its place among them."""
        place = int(np.clip(place, 0, max(len(self.rows) - 1, 0)))
        if place != self.place:
            self.place = place
            self.show()
        elif self.widgets["place"].value != place + 1:
            self.widgets["place"].value = place + 1

    def go_to_row(self, text: str) -> None:
        """Show a window by its row, as an address names it; if need be, take the filters off."""
        count = len(self.browser.store)
        if not text.isdecimal() or len(text) > 18 or int(text) >= count:
            self.say(f"Expected a row from 0 to {count - 1} in the address, got {text[:18]!r}.")
            return
        row = int(text)
        if row not in self.rows:
            self.filters.drop()
            self.rows, self.place = self.browser.find(self.filters.wanted), -1
            if row not in self.rows:
                self.filters.by_row()
                self.rows = self.browser.find(self.filters.wanted)
            self.say(f"Row {row} does not match the filters, so they were cleared.")
        self.go(int(np.flatnonzero(self.rows == row)[0]))

    def move(self, by: int) -> None:
        """Step forward or back."""
        self.say("")
        self.go(self.place + by)

    def pressed(self, key: str) -> None:
        """Do what a key is for."""
        self.say("")
        if key.startswith("#row="):
            self.go_to_row(key.removeprefix("#row="))
        elif key in ("ArrowRight", "ArrowLeft"):
            self.move(1 if key == "ArrowRight" else -1)
        elif key in ("ArrowUp", "ArrowDown"):
            self.scale(larger=key == "ArrowUp")
        elif key == "e":
            self.ask()
        elif len(self.rows):
            self.labels.pressed(key, int(self.rows[self.place]), self.words())

    def say(self, sentence: str) -> None:
        """Show a sentence on the page; '' takes it away."""
        self.told.text = escape(sentence)

    def words(self) -> dict[str, str]:
        """How the EEG is shown, as a mark keeps it."""
        low, high = BANDS[self.widgets["band"].value]
        notch = NOTCHES[self.widgets["notch"].value]
        return {
            "montage": str(self.widgets["montage"].value),
            "low_filter_hz": f"{low:g}",
            "high_filter_hz": f"{high:g}",
            "notch_hz": f"{notch:g}" if notch else "off",
            "sensitivity": f"{self.spacing_uv or 0:g} uV/division",
            "page_s": f"{self.browser.store.spec.eeg.window_s:g}",
        }

    def scale(self, *, larger: bool) -> None:
        """Take the next smaller or larger spacing of the traces."""
        now = self.spacing_uv or SPACINGS_UV[0]
        steps = [s for s in SPACINGS_UV if (s < now if larger else s > now)]
        if steps:
            self.widgets["gain"].value = f"{steps[-1] if larger else steps[0]:g}"

    def show(self) -> None:
        """Show the current window, or say that there is none."""
        self.importance = None
        self.widgets["place"].value = self.place + 1
        self.widgets["of"].text = f"of {len(self.rows):,} windows"
        for drawn in (self.traces, self.votes, self.spectrograms):
            drawn.figure.visible = len(self.rows) > 0
        if not len(self.rows):
            self.about.text = "<p>No window matches these filters.</p>"
            return
        row = int(self.rows[self.place])
        self.window = load_window(self.browser.store, row)
        self.here.text = f"row={row}"
        self.show_facts()
        unanswered = not self.browser.predicted[row] and row not in self.failed
        if self.answer is not None and self.document is not None and unanswered:
            self.document.add_next_tick_callback(lambda: self._answered(row))
        self.spectrograms.draw(self.window.log_power, None)
        offered = ["bipolar"] if self.window.chains_only else list(MONTAGES)
        self.widgets["montage"].options = offered
        if self.widgets["montage"].value not in offered:
            self.widgets["montage"].value = "bipolar"  # it is a recording of pairs
        self.show_traces()

    def show_traces(self) -> None:
        """Show the EEG with the chosen montage, spacing and filters."""
        if not len(self.rows):
            return
        gain = self.widgets["gain"].value
        display = Display(
            montage=self.widgets["montage"].value,
            spacing_uv=None if gain == "auto" else float(gain),
            band_hz=BANDS[self.widgets["band"].value],
            notch_hz=NOTCHES[self.widgets["notch"].value],
        )
        self.spacing_uv = self.traces.draw(self.window.eeg_uv, display, self.importance)

    def facts(self, row: int) -> dict[str, str]:
        """What is said of a window beside its signals."""
        facts = self.browser.about(row) | self.labels.words(row)
        if self.labels.blind:
            return {name: text for name, text in facts.items() if name not in HIDDEN}
        if row in self.failed:
            facts["model"] = self.failed[row]
        return facts

    def _answered(self, row: int) -> None:
        """Let the run answer for a window, unless another one is shown by now."""
        assert self.answer is not None
        if not len(self.rows) or row != int(self.rows[self.place]):
            return
        try:
            self.answer(row)
        except (TrainError, StoreError) as error:
            self.failed[row] = f"no answer: {error}"
        self.show_facts()

    def show_facts(self) -> None:
        """Show what is said of the window, of it what may be seen."""
        if not len(self.rows):
            return
        row = int(self.rows[self.place])
        self.labels.showed(row)
        self.about.text = _table(self.facts(row))
        self.votes.draw(self.window.votes, self.browser.prediction[row])
        self.votes.figure.visible = not self.labels.blind

    def hide(self) -> None:
        """Show no more than may be seen, now that who reads or what is hidden has changed."""
        blind = self.labels.blind
        self.widgets["explain"].visible = self.explain is not None and not blind
        if self.filters.hide(blind=blind):
            row = self.here.text.removeprefix("row=")
            self.search()
            self.go_to_row(row)
        if blind and self.importance is not None:
            self.importance = None
            self.spectrograms.draw(self.window.log_power, None)
            self.show_traces()
        self.show_facts()

    def ask(self) -> None:
        """Explain the current window, after the page shows that it is being explained."""
        if self.explain is None or self.labels.blind or self.widgets["explain"].disabled:
            return
        if self.document is None or not len(self.rows):
            return
        self.widgets["explain"].label = "explaining ..."
        self.widgets["explain"].disabled = True
        row = int(self.rows[self.place])
        self.document.add_next_tick_callback(lambda: self._explained(row))

    def _explained(self, row: int) -> None:
        assert self.explain is not None
        try:
            if self.labels.blind:  # since it was asked for
                return
            self.importance = self.explain(row)
            note = self.importance.note
        except Exception as error:  # shown on the page, whatever it is
            note = f"{'' if isinstance(error, TrainError) else type(error).__name__ + ': '}{error}"
        finally:
            self.widgets["explain"].label = "explain"
            self.widgets["explain"].disabled = False
        if not len(self.rows) or row != int(self.rows[self.place]):
            self.importance = None  # it belongs to a window that is no longer shown
            return
        self.about.text = _table(self.facts(row) | {"explanation": note})
        self.spectrograms.draw(self.window.log_power, self.importance)
        self.show_traces()


def _on(widget: Any, then: Callable[[Any], None]) -> None:
    """Call with the new value of a widget; Bokeh insists on these three arguments."""

    def told(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
        then(new)

    widget.on_change("value", told)


def _table(facts: dict[str, str]) -> str:
    """Facts as rows of a table."""
    cells = "".join(
        f'<tr><td style="padding-right:.8em;opacity:.7;vertical-align:top">{escape(name)}</td>'
        f"<td>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f'<table style="font-size:14px">{cells}</table>'
