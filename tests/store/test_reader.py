"""Opening, selecting and gathering."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsstore import CHANNELS, FEATURES, SIGNALS, RequestError, Store


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
        (lambda s: s.gather([0], shift=[1, 2]), "one whole number for each"),
        (lambda s: s.gather([0], shift=[0.5]), "one whole number for each"),
        (lambda s: s.gather([0], shift=[10**7]), "leaves room for"),
        (lambda s: s.select("training"), "split 'training' does not exist"),
        (lambda s: s.select("valid"), "needs a fold"),
        (lambda s: s.select("train", 9), "fold 9 does not exist"),
    ],
)
def test_a_request_that_cannot_be_served_says_why(store: Store, call, message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        call(store)


def test_gather_of_one_signal_touches_only_that_signals_files(store: Store) -> None:
    script = """
import re, sys
from hmsstore import Store
store = Store.open(sys.argv[1])
store.gather(range(len(store)), ["eeg"])
resident, name = {}, None
for line in open("/proc/self/smaps"):
    if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
        name = line.split()[-1]
    elif line.startswith("Rss:") and "/c/" in name and "/windows/" not in name:
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
