"""Deep4 -> features of a window of fixed length.

Schirrmeister et al. 2017, Deep learning with convolutional neural networks for EEG decoding and
visualization (Human Brain Mapping 38), the deep network, as in braindecode's `Deep4Net`: filters
along time and over all traces, then three more convolutions, each with batch norm, ELU and max
pooling by three. With 22 traces, 1,000 samples and four classes 282,879 parameters. Made for 250
Hz; here it sees 200 Hz, and its kernels keep their number of samples.

Legend: B windows, P pairs, T samples in time, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn

from hmstrain.data.eeg import RATE_HZ
from hmstrain.data.inputs import Input
from hmstrain.errors import ModelError
from hmstrain.models.eeg.time_space import TimeSpaceConvolution

WIDTHS = (25, 50, 100, 200)
KERNEL, POOL = 10, 3
DROPOUT = 0.5


class Deep4(nn.Module):
    """Encoder of (B, P, T) traces, of the length that it is made for.

    Raises
    ------
    ModelError
        The window is too short for all its layers.
    """

    def __init__(self, traces: int, samples: int, *, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            TimeSpaceConvolution(traces, WIDTHS[0], KERNEL, space_bias=False)
        ]
        left = samples
        for place, width in enumerate(WIDTHS):
            if place:
                layers += [
                    nn.Dropout(dropout),
                    nn.Conv1d(WIDTHS[place - 1], width, KERNEL, bias=False),
                ]
            layers += [nn.BatchNorm1d(width), nn.ELU(), nn.MaxPool1d(POOL)]
            left = (left - KERNEL + 1) // POOL
        if left < 1:
            needed = 1
            for _ in WIDTHS:
                needed = needed * POOL + KERNEL - 1
            raise ModelError(
                f"deep4 needs windows of {needed} samples or more; got {samples}: give "
                f"eeg_seconds={needed / RATE_HZ:.2f} or more."
            )
        self.layers = nn.Sequential(*layers)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        self.features = WIDTHS[-1] * left

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps (B, C, t)."""
        return self.layers

    def forward(self, x_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        features: Tensor = self.layers(x_BPT).flatten(1)
        return features


def build(seen: Input, *, dropout: float = DROPOUT) -> Deep4:
    """Make the trunk of one input of raw EEG, for windows of its length."""
    return Deep4(*seen.shape, dropout=dropout)
