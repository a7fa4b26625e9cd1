"""Windows of a store are marked in the page, blind, in a file of each reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document

from hmsstore import Store
from hmsstore.labels import read_labels
from hmsstore.view import Importance
from hmstrain.reporting.browse.app import Viewer
from hmstrain.reporting.browse.browser import Browser, open_browser


def viewer_of(browser: Browser, labels: Path) -> Any:
    viewer = Viewer(browser, None, None, labels)
    viewer.attach_to(Document())
    return viewer


def test_a_reader_marks_windows_by_keys_and_takes_marks_back(store: Store, tmp_path: Path) -> None:
    viewer = viewer_of(open_browser(store.path), tmp_path)
    viewer.pressed("1")
    assert list(tmp_path.iterdir()) == []
    viewer.labels.initials.value = "a b"
    assert "initials" in viewer.labels.said.text
    viewer.labels.initials.value = "ab"
    viewer.pressed("#row=5")
    viewer.pressed("2")
    viewer.pressed("ArrowRight")
    viewer.pressed("0")
    path = tmp_path / f"{store.path.name}.AB.csv"
    found = read_labels(path)
    assert found.sha256 == store.identity
    offset = float(store.windows["eeg_offset_s"][5]) + store.spec.judged_from_s
    first, second = found.marks
    assert (first.label, first.start_s, first.stop_s) == ("lpd", offset, offset + 10)
    assert first.eeg_id == store.windows["eeg_id"][5]
    assert first.view["montage"] == "bipolar"
    assert (second.label, second.seen_model) == ("unsure", False)
    viewer.pressed("ArrowLeft")
    assert "LPD" in viewer.facts(5)["your mark"]
    viewer.pressed("3")  # in place of the other
    assert [one.label for one in read_labels(path).marks] == ["gpd", "unsure"]
    viewer.pressed("u")
    viewer.pressed("u")
    assert [one.label for one in read_labels(path).marks] == ["lpd"]
    viewer.pressed("u")
    viewer.pressed("u")
    assert "nothing to undo" in viewer.labels.said.text


def test_who_marks_sees_neither_votes_nor_the_model_and_marks_tell_of_a_look(
    browser: Browser, tmp_path: Path
) -> None:
    viewer = viewer_of(browser, tmp_path)
    rows = viewer.rows
    assert {"votes", "model"} <= viewer.facts(int(rows[0])).keys()
    viewer.labels.initials.value = "AB"
    assert not {"votes", "model", "loss"} & viewer.facts(int(rows[0])).keys()
    assert not viewer.votes.figure.visible
    viewer.pressed("1")  # its answer was shown before
    viewer.pressed("ArrowRight")
    viewer.pressed("1")
    viewer.pressed("v")
    assert viewer.votes.figure.visible
    viewer.pressed("v")
    viewer.pressed("ArrowRight")
    viewer.pressed("1")
    (path,) = tmp_path.glob("*.csv")
    assert [one.seen_model for one in read_labels(path).marks] == [True, False, False]
    viewer.pressed("ArrowLeft")
    viewer.pressed("2")  # he has looked since
    assert [one.seen_model for one in read_labels(path).marks] == [True, True, False]


def test_who_marks_gets_no_explanation_and_no_filter_by_votes_or_answers(
    browser: Browser, tmp_path: Path
) -> None:
    def explain(row: int) -> Importance:
        return Importance(f"why {row}", {"LL": np.ones(9, np.float32)})

    viewer: Any = Viewer(browser, explain, None, tmp_path)
    viewer.attach_to(Document())
    telling = [viewer.widgets[name] for name in ("consensus", "predicted", "answer")]
    orders = [name for name, _ in viewer.widgets["order"].options]
    found = viewer.rows.tolist()
    for chosen in ("right", "wrong"):
        viewer.widgets["answer"].value = chosen
        if len(viewer.rows):
            break
    viewer.widgets["order"].value = "loss"
    viewer.pressed("ArrowRight")
    row = int(viewer.rows[viewer.place])
    viewer.ask()
    viewer._explained(row)
    assert f"why {row}" in viewer.about.text
    assert len(viewer.traces.strips.data["image"]) > 0

    viewer.labels.initials.value = "AB"
    assert int(viewer.rows[viewer.place]) == row
    assert sorted(viewer.rows.tolist()) == found
    assert [widget.value for widget in telling] == ["any"] * 3
    assert not any(widget.visible for widget in telling)
    assert [name for name, _ in viewer.widgets["order"].options] == ["row", "random"]
    assert viewer.widgets["order"].value == "row"
    assert not viewer.widgets["explain"].visible
    assert viewer.traces.strips.data["image"] == []
    viewer.ask()
    assert not viewer.widgets["explain"].disabled
    other = next(one for one in found if one not in viewer.labels.seen)
    viewer.pressed(f"#row={other}")
    viewer._explained(other)
    assert "why" not in viewer.about.text
    assert viewer.traces.strips.data["image"] == []
    viewer.pressed("1")
    viewer.pressed(f"#row={row}")
    viewer.pressed("1")
    (path,) = tmp_path.glob("*.csv")
    assert [one.seen_model for one in read_labels(path).marks] == [False, True]

    viewer.pressed(f"#row={other}")
    viewer.pressed("v")
    viewer.ask()
    assert viewer.widgets["explain"].visible
    assert viewer.widgets["explain"].disabled
    viewer.pressed("v")
    viewer._explained(other)  # asked for before answers were hidden
    assert "why" not in viewer.about.text
    assert not viewer.widgets["explain"].disabled
    viewer.pressed("v")
    assert all(widget.visible for widget in telling)
    assert [name for name, _ in viewer.widgets["order"].options] == orders


def test_another_stores_labels_are_refused_in_a_sentence(store: Store, tmp_path: Path) -> None:
    viewer = viewer_of(open_browser(store.path), tmp_path)
    viewer.labels.initials.value = "AB"
    viewer.pressed("1")
    path = tmp_path / f"{store.path.name}.AB.csv"
    path.write_text(path.read_text().replace(store.identity, "0" * 64))
    again = viewer_of(open_browser(store.path), tmp_path)
    again.labels.initials.value = "AB"
    assert "another recording" in again.labels.said.text
    assert again.labels.file is None
    assert not again.labels.pressed("1", 0, {})


def test_two_pages_of_a_reader_lose_nothing_and_a_look_is_not_taken_back(
    browser: Browser, tmp_path: Path
) -> None:
    first, second = viewer_of(browser, tmp_path), viewer_of(browser, tmp_path)
    first.labels.initials.value = second.labels.initials.value = "AB"
    first.pressed("v")
    first.pressed("1")  # had seen the answer
    first.pressed("ArrowRight")
    first.pressed("2")
    (path,) = tmp_path.glob("*.csv")
    second.labels.file.refresh()
    second.pressed("3")
    assert [(m.label, m.seen_model) for m in read_labels(path).marks] == [
        ("gpd", True),
        ("lpd", True),
    ]
    second.labels.file.remove(0)
    first.pressed("4")  # in place of LPD, whose place is another by now
    first.pressed("u")
    assert [m.label for m in read_labels(path).marks] == ["lpd"]
    second.labels.file.refresh()
    second.labels.file.remove(0)
    first.labels.file.refresh()
    first.pressed("u")
    assert "changed or removed by another p" in first.labels.said.text
    assert read_labels(path).marks == ()


def test_a_window_that_is_marked_again_keeps_its_text(store: Store, tmp_path: Path) -> None:
    viewer = viewer_of(open_browser(store.path), tmp_path)
    viewer.labels.initials.value = "AB"
    viewer.pressed("1")
    (mark,) = viewer.labels.file.marks
    viewer.labels.file.replace(0, replace(mark, text="from a spreadsheet"))
    viewer.pressed("3")
    (path,) = tmp_path.glob("*.csv")
    assert [(m.label, m.text) for m in read_labels(path).marks] == [("gpd", "from a spreadsheet")]
