"""What an import would do, said before it does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.helpers import Program
from support.recorder import CONVENTIONS, noise, write_edf

import hmsprep
from hmsprep.errors import DataError, ParameterError
from hmsstore.schema import CHANNELS

PROGRAM = Program("hmsprep")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of three kinds, one with labels, and one that is too short."""
    folder = tmp_path_factory.mktemp("listing")
    write_edf(folder / "plain.edf", noise(70))
    kept = [name for name in CHANNELS if name not in ("Fz", "EKG")]
    rows = noise(120, 256.0)[[CHANNELS.index(name) for name in kept]]
    path = write_edf(folder / "tuh.edf", rows, 256.0, names=CONVENTIONS["tuh"], channels=kept)
    path.with_suffix(".tse").write_text("version = tse_v1.0.0\n0 60 bckg 1.0\n60 120 fnsz 1.0\n")
    write_edf(folder / "short.edf", noise(30))
    return folder


def test_an_import_does_what_the_listing_says(folder: Path, tmp_path: Path) -> None:
    listed = hmsprep.list_recordings([folder], stride=5)
    made = hmsprep.import_recordings([folder], tmp_path / "out", stride=5)
    (one,) = listed.recordings
    assert one.file == made.recordings[0].file == "tuh.edf"
    assert (one.windows, listed.labelled) == (made.windows, made.labelled)
    assert one.by_class == {name: n for name, n in made.by_class.items() if n}
    assert listed.refused == tuple(made.refused)
    assert {Path(no.file).name for no in listed.refused} == {"plain.edf", "short.edf"}
    assert (one.rates_hz, one.filled, one.references) == ((256.0,), ("Fz", "EKG"), ("REF",))
    assert (one.labels, one.units, one.seconds) == ("tuh.tse", ("uV",), 120.0)
    assert one.channels["Fp1"] == "EEG FP1-REF"
    assert one.signals[0] == "EEG FP1-REF"
    both = hmsprep.list_recordings([folder], unlabelled=True)
    assert [one.windows for one in both.recordings] == [3, 8]


def test_a_mixed_channel_is_listed_as_a_sum(tmp_path: Path) -> None:
    pairs = "Fp1-F7 F7-T3 T3-T5 T5-O1 Fp1-F3 F3-C3 C3-P3 P3-O1 Fp2-F8 F8-T4 T4-T6 T6-O2".split()
    pairs += "Fp2-F4 F4-C4 C4-P4 P4-O2".split()
    path = write_edf(tmp_path / "a.edf", noise(60)[:16], channels=pairs)
    (one,) = hmsprep.list_recordings([path]).recordings
    assert one.reference == "chains"
    assert one.channels["Fp1"] == "0"
    assert "Fp1-F7" in one.channels["F7"]


def test_the_command_lists_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    done = PROGRAM.run("import", "--list", folder, "--unlabelled")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for word in ("2 recordings", "tuh.edf", "256", "REF", "EEG FP1-REF", "filled with 0"):
        assert word in done.stdout, word
    assert "short.edf is 30 s long" in done.stderr
    told = json.loads(PROGRAM.succeed("import", folder / "tuh.edf", "--list", "--json").stdout)
    assert told["recordings"][0]["labels"] == "tuh.tse"
    assert told["recordings"][0]["channels"]["O2"] == "EEG O2-REF"
    assert sorted(folder.iterdir()) == before
    assert "OUT" in PROGRAM.run("import", folder / "tuh.edf").stderr


def test_one_recording_or_folder_needs_no_list(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    listed = hmsprep.list_recordings([folder])
    for alone in (folder, str(folder), "./", (one for one in [folder])):
        found = hmsprep.list_recordings(alone)
        assert found.recordings == listed.recordings
        assert len(found.refused) == len(listed.refused)
    made = hmsprep.import_recordings("tuh.edf", tmp_path / "out", stride=5)
    assert [one.file for one in made.recordings] == ["tuh.edf"]


@pytest.mark.parametrize("files", [None, 5, ["tuh.edf", 5]])
def test_what_is_neither_a_path_nor_a_recording_is_refused(files: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="expected paths of recordings or recordings of MNE"):
        hmsprep.list_recordings(files)
    with pytest.raises(ParameterError, match="expected paths of recordings or recordings of MNE"):
        hmsprep.import_recordings(files, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stride": "5"}, "--stride: expected a number of seconds, got '5'"),
        ({"interpolate": "no"}, "--interpolate: expected True or False, got 'no'"),
        ({"clipped": "no"}, "--clipped: expected True or False, got 'no'"),
        ({"unlabelled": "no"}, "--unlabelled: expected True or False, got 'no'"),
        ({"highpass": [1]}, "--highpass .1.: expected auto, none, or 0.01 to 10"),
        ({"highpass": True}, "--highpass True: expected auto, none, or 0.01 to 10"),
    ],
)
def test_an_option_of_another_kind_is_refused(
    wrong: dict[str, Any], message: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=message):
        hmsprep.list_recordings(folder, **wrong)
    with pytest.raises(ParameterError, match=message):
        hmsprep.import_recordings(folder, tmp_path / "out", **wrong)


def test_a_listing_refuses_what_an_import_would(folder: Path) -> None:
    with pytest.raises(DataError, match="30 s long"):
        hmsprep.list_recordings([folder / "short.edf"])
    with pytest.raises(ParameterError, match="expected a multiple"):
        hmsprep.list_recordings([folder], stride=0)
