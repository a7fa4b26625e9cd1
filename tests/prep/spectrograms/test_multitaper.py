"""The spectrogram against another implementation, and against the competition's own."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hmsprep.spectrograms.multitaper import edge_rows, spectrogram
from hmsstore.schema import CHAINS, CHANNELS, FREQUENCIES_HZ


def test_it_agrees_with_scipys_spectrogram_per_taper() -> None:
    from scipy.signal import butter, sosfiltfilt
    from scipy.signal import spectrogram as scipy_spectrogram
    from scipy.signal.windows import dpss

    rng = np.random.default_rng(0)
    eeg = np.cumsum(rng.normal(0, 5, (4000, 20)), axis=0)
    high_pass = butter(4, 0.5, "highpass", fs=200, output="sos")
    expected = []
    for chain in CHAINS.values():
        electrodes = eeg[:, [CHANNELS.index(name) for name in chain]].T
        pairs = sosfiltfilt(high_pass, electrodes[:-1] - electrodes[1:])
        power = 0.0
        for taper in dpss(800, 2, 3):
            frequency, _, part = scipy_spectrogram(
                pairs, 200, taper, 800, 400, 1024, detrend="linear", scaling="density"
            )
            power = power + part / 2 / 3  # scipy folds negative frequencies in
        assert tuple(frequency[3:103]) == FREQUENCIES_HZ
        expected.append(power[:, 3:103].mean(axis=0).T)
    found = spectrogram(eeg)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-3)


def test_there_is_a_row_for_each_whole_window() -> None:
    for samples, rows in ((799, 0), (800, 1), (1199, 1), (1200, 2), (10_000, 24)):
        assert spectrogram(np.ones((samples, 20))).shape == (rows, 400)


def test_edges_are_asked_for_and_mirror_the_recording() -> None:
    rng = np.random.default_rng(2)
    eeg = rng.normal(0, 30, (5_000, 20))
    whole, edged = spectrogram(eeg), spectrogram(eeg, edges=True)
    assert (len(whole), len(edged)) == (11, 12)
    assert edge_rows(5_000) == [0]
    assert edge_rows(4_800) == [0, 11]
    assert edge_rows(399) == []
    for samples in (399, 400, 799):
        assert len(spectrogram(eeg[:samples], edges=True)) == samples // 400
    # rows within are of the same signal half a row on: what lies beyond the edge is not in them
    inner = spectrogram(eeg[200:], edges=False)
    within = slice(6, 11)  # far from where a filter begins
    np.testing.assert_allclose(edged[within], inner[5:10], rtol=0.05)
    steady = 50 * np.sin(2 * np.pi * 10.15625 * np.arange(4_800) / 200)
    hum = spectrogram(np.outer(steady, np.arange(20)), edges=True)
    peak = FREQUENCIES_HZ.index(10.15625)
    assert 0.3 < hum[0, peak] / hum[5, peak] < 1.5  # no step, no silence at the edge


def test_a_gap_is_bridged_so_that_its_edges_do_not_ring() -> None:
    """Beside the rows that it reaches into, which are missing."""
    eeg = 300 * np.arange(20) + np.random.default_rng(5).normal(0, 30, (8_000, 20))
    whole = spectrogram(eeg)
    eeg[4_000:4_100] = np.nan
    found = spectrogram(eeg)
    missing = np.isnan(found).all(axis=1)
    assert np.flatnonzero(missing).tolist() == [9, 10]
    assert np.isfinite(found[~missing]).all()
    ratio = np.log(found[~missing] / whole[~missing])
    assert np.abs(np.median(ratio, axis=1)).max() < 0.01


def test_threads_change_nothing_and_wrong_columns_are_named() -> None:
    eeg = np.random.default_rng(3).normal(size=(30_000, 20))
    np.testing.assert_array_equal(spectrogram(eeg, threads=1), spectrogram(eeg, threads=3))
    with pytest.raises(ValueError, match="without O1"):
        spectrogram(eeg, [name.replace("O1", "A1") for name in CHANNELS])
    with pytest.raises(ValueError, match=r"expected EEG \(T, 20\)"):
        spectrogram(eeg[:, :4])


def test_columns_may_come_in_any_order() -> None:
    rng = np.random.default_rng(1)
    eeg = rng.normal(size=(2000, 20))
    order = rng.permutation(20)
    shuffled = spectrogram(eeg[:, order], [CHANNELS[i] for i in order])
    np.testing.assert_array_equal(shuffled, spectrogram(eeg))


def test_it_reproduces_the_competitions_spectrogram(real_data) -> None:
    for eeg_file, spectrogram_file in (
        ("train_eegs/1628180742", "train_spectrograms/353733"),
        ("test_eegs/3911565283", "test_spectrograms/853520"),
    ):
        eeg = pl.read_parquet(real_data / "kaggle" / f"{eeg_file}.parquet").to_numpy()
        given = pl.read_parquet(real_data / "kaggle" / f"{spectrogram_file}.parquet")
        ours = spectrogram(eeg)
        theirs = given.drop("time").to_numpy()[138 : 138 + len(ours)]
        both = np.isfinite(theirs) & (theirs > 0)
        a, b = np.log(ours[both]), np.log(theirs[both])
        assert np.corrcoef(a, b)[0, 1] > 0.9995
        assert abs(np.median(a - b)) < 0.01
        assert np.median(np.abs(a - b)) < 0.02
