"""Values <-> JSON files, sealed with their own SHA-256 where they will be read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmsstore.atomic import whole_file
from hmsstore.sums import RUN_VERSION, VERSION, broken_seal, newer, sealed
from hmstrain.errors import RunError


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value, indent=1) + "\n")


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whose first key is its version, and the last the SHA-256 of the others."""
    version = {VERSION: RUN_VERSION}
    write_json(path, sealed(version | {**value} | version))


def check_seal(path: Path, value: object) -> None:
    """Refuse what was read from a JSON file and is not what was sealed, or of a later version.

    Raises
    ------
    RunError
        With what to do.
    """
    if problem := broken_seal(path, value) or newer(path, value):
        raise RunError(problem)
