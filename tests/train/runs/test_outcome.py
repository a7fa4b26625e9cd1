"""What a finished run came to is read as it was written, by later versions too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from support.runs import train_small, unsealed

from hmsstore import Store
from hmstrain.errors import RunError
from hmstrain.runs.folder import OUTCOME, RunFolder
from hmstrain.runs.outcome import Outcome, interval_text, score_text

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def one(store: Store, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of one network on two inputs, so that it has everything such a run can have."""
    path = tmp_path_factory.mktemp("outcome") / "one"
    train_small(store, path, inputs="spec+eeg", contrastive=True, steps=2)
    return RunFolder(path)


def test_what_is_read_is_written_again_to_the_letter(one: RunFolder, store: Store) -> None:
    whole = one.path.parent / "all"
    train_small(store, whole, fold="all", steps=1)
    for path in (one.path, whole, whole / "fold0"):
        written = json.dumps(unsealed(path / OUTCOME))
        assert json.dumps(RunFolder(path).outcome().to_json()) == written
    assert one.outcome().alignment is not None
    assert RunFolder(whole / "fold0").outcome().valid is not None


def test_the_outcome_of_a_run_before_versions_were_written_is_read_whole() -> None:
    with ZipFile(GOLDEN / "run-finished.zip") as file:
        name = next(name for name in file.namelist() if name.endswith(OUTCOME))
        before = json.loads(file.read(name))
    assert "outcome_version" not in before
    after = json.loads(json.dumps(Outcome.from_json(before).to_json()))
    for part in (after["test"], after["test_last"]):
        assert (part.pop("tied"), part.pop("entropy")) == (0, {})  # were not counted then
    assert before == {key: after[key] for key in before}


def test_a_score_that_a_run_does_not_have_is_none(one: RunFolder) -> None:
    found = json.loads((one.path / OUTCOME).read_text())
    del found["test"]["calibration_error"]
    test = Outcome.from_json(found).test
    assert test is not None
    assert test.get("calibration_error") is None
    assert test["kl"] == found["test"]["kl"]
    with pytest.raises(KeyError):
        test["calibration_error"]


DAMAGE: dict[str, tuple[Callable[[Any], object], str]] = {
    "no store": (lambda found: found.pop("store"), "store: expected a value, got none"),
    "text": (lambda found: found["test"].update(kl="low"), "test: kl: expected a number, got a t"),
    "a list": (lambda found: found.update(test=[]), "test: .*expected an object, got a list"),
    "one end": (
        lambda found: found["test"]["intervals"].update(kl=[0.5]),
        "test: intervals: kl: expected two ends of an interval, got 1",
    ),
    "leaks": (lambda found: found.update(leaks=0), "leaks: expected true or false, got 0"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_said_by_file_key_and_what_was_expected(
    one: RunFolder, tmp_path: Path, name: str
) -> None:
    found = unsealed(one.path / OUTCOME)
    harm, message = DAMAGE[name]
    harm(found)
    (tmp_path / OUTCOME).write_text(json.dumps(found))
    with pytest.raises(RunError, match=rf"metrics\.json is damaged, or not of a run: {message}"):
        RunFolder(tmp_path).outcome()


def test_a_missing_or_unreadable_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no metrics\.json: it is not a run, or not finished"):
        RunFolder(tmp_path).outcome()
    (tmp_path / OUTCOME).write_text("{")
    with pytest.raises(RunError, match=r"metrics\.json cannot be read"):
        RunFolder(tmp_path).outcome()


def test_scores_and_intervals_are_written_with_three_decimals_or_a_dash() -> None:
    assert (score_text(0.12345), score_text(None)) == ("0.123", "-")
    assert (interval_text((0.1, 0.2)), interval_text(None)) == ("[0.100, 0.200]", "")
