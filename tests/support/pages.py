"""Pages that are served by a process of their own, and a real browser to open them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip

SOCKETS = """
window.sockets = []
window.WebSocket = class extends WebSocket {
  constructor(...how) { super(...how); window.sockets.push(this) }
}
"""
"""Runs in a page before its scripts do."""


@contextmanager
def serving(*words: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address of the page of `hmstrain view`, and the process that serves it."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HMS_")}
    program = subprocess.Popen(
        [sys.executable, "-m", "hmstrain", "view", *map(str, words), "--no-browser"],
        stderr=subprocess.PIPE, text=True, env=clean,
    )  # fmt: skip
    said = ""
    try:
        assert program.stderr is not None
        for line in program.stderr:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", line):
                yield found[0], program
                return
        raise AssertionError(f"it never said where the page is: {said}")
    finally:
        program.terminate()
        program.communicate()


def cut_off(page: Any) -> None:
    """Close the connection of a page to its server, and wait until it is there again."""
    with page.expect_event("load"):
        page.evaluate("sockets.at(-1).close()")
    page.wait_for_selector("main:not(.waiting)")


def hold(page: Any, key: str) -> None:
    """Hold a key down until it has repeated twice."""
    for _ in range(3):
        page.keyboard.down(key)
    page.keyboard.up(key)


@contextmanager
def launched() -> Iterator[Any]:
    """A real browser; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: on Debian, apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
