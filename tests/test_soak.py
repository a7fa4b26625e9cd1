"""A moment of every kind of the soak; a bug that is planted is found and kept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from soak.faults import Work
from soak.forks import Forks
from soak.holds import Broken
from soak.races import features_race
from soak.readers import Reader, readers
from soak.revoked import Looked
from soak.run import all_kinds, soak
from soak.samples import Samples, make_samples

from hmsstore import Store, StoreError

SEED = int(os.environ.get("HMS_SOAK_SEED", "0"))
SLOW = ("build", "publish", "reader", "training")
"""Begins of the names of kinds that force much to the disk, or wait for each other."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("soak"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as made:
        yield made


def test_each_kind_holds_for_a_moment(samples: Samples, forks: Forks, kept: Path) -> None:
    kinds = all_kinds(samples, forks)
    slow = {name: kinds.pop(name) for name in list(kinds) if name.startswith(SLOW)}
    for some, most in ((kinds, 3), (slow, 1)):
        found = soak(some, 0, kept, seed=SEED, most=most)
        assert found.problems == []
        assert set(found.cases.values()) == {most}


def test_a_reader_that_lets_a_foreign_error_through_is_found(tmp_path: Path, kept: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, 2, 3], "b": {"c": "d"}}')

    def careless(path: Path) -> None:
        json.loads(path.read_bytes())["b"]["c"].upper()

    kinds = {"planted": Reader("planted", tmp_path / "a.json", careless, as_json=True).attempt}
    found = soak(kinds, 0, kept, most=40)
    assert found.problems
    first = found.problems[0]
    folder = kept / f"planted-{first['case']}"
    assert (folder / "files" / "a.json").is_file()
    assert first["error"].partition(":")[0] in (folder / "error.txt").read_text()
    again = soak(kinds, 0, tmp_path / "again", most=1, first=first["case"])
    assert [one["error"] for one in again.problems] == [first["error"]]


def test_each_reader_takes_the_file_as_it_is(samples: Samples) -> None:
    """Else it would refuse whatever is made of it for one and the same reason."""
    for reader in readers(samples):
        reader.read(reader.within or reader.sample)


def test_a_reader_that_hides_what_it_could_not_read_is_found(samples: Samples, kept: Path) -> None:
    def careless(path: Path) -> int:
        with suppress(StoreError):
            return len(Store.open(path))
        return 0

    looked = Looked(samples.small.stores["mean"], careless)
    found = soak({"planted": looked.attempt}, 0, kept, most=4)
    assert {one["error"] for one in found.problems} == {"Broken: something else was read"}


def test_a_table_that_others_see_half_replaced_is_found(
    samples: Samples, forks: Forks, kept: Path
) -> None:
    planted = features_race(samples.small, forks, "replace_in_part")
    found = soak({"planted": planted}, 0, kept, most=4)
    assert "Broken: a process ended so: refused" in {one["error"] for one in found.problems}


@pytest.mark.parametrize("kill", [False, True])
def test_a_writer_that_loses_what_was_there_is_found(kept: Path, kill: bool) -> None:
    """It empties the file before it writes the new content."""

    def careless(at: Path) -> None:
        with (at / "file").open("w") as file:
            file.flush()
            os.write(file.fileno(), b"new")

    def check(at: Path) -> None:
        if (at / "file").read_text() not in ("old", "new"):
            raise Broken("neither old nor new")

    work = Work(lambda at: (at / "file").write_text("old") and None, careless, check)

    def attempt(rng: np.random.Generator, at: Path) -> Path:
        return work.attempt(rng, at, kill=kill)

    found = soak({"planted": attempt}, 0, kept, most=12)
    assert any("neither old nor new" in one["error"] for one in found.problems)
    assert len(found.problems) < 12  # one that is struck before it begins loses nothing


def test_each_promise_of_security_names_tests_that_are_there() -> None:
    root = Path(__file__).parents[1]
    text = (root / "SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)`", text)
    assert len(named) > 15
    assert [name for name in named if not (root / name).is_file()] == []
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert all("`tests/" in row for row in rows)
