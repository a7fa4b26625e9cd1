"""Coroutines on a thread of their own end in order, and so does the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from hmsprep.sealed.transport.background import each, in_background

ENDING = """
import threading, time
from hmsprep.sealed.transport.background import in_background

def still_busy():
    time.sleep(0.1)
    print("ended")

async def work():
    threading.Thread(target=still_busy, daemon=True).start()

in_background(work, lambda: None)
"""


def test_the_end_of_the_process_waits_for_threads_that_have_handed_over_their_answer() -> None:
    """Those of obstore abort a process that ends before they have left Python."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_a_work_tidies_up_is_interrupted_no_second_time(error: type[BaseException]) -> None:
    tidied = []
    begun = asyncio.Event()

    async def work(task: str) -> None:
        if task == "fails":
            await begun.wait()
            raise OSError
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            tidied.append(task)

    def tick() -> None:
        if begun.is_set() and error is KeyboardInterrupt:
            raise KeyboardInterrupt

    tasks = ["waits", "waits"] + ["fails"] * (error is OSError)
    with pytest.raises(error):
        in_background(lambda: each(work, tasks, 3), tick)
    assert tidied == ["waits", "waits"]
