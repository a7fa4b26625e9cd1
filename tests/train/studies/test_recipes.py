"""Each recipe of the package resolves and runs; the engine resumes and ends in one page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import build_store, of_version
from support.inside import Inside
from support.recipes import SMALL, TOY, light, write_small
from support.runs import ALONE, Stopped

import hmstrain
from hmsstore import FeatureTable, Store
from hmsstore.reading.feature_table import beside
from hmstrain.config import Config
from hmstrain.errors import ConfigError, RunError
from hmstrain.events import silent
from hmstrain.models import find_model
from hmstrain.models.network import count_parameters, make_network
from hmstrain.prediction.predict import predict
from hmstrain.runs.predictions import TESTED, read_arrays, read_file
from hmstrain.studies.answer import ANSWER, PLAIN
from hmstrain.studies.recipe_file import (
    FOLDER,
    TEXTS,
    Changes,
    find_recipe,
    read_recipe,
    recipe_names,
)
from hmstrain.studies.recipe_page import PAGE, RESULT, Cooked
from hmstrain.studies.run_recipe import run_recipe

NAMES = {"report", "starter", "mel16-zoom", "stft-raw", "sparcnet", "medal", "laptop"}
MOST_RUN = 3
"""Members of a recipe that are run here: those of the report differ in their model alone."""
CHECKED = ("config.py", "dataclasses.py", "setting.py", "folder.py", "test_recipes.py")
"""Files that read all settings, whatever they mean."""


def small(folder: Path, store: Store, name: str = "cooked", **settings: Any) -> Cooked:
    return hmstrain.recipe(write_small(folder), store, out=folder / name, **settings)


@pytest.fixture(scope="module")
def cooked(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Cooked:
    """The small recipe, run whole."""
    return small(tmp_path_factory.mktemp("recipe"), store)


# The package's recipes


def test_the_recipes_have_the_names_that_others_rely_on() -> None:
    assert set(recipe_names()) == NAMES


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_says_what_it_is_and_each_of_its_networks_can_be_made(name: str) -> None:
    found = find_recipe(name)
    for config in found.configs().values():
        if find_model(config.model).table:
            continue
        bare = replace(config, pretrained=False, weights="", image_size=64)
        assert count_parameters(make_network(bare)) > 0
    assert all(len(getattr(found, key)) > 10 for key in TEXTS)


@pytest.mark.parametrize("name", recipe_names())
def test_each_key_of_a_recipe_differs_from_the_default(name: str) -> None:
    tables = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    usual, every = Config().to_json(), tables.get("every", {})
    for key, value in every.items():
        assert value != usual[key], f"[every] {key}"
    for member, own in tables["members"].items():
        for key, value in own.items():
            assert value != every.get(key, usual[key]), f"[members.{member}] {key}"


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_runs_at_toy_size_and_reads_each_of_its_settings(
    name: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_recipe(name)
    members = dict(list(found.members.items())[-MOST_RUN:])
    found = replace(found, members=members)
    words = light(found.configs())
    read: dict[str, set[str]] = {}

    def spy(config: Config, key: str) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        if not caller.endswith(CHECKED) and "/settings/" not in caller:
            read.setdefault(object.__getattribute__(config, "model"), set()).add(key)
        return object.__getattribute__(config, key)

    configs = found.configs(Changes.read(TOY, words))
    monkeypatch.setattr(Config, "__getattribute__", spy, raising=False)
    run_recipe(found, configs, store, tmp_path / "out", ALONE, silent)
    monkeypatch.undo()
    seen = set.union(*read.values())
    for member, own in members.items():
        assert set(own) <= seen | {"fold", "seeds"}, member
    result = json.loads((tmp_path / "out" / RESULT).read_text())
    assert set(result["members"]) == set(members)
    assert result["comparison"]["reference"] == "constant"
    expected = {"constant", *members}
    if found.answer is not None:
        expected |= {"answer", *(["one-view"] if found.answer.views else [])}
    assert set(result["comparison"]["models"]) == expected


@pytest.mark.parametrize(
    ("recipe", "member", "stages"),
    [
        ("stft-raw", "stft", [(2.5e-4, 5), (1e-4, 10)]),
        ("stft-raw", "raw", [(2.5e-4, 10), (1e-4, 10)]),
        ("medal", "stft", [(2.5e-4, 5), (1e-4, 10)]),
        ("medal", "raw", [(2.5e-4, 10), (1e-4, 10)]),
        ("medal", "mel", [(1.2e-3, 16), (1e-4, 0)]),
        ("mel16-zoom", "mel", [(1.2e-3, 16), (1e-4, 0)]),
        # 20 epochs of each sample and its mirror image
        ("sparcnet", "sparcnet", [(6.25e-5, 40), (1e-4, 0)]),
    ],
)
def test_stages_have_the_rates_and_epochs_of_their_sources(
    recipe: str, member: str, stages: list[tuple[float, int]]
) -> None:
    config = find_recipe(recipe).configs()[member]
    first = (config.learning_rate, config.epochs)
    assert [first, (config.second_learning_rate, config.second_epochs)] == stages


# The engine


def test_members_make_one_answer_that_predicting_gives_again(
    cooked: Cooked, store: Store, tmp_path: Path
) -> None:
    answer = read_arrays(cooked.out / ANSWER)
    folder = cooked.answered.folder
    assert folder == cooked.out / "blend"
    found = predict(folder, store.path, out=tmp_path / "p", device="cpu", swap=True)
    places = np.searchsorted(found.rows, answer["row"])
    np.testing.assert_allclose(found.prediction[places], answer["prediction"], atol=1e-5)
    assert not np.allclose(answer["prediction"], read_arrays(cooked.out / PLAIN)["prediction"])
    assert cooked.predicts == f"hmstrain predict {folder} INPUT --swap"
    spaced = replace(cooked, answered=replace(cooked.answered, folder=Path("my runs")))
    assert spaced.predicts == "hmstrain predict 'my runs' INPUT --swap"


def test_a_model_of_features_is_a_member_like_any_other(data: Path, tmp_path: Path) -> None:
    store = build_store(data, tmp_path / "own.zarr")
    linear = '[members.linear]\nmodel = "features"\nmodel_args = { kind = "linear", l2 = 1.0 }'
    text = SMALL.replace("seeds = 2", f"\n{linear}").replace('views = ["swap"]', "")
    recipe = write_small(tmp_path, text)
    told: list[str] = []

    def events(event: str, value: Mapping[str, Any]) -> None:
        told.extend(value["text"] for _ in [0] if event == "notice")

    config = find_recipe(recipe).configs(Changes.read({"epochs": 1, "seed": 3}))["linear"]
    assert config == Config(model="features", model_args={"kind": "linear", "l2": 1.0},
                            fraction=0.5, loader_threads=1, device="cpu", seed=3)  # fmt: skip
    done = hmstrain.recipe(recipe, store, out=tmp_path / "out", epochs=1, events=events)
    assert sum("Measuring hand features" in text for text in told) == 1
    assert done.comparison is not None
    assert {"spec", "both", "linear", "answer"} < set(done.comparison.models)
    answer = read_arrays(done.out / ANSWER)
    found = predict(done.answered.folder, store.path, out=tmp_path / "p", device="cpu")
    places = np.searchsorted(found.rows, answer["row"])
    np.testing.assert_allclose(found.prediction[places], answer["prediction"], atol=1e-5)
    again = hmstrain.recipe(recipe, store, out=tmp_path / "out", epochs=1, events=events)
    assert sum("Measuring hand features" in text for text in told) == 1
    assert again.outcomes == done.outcomes
    table = beside(store.path)
    of_version(table, 1)
    told.clear()
    hmstrain.recipe(recipe, store, out=tmp_path / "out", epochs=1, events=events)
    assert not any("features" in text for text in told)  # nothing is fitted to it any more
    alone = write_small(tmp_path, f"{text[: text.index('[members')]}\n{linear}")
    hmstrain.recipe(alone, store, out=tmp_path / "old", events=events)
    assert "own.zarr-features holds features of version 1;" in told[0]
    assert FeatureTable.open(table).version == 1


def test_too_few_held_out_windows_are_said_and_nothing_is_fitted(cooked: Cooked) -> None:
    assert cooked.answered.blended is None
    assert cooked.answered.applied is None
    assert list(cooked.kept) == ["spec", "both/seed0", "both/seed1"]
    assert all("Kept the checkpoint of step" in text for text in cooked.kept.values())
    assert "weigh the same" in cooked.notes[-2]
    assert "expected at least 50 held-out windows" in cooked.notes[-2]
    plain = [read_arrays(cooked.out / name / TESTED)["prediction"] for name in ("spec", "both")]
    np.testing.assert_allclose(
        read_arrays(cooked.out / PLAIN)["prediction"], np.mean(plain, axis=0), atol=1e-7
    )


def test_blend_and_calibration_are_fitted_out_of_fold_and_never_on_the_test(
    store: Store, tmp_path: Path
) -> None:
    text = SMALL.replace('views = ["swap"]', 'votes = "all"').replace("seeds = 2", "")
    found = hmstrain.recipe(
        write_small(tmp_path, text), store, out=tmp_path / "all", fold="all", fraction=1.0, steps=2
    )
    answered = found.answered
    assert answered.blended is not None
    assert answered.calibrated is not None
    held = read_file(tmp_path / "all" / "spec" / "out_of_fold.npz", store)
    assert answered.blended.rows == len(held.rows) == len(store.select("train"))
    assert answered.calibrated.calibration.fitted_on["rows"] == len(held.rows)
    worth = answered.blended.hows
    keeps = worth["logits"].kl <= worth["arithmetic"].kl
    assert answered.blended.blend.how == ("logits" if keeps else "arithmetic")
    assert any("is worse than their mean" in note for note in found.notes) != keeps
    interval = answered.calibrated.kinds["temperature and bias"].interval
    gains = interval is not None and interval[1] < 0
    assert (answered.applied is not None) == gains
    assert (tmp_path / "all" / "blend" / "calibration.json").is_file() == gains
    kept = "calibration was kept" if gains else "calibration was left out"
    assert any(kept in note for note in found.notes)


def test_the_page_needs_no_other_host_and_shows_every_model(cooked: Cooked) -> None:
    html = (cooked.out / PAGE).read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert "@import" not in html
    for word in ("constant", "spec", "both", "answer", "one-view", "What was kept, and why"):
        assert word in html


def stops(monkeypatch: pytest.MonkeyPatch, event: str, step: int, after: str) -> Any:
    """Events that end the work at a step of a member."""
    system = ""

    def tell(name: str, values: Mapping[str, Any]) -> None:
        nonlocal system
        system = values["name"] if name == "system" else system
        if name == event and system == after and values.get("step", 0) >= step:
            raise Stopped

    return tell


@pytest.mark.parametrize(("event", "step", "after"), [("system", 0, "both"), ("valid", 3, "both")])
def test_a_stopped_recipe_resumes_where_it_was(
    event: str,
    step: int,
    after: str,
    cooked: Cooked,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two members, and within one."""
    with pytest.raises(Stopped):
        small(tmp_path, store, events=stops(monkeypatch, event, step, after))
    first = tmp_path / "cooked" / "spec" / "metrics.json"
    before = first.stat().st_mtime_ns
    again = small(tmp_path, store)
    assert first.stat().st_mtime_ns == before
    ours, theirs = (read_arrays(one.out / ANSWER)["prediction"] for one in (again, cooked))
    np.testing.assert_array_equal(ours, theirs)
    assert again.rows() == cooked.rows()


def test_another_recipe_or_store_does_not_resume_in_the_folder(
    cooked: Cooked, store: Store, tmp_path: Path
) -> None:
    path = write_small(tmp_path)
    with pytest.raises(RunError, match=r"both: drop_rate was 0.0, now 0.5"):
        hmstrain.recipe(path, store, out=cooked.out, words=["both.drop_rate=0.5"])
    path = write_small(tmp_path, SMALL.replace('views = ["swap"]', ""))
    with pytest.raises(RunError, match="its answer was"):
        hmstrain.recipe(path, store, out=cooked.out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(RunError, match="holds something other than a recipe"):
        hmstrain.recipe(path, store, out=tmp_path / "other")
    with pytest.raises(RunError, match="lies within the store"):
        hmstrain.recipe(path, store, out=store.path / "recipe")
    with pytest.raises(RunError, match="is the folder of a run"):
        hmstrain.recipe(path, store, out=cooked.out / "spec")


# The file


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('source = "These tests"', "", "expected a text source"),
        ("[every]", "[all]", "unknown key 'all'; expected title, source"),
        ('model = "naive_cnn"\n\n', 'modle = "naive_cnn"\n\n', "[members.spec]: There is no sett"),
        ("epochs = 1", 'epochs = "one"', "[every]: epochs takes a whole number; got 'one'"),
        ("epochs = 1", "epochs = 0", "small, spec: epochs must be from 1"),
        ("[members.spec]", "[members.blend]", "a member cannot be called 'blend'"),
        ('"logits"', '"median"', "expected blend to be one of arithmetic"),
        ('["swap"]', '["turn"]', "expected views to be a list of swap"),
        ('["swap"]', "[[1]]", "expected views to be a list of swap"),
        ("calibrate = true", "calibrate = 1", "expected calibrate to be true or false"),
        ("calibrate = true", "stages = 2", "unknown key 'stages' of [answer]"),
        ('blend = "logits"', "", "expected blend, with several members"),
        ("seeds = 2", 'fold = "1"', "hold out the same fold, or all"),
        ('inputs = "spec+eeg"\nseeds = 2', "seed = 1", "its members differ in nothing else"),
        (
            'inputs = "spec+eeg"\nseeds = 2',
            '[members.table]\nmodel = "features"',
            "views are of signals, and table is a model of features",
        ),
        ("title", "title title", "is not TOML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_with_the_place(
    before: str, after: str, said: str, tmp_path: Path
) -> None:
    path = write_small(tmp_path, SMALL.replace(before, after, 1))
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_recipe(path)


def test_a_recipe_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe 'medal2': expected one of laptop"):
        find_recipe("medal2")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        find_recipe(tmp_path / "nothing.toml")


def test_settings_are_changed_for_all_members_or_for_one(tmp_path: Path) -> None:
    text = SMALL.replace("[members.both]", "[members.both]\nsecond_epochs = 4")
    found = read_recipe(write_small(tmp_path, text))
    changes = Changes.read({"epochs": 2}, ["both.mixup=0.4", "spec.model.width=8", "swap=0.5"])
    spec, both = found.configs(changes).values()
    assert (spec.epochs, both.epochs, both.second_epochs) == (2, 2, 2)
    assert (spec.mixup, both.mixup) == (0.0, 0.4)
    assert (spec.model_args, both.model_args) == ({"width": 8}, {})
    assert spec.swap == both.swap == 0.5
    with pytest.raises(ConfigError, match="no member 'other'; expected one of spec, both"):
        found.configs(Changes.read({}, ["other.mixup=0.4"]))


# The command


@pytest.fixture
def command() -> Inside:
    return Inside("hmstrain")


def test_the_command_lists_plans_and_refuses(command: Inside, tmp_path: Path) -> None:
    listed = command.succeed("recipe", "--list").stdout
    assert all(f"{name}: " in listed for name in NAMES)
    rows = json.loads(command.succeed("recipe", "--list", "--json").stdout)
    assert {row["name"] for row in rows} == NAMES
    done = command.succeed("recipe", write_small(tmp_path), "--dry-run", "--epochs", 3)
    planned = json.loads(done.stdout)
    assert planned["members"]["both"]["seeds"] == 2
    assert planned["members"]["spec"]["epochs"] == 3
    unknown = (write_small(tmp_path), "--dry-run", "--set", "both.model=resnet_18")
    assert "There is no model 'resnet_18'" in command.fail("recipe", *unknown)
    failed = command.run("recipe", "nothing")
    assert failed.returncode == 1
    assert "There is no recipe 'nothing'" in failed.stderr


def test_the_command_takes_a_finished_recipe_as_it_is_and_prints_its_table(
    command: Inside, cooked: Cooked, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("trained or predicted again")

    monkeypatch.setattr("hmstrain.training.run.train_network", refuse)
    monkeypatch.setattr("hmstrain.studies.answer.predict_rows", refuse)
    path = cooked.out.parent / "small.toml"
    done = command.succeed("recipe", path, store.path, "--out", cooked.out)
    assert "less constant" in done.stdout
    answer = next(line for line in done.stdout.splitlines() if line.startswith("answer "))
    assert answer.split()[1] == cooked.rows()[-2][1]
    assert "its page is" in done.stderr


def test_listing_recipes_loads_no_torch() -> None:
    script = (
        "import sys; sys.argv = ['hmstrain', 'recipe', '--list']\n"
        "import hmstrain.cli\n"
        "try: hmstrain.cli.main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules, 'timm' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False False"
