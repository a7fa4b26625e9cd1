"""The facts of the 10-20 system."""

from __future__ import annotations

import numpy as np
import pytest

from hmsstore import CHAINS, CHANNELS, FEATURES, REGIONS, montage
from hmsstore.montage import mirrored, mirrored_region, positions, region_side, side


def test_the_montage_is_the_double_banana_with_the_midline() -> None:
    assert len(montage.PAIRS) == 18
    assert montage.PAIRS[:4] == (("Fp1", "F7"), ("F7", "T3"), ("T3", "T5"), ("T5", "O1"))
    assert montage.PAIRS[16:] == (("Fz", "Cz"), ("Cz", "Pz"))
    names = [(CHANNELS[f], CHANNELS[b]) for f, b in zip(montage.FRONT, montage.BACK, strict=True)]
    assert names == list(montage.PAIRS)


def test_swapping_exchanges_mirrored_electrodes_and_regions_and_undoes_itself() -> None:
    swapped = [CHANNELS[i] for i in montage.SWAPPED_CHANNELS]
    pairs = dict(zip(CHANNELS, swapped, strict=True))
    assert (pairs["Fp1"], pairs["T6"], pairs["Cz"], pairs["EKG"]) == ("Fp2", "T5", "Cz", "EKG")
    for left, right in (("LL", "RL"), ("LP", "RP")):
        assert [pairs[e] for e in CHAINS[left]] == list(CHAINS[right])
    features = [FEATURES[i] for i in montage.SWAPPED_FEATURES]
    assert features[0] == "RL_0.59"
    assert features[-1] == "LP_19.92"
    for places in (montage.SWAPPED_CHANNELS, montage.SWAPPED_FEATURES):
        assert [places[i] for i in places] == list(range(len(places)))


def test_electrodes_lie_left_and_right_as_their_numbers_say_and_mirror_each_other() -> None:
    at = positions()
    assert len(at) == 19
    for name, (x, y) in at.items():
        assert np.hypot(x, y) < 1
        if name.endswith("z"):
            assert abs(x) < 1e-9
        elif int(name[-1]) % 2:
            assert x < 0
            other = at[f"{name[:-1]}{int(name[-1]) + 1}"]
            assert other == pytest.approx((-x, y))
    assert at["Fp1"][1] > at["F3"][1] > at["C3"][1] > at["P3"][1] > at["O1"][1]
    assert at["C3"] == pytest.approx((-0.4, 0))
    assert at["T3"] == pytest.approx((-0.8, 0))


def test_sides_and_mirror_images_agree_with_each_other_and_with_the_map() -> None:
    at = positions()
    for name in montage.ELECTRODES:
        x = at[name][0]
        assert side(name) == ("midline" if abs(x) < 1e-9 else "left" if x < 0 else "right")
        assert at[mirrored(name)] == pytest.approx((-x, at[name][1]))
    assert side("EKG") == "midline"
    for region, chain in montage.ALL_CHAINS.items():
        assert {region_side(region)} == {side(name) for name in chain}
        assert montage.ALL_CHAINS[mirrored_region(region)] == tuple(mirrored(e) for e in chain)


def test_chains_have_titles_and_come_in_the_order_of_the_spectrograms_regions() -> None:
    assert list(montage.ALL_CHAINS) == list(montage.CHAIN_TITLES) == [*REGIONS, "midline"]
