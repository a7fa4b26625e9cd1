"""What a GPU would be waited for, seen on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

READ = ("_local_scalar_dense", "nonzero", "masked_select", "equal")
"""Operations whose result Python needs before it can go on."""
BROUGHT = "lift_fresh"
"""Follows upon `torch.tensor`, which brings values from the host and waits until they are there."""


class Waiting(TorchDispatchMode):
    """Notes the operations, among those inside, that a GPU would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put", "index_put_") and any(
            one is not None and one.dtype == torch.bool for one in args[1]
        )
        if by_mask or name in (*READ, BROUGHT):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))
