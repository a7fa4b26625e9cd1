"""EEG Conformer -> 32 features of a window of fixed length.

Song et al. 2023, EEG Conformer: Convolutional Transformer for EEG Decoding and Visualization (IEEE
TNSRE 31), as in braindecode's `EEGConformer`: filters along time and over all traces, mean-pooled
to tokens, six layers of self-attention, and two hidden layers on all tokens side by side. With 22
traces, 1,000 samples and four classes 789,572 parameters; the first hidden layer grows with the
window. Made for 250 Hz; here it sees 200 Hz, and its kernels keep their number of samples.

Legend: B windows, P pairs, T samples in time, C channels, N tokens.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from hmstrain.data.inputs import Input
from hmstrain.models.eeg.time_space import TimeSpaceConvolution

WIDTH = 40
KERNEL, POOL, STRIDE = 25, 75, 15
LAYERS, HEADS, EXPANSION = 6, 10, 4
HIDDEN = (256, 32)
DROPOUT = 0.5
LAST_DROPOUT = 0.3


class Attention(nn.Module):
    """Self-attention of several heads."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.key, self.query = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.taken = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Of the same shape."""
        query, key, value = (
            layer(x_BNC).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(
            query, key, value, dropout_p=self.dropout if self.training else 0.0
        )
        mixed: Tensor = self.taken(attended.transpose(1, 2).flatten(2))
        return mixed


class Residual(nn.Module):
    """Layer norm, a module and dropout, added to what they are given."""

    def __init__(self, width: int, module: nn.Module, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), module, nn.Dropout(dropout))

    def forward(self, x_BNC: Tensor) -> Tensor:
        """Of the same shape."""
        summed: Tensor = x_BNC + self.layers(x_BNC)
        return summed


class Conformer(nn.Module):
    """Encoder of (B, P, T) traces, of the length that it is made for."""

    def __init__(
        self, traces: int, samples: int, *, layers: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.patches = nn.Sequential(
            TimeSpaceConvolution(traces, WIDTH, KERNEL, space_bias=True),
            nn.BatchNorm1d(WIDTH),
            nn.ELU(),
            nn.AvgPool1d(POOL, STRIDE),
            nn.Dropout(dropout),
            nn.Conv1d(WIDTH, WIDTH, 1),
        )
        self.layers = nn.Sequential(
            *(part for _ in range(layers) for part in _layer(heads, dropout))
        )
        tokens = (samples - KERNEL + 1 - POOL) // STRIDE + 1
        self.hidden = nn.Sequential(
            nn.Linear(tokens * WIDTH, HIDDEN[0]),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Linear(*HIDDEN),
            nn.ELU(),
            nn.Dropout(LAST_DROPOUT),
        )
        self.features = HIDDEN[-1]

    @property
    def last_map(self) -> None:
        """None: attention has mixed all places of its tokens."""
        return None

    def forward(self, x_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        tokens_BNC = self.layers(self.patches(x_BPT).transpose(1, 2))
        features: Tensor = self.hidden(tokens_BNC.flatten(1))
        return features


def build(
    seen: Input, *, layers: int = LAYERS, heads: int = HEADS, dropout: float = DROPOUT
) -> Conformer:
    """Make the trunk of one input of raw EEG, for windows of its length; heads divide 40 evenly."""
    return Conformer(*seen.shape, layers=layers, heads=heads, dropout=dropout)


def _layer(heads: int, dropout: float) -> list[nn.Module]:
    """Self-attention, then two linear layers."""
    wide = EXPANSION * WIDTH
    linear = nn.Sequential(
        nn.Linear(WIDTH, wide), nn.GELU(), nn.Dropout(dropout), nn.Linear(wide, WIDTH)
    )
    modules = (Attention(WIDTH, heads, dropout), linear)
    return [Residual(WIDTH, module, dropout) for module in modules]
