"""Electrodes without EEG are named, and replaced if that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.edf_bytes import Head, annotations, eeg, tal, wave, write
from support.recorder import QUANTUM_UV, noise, write_edf

from hmsprep.importing.condition import of_channels
from hmsprep.importing.convert import import_recordings
from hmsprep.importing.splines import spline_weights
from hmsprep.inspection.inspect import inspect
from hmsstore.montage import ELECTRODES, PAIRS
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


def test_a_signal_that_swings_from_rail_to_rail_is_railed(tmp_path: Path) -> None:
    eeg_uv = noise(60)
    wide = 9_000 * np.sin(2 * np.pi * 1.3 * np.arange(12_000) / 200)
    eeg_uv[AT["O2"]] = np.clip(wide, -3_250, 3_250)
    path = write_edf(tmp_path / "a.edf", eeg_uv)
    (one,) = import_recordings([path], tmp_path / "data").recordings
    assert (one.flat, one.railed) == ((), ("O2",))


@pytest.mark.parametrize(("uv", "what"), [(3.0, "flat"), (3_000.0, "at its rail")])
def test_an_electrode_without_eeg_is_interpolated_on_request(
    uv: float, what: str, tmp_path: Path
) -> None:
    eeg_uv = bad_head()
    eeg_uv[AT["F7"]] = uv
    path = write_edf(tmp_path / "a.edf", eeg_uv)
    made = import_recordings([path], tmp_path / "data", interpolate=True)
    (one,) = made.recordings
    assert (one.interpolated, one.flat, one.railed) == (("F7",), (), ("O2",))
    assert any(f"'F7' is {what} in 100% of the recording" in warning for warning in made.warnings)
    (file,) = (tmp_path / "data" / "test_eegs").iterdir()
    found = pl.read_parquet(file)
    others = [name for name in ELECTRODES if name != "F7"]
    (weights,) = spline_weights(others, ["F7"])
    expected = weights @ np.stack([found[name].to_numpy() for name in others])
    np.testing.assert_allclose(found["F7"].to_numpy(), expected, atol=0.5)


@pytest.mark.parametrize(
    ("channels", "samples"),
    [
        ("O1", slice(None)),  # is never recorded
        ("Fz", slice(None, None, 390)),  # loses a sample of each stretch
        (CHANNELS, slice(1_000, 8_000)),  # nothing is recorded for more than half
    ],
)
def test_bridged_electrodes_are_found_beside_what_was_not_recorded(
    channels: str | tuple[str, ...], samples: slice
) -> None:
    eeg_uv = bad_head().astype(np.float32)
    places = [AT[channels]] if isinstance(channels, str) else [AT[name] for name in channels]
    eeg_uv[places, samples] = np.nan
    assert of_channels(eeg_uv)["bridged"] == ("F3-C3",)
    nothing = np.full_like(eeg_uv, np.nan)
    assert of_channels(nothing) == {}


def test_bridged_electrodes_are_found_beside_a_gap_of_more_than_half(tmp_path: Path) -> None:
    def recorded(channel: str, seconds: np.ndarray) -> np.ndarray:
        return wave("F3" if channel == "C3" else channel, seconds)

    onsets = [float(n) + (70.0 if n >= 25 else 0.0) for n in range(50)]
    at = np.concatenate([onset + np.arange(100) / 100 for onset in onsets])
    told = annotations([tal(onset) for onset in onsets])
    path = write(
        tmp_path / "a.edf", [*eeg(50, 100, 100, uv=recorded, at=at), told], Head(kind="EDF+D")
    )
    assert import_recordings([path], tmp_path / "data").recordings[0].bridged == ("F3-C3",)


def test_inspecting_a_data_set_names_them_too(tmp_path: Path) -> None:
    bad, sound = bad_head(), noise(60, seed=3)
    bad[AT["F7"]] = np.where(np.arange(12_000) < 9_000, 3.0, bad[AT["F3"]])  # flat, not for good
    bad[AT["EKG"], 3_000:] = sound[AT["Cz"], 3_000:] = 0
    import_recordings(
        [write_edf(tmp_path / "a.edf", bad), write_edf(tmp_path / "b.edf", sound)],
        tmp_path / "data",
    )
    found = inspect(tmp_path / "data", workers=1)
    eeg = found.facts["signals"]["eeg"]["condition"]
    told = {key: {one["id"]: one["names"] for one in of["most"]} for key, of in eeg.items()}
    assert told == {
        "flat": {10_000: ["F7"], 20_000: ["Cz"]}, "railed": {10_000: ["O2"]},
        "bridged": {10_000: ["F3-C3"]},
    }  # fmt: skip
    text = " ".join(found.warnings)
    assert "2 EEG recordings with electrodes flat in at least a tenth" in text
    assert "1 EEG recording with neighbours that are bridged: both measure the same: 10000" in text


def bipolar(folder: Path, changed: dict[str, np.ndarray | str], name: str = "a.edf") -> Path:
    """A bipolar recording; a pair's signal, or its label, may be another."""
    head = dict(zip(CHANNELS, noise(60), strict=True))
    signals = {f"{a}-{b}": head[a] - head[b] for a, b in PAIRS}
    values = [changed[pair] if isinstance(changed.get(pair), np.ndarray) else signal
              for pair, signal in signals.items()]  # fmt: skip
    labels = [changed[pair] if isinstance(changed.get(pair), str) else pair for pair in signals]
    if "EKG" in changed:
        values, labels = [*values, changed["EKG"]], [*labels, "EKG"]
    return write_edf(folder / name, np.stack(values), channels=labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pair", "uv", "what"),
    [("T5-O1", 7.0, "flat"), ("Fp2-F4", 7.0, "flat"), ("T5-O1", 3_000.0, "at its rail")],
)
def test_a_pair_without_eeg_follows_from_the_ring_that_it_is_in(
    pair: str, uv: float, what: str, tmp_path: Path
) -> None:
    path = bipolar(tmp_path, {pair: np.full(12_000, uv), "EKG": np.zeros(12_000)})
    made = import_recordings([path], tmp_path / "data")
    (one,) = made.recordings
    assert (one.reference, one.interpolated) == ("chains", ())
    assert one.flat == one.railed == one.bridged == ()
    assert "EKG" not in one.filled
    (told,) = [text for text in made.warnings if pair in text]
    assert f"{pair}' is {what} in 100% of the recording. What it measures follows" in told
    (file,) = (tmp_path / "data" / "test_eegs").iterdir()
    found = pl.read_parquet(file)
    head = dict(zip(CHANNELS, noise(60), strict=True))
    for a, b in PAIRS:
        away = np.abs((found[a] - found[b]).to_numpy() - head[a] + head[b]).max()
        assert away <= (4 if f"{a}-{b}" == pair else 1) * QUANTUM_UV + 0.001, (a, b, away)


def test_flat_pairs_that_nothing_tells_are_named(tmp_path: Path) -> None:
    flat = np.zeros(12_000)
    path = bipolar(tmp_path, {"T5-O1": flat, "Fp1-F3": flat})
    (one,) = import_recordings([path], tmp_path / "data").recordings
    assert sorted(one.flat) == ["Fp1-F3", "T5-O1"]


def test_pairs_that_do_not_add_up_are_said(tmp_path: Path) -> None:
    sound = import_recordings([bipolar(tmp_path, {})], tmp_path / "sound")
    assert not [text for text in sound.warnings if "add up" in text]
    turned = bipolar(tmp_path, {"F7-T3": "F8-T4", "F8-T4": "F7-T3"}, "b.edf")
    made = import_recordings([turned], tmp_path / "turned")
    left, right = [text for text in made.warnings if "add up" in text]
    assert left.startswith("b.edf has pairs that do not add up from Fp1 to O1 by ")
    assert "from Fp2 to O2 by" in right
    assert "Labels are probably wrong" in right
