"""Stores in a local S3 server: pushed, read there, pulled; interrupted, damaged, hostile."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import build_store, six_windows, tree_bytes, write_pair

import hmsprep
from hmsprep import BuildError, ParameterError, TransferError
from hmsprep.cli import main
from hmsprep.sealed.transport import fetching, objects, packing, sending
from hmsprep.sealed.transport.ledger import LEDGER_NAME, Ledger
from hmsprep.sealed.transport.objects import Found
from hmsstore import DamagedStoreError, Store, StoreError
from hmsstore.manifest import MANIFEST_NAME, digest

pytest.importorskip("obstore", reason="obstore is not installed")
pytest.importorskip("moto", reason="moto is not installed")

from support.s3 import Answer, Request, Wire

SHARD = re.compile(r"(eeg|spectrogram)/c/")


@pytest.fixture
def near(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An address of a folder, for what is alike wherever the objects are."""
    return f"file://{tmp_path_factory.mktemp('near')}/hms.zarr"


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return six_windows(tmp_path_factory.mktemp("another"), 1)


def there(wire: Wire | None, place: str) -> dict[str, bytes]:
    """Objects below an address by their names there."""
    if wire is None:
        return tree_bytes(Path(place.removeprefix("file://")))
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    found = wire.objects(bucket)
    return {
        name.removeprefix(f"{prefix}/"): content
        for name, content in found.items()
        if name.startswith(f"{prefix}/")
    }


def put(wire: Wire | None, place: str, name: str, content: bytes) -> None:
    if wire is None:
        path = Path(place.removeprefix("file://")) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return
    wire.put(f"{place.removeprefix('s3://')}/{name}", content)


def refused(call: Callable[[], object], kind: type[Exception], words: str) -> str:
    """The sentence that a call ends with."""
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "Debug source" not in str(caught.value)
    assert len(str(caught.value)) < 700
    return str(caught.value)


def assert_no_store(folder: Path) -> None:
    """Nothing in a folder is a store or could be taken for one."""
    for found in [folder, *folder.rglob("*")]:
        if found.is_dir():
            assert not (found / MANIFEST_NAME).exists()
            with pytest.raises(StoreError):
                Store.open(found)


class Stopper:
    """Holds transfers once enough objects went, and presses Ctrl-C when that is so."""

    def __init__(self, wire: Wire, method: str, after: int) -> None:
        self.held, self.free = threading.Event(), threading.Event()
        self.method, self.left = method, after
        self.lock = threading.Lock()
        self.wire, wire.hook = wire, self.hook

    def hook(self, request: Request) -> Answer | None:
        if request.method == self.method and SHARD.search(request.path):
            with self.lock:
                self.left -= 1
                hold = self.left < 0
            if hold:
                self.held.set()
                self.free.wait(30)
        return None

    def progress(self, *_told: object) -> None:
        if self.held.is_set():
            raise KeyboardInterrupt

    def letting_go(self, *_told: object) -> None:
        if self.held.is_set():
            self.let_go()
            raise KeyboardInterrupt

    def let_go(self) -> None:
        self.wire.hook = None
        self.free.set()


@pytest.mark.parametrize("compress", [False, True])
def test_a_store_comes_back_as_it_went(
    small: Store, request: pytest.FixtureRequest, tmp_path: Path, compress: bool
) -> None:
    place = request.getfixturevalue("near" if compress else "place")
    wire = None if compress else request.getfixturevalue("wire")
    told: list[tuple[str, int, int]] = []
    sent = hmsprep.push(small.path, place, compress=compress, progress=lambda *on: told.append(on))
    assert (sent.files, sent.sent) == (len(small.manifest.files),) * 2
    assert sent.identity == small.identity
    names = there(wire, place).keys()
    if compress:
        assert {n for n in names if not n.endswith(".packed")} == {MANIFEST_NAME, LEDGER_NAME}
        assert sent.sent_bytes < sent.nbytes
    else:
        assert names == {*small.manifest.files, MANIFEST_NAME, LEDGER_NAME}
    assert told[-1] == ("push", sent.nbytes, sent.nbytes)
    came = hmsprep.pull(place, tmp_path / "hms.zarr", progress=lambda *on: told.append(on))
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)
    assert [path.name for path in tmp_path.iterdir()] == ["hms.zarr"]
    assert hmsprep.verify(tmp_path / "hms.zarr") == []
    assert (came.sent, came.nbytes, came.sent_bytes) == (sent.sent, sent.nbytes, sent.sent_bytes)
    assert told[-1] == ("pull", sent.nbytes, sent.nbytes)


@pytest.mark.parametrize("compress", [False, True])
def test_large_files_go_and_come_in_pieces(
    small: Store,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    compress: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = request.getfixturevalue("near" if compress else "place")
    monkeypatch.setattr(objects, "PIECE_BYTES", 100_000)
    monkeypatch.setattr(sending, "PIECE_BYTES", 100_000)
    monkeypatch.setattr(packing, "FRAME_BYTES", 64_000)
    hmsprep.push(small.path, place, compress=compress)
    hmsprep.pull(place, tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)
    if not compress:
        wire = request.getfixturevalue("wire")
        large = [size for size, _ in small.manifest.files.values() if size > 400_000]
        assert len(wire.sent("PUT", "partNumber")) >= len(large) * 4 == 24
        assert len(wire.sent("GET", "eeg/c/0/0")) == 9


def test_what_makes_it_a_store_is_sent_last(small: Store, wire: Wire, place: str) -> None:
    hmsprep.push(small.path, place)
    sent = [path.rpartition("/")[2] for path in wire.sent("PUT")]
    first = sent.index("zarr.json")
    assert set(sent[first:-1]) == {"zarr.json", LEDGER_NAME}
    assert sent[-1] == MANIFEST_NAME


def test_a_zarr_reader_reads_a_window_where_it_is(small: Store, wire: Wire, place: str) -> None:
    zarr = pytest.importorskip("zarr")
    from obstore.store import from_url

    hmsprep.push(small.path, place)
    wire.requests.clear()
    root = zarr.open_group(zarr.storage.ObjectStore(from_url(place), read_only=True), mode="r")
    row = 4
    window = small.gather([row])
    for name, about in small.spec.signals.items():
        start = int(root[f"windows/{name}_start"][row])
        read = root[name][start : start + about.window_rows]
        np.testing.assert_array_equal(read, window[name][0])
    assert root["windows/votes"][row].tolist() == small.windows["votes"][row].tolist()
    shards = {path for path in wire.sent("GET") if SHARD.search(path)}
    assert len(shards) == 2  # of six


def test_a_zarr_reader_finds_nothing_where_a_store_is_packed(
    small: Store, wire: Wire, place: str
) -> None:
    zarr = pytest.importorskip("zarr")
    from obstore.store import from_url

    hmsprep.push(small.path, place, compress=True)
    with pytest.raises(FileNotFoundError):
        zarr.open_group(zarr.storage.ObjectStore(from_url(place), read_only=True), mode="r")


def test_what_is_there_is_not_sent_or_fetched_again(
    small: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, place)
    wire.requests.clear()
    assert hmsprep.push(small.path, place).sent == 0
    assert not wire.sent("PUT") + wire.sent("POST") + wire.sent("DELETE")
    hmsprep.pull(place, tmp_path / "hms.zarr")
    wire.requests.clear()
    assert hmsprep.pull(place, tmp_path / "hms.zarr").sent == 0
    assert not wire.sent("GET", "/c/")


def test_an_object_that_was_lost_or_replaced_is_sent_again(
    small: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, place)
    content = there(wire, place)["eeg/c/0/0"]
    put(wire, place, "eeg/c/0/0", content[:-1] + b"?")  # of equal size
    assert wire.ask("DELETE", f"/{place[5:]}/spectrogram/c/1/0").status == 204
    assert hmsprep.push(small.path, place).sent == 2
    hmsprep.pull(place, tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)


def test_an_interrupted_push_is_no_store_and_resumes(
    small: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    compress = True
    stopper = Stopper(wire, "PUT", 2)
    with pytest.raises(KeyboardInterrupt):
        hmsprep.push(small.path, place, compress=compress, at_once=1, progress=stopper.progress)
    stopper.let_go()
    assert MANIFEST_NAME not in there(wire, place)
    refused(lambda: hmsprep.pull(place, tmp_path / "x"), TransferError, "has not finished")
    assert list(tmp_path.iterdir()) == []
    already = len(small.manifest.files) - hmsprep.push(small.path, place, compress=compress).sent
    assert already >= 2
    hmsprep.pull(place, tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)


def test_a_push_that_is_stopped_or_fails_leaves_no_pieces_of_files(
    small: Store, wire: Wire, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server keeps the pieces of a file that is not whole, and bills them."""
    monkeypatch.setattr(objects, "PIECE_BYTES", 100_000)
    monkeypatch.setattr(sending, "PIECE_BYTES", 100_000)
    bucket = place.removeprefix("s3://").partition("/")[0]
    stopper = Stopper(wire, "PUT", 3)
    with pytest.raises(KeyboardInterrupt):
        hmsprep.push(small.path, place, at_once=2, progress=stopper.letting_go)
    assert wire.sent("PUT", "partNumber")
    assert wire.ask("GET", f"/{bucket}?uploads").body.count(b"<UploadId>") == 0
    damaged = tmp_path / "hms.zarr"
    shutil.copytree(small.path, damaged)
    content = (damaged / "eeg/c/0/0").read_bytes()
    (damaged / "eeg/c/0/0").write_bytes(content[:-1] + b"?")
    refused(lambda: hmsprep.push(damaged, place), StoreError, "is damaged")
    assert wire.ask("GET", f"/{bucket}?uploads").body.count(b"<UploadId>") == 0


def test_an_interrupted_pull_is_no_store_and_resumes(
    small: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, place)
    stopper = Stopper(wire, "GET", 2)
    out = tmp_path / "hms.zarr"
    with pytest.raises(KeyboardInterrupt):
        hmsprep.pull(place, out, at_once=1, progress=stopper.progress)
    stopper.let_go()
    assert [path.name for path in tmp_path.iterdir()] == ["hms.zarr.pulling"]
    assert_no_store(tmp_path)
    came = [path for path in tmp_path.rglob("*") if path.is_file() and path.name[0] != "."]
    came = [path for path in came if ".parts" not in path.parts]
    assert len(came) >= 2
    came[0].write_bytes(came[0].read_bytes()[:-1] + b"?")  # a power cut, or a hand
    done = hmsprep.pull(place, out)
    assert done.sent == done.files - (len(came) - 1)
    assert tree_bytes(out) == tree_bytes(small.path)
    assert [path.name for path in tmp_path.iterdir()] == ["hms.zarr"]


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [("push", signal.SIGTERM, 143), ("pull", signal.SIGINT, 130)],
)
def test_a_command_told_to_stop_says_so_and_resumes(
    small: Store, wire: Wire, place: str, tmp_path: Path, command: str, number: int, code: int
) -> None:
    out = tmp_path / "hms.zarr"
    words: list[object] = [command, small.path, place, "--at-once", 1]
    if command == "pull":
        hmsprep.push(small.path, place)
        words[1:3] = place, out
    stopper = Stopper(wire, "PUT" if command == "push" else "GET", 2)
    process = subprocess.Popen(
        [sys.executable, "-m", "hmsprep", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert stopper.held.wait(60)
    process.send_signal(number)
    said, told = process.communicate(timeout=60)
    stopper.let_go()
    assert process.returncode == code, told
    assert said == ""
    assert told.splitlines()[-1] == "Stopped. Run the same command again to resume."
    wire.hook = None
    done = hmsprep.pull(place, out) if command == "pull" else hmsprep.push(small.path, place)
    assert done.sent < done.files
    if command == "pull":
        assert tree_bytes(out) == tree_bytes(small.path)


def test_another_store_is_replaced_only_by_force(
    small: Store, another: Store, near: str, tmp_path: Path
) -> None:
    hmsprep.push(another.path, near, compress=True)
    before = there(None, near)
    for compress in (False, True):
        refused(
            lambda compress=compress: hmsprep.push(small.path, near, compress=compress),
            TransferError,
            "holds another store.*--force",
        )
    refused(lambda: hmsprep.push(another.path, near), TransferError, "this store, packed")
    assert there(None, near) == before
    hmsprep.push(small.path, near, force=True)
    assert there(None, near).keys() == {*small.manifest.files, MANIFEST_NAME, LEDGER_NAME}
    hmsprep.pull(near, tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)


def test_while_a_store_is_replaced_there_is_none(
    small: Store, another: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    hmsprep.push(another.path, place)
    stopper = Stopper(wire, "PUT", 0)
    with pytest.raises(KeyboardInterrupt):
        hmsprep.push(small.path, place, force=True, progress=stopper.progress)
    stopper.let_go()
    names = there(wire, place).keys()
    assert not any(name.endswith(("zarr.json", MANIFEST_NAME)) for name in names)
    refused(lambda: hmsprep.pull(place, tmp_path / "x"), TransferError, "has not finished")
    refused(lambda: hmsprep.push(another.path, place), TransferError, "unfinished push of another")
    hmsprep.push(small.path, place)
    assert there(wire, place)[MANIFEST_NAME] == (small.path / MANIFEST_NAME).read_bytes()


def test_what_a_killed_push_had_sent_goes_when_another_store_replaces_it(
    small: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    """Its ledger is as old as its last writing; nothing else that is there is removed."""
    rows = [{"eeg_id": 1, "spectrogram_id": 2}]
    fewer = build_store(write_pair(tmp_path / "data", rows), tmp_path / "fewer.zarr")
    stopper = Stopper(wire, "PUT", 4)
    words: list[object] = ["push", small.path, place, "--compress", "--at-once", 1]
    process = subprocess.Popen([sys.executable, "-m", "hmsprep", *map(str, words)])
    assert stopper.held.wait(60)
    process.kill()
    process.wait()
    stopper.let_go()
    before = there(wire, place)
    assert not json.loads(before[LEDGER_NAME])["files"]
    assert len([name for name in before if SHARD.search(name)]) >= 4
    put(wire, place, "notes.txt", b"mine")
    put(wire, place, "eeg/c/0/0.mine", b"mine")
    hmsprep.push(fewer.path, place, force=True)
    mine = {"notes.txt", "eeg/c/0/0.mine"}
    names = {*fewer.manifest.files, MANIFEST_NAME, LEDGER_NAME} | mine
    assert there(wire, place).keys() == names
    assert "missing" not in json.loads(there(wire, place)[LEDGER_NAME])


def test_a_prefix_with_other_objects_is_left_alone(small: Store, near: str) -> None:
    put(None, near, "notes.txt", b"mine")
    for force in (False, True):
        refused(
            lambda force=force: hmsprep.push(small.path, near, force=force),
            TransferError,
            "holds other objects, such as notes.txt",
        )
    assert there(None, near) == {"notes.txt": b"mine"}


def test_a_pull_replaces_another_store_only_by_force_and_nothing_else_ever(
    small: Store, another: Store, near: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, near)
    out = tmp_path / "hms.zarr"
    shutil.copytree(another.path, out)
    refused(lambda: hmsprep.pull(near, out), BuildError, "holds another store.*--force")
    word: Any = "no"
    refused(lambda: hmsprep.pull(near, out, force=word), ParameterError, "True or False, got 'no'")
    refused(lambda: hmsprep.push(out, near, force=word), ParameterError, "True or False, got 'no'")
    assert tree_bytes(out) == tree_bytes(another.path)
    hmsprep.pull(near, out, force=True)
    assert tree_bytes(out) == tree_bytes(small.path)
    file = out / "eeg/c/0/0"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    refused(lambda: hmsprep.pull(near, out), DamagedStoreError, "c/0/0 is not as it was.*--force")
    hmsprep.pull(near, out, force=True)
    assert tree_bytes(out) == tree_bytes(small.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hms.zarr"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    shutil.copytree(mine, tmp_path / "other.pulling")
    for force in (False, True):
        for name, words in (("mine", "not a store"), ("other", "not a pull of this program")):
            refused(
                lambda name=name, force=force: hmsprep.pull(near, tmp_path / name, force=force),
                BuildError,
                words,
            )
    assert (mine / "notes.txt").read_text() == "mine"
    assert (tmp_path / "other.pulling" / "notes.txt").read_text() == "mine"


def test_a_file_of_the_store_that_cannot_be_read_any_more_is_fetched_by_force(
    small: Store, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hmsprep.push(small.path, near)
    out = tmp_path / "hms.zarr"
    hmsprep.pull(near, out)
    whole = fetching.checksum

    def on_a_bad_block(path: Path) -> int:
        if path == out / "eeg/c/0/0":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return whole(path)

    monkeypatch.setattr(fetching, "checksum", on_a_bad_block)
    words = "eeg/c/0/0 cannot be read: Input/output error; --force fetches the store again"
    refused(lambda: hmsprep.pull(near, out), DamagedStoreError, words)
    before = out.stat().st_ino
    hmsprep.pull(near, out, force=True)
    assert out.stat().st_ino != before
    assert tree_bytes(out) == tree_bytes(small.path)


def test_an_unfinished_pull_of_another_store_is_discarded_only_by_force(
    small: Store, another: Store, wire: Wire, place: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, place)
    hmsprep.push(another.path, f"{place}-2")
    stopper = Stopper(wire, "GET", 1)
    out = tmp_path / "hms.zarr"
    with pytest.raises(KeyboardInterrupt):
        hmsprep.pull(f"{place}-2", out, progress=stopper.progress)
    stopper.let_go()
    refused(lambda: hmsprep.pull(place, out), BuildError, "unfinished pull of another store")
    hmsprep.pull(place, out, force=True)
    assert tree_bytes(out) == tree_bytes(small.path)


@pytest.mark.parametrize("exists", [False, True])
def test_a_pull_follows_a_link_that_stays(
    small: Store, near: str, tmp_path: Path, exists: bool
) -> None:
    hmsprep.push(small.path, near)
    target, link = tmp_path / "big disk" / "store.zarr", tmp_path / "hms.zarr"
    target.parent.mkdir()
    if exists:
        shutil.copytree(small.path, target)
    link.symlink_to(target)
    assert hmsprep.pull(near, link).sent == (0 if exists else len(small.manifest.files))
    assert link.readlink() == target
    assert tree_bytes(target) == tree_bytes(small.path)
    assert sorted(path.name for path in tmp_path.rglob("*.zarr*")) == ["hms.zarr", "store.zarr"]


def test_a_pull_that_lacks_only_its_name_gets_it(small: Store, near: str, tmp_path: Path) -> None:
    hmsprep.push(small.path, near)
    shutil.copytree(small.path, tmp_path / "hms.zarr.pulling")
    assert hmsprep.pull(near, tmp_path / "hms.zarr").sent == 0
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)


def test_a_pull_that_was_killed_while_it_wrote_its_marker_is_resumed(
    small: Store, near: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, near)
    (tmp_path / "hms.zarr.pulling").mkdir()
    (tmp_path / "hms.zarr.pulling" / "..pull.json.0123abcd.partial").write_text("{")
    hmsprep.pull(near, tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)
    assert [path.name for path in tmp_path.iterdir()] == ["hms.zarr"]


def test_the_manifest_is_on_the_disk_before_the_marker_of_a_pull_is_gone(
    small: Store, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hmsprep.push(small.path, near)
    log: list[str] = []
    fsync, unlink = os.fsync, os.unlink

    def fsync_seen(descriptor: int) -> None:
        fsync(descriptor)
        log.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def unlink_seen(path: Path, **options: Any) -> None:
        unlink(path, **options)
        log.append(f"no {Path(path).name}")

    monkeypatch.setattr(os, "fsync", fsync_seen)
    monkeypatch.setattr(os, "unlink", unlink_seen)
    hmsprep.pull(near, tmp_path / "hms.zarr")
    gone = log.index("no .pull.json")
    assert log[gone - 2 : gone] == [MANIFEST_NAME, "hms.zarr.pulling"]


def test_a_damaged_store_is_not_pushed(small: Store, near: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(small.path, tmp_path / "copy.zarr"))
    file = copy / "eeg/c/1/0"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    for compress in (False, True):
        refused(
            lambda compress=compress: hmsprep.push(copy, f"{near}-{compress}", compress=compress),
            DamagedStoreError,
            "eeg/c/1/0: expected checksum",
        )
        assert (
            not {MANIFEST_NAME, "eeg/c/1/0", "eeg/c/1/0.packed"}
            & there(None, f"{near}-{compress}").keys()
        )
    file.unlink()
    refused(lambda: hmsprep.push(copy, near), DamagedStoreError, "is missing")


def test_who_else_writes_there_is_noticed(small: Store, wire: Wire, place: str) -> None:
    def hook(request: Request) -> Answer | None:
        if request.method == "PUT" and request.path.endswith("/eeg/zarr.json"):
            put(wire, place, "eeg/c/0/0", b"somebody else's")
        return None

    wire.hook = hook
    refused(lambda: hmsprep.push(small.path, place), TransferError, "1 object changed.*eeg/c/0/0")
    assert MANIFEST_NAME not in there(wire, place)
    wire.hook = None
    assert hmsprep.push(small.path, place).sent == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://host/folder", "begins with s3://, gs://, az://, file://"),
        ("hms.zarr", "begins with s3://"),
        ("s3:/bucket/x", "begins with s3://"),
        ("s3://", "a bucket and a prefix"),
        ("s3://key:secret@bucket/x", "only a bucket and a prefix"),
        ("s3://bucket/x?versionId=1", "only a bucket and a prefix"),
        ("s3://bucket/a/../b", "without empty steps"),
        ("file://here/x", "the whole path"),
        ("file:///", "the whole path"),
        ("s3://[bucket", "not an address"),
    ],
)
def test_what_is_not_an_address_is_refused(
    small: Store, tmp_path: Path, address: str, words: str
) -> None:
    refused(lambda: hmsprep.push(small.path, address), ParameterError, words)
    refused(lambda: hmsprep.pull(address, tmp_path / "x"), ParameterError, words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:hunter2@bucket/x",
        "s3://key:hun/ter2@bucket/x",
        "s3:/key:hunter2@bucket/x",
        "ftp://key:hunter2@bucket/x",
        "s3://key:hunter2@[bucket",
        "s3://bucket/x?token=hunter2",
    ],
)
def test_a_password_in_what_is_refused_is_not_repeated(
    small: Store, tmp_path: Path, address: str
) -> None:
    said = refused(lambda: hmsprep.pull(address, tmp_path / "x"), ParameterError, "bucket")
    assert "ter2" not in said
    assert "..." in said


def test_a_password_of_a_server_is_not_repeated(
    small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from obstore.store import HTTPStore

    for name, value in (("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hunter2@127.0.0.1:9")
    monkeypatch.setitem(objects.RETRIES, "max_retries", 0)
    plain = HTTPStore("http://user:hunter2@127.0.0.1:9/a@b?token=hunter2")
    said = refused(lambda: hmsprep.pull(plain, tmp_path / "x"), TransferError, "cannot be used")
    assert said.startswith('HTTPStore("http://...@127.0.0.1:9/a@b?...")')
    assert said.endswith("Give it as https://host.")
    never = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
    heard = HTTPStore(
        "http://user:hunter2@127.0.0.1:9/a?token=hunter2",
        client_options={"allow_http": True},
        retry_config=never,  # type: ignore[arg-type]
    )
    for address in (heard, "s3://bucket/u@v"):
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        said = refused(
            lambda address=address: hmsprep.pull(address, tmp_path / "x"),
            TransferError,
            "GET http://...@127.0.0.1:9/",
        )
        assert "hunter2" not in said
    assert said.startswith("s3://bucket/u@v/")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    refused(
        lambda: hmsprep.pull("s3://bucket/x", tmp_path / "x"),
        TransferError,
        "without TLS needs AWS_ALLOW_HTTP=true",
    )


def test_missing_buckets_credentials_and_servers_are_told(
    small: Store, wire: Wire, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hmsprep.push(small.path, place)
    monkeypatch.setitem(objects.RETRIES, "max_retries", 1)

    def both(address: str, words: str) -> None:
        refused(lambda: hmsprep.push(small.path, address), TransferError, words)
        refused(lambda: hmsprep.pull(address, tmp_path / "x"), TransferError, words)
        assert list(tmp_path.iterdir()) == []

    both("s3://no-such-bucket/x", "there is no such bucket")
    refused(
        lambda: hmsprep.pull(f"{place}/nothing", tmp_path / "x"), TransferError, "there is no store"
    )
    assert wire.ask("POST", "/moto-api/reset-auth", b"0").status == 200
    try:
        both(place, "refuses access. Check AWS_ACCESS_KEY_ID")
    finally:
        wire.ask("POST", "/moto-api/reset-auth", b"inf")
    wire.hook = lambda _: Answer(503, b"<Error>SlowDown</Error>")
    both(place, "503")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    both(place, re.escape(place))


def forged(small: Store, **changes: Any) -> bytes:
    """A manifest that only a forger writes."""
    return replace(small.manifest, **changes).to_text().encode()


def with_file(small: Store, name: str, nbytes: int = 1) -> bytes:
    return forged(small, files={**small.manifest.files, name: (nbytes, 0)})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../outside", "expected paths within the store"),
        ("/etc/passwd", "expected paths within the store"),
        ("eeg/../../x", "expected paths within the store"),
        ("c:/x", "expected paths within the store"),
        (MANIFEST_NAME, "cannot be a file of a store"),
        (".pull.json", "cannot be a file of a store"),
        ("eeg/c/0/0/deeper", "cannot be a file of a store"),
    ],
)
def test_a_manifest_that_names_what_is_not_its_own_is_refused(
    small: Store, near: str, tmp_path: Path, name: str, words: str
) -> None:
    put(None, near, MANIFEST_NAME, with_file(small, name))
    refused(lambda: hmsprep.pull(near, tmp_path / "in" / "x"), BuildError, "no folder")
    (tmp_path / "in").mkdir()
    refused(lambda: hmsprep.pull(near, tmp_path / "in" / "x"), DamagedStoreError, words)
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["in"]


def test_sizes_that_lie_take_neither_disk_nor_memory(
    small: Store, near: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x"
    hmsprep.push(small.path, near)
    put(None, near, MANIFEST_NAME, with_file(small, "more", 10**17))
    refused(lambda: hmsprep.pull(near, out), TransferError, "of free space")
    put(None, near, MANIFEST_NAME, (small.path / MANIFEST_NAME).read_bytes() + b" " * 1000)
    monkeypatch.setattr(fetching, "LARGEST_JSON", 1000)
    refused(lambda: hmsprep.pull(near, out), TransferError, "at most 1,000 bytes")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_objects_that_are_not_as_sealed_never_become_a_store(
    small: Store, wire: Wire, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(objects.RETRIES, "max_retries", 1)
    hmsprep.push(small.path, place)
    name, out = "eeg/c/1/0", tmp_path / "x"
    whole = there(wire, place)[name]
    for content, words in (
        (whole[:-7], "expected 800,.* bytes, found 8"),
        (whole + b"1", "expected 800,.* bytes, found 8"),
        (whole[:-1] + b"?", "expected checksum"),
    ):
        put(wire, place, name, content)
        assert name in refused(lambda: hmsprep.pull(place, out), TransferError, words)
        assert_no_store(tmp_path)
    put(wire, place, name, whole)

    def cut(request: Request) -> Answer | None:
        if request.method == "GET" and request.path.endswith(name):
            answer = wire.ask("GET", request.path)
            return replace(
                Answer(206, whole[:1000], answer.headers, stated=len(whole)),
                headers={
                    **answer.headers, "content-range": f"bytes 0-{len(whole) - 1}/{len(whole)}"
                },
            )  # fmt: skip
        return None

    wire.hook = cut
    assert name in refused(lambda: hmsprep.pull(place, out), TransferError, name)
    assert_no_store(tmp_path)
    wire.hook = None
    wire.ask("DELETE", f"/{place[5:]}/{name}")
    refused(lambda: hmsprep.pull(place, out), TransferError, "it is missing")
    assert_no_store(tmp_path)
    put(wire, place, name, whole)
    hmsprep.pull(place, out)
    assert tree_bytes(out) == tree_bytes(small.path)


def test_an_object_replaced_between_two_pieces_is_told(
    small: Store, wire: Wire, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PIECE_BYTES", 100_000)
    hmsprep.push(small.path, place)
    name = "eeg/c/1/0"
    content = there(wire, place)[name]

    def hook(request: Request) -> Answer | None:
        if request.path.endswith(name) and len(wire.sent("GET", name)) == 3:
            put(wire, place, name, content[::-1])
        return None

    wire.requests.clear()
    wire.hook = hook
    refused(lambda: hmsprep.pull(place, tmp_path / "x"), TransferError, f"{name}: it was replaced")
    assert_no_store(tmp_path)


def test_a_server_whose_tags_are_weak_is_not_asked_to_match_them(
    small: Store, wire: Wire, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind something that compresses answers; such a tag never matches (RFC 9110, 13.1.1)."""
    monkeypatch.setattr(objects, "PIECE_BYTES", 100_000)
    hmsprep.push(small.path, place)
    name = "eeg/c/1/0"
    content = there(wire, place)[name]
    replaced = False

    def weak(request: Request) -> Answer | None:
        if request.method != "GET" or not SHARD.search(request.path):
            return None
        if any(header.lower() == "if-match" for header in request.headers):
            return Answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        if replaced and request.path.endswith(name) and len(wire.sent("GET", name)) == 3:
            put(wire, place, name, content[::-1])
        answer = wire.ask("GET", request.path, b"", request.headers)
        return replace(answer, headers={**answer.headers, "etag": f"W/{answer.headers['etag']}"})

    wire.hook = weak
    hmsprep.pull(place, tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == tree_bytes(small.path)
    replaced = True
    wire.requests.clear()
    refused(lambda: hmsprep.pull(place, tmp_path / "x"), TransferError, f"{name}: it was replaced")


def test_packed_objects_and_ledgers_that_lie_are_refused(
    small: Store, near: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, near, compress=True)
    found, out = there(None, near), tmp_path / "x"
    name = "eeg/c/1/0.packed"
    ledger = json.loads(found[LEDGER_NAME])
    files = {file: Found(one["bytes"], one["e_tag"]) for file, one in ledger["files"].items()}

    def pulled(words: str, kind: type[Exception] = DamagedStoreError) -> None:
        refused(lambda: hmsprep.pull(near, out), kind, words)
        assert_no_store(tmp_path)

    for content in (b"{", b"[]", b'{"sha256": 1}', found[LEDGER_NAME].replace(b"true", b"false")):
        put(None, near, LEDGER_NAME, content)
        pulled(re.escape(LEDGER_NAME))
    for changed, words in (
        ({k: v for k, v in files.items() if k != "zarr.json"}, "does not have zarr.json"),
        ({**files, "zarr.json": Found(10**12, "x")}, "zarr.json has .* packed 1,000,000,000,000"),
    ):
        lies = Ledger(ledger["manifest"], packed=True, files=changed)
        put(None, near, LEDGER_NAME, lies.to_bytes())
        pulled(words)
    later = {key: value for key, value in ledger.items() if key != "sha256"}
    later["format_version"] += 1
    put(None, near, LEDGER_NAME, json.dumps(later | {"sha256": digest(later)}).encode())
    pulled(rf"{re.escape(LEDGER_NAME)}: .*upgrade hms-eeg")
    put(None, near, LEDGER_NAME, Ledger("0" * 64, packed=True, files=files).to_bytes())
    pulled("is of another store")
    put(None, near, LEDGER_NAME, found[LEDGER_NAME])
    bomb = packing.head(packing.OTHER, 20) + packing.FRAME.pack(1 << 31, 100, 0) + b"x" * 100
    for content in (bomb, b"x" * 200, found[name][:-5], found[name][:-1] + b"?"):
        forged = {**files, "eeg/c/1/0": Found(len(content), "x")}
        lies = Ledger(ledger["manifest"], packed=True, files=forged)
        put(None, near, LEDGER_NAME, lies.to_bytes())
        put(None, near, name, content)
        pulled(name, TransferError)
    put(None, near, LEDGER_NAME, found[LEDGER_NAME])
    put(None, near, name, found[name])
    hmsprep.pull(near, out)
    assert tree_bytes(out) == tree_bytes(small.path)


def test_a_packed_object_of_many_frames_takes_no_more_memory_than_one(
    small: Store, near: str, tmp_path: Path
) -> None:
    hmsprep.push(small.path, near, compress=True)
    ledger = json.loads(there(None, near)[LEDGER_NAME])
    files = {file: Found(one["bytes"], one["e_tag"]) for file, one in ledger["files"].items()}
    zeros = packing.frame(bytes(packing.FRAME_BYTES), packing.OTHER, 0)
    bomb = packing.head(packing.OTHER, 0) + zeros * 200
    files["eeg/c/1/0"] = Found(len(bomb), "x")
    put(None, near, "eeg/c/1/0.packed", bomb)
    put(None, near, LEDGER_NAME, Ledger(ledger["manifest"], packed=True, files=files).to_bytes())
    tracemalloc.start()
    try:
        words = "eeg/c/1/0.packed: expected 800,[0-9]+ bytes, got more"
        refused(lambda: hmsprep.pull(near, tmp_path / "x", at_once=1), TransferError, words)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert_no_store(tmp_path)


def test_a_disk_that_is_full_ends_as_a_sentence(small: Store, near: str, tmp_path: Path) -> None:
    hmsprep.push(small.path, near)
    limit = 'ulimit -f 100; exec "$@"'  # blocks of 512 or 1,024 bytes
    script = (
        "import signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from hmsprep.cli import main; main()"
    )
    done = subprocess.run(
        ["sh", "-c", limit, "sh", sys.executable, "-c", script, "pull", near, tmp_path / "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert_no_store(tmp_path)


def test_folders_and_stores_of_obstore_are_addresses_too(small: Store, tmp_path: Path) -> None:
    from obstore.store import MemoryStore

    memory = MemoryStore()
    hmsprep.push(small.path, memory)
    hmsprep.pull(memory, tmp_path / "one.zarr")
    folder = tmp_path / "shared drive" / "hms.zarr"
    hmsprep.push(small.path, f"file://{folder}")
    assert hmsprep.push(small.path, f"file://{folder}").sent == 0
    assert Store.open(folder).identity == small.identity
    assert hmsprep.verify(folder) == []
    hmsprep.pull(f"file://{folder}", tmp_path / "two.zarr")
    for name in ("one.zarr", "two.zarr"):
        assert tree_bytes(tmp_path / name) == tree_bytes(small.path)
    for inside in ("", "/deeper"):
        address = f"file://{tmp_path}/one.zarr{inside}"
        refused(
            lambda address=address: hmsprep.push(tmp_path / "one.zarr", address),
            ParameterError,
            "outside of the store",
        )
    assert tree_bytes(tmp_path / "one.zarr") == tree_bytes(small.path)
    refused(
        lambda: hmsprep.pull(f"file://{tmp_path}/none", tmp_path / "x"),
        TransferError,
        "no such folder",
    )


def test_the_commands_say_what_they_did_and_mistakes_in_one_sentence(
    small: Store,
    near: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hmsprep", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), *capsys.readouterr()

    files = len(small.manifest.files)
    code, said, told = run("push", small.path, near)
    assert code == 0
    assert f"{small.path} is at {near}: {files} files, " in said
    assert "Sending: 100%" in told
    code, said, told = run("pull", near, tmp_path / "hms.zarr", "--quiet")
    assert (code, told) == (0, "")
    assert f"is whole: {files} files, " in said
    code, said, _ = run("pull", near, tmp_path / "hms.zarr", "--json")
    assert json.loads(said)["sent"] == 0
    for words, part in (
        (("push", tmp_path, near), "holds no MANIFEST.json"),
        (("push", small.path, "nfs://x/y"), "expected an address that begins with"),
        (("pull", f"{near}/none", tmp_path / "x"), "no such folder"),
        (("pull", near, near), "is an address"),
    ):
        code, said, told = run(*words)
        assert (code, said) == (1, ""), words
        assert part in told
        assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [("/proc/x.zarr", "No such file"), ("{}/" + "x" * 255, "File name too long")],
)
def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(
    small: Store, near: str, tmp_path: Path, path: str, words: str
) -> None:
    hmsprep.push(small.path, near)
    out = path.format(tmp_path)
    refused(
        lambda: hmsprep.pull(near, out), BuildError, f"^{re.escape(out)} cannot be written: {words}"
    )


def test_nothing_at_once_is_refused(small: Store, near: str, tmp_path: Path) -> None:
    words = "--at-once 0: expected 1 or more"
    refused(lambda: hmsprep.push(small.path, near, at_once=0), ParameterError, words)
    assert MANIFEST_NAME not in there(None, near)
    hmsprep.push(small.path, near)
    refused(lambda: hmsprep.pull(near, tmp_path / "x", at_once=0), ParameterError, words)
    assert_no_store(tmp_path)


def test_without_obstore_a_sentence_says_what_to_install(
    small: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ParameterError, match=r"pip install 'hms-eeg\[prep,cloud\]'"):
        hmsprep.push(small.path, "s3://bucket/x")
