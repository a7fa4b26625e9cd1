"""Run a build that kills itself before its N-th change to the file system, and then resumes it.

Usage: crash_driver.py DATA FOLDER STRIDE REPLACE

Builds a reference store, counts the changes that a build makes, and for every STRIDE-th of them:
starts a build in a process that is killed (SIGKILL) just before that change, runs the build again,
and compares every byte with the reference. With REPLACE 1 another plan's store and unfinished build
stand in the way and --force replaces them: until the new store is there, the old one must open, and
stay there when the next build is not forced. Prints one JSON object.

Each build runs in a forked child, so that the packages are imported once; this process itself never
starts a thread.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import sklearn.model_selection
import zarr

from hmsprep.building.build import build
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters

SHARDS: dict[str, Any] = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
assert sklearn.model_selection
assert zarr


class Inline:
    """An executor that works at once, in this very thread."""

    def submit(self, work: Any, task: Any) -> Any:
        from concurrent.futures import Future

        future: Any = Future()
        try:
            future.set_result(work(task))
        except Exception as error:
            future.set_exception(error)
        return future


def count_changes(below: Path, kill_before: int, report: int) -> None:
    """Watch this process: before the given change to anything below a folder, kill it."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        inside = (writing or event in CHANGES) and str(arguments[0]).startswith(str(below))
        # rmtree works relative to open folders, so what it removes has no path here.
        if not inside and event not in ("os.remove", "os.rmdir"):
            return
        seen += 1
        os.pwrite(report, seen.to_bytes(8, "little"), 0)
        if seen == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def child(data: Path, store: Path, kill_before: int, report: int, **options: Any) -> int:
    """Build in a forked process; return its wait status."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        parameters = Parameters(**SHARDS, nan=options.pop("nan", "zero"))
        dataset = load(data, parameters)
        count_changes(store.parent, kill_before, report)
        pool: Any = Inline()
        build(dataset, store, executor=pool, workers=1, **options)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def main(data: Path, folder: Path, stride: int, replace: bool) -> None:
    report = os.open(folder / "changes", os.O_RDWR | os.O_CREAT)
    reference = folder / "reference"
    reference.mkdir()
    assert child(data, reference / "hms.zarr", 0, report, nan="zero") == 0
    old = folder / "old"
    old.mkdir()
    if replace:
        assert child(data, old / "hms.zarr", 0, report, nan="mean") == 0
        sealed = tree(old)
        status = child(data, old / "hms.zarr", 60, report, nan="interpolate", force=True)
        assert os.WIFSIGNALED(status)
        assert tree(old).keys() > sealed.keys()
    work = folder / "work"

    def fresh() -> Path:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(old, work)
        return work / "hms.zarr"

    assert child(data, fresh(), 0, report, force=replace) == 0
    total = int.from_bytes(os.pread(report, 8, 0), "little")
    expected = tree(reference)
    before = {name: raw for name, raw in tree(old).items() if name.startswith("hms.zarr/")}
    problems = []
    killed = 0
    for number in range(1, total + 1, stride):
        store = fresh()
        status = child(data, store, number, report, force=replace)
        if not os.WIFSIGNALED(status):
            problems.append(f"change {number} of {total}: the build was not killed")
            continue
        killed += 1
        if store.exists():
            found = {f"hms.zarr/{name}": content for name, content in tree(store).items()}
            if found not in (expected, before):
                problems.append(f"change {number}: a store that is neither old nor new")
        if replace:
            child(data, store, 0, report)
            found = {f"hms.zarr/{name}": content for name, content in tree(store).items()}
            if found not in (expected, before):
                problems.append(f"change {number}: unforced, neither old nor new stands there")
        status = child(data, store, 0, report, force=replace)
        if status or tree(work) != expected:
            left = sorted(set(tree(work)) ^ set(expected))[:5]
            problems.append(f"change {number}: status {status}, differs in {left}")
    print(json.dumps({"changes": total, "killed": killed, "problems": problems}))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]).absolute(),
        Path(sys.argv[2]).absolute(),
        int(sys.argv[3]),
        sys.argv[4] == "1",
    )
