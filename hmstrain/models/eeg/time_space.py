"""Raw traces -> filters over time, then over traces: the first layer that three networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TimeSpaceConvolution(nn.Module):
    """A convolution along time on each trace, then one over all traces; nothing in between.

    Both are linear, so their product is computed first and applied as one convolution, at a
    fraction of the cost (as in braindecode's `CombinedConv`, after Schirrmeister et al. 2017).

    Parameters
    ----------
    traces, width, kernel : int
        Traces that are given, filters over time and as many over traces, samples of a filter.
    space_bias : bool
        Whether the second one has a bias: not where batch norm follows.
    """

    def __init__(self, traces: int, width: int, kernel: int, *, space_bias: bool) -> None:
        super().__init__()
        self.time = nn.Conv2d(1, width, (1, kernel))
        self.space = nn.Conv2d(width, width, (traces, 1), bias=space_bias)

    def forward(self, x_BPT: Tensor) -> Tensor:
        """Filtered (B, width, T - kernel + 1)."""
        space = self.space.weight[..., 0]
        weight = torch.einsum("fgp,gk->fpk", space, self.time.weight[:, 0, 0])
        bias = torch.einsum("fgp,g->f", space, self.time.bias)
        if self.space.bias is not None:
            bias = bias + self.space.bias
        return functional.conv1d(x_BPT, weight, bias)
