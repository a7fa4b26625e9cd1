"""Colours that colour-blind people can tell apart, and that print in grey.

Line colours are of Okabe and Ito's palette (2008, "Color universal design"); pictures use a map
whose lightness rises evenly.
"""

from __future__ import annotations

from hmsstore.montage import region_side

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
SIDES = {"left": BLUE, "right": ORANGE}
"""Sides of the head, as `montage.side` and `region_side` name them."""
POWER_MAP = "magma"
MISSING = "#b8b8b8"
"""What stands for values that were not recorded."""


def side_colour(region: str) -> str:
    """Colour of a chain: its side of the head's."""
    return SIDES.get(region_side(region), "0.2")
