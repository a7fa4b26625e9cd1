"""Recordings as MNE's own objects."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pytest
from support.helpers import build_store, write_pair

from hmsstore import CHANNELS, RequestError, Store
from hmsstore.mne_raw import POSITIONS, raw_recording


def test_a_recording_has_its_units_positions_and_votes(store: Store) -> None:
    eeg_id = int(store.windows["eeg_id"][0])
    raw = raw_recording(store, eeg_id)
    assert tuple(raw.ch_names) == CHANNELS
    assert raw.info["sfreq"] == 200
    assert raw.get_channel_types() == ["eeg"] * 19 + ["ecg"]
    rows = np.flatnonzero(store.windows["eeg_id"] == eeg_id)
    first = store.windows["eeg_offset_s"][rows].min()
    for row in rows:
        start = round((store.windows["eeg_offset_s"][row] - first) * 200)
        expected = store.denormalise(store.gather([row], "eeg"))["eeg"][0]
        found = raw.get_data(start=start, stop=start + 10_000)
        np.testing.assert_allclose(found.T * 1e6, expected, rtol=1e-6, atol=1e-6)
    assert len(raw.annotations) == len(rows)
    assert raw.annotations.onset[0] == pytest.approx(20)
    assert set(raw.annotations.duration) == {10}
    at = raw.get_montage().get_positions()["ch_pos"]
    assert at["T3"][0] < at["C3"][0] < 0 < at["T4"][0]


def test_a_long_recording_is_put_together_from_its_segments(tmp_path: Path) -> None:
    offsets = np.arange(0, 700, 20.0)
    rows = [{"eeg_label_offset_seconds": o, "label_id": n} for n, o in enumerate(offsets)]
    store = build_store(write_pair(tmp_path / "data", rows), tmp_path / "hms.zarr")
    assert len(store.recordings["eeg"]["id"]) > 1
    raw = raw_recording(store, 1)
    assert raw.n_times == 200 * 730
    for row in range(len(store)):
        start = round(store.windows["eeg_offset_s"][row] * 200)
        expected = store.denormalise(store.gather([row], "eeg"))["eeg"][0]
        found = raw.get_data(start=start, stop=start + 10_000)
        np.testing.assert_allclose(found.T * 1e6, expected, rtol=1e-6, atol=1e-6)


def test_mne_agrees_on_where_electrodes_are() -> None:
    from hmsstore.view import positions

    name = next(n for n in POSITIONS if n in mne.channels.get_builtin_montages())
    theirs = mne.channels.make_standard_montage(name).get_positions()["ch_pos"]
    for name, (x, y) in positions().items():
        direction = theirs[name] / np.linalg.norm(theirs[name])
        assert np.dot((x, y), direction[:2]) >= -1e-6, name
        assert np.sign(round(x, 6)) == np.sign(round(direction[0], 1)), name


def test_mnes_own_plots_and_spectra_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNE_BROWSER_BACKEND", "matplotlib")
    import matplotlib as mpl

    mpl.use("agg")
    raw = raw_recording(store, int(store.windows["eeg_id"][0]))
    mne.viz.set_browser_backend("matplotlib", verbose="error")
    assert raw.plot(show=False, verbose="error") is not None
    assert raw.plot_sensors(show=False) is not None
    spectrum = raw.compute_psd(fmax=40, verbose="error")
    assert np.isfinite(spectrum.get_data()).all()
    mpl.pyplot.close("all")


def test_an_unknown_recording_is_refused(store: Store) -> None:
    with pytest.raises(RequestError, match="holds no EEG 99"):
        raw_recording(store, 99)
