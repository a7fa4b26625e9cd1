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
    for wrong in ("#row=", "#row=-1", "#row=999999999", "#row=x", "#row=" + "9" * 40):
        driven.viewer.pressed(wrong)
        assert driven.viewer.here.text == f"row={row}"
    driven.viewer.pressed("ArrowRight")
    assert driven.viewer.here.text == f"row={row + 1}"


def test_an_answer_comes_for_a_window_that_had_none_and_its_failure_is_told(
    browser: Browser,
) -> None:
    asked: list[int] = []
    opened = replace(browser, prediction=np.full_like(browser.prediction, np.nan))

    def answer(row: int) -> str:
        asked.append(row)
        if len(asked) == 2:
            raise ModelError("it cannot answer")
        opened.take(row, np.full(opened.prediction.shape[1], 1 / 6))
        return "predicted now"

    document = Document()
    viewer = Viewer(opened, None, answer)
    viewer.attach_to(document)
    driven = Driven(viewer, document)
    viewer.pressed("#row=0")
    viewer.pressed("ArrowRight")
    driven.tick()  # the first window is no longer shown
    assert asked == [1]
    assert "0.17, predicted now" in driven.text
    viewer.pressed("ArrowRight")
    driven.tick()
    assert "no answer: it cannot answer" in driven.text
    viewer.pressed("ArrowLeft")
    driven.tick()
    assert asked == [1, 2]
