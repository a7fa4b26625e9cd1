"""Bytes, JSON values and a seed -> others that are nearly alike, or that claim too much."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

NASTY: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, -0.5, 1e308, float("nan"), float("inf"), "", "..",
    "/", "../../etc/passwd", "a" * 5000, "\x1b[2J", "\ud800", "\0", "=1+1", [], {}, [[]], [None],
    {"": None}, "int64", "float64", [2**40], [-1], "os:abort",
]  # fmt: skip
BYTES = [
    b"", b"\0", b"\xff", b"\xff\xfe", b"\r", b"\n\n", b"\x1b[2J", b'"', b",,", b"\t", b"-", b"nan",
    b"1e999", b"9" * 400, b"\0" * 64, b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x80", b"../", b"+",
]  # fmt: skip
MOST_CHANGES = 4


def bytes_like(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, repeat, insert, overwrite: one or a few of these."""
    found = bytearray(content)
    for _ in range(rng.integers(1, MOST_CHANGES + 1)):
        at = int(rng.integers(0, len(found) + 1))
        # Heads and tails say how the rest is laid out.
        if rng.random() < 0.4:
            near = int(rng.integers(0, min(len(found), 512) + 1))
            at = near if rng.random() < 0.7 else len(found) - near
        length = int(min(rng.geometric(0.1), len(found) - at))
        piece = BYTES[rng.integers(len(BYTES))]
        match rng.integers(7):
            case 0 if at < len(found):
                found[at] ^= 1 << int(rng.integers(8))
            case 1 if at < len(found):
                found[at] = int(rng.integers(256))
            case 2:
                del found[at : at + length]
            case 3:
                found[at:at] = found[at : at + length] * int(rng.integers(1, 20))
            case 4:
                found[at:at] = piece
            case 5:
                found[at : at + len(piece)] = piece
            case _:
                del found[at:]
    return bytes(found)


def json_like(value: Any, rng: np.random.Generator) -> Any:
    """Change, take out, move or add a value somewhere inside."""
    found = copy.deepcopy(value)
    for _ in range(rng.integers(1, MOST_CHANGES)):
        holder, key = _place(found, rng)
        if holder is None:
            return NASTY[rng.integers(len(NASTY))]
        match rng.integers(6):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[f"{key}x"] = holder.pop(key)
            case 2 if isinstance(holder[key], int | float) and abs(holder[key]) < 2**60:
                holder[key] = holder[key] + [1, -1, 0.5, 1e6][rng.integers(4)]
            case 3 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case 4 if isinstance(holder[key], str):
                holder[key] = holder[key][: rng.integers(0, len(holder[key]) + 1)]
            case _:
                holder[key] = copy.deepcopy(NASTY[rng.integers(len(NASTY))])
    return found


def _place(value: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A list or object somewhere inside, and a key of it."""
    holder, key, inside = None, None, value
    while isinstance(inside, dict | list) and inside:
        holder = inside
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        key = keys[rng.integers(len(keys))]
        inside = inside[key]
        if rng.random() < 0.25:
            break
    return holder, key


def dumped(value: Any) -> str:
    """As JSON, with what Python's own writer lets through."""
    return json.dumps(value)
