"""Simulated data are laid out as the competition's are, honest, and hard in the right way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from support.helpers import build_store, train_row, tree_bytes

from hmsprep.errors import DataError, ParameterError
from hmsprep.seeds import generator
from hmsprep.simulator.layout import Recording
from hmsprep.simulator.make import Simulated, best_possible, record, synth
from hmsprep.simulator.scene import Period
from hmsprep.simulator.structure import random_structure
from hmsprep.spectrograms.multitaper import spectrogram
from hmsstore.schema import CHANNELS, CLASSES, FEATURES

VOTES = [f"{name}_vote" for name in CLASSES]


def simulate(out: Path, windows: int, **options) -> Simulated:
    return synth(out, windows=windows, **({"seed": 1} | options))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set simulated in full, not cut from clips."""
    out = tmp_path_factory.mktemp("synth") / "data"
    simulate(out, 400)
    return out


def test_files_have_the_competitions_columns_types_and_lengths(whole: Path) -> None:
    table = pl.read_csv(whole / "train.csv")
    assert table.columns == [
        "eeg_id",
        "eeg_sub_id",
        "eeg_label_offset_seconds",
        "spectrogram_id",
        "spectrogram_sub_id",
        "spectrogram_label_offset_seconds",
        "label_id",
        "patient_id",
        "expert_consensus",
        *VOTES,
    ]
    assert table.height == 400
    for (eeg,), part in table.group_by("eeg_id"):
        file = pq.ParquetFile(whole / "train_eegs" / f"{eeg}.parquet")
        assert file.schema_arrow.names == list(CHANNELS)
        assert {str(t) for t in file.schema_arrow.types} == {"float"}
        assert file.num_row_groups == 1
        assert file.metadata.row_group(0).column(0).compression == "SNAPPY"
        assert file.metadata.num_rows == 200 * (part["eeg_label_offset_seconds"].max() + 50)
        assert part["eeg_sub_id"].to_list() == list(range(part.height))
    for (ident,), part in table.group_by("spectrogram_id"):
        file = pq.ParquetFile(whole / "train_spectrograms" / f"{ident}.parquet")
        assert file.schema_arrow.names == ["time", *FEATURES]
        assert str(file.schema_arrow.types[0]) == "int64"
        last = part["spectrogram_label_offset_seconds"].max()
        assert file.metadata.num_rows == (600 + last) // 2
        assert file.read(["time"])["time"].to_pylist()[:3] == [1, 3, 5]
    test = pl.read_csv(whole / "test.csv")
    assert test.columns == ["spectrogram_id", "eeg_id", "patient_id"]
    for ident in test["spectrogram_id"].to_list():
        schema = pq.read_schema(whole / "test_spectrograms" / f"{ident}.parquet")
        assert str(schema.types[0]) == "int16"
    submission = pl.read_csv(whole / "sample_submission.csv")
    assert submission.columns == ["eeg_id", *VOTES]


def test_the_competitions_quirks_are_there(whole: Path) -> None:
    table = pl.read_csv(whole / "train.csv")
    assert (table["spectrogram_label_offset_seconds"] % 2 == 1).any()
    per_spectrogram = table.group_by("spectrogram_id").agg(pl.n_unique("eeg_id").alias("n"))
    assert per_spectrogram["n"].max() > 1
    votes = table.select(VOTES).to_numpy()
    assert {3} < set(votes.sum(axis=1).tolist())
    assert (votes.sum(axis=1) >= 10).mean() > 0.15
    assert ((votes > 0).sum(axis=1) > 1).any()
    gaps = whole_rows = 0
    for folder in ("train_eegs", "train_spectrograms"):
        for file in (whole / folder).iterdir():
            values = pl.read_parquet(file).drop("time", strict=False).to_numpy()
            known = np.isfinite(values)
            gaps += not known.all()
            whole_rows += not known.all() and (known.all(axis=1) | ~known.any(axis=1)).all()
            np.testing.assert_allclose(
                values[known] * 100, np.rint(values[known] * 100.0), rtol=1e-6, atol=1e-3
            )
    assert gaps == whole_rows > 0


def test_the_spectrogram_is_that_of_the_recording_the_eeg_was_cut_from(whole: Path) -> None:
    table = pl.read_csv(whole / "train.csv")
    compared = 0
    for (eeg, ident), part in table.group_by("eeg_id", "spectrogram_id", maintain_order=True):
        row = part.row(0, named=True)
        apart = row["spectrogram_label_offset_seconds"] - row["eeg_label_offset_seconds"]
        raw = pl.read_parquet(whole / "train_eegs" / f"{eeg}.parquet").to_numpy()
        power = pl.read_parquet(whole / "train_spectrograms" / f"{ident}.parquet")
        given = power.drop("time").to_numpy()
        # Row r is computed from 2r - 1 to 2r + 3 s; the EEG starts 275 s in, or at an odd second.
        first_second = int(275 + apart)
        first = (first_second + 2) // 2
        skip = 200 * (2 * first - 1 - first_second)
        ours = spectrogram(raw[skip:])
        theirs = given[first : first + len(ours)]
        # Small powers are mostly rounding to the grid; the filter shows at the cut's own ends.
        both = np.isfinite(theirs) & (theirs > 0.5) & np.isfinite(raw).all()
        both[[0, -1]] = False
        if both.sum() < 1000:
            continue
        difference = np.log(ours[both]) - np.log(theirs[both])
        assert np.median(np.abs(difference)) < 0.02
        compared += 1
    assert compared > 20


def test_the_truth_is_a_distribution_that_explains_the_votes(whole: Path) -> None:
    truth = pl.read_csv(whole / "truth.csv")
    table = pl.read_csv(whole / "train.csv")
    assert truth["label_id"].to_list() == table["label_id"].to_list()
    shares = truth.select(CLASSES).to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-4)
    votes = table.select(VOTES).to_numpy()
    assert (shares[np.arange(len(votes)), votes.argmax(axis=1)] > 0.1).mean() > 0.95


@pytest.mark.parametrize("seed", range(4))
def test_scores_lie_where_the_real_ones_do(seed: int) -> None:
    table, truth = random_structure(1500, generator(seed, "structure"))
    assert len(table["eeg_id"]) == 1500
    found = best_possible(table, truth)
    assert 0.15 < found["kl_of_truth"] < 0.4
    assert 1.3 < found["kl_of_mean"] < 1.5


REAL = {
    (1, 3): (0.585, (0.226, 0.124, 0.089, 0.065, 0.122, 0.374), 0.130, 0.814),
    (4, 9): (0.101, (0.356, 0.215, 0.110, 0.049, 0.038, 0.232), 0.559, 0.219),
    (10, 28): (0.314, (0.052, 0.189, 0.123, 0.083, 0.088, 0.464), 0.655, 0.136),
}
"""Of train.csv, one window of each pair of EEG and votes, by number of votes: share of all such
pairs; mean target; mean entropy of the target in nats; share in which all raters agree."""


@pytest.fixture(scope="module")
def pairs() -> np.ndarray:
    """Votes of each pair of EEG and votes in 60,000 simulated windows, (N, 6)."""
    found = []
    for seed in range(3):
        table, _ = random_structure(20_000, generator(seed, "structure"))
        found.append(np.unique(np.column_stack([table["eeg_id"], table["votes"]]), axis=0)[:, 1:])
    return np.concatenate(found)


@pytest.mark.parametrize("votes", REAL, ids=str)
def test_each_population_votes_as_the_real_one(votes: tuple[int, int], pairs: np.ndarray) -> None:
    share, classes, entropy, unanimous = REAL[votes]
    total = pairs.sum(axis=1)
    own = (total >= votes[0]) & (total <= votes[1])
    target = pairs[own] / total[own, None]
    assert own.mean() == pytest.approx(share, abs=0.02)
    np.testing.assert_allclose(target.mean(axis=0), classes, atol=0.025)
    found = -(target * np.log(np.where(target > 0, target, 1))).sum(axis=1).mean()
    assert found == pytest.approx(entropy, abs=0.05)
    assert (target.max(axis=1) == 1).mean() == pytest.approx(unanimous, abs=0.06)


def test_windows_are_shared_among_populations_and_classes_as_the_real_ones() -> None:
    """Long patterns have more windows than pairs of EEG and votes: LRDA and GRDA above all."""
    shares, targets = [], []
    for seed in range(3):
        table, _ = random_structure(20_000, generator(seed, "structure"))
        total = table["votes"].sum(axis=1)
        shares.append([(total <= 3).mean(), (total >= 10).mean()])
        targets.append((table["votes"] / total[:, None]).mean(axis=0))
    np.testing.assert_allclose(np.mean(shares, axis=0), (0.548, 0.374), atol=0.03)
    overall = (0.208, 0.132, 0.129, 0.139, 0.180, 0.213)
    np.testing.assert_allclose(np.mean(targets, axis=0), overall, atol=0.04)


def test_a_linear_model_of_band_powers_closes_less_than_half_of_the_gap(whole: Path) -> None:
    """Power alone must not give the patterns away: what matters is form, rhythm and place."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    table = pl.read_csv(whole / "train.csv")
    truth = pl.read_csv(whole / "truth.csv").select(CLASSES).to_numpy()
    votes = table.select(VOTES).to_numpy().astype(float)
    target = votes / votes.sum(axis=1, keepdims=True)
    features = np.stack([band_powers(whole, row) for row in table.iter_rows(named=True)])
    fold = np.unique(table["patient_id"].to_numpy(), return_inverse=True)[1] % 5
    predicted = np.zeros_like(target)
    for held_out in range(5):
        train = fold != held_out
        scaler = StandardScaler().fit(features[train])
        repeated = np.repeat(scaler.transform(features[train]), len(CLASSES), axis=0)
        classes = np.tile(np.arange(len(CLASSES)), train.sum())
        weight = target[train].ravel()
        model = LogisticRegression(C=0.03, max_iter=1000)
        model.fit(repeated[weight > 0], classes[weight > 0], weight[weight > 0])
        predicted[~train] = model.predict_proba(scaler.transform(features[~train]))
    mean, linear, best = kl(target, target.mean(axis=0)), kl(target, predicted), kl(target, truth)
    assert best < mean - 0.8
    assert (mean - linear) / (mean - best) < 0.5


def band_powers(data: Path, row: dict[str, float]) -> np.ndarray:
    eeg = pl.read_parquet(data / "train_eegs" / f"{row['eeg_id']}.parquet").to_numpy()
    start = int(200 * row["eeg_label_offset_seconds"]) + 4000
    judged = np.nan_to_num(eeg[start : start + 2000, :19])
    power = np.abs(np.fft.rfft(judged * np.hanning(2000)[:, None], axis=0)) ** 2
    edges = (5, 40, 80, 130, 300)
    bands = [power[a:b].mean(axis=0) for a, b in pairwise(edges)]
    return np.log(np.concatenate(bands) + 1e-3)


def kl(target: np.ndarray, predicted: np.ndarray) -> float:
    safe = np.broadcast_to(np.clip(predicted, 1e-15, 1), target.shape)
    ratio = np.divide(target, safe, out=np.ones_like(target), where=target > 0)
    return float((target * np.log(ratio)).sum(axis=1).mean())


def test_seed_decides_everything_and_workers_nothing(tmp_path: Path) -> None:
    for name, options in {
        "a": {"workers": 1},
        "b": {"workers": 2},
        "c": {"workers": 2, "seed": 2},
    }.items():
        simulate(tmp_path / name, 12, **options)
    assert tree_bytes(tmp_path / "a") == tree_bytes(tmp_path / "b")
    assert tree_bytes(tmp_path / "a").keys() != tree_bytes(tmp_path / "c").keys()


def test_like_copies_structure_and_votes(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "like"
    made = simulate(out, None, like=whole / "train.csv", fraction=0.2, fast=True)
    ours, theirs = pl.read_csv(out / "train.csv"), pl.read_csv(whole / "train.csv")
    copied = theirs.filter(pl.col("patient_id").is_in(ours["patient_id"].unique().to_list()))
    assert ours.equals(copied)
    patients = theirs["patient_id"].n_unique()
    assert made.patients == round(0.2 * patients)
    assert len(list((out / "train_eegs").iterdir())) == made.eegs


@pytest.mark.parametrize("fast", [True, False])
def test_like_takes_offsets_off_the_grid_to_the_sample(tmp_path: Path, fast: bool) -> None:
    """14.1 s are 2,820 samples, though 64.1 s are a little less than 12,820 in floating point."""
    offsets = {"eeg_label_offset_seconds": 14.1, "spectrogram_label_offset_seconds": 14.1}
    table = pl.DataFrame([train_row(), train_row(eeg_sub_id=1, label_id=5, **offsets)])
    table.write_csv(tmp_path / "like.csv")
    data = tmp_path / "data"
    simulate(data, None, like=tmp_path / "like.csv", fast=fast)
    assert pq.read_metadata(data / "train_eegs" / "1.parquet").num_rows == 12_820
    assert pq.read_metadata(data / "train_spectrograms" / "2.parquet").num_rows == 307
    assert len(build_store(data, tmp_path / "hms.zarr")) == 2


@pytest.mark.parametrize("fast", [True, False])
def test_an_eeg_begins_at_the_sample_of_its_second_however_that_was_rounded(
    tmp_path: Path, fast: bool
) -> None:
    for folder in ("test_eegs", "test_spectrograms"):
        (tmp_path / folder).mkdir()
    eegs = ((1, 20.0, 400), (2, 20.0 - 1e-12, 400))
    period = Period(0.0, 60.0, np.eye(len(CLASSES))[2])
    record(Recording(tmp_path, 1, fast, "test", 3, 4, 30, eegs, (period,)))
    first, second = (tmp_path / "test_eegs" / f"{eeg}.parquet" for eeg in (1, 2))
    assert first.read_bytes() == second.read_bytes()


def test_like_takes_true_metadata_without_label_ids(real_data: Path, tmp_path: Path) -> None:
    metadata = real_data / "metadata" / "train_metadata.parquet"
    out = tmp_path / "like"
    simulate(out, None, like=metadata, fraction=0.002, fast=True)
    ours = pl.read_csv(out / "train.csv")
    theirs = pl.read_parquet(metadata)
    kept = theirs.filter(pl.col("patient_id").is_in(ours["patient_id"].unique().to_list()))
    assert ours.drop("label_id").equals(kept)
    assert ours["label_id"].n_unique() == ours.height


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="exists already"):
        simulate(tmp_path, 3)
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        simulate(tmp_path / "a", 3, like=tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("spectrogram_id,eeg_id,patient_id\n1,2,3\n")
    with pytest.raises(DataError, match="has no votes"):
        simulate(tmp_path / "a", 3, like=tmp_path / "t.csv")
    with pytest.raises(ParameterError, match="--fraction: expected a share above 0"):
        simulate(tmp_path / "a", 3, like=tmp_path / "t.csv", fraction=0.0)
    with pytest.raises(ParameterError, match="--fraction: expected a share above 0"):
        simulate(tmp_path / "a", 3, like=tmp_path / "t.csv", fraction="0.5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.csv"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"windows": 0}, "--windows: expected a whole number, 1 or more, got 0"),
        ({"windows": -1}, "--windows: expected a whole number, 1 or more, got -1"),
        ({"windows": 2.5}, "--windows: expected a whole number, 1 or more, got 2.5"),
        ({"windows": 0, "like": "none.csv"}, "--windows: expected a whole number"),
        ({"workers": 0}, "--workers: expected a whole number, 1 or more, got 0"),
        ({"workers": "2"}, "--workers: expected a whole number, 1 or more, got '2'"),
        ({"seed": 1.5}, "--seed: expected a whole number, 0 or more, got 1.5"),
        ({"seed": -1}, "--seed: expected a whole number, 0 or more, got -1"),
        ({"fast": "no"}, "--fast: expected True or False, got 'no'"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=message):
        synth(tmp_path / "a", **({"windows": 3} | wrong))
    assert not list(tmp_path.iterdir())
