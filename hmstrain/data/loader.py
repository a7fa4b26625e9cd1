"""A store and the order of its windows -> batches on the device, gathered ahead of time.

Threads of this process copy windows out of the mapped files into a small ring of host buffers,
pinned where there is a GPU; a side stream carries them over while the step before is computed. No
worker process, nothing loaded: memory is the ring.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hmsstore import SIGNALS, Store
from hmsstore.reading.memory import available_memory
from hmsstore.reading.shift import window_starts
from hmstrain.data.apart import samples_apart
from hmstrain.data.centre import label_centres
from hmstrain.data.observed import observed_runs
from hmstrain.errors import DataError

Batch = dict[str, Tensor]
"""float16 (B, T, features) by signal, on the device; int64 (B, 2) of `observed_runs`, if any,
int64 (B,) of `label_centres` where windows are shifted, and what `samples_apart` tells."""
ROOM = 0.8
"""Share of a device's free memory that a store may take; the rest is the model's."""


class Wanted(Protocol):
    """What a loader is asked for: windows of one batch."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Of the store."""

    @property
    def shift(self) -> NDArray[np.int64] | None:
        """Samples that each is moved by, as far as there is room."""


@dataclass(frozen=True, slots=True)
class Request:
    """Windows of one batch, and nothing else; a training step is a request too."""

    rows: NDArray[np.int64]
    shift: NDArray[np.int64] | None = None


R = TypeVar("R", bound=Wanted)


class Loader(Protocol):
    """Where batches come from."""

    waited_s: float
    """Seconds that the caller has spent waiting for batches."""

    def load(self, requests: Iterable[R]) -> Iterator[tuple[R, Batch]]:
        """Yield requests with their batches, each valid until the next one is asked for."""

    def close(self) -> None:
        """Let go of threads and memory."""


class _Slot:
    """Host memory for one batch, and the copy that still reads from it."""

    def __init__(self, signals: tuple[str, ...], size: int, pinned: bool) -> None:
        self.tensors = {
            name: torch.empty(
                (size, SIGNALS[name].window_rows, len(SIGNALS[name].features)),
                dtype=torch.float16,
                pin_memory=pinned,
            )
            for name in signals
        }
        self.copied: torch.cuda.Event | None = None


class MappedLoader:
    """Gathers from the mapped files, some batches ahead of the caller."""

    def __init__(
        self,
        store: Store,
        signals: tuple[str, ...],
        batch_size: int,
        device: torch.device,
        threads: int = 2,
    ) -> None:
        self.store, self.signals, self.device = store, signals, device
        self.waited_s = 0.0
        self.cuda = device.type == "cuda"
        self.ring = [_Slot(signals, batch_size, self.cuda) for _ in range(threads + 2)]
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="gather")
        self.stream = torch.cuda.Stream(device) if self.cuda else None

    def load(self, requests: Iterable[R]) -> Iterator[tuple[R, Batch]]:
        """Yield requests with their batches, each valid until the next one is asked for."""
        coming = iter(requests)
        free = deque(self.ring)
        pending: deque[tuple[R, Future[Batch], _Slot]] = deque()

        def submit() -> None:
            for request in islice(coming, len(free)):
                slot = free.popleft()
                pending.append((request, self.pool.submit(self._gather, request, slot), slot))

        def stage() -> tuple[R, Batch, _Slot] | None:
            start = time.perf_counter()
            submit()
            staged = self._stage(*pending.popleft()) if pending else None
            self.waited_s += time.perf_counter() - start
            return staged

        try:
            staged = stage()
            while staged is not None:
                request, batch, slot = staged
                if self.cuda:
                    # Carry the next one over while the caller computes with this one.
                    self._arrived(batch, slot)
                    free.append(slot)
                    staged = stage()
                    yield request, batch
                else:
                    submit()
                    yield request, batch
                    free.append(slot)
                    staged = stage()
        finally:
            for _, future, _ in pending:
                future.cancel()
            for _, future, _ in pending:
                if not future.cancelled():
                    future.exception()

    def close(self) -> None:
        """Stop the threads."""
        self.pool.shutdown(cancel_futures=True)
        self.ring = []

    def _gather(self, request: Wanted, slot: _Slot) -> Batch:
        if slot.copied is not None:
            slot.copied.synchronize()
        count = len(request.rows)
        out = {name: tensor[:count].numpy() for name, tensor in slot.tensors.items()}
        self.store.gather(request.rows, self.signals, out=out, shift=request.shift, clamp=True)
        batch = {name: tensor[:count] for name, tensor in slot.tensors.items()}
        placed = _placed(self.store, request, self.signals)
        return batch | {name: torch.from_numpy(values) for name, values in placed.items()}

    def _stage(self, request: R, gathered: Future[Batch], slot: _Slot) -> tuple[R, Batch, _Slot]:
        """Wait for a gathered batch and start it on its way to the device."""
        host = gathered.result()
        if self.stream is None:
            if self.device.type == "cpu":
                return request, host, slot
            return request, {name: tensor.to(self.device) for name, tensor in host.items()}, slot
        with torch.cuda.stream(self.stream):
            moved = {n: t.to(self.device, non_blocking=True) for n, t in host.items()}
            slot.copied = torch.cuda.Event()
            slot.copied.record(self.stream)
        return request, moved, slot

    def _arrived(self, batch: Batch, slot: _Slot) -> None:
        """Make the computing stream wait for this batch's copy, and for no later one."""
        current = torch.cuda.current_stream(self.device)
        assert slot.copied is not None
        current.wait_event(slot.copied)
        for tensor in batch.values():
            tensor.record_stream(current)


class ResidentLoader:
    """Holds the needed signals in the device's memory and slices windows there."""

    def __init__(self, store: Store, signals: tuple[str, ...], device: torch.device) -> None:
        check_room(store, signals, device)
        self.store, self.signals, self.device = store, signals, device
        self.waited_s = 0.0
        self.shards = {
            name: [torch.from_numpy(np.array(shard)).to(device) for shard in store.shards(name)]
            for name in signals
        }

    def load(self, requests: Iterable[R]) -> Iterator[tuple[R, Batch]]:
        """Yield requests with their batches."""
        for request in requests:
            start = time.perf_counter()
            starts = window_starts(
                self.store.spec, self.store.windows, request.rows, request.shift, clamp=True
            )
            batch: Batch = {}
            for name in self.signals:
                signal, shard_rows = SIGNALS[name], self.store.shard_rows(name)
                shape = (len(request.rows), signal.window_rows, len(signal.features))
                batch[name] = torch.empty(shape, dtype=torch.float16, device=self.device)
                for window, first in zip(batch[name], starts[name].tolist(), strict=True):
                    number, row = divmod(first, shard_rows)
                    window.copy_(self.shards[name][number][row : row + signal.window_rows])
            for name, values in _placed(self.store, request, self.signals).items():
                batch[name] = torch.from_numpy(values).to(self.device)
            self.waited_s += time.perf_counter() - start
            yield request, batch

    def close(self) -> None:
        """Give the memory back."""
        self.shards = {}
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _placed(
    store: Store, request: Wanted, signals: tuple[str, ...]
) -> dict[str, NDArray[np.int64]]:
    """What a batch says of its windows beside their signals.

    What of them was observed, where their labels lie, and how far apart they begin.
    """
    words = (store, request.rows)
    runs = observed_runs(*words, signals, request.shift)
    return runs | label_centres(*words, request.shift) | samples_apart(*words, request.shift)


def stored_batch(
    store: Store, rows: NDArray[np.int64], signals: Sequence[str], device: torch.device
) -> Batch:
    """Read one batch at once, as a loader would give it."""
    arrays = store.gather(rows, signals) | _placed(store, Request(rows), tuple(signals))
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def make_loader(
    store: Store,
    signals: tuple[str, ...],
    batch_size: int,
    device: torch.device,
    *,
    resident: bool,
    threads: int,
) -> Loader:
    """The loader that a run asked for."""
    if resident:
        return ResidentLoader(store, signals, device)
    return MappedLoader(store, signals, batch_size, device, threads)


def check_room(store: Store, signals: tuple[str, ...], device: torch.device) -> None:
    """Refuse to load what the device cannot hold.

    Raises
    ------
    DataError
        With the sizes that are needed, that are free, and that would fit.
    """
    sizes = {name: sum(shard.nbytes for shard in store.shards(name)) for name in SIGNALS}
    needed, free = sum(sizes[name] for name in signals), int(ROOM * free_bytes(device))
    if needed <= free:
        return
    fitting = [
        f"{name} alone ({size / 1e9:.1f} GB)" for name, size in sizes.items() if size <= free
    ]
    hint = f"Of this store {' or '.join(fitting)} would fit. " if fitting else ""
    raise DataError(
        f"{' and '.join(signals)} of {store.path} take {needed / 1e9:.1f} GB; {device} has "
        f"{free / 1e9:.1f} GB to spare. {hint}A store of {free / needed:.0%} of the size would fit "
        "too; data=map needs no room."
    )


def free_bytes(device: torch.device) -> int:
    """Memory that a device has free; of the host's, what can be had without swapping."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory()
