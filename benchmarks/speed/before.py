"""How fast this code builds, opens and gathers beside an earlier commit of it, in the same run.

The earlier commit is taken out of the repository into a temporary folder. Both build the same
simulated data, and each then opens its own store and gathers the same random batches of it, in
processes that wait while the others work: several of each, since a process gets huge pages for its
arrays or not, which makes it faster throughout. They take turns, so that whatever else the machine
does meets both; processor time is measured beside time on the clock, since a busy machine stretches
the latter more.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.tools.conditions import BATCH, module, timed
from benchmarks.tools.record import command_line, write_record

ROOT = Path(__file__).parents[2]
OPENINGS = 5
READING = f"""
OPENINGS = {OPENINGS}
import sys, time

import numpy as np

from hmsstore import Store

path, batch, batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = Store.open(path)
rows = np.resize(np.random.default_rng(0).permutation(len(store)), (batches, batch))
out = store.gather(rows[0])


def gather():
    for some in rows:
        store.gather(some, out=out)


def opening():
    for _ in range(OPENINGS):
        Store.open(path)


works = {{"gather": gather, "open": opening}}
print("ready", flush=True)
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    works[line.strip()]()
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
"""
"""What the process of either commit does: the name of a work in, both kinds of seconds out."""

Seconds = tuple[float, float]
"""On the clock, of processors."""


def taken_out(commit: str, folder: Path) -> Path:
    """Files of a commit in a folder."""
    git = ["git", "-C", str(ROOT)]
    packed = subprocess.run([*git, "archive", commit], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def importing(code: Path) -> dict[str, str]:
    """Environment of a process that imports this code."""
    return {**os.environ, "PYTHONPATH": f"{code}:{code / 'store'}", "OMP_NUM_THREADS": "1"}


def build(code: Path, data: Path, store: Path) -> Seconds:
    """Build a store anew, replacing the one of before."""
    before, start = _children_s(), time.perf_counter()
    subprocess.run(
        module("hmsprep", "build", data, store, "--force", "--workers", os.cpu_count()),
        check=True, cwd=code, env=importing(code), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - start, _children_s() - before


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def reading(code: Path, store: Path, batches: int) -> Iterator[Callable[[str], Seconds]]:
    """A process with an open store; what is given does a work of `READING` there."""
    words = [sys.executable, "-c", READING, str(store), str(BATCH), str(batches)]
    with subprocess.Popen(
        words, cwd=code, env=importing(code), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        answers = process.stdout
        asked = process.stdin
        if answers.readline() != "ready\n":
            raise SystemExit(f"The code at {code.name} cannot read the store that it built.")

        def work(name: str) -> Seconds:
            asked.write(f"{name}\n")
            asked.flush()
            wall, cpu = map(float, answers.readline().split())
            return wall, cpu

        yield work
        asked.close()


def in_turn(
    before: Callable[[], Seconds], now: Callable[[], Seconds], rounds: int
) -> list[tuple[Seconds, Seconds]]:
    """Seconds of both in every round; each goes first in every other one. The first warms up."""
    found = []
    for number in range(rounds + 1):
        if number % 2:
            then, here = before(), now()
        else:
            here, then = now(), before()
        if number:
            found.append((then, here))
    return found


def middle(rounds: Iterable[Seconds]) -> Seconds:
    """Medians of both clocks."""
    wall, cpu = zip(*rounds, strict=True)
    return statistics.median(wall), statistics.median(cpu)


def row(what: str, unit_s: float, rounds: list[tuple[Seconds, Seconds]]) -> dict[str, Any]:
    """Medians of both, and of their ratios with the middle half of these."""
    cells: dict[str, Any] = {"what": what, "times": len(rounds)}
    for number, clock in enumerate(("clock", "processor")):
        then, here = ([pair[which][number] for pair in rounds] for which in (0, 1))
        ratios = [b / a for a, b in zip(then, here, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        cells |= {
            f"before, {clock}": float(f"{statistics.median(then) / unit_s:.3g}"),
            f"now, {clock}": float(f"{statistics.median(here) / unit_s:.3g}"),
            f"now / before, {clock}": f"{middle:.2f} ({low:.2f}-{high:.2f})",
        }
    print(cells, flush=True)
    return cells


def compare(arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A row for each work."""
    codes = {"before": taken_out(arguments.commit, folder / "code"), "now": ROOT}
    data = folder / "data"
    timed(module("hmsprep", "synth", data, "--windows", arguments.windows, "--fast"))
    stores = {name: folder / f"{name}.zarr" for name in codes}

    def building(name: str) -> Callable[[], Seconds]:
        return lambda: build(codes[name], data, stores[name])

    rows = [row("build, s", 1, in_turn(building("before"), building("now"), arguments.builds))]
    pairs: dict[str, list[tuple[Seconds, Seconds]]] = {"gather": [], "open": []}
    for _ in range(arguments.processes):
        with (
            reading(codes["before"], stores["before"], arguments.batches) as before,
            reading(codes["now"], stores["now"], arguments.batches) as now,
        ):
            for name, found in pairs.items():
                rounds = in_turn(partial(before, name), partial(now, name), arguments.rounds)
                found.append(
                    (middle(then for then, _ in rounds), middle(here for _, here in rounds))
                )
    rows.append(row("gather a batch, ms", 1e-3 * arguments.batches, pairs["gather"]))
    rows.append(row("open, ms", 1e-3 * OPENINGS, pairs["open"]))
    return rows


def main() -> None:
    """Measure, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--commit", default="8d15354", help="the earlier one")
    parser.add_argument("--windows", type=int, default=1000, help="to simulate")
    parser.add_argument("--builds", type=int, default=8, help="builds of each")
    parser.add_argument("--processes", type=int, default=8, help="that each opens its store in")
    parser.add_argument("--rounds", type=int, default=9, help="of gathering in each of these")
    parser.add_argument("--batches", type=int, default=20, help="batches of a round")
    parser.add_argument("--besides", default="nothing", help="what else the machine did meanwhile")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hms-before-") as folder:
        rows = compare(arguments, Path(folder))
    note = (
        f"This code beside commit {arguments.commit}, in turn; {arguments.windows:,} simulated "
        f"windows, batches of {BATCH} with both signals from the page cache into the same arrays. "
        "Medians of builds, and of processes in each of which the median of "
        f"{arguments.rounds} rounds counts; ratios are medians with their middle half, and below 1 "
        "where this code is faster. 'processor' is processor time of all processes of a work. "
        f"Load of the machine besides: {arguments.besides}."
    )
    write_record("before", rows, note, arguments)


if __name__ == "__main__":
    main()
