"""A small graph network over the electrodes -> 64 features.

One baseline of its kind: no network of the competition's leaders is a graph. Each electrode's
signal goes through the same convolutions; then graph convolutions (Kipf and Welling 2017, with a
weight of their own for each kind of edge, as in Schlichtkrull et al. 2018) exchange what the
electrodes hold at each time, along edges of three kinds:

montage
    the pairs of the longitudinal bipolar montage, the midline's too;
coherence
    the magnitude-squared coherence of both signals in this window, mean over 1 to 20 Hz (Welch,
    segments of a second, half of each shared with the next);
learned
    one matrix for all windows (Wu et al. 2019, Graph WaveNet), which begins near equal edges.

Rows of each kind, with the electrode itself, add up to 1. Signals of electrodes are those whose
differences come nearest to the bipolar traces: 8 electrodes of each side less the mean of that
side, and the three of the midline less theirs, since no pair joins sides. They are resampled to 40
Hz.

Legend: B windows, P pairs, N or M electrodes, T samples in time, C channels, K kinds of edges.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hmsstore.montage import ELECTRODES, PAIRS
from hmstrain.data.eeg import RATE_HZ as GIVEN_HZ
from hmstrain.data.inputs import Input
from hmstrain.errors import ModelError
from hmstrain.models.eeg.signals import at_rate

RATE_HZ = 40.0
EDGES = ("montage", "coherence", "learned")
WIDTH, KERNEL, CONVOLUTIONS, LAYERS = 64, 7, 4, 2
SEGMENT = round(GIVEN_HZ)
"""Samples of a segment whose coherence is estimated: a second."""
BAND_HZ = (1, 20)
SMALLEST = 1e-12
"""Power that is added to that of each electrode, so that flat ones have no coherence."""
LEARNED_SIZE = 8


def incidence() -> Tensor:
    """Which electrodes each pair is the difference of: float32 (P, N) of 1, -1 and 0."""
    found = torch.zeros(len(PAIRS), len(ELECTRODES))
    for row, (front, back) in enumerate(PAIRS):
        found[row, ELECTRODES.index(front)] = 1
        found[row, ELECTRODES.index(back)] = -1
    return found


def montage_edges() -> Tensor:
    """1 where two electrodes are a pair of the montage: float32 (N, N)."""
    joined = incidence()
    return ((joined.T @ joined) < 0).float()


def coherence_edges(signals_BNT: Tensor) -> Tensor:
    """Mean magnitude-squared coherence of each two electrodes from 1 to 20 Hz: (B, N, N).

    In float32 whatever the network computes in: float16 holds no products of powers.

    Parameters
    ----------
    signals_BNT : float32 (B, N, T)
        At 200 Hz; two seconds at least.
    """
    with torch.autocast(signals_BNT.device.type, enabled=False):
        segments = signals_BNT.float().unfold(-1, SEGMENT, SEGMENT // 2)
        window = torch.hann_window(SEGMENT, device=signals_BNT.device)
        low, high = BAND_HZ
        spectra_BNSF = torch.fft.rfft(segments * window)[..., low : high + 1]
        real, imaginary = spectra_BNSF.real, spectra_BNSF.imag
        in_phase = _products(real, real) + _products(imaginary, imaginary)
        quadrature = _products(imaginary, real) - _products(real, imaginary)
        power = in_phase.diagonal(dim1=1, dim2=2).permute(0, 2, 1) + SMALLEST
        coherence: Tensor = (in_phase.square() + quadrature.square()) / (
            power[:, :, None] * power[:, None, :]
        )
        return coherence.mean(-1)


def normalised(edges: Tensor) -> Tensor:
    """Edges with 1 from each electrode to itself, rows adding up to 1."""
    own = torch.eye(edges.shape[-1], device=edges.device)
    joined = edges * (1 - own) + own
    return joined / joined.sum(-1, keepdim=True)


class GraphLayer(nn.Module):
    """What all electrodes hold, gathered along each kind of edge, added to what each holds."""

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__()
        self.weights = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(kinds))
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x_BCNT: Tensor, edges: list[Tensor]) -> Tensor:
        """Of the same shape."""
        gathered = sum(
            weight(torch.einsum("bnm,bcmt->bcnt", edge.to(x_BCNT), x_BCNT))
            for weight, edge in zip(self.weights, edges, strict=True)
        )
        return x_BCNT + functional.relu(self.norm(gathered))


class Graph(nn.Module):
    """Encoder of (B, 18, T) raw EEG of any length from two seconds up."""

    def __init__(self, kinds: tuple[str, ...], width: int, layers: int) -> None:
        super().__init__()
        self.kinds = kinds
        self.montage: Tensor
        self.to_electrodes: Tensor
        self.register_buffer("to_electrodes", torch.linalg.pinv(incidence()), persistent=False)
        self.register_buffer("montage", montage_edges(), persistent=False)
        if "learned" in kinds:
            self.ends = nn.Parameter(torch.randn(2, len(ELECTRODES), LEARNED_SIZE) * 0.1)
        convolutions: list[nn.Module] = []
        for place in range(CONVOLUTIONS):
            convolutions += [
                nn.Conv1d(width if place else 1, width, KERNEL, 2, KERNEL // 2, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*convolutions)
        self.layers = nn.ModuleList(GraphLayer(width, len(kinds)) for _ in range(layers))
        self.maps = nn.Identity()
        self.features = width

    @property
    def last_map(self) -> nn.Module:
        """Module that gives the last feature maps, mean over electrodes, (B, C, t)."""
        return self.maps

    def edges(self, signals_BNT: Tensor) -> dict[str, Tensor]:
        """Edges of each kind, (B or 1, N, N), with each electrode itself, rows adding up to 1."""
        made: dict[str, Tensor] = {}
        for kind in self.kinds:
            if kind == "montage":
                found = self.montage[None]
            elif kind == "coherence":
                found = coherence_edges(signals_BNT)
            else:
                found = torch.sigmoid(self.ends[0] @ self.ends[1].T)[None]
            made[kind] = normalised(found)
        return made

    def forward(self, raw_BPT: Tensor) -> Tensor:
        """Features (B, F)."""
        with torch.autocast(raw_BPT.device.type, enabled=False):
            signals_BNT = torch.einsum("np,bpt->bnt", self.to_electrodes, raw_BPT.float())
        edges = [edge.expand(len(raw_BPT), -1, -1) for edge in self.edges(signals_BNT).values()]
        slower = at_rate(signals_BNT, RATE_HZ)
        each = self.convolutions(slower.flatten(0, 1)[:, None])
        x_BCNT = each.unflatten(0, (-1, len(ELECTRODES))).transpose(1, 2)
        for layer in self.layers:
            x_BCNT = layer(x_BCNT, edges)
        features: Tensor = self.maps(x_BCNT.mean(2)).mean(2)
        return features


def build(
    _seen: Input, *, edges: str = "+".join(EDGES), width: int = WIDTH, layers: int = LAYERS
) -> Graph:
    """Make the trunk of one input of raw EEG; edges are kinds of `EDGES`, joined by +.

    Raises
    ------
    ModelError
        A kind of edges does not exist or comes twice.
    """
    kinds = tuple(str(edges).split("+"))
    if len(set(kinds)) < len(kinds) or not set(kinds) <= set(EDGES):
        raise ModelError(
            f"graph: model.edges must be {', '.join(EDGES)}, or several joined by +; got {edges}."
        )
    return Graph(kinds, width, layers)


def _products(first_BNSF: Tensor, second_BNSF: Tensor) -> Tensor:
    """Sum over segments of the products of each two electrodes' values: (B, N, N, F)."""
    summed: Tensor = torch.einsum("bnsf,bmsf->bnmf", first_BNSF, second_BNSF)
    return summed
