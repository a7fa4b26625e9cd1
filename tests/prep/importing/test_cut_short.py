"""Files that end before, or after, where they say: refused or read as far as they go, and said."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.edf_bytes import eeg, write
from support.formats import (
    RATE_HZ,
    SECONDS,
    raw_array,
    signal_uv,
    write_brainvision,
    write_curry,
    write_eeglab,
    write_fif,
    write_persyst,
)

from hmsprep.errors import DataError
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.formats import open_recording
from hmsprep.importing.recording import Options, Recording
from hmsstore.schema import CHANNELS

pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")
SAMPLES = round(SECONDS * RATE_HZ)
FRAME = 4 * len(CHANNELS)
"""Bytes of a sample of all channels, in each of these formats."""


def cut(path: Path, nbytes: int) -> None:
    path.write_bytes(path.read_bytes()[:-nbytes])


def added(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode("utf-8")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


def refused(path: Path, message: str) -> Recording:
    """Check that it is refused, and read if that is asked for, with the same reason; open it so."""
    with pytest.raises(DataError, match=rf"is truncated: .*{message}.*--truncated\.$"):
        open_recording(path, Options())
    one = open_recording(path, Options(truncated=True))
    assert any("is truncated: " in note and "as far as it goes" in note for note in one.notes)
    found = one.read(0, one.samples)
    expected = signal_uv(200.0)[:, : one.samples]
    assert np.abs(found - expected)[:, 400:-400].max() < 0.12
    return one


def brainvision_within_a_sample(folder: Path) -> tuple[Path, str, int]:
    path = write_brainvision(folder)
    cut(folder / "night.eeg", 100 * FRAME + 3)
    return path, r"night\.eeg ends within a sample, after 13,899 whole ones", 13_899


def brainvision_before_a_marker(folder: Path) -> tuple[Path, str, int]:
    path = write_brainvision(folder)
    cut(folder / "night.eeg", (SAMPLES - 3_000) * FRAME)
    return path, r"a marker is at sample 3,126, and night\.eeg holds 3,000", 3_000


def brainvision_before_its_header(folder: Path) -> tuple[Path, str, int]:
    path = write_brainvision(folder)
    added(path, "NumberOfChannels", f"DataPoints={SAMPLES}\nNumberOfChannels")
    cut(folder / "night.eeg", 200 * FRAME)
    return path, r"expected 14,000 samples by its header, got 13,800 in night\.eeg", 13_800


def persyst_within_a_sample(folder: Path) -> tuple[Path, str, int]:
    path = write_persyst(folder)
    cut(folder / "night.dat", 100 * FRAME + 3)
    return path, r"night\.dat ends within a sample", 13_899


def persyst_before_a_time(folder: Path) -> tuple[Path, str, int]:
    path = write_persyst(folder, "0=36000.0\n10000=36040.0\n")
    cut(folder / "night.dat", 5_000 * FRAME)
    return path, r"it says when sample 10,000 was taken, and night\.dat holds 9,000", 9_000


def persyst_before_a_comment(folder: Path) -> tuple[Path, str, int]:
    path = write_persyst(folder)
    cut(folder / "night.dat", (SAMPLES - 3_000) * FRAME)
    return path, r"a comment is at 12\.5 s, and night\.dat ends at 12\.0 s", 3_000


def fif_within_a_tag(folder: Path) -> tuple[Path, str, int]:
    """Where MNE reads on without a word: all buffers are whole but the last ones are not there."""
    path = write_fif(folder)
    cut(path, 20_057)
    return path, r"night_raw\.fif ends within its signals", 13_750


def eeglab_before_its_header(folder: Path) -> tuple[Path, str, int]:
    from scipy.io import loadmat, savemat

    path = write_eeglab(folder)
    content = {k: v for k, v in loadmat(path, struct_as_record=True).items() if k[:2] != "__"}
    inside = content["EEG"][0, 0] if "EEG" in content else content
    values = np.asarray(inside["data"], "<f4")
    (folder / "night.fdt").write_bytes(values.T.tobytes())
    inside["data"] = np.asarray(["night.fdt"])
    savemat(path, content)
    assert open_recording(path, Options()).samples == round(SECONDS * 200)
    cut(folder / "night.fdt", 500 * FRAME)
    return path, r"expected 14,000 samples by its header, got 13,500 in night\.fdt", 13_500


@pytest.mark.parametrize(
    "make",
    [brainvision_within_a_sample, brainvision_before_a_marker, brainvision_before_its_header,
     persyst_within_a_sample, persyst_before_a_time, persyst_before_a_comment, fif_within_a_tag,
     eeglab_before_its_header],
)  # fmt: skip
def test_a_file_cut_short_is_refused_or_read_as_far_as_it_goes(
    make: Callable[[Path], tuple[Path, str, int]], tmp_path: Path
) -> None:
    path, message, samples = make(tmp_path)
    assert refused(path, message).samples == samples * 200 // round(RATE_HZ)


def test_fif_is_never_read_shorter_without_a_word(tmp_path: Path) -> None:
    """Wherever it is cut: at tags, within them, within a buffer."""
    path = write_fif(tmp_path)
    whole = path.read_bytes()
    for nbytes in (57, 300, 20_000, 20_048, 20_055, 20_056, 20_057, 20_060, 20_072, 20_073, 90_000):
        path.write_bytes(whole[:-nbytes])
        with pytest.raises(DataError, match=r"is truncated|damaged"):
            import_recordings([path], tmp_path / "out")
    path.write_bytes(whole[:-10])  # the end of the list of tags
    assert open_recording(path, Options()).samples == round(SECONDS * 200)


def test_a_curry_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_curry(tmp_path)
    cut(path, 500 * FRAME)
    with pytest.raises(DataError, match="it is damaged"):
        open_recording(path, Options())


def by_channel(folder: Path, stated: str) -> Path:
    """BrainVision whose channels stand one after the other."""
    path = write_brainvision(folder)
    added(path, "DataOrientation=MULTIPLEXED", f"DataOrientation=VECTORIZED{stated}")
    values = np.fromfile(folder / "night.eeg", "<f4").reshape(-1, len(CHANNELS))
    (folder / "night.eeg").write_bytes(np.ascontiguousarray(values.T).tobytes())
    return path


def test_channels_one_after_the_other_that_were_cut_short_cannot_be_told_apart(
    tmp_path: Path,
) -> None:
    path = by_channel(tmp_path, "\nDataPoints=14000")
    one = open_recording(path, Options())
    assert not [note for note in one.notes if "night.eeg" in note]
    assert np.abs(one.read(0, 5_000) - signal_uv(200.0)[:, :5_000])[:, 400:-400].max() < 0.12
    for nbytes in (3, 10 * FRAME):
        cut(tmp_path / "night.eeg", nbytes)
        for options in (Options(), Options(truncated=True)):
            with pytest.raises(DataError, match=r"is truncated: .*Copy it again\.$"):
                open_recording(path, options)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    path = by_channel(tmp_path, "")
    assert any(
        "told apart by its size alone" in note for note in open_recording(path, Options()).notes
    )


@pytest.mark.parametrize(
    ("make", "file", "message"),
    [
        (write_curry, "night.cdt", r"night\.cdt continues for 400 bytes beyond its header"),
        (brainvision_before_its_header, "night.eeg", r"5 samples beyond its header: read, too"),
        (lambda folder: write(folder / "a.edf", eeg(54, 100, 100)), "a.edf",
         r"ends with 400 bytes of a partial record: not read"),
        (lambda folder: write(folder / "a.bdf", eeg(54, 100, 100)), "a.bdf",
         r"ends with 400 bytes of a partial record: not read"),
    ],
)  # fmt: skip
def test_what_a_file_holds_beyond_its_end_is_said(
    make: Callable[[Path], Path | tuple[Path, str, int]], file: str, message: str, tmp_path: Path
) -> None:
    made = make(tmp_path)
    path = made if isinstance(made, Path) else made[0]
    plain = tmp_path / file
    if not isinstance(made, Path):  # which was cut by 200 samples
        plain.write_bytes(plain.read_bytes() + bytes(200 * FRAME))
    assert not [note for note in open_recording(path, Options()).notes if "beyond" in note]
    plain.write_bytes(plain.read_bytes() + bytes(400))
    notes = " ".join(open_recording(path, Options()).notes)
    assert re.search(message, notes), notes


def test_a_header_ahead_of_persysts_signals_is_not_taken_for_signals(tmp_path: Path) -> None:
    path = write_persyst(tmp_path)
    added(path, "HeaderLength=0", "HeaderLength=256")
    with pytest.raises(DataError, match="gives 256 bytes before its signals"):
        open_recording(path, Options())


def test_segments_of_brainvision_are_no_recording(tmp_path: Path) -> None:
    path = write_brainvision(tmp_path)
    added(path, "NumberOfChannels", "SegmentationType=MARKERBASED\nNumberOfChannels")
    with pytest.raises(DataError, match="not a continuous recording: it is cut into segments"):
        open_recording(path, Options())


def test_whole_files_are_not_called_cut_short(tmp_path: Path) -> None:
    for name, make in (
        ("fif", write_fif), ("bv", write_brainvision), ("set", write_eeglab),
        ("lay", write_persyst), ("cdt", write_curry),
    ):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        notes = open_recording(make(folder), Options()).notes
        assert not [one for one in notes if "truncated" in one or "beyond" in one]
    raw = raw_array(uv=np.tile(signal_uv(), (1, 3)))
    raw.save(tmp_path / "night_raw.fif", split_size="2MB", verbose="ERROR")
    opened = partial(open_recording, tmp_path / "night_raw.fif")
    assert opened(Options()).samples == 3 * round(SECONDS * 200)
    cut(tmp_path / "night_raw-1.fif", 20_057)
    with pytest.raises(DataError, match=r"night_raw-1\.fif ends within its signals"):
        opened(Options())
