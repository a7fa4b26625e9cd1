"""Computing and comparing spectrograms from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.helpers import Program, write_pair

from hmsprep.kaggle.write import write_eeg

PROGRAM = Program("hmsprep")


@pytest.fixture
def eeg(tmp_path: Path) -> Path:
    """A minute of noise."""
    path = tmp_path / "eeg.parquet"
    write_eeg(path, np.random.default_rng(0).normal(0, 30, (20, 12_000)).astype(np.float32))
    return path


def test_a_file_is_written_or_compared(eeg: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    told = PROGRAM.succeed("spectrogram", eeg, out).stderr
    assert "305 rows of 2 s" in told
    assert "its first row is 138" in told
    assert "mirrored" in PROGRAM.succeed("spectrogram", eeg, out, "--edges", "--force").stderr
    folder = write_pair(tmp_path / "data", [{}])
    done = PROGRAM.succeed(
        "spectrogram", "--check", folder, "--json", "--figure", tmp_path / "a.png"
    )
    found = json.loads(done.stdout)
    assert set(found["regions"]) == {"LL", "RL", "LP", "RP", "all"}
    assert len(found["features"]) == 400
    assert [found["features"][n]["region"] for n in (0, 100, 399)] == ["LL", "RL", "RP"]
    assert (
        sum(one["values"] for one in found["bands"].values()) == found["regions"]["all"]["values"]
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "correlation" in PROGRAM.succeed("spectrogram", "--check", folder).stdout
    assert PROGRAM.run("spectrogram", eeg).returncode == 2
    assert "has neither" in PROGRAM.fail("spectrogram", "--check", tmp_path)


def test_options_of_the_other_way_are_refused(eeg: Path, tmp_path: Path) -> None:
    figure = ("--figure", tmp_path / "a.png")
    for words in (figure, ("--count", 3), ("--part", "test")):
        assert PROGRAM.run("spectrogram", eeg, tmp_path / "out.parquet", *words).returncode == 2
    assert PROGRAM.run("spectrogram", "--check", tmp_path, "--force").returncode == 2
    assert {path.name for path in tmp_path.iterdir()} == {"eeg.parquet"}
