"""Coroutines -> results, several at once on a thread of their own, and progress on the way.

The caller's thread only waits and reports, so Ctrl-C and TERM reach it at once, and a notebook's
own event loop is not in the way.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import cache
from typing import Any, TypeVar

from hmsprep.errors import ParameterError

T = TypeVar("T")
Task = TypeVar("Task")

TICK_S = 0.1
"""How often progress is reported."""
LAST_STEPS_S = 0.5
"""How long the end of the process waits for obstore's threads. They hand over an answer before they
have left Python, and up to 3.13 a process that ends meanwhile is aborted instead (SIGABRT)."""


def in_background(work: Callable[[], Coroutine[Any, Any, T]], tick: Callable[[], object]) -> T:
    """Run a coroutine to its end on a thread of its own.

    Parameters
    ----------
    work : callable
        Makes the coroutine.
    tick : callable
        Called in this thread now and then, and once at the end.

    Raises
    ------
    Exception
        What the coroutine raised.
    KeyboardInterrupt
        As it came; the coroutine is cancelled then, and has ended.
    """
    _wait_at_the_end()
    outcome: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def held() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await work()

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(held()))
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="transport", daemon=True)
    thread.start()
    try:
        while not wait_for([outcome], timeout=TICK_S).done:
            tick()
        tick()
        return outcome.result()
    except BaseException:
        if not outcome.done():
            loop, task = started.result()
            loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        thread.join()


@cache
def _wait_at_the_end() -> None:
    atexit.register(time.sleep, LAST_STEPS_S)


async def each(
    work: Callable[[Task], Awaitable[object]], tasks: Iterable[Task], at_once: int
) -> None:
    """Run a coroutine function on each task, so many at once; the first error ends the others.

    Raises
    ------
    ParameterError
        None at once.
    """
    if at_once < 1:
        raise ParameterError(f"--at-once {at_once}: expected 1 or more.")
    queue = iter(tasks)

    async def take() -> None:
        for task in queue:
            await work(task)

    takers = [asyncio.ensure_future(take()) for _ in range(at_once)]
    try:
        await asyncio.gather(*takers)
    finally:
        for taker in takers:
            if not taker.cancelling():  # a second time would interrupt what it tidies up
                taker.cancel()
        await asyncio.gather(*takers, return_exceptions=True)
