"""Files of spectrograms, and their comparison with given ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.helpers import write_pair

from hmsprep.errors import DataError, ParameterError
from hmsprep.kaggle.recording import decode
from hmsprep.kaggle.write import write_eeg
from hmsprep.spectrograms.agreement import Agreement
from hmsprep.spectrograms.check import check_spectrograms
from hmsprep.spectrograms.files import matching_spectrogram, spectrogram_file
from hmsprep.spectrograms.multitaper import spectrogram
from hmsstore.schema import CHANNELS, FEATURES, SPECTROGRAM


@pytest.fixture
def eeg(tmp_path: Path) -> Path:
    """A minute of noise."""
    path = tmp_path / "eeg.parquet"
    write_eeg(path, np.random.default_rng(0).normal(0, 30, (20, 12_000)).astype(np.float32))
    return path


def read(path: Path) -> np.ndarray:
    """A spectrogram file as `hmsprep build` reads it."""
    return decode(path.read_bytes(), SPECTROGRAM, str(path)).T


def test_the_file_beside_an_eeg_has_its_offsets(eeg: Path, tmp_path: Path) -> None:
    assert spectrogram_file(eeg, tmp_path / "out.parquet") == 305
    found = read(tmp_path / "out.parquet")
    computed = spectrogram(pl.read_parquet(eeg).to_numpy())
    np.testing.assert_array_equal(found[138 : 138 + len(computed)], computed)
    assert np.isnan(found[:138]).all()
    assert np.isnan(found[138 + len(computed) :]).all()
    for samples in (10_000, 10_400, 18_000, 18_123):
        # a window of 600 s fits wherever one of 50 s does
        rows = len(matching_spectrogram(np.zeros((samples, 20))))
        assert (2 * rows - 600) // 2 == (samples - 10_000) // 400


def test_with_edges_rows_are_the_eegs_own_seconds(eeg: Path, tmp_path: Path) -> None:
    assert spectrogram_file(eeg, tmp_path / "out.parquet", edges=True) == 30
    found = read(tmp_path / "out.parquet")
    expected = spectrogram(pl.read_parquet(eeg).to_numpy(), edges=True)
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(found).all()


def test_rows_of_which_eeg_is_missing_are_missing(eeg: Path, tmp_path: Path) -> None:
    eeg_uv = pl.read_parquet(eeg).to_numpy().copy()
    eeg_uv[:5_000] = np.nan
    eeg_uv[9_000:9_100, CHANNELS.index("T3")] = np.nan  # of the first region alone
    write_eeg(eeg, eeg_uv.T)
    spectrogram_file(eeg, tmp_path / "out.parquet")
    found = np.isnan(read(tmp_path / "out.parquet"))
    own = found[138:167]  # of the EEG's own 29 rows, row n is of its samples from 400 n on
    assert (found[:138].all(), found[167:].all()) == (True, True)
    assert np.flatnonzero(own.all(axis=1)).tolist() == list(range(13))
    assert np.flatnonzero(own[:, :100].any(axis=1)).tolist() == [*range(13), 21, 22]
    assert not own[13:, 100:].any()
    spectrogram_file(eeg, tmp_path / "edges.parquet", edges=True)
    found = np.isnan(read(tmp_path / "edges.parquet"))  # half a row earlier
    assert np.flatnonzero(found.all(axis=1)).tolist() == list(range(13))
    assert np.flatnonzero(found[:, :100].any(axis=1)).tolist() == [*range(13), 22, 23]
    assert not found[13:, 100:].any()


def test_nothing_is_replaced_or_left_half_written(eeg: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    spectrogram_file(eeg, out)
    before = out.read_bytes()
    with pytest.raises(ParameterError, match="exists: name another"):
        spectrogram_file(eeg, out)
    spectrogram_file(eeg, out, force=True)
    assert out.read_bytes() == before
    recorded = eeg.read_bytes()
    (tmp_path / "link.parquet").symlink_to(eeg)
    for itself in (eeg, tmp_path / "link.parquet", tmp_path / ".." / tmp_path.name / "eeg.parquet"):
        with pytest.raises(ParameterError, match="is the EEG file itself"):
            spectrogram_file(eeg, itself, force=True)
        assert eeg.read_bytes() == recorded
    (tmp_path / "link.parquet").unlink()
    with pytest.raises(ParameterError, match="name that ends in"):
        spectrogram_file(eeg, tmp_path / "out.csv")
    with pytest.raises(ParameterError, match="no folder"):
        spectrogram_file(eeg, tmp_path / "nowhere" / "out.parquet")
    (tmp_path / "bad.parquet").write_text("a,b")
    with pytest.raises(DataError, match="not a whole parquet file"):
        spectrogram_file(tmp_path / "bad.parquet", tmp_path / "new.parquet")
    short = tmp_path / "short.parquet"
    for samples, least, edges in ((300, 400, True), (300, 800, False), (799, 800, False)):
        write_eeg(short, np.zeros((20, samples), np.float32))
        with pytest.raises(DataError, match=f"{samples} samples, expected {least} or more"):
            spectrogram_file(short, tmp_path / "new.parquet", edges=edges)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"eeg.parquet", "out.parquet", "bad.parquet", "short.parquet"}


def test_agreement_is_plain_statistics() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.lognormal(0, 1, (200, 400)).astype(np.float32)
    ours = theirs.copy()
    ours[:, 100:200] *= 1.1  # RL
    theirs[:50] = np.nan
    theirs[60, 0] = 0.01
    found = Agreement(1, 0, ours, theirs)
    regions = found.by_region()
    assert regions["LL"]["median ratio"] == pytest.approx(1)
    assert regions["RL"]["median ratio"] == pytest.approx(1.1)
    assert regions["RL"]["median error"] == pytest.approx(np.log(1.1), rel=1e-4)
    assert regions["RL"]["correlation"] == pytest.approx(1)
    assert regions["RL"]["values"] == (theirs[:, 100:200] >= 0.05).sum()
    assert regions["all"]["values"] == sum(regions[r]["values"] for r in ("LL", "RL", "LP", "RP"))
    third = found.by_frequency()[2]
    both = np.stack([theirs[:, 2::100], ours[:, 2::100]])[:, theirs[:, 2::100] >= 0.05]
    assert third["correlation"] == pytest.approx(np.corrcoef(np.log(both))[0, 1])


def test_a_data_set_with_computed_spectrograms_agrees_wholly(tmp_path: Path) -> None:
    rows = [
        {"eeg_id": 1, "spectrogram_id": 2, "label_id": 1},
        # this EEG begins 8 s after the spectrogram's 275th second, the third between two rows
        {"eeg_id": 3, "spectrogram_id": 4, "label_id": 2, "spectrogram_label_offset_seconds": 8.0},
        {"eeg_id": 5, "spectrogram_id": 6, "label_id": 3, "spectrogram_label_offset_seconds": 3.0},
    ]
    folder = write_pair(tmp_path / "data", rows)
    for eeg_id, spectrogram_id, later in ((1, 2, 0), (3, 4, 4)):
        computed = spectrogram(pl.read_parquet(folder / f"train_eegs/{eeg_id}.parquet").to_numpy())
        path = folder / f"train_spectrograms/{spectrogram_id}.parquet"
        given = pl.read_parquet(path)
        values = given.drop("time").to_numpy().copy()
        values[138 + later : 138 + later + len(computed)] = computed
        frame = pl.DataFrame(values, schema=list(FEATURES))
        frame.insert_column(0, given["time"]).write_parquet(path)
    found = check_spectrograms(folder, count=10)
    assert (found.eegs, found.left_out) == (2, 1)
    np.testing.assert_array_equal(found.ours, found.theirs)
    assert check_spectrograms(folder, count=1).eegs == 1
    shutil.rmtree(folder / "train_spectrograms")
    with pytest.raises(DataError, match="no EEG has a spectrogram"):
        check_spectrograms(folder, count=10)


def test_missing_eeg_is_not_compared(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "data", [{}])
    path = folder / "train_eegs" / "1.parquet"
    eeg_uv = pl.read_parquet(path).to_numpy().copy()
    eeg_uv[:5_000] = np.nan
    write_eeg(path, eeg_uv.T)
    found = check_spectrograms(folder)
    assert np.flatnonzero(np.isnan(found.ours).any(axis=1)).tolist() == list(range(13))
    assert found.numbers(slice(None))["values"] == (found.theirs[13:] >= 0.05).sum()


def test_both_real_pairs_agree(real_data: Path, tmp_path: Path) -> None:
    tests = tmp_path / "test"
    shutil.copytree(real_data / "kaggle", tests, ignore=shutil.ignore_patterns("train*"))
    for folder in (real_data / "kaggle", tests):
        found = check_spectrograms(folder, count=10).by_region()["all"]
        assert found["correlation"] >= 0.9995
        assert abs(found["median ratio"] - 1) <= 0.01
