"""Colours that colour-blind people can tell apart, and that print in grey.

Line colours are of Okabe and Ito's palette (2008, "Color universal design"); pictures use a map
whose lightness rises evenly.
"""

from __future__ import annotations

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
SIDES = {"L": BLUE, "R": ORANGE}
"""Left and right of the head, by the first letter of a chain."""
POWER_MAP = "magma"
MISSING = "#b8b8b8"
"""What stands for values that were not recorded."""


def side(group: str) -> str:
    """Colour of a chain."""
    return SIDES.get(group[0], "0.2")
