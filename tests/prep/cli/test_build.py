"""Building and planning from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.helpers import Program, train_row, write_pair

from hmsstore import Store

PROGRAM = Program("hmsprep")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two windows."""
    folder = tmp_path_factory.mktemp("cli")
    return write_pair(folder / "data", [{}, {"eeg_label_offset_seconds": 4.0, "label_id": 5}])


def test_build_prints_one_json_value(pair: Path, tmp_path: Path) -> None:
    done = succeed("build", pair, tmp_path / "hms.zarr", "--json", "--workers", 1)
    found = json.loads(done.stdout)
    assert found["windows"] == 2
    assert found["identity"] == Store.open(tmp_path / "hms.zarr").identity


def test_a_build_says_what_its_plan_warns_of(pair: Path, tmp_path: Path) -> None:
    warnings = json.loads(succeed("plan", pair, "--json").stdout)["warnings"]
    assert warnings
    built = succeed("build", pair, tmp_path / "hms.zarr", "--workers", 1)
    said = " ".join(built.stderr.split())
    assert [one for one in warnings if one not in said] == []


def test_bare_commands_use_the_environment_or_the_working_folder(
    pair: Path, tmp_path: Path
) -> None:
    store = tmp_path / "there.zarr"
    succeed("build", HMS_DATA=str(pair), HMS_STORE=str(store))
    assert store.is_dir()
    assert "is whole" in succeed("verify", HMS_STORE=str(store)).stdout
    message = fail("verify")
    assert "hms.zarr, found nothing" in message


@pytest.mark.parametrize("extra", [(), ("--half",), ("--windows", "eeg")])
def test_plan_counts_without_reading_recordings(
    tmp_path: Path, extra: tuple[str, ...], pair: Path
) -> None:
    rows = [
        train_row(eeg_id=n // 4, spectrogram_id=n // 4, patient_id=n // 8)
        | {"eeg_label_offset_seconds": 2.0 * (n % 4), "label_id": n}
        for n in range(160)
    ]
    path = tmp_path / "train.csv"
    pl.DataFrame(rows).write_csv(path)
    found = json.loads(succeed("plan", path, "--json", *extra).stdout)
    keys = {"windows", "eegs", "spectrograms", "patients", "bytes", "train", "test", "folds"}
    assert keys <= set(found)
    expected = {(): (160, 40), ("--half",): (80, 20), ("--windows", "eeg"): (40, 40)}[extra]
    assert (found["windows"], found["eegs"]) == expected
    assert sum(found["folds"]) == found["train"]
    assert found["train"] + found["test"] == found["windows"]
    assert "size" in succeed("plan", path, *extra).stdout
    assert json.loads(succeed("plan", pair, "--json").stdout)["windows"] == 2


def test_split_by_window_on_106800_rows_gives_the_reports_numbers(tmp_path: Path) -> None:
    count = 106_800
    rows = pl.DataFrame({"n": range(count)}).select(
        eeg_id=pl.col("n") // 6,
        eeg_sub_id=pl.col("n") % 6,
        eeg_label_offset_seconds=2.0 * (pl.col("n") % 6),
        spectrogram_id=pl.col("n") // 12,
        spectrogram_sub_id=pl.col("n") % 12,
        spectrogram_label_offset_seconds=2.0 * (pl.col("n") % 12),
        label_id=pl.col("n"),
        patient_id=pl.col("n") // 60,
        expert_consensus=pl.lit("GPD"),
        **{name: pl.lit(int(name == "gpd_vote")) for name in train_row() if name.endswith("_vote")},
    )
    path = tmp_path / "train.csv"
    rows.write_csv(path)
    done = succeed("plan", path, "--half", "--split-by", "window", "--json")
    found = json.loads(done.stdout)
    assert (found["windows"], found["train"], found["test"]) == (53_400, 48_060, 5_340)
    assert found["leaks"]
    assert "same patients are in train and test" in " ".join(found["warnings"])
    table = succeed("plan", path, "--half", "--split-by", "window")
    assert "same patients are in train and test" in table.stderr


def test_a_dry_run_prints_the_plan_and_writes_nothing(pair: Path, tmp_path: Path) -> None:
    done = succeed("build", pair, tmp_path / "hms.zarr", "--dry-run", "--json")
    assert json.loads(done.stdout)["windows"] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_share_that_is_none_and_what_only_the_seal_may_do_are_refused(
    pair: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hms.zarr"
    assert "expected N/OF, with N from 1 to OF" in fail("build", pair, path, "--share", "0/2")
    assert "expected N/OF" in fail("build", pair, path, "--share", "9/2", "--dry-run")
    assert "hmsprep seal" in fail("build", pair, path, "--share", "1/2", "--force", code=2)
    assert "nothing to seal" in fail("seal", path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--spectrogram-clip", "none"), {"spectrogram_clip": None}),
        (("--spectrogram-clip", "0.01", "e^9"), {"spectrogram_clip": [0.01, 8103.083927575384]}),
        (("--eeg-clip", "none"), {"eeg_clip": None, "ekg_clip": None}),
        (("--eeg-clip", "500"), {"eeg_clip": 500, "ekg_clip": 32000}),
        (("--bandpass", "0.5", "40"), {"bandpass": [0.5, 40]}),
        (("--bandpass", "none"), {"bandpass": None}),
        (("--nan", "drop"), {"nan": "drop"}),
        (("--normalise", "none"), {"normalise": "none"}),
    ],
)
def test_cleaning_options_are_spelled_as_one_would_guess(
    pair: Path, options: tuple[str, ...], found: dict[str, Any]
) -> None:
    plan = json.loads(succeed("build", pair, "--dry-run", "--json", *options).stdout)
    assert {key: plan["parameters"][key] for key in found} == found
