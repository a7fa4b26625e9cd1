"""A model's answers on a recording come from another process, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmsstore import CLASSES, HMS
from hmsstore.recordings import ImportedPiece, ImportedRecording
from hmstrain.errors import DataError
from hmstrain.reading.page.answers import Answers, read_answers

DESCRIBED = ImportedRecording(
    "night.edf", 120.0, 1, (200.0,), (), (), (ImportedPiece(7, 0.0), ImportedPiece(9, 60.0)),
    interpolated=("F7",),
)  # fmt: skip


def table(path: Path, rows: list[tuple[int, float, str]]) -> Path:
    """What `hmstrain predict` writes, as far as it is read here."""
    lines = [",".join(["row", "eeg_id", "eeg_offset_s", *CLASSES, "predicted"])]
    lines += [
        ",".join([str(n), str(eeg), f"{offset:g}", *[answer] * 6, "lpd"])
        for n, (eeg, offset, answer) in enumerate(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_windows_of_a_recordings_pieces_are_put_in_order(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [(9, 10.0, "0.2"), (7, 0.0, "0.1"), (8, 0.0, "1"), (7, 5, "")])
    timeline = read_answers(path, DESCRIBED, HMS)
    assert timeline.centre_s.tolist() == [25.0, 30.0, 95.0]
    np.testing.assert_array_equal(timeline.prediction[:, 0], [0.1, np.nan, 0.2])
    assert timeline.caveats == {"interpolated": ("F7",)}


def test_a_table_of_something_else_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no window of night\.edf"):
        read_answers(table(tmp_path / "a.csv", [(8, 0.0, "1")]), DESCRIBED, HMS)
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is not what `hmstrain predict` writes"):
        read_answers(tmp_path / "b.csv", DESCRIBED, HMS)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_answers(tmp_path / "c.csv", DESCRIBED, HMS)


def test_a_run_that_gives_probabilities_alone_shows_no_episodes(tmp_path: Path) -> None:
    rows = [(7, 10.0 * n, "0.9") for n in range(6)]
    timeline = read_answers(table(tmp_path / "a.csv", rows), DESCRIBED, HMS)
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
