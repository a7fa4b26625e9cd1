"""Votes of a window, and what a model says of it -> bars side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore.schema import CLASS_TITLES
from hmsstore.view.colours import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_votes(
    axes: Axes,
    votes: NDArray[np.int32],
    prediction: ArrayLike | None = None,
    titles: Sequence[str] = CLASS_TITLES,
) -> None:
    """Draw the share of raters who voted for each class, and a model's probabilities beside it.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    votes : int32 (K,)
        Votes per class; all 0: not labelled.
    prediction : float (K,), optional
        Probabilities per class.
    titles : sequence of str
        Of the K classes.
    """
    total = int(votes.sum())
    places = np.arange(len(titles))
    predicted = None if prediction is None else np.asarray(prediction, np.float64)
    height = 0.8 if predicted is None else 0.4
    shift = 0.0 if predicted is None else height / 2
    share = votes / max(total, 1)
    size = 8 if predicted is None else 6.5
    axes.barh(places - shift, share, height, color=BLUE)
    for place, part, count in zip(places, share.tolist(), votes.tolist(), strict=True):
        cast = f" {count} of {total}" if count else " 0"
        axes.annotate(cast, (part, place - shift), va="center", fontsize=size)
    if predicted is not None:
        axes.barh(places + shift, predicted, height, color=ORANGE)
        for place, part in zip(places, predicted.tolist(), strict=True):
            axes.annotate(f" {part:.2f}", (part, place + shift), va="center", fontsize=size)
    axes.set_yticks(places, titles, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"], fontsize=8)
    axes.set_title(_title(total, predicted is not None), fontsize=9, loc="left", pad=2)
    axes.spines[["top", "right"]].set_visible(False)


def _title(total: int, predicted: bool) -> str:
    raters = f"votes of {total} rater{'s' * (total != 1)}" if total else "not labelled"
    if predicted:
        return f"Blue: {raters}; orange: what the model says"
    return raters.capitalize()
