"""Models of hand features: what they are fitted to, kept as and say, in runs like any other."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from support.helpers import blank_outside, build_store, of_version, write_pair
from support.runs import ALONE, train_small

import hmsprep
import hmstrain
from hmsstore import FeatureTable, RequestError, Store
from hmsstore.reading.feature_table import LATEST
from hmstrain.cli import _user_message
from hmstrain.config import Config
from hmstrain.data.rows import group_sizes, training_rows
from hmstrain.data.table import open_table
from hmstrain.data.targets import mean_target, targets
from hmstrain.data.weights import row_weights
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.models.tabular.base import probabilities, restored
from hmstrain.models.tabular.linear import measure_scale, standardised
from hmstrain.models.tabular.trees import from_sklearn
from hmstrain.reporting.comparison.files import write_blend, write_calibration
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.outcome import Outcome
from hmstrain.training.importance import importances, read_importances
from hmstrain.training.tabular import _Boosted, _Fit, _Linear, check_settings

SMALL: dict[str, Any] = {"model": "features", "device": "cpu"}
QUICK = {
    "boosted": {"kind": "boosted", "iterations": 12, "learning_rate": 1.0},
    "linear": {"kind": "linear", "l2": 1.0},
}
"""Trees that learn too fast, so that an early iteration is the best."""
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def few(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with the table of its features beside it."""
    store = build_store(data, tmp_path_factory.mktemp("features") / "few.zarr")
    with ThreadPoolExecutor(2) as pool:
        hmsprep.features(store, executor=pool)
    return store


def train(store: Store, out: Path, kind: str = "boosted", **settings: Any) -> Outcome:
    """Fit a quick model of a kind."""
    arguments = {**QUICK[kind], **settings.pop("model_args", {})}
    return hmstrain.train(store, out=out, model_args=arguments, **(SMALL | settings))


@pytest.fixture(scope="module")
def runs(few: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each kind."""
    folder = tmp_path_factory.mktemp("runs")
    for kind in QUICK:
        train(few, folder / kind, kind)
    return folder


@pytest.fixture(scope="module")
def every(few: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all folds."""
    folder = tmp_path_factory.mktemp("every") / "linear"
    train(few, folder, "linear", fold="all")
    return folder


def votes(
    rows: int = 400, classes: int = 4, columns: int = 7
) -> tuple[NDArray[np.float32], Floats]:
    """Features, some of them not known, and votes that hang on them."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, columns)).astype(np.float32)
    powers = np.exp(values[:, :classes] * 2 + rng.normal(size=(rows, classes)))
    values[rng.random(values.shape) < 0.1] = np.nan
    return values, powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 4])
def test_trees_say_what_scikit_learn_says_after_any_number_of_iterations(classes: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    values, shares = votes(classes=classes)
    label = shares.argmax(axis=1)
    fitted = HistGradientBoostingClassifier(max_iter=9, max_leaf_nodes=6).fit(values, label)
    trees = from_sklearn(fitted, range(classes), values.shape[1], classes)
    fresh = np.random.default_rng(1).normal(size=(200, values.shape[1])).astype(np.float32)
    fresh[::3, ::2] = np.nan
    for rows in (values, fresh):
        np.testing.assert_allclose(
            probabilities(trees, rows), fitted.predict_proba(rows), rtol=1e-9, atol=1e-12
        )
    staged = list(fitted.staged_predict_proba(fresh))
    for end, found in zip((1, 4, 9), trees.staged(fresh, (1, 4, 9)), strict=True):
        np.testing.assert_allclose(found, staged[end - 1], rtol=1e-9, atol=1e-12)
        part = from_sklearn(fitted, range(classes), values.shape[1], classes, end)
        assert part.iterations == end
        np.testing.assert_allclose(probabilities(part, fresh), found, rtol=1e-9)
    again = restored("boosted", trees.state_dict(), "here")
    np.testing.assert_array_equal(probabilities(again, fresh), probabilities(trees, fresh))
    assert trees.shares().sum() == pytest.approx(1)
    assert trees.shares()[classes:].sum() < 0.2  # what the votes do not hang on


def test_a_class_without_votes_is_rare_and_the_others_are_as_they_were() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    values, shares = votes(classes=3)
    label = shares.argmax(axis=1)
    fitted = HistGradientBoostingClassifier(max_iter=3).fit(values, label)
    found = probabilities(from_sklearn(fitted, [0, 2, 3], values.shape[1], 5), values)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[:, [0, 2, 3]], fitted.predict_proba(values), rtol=1e-6)
    assert (found[:, [1, 4]] > 0).all()
    assert (found[:, [1, 4]] < 1e-6).all()


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [("feature", 0, 99), ("left", 0, 0), ("right", 1, 0), ("left", 0, 10**6), ("root", (0, 0), -1)],
)
def test_trees_that_lead_nowhere_are_refused(name: str, place: Any, value: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    values, shares = votes()
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(values, shares.argmax(axis=1))
    state = from_sklearn(fitted, range(4), values.shape[1], 4).state_dict()
    restored("boosted", state, "best")
    state[name] = state[name].clone()
    state[name][place] = value
    with pytest.raises(RunError, match="best is damaged"):
        restored("boosted", state, "best")
    with pytest.raises(RunError, match="damaged"):
        restored("pickle", state, "best")


def test_the_linear_model_is_the_lowest_point_of_its_penalised_divergence(few: Store) -> None:
    """The gradient of KL from the shares of votes, and of the penalty, vanishes where it ends."""
    config = Config(**SMALL, vote_weight="log", sample="votes")
    rows = training_rows(config, few, 0, 1)
    table = FeatureTable.open(few.path.with_name("few.zarr-features"))
    some = np.arange(0, len(table.columns), 40)
    fit = _Linear(config, few, rows, np.ascontiguousarray(table.values[rows][:, some]), {"l2": 0.1})
    ((stage, kl, prediction),) = list(fit.stages(fit.values, lambda *_: None))
    model = fit.at(stage)
    weight = torch.from_numpy(model.weight.numpy().copy()).requires_grad_()
    bias = torch.from_numpy(model.bias.numpy().copy()).requires_grad_()
    x = torch.from_numpy(standardised(fit.values, *measure_scale(fit.values)))
    target = torch.from_numpy(few.windows["target"][rows].astype(np.float64))
    counts = row_weights(config, few, rows)[rows] / group_sizes(config, few, rows)
    each = -(target * (x @ weight.T + bias).log_softmax(1)).sum(1)
    loss = (each * torch.from_numpy(counts / counts.sum())).sum() + 0.05 * (weight**2).sum()
    loss.backward()
    assert weight.grad is not None
    assert bias.grad is not None
    assert weight.grad.abs().max() < 2e-3
    assert bias.grad.abs().max() < 2e-3
    assert weight.detach().abs().max() > 0.05
    shown = probabilities(model, fit.values)
    np.testing.assert_array_equal(shown, prediction)
    np.testing.assert_allclose(shown, (x @ weight.T + bias).softmax(1).detach(), rtol=1e-9)
    assert kl > 0


def test_each_window_weighs_what_it_weighs_for_networks(few: Store) -> None:
    config = Config(
        **SMALL, balance="votes", sample="eeg", min_votes=2, target="eeg", entropy_weight=2.0
    )
    rows = training_rows(config, few, 0, 2)
    fit = _Fit(config, few, rows, np.zeros((len(rows), 1), np.float32), {})
    expected = row_weights(config, few, rows)[rows] / group_sizes(config, few, rows)
    found = np.bincount(fit.window, fit.weight, len(rows))
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-5)
    target = targets(config, few, rows)[rows].astype(float)
    assert not np.array_equal(target, few.windows["target"][rows])
    of_class = np.bincount(fit.label, fit.weight, len(fit.known))
    np.testing.assert_allclose(
        of_class / of_class.sum(), (expected @ target)[fit.known] / expected.sum(), rtol=1e-4
    )


def test_boosted_trees_without_a_feature_answer_the_mean_of_weighed_votes(few: Store) -> None:
    config = Config(**SMALL, vote_weight="linear", sample="eeg")
    rows = training_rows(config, few, 0, 1)
    nothing = np.zeros((len(rows), 1), np.float32)
    fit = _Boosted(config, few, rows, nothing, {"iterations": 1})
    ((_, _, prediction),) = list(fit.stages(nothing, lambda *_: None))
    expected = np.tile(mean_target(config, few, rows), (len(rows), 1))
    np.testing.assert_allclose(prediction, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", QUICK)
def test_a_run_is_a_run_like_any_other(few: Store, runs: Path, tmp_path: Path, kind: str) -> None:
    folder = RunFolder(runs / kind)
    outcome = folder.outcome()
    assert outcome.test is not None
    assert outcome.constant is not None
    tested = hmstrain.test(folder.path, out=tmp_path / "tested")
    assert tested.test["kl_votes"] == pytest.approx(outcome.test["kl_votes"], rel=1e-9)
    assert {path.name for path in folder.path.iterdir()} == {
        "config.json", "metrics.json", "metrics.jsonl", "predictions.npz", "best",
        "curves.png", "confusion.png", "importances.csv", "importances.png",
    }  # fmt: skip
    predicted = hmstrain.predict(folder.path, few.path, out=tmp_path / "predicted")
    with np.load(folder.path / "predictions.npz") as saved:
        assert saved["row"].tolist() == few.select("test").tolist()
        np.testing.assert_allclose(predicted.prediction[saved["row"]], saved["prediction"])
    valid = read_metrics(folder.path / "metrics.jsonl", "valid")
    lowest = min(line["kl_votes"] for line in valid)
    assert outcome.best_value == lowest
    assert outcome.best_step == next(one["step"] for one in valid if one["kl_votes"] == lowest)
    assert (outcome.best_step < outcome.steps) == (kind == "boosted")
    held_out = hmstrain.test(folder.path, split="valid", out=tmp_path / "valid")
    assert held_out.test["kl_votes"] == pytest.approx(outcome.best_value, rel=1e-9)
    page = hmstrain.report(folder.path, out=tmp_path / "page.html")
    assert "What the model relies on" in page.read_text()


def test_runs_of_features_are_compared_calibrated_and_blended(
    few: Store, runs: Path, every: Path, tmp_path: Path
) -> None:
    compared = hmstrain.compare([runs / kind for kind in QUICK])
    assert list(compared.models) == list(QUICK)
    calibrated = hmstrain.calibrate(every, votes="all")
    write_calibration(calibrated, every)
    answer = hmstrain.predict(every, few.path, out=tmp_path / "answer", calibrated=True)
    assert np.isfinite(answer.prediction).all()
    train(few, tmp_path / "weaker", "linear", fold="all", model_args={"l2": 30.0})
    blended = hmstrain.blend([every, tmp_path / "weaker"], votes="all", split="valid")
    write_blend(blended, tmp_path / "blend")
    answer = hmstrain.predict(tmp_path / "blend", few.path, out=tmp_path / "blended")
    assert np.isfinite(answer.prediction).all()


def test_a_checkpoint_holds_arrays_and_text_alone(runs: Path) -> None:
    for kind in QUICK:
        best = runs / kind / "best"
        assert {path.name for path in best.iterdir()} == {"model.safetensors", "model.json"}
        arrays = load_file(best / "model.safetensors")
        assert all(isinstance(values, torch.Tensor) for values in arrays.values())
        described = json.loads((best / "model.json").read_text())
        assert described["kind"] == kind
        assert len(described["columns"]) == 2_038


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    few: Store, runs: Path, tmp_path: Path
) -> None:
    for seed in (0, 1):
        train(few, tmp_path / f"{seed}", seed=seed)
    first, again, other = (
        (path / "best" / "model.safetensors").read_bytes()
        for path in (runs / "boosted", tmp_path / "0", tmp_path / "1")
    )
    assert first == again
    assert first != other


def test_every_fold_holds_its_own_windows_out(few: Store, every: Path) -> None:
    outcome = RunFolder(every).outcome()
    with np.load(every / "out_of_fold.npz") as saved:
        assert saved["row"].tolist() == few.select("train").tolist()
    assert outcome.out_of_fold is not None
    assert outcome.test is not None
    config, table = RunFolder(every).config(), open_table(RunFolder(every).config(), few)
    for fold in range(few.folds):
        rows = training_rows(config, few, fold, config.min_votes)
        assert not np.isin(rows, few.select("valid", fold=fold)).any()
        kept = load_file(every / f"fold{fold}" / "best" / "model.safetensors")
        np.testing.assert_array_equal(kept["middle"], measure_scale(table.values[rows])[0])


def test_settings_that_would_do_nothing_are_named(few: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="so mixup, epochs would do nothing: leave them out"):
        train_small(few, tmp_path / "run", **(SMALL | {
            "image_size": 0, "batch_size": 32, "validate_every": 500, "epochs": 3, "mixup": 0.4,
        }))  # fmt: skip
    assert not (tmp_path / "run").exists()
    for given, said in (
        ({"kind": "forest"}, "linear or boosted; got forest"),
        ({"kind": "linear", "leaves": 3}, "kind=linear takes l2"),
        ({"iterations": 2.5}, "a whole number from 1"),
        ({"l2": True}, "a number from 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_settings(Config(**SMALL, model_args=given), ALONE)
    with pytest.raises(ConfigError, match="leave out --inputs"):
        Config(model="features", inputs="spec")
    with pytest.raises(ConfigError, match="rotate"):
        check_settings(Config(**SMALL, fold="rotate"), ALONE)


def test_a_store_without_its_table_is_refused_with_what_to_do(
    few: Store, store: Store, runs: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "my bare.zarr"
    shutil.copytree(few.path, bare)
    with pytest.raises(DataError, match=rf"run `hmsprep features '{bare}'`"):
        train(Store.open(bare), tmp_path / "run")
    with pytest.raises(DataError, match="has no table of features"):
        hmstrain.test(runs / "linear", store=bare, out=tmp_path / "tested")
    table = few.path.with_name("few.zarr-features")
    found = train(Store.open(bare), tmp_path / "named", features=str(table))
    assert found.test is not None
    other = build_store(write_pair(tmp_path / "other", [{}]), tmp_path / "other.zarr")
    with pytest.raises(RequestError, match="another store"):
        train(other, tmp_path / "run", features=str(table))


def test_what_needs_a_network_says_so(few: Store, runs: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"importances\.csv"):
        hmstrain.explain(runs / "linear", 3, out=tmp_path / "x.png")
    with pytest.raises(ConfigError, match="leave out --swap and --reverse"):
        hmstrain.predict(runs / "linear", few.path, out=tmp_path / "p", swap=True)
    missing = _user_message(ModuleNotFoundError("x", name="sklearn"))
    assert missing == "scikit-learn is not installed. Run: pip install 'hms-eeg[features]'"


def test_files_are_predicted_by_way_of_their_features(
    few: Store, runs: Path, data: Path, tmp_path: Path
) -> None:
    """A folder in Kaggle's layout is built and measured, and gets the answers that a store gets."""
    small = write_pair(tmp_path / "data", [{}, {"eeg_label_offset_seconds": 4.0, "label_id": 5}])
    found = hmstrain.predict(runs / "boosted", small, out=tmp_path / "files")
    built = build_store(small, tmp_path / "small.zarr", split_by="all")
    with ThreadPoolExecutor(1) as pool:
        hmsprep.features(built, executor=pool)
    expected = hmstrain.predict(runs / "boosted", built.path, out=tmp_path / "store")
    assert found.prediction.shape == (2, 6)
    np.testing.assert_allclose(found.prediction, expected.prediction)


def test_importances_name_what_a_model_goes_by(few: Store, runs: Path) -> None:
    columns = ["a.left.50s", "a.right.50s", "b.left.50s", "b.left.10s"]
    values = np.nan_to_num(votes(rows=300, columns=4)[0])
    weight = torch.zeros(4, 4, dtype=torch.float64)
    weight[:, 2] = torch.tensor([4.0, -4.0, 0.0, 0.0])
    scale = (torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64))
    state = dict(
        zip(("middle", "spread", "weight", "bias"), (*scale, weight, weight[:, 0]), strict=True)
    )
    model = restored("linear", state, "here")
    target = probabilities(model, values)
    found = {(one.of, one.name): one for one in importances(model, columns, values, target, 0)}
    for of, name in (("measure", "b"), ("place", "left"), ("span", "50s")):
        assert (found[of, name].increase or 0) > 0.5
        assert found[of, name].share == pytest.approx(1)
    for of, name in (("measure", "a"), ("place", "right"), ("span", "10s")):
        assert found[of, name].increase == pytest.approx(0, abs=1e-12)
    assert found["column", "b.left.50s"].share == pytest.approx(1)
    with (runs / "boosted" / "importances.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["of"] for line in lines].count("measure") == 47
    assert [line["of"] for line in lines].count("column") == 2_038
    of_columns = [float(line["share"]) for line in lines if line["of"] == "column"]
    assert sum(of_columns) == pytest.approx(1, abs=1e-3)
    assert of_columns == sorted(of_columns, reverse=True)
    assert [one.name for one in read_importances(runs / "boosted")] == [x["name"] for x in lines]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of one window of which nothing but the judged seconds was recorded."""
    folder = tmp_path_factory.mktemp("short")
    row = {"eeg_id": 1, "spectrogram_id": 2, "label_id": 3, "patient_id": 4}
    write_pair(folder / "data", [row])
    blank_outside(folder / "data", 1, 2, (4_000, 6_000), (148, 152))
    return build_store(folder / "data", folder / "short.zarr")


def test_a_run_of_the_judged_seconds_takes_recordings_that_are_no_longer(
    few: Store, runs: Path, short: Store, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(2) as pool:
        for store in (few, short):
            hmsprep.features(store, span="judged", executor=pool)
        hmsprep.features(short, executor=pool)
    outcome = train(few, tmp_path / "judged", features_span="judged")
    assert outcome.test is not None
    read_importances(tmp_path / "judged")
    judged = hmstrain.predict(tmp_path / "judged", short.path, out=tmp_path / "a")
    whole = hmstrain.predict(runs / "boosted", short.path, out=tmp_path / "b")
    assert judged.context.comparable.tolist() == [True]
    assert whole.context.comparable.tolist() == [False]
    built = hmstrain.predict(tmp_path / "judged", short.path.parent / "data", out=tmp_path / "c")
    np.testing.assert_allclose(built.prediction, judged.prediction, atol=1e-6)


def test_tables_and_runs_of_different_spans_are_told_apart(few: Store, tmp_path: Path) -> None:
    table = few.path.with_name(f"{few.path.name}-features")
    with pytest.raises(DataError, match="measures the span 'window', expected 'judged'"):
        train(few, tmp_path / "run", features=str(table), features_span="judged")
    with pytest.raises(ConfigError, match="features_span=judged does nothing with model=naive_cnn"):
        Config(model="naive_cnn", features_span="judged")


@pytest.fixture
def old(few: Store, tmp_path: Path) -> Store:
    """The store with a table of an older version of the features."""
    for name in ("few.zarr", "few.zarr-features"):
        shutil.copytree(few.path.with_name(name), tmp_path / name)
    of_version(tmp_path / "few.zarr-features", 1)
    return Store.open(tmp_path / "few.zarr")


def test_training_on_a_table_of_an_older_version_says_what_it_means(
    few: Store, old: Store, tmp_path: Path
) -> None:
    told: list[str] = []

    def events(event: str, value: Mapping[str, Any]) -> None:
        told.extend(value["text"] for _ in [0] if event == "notice")

    train(few, tmp_path / "new", "linear", events=events)
    assert not any("version" in text for text in told)
    train(old, tmp_path / "old", "linear", events=events)
    (said,) = (text for text in told if "version" in text)
    assert f"{old.path}-features holds features of version 1; " in said
    assert "are measured in version 2, so a run on this table cannot predict them." in said
    assert f"`hmsprep features {old.path} --force` measures it anew." in said
    shutil.copytree(f"{old.path}-features", tmp_path / "a table")
    named = FeatureTable.open(tmp_path / "a table")
    elsewhere = f"hmsprep features few.zarr --out '{tmp_path / 'a table'}' --force"
    assert named.measuring(Path("few.zarr")) == elsewhere
    judged = replace(named, span="judged", path=Path("few.zarr-features-judged"))
    again = "hmsprep features few.zarr --span judged --force"
    assert judged.measuring(Path("few.zarr")) == again
    with pytest.raises(RequestError, match=f"Run `{again}`, or name its table"):
        judged.check("another", Path("few.zarr"))
    with pytest.raises(RequestError, match=r"Run `hmsprep features STORE --span judged --force`\."):
        judged.places(["length of hair"])


def test_a_run_and_a_table_of_different_versions_say_how_to_mend_it(
    few: Store, old: Store, runs: Path, tmp_path: Path
) -> None:
    command = re.escape(f"`hmsprep features {old.path} --force`")
    trained = "holds features of version 1, and the run was trained on version 2"
    with pytest.raises(DataError, match=f"few.zarr-features {trained}: run {command}"):
        hmstrain.test(runs / "linear", store=old.path, out=tmp_path / "tested")
    train(old, tmp_path / "run", "linear")
    trained = "holds features of version 2, and the run was trained on version 1"
    again = "train the run again on features of version 2"
    with pytest.raises(DataError, match=f"few.zarr-features {trained}: {again}"):
        hmstrain.test(tmp_path / "run", store=few.path, out=tmp_path / "tested")


def test_folds_are_not_trained_on_different_versions_of_the_features(
    old: Store, tmp_path: Path
) -> None:
    folder, table = tmp_path / "run", old.path.with_name("few.zarr-features")
    before = train(old, folder, "linear", fold="all")
    (folder / "metrics.json").unlink()
    shutil.rmtree(folder / "fold1")
    of_version(table, 2)
    said = "fold0 was trained on features of version 1, and .* now holds version 2: name another"
    with pytest.raises(RunError, match=said):
        train(old, folder, "linear", fold="all", resume=True)
    of_version(table, 1)
    assert train(old, folder, "linear", fold="all", resume=True).test == before.test


def test_tables_are_of_the_version_that_training_expects(few: Store) -> None:
    for span, latest in LATEST.items():
        assert hmsprep.plan_features(few, span=span).version == latest
