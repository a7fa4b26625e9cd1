"""Where values were missing is kept as the files had it, whatever is put in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import mne
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.helpers import build_store, write_pair

from hmsprep.building.values.clean import FILLS
from hmsprep.building.values.gaps import find_gaps
from hmsprep.planning import parameters
from hmsprep.planning.choices import Fill
from hmsprep.sealed.verification import verify
from hmsstore import CHANNELS, SIGNALS, Store
from hmsstore.mne_raw import MISSING, raw_recording
from hmsstore.reading.gaps import check_gaps, missing_values
from hmsstore.view import MONTAGES, draw, load_window

ALL = slice(None)
HOLES: dict[str, tuple[tuple[Any, slice], ...]] = {
    "eeg": (
        (ALL, slice(4_000, 4_600)),
        (CHANNELS.index("Fp1"), slice(4_500, 5_000)),
        (CHANNELS.index("C3"), slice(7_000, 9_000)),
        (CHANNELS.index("Pz"), slice(0, 100)),
        (CHANNELS.index("EKG"), slice(9_999, 10_000)),
        (ALL, slice(15_950, 16_000)),
    ),
    "spectrogram": ((ALL, slice(10, 40)), (7, slice(100, 150)), (399, slice(299, 305))),
}
"""Features and rows that are missing in the files."""
FILLED: tuple[dict[str, Any], ...] = (
    {"nan": "zero"},
    {"nan": "interpolate"},
    {"nan": "mean"},
    {"nan": "drop"},
    {"nan": "interpolate", "bandpass": (0.5, 40.0)},
    {"nan": "mean", "bandpass": (0.5, 40.0), "normalise": "none"},
)


@pytest.fixture(scope="module")
def punctured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings with three windows on them, with holes; and one window that is whole."""
    rows: list[dict[str, Any]] = [
        {"eeg_label_offset_seconds": t, "spectrogram_label_offset_seconds": t, "label_id": int(t)}
        for t in (0.0, 12.0, 30.0)
    ]
    rows.append({"eeg_id": 5, "spectrogram_id": 6, "patient_id": 7, "label_id": 8})
    data = write_pair(tmp_path_factory.mktemp("gaps") / "data", rows)
    for name, file in (("eeg", "train_eegs/1"), ("spectrogram", "train_spectrograms/2")):
        path = data / f"{file}.parquet"
        frame = pl.read_parquet(path)
        columns = [column for column in frame.columns if column != "time"]
        values = frame.select(columns).to_numpy().copy()
        for feature, where in HOLES[name]:
            values[where, feature] = np.nan
        values[20, 3] = np.inf
        new = pl.DataFrame(values, schema=columns)
        if "time" in frame.columns:
            new = new.insert_column(0, frame["time"])
        new.write_parquet(path)
    return data


def gone(data: Path, store: Store, row: int, shift: int = 0) -> dict[str, np.ndarray]:
    """What the files do not hold of a window: bool (rows, features)."""
    found = {}
    for name, signal in SIGNALS.items():
        file = data / f"train_{name}s" / f"{store.windows[f'{name}_id'][row]}.parquet"
        values = pl.read_parquet(file).drop("time", strict=False).to_numpy()
        offset = store.windows[f"{name}_offset_s"][row] + shift / 200
        start = int(signal.row_at(offset))
        found[name] = ~np.isfinite(values[start : start + signal.window_rows])
    return found


@pytest.fixture(scope="module", params=FILLED, ids=lambda p: "-".join(map(str, p.values())))
def filled(
    request: pytest.FixtureRequest, punctured: Path, tmp_path_factory: pytest.TempPathFactory
) -> Store:
    return build_store(punctured, tmp_path_factory.mktemp("filled") / "hms.zarr", **request.param)


def test_what_was_missing_is_known_whatever_was_put_there(punctured: Path, filled: Store) -> None:
    assert verify(filled.path) == []
    for row in range(len(filled)):
        found, expected = filled.missing([row]), gone(punctured, filled, row)
        for name in SIGNALS:
            np.testing.assert_array_equal(found[name][0], expected[name])
            assert np.isfinite(filled.gather([row], name)[name]).all()
    assert filled.missing([0])["eeg"].any()
    assert not filled.missing([3])["eeg"].any()


def test_what_was_missing_moves_with_a_shifted_window(punctured: Path, filled: Store) -> None:
    for shift in (1, 799, 6_000):
        found, expected = filled.missing([0], shift=shift), gone(punctured, filled, 0, shift)
        for name in SIGNALS:
            np.testing.assert_array_equal(found[name][0], expected[name])


def test_what_was_missing_is_drawn_as_missing_whatever_was_put_there(
    punctured: Path, filled: Store
) -> None:
    montage = MONTAGES["bipolar"]
    for row in range(len(filled)):
        expected = gone(punctured, filled, row)
        figure = draw(load_window(filled, row))
        traces = [line.get_ydata() for line in figure.axes[0].lines]
        needs = expected["eeg"].astype(np.float32) @ (montage.weights != 0).T > 0
        for number in range(len(montage.labels)):
            np.testing.assert_array_equal(np.isnan(traces[number]), needs[:, number])
        np.testing.assert_array_equal(np.isnan(traces[-2]), expected["eeg"][:, -1])
        for number in range(4):
            picture = figure.axes[1 + number].images[0].get_array()
            region = expected["spectrogram"][:, 100 * number : 100 * (number + 1)]
            np.testing.assert_array_equal(np.ma.getmaskarray(picture), region.T[::-1])


def test_gaps_are_listed_once_in_order_and_as_long_as_can_be(filled: Store) -> None:
    assert filled.gaps is not None
    table = filled.gaps["eeg"]
    start = int(filled.windows["eeg_span_start"][0])
    found = [
        (CHANNELS[feature] if feature >= 0 else "all", first - start, rows)
        for feature, first, rows in zip(
            table["feature"], table["start"], table["rows"], strict=True
        )
    ]
    assert found == [
        ("Pz", 0, 100),
        ("P3", 20, 1),
        ("all", 4_000, 600),
        ("Fp1", 4_600, 400),
        ("C3", 7_000, 2_000),
        ("EKG", 9_999, 1),
        ("all", 15_950, 50),
    ]
    assert set(table["recording"].tolist()) == {1}


def test_mne_is_told_what_was_missing(filled: Store) -> None:
    marked = {
        (tuple(one["ch_names"]), round(one["onset"] * 200), round(one["duration"] * 200))
        for one in raw_recording(filled, 1).annotations
        if one["description"] == MISSING
    }
    assert ((), 4_000, 600) in marked
    assert (("C3",), 7_000, 2_000) in marked
    assert len(marked) == 7
    whole = raw_recording(filled, 5).annotations
    assert MISSING not in set(whole.description)
    raw = raw_recording(filled, 1)
    kept = raw.get_data("C4", reject_by_annotation="omit", verbose="error")
    assert kept.shape[1] < raw.n_times
    assert isinstance(raw, mne.io.RawArray)


def test_a_gap_in_what_two_segments_share_stands_in_both(punctured: Path, tmp_path: Path) -> None:
    shards = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}
    rows = [
        {"eeg_label_offset_seconds": float(t), "label_id": t} for t in (0, 40, 60, 90, 120, 150)
    ]
    data = write_pair(tmp_path / "data", rows)
    file = data / "train_eegs" / "1.parquet"
    values = pl.read_parquet(file)
    hole = np.arange(len(values))
    cut = (hole >= 12_000) & (hole < 26_000)
    values.with_columns(
        pl.when(pl.Series(cut)).then(None).otherwise(pl.col(CHANNELS[2])).alias(CHANNELS[2])
    ).write_parquet(file)
    store = build_store(data, tmp_path / "hms.zarr", nan="interpolate", **shards)
    assert len(store.recordings["eeg"]["id"]) > 2
    assert verify(store.path) == []
    assert store.gaps is not None
    assert len(store.gaps["eeg"]["start"]) > 1
    for row in range(len(store)):
        np.testing.assert_array_equal(store.missing([row])["eeg"][0], gone(data, store, row)["eeg"])
    (gap,) = (one for one in raw_recording(store, 1).annotations if one["description"] == MISSING)
    assert (gap["onset"], gap["duration"], gap["ch_names"]) == (60, 70, (CHANNELS[2],))


def test_data_without_gaps_have_empty_tables(tmp_path: Path) -> None:
    store = build_store(write_pair(tmp_path / "data", [{}]), tmp_path / "hms.zarr")
    assert store.gaps is not None
    assert [len(column) for table in store.gaps.values() for column in table.values()] == [0] * 8
    assert not store.missing([0])["spectrogram"].any()
    assert verify(store.path) == []
    import zarr

    group = zarr.open_group(store.path, mode="r")
    assert group["gaps/eeg/start"].shape == (0,)
    assert group["gaps/eeg/start"][:].tolist() == []


def test_every_word_of_nan_has_its_function() -> None:
    assert set(FILLS) == set(get_args(Fill))


def test_another_way_to_fill_is_a_function_and_a_line(
    punctured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_by_seven(values: np.ndarray, missing: np.ndarray) -> None:
        values[missing] = 7.0

    monkeypatch.setitem(FILLS, "seven", fill_by_seven)
    monkeypatch.setitem(parameters.WORDS, "nan", (*get_args(Fill), "seven"))
    store = build_store(punctured, tmp_path / "hms.zarr", nan="seven", normalise="none")
    window, missing = store.gather([0]), gone(punctured, store, 0)
    assert (window["eeg"][0][missing["eeg"]] == 7).all()
    assert np.allclose(window["spectrogram"][0][missing["spectrogram"]], np.log(7), atol=1e-3)
    np.testing.assert_array_equal(np.isnan(load_window(store, 0).eeg_uv), missing["eeg"])
    assert verify(store.path) == []


masks = st.tuples(st.integers(1, 4), st.integers(1, 30)).flatmap(
    lambda shape: st.lists(
        st.lists(st.booleans(), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    )
)


@settings(deadline=None, max_examples=200)
@given(mask=masks, start=st.integers(0, 1000))
def test_gaps_give_back_the_very_mask_they_were_found_in(
    mask: list[list[bool]], start: int
) -> None:
    missing = np.asarray(mask)
    features, rows = missing.shape
    feature, first, length = find_gaps(missing, start).T
    table = {
        "recording": np.full(len(first), 9),
        "feature": feature,
        "start": first,
        "rows": length,
    }
    np.testing.assert_array_equal(missing_values(table, start, start, rows, features), missing.T)
    recordings = {"id": np.asarray([9]), "start": np.asarray([start]), "rows": np.asarray([rows])}
    assert check_gaps(table, recordings, features) == []
    for left, right in ((0, rows), (rows // 3, rows - rows // 3)):
        part = missing_values(table, start, start + left, right - left, features)
        np.testing.assert_array_equal(part, missing.T[left:right])
