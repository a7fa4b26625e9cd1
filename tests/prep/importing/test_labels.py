"""Labels beside recordings: every layout of the corpora becomes the classes of windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import edfio
import numpy as np
import pytest
from support.recorder import noise, write_edf

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.channels import Chosen
from hmsprep.importing.convert import _windows, import_recordings
from hmsprep.importing.labels import Labels, find_labels
from hmsprep.importing.labels.intervals import Intervals
from hmsprep.importing.labels.words import Words
from hmsprep.importing.pieces import Piece
from hmsprep.importing.recording import Recording
from hmsstore.schema import CLASSES

Note = tuple[float, float | None, str]
HEADER = """# version = csv_v1.0.0
# duration = 120.0 secs

channel,start_time,stop_time,label,confidence
"""


def recording(path: Path, seconds: float = 120.0, notes: tuple[Note, ...] = ()) -> Recording:
    """A recording of which nothing is read."""
    return Recording(
        path=path,
        samples=round(seconds * 200),
        chosen=Chosen({}),
        rates_hz={},
        annotations=notes,
        patient="",
        read=lambda first, stop: np.zeros((20, stop - first), np.float32),
    )


def classes(
    one: Recording, begins: list[float], label: dict[str, str] | None = None
) -> list[str | None]:
    """What windows that begin at these seconds show: the judged ten are 20 s later."""
    labels, _ = find_labels(one, Words.of(label or {}))
    assert labels is not None
    codes = labels.intervals.consensus(np.asarray(begins, float)).tolist()
    return [None if code < 0 else CLASSES[code] for code in codes]


def test_channels_that_seize_at_once_count_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        HEADER + "FP1-F7,0.0,24.0,bckg,1.0\nFP1-F7,24.0,29.0,fnsz,1.0\nF7-T3,22.0,26.0,fnsz,1.0\n"
    )
    assert classes(recording(tmp_path / "a.edf"), [0.0]) == ["seizure"]
    both = Intervals(np.asarray([20.0, 20.0]), np.asarray([23.0, 23.0]), np.asarray([0, 1]))
    assert both.consensus(np.asarray([0.0])).tolist() == [-1]
    lone = Intervals(np.asarray([20.0, 20.0]), np.asarray([22.0, 22.0]), np.asarray([0, 0]))
    assert lone.consensus(np.asarray([0.0, 500.0])).tolist() == [-1, -1]


def test_windows_of_a_later_piece_are_labelled_by_their_place_in_the_recording() -> None:
    piece = Piece(600_000, 720_000, np.asarray([0.0, 100.0]))  # from 3,000 s on
    seizure = Intervals(np.asarray([3_020.0]), np.asarray([3_030.0]), np.asarray([0]))
    (row,) = _windows(piece, Labels(seizure, "a.csv"))
    assert row["eeg_label_offset_seconds"] == 0
    assert row["expert_consensus"] == "Seizure"


TEMPLE: dict[str, str] = {
    ".csv_bi": HEADER + "TERM,0.0000,40.5000,bckg,1.0\nTERM,40.5000,75.2500,seiz,1.0\n",
    ".csv": HEADER + "FP1-F7,0.0000,40.5000,musc_elec,1.0\nO1-O2,40.5000,75.2500,gnsz,0.7\n",
    ".tse_bi": "version = tse_v1.0.0\n\n0.0000 40.5000 bckg 1.0000\n40.5000 75.2500 seiz 1.0000\n",
    ".tse": "version=tse_v1.0.0\r\n0.0 40.5 bckg 0.9 seiz 0.1\r\n40.5 75.25 bckg 0.2 tcsz 0.8\r\n",
    ".lbl": """version = lbl_v1.0.0
montage =  0, FP1-F7: EEG FP1-REF --  EEG F7-REF
number_of_levels = 1
level[0] = 1
symbols[0] = {0: '(null)', 1: 'bckg', 7: 'fnsz', 2: 'gped'}
label = {0, 0, 0.0000, 40.5000, 0, [0.0, 1.0, 0.0]}
label = {0, 0, 40.5000, 75.2500, 3, [0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9]}
""",
    ".lbl_bi": """version = lbl_v1.0.0
symbols[0] = {0:'seiz',1:'bckg'}
label={0,0,0.0,40.5,0,[0.0,1.0]}
label={0,0,40.5,75.25,0,[1.0,0.0]}
""",
}


@pytest.mark.parametrize("suffix", TEMPLE)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order mark"])
def test_every_layout_of_temple_university_is_read(
    suffix: str, mark: bytes, tmp_path: Path
) -> None:
    (tmp_path / f"00000258_s002_t000{suffix}").write_bytes(mark + TEMPLE[suffix].encode())
    found = classes(recording(tmp_path / "00000258_s002_t000.edf"), [0, 15, 16, 50, 51, 70])
    # of 35 to 45 s less than half is a seizure, of 36 to 46 s more; of 70 to 80 s 5.25 s are
    assert found == ["other", "other", "seizure", "seizure", None, None]


def test_events_of_a_second_are_read_by_their_numbers(tmp_path: Path) -> None:
    lines = [f"{channel},{at},{at + 1}.0,{3 if at < 40 else 6}" for channel in (2, 13)
             for at in range(30, 50)]  # fmt: skip
    (tmp_path / "bckg_032_a_.rec").write_text("\n".join(lines) + "\n")
    assert classes(recording(tmp_path / "bckg_032_a_.edf"), [0, 10, 20]) == [None, "lpd", "other"]


SUMMARY = """Data Sampling Rate: 256 Hz
*************************

Channels in EDF Files:
**********************
Channel 1: FP1-F7

File Name: chb03_01.edf
File Start Time: 13:23:36
File End Time: 14:23:36
Number of Seizures in File: 2
Seizure 1 Start Time: 36 seconds
Seizure 1 End Time: 50 seconds
Seizure 2 Start Time:  90 seconds
Seizure 2 End Time:  101 seconds

File Name: chb03_02+.edf
Number of Seizures in File: 0

File Name: chb03_03.edf
File Start Time: 15:23:36
Number of Seizures in File: 1
Seizure Start Time: 20 seconds
Seizure End Time: 60 seconds
"""


def test_a_summary_of_chb_mit_names_the_seizures_of_each_file_and_the_rest_is_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "chb03-summary.txt").write_text(SUMMARY)
    first, second, third = (tmp_path / f"chb03_0{n}.edf" for n in ("1", "2+", "3"))
    found = classes(recording(first, 150.0), [0, 16, 30, 60, 70, 76, 100])
    assert found == ["other", "seizure", "other", "other", "seizure", "seizure", "other"]
    assert classes(recording(second), [0, 50]) == ["other", "other"]
    assert classes(recording(third), [0, 30, 36]) == ["seizure", "seizure", "other"]
    none, notes = find_labels(recording(tmp_path / "chb03_09.edf"), Words())
    assert none is None
    assert "chb03-summary.txt beside it says nothing" in notes[0]
    wrong = SUMMARY.replace("Seizure 2 End Time:  101 seconds\n", "")
    (tmp_path / "chb03-summary.txt").write_text(wrong)
    with pytest.raises(DataError, match=r"expected 2 seizures of chb03_01.edf .* 1 end"):
        find_labels(recording(first), Words())


SIENA = """Data Sampling Rate: 512 Hz
*************************

Seizure n 1
File name: PN05-2.edf
Registration start time: 23.58.30
Registration end time:  00.02.30
Seizure start time: 23.59.50
Seizure end time: 00.00.10

Seizure n 2 (in PN05-4)
File name: PN05-4.edf
Registration start time: 06:46:02
Registration end time:  06:50:02
Start time: 06:46:32
End time: 06:46:52
"""


def test_a_list_of_siena_has_times_of_the_clock_also_past_midnight(tmp_path: Path) -> None:
    (tmp_path / "Seizures-list-PN05.txt").write_text(SIENA)
    found = classes(recording(tmp_path / "PN05-2.edf", 240.0), [50, 60, 75, 85])
    assert found == ["other", "seizure", "seizure", "other"]
    found = classes(recording(tmp_path / "PN05-4.edf", 240.0), [0, 10, 20, 30])
    assert found == ["other", "seizure", "seizure", "other"]
    assert find_labels(recording(tmp_path / "PN05-3.edf"), Words())[0] is None
    _, notes = find_labels(recording(tmp_path / "PN05-4.edf", 400.0), Words())
    assert "400 s long and 240 s by Seizures-list-PN05.txt" in notes[0]
    with pytest.raises(DataError, match=r"from 80 to 100 s of PN05-2.edf, which is 30 s long"):
        find_labels(recording(tmp_path / "PN05-2.edf", 30.0), Words())


def events(*rows: str, column: str = "eventType") -> str:
    head = f"onset\tduration\t{column}\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    return head + "".join(row.replace(" ", "\t") + "\n" for row in rows)


def test_events_of_a_bids_tree_list_all_seizures(tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "ses-01" / "eeg"
    folder.mkdir(parents=True)
    table = folder / "sub-01_ses-01_task-szMonitoring_run-00_events.tsv"
    one = recording(folder / "sub-01_ses-01_task-szMonitoring_run-00_eeg.edf")
    table.write_text(events("30.5 20 sz_foc_ia n/a n/a n/a 120.0", "60 5 impd n/a n/a n/a 120.0"))
    assert classes(one, [0, 12, 30, 80]) == ["other", "seizure", "other", "other"]
    assert find_labels(one, Words())[1] == ()
    table.write_text(events("0 120 bckg n/a n/a n/a 120.0"))
    assert classes(one, [0, 60]) == ["other", "other"]
    table.write_text(events("30.5 20 sz n/a n/a n/a 90.0"))
    assert "120 s long and 90 s by" in find_labels(one, Words())[1][0]
    table.write_text(events("30.5 n/a sz n/a n/a n/a 120.0"))
    with pytest.raises(DataError, match=r"got onset '30.5' and end \(onset \+ duration\) 'n/a'"):
        find_labels(one, Words())
    # of other events nothing is taken for a label, but what is a pattern by its word
    table.write_text(events("3 1 eyesopen", "9 2 button", column="trial_type"))
    labels, notes = find_labels(one, Words())
    assert labels is None
    assert "_events.tsv beside it says nothing" in notes[0]
    table.write_text(events("3 1 eyesopen", "20 10 LPD", column="trial_type"))
    assert classes(one, [0, 60]) == ["lpd", None]


def test_seizures_annotated_in_the_recording_are_intervals_or_pairs_and_the_rest_is_unknown(
    tmp_path: Path,
) -> None:
    notes: tuple[Note, ...] = (
        (5.0, None, "eyes closed"), (30.0, 15.0, "Seizure"), (60.0, None, "Seizure start"),
        (82.0, None, "SEIZURE END"), (90.0, 12.0, "GPDs"), (100.0, 0.0, "no seizure since"),
    )  # fmt: skip
    one = recording(tmp_path / "a.edf", notes=notes)
    assert classes(one, [0, 10, 40, 55, 70]) == [None, "seizure", "seizure", "seizure", "gpd"]
    all_read = {"*": "other", "no seizure since": "none"}
    assert classes(one, [0, 10], all_read) == ["other", "seizure"]
    _, said = find_labels(one, Words())
    assert "3 intervals of its own annotations" in said[0]
    assert "--label '*=other'" in said[0]
    assert "1 annotation of its own that seems to name a seizure or another" in said[1]
    assert "such as 'no seizure since'" in said[1]
    own = recording(tmp_path / "b.edf", notes=((10.0, 40.0, "Crise"), (60.0, None, "crise?")))
    labels, said = find_labels(own, Words())
    assert labels is None
    assert "2 annotations of its own that seem to name a seizure or another" in said[0]
    assert "such as 'Crise'" in said[0]
    assert classes(own, [0, 60], {"crise": "seizure"}) == ["seizure", None]
    # what lies beside a recording comes first
    (tmp_path / "a.tse").write_text("version = tse_v1.0.0\n0 120 bckg 1.0\n")
    assert classes(one, [10, 55]) == ["other", "other"]


@pytest.mark.parametrize(
    "text", ["Krampfanfall", "crise d\u00e9but", "Crisis", "\u53d1\u4f5c", "GTCS", "ictal onset"]
)
def test_seizures_noted_in_other_words_are_said_to_be_there(text: str, tmp_path: Path) -> None:
    labels, said = find_labels(recording(tmp_path / "a.edf", notes=((30.0, 15.0, text),)), Words())
    assert labels is None
    assert (
        f"seems to name a seizure or another pattern, such as {text!r}: not read as labels"
        in said[0]
    )


@pytest.mark.parametrize(
    ("lasts", "text"),
    [(30.0, "Seizure left."), (None, "Seizure"), (None, "Seizure start"), (None, "Seizure end"),
     (None, "FNSZ"), (None, "LPDs"), (30.0, "GRDA+S")],
)  # fmt: skip
def test_patterns_that_are_not_read_are_never_taken_for_none(
    lasts: float | None, text: str, tmp_path: Path
) -> None:
    own = recording(tmp_path / "a.edf", notes=((10.0, 15.0, "Seizure"), (60.0, lasts, text)))
    with pytest.raises(DataError, match=r"at 60\.0 s seems to name .*--label '\*=none'") as error:
        find_labels(own, Words.of({"*": "other"}))
    assert repr(text) in str(error.value)
    assert "1 annotation of its own that seems to name" in find_labels(own, Words())[1][1]
    if text != "Seizure":  # nor where the user says what it is
        assert classes(own, [0, 45], {"*": "other", text: "none"}) == ["seizure", "other"]
    table = tmp_path / "sub-01_events.tsv"
    table.write_text(f"onset\tduration\ttrial_type\n10\t15\tseizure\n60\t30\t{text} (right)\n")
    with pytest.raises(DataError, match=r"\(right\)' at 60 s seems to name .*--label '\*=none'"):
        find_labels(recording(tmp_path / "sub-01_eeg.edf"), Words.of({"*": "other"}))
    assert classes(recording(tmp_path / "sub-01_eeg.edf"), [0, 45]) == ["seizure", None]


def test_numbered_seizures_begin_and_end_by_their_numbers(tmp_path: Path) -> None:
    def spans(*notes: tuple[float, str]) -> list[tuple[float, float]]:
        one = recording(tmp_path / "a.edf", notes=tuple((at, None, text) for at, text in notes))
        labels, said = find_labels(one, Words())
        found = [] if labels is None else [labels.intervals.start_s, labels.intervals.stop_s]
        unread = any("seem" in text for text in said)
        assert unread == (2 * len(found[0]) < len(notes) if found else True)
        return list(zip(*(times.tolist() for times in found), strict=True))

    crossed = ((5, "Seizure 1 start"), (9, "SZ 2 onset"), (20, "Seizure 01 end"))
    assert spans((5, "Seizure 1 start"), (90, "Seizure 2 end")) == []
    assert spans(*crossed, (30, "Seizure 2 end")) == [(5, 20), (9, 30)]
    assert spans(*crossed, (30, "Seizure end")) == [(5, 20), (9, 30)]
    assert spans((5, "Seizure start"), (20, "Seizure 3 end")) == [(5, 20)]
    assert spans((5, "Seizure start"), (9, "Seizure start"), (20, "Seizure end")) == [(9, 20)]


def test_underlines_separate_words_of_notes_too(tmp_path: Path) -> None:
    notes: tuple[Note, ...] = ((30.0, None, "SEIZURE_START"), (45.0, None, "Seizure_finished"))
    assert classes(recording(tmp_path / "a.edf", notes=notes), [10]) == ["seizure"]
    notes = ((30.0, 15.0, "grand_mal"),)
    found = classes(recording(tmp_path / "a.edf", notes=notes), [10], {"grand_mal": "seizure"})
    assert found == ["seizure"]


@pytest.mark.parametrize("word", ["other", "slow", "background", "null", "chew"])
def test_conditions_of_a_task_are_no_labels_whatever_they_are_called(
    word: str, tmp_path: Path
) -> None:
    table = tmp_path / "sub-01_events.tsv"
    table.write_text(events(f"1 40 {word}", "50 20 button", column="trial_type"))
    labels, notes = find_labels(recording(tmp_path / "sub-01_eeg.edf"), Words())
    assert labels is None
    assert "sub-01_events.tsv beside it says nothing" in notes[0]
    assert classes(recording(tmp_path / "sub-01_eeg.edf"), [0], {word: "other"}) == ["other"]


def test_a_seizure_without_a_length_is_never_taken_for_none(tmp_path: Path) -> None:
    one = recording(tmp_path / "sub-01_eeg.edf")
    (tmp_path / "sub-01_events.tsv").write_text(events("25 0 sz n/a n/a n/a 120.0"))
    with pytest.raises(DataError, match=r"'sz' at 25\.0 s has no length.*--label '\*=none'"):
        find_labels(one, Words())
    _, notes = find_labels(one, Words.of({"*": "none"}))
    assert "1 mark without a length, the first at 25.0 s: not read" in notes[-1]


def test_labels_that_go_beyond_a_recording_or_name_another_are_said(tmp_path: Path) -> None:
    one = recording(tmp_path / "aaaaaaaa_s001_t000.edf")
    table = tmp_path / "aaaaaaaa_s001_t000.csv_bi"
    table.write_text(HEADER + "TERM,0.0,900.0,bckg,1.0\n")
    assert (
        "is 120.0 s long, and aaaaaaaa_s001_t000.csv_bi extends to 900.0 s"
        in (find_labels(one, Words())[1][0])
    )
    table.write_text("# bname = aaaaaaab_s004_t001\n" + HEADER + "TERM,0.0,120.0,bckg,1.0\n")
    assert "is of aaaaaaab_s004_t001 by its own words" in find_labels(one, Words())[1][0]
    table.write_text("# bname = aaaaaaaa_s001_t000\n" + HEADER + "TERM,0.0,120.0,bckg,1.0\n")
    assert find_labels(one, Words())[1] == ()


def test_endings_of_labels_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "A.CSV").write_text(HEADER + "TERM,0.0,120.0,seiz,1.0\n")
    assert classes(recording(tmp_path / "A.EDF"), [0]) == ["seizure"]


def test_lists_that_contradict_themselves_or_break_off_are_refused(tmp_path: Path) -> None:
    summary = tmp_path / "chb03-summary.txt"
    again = "File Name: chb03_03.edf\nNumber of Seizures in File: 0\n"
    summary.write_text(SUMMARY + again)
    with pytest.raises(DataError, match=r"lists chb03_03.edf 2 times"):
        find_labels(recording(tmp_path / "chb03_03.edf"), Words())
    summary.write_text(SUMMARY.lower())
    assert classes(recording(tmp_path / "chb03_03.edf"), [0, 36]) == ["seizure", "other"]
    (tmp_path / "Seizures-list-PN05.txt").write_text(
        SIENA.replace("Seizure end time: 00.00.10", "Seizure strat time: 00.00.10")
    )
    with pytest.raises(DataError, match=r"a seizure of PN05-2.edf has no end time"):
        find_labels(recording(tmp_path / "PN05-2.edf", 240.0), Words())


def test_words_are_those_of_the_corpora_their_compounds_and_the_users_own() -> None:
    words = Words.of({"Crise": "seizure", "bckg": "none", "trip": "GPD"})
    for word, expected in (
        ("eyem_musc", "other"), ("musc_elec", "other"), ("CHEW_SHIV", "other"), ("elpp", "other"),
        ("sz_gen_to_foc", "seizure"), ("pled", "lpd"), ("GPDs", "gpd"), ("lrda", "lrda"),
        ("crise", "seizure"), ("bckg", "none"), ("trip", "gpd"), (" 'Seiz' ", "seizure"),
        ("seiz_musc", None), ("spindle", None), ("", None),
    ):  # fmt: skip
        assert words.find(word) == expected, word
    with pytest.raises(ParameterError, match="--label a=lumpy: expected one of seizure, lpd"):
        Words.of({"a": "lumpy"})
    with pytest.raises(ParameterError, match="what is not annotated can be other or none"):
        Words.of({"*": "seizure"})


def test_labels_that_are_seen_and_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,Fp1\n0.0,1.5\n")
    (tmp_path / "a.xml").write_text("<Annotations/>")
    (tmp_path / "a.edf.seizures").write_bytes(b"\0")
    labels, notes = find_labels(recording(tmp_path / "a.edf"), Words())
    assert labels is None
    for name in ("a.csv", "a.xml", "a.edf.seizures"):
        assert name in notes[0]


def test_a_models_answers_are_never_labels(tmp_path: Path) -> None:
    """As hmstrain predict writes them: whole, edited by a spreadsheet, and without a seizure."""
    one, table = recording(tmp_path / "a_eeg.edf"), tmp_path / "a_events.tsv"
    head, row = events("30.5 20 sz 0.9 n/a n/a 120.0").splitlines()
    for said in (
        "RESEARCH, model, p=0.90: seizure-like",
        '"RESEARCH, model: nothing seizure-like"',
    ):
        table.write_text(f"{head}\tdescription\n{row}\t{said}\n")
        labels, notes = find_labels(one, Words())
        assert labels is None
        (note,) = notes
        assert note.startswith("a_events.tsv beside a_eeg.edf holds a model's answers")
    (tmp_path / "a_eeg.tse").write_text("version = tse_v1.0.0\n\n0.0 120.0 bckg 1.0\n")
    labels, notes = find_labels(one, Words())
    assert labels is not None
    assert labels.source == "a_eeg.tse"
    (tmp_path / "a_eeg.tse").unlink()
    table.write_text(f"{head}\tdescription\n{row}\tseen on the video\n")
    assert classes(one, [12]) == ["seizure"]


SEMICOLONS = "channel;start_time;stop_time;label;confidence\nTERM;0,0;25,5;bckg;1,0\n"


@pytest.mark.parametrize(
    ("content", "encode"),
    [(HEADER + "TERM,0.0,25.5,bckg,1.0\n", "utf-16"), (SEMICOLONS, "utf-8-sig"),
     (HEADER.replace("# version", '"# version') + "TERM,0.0,25.5,bckg,1.0\n", "cp1252")],
    ids=["utf-16", "semicolons", "quoted comment"],
)  # fmt: skip
def test_tables_that_a_spreadsheet_saved_are_read(
    content: str, encode: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv_bi").write_bytes(content.encode(encode))
    assert classes(recording(tmp_path / "a.edf"), [0, 30]) == ["other", None]


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        (".csv_bi", "a,b\n1,2\n", "lacks 3 columns: label, start_time, stop_time"),
        (".csv", "start_time,b\n1,2\n", "lacks 2 columns: label, stop_time"),
        (".csv", HEADER + "TERM,0.0,x,seiz,1.0\n", "got start_time '0.0' and stop_time 'x'"),
        (".csv", HEADER + "TERM,9.0,3.0,seiz,1.0\n", "got start_time '9.0'"),
        (".csv", HEADER + "TERM,0.0,nan,seiz,1.0\n", "stop_time 'nan'"),
        (".csv", HEADER + "TERM,0.0,3.0,seizz,1.0\n", "unknown label 'seizz' .did you mean 'seiz'"),
        (".csv", HEADER + "T,0.0,3.0,foo,1\nT,0,3,bar,1\n", "unknown labels 'bar', 'foo'.*--label"),
        (".csv_bi", HEADER + "TERM,0.0,3.0\n", "unknown label ''"),
        (
            ".csv_bi",
            HEADER + "TERM,500.0,503.0,seiz,1.0\n",
            "begins at 500.0 s, expected all",
        ),
        (".tse", "version = tse_v1.0.0\n0.0 3.0\n", "expected lines of start, stop, label"),
        (".lbl", "label = {0, 0, 0.0, 3.0, 0, [1.0]}\n", "after its symbols, got 'label = "),
        (".rec", "1,0.0,1.0,9\n", "a number from 1 to 6, got '1,0.0,1.0,9'"),
        ("_events.tsv", "onset\teventType\n1\tsz\n", "lacks duration"),
        (
            ".csv",
            f"{HEADER}TERM,0.0,3.0,{'x' * 140_000},1\n",
            "in row 1 below the header, got field larger",
        ),
        (
            "_events.tsv",
            f"onset\tduration\teventType\n1\t2\t{'x' * 140_000}\n",
            "in row 1 below the header, got field larger",
        ),
    ],
    ids=range(15),
)
def test_bad_labels_are_refused_with_what_to_do(
    suffix: str, text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / f"a{suffix}").write_text(text)
    with pytest.raises(DataError, match=message):
        find_labels(recording(tmp_path / "a.edf"), Words())


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Two recordings of a minute in a folder, made once."""
    made = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(("a", "b")):
        write_edf(made / f"{name}.edf", noise(60, seed=seed))

    def copy(folder: Path) -> Path:
        folder.mkdir()
        for path in made.iterdir():
            (folder / path.name).symlink_to(path)
        return folder

    return copy


def test_of_a_mixed_folder_the_labelled_are_imported_and_the_others_named(
    pair: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = pair(tmp_path / "in")
    (folder / "a.tse").write_text("version = tse_v1.0.0\n0 60 bckg 1.0\n")
    made = import_recordings([folder], tmp_path / "out")
    assert made.labelled
    assert [one.file for one in made.recordings] == ["a.edf"]
    assert [one.file for one in made.refused] == ["b.edf"]
    assert "b.edf has no labels beside it" in made.warnings[-1]
    assert "--unlabelled" in made.warnings[-1]
    both = import_recordings([folder], tmp_path / "plain", unlabelled=True)
    assert not both.labelled
    assert (len(both.recordings), both.refused) == (2, [])
    (folder / "b.tse").write_text("version = tse_v1.0.0\n0 60 zzz 1.0\n")
    made = import_recordings([folder], tmp_path / "again")
    assert "b.tse: unknown label 'zzz'" in made.refused[0].reason
    made = import_recordings([folder], tmp_path / "known", label={"zzz": "lpd"})
    assert (made.by_class["lpd"], made.by_class["other"]) == (2, 2)


def test_notes_in_a_few_recordings_leave_no_other_out(tmp_path: Path) -> None:
    note = edfio.EdfAnnotation(20.0, 12.0, "Seizure")
    write_edf(tmp_path / "a.edf", noise(60), annotations=[note])
    write_edf(tmp_path / "b.edf", noise(60))
    made = import_recordings([tmp_path], tmp_path / "both")
    assert (made.labelled, len(made.recordings), made.refused) == (False, 2, [])
    said = "1 recording of 2 with labels among their own annotations"
    (found,) = [warning for warning in made.warnings if said in warning]
    assert found.endswith("a.edf.")
    alone = import_recordings([tmp_path / "a.edf"], tmp_path / "alone")
    assert (alone.by_class["seizure"], alone.windows, alone.left_out) == (1, 1, 1)
    assert "--label '*=other'" in " ".join(alone.warnings)
