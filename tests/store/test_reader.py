"""Opening, selecting and gathering."""

from __future__ import annotations

import json
import mmap
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.helpers import build_store, reseal, write_pair

from hmsprep.sealed.verification import verify
from hmsstore import CHANNELS, FEATURES, SIGNALS, RequestError, Store
from hmsstore.manifest import checksum, contents_identity, parse_manifest


def rows_of(store: Store) -> list[int]:
    return np.linspace(0, len(store) - 1, 12).astype(int).tolist()


def test_gather_equals_the_windows_that_zarr_python_reads(store: Store) -> None:
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        root = zarr.open_group(str(store.path), mode="r")
        names = {name for name, _ in root.members(max_depth=None)}
    assert {"eeg", "spectrogram", "windows", "recordings/eeg"} <= names
    rows = rows_of(store)
    batch = store.gather(rows)
    for name, signal in SIGNALS.items():
        start = root[f"windows/{name}_start"][:]
        for i, row in enumerate(rows):
            expected = root[name][start[row] : start[row] + signal.window_rows]
            np.testing.assert_array_equal(batch[name][i], expected)


def test_gather_equals_the_windows_that_tensorstore_reads(store: Store) -> None:
    import tensorstore

    rows = rows_of(store)
    batch = store.gather(rows)
    for name, signal in SIGNALS.items():
        spec = {"driver": "zarr3", "kvstore": f"file://{store.path}/{name}/"}
        array = tensorstore.open(spec, read=True).result()
        for i, row in enumerate(rows):
            start = int(store.windows[f"{name}_start"][row])
            expected = array[start : start + signal.window_rows].read().result()
            np.testing.assert_array_equal(batch[name][i], expected)


def test_xarray_opens_the_tables_without_a_warning(store: Store) -> None:
    import xarray

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        windows = xarray.open_zarr(str(store.path), group="windows", chunks=None)
        recordings = xarray.open_zarr(str(store.path), group="recordings/eeg", chunks=None)
        arrays = xarray.open_zarr(str(store.path), chunks=None)
    assert dict(windows.sizes) == {"window": len(store), "class": 6}
    for name, column in store.windows.items():
        assert windows[name].dtype == column.dtype
        np.testing.assert_array_equal(windows[name].values, column)
    np.testing.assert_array_equal(recordings["id"].values, store.recordings["eeg"]["id"])
    row = len(store) // 2
    start = int(store.windows["eeg_start"][row])
    expected = arrays["eeg"][start : start + 10_000].values
    np.testing.assert_array_equal(store.gather([row], ["eeg"])["eeg"][0], expected)


def test_gather_gives_half_precision_windows_with_time_first(store: Store) -> None:
    batch = store.gather([3, 0, 3])
    assert batch["eeg"].shape == (3, 10_000, len(CHANNELS))
    assert batch["spectrogram"].shape == (3, 300, len(FEATURES))
    assert {array.dtype for array in batch.values()} == {np.dtype(np.float16)}
    np.testing.assert_array_equal(batch["eeg"][0], batch["eeg"][2])


def test_gather_writes_into_the_arrays_it_is_given(store: Store) -> None:
    out = {"eeg": np.zeros((2, 10_000, 20), np.float16)}
    batch = store.gather([1, 2], ["eeg"], out=out)
    assert batch["eeg"] is out["eeg"]
    np.testing.assert_array_equal(out["eeg"], store.gather([1, 2], ["eeg"])["eeg"])


def test_new_arrays_begin_with_a_page_as_files_do(store: Store) -> None:
    for array in store.gather([0, 1]).values():
        assert array.ctypes.data % mmap.PAGESIZE == 0


def test_gather_of_no_rows_is_empty(store: Store) -> None:
    assert store.gather([])["eeg"].shape == (0, 10_000, 20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.gather([len(s)]), "rows go from 0 to"),
        (lambda s: s.gather([-1]), "row -1 does not exist"),
        (lambda s: s.gather([0.5]), "whole numbers"),
        (lambda s: s.gather([[0]]), "one dimension"),
        (lambda s: s.gather([0], ["ekg"]), "signal 'ekg' does not exist"),
        (lambda s: s.gather([0], out={}), "out has no array 'eeg'"),
        (lambda s: s.gather([0], ["eeg"], {"eeg": np.zeros((1, 2, 20), "f2")}), "expected float16"),
        (lambda s: s.gather([0], shift=[1, 2]), "whole number, or one for each"),
        (lambda s: s.gather([0], shift=[0.5]), "whole number, or one for each"),
        (lambda s: s.gather([0], shift=[10**7]), "leaves room for"),
        (lambda s: s.select("training"), "split 'training' does not exist"),
        (lambda s: s.select("valid"), "needs a fold"),
        (lambda s: s.select("train", 9), "fold 9 does not exist"),
        (lambda s: s.select("test", 0), "split 'test' is in no fold"),
        (lambda s: s.gather(np.ones(len(s), bool)), "np.flatnonzero(mask)"),
        (lambda s: s.denormalise(s.gather([0])["eeg"]), "denormalise takes a dict of eeg and"),
        (lambda s: s.denormalise({"ekg": np.zeros(3)}), "denormalise takes a dict of eeg and"),
        (lambda s: s.gather([[1, 2], [3]]), "whole numbers in one dimension"),
        (lambda s: s.missing([[1, 2], [3]]), "whole numbers in one dimension"),
        (lambda s: s.gather(["1"]), "whole numbers in one dimension"),
        (lambda s: s.gather([0, 1], shift=[[1, 2], [3]]), "whole number, or one for each of 2"),
        (lambda s: s.gather([0], 5), "signal 5 does not exist"),
        (lambda s: s.gather([0], [["eeg"]]), "signal ['eeg'] does not exist"),
        (lambda s: s.gather([0], out=5), "out has no array 'eeg'"),
        (lambda s: s.select(["train"]), "split ['train'] does not exist"),
        (lambda s: s.select("train", 0.5), "fold must be a whole number or None, got 0.5"),
        (lambda s: s.select("train", True), "fold must be a whole number or None, got True"),
        (lambda s: s.select("train", "0"), "fold must be a whole number or None, got '0'"),
        (lambda s: s.select("valid", [0, 1]), "fold must be a whole number or None, got [0, 1]"),
        (lambda s: s.select("valid", np.array([0])), "fold must be a whole number or None"),
        (lambda s: s.select("test", np.True_), "fold must be a whole number or None"),
        (lambda s: s.denormalise({"eeg": [[1.0], [1.0, 2.0]]}), "numbers (..., 20) of 'eeg'"),
        (lambda s: s.denormalise({"eeg": np.zeros((20, 5))}), "got float64 (20, 5)"),
        (lambda s: s.denormalise({"eeg": 1.0}), "numbers (..., 20) of 'eeg', got float64 ()"),
        (lambda s: s.denormalise({"eeg": ["a"] * 20}), "numbers (..., 20) of 'eeg', got <U1 (20,)"),
    ],
)
def test_a_request_that_cannot_be_served_says_why(store: Store, call, message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        call(store)


def test_a_request_may_be_of_any_kind_that_names_the_same(store: Store) -> None:
    held_out = store.select("valid", 0)
    np.testing.assert_array_equal(store.select("valid", np.int64(0)), held_out)
    np.testing.assert_array_equal(store.select("valid", np.array(0)), held_out)
    assert list(store.gather([0], (name for name in ["spectrogram"]))) == ["spectrogram"]
    stored = store.gather([0])
    expected = store.denormalise(stored)
    for name, values in store.denormalise({k: v.tolist() for k, v in stored.items()}).items():
        np.testing.assert_array_equal(values, expected[name])


def test_gather_of_one_signal_touches_only_that_signals_files(store: Store) -> None:
    script = """
import re, sys
from hmsstore import Store
store = Store.open(sys.argv[1])
store.reading_disk = False
store.gather(range(len(store)), ["eeg"])
resident, name = {}, None
for line in open("/proc/self/smaps"):
    if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
        name = line.split()[-1]
    elif line.startswith("Rss:") and name.startswith((f"{store.path}/eeg/", f"{store.path}/spec")):
        signal = "eeg" if "/eeg/c/" in name else "spectrogram"
        resident[signal] = resident.get(signal, 0) + int(line.split()[1])
print(resident.get("eeg", 0), resident.get("spectrogram", 0))
"""
    if not Path("/proc/self/smaps").exists():
        pytest.skip("needs /proc")
    done = subprocess.run(
        [sys.executable, "-c", script, store.path], capture_output=True, text=True, check=True
    )
    eeg, spectrogram = map(int, done.stdout.split())
    assert eeg > 1000
    assert spectrogram == 0


def test_opening_and_reading_never_opens_a_file_for_writing(store: Store) -> None:
    script = """
import os, sys
from hmsstore import Store
written = []
def hook(event, args):
    if event == "open" and str(args[0]).startswith(sys.argv[1]):
        flags = args[2]
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(args[0])
    elif event in ("os.mkdir", "os.rename", "os.remove"):
        written.append(args[0])
sys.addaudithook(hook)
store = Store.open(sys.argv[1])
store.gather(store.select())
print(written)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, store.path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_store_pickles_as_its_path(store: Store) -> None:
    payload = pickle.dumps(store)
    assert len(payload) < 500
    np.testing.assert_array_equal(
        pickle.loads(payload).gather([1])["eeg"], store.gather([1])["eeg"]
    )


def test_a_pickled_store_refuses_to_become_another(
    store: Store, data: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(store.path, tmp_path / "hms.zarr")
    payload = pickle.dumps(Store.open(copy))
    shutil.rmtree(copy)
    build_store(data, copy, seed=7)
    with pytest.raises(RequestError, match="was replaced by another store"):
        pickle.loads(payload)


def test_many_stores_can_be_open_although_few_files_may_be(store: Store) -> None:
    script = """
import os, resource, sys
from hmsstore import Store, StoreError
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
stores = [Store.open(sys.argv[1]) for _ in range(6)]
last = max(os.dup(0) for _ in range(200))  # no gap below it
resource.setrlimit(resource.RLIMIT_NOFILE, (last + 3, last + 3))
try:
    Store.open(sys.argv[1])
except StoreError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, store.path], capture_output=True, text=True, check=True
    )
    assert "cannot be opened: Too many open files" in done.stdout


def test_what_a_later_version_may_add_is_ignored(store: Store, tmp_path: Path) -> None:
    path = Path(shutil.copytree(store.path, tmp_path / "hms.zarr"))
    root = json.loads((path / "zarr.json").read_text())
    nodes = root["consolidated_metadata"]["metadata"]
    nodes["windows/mood"] = nodes["windows/fold"]
    group = json.loads((path / "windows" / "zarr.json").read_text())
    group["consolidated_metadata"]["metadata"]["mood"] = nodes["windows/fold"]
    (path / "windows" / "zarr.json").write_text(json.dumps(group))
    shutil.copytree(path / "windows" / "fold", path / "windows" / "mood")
    manifest = parse_manifest(path)
    mood = (path / "windows/mood/c/0").stat().st_size, checksum(path / "windows/mood/c/0")
    contents = {n: f for n, f in manifest.files.items() if not n.endswith("zarr.json")}
    identity = contents_identity(contents | {"windows/mood/c/0": mood})
    root["attributes"]["hms"] |= {"weather": "fair", "identity": identity}
    (path / "zarr.json").write_text(json.dumps(root))
    reseal(
        path, "zarr.json", "windows/zarr.json", "windows/mood/zarr.json", "windows/mood/c/0",
        identity=identity,
    )  # fmt: skip
    assert len(Store.open(path)) == len(store)
    assert verify(path) == []
    reseal(path, identity="i")
    assert verify(path) == [
        "identity or plan differ between MANIFEST.json and zarr.json",
        "MANIFEST.json: the identity is not that of the contents",
    ]


def test_select_divides_the_windows_by_split_and_fold(store: Store) -> None:
    everything = np.concatenate([store.select("train"), store.select("test")])
    assert sorted(everything.tolist()) == list(range(len(store)))
    for fold in range(store.folds):
        train, valid = store.select("train", fold), store.select("valid", fold)
        assert sorted([*train, *valid]) == store.select("train").tolist()
        assert len(valid) > 0
        patients = store.windows["patient_id"]
        assert not set(patients[train]) & set(patients[valid])


def test_denormalise_gives_microvolts_and_log_power(store: Store) -> None:
    batch = store.gather([0, 5])
    physical = store.denormalise(batch)
    for name, values in physical.items():
        assert values.dtype == np.float32
        statistics = store.info["statistics"][name]
        expected = batch[name].astype(np.float64) * statistics["std"] + statistics["mean"]
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(row=st.integers(0, 10_000), part=st.floats(0, 1))
def test_a_shift_moves_both_signals_by_the_same_time(store: Store, row: int, part: float) -> None:
    row %= len(store)
    low, high = (int(bound[0]) for bound in store.shift_room([row]))
    shift = round(low + part * (high - low))
    batch = store.gather([row], shift=[shift])
    windows = store.windows
    eeg = int(windows["eeg_start"][row]) + shift
    np.testing.assert_array_equal(batch["eeg"][0], whole(store, "eeg")[eeg : eeg + 10_000])
    offset = float(windows["spectrogram_offset_s"][row])
    moved = int(np.floor((offset + shift / 200) / 2)) - int(np.floor(offset / 2))
    first = int(windows["spectrogram_start"][row]) + moved
    expected = whole(store, "spectrogram")[first : first + 300]
    np.testing.assert_array_equal(batch["spectrogram"][0], expected)
    assert windows["spectrogram_span_start"][row] <= first
    assert first + 300 <= windows["spectrogram_span_stop"][row]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
    """A store with odd spectrogram offsets whose long spectrogram is cut into short segments."""
    folder = tmp_path_factory.mktemp("narrow")
    rows = [
        {
            "eeg_label_offset_seconds": float(o),
            "spectrogram_label_offset_seconds": float(301 + o),
            "label_id": o,
        }
        for o in (0, 40, 90, 300, 530, 900)
    ]
    data = write_pair(folder / "data", rows)
    return build_store(
        data, folder / "hms.zarr", eeg_shard_rows=400_000, spectrogram_shard_rows=600
    ), data


@pytest.mark.parametrize("row", range(6))
def test_shifted_windows_are_those_of_the_source_files_at_odd_offsets_too(
    narrow: tuple[Store, Path], row: int
) -> None:
    store, data = narrow
    eeg = pl.read_parquet(data / "train_eegs" / "1.parquet").to_numpy()
    power = pl.read_parquet(data / "train_spectrograms" / "2.parquet").drop("time").to_numpy()
    low, high = (int(bound[0]) for bound in store.shift_room([row]))
    offset = store.windows["spectrogram_offset_s"][row]
    for shift in {
        low,
        low + 1,
        -201,
        -200,
        -199,
        -1,
        0,
        1,
        199,
        200,
        201,
        399,
        400,
        high - 1,
        high,
    }:
        if not low <= shift <= high:
            continue
        physical = store.denormalise(store.gather([row], shift=shift))
        start = int(200 * store.windows["eeg_offset_s"][row]) + shift
        expected = np.clip(eeg[start : start + 10_000], -1024, 1024)
        np.testing.assert_allclose(physical["eeg"][0, :, :19], expected[:, :19], atol=0.6)
        first = int(np.floor((offset + shift / 200) / 2))
        expected = np.log(np.clip(power[first : first + 300], np.exp(-4), np.exp(8)))
        np.testing.assert_allclose(physical["spectrogram"][0], expected, atol=0.02)


def test_the_spectrograms_segment_bounds_the_shift_as_the_eegs_does(
    narrow: tuple[Store, Path],
) -> None:
    store, _ = narrow
    windows = store.windows
    rows = np.arange(len(store))
    low, high = store.shift_room(rows)
    eeg_high = windows["eeg_span_stop"] - 10_000 - windows["eeg_start"]
    assert (high < eeg_high).any()
    for bound, step in ((low, -1), (high, 1)):
        store.gather(rows, shift=bound)
        for row in rows:
            with pytest.raises(RequestError, match="cannot be shifted"):
                store.gather([row], shift=bound[row] + step)


def test_room_to_shift_ends_where_the_span_ends(store: Store) -> None:
    rows = np.arange(len(store))
    low, high = store.shift_room(rows)
    windows = store.windows
    assert (low == windows["eeg_span_start"] - windows["eeg_start"]).all()
    assert (high == windows["eeg_span_stop"] - 10_000 - windows["eeg_start"]).all()
    assert (high > 0).any()
    assert (low < 0).any()


def test_a_shift_beyond_the_span_is_refused_or_clamped(store: Store) -> None:
    row = int(np.argmax(store.shift_room(range(len(store)))[1]))
    _, high = store.shift_room([row])
    with pytest.raises(RequestError, match="clamp=True"):
        store.gather([row], shift=[int(high[0]) + 1])
    clamped = store.gather([row], shift=[int(high[0]) + 999], clamp=True)
    expected = store.gather([row], shift=high)
    np.testing.assert_array_equal(clamped["eeg"], expected["eeg"])
    np.testing.assert_array_equal(clamped["spectrogram"], expected["spectrogram"])


def whole(store: Store, name: str) -> np.ndarray:
    return np.concatenate(store.shards(name))
