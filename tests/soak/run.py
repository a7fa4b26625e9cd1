"""Kinds and seconds -> counts of each kind, and a folder for each problem.

    python -m soak.run --seconds 1200 --out soak
    python -m soak.run --kind EDF --case 17

The second line reproduces a problem. A problem's folder holds the text of the error and the file.
With --results FOLDER the counts become a record there, as those of the benchmarks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.record import write_record
from soak.faults import Attempt, faults
from soak.forks import Forks
from soak.races import races
from soak.readers import readers
from soak.revoked import revoked
from soak.samples import Samples, make_samples
from soak.struck import tally

HANGS_S = 60
"""Longer than anything here takes."""
TURN_S, TURN_CASES = 0.25, 40
"""A kind's turn: until it took so long and tried so many, so that slow readers try enough ..."""
LONGEST_S, LONGEST_OF_READER_S = 0.7, 3.0
"""... but no longer than that, and less if the time is short: each reader is to try a thousand in
twenty minutes, of the others all together do."""


class Hangs(BaseException):
    """Nothing came of it."""


@dataclass
class Soaked:
    """What was found."""

    cases: dict[str, int] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)


def soak(
    kinds: Mapping[str, Attempt],
    seconds: float,
    out: Path,
    *,
    seed: int = 0,
    clock: Callable[[], float] = time.monotonic,
    first: int = 0,
    most: int | None = None,
    fed: Set[str] = frozenset(),
) -> Soaked:
    """Try the kinds in turn until the time is up, each at least once; or `most` cases of each.

    The kinds that are `fed` are readers.
    """
    found = Soaked(dict.fromkeys(kinds, 0))
    end = clock() + seconds
    while True:
        for name, attempt in kinds.items():
            begun, before = clock(), found.cases[name]
            longest = LONGEST_OF_READER_S if name in fed else LONGEST_S
            while True:
                case = first + found.cases[name]
                _try(name, attempt, case, seed, out, found)
                found.cases[name] += 1
                now, tried = clock(), found.cases[name] - before
                enough = now - begun > TURN_S and tried >= TURN_CASES
                late = enough or now - begun > min(longest, seconds / len(kinds)) or now > end
                if late if most is None else tried >= most:
                    break
        if clock() > end or most is not None:
            return found


def _try(name: str, attempt: Attempt, case: int, seed: int, out: Path, found: Soaked) -> None:
    rng = np.random.default_rng([seed, *name.encode(), case])
    with tempfile.TemporaryDirectory(prefix="hms-soak-") as folder:
        work = Path(folder)
        try:
            with _limited(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                attempt(rng, work)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            text = "".join(traceback.format_exception(error))
            kept = out / f"{name}-{case}".replace("/", "_")
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(work, kept / "files", symlinks=True, ignore_dangling_symlinks=True)
            (kept / "error.txt").write_text(text, errors="backslashreplace")
            last = f"{type(error).__name__}: {error}".splitlines()[0]
            found.problems.append({"kind": name, "case": case, "seed": seed, "error": last})


@contextmanager
def _limited() -> Iterator[None]:
    def late(*_: object) -> None:
        raise Hangs(f"nothing after {HANGS_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, HANGS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def all_kinds(samples: Samples, forks: Forks) -> dict[str, Attempt]:
    """Faults, rights that are lost, races, then readers, by name."""
    return {
        **faults(samples),
        **revoked(samples, forks),
        **races(samples, forks),
        **{one.name: one.attempt for one in readers(samples)},
    }


def rows(found: Soaked, fed: Set[str]) -> list[dict[str, Any]]:
    """A row of the record for each kind."""
    return [
        {
            "kind": name,
            "cases": count,
            "what": "hostile files" if name in fed else "faults",
            "problems": sum(one["kind"] == name for one in found.problems),
        }
        for name, count in found.cases.items()
    ]


def note(found: Soaked, fed: Set[str], given: argparse.Namespace) -> str:
    """What the record says of all kinds together."""
    inputs = [count for name, count in found.cases.items() if name in fed]
    faults = sum(found.cases.values()) - sum(inputs)
    return (
        f"{given.seconds:,.0f} s, seed {given.seed}: {faults:,} faults, among them "
        f"{tally['killed']:,} processes that were killed by SIGKILL; {sum(inputs):,} hostile "
        f"files, of each kind of reader {min(inputs, default=0):,} or more; "
        f"{len(found.problems):,} problems. A problem is anything lost, a hang, an error of "
        "another package, or something read or written outside. Other works used the machine "
        "meanwhile, so another run of as many seconds gives other counts."
    )


def main(words: list[str]) -> int:
    """Run what the command line says; 1 if there is a problem."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("soak"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind")
    parser.add_argument("--case", type=int)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hms-soak-samples-") as folder, Forks() as forks:
        samples = make_samples(Path(folder))
        kinds = all_kinds(samples, forks)
        fed = {one.name for one in readers(samples)}
        if given.kind is not None:
            kinds = {given.kind: kinds[given.kind]}
        one = {} if given.case is None else {"first": given.case, "most": 1}
        found = soak(kinds, given.seconds, given.out, seed=given.seed, fed=fed, **one)
    summary = {
        "seed": given.seed,
        "cases": found.cases,
        "killed": tally["killed"],
        "problems": found.problems,
    }
    (given.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    for name, count in found.cases.items():
        of_kind = sum(one["kind"] == name for one in found.problems)
        print(f"{name:38} {count:8,} cases {of_kind:4} problems")
    print(f"{'processes killed':38} {tally['killed']:8,}")
    if given.results is not None:
        write_record("soak", rows(found, fed), note(found, fed, given), given)
    for one in found.problems[:20]:
        print(f"{one['kind']} --case {one['case']}: {one['error']}")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
