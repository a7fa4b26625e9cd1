"""A store holds what the files hold, for every way of cleaning, from any number of workers."""

from __future__ import annotations

import errno
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.helpers import SMALL, build_dataset, build_store, tree_bytes, write_pair

from hmsprep import processes
from hmsprep.building.build import build, explained
from hmsprep.building.journal import finished_shards
from hmsprep.building.site import State
from hmsprep.building.tasks import Layout, NormaliseTask
from hmsprep.building.values.clean import clean, missing_values
from hmsprep.building.values.statistics import Statistics
from hmsprep.building.worker import normalise
from hmsprep.errors import BuildError, DataError
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsprep.processes import tasks
from hmsprep.sealed.verification import verify
from hmsstore import HMS, SIGNALS, Store
from hmsstore.schema import SPLITS


def source_windows(data: Path, row: dict[str, Any]) -> dict[str, np.ndarray]:
    """Raw windows of a row of train.csv, cut from the files by hand: float32 (rows, features)."""
    eeg = pl.read_parquet(data / "train_eegs" / f"{row['eeg_id']}.parquet").to_numpy()
    start = int(200 * row["eeg_label_offset_seconds"])
    file = data / "train_spectrograms" / f"{row['spectrogram_id']}.parquet"
    power = pl.read_parquet(file).drop("time").to_numpy()
    first = int(row["spectrogram_label_offset_seconds"] // 2)
    return {"eeg": eeg[start : start + 10_000], "spectrogram": power[first : first + 300]}


def assert_close(store: Store, name: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Two roundings to half precision are allowed, and no more."""
    statistics = store.info["statistics"][name]
    mean, std = np.asarray(statistics["mean"]), np.asarray(statistics["std"])
    bound = 2.0**-10 * (np.abs(expected) + np.abs(mean)) + 2.0**-24 * std
    assert (np.abs(found.astype(np.float64) - expected) <= bound + 1e-6).all()


def check_against_source(store: Store, data: Path, **parameters: Any) -> None:
    chosen = Parameters(**parameters)
    frame = pl.read_csv(data / "train.csv")
    assert store.windows["eeg_id"].tolist() == frame["eeg_id"].to_list()
    for number, row in enumerate(frame.iter_rows(named=True)):
        physical = store.denormalise(store.gather([number]))
        for name, raw in source_windows(data, row).items():
            values = raw.T.astype(np.float32).copy()
            missing = missing_values(values)
            expected = clean(values, missing, SIGNALS[name], chosen)
            if chosen.nan == "mean" and missing is not None:
                mean = np.asarray(store.info["statistics"][name]["mean"], np.float32)[:, None]
                expected = np.where(missing, mean, expected)
            assert_close(store, name, physical[name][0].T.T, expected.T)
            fraction = 0 if missing is None else missing.mean()
            assert store.windows[f"{name}_nan_fraction"][number] == pytest.approx(fraction)


def test_every_window_equals_its_slice_of_the_files(store: Store, data: Path) -> None:
    check_against_source(store, data)


@pytest.mark.parametrize(
    "parameters",
    [{"nan": "mean"}, {"normalise": "none"}, {"eeg_clip": None, "spectrogram_clip": None}],
)
def test_other_ways_of_cleaning_are_as_documented(
    data: Path, tmp_path: Path, parameters: dict[str, Any]
) -> None:
    built = build_store(data, tmp_path / "hms.zarr", **parameters)
    check_against_source(built, data, **parameters)
    assert verify(built.path) == []


def test_mean_becomes_zero_after_z_scoring(data: Path, tmp_path: Path) -> None:
    built = build_store(data, tmp_path / "hms.zarr", nan="mean")
    frame = pl.read_csv(data / "train.csv")
    seen = 0
    for number, row in enumerate(frame.iter_rows(named=True)):
        batch = built.gather([number])
        for name, raw in source_windows(data, row).items():
            gaps = ~np.isfinite(raw)
            seen += int(gaps.sum())
            assert (batch[name][0][gaps] == 0).all()
    assert seen > 0


def test_interpolation_and_band_pass_see_the_whole_recording(data: Path, tmp_path: Path) -> None:
    parameters: dict[str, Any] = {"nan": "interpolate", "bandpass": (0.5, 40.0)}
    built = build_store(data, tmp_path / "hms.zarr", **parameters)
    frame = pl.read_csv(data / "train.csv")
    counts = frame["eeg_id"].value_counts(sort=True)
    number = frame["eeg_id"].to_list().index(counts["eeg_id"][0]) + 1
    row = frame.row(number, named=True)
    raw = pl.read_parquet(data / "train_eegs" / f"{row['eeg_id']}.parquet").to_numpy().T.copy()
    expected = clean(raw, missing_values(raw), SIGNALS["eeg"], Parameters(**parameters))
    start = int(200 * row["eeg_label_offset_seconds"])
    assert start > 0
    found = built.denormalise(built.gather([number], ["eeg"]))["eeg"][0]
    assert_close(built, "eeg", found, expected[:, start : start + 10_000].T)


def test_statistics_are_those_of_the_training_recordings(store: Store, data: Path) -> None:
    train = store.select("train")
    for name, signal in SIGNALS.items():
        values = []
        for recording in np.unique(store.windows[f"{name}_id"][train]).tolist():
            file = data / f"train_{name}s" / f"{recording}.parquet"
            frame = pl.read_parquet(file)
            raw = frame.drop("time", strict=False).to_numpy().T.copy()
            missing = missing_values(raw)
            cleaned = clean(raw, missing, signal, Parameters()).astype(np.float64)
            if missing is not None:
                cleaned[missing] = np.nan
            values.append(cleaned)
        together = np.concatenate(values, axis=1)
        found = store.info["statistics"][name]
        np.testing.assert_allclose(
            found["mean"], np.nanmean(together, axis=1), rtol=1e-9, atol=1e-9
        )
        np.testing.assert_allclose(found["std"], np.nanstd(together, axis=1), rtol=1e-9)
        assert found["count"] == np.isfinite(together).sum(axis=1).tolist()


def test_one_and_four_workers_and_processes_give_the_same_bytes(
    data: Path, store: Store, tmp_path: Path
) -> None:
    dataset = load(data, Parameters(**SMALL))
    for workers in (1, 4):
        with ThreadPoolExecutor(workers) as pool:
            path = tmp_path / f"{workers}.zarr"
            build(dataset, path, executor=pool, workers=workers)
        assert tree_bytes(path) == tree_bytes(store.path)
    build(dataset, tmp_path / "processes.zarr", workers=2)
    assert tree_bytes(tmp_path / "processes.zarr") == tree_bytes(store.path)


def test_a_small_build_starts_no_process_and_gives_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load(data, Parameters())
    with monkeypatch.context() as patched:
        patched.setattr(processes, "SMALL_BYTES", 0)
        build(dataset, tmp_path / "processes.zarr", workers=1)
    monkeypatch.setattr(tasks, "ProcessPoolExecutor", None)
    build(dataset, tmp_path / "here.zarr")
    assert tree_bytes(tmp_path / "here.zarr") == tree_bytes(tmp_path / "processes.zarr")
    montage = replace(dataset.plan.montage, chains=frozenset({1}))
    bipolar = replace(dataset, plan=replace(dataset.plan, montage=montage))
    with pytest.raises(TypeError):  # processes: its products are rounded by the number of threads
        build(bipolar, tmp_path / "bipolar.zarr")


def test_any_executor_will_do_such_as_dasks(data: Path, store: Store, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    dataset = load(data, Parameters(**SMALL))
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        pool = client.get_executor()
        build(dataset, tmp_path / "hms.zarr", executor=pool)
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(store.path)


def test_drop_marks_windows_and_changes_nothing_else(
    data: Path, store: Store, tmp_path: Path
) -> None:
    built = build_store(data, tmp_path / "hms.zarr", nan="drop")
    gaps = (store.windows["eeg_nan_fraction"] > 0) | (store.windows["spectrogram_nan_fraction"] > 0)
    assert 0 < gaps.sum() < len(store)
    assert built.select("dropped").tolist() == np.flatnonzero(gaps).tolist()
    assert built.info["counts"]["dropped"] == gaps.sum()
    for name in ("eeg_start", "split", "fold"):
        np.testing.assert_array_equal(built.windows[name][~gaps], store.windows[name][~gaps])
    assert (built.windows["fold"][gaps] == -1).all()
    assert built.info["statistics"] == store.info["statistics"]
    assert set(built.select("train")) <= set(np.flatnonzero(~gaps))
    assert verify(built.path) == []


def test_a_recording_longer_than_a_shard_is_cut_into_segments(tmp_path: Path) -> None:
    offsets = [0, 30, 80, 130, 171, 230, 300]
    rows = [
        {
            "eeg_label_offset_seconds": float(o),
            "spectrogram_label_offset_seconds": float(20 * o),
            "label_id": o,
        }
        for o in offsets
    ]
    data = write_pair(tmp_path / "data", rows)
    shards = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}
    built = build_store(data, tmp_path / "hms.zarr", **shards)
    assert len(built.recordings["eeg"]["id"]) > 2
    check_against_source(built, data)
    assert verify(built.path) == []
    whole = build_store(data, tmp_path / "whole.zarr", eeg_shard_rows=10**6)
    for name in SIGNALS:
        a, b = (s.info["statistics"][name] for s in (built, whole))
        assert a["count"] == b["count"]
        np.testing.assert_allclose(a["mean"], b["mean"], rtol=1e-9, atol=1e-9)


def test_odd_spectrogram_offsets_are_floored_to_whole_rows(tmp_path: Path) -> None:
    data = write_pair(
        tmp_path / "data",
        [{"spectrogram_label_offset_seconds": 3.0}, {"eeg_label_offset_seconds": 4.0}],
    )
    built = build_store(data, tmp_path / "hms.zarr")
    check_against_source(built, data)
    assert np.diff(built.windows["spectrogram_start"]).tolist() == [-1]


def test_a_constant_channel_is_listed_and_kept(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    file = data / "train_eegs" / "1.parquet"
    pl.read_parquet(file).with_columns(EKG=pl.lit(9999, pl.Float32)).write_parquet(file)
    built = build_store(data, tmp_path / "hms.zarr")
    assert built.info["statistics"]["eeg"]["constant"] == ["EKG"]
    physical = built.denormalise(built.gather([0]))["eeg"][0, :, -1]
    assert np.abs(physical - 9999).max() <= 4  # the step of half precision there is 8


def test_a_channel_without_a_value_in_training_is_listed_as_constant(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    file = data / "train_eegs" / "1.parquet"
    pl.read_parquet(file).with_columns(EKG=pl.lit(None, pl.Float32)).write_parquet(file)
    found = build_store(data, tmp_path / "hms.zarr").info["statistics"]["eeg"]
    assert (found["count"][-1], found["mean"][-1], found["std"][-1]) == (0, 0, 1)
    assert found["constant"] == ["EKG"]


def test_a_test_set_alone_is_normalised_by_nothing(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    built = build_store(data, tmp_path / "hms.zarr", split_by="all")
    assert (built.windows["split"] == SPLITS.index("test")).all()
    assert set(built.info["statistics"]["eeg"]["std"]) == {1.0}
    assert built.info["statistics"]["eeg"]["constant"] == []
    check_against_source(built, data)


def normalise_task(scratch: Path, crc: int) -> NormaliseTask:
    """Normalise one window of EEG by a mean of 0 and a deviation of 0.01."""
    return NormaliseTask(
        "eeg",
        0,
        Layout(HMS.eeg.chunk, rows=10_000, shard_rows=20_000),
        scratch=scratch,
        scratch_crc=crc,
        statistics=Statistics(
            np.zeros(20), np.full(20, 0.01), np.ones(20, np.int64), np.zeros(20, bool)
        ),
        zscore=True,
    )


def test_z_scores_beyond_half_precision_saturate_and_are_counted(tmp_path: Path) -> None:
    """As in a test recording whose channel was almost constant in all training recordings."""
    scratch = np.zeros((10_000, 20), np.float16)
    scratch[3:5, 0] = (1000, -1000)
    scratch.tofile(tmp_path / "scratch")
    task = normalise_task(tmp_path / "scratch", zlib.crc32(scratch.tobytes()))
    file, report = normalise(task)
    assert [file] == [*tmp_path.iterdir()]  # the scratch shard itself, in the same file
    assert file is not None
    values = np.fromfile(file, np.float16, 200_000).reshape(10_000, 20)
    assert values[2:6, 0].tolist() == [0, 65_504, -65_504, 0]
    assert report.saturated == 2
    assert (report.size, report.crc) == (file.stat().st_size, zlib.crc32(file.read_bytes()))


def test_a_damaged_scratch_shard_leaves_no_file_half_changed(tmp_path: Path) -> None:
    np.zeros((10_000, 20), np.float16).tofile(tmp_path / "scratch")
    file, _ = normalise(normalise_task(tmp_path / "scratch", crc=1))
    assert file is None
    assert not [*tmp_path.iterdir()]


def test_no_time_host_or_path_is_in_a_store(data: Path, store: Store, tmp_path: Path) -> None:
    import shutil
    import socket

    moved = shutil.copytree(data, tmp_path / "elsewhere")
    built = build_store(moved, tmp_path / "other-name.zarr")
    assert tree_bytes(built.path) == tree_bytes(store.path)
    text = b"".join(c for n, c in tree_bytes(built.path).items() if n.endswith(".json"))
    for word in (socket.gethostname(), str(tmp_path), str(data)):
        assert word.encode() not in text


def test_a_store_that_stands_there_is_left_alone_unless_forced(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    dataset = load(data, Parameters(**SMALL))
    path = tmp_path / "hms.zarr"
    build_dataset(dataset, path)
    before = (path / "MANIFEST.json").stat().st_mtime_ns
    with ThreadPoolExecutor(1) as pool:
        assert build(dataset, path, executor=pool) is State.BUILT
        assert (path / "MANIFEST.json").stat().st_mtime_ns == before
        other = load(data, Parameters(**SMALL, nan="mean"))
        with pytest.raises(BuildError, match="holds a store of another plan"):
            build(other, path, executor=pool)
        build(other, path, executor=pool, force=True)
    assert Store.open(path).info["parameters"]["nan"] == "mean"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "hms.zarr"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.write_text("Fp1,F3"), "is not a whole parquet file"),
        (
            lambda f: pl.read_parquet(f).head(9_999).write_parquet(f),
            r"1\.parquet has 9,999 rows \(49\.995 s\), but its windows in the table need 10,000",
        ),
        (lambda f: f.write_bytes(b""), "is not a whole parquet file"),
    ],
)
def test_a_bad_recording_stops_the_build_and_leaves_nothing(
    tmp_path: Path, spoil, message: str
) -> None:
    data = write_pair(tmp_path / "data", [{}])
    spoil(data / "train_eegs" / "1.parquet")
    with pytest.raises(DataError, match=message):
        build_store(data, tmp_path / "hms.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_all_bad_recordings_in_hand_are_reported_and_many_good_shards_stay(tmp_path: Path) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 13)]
    data = write_pair(tmp_path / "data", rows)
    two_to_a_shard = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}
    dataset = load(data, Parameters(**two_to_a_shard))
    path = tmp_path / "hms.zarr"
    for n in (11, 12):
        (data / "train_spectrograms" / f"{n}.parquet").write_text("x")
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(DataError) as caught:
            build(dataset, path, executor=pool)
        assert "train_spectrograms/11.parquet" in str(caught.value)
        assert "train_spectrograms/12.parquet" in str(caught.value)
        assert not path.exists()
        assert finished_shards(tmp_path / "hms.zarr.building" / "journal.jsonl") == 11
        for n in (11, 12):
            file = data / "train_spectrograms" / f"{n}.parquet"
            file.write_bytes((data / "train_spectrograms" / "4.parquet").read_bytes())
        mended = load(data, Parameters(**two_to_a_shard))
        build(mended, path, executor=pool)
    assert verify(path) == []


def test_a_source_file_that_changed_while_the_build_was_stopped_is_read_again(
    tmp_path: Path,
) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 13)]
    data = write_pair(tmp_path / "data", rows)
    two_to_a_shard = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}
    last = data / "train_spectrograms" / "12.parquet"
    good = last.read_bytes()
    last.write_text("x")
    path = tmp_path / "hms.zarr"
    with pytest.raises(DataError):
        build_store(data, path, **two_to_a_shard)
    assert (tmp_path / "hms.zarr.building" / "journal.jsonl").exists()
    last.write_bytes(good)
    eeg = data / "train_eegs" / "1.parquet"
    (pl.read_parquet(eeg) * 2).cast(pl.Float32).write_parquet(eeg)
    resumed = build_store(data, path, **two_to_a_shard)
    fresh = build_store(data, tmp_path / "fresh.zarr", **two_to_a_shard)
    assert tree_bytes(resumed.path) == tree_bytes(fresh.path)


def test_the_description_is_complete_and_plain_json(store: Store) -> None:
    info = json.loads((store.path / "zarr.json").read_text())["attributes"]["hms"]
    assert set(info) == {
        "classes",
        "counts",
        "format_version",
        "identity",
        "parameters",
        "plan",
        "saturated",
        "skipped",
        "sources",
        "spec",
        "split",
        "statistics",
        "versions",
        "warnings",
    }
    assert info["counts"]["windows"] == len(store)
    assert info["identity"] == store.identity


def test_rights_that_are_taken_away_meanwhile_are_said_in_one_sentence() -> None:
    def closed() -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", "hms.zarr.building")

    site: Any = SimpleNamespace(building=SimpleNamespace(exists=closed))
    with (
        pytest.raises(BuildError, match=r"hms\.zarr\.lock: Permission denied\. Fix that, then run"),
        explained(site),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", "hms.zarr.lock")
