"""What the numbers of an EDF file's signals mean: ranges and units -> microvolts, or why not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite

from hmsprep.importing.formats.edf_header import EdfSignal

FACTORS = {"uV": 1.0, "mV": 1e3, "V": 1e6, "nV": 1e-3}
"""Units -> microvolts."""
_VOLT = ("volts", "volt", "v")
_PREFIXES = {
    "": "V", "u": "uV", "mc": "uV", "mk": "uV", "micro": "uV", "m": "mV", "milli": "mV", "n": "nV",
    "nano": "nV",
}  # fmt: skip
_UNNAMED = re.compile(r"[?._#*~/-]*\s*v?|none|n/?a", re.IGNORECASE)
"""What stands where none is named, or where the sign in front of a V was lost: '', '?V', '.V'."""
_COUNTED = re.compile(r"\s*(?:/\s*(?:bit|lsb|digit|count)s?|rms|pp|p-p)$", re.IGNORECASE)
LARGEST_UV = 1e7
"""Ten volts: no amplifier of EEG has such a range."""
SMALLEST_UV = 1.0
"""No EEG stays within such a range on all electrodes."""
UNNAMED_UV = (50.0, 1e6)
"""A range that no unit is named for may be one in microvolts."""
NAME_IT = "name its unit with --unit uV, mV, V or nV"


def read_unit(field: bytes) -> str | None:
    """Read a unit of voltage.

    The micro sign comes in many encodings: Latin-1 and Mac (B5), UTF-8 (C2 B5, CE BC), Shift-JIS
    (83 CA), DOS (E6) ... None of the other prefixes is beyond ASCII, so that any such sign before
    a V is taken for it. Brackets and dots around a unit say nothing, nor does what it is counted by
    ('uV/bit') or how ('uVrms').

    Returns
    -------
    str or None
        A key of `FACTORS`, '' if nothing readable is named, None for what is not a voltage.
    """
    text = field.split(b"\0")[0].strip().decode("latin-1")
    if _UNNAMED.fullmatch(text) and text.lower() != "v":
        return ""
    text = _COUNTED.sub("", text.strip("()[]{}. "))
    word = next((volt for volt in _VOLT if text.lower().endswith(volt)), None)
    if word is None:
        return None
    prefix = text[: -len(word)].strip()
    if prefix and ord(prefix[0]) >= 0x80:
        return "uV"
    return _PREFIXES.get(prefix.lower())


def microvolts(unit: str) -> float:
    """Microvolts in a unit of `FACTORS`; where none is named it is taken for microvolts."""
    return FACTORS[unit or "uV"]


def shown_unit(signal: EdfSignal) -> str:
    """A signal's unit as it may be shown: 'uV', or what stands in the header if that means none."""
    return read_unit(signal.unit) or signal.unit.decode("latin-1").strip(" \0")


def choose_unit(signal: EdfSignal, asked: str | None, *, misnamed: bool = False) -> str | None:
    """Take the unit that the header names, or the user's where it names none or it cannot be."""
    stated = read_unit(signal.unit)
    if asked and (misnamed or not stated or reach(signal) * microvolts(stated) > LARGEST_UV):
        return asked
    return stated


def fault(signal: EdfSignal, name: str, unit: str | None) -> str:
    """Say why a signal's numbers mean nothing in microvolts; '' if they do.

    Parameters
    ----------
    signal : EdfSignal
    name : str
        As it is called in messages.
    unit : str or None
        As `read_unit` gives it, or the user.
    """
    ends = [*signal.physical, *signal.digital]
    if not all(map(isfinite, ends)) or ends[0] == ends[1] or ends[2] == ends[3]:
        return (
            f"The ranges of {name} make no sense: expected two pairs of different numbers "
            f"(physical, digital), got {ends}."
        )
    if unit is None:
        return (
            f"{name} is in {shown_unit(signal)!r}, expected a voltage (uV, mV, V): if it is one, "
            f"{NAME_IT}."
        )
    largest_uv = reach(signal) * microvolts(unit)
    if largest_uv > LARGEST_UV:
        return (
            f"{name} may reach {largest_uv:g} uV by its header, expected at most {LARGEST_UV:g}: "
            f"{NAME_IT}."
        )
    return ""


def impossible(signals: Sequence[EdfSignal], unit: str) -> str:
    """Say why a range cannot be that of EEG in its unit, over all electrodes of the same unit.

    Parameters
    ----------
    signals : sequence of EdfSignal
        At least one.
    unit : str
        As it stands in the header: '' if nothing is named.
    """
    largest = max(map(reach, signals))
    if unit:
        possible, stated = largest * microvolts(unit) >= SMALLEST_UV, f"is in {unit} by its header"
    else:
        possible, stated = UNNAMED_UV[0] <= largest <= UNNAMED_UV[1], "names no unit"
    if possible:
        return ""
    return (
        f"{stated}, and its range is {signals[0].physical[0]:g} to {signals[0].physical[1]:g}: "
        f"that is not EEG in microvolts, so {NAME_IT}."
    )


def reach(signal: EdfSignal) -> float:
    """Largest magnitude that a signal can have, in its unit."""
    return max(map(abs, signal.physical))
