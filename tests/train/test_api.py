"""hmstrain as a library: its names, and that its functions say nothing by themselves."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.runs import SMALL, train_small

import hmstrain
from hmsstore import Store
from hmstrain.errors import ConfigError

NAMES = {
    "Config",
    "TrainError",
    "WindowDataset",
    "ablate",
    "blend",
    "bundle",
    "calibrate",
    "compare",
    "explain",
    "list_models",
    "list_settings",
    "predict",
    "pretrain",
    "recipe",
    "report",
    "score",
    "study",
    "submission",
    "test",
    "train",
    "view",
}
MODULES = {
    *("cli", "config", "data", "dataset", "distributed", "errors", "events", "models"),
    *("prediction", "reporting", "runs", "scoring", "settings", "training"),
}


@pytest.fixture(scope="module")
def run(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "run"
    train_small(store, path, epochs=1, steps=4)
    return path


def test_each_name_is_a_function_or_a_class_even_after_every_module_is_imported() -> None:
    """A module of the same name would take a function's place in the package."""
    for module in pkgutil.walk_packages(hmstrain.__path__, "hmstrain."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert set(hmstrain.__all__) == NAMES
    for name in NAMES:
        found = getattr(hmstrain, name)
        assert callable(found), name
        assert found.__doc__, name
    assert {one.name for one in pkgutil.iter_modules(hmstrain.__path__)} - {"__main__"} >= MODULES
    assert not {one.name for one in pkgutil.iter_modules(hmstrain.__path__)} & NAMES
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        hmstrain.fit  # noqa: B018


def test_importing_the_package_loads_nothing_until_a_name_is_used() -> None:
    script = "import sys, hmstrain; print(sorted({'numpy', 'torch', 'rich'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_training_says_nothing_and_tells_its_events(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    outcome = hmstrain.train(
        store.path,
        out=tmp_path / "run",
        events=lambda event, _: told.append(event),
        **SMALL | {"epochs": 1, "steps": 4},
    )
    assert capfd.readouterr() == ("", "")
    assert told[0] == "start"
    assert "valid" in told
    assert "test" not in told
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["steps"] == 4
    assert outcome.test.windows == len(store.select("test"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hmstrain.ablate("laptop", "x", only="nothing"), "--only nothing: expected"),
        (lambda: hmstrain.ablate("laptop", "x", factors="nothing"), "--factor 'nothing'"),
        (lambda: hmstrain.recipe("laptop", "x", words="other.mixup=0"), "no member 'other'"),
        (lambda: hmstrain.blend("none.csv", how="fitted"), r"none\.csv"),
        (lambda: hmstrain.blend(Path("none.csv")), r"none\.csv"),
    ],
)
def test_where_several_are_taken_a_single_one_needs_no_list(call: Any, message: str) -> None:
    with pytest.raises(hmstrain.TrainError, match=message):
        call()


def test_settings_come_by_name_or_from_a_file_and_unknown_ones_are_named(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(SMALL | {"steps": 2, "seed": 5}))
    hmstrain.train(store, out=tmp_path / "run", config=file, seed=7)
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert (config["seed"], config["steps"]) == (7, 2)
    with pytest.raises(ConfigError, match=r"There is no setting 'learn_rate'\."):
        hmstrain.train(store, out=tmp_path / "other", learn_rate=1e-3)
    assert not (tmp_path / "other").exists()


def test_a_run_without_a_folder_is_named_after_its_settings(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hmstrain.train(store, **SMALL | {"steps": 2})
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name.startswith("naive_cnn-spec-fold0-seed0-")


def test_a_finished_run_is_tested_reported_and_predicted_in_silence(
    run: Path, store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tested = hmstrain.test(run)
    before = json.loads((run / "metrics.json").read_text())
    assert json.loads(json.dumps(tested.test.to_json())) == before["test"]
    assert (run / f"test-{store.identity[:12]}.npz").is_file()
    assert hmstrain.report(run, out=tmp_path / "page.html").read_text().startswith("<!doctype")
    counted: list[tuple[int, int]] = []
    found = hmstrain.predict(
        run,
        store,
        out=tmp_path / "predicted",
        device="cpu",
        progress=lambda done, total: counted.append((done, total)),
    )
    assert counted[-1] == (len(found.rows), len(found.rows))
    assert found.prediction.shape == (len(found.rows), 6)
    assert found.summary == json.loads((tmp_path / "predicted" / "predictions.json").read_text())
    assert capfd.readouterr() == ("", "")


def test_a_study_tests_each_epoch_and_tells_its_systems(store: Store, tmp_path: Path) -> None:
    told: list[tuple[str, Any]] = []
    common = {k: v for k, v in SMALL.items() if k != "model"} | {"epochs": 1, "steps": 2}
    table = hmstrain.study(
        store,
        out=tmp_path / "study",
        systems=["naive_cnn-spec"],
        events=lambda event, values: told.append((event, values.get("name"))),
        **common,
    )
    assert ("system", "naive_cnn-spec") in told
    assert any(event == "test" for event, _ in told)
    assert table.rows[0].system.name == "naive_cnn-spec"


def test_a_sweep_chooses_settings_by_what_training_returns(store: Store, tmp_path: Path) -> None:
    """As the guide's example does, with Optuna where it is installed."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: Any) -> float:
        outcome = hmstrain.train(
            store,
            out=tmp_path / f"trial{trial.number}",
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
            **SMALL | {"epochs": 1, "steps": 3},
        )
        return float(outcome.valid_kl_votes)

    study = optuna.create_study()
    study.optimize(objective, n_trials=2)
    assert study.best_value == min(trial.value for trial in study.trials)
