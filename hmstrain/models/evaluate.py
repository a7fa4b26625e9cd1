"""A network and rows of a store -> probabilities of its classes, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from hmsstore import Store
from hmstrain.data.inputs.prepare import NetworkInputs
from hmstrain.data.loader import Loader, Request
from hmstrain.data.seeds import Stream, generator
from hmstrain.distributed import World, flushing_subnormals
from hmstrain.errors import DivergedError, ModelError
from hmstrain.models.arithmetic import autocast
from hmstrain.models.network import Output

if TYPE_CHECKING:
    from hmstrain.config import Config

NORM_BATCH = 64
"""Windows that batch norm is measured on at a time: of 16, a rare one is still too much."""


class Predictor(Protocol):
    """What predicts rows of a store: `Evaluator`, or what has the answers of a model of a table."""

    def predict(
        self, network: nn.Module, rows: NDArray[np.int64], /
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
        """Probabilities, and embeddings where the run compares them."""


def forward(network: Callable[..., Output], prepared: dict[str, Tensor], config: Config) -> Output:
    """What a network gives for a prepared batch, in the run's precision.

    Raises
    ------
    ModelError
        Batch norm is given a single window to train on.
    """
    try:
        with autocast(config, next(iter(prepared.values())).device):
            return Output(*network(**prepared))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ModelError(
            f"{config.model} has batch norm, which cannot train on a batch of one window: give a "
            "larger --batch-size, or more windows."
        ) from None


def as_logits(logits: Tensor, config: Config) -> Tensor:
    """Turn what a network gives into logits whose softmax is its answer.

    A network trained by binary cross entropy has learned each class's share as the sigmoid of its
    logit; those are scaled to a sum of 1. The softmax of its own logits would be in proportion to
    the odds instead, and so make the largest share too large.
    """
    return functional.logsigmoid(logits) if config.loss == "bce" else logits


def loader_batch(config: Config, store: Store, world: World) -> int:
    """Most windows that a run asks a loader for at once."""
    own = -(-config.batch_size // world.size)
    return min(max(own, NORM_BATCH if config.norm_windows else 0), len(store))


class Evaluator:
    """Predicts rows of one store, shared out over the processes of a run."""

    def __init__(
        self, config: Config, prepare: NetworkInputs, loader: Loader, world: World
    ) -> None:
        self.config, self.prepare, self.loader, self.world = config, prepare, loader, world

    @torch.no_grad()
    def measure_norms(self, network: nn.Module, rows: NDArray[np.int64]) -> None:
        """Measure a network's batch norms anew, on clean windows in large batches.

        Those that training gathers lag behind the weights and are of its own small batches, in
        which each rare window weighs on the norm that it is seen through; afterwards, seen through
        the usual one, it can set a young network off. (Wu and Johnson 2021, Rethinking "Batch" in
        BatchNorm, precise statistics.)

        Parameters
        ----------
        rows : int64 (N,)
            Training rows; none leave the statistics as they are.
        """
        norms = [m for m in network.modules() if isinstance(m, _BatchNorm)]
        if not norms or not len(rows):
            return
        was_training = network.training
        network.eval()  # no dropout meanwhile
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum, norm.training = None, True  # the mean over all batches
        size = min(NORM_BATCH, len(rows))
        requests = [Request(part) for part in rows[: len(rows) // size * size].reshape(-1, size)]
        for _, batch in self.loader.load(requests):
            self._answer(network, self.prepare(batch, None))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        network.train(was_training)

    def some_of(self, rows: NDArray[np.int64], batches: int = 1) -> Iterator[dict[str, Tensor]]:
        """Some batches' worth of these rows, spread evenly over them, as a network is given them.

        Every process gets the same windows, in parts that its loader has room for.
        """
        count = min(len(rows), batches * self.config.batch_size)
        few = rows[np.linspace(0, len(rows) - 1, count, dtype=int)]
        size = max(1, self.config.batch_size // self.world.size)
        requests = [Request(few[i : i + size]) for i in range(0, len(few), size)]
        for _, batch in self.loader.load(requests):
            yield self.prepare(batch, None)

    def _answer(self, network: nn.Module, prepared: dict[str, Tensor]) -> Output:
        with flushing_subnormals(self.world.device):
            return forward(network, prepared, self.config)

    def _logits(self, out: Output) -> NDArray[np.float32]:
        found: NDArray[np.float32] = as_logits(out.logits.float(), self.config).cpu().numpy()
        return found

    @torch.no_grad()
    def probabilities(self, network: nn.Module, prepared: dict[str, Tensor]) -> NDArray[np.float64]:
        """Probabilities (B, K) of a prepared batch; NaN where the network gives it."""
        return softmax(self._logits(self._answer(network, prepared)))

    @torch.no_grad()
    def predict(
        self, network: nn.Module, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
        """Probabilities, and embeddings where the run compares them.

        Parameters
        ----------
        rows : int64 (N,)
            Any windows of the store, labelled or not.

        Returns
        -------
        probabilities : float64 (N, K)
            Softmax of `as_logits`, in float64; rows sum to 1.
        embeddings : list of float32 (N, size)
            Of spectrogram and EEG, or nothing.
        """
        was_training = network.training
        network.eval()
        own = np.arange(len(rows))[self.world.rank :: self.world.size]
        size = max(1, self.config.batch_size // self.world.size)
        requests = [Request(rows[own[i : i + size]]) for i in range(0, len(own), size)]
        classes = len(self.prepare.physical.store.spec.classes)
        logits, embeddings = [np.zeros((0, classes), np.float32)], []
        for _, batch in self.loader.load(requests):
            out = self._answer(network, self.prepare(batch, None))
            logits.append(self._logits(out))
            embeddings.append([part.float().cpu().numpy() for part in out.embeddings])
        network.train(was_training)
        parts = self.world.all_parts(
            (np.concatenate(logits), [np.concatenate(p) for p in zip(*embeddings, strict=True)])
        )
        joined = _joined([part[0] for part in parts], len(rows))
        bad = np.flatnonzero(~np.isfinite(joined).all(axis=1))
        if len(bad):
            raise DivergedError(
                f"The network gives NaN or infinite values for {len(bad):,} of {len(rows):,} "
                f"windows, the first at row {rows[bad[0]]}. If training diverged, a lower "
                "learning_rate, clip_gradient=1 or precision=float32 may help, and earlier "
                "checkpoints are kept; otherwise check the store with hmsprep verify."
            )
        return softmax(joined), [
            _joined(list(group), len(rows))
            for group in zip(*(part[1] for part in parts if len(part[0])), strict=True)
        ]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of logits (N, K), in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(shifted)
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def one_per_patient(
    store: Store, rows: NDArray[np.int64], seed: int, *draw: int
) -> NDArray[np.int64]:
    """Positions within rows of one window of each patient, drawn by the seed and a number."""
    order = generator(seed, Stream.ONE_PER_PATIENT, *draw).permutation(len(rows))
    _, first = np.unique(store.windows["patient_id"][rows[order]], return_index=True)
    return np.sort(order[first])


def embedding_alignment(
    embeddings: list[NDArray[np.float32]], places: NDArray[np.int64]
) -> dict[str, float] | None:
    """How well the two signals' embeddings match at these places; None without embeddings."""
    if len(embeddings) != 2 or not len(places):
        return None
    return alignment(*(torch.from_numpy(part[places]) for part in embeddings))


def alignment(spectrogram: Tensor, eeg: Tensor) -> dict[str, float]:
    """How well embeddings match, over windows of as many patients.

    Mean cosine of matched and of mismatched pairs; share of windows whose nearest EEG is their own
    (retrieval@1), and what chance would give.
    """
    cosine = spectrogram.double() @ eeg.double().T
    count = len(cosine)
    off = cosine.sum() - cosine.diagonal().sum()
    return {
        "patients": count,
        "positive_cosine": float(cosine.diagonal().mean()),
        "negative_cosine": float(off / max(1, count * (count - 1))),
        "retrieval_at_1": float(
            (cosine.argmax(dim=1) == torch.arange(count, device=cosine.device)).double().mean()
        ),
        "chance": 1 / count,
    }


def _joined(parts: list[NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """Undo the sharing out: process r holds rows r, r + world, ..."""
    whole = np.empty((count, *parts[0].shape[1:]), np.float32)
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole
