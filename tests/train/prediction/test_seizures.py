"""SzCORE events and scores: equal to timescoring's, and to what one counts by hand."""

from __future__ import annotations

import csv
import json
import sys
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inside import Inside

import hmstrain
from hmsprep.importing.channels import Chosen
from hmsprep.importing.labels import find_labels
from hmsprep.importing.labels.words import Words
from hmsprep.importing.recording import Recording
from hmstrain.errors import RESEARCH_ONLY, ConfigError, DataError, RunError
from hmstrain.prediction.episodes import EpisodeRule
from hmstrain.prediction.seizures.answers import ChosenRule, read_answers
from hmstrain.prediction.seizures.events import events_names, read_events, union, write_events
from hmstrain.prediction.seizures.measures import Counts, Measures, measure
from hmstrain.prediction.tables import write_timeline
from hmstrain.prediction.timeline import Timeline
from hmstrain.runs.json_file import write_json

PROGRAM = Inside("hmstrain")
HOUR = 3600.0
Span = tuple[float, float]


def table(
    path: Path,
    events: list[Span],
    seconds: float | str = HOUR,
    kind: str = "sz",
    started: str = "n/a",
) -> Path:
    """A table of SzCORE events as a reader's program writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [(start, stop - start, kind) for start, stop in events] or [(0, seconds, "bckg")]
    lines = [
        f"{onset}\t{duration}\t{word}\tn/a\tn/a\t{started}\t{seconds}"
        for onset, duration, word in rows
    ]
    header = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def predicted(
    folder: Path, seizure: Any, seconds: float, name: str = "night", **rule: float
) -> Path:
    """A timeline of windows every ten seconds, with what stands beside it, as `predict` writes."""
    values = np.asarray(seizure, float)
    prediction = np.zeros((len(values), 6))
    prediction[:, 0], prediction[:, 5] = values, 1 - values
    whole = np.zeros(len(values))
    centre = 25 + 10.0 * np.arange(len(values))
    found = Timeline(f"{name}.edf", seconds, centre, prediction, whole, whole)
    folder.mkdir(parents=True, exist_ok=True)
    write_timeline(folder / f"{name}.csv", found)
    used = EpisodeRule(**rule)
    write_json(
        folder / f"{name}.json",
        {"seconds": seconds, "windows": found.counts(), "episode_rule": used.to_json()},
    )
    write_events(folder / events_names([name])[0], found.episodes(used), seconds, used)
    return folder / f"{name}.csv"


# By hand


def test_one_seizure_found_late_by_hand() -> None:
    """100 to 160 s; the model says 120 to 180 s."""
    found = measure([(100, 160)], [(120, 180)], HOUR)
    assert (found.events.reference, found.events.found, found.events.false) == (1, 1, 0)
    assert found.events.sensitivity == found.events.precision == found.events.f1 == 1
    assert (found.samples.reference, found.samples.found, found.samples.false) == (60, 40, 20)
    assert found.samples.sensitivity == found.samples.precision == pytest.approx(2 / 3)
    assert found.samples.f1 == pytest.approx(2 * 40 / (2 * 40 + 20 + 20))
    assert found.samples.false_per_day == pytest.approx(20 * 24)
    assert [one.latency_s for one in found.seizures] == [20]


def test_one_found_early_one_missed_and_a_false_alarm_by_hand() -> None:
    """Within the 30 s before an onset an event finds it; one 61 s after the end does not."""
    reference = [(1000.0, 1060.0), (2000.0, 2030.0)]
    found = measure(reference, [(975, 985), (2091, 2101)], HOUR)
    assert (found.events.reference, found.events.found, found.events.false) == (2, 1, 1)
    assert found.events.sensitivity == found.events.precision == found.events.f1 == 0.5
    assert found.events.false_per_day == 24
    assert (found.samples.found, found.samples.false) == (0, 20)
    assert [one.latency_s for one in found.seizures] == [-25, None]


def test_close_ones_are_one_and_long_ones_are_cut_by_hand() -> None:
    """Gaps under 90 s close: one of 130 s. 700 s are three of at most 300 s, of which two found."""
    reference = [(100.0, 130.0), (200.0, 230.0), (1000.0, 1700.0)]
    found = measure(reference, [(90, 240), (1000, 1150), (1661, 1700)], HOUR)
    assert (found.events.reference, found.events.found, found.events.false) == (4, 3, 0)
    assert found.events.sensitivity == 0.75
    assert found.events.f1 == pytest.approx(6 / 7)
    assert [(one.start_s, one.stop_s) for one in found.seizures] == [(100, 230), (1000, 1700)]
    assert [one.latency_s for one in found.seizures] == [-10, 0]


def test_an_event_that_began_long_before_counts_as_the_tolerance_before() -> None:
    (one,) = measure([(1000, 1060)], [(100, 1010)], HOUR).seizures
    assert one.latency_s == -30


# Against timescoring

EVENTS = st.lists(
    st.tuples(st.integers(0, 35_000), st.integers(1, 6_000)).map(
        lambda one: (one[0] / 10, min((one[0] + one[1]) / 10, HOUR))
    ),
    max_size=8,
).map(union)


def equal(counts: Counts, theirs: Any) -> None:
    assert (counts.reference, counts.found, counts.false) == (theirs.refTrue, theirs.tp, theirs.fp)
    ours = counts.sensitivity, counts.precision, counts.f1, counts.false_per_day
    expected = theirs.sensitivity, theirs.precision, theirs.f1, theirs.fpRate
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(reference=EVENTS, answers=EVENTS)
def test_scores_are_those_of_timescoring(
    reference: tuple[Span, ...], answers: tuple[Span, ...]
) -> None:
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring, SampleScoring

    found = measure(reference, answers, HOUR)
    theirs, ours = (Annotation(list(one), 10, 36_000) for one in (reference, answers))
    equal(found.events, EventScoring(theirs, ours))
    equal(found.samples, SampleScoring(theirs, ours))
    late = [one.latency_s for one in found.seizures if one.latency_s is not None]
    assert all(one >= -30 for one in late)
    assert bool(late) == bool(found.events.found)


def test_files_and_trees_have_the_scores_of_timescoring(tmp_path: Path) -> None:
    """Each file's, and of a tree the ratios of the sums, and the mean over subjects."""
    from timescoring.annotations import Annotation
    from timescoring.scoring import EventScoring

    rng = np.random.default_rng(3)
    theirs = []
    for subject in ("01", "02"):
        for run in ("00", "01"):
            name = f"sub-{subject}_ses-01_task-szMonitoring_run-{run}"
            starts = [np.sort(rng.uniform(0, 3400, 6)) for _ in range(2)]
            reference, answers = (union([(s, s + 40) for s in some]) for some in starts)
            folder = f"sub-{subject}/ses-01/eeg"
            table(tmp_path / "reader" / folder / f"{name}_events.tsv", list(reference))
            table(tmp_path / "model" / f"{name}_events.tsv", list(answers))
            parts = [
                Annotation(list(read_events(path).seizures), 10, 36_000)
                for path in (
                    tmp_path / "reader" / folder / f"{name}_events.tsv",
                    tmp_path / "model" / f"{name}_events.tsv",
                )
            ]
            theirs.append(EventScoring(*parts))
    found = hmstrain.score(tmp_path / "model", tmp_path / "reader")
    assert len(found.recordings) == 4
    for one, expected in zip(found.recordings, theirs, strict=True):
        equal(one.measures.events, expected)
    hits, events, alarms = (sum(getattr(t, key) for t in theirs) for key in ("tp", "refTrue", "fp"))
    assert found.events.sensitivity == hits / events
    assert found.events.precision == hits / (hits + alarms)
    assert found.events.false_per_day == alarms * 6
    by_subject = found.by_subject["events"]["sensitivity"]
    of_each = [
        sum(t.tp for t in pair) / sum(t.refTrue for t in pair) for pair in (theirs[:2], theirs[2:])
    ]
    assert by_subject["mean"] == pytest.approx(np.mean(of_each), abs=1e-6)
    assert by_subject["std"] == pytest.approx(np.std(of_each), abs=1e-6)
    assert by_subject["subjects"] == 2


# Nothing, overlaps, the recording's length


def test_ratios_without_events_are_not_defined() -> None:
    none: list[Span] = []
    silent = measure(none, none, HOUR).events
    assert all(isnan(v) for v in (silent.sensitivity, silent.precision, silent.f1))
    assert silent.false_per_day == 0
    missed = measure([(10, 20)], none, HOUR).events
    assert (missed.sensitivity, missed.f1) == (0, 0)
    assert isnan(missed.precision)
    alarm = measure(none, [(10, 20)], HOUR)
    assert isnan(alarm.events.sensitivity)
    assert (alarm.events.precision, alarm.events.f1) == (0, 0)
    assert alarm.events.to_json()["sensitivity"] is None
    assert alarm.seizures == ()


def test_events_that_overlap_or_lie_within_each_other_count_once(tmp_path: Path) -> None:
    nested = table(tmp_path / "a_events.tsv", [(500, 520), (100, 200), (150, 160), (190, 230)])
    assert read_events(nested).seizures == ((100, 230), (500, 520))
    plain = table(tmp_path / "b_events.tsv", [(100, 230), (500, 520)])
    ours = table(tmp_path / "model_events.tsv", [(215, 240)])
    one, other = (hmstrain.score(ours, path) for path in (nested, plain))
    assert one.samples == other.samples == Counts(150, 15, 10, HOUR)
    assert one.events == other.events


def test_the_recordings_length_comes_from_the_reader_else_from_the_model(tmp_path: Path) -> None:
    ours = predicted(tmp_path / "out", [0] * 20, 240.0)
    known = hmstrain.score(ours, table(tmp_path / "a.tsv", [(100, 120)], 240.6))
    assert known.seconds == 240.6
    unknown = table(tmp_path / "b.tsv", [(100, 120)], "n/a")
    assert hmstrain.score(ours, unknown).seconds == 240.0
    ours.with_suffix(".json").unlink()
    with pytest.raises(DataError, match=r"b\.tsv: expected the recording's length.*recordingDura"):
        hmstrain.score(ours, unknown)


def test_recordings_of_other_lengths_or_starts_are_refused(tmp_path: Path) -> None:
    ours = table(tmp_path / "a_events.tsv", [(10, 20)], 3000, started="2024-05-01 10:00:00")
    longer = table(tmp_path / "b_events.tsv", [(10, 20)], 3010)
    with pytest.raises(DataError, match=r"a recording of 3,000\.0 s, .*one of 3,010\.0 s"):
        hmstrain.score(ours, longer)
    assert hmstrain.score(ours, longer, tolerance_s=10).seconds == 3010
    with pytest.raises(ConfigError, match="--tolerance: expected 0 seconds or more, got -1"):
        hmstrain.score(ours, longer, tolerance_s=-1)
    later = table(tmp_path / "c_events.tsv", [(10, 20)], 3000, started="2024-05-01 11:00:00")
    with pytest.raises(DataError, match=r"began at 2024-05-01 10:.*expected times from one"):
        hmstrain.score(ours, later)


def test_starts_may_be_spelled_in_several_ways(tmp_path: Path) -> None:
    ours = table(tmp_path / "a_events.tsv", [(10, 20), (50, 60)], 3000, started="2024-03-31T01:00")
    same = table(tmp_path / "b_events.tsv", [(10, 20)], 3000, started="2024-03-31 01:00:00")
    assert hmstrain.score(ours, same).seconds == 3000
    ours.write_text(ours.read_text().replace("T01:00", " 01:00:00.000", 1))  # in the first row
    assert hmstrain.score(ours, same).seconds == 3000
    ours.write_text(ours.read_text().replace("T01:00", " 01:00:01", 1))
    with pytest.raises(DataError, match=r"expected one dateTime, .*01:00:00\.000 and .* 01:00:01"):
        hmstrain.score(ours, same)
    for odd in ("31.03.2024", "2024-03-31T01:00:00Z"):  # no such spelling, or of a zone
        odd_one = table(tmp_path / "c_events.tsv", [(10, 20)], 3000, started=odd)
        with pytest.raises(DataError, match="expected times from one start"):
            hmstrain.score(same, odd_one)


def test_times_of_another_base_are_refused_and_ends_are_cut(tmp_path: Path) -> None:
    ours = table(tmp_path / "a_events.tsv", [(10, 20)], 3000)
    of_the_day = table(tmp_path / "b_events.tsv", [(36_010, 36_050)], 3000)
    with pytest.raises(DataError, match=r"1 event of 1 begins after the end .*3,000\.0 s long"):
        hmstrain.score(ours, of_the_day)
    over = table(tmp_path / "c_events.tsv", [(2950, 3020)], 3000)
    found = hmstrain.score(ours, over)
    assert found.samples.reference == 50
    assert found.notes == (f"{over}: the last event was cut by 20.0 s at the recording's end.",)
    assert hmstrain.score(ours, table(tmp_path / "d.tsv", [(2950, 3000.9)], 3000)).notes == ()


# Timelines


def test_a_timeline_has_the_very_events_that_predict_wrote(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random(30), 6)
    values[40:44] = nan
    ours = predicted(tmp_path / "out", values, 1840.0, threshold=0.7, smoothing_s=50)
    reference = table(tmp_path / "reader.tsv", [(100, 160), (600, 700)], 1840)
    of_timeline = hmstrain.score(ours, reference)
    of_events = hmstrain.score(tmp_path / "out" / "night_events.tsv", reference)
    assert of_timeline.events == of_events.events
    assert of_timeline.samples == of_events.samples
    assert of_timeline.samples.found + of_timeline.samples.false > 0
    (one,) = of_timeline.recordings
    assert one.rule == {"threshold": 0.7, "shortest_s": 20, "smoothing_s": 50}
    assert one.unknown_s == 40 + 20 + 20  # ends, where there is no window


def test_seconds_that_no_window_covers_are_without_a_probability(tmp_path: Path) -> None:
    """One window of a recording of 55 s: of 20 to 30 s, or of none."""
    reference = table(tmp_path / "reader.tsv", [(5, 15)], 55)
    for value, seconds in ((0.9, 45), (nan, 55)):
        ours = predicted(tmp_path / "out", [value], 55)
        (one,) = hmstrain.score(ours, reference).recordings
        assert one.to_json()["seconds_without_probability"] == seconds
    longer = predicted(tmp_path / "out", [0.9], 55.8)  # the reader's length counts
    (one,) = hmstrain.score(longer, reference).recordings
    assert one.unknown_s == pytest.approx(45)
    (one,) = hmstrain.score(reference, reference).recordings
    assert one.unknown_s == 0


def test_options_make_other_events_of_a_timeline_and_are_refused_for_events(tmp_path: Path) -> None:
    ours = predicted(tmp_path / "out", [0, 0.4, 0.4, 0.4, 0, 0, 0.9, 0], 130.0)
    reference = table(tmp_path / "reader.tsv", [(30, 60)], 130)
    assert hmstrain.score(ours, reference).samples.found == 0
    found = hmstrain.score(ours, reference, threshold=0.4, smoothing_s=0)
    assert (found.samples.found, found.samples.false) == (30, 0)
    found = hmstrain.score(ours, reference, threshold=0.4, smoothing_s=0, shortest_s=10)
    assert (found.samples.found, found.samples.false) == (30, 10)
    with pytest.raises(ConfigError, match="--threshold, --shortest: expected a timeline"):
        hmstrain.score(
            tmp_path / "out" / "night_events.tsv", reference, threshold=0.4, shortest_s=5
        )
    with pytest.raises(ConfigError, match="--threshold: expected a probability"):
        hmstrain.score(ours, reference, threshold=40)


def test_written_events_are_szcores_and_say_what_they_are(tmp_path: Path) -> None:
    predicted(tmp_path, [0, 0.8, 0.8, 0, 0, 0, 0.9, 0.7, 0.6], 200.0, smoothing_s=0)
    with (tmp_path / "night_events.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert list(rows[0])[:7] == [
        "onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration",
    ]  # fmt: skip
    assert [(row["onset"], row["duration"], row["confidence"]) for row in rows] == [
        ("30.000", "20.000", "0.8000"), ("80.000", "30.000", "0.7333"),
    ]  # fmt: skip
    assert {row["eventType"] for row in rows} == {"sz"}
    assert {row["recordingDuration"] for row in rows} == {"200.000"}
    assert {row["dateTime"] for row in rows} == {"n/a"}
    assert rows[1]["description"] == "RESEARCH, model, p=0.73: seizure-like"
    about = json.loads((tmp_path / "night_events.json").read_text())
    assert set(about) == set(rows[0])
    assert "No reader" in about["eventType"]["Levels"]["sz"]


@pytest.mark.parametrize("seizure", [[0, 0.9, 0.9, 0], [0, 0, 0, 0]])
def test_a_models_own_answers_are_nobodys_reference(tmp_path: Path, seizure: list[float]) -> None:
    timeline = predicted(tmp_path, seizure, 80, threshold=0.5, shortest_s=0)
    answers = tmp_path / "night_events.tsv"
    with pytest.raises(
        DataError, match=r"events\.tsv holds a model's answers: expected a reader's"
    ):
        hmstrain.score(timeline, answers)
    labels, (note, *_) = find_labels(
        Recording(tmp_path / "night.edf", 80 * 200, Chosen({}), {}, (), "", lambda *_: np.empty(0)),
        Words(),
    )
    assert labels is None
    assert "holds a model's answers" in note
    reference = table(tmp_path / "reader.tsv", [(20, 40)], 80)
    assert hmstrain.score(answers, reference).events.reference == 1


def test_a_recording_without_events_has_one_row_of_background(tmp_path: Path) -> None:
    predicted(tmp_path, [0.1] * 9, 200.0)
    lines = (tmp_path / "night_events.tsv").read_text().splitlines()
    assert len(lines) == 2
    cells = lines[1].split("\t")
    assert cells[:7] == ["0.000", "200.000", "bckg", "n/a", "n/a", "n/a", "200.000"]
    assert cells[7].startswith("RESEARCH, model: nothing seizure-like (probability 0.50 or more")
    found = read_events(tmp_path / "night_events.tsv")
    assert (found.seizures, found.seconds) == ((), 200.0)


def test_names_of_events_are_those_of_bids() -> None:
    assert events_names(["night.1", "sub-01/sub-01_task-rest_eeg", "x/_eeg"]) == [
        "night.1_events.tsv", "sub-01/sub-01_task-rest_events.tsv", "x/_eeg_events.tsv",
    ]  # fmt: skip
    assert events_names(["a", "a_eeg"]) == ["a_events.tsv", "a_eeg_events.tsv"]


# Tables that are not what they should be


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected columns onset, duration, eventType, separated by tabs; found no onset"),
        ("onset,duration,eventType\n1,2,sz\n", "separated by tabs; found no onset"),
        ("onset\tduration\ttrial_type\n1\t2\tsz\n", "found no eventType in"),
        ("onset\tonset\tduration\teventType\n1\t1\t2\tsz\n", "expected one column onset, got 2"),
        ("onset\tduration\teventType\n1,5\t2\tsz\n", "2: expected onset in seconds, got '1,5'"),
        ("onset\tduration\teventType\n1\tn/a\tsz\n", "line 2: expected duration in seconds, got"),
        ("onset\tduration\teventType\n1\n", "line 2: expected the eventType"),
        ("onset\tduration\teventType\n-1\t2\tsz\n", "line 2: expected an onset of 0 s or later"),
        ("onset\tduration\teventType\n1\t0\tsz\n", "line 2: expected a duration above 0 s, got 0"),
        ("onset\tduration\teventType\n1\t2\tseizure\n", "2: expected the eventType sz, .*'sei"),
        ("onset\tduration\teventType\n1\t2\tsz_free\n", "2: expected the eventType sz, .*'sz_f"),
        ("onset\tduration\teventType\n1\tinf\tsz\n", "2: expected duration in seconds, got 'inf"),
        (
            "onset\tduration\teventType\trecordingDuration\n1\t2\tsz\t60\n3\t2\tsz\t90\n",
            "expected one recordingDuration, got 60 and 90 s",
        ),
        (
            "onset\tduration\teventType\trecordingDuration\n1\t2\tsz\t1h\n",
            "expected recordingDuration in seconds, got '1h'",
        ),
        (
            "onset\tduration\teventType\tdateTime\n1\t2\tsz\t2020-01-01\n3\t2\tsz\t2020-01-02\n",
            "expected one dateTime, the recording's start, got 2020-01-01 and 2020-01-02",
        ),
        (
            f"onset\tduration\teventType\n1\t2\t{'s' * 140_000}\n",
            "line 2: expected a row, got field",
        ),
    ],
    ids=range(16),
)  # fmt: skip
def test_a_table_of_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x_events.tsv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as found:
        read_events(path)
    assert str(path) in str(found.value)


def test_every_wrong_row_is_told_up_to_five(tmp_path: Path) -> None:
    path = tmp_path / "x_events.tsv"
    path.write_text("onset\tduration\teventType\n" + "x\t1\tsz\n" * 7)
    with pytest.raises(DataError, match=r"line 2: .*line 6: .*; and 2 more\.$"):
        read_events(path)


def test_kinds_of_seizures_count_and_other_words_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x_events.tsv"
    path.write_bytes(
        '\ufeffonset\tduration\teventType\tnote\r\n10\t5\tsz_foc_ia_m_tonic\t"a"\r\n\r\n'
        "30\t5\tsz_gen\té\r\n50\t5\tartifact\t\r\n60\t5\tbckg\t\r\n".encode()
    )
    found = read_events(path)
    assert found.seizures == ((10, 15), (30, 35))
    assert found.notes == (f"{path}: left out, being neither sz nor bckg: 'artifact' (1).",)
    path.write_bytes(b"onset\tduration\teventType\n1\t2\tsz\xff\n")
    with pytest.raises(DataError, match="expected a table in UTF-8"):
        read_events(path)


def test_what_is_no_timeline_is_refused(tmp_path: Path) -> None:
    reference = table(tmp_path / "reader_events.tsv", [(30, 60)], 130)
    other = tmp_path / "predictions.csv"
    other.write_text("row,label_id,eeg_id\n")
    with pytest.raises(DataError, match="expected a timeline that hmstrain predict wrote"):
        hmstrain.score(other, reference)
    other.write_text("start_s,stop_s,quiet,burst\n0,10,1,0\n")
    with pytest.raises(DataError, match="expected probabilities of the class seizure, found the"):
        hmstrain.score(other, reference)
    other.write_text("start_s,stop_s,seizure\n0,10\n")
    with pytest.raises(DataError, match="line 2: expected numbers in start_s, stop_s and seizure"):
        hmstrain.score(other, reference)
    ours = predicted(tmp_path / "out", [0] * 8, 130.0)
    kept = ours.read_text()
    ours.write_text("".join(kept.splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match=r"expected the 8 windows that night\.json tells of, got 7"):
        hmstrain.score(ours, reference)
    for text in ("{", "[]", '{"seconds": "long"}', '{"seconds": 1, "episode_rule": {"x": 1}}'):
        ours.with_suffix(".json").write_text(text)
        with pytest.raises(DataError, match="expected the JSON file that hmstrain predict"):
            hmstrain.score(ours, reference)
    with pytest.raises(DataError, match="expected a file or a folder, found nothing"):
        hmstrain.score(tmp_path / "nothing", reference)


# Trees


def test_a_folder_of_predictions_finds_its_events_in_a_tree(tmp_path: Path) -> None:
    out, reader = tmp_path / "out", tmp_path / "reader"
    predicted(out, [0, 0, 1, 1, 1, 0, 0, 0], 130.0, "sub-01_run-00_eeg")
    predicted(out, [0] * 8, 130.0, "sub-02_run-00_eeg")
    table(reader / "sub-01/eeg/sub-01_run-00_events.tsv", [(40, 70)], 130)
    table(reader / "sub-02/eeg/sub-02_run-00_events.tsv", [], 130)
    (reader / "participants.tsv").write_text("participant_id\nsub-01\n")
    found = hmstrain.score(out, reader)
    assert [(one.pair.name, one.pair.subject) for one in found.recordings] == [
        ("sub-01_run-00", "01"), ("sub-02_run-00", "02"),
    ]  # fmt: skip
    assert found.events == Counts(1, 1, 0, 260.0)
    one = hmstrain.score(out / "sub-02_run-00_eeg.csv", reader)
    assert [each.pair.name for each in one.recordings] == ["sub-02_run-00"]
    assert one.left_out == ()


def test_what_has_no_counterpart_is_named_and_left_out_only_if_asked(tmp_path: Path) -> None:
    out, reader = tmp_path / "out", tmp_path / "reader"
    for name in ("a", "b"):
        predicted(out, [0] * 8, 130.0, name)
    table(reader / "a_events.tsv", [(40, 70)], 130)
    table(reader / "c_events.tsv", [(40, 70)], 130)
    with pytest.raises(DataError) as refused:
        hmstrain.score(out, reader)
    assert "Without answers: c_events.tsv. Without events: b.csv." in str(refused.value)
    found = hmstrain.score(out, reader, partial=True)
    assert len(found.recordings) == 1
    assert found.notes == ("Left out 2 files without counterpart: c_events.tsv, b.csv.",)
    (reader / "a_events.tsv").unlink()
    with pytest.raises(DataError, match=r"none of 1 table \(c_events.tsv, ...\) has the name of"):
        hmstrain.score(out, reader, partial=True)
    (reader / "c_events.tsv").unlink()
    with pytest.raises(DataError, match=r"expected a folder of tables of events \(NAME_events"):
        hmstrain.score(out, reader)


def test_recordings_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for person, at in (("p1", 40), ("p2", 80)):
        table(tmp_path / "model" / person / "night_events.tsv", [(at, at + 20)], 130)
        table(tmp_path / "reader" / person / "night_events.tsv", [(at, at + 20)], 130)
    assert hmstrain.score(tmp_path / "model", tmp_path / "reader").samples.f1 == 1
    (tmp_path / "model/p2").rename(tmp_path / "model/p3")
    with pytest.raises(DataError, match="night: expected one file of this name, found"):
        hmstrain.score(tmp_path / "model", tmp_path / "reader")
    out = tmp_path / "out"
    predicted(out, [0] * 8, 130.0)
    with pytest.raises(DataError, match="night: expected one file of this name, found"):
        hmstrain.score(out, tmp_path / "reader")


def test_timelines_of_an_earlier_prediction_are_left_out_and_said(tmp_path: Path) -> None:
    out, reader = tmp_path / "out", tmp_path / "reader"
    for name in ("a", "b"):
        predicted(out, [0] * 8, 130.0, name)
        table(reader / f"{name}_events.tsv", [], 130)
    assert len(hmstrain.score(out, reader).recordings) == 2
    write_json(out / "predictions.json", {"recordings": [{"timeline": "a.csv"}]})
    with pytest.raises(DataError, match=r"Left out, being of an earlier prediction: b.csv"):
        hmstrain.score(out, reader)
    (reader / "b_events.tsv").unlink()
    found = hmstrain.score(out, reader)
    assert [one.pair.name for one in found.recordings] == ["a"]
    assert found.notes[0].startswith("Left out 1 timeline of an earlier prediction: b.csv.")
    write_json(out / "predictions.json", {"recordings": []})  # of a store
    with pytest.raises(DataError, match=r"2 timelines of an earlier pred.* and none of the last"):
        hmstrain.score(out, reader)


def test_different_rules_of_one_tree_are_said(tmp_path: Path) -> None:
    for name, threshold in (("a", 0.5), ("b", 0.6)):
        predicted(tmp_path / "out", [0] * 8, 130.0, name, threshold=threshold)
        table(tmp_path / "reader" / f"{name}_events.tsv", [], 130)
    (note,) = hmstrain.score(tmp_path / "out", tmp_path / "reader").notes
    assert "made by different rules" in note
    assert hmstrain.score(tmp_path / "out", tmp_path / "reader", threshold=0.5).notes == ()


# The command


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    ours = predicted(tmp_path / "out", [0, 0, 1, 1, 1, 0, 0, 0], 130.0)
    reference = table(tmp_path / "reader.tsv", [(45, 70)], 130)
    shown = PROGRAM.succeed("score", ours, reference).stdout
    lines = {line.split("  ")[0]: line.split()[-2:] for line in shown.splitlines()}
    assert lines["sensitivity"] == ["1.000", "1.000"]
    assert lines["precision"] == ["1.000", "0.833"]
    assert lines["false alarms"] == ["0", "5"]
    assert "1 recording, 0:02:10 (h:mm:ss)" in shown
    assert "Latency: median -5.0 s" in shown
    told = json.loads(PROGRAM.succeed("score", ours, reference, "--json").stdout)
    assert told["notice"] == RESEARCH_ONLY
    assert told["events"]["f1"] == 1
    assert told["samples"]["found"] == 25
    assert told["recordings"][0]["seizures"] == [{"start_s": 45, "stop_s": 70, "latency_s": -5}]
    assert told["recordings"][0]["episode_rule"]["smoothing_s"] == 30
    silent = table(tmp_path / "none.tsv", [], 130)
    assert "n/a" in PROGRAM.succeed("score", ours, silent).stdout
    assert "hmstrain: " in PROGRAM.fail("score", ours, tmp_path / "no.tsv")


def test_without_timescoring_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timescoring", None)
    with pytest.raises(RunError, match=r"timescoring is not installed.*'hms-eeg\[score\]'"):
        measure([(1, 2)], [], HOUR)


def test_measures_hold_counts_alone() -> None:
    found = measure([(10, 20)], [(10, 20)], 100)
    assert isinstance(found, Measures)
    assert json.dumps(found.events.to_json() | found.samples.to_json())


@pytest.mark.parametrize(
    "content",
    [
        b"start_s,stop_s,seizure\xff\n0,10,0.5\n",
        b"start_s,stop_s,seizure\n0,10,0.5\xe8\n",
        b"start_s,stop_s,seizure\n0,10\n",
        b"start_s,stop_s," + b"x" * 200_000 + b"\n0,10,0.5\n",
        b"start_s,stop_s,seizure\n0,10," + b"1" * 200_000 + b"\n",
    ],
    ids=["header", "number", "short", "long header", "long cell"],
)
def test_bytes_that_are_no_timeline_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "night.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"night\.csv"):
        read_answers(path, ChosenRule())
