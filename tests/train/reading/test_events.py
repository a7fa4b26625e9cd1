"""Events as a reader leaves them: kept at once, summed up by hour, exported."""

from __future__ import annotations

import csv
import io
from datetime import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsstore import HMS
from hmsstore.errors import LabelsError
from hmsstore.labels import LabelFile, Mark, label_files
from hmstrain.prediction.episodes import Episode
from hmstrain.prediction.seizures.events import read_events
from hmstrain.reading.events.acns import BACKGROUND_TERMS, duration_word, prevalence_word
from hmstrain.reading.events.background import Background, BackgroundFile
from hmstrain.reading.events.event import Event
from hmstrain.reading.events.event_file import EventFile, of_marks
from hmstrain.reading.events.export import write_annotations, write_seizures, write_table
from hmstrain.reading.events.summary import (
    gaps_where,
    largest_burden,
    report_text,
    summarise,
)

SHA = "ab" * 32


def episode(start_s: float, stop_s: float, key: str = "seizure", mean: float = 0.8) -> Episode:
    code = HMS.class_keys.index(key)
    return Episode(start_s, stop_s, code, HMS.classes[code], mean, mean)


def opened(folder: Path, reader: str = "AB", sha256: str = SHA) -> EventFile:
    return EventFile.open(folder, "night.edf", sha256, reader)


@pytest.fixture
def events(tmp_path: Path) -> EventFile:
    found = opened(tmp_path / "labels")
    assert found.propose([episode(10, 40), episode(100, 160, "lpd"), episode(200, 230)]) == 3
    return found


def test_what_is_decided_is_in_the_file_at_once(events: EventFile) -> None:
    events.accept(0, certainty="probable")
    events.edit(1, start_s=95.5, label="gpd", text="left, later both; 1 Hz")
    events.reject(2)
    events.add(Event(300, 900, "seizure", certainty="definite"))
    first, second, third, own = opened(events.path.parent).events
    assert (first.state, first.certainty, first.edited) == ("accepted", "probable", False)
    assert (second.state, second.start_s, second.label) == ("accepted", 95.5, "gpd")
    assert second.edited
    assert second.proposed == (100, 160, "lpd")
    assert third.state == "rejected"
    assert own.source == "reader"
    assert own.decided_at
    assert [one.start_s for one in events.accepted] == [10, 95.5, 300]


def test_a_decision_can_be_undone(events: EventFile) -> None:
    before = events.events
    events.edit(1, start_s=95.5, label="gpd", text="x", certainty="possible")
    events.reject(0)
    events.undo(1)
    events.undo(0)
    assert events.events == opened(events.path.parent).events == before
    events.add(Event(300, 900, "seizure"))
    events.remove(3)
    assert events.events == before


def test_new_episodes_replace_what_nobody_decided_on(events: EventFile) -> None:
    events.accept(0)
    events.reject(1)
    again = [episode(12, 44), episode(100, 150, "lpd"), episode(205, 230), episode(100, 150)]
    assert events.propose([*again, episode(0, 50, "other")]) == 2
    found = [(one.start_s, one.label, one.state) for one in opened(events.path.parent).events]
    assert found == [
        (10, "seizure", "accepted"),
        (100, "lpd", "rejected"),
        (205, "seizure", "proposed"),
        (100, "seizure", "proposed"),
    ]


def test_episodes_that_are_proposed_again_leave_the_file_alone(events: EventFile) -> None:
    events.accept(0)
    before = events.path.stat().st_ino
    assert events.propose([episode(100, 160, "lpd"), episode(200, 230)]) == 2
    assert events.path.stat().st_ino == before
    events.path.unlink()
    events.propose([episode(100, 160, "lpd"), episode(200, 230)])
    assert opened(events.path.parent).events == events.events


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda e: e.add(Event(5, 4, "lpd")), "a stop behind it, got 5.00 s to 4.00 s"),
        (lambda e: e.add(Event(5, 6, "other")), "a class of seizure, .*, grda, got 'other'"),
        (lambda e: e.add(Event(5, 6, "lpd", "model")), "a model's come by `propose`"),
        (lambda e: e.add(Event(5, 6, "lpd", state="proposed")), "only a model's events"),
        (lambda e: e.edit(0, label="spike"), "got 'spike'"),
        (lambda e: e.edit(0, stop_s=1), "a stop behind it"),
        (lambda e: e.accept(0, certainty="sure"), "definite, probable, possible or nothing, got"),
        (lambda e: e.accept(9), "has no event 9: it holds 3"),
        (lambda e: e.remove(0), "one of your own events to remove: reject the model's"),
    ],
)
def test_decisions_that_make_no_sense_change_nothing(
    events: EventFile, change: object, problem: str
) -> None:
    before = events.path.read_bytes()
    with pytest.raises(LabelsError, match=problem):
        change(events)  # type: ignore[operator]
    assert events.path.read_bytes() == before


def test_a_list_of_another_recording_or_cut_short_is_refused(events: EventFile) -> None:
    with pytest.raises(LabelsError, match="is of another recording"):
        opened(events.path.parent, sha256="cd" * 32)
    content = events.path.read_bytes()
    events.path.write_bytes(content[:-20])
    with pytest.raises(LabelsError, match="it was cut short"):
        opened(events.path.parent)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows(
        [[c.replace(".", ",") if c.replace(".", "").isdecimal() else c for c in r] for r in rows]
    )
    events.path.write_bytes(out.getvalue().encode("utf-8-sig"))
    assert opened(events.path.parent).events == events.events


def test_label_files_and_other_files_of_a_reader_lie_side_by_side(tmp_path: Path) -> None:
    labels = LabelFile.open(tmp_path, "night.edf", SHA, "AB")
    labels.add(Mark(10, 20, "seizure", text="clonic"))
    labels.add(Mark(20, 30, "other"))
    labels.add(Mark(30, 40, "unsure"))
    labels.add(Mark(30, 40, "lpd", eeg_id=7))
    opened(tmp_path).add(Event(1, 2, "lpd"))
    BackgroundFile.open(tmp_path, "night.edf", SHA, "AB").describe(Background(0, 60))
    assert label_files(tmp_path) == (labels.path,)
    (own,) = of_marks(labels.marks)
    assert (own.start_s, own.label, own.text, own.seen_model) == (10, "seizure", "clonic", False)


@pytest.mark.parametrize(
    ("share", "word"),
    [(0, "none"), (0.0099, "rare"), (0.01, "occasional"), (0.099, "occasional"),
     (0.1, "frequent"), (0.499, "frequent"), (0.5, "abundant"), (0.899, "abundant"),
     (0.9, "continuous"), (1, "continuous")],
)  # fmt: skip
def test_prevalence_has_the_words_of_the_acns(share: float, word: str) -> None:
    assert prevalence_word(share) == word


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(9.9, "very brief"), (10, "brief"), (59, "brief"), (60, "intermediate duration"),
     (599, "intermediate duration"), (600, "long"), (3599, "long"), (3600, "very long")],
)  # fmt: skip
def test_durations_have_the_words_of_the_acns(seconds: float, word: str) -> None:
    assert duration_word(seconds) == word


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1793, "frequent (49%): 1 event begins, longest 0:29:53 (long), in all 0:29:53"),
        (3238, "abundant (89%): 1 event begins, longest 0:53:58 (long), in all 0:53:58"),
        (599.8, "frequent (16%): 1 event begins, longest 0:09:59 (intermediate duration), in all"),
        (35.8, "rare (0.9%): 1 event begins, longest 0:00:35 (brief), in all 0:00:35"),
        (9.96, "rare (0.2%): 1 event begins, longest 0:00:09 (very brief), in all 0:00:09"),
        (3.59, "rare (less than 0.1%): 1 event begins, longest 0:00:03 (very brief), in all"),
        (1800, "abundant (50%): 1 event begins, longest 0:30:00 (long), in all 0:30:00"),
    ],
)
def test_figures_are_never_rounded_up_to_those_of_another_word(seconds: float, said: str) -> None:
    (figures,) = summarise([Event(0, seconds, "lpd")], 3600, gaps=[]).whole.classes
    assert said in figures.words


def test_sums_of_floats_miss_no_limit() -> None:
    assert 70.32 - 60.32 < 10
    (figures,) = summarise([Event(60.32, 70.32, "lpd")], 3600).whole.classes
    assert "longest 0:00:10 (brief), in all 0:00:10" in figures.words
    assert (prevalence_word(0.3 * 3 - 1e-12), prevalence_word(0.7 - 0.2)) == (
        "continuous", "abundant",
    )  # fmt: skip
    assert summarise([Event(1000.1, 1600.1, "seizure")], 7200).status
    halves = [Event(0, 359.9, "seizure"), Event(400, 759.9, "seizure")]
    text = report_text(summarise(halves, 7200, gaps=[(7180, 7200)]), "a", "AB")
    assert "Largest seizure burden of any 60 minutes: 19% " in text
    assert "status" not in text
    assert "EEG recorded 99%" in text


SPANS = st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 4000)), max_size=6)


@settings(deadline=None)
@given(SPANS, SPANS, st.integers(600, 10_000))
def test_figures_of_hours_equal_those_counted_second_by_second(
    drawn: list[tuple[int, int]], gaps: list[tuple[int, int]], seconds: int
) -> None:
    events = [Event(a, a + n, "seizure") for a, n in drawn]
    events += [Event(a, a + n, "lpd") for a, n in drawn[::2]]
    events += [Event(5, 600, "gpd", "model", state) for state in ("proposed", "rejected")]
    found = summarise(events, seconds, gaps=[(a, a + n) for a, n in gaps])
    recorded = np.ones(seconds, bool)
    for a, n in gaps:
        recorded[a : a + n] = False
    taken = np.zeros(seconds, bool)
    for a, n in drawn:
        taken[a : a + n] = True
    for part in (*found.hours, found.whole):
        here = slice(round(part.start_s), round(part.stop_s))
        assert part.recorded_s == recorded[here].sum()
        figures = {one.label: one for one in part.classes}
        assert set(figures) <= {"seizure", "lpd"}
        if "seizure" in figures:
            expected = (taken & recorded)[here].sum()
            assert figures["seizure"].seconds == expected
            share = expected / recorded[here].sum() if recorded[here].any() else 0
            assert figures["seizure"].share == pytest.approx(share)
            starts = np.flatnonzero(np.diff(np.append(False, taken).astype(int)) == 1)
            begin = (starts >= here.start) & (starts < here.stop)
            assert figures["seizure"].count == begin.sum()
        else:
            assert not taken[here].any()
    seen = taken & recorded
    longest = max([len(run) for run in _runs(seen)], default=0)
    padded = np.append(seen, np.zeros(max(0, 3600 - seconds), bool)).astype(int)
    sums = np.cumsum(np.append(0, padded))
    burden = (sums[3600:] - sums[:-3600]).max() / 3600
    assert found.burden == pytest.approx(burden)
    assert found.status == (longest >= 600 or burden >= 0.2)
    assert (found.undecided, found.rejected) == (1, 1)


def test_what_was_not_recorded_makes_no_status_of_two_seizures() -> None:
    found = summarise([Event(480, 1260, "seizure")], 7200, gaps=[(600, 1140)])
    (figures,) = found.whole.classes
    assert (figures.count, figures.seconds, figures.longest_s) == (1, 240, 120)
    assert (found.burden, found.status) == (240 / 3600, False)
    assert summarise([Event(480, 1260, "seizure")], 7200).status


def _runs(taken: np.ndarray) -> list[range]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], taken.astype(int), [0]])))
    return [range(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def test_the_burden_of_any_60_minutes_does_not_stop_at_hours() -> None:
    assert largest_burden([(3000, 3400), (3700, 4100)], 7200) == (800 / 3600, 500)
    assert largest_burden([], 7200) == (0, 0)


def test_gaps_are_where_nothing_was_recorded() -> None:
    time_s = np.arange(1, 21, 2.0)
    missing = np.zeros(10)
    missing[[0, 1, 6]] = 1
    missing[3] = 0.9
    assert gaps_where(time_s, missing, 2) == [(0, 4), (12, 14)]
    missing[9] = np.nan
    assert gaps_where(time_s, missing, 2) is None


def test_a_report_says_what_was_accepted_in_words(tmp_path: Path) -> None:
    events = [
        Event(600, 690, "seizure"),
        Event(3500, 4500, "lpd"),
        Event(4000, 6000, "lpd"),
        Event(100, 900, "gpd", "model", "proposed"),
    ]
    time_s = np.arange(0, 7200, 60.0)
    quality = np.where(time_s < 3600, 0.1, np.nan)
    found = summarise(events, 7200, gaps=[(0, 360)], quality_time_s=time_s, quality=quality)
    background = [
        Background(0, 3600, {"voltage": "low", "posterior_rhythm": "present, 8.5 Hz", "text": "a"})
    ]
    text = report_text(found, "night.edf", "AB", background=background)
    assert text == (
        "night.edf, 2:00:00 h:mm:ss, EEG recorded 95%. Reader: AB.\n"
        "Events that the reader accepted; terms of ACNS 2021.\n"
        "\n"
        "Whole recording\n"
        "  Seizure occasional (1.3%): 1 event begins, longest 0:01:30 (intermediate duration), "
        "in all 0:01:30.\n"
        "  LPD frequent (36%): 1 event begins, longest 0:41:40 (long), in all 0:41:40.\n"
        "  Artefact on 10% of channels, on average.\n"
        "  Largest seizure burden of any 60 minutes: 2.5% (from 0:00:00).\n"
        "  1 episode of the model not reviewed: not counted.\n"
        "\n"
        "0:00:00 to 1:00:00, EEG recorded 90%\n"
        "  Seizure occasional (2.7%): 1 event begins, longest 0:01:30 (intermediate duration), "
        "in all 0:01:30.\n"
        "  LPD occasional (3.0%): 1 event begins, longest 0:41:40 (long), in all 0:01:40.\n"
        "  Artefact on 10% of channels, on average.\n"
        "\n"
        "1:00:00 to 2:00:00, EEG recorded 100%\n"
        "  LPD abundant (66%): 0 events begin, longest 0:41:40 (long), in all 0:40:00.\n"
        "\n"
        "Background\n"
        "  0:00:00 to 1:00:00: voltage low; posterior rhythm present, 8.5 Hz; a.\n"
    )
    by_day = report_text(found, "night.edf", "AB", start=time(23, 30))
    assert "23:30:00 to 00:30:00 (+1 d), EEG recorded 90%" in by_day
    nothing = report_text(summarise([], 1200, gaps=[(0, 1200)]), "a", "AB")
    assert "Not recorded." in nothing
    status = report_text(summarise([Event(0, 600, "seizure")], 1200), "a", "AB")
    assert "EEG recorded" not in status  # nothing tells
    assert "Gaps are not known unless all trends are computed: they count as recorded." in status
    assert "electrographic status epilepticus by ACNS 2021, if" in status


def test_accepted_events_alone_are_exported(events: EventFile, tmp_path: Path) -> None:
    edfio = pytest.importorskip("edfio")
    events.edit(0, stop_s=45, certainty="probable")
    events.reject(1)
    events.add(Event(44, 60, "seizure", text="face jerks"))
    events.add(Event(70, 80, "lpd"))
    write_annotations(tmp_path / "a.edf", events.events, "AB")
    found = edfio.read_edf(tmp_path / "a.edf").annotations
    assert [(one.onset, one.duration, one.text) for one in found] == [
        (0, None, "Events accepted by the reader AB (hms-eeg)."),
        (10, 35, "AB: Seizure, probable; accepted from a model, edited"),
        (44, 16, "AB: Seizure; face jerks"),
        (70, 10, "AB: LPD"),
    ]
    write_seizures(tmp_path / "night_events.tsv", events.events, 600, "AB")
    back = read_events(tmp_path / "night_events.tsv")
    assert (back.seizures, back.seconds) == (((10, 60),), 600)
    write_seizures(tmp_path / "none_events.tsv", events.events[1:3], 600, "AB")
    assert read_events(tmp_path / "none_events.tsv").seizures == ()
    write_table(tmp_path / "a.csv", events.events)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["from (h:mm:ss)"], row["class"], row["state"]) for row in rows] == [
        ("0:00:10", "Seizure", "accepted"),
        ("0:00:44", "Seizure", "accepted"),
        ("0:01:10", "LPD", "accepted"),
        ("0:01:40", "LPD", "rejected"),
        ("0:03:20", "Seizure", "proposed"),
    ]


def test_the_background_is_described_once_for_each_stretch(tmp_path: Path) -> None:
    found = BackgroundFile.open(tmp_path, "night.edf", SHA, "AB")
    found.describe(Background(0, 3600, {"voltage": "low", "text": " two\nlines "}))
    found.describe(Background(3600, 7200, {"continuity": "discontinuous"}))
    found.describe(Background(0, 3600, {"voltage": "normal, 30 uV"}))
    again = BackgroundFile.open(tmp_path, "night.edf", SHA, "AB")
    assert [dict(one.fields) for one in again.descriptions] == [
        {"continuity": "discontinuous"},
        {"voltage": "normal, 30 uV"},
    ]
    again.remove(0)
    assert found.refresh()
    assert found.descriptions == again.descriptions
    with pytest.raises(LabelsError, match=r"expected fields of symmetry, .* got 'mood'"):
        Background(0, 1, {"mood": "x"})
    with pytest.raises(LabelsError, match="a stop behind it"):
        Background(1, 1)
    assert all(terms for terms in BACKGROUND_TERMS.values())
