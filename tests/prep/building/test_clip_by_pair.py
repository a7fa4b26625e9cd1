"""Of bipolar recordings the clip holds for pairs, and samples within it are not touched."""

from __future__ import annotations

import numpy as np
import pytest

from hmsprep.building.values.clean import clean
from hmsprep.planning.parameters import Parameters
from hmsstore.montage import BACK, FRONT, PAIRS
from hmsstore.schema import CHANNELS
from hmsstore.spec import HMS


def test_pairs_beyond_the_clip_are_brought_within_it_and_the_rest_is_exact() -> None:
    eeg_uv = np.random.default_rng(0).normal(scale=50, size=(20, 400)).astype(np.float32)
    for name, offset in (("T3", 700), ("T5", 1400), ("O1", 700)):  # sums beyond the clip
        eeg_uv[CHANNELS.index(name)] += offset
    artefact = slice(100, 150)
    eeg_uv[CHANNELS.index("F7"), artefact] += 3_000
    found = clean(eeg_uv.copy(), None, HMS.eeg, Parameters(), by_pair=True)
    pairs = found[list(FRONT)] - found[list(BACK)]
    assert np.abs(pairs).max() <= 1_024.1
    outside = np.ones(400, bool)
    outside[artefact] = False
    np.testing.assert_array_equal(found[:, outside], eeg_uv[:, outside])
    alone = clean(eeg_uv.copy(), None, HMS.eeg, Parameters())
    assert np.abs(alone).max() <= 1_024


@pytest.mark.parametrize("missing", ["EKG", "O2", "T3", "Fp1"])
def test_a_missing_channel_keeps_no_recorded_pair_from_being_clipped(missing: str) -> None:
    eeg_uv = np.random.default_rng(0).normal(scale=50, size=(20, 400)).astype(np.float32)
    artefact = slice(100, 150)
    eeg_uv[CHANNELS.index("F7"), artefact] += 3_000
    whole = clean(eeg_uv.copy(), None, HMS.eeg, Parameters(), by_pair=True)
    eeg_uv[CHANNELS.index(missing), artefact] = np.nan
    gap = np.isnan(eeg_uv)
    found = clean(eeg_uv.copy(), gap, HMS.eeg, Parameters(nan="mean"), by_pair=True)
    np.testing.assert_array_equal(np.isnan(found), gap)
    pairs = found[list(FRONT)] - found[list(BACK)]
    assert np.isnan(pairs[:, artefact]).all(axis=1).sum() == sum(missing in pair for pair in PAIRS)
    assert np.nanmax(np.abs(pairs)) <= 1_024.1
    outside = np.arange(400)[~gap.any(axis=0)]
    np.testing.assert_array_equal(found[:, outside], eeg_uv[:, outside])
    if missing in ("EKG", "O2"):  # of no pair that is beyond the clip
        np.testing.assert_array_equal(found[~gap], whole[~gap])
