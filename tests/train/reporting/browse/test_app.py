"""The page without a browser: what happens when its widgets and keys are used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document

from hmsstore.view import Importance
from hmstrain.errors import ModelError
from hmstrain.reporting.browse.app import Viewer
from hmstrain.reporting.browse.browser import Browser, Filter


@dataclass
class Driven:
    """A page without a browser: its widgets are set as one would by hand."""

    viewer: Any
    document: Any

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            self.viewer.widgets[name].value = value

    @property
    def text(self) -> str:
        return str(self.viewer.about.text)

    def tick(self) -> None:
        for callback in list(self.document.session_callbacks):
            self.document.remove_next_tick_callback(callback)
            callback.callback()


@pytest.fixture
def driven(browser: Browser) -> Driven:
    def explain(row: int) -> Importance:
        if row == browser.find(Filter(split=1))[1]:
            raise ModelError("it cannot be explained")
        return Importance(f"why {row}", {"LL": np.ones(9, np.float32)})

    document = Document()
    viewer = Viewer(browser, explain)
    viewer.attach_to(document)
    return Driven(viewer, document)


def test_a_run_is_shown_from_its_test_windows_on(driven: Driven, browser: Browser) -> None:
    rows = browser.find(Filter(split=1))
    assert driven.viewer.rows.tolist() == rows.tolist()
    driven.set(split="any")
    assert len(driven.viewer.rows) == len(browser.store)
    driven.set(patient=str(browser.store.windows["eeg_id"][rows[0]]))
    assert (
        browser.store.windows["eeg_id"][driven.viewer.rows]
        == browser.store.windows["eeg_id"][rows[0]]
    ).all()
    driven.set(patient=str(browser.store.windows["patient_id"][rows[0]]))
    assert set(browser.store.windows["patient_id"][driven.viewer.rows]) == {
        browser.store.windows["patient_id"][rows[0]]
    }


def test_where_nothing_fits_nothing_is_drawn_and_no_key_does_harm(driven: Driven) -> None:
    driven.set(patient="nobody")
    assert "No window matches" in driven.text
    assert not driven.viewer.traces.figure.visible
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "e", "x"):
        driven.viewer.pressed(key)
    driven.set(montage="average", place=7, notch="50 Hz", band="1-15 Hz", gain="100")
    driven.tick()
    driven.set(patient="")
    assert driven.viewer.traces.figure.visible
    assert "EEG" in driven.text
    assert driven.viewer.traces.figure.title.text.startswith("100 uV apart, 1-15 Hz, without 50 Hz")
    assert "Fp1-avg" in driven.viewer.traces.figure.yaxis[0].major_label_overrides.values()


def test_larger_and_smaller_traces_by_key(driven: Driven) -> None:
    driven.set(gain="100")
    for key, step in (("ArrowUp", 70), ("ArrowDown", 100), ("ArrowDown", 150)):
        driven.viewer.pressed(key)
        assert driven.viewer.spacing_uv == step
    driven.set(gain="10")
    driven.viewer.pressed("ArrowUp")
    assert driven.viewer.spacing_uv == 10


def test_an_explanation_is_of_the_window_shown_and_its_failure_is_told(driven: Driven) -> None:
    viewer, rows = driven.viewer, driven.viewer.rows
    viewer.pressed("e")
    assert viewer.widgets["explain"].disabled
    viewer.pressed("e")  # one is under way
    driven.tick()
    assert f"why {rows[0]}" in driven.text
    assert len(viewer.traces.strips.data["image"]) > 0
    assert not viewer.widgets["explain"].disabled
    viewer.pressed("ArrowRight")
    assert viewer.traces.strips.data["image"] == []
    viewer.pressed("e")
    driven.tick()
    assert "it cannot be explained" in driven.text
    viewer.pressed("ArrowRight")
    viewer.pressed("e")
    viewer.pressed("ArrowRight")  # away before it is done
    driven.tick()
    assert "why" not in driven.text
    assert viewer.importance is None


def test_an_address_leads_to_a_window_even_one_that_the_filters_leave_out(
    driven: Driven, browser: Browser
) -> None:
    row = int(browser.store.select("train")[2])
    assert row not in driven.viewer.rows
    driven.viewer.pressed(f"#row={row}")
    assert driven.viewer.here.text == f"row={row}"
    assert str(browser.store.windows["eeg_id"][row]) in driven.text
    for wrong in ("", "-1", "999999999", "x", "9" * 40):
        driven.viewer.pressed(f"#row={wrong}")
        assert driven.viewer.here.text == f"row={row}"
        last = len(browser.store) - 1
        said = f"Expected a row from 0 to {last} in the address, got &#x27;{wrong[:18]}&#x27;."
        assert driven.viewer.told.text == said
    driven.viewer.pressed("ArrowRight")
    assert driven.viewer.told.text == ""
    assert driven.viewer.here.text == f"row={row + 1}"


def test_filters_that_an_address_leaves_behind_are_taken_off_for_all_to_see(
    driven: Driven, browser: Browser
) -> None:
    test, train = (int(browser.store.select(split)[0]) for split in ("test", "train"))
    driven.set(votes_cast=1, order="disagreement")
    driven.viewer.pressed(f"#row={test}")
    assert driven.viewer.told.text == ""
    assert driven.viewer.filters.wanted == Filter(split=1, votes=1, order="disagreement")
    driven.viewer.pressed(f"#row={train}")
    told = f"Row {train} does not match the filters, so they were cleared."
    assert driven.viewer.told.text == told
    assert driven.viewer.filters.wanted == Filter(order="disagreement")
    assert driven.viewer.rows.tolist() == browser.find(Filter(order="disagreement")).tolist()
    driven.set(patient="no number", order="loss")
    assert driven.viewer.told.text == ""
    lost = int(np.flatnonzero(~browser.predicted)[0])
    driven.viewer.pressed(f"#row={lost}")  # without an answer there is no loss to order by
    assert driven.viewer.here.text == f"row={lost}"
    assert driven.viewer.filters.wanted == Filter()
    assert driven.viewer.filters.number == ""
    driven.viewer.move(1)
    assert driven.viewer.told.text == ""


def test_an_answer_comes_for_a_window_that_had_none_and_its_failure_is_told(
    browser: Browser,
) -> None:
    asked: list[int] = []
    unknown = np.full_like(browser.prediction, np.nan)
    opened = replace(browser, prediction=unknown, said={})

    def answer(row: int) -> None:
        asked.append(row)
        if len(asked) == 2:
            raise ModelError("it cannot answer")
        opened.take(row, np.full(opened.prediction.shape[1], 1 / 6), "predicted now")

    document = Document()
    viewer = Viewer(opened, None, answer)
    viewer.attach_to(document)
    driven = Driven(viewer, document)
    viewer.pressed("#row=0")
    viewer.pressed("ArrowRight")
    driven.tick()  # the first window is no longer shown
    assert asked == [1]
    assert "0.17, predicted now" in driven.text
    again = Viewer(opened, None, answer)  # another reader's page says so, too
    again.pressed("#row=1")
    assert "0.17, predicted now" in again.about.text
    viewer.pressed("ArrowRight")
    driven.tick()
    assert "no answer: it cannot answer" in driven.text
    viewer.pressed("ArrowLeft")
    driven.tick()
    assert asked == [1, 2]
