"""The page as a real browser shows it, to this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.inside import Inside
from support.pages import SOCKETS, cut_off, hold, launched, serving
from support.runs import train_small

from hmsstore import Store
from hmsstore.labels import read_labels
from hmsstore.schema import CLASS_TITLES
from hmstrain.reporting.browse.browser import Browser, Filter, open_browser
from hmstrain.reporting.browse.serve import explainer, make_server
from hmstrain.reporting.served import LOOPBACK, own_hosts
from hmstrain.runs.folder import RunFolder


@contextmanager
def served(*words: object) -> Iterator[str]:
    """Address of the page while it is served."""
    with serving(*words) as (address, _):
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser."""
    with launched() as browser:
        yield browser


def opened(chromium: Any, address: str, **how: Any) -> Any:
    """A page on which a window is shown, and all that it asked for."""
    page = chromium.new_page(**how)
    page.asked = []
    page.add_init_script(SOCKETS)
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
        explain = explainer(browser)
        assert explain is not None
        assert explain(worst).note in about(page, "explanation")
        hosts = {urlsplit(url).hostname for url in page.asked if not url.startswith("data:")}
        assert hosts == {"127.0.0.1"}
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


def test_marks_of_windows_are_kept_after_the_connection_was_lost(
    chromium: Any, store: Store, tmp_path: Path
) -> None:
    with served(store.path, "--labels", tmp_path) as address:
        page = opened(chromium, address)
        page.keyboard.press("ArrowRight")
        page.wait_for_function("location.hash == '#row=1'")
        cut_off(page)
        page.get_by_label("your initials").fill("AB")
        page.keyboard.press("Enter")
        page.wait_for_selector("#sign :text('AB: 0 marks')")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("1")
        page.wait_for_selector("#sign :text('AB: 1 marks')")
        page.evaluate("sockets.at(-1).close()")
        page.wait_for_selector("#lost:has-text('Reload the page')")
        page.wait_for_timeout(1500)
        assert page.get_by_label("your initials").input_value() == "AB"  # no votes were shown
        page.reload()
        page.wait_for_selector("main:not(.waiting)")
        page.get_by_label("your initials").fill("AB")
        page.keyboard.press("Enter")
        page.wait_for_selector("#sign :text('AB: 1 marks')")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("location.hash == '#row=2'")
        page.keyboard.press("2")
        page.wait_for_selector("#sign :text('AB: 2 marks')")
        hold(page, "u")
        page.wait_for_selector("#sign :text('Taken back')")
        page.keyboard.press("3")
        page.wait_for_selector("#sign :text('Marked as GPD')")
        page.close()
    (path,) = tmp_path.glob("*.csv")
    marks = read_labels(path).marks
    assert [mark.label for mark in marks] == ["seizure", "gpd"]
    assert marks[0].eeg_id == store.windows["eeg_id"][1]


def test_a_page_of_windows_says_that_its_program_was_killed(chromium: Any, store: Store) -> None:
    with serving(store.path) as (address, program):
        page = opened(chromium, address)
        assert not page.is_visible("#lost")
        program.kill()
        program.wait()
        page.wait_for_selector("#lost:has-text('Reload the page')")
        page.close()


def test_a_key_of_the_page_is_taken_while_a_list_has_the_focus_and_with_alt_is_the_browsers(
    chromium: Any, store: Store, tmp_path: Path
) -> None:
    with served(store.path, "--labels", tmp_path) as address:
        page = opened(chromium, address)
        told = "Bokeh.documents[0].get_model_by_name('key').value"
        page.keyboard.press("Alt+ArrowRight")
        assert page.evaluate(told) == ""
        page.get_by_label("your initials").fill("AB")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=AB: 0 marks")
        page.get_by_label("montage").select_option("average")
        page.mouse.click(1, 1)
        page.get_by_label("montage").focus()  # as after a choice with the mouse
        page.keyboard.press("ArrowDown")  # the list's own
        assert page.evaluate(told) == ""
        page.keyboard.press("2")
        page.wait_for_selector("text=Marked as LPD")
        page.close()


def test_a_page_explains_the_class_it_shows_by_the_fold_that_held_it_out(
    store: Store, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "all", fold="all", epochs=1, steps=1)
    opened = open_browser(tmp_path / "all")
    explain = explainer(opened)
    assert explain is not None
    row = int(store.select("valid", fold=1)[0])
    shown_class = CLASS_TITLES[int(opened.prediction[row].argmax())]
    note = explain(row).note
    assert f"of {shown_class} (" in note
    assert note.endswith("From the network of fold1 only")


def asked(address: str, path: str, **headers: str) -> tuple[int, Any]:
    """Status and headers of an answer."""
    where = urlsplit(address)
    connection = HTTPConnection("127.0.0.1", where.port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers
    finally:
        connection.close()


SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    "Sec-WebSocket-Protocol": "bokeh",
}


def test_nobody_is_served_without_the_token_or_under_another_name(store: Store) -> None:
    with served(store.path) as address, served(store.path) as other:
        where, elsewhere = urlsplit(address), urlsplit(other)
        assert where.path != elsewhere.path
        assert len(where.path) > 40
        status, headers = asked(address, where.path)
        assert (status, headers["Set-Cookie"]) == (200, None)
        for path in ("/", "/ws", "/metadata", "/autoload.js", "/static/js/bokeh.min.js",
                     elsewhere.path, f"{elsewhere.path}ws"):  # fmt: skip
            assert asked(address, path)[0] == 404, path
        for path in (where.path, f"{where.path}autoload.js?bokeh-autoload-element=1",
                     f"{where.path}metadata", f"{where.path}static/js/bokeh.min.js"):  # fmt: skip
            assert asked(address, path)[0] == 200, path
            assert asked(address, path, Host=f"evil.example:{where.port}")[0] == 403, path
            for origin in ("http://evil.example", f"http://localhost:{elsewhere.port}", "null"):
                assert asked(address, path, Origin=origin)[0] == 403, (path, origin)
            for host in own_hosts(where.port):
                assert asked(address, path, Host=host, Origin=f"http://{host}")[0] == 200, path
        mine = {"Host": f"127.0.0.1:{where.port}"} | SOCKET
        for host in own_hosts(where.port):
            assert asked(address, f"{where.path}ws", Origin=f"http://{host}", **mine)[0] == 101
        for origin in ("http://evil.example", f"http://localhost:{elsewhere.port}"):
            assert asked(address, f"{where.path}ws", Origin=origin, **mine)[0] == 403, origin


def test_a_browser_is_led_to_the_page_by_a_file_that_only_its_user_reads(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on a browser's command line, every user of the machine sees."""
    opened: list[Path] = []

    def open_page(url: str) -> None:
        page = Path(url.removeprefix("file://"))
        assert "http://127.0.0.1:1/secret/" in page.read_text()
        assert page.parent.stat().st_mode & 0o077 == 0
        opened.append(page)

    def serve(*_: object, started: Any, **__: object) -> None:
        started("http://127.0.0.1:1/secret/", store)

    monkeypatch.setattr("webbrowser.open", open_page)
    monkeypatch.setattr("hmstrain.reading.view.view", serve)
    Inside("hmstrain").succeed("view", store.path)
    assert len(opened) == 1
    assert not opened[0].exists()


def test_only_this_machine_is_served(browser: Browser) -> None:
    server = make_server(browser)
    try:
        assert {sock.getsockname()[0] for sock in server._http._sockets.values()} == {LOOPBACK}
    finally:
        server.stop()
