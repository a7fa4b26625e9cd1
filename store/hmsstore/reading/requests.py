"""What a caller asks of a store -> row numbers, a fold, signals and arrays that fit it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore.errors import RequestError
from hmsstore.reading.arrays import on_a_page
from hmsstore.spec import Signal, Spec


def array_of(values: object, expected: str) -> NDArray[Any]:
    """Whatever NumPy makes an array of, as one.

    Raises
    ------
    RequestError
        It makes none of it: a list of rows of unequal lengths, a tensor of another device.
    """
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        raise RequestError(f"{expected}, got {values!r:.60}") from None


def row_numbers(rows: ArrayLike, count: int) -> NDArray[np.int64]:
    """Rows of a table of `count` windows, int64 (B,).

    Raises
    ------
    RequestError
        They are not whole numbers in one dimension, such as a mask, or one does not exist.
    """
    expected = "rows must be whole numbers in one dimension (for a mask, np.flatnonzero(mask))"
    numbers = array_of(rows, expected)
    if numbers.size == 0:
        return np.empty(0, np.int64)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise RequestError(f"{expected}, got {numbers.dtype} {numbers.shape}")
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if len(outside):
        raise RequestError(f"row {outside[0]} does not exist: rows go from 0 to {count - 1}")
    return numbers.astype(np.int64, copy=False)


def fold_number(fold: int | None) -> int | None:
    """A fold's number, or None where none is given.

    Raises
    ------
    RequestError
        It is something else, such as 0.5 or True.
    """
    try:
        if fold is None:
            return None
        if not isinstance(fold, bool):
            return index(fold)
    except TypeError:
        pass
    raise RequestError(f"fold must be a whole number or None, got {fold!r:.60}")


def named_signals(spec: Spec, names: str | Iterable[str] | None) -> list[Signal]:
    """Signals by their names; all where None is given.

    Raises
    ------
    RequestError
        One does not exist.
    """
    there = spec.signals
    if names is None:
        return list(there.values())
    single = isinstance(names, str) or not isinstance(names, Iterable)
    wanted: list[Any] = [names] if single else list(names)
    for name in wanted:
        if not isinstance(name, str) or name not in there:
            raise RequestError(f"signal {name!r} does not exist: use {', '.join(there)}")
    return [there[name] for name in wanted]


def destination(signal: Signal, count: int, out: object) -> NDArray[Any]:
    """An array for `count` windows of a signal: that of `out`, or a new one where it is None.

    Raises
    ------
    RequestError
        `out` has none, or one that does not fit.
    """
    shape = (count, signal.window_rows, len(signal.features))
    if out is None:
        return on_a_page(shape, np.float16)
    if not isinstance(out, Mapping) or signal.name not in out:
        raise RequestError(f"out has no array {signal.name!r}")
    array = out[signal.name]
    if not isinstance(array, np.ndarray) or not array.flags.writeable:
        raise RequestError(f"out[{signal.name!r}] must be an array that can be written to")
    if array.shape != shape or array.dtype != np.float16:
        raise RequestError(
            f"out[{signal.name!r}] is {array.dtype} {array.shape}, expected float16 {shape}"
        )
    return array


def stored_values(spec: Spec, batch: object) -> dict[str, NDArray[Any]]:
    """Values as they are stored, by signal: arrays (..., C).

    Raises
    ------
    RequestError
        `batch` is not a dict of these, as `Store.gather` returns it.
    """
    there = spec.signals
    if not isinstance(batch, Mapping) or not set(batch) <= set(there):
        raise RequestError(f"denormalise takes a dict of {' and '.join(there)}, as gathered")
    found = {}
    for name, values in batch.items():
        width = len(there[name].features)
        expected = f"denormalise takes numbers (..., {width}) of {name!r}"
        array = array_of(values, expected)
        if array.dtype.kind not in "fiu" or array.shape[-1:] != (width,):
            raise RequestError(f"{expected}, got {array.dtype} {array.shape}")
        found[name] = array
    return found
