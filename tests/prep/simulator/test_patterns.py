"""Each simulated pattern meets the definition of its class, measured by other means."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsprep.simulator import background, course, discharges, patterns, seizures, traits
from hmsprep.simulator.head import PLACES, chain_differences, extended_field, general_field
from hmsprep.simulator.traits import Traits
from hmsstore.montage import CHAIN_PAIRS, ELECTRODES, mirrored, positions

SECONDS = 40
SAMPLES = 200 * SECONDS
SURE = 0.95
SIDES = np.asarray([np.sign(PLACES[ELECTRODES.index(pair[0])][0]) for pair in CHAIN_PAIRS])
"""Of the sixteen bipolar traces, -1 left."""
SEEDS = range(10)
TRACES = ["-".join(pair) for pair in CHAIN_PAIRS]


def drawn(seed: int, general: float, rhythmic: float) -> NDArray[np.float32]:
    """Sixteen bipolar traces (16, samples) of a pattern of the right side beyond doubt."""
    one = Traits(1.0, general, rhythmic, 0.0)
    return chain_differences(patterns.activity(np.random.default_rng(seed), one, 1, SAMPLES))


def test_the_simulated_head_is_symmetric_with_electrodes_near_their_10_20_places() -> None:
    across = [ELECTRODES.index(mirrored(name)) for name in ELECTRODES]
    assert np.array_equal(PLACES[across], PLACES * (-1, 1))
    real = np.asarray(list(positions().values()))
    real /= np.hypot(*real.T).max()  # its outer ring at a distance of 1
    apart = np.linalg.norm(PLACES[:, None] - real, axis=2)
    assert apart.argmin(axis=1).tolist() == list(range(len(ELECTRODES)))


def best(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    """The trace with the most of it."""
    return traces[np.argmax(traces.std(axis=1))]


def smooth(wave: NDArray[np.float32], samples: int) -> NDArray[np.float64]:
    return np.convolve(np.abs(wave), np.hanning(samples) / np.hanning(samples).sum(), mode="same")


def discharge_times(wave: NDArray[np.float32]) -> NDArray[np.float64]:
    """Seconds at which the smoothed size of a trace peaks, once in its own period at most."""
    from scipy.signal import find_peaks

    size = smooth(wave, 60)
    alike = np.correlate(size - size.mean(), size - size.mean(), mode="full")[SAMPLES - 1 :]
    period = 76 + int(np.argmax(alike[76:600]))  # from 0.38 to 3 s
    height = 0.35 * np.percentile(size, 99)
    return find_peaks(size, height=height, distance=0.6 * period)[0] / 200


def weaker_share(traces: NDArray[np.float32]) -> float:
    """Size of the weaker hemisphere over that of the stronger."""
    left, right = (np.median(np.sort(traces[side == SIDES].std(axis=1))[-4:]) for side in (-1, 1))
    return float(min(left, right) / max(left, right))


@pytest.mark.parametrize("general", [0.05, 0.95])
def test_periodic_discharges_repeat_with_quiet_between_them(general: float) -> None:
    """Nearly regular: most intervals differ by less than half from the one before (ACNS 2021)."""
    regular, quiet = [], []
    for seed in SEEDS:
        wave = best(drawn(seed, general, 0.05))
        times = discharge_times(wave)
        assert 0.3 <= (len(times) - 1) / (times[-1] - times[0]) <= 2.6
        assert len(times) >= 6
        intervals = np.diff(times)
        regular.append((np.abs(intervals[1:] / intervals[:-1] - 1) < 0.5).mean())
        quiet.append((smooth(wave, 20) < 0.2 * np.percentile(np.abs(wave), 99.5)).mean())
    # the rest are runs of two or three, or of both sides at their own pace
    assert (np.asarray(regular) > 0.5).mean() >= 0.8
    assert (np.asarray(quiet) > 0.3).mean() >= 0.8


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("general", [0.05, 0.95])
def test_rhythmic_delta_repeats_without_interval(seed: int, general: float) -> None:
    wave = best(drawn(seed, general, 0.95))
    power = np.abs(np.fft.rfft(wave * np.hanning(SAMPLES))) ** 2
    frequency = np.fft.rfftfreq(SAMPLES, 1 / 200)
    assert 0.5 <= frequency[np.argmax(power)] <= 4
    delta = power[(frequency >= 0.4) & (frequency <= 4)].sum() / power.sum()
    assert delta > 0.6
    loud = np.lib.stride_tricks.sliding_window_view(np.abs(wave), 400).max(axis=1)
    assert loud.min() > 0.15 * loud.max()


@pytest.mark.parametrize("rhythmic", [0.05, 0.95])
def test_lateral_patterns_are_of_one_side_and_general_ones_of_both(rhythmic: float) -> None:
    shares = {
        general: np.asarray([weaker_share(drawn(seed, general, rhythmic)) for seed in SEEDS])
        for general in (0.03, 0.97)
    }
    assert np.median(shares[0.03]) < 0.35
    assert np.median(shares[0.97]) > 0.65
    assert (shares[0.03] < 0.6).mean() >= 0.8  # the rest are bilateral and independent


@pytest.mark.parametrize(
    ("general", "rhythmic", "along"), [(0.95, 0.05, 0.35), (0.95, 0.95, 0.45), (0.05, 0.95, 0.45)]
)
def test_wide_patterns_run_from_front_to_back(
    general: float, rhythmic: float, along: float
) -> None:
    """As of real GPD and rhythmic delta, traces behind each other and beside are alike."""
    each = []
    for seed in range(40):
        one = Traits(1.0, general, rhythmic, 0.0)
        wave = patterns.activity(np.random.default_rng(seed), one, 1, SAMPLES // 2)
        each.append(np.corrcoef(chain_differences(wave)))
    alike = np.mean(each, axis=0)

    def of(first: str, second: str) -> float:
        return float(alike[TRACES.index(first), TRACES.index(second)])

    assert of("F4-C4", "C4-P4") > along
    assert of("T4-T6", "F4-C4") > along
    assert of("Fp2-F8", "Fp2-F4") < 0.77
    assert of("T4-T6", "P4-O2") < 0.6


def test_rates_and_regularity_are_those_that_were_measured() -> None:
    rng = np.random.default_rng(0)
    measured = {(0, 0): 1.0, (1, 0): 1.25, (0, 1): 1.4, (1, 1): 1.3}
    for (general, rhythmic), median in measured.items():
        one = Traits(1.0, general, rhythmic, 0.0)
        rates = [patterns.rate_of(rng, one) for _ in range(800)]
        assert np.median(rates) == pytest.approx(median, rel=0.08)
        assert 0.4 <= np.percentile(rates, 5) < np.percentile(rates, 95) <= 2.6
    for rhythmic, variation in ((0, 0.21), (1, 0.10)):
        found = [patterns.variation_of(rng, rhythmic) for _ in range(800)]
        assert np.median(found) == pytest.approx(variation, rel=0.1)


def test_beats_have_their_rate_and_variation() -> None:
    rng = np.random.default_rng(0)
    times = course.beats(rng, 1.5, 0.2, 200 * 2000)
    intervals = np.diff(times)
    assert np.mean(intervals) == pytest.approx(1 / 1.5, rel=0.02)
    assert np.std(intervals) / np.mean(intervals) == pytest.approx(0.2, rel=0.06)
    assert times[0] < 0.5
    assert times[-1] > 1999
    slower = course.beats(rng, np.linspace(4, 1, 20_000), 0.05, 20_000)
    assert np.diff(slower)[:10].mean() < 0.5 * np.diff(slower)[-10:].mean()
    phase = course.phase_of(times, 20_000)
    at = np.rint(times[(times > 1) & (times < 90)] * 200).astype(int)
    turn = phase[at] / (2 * np.pi)
    np.testing.assert_allclose(turn, np.rint(turn), atol=0.02)


@pytest.mark.parametrize(("seconds", "variation"), [(60, 0.21), (1500, 0.3), (6000, 0.4)])
def test_beats_last_to_the_end(seconds: int, variation: float) -> None:
    for seed in range(50):
        times = course.beats(np.random.default_rng(seed), 1.25, variation, 200 * seconds)
        assert times[-1] >= seconds
        assert (np.diff(times) > 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_seizures_are_faster_than_two_and_a_half_hertz_or_evolve(seed: int) -> None:
    rng = np.random.default_rng(seed)
    traces = chain_differences(seizures.seizure(rng, Traits(1.0, 0.5, 0.5, 0.98), 1, 4 * SAMPLES))
    wave = best(traces)
    rates, sizes, places = [], [], []
    for first in range(0, 4 * SAMPLES - 2000, 2000):
        part = wave[first : first + 2000] * np.hanning(2000)
        power = np.abs(np.fft.rfft(part, 2**14)) ** 2
        frequency = np.fft.rfftfreq(2**14, 1 / 200)
        inside = (frequency > 0.8) & (frequency < 15)
        rates.append(frequency[inside][np.argmax(power[inside])])
        sizes.append(np.abs(part).max())
        places.append(np.argmax(traces[:, first : first + 2000].std(axis=1)))
    fast = np.mean(np.asarray(rates) > 2.5) > 0.9
    changes = [max(rates) / min(rates) > 1.3, max(sizes) / min(sizes) > 1.4, len(set(places)) > 1]
    assert fast or sum(changes) >= 2


def test_what_raters_say_tells_where_on_the_axes_a_stretch_lies() -> None:
    rng = np.random.default_rng(0)
    pure = {
        traits.LPD: ("general", 0, "rhythmic", 0), traits.GPD: ("general", 1, "rhythmic", 0),
        traits.LRDA: ("general", 0, "rhythmic", 1), traits.GRDA: ("general", 1, "rhythmic", 1),
    }  # fmt: skip
    for lead, (first, one, second, other) in pure.items():
        found = traits.draw_traits(rng, np.eye(6)[lead])
        assert abs(getattr(found, first) - one) < 0.15
        assert abs(getattr(found, second) - other) < 0.15
        assert found.visible > 0.85
        assert found.ictal < 0.15
    assert traits.draw_traits(rng, np.eye(6)[traits.SEIZURE]).ictal > 0.85
    assert traits.draw_traits(rng, np.eye(6)[traits.OTHER]).visible < 0.15
    torn = traits.draw_traits(rng, np.asarray([0, 0.5, 0.5, 0, 0, 0]))
    assert torn.general == pytest.approx(0.5)
    places = [traits.place(rng, share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert places == sorted(places)


def test_discharges_differ_from_one_to_the_next_and_from_pattern_to_pattern() -> None:
    rng = np.random.default_rng(0)
    shapes = [discharges.draw_shape(rng, 1.0, triphasic=0.3, broad=0.2) for _ in range(60)]
    assert {len(shape.sizes) for shape in shapes} >= {1, 2, 3, 4}
    assert any(shape.slow for shape in shapes)
    assert any(shape.fast for shape in shapes)
    one, other = (shapes[0].wave(rng, 0.15) for _ in range(2))
    assert not np.allclose(one, other)
    plain = discharges.Shape((-1.0,), (0.03,), 0.0, 0.1, 0.0, 10.0)
    wave = plain.wave(rng)
    assert discharges.TIME[np.argmin(wave)] == pytest.approx(0, abs=0.006)
    half = discharges.TIME[wave < -0.5]
    assert np.ptp(half) == pytest.approx(2.355 * 0.03, abs=0.012)
    times = np.asarray([1.0, 3.5])
    found = discharges.train(rng, plain, times, np.asarray([1.0, 0.5]), 1000, jitter=0.0)
    assert [found[200], found[700]] == pytest.approx([-1.0, -0.5], abs=0.02)


def test_fields_reach_as_far_as_they_are_to() -> None:
    left = PLACES[:, 0] < 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        seen = np.abs(extended_field(rng, 1, 0.02))
        assert seen[~left].max() > 3 * seen[left].max()
        seen = general_field(rng, 0.8)
        assert seen[ELECTRODES.index("Fp1")] > seen[ELECTRODES.index("O1")]


@pytest.mark.parametrize("seed", SEEDS)
def test_suppression_and_bursts_take_turns(seed: int) -> None:
    factor = background.bursts(np.random.default_rng(seed), 60_000)
    low = factor < 0.25
    assert 0.1 < low.mean() < 0.97
    changes = np.flatnonzero(np.diff(low.astype(int)))
    assert len(changes) > 6
    assert np.median(np.diff(changes)) > 60  # longer than 0.3 s


def test_bursts_may_end_before_a_recording_begins() -> None:
    for seed in range(200):
        factor = background.bursts(np.random.default_rng(seed), 500)
        assert factor.shape == (500,)
        assert ((factor > 0) & (factor <= 1)).all()


def test_backgrounds_are_as_large_as_drawn_and_of_every_kind() -> None:
    rng = np.random.default_rng(0)
    drawn_ones = [background.draw_patient(rng) for _ in range(300)]
    assert {one.state for one in drawn_ones} == set(background.STATES)
    for one in drawn_ones[:4]:
        eeg = background.background(rng, one, 20_000)
        assert chain_differences(eeg).std() == pytest.approx(one.background_uv, rel=0.35)
