"""Pairs -> which of them hold EEG in each epoch, and what is wrong with the others.

Legend: P pairs, K epochs, F frequencies.
"""

from __future__ import annotations

import numpy as np

from hmstrain.reading.trends.epochs import BLOCK_EPOCHS, LEAST, MARGIN, STEP, Block, Floats
from hmstrain.reading.trends.spectrum import SMOOTHED, WINDOW_S, Power, frequencies

KINDS = ("missing", "railed", "flat", "muscle")
"""What is wrong; a pair counts for the first that holds."""
FLAT_UV, FLAT_SAMPLES_UV = 0.1, 0.02
"""A pair that spans less in an epoch is flat; samples that differ by less are the same."""
RAIL_UV, RAIL_SHARE = 1_000.0, 0.25
"""A pair is at a rail that reaches so far from 0, and so often stays where it is."""
MUSCLE_HZ, MUSCLE_UV = (25.0, 45.0), 5.0
"""Root mean square from which on a pair is full of muscle."""


def artefacts(block: Block, power_PKF: Power) -> dict[str, Floats]:
    """Share of the 18 pairs that hold no clean EEG, by what is wrong, float32 (K,) each.

    Of pairs whose power is not known, as at the ends of a recording and beside its gaps, nobody can
    tell muscle: they count like the others that may have it. It is NaN where fewer than `LEAST` of
    those are known.

    Parameters
    ----------
    block : Block
        Pairs.
    power_PKF : float32 (P, K + 4, F)
        Their power, as `power_density` gives it.
    """
    inside = block.pairs_uv_PT[:, MARGIN : MARGIN + BLOCK_EPOCHS * STEP]
    cut = inside.reshape(len(inside), BLOCK_EPOCHS, STEP)
    with np.errstate(invalid="ignore"):
        highest, lowest = cut.max(axis=2), cut.min(axis=2)  # NaN where one sample is
        still = np.abs(np.diff(cut, axis=2)) < FLAT_SAMPLES_UV
        far = np.maximum(highest, -lowest) >= RAIL_UV
        flat = highest - lowest < FLAT_UV
    hz = frequencies()
    used = (hz >= MUSCLE_HZ[0]) & (hz <= MUSCLE_HZ[1])
    around = SMOOTHED // 2
    fast = power_PKF[:, around : around + BLOCK_EPOCHS, used].sum(axis=2) / WINDOW_S
    with np.errstate(invalid="ignore"):
        muscle = np.sqrt(fast) > MUSCLE_UV
    found = {
        "missing": np.isnan(highest),
        "railed": far & (still.mean(axis=2) >= RAIL_SHARE),
        "flat": flat,
        "muscle": muscle,
    }
    taken = np.zeros(highest.shape, bool)
    shares = {}
    for kind in KINDS:
        own = found[kind] & ~taken
        taken |= own
        shares[kind] = own.mean(axis=0, dtype=np.float32)
    unknown = np.isnan(fast)
    if unknown.any():
        others = found["missing"] | found["railed"] | found["flat"]
        may, seen = (~others).sum(axis=0), (~others & ~unknown).sum(axis=0)
        share = shares["muscle"] * may / np.maximum(seen, 1)
        shares["muscle"] = np.where(seen >= LEAST * may, share, np.nan).astype(np.float32)
    return shares
