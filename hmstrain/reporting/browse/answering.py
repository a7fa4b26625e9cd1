"""A run and a window without a stored answer -> the run's answer, as one looks at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmstrain.models.trust import Trust
from hmstrain.reporting.browse.browser import Browser

Answer = Callable[[int], None]
"""Fills in the answer for a row of the browser's store."""


def answerer(browser: Browser, trust: Trust = False) -> Answer | None:
    """Give a function that lets the run's networks answer for a window; None without a run.

    The networks are loaded with the first window, and answer on the processor. Where the judged
    seconds were not recorded the function raises DataError.
    """
    run = browser.run
    if run is None:
        return None
    loaded: list[Any] = []

    def answer(row: int) -> None:
        import torch

        from hmstrain.data.observed import check_judged
        from hmstrain.distributed import World
        from hmstrain.prediction.ensemble import load_members, predict_rows

        check_judged(browser.store, row)
        world = World(0, 1, torch.device("cpu"))
        if not loaded:
            loaded.append(load_members((run,), world, trust=trust))
        (found,) = predict_rows(loaded[0], browser.store, np.asarray([row], np.int64), world)
        learnt = browser.own_store and browser.split_of(row) == "train"
        said = "predicted now" + "; the run may have learnt from this window" * learnt
        browser.take(row, found[0], said)

    return answer
