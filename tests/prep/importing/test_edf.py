"""EDF and BDF files as recorders really write them: each sample at its time, no loss untold.

Values are compared with the exact signal, and with MNE where it reads such a file.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import mne
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from support.edf_bytes import WIDTHS, Head, Signal, annotations, changed, eeg, tal, wave, write
from support.helpers import Program, build_store

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.condition import examined
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats import open_recording
from hmsprep.importing.formats.edf_annotations import parse
from hmsprep.importing.listing import list_recordings
from hmsprep.importing.recording import Options, Recording
from hmsprep.importing.resampling import resampled
from hmsstore.montage import ELECTRODES, PAIRS
from hmsstore.recordings import read_recordings
from hmsstore.schema import CHANNELS

PROGRAM = Program("hmsprep")
INNER = slice(400, -400)
"""Two seconds from the ends, where a filter does not feel them."""
RECORDS = 54


def opened(path: Path, **options: object) -> Recording:
    return open_recording(path, Options(**options))  # type: ignore[arg-type]


def error_uv(recording: Recording, channels: tuple[str, ...] = CHANNELS) -> float:
    """Largest distance from the exact signal."""
    found = recording.read(0, recording.samples)
    seconds = np.arange(recording.samples) / 200
    return max(
        float(np.nanmax(np.abs(found[CHANNELS.index(name)] - wave(name, seconds))[INNER]))
        for name in channels
    )


def plus(
    path: Path, onsets: list[float | str], notes: dict[int, list[bytes]], kind: str = "EDF+C"
) -> Path:
    """An EDF+ file of 100 Hz whose records hold what was recorded at their onsets."""
    numbers = [float(onset) - float(onsets[0]) for onset in onsets]
    at = np.concatenate([number + np.arange(100) / 100 for number in numbers])
    told = [tal(onset) + b"".join(notes.get(n, [])) for n, onset in enumerate(onsets)]
    signals = [*eeg(len(onsets), 100, 100, at=at), annotations(told, 60)]
    return write(path, signals, Head(kind=kind))


@pytest.mark.parametrize(
    ("samples", "duration"),
    [(200, "1.000047"), (256, "0.999871"), (500, "1.00009"), (64, "0.499983"), (128, "0.2501")],
)
def test_time_does_not_drift_at_a_rate_of_no_round_number(
    samples: int, duration: str, tmp_path: Path
) -> None:
    rate_hz = samples / float(duration)
    records = round(55 / float(duration))
    path = write(tmp_path / "a.edf", eeg(records, samples, rate_hz), Head(duration=duration))
    recording = opened(path)
    assert recording.samples == int(records * Fraction(duration) * 200)
    assert error_uv(recording) < 0.3
    whole = recording.read(0, recording.samples)
    part = recording.read(3_217, 7_001)
    np.testing.assert_allclose(part, whole[:, 3_217:7_001], atol=1e-4)


@pytest.mark.parametrize(
    "rate_hz", [Fraction(200 * 10**6, 999_953), Fraction(2048 * 10**5, 100_003)]
)
def test_a_day_ends_within_a_thousandth_of_a_sample(rate_hz: Fraction) -> None:
    def read(begin: int, end: int) -> NDArray[np.float64]:
        return wave("Cz", np.arange(begin, end) / float(rate_hz))

    stop = 24 * 3600 * 200
    found = resampled(read, rate_hz, int(24 * 3600 * rate_hz) + 1, stop - 3_000, stop)
    exact = wave("Cz", np.arange(stop - 3_000, stop) / 200)
    slope_uv = np.abs(np.diff(exact)).max()  # from one sample to the next
    assert np.abs(found - exact)[:-400].max() < slope_uv / 1000


def test_a_constant_stays_one_at_any_rate() -> None:
    for rate_hz in (Fraction(256), Fraction(1000), Fraction(128), Fraction(10**8, 499_991)):
        found = resampled(lambda a, b: np.full(b - a, 2e4), rate_hz, 60 * int(rate_hz), 0, 9_000)
        assert np.abs(found - 2e4).max() < 1e-6


def test_each_signal_has_its_own_rate(tmp_path: Path) -> None:
    rates = [100, 128, 200, 250, 256, 400, 512]
    signals = [
        eeg(RECORDS, rate, rate, channels=[name])[0]
        for name, rate in zip(CHANNELS, rates * 3, strict=False)
    ]
    told = annotations([tal(n) for n in range(RECORDS)], 30)
    path = write(tmp_path / "a.edf", [signals[0], told, *signals[1:]], Head(kind="EDF+C"))
    recording = opened(path)
    assert error_uv(recording) < 0.3
    assert (recording.rates_hz["Fp1"], recording.rates_hz["P3"]) == (100, 250)


def test_records_of_a_megabyte_are_read_in_part(tmp_path: Path) -> None:
    long = 60 * 512
    path = write(tmp_path / "a.edf", eeg(2, long, 512), Head(duration="60"))
    assert path.stat().st_size / 2 > 1 << 20
    recording = opened(path)
    assert error_uv(recording) < 0.3
    whole = recording.read(0, recording.samples)
    np.testing.assert_allclose(recording.read(11_500, 12_600), whole[:, 11_500:12_600], atol=1e-3)


def test_bdf_has_24_bits(tmp_path: Path) -> None:
    """Offsets of volts beside steps of 31 nV."""
    physical, digital = ("-262144", "262143"), ("-8388608", "8388607")
    step = (262143 + 262144) / (8388607 + 8388608)

    def values(name: str) -> NDArray[np.int64]:
        uv = wave(name, np.arange(RECORDS * 256) / 256) + 2e5 * (-1) ** CHANNELS.index(name)
        return np.rint((uv + 262144) / step - 8388608).astype(np.int64)

    signals = [Signal(name, values(name), 256, "uV", physical, digital) for name in CHANNELS]
    path = write(tmp_path / "a.bdf", signals, Head(bdf=True, kind="24BIT"))
    found = opened(path).read(0, RECORDS * 200)
    seconds = np.arange(RECORDS * 200) / 200
    for n, name in enumerate(CHANNELS):
        left = found[n] - 2e5 * (-1) ** n - wave(name, seconds)
        assert np.abs(left[INNER]).max() < 0.2
    raw = mne.io.read_raw_bdf(path, verbose="error").get_data(units="uV")
    # every 25th sample of 200 Hz is every 32nd of 256 Hz
    np.testing.assert_allclose(found[:, 400:-400:25], raw[:, 512:-512:32], atol=0.2)


def wide() -> list[Signal]:
    """All electrodes in steps of 31 nV, with ranges of 24 bits."""
    step = 524_287 / (2**24 - 1)
    return [
        replace(
            one,
            values=np.rint((wave(name, np.arange(RECORDS * 100) / 100) + 262_144) / step) - 2**23,
            physical=("-262144", "262143"),
            digital=("-8388608", "8388607"),
        )
        for one, name in zip(eeg(RECORDS, 100, 100), CHANNELS, strict=True)
    ]


@pytest.mark.parametrize("kind", ["24BIT", "BDF+C"])
def test_24_bits_are_read_as_such_whatever_the_version(kind: str, tmp_path: Path) -> None:
    signals = wide()
    if kind == "BDF+C":
        told = [tal(n) for n in range(RECORDS)]
        signals.append(annotations(told, 20, "BDF Annotations"))
    path = write(tmp_path / "a.bdf", signals, Head(bdf=True, kind=kind))
    path.write_bytes(b"0       " + path.read_bytes()[8:])
    recording = opened(path)
    assert error_uv(recording) < 0.3
    (note,) = recording.notes
    assert note == (
        f"a.bdf has the version of EDF, but ranges and {kind} of BDF: read with 24 bits."
    )


def test_ranges_beyond_16_bits_are_not_of_samples_of_16_bits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bdf", wide(), Head(bdf=True))
    path.write_bytes(b"0       " + path.read_bytes()[8:])
    with pytest.raises(DataError, match="from -8,388,608 to 8,388,607 by its header, expected at"):
        opened(path)
    off = [replace(one, digital=("-32768", "32768")) for one in eeg(RECORDS, 100, 100)]
    assert error_uv(opened(write(tmp_path / "b.edf", off))) < 0.3
    narrow = write(tmp_path / "c.edf", eeg(RECORDS, 100, 100), Head(kind="24BIT"))
    assert error_uv(opened(narrow)) < 0.3


def test_mne_reads_the_same_of_a_file_with_notes(tmp_path: Path) -> None:
    notes = {10: [tal(10.25, b"eyes closed", duration="2.5")], 30: [tal(30.5, "Anfall é".encode())]}
    path = plus(tmp_path / "a.edf", [float(n) for n in range(RECORDS)], notes)
    raw = mne.io.read_raw_edf(path, verbose="error")
    recording = opened(path)
    at_100_hz = raw.get_data(units="uV")  # which is every other sample
    found = recording.read(0, recording.samples)[:, ::2]
    np.testing.assert_allclose(found[:, 200:-200], at_100_hz[:, 200:-200], atol=0.05)
    theirs = raw.annotations
    known = zip(theirs.onset, theirs.duration, theirs.description, strict=True)
    assert [(o, d or 0.0, t) for o, d, t in recording.annotations] == list(known)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tal(5.5, "krampf ä".encode("cp1252")), [(5.5, None, "krampf ä")]),
        (tal(5.5, "spike \u2013 wave".encode("cp1252")), [(5.5, None, "spike \u2013 wave")]),
        (tal(5.5, "発作".encode()), [(5.5, None, "発作")]),
        (tal(5.5, b"\x81\x8d"), [(5.5, None, "\x81\x8d")]),
        (tal(5.5, b"first line\r\nsecond\nthird"), [(5.5, None, "first line\r\nsecond\nthird")]),
        (tal(5.5, b"one", b"two"), [(5.5, None, "one"), (5.5, None, "two")]),
        (tal(5.5, b"left\0\0side"), [(5.5, None, "leftside")]),
        (tal("+5,5", b"comma", duration="1,25"), [(5.5, 1.25, "comma")]),
        (tal("5.5", b"no sign"), [(5.5, None, "no sign")]),
        (b"+5.5\x15\x14empty duration\x14\0", [(5.5, None, "empty duration")]),
        (b"+5.5\x14without an end", [(5.5, None, "without an end")]),
        (b"+5.5\x14one NUL too few\0+6\x14next\x14\0",
         [(5.5, None, "one NUL too few"), (6.0, None, "next")]),
        (b"", []),
    ],
)  # fmt: skip
def test_a_note_is_read_whatever_its_bytes(
    content: bytes, expected: list[tuple[float, float | None, str]], tmp_path: Path
) -> None:
    path = plus(tmp_path / "a.edf", [float(n) for n in range(RECORDS)], {5: [content]})
    recording = opened(path)
    assert list(recording.annotations) == expected
    assert error_uv(recording) < 0.3
    told = " ".join(recording.notes)
    assert ("Windows-1252" in told) == (content not in (b"",) and not _is_utf8(content))
    assert "cannot be read" not in told


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("bad", [b"\0garbage\0", b"\0+x\x14text\x14\0", b"\x14\0rest\x14\0"])
def test_what_is_no_note_is_counted_and_costs_nothing(bad: bytes, tmp_path: Path) -> None:
    notes = {5: [bad], 9: [tal(9.5, b"fine")]}
    path = plus(tmp_path / "a.edf", [float(n) for n in range(RECORDS)], notes)
    made = import_recordings([path], tmp_path / "out")
    assert "a.edf has 1 annotation that cannot be read: left out." in made.warnings
    assert pl.read_csv(tmp_path / "out" / "annotations.csv").rows() == [
        ("a.edf", 9.5, None, "fine")
    ]
    assert error_uv(opened(path)) < 0.3


@pytest.mark.parametrize("number", [b"9" * 400, b"9" * 5_000, b"10000000001"])
@pytest.mark.parametrize("content", [b"+%b\x14x\x14\0", b"+20\x15%b\x14x\x14\0"])
def test_a_note_of_no_possible_time_costs_only_itself(
    content: bytes, number: bytes, tmp_path: Path
) -> None:
    told = [tal(n) for n in range(RECORDS)]
    told[5] += content % number + tal(6.5, b"fine")
    signals = [*eeg(RECORDS, 100, 100), annotations(told, 2_600)]
    recording = opened(write(tmp_path / "a.edf", signals, Head(kind="EDF+C")))
    assert recording.annotations == ((6.5, None, "fine"),)
    assert recording.notes == ("a.edf has 1 annotation that cannot be read: left out.",)


@pytest.mark.parametrize("place", [184, 236, 244])
@pytest.mark.parametrize("field", ["1e9999", "1e-9999", "1e999999", "inf", "nan"])
def test_numbers_beyond_all_sense_are_a_refusal_at_the_most(
    field: str, place: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100))
    content = path.read_bytes()
    path.write_bytes(content[:place] + field.ljust(8).encode() + content[place + 8 :])
    with contextlib.suppress(DataError):
        opened(path)


def test_each_note_that_cannot_be_read_is_counted() -> None:
    bad = [b"+1e1\x1510\x14a\x14\0", b"+20\x15-1\x14b\x14\0", b"+4\x151e1\x14c\x14\0"]
    content = tal(3.0) + b"".join(bad) + tal(5.0, b"fine") + bad[0]
    assert [found is None for found in parse(content)] == [False, True, True, True, False, True]


def test_any_bytes_are_taken_apart_without_a_fault() -> None:
    rng = np.random.default_rng(0)
    alphabet = np.frombuffer(b"\0\0\0\x14\x14\x15+-0123.,aB\n\xe9\xff", np.uint8)
    for _ in range(500):
        for found in parse(rng.choice(alphabet, rng.integers(0, 60)).tobytes()):
            assert found is None or found[2]


@pytest.mark.parametrize(
    ("kind", "start"), [("EDF+D", 3_600.0), ("EDF+D", 0.345), ("EDF+C", 0.5), ("EDF+D", -20.25)]
)
def test_time_begins_at_the_first_record(kind: str, start: float, tmp_path: Path) -> None:
    onsets: list[float | str] = [start + n for n in range(RECORDS)]
    path = plus(tmp_path / "a.edf", onsets, {10: [tal(start + 10.5, b"spike")]}, kind)
    recording = opened(path)
    assert recording.samples == RECORDS * 200
    assert recording.annotations == ((10.5, None, "spike"),)
    assert error_uv(recording) < 0.3
    assert not recording.notes


@pytest.mark.parametrize(
    ("told", "silent"),
    [(None, 54), ([b""] * RECORDS, 54), ([tal(0.0), *[b""] * (RECORDS - 1)], 53)],
    ids=["no annotations", "blank", "of the first record alone"],
)
def test_records_of_a_discontinuous_file_that_do_not_say_when_they_begin_are_told(
    told: list[bytes] | None, silent: int, tmp_path: Path
) -> None:
    signals = [*eeg(RECORDS, 100, 100), *([] if told is None else [annotations(told)])]
    recording = opened(write(tmp_path / "a.edf", signals, Head(kind="EDF+D")))
    assert error_uv(recording) < 0.3
    (note,) = recording.notes
    assert note == (
        f"a.edf is discontinuous by its header (EDF+D), but has {silent} records of 54 without an "
        "onset: read right after the one before, so that pauses there are not seen."
    )
    assert not opened(write(tmp_path / "b.edf", signals, Head(kind="EDF+C"))).notes


@pytest.mark.parametrize("label", ["EDF+ Annotations", "EDF Annotation", "BDF+ ANNOTATIONS"])
def test_pauses_are_found_however_annotations_are_labelled(label: str, tmp_path: Path) -> None:
    told = [tal(n + 600.0 * (n >= 30)) for n in range(RECORDS)]
    signals = [*eeg(RECORDS, 100, 100), annotations(told, label=label)]
    (note,) = opened(write(tmp_path / "a.edf", signals, Head(kind="EDF+D"))).notes
    assert note.startswith("a.edf has 1 gap, of 600 s from second 30 on")


def test_onsets_of_records_are_found_beside_a_text(tmp_path: Path) -> None:
    told = [tal(n + 600.0 * (n >= 30), b"Rec") for n in range(RECORDS)]
    signals = [*eeg(RECORDS, 100, 100), annotations(told)]
    recording = opened(write(tmp_path / "a.edf", signals, Head(kind="EDF+D")))
    assert recording.gaps == ((6_000, 126_000),)
    guess, gap = recording.notes
    assert guess.endswith("when its records begin: taken to begin at the first note of each.")
    assert gap.startswith("a.edf has 1 gap, of 600 s from second 30 on")
    assert not opened(write(tmp_path / "b.edf", signals, Head(kind="EDF+C"))).gaps


def test_notes_beyond_the_end_are_told(tmp_path: Path) -> None:
    notes = {5: [tal(54.5, b"the end"), tal(90.5, b"late"), tal(100.5, b"later")]}
    path = plus(tmp_path / "a.edf", [float(n) for n in range(RECORDS)], notes)
    (note,) = opened(path).notes
    assert note.startswith("a.edf has 2 annotations beyond its end at second 54, the last at 100.5")


def test_rounded_onsets_are_not_gaps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    onsets = [f"+{n + d:.3f}" for n, d in enumerate(rng.uniform(-0.004, 0.004, RECORDS))]
    onsets[0] = "+0"
    told = annotations([tal(onset) for onset in onsets])
    path = write(tmp_path / "a.edf", [*eeg(RECORDS, 100, 100), told], Head(kind="EDF+D"))
    recording = opened(path)
    assert (recording.samples, recording.notes) == (RECORDS * 200, ())


@pytest.mark.parametrize("drift", [4e-4, -4e-4])
def test_a_clock_that_drifts_leaves_no_gap_and_the_records_tell_the_time(
    drift: float, tmp_path: Path
) -> None:
    """32 ms over 80 s, as 50 parts per million make in ten minutes; onsets rounded besides."""
    records = 80
    rng = np.random.default_rng(0)
    true = np.arange(records) * (1 + drift)
    onsets = true + np.r_[0, rng.uniform(-0.004, 0.004, records - 1)]
    seconds = (true[:, None] + np.arange(100) / 100 * (1 + drift)).ravel()
    told = annotations([tal(f"{onset:+.4f}") for onset in onsets])
    path = write(
        tmp_path / "a.edf", [*eeg(records, 100, 100, at=seconds), told], Head(kind="EDF+D")
    )
    recording = opened(path)
    found = recording.read(0, recording.samples)
    assert np.isfinite(found).all()
    assert abs(recording.samples - records * (1 + drift) * 200) <= 4
    (note,) = recording.notes
    told_s = float(note.partition("rate by ")[2].split()[0])
    assert told_s == pytest.approx(drift * records, abs=0.01)
    away = np.abs(found[0] - wave("Fp1", np.arange(recording.samples) / 200))[INNER]
    assert away.max() < 13  # of 69: 10 ms; its wave of 21.5 Hz turns by half a radian in 4 ms
    again = wave("Fp1", np.arange(recording.samples) / 200 / (1 + drift))
    assert np.abs(found[0] - again)[INNER].max() > 2 * away.max()  # as the header has the rate


def two_hz(_: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 50 * np.sin(4 * np.pi * seconds)


def test_a_clock_that_changes_its_pace_leaves_no_gap_and_a_jump_does(tmp_path: Path) -> None:
    """40 ms late after 50 s, on time again after 100 s; then with a jump of 40 ms besides."""
    steps = np.r_[np.full(50, 8e-4), np.full(50, -8e-4)]
    onsets = np.arange(100) + np.r_[0, np.cumsum(steps)[:-1]]
    seconds = (onsets[:, None] + np.arange(100) / 100).ravel()

    def recorded(name: str, onsets: NDArray[np.float64]) -> Recording:
        told = annotations([tal(f"{onset:+.6f}") for onset in onsets])
        signals = [*eeg(100, 100, 100, uv=two_hz, at=seconds), told]
        return opened(write(tmp_path / name, signals, Head(kind="EDF+D")))

    whole = recorded("a.edf", onsets)
    found = whole.read(0, whole.samples)
    assert np.isfinite(found).all()
    away = np.abs(found[0] - two_hz("", np.arange(whole.samples) / 200))[INNER]
    assert away.max() < 50 * 4 * np.pi * 0.02  # no record is more than 20 ms from its onset
    onsets[75:] += 0.04
    jump = recorded("b.edf", onsets)
    missing = np.isnan(jump.read(0, jump.samples)[0]).sum()
    assert 4 <= missing <= 12
    assert any("has 1 gap" in note for note in jump.notes)


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
def test_a_gap_is_missing_values_and_what_follows_keeps_its_time(kind: str, tmp_path: Path) -> None:
    """Of 12.3337 s, which is no whole number of samples, and of 20 s."""
    onsets: list[float | str] = [float(n) for n in range(70)]
    onsets[40:] = [float(n) + 12.3337 for n in onsets[40:]]
    onsets[60:] = [float(n) + 20 for n in onsets[60:]]
    path = plus(tmp_path / "a.edf", onsets, {65: [tal(97.8337, b"after")]}, kind)
    recording = opened(path)
    found = recording.read(0, recording.samples)
    seconds = np.arange(recording.samples) / 200
    recorded = np.any(
        [(seconds >= a) & (seconds < b) for a, b in
         ((0, 40), (52.3337, 72.3337), (92.3337, 102.3337))], axis=0,
    )  # fmt: skip
    np.testing.assert_array_equal(np.isnan(found), np.tile(~recorded, (20, 1)))
    for a, b in ((2, 38), (54.4, 70.3), (94.4, 100.3)):
        inner = (seconds > a) & (seconds < b)
        for name, values in zip(CHANNELS, found, strict=True):
            assert np.abs(values - wave(name, seconds))[inner].max() < 0.3
    assert recording.annotations == ((97.8337, None, "after"),)
    (note,) = recording.notes
    assert note == (
        "a.edf has 2 gaps, 32.3337 s in all, the longest of 20 s from second 72.3337 on: missing "
        "values there."
    )
    np.testing.assert_array_equal(recording.read(9_000, 12_000), found[:, 9_000:12_000])


@pytest.mark.parametrize("labelled", [False, True])
def test_labelled_windows_of_which_nothing_was_recorded_are_left_out(
    labelled: bool, tmp_path: Path
) -> None:
    onsets: list[float | str] = [float(n) + (5_000.0 if n >= 60 else 0.0) for n in range(120)]
    path = plus(tmp_path / "a.edf", onsets, {})
    if labelled:
        path.with_suffix(".tse").write_text(
            "version = tse_v1.0.0\n0 2500 bckg 1.0\n2500 5120 seiz 1.0\n"
        )
    made = import_recordings([path], tmp_path / "out")
    whole = (5_120 - 50) // 10 + 1
    # judged seconds from 20 to 60, and from 5,060 to 5,100
    assert made.windows == (4 + 4 if labelled else whole)
    assert made.by_class.get("seizure", 0) == 4 * labelled
    said = f"a.edf: {whole - 8:,} windows left out, since more than 20% of the judged 10 s lie in"
    (listed,) = list_recordings([path]).recordings
    for notes in (made.warnings, listed.notes):
        assert any(said in note for note in notes) == labelled
        assert any("gaps make up 97.6% of its 1.42 h" in note for note in notes)
    assert listed.windows == made.windows


def test_a_labelled_recording_of_gaps_alone_is_refused(tmp_path: Path) -> None:
    path = plus(tmp_path / "a.edf", [float(20 * n) for n in range(52)], {})
    path.with_suffix(".tse").write_text("version = tse_v1.0.0\n0 1040 seiz 1.0\n")
    with pytest.raises(DataError, match="No window of these recordings is annotated and recorded"):
        import_recordings([path], tmp_path / "out")
    assert list_recordings([path]).recordings[0].windows == 0


@pytest.mark.parametrize(
    "labels",
    [[f"{front}-{back}" for front, back in PAIRS],
     [f"{name}-Pz" for name in ELECTRODES if name != "Pz"],
     [name for name in CHANNELS if name != "Fz"]],
    ids=["pairs", "measured against Pz", "without Fz"],
)  # fmt: skip
def test_a_gap_is_one_of_channels_without_signals_too(labels: list[str], tmp_path: Path) -> None:
    """The first electrode of a chain, a reference on the scalp, and what the file lacks."""

    def recorded(label: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        front, _, back = label.partition("-")
        return wave(front, seconds) - (wave(back, seconds) if back else 0)

    onsets = [float(n) + (8.0 if n >= 13 else 0.0) for n in range(80)]
    at = np.concatenate([onset + np.arange(100) / 100 for onset in onsets])
    told = annotations([tal(onset) for onset in onsets])
    signals = [*eeg(80, 100, 100, channels=labels, uv=recorded, at=at), told]
    path = write(tmp_path / "a.edf", signals, Head(kind="EDF+D"))
    made = import_recordings([path], tmp_path / "out", stride=38)
    assert made.recordings[0].missing == {}
    store = build_store(tmp_path / "out", tmp_path / "s.zarr", split_by="all")
    assert store.gaps is not None
    gaps = {name: column.tolist() for name, column in store.gaps["eeg"].items()}
    assert (gaps["feature"], gaps["start"], gaps["rows"]) == ([-1], [2_600], [1_600])
    assert store.observed([0, 1], "eeg")["eeg"].judged.tolist() == pytest.approx([0.9, 1.0])


@pytest.mark.parametrize(
    ("shift", "message"),
    [(-0.5, r"record 31 of 54 overlaps the one before it by 0\.5 s"), (-30.0, "overlaps .* 30 s"),
     (90_000.0, "record 31 of 54 follows after a gap of 90,000 s")],
)  # fmt: skip
def test_records_out_of_order_are_refused(shift: float, message: str, tmp_path: Path) -> None:
    onsets: list[float | str] = [float(n) + (shift if n >= 30 else 0) for n in range(RECORDS)]
    path = plus(tmp_path / "a.edf", onsets, {})
    with pytest.raises(DataError, match=message):
        import_recordings([path], tmp_path / "out")


def in_order(path: Path, onsets: list[float], notes: dict[int, list[bytes]], s: int = 1) -> Path:
    """An EDF+ file that was recorded without a pause, whatever its records' onsets say."""
    told = [tal(onset) + b"".join(notes.get(n, [])) for n, onset in enumerate(onsets)]
    signals = [*eeg(len(onsets), 100 * s, 100), annotations(told, 60)]
    return write(path, signals, Head(kind="EDF+C", duration=str(s)))


@pytest.mark.parametrize(
    ("onsets", "seconds", "notes", "placed"),
    [
        # one onset of 54 is wrong
        ([0.0 if n == 20 else n for n in range(54)], 1, {2: (30.5, "late"), 20: (20.5, "in it")},
         [(30.5, "late"), (20.5, "in it")]),
        # the clock was set back by 20 s: what it says twice is where its record is
        ([n - 20.0 * (n >= 30) for n in range(54)], 1, {15: (15.5, "a"), 35: (15.5, "b")},
         [(15.5, "a"), (35.5, "b")]),
        # and what is said of neither place is left out
        ([n - 20.0 * (n >= 30) for n in range(54)], 1, {0: (15.5, "a"), 53: (15.5, "b")},
         []),
        # two records overlap by a twentieth of a second
        ([n - 0.05 * (n >= 30) for n in range(54)], 1, {40: (40.2, "a")}, [(40.25, "a")]),
        # onsets count records of two seconds
        ([float(n) for n in range(27)], 2, {5: (10.5, "by seconds")}, [(10.5, "by seconds")]),
        # all records of a paused file say that they begin at once, but the first
        ([0.0, *[1.0] * 53], 1, {7: (1.25, "a")}, [(7.25, "a")]),
        # more than a day lies between two records
        ([n + 90_000.0 * (n >= 30) for n in range(54)], 1, {40: (90_040.5, "a")}, [(40.5, "a")]),
    ],
)  # fmt: skip
def test_records_whose_onsets_contradict_each_other_are_read_in_order_if_asked(
    onsets: list[float], seconds: int, notes: dict[int, tuple[float, str]],
    placed: list[tuple[float, str]], tmp_path: Path,
) -> None:  # fmt: skip
    held = {n: [tal(at_s, text.encode())] for n, (at_s, text) in notes.items()}
    path = in_order(tmp_path / "a.edf", onsets, held, seconds)
    with pytest.raises(DataError, match=r"put in order of time: record .*with --contiguous\.$"):
        opened(path)
    recording = opened(path, contiguous=True)
    assert recording.samples == 54 * 200
    assert not np.isnan(recording.read(0, recording.samples)).any()
    assert error_uv(recording) < 0.3
    (note,) = recording.notes
    assert note.startswith("a.edf contradicts itself in time (record ")
    assert "read one after the other, as they stand in the file, so pauses are not seen" in note
    assert ("left out" in note) == (len(placed) < len(notes))
    assert [(at_s, text) for at_s, _, text in recording.annotations] == [
        (pytest.approx(at_s), text) for at_s, text in placed
    ]


def test_that_records_were_read_in_order_stays_with_the_store(tmp_path: Path) -> None:
    path = in_order(tmp_path / "a.edf", [n - 5.0 * (n >= 30) for n in range(54)], {})
    done = PROGRAM.succeed("import", path, tmp_path / "out", "--contiguous")
    assert "a.edf contradicts itself in time" in done.stderr
    (one,) = read_recordings(tmp_path / "out")
    assert one.contiguous
    store = build_store(tmp_path / "out", tmp_path / "s.zarr", split_by="all")
    (told,) = (one for one in store.info["warnings"] if "--contiguous" in one)
    assert told.startswith("1 EEG (10000) from files that contradict themselves in time")
    plain = plus(tmp_path / "b.edf", [float(n) for n in range(RECORDS)], {})
    assert not opened(plain, contiguous=True).contiguous
    paused = plus(tmp_path / "c.edf", [n + 7.0 * (n > 20) for n in range(RECORDS)], {})
    assert np.isnan(opened(paused, contiguous=True).read(0, 54 * 200)).any()


def test_a_file_cut_short_is_read_only_if_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100))
    path.write_bytes(path.read_bytes()[:-4_001])
    assert "got 52. Copy it again, or read it as far as it goes with --truncated" in PROGRAM.fail(
        "import", path, tmp_path / "out"
    )
    done = PROGRAM.succeed("import", path, tmp_path / "out", "--truncated")
    assert "a.edf is truncated: it holds 52 of the 54 records" in done.stderr
    recording = opened(path, truncated=True)
    assert recording.samples == 52 * 200
    assert error_uv(recording) < 0.3


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path: Path) -> None:
    for records, duration in ((RECORDS, "1"), (1, str(RECORDS))):
        size = RECORDS * 512 // records
        path = write(tmp_path / "a.edf", eeg(records, size, 512), Head(duration=duration))
        recording = opened(path)
        path.write_bytes(path.read_bytes()[:100_000])
        with pytest.raises(DataError, match=r"a\.edf became shorter while it was read"):
            recording.read(8_000, 9_000)


@pytest.mark.parametrize("stated", [-1, "", "?"])
def test_a_file_that_does_not_say_how_long_it_is_is_read_to_its_end(
    stated: object, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100), Head(records=stated), tail=b"x" * 90)
    recording = opened(path)
    assert recording.samples == RECORDS * 200
    assert recording.notes == (
        "a.edf does not say how long it is: read to its end, 54 records.",
        "a.edf ends with 90 bytes of a partial record: not read.",
    )


def test_records_beyond_the_header_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100), Head(records=52))
    recording = opened(path)
    assert recording.samples == 52 * 200
    assert recording.notes == ("a.edf continues for 2 records beyond its header: not read.",)


@pytest.mark.parametrize(
    "fields",
    [
        {"physical": ("-3276,8", "3276,7")},
        {"physical": ("-3.277E3", "+3.277E3")},
        {"physical": (b"-3276.8\0", b"3276.7\0\0")},
        {"digital": ("-32768.0", "32767.")},
        {"digital": ("-32768,0", "32767,0")},
        {"physical": ("3276.7", "-3276.8"), "digital": ("32767", "-32768")},
        {"samples_text": True},
    ],
)
def test_numbers_of_the_header_are_read_as_people_write_them(
    fields: dict[str, object], tmp_path: Path
) -> None:
    signals = eeg(RECORDS, 100, 100)
    if fields.pop("samples_text", False):
        path = write(tmp_path / "a.edf", signals, Head(records="54.0", duration="1,000"))
    else:
        path = write(tmp_path / "a.edf", [replace(one, **fields) for one in signals])  # type: ignore[arg-type]
    assert error_uv(opened(path)) < 0.3


def test_inverted_ranges_turn_the_signal_round(tmp_path: Path) -> None:
    signals = [
        replace(one, physical=("3276.7", "-3276.8"), values=-1 - np.asarray(one.values))
        for one in eeg(RECORDS, 100, 100)
    ]
    path = write(tmp_path / "a.edf", signals)
    assert error_uv(opened(path)) < 0.3
    raw = mne.io.read_raw_edf(path, verbose="error").get_data(units="uV")
    np.testing.assert_allclose(
        opened(path).read(0, RECORDS * 200)[:, 400:-400:2], raw[:, 200:-200], atol=0.05
    )


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        (b"\xb5V", 1), (b"\xc2\xb5V", 1), (b"\xce\xbcV", 1), (b"\xce\x9cV", 1),
        (b"\x83\xcaV", 1), (b"\xa6\xccV", 1), (b"\xa3gV", 1), ("?V", 1),
        (b"\xe6V", 1), (b"UV\0\0\0xx", 1),
        (b"uV\0\0\0\0\0\0", 1), ("microV", 1), ("uVolt", 1), ("mV", 1e3), ("MV", 1e3), ("V", 1e6),
        ("volts", 1e6), ("nV", 1e-3), (b"nV\0", 1e-3), (" uV ", 1), ("(uV)", 1), ("uV/bit", 1),
        ("uVrms", 1), ("mkV", 1),
    ],
)  # fmt: skip
def test_units_of_any_encoding(unit: str | bytes, scale: float, tmp_path: Path) -> None:
    ends = tuple(f"{end / scale:.6f}".replace("-0.", "-.")[:8] for end in (-3277, 3277))
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100, unit=unit, physical=ends))
    assert error_uv(opened(path)) < 0.5


@pytest.mark.parametrize(
    ("stated", "ends", "asked"),
    [("", ("-.003277", ".003277"), "V"), (".V", ("-3.2768", "3.2767"), "mV"),
     ("uV", ("-.003277", ".003277"), "V"), ("?V", ("-3.277", "3.277"), "mV"),
     ("V", ("-3276.8", "3276.7"), "uV")],
)  # fmt: skip
def test_a_unit_that_cannot_be_is_asked_for(
    stated: str, ends: tuple[str, str], asked: str, tmp_path: Path
) -> None:
    signals = [replace(one, unit=stated, physical=ends) for one in eeg(RECORDS, 100, 100)]
    path = write(tmp_path / "a.edf", signals)
    reach = r"may reach 3\.2768e\+09 uV" if stated == "V" else f"range is .* to .*{ends[1]}"
    with pytest.raises(DataError, match=f"{reach}.*with --unit uV, mV, V or nV"):
        opened(path)
    found = opened(path, unit=asked).read(0, RECORDS * 200)
    seconds = np.arange(RECORDS * 200) / 200
    off = [np.abs(v - wave(n, seconds))[INNER].max() for n, v in zip(CHANNELS, found, strict=True)]
    assert max(off) < 0.5


@pytest.mark.parametrize(
    ("stated", "ends", "asked"),
    [("mV", ("-3276.8", "3276.7"), "uV"), ("uV", ("-3.2768", "3.2767"), "mV"),
     ("uV", ("-3276800", "3276700"), "nV"), ("dB", ("-3276.8", "3276.7"), "uV")],
)  # fmt: skip
def test_a_unit_that_the_values_contradict_is_asked_for(
    stated: str, ends: tuple[str, str], asked: str, tmp_path: Path
) -> None:
    signals = [replace(one, unit=stated, physical=ends) for one in eeg(RECORDS, 100, 100)]
    path = write(tmp_path / "a.edf", signals)
    with pytest.raises(DataError, match=r"name (it|its unit) with --unit uV, mV, V or nV"):
        examined(partial(open_recording, path), Options())
    recording = examined(partial(open_recording, path), Options(unit=asked))
    assert error_uv(recording) < 0.3


def test_a_unit_that_the_values_fit_is_kept_whatever_is_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100))
    assert error_uv(examined(partial(open_recording, path), Options(unit="mV"))) < 0.3


def test_a_unit_that_is_not_named_is_said_to_be_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100, unit=""))
    recording = opened(path)
    assert recording.notes == ("a.edf names no unit: taken for microvolts.",)
    assert error_uv(recording) < 0.3
    with pytest.raises(ParameterError, match="--unit kV: expected uV or mV or V or nV"):
        opened(path, unit="kV")


@pytest.mark.parametrize("channel", ["EKG", "Fz", "Cz", "Pz"])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"physical": ("0", "0")}, "make no sense"), ({"digital": ("?", "7")}, "make no sense"),
     ({"unit": "bpm"}, "is in 'bpm'"), ({"unit": "", "physical": ("-.0001", ".0001")}, "no unit")],
)  # fmt: skip
def test_a_fault_of_one_channel_beside_the_chains_costs_only_that(
    channel: str, fields: dict[str, object], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.edf", changed(eeg(RECORDS, 100, 100), channel, **fields))
    recording = opened(path)
    assert recording.chosen.filled == (channel,)
    others = tuple(name for name in CHANNELS if name != channel)
    assert error_uv(recording, others) < 0.3
    assert not recording.read(0, 1000)[CHANNELS.index(channel)].any()
    with pytest.raises(DataError, match=reason):
        opened(write(tmp_path / "b.edf", changed(eeg(RECORDS, 100, 100), "T5", **fields)))


@pytest.mark.parametrize(
    ("patient", "recording", "child"),
    [
        ("X F 02-MAY-2010 X", "Startdate 01-MAY-2026 X X X", True),
        ("X F 02-MAY-2008 X", "Startdate 01-MAY-2026 X X X", True),
        ("X F 02-MAY-2008 X", "Startdate 02-MAY-2026 X X X", False),
        ("X F 02-MAY-1951 X", "Startdate X X X X", False),
        ("X M 02-MAY-1999 X", "Startdate X X X X", True),  # by the header's own date, 1 Feb 2003
        ("aaaaaaaa M 01-JAN-1978 aaaaaaaa Age:35", "Startdate X X X X", False),
        ("aaaaaaaa F 01-JAN-2012 aaaaaaaa Age:3", "Startdate 04-OCT-2015 X X X", True),
        ("X X X X age 9m", "Startdate X X X X", True),
        ("X X X X age:20 months", "Startdate X X X X", True),
        ("X X X X Age_30_wks", "Startdate X X X X", True),
        ("X M 01-JAN-1950 X Age:35 Male", "Startdate X X X X", False),
        ("X M 01-JAN-1950 X Age:35 M", "Startdate X X X X", False),
        ("X M 01-JAN-1950 X Age:35M", "Startdate X X X X", False),
        ("X M 01-JAN-1950 X Age:35 Weight:70", "Startdate X X X X", False),
        ("X F 02-MAY-1951 X age:71 woman", "Startdate X X X X", False),
        ("X M 01-JAN-1950 X Age:35y", "Startdate X X X X", False),
        ("X F 32-MAY-2010 X", "Startdate 01-XYZ-2026 X X X", False),
        ("X F 01-JAN-2020 X", "Startdate 01-JAN-1985 X X X", False),
        ("X X X X", "Startdate X X X X", False),
    ],
)
def test_a_child_is_told_and_no_age_is_kept(
    patient: str, recording: str, child: bool, tmp_path: Path
) -> None:
    head = Head(patient=patient, recording=recording)
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100), head)
    found = opened(path).notes
    assert any("of a child" in note for note in found) == child
    assert not any(character.isdigit() for note in found for character in note)


def test_no_age_is_told_from_the_date_that_stands_for_none(tmp_path: Path) -> None:
    head = Head(patient="X M 02-MAY-1971 X", date="01.01.85")
    found = opened(write(tmp_path / "a.edf", eeg(RECORDS, 100, 100), head))
    assert not any("of a child" in note for note in found.notes)


def test_slow_recordings_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 64, 64))
    (note,) = opened(path).notes
    assert "64 samples a second: nothing above 32 Hz" in note
    with pytest.raises(DataError, match="49 samples a second, expected at least 50"):
        opened(write(tmp_path / "b.edf", eeg(RECORDS, 49, 49)))


@pytest.mark.parametrize(
    ("filtering", "told"),
    [
        ("HP:0.5Hz LP:15Hz N:50Hz", ["low-pass at 15 Hz"]),
        ("HP: 1,6 Hz; LP: 30,5 Hz", ["low-pass at 30.5 Hz", "high-pass at 1.6 Hz"]),
        ("lp=100Hz LP:40Hz", ["low-pass at 40 Hz"]),
        ("HP:1Hz LP:50Hz", []),
        ("HP:DC; LP:1kHz", []),
        ("HP:0Hz LP:0Hz", []),
        ("HP:0.3s LP:off", []),
        ("", []),
    ],
)
def test_filters_that_take_what_models_see_are_told(
    filtering: str, told: list[str], tmp_path: Path
) -> None:
    notes = opened(write(tmp_path / "a.edf", eeg(RECORDS, 100, 100, filtering=filtering))).notes
    assert [note.partition("has a ")[2].partition(" by ")[0] for note in notes] == told


def test_filters_of_some_electrodes_are_counted_and_those_of_the_ekg_are_not(
    tmp_path: Path,
) -> None:
    signals = changed(eeg(RECORDS, 100, 100), "EKG", filtering="HP:5Hz LP:35Hz")
    assert not opened(write(tmp_path / "a.edf", signals)).notes
    signals = changed(changed(signals, "C3", filtering="LP:35Hz"), "O1", filtering="LP:20Hz")
    (note,) = opened(write(tmp_path / "b.edf", signals)).notes
    assert "has a low-pass at 20 Hz on 2 of 19 electrodes by its header" in note


def test_memory_does_not_grow_with_a_recordings_length(tmp_path: Path) -> None:
    """What opening and reading a minute take, of a recording and of one 16 times as long."""
    peaks = []
    for times in (1, 16):
        signals = eeg(60, 512, 512)
        told = annotations([tal(n) for n in range(60)], 20, "BDF Annotations")
        path = write(tmp_path / "a.bdf", [*signals, told], Head(bdf=True, records=60))
        content = path.read_bytes()
        begin = 256 * 22
        with path.open("wb") as file:
            file.write(content[:236] + f"{60 * times:<8}".encode() + content[244:begin])
            for n in range(60 * times):
                record = content[begin:][n % 60 * 20 * 512 * 3 + n % 60 * 60 :][: 20 * 512 * 3 + 60]
                file.write(record[:-60] + tal(n).ljust(60, b"\0"))
        opened(path).read(0, 200)  # filters are made once
        tracemalloc.start()
        recording = opened(path)
        recording.read(recording.samples - 12_000, recording.samples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert recording.samples == 60 * times * 200
    assert peaks[1] < 1.1 * peaks[0]


def test_a_header_of_no_records_is_of_a_recorder_that_died(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100), Head(records=0))
    recording = opened(path)
    assert error_uv(recording) < 0.3
    assert "a.edf does not say how long it is: read to its end" in recording.notes[0]


def test_records_that_all_begin_at_once_follow_each_other_and_it_is_said(tmp_path: Path) -> None:
    signals = [*eeg(RECORDS, 100, 100), annotations([tal(0.0)] * RECORDS)]
    recording = opened(write(tmp_path / "a.edf", signals, Head(kind="EDF+C")))
    assert error_uv(recording) < 0.3
    assert "a.edf says of all its records that they begin at once" in recording.notes[0]
    with pytest.raises(DataError, match="cannot be put in order of time"):
        opened(write(tmp_path / "b.edf", signals, Head(kind="EDF+D")))


@pytest.mark.parametrize("samples", ["1OO", "", "-100"])
def test_a_signal_of_unknown_length_is_never_skipped(samples: str, tmp_path: Path) -> None:
    """Those after it would be read from the wrong bytes."""
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100))
    content = bytearray(path.read_bytes())
    place = 256 + len(CHANNELS) * sum(WIDTHS[:8]) + 3 * WIDTHS[8]
    content[place : place + WIDTHS[8]] = samples.ljust(WIDTHS[8]).encode()
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"signal #4 'P3' has '{samples}' samples in a record"):
        opened(path, interpolate=True)


def test_a_file_that_was_sent_as_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", eeg(RECORDS, 100, 100))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(DataError, match="Copy it again, in binary mode"):
        opened(path)


def test_a_refusal_lists_signals_and_no_channel_of_annotations(tmp_path: Path) -> None:
    told = annotations([tal(n) for n in range(RECORDS)], 20)
    signals = [one for one in eeg(RECORDS, 100, 100) if one.label.strip() != "Fp2"]
    path = write(tmp_path / "a.edf", [told, *signals], Head(kind="EDF+C"))
    with pytest.raises(DataError, match=r"lacks Fp2 .* It has #2 'Fp1', ") as refused:
        opened(path)
    assert "#1 " not in str(refused.value)
    assert f"#{len(signals) + 1} " in str(refused.value)
