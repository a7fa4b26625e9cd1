"""A model's answers on a recording come from another process, and nothing is left of it."""

from __future__ import annotations

import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmsstore import CLASSES, HMS
from hmsstore.errors import StoreError
from hmsstore.recordings import ImportedPiece, ImportedRecording
from hmstrain.errors import DataError
from hmstrain.prediction.timeline import Timeline
from hmstrain.reading.page import overview
from hmstrain.reading.page.answers import Answers, read_answers, runs_identity
from hmstrain.reading.page.overview import Following
from hmstrain.reading.recording import Recording

GOLDEN = Path(__file__).parents[2] / "golden"

DESCRIBED = ImportedRecording(
    "night.edf", 120.0, 1, (200.0,), (), (), (ImportedPiece(7, 0.0), ImportedPiece(9, 60.0)),
    interpolated=("F7",),
)  # fmt: skip


def table(rows: list[tuple[int, float, str]]) -> bytes:
    """What `hmstrain predict` writes, as far as it is read here."""
    lines = [",".join(["row", "eeg_id", "eeg_offset_s", *CLASSES, "predicted"])]
    lines += [
        ",".join([str(n), str(eeg), f"{offset:g}", *[answer] * 6, "lpd"])
        for n, (eeg, offset, answer) in enumerate(rows)
    ]
    return ("\n".join(lines) + "\n").encode()


def test_windows_of_a_recordings_pieces_are_put_in_order() -> None:
    content = table([(9, 10.0, "0.2"), (7, 0.0, "0.1"), (8, 0.0, "1"), (7, 5, "")])
    timeline = read_answers(content, "a.csv", DESCRIBED, HMS)
    assert timeline.centre_s.tolist() == [25.0, 30.0, 95.0]
    np.testing.assert_array_equal(timeline.prediction[:, 0], [0.1, np.nan, 0.2])
    assert timeline.caveats == {"interpolated": ("F7",)}


def test_a_table_of_something_else_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"has no window of night\.edf"):
        read_answers(table([(8, 0.0, "1")]), "a.csv", DESCRIBED, HMS)
    for content in (b"a,b\n1,2\n", b"\xff\x00", table([(7, 0.0, "x")])):
        with pytest.raises(DataError, match=r"b\.csv is not what `hmstrain predict` writes"):
            read_answers(content, "b.csv", DESCRIBED, HMS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    out = tmp_path_factory.mktemp("run")
    with zipfile.ZipFile(GOLDEN / "run-sealed.zip") as packed:
        packed.extractall(out)
    (config,) = out.rglob("config.json")
    return config.parent


def done(answers: Answers) -> Timeline:
    came = threading.Event()
    answers.tell(came.set)
    assert came.wait(300)
    assert answers.problem == ""
    assert answers.timeline is not None
    return answers.timeline


def test_answers_are_kept_and_given_again_for_the_same_run_and_recording_alone(
    run: Path, night: Path, tmp_path: Path
) -> None:
    recording = Recording.open(night / "data", cache=tmp_path / "cache")
    first = done(Answers([run], recording))
    (kept,) = (tmp_path / "cache").glob("answers-*.csv")
    again = Answers([run], recording)
    found = done(again)
    assert again._child is None  # nothing was computed
    np.testing.assert_array_equal(found.prediction, first.prediction)
    np.testing.assert_array_equal(found.centre_s, first.centre_s)

    whole = kept.read_bytes()
    for damaged in (whole[:-200], whole.replace(b"0.1", b"0.2", 1), b"", whole[:-66]):
        kept.write_bytes(damaged)
        assert again._kept(recording) is None
    kept.write_bytes(whole)
    assert again._kept(recording) is not None

    other = Path(shutil.copytree(run, tmp_path / "other"))
    assert runs_identity([other]) == runs_identity([run])
    assert Answers([other], recording)._kept(recording) is not None
    for name in ("precision.json", "best/precision.json", "test-0123.npz", "test-0123.json"):
        (other / name).write_text("{}")  # what other commands write there
    assert runs_identity([other]) == runs_identity([run])
    (weights,) = other.glob("best/*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"1")
    assert Answers([other], recording)._kept(recording) is None
    assert Answers([run, run], recording)._kept(recording) is None
    assert Answers([run], recording, ["--model", "nets:wide"])._kept(recording) is None


def test_a_run_that_gives_probabilities_alone_shows_no_episodes(tmp_path: Path) -> None:
    rows = [(7, 10.0 * n, "0.9") for n in range(6)]
    timeline = read_answers(table(rows), "a.csv", DESCRIBED, HMS)
    nowhere: Any = None
    found = {}
    for notice in ("", "Not for patients."):
        run = tmp_path / f"run{len(notice)}"
        run.mkdir()
        if notice:
            (run / "notice.txt").write_text(notice)
        answers = Answers([run], nowhere)
        assert answers.episodes == []
        answers.timeline = timeline
        found[answers.limits] = len(answers.episodes)
    assert found[("Not for patients.",)] == 0 < found[()]


def test_what_is_wrong_with_an_import_is_told_instead_of_waiting(
    run: Path, night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording.open(night / "data", cache=tmp_path / "cache")

    def broken(*_: object) -> None:
        raise StoreError("recordings.json is damaged")

    monkeypatch.setattr(Recording, "whole", broken)
    monkeypatch.setattr(overview, "follow_trends", broken)
    for following in (Answers([run], recording), Following(recording)):
        came = threading.Event()
        following.tell(lambda *_, came=came: came.set())  # type: ignore[misc]
        assert came.wait(60)
        assert following.problem == "recordings.json is damaged"
