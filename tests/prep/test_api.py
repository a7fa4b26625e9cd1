"""The functions of `hmsprep`: their names, that they are silent, that they run anywhere."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main

import hmsprep
from hmsprep.cli import app
from hmsstore import Store

FUNCTIONS = {
    "build", "build_share", "check_spectrograms", "features", "import_recordings", "info",
    "inspect", "list_recordings", "montage", "plan", "plan_features", "publish", "pull", "push",
    "realism", "seal",
    "show", "spectrogram", "spectrogram_file", "synth", "verify",
    "votes",
}  # fmt: skip
TYPES = {
    "Agreement", "BuildError", "DataError", "Drawn", "FeaturePlan", "Imported", "Listing",
    "MergedVotes", "MissingFilesError", "Montage", "ParameterError", "PrepError", "Preview",
    "Published", "Realism", "ShareBuilt", "Simulated", "StoreSummary", "Survey", "TransferError",
    "Transferred", "WorkerError",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(hmsprep.__all__) == FUNCTIONS | TYPES
    assert set(hmsprep.__all__) <= set(dir(hmsprep))


def test_no_module_hides_a_function_or_type() -> None:
    for module in pkgutil.walk_packages(hmsprep.__path__, "hmsprep."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in FUNCTIONS:
        assert callable(getattr(hmsprep, name)), name
        assert not isinstance(getattr(hmsprep, name), type), name
    for name in TYPES:
        assert isinstance(getattr(hmsprep, name), type), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = hmsprep.nothing


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = """
import sys
import hmsprep
print(sorted({"numpy", "polars", "typer", "rich", "hmsstore"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("command", "function"),
    [("build", "build"), ("plan", "plan"), ("inspect", "inspect"), ("show", "show"),
     ("synth", "synth"), ("import", "import_recordings"), ("publish", "publish"),
     ("seal", "seal"), ("verify", "verify"), ("info", "info"), ("montage", "montage"),
     ("realism", "realism"), ("push", "push"), ("pull", "pull")],
)  # fmt: skip
def test_functions_take_the_options_of_their_command(command: str, function: str) -> None:
    group: Any = typer.main.get_command(app)
    options = {
        parameter.name
        for parameter in group.commands[command].params
        if not getattr(parameter, "hidden", False)
    }
    only_printed = {"json", "quiet", "log_file", "dry_run", "listed"}
    by_other_means = {"dask", "share"}  # executor=, hmsprep.build_share
    taken = set(signature(getattr(hmsprep, function)).parameters)
    assert options - only_printed - by_other_means <= taken
    assert taken - options <= {"executor", "progress", "spec"}


def test_functions_have_the_defaults_of_their_commands() -> None:
    group: Any = typer.main.get_command(app)
    for command in ("build", "plan", "inspect", "show", "synth"):
        taken = signature(getattr(hmsprep, command)).parameters
        for parameter in group.commands[command].params:
            spelled_otherwise = {"eeg_clip", "spectrogram_clip", "bandpass", "row"}
            if parameter.name in taken and parameter.name not in spelled_otherwise:
                default = taken[parameter.name].default
                found = parameter.default
                if not parameter.required:
                    assert str(found) == str(default), (command, parameter.name)


def test_the_whole_way_is_silent_and_runs_on_any_executor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: set[str] = set()

    def progress(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        seen.add(stage)

    data, store = tmp_path / "data", str(tmp_path / "hms.zarr")
    with ThreadPoolExecutor(2) as pool:
        made = hmsprep.synth(data, windows=40, fast=True, executor=pool, progress=progress)
        assert made.windows == 40
        found = hmsprep.inspect(
            str(data), html=tmp_path / "page.html", executor=pool, progress=progress
        )
        assert found.facts["windows"] == 40
        assert (tmp_path / "page.html").is_file()
        planned = hmsprep.plan(data, nan="drop")
        built = hmsprep.build(data, store, executor=pool, progress=progress)
    assert isinstance(built, Store)
    assert len(built) == planned.windows == 40
    again = hmsprep.build(data, store)
    assert again.identity == built.identity
    assert hmsprep.verify(store, progress=progress) == []
    assert hmsprep.info(store).counts["windows"] == 40
    drawn = hmsprep.show(store, row=3, out=tmp_path / "w.png")
    assert drawn.rows == (3,)
    assert hmsprep.show(built, count=2).figure is not None
    assert len(hmsprep.montage().channels) == 20
    eeg = next((data / "train_eegs").iterdir())
    assert hmsprep.spectrogram_file(eeg, str(tmp_path / "s.parquet")) >= 300
    assert hmsprep.check_spectrograms(data, count=1, progress=progress).eegs == 1
    assert hmsprep.spectrogram(np.zeros((2000, 20))).shape == (4, 400)
    assert hmsprep.publish(store, tmp_path / "up", name="me/store").nbytes > 0
    assert seen == {
        "synth", "look", "draw", "plan", "ingest", "normalise", "verify", "compare",
    }  # fmt: skip
    out, err = capfd.readouterr()
    assert out + err == ""


@pytest.mark.parametrize(
    ("function", "paths", "wrong"),
    [
        ("build", ("data", "out"), {"workers": -1}),
        ("build", ("data", "out"), {"workers": "2"}),
        ("build", ("data", "out"), {"force": "no"}),
        ("build", ("data", "out"), {"clipped": None}),
        ("build_share", ("data", "out"), {"workers": 0, "share": (1, 2)}),
        ("build_share", ("data", "out"), {"share": "1/2"}),
        ("build_share", ("data", "out"), {"share": 1}),
        ("seal", ("out",), {"force": "no"}),
        ("inspect", ("data",), {"workers": -1}),
        ("features", ("store",), {"workers": -1}),
        ("features", ("store",), {"force": "no"}),
        ("votes", ("data", "out"), {"force": "no"}),
        ("check_spectrograms", ("data",), {"count": 0}),
        ("check_spectrograms", ("data",), {"count": 1, "seed": "a"}),
    ],
)
def test_a_value_of_another_kind_is_refused_in_a_sentence(
    data: Path, store: Store, tmp_path: Path, function: str, paths: tuple[str, ...], wrong: Any
) -> None:
    at = {"data": data, "store": store.path, "out": tmp_path / "out"}
    with pytest.raises(hmsprep.ParameterError, match=r"--\w+: expected .*, got"):
        getattr(hmsprep, function)(*(at[name] for name in paths), **wrong)
    assert not list(tmp_path.iterdir())


def test_the_old_name_of_the_spectrogram_still_works() -> None:
    from hmsprep.multitaper import spectrogram

    assert spectrogram is hmsprep.spectrogram
