"""A moment of every kind of the soak; a bug that is planted is found and kept."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from soak.faults import Broken, Work
from soak.readers import Reader
from soak.run import all_kinds, soak
from soak.samples import Samples, make_samples

SEED = int(os.environ.get("HMS_SOAK_SEED", "0"))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("soak"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def test_each_kind_holds_for_a_moment(samples: Samples, kept: Path) -> None:
    kinds = all_kinds(samples)
    found = soak(kinds, 0, kept, seed=SEED, most=3)
    assert found.problems == []
    assert set(found.cases.values()) == {3}


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
