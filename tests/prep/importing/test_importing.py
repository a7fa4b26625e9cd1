"""Recordings of other makers become a data set that builds, with nothing lost or made up."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import polars as pl
import pytest
from support.helpers import Program, build_store
from support.recorder import CONVENTIONS, QUANTUM_UV, noise, write_edf

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats import open_recording
from hmsprep.importing.pieces import cut
from hmsprep.importing.recording import Options
from hmsprep.importing.resampling import low_pass
from hmsprep.kaggle.files import KaggleData
from hmsprep.spectrograms.multitaper import spectrogram
from hmsstore.schema import CHANNELS, CLASSES

PROGRAM = Program("hmsprep")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_of_names_comes_back_within_a_quantum(
    convention: str, tmp_path: Path
) -> None:
    eeg_uv = noise(60)
    path = write_edf(tmp_path / "a.edf", eeg_uv, names=CONVENTIONS[convention])
    recording = open_recording(path, Options())
    assert recording.samples == 12_000
    assert recording.chosen.filled == ()
    assert np.abs(recording.read(0, 12_000) - eeg_uv).max() <= QUANTUM_UV
    np.testing.assert_array_equal(recording.read(50, 70), recording.read(0, 12_000)[:, 50:70])


@pytest.mark.parametrize("rate", [100.0, 128.0, 199.5, 256.0, 500.0, 512.0, 1000.0])
def test_any_rate_becomes_200_hz(rate: float, tmp_path: Path) -> None:
    """Sines of the recording's own time come back as such, and what 200 Hz cannot hold does not."""
    seconds = np.arange(round(60 * rate)) / rate
    waves = np.asarray([0.7, 3.0, 9.0, 20.0, 40.0])
    eeg_uv = np.zeros((20, len(seconds)))
    eeg_uv[:5] = 200 * np.sin(2 * np.pi * waves[:, None] * seconds + 0.3)
    eeg_uv[5] = 200 * np.sin(2 * np.pi * 140 * seconds)
    path = write_edf(tmp_path / "a.edf", eeg_uv, rate, data_record_duration=2)
    found = open_recording(path, Options()).read(0, 12_000)
    expected = 200 * np.sin(2 * np.pi * waves[:, None] * np.arange(12_000) / 200 + 0.3)
    inner = slice(400, -400)
    assert np.abs(found[:5] - expected)[:, inner].max() < 0.3
    if rate > 280:
        assert np.abs(found[5, inner]).max() < 0.3


@pytest.mark.parametrize("rate", [256.0, 499.5, 512.0])
def test_a_part_is_the_same_as_of_the_whole(rate: float, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", noise(60, rate), rate, data_record_duration=2)
    recording = open_recording(path, Options())
    whole = recording.read(0, recording.samples)
    for first, stop in ((0, 500), (3_333, 4_444), (11_000, recording.samples)):
        np.testing.assert_allclose(recording.read(first, stop), whole[:, first:stop], atol=0.05)


def test_a_real_recording_comes_back_at_other_rates(real_data: Path, tmp_path: Path) -> None:
    from scipy.signal import butter, resample_poly, sosfiltfilt

    file = real_data / "kaggle" / "train_eegs" / "1628180742.parquet"
    eeg_uv = np.clip(pl.read_parquet(file).to_numpy().T.astype(np.float64), -3250, 3250)
    for convention in CONVENTIONS.values():
        path = write_edf(tmp_path / "a.edf", eeg_uv, names=convention)
        found = open_recording(path, Options()).read(0, eeg_uv.shape[1])
        assert np.abs(found - eeg_uv).max() <= QUANTUM_UV
    held = butter(8, 70, fs=200, output="sos")  # above, resampling leaves something out
    for rate in (256, 500, 512):
        up, down = Fraction(rate, 200).as_integer_ratio()
        faster = resample_poly(eeg_uv, up, down, axis=1, window=low_pass(up, down), padtype="line")
        path = write_edf(tmp_path / "b.edf", faster, rate)
        found = open_recording(path, Options()).read(0, eeg_uv.shape[1])
        difference = sosfiltfilt(held, found - eeg_uv, axis=1)[:19, 400:-400]
        assert np.abs(difference).max() <= QUANTUM_UV


def test_units_are_honoured_and_others_refused(tmp_path: Path) -> None:
    eeg_uv = noise(60)
    for unit, scale in (("uV", 1.0), ("mV", 1e-3), ("V", 1e-6), ("nV", 1e3), ("", 1.0)):
        path = write_edf(tmp_path / f"in {unit}.edf", eeg_uv, unit=unit, scale=scale)
        assert np.abs(open_recording(path, Options()).read(0, 12_000) - eeg_uv).max() <= 0.06
    path = write_edf(tmp_path / "x.edf", eeg_uv, unit="mmHg")
    with pytest.raises(DataError, match="'Fp1' is in 'mmHg', expected a voltage"):
        open_recording(path, Options())


def test_what_the_montage_can_do_without_is_filled_and_told(tmp_path: Path) -> None:
    kept = [name for name in CHANNELS if name not in ("Fz", "EKG")]
    eeg_uv = noise(60)
    path = write_edf(tmp_path / "a.edf", eeg_uv[[CHANNELS.index(n) for n in kept]], channels=kept)
    recording = open_recording(path, Options())
    assert recording.chosen.filled == ("Fz", "EKG")
    found = recording.read(0, 1000)
    assert not found[[CHANNELS.index("Fz"), CHANNELS.index("EKG")]].any()
    done = PROGRAM.succeed("import", path, tmp_path / "out")
    assert "a.edf has no Fz, EKG: filled with 0" in done.stderr


def damaged(path: Path, change: Any) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-3000], "is truncated: expected 60 records by its header, got 59"),
        (lambda b: b[:400], "not a readable EDF or BDF file"),
        (lambda _: b"", "not a readable EDF or BDF file: 0 bytes"),
        (lambda _: b"time,Fp1\n" * 500, "not a readable EDF or BDF file"),
        (lambda b: b.replace(b"Fp1 ", b"Fpx "), "lacks Fp1 of the 16 electrodes.*--rename"),
        (lambda b: b.replace(b"Fp1 ", b"F3  "), "two signals for F3: #1 .*'#2=none'"),
        (lambda b: b[:184] + b"512     " + b[192:], "its header has 512 bytes"),
        (lambda b: b[:244] + b"0       " + b[252:], "not a readable EDF or BDF file"),
        (lambda b: b[:244] + b"nan     " + b[252:], "not a readable EDF or BDF file"),
        (lambda b: b.replace(b"-3250   ", b"nan     "), "ranges of #1 'Fp1' make no sense"),
        (lambda b: b.replace(b"-3250   ", b"3250    "), "ranges of #1 'Fp1' make no sense"),
        (lambda b: b.replace(b"-3250   ", b"-1e99   "), "may reach 1e.99 uV"),
        (lambda b: b.replace(b"O1  ", b"O1-X"), "lacks O1 .*--interpolate"),
    ],
)
def test_a_bad_file_gets_a_clear_sentence(change: Any, message: str, tmp_path: Path) -> None:
    path = damaged(write_edf(tmp_path / "a.edf", noise(60)), change)
    with pytest.raises(DataError, match=message):
        import_recordings([path], tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["a.edf"]


def test_a_file_whose_recorder_died_is_read_to_its_end(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", noise(60))
    damaged(path, lambda b: b[:236] + b"-1      " + b[244:-3000])
    assert open_recording(path, Options()).samples == 59 * 200


def test_bdf_is_read_too(tmp_path: Path) -> None:
    eeg_uv = noise(60, 512.0)
    signals = [
        edfio.BdfSignal(values, 512, label=name, physical_dimension="uV")
        for name, values in zip(CHANNELS, eeg_uv, strict=True)
    ]
    edfio.Bdf(signals).write(tmp_path / "a.bdf")
    made = import_recordings([tmp_path / "a.bdf"], tmp_path / "out")
    assert made.windows == 2
    assert open_recording(tmp_path / "a.bdf", Options()).rates_hz["Fp1"] == 512


def test_labels_of_no_convention_can_be_named(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", noise(60), names=lambda n: f"ch {CHANNELS.index(n)}")
    renames = [f"ch {number}={name}" for number, name in enumerate(CHANNELS)]
    options = [word for rename in renames for word in ("--rename", rename)]
    PROGRAM.succeed("import", path, tmp_path / "out", *options)
    assert PROGRAM.run("import", path, tmp_path / "no", "--rename", "x").returncode == 2


def tile(path: Path, times: int) -> Path:
    """Repeat all records of a file without annotations."""
    content = path.read_bytes()
    head, records = int(content[184:192]), int(content[236:244])
    count = str(records * times).ljust(8).encode()
    path.write_bytes(content[:236] + count + content[244:head] + content[head:] * times)
    return path


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recording of 2 h 20 min at 200 Hz, and what was imported of it.

    Eight times Fz is beyond the clip for five seconds, twice in what two pieces share.
    """
    folder = tmp_path_factory.mktemp("night")
    eeg_uv = noise(1_050)
    eeg_uv[CHANNELS.index("Fz"), 40_000:41_000] += 2_000
    path = tile(write_edf(folder / "night.edf", eeg_uv), 8)
    import_recordings([path], folder / "out", stride=25)
    return path, folder / "out"


def test_a_long_recording_is_cut_and_each_window_sees_its_ten_minutes(
    night: tuple[Path, Path],
) -> None:
    path, out = night
    about = json.loads((out / "recordings.json").read_text())["recordings"][0]
    starts = {piece["eeg_id"]: piece["start_s"] for piece in about["pieces"]}
    assert list(starts.values()) == [0, 3_000, 6_000]
    table = pl.read_csv(out / "test.csv")
    begins = [
        starts[eeg] + offset
        for eeg, offset in table.select("eeg_id", "eeg_label_offset_seconds").iter_rows()
    ]
    assert begins == [25.0 * n for n in range(int((8_400 - 50) / 25) + 1)]
    recording = open_recording(path, Options())
    eeg_uv = recording.read(0, recording.samples)
    whole = np.full((4_200 + 275, 400), np.nan, np.float32)
    computed = spectrogram(eeg_uv.T)
    whole[138 : 138 + len(computed)] = computed
    store = build_store(out, out.parent / "night.zarr", normalise="none")
    batch = store.denormalise(store.gather(np.arange(0, len(store), 7)))
    for row, eeg, power in zip(
        range(0, len(store), 7), batch["eeg"], batch["spectrogram"], strict=True
    ):
        first = int(begins[row] * 200)
        expected = np.clip(eeg_uv[:, first : first + 10_000].T, -1024, 1024)
        np.testing.assert_allclose(eeg, expected, atol=0.3)
        given = whole[int(begins[row] // 2) :][:300]
        known = np.isfinite(given)
        logs = np.log(np.clip(given[known], np.exp(-4), np.exp(8)))
        np.testing.assert_allclose(power[known], logs, atol=0.05)
        missing = store.windows["spectrogram_nan_fraction"][row]
        assert missing == pytest.approx((~known).mean())


def test_what_two_pieces_share_is_counted_once(night: tuple[Path, Path]) -> None:
    about = json.loads((night[1] / "recordings.json").read_text())["recordings"][0]
    assert about["clipped"] == {"Fz": pytest.approx(8 * 5 / 8_400)}


def test_no_window_is_lost_or_doubled_by_cutting() -> None:
    rng = np.random.default_rng(0)
    for samples in (10_000, 719_999, 720_000, 720_001, 1_320_000, *rng.integers(1e4, 9e6, 20)):
        for stride in (200, 2_000, 12_345):
            begins = []
            for piece in cut(int(samples), stride):
                assert piece.stop - piece.first <= 720_000
                assert piece.stop <= samples
                own = np.rint(piece.offsets_s * 200 + piece.first)
                begins += own.tolist()
                for begin in (own.min(), own.max()):
                    centre = begin + 5_000
                    assert piece.first <= max(0, centre - 60_000) or piece.first == 0
                    assert piece.stop >= min(samples, centre + 60_000)
                    assert begin >= piece.first
                    assert begin + 10_000 <= piece.stop
            assert begins == list(range(0, int(samples) - 9_999, stride))


def test_nothing_personal_is_copied_and_annotations_are(tmp_path: Path) -> None:
    import datetime

    path = write_edf(
        tmp_path / "a.edf", noise(60),
        patient=edfio.Patient(code="MRN4711", sex="F", name="Jane_Roe",
                              birthdate=datetime.date(1950, 5, 1)),
        recording=edfio.Recording(startdate=datetime.date(2019, 3, 4),
                                  hospital_administration_code="HOSP9"),
        annotations=[edfio.EdfAnnotation(12.5, 3.0, "eyes closed, spike?")],
    )  # fmt: skip
    import_recordings([path], tmp_path / "out")
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for word in (b"MRN4711", b"Jane", b"Roe", b"1950", b"2019", b"HOSP9"):
                assert word not in content, (file, word)
    notes = pl.read_csv(tmp_path / "out" / "annotations.csv").row(0)
    assert notes == ("a.edf", 12.5, 3.0, "eyes closed, spike?")


def test_recordings_of_one_patient_stay_together(tmp_path: Path) -> None:
    names = ["aaaaaaaa_s001_t000", "aaaaaaaa_s002_t000", "bbbbbbbb_s001_t000"]
    names += ["x", "y", "z", "w"]
    files = []
    for seed, name in enumerate(names):
        code = {"x": "77", "y": "77"}.get(name, "X")
        patient = edfio.Patient(code=code, sex="F")  # which names nobody
        files.append(write_edf(tmp_path / f"{name}.edf", noise(50, seed=seed), patient=patient))
    import_recordings(files, tmp_path / "out")
    table = pl.read_csv(tmp_path / "out" / "test.csv")
    assert table["patient_id"].to_list() == [1, 1, 2, 3, 3, 4, 5]


HEADER = """# version = tse_v2.0.0
# duration = 120.0 secs

channel,start_time,stop_time,label,confidence
"""


def test_intervals_beside_a_file_become_votes(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "aaaaaaaa_s001_t000.edf", noise(120))
    path.with_suffix(".csv_bi").write_text(
        HEADER + "TERM,0.0,40.0,bckg,1.0\nTERM,40.0,80.0,seiz,1.0\nTERM,80.0,100.0,bckg,1.0\n"
    )
    out = tmp_path / "out"
    made = import_recordings([path], out, stride=5)
    table = pl.read_csv(out / "train.csv")
    # the judged ten seconds of a window at t are t + 20 to t + 30
    expected = ["Seizure" if 15 <= t <= 55 else "Other" for t in range(0, 75, 5) if t + 25 <= 100]
    assert table["expert_consensus"].to_list() == expected
    votes = table.select(f"{name}_vote" for name in CLASSES)
    assert votes.sum_horizontal().to_list() == [1] * len(expected)
    assert made.by_class["seizure"] == expected.count("Seizure")
    assert made.left_out == 15 - len(expected)
    store = build_store(out, tmp_path / "s.zarr", split_by="all")
    assert (store.windows["votes"].sum(axis=1) == 1).all()
    assert KaggleData(out).part == "train"
    unlabelled = import_recordings([path], tmp_path / "plain", stride=5, unlabelled=True)
    assert unlabelled.windows == 15


def test_what_cannot_be_imported_leaves_nothing(tmp_path: Path) -> None:
    good = write_edf(tmp_path / "good.edf", noise(60))
    short = write_edf(tmp_path / "short.edf", noise(40))
    with pytest.raises(DataError, match="is 40 s long; expected at least one window"):
        import_recordings([short], tmp_path / "out")
    with pytest.raises(DataError, match=r"2 files cannot be imported(.|\n)*short(.|\n)*none"):
        import_recordings([short, tmp_path / "none.edf"], tmp_path / "out")
    for stride in (0, -1, 0.001, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="expected a multiple"):
            import_recordings([good], tmp_path / "out", stride=stride)
    with pytest.raises(ParameterError, match="exists"):
        import_recordings([good], tmp_path)
    with pytest.raises(ParameterError, match="is given twice"):
        import_recordings([good, good], tmp_path / "out")
    with pytest.raises(ParameterError, match="no folder"):
        import_recordings([good], tmp_path / "a" / "b")
    other = write_edf(tmp_path / "other.edf", noise(60))
    other.with_suffix(".csv").write_text(HEADER + "TERM,0.0,1.0,bckg,1.0\n")
    with pytest.raises(DataError, match="No window of these recordings is annotated"):
        import_recordings([other], tmp_path / "out")
    assert not [one for one in tmp_path.iterdir() if "out" in one.name]


def test_foreign_files_import_or_say_what_is_missing(real_data: Path, tmp_path: Path) -> None:
    for name, lacking in (
        ("edfio_mne_test", "Fp1, P3, T3"), ("edfio_short_psg", "Fp1, F3"),
        ("pyedflib_test_utf8", "F3, C3"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=f"lacks {lacking}"):
            import_recordings([real_data / "edf" / f"{name}.edf"], tmp_path / "out")


def test_the_command_says_what_came_of_it(tmp_path: Path) -> None:
    files = [
        write_edf(tmp_path / f"{n}.edf", noise(70, seed=n), names=CONVENTIONS["tuh"])
        for n in range(2)
    ]
    done = PROGRAM.succeed("import", *files, tmp_path / "out", "--stride", 10, "--json")
    told = json.loads(done.stdout)
    assert (told["windows"], told["patients"], told["labelled"]) == (6, 2, False)
    assert told["recordings"][0]["references"] == ["REF"]
    assert "hmsprep build" in PROGRAM.succeed("import", files[0], tmp_path / "two").stderr
    assert "exists" in PROGRAM.fail("import", files[0], tmp_path / "two")
    store = build_store(tmp_path / "out", tmp_path / "s.zarr")
    assert len(store.select("predict")) == 6
