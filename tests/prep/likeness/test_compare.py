"""Planted differences are found, equal samples are not told apart, patients do not leak."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats
from support.helpers import Program, blank_outside, build_store, write_pair

import hmsprep
from hmsprep.kaggle.write import write_eeg
from hmsprep.likeness.comparison import ALL, Comparison, Realism, compare
from hmsprep.likeness.distances import Pooled, distances
from hmsprep.likeness.matching import draws, matched_weights
from hmsprep.likeness.page import make_page
from hmsprep.likeness.sample import NO_CLASS, Sample, majority, measure, read_sources, rows_of
from hmsprep.likeness.stand_ins import mean_areas, rows_like, stand_ins
from hmsprep.likeness.two_samples import tell_apart
from hmsprep.qeeg.judged.measures import Columns
from hmsprep.qeeg.judged.window import Measuring
from hmsstore import HMS, Store
from hmsstore.schema import CHANNELS

Floats = NDArray[np.float64]
PROGRAM = Program("hmsprep")
MEASURING = Measuring(Columns(HMS), (0.5, 40.0))
LPD, GPD = HMS.class_keys.index("lpd"), HMS.class_keys.index("gpd")
TIME = np.arange(2000) / 200
SOME = ("kurtosis", "power_delta", "rhythmicity", "correlation_far", "rise", "fall", "muscle")


def simulated(
    patients: int, seed: int, *, times: float = 1.0, jitter: float = 0.02, lag_s: float = 0.0
) -> Sample:
    """Windows with discharges of F7 and T4, measured; each of a patient of its own."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(patients):
        eeg = np.cumsum(rng.normal(0, 3, (2000, 20)), axis=0)
        between = rng.uniform(0.7, 1.0) * np.maximum(1 + jitter * rng.normal(size=14), 0.3)
        for at in np.cumsum(between)[np.cumsum(between) < 9.7]:
            for name, later in (("F7", 0.0), ("T4", lag_s)):
                bell = np.exp(-0.5 * ((TIME - at - later) / 0.025) ** 2)
                eeg[:, CHANNELS.index(name)] += rng.uniform(100, 180) * bell
        rows.append(MEASURING.values(times * eeg))
    return sample(np.array(rows), MEASURING.columns.names)


def sample(
    values: Floats,
    columns: tuple[str, ...] = SOME,
    code: NDArray[np.int64] | int = LPD,
    patient: NDArray[np.int64] | None = None,
    store: str = "one",
) -> Sample:
    count = len(values)
    own = np.arange(count) if patient is None else patient
    codes = np.broadcast_to(np.asarray(code, np.int64), (count,))
    return Sample("s", columns, values, codes, own, np.arange(count), store)


@pytest.fixture(scope="module")
def usual() -> Sample:
    return simulated(24, 0)


def compared(a: Sample, b: Sample) -> Comparison:
    return compare(HMS, a, replace(b, store="other"), resamples=30, seed=1)


def auc(found: Comparison, model: str = "linear") -> float:
    assert found.test is not None
    return found.test.models[model].auc


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        ({"times": 2.0}, {"amplitude.F7", "std", "discharge_height", "power_delta"}),
        ({"jitter": 0.5}, {"interval_cv"}),
        ({"lag_s": 0.05}, {"discharge_lag"}),
    ],
)
def test_a_planted_difference_is_far_and_told_apart(
    usual: Sample, planted: dict[str, float], expected: set[str]
) -> None:
    found = compared(usual, simulated(24, 5, **planted))
    rows = {one.column: one for one in found.largest(ALL)}
    for column in expected:
        one = rows[column]
        assert one.low > one.chance, column
        assert one.distance > 0.8, column
    assert auc(found) > 0.9
    top = [one.column for one in found.largest(ALL, 40)]
    assert expected <= set(top)


def test_equal_samples_are_close_and_not_told_apart(usual: Sample) -> None:
    found = compared(usual, simulated(24, 9))
    rows = found.largest(ALL)
    assert np.median([one.distance for one in rows]) < 0.35
    assert np.mean([one.distance > 2 * one.chance for one in rows]) < 0.1
    for model in ("linear", "trees"):
        assert 0.2 < auc(found, model) < 0.75


def test_an_interval_holds_its_distance_even_of_a_sample_and_its_copy(usual: Sample) -> None:
    """Patients that are drawn anew differ from each other more than a sample from itself."""
    rows = compared(usual, usual).largest(ALL)
    assert {one.distance for one in rows} == {0}
    assert {one.low for one in rows} == {0}
    assert max(one.high for one in rows) > 0.1
    rows = compared(usual, simulated(24, 9)).largest(ALL)
    assert all(one.low <= one.distance <= one.high for one in rows)


def test_patients_do_not_leak_into_the_score() -> None:
    rng = np.random.default_rng(0)

    def side(store: str) -> Sample:
        own = rng.normal(0, 1, (16, len(SOME)))  # a patient is like no other; the sides are alike
        values = np.repeat(own, 6, axis=0) + rng.normal(0, 0.05, (96, len(SOME)))
        return sample(values, patient=np.repeat(np.arange(16), 6), store=store)

    a, b = side("one"), side("two")
    held = tell_apart(a, b, resamples=200, seed=0)
    every = np.arange(96), np.arange(96, 192)
    leaking = tell_apart(a, b, resamples=20, seed=0, groups=every)
    assert held is not None
    assert leaking is not None
    assert leaking.models["trees"].auc > 0.97
    assert held.models["trees"].auc < 0.75
    assert held.models["trees"].low < 0.5
    assert held.patients == (16, 16)


def test_a_patient_of_both_sides_of_one_store_is_held_out_whole() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(0, 1, (8, len(SOME)))
    values = np.repeat(own, 6, axis=0) + rng.normal(0, 0.05, (48, len(SOME)))
    patient = np.repeat(np.arange(8), 6)
    a, b = sample(values, patient=patient), sample(values * 1.0001, patient=patient)
    found = tell_apart(a, b, resamples=20, seed=0)
    assert found is not None
    assert all(0.3 < one.auc < 0.7 for one in found.models.values())


def test_classes_tell_nothing() -> None:
    rng = np.random.default_rng(2)

    def side(share: float) -> Sample:
        code = np.where(rng.random(120) < share, LPD, GPD)
        return sample(rng.normal(3.0 * (code == LPD)[:, None], 1, (120, len(SOME))), code=code)

    found = compared(side(0.8), side(0.2))
    for model in ("linear", "trees"):
        assert 0.35 < auc(found, model) < 0.65
    assert max(one.distance for one in found.distances if one.group == ALL) < 0.4


def test_what_stands_in_for_a_source_is_as_many_windows_and_is_judged_as_the_source_is() -> None:
    rng = np.random.default_rng(4)

    def side(count: int, shift: float, store: str, name: str) -> Sample:
        code = np.where(np.arange(count) % 3 == 0, LPD, GPD)
        values = rng.normal(shift, 1, (count, len(SOME)))
        return replace(sample(values, code=code, store=store), name=name)

    one, two = side(12, 0, "real", "one"), side(24, 0, "real", "two")
    two = replace(two, patient=two.patient + 100)
    alike, apart = side(300, 0, "alike", "alike"), side(300, 2, "apart", "apart")
    found = stand_ins(one, two, alike, draws=4, seed=0)
    assert [each.windows for each in found] == [(24, 12), (12, 24)]
    assert [each.title for each in found] == ["two | alike for one", "one | alike for two"]
    told = {
        name: mean_areas(stand_ins(one, two, other, draws=4, seed=0))
        for name, other in (("alike", alike), ("apart", apart))
    }
    for model in ("linear", "trees"):
        assert 0.3 < told["alike"][model].auc < 0.7
        assert told["apart"][model].auc > 0.9
    # more windows of the same sample change nothing but the draws
    assert stand_ins(one, two, side(20, 0, "few", "few"), draws=4, seed=0)[0].windows == (24, 12)
    assert stand_ins(one, two, side(9, 0, "fewer", "fewer"), draws=4, seed=0) == ()


def test_what_stands_in_without_enough_patients_in_each_draw_is_left_out() -> None:
    def side(codes: list[int], patients: list[int], store: str, name: str) -> Sample:
        values = np.random.default_rng(len(codes)).normal(0, 1, (len(codes), len(SOME)))
        made = sample(values, code=np.array(codes), patient=np.array(patients), store=store)
        return replace(made, name=name)

    two = side([LPD, LPD, GPD, GPD], [1, 2, 3, 4], "real", "two")
    one = side([LPD, GPD], [5, 6], "real", "one")
    other = side([LPD, GPD, GPD, GPD], [1, 1, 2, 3], "other", "other")  # some draws: one patient
    assert any(stand_ins(two, one, other, seed=seed, draws=1) for seed in range(8))
    for seed in range(8):
        found = stand_ins(two, one, other, seed=seed)
        assert all(
            len(drawn.each) == each.draws for each in found for drawn in each.models.values()
        )
        mean_areas(found)


def test_what_stands_in_is_of_as_many_patients_as_there_are() -> None:
    code = np.array([LPD] * 30 + [GPD] * 4)
    many = sample(np.zeros((34, len(SOME))), code=code, patient=np.arange(34) // 5)
    rows = rows_like(many, np.array([LPD] * 6 + [GPD] * 3), np.random.default_rng(0))
    assert rows is not None
    assert len(set(many.patient[rows[many.code[rows] == LPD]].tolist())) == 6
    assert sorted(many.code[rows].tolist()) == sorted([LPD] * 6 + [GPD] * 3)
    assert len(set(rows.tolist())) == 9
    assert rows_like(many, np.array([GPD] * 5), np.random.default_rng(0)) is None


def test_weights_give_both_samples_the_classes_of_the_first() -> None:
    a, b = np.array([0, 0, 0, 1, 2, NO_CLASS]), np.array([0, 1, 1, 1, 1, 3])
    of_a, of_b = matched_weights(a, b, np.ones(6), np.ones(6))
    assert of_a.tolist() == [0.25, 0.25, 0.25, 0.25, 0, 0]
    assert of_b.tolist() == [0.75, 0.0625, 0.0625, 0.0625, 0.0625, 0]
    assert not np.concatenate(matched_weights(a[:3], b[1:], np.ones(3), np.ones(5))).any()


def test_drawing_patients_draws_all_their_windows() -> None:
    times = draws(np.array([7, 7, 3, 9]), 50, np.random.default_rng(0))
    assert (times[:, 0] == times[:, 1]).all()
    assert (times[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_more_windows_of_the_same_patients_make_no_distance_surer() -> None:
    """Chance deals patients, and the interval draws them: a window more of one tells no more."""
    rng = np.random.default_rng(5)
    sides = [rng.normal(0, 1, (8, len(SOME))) for _ in range(2)]

    def compared_with(windows: int) -> list[tuple[float, float]]:
        patient = np.repeat(np.arange(8), windows)
        a, b = (
            sample(side[patient] + rng.normal(0, 0.001, (len(patient), len(SOME))), patient=patient)
            for side in sides
        )
        found = distances(a, b, ALL, None, resamples=100, seed=0)
        return [(one.chance, one.high - one.low) for one in found]

    for one, twelve in zip(compared_with(1), compared_with(12), strict=True):
        assert twelve == pytest.approx(one, rel=0.1)


def test_distances_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, (60, 2)), np.round(rng.normal(0.5, 2, (90, 2)), 1)
    weights_a, weights_b = rng.random(60), rng.random(90)
    b[5, 1] = np.nan
    pooled = Pooled(a, b)
    one, other = pooled.cumulated(np.concatenate([weights_a, weights_b]), pooled.of_a)
    known = np.isfinite(b[:, 1])
    expected = [
        stats.wasserstein_distance(a[:, 0], b[:, 0], weights_a, weights_b),
        stats.wasserstein_distance(a[:, 1], b[known, 1], weights_a, weights_b[known]),
    ]
    assert pooled.wasserstein(one, other) == pytest.approx(expected)
    one, other = pooled.cumulated(np.ones(150), pooled.of_a)
    expected = [
        stats.ks_2samp(a[:, 0], b[:, 0]).statistic,
        stats.ks_2samp(a[:, 1], b[known, 1]).statistic,
    ]
    assert pooled.kolmogorov_smirnov(one, other) == pytest.approx(expected)


def test_a_tie_of_votes_has_no_class() -> None:
    votes = np.array([[3, 0, 1], [2, 2, 0], [0, 0, 0], [0, 0, 1]])
    assert majority(votes).tolist() == [0, NO_CLASS, NO_CLASS, 2]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A store of few windows; the same with only ten seconds of each; the same twice as large."""
    rows = [
        {"eeg_id": 100 + n, "spectrogram_id": 200 + n, "patient_id": n,
         **({} if n % 2 else {"lpd_vote": 0, "gpd_vote": 5, "expert_consensus": "GPD"})}
        for n in range(12)
    ]  # fmt: skip
    top = tmp_path_factory.mktemp("likeness")
    made = []
    write_pair(top / "data", rows, seed=3)
    for name in ("whole", "short", "double"):
        data = shutil.copytree(top / "data", top / name)
        for row in rows:
            if name == "short":
                blank_outside(data, row["eeg_id"], row["spectrogram_id"])
            if name == "double":
                path = data / "train_eegs" / f"{row['eeg_id']}.parquet"
                write_eeg(path, 2 * pl.read_parquet(path).to_numpy().T)
        options = {"split_by": "all", "nan": "mean", "normalise": "none"}
        build_store(data, top / f"{name}.zarr", **options)
        made.append(top / f"{name}.zarr")
    return made[0], made[1], made[2]


def test_only_the_recorded_judged_seconds_are_looked_at(stores: tuple[Path, Path, Path]) -> None:
    found = hmsprep.realism([stores[0], stores[1], stores[2]], resamples=5, workers=1)
    short, double = found.comparisons
    np.testing.assert_array_equal(short.a.values, short.b.values)
    assert {one.distance for one in short.largest(ALL)} == {0.0}
    rows = {one.column: one for one in double.largest(ALL)}
    assert rows["amplitude.Fz"].b[2] == pytest.approx(2 * rows["amplitude.Fz"].a[2], rel=0.01)
    assert double.largest(ALL)[0].distance > 1


def test_what_fills_a_gap_within_the_judged_seconds_is_not_measured(tmp_path: Path) -> None:
    rows = [
        {"eeg_id": 100 + n, "spectrogram_id": 200 + n, "patient_id": n} for n in range(4)
    ]  # fmt: skip
    data = write_pair(tmp_path / "data", rows)
    gaps = ([(4900, 5200)], [(3800, 4100), (4990, 4995)], [(4500, 4510), (5300, 5310)], [])
    for row, some in zip(rows, gaps, strict=True):
        path = data / "train_eegs" / f"{row['eeg_id']}.parquet"
        values = pl.read_parquet(path).to_numpy().T.copy()
        for first, stop in some:
            values[:, first:stop] = np.nan
        write_eeg(path, values)
    parts = (slice(4000, 4900), slice(4995, 6000), None, slice(4000, 6000))
    measured = []
    for nan in ("zero", "interpolate"):
        options = {"split_by": "all", "nan": nan, "normalise": "none"}
        store = build_store(data, tmp_path / f"{nan}.zarr", **options)
        measured.append(
            measure(
                store, np.arange(4), nan, bandpass=(0.5, 40.0), workers=1, executor=None,
                measured=lambda _: None,
            )
        )  # fmt: skip
        eeg = store.denormalise(store.gather(np.arange(4), "eeg"))["eeg"]
        expected = [
            MEASURING.values(window[part])
            for window, part in zip(eeg, parts, strict=True)
            if part is not None
        ]
        np.testing.assert_array_equal(measured[-1].values, expected)
    zero, interpolated = measured
    assert zero.eeg_id.tolist() == [100, 101, 103]  # of 102 no four seconds are whole
    np.testing.assert_array_equal(zero.values, interpolated.values)
    assert not zero.values[:, zero.columns.index("flat")].any()


def test_the_command_writes_page_table_and_json(
    stores: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    split = tmp_path / "split.csv"
    lines = [f"{100 + n},{'one' if n < 8 else 'two'},{'choose' if n % 4 < 2 else 'report'}"
             for n in range(12)]  # fmt: skip
    split.write_text("\n".join(["eeg_id,source,half", *lines]) + "\n")
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    given = (stores[0], stores[2], "--resamples", 5)
    told = PROGRAM.succeed("realism", *given, "--html", page, "--csv", table, "--source", split)
    assert "whole | double" in told.stdout
    assert "one | two" in told.stdout
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "://" not in text  # no letters alone: an image in base64 may hold any
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["class"] for row in rows} == {"all", "lpd", "gpd"}
    assert {row["first"] for row in rows} == {"whole", "one"}
    again = PROGRAM.succeed("realism", *given, "--json", "--half", "choose", "--source", split)
    facts = json.loads(again.stdout)
    assert facts["comparisons"][0]["a"]["windows"] == 6
    assert facts["comparisons"][0]["b"]["windows"] == 12
    assert sum(one["a"]["windows"] + one["b"]["windows"] for one in facts["sources"]) == 6
    assert {one["name"] for one in facts["stand_ins"]} <= {"double"}


@pytest.mark.parametrize(("code", "patients"), [(LPD, 1), (GPD, 24)])
def test_a_page_says_where_there_are_too_few_patients_to_tell_samples_apart(
    usual: Sample, tmp_path: Path, code: int, patients: int
) -> None:
    """Too few of them, or none with windows of a class that both have."""
    other = replace(usual, code=np.full(len(usual), code), patient=np.arange(24) % patients)
    comparison = compared(replace(usual, code=np.full(len(usual), LPD)), other)
    assert comparison.test is None
    page = make_page(Realism(HMS, (comparison,), (), (), None, None, ()))
    page.write(tmp_path / "page.html")
    assert "too few" in (tmp_path / "page.html").read_text()


def test_nothing_of_the_other_half_is_read(stores: tuple[Path, Path, Path], tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    lines = [f"{100 + n},one,{'choose' if n < 7 else 'report'}" for n in range(12)]
    split.write_text("\n".join(["eeg_id,source,half", *lines]) + "\n")
    found = hmsprep.realism(
        [stores[0], stores[2]], source=split, half="choose", resamples=5, workers=1
    )
    assert sorted(found.comparisons[0].a.eeg_id.tolist()) == list(range(100, 107))
    store = Store.open(stores[0])
    assert len(rows_of(store, read_sources(split), None, split)) == 12


def test_the_number_of_workers_changes_nothing(stores: tuple[Path, Path, Path]) -> None:
    one, two = (
        hmsprep.realism(stores[::2], resamples=5, workers=count).to_json() for count in (1, 2)
    )
    assert json.dumps(one) == json.dumps(two)


def test_what_cannot_be_compared_is_refused(
    stores: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    def fail(*given: Path, **options: Any) -> str:
        with pytest.raises(hmsprep.PrepError) as refused:
            hmsprep.realism(given, **options)
        return str(refused.value)

    two = stores[:2]
    assert "two stores or more, got 1" in PROGRAM.fail("realism", stores[0])
    for alone in (str(stores[0]), stores[0], Store.open(stores[0])):
        with pytest.raises(hmsprep.ParameterError, match="two stores or more, got 1"):
            hmsprep.realism(alone)
    assert "--source" in fail(*two, half="choose")
    assert "rising frequencies" in fail(*two, bandpass=(40, 2))
    assert "from 0.01 to below 100 Hz" in fail(*two, bandpass=(1e-9, 40))
    assert "expected a whole number, 1 or more" in fail(*two, resamples=0)
    assert "rising frequencies" in fail(*two, bandpass=40)
    assert "--seed: expected a whole number" in fail(*two, seed=1.5)
    assert "--workers: expected a whole number" in fail(*two, workers=-1)
    assert "no folder" in fail(*two, html=tmp_path / "no" / "x.html")
    table = tmp_path / "split.csv"
    table.write_text("eeg_id,origin\n1,x\n")
    assert "no source" in fail(*two, source=table)
    table.write_text("eeg_id,source\n100,x\nx,y\n100,z\n")
    said = fail(*two, source=table)
    assert "line 3" in said
    assert "line 4" in said
    table.write_text("eeg_id,source,half\n100,x,choose\n")
    assert "does not name 11" in fail(*two, source=table)
    lines = "".join(f"{100 + n},x,report\n" for n in range(12))
    table.write_text(f"eeg_id,source,half\n{lines}")
    assert "no EEG has half 'choose'" in fail(*two, source=table, half="choose")
