"""float32 <-> float16 on whole blocks at a time: bit by bit what `astype` gives.

NumPy turns one value at a time, which took longer than all else that happens to a value. Only in a
process that has told its processor to flush subnormal numbers to zero do these lose values under
2^-14.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import DTYPE

BLOCK_VALUES = 1 << 16
"""Values of a block of rows: with all that is computed of them, they stay in the cache."""
EXPONENT = np.int32(0x7F800000)
"""Bits of a float32's exponent."""
SMALLEST_NORMAL = np.int32((127 - 14) << 23)
"""Bits of 2^-14 in single precision: below it, halves are evenly spaced."""
ROUNDING = np.int32((13 << 23) | 0x400000)
"""Added to the bits of 2^e, gives 1.5 x 2^(e + 13): so large that the sum of it and a value between
2^e and 2^(e + 1) has room for the ten bits of a half's fraction only."""
BIAS = np.float32(2.0**112)
"""Ratio of the values of two numbers with the same exponent bits: 127 - 15 = 112."""
FRACTION_BITS_MORE = np.int32(13)
"""A float32 has 23 bits of fraction, a half 10."""
TOO_LARGE = np.float32(65_536.0)
"""2^16: no finite half is as large."""
EXPONENT_TOO_LARGE = np.int32((127 + 16) << 23)
"""Its bits: infinity and NaN seem to be as large, read by exponent alone."""


def to_float16(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Round to half precision, ties to even: `values.astype(float16)`."""
    bits = values.view(np.int32)
    exponent = bits & EXPONENT
    if not exponent.size or exponent.max() >= EXPONENT_TOO_LARGE:
        return values.astype(DTYPE)
    # Floats that are not negative are in the order of their bits, and NumPy clips these faster.
    np.clip(exponent, SMALLEST_NORMAL, EXPONENT, out=exponent)
    exponent += ROUNDING
    rounding = exponent.view(np.float32)  # the same memory, read as 1.5 x 2^(e + 13)
    rounded = values + rounding
    rounded -= rounding
    rounded *= 1 / BIAS
    half = rounded.view(np.int32)
    half >>= FRACTION_BITS_MORE
    sign = np.right_shift(bits, 16, out=exponent)  # nobody needs the exponent any more
    sign &= np.int32(0x8000)
    half |= sign
    return half.astype(np.uint16).view(DTYPE)


def from_float16(values: NDArray[np.float16]) -> NDArray[np.float32]:
    """Turn half into single precision: `values.astype(float32)`."""
    bits = values.view(np.int16).astype(np.int32)
    bits <<= FRACTION_BITS_MORE
    bits &= np.int32(-0x70002000)  # sign, five bits of exponent, ten of fraction
    single = bits.view(np.float32)
    single *= BIAS
    if not single.size or single.max() >= TOO_LARGE or single.min() <= -TOO_LARGE:
        return values.astype(np.float32)
    return single


def rows_in_float16(cleaned: NDArray[np.float32]) -> Iterator[NDArray[np.float16]]:
    """Turn float32 (features, rows) into float16 (rows, features), some rows at a time."""
    features, rows = cleaned.shape
    block_rows = max(1, BLOCK_VALUES // features)
    for first in range(0, rows, block_rows):
        yield to_float16(np.ascontiguousarray(cleaned[:, first : first + block_rows].T))
