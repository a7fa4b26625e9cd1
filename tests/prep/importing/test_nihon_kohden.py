"""Nihon Kohden's files by the names that they are met under, and those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.formats import signal_uv, write_nihon_kohden

from hmsprep.errors import DataError
from hmsprep.importing.formats import open_recording
from hmsprep.importing.recording import Options
from hmsstore.montage import ELECTRODES

pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")


@pytest.mark.parametrize("rename", [str.lower, str.upper])
def test_files_beside_it_are_found_by_endings_in_any_case(
    rename: Callable[[str], str], tmp_path: Path
) -> None:
    path = write_nihon_kohden(tmp_path)
    swapped = path.with_suffix(".21E")
    swapped.write_text(
        swapped.read_text().replace("=F3", "=x").replace("=F4", "=F3").replace("=x", "=F4")
    )
    for file in sorted(tmp_path.iterdir()):
        file.rename(tmp_path / (file.stem + rename(file.suffix)))
    one = open_recording(path.with_suffix(rename(".eeg")), Options())
    assert (one.notes, [text for _, _, text in one.annotations]) == ((), ["eyes closed"])
    expected = signal_uv(200.0)[: len(ELECTRODES)]
    left, right = ELECTRODES.index("F3"), ELECTRODES.index("F4")
    expected[[left, right]] = expected[[right, left]]
    found = one.read(0, one.samples)[: len(ELECTRODES)]
    assert np.abs(found - expected)[:, 400:-400].max() < 0.2


def test_signals_of_brainvision_are_told_by_a_header_in_any_case(tmp_path: Path) -> None:
    path = write_nihon_kohden(tmp_path)
    path.with_suffix(".VHDR").write_text("")
    with pytest.raises(DataError, match=r"night\.eeg is a part of night\.VHDR: name that"):
        open_recording(path, Options())


def test_recordings_of_eeg_1200a_of_which_mne_finds_one_channel_are_refused(tmp_path: Path) -> None:
    path = write_nihon_kohden(tmp_path)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes().replace(b"EEG-1100A", b"EEG-1200A"))
    assert open_recording(path, Options()).chosen.filled == ("EKG",)  # where all are found
    content = bytearray(path.read_bytes())
    content[0x1800 + 0x26] = 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"night\.eeg is of EEG-1200A V01\.00, which MNE does not"):
        open_recording(path, Options())
