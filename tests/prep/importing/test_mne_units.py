"""Channels that MNE calls 'misc', or that are in no unit that it knows: microvolts all the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from support.formats import (
    signal_uv,
    write_brainvision,
    write_curry,
    write_eeglab,
    write_nihon_kohden,
)

from hmsprep.importing.condition import examined
from hmsprep.importing.formats import open_recording
from hmsprep.importing.recording import Options
from hmsstore.montage import ELECTRODES
from hmsstore.schema import CHANNELS

mne = pytest.importorskip("mne", reason="MNE is not installed: the extra 'mne'")


def without_positions(path: Path, names: tuple[str, ...], unit: str = "\u00b5V") -> Path:
    """Give channels of BrainVision coordinates, some of which are zeros: those MNE calls 'misc'."""
    lines = (
        f"Ch{n}={'0,0,0' if name in names else f'1,{10 + n},{5 * n}'}\n"
        for n, name in enumerate(CHANNELS, 1)
    )
    text = path.read_text("utf-8").replace("[Comment]", f"[Coordinates]\n{''.join(lines)}[Comment]")
    path.write_text(text.replace("\u00b5V", unit), "utf-8")
    return path


def brainvision_of_one(folder: Path) -> Path:
    return without_positions(write_brainvision(folder), ("EKG",))


def brainvision_of_all(folder: Path) -> Path:
    return without_positions(write_brainvision(folder), CHANNELS)


def brainvision_of_greek_units(folder: Path) -> Path:
    return without_positions(write_brainvision(folder), ("EKG",), "\u03bcV")


def brainvision_of_python(folder: Path) -> Any:
    raw = mne.io.read_raw_brainvision(write_brainvision(folder), verbose="ERROR")
    return raw.set_channel_types({"EKG": "misc", "Pz": "misc"}, verbose="ERROR")


def curry_of_two_groups(folder: Path) -> Path:
    """With EKG among the others, as recorders write it."""
    path = write_curry(folder)
    header = folder / "night.cdt.dpo"
    text = header.read_text().replace("\nEKG\n", "\n").replace("\n20\nCHAN_IN", "\nCHAN_IN")
    text = text.replace("NumChanThisGroup = 20", "NumChanThisGroup = 19")
    text = text.replace("\n190 19 81\n", "\n").replace("ListNrRows = 20", "ListNrRows = 19")
    text += (
        "DEVICE_PARAMETERS_OTHERS START # Do not edit!\n   DataUnit = uV\n   NumChanThisGroup = 1\n"
        "DEVICE_PARAMETERS_OTHERS END\n\n"
    )
    for name, row in (("LABELS", "EKG"), ("CHAN_IN_FILE", "20")):
        text += (
            f"{name}_OTHERS START # Do not edit!\n   ListNrRows = 1\n{name}_OTHERS END\n\n"
            f"{name}_OTHERS START_LIST # Do not edit!\n{row}\n{name}_OTHERS END_LIST\n\n"
        )
    header.write_text(text)
    return path


@pytest.mark.parametrize(
    "make",
    [brainvision_of_one, brainvision_of_all, brainvision_of_greek_units, brainvision_of_python,
     curry_of_two_groups],
)  # fmt: skip
def test_channels_that_mne_calls_misc_come_back_in_microvolts(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    one = examined(partial(open_recording, make(tmp_path)), Options())
    assert one.chosen.filled == ()
    error_uv = np.abs(one.read(0, one.samples) - signal_uv(200.0))[:, 400:-400].max(axis=1)
    assert error_uv.max() < 0.11


def test_a_unit_that_cannot_be_is_replaced_for_misc_channels_as_for_others(tmp_path: Path) -> None:
    path = without_positions(write_brainvision(tmp_path), ("EKG",), "mV")
    one = examined(partial(open_recording, path), Options(unit="uV"))
    assert np.abs(one.read(0, one.samples) - signal_uv(200.0))[:, 400:-400].max() < 0.11


@pytest.mark.parametrize("named", [True, False], ids=["names in capitals", "no names"])
def test_electrodes_of_nihon_kohden_in_capitals_are_read_in_microvolts(
    named: bool, tmp_path: Path
) -> None:
    path = write_nihon_kohden(tmp_path)
    names = path.with_suffix(".21E")
    names.write_text(names.read_text().upper())
    if not named:
        names.unlink()
    one = open_recording(path, Options())
    assert one.chosen.filled == ("EKG",)
    found = one.read(0, one.samples)[: len(ELECTRODES)]
    assert np.abs(found - signal_uv(200.0)[: len(ELECTRODES)])[:, 400:-400].max() < 0.2


@pytest.mark.parametrize(("scale", "unit"), [(1.0, None), (1e-6, "V")])
def test_channels_of_eeglab_of_another_type_are_in_the_units_of_its_eeg(
    scale: float, unit: str | None, tmp_path: Path
) -> None:
    path = write_eeglab(tmp_path, scale)
    content = {k: v for k, v in loadmat(path, squeeze_me=True).items() if k[:2] != "__"}
    places = content["chanlocs"].astype(
        [(name, object) for name in content["chanlocs"].dtype.names]
    )
    places["type"] = ["EEG"] * len(ELECTRODES) + ["MISC"]
    savemat(path, content | {"chanlocs": places})
    one = open_recording(path, Options(unit=unit))
    assert one.chosen.filled == ()
    assert np.abs(one.read(0, one.samples) - signal_uv(200.0))[:, 400:-400].max() < 0.05
