"""Values <-> JSON files, sealed with their own SHA-256 where they will be read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmsstore.atomic import whole_file
from hmsstore.sums import broken_seal, sealed
from hmstrain.errors import RunError


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value, indent=1) + "\n")


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whose last key is the SHA-256 of the others."""
    write_json(path, sealed(value))


def check_seal(path: Path, value: object) -> None:
    """Raise RunError if what was read from a JSON file differs from what was sealed in it."""
    if problem := broken_seal(path, value):
        raise RunError(problem)
