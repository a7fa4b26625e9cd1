"""Reading windows that have to come from a disk."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsstore import SIGNALS, DamagedStoreError, Store, reader
from hmsstore.reading import disk
from hmsstore.reading.disk import CAN_READ, StoreFiles

pytestmark = pytest.mark.skipif(not CAN_READ, reason="this system copies out of mapped files only")

ROWS = list(range(70))
"""More than the kernel is told of at once."""


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Store:
    """A store of this test's own, opened."""
    return Store.open(shutil.copytree(store.path, tmp_path / "own.zarr"))


def mapped(store: Store, rows: list[int]) -> dict[str, NDArray[np.float16]]:
    store.reading_disk = False
    return store.gather(rows)


@pytest.mark.parametrize("cached", ["all", "some", "none", "unknown"])
def test_what_is_read_equals_what_is_mapped(
    store: Store, monkeypatch: pytest.MonkeyPatch, cached: str
) -> None:
    rows = [row % len(store) for row in ROWS]
    expected = mapped(store, rows)
    preadv = os.preadv

    def reads(file: int, buffers: list[memoryview], start: int, flags: int = 0) -> int:
        if flags and cached == "none":
            raise BlockingIOError
        if flags and cached == "unknown":
            raise OSError(errno.EOPNOTSUPP, "not supported")
        if cached == "some":
            buffers = [buffers[0][: 1 + len(buffers[0]) // 2]]
        return preadv(file, buffers, start, flags)

    monkeypatch.setattr(disk.os, "preadv", reads)
    store.reading_disk = True
    found = store.gather(rows)
    for name in SIGNALS:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    ("cached", "fast_enough", "reading"),
    [(True, 1e30, False), (False, 1e30, True), (False, 0.0, False)],
)
def test_files_are_read_as_long_as_that_has_to_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch, cached: bool, fast_enough: float, reading: bool
) -> None:
    store = Store.open(store.path)
    assert store.reading_disk
    monkeypatch.setattr(reader, "CACHED_BYTES_PER_S", fast_enough)
    monkeypatch.setattr(StoreFiles, "read", lambda _, wanted: 0 if cached else len(list(wanted)))
    store.gather([0, 1])
    assert store.reading_disk is reading


@pytest.mark.parametrize(("fast_enough", "reading"), [(1e30, True), (0.0, False)])
def test_slow_copies_lead_to_reading(
    store: Store, monkeypatch: pytest.MonkeyPatch, fast_enough: float, reading: bool
) -> None:
    monkeypatch.setattr(reader, "CACHED_BYTES_PER_S", fast_enough)
    mapped(store, [0])
    assert store.reading_disk is reading


def test_arrays_that_are_not_contiguous_are_filled(store: Store) -> None:
    expected = mapped(store, [0, 1])["eeg"]
    wide = np.zeros((2, 10_000, 40), np.float16)
    store.reading_disk = True
    store.gather([0, 1], "eeg", out={"eeg": wide[:, :, ::2]})
    np.testing.assert_array_equal(wide[:, :, ::2], expected)
    assert not wide[:, :, 1::2].any()


def test_a_store_that_was_moved_or_deleted_is_read_on(own: Store, tmp_path: Path) -> None:
    expected = mapped(own, [0, 1, 2])
    own.path.rename(tmp_path / "aside.zarr")
    (tmp_path / "own.zarr").mkdir()
    for gone in (False, True):
        if gone:
            shutil.rmtree(tmp_path / "aside.zarr")
        own.reading_disk = True
        found = own.gather([0, 1, 2])
        for name in SIGNALS:
            np.testing.assert_array_equal(found[name], expected[name])


def test_a_file_cut_short_since_is_named(own: Store) -> None:
    os.truncate(own.path / "eeg/c/0/0", 1000)
    with pytest.raises(DamagedStoreError, match="eeg/c/0/0 has become shorter"):
        own.gather([0])


def test_an_error_of_the_disk_is_passed_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(disk.os, "preadv", broken)
    store.reading_disk = True
    with pytest.raises(DamagedStoreError, match="cannot be read: Input/output error"):
        store.gather([0])


def test_no_file_stays_open(store: Store) -> None:
    files = Path("/proc/self/fd")
    if not files.exists():
        pytest.skip("needs /proc")
    before = len(list(files.iterdir()))
    own = Store.open(store.path)
    own.gather(ROWS[: len(own)])
    del own
    assert len(list(files.iterdir())) == before
