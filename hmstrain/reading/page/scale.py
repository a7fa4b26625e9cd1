"""A screen measured with a ruler, a sensitivity -> microvolts from trace to trace.

Sensitivity is in microvolts per millimetre only where a millimetre is known; otherwise the page
says microvolts per division, the distance of two traces.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hmsstore.atomic import whole_file
from hmsstore.view.eeg import SPACINGS_UV
from hmstrain.errors import ConfigError

PER_MM_UV = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)
"""Sensitivities in microvolts per millimetre; 7 is the one that readers begin with."""
PER_DIVISION_UV = SPACINGS_UV
"""Sensitivities in microvolts per division, before the screen is measured."""
USUAL_UV_MM, USUAL_UV_DIVISION = 7, 70
RULER_PX = 300
"""Length of the bar that is measured, in the page's pixels."""
RULER_MM = (30.0, 300.0)
"""What such a bar can measure, from a telephone to a projector's near wall."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen that was measured.

    A browser's zoom changes the size of a page's pixel, so what is kept is of the screen's own.
    """

    device_px_mm: float
    """Pixels of the screen in a millimetre."""

    @classmethod
    def measured(cls, ruler_mm: float, pixel_ratio: float) -> Screen:
        """Take what a ruler shows for the bar.

        Parameters
        ----------
        ruler_mm : float
            Length of the bar of `RULER_PX` of the page's pixels.
        pixel_ratio : float
            Pixels of the screen for one of the page, which is `devicePixelRatio`.

        Raises
        ------
        ConfigError
            No screen is so fine or so coarse.
        """
        low, high = RULER_MM
        if not low <= ruler_mm <= high:
            raise ConfigError(
                f"Expected the bar to measure {low:g} to {high:g} mm, got {ruler_mm:g}."
            )
        return cls(RULER_PX * pixel_ratio / ruler_mm)

    def px_mm(self, pixel_ratio: float) -> float:
        """Pixels of the page in a millimetre, at a browser's zoom."""
        return self.device_px_mm / pixel_ratio


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How large traces are drawn."""

    value_uv: float
    """Microvolts per millimetre, or per division."""
    per_mm: bool

    @property
    def words(self) -> str:
        """As one reads it: '7 uV/mm', or '70 uV per division'."""
        return f"{self.value_uv:g} uV" + ("/mm" if self.per_mm else " per division")

    def step_uv(self, step_px: float, px_mm: float | None) -> float:
        """Microvolts from trace to trace, which are `step_px` of the page's pixels apart."""
        if not self.per_mm:
            return self.value_uv
        assert px_mm is not None, "a sensitivity per millimetre needs a measured screen"
        return self.value_uv * step_px / px_mm

    def next(self, *, larger: bool) -> Sensitivity:
        """The next sensitivity at which traces are larger, or smaller; the same at the end."""
        offered = PER_MM_UV if self.per_mm else PER_DIVISION_UV
        steps = [s for s in offered if (s < self.value_uv if larger else s > self.value_uv)]
        if not steps:
            return self
        return Sensitivity(steps[-1] if larger else steps[0], self.per_mm)


def read_screen(path: Path) -> Screen | None:
    """Read what was measured earlier; None if nothing usable is there."""
    try:
        value = json.loads(path.read_text())["device_px_mm"]
        return Screen(float(value)) if 0.1 < float(value) < 1_000 else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_screen(path: Path, screen: Screen) -> None:
    """Keep what was measured, for the next page: browsers keep nothing from port to port."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as new:
        new.write_text(json.dumps({"device_px_mm": screen.device_px_mm}) + "\n")
