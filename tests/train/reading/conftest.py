"""A simulated recording, imported once for all tests of the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.helpers import made_once
from support.recorder import write_edf

from hmsprep import import_recordings
from hmsprep.simulator.background import draw_patient
from hmsprep.simulator.scene import Period, simulate
from hmsstore import CHANNELS
from hmstrain.reading.recording import Recording

SECONDS = 200


def make(folder: Path) -> None:
    """Simulate a recording with periodic discharges from 0:01:00 on, without an EKG."""
    rng = np.random.default_rng(5)
    truth = np.asarray([0.01, 0.95, 0.01, 0.01, 0.01, 0.01])
    eeg_uv = simulate(rng, draw_patient(rng), [Period(60.0, 120.0, truth)], SECONDS * 200)
    write_edf(folder / "night.edf", eeg_uv[:-1], channels=CHANNELS[:-1])
    import_recordings([folder / "night.edf"], folder / "data", unlabelled=True)


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a recorder's file, night.edf, and its import, data."""
    return made_once(tmp_path_factory, "night", make)


@pytest.fixture(scope="session")
def recording(night: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The recording of that import."""
    return Recording.open(night / "data", cache=tmp_path_factory.mktemp("cache"))
