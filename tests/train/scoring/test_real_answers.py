"""Real answers of real networks come to the figures that others computed of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.blending import blend_matched
from hmstrain.scoring.calibrate import calibrate, calibrate_matched
from hmstrain.scoring.comparison.compare import compare_matched
from hmstrain.scoring.comparison.results import Comparison

NAMES = ("stft_stage1", "stft_stage2", "raw_stage2")


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    found = real_data / "predictions"
    if not (found / "stft_stage1.csv").is_file():
        pytest.skip(f"{real_data} holds no predictions")
    return found


@pytest.fixture(scope="module")
def truth(real_data: Path) -> Path:
    return real_data / "metadata" / "train_metadata.parquet"


@pytest.fixture(scope="module")
def compared(folder: Path, truth: Path) -> Comparison:
    paths = [folder / f"{name}.csv" for name in NAMES]
    return compare_matched(matched_answers(paths, truth=truth))


def test_levels_are_those_of_an_independent_script(compared: Comparison) -> None:
    levels = {name: compared.models[name].scores for name in NAMES}
    assert [round(one["kl"] or 0, 4) for one in levels.values()] == [0.5146, 0.6410, 0.6393]
    assert [round(one["kl_hi"] or 0, 4) for one in levels.values()] == [0.3675, 0.2365, 0.2546]
    assert compared.rows == 21_490
    hi = compared.populations["kl_hi"]
    assert (hi.rows, hi.groups) == (6_329, 1_054)
    assert any(note.startswith("109 rows not in") for note in compared.notes)
    assert any("not known of 109 of 21,490 rows" in note for note in compared.notes)


def test_a_mean_of_two_beats_the_better_one_by_what_others_found(
    folder: Path, truth: Path, tmp_path: Path
) -> None:
    paths = [folder / f"{name}.csv" for name in NAMES[1:]]
    found = blend_matched(matched_answers(paths, truth=truth))
    assert (found.rows, found.patients, found.best) == (6_329, 1_054, "stft_stage2")
    mean = found.hows["arithmetic"]
    assert mean.kl == pytest.approx(0.2243, abs=5e-5)
    assert mean.difference == pytest.approx(-0.0122, abs=5e-5)
    assert mean.interval == pytest.approx((-0.0170, -0.0073), abs=5e-4)
    assert found.hows["logits"].kl_in_sample <= found.hows["logits"].kl < mean.kl


def test_seven_numbers_recover_most_of_a_second_stage(folder: Path, truth: Path) -> None:
    matched = matched_answers([folder / "stft_stage1.csv"], truth=truth)
    kinds = calibrate_matched(matched, votes="10+").kinds
    assert kinds["as it is"].kl == pytest.approx(0.3675, abs=5e-5)
    assert kinds["temperature"].kl == pytest.approx(0.353, abs=1e-3)
    assert kinds["temperature and bias"].kl == pytest.approx(0.277, abs=1e-3)


def test_segments_without_ids_are_resampled_by_their_votes(folder: Path) -> None:
    found = calibrate(folder / "sparcnet_iiic_test.parquet", votes="all")
    assert len(found.judged.target) == 35_740
    assert found.kinds["as it is"].kl == pytest.approx(0.5084, abs=5e-5)
    assert found.kinds["temperature"].kl == pytest.approx(0.396, abs=1e-3)
    assert any("rows of equal votes are resampled as one" in note for note in found.notes)
