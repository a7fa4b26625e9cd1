"""A seed, a stage and an item -> the random generator of just that, whatever else is drawn."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def generator(seed: int, stage: str, *item: int) -> np.random.Generator:
    """Make the generator of one item of one stage.

    Stages are told apart by name and items by number, so neither order nor number of workers nor a
    new stage changes what any other draws.
    """
    return np.random.default_rng([seed, crc32(stage.encode()), *item])
