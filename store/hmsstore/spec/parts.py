"""The classes and signals of a data set, and whatever contradicts itself in its description."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 127
"""Codes of classes are stored as int8."""
KEY = re.compile(r"[a-z][a-z0-9_]*")
KEYS = "small letters, digits and underscores, a letter first"


@dataclass(frozen=True, slots=True)
class PatternClass:
    """One of the patterns that raters vote for."""

    key: str
    """Name in columns, options and files: small letters, digits and underscores."""
    title: str
    """The same as clinicians write it."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One of the two recorded signals, as an array of rows in time by features."""

    name: str
    """Name of its array in the store."""
    features: tuple[str, ...]
    """Names of the columns of the array."""
    dims: tuple[str, str]
    """Names of the two axes."""
    unit: str
    """Unit of the values once denormalised."""
    row_rate_hz: float
    """Rows per second."""
    window_rows: int
    """Rows of one window, and of one inner chunk."""
    shard_rows: int
    """Rows of one shard (one file) by default."""

    @property
    def chunk(self) -> tuple[int, int]:
        """Shape of an inner chunk: rows of a window, and features."""
        return self.window_rows, len(self.features)

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.window_rows / self.row_rate_hz

    def row_at(self, offset_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row of a recording at which a window with this offset starts; half rows are floored."""
        return np.floor(np.asarray(offset_s) * self.row_rate_hz + 1e-6).astype(np.int64)


AXES = {"eeg": ("eeg_sample", "channel"), "spectrogram": ("spectrogram_row", "region_frequency")}
"""The two signals of every store, and the names of their arrays' axes."""


def spec_problems(parts: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the parts of a spec that are given."""
    checks: tuple[tuple[Callable[..., list[str]], tuple[str, ...]], ...] = (
        (_name_problems, ("name",)),
        (_class_problems, ("classes", "background")),
        (_signal_problems, ("signals", "judged_s")),
        (_lead_problems, ("signals", "chains", "midline", "heart")),
    )
    return [
        problem
        for check, names in checks
        if all(name in parts for name in names)
        for problem in check(*(parts[name] for name in names))
    ]


def _name_problems(name: str) -> list[str]:
    return [] if KEY.fullmatch(name) else [f"name: expected {KEYS}, got {name!r}"]


def _class_problems(classes: Sequence[PatternClass], background: str | None) -> list[str]:
    problems = []
    if not 2 <= len(classes) <= MOST_CLASSES:
        problems.append(f"classes: expected 2 to {MOST_CLASSES}, got {len(classes)}")
    problems += [
        f"classes: expected as key {KEYS}, got {one.key!r}"
        for one in classes
        if not KEY.fullmatch(one.key)
    ]
    problems += [f"classes: {one.key!r} has no title" for one in classes if not one.title.strip()]
    words = Counter(w for one in classes for w in {one.key.lower(), one.title.strip().lower()})
    problems += [
        f"classes: {word!r} names {count} classes, expected one"
        for word, count in words.items()
        if word and count > 1
    ]
    if background is not None and background not in [one.key for one in classes]:
        problems.append(f"background: expected the key of a class or none, got {background!r}")
    return problems


def _signal_problems(signals: Mapping[str, Signal], judged_s: float) -> list[str]:
    problems = []
    if list(signals) != list(AXES):
        problems.append(f"signals: expected {' and '.join(AXES)}, got {', '.join(signals)}")
    for name, signal in signals.items():
        if signal.name != name:
            problems.append(f"signals: {name} calls itself {signal.name!r}")
        if not signal.features:
            problems.append(f"{name}: expected names of features, got none")
        twice = [feature for feature, count in Counter(signal.features).items() if count > 1]
        if twice:
            problems.append(f"{name}: feature {twice[0]!r} is listed twice")
        if not (isfinite(signal.row_rate_hz) and signal.row_rate_hz > 0):
            problems.append(f"{name}: expected rows per second over 0, got {signal.row_rate_hz:g}")
        if signal.window_rows < 1:
            problems.append(f"{name}: expected window_rows of at least 1, got {signal.window_rows}")
        elif signal.shard_rows % signal.window_rows or signal.shard_rows < 2 * signal.window_rows:
            problems.append(
                f"{name}: expected shard_rows to be a multiple of {signal.window_rows}, at least "
                f"two times, got {signal.shard_rows}"
            )
    if problems:
        return problems
    eeg, spectrogram = signals["eeg"], signals["spectrogram"]
    ratio = eeg.row_rate_hz / spectrogram.row_rate_hz
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-9:
        problems.append(
            "signals: expected a whole number of EEG samples per row of the spectrogram, "
            f"got {ratio:g}"
        )
    if not 0 < judged_s <= eeg.window_s:
        problems.append(
            f"judged_s: expected over 0 and up to the EEG window's {eeg.window_s:g} s, "
            f"got {judged_s:g}"
        )
    return problems


def _lead_problems(
    signals: Mapping[str, Signal],
    chains: Mapping[str, tuple[str, ...]],
    midline: tuple[str, ...],
    heart: str | None,
) -> list[str]:
    """What does not fit between electrodes, chains and regions of the spectrogram."""
    if set(signals) != set(AXES):
        return []
    problems = []
    channels, features = signals["eeg"].features, signals["spectrogram"].features
    named = {f"chain {region}": chain for region, chain in chains.items()} | {"midline": midline}
    for where, electrodes in named.items():
        strange = [name for name in electrodes if name not in channels or name == heart]
        if strange:
            problems.append(f"{where}: {strange[0]!r} is not an electrode of the EEG")
    short = [region for region, chain in chains.items() if len(chain) < 2]
    if not chains or short:
        found = f"{short[0]} has fewer" if short else "got no chain"
        problems.append(f"chains: expected two electrodes or more in each, {found}")
    if heart is not None and heart not in channels:
        problems.append(f"heart: expected a channel of the EEG or none, got {heart!r}")
    each = len(features) // max(1, len(chains))
    regions = [region for region in chains for _ in range(each)]
    pairs = zip(features, regions, strict=False)
    if len(regions) != len(features) or not all(f.startswith(f"{r}_") for f, r in pairs):
        problems.append(
            "spectrogram: expected features region by region in the order of the chains, equally "
            f"many of each, named REGION_HZ; got {', '.join(features[:3])} ..."
        )
    return problems
