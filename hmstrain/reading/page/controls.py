"""What can be set about a page -> widgets, keys that turn them, and their part of an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from bokeh.models import Select, TextInput

from hmsstore.view import MONTAGES
from hmstrain.errors import ConfigError
from hmstrain.reading.page.commands import cycled, numbers
from hmstrain.reading.page.places import read_clock
from hmstrain.reading.page.scale import (
    PER_DIVISION_UV,
    PER_MM_UV,
    USUAL_UV_DIVISION,
    USUAL_UV_MM,
    Sensitivity,
)
from hmstrain.reading.page.traces import HIGHS_HZ, LENGTHS_S, LOWS_HZ, NOTCHES_HZ
from hmstrain.reading.page.zoom import WHOLE, offered
from hmstrain.reporting.dark import FIELDS
from hmstrain.words import clock

if TYPE_CHECKING:
    from hmstrain.reading.page.app import Reader

ALONG_CHAINS = ["bipolar"]
"""Montages of recordings whose electrodes share no reference."""


class Controls:
    """Widgets above the EEG."""

    KEYS: ClassVar = {
        "m": "montage", "p": "page", "l": "low", "h": "high", "n": "notch", "z": "trends",
    }  # fmt: skip
    """Keys that take the next of what a widget offers."""
    FILTERS: ClassVar = {"low": "low_hz", "high": "high_hz", "notch": "notch_hz"}

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        chains = reader.recording.chains_only
        montages = ALONG_CHAINS if chains else list(MONTAGES)
        per_mm = reader.screen is not None
        self.sensitivity = Sensitivity(USUAL_UV_MM if per_mm else USUAL_UV_DIVISION, per_mm)
        lists = {
            "montage": ("montage", [(one, one) for one in montages], "bipolar", 120),
            "page": ("page", numbers(LENGTHS_S, "s"), "10", 90),
            "sensitivity": ("sensitivity", [], "", 190),
            "low": ("low filter", numbers(LOWS_HZ, "Hz"), "0.5", 100),
            "high": ("high filter", numbers(HIGHS_HZ, "Hz"), "70", 100),
            "notch": ("notch", numbers(NOTCHES_HZ, "Hz"), "0", 95),
            "trends": (
                "trends",
                [(one, one) for one in offered(reader.recording.seconds)],
                WHOLE,
                90,
            ),
        }
        self.widgets: dict[str, Any] = {
            "time": TextInput(name="time", title="time", value="0:00:00", width=80)
        }
        for name, (title, options, value, width) in lists.items():
            self.widgets[name] = Select(
                name=name, title=title, options=options, value=value, width=width
            )
        self.widgets["ruler"] = TextInput(
            name="ruler", title="the bar measures, mm", placeholder="not measured", width=130
        )
        self._offer_sensitivities()
        for name, widget in self.widgets.items():
            widget.stylesheets = [FIELDS]
            self._listen(name, widget)

    listed: ClassVar = {
        "first": ["time", "page", "trends", "montage", "sensitivity"],
        "second": ["low", "high", "notch"],
    }
    """Names of widgets in the template."""

    def _listen(self, name: str, widget: Any) -> None:
        def told(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
            if str(new) != self.now.get(name):  # or else it is only told what is shown
                with self.reader.at_once():
                    self.reader.say("")
                    self.set(name, str(new))

        widget.on_change("value", told)

    def _offer_sensitivities(self) -> None:
        per_mm = self.sensitivity.per_mm
        words = [Sensitivity(one, per_mm) for one in (PER_MM_UV if per_mm else PER_DIVISION_UV)]
        widget = self.widgets["sensitivity"]
        widget.update(
            options=[(f"{one.value_uv:g}", one.words) for one in words],
            value=f"{self.sensitivity.value_uv:g}",
        )

    def set(self, name: str, value: str) -> None:
        """Do what a widget's new value asks for; raises ConfigError if it is not offered."""
        reader = self.reader
        offered = [one for one, _ in getattr(self.widgets[name], "options", ())]
        if offered and value not in offered:
            self.show()
            raise ConfigError(
                f"Expected the {name} to be one of {', '.join(offered)}, got {value[:20]!r}."
            )
        if name == "time":
            if value != clock(reader.place.start_s):
                try:
                    start_s = read_clock(value, reader.place.seconds)
                except ConfigError:
                    self.show()
                    raise
                reader.go(reader.place.at(start_s))
        elif name == "page":
            if float(value) != reader.place.length_s:
                reader.go(reader.place.long(float(value)))
        elif name == "montage":
            if value != reader.view.montage:
                reader.set_view(montage=value)
        elif name == "trends":
            if value != reader.zoom.name:
                reader.zoom_to(value)
        elif name in self.FILTERS:
            self._set_filter(name, value)
        elif name == "sensitivity" and float(value) != self.sensitivity.value_uv:
            self.sensitivity = Sensitivity(float(value), self.sensitivity.per_mm)
            reader.show()
        elif name == "ruler" and value:
            self._measure(value)

    def _set_filter(self, name: str, value: str) -> None:
        field = self.FILTERS[name]
        before = f"{getattr(self.reader.view, field):g}"
        if value == before:
            return
        try:
            self.reader.set_view(**{field: float(value)})
        except ConfigError:
            self.widgets[name].value = before
            raise

    def _measure(self, value: str) -> None:
        try:
            ruler_mm = float(value.replace(",", "."))
        except ValueError:
            raise ConfigError(f"Expected millimetres, got {value!r}.") from None
        self.reader.measured(ruler_mm)
        self.count_millimetres()

    def count_millimetres(self) -> None:
        """Show the EEG in microvolts per millimetre, now that the screen was measured."""
        if not self.sensitivity.per_mm:
            self.sensitivity = Sensitivity(USUAL_UV_MM, per_mm=True)
            self._offer_sensitivities()
        self.reader.show()

    def scale(self, *, larger: bool) -> None:
        """Take the next sensitivity."""
        self.set("sensitivity", f"{self.sensitivity.next(larger=larger).value_uv:g}")

    def turner(self, name: str) -> Callable[[], None]:
        """What takes the next of a list."""

        def turn() -> None:
            offered = [value for value, _ in self.widgets[name].options]
            self.set(name, cycled(offered, self.widgets[name].value))

        return turn

    @property
    def now(self) -> dict[str, str]:
        """What the widgets are to say: what is shown."""
        view, place = self.reader.view, self.reader.place
        return {
            "time": clock(place.start_s),
            "page": f"{place.length_s:g}",
            "montage": view.montage,
            "trends": self.reader.zoom.name,
            "sensitivity": f"{self.sensitivity.value_uv:g}",
            **{name: f"{getattr(view, field):g}" for name, field in self.FILTERS.items()},
        }

    def show(self) -> None:
        """Let the widgets say what is shown."""
        for name, value in self.now.items():
            if self.widgets[name].value != value:
                self.widgets[name].value = value

    @property
    def address(self) -> dict[str, str]:
        """What an address keeps of how the EEG is shown: what is not as at first."""
        first = {
            "page": "10", "montage": "bipolar", "low": "0.5", "high": "70", "notch": "0",
            "trends": WHOLE,
        }  # fmt: skip
        now = {name: str(self.widgets[name].value) for name in first}
        return {name: value for name, value in now.items() if value != first[name]}

    def take(self, asked: Mapping[str, str]) -> None:
        """Set what an address asks for, if it is offered."""
        for name in ("page", "montage", "low", "high", "notch", "trends"):
            if asked.get(name) in [value for value, _ in self.widgets[name].options]:
                self.set(name, asked[name])

    @property
    def words(self) -> dict[str, str]:
        """How the EEG is shown, as a mark keeps it."""
        view = self.reader.view
        filters = {
            f"{name}{'_filter' * (name != 'notch')}_hz": f"{edge:g}" if edge else "off"
            for name, field in self.FILTERS.items()
            if (edge := getattr(view, field)) is not None
        }
        return {
            "montage": view.montage,
            **filters,
            "sensitivity": self.sensitivity.words.replace(" per ", "/"),
            "page_s": f"{self.reader.place.length_s:g}",
        }
