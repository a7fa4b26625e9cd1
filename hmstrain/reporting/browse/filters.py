"""A browser of windows -> widgets by which they are chosen, and the filter that these stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import NumericInput, Select, TextInput

from hmsstore import SPLITS
from hmstrain.reporting.browse.browser import ORDERS, Browser, Filter
from hmstrain.reporting.dark import FIELDS

ANY = "any"
ANSWERS = [ANY, "right", "wrong"]
TELLING = ("consensus", "predicted", "answer")
"""Filters that tell what a reader who marks does not see: votes and the model's answers."""
TELLING_ORDERS = ("loss", "disagreement")
FILTERS = (*TELLING, "votes_cast", "split", "fold", "patient", "order")
NOTHING: dict[str, Any] = {"votes_cast": 0, "patient": ""}
"""Values with which these choose nothing; of the others it is 'any'."""


class Filters:
    """Widgets by which windows are chosen and ordered.

    Parameters
    ----------
    browser : Browser
    changed : callable
        Called when another filter or order is chosen.
    """

    def __init__(self, browser: Browser, changed: Callable[[], object]) -> None:
        self.run = browser.run is not None
        self.blind = False
        windows = browser.store.windows
        classes = [
            (ANY, ANY),
            *((str(n), title) for n, title in enumerate(browser.store.spec.class_titles)),
        ]
        splits = [SPLITS[code] for code in np.unique(windows["split"])]
        folds = [str(f) for f in range(browser.store.folds)]
        tested = browser.predicted & (windows["split"] == SPLITS.index("test"))
        first = "test" if tested.any() else ANY  # rather than the windows that the run learnt from
        self.widgets: dict[str, Any] = {
            "consensus": Select(title="raters say", options=classes, value=ANY, width=110),
            "predicted": Select(title="model says", options=classes, value=ANY, width=110),
            "answer": Select(title="answers", options=ANSWERS, value=ANY, width=90),
            "votes_cast": NumericInput(title="minimum votes", value=0, low=0, width=100),
            "split": Select(title="split", options=[ANY, *splits], value=first, width=90),
            "fold": Select(title="fold", options=[ANY, *folds], value=ANY, width=90),
            "patient": TextInput(title="patient or EEG id", value="", width=130),
            "order": Select(title="order", value="row", width=180),
        }
        self._offer()
        self._still = False

        def told(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
            if not self._still:
                changed()

        for name, widget in self.widgets.items():
            widget.name = name
            widget.stylesheets = [FIELDS]
            widget.on_change("value", told)

    @property
    def wanted(self) -> Filter:
        """What is chosen, but for the patient or EEG."""
        chosen = {name: widget.value for name, widget in self.widgets.items()}

        def code(name: str, words: tuple[str, ...] | None = None) -> int | None:
            if chosen[name] == ANY:
                return None
            return int(chosen[name]) if words is None else words.index(chosen[name])

        answer = None if chosen["answer"] == ANY else chosen["answer"]
        return Filter(
            code("consensus"), code("predicted"), answer,
            chosen["votes_cast"] or 0, code("split", SPLITS), code("fold"), order=chosen["order"],
        )  # fmt: skip

    @property
    def number(self) -> str:
        """The patient's or EEG's, as it was typed."""
        return str(self.widgets["patient"].value).strip()

    def hide(self, *, blind: bool) -> bool:
        """Take from a reader who marks what tells of votes and answers, or give it back.

        Returns
        -------
        bool
            Whether one of these was in use, so that other windows are wanted by now.
        """
        if blind == self.blind:
            return False
        self.blind = blind
        before = self.wanted
        if blind:
            self._still = True
            for name in TELLING:
                self.widgets[name].value = ANY
            if self.widgets["order"].value in TELLING_ORDERS:
                self.widgets["order"].value = "row"
            self._still = False
        self._offer()
        return self.wanted != before

    def drop(self) -> None:
        """Choose nothing any more, without a word of it to the page; the order stays."""
        self._still = True
        for name in FILTERS:
            if name != "order":
                self.widgets[name].value = NOTHING.get(name, ANY)
        self._still = False

    def by_row(self) -> None:
        """Order by row, which leaves no window out as others may, without a word to the page."""
        self._still = True
        self.widgets["order"].value = "row"
        self._still = False

    def _offer(self) -> None:
        for name in TELLING:
            self.widgets[name].visible = not self.blind and (self.run or name == "consensus")
        but = ("loss",) * (not self.run) + TELLING_ORDERS * self.blind
        self.widgets["order"].options = [one for one in ORDERS.items() if one[0] not in but]
