"""recordings.json: what an import writes is what a prediction reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hmsstore import StoreError
from hmsstore.recordings import (
    RECORDINGS_NAME,
    ImportedPiece,
    ImportedRecording,
    LeftOut,
    import_words,
    read_left_out,
    read_recordings,
    write_recordings,
)

NIGHT = ImportedRecording(
    file="night.edf",
    seconds=7_000.5,
    patient_id=1,
    rates_hz=(200.0, 256.0),
    filled=("EKG",),
    references=("A1", "A2"),
    pieces=(ImportedPiece(10_000, 0.0), ImportedPiece(10_001, 3_000.0)),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_recordings(tmp_path, (NIGHT,), 10.0)
    assert read_recordings(tmp_path) == (NIGHT,)
    odd = replace(NIGHT, reference="chains", interpolated=("F7",))
    write_recordings(tmp_path, (odd,), 10.0)
    assert read_recordings(tmp_path) == (odd,)


def test_a_file_of_before_references_were_kept_is_of_scalp_recordings(tmp_path: Path) -> None:
    write_recordings(tmp_path, (NIGHT,), 10.0)
    path = tmp_path / RECORDINGS_NAME
    content = json.loads(path.read_text())
    for key in ("reference", "interpolated"):
        del content["recordings"][0][key]
    path.write_text(json.dumps(content))
    assert read_recordings(tmp_path) == (NIGHT,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.pop("pieces"), "pieces: expected a value, got none"),
        (lambda r: r.update(seconds="long"), "seconds: expected a number, got a text"),
        (lambda r: r.update(seconds=float("nan")), "seconds: expected a finite number, got nan"),
        (lambda r: r.update(filled=[3]), "filled: expected a text, got 3"),
        (lambda r: r.update(pieces=["a"]), "expected an object, got a text"),
        (lambda r: r["pieces"][0].pop("eeg_id"), "eeg_id: expected a value, got none"),
        (lambda r: r.update(reference="ear"), "reference: expected scalp or chains, got 'ear'"),
        (lambda r: r.update(patient_id=True), "patient_id: expected a whole number, got True"),
    ],
)
def test_a_file_that_was_changed_is_refused_in_one_sentence(
    change: Any, said: str, tmp_path: Path
) -> None:
    write_recordings(tmp_path, (NIGHT,), 10.0)
    path = tmp_path / RECORDINGS_NAME
    content = json.loads(path.read_text())
    change(content["recordings"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=said) as error:
        read_recordings(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["[", "[]", "3", '{"recordings": 3}', "{}"])
def test_what_is_not_such_a_file_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / RECORDINGS_NAME).write_text(content)
    with pytest.raises(StoreError, match="not what `hmsprep import` writes"):
        read_recordings(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"recordings\.json cannot be read: No such file"):
        read_recordings(tmp_path)


def test_options_of_an_import_become_the_words_that_are_typed() -> None:
    assert import_words({"rename": {"ch=1": "Fp1", "ch 2": "F3"}}) == [
        "--rename", "ch=1=Fp1", "--rename", "ch 2=F3",
    ]  # fmt: skip
    assert import_words({"rename": ["a=Fp1"]}) == ["--rename", "a=Fp1"]
    assert import_words({"rename": None}) == import_words({}) == []
    with pytest.raises(StoreError, match=r"no option 'renamed' of an import: use rename"):
        import_words({"renamed": {}})


def test_what_an_import_left_out_is_kept_and_older_files_left_nothing_out(tmp_path: Path) -> None:
    short = LeftOut("short.edf", "short.edf is 30 s long.")
    write_recordings(tmp_path, (NIGHT,), 10.0, [short])
    assert read_left_out(tmp_path) == (short,)
    path = tmp_path / RECORDINGS_NAME
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"recordings": content["recordings"]}))
    assert read_left_out(tmp_path) == ()
    path.write_text(json.dumps(content | {"left_out": [3]}))
    with pytest.raises(StoreError, match="expected an object, got 3"):
        read_left_out(tmp_path)
