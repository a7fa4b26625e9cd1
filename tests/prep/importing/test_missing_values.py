"""Values that a file has no number for stay missing, alone, and are said: by import and predict."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.io import savemat
from support.formats import raw_array, signal_uv
from support.helpers import Program
from support.recorder import noise

from hmsprep.errors import DataError
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats import open_recording, votes_mat
from hmsprep.importing.recording import Options
from hmsprep.importing.resampling import resampled
from hmsstore.recordings import read_recordings, read_warnings
from hmsstore.schema import CHANNELS

EVERY = tuple(range(len(CHANNELS)))


def written(out: Path) -> np.ndarray:
    (file,) = (out / "test_eegs").iterdir()
    return pl.read_parquet(file).to_numpy().T


def fif(path: Path, spans: dict[tuple[int, int], tuple[int, ...]], rate_hz: float = 250.0) -> Path:
    uv = signal_uv(rate_hz)
    for (first, stop), channels in spans.items():
        uv[list(channels), first:stop] = np.nan
    raw_array(uv=uv, rate_hz=rate_hz).save(path, verbose="ERROR")
    return path


@pytest.mark.parametrize("rate_hz", [200.0, 250.0])
def test_missing_values_of_a_fif_file_are_said_and_spoil_no_others(
    rate_hz: float, tmp_path: Path
) -> None:
    pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")
    second = round(rate_hz)
    spans = {(20 * second, 27 * second): EVERY, (40 * second, 43 * second): (0, 5)}
    path = fif(tmp_path / "night_raw.fif", spans, rate_hz)
    made = import_recordings([path], tmp_path / "out")
    (one,) = read_recordings(tmp_path / "out")
    expected = dict.fromkeys(CHANNELS, 7.0) | dict.fromkeys((CHANNELS[0], CHANNELS[5]), 10.0)
    assert one.missing == pytest.approx(expected, abs=0.011)
    (told,) = (note for note in made.warnings if "hold no number" in note)
    assert told.startswith("night_raw.fif: 7")
    assert told.endswith("s of 20 channels (Fp1, F3, C3 ...) hold no number in the file: missing "
                         "values there.")  # fmt: skip
    assert told in read_warnings(tmp_path / "out")  # which `hmstrain predict` says
    found, exact = written(tmp_path / "out"), signal_uv(200.0)
    missing = np.isnan(found)
    for (first, stop), channels in spans.items():
        inside = slice(first * 200 // second, stop * 200 // second)
        assert missing[list(channels), inside].all()
    assert missing.sum() / 200 == pytest.approx(20 * 7 + 2 * 3, abs=0.3)
    off = np.abs(found - exact)[:, 400:-400]
    assert np.nanmax(off) < 2.5  # beside what is missing, which is bridged by a line
    assert np.nanpercentile(off, 99) < 0.05


def test_a_gap_that_is_told_is_not_told_twice(tmp_path: Path) -> None:
    pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")
    raw = raw_array()
    raw.annotations.append(20.0, 5.0, "BAD_ACQ_SKIP")
    made = import_recordings([raw], tmp_path / "out")
    assert any("was paused 1 time, 5 s in all" in note for note in made.warnings)
    assert not any("hold no number" in note for note in made.warnings)
    assert made.recordings[0].missing == {}


def test_a_channel_that_a_file_lacks_is_missing_in_its_gaps_and_not_counted(tmp_path: Path) -> None:
    names = [name for name in CHANNELS if name != "Fz"]
    uv = np.delete(signal_uv(200.0), CHANNELS.index("Fz"), axis=0)
    uv[:, 4_000:4_400] = np.nan
    made = import_recordings([raw_array(names, uv, 200.0)], tmp_path / "out")
    assert made.recordings[0].missing == pytest.approx(dict.fromkeys(names, 2.0), abs=0.011)
    missing = np.isnan(written(tmp_path / "out"))
    np.testing.assert_array_equal(missing, np.tile(missing[0], (len(CHANNELS), 1)))


def test_missing_values_of_a_mat_file_are_said_by_channel(tmp_path: Path) -> None:
    uv = noise(50)
    uv[2, 1_000:1_500] = np.nan
    uv[19, 0:100] = np.inf
    savemat(tmp_path / "a.mat", {"data": uv})
    savemat(tmp_path / "b.mat", {"data": noise(10)})  # ten seconds, of which more is not told
    made = import_recordings([tmp_path / "a.mat", tmp_path / "b.mat"], tmp_path / "out")
    told = [note for note in made.warnings if "hold no number" in note]
    assert told == [
        f"a.mat: 2.5 s of {CHANNELS[2]}, 0.5 s of {CHANNELS[19]} hold no number in the file: "
        "missing values there."
    ]
    assert [one.missing for one in made.recordings] == [
        {CHANNELS[2]: 2.5, CHANNELS[19]: 0.5}, {}]  # fmt: skip


def test_a_command_says_what_is_missing(tmp_path: Path) -> None:
    uv = noise(50)
    uv[:, 1_000:1_500] = np.nan
    savemat(tmp_path / "a.mat", {"data": uv})
    done = Program("hmsprep").succeed("import", tmp_path / "a.mat", tmp_path / "out")
    assert "2.5 s of 20 channels (Fp1, F3, C3 ...) hold no number" in " ".join(done.stderr.split())


@pytest.mark.parametrize("rate_hz", [Fraction(200), Fraction(250), Fraction(2_000_094, 10_000)])
def test_a_value_at_the_edge_of_a_part_costs_no_other(rate_hz: Fraction) -> None:
    """A filter that began with one would be NaN throughout."""
    values = np.sin(np.arange(20_000) / 30)
    gone = np.zeros(len(values), bool)
    gone[[0, 1, 7_000, 9_999, 19_999]] = True
    holed = np.where(gone, np.nan, values)
    count = int(len(values) / rate_hz * 200)

    def part(of: np.ndarray, first: int, stop: int) -> np.ndarray:
        return resampled(lambda a, b: of[a:b].copy(), rate_hz, len(of), first, stop)

    whole = part(holed, 0, count)
    assert 5 <= np.isnan(whole).sum() <= 12
    known = np.isfinite(whole)
    assert np.abs(whole - part(values, 0, count))[known].max() < 0.02
    for first, stop in ((0, 500), (5_590, 5_610), (7_000, 9_000), (count - 300, count)):
        np.testing.assert_allclose(part(holed, first, stop), whole[first:stop], atol=1e-6)
    assert np.isnan(part(np.full(20_000, np.nan), 100, 900)).all()


def test_a_recording_of_gaps_alone_is_examined(tmp_path: Path) -> None:
    pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")
    path = fif(tmp_path / "night_raw.fif", {(0, 14_000): (3,)})
    made = import_recordings([path], tmp_path / "out")
    assert made.recordings[0].missing == {CHANNELS[3]: 56.0}
    assert np.isnan(open_recording(path, Options()).read(0, 200)[3]).all()


def test_a_packed_mat_file_is_read_and_one_that_unpacks_to_much_is_refused_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    savemat(tmp_path / "a.mat", {"data": noise(50)}, do_compression=True)
    assert open_recording(tmp_path / "a.mat", Options()).samples == 10_000
    savemat(tmp_path / "a.mat", {"data": np.zeros((20, 10_000))}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 10_000
    monkeypatch.setattr(votes_mat, "MOST_BYTES", 1_000_000)
    with pytest.raises(DataError, match=r"a\.mat unpacks to more than 1 MB; expected a segment"):
        open_recording(tmp_path / "a.mat", Options())
