"""Tables of gaps that contradict themselves are found; stores without them are read as before."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import reseal

from hmsprep.sealed.verification import verify
from hmsstore import DamagedStoreError, RequestError, Store
from hmsstore.reading.gaps import check_gaps, count_missing, missing_values
from hmsstore.view import load_window

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDINGS = {
    "id": np.asarray([7, 5]),
    "start": np.asarray([100, 0]),
    "rows": np.asarray([50, 90]),
}
"""Two segments: rows 0 to 90 of recording 5, and 100 to 150 of recording 7."""


def table(*rows: tuple[int, int, int, int]) -> dict[str, Any]:
    columns = np.asarray(rows, np.int64).reshape(-1, 4).T
    return dict(zip(("recording", "feature", "start", "rows"), columns, strict=True))


WHOLE = ((5, -1, 10, 5), (5, 2, 15, 5), (5, 2, 30, 60), (7, 0, 100, 20), (7, 1, 100, 50))


def test_a_table_that_is_as_it_should_be_has_no_problems() -> None:
    assert check_gaps(table(*WHOLE), RECORDINGS, 3) == []
    assert check_gaps(table(), RECORDINGS, 3) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({2: (5, 2, 30, 61)}, "a gap is outside its recording in 1 row, the first 2"),
        ({2: (5, 2, 92, 2)}, "a gap is outside its recording"),
        ({4: (7, 1, 100, 2**63 - 1)}, "a gap is outside its recording in 1 row, the first 4"),
        ({3: (5, 0, 100, 20)}, "recording is not the segment's in 1 row, the first 3"),
        ({4: (7, 3, 100, 50)}, "feature does not exist in 1 row, the first 4"),
        ({0: (5, -2, 10, 5)}, "feature does not exist"),
        ({1: (5, 2, 15, 0)}, "rows is not 1 or more"),
        ({0: (5, -1, 20, 5)}, "not in the order of start and feature in 1 row, the first 1"),
        ({4: (7, 0, 100, 50)}, "not in the order of start and feature"),
        ({1: (5, 2, 15, 16)}, "a gap overlaps another in 1 row, the first 2"),
        ({0: (5, -1, 10, 6)}, "a gap overlaps another in 1 row, the first 1"),
        ({2: (5, -1, 19, 1)}, "a gap overlaps another in 1 row, the first 1"),
    ],
)
def test_what_contradicts_itself_is_named(change: dict[int, Any], message: str) -> None:
    rows = [change.get(number, row) for number, row in enumerate(WHOLE)]
    problems = check_gaps(table(*rows), RECORDINGS, 3)
    assert len(problems) == 1
    assert problems[0].startswith(message)


def test_columns_of_different_lengths_are_found() -> None:
    wrong = table(*WHOLE)
    wrong["rows"] = wrong["rows"][:-1]
    assert "columns of different lengths" in check_gaps(wrong, RECORDINGS, 3)[0]


def test_gaps_of_another_segment_are_none_of_a_window() -> None:
    gaps = table(*WHOLE)
    mask = missing_values(gaps, 100, 100, 10, 3)
    assert mask.tolist() == [[True, True, False]] * 10
    assert missing_values(gaps, 0, 12, 10, 3).sum() == 3 * 3 + 5
    spans, starts = np.asarray([100, 0, 0]), np.asarray([100, 12, 20])
    assert count_missing(gaps, spans, starts, 10, 3).tolist() == [20, 14, 0]


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store.path, tmp_path / "hms.zarr"))


@pytest.mark.parametrize(
    ("column", "dtype", "change", "message"),
    [
        ("rows", "i8", lambda rows: rows + 10**6, "gaps/eeg: a gap is outside its recording"),
        ("recording", "i8", lambda ids: ids + 1, "gaps/eeg: recording is not the segment's"),
        ("feature", "i2", lambda f: f + 1, "eeg_nan_fraction disagrees with the gaps"),
    ],
)
def test_tables_that_contradict_the_others_are_found_by_verifying(
    copy: Path, column: str, dtype: str, change: Callable[[Any], Any], message: str
) -> None:
    name = f"gaps/eeg/{column}/c/0"
    changed = change(np.fromfile(copy / name, dtype)).astype(dtype)
    changed.tofile(copy / name)
    reseal(copy, name)
    assert any(message in problem for problem in verify(copy))


def test_a_changed_table_is_found_at_opening(copy: Path) -> None:
    name = "gaps/spectrogram/start/c/0"
    (np.fromfile(copy / name, "i8") + 1).tofile(copy / name)
    with pytest.raises(DamagedStoreError, match=f"{name} differs from its checksum"):
        Store.open(copy)


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A store of the version before gaps were kept."""
    with zipfile.ZipFile(GOLDEN / "store-v1.zip") as archive:
        archive.extractall(tmp_path)
    return Store.open(tmp_path / "store-v1.zarr")


def test_a_store_without_tables_of_gaps_is_read_as_it_was(old: Store) -> None:
    assert old.gaps is None
    assert verify(old.path) == []
    with pytest.raises(RequestError, match="was built before gaps were kept"):
        old.missing([0])


def test_in_a_store_without_tables_of_gaps_they_are_guessed_from_equal_rows(
    old: Store,
) -> None:
    from hmsstore.view.window import SHORTEST_GAP, _repeated

    for row in range(len(old)):
        values = old.denormalise(old.gather([row]))
        window = load_window(old, row)
        for name, drawn in (("eeg", window.eeg_uv), ("spectrogram", window.log_power)):
            guessed = _repeated(values[name][0], SHORTEST_GAP[name])
            guessed &= old.windows[f"{name}_nan_fraction"][row] > 0
            np.testing.assert_array_equal(np.isnan(drawn).all(axis=1), guessed)
            assert np.isnan(drawn).any(axis=1).sum() == guessed.sum()
