"""Logits for windows with few votes -> those for windows with many, of one network.

Those whom few raters judged and those whom many did have other shares of the classes, and the
network sees nothing of that: it is told.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEW, MANY = "few", "many"


class Populations(nn.Module):
    """Adds to the logits of windows with many votes, and scales them if that is asked for.

    Parameters
    ----------
    classes : int
        How many logits there are.
    scaled : bool
        Scale them by one trained number too, before the shift.
    """

    def __init__(self, classes: int, *, scaled: bool) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(classes))
        self.scale = nn.Parameter(torch.ones(())) if scaled else None
        self.answers = MANY
        """For which of the two populations windows are answered of which nothing is said."""

    def forward(self, few_BK: Tensor, many_B: Tensor | None = None) -> Tensor:
        """Logits (B, K) as each window's population has them.

        Parameters
        ----------
        many_B : float32, optional
            1 for windows with many votes, 0 for those with few; between them for mixed windows.
        """
        if many_B is None and self.answers == FEW:
            return few_BK
        many_BK = self.shift + (few_BK if self.scale is None else few_BK * self.scale)
        if many_B is None:
            return many_BK
        return few_BK + many_B[:, None] * (many_BK - few_BK)
