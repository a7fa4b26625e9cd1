"""Colours that colour-blind people can tell apart, and that print in grey.

Line colours are of Okabe and Ito's palette (2008, "Color universal design"); pictures use a map
whose lightness rises evenly.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmsstore.spec import Spec

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
SIDES = {"left": BLUE, "right": ORANGE}
"""Sides of the head, as `montage.side` and `region_side` name them."""
PATTERNS = ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#F0E442")
"""Of classes in turn, of the same palette."""
BACKGROUND = "#DDDDDD"
"""Of the class that stands for none of the patterns."""
POWER_MAP = "magma"
MISSING = "#b8b8b8"
"""What stands for values that were not recorded."""


def side_colour(side: str) -> str:
    """Colour of what is of one side of the head, or of the midline."""
    return SIDES.get(side, "0.2")


def class_colours(spec: Spec) -> list[str]:
    """Colour of each class."""
    palette = cycle(PATTERNS)
    return [BACKGROUND if key == spec.background else next(palette) for key in spec.class_keys]
