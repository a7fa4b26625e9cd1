"""Comparisons, calibrations and blends say what is better, by how much, and how surely."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.answered import ANSWERS, Set
from support.inside import Inside
from support.runs import train_small, unsealed

import hmstrain
from hmsstore import CLASSES, SPLITS, Store
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.prediction.predict import predict
from hmstrain.reporting.comparison.files import write_blend, write_calibration
from hmstrain.reporting.comparison.page import write_comparison
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.answers.read import read_answers
from hmstrain.scoring.blending import blend, combine, networks_of, read_blend, seen_from
from hmstrain.scoring.calibrate import calibrate
from hmstrain.scoring.calibration import Calibration, read_calibration
from hmstrain.scoring.comparison.compare import compare, compare_matched
from hmstrain.scoring.experts import among_experts
from hmstrain.scoring.fitting import cross_fitted, fit_mixture
from hmstrain.scoring.formulas import kaggle_kl
from hmstrain.scoring.metrics import Judged

PROGRAM = Inside("hmstrain")


@pytest.fixture(scope="module")
def made() -> Set:
    return Set(400, patients=60)


@pytest.fixture(scope="module")
def files(made: Set, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Answers of a good, a middling and a bad model, and the table with their votes."""
    folder = tmp_path_factory.mktemp("answers")
    found = [
        made.answers(folder / f"{name}.csv", made.model(noise, seed=n))
        for n, (name, noise) in enumerate([("good", 0.3), ("middling", 0.8), ("bad", 1.5)])
    ]
    return [*found, made.table(folder / "train.csv")]


def test_a_comparison_says_which_is_better_on_which_rows(made: Set, files: list[Path]) -> None:
    *models, truth = files
    found = compare(models, truth=truth)
    assert found.rows == 400
    assert (found.unit, found.groups) == ("patients", 60)
    kl = [found.models[name].scores["kl"] for name in ("good", "middling", "bad")]
    expected = [kaggle_kl(made.shares, made.model(noise, seed=n)) for n, noise in
                enumerate([0.3, 0.8, 1.5])]  # fmt: skip
    assert kl == pytest.approx(expected)
    many = made.count >= 10
    assert found.populations["kl_hi"].rows == many.sum()
    assert found.models["good"].scores["kl_hi"] == pytest.approx(
        kaggle_kl(made.shares[many], made.model(0.3, seed=0)[many])
    )
    less = found.differences["bad"]["kl"]
    assert less.difference == pytest.approx(expected[2] - expected[0])
    assert less.interval is not None
    assert less.simultaneous is not None
    assert 0 < less.simultaneous[0] < less.interval[0] < less.difference
    assert less.share_better == 0
    assert "good" not in found.differences
    assert any("best of 3 models" in text for text in found.warnings)
    assert any("Seeds are not in the intervals" in text for text in found.warnings)
    other = compare(models, truth=truth, to="bad").differences["good"]["kl"]
    assert other.difference == pytest.approx(-less.difference)
    assert other.interval == pytest.approx((-less.interval[1], -less.interval[0]))
    by_votes = found.models["good"].by_votes
    assert sum(part.rows for part in by_votes.values()) == 400
    assert sum(part.rows for part in found.models["good"].by_class.values()) == 400


def test_typical_rows_thin_an_eegs_windows_with_many_votes(files: list[Path]) -> None:
    thinned = compare(files[0], truth=files[-1], rows="typical").populations["kl_hi"]
    whole = compare(files[0], truth=files[-1]).populations["kl_hi"]
    assert thinned.rows < whole.rows
    assert "one row of each EEG" in thinned.weighting


def test_a_model_and_its_copy_differ_by_nothing(files: list[Path]) -> None:
    found = compare([files[1], files[1]], truth=files[-1])
    first, second = found.models
    assert first != second
    (differences,) = found.differences.values()
    for one in differences.values():
        assert one.difference == 0
        assert one.interval == (0, 0)
        assert one.share_better == 0


def test_intervals_follow_the_resampled_groups_not_the_rows(made: Set, tmp_path: Path) -> None:
    """Each row eight times: as sure as once, since no patient is new."""
    path = made.answers(tmp_path / "once.csv", made.model(0.5), votes=made.votes, names=ANSWERS)
    once = matched_answers([path], truth=made.table(tmp_path / "train.csv"))
    eight = once.take(np.tile(np.arange(len(once)), 8))
    widths = []
    for judged in (once.judged(0), eight.judged(0)):
        found = among_experts([judged])
        assert found is not None
        assert found.interval is not None
        widths.append(found.interval[1] - found.interval[0])
    assert widths[0] == pytest.approx(widths[1])


def test_few_patients_get_a_sign_flip_test_and_a_warning(tmp_path: Path) -> None:
    few = Set(120, patients=9)
    models = [few.answers(tmp_path / f"{n}.csv", few.model(n, seed=n)) for n in (0, 1)]
    found = compare(models, truth=few.table(tmp_path / "train.csv"))
    p = found.differences["1"]["kl"].sign_flip_p
    assert p is not None
    assert p <= 2 / 2**9 * 2
    assert any("Only 9 patients" in text for text in found.warnings)


def test_seeds_are_resampled_with_patients_if_they_are_grouped(made: Set, tmp_path: Path) -> None:
    truth = made.table(tmp_path / "train.csv")
    models = [
        made.answers(tmp_path / f"net-seed{seed}.csv", made.model(0.4 + 0.4 * (seed == 2), seed))
        for seed in (0, 1, 2)
    ]
    base = made.answers(tmp_path / "base.csv", made.model(0.6, 9))
    found = compare([base, *models], truth=truth, group_seeds=True)
    assert list(found.models) == ["base", "net (3 seeds)"]
    alone = compare([base, *models], truth=truth)
    three = [alone.models[f"net-seed{seed}"].scores["kl"] or 0 for seed in (0, 1, 2)]
    assert found.models["net (3 seeds)"].scores["kl"] == pytest.approx(np.mean(three))
    span = found.models["net (3 seeds)"].scores.intervals["kl"]
    single = alone.models["net-seed0"].scores.intervals["kl"]
    assert span is not None
    assert single is not None
    assert span[1] - span[0] > 1.3 * (single[1] - single[0])  # the third seed is worse
    assert found.seeds_resampled
    assert not any("Seeds are not" in text for text in found.warnings)


def test_rows_recorded_in_part_are_scored_apart(made: Set, tmp_path: Path) -> None:
    observed = np.where(np.arange(400) < 100, 0.2, 1.0)
    ids = {**made.ids(), "observed": observed}
    first = made.answers(tmp_path / "a.csv", made.model(0.4), ids=ids)
    second = made.answers(tmp_path / "b.csv", made.model(0.8))
    found = compare([second, first], truth=made.table(tmp_path / "train.csv"))
    parts = found.models["b"].by_context
    assert {name: part.rows for name, part in parts.items()} == {"full": 300, "partial": 100}
    assert parts["partial"].kl == pytest.approx(kaggle_kl(made.shares[:100], made.model(0.8)[:100]))
    assert not compare([second], truth=tmp_path / "train.csv").models["b"].by_context


def test_the_average_rater_is_judged_by_the_others() -> None:
    votes = np.array([[2, 1, 0], [3, 0, 0], [1, 1, 1]])
    given = Judged(
        votes / 3, np.full(3, 3.0), np.eye(3)[[0, 0, 1]], votes.argmax(axis=1), np.arange(3)
    )
    found = among_experts([given], margin=0.2)
    assert found is not None
    # Left out: an A of AAB leaves AB (tied, A right); B leaves AA. Rater 2/3, model (A) all.
    # AAA: all right. ABC: whoever is left out, two others are tied: the rater is wrong; the model
    # (B) is right unless the B is left out.
    assert found.rater == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found.model == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert found.windows == 3
    assert found.interval is not None
    assert found.not_inferior == (found.interval[0] > -0.2)
    assert among_experts([replace(given, votes=np.full(3, 2.0))]) is None


def test_runs_of_different_folds_compare_on_test_windows_alone(
    store: Store, tmp_path: Path
) -> None:
    for fold in ("0", "1"):
        train_small(store, tmp_path / f"fold{fold}", fold=fold, steps=1)
    runs = [tmp_path / "fold0", tmp_path / "fold1"]
    matched = matched_answers(runs, truth=store)  # of test windows, which no run trains on
    found = compare_matched(matched)
    assert list(found.models) == ["fold0", "fold1"]
    write_comparison(found, matched, tmp_path / "c")
    page = (tmp_path / "c" / "compare.html").read_text()
    assert page.count("<figure>") > 3  # the forest, the bars, and windows drawn
    assert len(page) < 5e6
    valid = [shutil.copytree(run, tmp_path / f"valid-{run.name}") for run in runs]
    for run in valid:  # one fold's windows would share none with the other's
        (run / "predictions.npz").rename(run / "out_of_fold.npz")
    with pytest.raises(RunError, match=r"held out fold 0 and fold 1: .* --different-folds"):
        compare(valid, split="valid")
    assert len(compare(valid, split="valid", different_folds=True).models) == 2


@pytest.fixture
def few_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something be fitted to the few windows that the small store tests by."""
    for module in ("blending", "calibrate"):
        monkeypatch.setattr(f"hmstrain.scoring.{module}.FEWEST_ROWS", 5)
        monkeypatch.setattr(f"hmstrain.scoring.{module}.FEWEST_PATIENTS", 2)


@pytest.mark.usefixtures("few_will_do")
def test_a_runs_other_answers_are_a_file_of_their_own(store: Store, tmp_path: Path) -> None:
    """Of mirrored input, or calibrated: nobody who predicts with the run gets these."""
    for name, size in (("a", 32), ("b", 48)):
        train_small(store, tmp_path / name, steps=1, image_size=size)
    PROGRAM.succeed("test", tmp_path / "a", "--swap")
    (other,) = (tmp_path / "a").glob("test-*.npz")
    assert list(compare([tmp_path / "a", other]).models) == ["a", other.stem]
    found = blend([other, tmp_path / "b"], votes="all")
    assert [member.runs for member in found.blend.members] == [False, True]


def test_machines_do_not_tell_seeds_of_a_run_apart_and_stores_do(
    store: Store, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "seed0", steps=1)
    config = tmp_path / "seed0" / "config.json"
    for seed, changed in ((1, {"loader_threads": 3}), (2, {"swap": 0.5})):
        copied = shutil.copytree(tmp_path / "seed0", tmp_path / f"seed{seed}")
        told = unsealed(config)
        told["config"] |= {"seed": seed, **changed}
        (copied / "config.json").write_text(json.dumps(told))
    answers = [read_answers(tmp_path / f"seed{seed}") for seed in range(3)]
    assert answers[0].model == answers[1].model
    assert answers[0].model != answers[2].model
    assert answers[0].model != replace(answers[0], identity="of another store").model


def test_leaks_that_a_run_declares_are_repeated(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "run", steps=1)
    path = tmp_path / "run" / "metrics.json"
    assert not any("leak" in text for text in compare([tmp_path / "run"]).warnings)
    path.write_text(json.dumps({**unsealed(path), "leaks": True}))
    warnings = compare([tmp_path / "run"]).warnings
    assert warnings[0] == f"{tmp_path / 'run'}: patients leak between training and test."


def test_a_comparison_is_written_whole_and_replaces_only_its_kind(
    files: list[Path], tmp_path: Path
) -> None:
    done = PROGRAM.succeed("compare", *files[:2], "--truth", files[-1], "--out", tmp_path / "c")
    assert "| kl_hi | middling |" in done.stdout
    names = {path.name for path in (tmp_path / "c").iterdir()}
    assert names == {f"compare.{kind}" for kind in ("json", "md", "csv", "png", "html")}
    kept = json.loads((tmp_path / "c" / "compare.json").read_text())
    again = PROGRAM.succeed(
        "compare", *files[:2], "--truth", files[-1], "--out", tmp_path / "c", "--json"
    )
    assert json.loads(again.stdout) == kept
    assert kept["rows"] == 400
    assert set(kept["models"]) == {"good", "middling"}
    assert {"kl", "kl_votes", "kl_hi", "accuracy"} <= kept["models"]["good"].keys()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    text = PROGRAM.fail("compare", *files[:2], "--truth", files[-1], "--out", tmp_path / "other")
    assert "holds something other than a comparison" in text


def test_names_and_rows_that_do_not_exist_are_refused(files: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"--to worst: expected one of good, middling"):
        compare(files[:2], truth=files[-1], to="worst")
    with pytest.raises(ConfigError, match="--rows odd: expected all or typical"):
        compare(files[:2], truth=files[-1], rows="odd")
    with pytest.raises(ConfigError, match="Name at least one"):
        compare([])


def test_every_model_keeps_a_name_of_its_own(made: Set, tmp_path: Path) -> None:
    """A browser calls a second download 'a (2)', which is no copy of 'a'."""
    names = ["a (2)", "a", "b"]
    for n, name in enumerate(names):
        made.answers(tmp_path / f"{name}.csv", made.model(0.5, n), votes=made.votes, names=ANSWERS)
    paths = [tmp_path / f"{name}.csv" for name in [*names, "a"]]
    found = compare(paths)
    assert len(found.models) == 4
    assert found.models["a (2)"].scores["kl"] != found.models["b"].scores["kl"]
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        for seed in (0, 1):
            model = made.model(0.3 + (folder == "y"), seed)
            made.answers(tmp_path / folder / f"seed{seed}.csv", model)
    seeds = sorted(tmp_path.glob("[xy]/*.csv"))
    grouped = compare(seeds, truth=made.table(tmp_path / "train.csv"), group_seeds=True)
    assert [model.seeds for model in grouped.models.values()] == [2, 2]


def test_odd_names_are_drawn_and_written_as_they_are(made: Set, tmp_path: Path) -> None:
    name = "$\\frac{$ | <b>" + "x" * 150
    path = made.answers(tmp_path / f"{name}.csv", made.model(0.5))
    other = made.answers(tmp_path / "b.csv", made.model(0.6))
    truth = made.table(tmp_path / "train.csv")
    PROGRAM.succeed("compare", path, other, "--truth", truth, "--out", tmp_path / "out")
    (line,) = [
        line
        for line in (tmp_path / "out" / "compare.md").read_text().splitlines()
        if line.startswith("| kl |") and "frac" in line
    ]
    assert line.replace("\\|", "").count("|") == 10
    assert "<b>" not in (tmp_path / "out" / "compare.html").read_text()


def test_what_nothing_can_be_drawn_by_is_refused(files: list[Path]) -> None:
    truth = files[-1]
    with pytest.raises(ConfigError, match="--seed -1: expected 0 or more"):
        compare(files[:2], truth=truth, seed=-1)
    with pytest.raises(ConfigError, match="--margin nan: expected a share"):
        compare(files[:2], truth=truth, margin=float("nan"))
    with pytest.raises(ConfigError, match="--split valid: none of the models is a run"):
        compare(files[:2], truth=truth, split="valid")


def test_one_patient_has_scores_and_no_intervals(tmp_path: Path) -> None:
    one = Set(20, patients=1)
    models = [one.answers(tmp_path / f"m_seed{n}.csv", one.model(0.5, n)) for n in (0, 1)]
    truth = one.table(tmp_path / "train.csv")
    for grouped in (False, True):
        found = compare(models, truth=truth, group_seeds=grouped)
        assert all(m.scores.intervals["kl"] is None for m in found.models.values())
        assert any("All rows are of one patient" in text for text in found.warnings)


# Calibration


def shifted(made: Set, temperature: float, bias: np.ndarray) -> np.ndarray:
    """The truth, too sure by this temperature and with shares off by this bias."""
    powers = np.exp(temperature * (np.log(made.truth + 1e-9) - bias))
    found: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return found


def test_a_calibration_undoes_what_made_answers_dishonest(tmp_path: Path) -> None:
    made = Set(3000, patients=200, seed=8)
    made.count = np.full(3000, 20)
    made.votes = made.rng.multinomial(made.count, made.truth)
    bias = np.array([0.5, -0.3, 0.1, 0.0, -0.5, 0.2])
    path = made.answers(tmp_path / "a.csv", shifted(made, 1.6, bias))
    found = calibrate(path, truth=made.table(tmp_path / "train.csv"))
    one = found.calibration
    assert one.population == "10+"
    assert one.temperature == pytest.approx(1.6, rel=0.06)
    np.testing.assert_allclose(list(one.bias.values()), bias, atol=0.12)
    kinds = found.kinds
    assert kinds["temperature and bias"].kl < kinds["temperature"].kl < kinds["as it is"].kl
    assert kinds["temperature and bias"].interval is not None
    assert kinds["temperature and bias"].interval[1] < 0
    for kind in kinds.values():
        assert kind.kl_in_sample <= kind.kl + 1e-9
    honest = made.answers(tmp_path / "b.csv", made.truth)
    after = calibrate(honest, truth=made.table(tmp_path / "train.csv"))
    assert after.calibration.temperature == pytest.approx(1, abs=0.05)
    assert not any("gains nothing" in note for note in found.notes)
    assert kinds["temperature and bias"].calibration_error == pytest.approx(
        after.kinds["as it is"].calibration_error, abs=0.02
    )


def test_a_calibration_that_gains_nothing_on_other_patients_says_so(tmp_path: Path) -> None:
    few = Set(120, patients=20)
    path = few.answers(tmp_path / "a.csv", few.truth, votes=few.votes, names=ANSWERS)
    found = calibrate(path, votes="all")
    assert found.kinds["temperature and bias"].difference > 0
    assert any("gains nothing" in note for note in found.notes)


def test_a_calibration_by_nothing_changes_nothing() -> None:
    nothing = Calibration("all", 1.0, dict.fromkeys(CLASSES, 0.0), 1.0, {})
    q = np.random.default_rng(0).dirichlet(np.ones(6), 50)
    q[0] = np.eye(6)[0]
    assert np.array_equal(nothing.apply(q), q)
    assert np.array_equal(nothing.apply(q, bias=False), q)
    biased = replace(nothing, bias=dict.fromkeys(CLASSES, 0.3), temperature_alone=2.0)
    np.testing.assert_allclose(biased.apply(q[1:]), q[1:])  # the same for all classes
    assert biased.apply(q, bias=False).max(axis=1).mean() < q.max(axis=1).mean()


def test_a_calibration_is_kept_with_whom_it_is_for(
    made: Set, files: list[Path], tmp_path: Path
) -> None:
    found = calibrate(files[2], truth=files[-1], votes="4-9")
    path = write_calibration(found, tmp_path / "c")
    kept = json.loads(path.read_text())
    assert {"population", "temperature", "bias", "fitted_on"} <= kept.keys()
    assert kept["population"] == "4-9"
    assert kept["fitted_on"]["rows"] == (made.count == 5).sum()
    assert read_calibration(path, CLASSES) == found.calibration
    assert (tmp_path / "c" / "calibration.png").stat().st_size > 10_000
    changed = path.read_text().replace('"4-9"', '"5-9"')
    path.write_text(changed)
    with pytest.raises(RunError, match="on purpose, remove its sha256"):
        read_calibration(path, CLASSES)
    path.write_text(json.dumps(unsealed(path)))
    with pytest.raises(RunError, match="is damaged: population: expected one of all, 1-3"):
        read_calibration(path, CLASSES)
    with pytest.raises(RunError, match="does not exist: make it with hmstrain calibrate"):
        read_calibration(tmp_path / "none.json", CLASSES)


def test_too_few_rows_are_not_calibrated_on(tmp_path: Path) -> None:
    few = Set(30)
    path = few.answers(tmp_path / "a.csv", few.model(1), votes=few.votes, names=ANSWERS)
    with pytest.raises(DataError, match="expected at least 50 windows of 5 EEGs"):
        calibrate(path)
    with pytest.raises(ConfigError, match=r"--votes 5: expected one of all, 1-3, 4-9, 10\+"):
        calibrate(path, votes="5")


@pytest.mark.usefixtures("few_will_do")
def test_a_run_is_calibrated_on_the_fold_that_it_held_out(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "all", fold="all", steps=1)
    arguments = ("calibrate", tmp_path / "all", "--votes", "all")
    done = PROGRAM.succeed(*arguments, "--json")
    found = json.loads(done.stdout)
    assert found["calibration"]["fitted_on"]["windows"] == "held-out folds"
    assert any("out of fold, each of one network" in note for note in found["notes"])
    assert Path(found["file"]) == tmp_path / "all" / "calibration.json"
    assert "temperature and bias" in PROGRAM.succeed(*arguments).stdout
    train_small(store, tmp_path / "one", steps=1)
    fitted_on = calibrate(tmp_path / "one", votes="all").calibration.fitted_on
    assert (fitted_on["model"], fitted_on["windows"]) == ("one", "held-out folds")
    rebuilt = Store.open(store.path)
    rebuilt.identity = "f" * 64  # the same windows, as if their votes were corrected
    fit = calibrate(tmp_path / "one", truth=rebuilt, votes="all")
    assert fit.calibration.fitted_on["windows"] == "held-out folds"
    assert any(note.startswith("one: ") for note in fit.notes)
    assert not any(note.startswith("valid-") for note in fit.notes)
    moved = shutil.copytree(store.path, tmp_path / "moved.zarr")
    path = tmp_path / "one" / "config.json"
    path.write_text(path.read_text().replace(str(store.path), str(tmp_path / "gone.zarr")))
    path.write_text(json.dumps(unsealed(path)))
    with pytest.raises(RunError, match=r"which is not there: name where it is now with --truth"):
        calibrate(tmp_path / "one", votes="all")
    again = calibrate(tmp_path / "one", truth=moved, votes="all").calibration
    assert again.fitted_on["windows"] == "held-out folds"


@pytest.mark.usefixtures("few_will_do")
def test_answers_for_windows_that_a_run_was_trained_on_say_so(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "run", steps=1)
    predict(tmp_path / "run", store.path, out=tmp_path / "all", device="cpu")
    words = "are of patients that were trained on"
    assert any(words in text for text in compare([tmp_path / "all"]).warnings)
    assert any(words in note for note in calibrate(tmp_path / "all", votes="all").notes)
    hmstrain.test(tmp_path / "run", split="train", device="cpu")
    (tested,) = (tmp_path / "run").glob("train-*.npz")
    assert any(words in text for text in compare([tested]).warnings)
    assert not any(words in text for text in compare([tmp_path / "run"]).warnings)


def test_a_truth_of_shares_leaves_numbers_of_votes_that_the_files_have(
    made: Set, tmp_path: Path
) -> None:
    path = made.answers(tmp_path / "a.csv", made.model(0.3), votes=made.votes, names=ANSWERS)
    table = made.table(tmp_path / "train.csv")
    votes = made.votes.astype(float)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    keys = [f"{key}_vote" for key in CLASSES]
    shares = votes / votes.sum(axis=1, keepdims=True)
    shares[0] = np.roll(shares[0], 1)  # of which nobody knows how many voted
    for row, share in zip(rows, shares, strict=True):
        row.update(zip(keys, map(repr, share.tolist()), strict=True))
    with (tmp_path / "shares.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    second = made.answers(tmp_path / "b.csv", made.model(0.5), votes=made.votes, names=ANSWERS)
    write_blend(blend([path, second], truth=tmp_path / "shares.csv", votes="all"), tmp_path / "b")
    assert len(matched_answers(tmp_path / "b")) == len(made.votes)
    matched = matched_answers(path, truth=tmp_path / "shares.csv")
    np.testing.assert_array_equal(matched.counts[1:], votes.sum(axis=1)[1:])
    assert np.isnan(matched.counts[0])


def test_a_bias_is_never_worse_in_sample_than_none_even_for_certain_answers(
    tmp_path: Path,
) -> None:
    made = Set(300)
    certain = np.tile(np.eye(6)[0], (300, 1))
    path = made.answers(tmp_path / "a.csv", certain)
    found = calibrate(path, truth=made.table(tmp_path / "train.csv"), votes="all").kinds
    assert found["temperature and bias"].kl_in_sample <= found["temperature"].kl_in_sample
    mean = np.tile(made.shares.mean(axis=0), (300, 1))
    expected = kaggle_kl(made.shares, mean)
    assert found["temperature and bias"].kl_in_sample == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("temperature", float("inf"), "temperature: expected a finite number"),
        ("temperature", 1e-320, "temperature: expected numbers from 0.001"),
        ("bias", {"seizure": 1.0}, "is for the classes seizure; expected seizure, lpd"),
        ("bias", dict.fromkeys(CLASSES, float("nan")), "expected a finite number"),
    ],
)
def test_a_damaged_calibration_is_refused(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    whole = Calibration("all", 1.0, dict.fromkeys(CLASSES, 0.0), 1.0, {}).to_json()
    (tmp_path / "calibration.json").write_text(json.dumps({**whole, key: value}))
    with pytest.raises(RunError, match=message):
        read_calibration(tmp_path / "calibration.json", CLASSES)


# Blends


def test_a_blend_is_scored_on_other_patients_than_it_is_fitted_on(
    files: list[Path], made: Set, tmp_path: Path
) -> None:
    found = blend(files[:3], truth=files[-1], how="fitted", votes="all")
    assert found.best == "good"
    for one in found.hows.values():
        assert one.kl >= one.kl_in_sample - 1e-9
    assert found.hows["fitted"].kl_in_sample <= found.single["good"]
    mean = np.mean([made.model(noise, seed=n) for n, noise in enumerate([0.3, 0.8, 1.5])], axis=0)
    assert found.hows["arithmetic"].kl == pytest.approx(kaggle_kl(made.shares, mean))
    assert sum(found.hows["fitted"].weights.values()) == pytest.approx(1)
    write_blend(found, tmp_path / "b")
    kept = read_blend(tmp_path / "b")
    assert kept == seen_from(found, tmp_path / "b").blend
    assert (tmp_path / "b" / kept.members[0].paths[0]).samefile(files[0])
    with pytest.raises(RunError, match="is a blend of files: good was read from"):
        networks_of(kept, tmp_path / "b")
    again = compare([files[0], tmp_path / "b"], truth=files[-1])
    assert again.models["b"].scores["kl"] == pytest.approx(found.hows["fitted"].kl, abs=1e-6)
    whole = json.loads((tmp_path / "b" / "blend.json").read_text())
    members = whole["members"]
    for wrong in (
        {},
        {**whole, "how": "logits"},
        {**whole, "population": "zzz"},
        {**whole, "members": [{**one, "weight": 5.0} for one in members]},
        {**whole, "members": [{**one, "paths": []} for one in members]},
    ):
        (tmp_path / "b" / "blend.json").write_text(json.dumps(wrong))
        with pytest.raises(RunError, match="is damaged"):
            read_blend(tmp_path / "b")
    with pytest.raises(RunError, match="holds something else"):
        write_blend(found, files[0].parent)
    (tmp_path / "c").mkdir()
    own = made.answers(tmp_path / "c" / "own.csv", made.model(0.2))
    (tmp_path / "c" / "blend.json").write_text("{}")
    within = blend([own, files[1]], truth=files[-1], votes="all")
    with pytest.raises(RunError, match="holds own, which is blended"):
        write_blend(within, tmp_path / "c")


def test_a_fitted_blend_is_worth_what_it_says_of_patients_that_it_was_not_fitted_on(
    files: list[Path], made: Set
) -> None:
    stacked = np.stack([made.model(noise, seed=n) for n, noise in enumerate([0.3, 0.8, 1.5])])

    def fit_and_apply(others: NDArray[np.int64], apart: NDArray[np.int64]) -> NDArray[np.float64]:
        weights = fit_mixture(stacked[:, others], made.shares[others])
        return combine(stacked[:, apart], "fitted", weights)

    worth = blend(files[:3], truth=files[-1], how="fitted", votes="all").hows["fitted"]
    expected = kaggle_kl(made.shares, cross_fitted(fit_and_apply, made.patient))
    assert worth.kl == pytest.approx(expected, rel=1e-6)
    assert worth.kl > worth.kl_in_sample + 1e-6


def test_a_blend_is_fitted_to_the_windows_of_its_population(files: list[Path], made: Set) -> None:
    stacked = np.stack([made.model(noise, seed=n) for n, noise in enumerate([0.3, 0.8, 1.5])])
    for votes, within in (("10+", made.count >= 10), ("4-9", made.count == 5)):
        found = blend(files[:3], truth=files[-1], how="fitted", votes=votes)
        assert found.rows == within.sum()
        expected = fit_mixture(stacked[:, within], made.shares[within])
        np.testing.assert_allclose(list(found.hows["fitted"].weights.values()), expected, atol=1e-6)


@pytest.mark.usefixtures("few_will_do")
def test_one_model_is_not_blended_and_seeds_of_a_run_count_as_one(
    files: list[Path], store: Store, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="at least two models to blend, got 1 model"):
        blend(files[:1], truth=files[-1])
    for name, settings in {"a0": {"seed": 0}, "a1": {"seed": 1}, "b": {"image_size": 48}}.items():
        train_small(store, tmp_path / name, fold="all", steps=1, **settings)
    runs = [tmp_path / name for name in ("a0", "a1", "b")]
    found = blend(runs, how="logits", votes="all")
    assert list(found.single) == ["a0 (2 seeds)", "b"]
    assert [len(member.paths) for member in found.blend.members] == [2, 1]
    # Without another word to windows that were held out: none may be of the test split.
    assert found.blend.windows == "held-out folds"
    assert not any("fitted to test windows" in note for note in found.notes)
    labels = found.matched.answers[0].ids["label_id"]
    splits = store.windows["split"][np.isin(store.windows["label_id"], labels)]
    assert {*splits.tolist()} == {SPLITS.index("train")}

    tested = blend(runs, how="logits", votes="all", split="test")
    assert tested.blend.windows == "test"
    assert any("fitted to test windows" in note for note in tested.notes)
    mean = blend(runs, votes="all", split="test")  # of which nothing is fitted
    assert not any("fitted to test windows" in note for note in mean.notes)
    # What is calibrated on these answers is fitted to test windows, too, and patients stay known.
    write_blend(mean, tmp_path / "mean")
    fitted = calibrate(tmp_path / "mean", votes="all")
    assert fitted.calibration.fitted_on["windows"] == "test"
    assert "patients" in fitted.calibration.fitted_on
    assert not any("Patients are unknown" in note for note in fitted.notes)
    assert any("calibration is fitted to test windows" in note for note in fitted.notes)
    write_calibration(fitted, tmp_path / "mean")
    how = {"out": tmp_path / "q", "device": "cpu", "calibrated": True}
    said = predict(tmp_path / "mean", store.path, **how).summary["warnings"]
    assert any("The calibration of" in text and "fitted to test" in text for text in said)
    # Another answer in the same folder is not calibrated by what was fitted to the first.
    write_blend(tested, tmp_path / "mean")
    assert not (tmp_path / "mean" / "calibration.json").exists()
    with pytest.raises(RunError, match="is not calibrated"):
        predict(tmp_path / "mean", store.path, **how)
    for one, warned in ((found, False), (tested, True)):
        write_blend(one, tmp_path / one.blend.windows)
        said = predict(tmp_path / one.blend.windows, store.path, out=tmp_path / "p", device="cpu")
        assert any("fitted to test windows" in text for text in said.summary["warnings"]) is warned


@pytest.mark.usefixtures("few_will_do")
def test_runs_that_held_out_different_folds_are_blended_by_their_test_windows(
    store: Store, tmp_path: Path
) -> None:
    for fold, size in (("0", 32), ("1", 48)):
        train_small(store, tmp_path / fold, fold=fold, steps=1, seeds=2, image_size=size)
    runs = [tmp_path / "0", tmp_path / "1"]
    assert all((run / "out_of_fold.npz").is_file() for run in runs)
    assert blend(runs, votes="all").blend.windows == "test"


def test_a_blend_keeps_the_smallest_probabilities(made: Set, tmp_path: Path) -> None:
    """Rounded to 0 they would have a KL divergence that the blend had not."""
    sure = np.where(np.eye(6, dtype=bool)[made.votes.argmin(axis=1)], 1e-10, made.model(0.3))
    sure /= sure.sum(axis=1, keepdims=True)
    paths = []
    for name, power in (("a", 1.0), ("b", 1.1)):
        powers = sure**power
        answer = powers / powers.sum(axis=1, keepdims=True)
        paths.append(made.answers(tmp_path / f"{name}.csv", answer))
    truth = made.table(tmp_path / "train.csv")
    found = blend(paths, truth=truth, votes="all")
    write_blend(found, tmp_path / "blended")
    again = compare([tmp_path / "blended"], truth=truth)
    assert again.models["blended"].scores["kl"] == pytest.approx(found.hows["arithmetic"].kl)
