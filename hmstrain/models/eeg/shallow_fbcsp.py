"""ShallowFBCSP -> features of a window of fixed length.

Schirrmeister et al. 2017, Deep learning with convolutional neural networks for EEG decoding and
visualization (Human Brain Mapping 38), the shallow network, as in braindecode's `ShallowFBCSPNet`:
filters along time and over all traces, their power as mean squares over 75 samples every 15, and
its logarithm. With 22 traces, 1,000 samples and four classes 46,084 parameters. Made for 250 Hz;
here it sees 200 Hz, and its kernels keep their number of samples.

Legend: B windows, P pairs, T samples in time, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.inputs import Input
from hmstrain.models.eeg.time_space import TimeSpaceConvolution

FILTERS = 40
KERNEL, POOL, STRIDE = 25, 75, 15
SMALLEST = 1e-6
"""Power whose logarithm any smaller one is given."""
DROPOUT = 0.5


class ShallowFBCSP(nn.Module):
    """Encoder of (B, P, T) traces, of the length that it is made for."""

    def __init__(self, traces: int, samples: int, *, filters: int, dropout: float) -> None:
        super().__init__()
        self.filters = TimeSpaceConvolution(traces, filters, KERNEL, space_bias=False)
        self.norm = nn.BatchNorm1d(filters)
        self.maps = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        for layer in (self.filters.time, self.filters.space):
            nn.init.xavier_uniform_(layer.weight)
        assert self.filters.time.bias is not None
        nn.init.zeros_(self.filters.time.bias)
        self.features = filters * ((samples - KERNEL + 1 - POOL) // STRIDE + 1)

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, C, t)."""
        return self.maps

    def forward(self, x_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        power = functional.avg_pool1d(self.norm(self.filters(x_BPT)).square(), POOL, STRIDE)
        maps = self.maps(power.clamp_min(SMALLEST).log())
        features: Tensor = self.dropout(maps).flatten(1)
        return features


def build(seen: Input, *, filters: int = FILTERS, dropout: float = DROPOUT) -> ShallowFBCSP:
    """Make the trunk of one input of raw EEG, for windows of its length."""
    return ShallowFBCSP(*seen.shape, filters=filters, dropout=dropout)
