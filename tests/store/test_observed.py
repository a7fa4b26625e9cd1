"""What of a window was observed, from the table of gaps alone."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.helpers import blank_outside, build_store, write_pair

from hmsstore import HMS, RequestError, Store
from hmsstore.reading.observed import find_observed, find_silences, judged_rows

GOLDEN = Path(__file__).parents[1] / "golden"
HEART = HMS.eeg.features.index("EKG")
ELECTRODES = [n for n in range(20) if n != HEART]
WINDOW = 10_000


def gap_table(*rows: tuple[int, int, int]) -> dict[str, Any]:
    """Gaps of feature, first row and rows, in the order that a store keeps."""
    columns = np.asarray(sorted(rows, key=lambda row: (row[1], row[0])), np.int64).reshape(-1, 3).T
    return dict(zip(("feature", "start", "rows"), columns, strict=True))


def segments(*starts: int) -> dict[str, Any]:
    return {"start": np.asarray(starts, np.int64)}


def observed(
    gaps: dict[str, Any], *starts: int, cuts: tuple[int, ...] = (0,), moved: int = 0
) -> Any:
    silences = find_silences(HMS, "eeg", gaps, segments(*cuts))
    labelled = np.asarray(starts, np.int64)
    return find_observed(HMS, "eeg", silences, labelled + moved, labelled)


def run(gaps: dict[str, Any]) -> tuple[int, int]:
    found = observed(gaps, 0)
    return int(found.first[0]), int(found.stop[0])


def test_the_judged_rows_are_those_that_the_spec_says() -> None:
    assert judged_rows(HMS, "eeg") == (4000, 6000)
    assert judged_rows(HMS, "spectrogram") == (148, 152)
    assert judged_rows(replace(HMS, judged_s=4.0), "eeg") == (4600, 5400)
    assert judged_rows(replace(HMS, judged_s=1.0), "spectrogram") == (150, 151)


def test_the_run_lies_between_the_nearest_long_gaps_around_the_judged_seconds() -> None:
    assert run(gap_table()) == (0, WINDOW)
    assert run(gap_table((-1, 0, 4000), (-1, 6000, 4000))) == (4000, 6000)
    assert run(gap_table((-1, 100, 300), (-1, 2000, 500), (-1, 9000, 201))) == (2500, 9000)


def test_a_gap_of_a_second_or_less_ends_no_run() -> None:
    assert run(gap_table((-1, 1000, 200), (-1, 8000, 200))) == (0, WINDOW)
    assert run(gap_table((-1, 1000, 201), (-1, 8000, 201))) == (1201, 8000)


def test_a_gap_within_the_judged_seconds_ends_no_run_and_counts_as_missing() -> None:
    found = observed(gap_table((-1, 4000, 500), (-1, 5600, 400)), 0)
    assert (found.first[0], found.stop[0]) == (0, WINDOW)
    assert found.judged[0] == 1 - 900 / 2000
    assert found.share[0] == 1 - 900 / WINDOW


def test_a_gap_that_reaches_into_the_judged_seconds_ends_the_run_there() -> None:
    found = observed(gap_table((-1, 0, 4300)), 0)
    assert (found.first[0], found.stop[0]) == (4300, WINDOW)
    assert found.judged[0] == 1 - 300 / 2000


def test_without_any_judged_second_the_whole_window_stands_for_the_run() -> None:
    found = observed(gap_table((-1, 3000, 4000)), 0)
    assert (found.first[0], found.stop[0]) == (0, WINDOW)
    assert found.judged[0] == 0
    assert found.share[0] == 0.6


def test_the_run_of_a_moved_window_is_around_its_label() -> None:
    """The label's seconds are samples 666 to 2666 of the window, which begins at sample 7334."""
    for gap, stop in (((-1, 10_200, 400), 2_866), ((-1, 10_800, 2_800), 3_466)):
        found = observed(gap_table(gap), 4_000, moved=3_334)
        assert (found.first[0], found.stop[0]) == (0, stop)
        assert found.judged[0] == 1
    found = observed(gap_table((-1, 8_500, 500)), 4_000, moved=3_334)
    assert (found.first[0], found.stop[0], found.judged[0]) == (0, WINDOW, 0.75)
    gone = observed(gap_table((-1, 15_500, 400)), 4_000, moved=9_000)  # the label left the window
    assert (gone.first[0], gone.stop[0]) == (0, 2_500)


def test_an_electrode_or_the_heart_alone_decides_nothing() -> None:
    one_missing = [(n, 0, 4000) for n in ELECTRODES[:-1]]
    assert run(gap_table(*one_missing)) == (0, WINDOW)
    assert run(gap_table(*one_missing, (HEART, 0, 4000))) == (0, WINDOW)
    every_one = [(n, 0, 4000) for n in ELECTRODES]
    assert run(gap_table(*every_one)) == (4000, WINDOW)
    # Electrode by electrode at first, then all at once, with the heart.
    assert run(gap_table(*[(n, 0, 2000) for n in ELECTRODES], (-1, 2000, 1000))) == (3000, WINDOW)


def test_gaps_of_neighbouring_segments_do_not_touch_a_window_nor_become_one() -> None:
    # 150 samples at the end of one segment, 150 at the start of the next: neither is long.
    gaps = gap_table((-1, 9_850, 150), (-1, 10_000, 150))
    found = observed(gaps, 0, 10_000, cuts=(0, 10_000))
    assert found.first.tolist() == [0, 0]
    assert found.stop.tolist() == [WINDOW, WINDOW]
    joined = observed(gaps, 0, 10_000, cuts=(0,))
    assert joined.stop[0] == 9_850
    assert joined.first[1] == 150


def test_a_gap_is_as_long_as_it_is_beyond_the_window_too() -> None:
    found = observed(gap_table((-1, 9_900, 5_000)), 0)
    assert found.stop[0] == 9_900


def test_the_share_of_a_part_counts_what_lies_in_the_run_and_is_not_missing() -> None:
    found = observed(gap_table((-1, 0, 4000), (-1, 7000, 100), (-1, 8000, 2000)), 0)
    assert found.share_of(4000, 6000)[0] == 1.0
    assert found.share_of(3000, 7000)[0] == 0.75
    assert found.share_of(0, WINDOW)[0] == found.share[0] == 0.39
    assert found.share_of(0, 1000)[0] == 0.0
    assert found.share_of(9000, WINDOW)[0] == 0.0


def by_hand(missing: np.ndarray[Any, Any]) -> tuple[int, int]:
    """The run of a window, sample by sample, as the module's docstring says it."""
    edges = np.flatnonzero(np.diff(missing.astype(int), prepend=0, append=0)).reshape(-1, 2)
    first, stop = 0, WINDOW
    for begin, end in edges.tolist():
        if end - begin > 200 and begin < 4000:
            first = max(first, end)
        if end - begin > 200 and end > 6000:
            stop = min(stop, begin)
    return (first, stop) if first < stop else (0, WINDOW)


@given(
    st.lists(
        st.tuples(st.integers(0, WINDOW), st.sampled_from([1, 150, 201, 900, 4000])), max_size=6
    )
)
def test_run_and_shares_are_those_counted_sample_by_sample(gaps: list[tuple[int, int]]) -> None:
    missing = np.zeros(WINDOW, bool)
    for begin, length in gaps:
        missing[begin : begin + length] = True
    edges = np.flatnonzero(np.diff(missing.astype(int), prepend=0, append=0)).reshape(-1, 2)
    table = gap_table(*((-1, begin, end - begin) for begin, end in edges.tolist()))
    found = observed(table, 0)
    first, stop = by_hand(missing)
    assert (found.first[0], found.stop[0]) == (first, stop)
    assert found.judged[0] == pytest.approx(1 - missing[4000:6000].mean())
    seen = np.zeros(WINDOW, bool)
    seen[first:stop] = ~missing[first:stop]
    assert found.share[0] == pytest.approx(seen.mean())
    assert found.share_of(2000, 8000)[0] == pytest.approx(seen[2000:8000].mean())


@pytest.fixture
def partial(tmp_path: Path) -> Store:
    """Ten seconds of fifty, four rows of three hundred; and a whole window."""
    rows = [{}, {"eeg_id": 11, "spectrogram_id": 12, "label_id": 13, "patient_id": 14}]
    folder = write_pair(tmp_path / "data", rows)
    blank_outside(folder, eeg_id=1, spectrogram_id=2)
    return build_store(folder, tmp_path / "hms.zarr", split_by="all")


def test_a_store_tells_what_of_its_windows_was_observed(partial: Store) -> None:
    rows = np.argsort(partial.windows["eeg_id"])
    found = partial.observed(rows)
    eeg, spectrogram = found["eeg"], found["spectrogram"]
    assert eeg.first.tolist() == [4000, 0]
    assert eeg.stop.tolist() == [6000, WINDOW]
    assert eeg.share.tolist() == [0.2, 1.0]
    assert eeg.judged.tolist() == spectrogram.judged.tolist() == [1.0, 1.0]
    assert spectrogram.first.tolist() == [148, 0]
    assert spectrogram.stop.tolist() == [152, 300]
    missing = partial.missing(rows)["eeg"].all(axis=2)
    np.testing.assert_array_equal(~missing[0, :], (np.arange(WINDOW) // 2000) == 2)
    assert list(partial.observed([0], "eeg")) == ["eeg"]


def test_it_agrees_with_the_mask_of_missing_values_for_moved_windows(store: Store) -> None:
    rows = np.arange(len(store))
    shift = np.random.default_rng(0).integers(-2000, 2000, len(rows))
    found = store.observed(rows, shift=shift, clamp=True)
    missing = store.missing(rows, shift=shift, clamp=True)
    assert any((one.share < 1).any() for one in found.values())
    for name, one in found.items():
        features = ELECTRODES if name == "eeg" else slice(None)
        silent = missing[name][:, :, features].all(axis=2)
        for row in rows:
            seen = np.zeros(one.rows, bool)
            seen[one.first[row] : one.stop[row]] = True
            assert one.share[row] == pytest.approx((seen & ~silent[row]).mean())


def test_a_store_without_tables_of_gaps_refuses(tmp_path: Path) -> None:
    with zipfile.ZipFile(GOLDEN / "store-v1.zip") as archive:
        archive.extractall(tmp_path)
    with pytest.raises(RequestError, match="was built before gaps were kept"):
        Store.open(tmp_path / "store-v1.zarr").observed([0])
