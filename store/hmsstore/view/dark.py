"""A figure -> the same figure for a dark page: black and white change places, colours stay.

What is grey is drawn between the colours of a dark page, so that inks stand out from the ground as
they did. Colours have a meaning, and stay; so do pictures such as spectrograms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUND = (0x14 / 255, 0x17 / 255, 0x1A / 255)
"""What becomes of white: '#14171a', as pages that a browser draws have it."""
INK = (0xE8 / 255, 0xE8 / 255, 0xE8 / 255)
"""What becomes of black."""
GREY = 0.04
"""Red, green and blue of a grey differ by less."""
OF_ARTISTS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


@contextmanager
def for_dark_page(figure: Figure) -> Iterator[None]:
    """Let a figure have the colours for a dark page while the block runs.

    Its ticks must have been drawn: draw or save it first.
    """
    changes: list[tuple[Callable[[Any], object], Any, Any]] = []  # a figure's ground is found twice
    for artist in figure.findobj():
        for one in (artist, getattr(artist, "get_bbox_patch", lambda: None)()):
            for name in OF_ARTISTS:
                get, set_ = (getattr(one, f"{verb}_{name}", None) for verb in ("get", "set"))
                if get is not None and set_ is not None:
                    before = get()
                    after = inverted(before)
                    if after is not None:
                        changes.append((set_, before, after))
    try:
        for set_, _, after in changes:
            set_(after)
        yield
    finally:
        for set_, before, _ in reversed(changes):
            set_(before)


def inverted(colour: Any) -> NDArray[np.float64] | None:
    """What a colour, or an array of colours, becomes; None if it stays.

    Parameters
    ----------
    colour : colour or sequence of colours
        As matplotlib's artists give them; words such as 'none' and 'face' stay.
    """
    from matplotlib.colors import to_rgba_array

    if isinstance(colour, str) and colour in ("none", "face", "auto"):
        return None
    try:
        rgba = to_rgba_array(colour)
    except (ValueError, TypeError):
        return None
    grey = np.ptp(rgba[:, :3], axis=1) < GREY
    if not grey.any():
        return None
    light = rgba[grey, :3].mean(axis=1, keepdims=True)
    rgba[grey, :3] = light * np.asarray(GROUND) + (1 - light) * np.asarray(INK)
    several = not isinstance(colour, str) and not isinstance(colour[0], float | int | np.number)
    return np.asarray(rgba if several else rgba[0])
