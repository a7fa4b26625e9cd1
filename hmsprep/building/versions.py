"""The installed packages -> versions of those that decide the bytes of a store."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from hmsstore import __version__

DECIDING_PACKAGES = ("numpy", "polars", "scikit-learn", "scipy", "zarr")
"""Packages whose version may change a byte of the store."""


def versions() -> dict[str, str]:
    """Versions of what decides the bytes of a store, by name of the package."""
    return {"hms-eeg": __version__} | {name: version(name) for name in DECIDING_PACKAGES}


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, str]:
    """Name the packages whose versions differ: as they were, and as they are now."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]

    def listed(found: Mapping[str, str]) -> str:
        return ", ".join(f"{name} {found.get(name, '(none)')}" for name in names)

    return listed(before), listed(now)
