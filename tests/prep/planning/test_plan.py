"""Where everything will lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsprep.errors import DataError, ParameterError
from hmsprep.kaggle.files import KaggleData
from hmsprep.planning.load import load_metadata, read_montages
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.plan import Plan, make_plan, summary
from hmsprep.planning.segments import first_fit
from hmsprep.planning.windows import take
from hmsstore.recordings import ImportedPiece, ImportedRecording, write_recordings
from hmsstore.schema import CHANNELS, EEG, SIGNALS, SPECTROGRAM


def table(eegs: list[tuple[list[int], int]], *, odd: bool = False) -> dict[str, Any]:
    """Windows of EEGs, each with its offsets (in steps of 2 s) and its start in the spectrogram."""
    rows = [
        (100 + i, 10 + i // 2, i // 4, 2.0 * step, 2.0 * (start + step) + odd)
        for i, (steps, start) in enumerate(eegs)
        for step in steps
    ]
    eeg, spectrogram, patient, offset, spectrogram_offset = (
        np.asarray(c) for c in zip(*rows, strict=True)
    )
    votes = np.tile([0, 3, 0, 0, 0, 1], (len(rows), 1))
    return {
        "eeg_id": eeg,
        "eeg_sub_id": np.arange(len(rows)),
        "spectrogram_id": spectrogram,
        "spectrogram_sub_id": np.arange(len(rows)),
        "label_id": np.arange(len(rows)),
        "patient_id": patient,
        "eeg_offset_s": offset,
        "spectrogram_offset_s": spectrogram_offset,
        "votes": votes,
        "expert_consensus": np.ones(len(rows), np.int8),
    }


eegs = st.lists(
    st.tuples(
        st.lists(st.integers(0, 400), min_size=1, max_size=5, unique=True), st.integers(0, 9)
    ),
    min_size=1,
    max_size=25,
)
SMALL = Parameters(eeg_shard_rows=40_000, spectrogram_shard_rows=900)


@settings(max_examples=80, deadline=None)
@given(eegs, st.booleans())
def test_every_window_lies_within_one_shard_and_its_own_span(
    eegs: list[tuple[list[int], int]], odd: bool
) -> None:
    windows = table(eegs, odd=odd)
    plan = make_plan(windows, SMALL)
    for name, signal in SIGNALS.items():
        columns, segments = plan.columns, plan.segments[name]
        start = columns[f"{name}_start"]
        low, high = columns[f"{name}_span_start"], columns[f"{name}_span_stop"]
        stop = start + signal.window_rows
        assert ((low <= start) & (stop <= high)).all()
        rows = SMALL.shard_rows(name)
        assert (low // rows == (high - 1) // rows).all()
        # The row in the array is the row in the file, moved with its segment.
        at = {int(s): i for i, s in enumerate(segments.start)}
        own = np.asarray([at[int(s)] for s in low])
        assert (segments.recording[own] == columns[f"{name}_id"]).all()
        assert (segments.patient[own] == columns["patient_id"]).all()
        offset = windows[f"{name}_offset_s"]
        expected = np.floor(offset * signal.row_rate_hz).astype(int)
        assert (start - low + segments.source_start[own] == expected).all()


@settings(max_examples=60, deadline=None)
@given(eegs)
def test_segments_cover_each_span_once_apart_from_what_they_share(
    eegs: list[tuple[list[int], int]],
) -> None:
    windows = table(eegs)
    plan = make_plan(windows, SMALL)
    for name, signal in SIGNALS.items():
        segments = plan.segments[name]
        order = np.argsort(segments.start)
        begin, end = segments.start[order], (segments.start + segments.rows)[order]
        assert (begin[1:] >= end[:-1]).all()
        row = signal.row_at(windows[f"{name}_offset_s"])
        for recording in np.unique(windows[f"{name}_id"]):
            own = windows[f"{name}_id"] == recording
            span = np.arange(row[own].min(), row[own].max() + signal.window_rows)
            parts = segments.recording == recording
            covered = np.concatenate(
                [
                    np.arange(s + shared, s + rows)
                    for s, rows, shared in zip(
                        segments.source_start[parts],
                        segments.rows[parts],
                        segments.shared[parts],
                        strict=True,
                    )
                ]
            )
            assert sorted(covered.tolist()) == span.tolist()


def test_a_span_is_what_the_whole_table_covers_whatever_is_selected() -> None:
    windows = table([([0, 10, 20], 0)])
    chosen = take(windows, np.asarray([1]))
    plan = make_plan(windows, Parameters(), chosen)
    assert plan.segments["eeg"].rows.tolist() == [200 * (40 + 50)]
    assert plan.columns["eeg_start"].tolist() == [200 * 20]
    assert plan.columns["eeg_span_stop"].tolist() == [200 * 90]


def test_spans_start_at_the_first_window() -> None:
    plan = make_plan(table([([5, 8], 3)]), Parameters())
    assert plan.segments["eeg"].source_start.tolist() == [2000]
    assert plan.segments["spectrogram"].source_start.tolist() == [8]
    assert plan.segments["spectrogram"].rows.tolist() == [303]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60))
def test_packing_is_first_fit(lengths: list[int]) -> None:
    shard, start = first_fit(np.asarray(lengths), 100)
    free: list[int] = []
    for length, number, first in zip(lengths, shard.tolist(), start.tolist(), strict=True):
        fits = [i for i, room in enumerate(free) if room >= length]
        expected = fits[0] if fits else len(free)
        if expected == len(free):
            free.append(100)
        assert number == expected
        assert first == number * 100 + 100 - free[number]
        free[number] -= length


def test_every_piece_of_an_imported_recording_is_as_the_recording_is(tmp_path: Path) -> None:
    pieces = (ImportedPiece(10_000, 0.0), ImportedPiece(10_001, 3_000.0))
    odd = ImportedRecording(
        "odd.edf", 6_600.0, 1, (200.0,), (), (), pieces,
        reference="chains", interpolated=("T5",), contiguous=True,
    )  # fmt: skip
    plain = ImportedRecording("b.edf", 60.0, 2, (200.0,), (), (), (ImportedPiece(20_000, 0.0),))
    write_recordings(tmp_path, (odd, plain), 10.0)
    (tmp_path / "test.csv").touch()
    found = read_montages(KaggleData(tmp_path), Parameters())
    assert found.chains == found.contiguous == {10_000, 10_001}
    t5 = 1 << CHANNELS.index("T5")
    assert found.interpolated == {10_000: t5, 10_001: t5}


def test_the_hash_follows_parameters_and_table() -> None:
    windows = table([([0, 3], 0), ([1], 4)])
    plan = make_plan(windows, Parameters())
    assert plan.hash == make_plan(windows, Parameters()).hash
    assert plan.hash != make_plan(windows, Parameters(nan="mean")).hash
    windows["votes"][0] = [1, 0, 0, 0, 0, 0]
    assert plan.hash != make_plan(windows, Parameters()).hash


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"eeg_clip": -1.0}, "--eeg-clip: expected none, or microvolts"),
        ({"spectrogram_clip": (3.0, 2.0)}, "--spectrogram-clip: expected .*LOW < HIGH"),
        ({"spectrogram_clip": (1e-50, 2.0)}, "--spectrogram-clip: expected .*1e-30"),
        ({"eeg_clip": float("nan")}, "--eeg-clip: expected none, or microvolts"),
        ({"bandpass": (0.5, 100.0)}, "--bandpass: expected .*HIGH < 100"),
        ({"bandpass": (1e-9, 40.0)}, "--bandpass: expected none, or Hz with 0.01 <= LOW"),
        ({"windows": "some"}, "--windows: expected one of all, votes, eeg, got 'some'"),
        ({"windows": ["all"]}, "--windows: expected one of all, votes, eeg, got \\['all'\\]"),
        ({"seed": -1}, "--seed: expected a whole number"),
        ({"seed": 1.5}, "--seed: expected a whole number from 0 to .* got 1.5"),
        ({"seed": "a"}, "--seed: expected a whole number .* got 'a'"),
        ({"seed": True}, "--seed: expected a whole number"),
        ({"half": "no"}, "--half: expected True or False, got 'no'"),
        ({"half": 1}, "--half: expected True or False, got 1"),
        ({"eeg_clip": "x"}, "--eeg-clip: expected none, or microvolts .* got 'x'"),
        ({"eeg_clip": True}, "--eeg-clip: expected none, or microvolts"),
        ({"ekg_clip": (1, 2)}, "--ekg-clip: expected none, or microvolts"),
        ({"eeg_clip": 10**400}, "--eeg-clip: expected none, or microvolts"),
        ({"spectrogram_clip": (1,)}, r"--spectrogram-clip: expected .* got \(1,\)"),
        ({"spectrogram_clip": 3.0}, "--spectrogram-clip: expected .* got 3.0"),
        ({"bandpass": 40}, "--bandpass: expected none, or Hz .* got 40"),
        ({"bandpass": "12"}, "--bandpass: expected none, or Hz .* got '12'"),
        ({"bandpass": (0.5, "40")}, "--bandpass: expected none, or Hz .* got 0.5 '40'"),
        ({"bandpass": (1, 10**400)}, "--bandpass: expected none, or Hz"),
        ({"eeg_shard_rows": 10_000}, "--eeg-shard-rows: expected a multiple of 10000"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Parameters(**wrong)


def test_numbers_of_any_kind_make_the_same_plan() -> None:
    windows = table([([0, 3], 0), ([1], 4)])
    plain = Parameters(seed=7, eeg_clip=500.0, bandpass=(1.0, 40.0))
    others = Parameters(
        seed=np.int64(7),
        eeg_clip=np.float32(500),
        bandpass=np.array([1, 40]),  # type: ignore[arg-type]
    )
    assert others == plain
    assert make_plan(windows, others).hash == make_plan(windows, plain).hash


@pytest.fixture(scope="module")
def real_plan(real_data: Path) -> Plan:
    return load_metadata(real_data / "metadata" / "train_metadata.parquet", Parameters())


def test_the_true_metadata_make_a_store_of_14_gigabytes(real_plan: Plan) -> None:
    found = summary(real_plan)
    assert [found[k] for k in ("windows", "eegs", "spectrograms", "patients")] == [
        106_519,
        17_001,
        11_087,
        1_945,
    ]
    assert found["bytes"] == pytest.approx(14.4e9, rel=0.01)
    stored = sum(
        real_plan.segments[s.name].rows.sum() * len(s.features) * 2 for s in (EEG, SPECTROGRAM)
    )
    assert found["bytes"] / stored < 1.006


def test_half_of_the_true_metadata_halves_windows_and_space(
    real_data: Path, real_plan: Plan
) -> None:
    path = real_data / "metadata" / "train_metadata.parquet"
    half = load_metadata(path, Parameters(half=True))
    assert len(half.columns["eeg_id"]) == 53_259
    assert half.nbytes / real_plan.nbytes == pytest.approx(0.5, abs=0.05)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        load_metadata(tmp_path / "none.csv", Parameters())
