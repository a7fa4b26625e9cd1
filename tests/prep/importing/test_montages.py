"""Recordings of any montage become data sets whose pairs are those of the head they came from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.helpers import Program
from support.recorder import QUANTUM_UV, noise, write_edf

import hmsprep
from hmsprep.importing.convert import import_recordings
from hmsstore.montage import ELECTRODES, PAIRS
from hmsstore.schema import CHANNELS

PROGRAM = Program("hmsprep")
NEW = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}
BIPOLAR = [f"{NEW.get(a, a)}-{NEW.get(b, b)}".upper() for a, b in PAIRS]


@pytest.fixture(scope="module")
def head() -> dict[str, np.ndarray]:
    return dict(zip(CHANNELS, noise(60), strict=True))


def pairs_of(data: Path) -> dict[tuple[str, str], np.ndarray]:
    (file,) = (data / "test_eegs").iterdir()
    eeg = pl.read_parquet(file)
    return {(a, b): eeg[a].to_numpy() - eeg[b].to_numpy() for a, b in PAIRS}


def described(data: Path) -> dict[str, object]:
    return json.loads((data / "recordings.json").read_text())["recordings"][0]


def test_a_bipolar_recording_is_imported(head: dict[str, np.ndarray], tmp_path: Path) -> None:
    extra = ["P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8"]
    signals = [head[a] - head[b] for a, b in PAIRS]
    signals += [head["T5"] - head["T3"], *noise(60, seed=1)[:3], head["T4"] - head["T6"]]
    path = write_edf(tmp_path / "chb.edf", np.stack(signals), channels=[*BIPOLAR, *extra])
    done = PROGRAM.succeed("import", path, tmp_path / "data")
    for (a, b), found in pairs_of(tmp_path / "data").items():
        assert np.abs(found - head[a] + head[b]).max() <= 4 * QUANTUM_UV, (a, b)
    assert described(tmp_path / "data")["reference"] == "chains"
    assert "differences along each chain are right" in done.stderr
    assert "'T8-P8' and #23 'T8-P8'" in done.stderr
    found = hmsprep.inspect(tmp_path / "data", workers=1)  # the first of a chain is 0 by right
    assert set(found.facts["signals"]["eeg"]["constant"]) <= {"EKG"}


def test_a_scalp_reference_makes_its_electrode_zero(
    head: dict[str, np.ndarray], tmp_path: Path
) -> None:
    names = [name for name in ELECTRODES if name != "Fz"]
    signals = np.stack([head[name] - head["Fz"] for name in names])
    path = write_edf(tmp_path / "a.edf", signals, channels=[f"EEG {n} - Fz" for n in names])
    import_recordings([path], tmp_path / "data")
    (file,) = (tmp_path / "data" / "test_eegs").iterdir()
    eeg = pl.read_parquet(file)
    assert not eeg["Fz"].to_numpy().any()
    for name in names:
        assert np.abs(eeg[name].to_numpy() - head[name] + head["Fz"]).max() <= QUANTUM_UV
    about = described(tmp_path / "data")
    assert (about["reference"], about["references"], about["filled"]) == ("scalp", ["Fz"], ["EKG"])
    found = hmsprep.inspect(tmp_path / "data", workers=1)
    assert found.facts["signals"]["eeg"]["constant"] == {"EKG": {"0": 1}}


def test_a_missing_electrode_costs_only_itself(head: dict[str, np.ndarray], tmp_path: Path) -> None:
    names = [name for name in CHANNELS if name != "T5"]
    path = write_edf(tmp_path / "a.edf", np.stack([head[n] for n in names]), channels=names)
    refused = PROGRAM.run("import", path, tmp_path / "no")
    assert refused.returncode == 1
    assert "lacks T5" in refused.stderr
    assert "--interpolate" in refused.stderr
    done = PROGRAM.succeed("import", path, tmp_path / "data", "--interpolate")
    assert "a.edf: T5 interpolated from the other electrodes" in done.stderr
    assert described(tmp_path / "data")["interpolated"] == ["T5"]
    for (a, b), found in pairs_of(tmp_path / "data").items():
        if "T5" not in (a, b):
            assert np.abs(found - head[a] + head[b]).max() <= 2 * QUANTUM_UV, (a, b)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("physical_min", b"0       ", "make no sense"), ("unit", b"bpm     ", "expected a voltage")],
)
@pytest.mark.parametrize("channel", ["EKG", "Cz"])
def test_a_channel_that_is_no_eeg_never_refuses_a_recording(
    field: str, value: bytes, said: str, channel: str, head: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = write_edf(tmp_path / "a.edf", np.stack([head[name] for name in CHANNELS]))
    content = bytearray(path.read_bytes())
    place = CHANNELS.index(channel)
    at = 256 + 20 * (96 if field == "unit" else 104) + 8 * place
    content[at : at + 8] = value
    if field == "physical_min":
        content[at + 20 * 8 : at + 20 * 8 + 8] = value
    path.write_bytes(bytes(content))
    done = PROGRAM.succeed("import", path, tmp_path / "data")
    assert described(tmp_path / "data")["filled"] == [channel]
    assert f"a.edf has no {channel}: filled with 0" in done.stderr
    assert f"#{place + 1} {channel!r}" in done.stderr
    assert said in done.stderr
