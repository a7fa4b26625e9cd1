"""A device without float64, such as an Apple GPU, played by the processor."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


class SinglePrecision(TorchFunctionMode):
    """Refuses float64 of tensors that were not copied to the processor first."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        copied = bool(given) and all(getattr(one, "copied", False) for one in given)
        if func is Tensor.double and not copied:
            raise TypeError("this device has no float64")
        found = func(*args, **(kwargs or {}))
        if (copied or func is Tensor.cpu) and isinstance(found, Tensor):
            found.copied = True
        return found
