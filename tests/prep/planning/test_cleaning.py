"""A file that says how signals are cleaned does what the single options do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.helpers import Program

import hmsprep
from hmsprep.errors import ParameterError
from hmsprep.planning.cleaning import CLEANING, read_cleaning
from hmsprep.planning.parameters import Parameters

PREP = Program("hmsprep")


def test_a_file_gives_the_plan_that_the_options_give(data: Path, tmp_path: Path) -> None:
    options = {"nan": "mean", "eeg_clip": 500.0, "spectrogram_clip": None, "bandpass": (0.5, 40.0)}
    file = tmp_path / "cleaning.json"
    file.write_text(json.dumps({**options, "ekg_clip": 32_000}))
    by_options = PREP.succeed(
        "plan", data, "--nan", "mean", "--eeg-clip", 500, "--spectrogram-clip", "none",
        "--bandpass", 0.5, 40, "--json",
    )  # fmt: skip
    by_file = PREP.succeed("plan", data, "--cleaning", file, "--json")
    assert json.loads(by_file.stdout) == json.loads(by_options.stdout)
    found = hmsprep.plan(data, cleaning=file).parameters
    assert found["bandpass"] == [0.5, 40.0]


def test_what_a_store_was_cleaned_by_can_be_written_and_read(tmp_path: Path) -> None:
    default = Parameters().to_json()
    file = tmp_path / "cleaning.json"
    file.write_text(json.dumps({name: default[name] for name in CLEANING}))
    assert Parameters(**read_cleaning(file)) == Parameters()


def test_a_key_that_is_left_out_has_its_default(tmp_path: Path) -> None:
    file = tmp_path / "cleaning.json"
    file.write_text("{}")
    assert Parameters(**read_cleaning(file)) == Parameters()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is not JSON"),
        ("3", "expected an object with nan, eeg_clip"),
        ('{"notch": 50}', "got the key 'notch'"),
        ('{"nan": 0}', "expected a word as nan, got 0"),
        ('{"nan": "guess"}', "--nan: expected one of"),
        ('{"eeg_clip": "wide"}', "expected a number as eeg_clip, got 'wide'"),
        ('{"eeg_clip": true}', "expected a number as eeg_clip, got True"),
        ('{"bandpass": [1]}', r"expected two numbers as bandpass, got \[1\]"),
        ('{"bandpass": [50, 1]}', "--bandpass: expected none"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    content: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "cleaning.json"
    file.write_text(content)
    with pytest.raises(ParameterError, match=said):
        Parameters(**read_cleaning(file))


def test_a_missing_file_and_two_answers_are_refused(data: Path, tmp_path: Path) -> None:
    assert "none.json cannot be read" in PREP.fail("plan", data, "--cleaning", "none.json")
    with pytest.raises(ParameterError, match="--nan says how to clean, and so does --cleaning"):
        hmsprep.plan(data, nan="mean", cleaning={"nan": "zero"})
    with pytest.raises(ParameterError, match=r"expected an object with nan, .*, got 5"):
        hmsprep.plan(data, cleaning=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["eeg_clip", "bandpass"])
def test_a_number_that_no_float_holds_is_refused(key: str, tmp_path: Path) -> None:
    path = tmp_path / "cleaning.json"
    value = [1, 10**400] if key == "bandpass" else 10**400
    path.write_text(json.dumps({key: value}))
    with pytest.raises(ParameterError, match=f"number.* as {key}"):
        read_cleaning(path)
