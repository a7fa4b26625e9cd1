"""A recording's timeline -> a page: its picture, episodes and notes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hmsstore import Spec
from hmsstore.view.page import Page
from hmsstore.view.spectrogram import UNIT
from hmstrain.errors import RESEARCH_ONLY
from hmstrain.prediction.beside import time_of_day
from hmstrain.prediction.episodes import TIME_ROUNDING_S, Episode, EpisodeRule, heading
from hmstrain.prediction.leaving import caveat_words, doubts_of
from hmstrain.prediction.picture import draw_timeline
from hmstrain.prediction.timeline import Timeline
from hmstrain.words import clock

MOST_EPISODES, MOST_NOTES = 100, 200
LINES = {"spectrogram": "lower", "eeg": "upper"}
"""Above windows that lack part of a signal."""


def make_page(
    timeline: Timeline,
    rule: EpisodeRule,
    about: dict[str, str],
    episodes: Sequence[Episode] | None = None,
    limits: Sequence[str] = (),
    beyond: Collection[str] = ("eeg", "spectrogram"),
    warnings: Sequence[str] = (),
) -> Page:
    """Put a recording on a page: picture, share of windows of each class, episodes.

    Parameters
    ----------
    timeline : Timeline
    rule : EpisodeRule
        What makes an episode.
    about : dict of str
        What else to tell of where the probabilities come from.
    episodes : sequence of Episode, optional
        By default those of the timeline.
    limits : sequence of str
        What must be said of the runs; where there is something, the page shows no episodes.
    beyond : collection of str
        Signals of which a run looks at more than the judged seconds.
    warnings : sequence of str
        What the import said of the recording.
    """
    spec = timeline.spec
    page = Page(f"{timeline.file}: answers of a model")
    for one in (*limits, RESEARCH_ONLY, *warnings):
        page.warning(one)
    page.section("At a glance")
    page.figure(
        draw_timeline(timeline),
        f"Probabilities of the {len(spec.classes)} classes, stacked; each is of the "
        f"{spec.judged_s:g} seconds around its time. "
        "Under the lower of the two lines above, the recording does not hold all of the ten "
        "minutes of a window's spectrogram, under the upper one not all of its "
        f"{spec.eeg.window_s:g} seconds of EEG. "
        f"{_less_sure(spec, beyond)} {_not_drawn(timeline)}{_below(timeline)}",
    )
    if not limits:
        episodes = timeline.episodes(rule) if episodes is None else episodes
        _add_episodes(page, timeline, rule, episodes)
    of_day = ("time of day",) if timeline.start is not None else ()
    if timeline.notes:
        page.section("Notes in the recording")
        shown = timeline.notes[:MOST_NOTES]
        page.table(
            f"{len(shown):,} of {len(timeline.notes):,}; times in h:mm:ss",
            ("at", *of_day, "note"),
            [
                (clock(one.onset_s), *(time_of_day(one.onset_s, timeline.start) for _ in of_day),
                 one.text)
                for one in shown
            ],
        )  # fmt: skip
    page.section("Where this comes from")
    page.table("", ("", ""), list(about.items()))
    return page


def _less_sure(spec: Spec, beyond: Collection[str]) -> str:
    """Say where windows that lack something make a model less sure: where it looks at that."""
    if not beyond:
        return (
            f"The model looks at the {spec.judged_s:g} judged seconds alone, so neither line makes "
            "it less sure."
        )
    lines = [line for name, line in LINES.items() if name in beyond]
    sure = f"The model is less sure under the {' or the '.join(lines)} line than it says"
    others = [line for name, line in LINES.items() if name not in beyond]
    return f"{sure}; the {others[0]} one does not concern it." if others else f"{sure}."


def _not_drawn(timeline: Timeline) -> str:
    """Say why nothing is drawn: at the ends, where there is no window, and in between."""
    judged = f"more than a fifth of those {timeline.spec.judged_s:g} seconds was not recorded."
    spans = timeline.spans_s
    first_s, last_s = (spans[0, 0], timeline.seconds - spans[-1, 1]) if len(spans) else (0.0, 0.0)
    ends = [
        f"the {name} {round(float(seconds), 1):,g} s"
        for name, seconds in (("first", first_s), ("last", last_s))
        if seconds > TIME_ROUNDING_S
    ]
    if not ends:
        return f"Where nothing is drawn, {judged}"
    return f"No window covers {' or '.join(ends)}. Where nothing is drawn in between, {judged}"


def _add_episodes(
    page: Page, timeline: Timeline, rule: EpisodeRule, episodes: Sequence[Episode]
) -> None:
    """Add the classes and the surest episodes."""
    _add_classes(page, timeline, rule, episodes)
    page.section("Episodes")
    if not episodes:
        page.text(f"There is no stretch of {rule.words}.")
        return
    page.note(f"Stretches of {rule.words}; the surest first. No reader has seen them.")
    if words := "; ".join(caveat_words(timeline.caveats)):
        page.warning(f"Every episode rests on channels that were not recorded as shown: {words}.")
    sure = sorted(episodes, key=lambda one: -one.mean)[:MOST_EPISODES]
    of_day = ("time of day",) if timeline.start is not None else ()
    page.table(
        f"{len(sure):,} of {len(episodes):,}; times in h:mm:ss",
        ("from", "to", *of_day, "length", "model's answer", "mean probability", "largest",
         "not recorded as shown"),
        [
            (clock(one.start_s), clock(one.stop_s),
             *(time_of_day(one.start_s, timeline.start) for _ in of_day),
             clock(one.seconds), heading(one.pattern),
             f"{one.mean:.2f}", f"{one.largest:.2f}", "; ".join(doubts_of(one)) or "-")
            for one in sure
        ],
    )  # fmt: skip


def _below(timeline: Timeline) -> str:
    """What stands below the probabilities, for their caption."""
    said = []
    if timeline.notes:
        said.append("notes of the recorder's file, as far as room and fonts allow")
    if timeline.powers is not None:
        said.append(
            f"power of the chains of the left and the right, {UNIT}, on a fixed scale, grey where "
            "nothing was recorded"
        )
    return f" Below stand {' and '.join(said)}." if said else ""


def _add_classes(
    page: Page, timeline: Timeline, rule: EpisodeRule, episodes: Sequence[Episode]
) -> None:
    """Add the table of classes: share of windows, number of episodes, the longest."""
    spec = timeline.spec
    rows = []
    for one, share in zip(spec.classes, timeline.share_over_threshold(rule).values(), strict=True):
        lengths = [found.seconds for found in episodes if found.pattern == one]
        count = "" if one.key == spec.background else str(len(lengths))
        longest = clock(max(lengths)) if lengths else ""
        rows.append((heading(one), f"{share:.1%}", count, longest))
    page.table(
        "By class",
        ("", "share of windows over the threshold", "episodes", "longest, h:mm:ss"),
        rows,
    )
    smoothed = f" averaged over {rule.smoothing_s:g} s" if rule.smoothing_s else ""
    page.note(
        f"A window is over the threshold where the probability{smoothed} is {rule.threshold:.2f} "
        "or more. This is the model's own figure, not the burden or prevalence of ACNS 2021, which "
        "are of events that a reader accepted."
    )
