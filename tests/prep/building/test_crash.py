"""Whatever kills a build, running it again gives the very bytes of an undisturbed one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from support import forked
from support.helpers import SMALL, build_store, train_row, tree_bytes, write_pair

from hmsprep.building.build import build
from hmsprep.building.durable import locked
from hmsprep.building.site import Site
from hmsprep.errors import BuildError
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store

DRIVER = Path(__file__).parents[2] / "support" / "crash_driver.py"
STRIDE = int(os.environ.get("HMS_CRASH_STRIDE", "29"))
"""Only every so many-th change to the file system is tried; 1 tries them all, in ten minutes."""


@pytest.mark.parametrize("replace", [False, True])
def test_killed_before_any_change_to_the_file_system_it_goes_on_to_the_same_bytes(
    tmp_path: Path, replace: bool
) -> None:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 5)]
    data = write_pair(tmp_path / "data", rows)
    (tmp_path / "builds").mkdir()
    done = subprocess.run(
        [sys.executable, DRIVER, data, tmp_path / "builds", str(STRIDE), str(int(replace))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["problems"] == []
    assert result["killed"] >= 10


BUILD = """
import sys
from pathlib import Path
from hmsprep.building.build import build
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters

if __name__ == "__main__":
    parameters = Parameters(eeg_shard_rows=80_000, spectrogram_shard_rows=2_400)
    dataset = load(Path(sys.argv[1]), parameters)
    build(dataset, Path(sys.argv[2]), workers=2)
"""


class Running:
    """A build in processes of its own, with two workers."""

    def __init__(self, data: Path, store: Path, script: Path) -> None:
        script.write_text(BUILD)
        self.building = store.with_name(store.name + ".building")
        self.process = forked.Popen(
            [sys.executable, script, data, store], start_new_session=True, stderr=forked.PIPE
        )

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Look again and again until something has happened; the test's own limit is a minute."""
        end = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < end, "the build did not get so far"
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.002)

    def lines(self, stage: str) -> int:
        return len(self.finished(stage))

    def finished(self, stage: str) -> list[str]:
        """Shards that the journal notes as done."""
        journal = self.building / "journal.jsonl"
        text = journal.read_text() if journal.exists() else ""
        entries = [json.loads(line[9:]) for line in text.splitlines(True) if line.endswith("\n")]
        done = [entry for entry in entries if entry["stage"] == stage]
        return [f"{entry['signal']}/c/{entry['shard']}/0" for entry in done]

    def workers(self) -> list[int]:
        """Processes whose parent is the build and that are workers."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                command = status.with_name("cmdline").read_bytes()
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and b"spawn_main" in command:
                found.append(int(status.parent.name))
        return found

    def end(self) -> str:
        return self.process.communicate(timeout=60)[1]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("stage", ["ingest", "normalise"])
@pytest.mark.parametrize("victim", ["group", "parent", "worker"])
def test_killed_processes_leave_a_build_that_goes_on(
    data: Path, store: Store, tmp_path: Path, victim: str, stage: str
) -> None:
    path = tmp_path / "hms.zarr"
    running = Running(data, path, tmp_path / "script.py")
    running.wait_for(lambda: running.lines(stage) >= 2)
    workers = running.workers()
    assert workers
    if victim == "group":
        os.killpg(running.process.pid, signal.SIGKILL)
    elif victim == "parent":
        running.process.kill()
    else:
        os.kill(workers[0], signal.SIGKILL)
    message = running.end()
    assert not path.exists()
    assert running.lines(stage) >= 2
    if victim == "worker":
        assert "A worker process was killed" in message
        assert "Run the same command again to resume" in message
    end = time.monotonic() + 20
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < end, "a worker outlived the build"
        time.sleep(0.01)
    kept = running.finished("normalise")
    written = {name: (running.building / name).stat().st_mtime_ns for name in kept}
    dataset = load(data, Parameters(**SMALL))
    build(dataset, path, workers=2)
    assert {name: (path / name).stat().st_mtime_ns for name in kept} == written
    assert tree_bytes(path) == tree_bytes(store.path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["hms.zarr", "script.py"]


@needs_proc
def test_ctrl_c_finishes_what_is_in_hand_and_the_build_goes_on(
    data: Path, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "hms.zarr"
    running = Running(data, path, tmp_path / "script.py")
    running.wait_for(lambda: running.lines("ingest") >= 2)
    os.killpg(running.process.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in running.end()
    scratch = [file.name for file in (running.building / "ingest").iterdir()]
    finished = running.finished("ingest")
    assert sorted(scratch) == sorted(name.replace("/c/", "-")[:-2] for name in finished)
    assert list((running.building / "partial").iterdir()) == []
    dataset = load(data, Parameters(**SMALL))
    build(dataset, path, workers=2)
    assert tree_bytes(path) == tree_bytes(store.path)


@needs_proc
@pytest.mark.parametrize("spoil", [lambda f: f.write_bytes(f.read_bytes()[::-1]), Path.unlink])
def test_a_scratch_shard_that_was_damaged_or_lost_is_read_again(
    data: Path, store: Store, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / "hms.zarr"
    running = Running(data, path, tmp_path / "script.py")
    running.wait_for(lambda: running.lines("normalise") >= 1)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.end()
    spoil(max((running.building / "ingest").iterdir()))
    build(load(data, Parameters(**SMALL)), path, workers=2)
    assert tree_bytes(path) == tree_bytes(store.path)


@needs_proc
def test_a_source_that_changed_after_shards_were_written_changes_them_all(
    data: Path, tmp_path: Path
) -> None:
    """Statistics are over all training recordings, so every shard must be written anew."""
    own = tmp_path / "data"
    shutil.copytree(data, own)
    path = tmp_path / "hms.zarr"
    running = Running(own, path, tmp_path / "script.py")
    running.wait_for(lambda: running.lines("normalise") >= 2)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.end()
    dataset = load(own, Parameters(**SMALL))
    training = dataset.plan.columns["eeg_id"][dataset.plan.columns["split"] == 0]
    file = own / "train_eegs" / f"{training[0]}.parquet"
    (pl.read_parquet(file) * 2).cast(pl.Float32).write_parquet(file)
    resumed = build_store(own, path)
    fresh = build_store(own, tmp_path / "fresh.zarr")
    assert tree_bytes(resumed.path) == tree_bytes(fresh.path)
    assert resumed.identity != Store.open(build_store(data, tmp_path / "o.zarr").path).identity


def test_two_builds_at_the_same_time_are_refused(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    with locked(tmp_path / "hms.zarr.lock"), pytest.raises(BuildError, match="Another process"):
        build_store(data, tmp_path / "hms.zarr")
    build_store(data, tmp_path / "hms.zarr")


def test_a_lock_that_cannot_be_removed_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "hms.zarr.lock"

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Read-only"), locked(lock):
        patch.setattr(Path, "unlink", refuse)
    with locked(lock):
        pass
    assert not lock.exists()


def test_a_lock_that_its_holder_removes_before_it_is_ours_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To hold what is gone would keep nobody out."""
    lock, real = tmp_path / "hms.zarr.lock", fcntl.flock

    def removed_first(descriptor: int, how: int) -> None:
        monkeypatch.undo()
        lock.unlink()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with locked(lock), pytest.raises(BuildError, match="Another process"), locked(lock):
        pass


def test_what_its_holder_removes_at_that_moment_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two looks at a name may see two things: there, and then no file."""
    data = write_pair(tmp_path / "data", [{}])
    dataset = load(data, Parameters(**SMALL))
    passing = {tmp_path / f"hms.zarr{ending}" for ending in (".lock", ".building")}
    real = Path.exists
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda path: path in passing or real(path))
        with locked(tmp_path / "hms.zarr.lock"):
            Site(tmp_path / "hms.zarr").check_target()
    build(dataset, tmp_path / "hms.zarr", workers=1)


def test_another_plan_does_not_resume(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    dataset = load(data, Parameters(**SMALL))
    Site(tmp_path / "hms.zarr").prepare(dataset.plan, force=False)
    with pytest.raises(BuildError, match="of another plan: there nan is zero, here mean"):
        build_store(data, tmp_path / "hms.zarr", nan="mean")
    forced = load(data, Parameters(**SMALL, nan="mean"))
    build(forced, tmp_path / "hms.zarr", workers=1, force=True)
    assert Store.open(tmp_path / "hms.zarr").info["parameters"]["nan"] == "mean"


def test_a_torn_last_line_of_the_journal_is_cut_off(tmp_path: Path) -> None:
    from hmsprep.building.journal import Journal
    from hmsprep.building.tasks import Normalised

    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.add_written(Normalised("eeg", 0, 1, 2, 3, "s", 4))
    journal.close()
    whole = path.read_bytes()
    line = whole.replace(b'"shard":0', b'"shard":1')
    for torn in (whole[:20], bytes(len(whole)), bytes(30) + b"\n", line, b"\n"):
        path.write_bytes(whole + torn)
        journal = Journal(path)
        assert list(journal.written) == [("eeg", 0)]
        journal.close()
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_text("x"), "is a file"),
        (lambda p: p.mkdir(), "is a folder but not a store"),
        (lambda p: p.with_name("hms.zarr.building").write_text("x"), "is a file"),
        (lambda p: (p.with_name("hms.zarr.building") / "x").mkdir(parents=True), "Move it away"),
    ],
)
def test_what_stands_in_the_way_is_named_and_left_alone(tmp_path: Path, make, message: str) -> None:
    data = write_pair(tmp_path / "data", [{}])
    make(tmp_path / "hms.zarr")
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    with pytest.raises(BuildError, match=message):
        build_store(data, tmp_path / "hms.zarr")
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    with pytest.raises(BuildError, match="There is no folder"):
        build_store(data, tmp_path / "none" / "hms.zarr")


def test_a_disk_that_takes_no_more_is_named_and_what_was_begun_is_removed(
    data: Path, store: Store, tmp_path: Path
) -> None:
    """A limit on file size stands for the full disk: writing fails half-way through a shard."""
    path = tmp_path / "hms.zarr"
    script = tmp_path / "script.py"
    script.write_text(
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        + BUILD.replace("workers=2", "workers=1")
    )
    done = subprocess.run(
        [sys.executable, script, data, path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "hms.zarr.building: File too large. Nothing was left behind." in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["script.py"]
    build_store(data, path)
    assert tree_bytes(path) == tree_bytes(store.path)


def test_too_little_free_space_is_said_before_anything_is_read(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    far = [train_row(), train_row(eeg_label_offset_seconds=1e9, label_id=5)]
    pl.DataFrame(far).write_csv(data / "train.csv")
    with pytest.raises(BuildError, match=r"MB free; the build needs 8,0\d\d,\d\d\d MB"):
        build_store(data, tmp_path / "hms.zarr", eeg_shard_rows=10**8)
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
