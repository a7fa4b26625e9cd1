"""Reading windows that have to come from a disk."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsstore import SIGNALS, DamagedStoreError, Store
from hmsstore.reading import disk
from hmsstore.reading.disk import CAN_READ

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


def forget(path: Path) -> None:
    """Take a store's shards out of memory."""
    for file in path.glob("*/c/*/*"):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def in_memory(path: Path) -> bool | None:
    """Whether the first bytes of a file are in memory; None if its file system cannot tell."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
    except (OSError, AttributeError):
        return None
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("begins_reading", [True, False])
def test_the_kernel_says_whether_a_disk_is_read(own: Store, begins_reading: bool) -> None:
    expected = mapped(own, [0, 1])
    own.reading_disk = True
    own.gather([0, 1])
    assert not own.reading_disk  # all of it was there
    own.gather([0, 1])
    assert not own.reading_disk
    own.release()
    forget(own.path)
    if in_memory(own.path / "eeg/c/0/0") is not False:
        pytest.skip("this file system is in memory, or cannot tell what is")
    own.reading_disk = begins_reading
    found = own.gather([0, 1])
    assert own.reading_disk
    for name in SIGNALS:
        np.testing.assert_array_equal(found[name], expected[name])
    own.gather([0, 1])
    assert not own.reading_disk


@pytest.mark.parametrize("waits", [True, False])
def test_where_no_one_tells_what_is_in_memory_the_count_of_inputs_does(
    own: Store, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    preadv, inputs = os.preadv, 0

    def reads(file: int, buffers: list[memoryview], start: int, flags: int = 0) -> int:
        nonlocal inputs
        if flags:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        inputs += waits
        return preadv(file, buffers, start)

    monkeypatch.setattr(disk.os, "preadv", reads)
    monkeypatch.setattr(disk, "disk_inputs", lambda: inputs)
    own.reading_disk = True
    own.gather([0, 1])
    assert own.reading_disk is waits


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
