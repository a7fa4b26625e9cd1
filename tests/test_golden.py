"""Today's code does what the code of commit 8d15354 did: see golden/README.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden.observe import log_lines, program_options, store_facts, unpack
from packaging.version import Version
from support.helpers import Program

import hmsprep.cli
import hmstrain.cli
from hmsstore import SIGNALS, Store

GOLDEN = Path(__file__).with_name("golden")
APPS = {"hmsprep": hmsprep.cli.app, "hmstrain": hmstrain.cli.app}
PREP = Program("hmsprep")
STORES = ("store-v1", "store-v1-test")
ROUNDING = 1e-5
"""Relative, and of figures below 0.1 a tenth of it absolute.

On one processor with one thread all figures are equal. With two threads, and with PyTorch, oneDNN
and MKL held to SSE4 and to AVX2 on a processor that has AVX-512, no figure of any step differed by
more than 1.4e-6 and no loss by more than 5e-7, without growing over the steps. Another draw, order
or formula changes far more.
"""


def train(*arguments: object) -> str:
    """Run hmstrain on one thread, as it was then: tests share the processors."""
    return Program("hmstrain").succeed(*arguments, OMP_NUM_THREADS="1").stdout


def skip_of_older_torch() -> None:
    """Skip where PyTorch rounds otherwise than the one that the runs of today were made with."""
    if Version(torch.__version__) < Version("2.13"):
        pytest.skip(f"PyTorch {torch.__version__} rounds otherwise than the one of these runs")


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


def differences(then: Any, now: Any, rounding: float, where: str = "") -> Iterator[str]:
    """Where a value is not as it was; what was added to an object is none."""
    if isinstance(then, dict) and isinstance(now, Mapping):
        for key, value in then.items():
            if key in REDEFINED:
                continue
            if key in now:
                yield from differences(value, now[key], rounding, f"{where}/{key}")
            else:
                yield f"{where}/{key} is gone"
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differences(one, other, rounding, f"{where}/{number}")
    elif isinstance(then, float) and isinstance(now, float):
        if not math.isclose(then, now, rel_tol=rounding, abs_tol=rounding / 10):
            yield f"{where} was {then}, is {now}"
    elif then != now or type(then) is not type(now):
        yield f"{where} was {then}, is {now}"


REDEFINED = {"accuracy", "balanced_accuracy", "f1_macro", "report_accuracy"}
"""Scores in which ties among the votes count otherwise today: any of the tied classes is right."""


def check(then: Any, now: Any, rounding: float = 0.0) -> None:
    found = list(differences(then, json.loads(json.dumps(now)), rounding))
    assert not found, "\n".join(found[:20])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the golden store in it, where the golden runs expect it."""
    unpack(GOLDEN / "store-v1.zip", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", STORES)
def test_a_store_of_format_version_1_gives_the_very_windows_and_columns(
    name: str, tmp_path: Path
) -> None:
    unpack(GOLDEN / f"{name}.zip", tmp_path)
    store = Store.open(tmp_path / f"{name}.zarr")
    then, now = golden(f"{name}.json"), store_facts(store)
    check(then.pop("physical"), now.pop("physical"), 1e-6)
    check(then, now)


def test_the_golden_stores_hold_what_is_hard_to_read(tmp_path: Path) -> None:
    for name in STORES:
        unpack(GOLDEN / f"{name}.zip", tmp_path)
    store = Store.open(tmp_path / "store-v1.zarr")
    windows = store.windows
    assert store.info["format_version"] == 1
    assert store.info["parameters"]["nan"] == "interpolate"
    for signal in SIGNALS:
        gaps = windows[f"{signal}_nan_fraction"]
        assert 0 < (gaps > 0).sum() < len(store)
        assert len(store.shards(signal)) > 1
    assert (windows["spectrogram_offset_s"] % 2 == 1).any()
    assert len(store.recordings["eeg"]["id"]) > len(np.unique(windows["eeg_id"]))  # one is cut
    assert store.folds == 5
    assert len(store.select("test"))
    unlabelled = Store.open(tmp_path / "store-v1-test.zarr")
    assert len(unlabelled.select("predict")) == len(unlabelled) > 0
    assert unlabelled.info["parameters"]["normalise"] == "none"


@pytest.mark.parametrize("name", STORES)
def test_hmsprep_finds_a_store_of_format_version_1_whole(name: str, tmp_path: Path) -> None:
    unpack(GOLDEN / f"{name}.zip", tmp_path)
    found = json.loads(PREP.succeed("verify", tmp_path / f"{name}.zarr", "--json").stdout)
    assert found["ok"], found["problems"]
    info = json.loads(PREP.succeed("info", tmp_path / f"{name}.zarr", "--json").stdout)
    check(golden(f"{name}.json")["info"], info)


def test_twenty_steps_on_the_cpu_log_the_losses_they_did(here: Path) -> None:
    skip_of_older_torch()
    then = golden("losses-cpu.json")
    # As a run's config.json, which means what held before for each setting that it lacks.
    (here / "settings.json").write_text(json.dumps({"config": then["config"]}))
    train("run", "store-v1.zarr", "--config", "settings.json", "--out", "run")
    check(then["log"], log_lines(here / "run" / "metrics.jsonl"), ROUNDING)
    check(then["config"], json.loads((here / "run" / "config.json").read_text())["config"])


def test_a_finished_run_tests_and_reports_to_the_figures_it_had(here: Path) -> None:
    unpack(GOLDEN / "run-finished.zip", here)
    run = here / "run-finished"
    then = json.loads((run / "metrics.json").read_text())
    tested = json.loads(train("test", "run-finished", "--device", "cpu", "--json"))
    for part in ("test", "constant"):
        check(then[part], tested[part], ROUNDING)
    assert not tested["leaks"]
    again = run / f"test-{tested['store']['identity'][:12]}.npz"
    with np.load(run / "predictions.npz") as before, np.load(again) as after:
        np.testing.assert_array_equal(before["row"], after["row"])
        np.testing.assert_allclose(before["prediction"], after["prediction"], rtol=ROUNDING)
    train("report", "run-finished", "--out", "page.html")
    page = (here / "page.html").read_text()
    for score in ("kl", "kl_votes", "kl_hi", "calibration_error"):
        assert f">{then['test'][score]:.3f}<" in page


def test_a_finished_run_is_left_as_it_is_when_it_is_resumed(here: Path) -> None:
    unpack(GOLDEN / "run-finished.zip", here)
    then = json.loads((here / "run-finished" / "metrics.json").read_text())
    check(then, json.loads(resume("run-finished")))


def test_an_interrupted_run_goes_on_to_the_outcome_it_had(here: Path) -> None:
    skip_of_older_torch()
    unpack(GOLDEN / "run-interrupted.zip", here)
    then = golden("run-interrupted.json")
    before = log_lines(here / "run-interrupted" / "metrics.jsonl")
    assert before[-1]["step"] > then["checkpoint_step"]  # steps are lost, and taken again
    check(then["metrics"], json.loads(resume("run-interrupted")), ROUNDING)
    check(then["log"], log_lines(here / "run-interrupted" / "metrics.jsonl"), ROUNDING)


def resume(run: str) -> str:
    arguments = ("--config", f"{run}/config.json", "--out", run, "--resume", "--json")
    return train("run", "store-v1.zarr", *arguments)


WIDENED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("hmstrain", "view"): [
        {"name": "RUN|STORE|RECORDING", "values": 1, "required": False, "choices": None,
         "variable": "HMS_STORE"},
    ],
    ("hmstrain", "predict"): [
        {"name": "[RUN...] INPUT", "values": -1, "required": True, "choices": None,
         "variable": None},
    ],
}  # fmt: skip
"""Arguments that take all that they took, and more: recordings, or no run but one by its name."""


@pytest.mark.parametrize("program", APPS)
def test_every_command_and_option_is_still_taken(program: str) -> None:
    then, now = golden("options.json")[program], program_options(APPS[program])
    for name in then:
        then[name]["arguments"] = WIDENED.get((program, name), then[name]["arguments"])
    lost = [f"{program} {name} is gone" for name in then.keys() - now.keys()]
    for name in then.keys() & now.keys():
        arguments, options = now[name]["arguments"], now[name]["options"]
        for number, argument in enumerate(then[name]["arguments"]):
            found = arguments[number] if number < len(arguments) else None
            lost += changes(f"{program} {name} {argument['name']}", argument, found)
        for option in then[name]["options"]:
            forms = set(option["forms"])
            found = next((one for one in options if forms <= set(one["forms"])), None)
            lost += changes(f"{program} {name} {' '.join(option['forms'])}", option, found)
        added = arguments[len(then[name]["arguments"]) :]
        known = {form for option in then[name]["options"] for form in option["forms"]}
        added += [option for option in options if not known & set(option["forms"])]
        lost += [f"{program} {name}: {one} is new and required" for one in added if one["required"]]
    assert not lost, "\n".join(lost)


def changes(what: str, then: dict[str, Any], now: dict[str, Any] | None) -> list[str]:
    """How an argument or option is less than it was."""
    if now is None:
        return [f"{what} is gone"]
    found = [
        f"{what}: {key} was {then[key]}, is {now[key]}"
        for key in ("name", "values", "flag", "repeated", "variable")
        if key in then and then[key] != now[key]
    ]
    if now["required"] and not then["required"]:
        found.append(f"{what} is required now")
    if not set(then.get("opposites", ())) <= set(now.get("opposites", ())):
        found.append(f"{what}: {then['opposites']} became {now['opposites']}")
    if now["choices"] and not set(then["choices"] or ("anything",)) <= set(now["choices"]):
        found.append(f"{what}: choices were {then['choices']}, are {now['choices']}")
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("--bandpass", "none", "--spectrogram-clip", "none", "--eeg-clip", "none"),
        ("--bandpass", "0.5", "40", "--spectrogram-clip", "e^-4", "e^8", "--eeg-clip", "500"),
        ("--bandpass=0.5", "40", "--spectrogram-clip=none", "--eeg-clip=500"),
    ],
)
def test_ranges_are_still_taken_as_two_numbers_or_the_one_word_none(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    table = tmp_path / "windows.csv"
    table.write_text("spectrogram_id,eeg_id,patient_id\n1,2,3\n")
    planned = PREP.succeed("build", table, "--dry-run", "--json", *words).stdout
    assert json.loads(planned)["windows"] == 1
