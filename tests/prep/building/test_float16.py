"""Half precision by integer arithmetic, beside NumPy's own casts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hmsprep.building.values.float16 import BLOCK_VALUES, from_float16, rows_in_float16, to_float16

EVERY_HALF = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE = np.sort(EVERY_HALF[np.isfinite(EVERY_HALF)]).astype(np.float32)
BETWEEN = (FINITE[:-1] + FINITE[1:]) / 2
"""Half-way between neighbours: ties, which go to the even one."""
ANY = np.random.default_rng(0).integers(0, 1 << 32, 1 << 20, dtype=np.uint32).view(np.float32)


def same_bits(found: NDArray[np.generic], expected: NDArray[np.generic]) -> None:
    kind = f"u{expected.itemsize}"
    np.testing.assert_array_equal(found.view(kind), expected.view(kind))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(FINITE, id="every half"),
        pytest.param(BETWEEN, id="ties"),
        pytest.param(np.nextafter(BETWEEN, np.float32(np.inf)), id="above ties"),
        pytest.param(np.nextafter(BETWEEN, np.float32(-np.inf)), id="below ties"),
        pytest.param(ANY[np.abs(ANY) < 65_536], id="random bits"),
        pytest.param(np.float32([65_519.99, 65_520.0, -65_535.9]), id="rounded to infinity"),
        pytest.param(np.float32([0.0, -0.0, 1e-30, -1e-45]), id="zeros"),
        pytest.param(np.float32([]), id="nothing"),
    ],
)
def test_to_float16_is_numpys_cast(values: NDArray[np.float32]) -> None:
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16)
    same_bits(to_float16(values), expected)


@pytest.mark.parametrize("odd", [np.nan, -np.nan, np.inf, -np.inf, 1e30, -65_536.0])
def test_what_half_cannot_hold_spoils_nothing_beside_it(odd: float) -> None:
    values = np.linspace(-5, 5, 101, dtype=np.float32)
    values[50] = odd
    with np.errstate(over="ignore"):
        same_bits(to_float16(values), values.astype(np.float16))


def test_from_float16_is_numpys_cast() -> None:
    finite = EVERY_HALF[np.isfinite(EVERY_HALF)]
    same_bits(from_float16(finite), finite.astype(np.float32))
    same_bits(from_float16(finite[::3]), finite[::3].astype(np.float32))
    odd = np.append(finite, np.float16([np.nan, np.inf]))
    same_bits(from_float16(odd), odd.astype(np.float32))


def test_rows_in_float16_move_time_first() -> None:
    rows = BLOCK_VALUES // 20 * 2 + 7
    values = np.random.default_rng(0).normal(0, 100, (20, rows + 5)).astype(np.float32)
    part = values[:, 3 : rows + 3]
    np.testing.assert_array_equal(
        np.concatenate([*rows_in_float16(part)]), part.T.astype(np.float16)
    )
