"""Several seeds, with one fold or all, make one run: averaged, resumed, and used like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.runs import Stopped, train_small

from hmsstore import Store
from hmstrain.config import Config, run_name
from hmstrain.errors import ConfigError, RunError
from hmstrain.models.evaluate import Evaluator
from hmstrain.prediction.bundle import _copy_run
from hmstrain.prediction.predict import predict
from hmstrain.reporting.explain import explain
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, read_file
from hmstrain.scoring.answers.read import read_answers
from hmstrain.scoring.comparison.compare import compare
from hmstrain.scoring.score_run import test as score

SHORT: dict[str, Any] = {"epochs": 1, "steps": 2, "validate_every": 2}


@pytest.fixture(scope="module")
def made(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two seeds of one fold, and the second of them alone."""
    folder = tmp_path_factory.mktemp("several")
    train_small(store, folder / "both", seed=4, seeds=2, **SHORT)
    train_small(store, folder / "alone", seed=5, **SHORT)
    return folder


def test_seeds_are_averaged_and_each_is_an_ordinary_run(made: Path, store: Store) -> None:
    names = [one.path.name for one in RunFolder(made / "both").networks()]
    each = [read_file(made / "both" / name / TESTED, store).prediction for name in names]
    alone = read_file(made / "alone" / TESTED, store).prediction
    assert names == ["seed4", "seed5"]
    np.testing.assert_array_equal(each[1], alone)
    assert not np.array_equal(each[0], each[1])
    averaged = read_file(made / "both" / TESTED, store).prediction
    np.testing.assert_array_equal(averaged, np.mean(each, axis=0))


def test_the_spread_over_seeds_is_in_the_outcome(made: Path) -> None:
    outcome = RunFolder(made / "both").outcome()
    found = [one.test["kl_votes"] for one in outcome.seeds if one.test is not None]
    spread = outcome.test_of_single_seeds["kl_votes"]
    written = json.loads((made / "both" / "metrics.json").read_text())
    assert [one.seed for one in outcome.seeds] == [4, 5]
    assert spread is not None
    assert spread.mean == pytest.approx(np.mean([value for value in found if value]))
    assert spread.std == pytest.approx(np.std([value for value in found if value], ddof=1))
    assert written["test_of_single_seeds"]["kl_votes"]["std"] == spread.std > 0
    assert "folds" not in written
    assert "best_step" not in written


def test_what_was_held_out_is_answered_by_the_mean_of_the_seeds(made: Path, store: Store) -> None:
    found = read_file(made / "both" / OUT_OF_FOLD, store)
    each = [read_file(made / "both" / f"seed{n}" / OUT_OF_FOLD, store) for n in (4, 5)]
    np.testing.assert_array_equal(found.rows, store.select("valid", fold=0))
    np.testing.assert_array_equal(found.prediction, np.mean([e.prediction for e in each], axis=0))
    tested = score(made / "both", store=store, split="valid", out=made / "scored", device="cpu")
    np.testing.assert_allclose(tested.prediction, found.prediction, atol=1e-6)
    assert read_answers(made / "both", split="valid").whole


def test_every_fold_and_seed_makes_one_run(store: Store, tmp_path: Path) -> None:
    outcome = train_small(store, tmp_path / "run", fold="all", seeds=2, **SHORT)
    names = [one.path.name for one in RunFolder(tmp_path / "run").networks()]
    one, other = (
        read_file(tmp_path / "run" / f"fold0-seed{n}" / OUT_OF_FOLD, store) for n in (0, 1)
    )
    found = read_file(tmp_path / "run" / OUT_OF_FOLD, store)
    assert len(names) == 2 * store.folds
    assert names[:2] == ["fold0-seed0", "fold0-seed1"]
    np.testing.assert_array_equal(found.rows, store.select("train"))
    first = np.isin(found.rows, one.rows)
    np.testing.assert_allclose(found.prediction[first], (one.prediction + other.prediction) / 2)
    assert len(outcome.folds) == store.folds
    assert [one.seed for one in outcome.seeds] == [0, 1]
    assert outcome.seeds[0].valid is not None
    assert outcome.seeds[0].valid.windows == len(store.select("train"))
    assert RunFolder(tmp_path / "run").network_for(1).path.name == "fold1-seed0"
    assert not read_answers(tmp_path / "run", split="valid").whole
    assert _copy_run(RunFolder(tmp_path / "run"), tmp_path / "bundle") == "run"
    weights = (tmp_path / "bundle" / "run").glob("fold*-seed*/best/model.safetensors")
    assert len(list(weights)) == len(names)


def test_a_stopped_run_of_seeds_resumes_where_it_was(
    made: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "run", Evaluator.predict
    settings = {"seed": 4, "seeds": 2, **SHORT}

    def stop_in_the_second(self: Evaluator, network: Any, rows: Any) -> Any:
        if (path / "seed4" / "metrics.json").is_file():
            raise Stopped
        return real(self, network, rows)

    monkeypatch.setattr(Evaluator, "predict", stop_in_the_second)
    with pytest.raises(Stopped):
        train_small(store, path, **settings)
    monkeypatch.undo()
    kept = (path / "seed4" / "metrics.json").stat().st_mtime_ns
    train_small(store, path, resume=True, **settings)
    assert (path / "seed4" / "metrics.json").stat().st_mtime_ns == kept
    np.testing.assert_array_equal(
        read_file(path / TESTED, store).prediction,
        read_file(made / "both" / TESTED, store).prediction,
    )


def test_such_a_folder_stands_wherever_a_run_does(made: Path, store: Store, tmp_path: Path) -> None:
    both, alone = made / "both", made / "alone"
    predicted = predict(both, store.path, out=tmp_path / "predicted", device="cpu")
    mean = read_file(both / TESTED, store)
    places = np.searchsorted(predicted.rows, mean.rows)
    np.testing.assert_allclose(predicted.prediction[places], mean.prediction, atol=1e-6)
    assert predicted.summary["runs"][0]["networks"] == 2
    found = compare([both, alone], truth=store, split="test")
    assert list(found.models) == ["both", "alone"]
    seeds = compare([*sorted(both.glob("seed*")), alone], truth=store, group_seeds=True)
    assert [model.seeds for model in seeds.models.values()] == [3]
    with pytest.raises(RunError, match=r"several networks: name one, such as .*seed4"):
        explain(both, 0, store=store)


def test_seeds_beyond_the_last_are_refused_and_one_seed_names_runs_as_before() -> None:
    with pytest.raises(ConfigError, match="seed must be at most 2147483646 with seeds=2"):
        Config(seed=2**31 - 1, seeds=2)
    assert run_name(Config(model="resnet18", seeds=1)) == "resnet18-spec-fold0-seed0"
    assert run_name(Config(model="resnet18", seeds=3)).startswith("resnet18-spec-fold0-seed0-")


def test_a_folder_of_two_seeds_is_not_resumed_as_three(made: Path, store: Store) -> None:
    with pytest.raises(RunError, match="seeds was 2, now 3"):
        train_small(store, made / "both", resume=True, seed=4, seeds=3, **SHORT)


def test_rotating_folds_and_seeds_go_together(store: Store, tmp_path: Path) -> None:
    outcome = train_small(store, tmp_path / "run", fold="rotate", seeds=2, **SHORT)
    assert outcome.validation_leaks
    assert outcome.out_of_fold is None
    assert len(outcome.seeds) == 2
    assert RunFolder(tmp_path / "run").outcome() == outcome
