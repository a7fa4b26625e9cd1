"""Trends of a recording and a model's answers -> the strips that show them.

The trends are followed in a thread, so that the page is there before they are; every page of a
server shows those of one thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from hmsstore import Spec
from hmsstore.errors import StoreError
from hmsstore.view.colours import class_colours
from hmstrain.errors import TrainError
from hmstrain.prediction.episodes import Episode, heading
from hmstrain.prediction.timeline import Timeline
from hmstrain.reading.coming import Readable
from hmstrain.reading.page.eeg import Stretch
from hmstrain.reading.page.strips import MOST_COLUMNS, Strip, Strips
from hmstrain.reading.trends.about import ABOUT
from hmstrain.reading.trends.follow import follow_trends
from hmstrain.reading.trends.quality import KINDS as ARTEFACTS
from hmstrain.reading.trends.trends import Trends

SIDES = ("left", "right")
HZ = (0.5, 20.0)
HZ_TICKS = ((5.0, "5 Hz"), (15.0, "15"))
TELLING_S = 2.0
"""Time between two pictures of trends that are still computed."""
ROW_PX = 13
"""Of a class in the model's strip."""
COLOURED_FROM = 0.1
"""Probability below which nothing is drawn."""
ARTEFACT_PX = 11
ARTEFACT_COLOUR = "#CC79A7"
LEAST_SEEN = 0.25
"""Opacity of an artefact on the least share of pairs, so that one electrode's is seen."""


def trend_strips() -> tuple[Strip, ...]:
    """The strips of a recording without a model, from top to bottom."""
    power, relative = ABOUT["spectrogram_db"].scale, ABOUT["asymmetry"].scale
    decibels = f"{power[0]:g} to {power[1]:g} dB"
    kinds = tuple((len(ARTEFACTS) - n - 0.5, kind) for n, kind in enumerate(ARTEFACTS))
    return (
        *(
            Strip(side, f"spectrogram, {side} ({decibels})", 52, *HZ, HZ_TICKS, colours=power)
            for side in SIDES
        ),
        Strip("asymmetry", "asymmetry (blue: left more)", 36, *HZ, HZ_TICKS, colours=relative),
        Strip(
            "aeeg", "aEEG (uV)", 44, *ABOUT["aeeg_uv"].scale,
            ((5.0, "5 uV"), (10.0, "10"), (50.0, "50")), logarithmic_from=10.0,
        ),
        Strip("suppression", "suppression", 28, 0.0, 1.0, ((1.0, "100%"),)),
        Strip("rhythmicity", "rhythmicity", 28, 0.0, 1.0, ((1.0, "1"),)),
        Strip("quality", "quality", 20, 0.0, 1.0, ((1.0, "100%"),)),
        Strip("artefacts", "", ARTEFACT_PX * len(ARTEFACTS), 0.0, float(len(ARTEFACTS)), kinds),
    )  # fmt: skip


def model_strips(spec: Spec) -> tuple[Strip, ...]:
    """The strips of a model: probabilities of the patterns, and its episodes."""
    rows = len(spec.classes) - 1
    names = tuple(
        (rows - number - 0.5, heading(one))
        for number, one in enumerate(one for one in spec.classes if one.key != spec.background)
    )
    return (
        Strip("model", "", ROW_PX * rows, 0.0, float(rows), names),
        Strip("episodes", "", 12, ticks=((0.5, "episodes"),)),
    )


def show_trends(strips: Strips, trends: Trends) -> None:
    """Fill the strips in with the trends of a part of the recording; elsewhere they are empty."""
    time_s = trends.time_s
    for side in SIDES:
        strips.show_picture(side, time_s, trends.spectrogram_db[side])
    strips.show_picture("asymmetry", time_s, trends.asymmetry, diverging=True)
    strips.show_bands("aeeg", time_s, trends.aeeg_uv)
    strips.show_lines("suppression", time_s, trends.suppression)
    strips.show_lines("rhythmicity", time_s, trends.rhythmicity)
    strips.show_lines("quality", time_s, {"midline": trends.quality})
    shares = np.stack([trends.artefacts[kind] for kind in ARTEFACTS], axis=1)
    half_s = (float(time_s[1] - time_s[0]) if len(time_s) > 1 else trends.epoch_s) / 2
    strips.show_rows(
        "artefacts", np.stack([time_s - half_s, time_s + half_s], axis=1),
        np.where(shares > 0, LEAST_SEEN + (1 - LEAST_SEEN) * shares, 0.0),
        [ARTEFACT_COLOUR] * len(ARTEFACTS),
    )  # fmt: skip


def show_answers(strips: Strips, timeline: Timeline | None, episodes: Sequence[Episode]) -> None:
    """Show a model's probabilities and episodes, or take them away."""
    if timeline is None:
        strips.show_rows("model", np.empty((0, 2)), np.empty((0, 1)), ["#000000"])
        strips.show_blocks("episodes", [])
        return
    spec = timeline.spec
    patterns = [n for n in range(len(spec.classes)) if n != spec.background_code]
    colours = [class_colours(spec)[n] for n in patterns]
    shares = timeline.prediction[:, patterns]
    shares = np.where(shares >= COLOURED_FROM, shares, 0.0)
    strips.show_rows("model", timeline.spans_s, shares, colours)
    strips.show_blocks("episodes", episode_stretches(episodes, spec))


def episode_stretches(episodes: Sequence[Episode], spec: Spec) -> list[Stretch]:
    """Episodes, to be drawn."""
    colours = class_colours(spec)
    return [
        Stretch(one.start_s, one.stop_s, heading(one.pattern), colours[one.code])
        for one in episodes
    ]


class Following:
    """Trends of a recording that are computed while pages are read."""

    def __init__(self, recording: Readable) -> None:
        self.recording = recording
        self.trends: Trends | None = None
        self.done_s = 0.0
        self.problem = ""
        self._told: list[Callable[[Trends], object]] = []
        self._narrow: Trends | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def tell(self, then: Callable[[Trends], object]) -> None:
        """Call, from the thread, with trends of a page's resolution, now and when there are more.

        The first caller starts the thread.
        """
        with self._lock:
            self._told.append(then)
            narrow = self._narrow
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, daemon=True)
                self._thread.start()
        if narrow is not None:
            then(narrow)

    def forget(self, then: Callable[[Trends], object]) -> None:
        """Call no more."""
        with self._lock:
            if then in self._told:
                self._told.remove(then)

    @property
    def narrow(self) -> Trends | None:
        """Trends of the whole recording at a page's resolution; None before there are any."""
        with self._lock:
            return self._narrow

    def wait(self) -> None:
        """Wait until all is computed."""
        if self._thread is not None:
            self._thread.join()

    def stretch(self, start_s: float, stop_s: float) -> Trends | None:
        """Trends of a part, at a page's resolution; None before there are any."""
        if self.trends is None:
            return None
        return self.trends.between(start_s, stop_s).at_resolution(MOST_COLUMNS)

    def _follow(self) -> None:
        last = -TELLING_S
        try:
            for trends, done_s in follow_trends(self.recording):
                self.trends, self.done_s = trends, done_s
                if time.monotonic() - last >= TELLING_S or done_s >= self.recording.seconds:
                    self._say(trends.at_resolution(MOST_COLUMNS))
                    last = time.monotonic()
        except (TrainError, StoreError) as error:
            self.problem = str(error)
            self._say(Trends.empty(self.recording.seconds).at_resolution(MOST_COLUMNS))

    def _say(self, narrow: Trends) -> None:
        with self._lock:
            self._narrow, told = narrow, list(self._told)
        for then in told:
            then(narrow)
