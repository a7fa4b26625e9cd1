"""The page of a recording in a real browser, served by a real process."""

from __future__ import annotations

import fcntl
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.pages import SOCKETS, cut_off, hold, launched, serving

from hmsstore.labels import read_labels
from hmsstore.sums import of_recording
from hmstrain.reading.cache import key_of


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser."""
    with launched() as browser:
        yield browser


def opened(chromium: Any, address: str, **how: Any) -> Any:
    """A page whose traces are drawn, and all that it asked for and complained of."""
    page = chromium.new_page(**({"viewport": {"width": 1280, "height": 900}} | how))
    page.asked, page.faults = [], []
    page.add_init_script(SOCKETS)
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#eeg canvas")
    page.wait_for_selector("main:not(.waiting)")
    return page


def shows(page: Any, at: str) -> None:
    """Wait until the page shows the stretch from a time on."""
    page.wait_for_function(f"location.hash.includes('at={at}')")


def marked(page: Any, words: str) -> None:
    """Wait until the list of marks has these words."""
    page.wait_for_selector(f"#side li:has-text('{words}')")


def sign(page: Any, initials: str) -> None:
    page.keyboard.press("i")
    page.keyboard.type(initials)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#side :text('{initials} has marked')")
    page.keyboard.press("Escape")


def test_two_readers_page_mark_and_lose_nothing_when_the_server_is_killed(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, program):
        page = opened(chromium, address)
        page.keyboard.press("ArrowRight")
        shows(page, "0:00:10")
        sign(page, "AB")
        page.keyboard.press("1")
        marked(page, "Seizure")
        page.keyboard.press("ArrowRight")
        shows(page, "0:00:20")
        page.keyboard.press("2")
        marked(page, "LPD")
        other = opened(chromium, address)
        sign(other, "CD")
        other.keyboard.press("3")
        marked(other, "GPD")
        program.send_signal(signal.SIGKILL)
        program.wait()
        page.wait_for_selector("#lost")
        assert page.faults == other.faults == []
        hosts = {urlsplit(url).hostname for url in page.asked if not url.startswith("data:")}
        assert hosts == {"127.0.0.1"}
        page.close()
        other.close()
    files = {path.name: read_labels(path) for path in (tmp_path / "labels").glob("*.csv")}
    assert sorted(files) == ["night.edf.AB.csv", "night.edf.CD.csv"]
    assert [mark.label for mark in files["night.edf.AB.csv"].marks] == ["seizure", "lpd"]
    with serving(*words) as (address, _):
        page = opened(chromium, f"{address}#at=0:00:15&montage=average")
        shows(page, "0:00:15")
        page.keyboard.press("i")
        page.keyboard.type("ab")
        page.keyboard.press("Enter")
        marked(page, "LPD")
        page.keyboard.press("Escape")
        page.keyboard.press("4")
        marked(page, "LRDA")
        page.close()
    found = read_labels(tmp_path / "labels" / "night.edf.AB.csv").marks
    assert [mark.label for mark in found] == ["seizure", "lpd", "lrda"]
    assert found[-1].view["montage"] == "average"


def test_marks_are_kept_after_the_connection_was_lost(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, _):
        page = opened(chromium, address)
        page.keyboard.press("ArrowRight")
        shows(page, "0:00:10")
        cut_off(page)
        sign(page, "AB")
        page.keyboard.press("1")
        marked(page, "Seizure")
        assert not page.is_visible("#lost")
        assert page.faults == []
        page.close()
    (mark,) = read_labels(tmp_path / "labels" / "night.edf.AB.csv").marks
    assert (mark.start_s, mark.label) == (10, "seizure")


def test_a_key_that_is_held_down_turns_pages_and_does_nothing_else_twice(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, _):
        page = opened(chromium, address)
        sign(page, "AB")
        hold(page, "1")
        marked(page, "Seizure")
        hold(page, "ArrowRight")
        shows(page, "0:00:30")
        page.focus("[data-command='mark:lpd']")
        hold(page, "Enter")
        marked(page, "LPD")
        page.keyboard.press("3")
        marked(page, "GPD")
        hold(page, "u")
        page.wait_for_selector("#side li:has-text('GPD')", state="detached")
        page.keyboard.press("4")
        marked(page, "LRDA")
        page.close()
    found = read_labels(tmp_path / "labels" / "night.edf.AB.csv").marks
    assert [mark.label for mark in found] == ["seizure", "lpd", "lrda"]


def test_a_held_key_that_leads_to_a_field_writes_nothing_into_it(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, _):
        page = opened(chromium, address)
        for key, name in (("i", "initials"), ("g", "time"), ("t", "text")):
            field = page.locator(f"[data-field={name}] input")
            before = field.input_value()
            hold(page, key)
            assert field.evaluate("one => one.getRootNode().activeElement === one")
            assert field.input_value() == before
            hold(page, key)  # once it was let go it is text
            assert field.input_value() == 3 * key
            field.fill(before)
            page.keyboard.press("Escape")
        assert page.faults == []
        page.close()


def test_a_recorders_file_is_read_and_marked_while_it_is_imported(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "cache" / key_of(of_recording(night / "night.edf"))
    kept.mkdir(parents=True)
    words = (night / "night.edf", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its import waits
        with serving(*words) as (address, _):
            page = opened(chromium, address)
            page.wait_for_selector("header :text('is being imported, 0% so far')")
            page.keyboard.press("ArrowRight")
            shows(page, "0:00:10")
            sign(page, "AB")
            page.keyboard.press("1")
            marked(page, "Seizure")
            fcntl.flock(lock, fcntl.LOCK_UN)
            page.wait_for_selector("header :text('is being imported')", state="detached")
            page.keyboard.press("ArrowRight")
            shows(page, "0:00:20")
            assert page.faults == []
            page.close()
    assert (kept / "import" / "recordings.json").is_file()
    assert len(read_labels(tmp_path / "labels" / "night.edf.AB.csv").marks) == 1


def test_clicks_lead_to_a_time_and_choose_a_stretch(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, _):
        page = opened(chromium, address, viewport={"width": 1280, "height": 1400})
        strips = page.locator("#strips .bk-Figure").bounding_box()
        page.mouse.click(strips["x"] + strips["width"] / 2, strips["y"] + strips["height"] / 2)
        page.wait_for_function("/at=0:01:[2-4]/.test(location.hash)")
        for share, name in ((0.4, "onset"), (0.7, "offset")):
            page.wait_for_timeout(500)  # sooner it would be a double click
            eeg = page.locator("#eeg .bk-Figure").bounding_box()
            page.mouse.click(eeg["x"] + share * eeg["width"], eeg["y"] + eeg["height"] / 2)
            field = page.locator(f"[data-field={name}] input").element_handle()
            page.wait_for_function("one => one.value.length > 5", arg=field)
        onset, offset = (
            page.locator(f"[data-field={name}] input").input_value() for name in ("onset", "offset")
        )
        assert re.fullmatch(r"0:01:\d\d\.\d", onset)
        assert onset < offset
        page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (1280, "dark")])
def test_nothing_is_cut_on_a_phone_and_a_dark_page_is_dark(
    chromium: Any, night: Path, tmp_path_factory: pytest.TempPathFactory, width: int, scheme: str
) -> None:
    folder = tmp_path_factory.mktemp("seen")
    words = (night / "data", "--labels", folder / "labels", "--cache", folder / "cache")
    with serving(*words) as (address, _):
        page = opened(
            chromium, address, viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("strips", "eeg", "side", "bar"):
            box = page.locator(f"#{name}").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width, name
        painted = page.evaluate("Bokeh.documents[0].get_model_by_name('eeg').background_fill_color")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        is_dark = [colour in ("#14171a", "rgb(20, 23, 26)") for colour in (painted, ground)]
        assert is_dark == [scheme == "dark"] * 2
        assert page.faults == []
        page.close()


def test_every_control_is_reached_by_the_tab_key(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, _):
        page = opened(chromium, address)
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate(
                    """() => {
                    let at = document.activeElement
                    const host = at.closest("[data-field]")
                    return host ? host.dataset.field : at.dataset.command || at.tagName
                    }"""
                )
            )
        controls = page.evaluate(
            """() => [...document.querySelectorAll("[data-field], main [data-command]")]
            .map((one) => one.dataset.field || one.dataset.command)"""
        )
        assert len(controls) > 20
        assert set(controls) <= reached
        page.close()


def test_a_key_of_the_page_is_taken_while_a_list_has_the_focus(
    chromium: Any, night: Path, tmp_path: Path
) -> None:
    words = (night / "data", "--labels", tmp_path / "labels", "--cache", tmp_path / "cache")
    with serving(*words) as (address, _):
        page = opened(chromium, address)
        sign(page, "AB")
        length = page.locator("[data-field=page] select")
        page.mouse.click(1, 1)
        length.focus()  # as after a choice with the mouse
        page.keyboard.press("2")  # or else it would choose 20 s
        marked(page, "LPD")
        assert length.input_value() == "10 s"
        page.keyboard.press("Tab")
        length.focus()  # as by the keyboard
        page.keyboard.press("2")
        page.wait_for_function("location.hash.includes('page=20')")
        page.keyboard.press("ArrowUp")  # the list's own
        page.wait_for_function("location.hash.includes('page=15')")
        assert page.locator("[data-field=sensitivity] select").input_value() == "70 uV per division"
        page.mouse.click(1, 1)
        length.focus()
        page.keyboard.press("i")
        page.keyboard.type("CD")
        page.keyboard.press("Enter")
        page.wait_for_selector("#side :text('CD has marked')")
        assert page.faults == []
        page.close()
