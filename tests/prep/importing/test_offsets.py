"""Offsets beyond the clip are taken off or said, and never become a constant unsaid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from support.edf_bytes import Head, Signal, eeg, wave, write
from support.helpers import build_store

import hmsprep
from hmsprep.errors import DataError, ParameterError
from hmsprep.importing import values as filtering
from hmsprep.importing.channels import Chosen
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats import open_recording
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.values import high_passed
from hmsstore.recordings import ImportedRecording, read_recordings
from hmsstore.schema import CHANNELS

SECONDS = 130
INNER = slice(3_000, -3_000)
"""The high-pass feels the recording's ends for some seconds."""


def drifting(name: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """An electrode of its own offset, up to 20 mV, that drifts by a millivolt in a minute."""
    n = CHANNELS.index(name)
    return wave(name, seconds) + 2_000 * (n - 9.5) + 17 * seconds


def bdf(path: Path, channels: tuple[str, ...] = CHANNELS) -> Path:
    step = (262143 + 262144) / (8388607 + 8388608)
    seconds = np.arange(SECONDS * 128) / 128
    signals = []
    for name in CHANNELS:
        uv = drifting(name, seconds) if name in channels else wave(name, seconds)
        values = np.rint((uv + 262144) / step - 8388608).astype(np.int64)
        ends = ("-262144", "262143"), ("-8388608", "8388607")
        signals.append(Signal(name, values, 128, "uV", *ends))
    return write(path, signals, Head(bdf=True, kind="24BIT"))


def written(out: Path) -> NDArray[np.float32]:
    (file,) = (out / "test_eegs").iterdir()
    return pl.read_parquet(file).to_numpy().T


@pytest.fixture(scope="module")
def offsets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bdf(tmp_path_factory.mktemp("offsets") / "dc.bdf")


def test_offsets_are_taken_off_and_said(offsets: Path, tmp_path: Path) -> None:
    made = import_recordings([offsets], tmp_path / "out", stride=30)
    (told,) = (one for one in made.warnings if "high-passed" in one)
    assert told == (
        "dc.bdf was high-passed at 0.1 Hz, which takes offset and drift off. In the first and last "
        "5 s, and as long beside gaps, its baseline is uncertain by some 10 uV, and by more where "
        "an electrode jumps there."
    )
    (one,) = read_recordings(tmp_path / "out")
    assert (one.highpass_hz, dict(one.clipped)) == (0.1, {})
    found = written(tmp_path / "out")
    seconds = np.arange(found.shape[1]) / 200
    for name, values in zip(CHANNELS, found, strict=True):
        assert np.abs(values - wave(name, seconds))[INNER].max() < 1.5
        assert np.abs(values - wave(name, seconds)).max() < 8  # at the very ends
    store = build_store(tmp_path / "out", tmp_path / "s.zarr", split_by="all")
    stored = store.denormalise(store.gather(np.asarray([1])))["eeg"][0]
    begin = round(float(store.windows["eeg_offset_s"][1]) * 200)
    np.testing.assert_allclose(stored, found[:, begin : begin + 10_000].T, atol=0.5)


def test_recordings_without_offsets_are_left_as_they_are(tmp_path: Path) -> None:
    """Even where an eighth of a second in a minute is beyond: less than 1% of the channel."""
    seconds = np.arange(SECONDS * 128) / 128

    def bumped(name: str, at: NDArray[np.float64]) -> NDArray[np.float64]:
        return wave(name, at) + 2_000 * ((at > 60) & (at < 60.25))

    path = write(tmp_path / "a.edf", eeg(SECONDS, 128, 128, uv=bumped, at=seconds))
    made = import_recordings([path], tmp_path / "out")
    assert made.warnings == []
    (one,) = made.recordings
    assert one.highpass_hz is None
    assert set(one.clipped) == set(CHANNELS) - {"EKG"}
    assert all(0.001 < share < 0.003 for share in one.clipped.values())
    plain = open_recording(path, Options())
    np.testing.assert_array_equal(written(tmp_path / "out"), plain.read(0, plain.samples))


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as found:
        yield found


def test_a_high_pass_is_the_same_however_a_recording_is_cut(
    offsets: Path, workers: Executor
) -> None:
    recording = high_passed(open_recording(offsets, Options()), 0.1, workers)
    whole = recording.read(0, recording.samples)
    for first, stop in (
        (0, 300),
        (9_000, 9_500),
        (13_001, 20_003),
        (recording.samples - 9, recording.samples),
    ):
        np.testing.assert_allclose(recording.read(first, stop), whole[:, first:stop], atol=0.01)


def test_a_high_pass_takes_two_channels_at_once_where_there_are_two_threads(
    workers: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2, timeout=60)
    stretches = filtering._recorded

    def met(uv: NDArray[np.float32]) -> Iterator[slice]:
        both.wait()
        return stretches(uv)

    monkeypatch.setattr(filtering, "_recorded", met)
    at_its_end(np.ones(400), workers)
    assert not both.broken


def at_its_end(uv: NDArray[np.float64], workers: Executor, hz: float = 0.1) -> NDArray[np.float32]:
    """High-pass a signal, given and reversed, which must be the same: (20, T)."""
    rows = np.tile(uv.astype(np.float32), (len(CHANNELS), 1))
    one = Recording(
        Path("a.edf"), rows.shape[1], Chosen({}, (), ()), {}, (), "",
        read=lambda first, stop: rows[:, first:stop].copy(),
    )  # fmt: skip
    passed = high_passed(one, hz, workers)
    found = passed.read(0, one.samples)
    rows = rows[:, ::-1]
    np.testing.assert_allclose(passed.read(0, one.samples)[:, ::-1], found, atol=0.01)
    return found


T_S = np.arange(100 * 200) / 200


@pytest.mark.parametrize(
    ("drift_uv", "most_uv"),
    [(20_000 + 0 * T_S, 8), (100 * T_S, 8), (5_000 * np.exp(-T_S / 60), 9),
     (3_000 * np.exp(-T_S / 20), 16), (2_000 * np.sin(T_S / 19), 20)],
)  # fmt: skip
def test_a_recording_does_not_swing_at_its_ends(
    drift_uv: NDArray[np.float64], most_uv: float, workers: Executor
) -> None:
    """Whatever wave the last value is of, and whichever way its drift bends."""
    for phase in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        exact_uv = 60 * np.sin(2 * np.pi * 0.9 * T_S + phase) + 10 * np.sin(2 * np.pi * 9 * T_S)
        off_uv = np.abs(at_its_end(exact_uv + drift_uv, workers)[0] - exact_uv)
        assert off_uv.max() < most_uv
        assert off_uv[1_000:-1_000].max() < 2.5
        assert off_uv[2_000:-2_000].max() < 0.3


def test_a_jump_near_an_end_is_no_worse_there_than_elsewhere(workers: Executor) -> None:
    """A filter of no delay draws half of a jump to either side of it, wherever it stands."""
    exact_uv = 60 * np.sin(2 * np.pi * 0.9 * T_S)
    for before_s in (1, 2, 5, 10):
        jump_uv = 500.0 * (100 - before_s < T_S)
        off_uv = np.abs(at_its_end(exact_uv + jump_uv + 17 * T_S, workers)[0] - exact_uv)
        assert off_uv.max() < 330
        assert off_uv[: -(before_s + 12) * 200].max() < 9


@pytest.mark.parametrize("samples", [1, 2, 3, 150, 700, 1_500, 3_000, 6_000])
def test_short_stretches_between_gaps_lose_their_offset(samples: int, workers: Executor) -> None:
    at_s = T_S[:samples]
    exact_uv = 20 * np.sin(2 * np.pi * 4 * at_s)
    off_uv = np.abs(at_its_end(exact_uv + 20_000 + 5 * at_s, workers)[0] - exact_uv)
    assert off_uv.max() < 22


def test_a_gap_does_not_ring(tmp_path: Path, workers: Executor) -> None:
    from support.edf_bytes import annotations, tal

    onsets = [float(n) + (7 if n >= 65 else 0) for n in range(SECONDS)]
    at = np.concatenate([onset + np.arange(128) / 128 for onset in onsets])
    signals = eeg(SECONDS, 128, 128, at=at, uv=lambda n, t: wave(n, t) + 1_500)
    told = annotations([tal(onset) for onset in onsets])
    path = write(tmp_path / "a.edf", [*signals, told], Head(kind="EDF+D"))
    recording = high_passed(open_recording(path, Options()), 0.1, workers)
    found = recording.read(0, recording.samples)
    seconds = np.arange(recording.samples) / 200
    gap = (seconds >= 65) & (seconds < 72)
    assert (np.isnan(found) == gap).all()
    for name, values in zip(CHANNELS, found, strict=True):
        off = np.abs(values - wave(name, seconds))
        assert np.nanmax(off) < 9  # a step of 1,500 uV would ring with half of that
        assert np.nanmax(off[(seconds < 55) | (seconds > 82)][INNER]) < 1.5


def test_a_high_pass_of_ones_own_or_none(offsets: Path, tmp_path: Path) -> None:
    import_recordings([offsets], tmp_path / "own", highpass=0.5)
    (one,) = read_recordings(tmp_path / "own")
    assert one.highpass_hz == 0.5
    slow = np.abs(np.fft.rfft(written(tmp_path / "own")[0, 5_000:17_000]))
    assert slow[:6].max() < 0.1 * slow.max()  # under 0.1 Hz
    for bad in ("0", "100", "often", "nan"):
        with pytest.raises(ParameterError, match=r"expected auto, none, or 0\.01 to 10"):
            import_recordings([offsets], tmp_path / "no", highpass=bad)


def test_half_beyond_the_clip_is_refused_unless_asked_for(offsets: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"beyond the clip of a store.*--clipped"):
        import_recordings([offsets], tmp_path / "out", highpass="none")
    assert not (tmp_path / "out").exists()
    made = import_recordings([offsets], tmp_path / "out", highpass="none", clipped=True)
    (told,) = made.warnings
    assert told.startswith("dc.bdf: 100% of Fp1, 100% of F3")
    assert made.recordings[0].clipped["Fp1"] == 1.0
    good = write(tmp_path / "good.edf", eeg(SECONDS, 128, 128))
    both = import_recordings([offsets, good], tmp_path / "both", highpass="none")
    assert [one.file for one in both.recordings] == ["good.edf"]
    assert [one.file for one in both.refused] == ["dc.bdf"]
    ids = pl.read_csv(tmp_path / "both" / "test.csv")["eeg_id"].unique().to_list()
    files = {int(file.stem) for file in (tmp_path / "both" / "test_eegs").iterdir()}
    assert files == set(ids) == {both.recordings[0].pieces[0].eeg_id}


def test_one_channel_beyond_the_clip_is_told(tmp_path: Path) -> None:
    path = bdf(tmp_path / "a.bdf", channels=("F8", "Cz"))
    made = import_recordings([path], tmp_path / "out", highpass="none")
    (told,) = made.warnings
    assert told.startswith("a.bdf: 100% of F8, ")
    assert told.endswith(
        " of Cz is beyond the clip of a store (1,024 uV, 32,000 for the EKG), which holds the clip "
        "there."
    )


def test_old_lists_of_recordings_are_read(tmp_path: Path) -> None:
    old = {"file": "a.edf", "seconds": 60.0, "patient_id": 1, "rates_hz": [200.0], "filled": [],
           "references": [], "pieces": []}  # fmt: skip
    (tmp_path / "recordings.json").write_text(json.dumps({"recordings": [old]}))
    (one,) = read_recordings(tmp_path)
    assert (one.highpass_hz, one.clipped) == (None, {})
    assert ImportedRecording.from_json({**old, "clipped": {"Fp1": 0.5}}).clipped == {"Fp1": 0.5}


def test_a_build_refuses_what_is_for_the_most_part_beyond_the_clip(
    offsets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, store = tmp_path / "data", tmp_path / "s.zarr"
    import_recordings([offsets], data, highpass="none", clipped=True)
    with pytest.raises(DataError, match=r"1 of 1 EEG \(10000\).*beyond the clip.*--clipped"):
        hmsprep.build(data, store, split_by="all", workers=1)
    assert not store.exists()
    built = hmsprep.build(data, store, split_by="all", workers=1, clipped=True)
    (told,) = (one for one in built.info["warnings"] if "beyond the clip" in one)
    assert "1 EEG of 1 have 1% or more of a channel" in told
    assert "Fp1 100%" in told
    assert told in caplog.text
    loose = hmsprep.build(data, tmp_path / "loose.zarr", split_by="all", workers=1, eeg_clip=None)
    assert not [one for one in loose.info["warnings"] if "beyond the clip" in one]
    found = hmsprep.inspect(data, workers=1)
    (most,) = found.facts["signals"]["eeg"]["outside"]["most"]
    assert most["channels"]["Fp1"] == 1.0
    assert any("1 EEG recording with 1% or more of a channel" in one for one in found.warnings)


def test_one_bad_recording_of_several_is_told_by_a_build(offsets: Path, tmp_path: Path) -> None:
    good = [write(tmp_path / f"{n}.edf", eeg(SECONDS, 128, 128)) for n in range(2)]
    data = tmp_path / "data"
    import_recordings([offsets, *good], data, highpass="none", clipped=True)
    built = hmsprep.build(data, tmp_path / "s.zarr", split_by="all", workers=1)
    (told,) = (one for one in built.info["warnings"] if "beyond the clip" in one)
    assert "1 EEG of 3 have 1% or more of a channel" in told
    assert "10000: " in told or "20000: " in told or "30000: " in told
