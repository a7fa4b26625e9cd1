"""What a survey finds in a data set, against plain counting and planted faults."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.helpers import LARGEST_PAGE, train_row, write_pair

import hmsprep
from hmsprep import processes
from hmsprep.inspection.page import make_page
from hmsprep.inspection.samples import choose, raw_window
from hmsprep.inspection.sections import findings, sections
from hmsprep.inspection.survey import Survey, survey
from hmsprep.kaggle.files import KaggleData
from hmsstore.schema import CLASSES


@pytest.fixture(scope="module")
def found(data: Path) -> Survey:
    """The survey of the simulated set."""
    return survey(KaggleData(data), workers=1)


def planted(folder: Path) -> Path:
    """Three EEGs of two spectrograms, with a fault of every kind."""
    write_pair(
        folder,
        [
            {"label_id": 1},
            {"label_id": 2, "eeg_label_offset_seconds": 10.0,
             "spectrogram_label_offset_seconds": 11.0, "eeg_sub_id": 1},
            {"eeg_id": 7, "spectrogram_id": 8, "patient_id": 9, "label_id": 3,
             "seizure_vote": 6, "lpd_vote": 6, "expert_consensus": "Seizure"},
            {"eeg_id": 5, "spectrogram_id": 8, "patient_id": 9, "label_id": 3},
        ],
    )  # fmt: skip
    eegs = folder / "train_eegs"
    change(eegs / "1.parquet", lambda f: f.with_columns(
        pl.lit(9999, pl.Float32).alias("EKG"),
        pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise(pl.col("Cz")).alias("Cz"),
        pl.when(pl.int_range(pl.len()) == 7).then(5000).otherwise(pl.col("O1")).alias("O1")
        .cast(pl.Float32),
    ))  # fmt: skip
    shutil.copyfile(eegs / "7.parquet", eegs / "5.parquet")
    shutil.copyfile(eegs / "7.parquet", eegs / "12.parquet")
    change(folder / "train_spectrograms" / "8.parquet", lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) < 50).then(None).otherwise(pl.all().exclude("time"))
        .name.keep()
    ))  # fmt: skip
    return folder


def change(path: Path, how: Any) -> None:
    how(pl.read_parquet(path)).write_parquet(path)


def test_a_survey_counts_what_plain_counting_does(found: Survey, table: pl.DataFrame) -> None:
    facts = found.facts
    assert facts["windows"] == len(table)
    for name in ("eeg", "spectrogram", "patient"):
        assert facts[f"{name}s"] == table[f"{name}_id"].n_unique()
    for name in CLASSES:
        votes = facts["votes"]["all"]["votes_by_class"][name]
        assert votes == table[f"{name}_vote"].sum()
    consensus = dict(table["expert_consensus"].str.to_lowercase().value_counts().iter_rows())
    assert facts["votes"]["all"]["consensus_by_class"] == {c: consensus.get(c, 0) for c in CLASSES}
    many = table.filter(pl.sum_horizontal(f"{name}_vote" for name in CLASSES) >= 10)
    assert facts["votes"]["at least 10"]["windows"] == len(many)
    per_eeg = table["eeg_id"].value_counts()["count"]
    assert facts["windows_per_eeg"]["max"] == per_eeg.max()
    assert facts["windows_per_eeg"]["median"] == per_eeg.median()
    column = next(c for c in facts["columns"] if c["name"] == "eeg_label_offset_seconds")
    assert column["range"][4] == table["eeg_label_offset_seconds"].max()
    assert facts["problems"] == []


def test_extremes_and_gaps_are_those_of_the_files(found: Survey, data: Path) -> None:
    for name in ("eeg", "spectrogram"):
        lowest, highest, missing = np.inf, -np.inf, 0
        for path in (data / f"train_{name}s").iterdir():
            values = pl.read_parquet(path).drop("time", strict=False).to_numpy()
            lowest = min(lowest, np.nanmin(values))
            highest = max(highest, np.nanmax(values))
            missing += np.isnan(values).sum()
        signal = found.facts["signals"][name]
        assert signal["range"] == [lowest, highest]
        assert signal["missing"]["values"] == missing


def test_processes_change_nothing(
    found: Survey, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SMALL_BYTES", 0)
    assert survey(KaggleData(data), workers=2).facts == found.facts


def test_every_planted_fault_is_found(tmp_path: Path) -> None:
    folder = planted(tmp_path / "data")
    facts = survey(KaggleData(folder), workers=1).facts
    eeg = facts["signals"]["eeg"]
    assert eeg["constant"] == {"EKG": {"9999": 1}}
    assert eeg["missing"] == {"recordings": 1, "values": 100, "rows_all_missing": 0}
    most = [{"id": 1, "share": 1 / (20 * 12_000), "channels": {}}]
    assert eeg["outside"] == {"recordings": 1, "values": 1, "most": most, "channels": 0}
    assert eeg["same_content"] == [[5, 7]]
    assert eeg["not_named"] == 1
    assert eeg["channels"]["O1"][1] == 5000
    assert facts["signals"]["spectrogram"]["missing"]["rows_all_missing"] == 50
    assert facts["windows_with_missing"] == {
        "eeg": 1, "spectrogram": 2, "either": 3, "without files": 0, "left": 1,
    }  # fmt: skip
    assert facts["quirks"] == {
        "offsets_between_spectrogram_rows": 1,
        "eegs_that_move_against_their_spectrogram": 1,
        "label_ids_given_twice": 1,
    }
    assert facts["votes"]["all"]["agreement"]["ties"] == 1
    text = " ".join(findings(facts))
    assert "1 EEG recording with values beyond the clip (1,024 uV" in text
    for words in ("5, 7 are identical", "EKG 1", "3 windows with missing", "odd", "label id"):
        assert words in text
    json.dumps(facts)


def test_agreement_is_the_chance_that_two_raters_say_the_same(tmp_path: Path) -> None:
    votes = [(3, 0), (3, 0), (2, 1), (6, 4), (1, 0), (7, 3)]
    rows = [
        {"eeg_label_offset_seconds": 2.0 * n, "spectrogram_label_offset_seconds": 2.0 * n,
         "label_id": n, "lpd_vote": lpd, "gpd_vote": gpd, "other_vote": 0}
        for n, (lpd, gpd) in enumerate(votes)
    ]  # fmt: skip
    folder = write_pair(tmp_path / "data", rows)
    facts = survey(KaggleData(folder), workers=1).facts["votes"]
    found = facts["all"]["agreement"]
    pairs = [1, 2 / 6, (30 + 12) / 90, (42 + 6) / 90]  # the second (3, 0) is the first again
    assert found["two raters agree"] == pytest.approx(np.mean(pairs))
    assert found["unanimous"] == 2
    assert found["largest share in tenths"] == [0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 3]
    many = facts["at least 10"]["agreement"]["two raters agree"]
    assert many == pytest.approx(np.mean(pairs[2:]))


def test_a_data_set_without_a_single_pair_is_told_so(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "data", [{}])
    (folder / "train_spectrograms" / "2.parquet").unlink()
    seen = survey(KaggleData(folder), workers=1)
    text = " ".join(findings(seen.facts))
    assert "nothing can be built" in text
    assert "--missing skip" not in text
    html = make_page(seen).to_html()
    assert "there is nothing to draw" in html


def test_bad_files_are_findings_and_the_rest_is_surveyed(tmp_path: Path) -> None:
    rows = [{}, {"eeg_id": 7, "spectrogram_id": 8, "label_id": 5, "patient_id": 6}]
    folder = write_pair(tmp_path / "data", rows)
    (folder / "train_eegs" / "7.parquet").write_text("a,b\n1,2\n")
    (folder / "train_spectrograms" / "8.parquet").unlink()
    seen = survey(KaggleData(folder), workers=1)
    assert len(seen.facts["problems"]) == 1
    assert "7.parquet is not a whole parquet file" in seen.facts["problems"][0]
    assert seen.facts["signals"]["spectrogram"]["without_file"] == 1
    assert seen.facts["windows_with_missing"]["without files"] == 1
    assert seen.facts["windows_with_missing"]["left"] == 1
    text = " ".join(findings(seen.facts))
    assert "1 of the 2 spectrograms in the table have no file" in text
    assert choose(seen) == [0]
    make_page(seen).to_html()


def test_a_file_cut_short_is_a_finding(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "data", [{}, {"eeg_label_offset_seconds": 10.0}])
    change(folder / "train_eegs" / "1.parquet", lambda f: f.head(11_000))
    seen = survey(KaggleData(folder), workers=1)
    assert seen.facts["signals"]["eeg"]["short"] == 1
    assert seen.missing["eeg"].tolist() == [0, -1]
    assert "1 window beyond the end" in " ".join(findings(seen.facts))


def test_eegs_of_another_rate_are_warned_of_before_they_are_stretched(
    data: Path, found: Survey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert found.facts["signals"]["eeg"]["other_rate"] is None
    rows = [{}, {"eeg_id": 5, "eeg_label_offset_seconds": 10.0}]
    folder = write_pair(tmp_path / "data", rows)
    hmsprep.build(folder, tmp_path / "good.zarr", executor=ThreadPoolExecutor(1))
    assert "Hz" not in caplog.text
    for file in (folder / "train_eegs").iterdir():
        change(file, lambda f: pl.concat([f, f.head(-(-f.height * 7 // 25))]))
    warning = "2 of 2 EEGs have 1.28 times the rows that their windows need: expected 200 Hz. If "
    assert warning in " ".join(survey(KaggleData(folder), workers=1).warnings)
    hmsprep.build(folder, tmp_path / "hms.zarr", executor=ThreadPoolExecutor(1))
    assert warning in caplog.text


def test_unlabelled_data_can_be_surveyed(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "data", [{}])
    table = pl.DataFrame([train_row()])
    table.select("eeg_id", "spectrogram_id", "patient_id").write_csv(folder / "train.csv")
    seen = survey(KaggleData(folder), workers=1)
    assert seen.facts["labelled"] == 0
    assert "votes" not in seen.facts
    assert "Raters" not in [section.title for section in sections(seen.facts)]
    assert "<h2" in make_page(seen).to_html()


def test_a_window_is_drawn_as_it_stands_in_the_file(tmp_path: Path) -> None:
    seen = survey(KaggleData(planted(tmp_path / "data")), workers=1)
    window = raw_window(seen, 0)
    expected = pl.read_parquet(tmp_path / "data" / "train_eegs" / "1.parquet").to_numpy()[:10_000]
    np.testing.assert_array_equal(window.eeg_uv, expected)
    assert np.isnan(window.eeg_uv).sum() == 100
    assert {2, 0} & set(choose(seen))


def test_the_page_holds_its_findings_and_stays_small(found: Survey) -> None:
    page = make_page(found)
    html = page.to_html()
    assert len(html) < LARGEST_PAGE
    assert html.count("<figure>") >= 4 + len(np.unique(found.columns["expert_consensus"]))
    for sentence in findings(found.facts):
        assert sentence.split("`")[0][:40] in html
