"""Trends and a model's answers, which other threads tell of -> the strips of one page."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from bokeh.document import Document
from bokeh.models import Div

from hmstrain.errors import ConfigError
from hmstrain.reading.page.overview import show_answers, show_trends
from hmstrain.reading.trends.trends import Trends
from hmstrain.words import clock

if TYPE_CHECKING:
    from hmstrain.reading.page.app import Reader

BLIND = "The model's answers are hidden: what you mark is your own. v shows them."
SEEN = "The model's answers are shown: marks say so."


FILTERED = (
    "Offset and drift were filtered out below {hz:g} Hz, which the import found to be needed once "
    "it had read everything: traces and trends are drawn anew."
)


class Arriving:
    """What comes while a page is read, and whether the model's part of it is shown."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.opened = reader, reader.opened
        self.blind = True
        self.words = Div(name="model")
        self.coming = Div(name="coming", text=escape(self.import_told()))
        self.was_coming = self.opened.coming is not None and not self.opened.coming.done

    def follow(self, document: Document) -> None:
        """Show trends and answers once the page is there, as they come."""
        following, answers, coming = self.opened.following, self.opened.answers, self.opened.coming

        def more_came() -> None:
            document.add_next_tick_callback(self.show_import)

        def trends_came(trends: Trends) -> None:
            document.add_next_tick_callback(partial(self.show_trends, trends))

        def answers_came() -> None:
            document.add_next_tick_callback(self.show_answers)

        def opened(event: Any) -> None:  # noqa: ARG001
            if coming is not None:
                coming.tell(more_came)
                more_came()
            if following is not None:
                following.tell(trends_came)
            if answers is not None:
                self.words.text = escape(self.told())
                answers.tell(answers_came)

        def left(context: Any) -> None:  # noqa: ARG001
            if coming is not None:
                coming.forget(more_came)
            if following is not None:
                following.forget(trends_came)
            if answers is not None:
                answers.forget(answers_came)

        document.on_event("document_ready", opened)
        document.on_session_destroyed(left)

    def show_import(self) -> None:
        """Show how far the import is; draw anew what it changed."""
        coming = self.opened.coming
        if coming is None:
            return
        with self.reader.at_once():
            self.coming.text = escape(self.import_told())
            if self.was_coming and coming.done:
                self.was_coming = False
                self.words.text = escape(self.told())
                if not coming.problem:
                    self.reader.show()

    def import_told(self) -> str:
        """What is said of what is to come: how far a file's import and the trends are."""
        return " ".join(filter(None, (self._of_import(), self._of_trends())))

    def _of_trends(self) -> str:
        following = self.opened.following
        if following is None or following.problem or following.done_s >= self.reader.place.seconds:
            return ""
        return f"Trends are there up to {clock(following.done_s)}."

    def _of_import(self) -> str:
        coming = self.opened.coming
        if coming is None:
            return ""
        if coming.problem:
            return (
                f"This file cannot be imported: {coming.problem} Its pages are shown as they stand "
                "in the file; there will be no answers of a model."
            )
        if not coming.done:
            return (
                f"The file is being imported, {coming.progress:.0%} so far: its pages can be read "
                "and marked already."
            )
        hz = coming.described.highpass_hz
        return FILTERED.format(hz=hz) if coming.changed and hz else ""

    def show_trends(self, trends: Trends) -> None:
        """Show what is there of the trends."""
        with self.reader.at_once():
            following = self.opened.following
            zoom = self.reader.zoom
            part = trends
            if following is not None:
                if zoom.length_s < zoom.seconds:
                    part = following.stretch(zoom.start_s, zoom.stop_s) or trends
                if following.done_s < zoom.seconds:  # or else it would look as in a gap
                    part = part.between(zoom.start_s, following.done_s)
            show_trends(self.reader.strips, part)
            self.coming.text = escape(self.import_told())
            if following is not None and following.problem:
                self.reader.say(following.problem)

    def zoomed(self) -> None:
        """Draw what there is of the part that the strips show now."""
        following = self.opened.following
        if following is not None and (narrow := following.narrow) is not None:
            self.show_trends(narrow)
        self.show_answers()

    def show_answers(self) -> None:
        """Show the model's answers, unless they are hidden or not there."""
        answers = self.opened.answers
        if answers is None:
            return
        with self.reader.at_once():
            shown = None if self.blind else answers.timeline
            show_answers(self.reader.strips, shown, answers.episodes)
            self.words.text = escape(self.told())
            self.reader.reviewing.propose()

    def told(self) -> str:
        """What is said of the model: whether its answers are hidden, are to come, or failed."""
        answers = self.opened.answers
        if answers is None:
            return ""
        if answers.problem:
            return f"There are no answers of the model: {answers.problem}"
        coming = "" if answers.done else " They are being computed."
        if coming and self.opened.coming is not None and not self.opened.coming.done:
            coming = " They are computed once the file is imported."
        return " ".join((*answers.limits, (BLIND if self.blind else SEEN) + coming))

    def unblind(self) -> None:
        """Show the model's answers, or hide them again; that they were seen stays known."""
        if self.opened.answers is None:
            raise ConfigError("No run was named whose answers could be shown.")
        self.blind = not self.blind
        if not self.blind:
            self.reader.marking.looked = True
        elif self.reader.marking.instead is not None:
            self.reader.marking.drop()  # the fields would tell of it, and no mark be made
        self.show_answers()
