"""`hmstrain study`: its table beside the published numbers, and resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.inside import Inside
from support.runs import SMALL

from hmsstore import Store

PROGRAM = Inside("hmstrain")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


def test_a_study_prints_its_table_beside_the_published_numbers_and_resumes(
    store: Store, tmp_path: Path
) -> None:
    words = [f"--set={k}={v}" for k, v in SMALL.items() if k not in ("model", "image_size")]
    arguments = ["study", store.path, "--out", tmp_path / "study", "--image-size", "32", *words]
    chosen = ["--system", "naive_cnn-spec", "--system", "naive_cnn-spec+eeg-contrastive"]
    done = succeed(*arguments, *chosen, "--steps", "3")
    text = done.stdout
    assert text.startswith("# Study: from scratch, 3 steps, 32 px, test split by patient")
    rows = [line for line in text.splitlines() if line.startswith("| naive_cnn")]
    assert len(rows) == 2
    assert "0.966" in rows[0]
    assert rows[1].endswith("- | - | - |")
    assert "naive_cnn-spec+eeg-contrastive: naive_cnn" in done.stderr
    assert {p.name for p in (tmp_path / "study").iterdir()} == {
        "naive_cnn-spec",
        "naive_cnn-spec+eeg-contrastive",
        "compared",
        "study.csv",
        "study.json",
        "study.md",
        "study.html",
        "study.png",
    }
    whole = json.loads((tmp_path / "study" / "compared" / "compare.json").read_text())
    found = json.loads((tmp_path / "study" / "study.json").read_text())["rows"]
    assert found[0]["less_first"] is None
    assert found[1]["less_first"] == whole["differences"][found[1]["name"]]["kl_votes"]
    less = found[1]["kl_votes"] - found[0]["kl_votes"]
    assert found[1]["less_first"]["difference"] == pytest.approx(less)
    first = tmp_path / "study" / "naive_cnn-spec" / "metrics.json"
    assert json.loads(first.read_text())["test_per_epoch"]
    before = first.stat().st_mtime_ns
    assert succeed(*arguments, *chosen, "--steps", "3").stdout == text
    assert first.stat().st_mtime_ns == before


def test_a_system_that_does_not_exist_is_named(store: Store, tmp_path: Path) -> None:
    arguments = ["study", store.path, "--out", tmp_path / "study", "--system", "cnn"]
    assert "no system 'cnn'" in fail(*arguments)
    assert not (tmp_path / "study").exists()
