"""A page of EEG shows what the whole recording, filtered at once, would show there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfreqz

from hmsstore import CHANNELS
from hmsstore.view import MONTAGES
from hmstrain.errors import ConfigError
from hmstrain.reading.page.traces import View, derive, filtered, read_page, thinned

RATE_HZ = 200.0


@dataclass
class Held:
    """A recording that lies in memory."""

    eeg_uv: NDArray[np.float32]
    rate_hz: float = RATE_HZ

    @property
    def seconds(self) -> float:
        return len(self.eeg_uv) / self.rate_hz

    def read(self, start_s: float, stop_s: float) -> NDArray[np.float32]:
        return self.eeg_uv[round(start_s * self.rate_hz) : round(stop_s * self.rate_hz)]


@pytest.fixture(scope="module")
def held() -> Held:
    """Four minutes of noise that drifts, with offsets, mains, a gap and a loose electrode."""
    rng = np.random.default_rng(1)
    seconds = np.arange(240 * 200) / RATE_HZ
    noise = rng.normal(0, 30, (len(seconds), 20)) + rng.normal(0, 2_000, 20)
    noise += 300 * np.sin(2 * np.pi * 0.02 * seconds)[:, None]
    noise += 20 * np.sin(2 * np.pi * 50 * seconds)[:, None]
    noise[100 * 200 : 103 * 200] = np.nan
    noise[110 * 200 : 111 * 200, CHANNELS.index("Cz")] = np.nan
    return Held(noise.astype(np.float32))


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View("transverse", 0.1, 30.0, 50.0),
        View("average", 1.6, 15.0),
        View("referential", 0.3, 0.0, 50.0),
        View("bipolar", 0.0, 70.0),
    ],
)
@pytest.mark.parametrize("start_s", [0.0, 60.0, 96.0, 105.0, 230.0])
def test_a_page_equals_the_whole_recording_filtered_at_once(
    held: Held, view: View, start_s: float
) -> None:
    page = read_page(held, start_s, 10.0, view)
    montage = MONTAGES[view.montage]
    raw = np.column_stack([derive(montage, held.eeg_uv), held.eeg_uv[:, -1]])
    whole = filtered(raw, RATE_HZ, view)[round(start_s * 200) :][: 10 * 200]
    shown = np.column_stack([page.uv, page.ekg])
    assert shown.shape == (2_000, len(montage.labels) + 1)
    np.testing.assert_array_equal(np.isnan(shown), np.isnan(whole))
    np.testing.assert_allclose(shown, whole, atol=0.2)  # of 30 uV of noise and 2,000 of offset


def test_without_what_lies_around_it_a_page_would_be_wrong(held: Held) -> None:
    alone = Held(held.eeg_uv[60 * 200 : 70 * 200])
    cut, page = (read_page(one, at, 10.0, View()) for one, at in ((alone, 0.0), (held, 60.0)))
    assert np.abs(cut.uv - page.uv).max() > 5


@pytest.mark.parametrize(("low", "high"), [(0.5, 70.0), (1.0, 15.0), (0.16, 35.0)])
def test_gains_are_those_of_butterworth_filters_of_order_four(low: float, high: float) -> None:
    seconds = np.arange(120 * 200) / RATE_HZ
    hz = np.asarray([low, 3.0, 8.0, high])
    _, below = sosfreqz(butter(4, low, "high", fs=2_000, output="sos"), hz, fs=2_000)
    _, above = sosfreqz(butter(4, high, "low", fs=2_000, output="sos"), hz, fs=2_000)
    sines = np.cos(2 * np.pi * hz * seconds[:, None]).astype(np.float32)
    shown = filtered(sines, RATE_HZ, View("bipolar", low, high))[50 * 200 : 75 * 200]
    gain = np.sqrt(2 * (shown**2).mean(axis=0))
    np.testing.assert_allclose(gain, np.abs(below) * np.abs(above), atol=0.01)


def test_a_page_at_the_end_holds_what_is_left(held: Held) -> None:
    page = read_page(held, 235.0, 10.0, View())
    assert len(page.uv) == 5 * 200
    assert page.start_s == 235.0
    assert len(read_page(held, 500.0, 10.0, View()).uv) == 0


def test_an_average_leaves_out_electrodes_without_a_value(held: Held) -> None:
    eeg_uv = held.eeg_uv[110 * 200 : 110 * 200 + 5]  # Cz has none
    traces = derive(MONTAGES["average"], eeg_uv, ["O1"])
    labels = list(MONTAGES["average"].labels)
    counted = [n for n, name in enumerate(CHANNELS) if name not in ("EKG", "Cz", "O1")]
    for name in ("Fp1", "O1"):
        wanted = eeg_uv[:, CHANNELS.index(name)] - eeg_uv[:, counted].mean(axis=1)
        np.testing.assert_allclose(traces[:, labels.index(f"{name}-avg")], wanted, atol=1e-2)
    assert np.isnan(traces[:, labels.index("Cz-avg")]).all()


def test_what_is_drawn_keeps_every_extreme_in_its_place() -> None:
    noise = np.random.default_rng(0).normal(size=(12_000, 3)).astype(np.float32)
    kept, size = thinned(noise, 3_000)
    assert size == 8
    assert kept.shape == (3_000, 3)
    bins = noise.reshape(-1, 8, 3)
    pairs = kept.reshape(-1, 2, 3)
    np.testing.assert_array_equal(pairs.max(axis=1), bins.max(axis=1))
    np.testing.assert_array_equal(pairs.min(axis=1), bins.min(axis=1))
    rising = np.arange(8, dtype=np.float32)[:, None]
    assert thinned(rising, 4)[0][:, 0].tolist() == [0, 3, 4, 7]
    assert thinned(noise, 12_000)[1] == 0
    noise[100] = np.nan
    assert np.isnan(thinned(noise, 3_000)[0]).any(axis=0).all()


def test_a_view_that_shows_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="Expected a montage out of bipolar"):
        View("circular")
    with pytest.raises(ConfigError, match="Expected a low filter below the high filter, got 5 and"):
        View(low_hz=5.0, high_hz=4.0)
    with pytest.raises(ConfigError, match="off"):
        View(notch_hz=float("nan"))
    assert View(notch_hz=50.0).filters == "low filter 0.5 Hz, high filter 70 Hz, notch 50 Hz"
