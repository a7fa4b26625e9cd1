"""A file that says how signals are cleaned -> the parameters that it stands for.

The file is JSON, such as `hmstrain predict` writes so that a recording is cleaned just as the
training data of a run were::

    {"nan": "zero", "eeg_clip": 1024.0, "ekg_clip": 32000.0, "bandpass": null,
     "spectrogram_clip": [0.018, 2981.0]}

Names and meanings are those of `Parameters`; a key that is left out has its default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from hmsprep.errors import ParameterError
from hmsprep.planning.choices import EKG_CLIP_UV, Fill
from hmsprep.planning.parameters import Parameters

CLEANING = ("nan", "eeg_clip", "ekg_clip", "spectrogram_clip", "bandpass")
RANGES = ("spectrogram_clip", "bandpass")
LARGEST_WHOLE = 2**53
"""Whole numbers beyond are not all floats; far beyond, none is."""
LARGEST_BYTES = 100_000


def make_cleaning(
    nan: Fill,
    eeg_clip: float | None,
    spectrogram_clip: tuple[float, float] | None,
    bandpass: tuple[float, float] | None,
    cleaning: str | Path | Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Put together how signals are cleaned: by single options, or by a file or mapping.

    Returns
    -------
    dict
        Arguments of `Parameters`.

    Raises
    ------
    ParameterError
        Both are given, or the file does not hold what it must.
    """
    ekg_clip = None if eeg_clip is None else EKG_CLIP_UV
    single = dict(zip(CLEANING, (nan, eeg_clip, ekg_clip, spectrogram_clip, bandpass), strict=True))
    if cleaning is None:
        return single
    default = Parameters()
    changed = [name for name, value in single.items() if value != getattr(default, name)]
    if changed:
        option = f"--{changed[0].replace('_', '-')}"
        raise ParameterError(f"{option} says how to clean, and so does --cleaning: give only one.")
    if isinstance(cleaning, str | PathLike):
        return read_cleaning(Path(cleaning))
    return check_cleaning(cleaning)


def read_cleaning(path: Path) -> dict[str, Any]:
    """Read such a file.

    Raises
    ------
    ParameterError
        It cannot be read, is not JSON, or holds other keys or other kinds of values.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"it has more than {LARGEST_BYTES:,} bytes")
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ParameterError(f"--cleaning {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"--cleaning {path} is not JSON: {error}.") from None
    try:
        return check_cleaning(content)
    except ParameterError as error:
        raise ParameterError(f"--cleaning {path}: {error}") from None


def check_cleaning(content: Any) -> dict[str, Any]:
    """Check keys and kinds of values; their ranges are checked by `Parameters`.

    Raises
    ------
    ParameterError
        A key is not known, or a value is of another kind.
    """
    if not isinstance(content, Mapping):
        raise ParameterError(f"expected an object with {', '.join(CLEANING)}, got {content!r:.40}.")
    unknown = sorted(set(content) - set(CLEANING))
    if unknown:
        raise ParameterError(f"expected {', '.join(CLEANING)}, got the key {unknown[0]!r:.40}.")
    values = dict(content)
    for key, value in content.items():
        if key == "nan":
            fits = isinstance(value, str)
        elif value is None:
            fits = True
        elif key in RANGES:
            pair = isinstance(value, list | tuple) and len(value) == 2
            fits = pair and all(map(_is_number, value))
            values[key] = tuple(map(float, value)) if fits else value
        else:
            fits = _is_number(value)
            values[key] = float(value) if fits else value
        if not fits:
            kind = "a word" if key == "nan" else "two numbers" if key in RANGES else "a number"
            raise ParameterError(f"expected {kind} as {key}, got {value!r:.40}.")
    return values


def _is_number(value: object) -> bool:
    """A number that is one as a float, too."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= LARGEST_WHOLE
    return isinstance(value, float)
