"""Measures of likeness say of analytic signals what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from hmsprep.qeeg.judged.aperiodic import aperiodic
from hmsprep.qeeg.judged.artefacts import artefact_measures, lasting
from hmsprep.qeeg.judged.coupling import (
    coupling_measures,
    distances_deg,
    envelope_correlation,
    parts_of,
)
from hmsprep.qeeg.judged.course import (
    evolution_measures,
    onset_measures,
    suppression_ratio,
    wave_measures,
)
from hmsprep.qeeg.judged.discharges import discharge_measures, find_discharges
from hmsprep.qeeg.judged.measures import GROUPS, MEASURES, Columns, measure_of
from hmsprep.qeeg.judged.window import Measuring
from hmsprep.qeeg.spectrum import segments
from hmsstore import HMS
from hmsstore.montage import ELECTRODES, PAIRS
from hmsstore.schema import CHANNELS

Floats = NDArray[np.float64]
RATE = 200
TIME = np.arange(2000) / RATE
MEASURING = Measuring(Columns(HMS), (0.5, 40.0))


def measured(eeg_uv_TC: Floats, measuring: Measuring = MEASURING) -> dict[str, float]:
    values = measuring.values(eeg_uv_TC)
    return dict(zip(measuring.columns.names, values.tolist(), strict=True))


def bell(at_s: float, deviation_s: float) -> Floats:
    return np.exp(-0.5 * ((TIME - at_s) / deviation_s) ** 2)


def two_phases(at_s: float, deviation_s: float) -> Floats:
    x = (TIME - at_s) / deviation_s
    return -x * np.exp(0.5 - 0.5 * x**2)


def discharging(
    times_s: Floats,
    shape: Callable[[float, float], Floats] = bell,
    deviation_s: float = 0.02,
    lags_s: dict[str, float] | None = None,
    uv: float = 150.0,
) -> Floats:
    """A window of faint noise with discharges at electrodes, each with its lag."""
    eeg = np.random.default_rng(3).normal(0, 2.0, (2000, 20))
    for name, lag in (lags_s or {"F7": 0.0}).items():
        for at in times_s:
            eeg[:, CHANNELS.index(name)] += uv * shape(at + lag, deviation_s)
    return eeg


EVEN = np.arange(0.7, 9.8, 0.8)


@pytest.mark.parametrize("interval_s", [0.4, 0.8, 1.7])
def test_rate_and_frequency_of_discharges_are_those_planted(interval_s: float) -> None:
    times = np.arange(0.5, 9.7, interval_s)
    told = measured(discharging(times))
    assert told["discharge_rate"] == pytest.approx(len(times) / 10)
    assert told["discharge_frequency"] == pytest.approx(1 / interval_s, rel=0.01)
    assert told["interval_cv"] < 0.01


def test_intervals_vary_as_planted() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.5, 1.3, 10)) - 0.2
    assert times[-1] < 9.8
    between = np.diff(times)
    told = measured(discharging(times))
    assert told["interval_cv"] == pytest.approx(between.std() / between.mean(), abs=0.01)


@pytest.mark.parametrize("deviation_s", [0.015, 0.03, 0.05])
def test_width_and_sharpness_of_a_bell_are_its_own(deviation_s: float) -> None:
    told = measured(discharging(EVEN, deviation_s=deviation_s))
    width_ms = 2 * np.sqrt(2 * np.log(2)) * deviation_s * 1e3
    assert told["discharge_duration"] == pytest.approx(width_ms, rel=0.12)
    lost = 1 - np.exp(-0.5 * (0.02 / deviation_s) ** 2)
    assert told["discharge_sharpness"] == pytest.approx(lost, abs=0.06)
    assert told["discharge_height"] == pytest.approx(150, rel=0.1)


def test_phases_are_counted() -> None:
    assert measured(discharging(EVEN, bell, 0.02))["discharge_phases"] == pytest.approx(1, abs=0.2)
    told = measured(discharging(EVEN, two_phases, 0.03))
    assert told["discharge_phases"] == pytest.approx(2, abs=0.2)


def test_field_and_lag_are_those_planted() -> None:
    alone = measured(discharging(EVEN))
    assert alone["discharge_field"] == pytest.approx(2 / 18)
    assert alone["discharge_lag"] == pytest.approx(0, abs=2.6)
    assert alone["discharge_laterality"] > 0.7
    both = measured(discharging(EVEN, lags_s={"F7": 0.0, "F8": 0.06}))
    assert both["discharge_field"] == pytest.approx(4 / 18)
    assert both["discharge_lag"] == pytest.approx(30, abs=2.6)
    assert both["discharge_laterality"] < 0.1


def test_discharges_are_as_alike_as_planted() -> None:
    def turned(at_s: float, deviation_s: float) -> Floats:
        return (1 if at_s < 5 else -1) * bell(at_s, deviation_s)

    assert measured(discharging(EVEN))["discharge_alike"] == pytest.approx(1, abs=0.02)
    # six are up and six down, so the mean of the others is the reverse of each
    told = measured(discharging(EVEN, turned))
    assert told["discharge_alike"] == pytest.approx(-1, abs=0.02)
    assert told["discharge_field_alike"] == pytest.approx(1, abs=0.02)
    apart = np.random.default_rng(12).normal(0, 2, (8, 2000))
    for place, at in enumerate((1.5, 3.5, 5.5, 7.5)):
        apart[2 * place : 2 * place + 2] += 150 * bell(at, 0.02)
    told = discharge_measures(apart, RATE, slice(0, 4), slice(4, 8))
    assert told["discharge_rate"] == pytest.approx(0.4)
    # no two share a pair but for the noise; each counted among the others, it would be over 0.5
    assert told["discharge_field_alike"] < 0.25


def test_heights_vary_as_planted() -> None:
    def growing(at_s: float, deviation_s: float) -> Floats:
        return (1 if at_s < 5 else 2) * bell(at_s, deviation_s)

    assert measured(discharging(EVEN))["discharge_height_cv"] < 0.03
    told = measured(discharging(EVEN, growing))
    assert told["discharge_height_cv"] == pytest.approx(1 / 3, abs=0.02)  # 50 of 150


def test_prominence_is_the_height_over_what_lies_between() -> None:
    pairs = np.random.default_rng(9).normal(0, 3, (8, 2000))
    pairs[:2] += 150 * sum(bell(at, 0.02) for at in EVEN)
    told = discharge_measures(pairs, RATE, slice(0, 4), slice(4, 8))
    assert told["discharge_prominence"] == pytest.approx(150 / 3, rel=0.05)


def test_a_dead_pair_leaves_the_others_on_their_sides() -> None:
    eeg = discharging(EVEN, lags_s={"F3": 0.0})
    eeg[:, CHANNELS.index("F7")] = eeg[:, CHANNELS.index("Fp1")]
    told = measured(eeg)
    assert np.isnan(told["amplitude.Fp1-F7"])
    assert told["discharge_field"] == pytest.approx(2 / 17)
    assert told["discharge_laterality"] > 0.7


def test_a_dead_electrode_leaves_the_others_at_their_distances() -> None:
    eeg = np.random.default_rng(10).normal(0, 20, (2000, 20))
    eeg[:, CHANNELS.index("Fp1")] = 0
    told = measured(eeg, Measuring(Columns(HMS), None))
    assert np.isnan(told["amplitude.Fp1"])
    others = tuple(name for name in ELECTRODES if name != "Fp1")
    rows = eeg[:, [CHANNELS.index(name) for name in others]].T
    expected = coupling_measures(rows, RATE, parts_of(distances_deg(others)))
    assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_a_spread_is_the_interquartile_range_over_pairs() -> None:
    told = measured(np.random.default_rng(11).normal(0, 1, (2000, 20)) * np.arange(1, 21))
    deviations = [told[f"amplitude.{front}-{back}"] for front, back in PAIRS]
    assert told["std"] == pytest.approx(np.median(deviations))
    assert told["std.spread"] == pytest.approx(stats.iqr(deviations))


def test_noise_and_rhythmic_delta_hold_no_discharges() -> None:
    noise = np.random.default_rng(5).normal(0, 20, (2000, 20))
    assert measured(noise)["discharge_rate"] <= 0.1
    wave = 0.05 * noise
    wave[:, CHANNELS.index("F7")] += 100 * np.sin(2 * np.pi * 1.5 * TIME)
    assert measured(wave)["discharge_rate"] == 0


def test_discharges_at_the_edges_and_none_at_all_are_no_trouble() -> None:
    told = measured(discharging(np.array([0.0, 5.0, 9.995])))
    assert np.isfinite(told["discharge_rate"])
    silent = measured(np.zeros((2000, 20)))
    assert silent["suppression_ratio"] == 1
    assert silent["flat"] == 1
    assert np.isnan(silent["discharge_rate"])
    found = find_discharges(np.zeros((18, 2000)), RATE)
    assert found.peak_DP.shape == (0, 18)


@pytest.mark.parametrize(("exponent", "knee"), [(2.0, 0.25), (3.0, 4.0), (1.5, 8.0)])
def test_exponent_and_knee_are_found_beside_a_peak(exponent: float, knee: float) -> None:
    frequency = np.arange(0.5, 30.5, 0.5)
    density = 300 / (1 + (frequency / knee) ** exponent)
    peak = np.abs(frequency - 10) <= 1
    assert aperiodic(density, frequency) == pytest.approx((exponent, knee))
    assert aperiodic(np.where(peak, 5 * density, density), frequency) == pytest.approx(
        (exponent, knee)
    )


def test_distances_on_the_head_divide_electrodes() -> None:
    angle = distances_deg(ELECTRODES)
    place = ELECTRODES.index
    assert angle[place("Fz"), place("Cz")] == pytest.approx(36)
    assert angle[place("T3"), place("T4")] == pytest.approx(144)
    parts = parts_of(angle)
    assert sum(part.sum() for part in parts.values()) == 19 * 18 // 2
    assert parts["near"][place("F7"), place("T3")]
    assert parts["far"][place("Fp1"), place("O2")]


@pytest.mark.parametrize("lag", [0, 5, 13])
def test_lag_between_electrodes_is_the_one_planted(lag: int) -> None:
    rng = np.random.default_rng(2)
    source = np.convolve(rng.normal(size=2100), np.hanning(12), "same")
    one, other = source[100:2100], source[100 - lag : 2100 - lag]
    part = np.zeros((3, 3), bool)
    part[0, 1] = True
    told = coupling_measures(np.stack([one, other, -one - other]), RATE, {"near": part})
    assert told["lag_near"] == pytest.approx(lag * 5.0)
    if lag == 0:
        assert told["correlation_near"] == pytest.approx(1, abs=1e-3)
        assert told["first_component"] == pytest.approx(1, abs=1e-6)


def test_pairs_of_electrodes_that_are_most_alike_without_lag_are_counted() -> None:
    rng = np.random.default_rng(2)
    source = np.convolve(rng.normal(size=2100), np.hanning(12), "same")
    one, late = source[100:2100], source[95:2095]
    told = coupling_measures(np.stack([one, -one, late, -late]), RATE, {})
    assert told["no_lag"] == pytest.approx(2 / 6)


def test_what_a_reference_adds_and_how_many_courses_there_are() -> None:
    rng = np.random.default_rng(4)
    own = rng.normal(size=(8, 4000))
    own -= own.mean(axis=0)
    common = rng.normal(size=4000) * 2
    told = coupling_measures(own + common, RATE, {})
    assert told["common_share"] == pytest.approx(4 / (4 + 7 / 8), rel=0.05)
    assert told["dimensions"] == pytest.approx(7, rel=0.02)


def test_envelopes_that_rise_together_correlate() -> None:
    rng = np.random.default_rng(6)
    noise = rng.normal(size=(6, 2000))
    course = np.exp(np.sin(2 * np.pi * 0.4 * TIME))
    assert envelope_correlation(noise * course, RATE) > 0.8
    assert abs(envelope_correlation(noise, RATE)) < 0.1


def test_suppression_is_the_share_of_quiet_time() -> None:
    rng = np.random.default_rng(7)
    signal = rng.uniform(-2, 2, (18, 2000))
    loud = 60 * np.sin(2 * np.pi * 8 * TIME)
    signal[:, :800] += loud[:800]
    assert suppression_ratio(signal, RATE) == pytest.approx(0.6, abs=0.01)
    assert suppression_ratio(np.tile(loud, (18, 1)), RATE) == 0


def test_a_sudden_rise_is_sudden_and_a_slow_one_is_not() -> None:
    wave = 20 * np.sin(2 * np.pi * 12 * TIME)
    step = np.where(TIME < 5, 1, np.exp(2))
    slow = np.exp(2 * TIME / 10)
    sudden = onset_measures((wave * step)[None], RATE)
    assert sudden["rise"] == pytest.approx(2, abs=0.02)
    assert sudden["rise_quarter"] == pytest.approx(2, abs=0.02)
    assert onset_measures((wave * slow)[None], RATE)["rise"] == pytest.approx(0.2, abs=0.03)
    assert sudden["fall"] == pytest.approx(0, abs=0.02)
    reverse = onset_measures((wave * step)[None, ::-1], RATE)
    assert reverse["fall"] == pytest.approx(2, abs=0.02)
    assert reverse["rise"] == pytest.approx(0, abs=0.02)
    assert sudden["envelope_deviation"] == pytest.approx(1, abs=0.01)  # half is 2 above the rest


def test_evolution_is_the_change_of_frequency_amplitude_and_place() -> None:
    first, last = (np.sin(2 * np.pi * hz * TIME) for hz in (3.0, 6.0))
    early = TIME < 5
    moved = np.stack([np.where(early, 30 * first, 0), np.where(early, 0, 60 * last)])
    stays = np.stack([30 * first, 30 * first])
    told = []
    for pairs in (moved, stays):
        of = segments(pairs, RATE)
        power = np.abs(of.spectra_ESF) ** 2
        told.append(evolution_measures(pairs, power.swapaxes(0, 1), of.frequency_hz, RATE))
    assert told[0]["frequency_change"] == pytest.approx(1, abs=0.1)
    assert told[0]["amplitude_change"] == pytest.approx(np.log(2), abs=0.01)
    assert told[0]["place_change"] == pytest.approx(1, abs=0.01)
    assert told[0]["frequency_wander"] == pytest.approx(0.5, abs=0.06)  # half is an octave above
    assert all(value == pytest.approx(0, abs=0.01) for value in told[1].values())


def test_periods_of_waves_vary_as_planted() -> None:
    periods = np.array([0.5, 0.6, 0.4, 0.5, 0.55, 0.45, 0.5])
    edges = np.concatenate([[0], np.cumsum(periods)])
    time = np.arange(0, edges[-1], 1 / 40)
    wave = np.zeros(len(time))
    for first, stop in pairwise(edges.tolist()):
        inside = (time >= first) & (time < stop)
        wave[inside] = np.sin(2 * np.pi * (time[inside] - first) / (stop - first))
    told = wave_measures(np.stack([0.1 * wave, wave]), 40)
    inner = periods[:-1]  # the last wave has no upward crossing after it
    assert told["wave_cv"] == pytest.approx(inner[0:].std() / inner.mean(), abs=0.03)
    assert told["wave_frequency"] == pytest.approx(2, rel=0.03)


def test_artefacts_are_told_from_clean_noise() -> None:
    rng = np.random.default_rng(8)
    clean = rng.normal(0, 5, (19, 2000))

    def told(eeg: Floats) -> dict[str, float]:
        return artefact_measures(eeg, eeg[:-1] - eeg[1:], RATE)

    before = told(clean)
    assert abs(before["mains_50"]) < 0.3
    assert abs(before["mains_60"]) < 0.3
    assert (before["flat"], before["clipped"], before["steps"], before["large"]) == (0, 0, 0, 0)
    signs = np.where(np.arange(19) % 2, 1, -1)[:, None]
    hum = told(clean + signs * 5 * np.sin(2 * np.pi * 60 * TIME))
    assert hum["mains_60"] > 3
    assert abs(hum["mains_50"]) < 0.3
    tense = told(clean + rng.normal(0, 40, clean.shape))
    assert tense["muscle"] == 1
    assert before["muscle"] < 0.2
    flat = clean.copy()
    flat[3, 500:1500] = flat[3, 500]
    assert told(flat)["flat"] == pytest.approx(0.5 / 19, abs=0.001)
    assert told(np.clip(3 * clean, -5, 5))["clipped"] > 0.2
    jump = clean.copy()
    jump[4:6, 1000:] += 400
    assert told(jump)["steps"] == pytest.approx(2 / 19)
    swing = clean + 200 * np.sin(2 * np.pi * 2 * TIME)
    assert told(swing)["steps"] == 0
    assert told(np.cumsum(clean, axis=1))["drift"] > 5 * before["drift"]


def test_large_seconds_and_fast_power_are_those_planted() -> None:
    def told(eeg: Floats) -> dict[str, float]:
        return artefact_measures(eeg, eeg[:-1] - eeg[1:], RATE)

    swing = np.zeros((19, 2000))
    swing[0] = np.sin(2 * np.pi * 2 * TIME)
    spans_uv = np.where(TIME < 3, 520, 480)
    assert told(spans_uv / 2 * swing)["large"] == pytest.approx(3 / 180)
    signs = np.where(np.arange(19) % 2, 1, -1)[:, None]
    tone = signs * 10 * np.sin(2 * np.pi * 36 * TIME)  # 20 uV between neighbours
    assert told(tone)["power_fast"] == pytest.approx(np.log(20**2 / 2), abs=0.01)
    slower = signs * 10 * np.sin(2 * np.pi * 27 * TIME)
    assert told(slower)["power_fast"] < np.log(0.01)


def test_stretches_last_as_long_as_asked() -> None:
    marked = np.array([[1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 1, 0]], bool)
    assert lasting(marked, 3).tolist() == [
        [False, False, False, True, True, True],
        [False, True, True, True, True, False],
    ]


def test_doubling_a_window_doubles_amplitudes_and_leaves_shapes() -> None:
    eeg = discharging(EVEN)
    one, two = measured(eeg), measured(2 * eeg)
    for name, value in one.items():
        measure = measure_of(name)
        if name.startswith("amplitude.") or name in ("std", "line_length", "discharge_height"):
            assert two[name] == pytest.approx(2 * value), name
        elif name.startswith("power_"):
            assert two[name] == pytest.approx(value + np.log(4)), name
        elif measure.unit == "" and measure.group in ("coupling", "discharges", "waves"):
            assert two[name] == pytest.approx(value, nan_ok=True), name


def test_every_column_says_what_it_is() -> None:
    columns = Columns(HMS)
    assert len(set(columns.names)) == len(columns.names)
    for name in columns.names:
        measure = measure_of(name)
        assert measure.formula
        assert measure.source
        assert measure.group in GROUPS
    told = measured(discharging(EVEN))
    assert [name for name in MEASURES if name != "amplitude" and name not in told] == []
    known = {name for name, value in told.items() if np.isfinite(value)}
    assert set(columns.names) - known == set()


def test_a_window_of_which_little_is_left_has_no_values() -> None:
    assert np.isnan(MEASURING.values(np.zeros((500, 20)))).all()
    assert np.isfinite(MEASURING.values(discharging(EVEN)[:1600])).sum() > 100
