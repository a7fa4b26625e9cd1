"""The process ends without taking PyTorch apart, and loses nothing that Python would have done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import atexit, sys, threading, types
from hmstrain import __main__ as program

class Freed:
    def __del__(self):
        print("freed")

def main():
    atexit.register(print, "registered")
    threading.Thread(target=work).start()
    print("said")
    sys.exit({code})

def work():
    sum(range(10_000_000))
    print("thread")

kept = Freed()
if {torch}:
    sys.modules["torch"] = types.ModuleType("torch")
program.main = main
program.run()
"""


@pytest.fixture(autouse=True)
def _buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed is written at the end, as it is to a file, whatever this terminal says."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.mark.parametrize("torch", [True, False])
@pytest.mark.parametrize("code", [0, 1, 130])
def test_threads_handlers_and_what_was_printed_are_there_with_the_status(
    torch: bool, code: int
) -> None:
    script = SCRIPT.format(torch=torch, code=code)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code
    assert sorted(done.stdout.split()) == sorted(
        ["said", "thread", "registered", *(["freed"] if not torch else [])]
    )
    assert done.stdout.rstrip().endswith("registered" if torch else "freed")
    assert done.stderr == ""


def test_a_sentence_for_a_status_is_said_as_python_says_it() -> None:
    script = SCRIPT.format(torch=True, code="'no such place'")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (1, "no such place\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_an_error() -> None:
    script = (
        "import sys, types\n"
        "from hmstrain import __main__ as program\n"
        "sys.modules['torch'] = types.ModuleType('torch')\n"
        "program.main = lambda: print('said')\n"
        "program.run()\n"
    )
    words = [sys.executable, "-c", script]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode
    assert "No space left on device" in done.stderr
