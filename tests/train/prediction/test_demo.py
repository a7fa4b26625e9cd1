"""The demonstration model: by name alone, probabilities alone, and what it must not be used for."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from support.inside import Inside
from support.recorder import noise, write_edf

from hmstrain.errors import ConfigError, RunError
from hmstrain.prediction.demo import demo_run, named_runs
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.notice import FILE, read_notice

PROGRAM = Inside("hmstrain")
NOTICE = "Trained on simulated EEG, not for patients; false alarms on real EEG not measured."


def test_it_gives_probabilities_alone_and_says_what_it_is(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", noise(60))
    out = tmp_path / "out"
    out.mkdir()
    (out / "predictions.json").write_text("{}")
    for left in ("a.episodes.csv", "a.annotations.edf", "a_events.tsv"):
        (out / left).write_text("of an earlier prediction")
    done = PROGRAM.succeed("predict", "--model", "demo", path, "--out", out)
    assert sorted(one.name for one in out.iterdir()) == [
        "a.csv", "a.html", "a.json", "a.png", "predictions.csv", "predictions.json",
    ]  # fmt: skip
    assert f"warning: {NOTICE}" in done.stderr
    assert "Probabilities only: this run gives no episodes." in done.stdout
    page = (out / "a.html").read_text()
    assert NOTICE in page
    assert "Episodes" not in page
    summary = json.loads((out / "predictions.json").read_text())
    assert summary["notice"].startswith(NOTICE)
    assert [one["path"] for one in summary["runs"]] == ["demo"]
    assert str(demo_run()) not in page
    (recording,) = summary["recordings"]
    assert recording["notice"] == NOTICE
    assert not {"episodes", "share_of_windows_over_threshold"} & recording.keys()
    assert "episode_rule" not in summary
    said = PROGRAM.fail("predict", "--model", "demo", path, "--out", out, "--threshold", 0.3)
    assert "--threshold is for episodes, and demo gives probabilities alone" in said
    with (out / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == recording["windows"]["all"] > 0


def test_without_a_run_it_is_offered_by_name() -> None:
    said = PROGRAM.fail("predict", "night.edf")
    assert "Name a run before the input, such as runs/first, or try --model demo" in said
    with pytest.raises(ConfigError, match="--model demo answers by itself: leave out runs/a"):
        named_runs([Path("runs/a")], ["demo"])
    assert named_runs([Path("runs/a")], ["mine:net"]) == ([Path("runs/a")], ["mine:net"])


@pytest.mark.parametrize("words", [[demo_run()], [], ["--model", "demo"]])
def test_several_recordings_are_one_input_too_many(words: list[object], tmp_path: Path) -> None:
    first, second = (write_edf(tmp_path / name, noise(60)) for name in ("a.edf", "b.edf"))
    said = " ".join(PROGRAM.fail("predict", *words, first, second).split())
    assert f"{first} is a file, not a run: predict takes one input, the last." in said
    assert "name a folder of them" in said


def test_the_packaged_run_is_small_whole_and_names_no_machine() -> None:
    run = RunFolder(demo_run())
    assert run.store().path == "hms.zarr"
    assert read_notice(run.path) == NOTICE
    weights = [one.best / "model.safetensors" for one in run.networks()]
    assert len(weights) == 5
    assert sum(path.stat().st_size for path in weights) < 5_000_000
    assert "must not" in (run.path / "CARD.md").read_text()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 401])
def test_a_notice_that_cannot_be_read_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RunError, match=r"notice\.txt: expected a sentence"):
        read_notice(tmp_path)


def test_a_copy_of_the_run_keeps_its_notice(tmp_path: Path) -> None:
    shutil.copytree(demo_run(), tmp_path / "mine")
    assert read_notice(tmp_path / "mine") == NOTICE
