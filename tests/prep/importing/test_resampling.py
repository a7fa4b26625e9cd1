"""Resampling to 200 Hz in matrix products, beside scipy's polyphase filter."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hmsprep.importing.resampling import low_pass, resampled

RATES_HZ = [256, 512, 500, 1000, 250, 400, 128, 100, 2048, 199, 201, 16]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_values_are_those_of_scipys_polyphase_filter(rate_hz: int) -> None:
    from scipy.signal import resample_poly

    up, down = Fraction(200, rate_hz).as_integer_ratio()
    signal_uv = np.random.default_rng(rate_hz).normal(0, 30, 40 * rate_hz) + 1e4
    expected = resample_poly(signal_uv, up, down, window=low_pass(up, down), padtype="line")
    found = resampled(lambda a, b: signal_uv[a:b], Fraction(rate_hz), len(signal_uv), 0, 8_000)
    inner = slice(1_000, -1_000)  # scipy knows no mirror image beyond the ends
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-8)


@pytest.mark.parametrize("rate_hz", [*RATES_HZ, 8, 3])
def test_parts_are_those_of_the_whole(rate_hz: int) -> None:
    signal_uv = np.random.default_rng(rate_hz).normal(0, 30, 60 * rate_hz)
    words = (lambda a, b: signal_uv[a:b], Fraction(rate_hz), len(signal_uv))
    whole = resampled(*words, 0, 12_000)
    for first, stop in ((0, 1), (0, 999), (1_234, 5_678), (11_999, 12_000)):
        part = resampled(*words, first, stop)
        np.testing.assert_allclose(part, whole[first:stop], rtol=0, atol=1e-9)
