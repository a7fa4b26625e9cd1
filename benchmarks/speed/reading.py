"""A day of EEG in the page of `hmstrain view`, in headless Chromium: how long until it is there.

A simulated recording is opened as it is, and imported; pages are turned while its trends are
computed and after that, beside a page of the same library that is empty; two readers mark it, the
server is killed under them, and what they marked is merged into votes and built. `--prepare` makes
the recording and its import beforehand.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import edfio
import numpy as np
from bokeh.document import Document
from bokeh.models import CustomJS, Div, TextInput
from bokeh.plotting import figure

from benchmarks.tools.conditions import module, timed
from benchmarks.tools.footprint import descendants, measured, memory_kb
from benchmarks.tools.record import command_line, write_record
from hmsprep.simulator.background import draw_patient
from hmsprep.simulator.scene import Period, simulate
from hmsstore import CHANNELS, Store
from hmsstore.labels import read_labels
from hmstrain.reading.page.commands import KEEP, LISTEN
from hmstrain.reporting.served import address, run_until_stopped, serve_pages

RATE_HZ = 200
BLOCK_S = 1_200
"""Simulated; a longer recording repeats it."""
NOTE = (
    "A simulated recording in headless Chromium, imported, and of the file: as it is, while it is "
    "imported. Server: from the command to its address. First page: from the request to two frames "
    "after the traces are there, of a server that has just started. A turn: from the key "
    "to two frames after the page is there; the empty page is one of the same library without "
    "EEG, trends or widgets. Trends: all of the recording, while pages are turned. Memory is of "
    "the server's process tree, own. Marks: those in the files of two readers after the server "
    "was killed by SIGKILL right after the last one was shown."
)
TURN = """async (key) => {
  const frame = () => new Promise(requestAnimationFrame)
  const before = location.hash, begun = performance.now()
  document.dispatchEvent(new KeyboardEvent("keydown", {key}))
  while (location.hash === before && performance.now() - begun < 30000) await frame()
  await frame(); await frame()
  return performance.now() - begun
}"""
KEYS = {"montage": "m", "low filter": "l"}


class Empty:
    """A page with nothing but an empty figure, whose keys count."""

    def attach_to(self, document: Document) -> None:
        """Put the page into a document."""
        told, here = TextInput(visible=False), Div(visible=False)
        count = iter(range(1_000_000))

        def pressed(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
            here.text = f"at={next(count)}"

        told.on_change("value", pressed)
        here.js_on_change("text", CustomJS(args={"here": here}, code=KEEP))
        listening = {"told": told, "here": here, "keys": ["ArrowRight"]}
        document.js_on_event("document_ready", CustomJS(args=listening, code=LISTEN))
        for root in (told, here, figure(height=640, sizing_mode="stretch_width")):
            document.add_root(root)


def serve_empty() -> None:
    """Serve the empty page until this process is ended."""
    server = serve_pages(Empty)
    run_until_stopped(server, lambda: print(address(server), file=sys.stderr, flush=True))


def write_recording(path: Path, minutes: int) -> None:
    """Simulate twenty minutes with periodic discharges and a seizure; repeat their records."""
    rng = np.random.default_rng(0)
    shares = 0.95 * np.eye(6) + 0.01
    periods = [Period(120.0, 240.0, shares[0]), Period(400.0, 600.0, shares[1])]
    block_s = min(BLOCK_S, minutes * 60)
    eeg_uv = simulate(rng, draw_patient(rng), periods, block_s * RATE_HZ)
    signals = [
        edfio.EdfSignal(
            values.astype(np.float64), RATE_HZ, label=name, physical_dimension="uV",
            physical_range=(-3_250, 3_250),
        )
        for name, values in zip(CHANNELS, eeg_uv, strict=True)
    ]  # fmt: skip
    edfio.Edf(signals).write(path)
    content = path.read_bytes()
    head, records = int(content[184:192]), int(content[236:244])
    times = max(1, minutes * 60 // block_s)
    with path.open("wb") as file:
        file.write(content[:236] + str(records * times).ljust(8).encode() + content[244:head])
        for _ in range(times):
            file.write(content[head:])


class Peak:
    """The most memory that a process tree has had."""

    def __init__(self, pid: int) -> None:
        self.pid, self.kb, self.stopped = pid, 0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self.stopped.wait(0.25):
            self.kb = max(self.kb, sum(memory_kb(pid)[0] for pid in descendants(self.pid)))


@contextmanager
def serving(words: list[str]) -> Iterator[tuple[str, subprocess.Popen[str], float]]:
    """Address of a page, its process, and the seconds until it said so."""
    begun = time.perf_counter()
    program = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert program.stderr is not None
        for line in program.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", line):
                yield found[0], program, time.perf_counter() - begun
                return
        sys.exit(f"{' '.join(words)} never said where its page is")
    finally:
        program.terminate()
        program.communicate()


def opened(browser: Any, url: str) -> tuple[Any, float]:
    """A page, and the seconds until two frames after it is drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    begun = time.perf_counter()
    page.goto(url)
    page.wait_for_selector("canvas")
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    return page, time.perf_counter() - begun


def turns(page: Any, key: str, count: int) -> str:
    """Median and range of so many key presses, in seconds."""
    found = sorted(page.evaluate(TURN, key) / 1000 for _ in range(count))
    return f"{statistics.median(found):.3f} ({found[0]:.3f}-{found[-1]:.3f})"


def mark(page: Any, initials: str, keys: str) -> None:
    """Mark pages one after the other as one reader."""
    for key in ("i", *initials, "Enter", "Escape"):
        page.keyboard.press(key)
    page.wait_for_selector("#side :text('has marked nothing')")
    for count, key in enumerate(keys, start=1):
        page.keyboard.press(key)
        page.wait_for_function(
            "(count) => [...document.querySelectorAll('#side *')].some((one) => one.shadowRoot && "
            "one.shadowRoot.querySelectorAll('ol li').length >= count)",
            arg=count,
        )
        page.evaluate(TURN, "ArrowRight")


def prepare(folder: Path, minutes: int) -> float | None:
    """Make the recording and its import, where they are not there; seconds of the import."""
    folder.mkdir(parents=True, exist_ok=True)
    recording, data = folder / "day.edf", folder / "data"
    if not recording.is_file():
        write_recording(recording, minutes)
    if data.is_dir():
        return None
    importing = measured(module("hmsprep", "import", recording, data, "--unlabelled"))
    return float(importing["seconds"])


def read_file(folder: Path, recording: Path, pages: int, browser: Any) -> dict[str, Any]:
    """Open a recorder's file that was never imported, and turn pages meanwhile."""
    words = module("hmstrain", "view", recording, "--cache", folder / "fresh", "--no-browser")
    with serving(words) as (url, _, started_s):
        page, first_s = opened(browser, url)
        found = {"server s": round(started_s, 2), "first page s": round(first_s, 2)}
        found |= {"turn s": turns(page, "ArrowRight", pages)}
        page.close()
    return {f"of the file: {name}": value for name, value in found.items()}


def read(folder: Path, prepared: Path, minutes: int, pages: int, browser: Any) -> dict[str, Any]:
    """Import, open, turn, mark, kill, merge and build."""
    import_s = prepare(prepared, minutes)
    recording, data = prepared / "day.edf", prepared / "data"
    cache, labels = folder / "cache", folder / "labels"
    words = module("hmstrain", "view", data, "--cache", cache, "--labels", labels, "--no-browser")
    row: dict[str, Any] = {"minutes": minutes}
    row |= {} if import_s is None else {"import s": import_s}
    row |= read_file(folder, recording, pages, browser)
    with serving(words) as (url, program, started_s):
        peak = Peak(program.pid)
        page, first_s = opened(browser, url)
        begun = time.perf_counter()
        row |= {"server s": round(started_s, 2), "first page s": round(first_s, 2)}
        row["turn s, trends coming"] = turns(page, "ArrowRight", pages)
        while not list(cache.rglob("trends-*.npz")):
            time.sleep(0.2)
        row["trends s"] = round(time.perf_counter() - begun, 1)
        row["turn s"] = turns(page, "ArrowRight", pages)
        for name, key in KEYS.items():
            row[f"{name} s"] = turns(page, key, 5)
        strips = page.locator("#strips .bk-Figure").bounding_box()
        page.mouse.click(strips["x"] + 0.7 * strips["width"], strips["y"] + strips["height"] / 2)
        page.wait_for_timeout(500)
        row["jump to"] = dict(
            part.split("=") for part in page.evaluate("location.hash.slice(1)").split("&")
        )["at"]
        mark(page, "AB", "1122")
        other, again_s = opened(browser, url)
        row["later page s"] = round(again_s, 2)
        mark(other, "CD", "1133")
        program.send_signal(signal.SIGKILL)
        program.wait()
        peak.stopped.set()
        row["own MiB"] = round(peak.kb / 1024)
    files = sorted(labels.glob("*.csv"))
    row["marks"] = "+".join(
        str(len(read_labels(path).marks)) for path in files if "events" not in path.name
    )
    votes, store = folder / "votes.csv", folder / "day.zarr"
    timed(module("hmsprep", "votes", data, labels, "--out", votes))
    timed(module("hmsprep", "build", data, store, "--table", votes))
    row["windows built"] = len(Store.open(store))
    return row


def main() -> None:
    """Measure, and write the record."""
    if sys.argv[1:] == ["--empty"]:
        serve_empty()
        return
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=int, default=1_440, help="length of the recording")
    parser.add_argument("--pages", type=int, default=50, help="pages to turn")
    parser.add_argument("--prepared", type=Path, help="folder of a recording and its import")
    parser.add_argument("--prepare", action="store_true", help="only make what --prepared names")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="browser to start")
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.prepared, arguments.minutes)
        return
    from playwright.sync_api import sync_playwright

    folder = Path(tempfile.mkdtemp(prefix="hms-reading-"))
    prepared = arguments.prepared or folder
    try:
        with sync_playwright() as running:
            browser = running.chromium.launch(
                executable_path=arguments.chromium, args=["--no-sandbox"]
            )
            row = read(folder, prepared, arguments.minutes, arguments.pages, browser)
            empty = [sys.executable, "-m", "benchmarks.speed.reading", "--empty"]
            with serving(empty) as (url, _, _):
                page, first_s = opened(browser, url)
                row["empty page s"] = round(first_s, 2)
                row["empty turn s"] = turns(page, "ArrowRight", arguments.pages)
            browser.close()
        row["load"] = f"{os.getloadavg()[0]:.1f} of {os.cpu_count()} processors"
        write_record("reading", [row], NOTE, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
