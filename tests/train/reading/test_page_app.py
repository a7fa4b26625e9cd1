"""The page of a recording without a browser: what its keys, widgets, marks and address do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.events import Tap

from hmsstore import CLASSES, HMS
from hmsstore.labels import read_labels
from hmstrain.prediction.episodes import EpisodeRule
from hmstrain.prediction.timeline import Timeline
from hmstrain.reading.events.event_file import EventFile
from hmstrain.reading.page.app import Reader
from hmstrain.reading.page.commands import command_of
from hmstrain.reading.page.opened import Opened
from hmstrain.reading.page.overview import Following, model_strips, show_trends
from hmstrain.reading.page.strips import Strips
from hmstrain.reading.recording import Recording
from hmstrain.reading.trends.follow import trends_of
from hmstrain.reading.trends.quality import KINDS

SECONDS = 200.0


class Told:
    """Answers of a model that are there at once."""

    def __init__(self, seconds: float, label: str = "lpd") -> None:
        centre_s = np.arange(5.0, seconds, 10.0)
        prediction = np.full((len(centre_s), len(CLASSES)), 0.02)
        prediction[5:9, CLASSES.index(label)] = 0.9
        none = np.zeros(len(centre_s))
        self.timeline = Timeline("night.edf", seconds, centre_s, prediction, none, none)
        self.spec, self.rule = self.timeline.spec, EpisodeRule()
        self.done, self.problem = True, ""
        self.limits: tuple[str, ...] = ()
        self.episodes = self.timeline.episodes(self.rule)

    def tell(self, then: Callable[[], object]) -> None:
        then()

    def forget(self, then: Callable[[], object]) -> None:
        """Nothing is told later."""


class Driven:
    """A page whose keys and buttons are pressed here."""

    def __init__(self, opened: Opened) -> None:
        self.reader, self.document = Reader(opened), Document()
        self.reader.attach_to(self.document)
        self.said = 0

    def send(self, command: str) -> None:
        self.said += 1
        self.reader.told.value = f"{command} {self.said}"

    def press(self, *keys: str) -> None:
        for key in keys:
            self.send(f"key:{key}")

    def set(self, **values: str) -> None:
        for name, value in values.items():
            self.reader.roots[name].value = value

    def tick(self) -> None:
        for callback in list(self.document.session_callbacks):
            self.document.remove_next_tick_callback(callback)
            callback.callback()

    @property
    def start_s(self) -> float:
        return self.reader.place.start_s

    @property
    def words(self) -> str:
        return str(self.reader.said.text)


@pytest.fixture
def opened(recording: Recording, tmp_path: Path) -> Opened:
    return Opened(recording, tmp_path / "screen.json", labels=tmp_path / "labels")


@pytest.fixture
def driven(opened: Opened) -> Driven:
    return Driven(opened)


def test_keys_turn_pages_and_stop_at_the_ends(driven: Driven) -> None:
    for keys, start_s in (
        (["ArrowRight", "ArrowRight"], 20),
        (["Shift+ArrowRight"], 21),
        (["Shift+ArrowLeft", "ArrowLeft"], 10),
        (["End"], SECONDS - 10),
        (["ArrowRight"], SECONDS - 10),
        (["PageUp"], SECONDS - 110),
        (["Home", "ArrowLeft"], 0),
    ):
        driven.press(*keys)
        assert driven.start_s == start_s, keys
    driven.set(time="0:01:40")
    assert driven.start_s == 100
    driven.set(time="later")
    assert "Expected a time such as 1:02:03" in driven.words
    driven.press("ArrowRight")
    assert driven.start_s == 110
    assert driven.words == ""
    assert driven.reader.roots["time"].value == "0:01:50"


def test_keys_and_lists_change_how_the_eeg_is_shown(driven: Driven) -> None:
    lines = driven.reader.eeg.sources["lines"]
    labels = driven.reader.eeg.figure.yaxis[0]
    assert "Fp1-F7" in labels.major_label_overrides.values()
    driven.press("m")
    assert "Fp1" in labels.major_label_overrides.values()
    driven.set(montage="transverse")
    assert "C3-Cz" in labels.major_label_overrides.values()
    before = [np.ptp(values) for values in lines.data["ys"][:-1]]
    driven.press("ArrowUp")  # larger
    assert "50 uV per division" in driven.reader.shown.text
    after = [np.ptp(values) for values in lines.data["ys"][:-1]]
    assert all(large >= small for large, small in zip(after, before, strict=True))
    assert sum(after) > sum(before)
    driven.press("l", "h", "n")
    assert "low filter 1 Hz, high filter off, notch 50 Hz" in driven.reader.shown.text
    driven.set(high="15", low="5")
    assert "low filter 5 Hz, high filter 15 Hz" in driven.reader.shown.text
    driven.press("p")
    assert driven.reader.place.length_s == 15
    assert max(lines.data["xs"][0]) == pytest.approx(15, abs=0.01)


def test_negative_goes_up_and_what_was_not_recorded_is_grey(driven: Driven) -> None:
    driven.set(montage="referential", high="0", low="0")
    reader = driven.reader
    drawn = np.asarray(reader.eeg.sources["lines"].data["ys"][0])
    raw = reader.recording.read(0, 10)[:, 0]
    assert np.corrcoef(drawn, raw)[0, 1] > 0.99  # larger is lower: the axis grows downwards
    assert reader.eeg.figure.y_range.start > reader.eeg.figure.y_range.end
    gaps = reader.eeg.sources["gaps"].data
    assert list(zip(gaps["left"], gaps["right"], strict=True)) == [(0.0, 10.0)]  # the EKG
    assert "EKG m" in reader.eeg.figure.yaxis[0].major_label_overrides.values()


def test_a_measured_screen_gives_microvolts_a_millimetre_here_and_on_the_next_page(
    driven: Driven, opened: Opened
) -> None:
    driven.set(ruler="long")
    assert "Expected millimetres, got &#x27;long&#x27;" in driven.words
    driven.send("ratio:2")
    driven.set(ruler="75,0")
    assert "7 uV/mm" in driven.reader.shown.text
    step_px = driven.reader.eeg.step_px("bipolar")
    scale = driven.reader.eeg.sources["scale"].data["ys"][0]
    said = float(driven.reader.eeg.sources["words"].data["text"][0].split()[0])
    assert said / (scale[1] - scale[0]) == pytest.approx(7 * step_px / 4)  # 300 px are 75 mm
    another = Driven(opened)
    assert "7 uV/mm" in another.reader.shown.text


def test_a_page_made_before_the_screen_was_measured_takes_the_measure(opened: Opened) -> None:
    waiting = Reader(opened)
    Driven(opened).set(ruler="75")
    waiting.attach_to(Document())
    assert "7 uV/mm" in waiting.shown.text
    assert waiting.roots["sensitivity"].value == "7"
    again = Reader(opened)
    Driven(opened).set(ruler="60")
    again.attach_to(Document())
    assert again.px_mm == 300 / 60


def test_a_measure_that_cannot_be_kept_is_of_its_page_alone(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    driven = Driven(replace(opened, screen=tmp_path / "file" / "cache" / "screen.json"))
    driven.set(ruler="75")
    assert "7 uV/mm" in driven.reader.shown.text
    assert "is kept for this page alone" in driven.words
    assert "screen.json cannot be written: Not a directory." in driven.words


def test_an_address_leads_to_what_was_shown(driven: Driven, opened: Opened) -> None:
    driven.press("ArrowRight", "m", "l")
    driven.set(page="30")
    another = Driven(opened)
    another.send(f"at:{driven.reader.here.text}")
    assert another.reader.place == driven.reader.place
    assert another.reader.view == driven.reader.view
    another.send("at:at=nowhere&page=999&montage=circular")
    assert "Expected a time" in another.words
    assert another.reader.view == driven.reader.view
    assert command_of("at:at=0:00:01 12.5") == ("at", "at=0:00:01")


def test_a_reader_marks_and_each_mark_is_in_his_file_at_once(
    driven: Driven, opened: Opened, recording: Recording
) -> None:
    driven.press("1")
    assert "Type your initials first" in driven.words
    driven.set(initials="a b")
    assert "initials" in driven.words
    driven.set(initials="ab")
    driven.press("1")
    path = opened.labels / "night.edf.AB.csv"
    found = read_labels(path)
    assert found.sha256 == recording.sha256
    (mark,) = found.marks
    assert (mark.start_s, mark.stop_s, mark.label, mark.seen_model) == (0, 10, "seizure", False)
    assert mark.view["montage"] == "bipolar"
    assert mark.view["sensitivity"] == "70 uV/division"
    assert (mark.view["low_filter_hz"], mark.view["notch_hz"]) == ("0.5", "off")

    figure = driven.reader.eeg.figure
    figure._trigger_event(Tap(figure, x=7.0, y=3.0))  # onset on this page
    driven.press("ArrowRight", "ArrowRight")
    figure._trigger_event(Tap(figure, x=2.5, y=3.0))  # offset two pages on
    driven.set(text="left, then both")
    driven.press("2")
    assert [(m.start_s, m.stop_s, m.label, m.text) for m in read_labels(path).marks][1:] == [
        (7.0, 22.5, "lpd", "left, then both")
    ]
    assert driven.reader.eeg.sources["marks"].data["text"] == ["LPD: left, then both"]
    assert not driven.reader.eeg.chosen.visible

    driven.send("edit:1")
    driven.set(offset="0:00:25")
    driven.send("save:")
    assert read_labels(path).marks[1].stop_s == 25
    driven.press("u")
    assert read_labels(path).marks[1].stop_s == 22.5
    driven.send("delete:0")
    assert [m.label for m in read_labels(path).marks] == ["lpd"]
    driven.press("u")
    assert sorted(m.label for m in read_labels(path).marks) == ["lpd", "seizure"]
    driven.press("[", "]", "0")
    assert read_labels(path).marks[-1].label == "unsure"
    driven.press("u", "u", "u", "u", "u")
    assert "There is nothing to undo" in driven.words


def test_two_readers_have_files_of_their_own_and_two_pages_of_one_lose_nothing(
    opened: Opened,
) -> None:
    first, second, third = (Driven(opened) for _ in range(3))
    first.set(initials="AB")
    second.set(initials="AB")
    third.set(initials="CD")
    first.press("1")
    second.press("2")
    third.press("3")
    marks = read_labels(opened.labels / "night.edf.AB.csv").marks
    assert sorted(m.label for m in marks) == ["lpd", "seizure"]
    assert [m.label for m in read_labels(opened.labels / "night.edf.CD.csv").marks] == ["gpd"]


def test_a_change_of_what_another_page_took_away_is_refused_and_the_list_is_shown_anew(
    opened: Opened,
) -> None:
    first, second = Driven(opened), Driven(opened)
    first.set(initials="AB")
    first.press("1", "ArrowRight", "2", "ArrowRight", "3")
    second.set(initials="AB")
    second.send("delete:0")
    first.send("edit:1")  # LPD, whose place is another by now
    first.set(text="left")
    first.send("save:")
    kept = opened.labels / "night.edf.AB.csv"
    assert [(m.label, m.text) for m in read_labels(kept).marks] == [("lpd", "left"), ("gpd", "")]
    first.send("edit:0")
    second.send("delete:0")  # LPD, as it was before
    assert "changed or removed by another p" in second.words
    second.send("delete:0")  # as it is
    second.press("4")
    first.send("save:")
    assert "changed or removed by another p" in first.words
    assert "LRDA" in first.reader.marking.list.text
    assert "LPD" not in first.reader.marking.list.text
    first.press("u")
    assert "changed or removed by another p" in first.words
    assert [m.label for m in read_labels(kept).marks] == ["gpd", "lrda"]


def test_the_model_is_hidden_until_it_is_asked_for_and_marks_tell(
    recording: Recording, tmp_path: Path
) -> None:
    answers: Any = Told(recording.seconds)
    opened = Opened(
        recording, tmp_path / "screen.json", answers=answers, labels=tmp_path / "labels"
    )
    driven = Driven(opened)
    strips = driven.reader.strips
    driven.set(initials="AB")
    driven.reader.arriving.show_answers()
    assert "hidden" in driven.reader.arriving.words.text
    assert strips._parts["blocks"]["episodes"]["left"] == []
    assert not np.any(strips._sources["model"].data["image"][0])
    driven.press("1", "v", "2", "v", "3")
    marks = read_labels(tmp_path / "labels" / "night.edf.AB.csv").marks
    assert [m.seen_model for m in marks] == [False, True, True]  # a look is not taken back
    driven.press("v")
    (start_s,), (stop_s,) = (strips._parts["blocks"]["episodes"][k] for k in ("left", "right"))
    assert (start_s, stop_s) == (50, 90)
    later = Driven(opened)
    later.set(initials="AB")
    later.press("4")
    assert read_labels(tmp_path / "labels" / "night.edf.AB.csv").marks[-1].seen_model


def test_without_a_run_there_is_no_model_to_show(driven: Driven) -> None:
    driven.press("v")
    assert "No run was named" in driven.words


def test_trends_come_and_a_click_on_them_goes_there(opened: Opened) -> None:
    driven = Driven(opened)
    strips = driven.reader.strips
    show_trends(strips, trends_of(opened.recording))
    picture = strips._sources["left"].data
    assert picture["image"][0].shape[1] == 100  # epochs of two seconds
    assert (picture["x"], picture["dw"]) == ([0.0], [200.0])
    assert {"left", "right", "midline"} <= set(strips._sources["lines"].data["side"])
    trends = trends_of(opened.recording)
    for kind in KINDS:
        trends.artefacts[kind][:] = 0
    trends.artefacts["flat"][50:60] = 0.1  # one electrode of many
    show_trends(strips, trends)
    (ribbon,) = strips._sources["artefacts"].data["image"]
    rows, columns = np.nonzero(ribbon.view(np.uint8).reshape(*ribbon.shape, 4)[..., 3])
    assert set(rows) == {len(KINDS) - 1 - KINDS.index("flat")}  # the first kind is on top
    assert abs(columns.min() - 100) <= 2
    assert abs(columns.max() - 119) <= 2
    strips.figure._trigger_event(Tap(strips.figure, x=120.0, y=10.0))
    assert driven.start_s == 115
    assert (strips.page.left, strips.page.right) == (115, 125)


def test_every_window_of_a_day_is_seen_in_the_models_strip() -> None:
    colours = ["#FF0000"] * (len(CLASSES) - 1)
    start_s = np.arange(0.0, 86_400.0, 10.0)
    spans_s = np.stack([start_s, start_s + 10], axis=1)
    strips = Strips(86_400.0, model_strips(HMS), lambda _: None)
    for place in range(5_000, 5_010):
        shares = np.zeros((len(spans_s), len(colours)))
        shares[place, 2] = 1
        strips.show_rows("model", spans_s, shares, colours)
        (picture,) = strips._sources["model"].data["image"]
        opacity = picture[::-1].view(np.uint8).reshape(*picture.shape, 4)[..., 3]
        rows, columns = np.nonzero(opacity == 255)
        assert set(rows) == {2}, place
        middle_s = (columns + 0.5) * 86_400 / picture.shape[1]
        assert np.abs(middle_s - start_s[place] - 5).max() <= 30


def test_trends_that_are_not_computed_yet_do_not_look_like_a_gap(opened: Opened) -> None:
    following = Following(opened.recording)
    following.trends, following.done_s = trends_of(opened.recording), 100.0
    driven = Driven(replace(opened, following=following))
    reader, strips = driven.reader, driven.reader.strips
    reader.arriving.show_trends(following.trends)
    assert (strips._sources["left"].data["x"], strips._sources["left"].data["dw"]) == ([0], [100])
    assert max(strips._sources["lines"].data["xs"][0]) == 99
    assert "Trends are there up to 0:01:40." in reader.arriving.coming.text
    following.done_s = 0.0
    reader.arriving.show_trends(following.trends)
    assert strips._sources["left"].data["image"] == []
    following.done_s = SECONDS
    reader.arriving.show_trends(following.trends)
    assert strips._sources["left"].data["dw"] == [SECONDS]
    assert reader.arriving.coming.text == ""


def test_trends_show_a_part_about_the_page_in_all_its_detail(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmstrain.reading.page.zoom.LENGTHS_S", {"30 min": 1800.0, "1 min": 60.0})
    following = Following(opened.recording)
    following.tell(lambda _: None)
    following.wait()
    driven = Driven(replace(opened, following=following, answers=Told(SECONDS)))  # type: ignore[arg-type]
    reader, strips = driven.reader, driven.reader.strips
    assert [name for name, _ in reader.roots["trends"].options] == ["whole", "1 min"]
    driven.send("model:")
    driven.send("go:100")
    driven.press("z")
    range_ = strips.figure.x_range
    assert (range_.start, range_.end) == (70, 130)
    shown = strips._sources["left"].data
    assert (shown["x"], shown["dw"]) == ([70], [60])
    whole = trends_of(opened.recording)
    np.testing.assert_array_equal(shown["image"][0], whole.spectrogram_db["left"][35:65].T)
    model = strips._sources["model"].data
    assert (model["x"], model["dw"]) == ([70], [60])
    assert set(strips.names.data_source.data["x"]) == {70}
    driven.press("ArrowRight", "ArrowRight")  # to 0:01:55, still in sight
    assert (range_.start, range_.end) == (70, 130)
    driven.press("ArrowRight")
    assert (range_.start, range_.end) == (100, 160)
    driven.press("Home")
    assert (range_.start, range_.end) == (0, 60)
    assert "trends=1+min" in reader.here.text
    other = Driven(replace(opened, following=following))
    other.send("at:at=0:01:40&trends=1+min")
    assert other.reader.strips.figure.x_range.start == 75
    driven.set(trends="whole")
    assert (range_.start, range_.end) == (0, SECONDS)
    assert strips._sources["left"].data["dw"] == [SECONDS]


def test_trends_are_followed_in_the_background_and_told(opened: Opened) -> None:
    following = Following(opened.recording)
    came: list[float] = []
    following.tell(lambda trends: came.append(float(np.isfinite(trends.artefacts["flat"]).mean())))
    assert following._thread is not None
    following._thread.join()
    assert came[-1] == 1.0
    assert following.done_s == opened.recording.seconds
    part = following.stretch(50.0, 60.0)
    assert part is not None
    assert part.time_s.tolist() == [51, 53, 55, 57, 59]


def test_a_page_is_made_for_each_reader(opened: Opened) -> None:
    """Nothing that belongs to a document may be shared."""
    documents = [Document(), Document()]
    for document in documents:
        Reader(opened).attach_to(document)
    assert documents[0].roots[0] is not documents[1].roots[0]


@pytest.fixture
def reviewed(recording: Recording, tmp_path: Path) -> Driven:
    """A page on which the reader AB sees a model's episode."""
    answers: Any = Told(recording.seconds)
    opened = Opened(
        recording, tmp_path / "screen.json", answers=answers, labels=tmp_path / "labels"
    )
    driven = Driven(opened)
    driven.set(initials="AB")
    driven.press("v")
    return driven


def test_episodes_are_hidden_until_the_model_is_shown(reviewed: Driven) -> None:
    assert [one.state for one in reviewed.reader.reviewing.events] == ["proposed"]
    assert "LPD" in reviewed.reader.reviewing.list.text
    reviewed.press("v")
    assert "are hidden" in reviewed.reader.reviewing.list.text
    assert "LPD" not in reviewed.reader.reviewing.list.text
    reviewed.press("e")
    assert "v shows them" in reviewed.words


def test_a_models_answer_is_seizure_like_until_a_reader_accepts_it(
    recording: Recording, tmp_path: Path
) -> None:
    assert [name for _, name in model_strips(HMS)[0].ticks][:2] == ["Seizure-like", "LPD"]
    told: Any = Told(recording.seconds, "seizure")
    opened = Opened(recording, tmp_path / "screen.json", answers=told, labels=tmp_path / "labels")
    driven = Driven(opened)
    driven.set(initials="AB")
    driven.press("v")
    listed = driven.reader.reviewing.list
    assert ">Seizure-like</span> (0.90, proposed)" in listed.text
    driven.press("e")
    driven.press("x")
    assert ">Seizure-like</span> (0.90, rejected)" in listed.text
    driven.press("a")
    assert ">Seizure</span> (0.90, accepted" in listed.text


def test_episodes_are_accepted_rejected_and_changed_and_kept_at_once(reviewed: Driven) -> None:
    reviewing, labels = reviewed.reader.reviewing, reviewed.reader.opened.labels

    def kept() -> list[tuple[float, float, str, str]]:
        sha256 = reviewed.reader.recording.sha256
        found = EventFile.open(labels, "night.edf", sha256, "AB").events
        return [(one.start_s, one.stop_s, one.label, one.state) for one in found]

    reviewed.press("a")
    assert "Go to an event first" in reviewed.words
    reviewed.press("e")
    assert reviewed.start_s == pytest.approx(50 - 10 / 3)
    reviewed.set(certainty="probable")
    reviewed.press("a")
    assert kept() == [(50, 90, "lpd", "accepted")]
    assert "probable" in reviewing.list.text
    reviewed.press("x")
    assert kept() == [(50, 90, "lpd", "rejected")]
    reviewed.send("reset:0")
    assert kept() == [(50, 90, "lpd", "proposed")]
    reviewed.send("change:0")
    reviewed.set(offset="0:01:10")
    reviewed.press("1")
    assert kept() == [(50, 70, "seizure", "accepted")]
    assert reviewed.reader.marking.marks == ()
    reviewed.send("change:0")
    reviewed.set(onset="0:00:52")
    reviewed.send("save:")
    assert kept() == [(52, 70, "seizure", "accepted")]


def test_an_event_stays_chosen_where_the_models_are_proposed_anew(reviewed: Driven) -> None:
    answers: Any = reviewed.reader.opened.answers
    answers.timeline.prediction[14:18, CLASSES.index("gpd")] = 0.9
    answers.episodes = answers.timeline.episodes(answers.rule)
    reviewed.press("v", "v", "e", "e")
    reviewing = reviewed.reader.reviewing

    def states() -> dict[str, str]:
        return {one.label: one.state for one in reviewing.events}

    reviewed.press("a")
    assert states() == {"lpd": "proposed", "gpd": "accepted"}
    reviewed.press("v", "v", "x")  # hidden, and proposed anew: what was decided on comes first
    assert states() == {"lpd": "proposed", "gpd": "rejected"}
    reviewed.send(f"change:{[one.label for one in reviewing.events].index('lpd')}")
    reviewed.reader.arriving.show_answers()
    reviewed.press("1")
    assert sorted(states().items()) == [("gpd", "rejected"), ("seizure", "accepted")]


def test_an_event_leaves_the_fields_when_another_reader_signs_and_when_answers_are_hidden(
    reviewed: Driven,
) -> None:
    reviewing, marking = reviewed.reader.reviewing, reviewed.reader.marking
    reviewed.send("change:0")
    reviewed.set(text="as AB sees it", initials="CD")
    assert reviewed.reader.roots["onset"].value == ""
    reviewed.set(onset="0:00:10", offset="0:00:20")
    reviewed.press("1")
    assert [(m.start_s, m.stop_s, m.label, m.text) for m in marking.marks] == [
        (10, 20, "seizure", "")
    ]
    assert [one.state for one in reviewing.events] == ["proposed"]
    reviewed.send("change:0")
    reviewed.press("v")
    assert reviewed.reader.roots["onset"].value == ""  # it would tell where the model's event is
    reviewed.press("2")
    assert reviewed.words == ""
    assert [m.label for m in marking.marks] == ["seizure", "lpd"]
    reviewed.press("v")
    assert [one.state for one in reviewing.events] == ["proposed"]
    reviewed.send("edit:0")
    reviewed.set(initials="AB")
    assert reviewed.reader.roots["onset"].value == ""
    reviewed.set(onset="0:00:30", initials="CD")  # of no mark: it stays for who signs
    assert reviewed.reader.roots["onset"].value == "0:00:30.0"


def test_a_summary_counts_accepted_events_and_marks_and_is_copied(reviewed: Driven) -> None:
    reviewed.press("e", "a", "End", "2")  # 40 s that were accepted, 10 that were marked
    reviewed.send("summary:")
    text = reviewed.reader.copied.text
    assert "Reader: AB" in text
    assert "LPD" in text
    assert "25%" in text  # 50 of 200 s
    assert "EEG recorded" not in text  # nobody knows before the trends are there
    assert "<pre" in reviewed.reader.reviewing.summary.text
    following = Following(reviewed.reader.recording)
    following.tell(lambda _: None)
    assert following._thread is not None
    following._thread.join()
    reviewed.reader.opened = replace(reviewed.reader.opened, following=following)
    reviewed.send("summary:")
    assert "EEG recorded 100%" in reviewed.reader.copied.text


def test_a_summary_calls_no_gap_and_no_absent_channel_an_artefact(reviewed: Driven) -> None:
    trends = trends_of(reviewed.reader.recording)
    for share in trends.artefacts.values():
        share[:] = 0
    missing, muscle = trends.artefacts["missing"], trends.artefacts["muscle"]
    missing[:], missing[50:] = 3 / 18, 1  # a gap, and electrodes that were left off
    trends.quality[:] = 1 - missing
    following = SimpleNamespace(trends=trends)
    reviewed.reader.opened = replace(reviewed.reader.opened, following=following)  # type: ignore[arg-type]
    reviewed.send("summary:")
    assert "EEG recorded 50%" in reviewed.reader.copied.text
    assert "Artefact on 0% of channels" in reviewed.reader.copied.text
    muscle[:50] = 3 / 18
    trends.quality[:] -= muscle
    reviewed.send("summary:")
    assert "Artefact on 20% of channels" in reviewed.reader.copied.text


def test_a_summary_of_trends_that_are_not_all_computed_gives_none_of_a_part(
    reviewed: Driven,
) -> None:
    trends = trends_of(reviewed.reader.recording)
    reviewed.reader.opened = replace(
        reviewed.reader.opened,
        following=SimpleNamespace(trends=trends),  # type: ignore[arg-type]
    )
    reviewed.send("summary:")
    assert "Artefact on" in reviewed.reader.copied.text
    assert "Gaps are not known" not in reviewed.reader.copied.text
    for kind in KINDS:
        trends.artefacts[kind][50:] = np.nan
    trends.quality[50:] = np.nan
    reviewed.send("summary:")
    assert "Artefact on" not in reviewed.reader.copied.text
    assert "EEG recorded" not in reviewed.reader.copied.text
    assert "Gaps are not known unless all trends are computed" in reviewed.reader.copied.text


def test_accepted_events_are_exported(reviewed: Driven) -> None:
    pytest.importorskip("edfio")
    reviewed.press("e", "a")
    reviewed.send("export:")
    folder = reviewed.reader.opened.labels / "exported"
    assert sorted(one.name for one in folder.iterdir() if one.suffix != ".json") == [
        "night.edf.AB.annotations.edf", "night.edf.AB.events.csv", "night.edf.AB_events.tsv",
    ]  # fmt: skip
    assert "0:00:50" in (folder / "night.edf.AB.events.csv").read_text()


def test_what_the_reader_decided_is_counted_and_exported_while_answers_are_hidden(
    reviewed: Driven,
) -> None:
    pytest.importorskip("edfio")
    reviewed.press("e", "a", "v")
    without_a_run = Driven(replace(reviewed.reader.opened, answers=None))
    without_a_run.set(initials="AB")
    table = reviewed.reader.opened.labels / "exported" / "night.edf.AB.events.csv"
    for driven in (reviewed, without_a_run):
        assert "0:00:50" not in driven.reader.reviewing.list.text
        driven.send("export:")
        assert "0:00:50" in table.read_text()
        driven.send("summary:")
        assert "LPD" in driven.reader.copied.text
    without_a_run.reader.reviewing._file().undo(0)
    without_a_run.send("export:")
    assert "0:00:50" not in table.read_text()  # proposed, and hidden


def test_who_reviewed_the_models_episodes_is_blind_no_more(reviewed: Driven) -> None:
    later = Driven(reviewed.reader.opened)
    later.set(initials="AB")
    later.press("4")
    other = Driven(reviewed.reader.opened)
    other.set(initials="CD")
    other.press("4")
    marks = [read_labels(path).marks for path in sorted(reviewed.reader.opened.labels.glob("*.csv"))
             if "events" not in path.name]  # fmt: skip
    assert [[one.seen_model for one in some] for some in marks] == [[True], [False]]
    later.set(initials="EF")
    assert not later.reader.marking.seen_model


def test_who_looked_is_blind_no_more_though_the_file_of_events_cannot_be_read(
    reviewed: Driven,
) -> None:
    (events,) = reviewed.reader.opened.labels.glob("*.events.csv")
    events.write_bytes(b"\xff")
    later = Driven(reviewed.reader.opened)
    later.set(initials="AB")
    assert "is not a text in UTF-8" in later.words
    later.press("1")
    (mark,) = read_labels(reviewed.reader.opened.labels / "night.edf.AB.csv").marks
    assert mark.seen_model


def test_changing_an_events_times_keeps_its_certainty(reviewed: Driven) -> None:
    reviewed.set(certainty="probable")
    reviewed.press("e", "a")
    later = Driven(reviewed.reader.opened)
    later.set(initials="AB")
    later.press("v")
    later.set(certainty="definite")
    later.send("change:0")
    later.set(offset="0:01:10")
    later.send("save:")
    assert later.reader.reviewing.certainty.value == "definite"  # of what is accepted next
    (event,) = later.reader.reviewing.events
    assert (event.stop_s, event.certainty) == (70, "probable")


def test_an_onset_or_an_offset_alone_is_taken_with_the_other_end_of_the_page(
    driven: Driven,
) -> None:
    driven.set(initials="AB", offset="0:00:25")
    driven.press("1")
    driven.set(onset="0:00:04")
    driven.press("2")
    spans = [(one.start_s, one.stop_s) for one in driven.reader.marking.marks]
    assert spans == [(0, 25), (4, 10)]


def test_a_background_is_kept_of_the_page(reviewed: Driven) -> None:
    reviewed.send("background:voltage=low&text=")
    assert "Kept the background of 0:00:00.0 to 0:00:10.0" in reviewed.words
    described = reviewed.reader.reviewing.backgrounds.descriptions
    assert [(one.stop_s, dict(one.fields)) for one in described] == [(10, {"voltage": "low"})]
    reviewed.send("background:text=")
    assert "at least one field" in reviewed.words


def test_times_of_the_day_are_shown_on_request(recording: Recording, tmp_path: Path) -> None:
    driven = Driven(Opened(replace(recording, start=time(23, 59, 55)), tmp_path / "screen.json"))
    named = driven.reader.eeg.figure.xaxis[0]
    assert "0:00:04" in named.major_label_overrides.values()
    driven.press("c")
    assert {"23:59:59", "0:00:01"} <= set(named.major_label_overrides.values())
    titles = [driven.reader.roots[name].title for name in ("time", "onset", "offset")]
    assert titles == ["time from the start", "onset from the start", "offset from the start"]
    assert "axes in times of day, lists from the start" in driven.reader.shown.text
    driven.press("c")
    assert "0:00:04" in named.major_label_overrides.values()
    assert driven.reader.roots["time"].title == "time"
    assert "times of day" not in driven.reader.shown.text


def test_what_a_page_is_told_wrongly_is_one_sentence_and_changes_nothing(
    driven: Driven, opened: Opened
) -> None:
    driven.set(initials="AB", time="0:01:00")
    driven.press("1")
    (path,) = opened.labels.glob("*.AB.csv")
    before = path.read_bytes(), driven.start_s, driven.reader.view, driven.reader.controls.now
    for command, words in (
        ("go:nan", "Expected a number"),
        ("go:x", "Expected a number"),
        ("ratio:inf", "Expected a number"),
        ("edit:-1", "Expected one of 1 marks"),
        ("edit:7", "Expected one of 1 marks"),
        ("delete:-1", "Expected one of 1 marks"),
        ("delete:\u0662", "Expected one of 1 marks"),
        ("event:0", "Expected one of 0 events"),
        ("accept:x", "Expected one of 0 events"),
        ("change:99", "Expected one of 0 events"),
        ("mark:nonsense", "expected a class of seizure"),
        ("note:", "expected a class or a text"),
        ("background:nope=1", "expected fields of symmetry"),
        ("at:at=nan", "Expected a time such as"),
        ("at:at=9:00:00", "within the recording of 0:03:20.0"),
    ):
        driven.send(command)
        assert words in driven.words, command
    for name in ("page", "montage", "low", "high", "notch", "sensitivity", "trends"):
        for value in ("", "nan", "-1", "1e400", "<b>"):
            driven.set(**{name: value})
            assert f"Expected the {name} to be one of" in driven.words, value
            assert driven.reader.roots[name].value == driven.reader.controls.now[name]
    driven.send("x" * 1_000_000)
    driven.press("Tab", "F13", "")
    now = path.read_bytes(), driven.start_s, driven.reader.view, driven.reader.controls.now
    assert now == before


def test_times_that_cannot_be_are_refused_and_do_not_stay_in_their_field(
    driven: Driven, opened: Opened
) -> None:
    driven.set(initials="AB")
    for text, words in (
        ("0:03:21", "within the recording of 0:03:20.0"),
        ("99:00:00", "within the recording"),
        ("-5", "Expected a time such as"),
        ("nan", "Expected a time such as"),
        ("0:00:61", "Expected a time such as"),
    ):
        for name in ("onset", "offset"):
            driven.set(**{name: text})
            assert words in driven.words, text
            assert driven.reader.roots[name].value == ""  # so that what is seen is marked
        driven.set(time=text)
        assert words in driven.words, text
        assert (driven.start_s, driven.reader.roots["time"].value) == (0, "0:00:00")
    driven.set(onset="0:03:00", offset="0:03:20")
    assert driven.words == ""
    driven.press("2")
    driven.set(onset="20", offset="10")
    driven.press("2")
    assert "got 20.00 s to 10.00 s" in driven.words
    marks = read_labels(opened.labels / "night.edf.AB.csv").marks
    assert [(one.start_s, one.stop_s) for one in marks] == [(180, 200)]


def test_initials_and_texts_of_any_letters_lose_nothing(driven: Driven, opened: Opened) -> None:
    for initials in ("A B", "../x", "\u00c4", "a" * 13, "<b>", "A\x00"):
        driven.set(initials=initials)
        assert "expected initials of 1 to 12 letters and digits" in driven.words
        driven.press("1")
        assert "Type your initials first" in driven.words
    assert not list(opened.labels.glob("*.csv"))
    driven.set(initials="AB")
    assert driven.words == ""
    text = '=1+1 "a", b; \x00 \u00e9 # end'
    driven.set(text=text)
    driven.press("3")
    driven.send("background:text=%00%0A%22a")
    driven.set(text="x" * 2_001)
    driven.send("note:")
    assert "at most 2,000 characters" in driven.words
    again = Driven(opened)
    again.set(initials="AB")
    assert again.words == ""
    (mark,) = again.reader.marking.marks
    assert mark.text == text.replace("\x00", "\\x00")
    assert again.reader.reviewing.backgrounds is not None
    assert len(again.reader.reviewing.backgrounds.descriptions) == 1


def test_a_label_file_that_was_spoilt_is_told_and_left_as_it_is(
    driven: Driven, opened: Opened
) -> None:
    driven.set(initials="AB")
    driven.press("1")
    path = opened.labels / "night.edf.AB.csv"
    whole = path.read_bytes()
    for spoilt, words in (
        (whole[:-8], "it was cut short"),
        (whole.replace(b"seizure", b"fit"), "line 6: expected a class"),
        (whole.replace(b"# sha256: ", b"# sha256: 0")[:-1], "64 hexadecimal digits"),
        (whole.replace(b"# reader: AB", b"# reader: CD"), "is of the reader CD"),
        (b"\xff\x00\xfe", "is not a text in UTF-8"),
    ):
        path.write_bytes(spoilt)
        driven.press("2")
        assert words in driven.words, words
        assert path.read_bytes() == spoilt
        other = Driven(opened)
        other.set(initials="AB")
        assert words in other.words
        other.press("2")
        assert "Type your initials first" in other.words
        assert path.read_bytes() == spoilt
    path.write_bytes(whole)
    driven.press("2")
    assert [one.label for one in read_labels(path).marks] == ["seizure", "lpd"]


def test_exports_that_cannot_be_written_are_one_sentence(driven: Driven, opened: Opened) -> None:
    driven.set(initials="AB")
    driven.press("1")
    (opened.labels / "exported").write_text("in the way")
    driven.send("export:")
    assert "exported cannot be written: File exists." in driven.words
