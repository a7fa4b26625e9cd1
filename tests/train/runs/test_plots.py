"""Pictures of a run's scores."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure

from hmsstore.view import draw_votes
from hmstrain.runs.plots import Bar, confusion, curves, kl_parts, reliability, study_bars

HALF_A_FORMULA = "$x^$"
"""matplotlib raises an error where it takes such a text for a formula."""


def test_a_title_with_dollar_signs_is_no_formula() -> None:
    titles = [HALF_A_FORMULA, "$5", "$"]
    votes = Figure()
    draw_votes(votes.subplots(), np.asarray([1, 2, 0]), None, titles)
    shares = np.full((4, 3), 1 / 3)
    for figure in (
        votes,
        confusion(np.eye(3, dtype=int), titles),
        kl_parts(dict.fromkeys(titles, 0.1), {"1-3 votes": 0.2, "10+ votes": None}),
        reliability(shares, {HALF_A_FORMULA: shares}),
        study_bars([Bar(HALF_A_FORMULA, 0.5, None, None)], None, HALF_A_FORMULA),
    ):
        figure.savefig(BytesIO(), format="png")
    parts = kl_parts(dict.fromkeys(titles, 0.1), {"1-3 votes": 0.2})
    assert [label.get_text() for label in parts.axes[0].get_yticklabels()] == titles


def test_curves_name_the_checkpoint_that_was_kept_whatever_it_was_kept_by() -> None:
    lines = [
        {"event": "train", "step": step, "epoch": 0, "kl": 1.0, "learning_rate": 1e-3}
        for step in (1, 2)
    ]
    legend = curves(lines, 2, None).axes[0].get_legend()
    assert legend is not None
    assert "kept checkpoint" in [text.get_text() for text in legend.get_texts()]
