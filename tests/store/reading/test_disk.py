"""Reading windows that have to come from a disk."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsstore import SIGNALS, DamagedStoreError, Store, reader
from hmsstore.reading import disk
from hmsstore.reading.disk import CAN_READ
from hmsstore.reading.pieces import PIECE, Pieces

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


@pytest.mark.parametrize("room", [0, 2_000_000, 2**60])
@pytest.mark.parametrize("cached", ["all", "some", "none", "asked: some", "asked: none", "untold"])
def test_what_is_read_equals_what_is_mapped(
    store: Store, monkeypatch: pytest.MonkeyPatch, cached: str, room: int
) -> None:
    monkeypatch.setattr(reader, "available_memory", lambda: room)
    store = Store.open(store.path)
    rows = [row % len(store) for row in ROWS]
    expected = mapped(store, rows)
    preadv = os.preadv

    def reads(file: int, buffers: list[memoryview], start: int, flags: int = 0) -> int:
        if flags and cached == "asked: none":
            raise BlockingIOError
        if flags and cached == "untold":
            raise OSError(errno.EOPNOTSUPP, "not supported")
        if "some" in cached:
            buffers = [buffers[0][: 1 + len(buffers[0]) // 2]]
        return preadv(file, buffers, start, flags)

    there = {"some": 123_456, "none": 0}
    if cached != "all":
        monkeypatch.setattr(Pieces, "in_memory", lambda *_: there.get(cached))
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


def in_memory(path: Path, at: int = 0) -> bool | None:
    """Whether a byte of a file is in memory; None if nobody tells."""
    mapped = np.memmap(path, np.uint8, "r")
    with path.open("rb") as file:
        there = Pieces().in_memory(mapped.view(np.ndarray), at % len(mapped), 1, file.fileno())
    return None if there is None else there == 1


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

    monkeypatch.setattr(Pieces, "in_memory", lambda *_: None)
    monkeypatch.setattr(disk.os, "preadv", reads)
    monkeypatch.setattr(disk, "disk_inputs", lambda: inputs)
    own.reading_disk = True
    own.gather([0, 1])
    assert own.reading_disk is waits


@pytest.mark.parametrize("room", [0, 2**60])
def test_what_memory_has_room_for_comes_in_large_pieces_and_the_rest_past_it(
    own: Store, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    expected = mapped(own, [0])
    own.release()
    forget(own.path)
    first, last = (in_memory(own.path / "eeg/c/0/0", at) for at in (0, -1))
    if first is not False or last is not False:
        pytest.skip("this file system is in memory, or cannot tell what is")
    monkeypatch.setattr(reader, "available_memory", lambda: room)
    own.reading_disk = True
    found = own.gather([0])
    for name in SIGNALS:
        np.testing.assert_array_equal(found[name], expected[name])
    after = int(own.windows["eeg_start"][0]) * 40 + 400_000
    assert in_memory(own.path / "eeg/c/0/0", after - 1) is bool(room)
    assert in_memory(own.path / "eeg/c/0/0", after + 100_000) is bool(room)


@pytest.mark.parametrize("refused", ["open", "read"])
def test_a_file_system_without_reads_past_the_cache_is_read_through_it(
    own: Store, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    expected = mapped(own, [0, 1])
    opening, preadv, direct = os.open, os.preadv, set()

    def opens(path: str, flags: int, **options: int) -> int:
        if flags & os.O_DIRECT and refused == "open":
            raise OSError(errno.EINVAL, "Invalid argument")
        file = opening(path, flags, **options)
        (direct.add if flags & os.O_DIRECT else direct.discard)(file)
        return file

    def reads(file: int, buffers: list[memoryview], start: int, flags: int = 0) -> int:
        if file in direct:
            raise OSError(errno.EINVAL, "Invalid argument")
        return preadv(file, buffers, start, flags)

    monkeypatch.setattr(Pieces, "in_memory", lambda *_: 0)
    monkeypatch.setattr(disk.os, "open", opens)
    monkeypatch.setattr(disk.os, "preadv", reads)
    monkeypatch.setattr(reader, "available_memory", lambda: 0)
    own.reading_disk = True
    found = own.gather([0, 1])
    for name in SIGNALS:
        np.testing.assert_array_equal(found[name], expected[name])


def test_a_kernel_without_large_pieces_is_asked_once(
    own: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def refuse(*_: object) -> int:
        nonlocal asked
        asked += 1
        ctypes.set_errno(errno.EINVAL)
        return -1

    expected = mapped(own, [0, 1])
    monkeypatch.setattr(Pieces, "in_memory", lambda *_: 0)
    own._files.pieces._madvise = refuse  # type: ignore[union-attr]
    for _ in range(2):
        own.reading_disk = True
        found = own.gather([0, 1])
        for name in SIGNALS:
            np.testing.assert_array_equal(found[name], expected[name])
        seen, asked = asked, 0
    assert seen == 0
    assert not own._files.pieces.able  # type: ignore[union-attr]


def test_each_piece_is_fetched_once() -> None:
    mapped = np.zeros(2 * PIECE + 100, np.uint8)
    parts = [(mapped, 5, 10), (mapped, PIECE - 1, 2), (mapped, 2 * PIECE, 100)]
    assert len(list(Pieces().around(parts))) == 3
    assert len(list(Pieces().around([(mapped, 0, 3 * PIECE)]))) == 3


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
