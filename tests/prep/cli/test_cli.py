"""The command line as a user meets it: help, exit codes, messages, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.helpers import Program, train_row, write_pair

from hmsstore import Store

COMMANDS = ("build", "plan", "verify", "info", "inspect", "montage", "show", "synth")


PROGRAM = Program("hmsprep")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    return write_pair(folder / "data", [{}, {"eeg_label_offset_seconds": 4.0, "label_id": 5}])


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    script = """
import sys
from hmsprep.cli import app
try:
    app(["build", "--help"])
except SystemExit:
    pass
heavy = {"numpy", "polars", "scipy", "sklearn", "zarr", "pyarrow", "matplotlib"} & set(sys.modules)
print(sorted(heavy), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    text = succeed("--help").stdout
    assert all(command in text for command in COMMANDS)
    for command in COMMANDS:
        assert "Usage" in succeed(command, "--help").stdout


def test_build_verify_info_and_show_work_on_the_same_store(pair: Path, tmp_path: Path) -> None:
    store = tmp_path / "hms.zarr"
    built = succeed("build", pair, store, "--workers", 2)
    assert "windows" in built.stdout
    assert "Only 1 patient" in built.stderr
    assert "\x1b" not in built.stdout + built.stderr
    assert "is whole: " in succeed("verify", store).stdout
    described = json.loads(succeed("info", store, "--json").stdout)
    assert described["counts"]["windows"] == 2
    assert "identity" in succeed("info", store).stdout
    succeed("show", store, "--row", 1, "--out", tmp_path / "w.png")
    assert (tmp_path / "w.png").read_bytes()[:4] == b"\x89PNG"
    again = succeed("build", pair, store)
    assert "is built already" in again.stderr


def test_people_can_see_data_channels_and_windows(data: Path, store: Store, tmp_path: Path) -> None:
    page = tmp_path / "data.html"
    told = succeed("inspect", data, "--html", page, "--workers", 1)
    assert "EEG channels" in told.stdout
    assert "\x1b" not in told.stdout + told.stderr
    assert page.read_text().startswith("<!doctype html>")
    facts = json.loads(succeed("inspect", data, "--json", "--workers", 1).stdout)
    assert facts["windows"] == 90
    assert "there is no folder" in fail("inspect", data, "--html", tmp_path / "no" / "x.html")
    picture = tmp_path / "montage.png"
    rows = json.loads(succeed("montage", "--json", "--out", picture).stdout)
    assert [row["channel"] for row in rows][-1] == "EKG"
    assert "double banana" in succeed("montage", "--out", picture).stdout
    assert picture.exists()
    for words in ((), ("--count", 2), ("--row", 1, "--montage", "average", "--seconds", 10)):
        succeed("show", store.path, *words, "--out", tmp_path / "w.png")
    succeed("show", store.path, "--row", 1, "--row", 2, "--out", tmp_path / "w.pdf")
    assert (tmp_path / "w.pdf").read_bytes().startswith(b"%PDF")
    assert "99 seconds cannot be shown" in fail("show", store.path, "--seconds", 99)
    assert "holds no EEG 1" in fail("show", store.path, "--eeg", 1)
    assert "has no row 90" in fail("show", store.path, "--row", 90)
    assert "w.xyz cannot be written" in fail("show", store.path, "--out", tmp_path / "w.xyz")


def test_build_prints_one_json_value(pair: Path, tmp_path: Path) -> None:
    done = succeed("build", pair, tmp_path / "hms.zarr", "--json", "--workers", 1)
    found = json.loads(done.stdout)
    assert found["windows"] == 2
    assert found["identity"] == Store.open(tmp_path / "hms.zarr").identity


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


def test_the_split_by_window_is_declared_wherever_the_store_is_named(
    data: Path, tmp_path: Path
) -> None:
    store = tmp_path / "leaking.zarr"
    built = succeed("build", data, store, "--split-by", "window")
    for done in (built, succeed("info", store), succeed("verify", store)):
        assert "same patients are in train and test" in done.stderr
    assert Store.open(store).leaks


def test_a_dry_run_prints_the_plan_and_writes_nothing(pair: Path, tmp_path: Path) -> None:
    done = succeed("build", pair, tmp_path / "hms.zarr", "--dry-run", "--json")
    assert json.loads(done.stdout)["windows"] == 2
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--nan", "some"),
        ("build", "--spectrogram-clip", "a", "b"),
        ("build", "--workers", "0"),
        ("plan", "--what"),
        ("show", "--class", "heart"),
        ("show", "--montage", "circular"),
        ("nothing",),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert "Usage" in fail(*arguments, code=2)


def test_a_users_error_is_one_message_and_exits_with_1(pair: Path, tmp_path: Path) -> None:
    assert fail("build", tmp_path / "none", tmp_path / "x").startswith("hmsprep: Expected the comp")
    assert "found nothing" in fail("info", tmp_path / "none")
    assert "--bandpass must be" in fail("build", pair, tmp_path / "x", "--bandpass", "9", "2")
    (tmp_path / "file").write_text("x")
    assert "is a file" in fail("build", pair, tmp_path / "file")
    assert "There is no folder" in fail("build", pair, tmp_path / "no" / "x.zarr")
    assert "exists already" in fail("synth", pair)


def test_verify_of_a_damaged_store_lists_the_problems_and_exits_with_1(
    pair: Path, tmp_path: Path
) -> None:
    store = tmp_path / "hms.zarr"
    succeed("build", pair, store)
    (store / "windows" / "fold" / "c" / "0").write_bytes(b"\x00\x00")
    done = PROGRAM.run("verify", store)
    assert done.returncode == 1
    assert "windows/fold/c/0 has checksum" in done.stdout
    found = json.loads(PROGRAM.run("verify", store, "--json").stdout)
    assert found["ok"] is False
    assert len(found["problems"]) == 1


def test_without_the_prep_packages_one_sentence_says_what_to_install() -> None:
    script = """
import sys
sys.modules["polars"] = None
sys.argv = ["hmsprep", "plan", "x.csv"]
from hmsprep.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("hmsprep: polars is not installed. Install what building takes")


def test_stores_are_described_without_the_packages_that_building_takes(
    pair: Path, tmp_path: Path
) -> None:
    store = tmp_path / "hms.zarr"
    succeed("build", pair, store)
    script = """
import sys
for name in ("polars", "pyarrow", "scipy", "sklearn", "zarr"):
    sys.modules[name] = None
sys.argv = ["hmsprep", *sys.argv[1:]]
from hmsprep.cli import main
main()
"""
    for command in ("info", "verify"):
        done = subprocess.run(
            [sys.executable, "-c", script, command, store],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
