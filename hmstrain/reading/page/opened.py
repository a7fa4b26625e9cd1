"""A recording, runs and folders -> what a page is of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hmsstore import HMS, Spec
from hmstrain.reading.coming import ComingRecording, Readable
from hmstrain.reading.page.answers import Answers
from hmstrain.reading.page.eeg import Stretch
from hmstrain.reading.page.overview import Following

NOTES, NOTED = "#888888", 60
"""Colour of a technician's notes, and how many characters of one are shown."""


@dataclass(frozen=True)
class Opened:
    """What is looked at."""

    recording: Readable
    screen: Path
    """Where the measure of the screen is kept."""
    spec: Spec = HMS
    """Whose classes can be marked."""
    alias: str | None = None
    """What stands for the file's name, where that names a patient."""
    following: Following | None = None
    answers: Answers | None = None
    labels: Path = field(default_factory=lambda: Path("labels"))

    @property
    def name(self) -> str:
        """What the recording is called."""
        return self.alias or self.recording.name

    @property
    def coming(self) -> ComingRecording | None:
        """The recording, if it is one that is imported meanwhile."""
        return self.recording if isinstance(self.recording, ComingRecording) else None

    def notes(self) -> list[Stretch]:
        """What a technician noted in the file, to be drawn."""
        return [
            Stretch(one.onset_s, one.onset_s + (one.duration_s or 0.0), one.text[:NOTED], NOTES)
            for one in self.recording.annotations
            if one.text
        ]

    def left_out(self) -> list[str]:
        """Electrodes that were not recorded."""
        return [name for name, said in self.recording.states.items() if "filled" in said]


def usual_size(ekg_uv: Any) -> float | None:
    """Microvolts that an EKG seldom exceeds; None if there is none."""
    known = np.abs(ekg_uv[np.isfinite(ekg_uv)])
    size = float(np.percentile(known, 99.5)) if len(known) else 0.0
    return size if size > 0.1 else None
