"""Hand features agree with other implementations, and with what is known of simple signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal, stats

from hmsprep.kaggle.recording import decode
from hmsprep.qeeg.columns import BANDS_HZ, MEASURES, SCALES, Layout
from hmsprep.qeeg.rhythm import autocorrelation
from hmsprep.qeeg.window import Wiring, window_values
from hmsstore import HMS
from hmsstore.schema import CHANNELS, EEG

Floats = NDArray[np.float64]
LAYOUT = Layout(HMS)
WIRING = Wiring.of(LAYOUT)
RATE = 200
SPANS = {"50s": slice(0, 10_000), "10s": slice(4_000, 6_000)}
DB4 = np.array([
    0.23037781330885523, 0.7148465705525415, 0.6308807679295904, -0.02798376941698385,
    -0.18703481171888114, 0.030841381835986965, 0.032883011666982945, -0.010597401784997278,
])  # fmt: skip
"""Daubechies 1992, Ten Lectures on Wavelets, table 6.1, N = 4."""


def measured(
    eeg_uv_TC: NDArray[np.floating], first: int = 0, stop: int = 10_000
) -> dict[str, float]:
    """All columns of a window by name."""
    values = window_values(LAYOUT, WIRING, eeg_uv_TC, first, stop)
    return dict(zip(LAYOUT.columns, values.astype(float).tolist(), strict=True))


def pair_of(eeg_uv_TC: Floats, name: str, span: str) -> Floats:
    front, back = name.split("-")
    both = eeg_uv_TC[:, CHANNELS.index(front)] - eeg_uv_TC[:, CHANNELS.index(back)]
    part: Floats = both[SPANS[span]]
    return part


def wave(hz: float, uv: float = 50.0, phase: float = 0.0) -> Floats:
    return uv * np.sin(2 * np.pi * hz * np.arange(10_000) / RATE + phase)


def head(**channels: Floats) -> Floats:
    """A window in which every electrode has a faint noise of its own, and these a signal."""
    eeg = np.random.default_rng(1).normal(0, 0.1, (10_000, 20))
    for name, values in channels.items():
        eeg[:, CHANNELS.index(name)] += values
    return eeg


@pytest.fixture(scope="module")
def noisy() -> Floats:
    """Brown noise that electrodes share in part."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(0, 4, (10_000, 20)) @ (np.eye(20) + 0.3 * rng.random((20, 20)))
    b, a = signal.butter(2, [0.4, 60], "bandpass", fs=RATE)
    filtered: Floats = signal.lfilter(b, a, np.cumsum(mixed, axis=0), axis=0)
    return filtered


@pytest.fixture(scope="module")
def real(real_data: Path) -> Floats:
    """Fifty seconds of a real recording."""
    folder = real_data / "kaggle" / "train_eegs"
    for path in sorted(folder.glob("*.parquet")):
        eeg = decode(path.read_bytes(), EEG, path.name).T[:10_000].astype(np.float64)
        if len(eeg) == 10_000 and np.isfinite(eeg).all():
            return eeg
    pytest.skip(f"{folder} holds no recording of 50 s without a gap")


@pytest.fixture(scope="module", params=["noisy", "real"])
def eeg(request: pytest.FixtureRequest) -> Floats:
    found: Floats = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("span", SPANS)
def test_measures_in_time_are_those_of_scipy_and_of_their_definitions(
    eeg: Floats, span: str
) -> None:
    found = measured(eeg)
    for name in ("Fp1-F7", "C4-P4", "Cz-Pz"):
        x = pair_of(eeg, name, span)
        slope, bend = np.diff(x), np.diff(x, 2)
        expected = {
            "mean_abs": sum(abs(value) for value in x) / len(x),
            "std": np.std(x),
            "skewness": stats.skew(x),
            "kurtosis": stats.kurtosis(x),
            "zero_crossings": np.abs(np.diff(np.sign(x - x.mean()))).sum() / 2 / len(x) * RATE,
            "line_length": np.abs(slope).sum() / (len(x) - 1) * RATE,
            "hjorth_activity": np.var(x),
            "hjorth_mobility": RATE * np.std(slope) / np.std(x),
            "hjorth_complexity": np.std(bend) / np.std(slope) / (np.std(slope) / np.std(x)),
        }
        for measure, value in expected.items():
            assert found[f"{measure}.{name}.{span}"] == pytest.approx(value, rel=1e-4), measure


@pytest.mark.parametrize("span", SPANS)
def test_powers_are_those_of_scipys_welch(eeg: Floats, span: str) -> None:
    found = measured(eeg)
    for name in ("Fp1-F7", "P4-O2"):
        frequency, density = signal.welch(pair_of(eeg, name, span), RATE, nperseg=400)
        used = (frequency >= 0.5) & (frequency <= 30)
        total = density[used].sum() / 2
        power = {
            band: density[(frequency >= low) & (frequency < high + (band == "beta") / 4)].sum() / 2
            for band, (low, high) in BANDS_HZ.items()
        }
        share = density[used] / density[used].sum()
        expected = {
            **{f"power_{band}": np.log(value) for band, value in power.items()},
            **{f"relative_{band}": value / total for band, value in power.items()},
            "alpha_delta_ratio": np.log(power["alpha"] / power["delta"]),
            "theta_beta_ratio": np.log(power["theta"] / power["beta"]),
            "slow_fast_ratio": np.log(
                (power["delta"] + power["theta"]) / (power["alpha"] + power["beta"])
            ),
            "spectral_edge": next(
                f for f, part in zip(frequency[used], np.cumsum(share), strict=True) if part >= 0.95
            ),
            "spectral_entropy": stats.entropy(share) / np.log(len(share)),
        }
        for measure, value in expected.items():
            got = found[f"{measure}.{name}.{span}"]
            assert got == pytest.approx(value, rel=1e-4, abs=1e-5), measure
    assert sum(found[f"relative_{band}.Fp1-F7.{span}"] for band in BANDS_HZ) == pytest.approx(1)


def cascade(x: Floats) -> list[float]:
    """Energies of a wavelet transform of six levels, by its definition: filter and halve."""
    low = DB4[::-1]
    high = DB4 * (-1.0) ** np.arange(8) * -1
    energies = []
    for _ in range(6):
        mirrored = np.pad(x, 7, "symmetric")
        x, detail = (np.convolve(mirrored, taps, "valid")[1::2] for taps in (low, high))
        energies.append(float((detail**2).sum()))
    return [*energies, float((x**2).sum())]


@pytest.mark.parametrize("span", SPANS)
def test_wavelet_energies_are_those_of_the_cascade_of_filters(eeg: Floats, span: str) -> None:
    found = measured(eeg)
    energies = cascade(pair_of(eeg, "F3-C3", span))
    for scale, energy in zip(SCALES, energies, strict=True):
        got = found[f"wavelet_{scale}.F3-C3.{span}"]
        assert got == pytest.approx(energy / sum(energies), rel=1e-4), scale


@pytest.mark.parametrize("span", SPANS)
def test_coherence_is_that_of_scipy_on_the_common_average(eeg: Floats, span: str) -> None:
    found = measured(eeg)
    electrodes = eeg[SPANS[span], :19]
    average = electrodes - electrodes.mean(axis=1, keepdims=True)
    for one, other in (("Fp1", "F7"), ("F3", "F4")):
        channels = [average[:, CHANNELS.index(name)] for name in (one, other)]
        frequency, values = signal.coherence(*channels, RATE, nperseg=400)
        for band, (low, high) in BANDS_HZ.items():
            used = (frequency >= low) & (frequency < high + (band == "beta") / 4)
            got = found[f"coherence_{band}.{one}-{other}.{span}"]
            assert got == pytest.approx(values[used].mean(), rel=1e-3), band


def in_band(x: Floats, low: float, high: float, *, to: bool = False) -> Floats:
    """A signal without what lies outside a band; `to`: with its last frequency."""
    spectrum = np.fft.rfft(x)
    frequency = np.fft.rfftfreq(len(x), 1 / RATE)
    spectrum[(frequency < low) | (frequency > high) | ((frequency == high) & (not to))] = 0
    return np.fft.irfft(spectrum, len(x))


@pytest.mark.parametrize("span", SPANS)
def test_phase_locking_is_that_of_hilbert_transforms_at_the_full_rate(
    eeg: Floats, span: str
) -> None:
    found = measured(eeg)
    electrodes = eeg[SPANS[span], :19]
    average = electrodes - electrodes.mean(axis=1, keepdims=True)
    for one, other in (("Fp1", "F7"), ("C3", "C4")):
        for band, (low, high) in BANDS_HZ.items():
            phases = [
                np.angle(signal.hilbert(in_band(average[:, CHANNELS.index(name)], low, high)))
                for name in (one, other)
            ]
            expected = abs(np.exp(1j * (phases[0] - phases[1])).mean())
            got = found[f"phase_locking_{band}.{one}-{other}.{span}"]
            assert got == pytest.approx(expected, abs=0.03), band


def test_autocorrelation_is_the_sum_over_the_samples_that_there_are(noisy: Floats) -> None:
    x = noisy[:500, 0] - noisy[:500, 0].mean()
    sums = np.correlate(x, x, "full")[499:]
    expected = sums / (500 - np.arange(500)) / (sums[0] / 500)
    np.testing.assert_allclose(autocorrelation(x[None], 90)[0], expected[:90], atol=1e-10)


@pytest.mark.parametrize("hz", [1.0, 1.7, 3.1])
def test_a_delta_wave_is_wholly_rhythmic_at_its_frequency_and_in_no_other_band(hz: float) -> None:
    found = measured(head(Fp1=wave(hz)))
    for span in SPANS:
        assert found[f"rhythmicity.Fp1-F7.{span}"] == pytest.approx(1, abs=0.05)
        assert found[f"rhythm_frequency.Fp1-F7.{span}"] == pytest.approx(hz, rel=0.03)
        assert found[f"relative_delta.Fp1-F7.{span}"] > 0.99
        assert found[f"rhythmicity.T6-O2.{span}"] < 0.9


@pytest.mark.parametrize("hz", BANDS_HZ["delta"])
def test_a_rhythm_at_either_end_of_the_delta_band_is_found(hz: float) -> None:
    found = measured(head(Fp1=wave(hz)))
    for span in SPANS:
        assert found[f"rhythmicity.Fp1-F7.{span}"] == pytest.approx(1, abs=0.05)
        assert found[f"rhythm_frequency.Fp1-F7.{span}"] == pytest.approx(hz, rel=0.03)


def test_a_sine_has_the_measures_that_it_has_on_paper() -> None:
    found = measured(head(Fp1=wave(10.0, uv=40)))
    turn = 2 * np.pi * 10
    expected = {
        "mean_abs": 40 * 2 / np.pi,
        "std": 40 / np.sqrt(2),
        "kurtosis": -1.5,
        "zero_crossings": 20,
        "line_length": 40 * 40,  # four amplitudes a period
        "hjorth_activity": 800,
        "hjorth_mobility": turn,
        "hjorth_complexity": 1,
        "power_alpha": np.log(800),
        "relative_alpha": 1,
        "spectral_edge": 10.5,  # a Hann window spreads a line over three bins
        "spike_rate": 0,
    }
    for measure, value in expected.items():
        assert found[f"{measure}.Fp1-F7.50s"] == pytest.approx(value, rel=0.02, abs=0.01), measure
    assert found["wavelet_d4.Fp1-F7.50s"] > 0.7  # 6.25 to 12.5 Hz, with gentle slopes
    assert np.isnan(found["spike_interval_cv.Fp1-F7.50s"])


def spikes(at: Floats) -> Floats:
    """Sharp waves of 70 ms at these seconds."""
    t = np.arange(10_000) / RATE
    found: Floats = np.asarray(sum(150 * np.exp(-0.5 * ((t - one) / 0.02) ** 2) for one in at))
    return found


def test_periodic_spikes_are_regular_and_random_ones_are_not() -> None:
    periodic = np.arange(0.5, 49.9, 0.8)
    random = np.cumsum(np.random.default_rng(3).exponential(0.65, 60) + 0.2)
    random = random[random < 49.5]
    found = measured(head(Fp1=spikes(periodic), Fp2=spikes(random)))
    assert found["spike_rate.Fp1-F7.50s"] == pytest.approx(len(periodic) / 50, rel=0.03)
    assert found["spike_rate.Fp2-F8.50s"] == pytest.approx(len(random) / 50, rel=0.05)
    assert found["spike_interval_cv.Fp1-F7.50s"] < 0.05
    assert found["spike_interval_cv.Fp2-F8.50s"] > 0.4


def test_what_moves_together_is_coherent_and_locked_and_what_does_not_is_not() -> None:
    rng = np.random.default_rng(4)
    shared = np.cumsum(rng.normal(0, 5, 10_000))
    found = measured(head(F3=shared, F4=shared, C3=wave(2), C4=wave(2, phase=1)))
    assert found["coherence_delta.F3-F4.50s"] > 0.9
    assert found["coherence_beta.F3-F4.50s"] > 0.9
    assert found["phase_locking_delta.F3-F4.50s"] > 0.9
    alone = measured(rng.normal(0, 5, (10_000, 20)))
    assert alone["coherence_delta.F3-F4.50s"] < 0.2
    assert alone["phase_locking_beta.F3-F4.50s"] < 0.2


def test_sides_that_are_each_weaker_somewhere_are_as_asymmetric(noisy: Floats) -> None:
    eeg = noisy.copy()
    left, right = ([CHANNELS.index(name) for name in HMS.chains[key]] for key in ("LL", "RL"))
    for pair, times in enumerate((1 / 3, 1 / 3, 3, 3)):
        of_left = eeg[:, left[pair]] - eeg[:, left[pair + 1]]
        eeg[:, right[pair + 1]] = eeg[:, right[pair]] - times * of_left
    assert measured(eeg)["symmetry_index.LL-RL.10s"] == pytest.approx(0.8, rel=1e-4)


def test_asymmetry_is_the_log_ratio_of_left_and_right_power(noisy: Floats) -> None:
    eeg = noisy.copy()
    for left, right in zip(HMS.chains["LL"], HMS.chains["RL"], strict=True):
        eeg[:, CHANNELS.index(right)] = eeg[:, CHANNELS.index(left)] / 3
    found = measured(eeg)
    for band in (*BANDS_HZ, "all"):
        assert found[f"asymmetry_{band}.LL-RL.50s"] == pytest.approx(np.log(9), rel=1e-4)
    assert found["symmetry_index.LL-RL.10s"] == pytest.approx(0.8, rel=1e-4)  # (9 - 1) / (9 + 1)


def test_sides_are_compared_by_pairs_that_have_a_signal_on_both(noisy: Floats) -> None:
    eeg, left, right = noisy.copy(), HMS.chains["LL"], HMS.chains["RL"]
    for one, other in zip(left, right, strict=True):
        eeg[:, CHANNELS.index(other)] = eeg[:, CHANNELS.index(one)] / 3
    eeg[:, CHANNELS.index(right[-1])] = eeg[:, CHANNELS.index(right[-2])]
    found = measured(eeg)
    for band in (*BANDS_HZ, "all"):
        assert found[f"asymmetry_{band}.LL-RL.50s"] == pytest.approx(np.log(9), rel=1e-4), band
    assert found["symmetry_index.LL-RL.10s"] == pytest.approx(0.8, rel=1e-4)
    eeg[:, [CHANNELS.index(name) for name in right]] = 0
    found = measured(eeg)
    assert np.isnan(found["asymmetry_all.LL-RL.10s"])
    assert np.isnan(found["symmetry_index.LL-RL.10s"])


def test_a_chain_has_the_mean_of_its_pairs(noisy: Floats) -> None:
    found = measured(noisy)
    pairs = ("Fp2-F4", "F4-C4", "C4-P4", "P4-O2")
    for measure in ("line_length", "power_beta", "coherence_alpha"):
        mean = np.mean([found[f"{measure}.{pair}.10s"] for pair in pairs])
        assert found[f"{measure}.RP.10s"] == pytest.approx(mean, rel=1e-5)


def test_a_flat_pair_has_no_measures_but_that_it_is_flat(noisy: Floats) -> None:
    eeg = noisy.copy()
    eeg[:, CHANNELS.index("F7")] = eeg[:, CHANNELS.index("Fp1")] + 7
    eeg[:, CHANNELS.index("Pz")] = 0.1
    found = measured(eeg)
    known = {
        name.split(".")[0] for name, value in found.items() if ".Fp1-F7." in name and value == value
    }
    assert {"mean_abs", "std", "zero_crossings", "line_length", "hjorth_activity"} <= known
    assert not {"skewness", "power_delta", "spectral_edge", "rhythmicity", "wavelet_d1"} & known
    assert found["std.Fp1-F7.50s"] == pytest.approx(0, abs=1e-4)
    assert found["mean_abs.Fp1-F7.50s"] == pytest.approx(7)
    assert np.isnan(found["coherence_delta.Cz-Pz.50s"])  # no signal at Pz
    rest = [found[f"power_delta.{pair}.50s"] for pair in ("F7-T3", "T3-T5", "T5-O1")]
    assert found["power_delta.LL.50s"] == pytest.approx(np.mean(rest), rel=1e-5)


def test_the_heart_and_what_lies_outside_the_observed_run_change_nothing(noisy: Floats) -> None:
    eeg = noisy.copy()
    eeg[:3_000] = 0
    eeg[:, CHANNELS.index("EKG")] *= 9
    before, after = measured(noisy, 3_000, 9_000), measured(eeg, 3_000, 9_000)
    np.testing.assert_equal(before, after)
    assert measured(noisy)["std.Fp1-F7.10s"] == before["std.Fp1-F7.10s"]
    assert measured(noisy)["std.Fp1-F7.50s"] != before["std.Fp1-F7.50s"]


def test_every_column_is_of_a_measure_that_says_its_unit_formula_and_source() -> None:
    assert len(LAYOUT.columns) == len(set(LAYOUT.columns)) == 2_038
    assert {name.split(".")[0] for name in LAYOUT.columns} == set(MEASURES)
    assert {name.split(".")[2] for name in LAYOUT.columns} == set(SPANS)
    assert all(one.formula and one.source for one in MEASURES.values())
    assert LAYOUT.homologous[0] == ("Fp1", "Fp2")
    assert len(LAYOUT.homologous) == 8
    assert LAYOUT.sides == (("LL", "RL"), ("LP", "RP"))


def test_the_guide_lists_every_measure_as_the_code_has_it() -> None:
    text = (Path(__file__).parents[3] / "docs" / "features.md").read_text()
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    told = {row[0].strip("`"): row[1:] for row in table}
    for name, one in MEASURES.items():
        formula = one.formula.replace("|", "&#124;")
        assert [part.strip() for part in told[name]] == [one.unit, formula, one.source]
    assert f"{len(LAYOUT.columns):,} values" in text
