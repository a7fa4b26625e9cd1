"""The page to browse windows: which it finds, and how it works in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from support.helpers import Program, build_store
from support.runs import train_small

from hmsstore import CLASSES, Store
from hmsstore.schema import CLASS_TITLES
from hmsstore.view import Importance
from hmstrain.errors import DataError, ModelError
from hmstrain.reporting.browse.browser import Browser, Filter, open_browser
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.metrics import kl_rows

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip
PROGRAM = Program("hmstrain")


@pytest.fixture(scope="module")
def folder(store: Store, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run."""
    path = tmp_path_factory.mktemp("run") / "one"
    train_small(store, path, epochs=1)
    return RunFolder(path)


@pytest.fixture(scope="module")
def browser(folder: RunFolder) -> Browser:
    """That run and its store."""
    return open_browser(folder.path)


def test_a_wish_finds_just_the_windows_that_fit(browser: Browser) -> None:
    table = browser.store.windows
    assert len(browser.find(Filter())) == len(browser.store)
    for code in range(len(CLASSES)):
        found = browser.find(Filter(consensus=code, votes=10))
        fits = (table["expert_consensus"] == code) & (table["votes"].sum(axis=1) >= 10)
        np.testing.assert_array_equal(found, np.flatnonzero(fits))
    patient, eeg = int(table["patient_id"][7]), int(table["eeg_id"][7])
    assert (table["patient_id"][browser.find(Filter(patient=patient))] == patient).all()
    assert 7 in browser.find(Filter(eeg=eeg))
    assert len(browser.find(Filter(patient=-5))) == 0
    test = browser.find(Filter(split=1))
    np.testing.assert_array_equal(test, browser.store.select("test"))


def test_losses_are_the_metric_and_order_the_windows(browser: Browser, folder: RunFolder) -> None:
    with np.load(folder.path / "predictions.npz") as saved:
        rows, prediction = saved["row"], saved["prediction"]
    expected = kl_rows(browser.store.windows["target"][rows], prediction)
    np.testing.assert_array_equal(browser.loss[rows], expected)
    found = browser.find(Filter(order="loss"))
    assert sorted(found.tolist()) == sorted(rows.tolist())
    assert (np.diff(browser.loss[found]) <= 0).all()
    wrong = browser.find(Filter(answer="wrong"))
    answer = browser.prediction[wrong].argmax(axis=1)
    assert (answer != browser.store.windows["expert_consensus"][wrong]).all()
    right = browser.find(Filter(answer="right"))
    assert sorted([*wrong, *right]) == sorted(rows.tolist())
    found = browser.find(Filter(predicted=int(prediction[0].argmax())))
    assert rows[0] in found


def test_disagreement_comes_first_and_unlabelled_windows_last(browser: Browser) -> None:
    target = browser.store.windows["target"]
    found = browser.find(Filter(order="disagreement"))
    agreed = target[found].max(axis=1)
    assert (np.diff(agreed) >= 0).all()
    everywhere = browser.find(Filter(order="random"))
    assert sorted(everywhere.tolist()) == list(range(len(target)))
    assert everywhere.tolist() != sorted(everywhere.tolist())


def test_a_window_is_described_with_votes_and_the_model(browser: Browser) -> None:
    row = int(browser.store.select("test")[0])
    about = browser.about(row)
    votes = browser.store.windows["votes"][row]
    assert f"of {votes.sum()}" in about["votes"]
    best = CLASS_TITLES[int(browser.prediction[row].argmax())]
    assert about["model"].startswith(best)
    assert about["loss"] == f"KL {browser.loss[row]:.2f}"
    untested = browser.about(int(browser.store.select("train")[0]))
    assert untested["model"] == "no prediction stored for train windows"


def test_a_store_can_be_browsed_by_itself_and_another_runs_is_refused(
    store: Store, folder: RunFolder, data: Path, tmp_path: Path
) -> None:
    alone = open_browser(store.path)
    assert not alone.predicted.any()
    assert len(alone.find(Filter(order="loss"))) == 0
    other = build_store(data, tmp_path / "other.zarr", nan="mean")
    with pytest.raises(DataError, match="is of another store"):
        open_browser(folder.path, other.path)
    assert "Expected a store" in PROGRAM.fail("view", tmp_path / "nothing", "--no-browser")


@contextmanager
def served(*words: object) -> Iterator[str]:
    """Address of the page while it is served."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HMS_")}
    program = subprocess.Popen(
        [sys.executable, "-m", "hmstrain", "view", *map(str, words), "--no-browser"],
        stderr=subprocess.PIPE, text=True, env=clean,
    )  # fmt: skip
    try:
        assert program.stderr is not None
        for line in program.stderr:
            if found := re.search(r"http://localhost:\d+/", line):
                yield found[0]
                return
        raise AssertionError("it never said where the page is")
    finally:
        program.terminate()
        program.communicate()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: on Debian, apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


def opened(chromium: Any, address: str, **how: Any) -> Any:
    """A page on which a window is shown, and all that it asked for."""
    page = chromium.new_page(**how)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("websocket", lambda socket: page.asked.append(socket.url))
    page.goto(address)
    page.wait_for_selector("table >> text=patient")
    return page


def about(page: Any, words: str) -> str:
    """What the page says of the window, once these words are in it."""
    page.wait_for_selector(f"table >> text={words}", timeout=60_000)
    return str(page.inner_text("table"))


def test_the_page_steps_filters_and_explains(
    chromium: Any, folder: RunFolder, browser: Browser
) -> None:
    with served(folder.path) as address:
        page = opened(chromium, address, viewport={"width": 1280, "height": 900})
        rows = browser.find(Filter(split=1))
        for press, at in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
            page.keyboard.press(press)
            where = browser.about(int(rows[at]))
            assert where["EEG"] in about(page, where["EEG"])
        page.click("button:has-text('next')")
        about(page, browser.about(int(rows[2]))["EEG"])

        chosen = Filter(answer="wrong", split=1)
        page.get_by_label("answers").select_option("wrong")
        page.wait_for_selector(f"text=of {len(browser.find(chosen)):,} windows")
        page.get_by_label("order").select_option("largest loss first")
        worst = int(browser.find(replace(chosen, order="loss"))[0])
        assert f"KL {browser.loss[worst]:.2f}" in about(page, f"KL {browser.loss[worst]:.2f}")

        page.click("button:has-text('explain')")
        assert "deletion" in about(page, "deletion")
        hosts = {urlsplit(url).hostname for url in page.asked if not url.startswith("data:")}
        assert hosts == {"localhost"}
        page.close()


def test_a_phone_shows_everything_without_scrolling_sideways(chromium: Any, store: Store) -> None:
    with served(store.path) as address:
        page = opened(chromium, address, viewport={"width": 390, "height": 844}, has_touch=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for name in ("eeg", "side"):
            box = page.locator(f"#{name}").first.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert not page.locator("button:has-text('explain')").is_visible()
        page.close()


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
    from bokeh.document import Document

    from hmstrain.reporting.browse.app import Viewer

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


def test_a_page_explains_the_class_it_shows_by_the_fold_that_held_it_out(
    store: Store, tmp_path: Path
) -> None:
    from hmstrain.reporting.browse.serve import explainer

    train_small(store, tmp_path / "all", fold="all", epochs=1, steps=1)
    opened = open_browser(tmp_path / "all")
    explain = explainer(opened)
    assert explain is not None
    row = int(store.select("valid", fold=1)[0])
    shown_class = CLASS_TITLES[int(opened.prediction[row].argmax())]
    note = explain(row).note
    assert f"of {shown_class} (" in note
    assert note.endswith("From the network of fold1 only")


def test_the_page_draws_negative_upwards_and_the_last_region_at_the_bottom() -> None:
    from hmsstore import CHANNELS
    from hmsstore.view import Display
    from hmstrain.reporting.browse.figures import Spectrograms, Traces

    eeg_uv = np.zeros((10_000, 20), np.float32)
    eeg_uv[5_000:5_020, CHANNELS.index("Fp1")] = -100
    traces = Traces()
    assert traces.draw(eeg_uv, Display(spacing_uv=50), None) == 50
    line, seconds = traces.lines.data["ys"][0], traces.lines.data["xs"][0]
    assert line[np.searchsorted(seconds, 25.05)] < line[0] - 0.5
    assert traces.figure.y_range.start > traces.figure.y_range.end
    pictures = Spectrograms(traces)
    log_power = np.tile(np.arange(400, dtype=np.float32), (300, 1))
    pictures.draw(log_power, None)
    image = pictures.source.data["image"][0]
    assert image.shape == (400, 300)
    assert [image[0, 0], image[99, 0], image[-1, 0]] == [300, 399, 99]


def test_thinned_traces_keep_every_extreme_in_its_place_and_zooming_in_shows_all() -> None:
    from bokeh.events import RangesUpdate

    from hmsstore.view import Display
    from hmstrain.reporting.browse.figures import THINNED, Traces, thinned

    noise = np.random.default_rng(0).normal(size=(3, 805)).astype(np.float32)
    kept = thinned(noise).reshape(3, -1, 2)
    bins = noise[:, :800].reshape(3, -1, THINNED)
    np.testing.assert_array_equal(kept.min(axis=2), bins.min(axis=2))
    np.testing.assert_array_equal(kept.max(axis=2), bins.max(axis=2))
    rising = np.arange(16, dtype=np.float32)[None]
    assert thinned(rising).tolist() == [[0, 7, 8, 15]]
    assert thinned(-rising).tolist() == [[0, -7, -8, -15]]

    traces = Traces()
    traces.draw(np.zeros((10_000, 20), np.float32), Display(), None)
    assert {len(y) for y in traces.lines.data["ys"]} == {2_500}
    assert {len(x) for x in traces.lines.data["xs"]} == {2_500}
    for end, samples in ((10.0, 10_000), (50.0, 2_500)):
        traces.figure._trigger_event(RangesUpdate(traces.figure, x0=0, x1=end, y0=20, y1=0))
        assert {len(y) for y in traces.lines.data["ys"]} == {samples}


def test_only_this_machine_is_served(browser: Browser) -> None:
    from hmstrain.reporting.browse.serve import LOOPBACK, make_server

    server = make_server(browser)
    try:
        assert {sock.getsockname()[0] for sock in server._http._sockets.values()} == {LOOPBACK}
    finally:
        server.stop()
