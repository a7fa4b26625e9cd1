"""Electrodes without EEG are named, and replaced if that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from support.recorder import noise, write_edf

from hmsprep.importing.convert import import_recordings
from hmsprep.importing.splines import spline_weights
from hmsstore.montage import ELECTRODES
from hmsstore.schema import CHANNELS

AT = {name: place for place, name in enumerate(CHANNELS)}


def bad_head() -> np.ndarray:
    """F7 is flat, O2 alternates between the rails for a third, C3 is bridged to F3."""
    eeg_uv = noise(60)
    eeg_uv[AT["F7"]] = 3.0
    eeg_uv[AT["C3"]] = eeg_uv[AT["F3"]] + 0.05 * eeg_uv[AT["C3"]]
    eeg_uv[AT["O2"], 4_000:8_000] = np.repeat([3_250.0, -3_250.0], 2_000)
    return eeg_uv


def test_flat_railed_and_bridged_electrodes_are_named(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", bad_head())
    made = import_recordings([path], tmp_path / "data")
    about = json.loads((tmp_path / "data" / "recordings.json").read_text())["recordings"][0]
    assert (about["flat"], about["railed"], about["bridged"]) == (["F7"], ["O2"], ["F3-C3"])
    text = " ".join(made.warnings)
    assert "a.edf: F7 flat in at least a tenth" in text
    assert "a.edf: O2 at the rail" in text
    assert "a.edf: F3-C3 bridged" in text


def test_a_sound_head_has_nothing_to_name(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", noise(60, seed=3))
    made = import_recordings([path], tmp_path / "data")
    (one,) = made.recordings
    assert one.flat == one.railed == one.bridged == ()


def test_an_electrode_without_eeg_is_interpolated_on_request(tmp_path: Path) -> None:
    eeg_uv = bad_head()
    path = write_edf(tmp_path / "a.edf", eeg_uv)
    made = import_recordings([path], tmp_path / "data", interpolate=True)
    (one,) = made.recordings
    assert (one.interpolated, one.flat, one.railed) == (("F7",), (), ("O2",))
    assert any("'F7' is flat in 100% of the recording" in warning for warning in made.warnings)
    (file,) = (tmp_path / "data" / "test_eegs").iterdir()
    found = pl.read_parquet(file)
    others = [name for name in ELECTRODES if name != "F7"]
    (weights,) = spline_weights(others, ["F7"])
    expected = weights @ np.stack([found[name].to_numpy() for name in others])
    np.testing.assert_allclose(found["F7"].to_numpy(), expected, atol=0.5)
