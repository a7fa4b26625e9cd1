"""One process or several under `torchrun`: which is this, and what they do together.

Each batch of a run is shared out row by row, so the batches are the same however many processes
there are. Batch norm sees each process's own part on CPU; on GPUs it is synchronised.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from hmstrain.errors import ConfigError, RunError

DEVICES = ("cpu", "cuda", "mps")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt(3)."""
SUBNORMAL = 1e-39
"""Below the smallest normal number of float32, 1.2e-38."""
SHARED_OUT = 1 << 20
"""Values that PyTorch shares out over all threads: it does so from 32,768 on."""


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run."""

    rank: int
    size: int
    device: torch.device
    hosts: Any = None
    """Process group for values on the CPU, where the default one is for those on GPUs."""

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and shows."""
        return self.rank == 0

    def own(self, rows: Any) -> Any:
        """The part of this process in something that all have."""
        return rows[self.rank :: self.size]

    def mean(self, values: Tensor) -> Tensor:
        """Mean over all processes, element by element."""
        if self.size > 1:
            distributed.all_reduce(values)
            values = values / self.size
        return values

    def greatest(self, value: int) -> int:
        """Greatest value of all processes; waits for each of them, but for no GPU."""
        if self.size > 1:
            found = torch.tensor(value)
            distributed.all_reduce(found, distributed.ReduceOp.MAX, group=self.hosts)
            value = int(found)
        return value

    def all_parts(self, part: Any) -> list[Any]:
        """What each process gives, in their order, for all of them."""
        parts: list[Any] = [part]
        if self.size > 1:
            parts = [None] * self.size
            distributed.all_gather_object(parts, part)
        return parts

    def main_does(self, action: Callable[[], object]) -> None:
        """Let the main process do something; an error in it is an error in all.

        Raises
        ------
        RunError
            With the text of the main process's error.
        """
        refused: str | None = None
        if self.main:
            try:
                action()
            except Exception as error:
                if self.size == 1:
                    raise
                refused = str(error) or type(error).__name__
        for text in self.all_parts(refused):
            if text is not None:
                raise RunError(text)

    def align(self, network: nn.Module) -> None:
        """Give all processes the main one's running statistics, which each gathered by itself."""
        if self.size > 1:
            for values in network.buffers():
                distributed.broadcast(values, 0)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def shared(self, network: nn.Module, *, some_unused: bool = False) -> nn.Module:
        """Wrap a network so that gradients are averaged over the processes.

        Parameters
        ----------
        some_unused : bool
            Whether there may be parameters that a step does not use.
        """
        if self.size == 1:
            return network
        ids = None
        if self.device.type == "cuda":
            from timm.layers.norm_act import convert_sync_batchnorm  # its norms hold activations

            network = convert_sync_batchnorm(network)
            ids = [self.device.index]
        return nn.parallel.DistributedDataParallel(
            network, device_ids=ids, find_unused_parameters=some_unused
        )


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that `torchrun` started, if it did."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1 and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    chosen = choose_device(device)
    if chosen.type == "cpu":
        keep_freed_memory()
        start_flushing_threads()
    if size == 1:
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        yield World(0, 1, chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device("cuda", torch.cuda.current_device())
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        hosts = distributed.new_group(backend="gloo") if chosen.type == "cuda" else None
        yield World(distributed.get_rank(), size, chosen, hosts)
    finally:
        distributed.destroy_process_group()


def choose_device(word: str) -> torch.device:
    """The device of this word; 'auto' takes a GPU if there is one.

    Raises
    ------
    ConfigError
        There is no such device here.
    """
    if word == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind = word.partition(":")[0]
    if kind not in DEVICES:
        raise ConfigError(f"device must be auto, cpu, cuda, cuda:1 or mps; got {word}.")
    try:
        device = torch.device(word)
        torch.empty(0, device=device)
    except Exception:
        here = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
        raise ConfigError(
            f"No device {word}: this machine has {here.get(kind, 1)} of that kind. Use cpu or auto."
        ) from None
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def keep_freed_memory() -> bool:
    """Have this process reuse memory that it freed, which glibc would return to the kernel.

    A step on CPUs frees blocks of many MB that the next step asks for again. Returned and mapped
    anew, each of their pages costs a fault: half of the time of a wide network. An allocator or
    limits that the environment sets are left alone.

    Returns
    -------
    bool
        Whether this C library could be told so.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "LD_PRELOAD" in os.environ:
        return False
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    limit = 2**31 - 1
    return all(mallopt(which, limit) for which in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))


@contextmanager
def flushing_subnormals(device: torch.device) -> Iterator[None]:
    """Take numbers below the smallest normal one, 1.2e-38 in float32, for 0 meanwhile.

    Processors handle them in microcode, which makes a network whose activations fade layer by
    layer, as untrained ones' do, many times slower. Nothing else about a result changes. Of
    PyTorch's other threads, only those do so that `start_flushing_threads` started.
    """
    if device.type != "cpu" or _flushes() or not torch.set_flush_denormal(True):
        yield
        return
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def start_flushing_threads() -> None:
    """Start PyTorch's threads on the CPU so that they flush subnormal numbers, all their lives.

    A thread has the mode of the one that starts it, so this does nothing where they run already.
    They compute tensors alone; the mode of this thread, which NumPy uses too, stays as it is.
    """
    with flushing_subnormals(torch.device("cpu")):
        torch.zeros(SHARED_OUT).add_(1)


def _flushes() -> bool:
    return not bool(torch.tensor([SUBNORMAL], dtype=torch.float64).float().item())
