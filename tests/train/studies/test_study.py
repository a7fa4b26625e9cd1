"""A study's table: its columns, what it says of them, and the names of systems."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from hmstrain.config import Config
from hmstrain.errors import RESEARCH_ONLY, ConfigError
from hmstrain.reporting.systems import SYSTEMS, System, choose
from hmstrain.runs.outcome import Outcome
from hmstrain.studies.study_table import Row, Study, columns

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """That of the finished run of the golden files."""
    with ZipFile(GOLDEN / "run-finished.zip") as file:
        name = next(name for name in file.namelist() if name.endswith("metrics.json"))
        return Outcome.from_json(json.loads(file.read(name)))


def test_the_table_has_scores_less_constant_and_what_the_report_published(outcome: Outcome) -> None:
    assert columns() == [
        *("model", "inputs", "kl_votes", "95% interval", "less constant", "less first"),
        *("kl_hi", "accuracy", "f1_macro", "report KL", "report accuracy", "report F1"),
    ]
    assert outcome.test is not None
    assert outcome.constant is not None
    cells = dict(zip(columns(), Row(SYSTEMS[4], outcome).cells(), strict=True))
    assert (cells["model"], cells["inputs"]) == ("naive_cnn", "spec+eeg")
    assert cells["kl_votes"] == f"{outcome.test['kl_votes']:.3f}"
    low, high = outcome.test.intervals["kl_votes"] or (0, 0)
    assert cells["95% interval"] == f"[{low:.3f}, {high:.3f}]"
    assert cells["less constant"].startswith(f"{outcome.constant.difference['kl_votes']:.3f} [")
    published = [cells[name] for name in ("report KL", "report accuracy", "report F1")]
    assert published == ["0.805", "0.601", "0.621"]


def test_a_store_without_a_test_split_leaves_scores_out(outcome: Outcome) -> None:
    untested = replace(outcome, test=None, constant=None)
    cells = Row(System("own.module:net", "eeg", True), untested).cells()
    assert cells == ["own.module:net", "eeg contrastive", "-", "", "-", "", *["-"] * 6]


def test_each_file_of_a_study_holds_the_same_rows(outcome: Outcome, tmp_path: Path) -> None:
    rows = tuple(Row(system, outcome) for system in (SYSTEMS[0], SYSTEMS[8]))
    warning = "Only 2 patients in the test split."
    study = Study("from scratch", Config(), "abc", rows, (warning,))
    study.write(tmp_path)
    with (tmp_path / "study.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [columns(), *(row.cells() for row in rows)]
    lines = (tmp_path / "study.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| naive_cnn")] == [
        "| " + " | ".join(row.cells()) + " |" for row in rows
    ]
    found = json.loads((tmp_path / "study.json").read_text())
    assert [row["name"] for row in found["rows"]] == [row.system.name for row in rows]
    assert outcome.constant is not None
    assert found["constant_kl_votes"] == outcome.constant["kl_votes"]
    html = (tmp_path / "study.html").read_text()
    assert all(f">{cell}</td>" in html for row in rows for cell in row.cells())
    assert (tmp_path / "study.png").stat().st_size > 1000
    assert all(text in html and text in "\n".join(lines) for text in (warning, RESEARCH_ONLY))
    assert found["warnings"] == [warning]


def test_systems_are_named_by_model_inputs_and_contrastive() -> None:
    assert choose(None) == list(SYSTEMS)
    (own,) = choose(["own.module:net-spec+eeg-contrastive"] * 2)
    assert (own.model, own.inputs, own.contrastive) == ("own.module:net", "spec+eeg", True)
    assert own.published == {}
    assert choose(["naive_cnn-spec"])[0].published["kl_votes"] == 0.966
    assert choose("naive_cnn-spec") == choose(["naive_cnn-spec"])
    with pytest.raises(ConfigError, match="no system 'cnn'"):
        choose(["cnn"])
