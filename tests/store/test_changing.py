"""A store whose files change while it is open gives an error or what was opened, never a signal."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import reseal

from hmsstore import DamagedStoreError, RequestError, Store


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store.path, tmp_path / "hms.zarr"))


@pytest.mark.parametrize("reading_disk", [True, False])
def test_a_shard_that_shrinks_gives_an_error(copy: Path, reading_disk: bool) -> None:
    """In a process of its own: reading beyond the end of a mapped file ends the whole of it."""
    script = f"""
import os, sys
from hmsstore import DamagedStoreError, Store
store = Store.open(sys.argv[1])
os.truncate(os.path.join(sys.argv[1], "eeg/c/0/0"), 4096)
store.reading_disk = {reading_disk}
try:
    store.gather(range(len(store)))
except DamagedStoreError as error:
    print(error.problems[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, copy], capture_output=True, text=True, check=True
    )
    assert done.stdout == "eeg/c/0/0 has become shorter since the store was opened\n"


def test_tables_that_shrink_are_read_as_they_were(copy: Path, store: Store) -> None:
    opened = Store.open(copy)
    for path in (copy / "windows").rglob("c/*"):
        if path.is_file():
            os.truncate(path, 0)
    for name, column in store.windows.items():
        np.testing.assert_array_equal(opened.windows[name], column)


def test_large_tables_are_read_when_they_are_asked_for(
    copy: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmsstore.reading.opening.COPIED_BYTES", 0)
    opened = Store.open(copy)
    for name, column in store.windows.items():
        if name != "label_id":
            np.testing.assert_array_equal(opened.windows[name], column)
    os.truncate(copy / "windows/label_id/c/0", 8)
    with pytest.raises(DamagedStoreError, match="label_id/c/0 has become shorter"):
        opened.windows["label_id"]


def test_gather_reads_the_map_where_no_file_can_be_opened(copy: Path, store: Store) -> None:
    script = """
import os, resource, sys
from hmsstore import Store
store = Store.open(sys.argv[1])
before = store.gather([0, 1])
store.reading_disk = True
last = max(os.dup(0) for _ in range(50))
resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, last + 1))
after = store.gather([0, 1])
assert all((before[name] == after[name]).all() for name in before)
"""
    subprocess.run([sys.executable, "-c", script, copy], check=True)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EACCES, errno.ENOENT, errno.ENFILE])
def test_gather_reads_the_map_whatever_opening_a_file_says(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = store.gather([0, 1])

    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("hmsstore.reading.disk.os.open", refuse)
    monkeypatch.setattr(store, "reading_disk", True)
    for name, values in store.gather([0, 1]).items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("reading_disk", [True, False])
def test_a_file_that_its_server_no_longer_gives_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, reading_disk: bool
) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(number, os.strerror(number))

    if reading_disk:
        monkeypatch.setattr("hmsstore.reading.disk.os.preadv", refuse)
        monkeypatch.setattr("hmsstore.reading.disk.os.posix_fadvise", refuse)
    else:
        monkeypatch.setattr("hmsstore.reading.disk.mapped_bytes", refuse)
    monkeypatch.setattr(store, "reading_disk", reading_disk)
    with pytest.raises(DamagedStoreError, match=f"cannot be read: {os.strerror(number)}"):
        store.gather([0])


SWAPPING = """
import os, sys, time
from pathlib import Path
from hmsstore.atomic import previous
store, other = map(Path, sys.argv[1:])
print("begun", flush=True)
while os.getppid() == int(sys.stdin.readline() or 0):
    for _ in range(10):
        store.rename(previous(store))
        other.rename(store)
        previous(store).rename(other)
        time.sleep(0.02)
"""
"""Two stores that take turns under a name. A replaced store never comes back in life, so none does
here within a tick of the file system's clock, in which it would look as if it had not been away."""


def test_opening_while_another_store_takes_the_name_never_reports_damage(
    store: Store, tmp_path: Path
) -> None:
    """What `hmsprep build --force` does at its end, without a pause."""
    path, other = tmp_path / "hms.zarr", tmp_path / "other"
    shutil.copytree(store.path, path)
    shutil.copytree(store.path, other)
    reseal(other, identity="0" * 64)
    identities = {Store.open(path).identity, Store.open(other).identity}
    assert len(identities) == 2
    words = [sys.executable, "-c", SWAPPING, str(path), str(other)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as swapping:
        assert swapping.stdin is not None
        assert swapping.stdout is not None
        swapping.stdout.readline()
        seen = set()
        for _ in range(10):
            swapping.stdin.write(f"{os.getpid()}\n")
            swapping.stdin.flush()
            for _ in range(40):
                opened = Store.open(path)
                opened.gather([0])
                seen.add(opened.identity)
        swapping.stdin.close()
    assert seen <= identities
    assert not swapping.returncode


def test_out_that_cannot_be_written_to_and_unsigned_shifts(store: Store) -> None:
    out = store.gather([0])
    out["eeg"].flags.writeable = False
    with pytest.raises(RequestError, match="must be an array that can be written to"):
        store.gather([0], out=out)
    _, high = store.shift_room([0])
    for kind in (np.uint8, np.uint64):
        got = store.gather([0], "eeg", shift=np.zeros(1, kind))
        np.testing.assert_array_equal(got["eeg"], store.gather([0], "eeg")["eeg"])
        clamped = store.gather([0], "eeg", shift=np.full(1, 200, kind), clamp=True)
        expected = store.gather([0], "eeg", shift=min(200, int(high[0])))
        np.testing.assert_array_equal(clamped["eeg"], expected["eeg"])
    with pytest.raises(RequestError, match="64 bits with a sign"):
        store.gather([0], shift=np.full(1, 2**64 - 1, np.uint64))
