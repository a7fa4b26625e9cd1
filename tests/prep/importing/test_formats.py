"""Recording formats: one list, one place to add one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.recorder import noise, write_edf

import hmsprep
from hmsprep.errors import DataError
from hmsprep.importing import formats
from hmsprep.importing.channels import choose_signals
from hmsprep.importing.recording import Format, Options, Recording
from hmsstore import CHANNELS
from hmsstore.recordings import read_recordings


def open_array(path: Path, options: Options) -> Recording:
    """Open a file of NumPy's: (20, samples) microvolts at 200 Hz."""
    eeg_uv = np.load(path, mmap_mode="r")
    return Recording(
        path=path,
        samples=eeg_uv.shape[1],
        chosen=choose_signals(list(CHANNELS), options.rename, str(path)),
        rates_hz=dict.fromkeys(CHANNELS, 200.0),
        annotations=((1.0, None, "begins"),),
        patient="",
        read=lambda first, stop: np.array(eeg_uv[:, first:stop], np.float32),
    )


def test_a_format_is_added_by_one_file_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eeg_uv = noise(60).astype(np.float32)
    np.save(tmp_path / "night.npy", eeg_uv)
    new = Format("NumPy arrays", (".npy",), open_array)
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, new))
    made = hmsprep.import_recordings([tmp_path / "night.npy"], tmp_path / "data")
    assert made.windows == 2
    (one,) = read_recordings(tmp_path / "data")
    assert (one.file, one.seconds, one.rates_hz) == ("night.npy", 60.0, (200.0,))
    assert "night.npy,1.0,,begins" in (tmp_path / "data" / "annotations.csv").read_text()


def test_a_folder_stands_for_the_recordings_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "nights"
    folder.mkdir()
    for name in ("b.EDF", "a.edf"):
        write_edf(folder / name, noise(60))
    (folder / "notes.txt").write_text("not a recording")
    made = hmsprep.import_recordings([folder], tmp_path / "data")
    assert [one.file for one in made.recordings] == ["a.edf", "b.EDF"]


@pytest.mark.parametrize(
    ("name", "found"),
    [("notes.txt", "got another kind of file"), ("none.edf", "got nothing"), ("empty", "no file")],
)
def test_what_is_not_a_recording_is_refused(name: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a recording")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=rf"{name}.*\.edf, \.bdf, .* or \.dap.*{found}|{found}.*\.edf, \.bdf"
    ):
        hmsprep.import_recordings([tmp_path / name], tmp_path / "data")
