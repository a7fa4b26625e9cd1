"""Large files: whole pieces at a time, whatever sizes the bytes come in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmsprep.building.large_files import PIECE_BYTES, LargeFile


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Where each write that reaches the system begins, and how long it is."""
    seen: list[tuple[int, int]] = []
    real = io.FileIO

    class Watched(real):  # type: ignore[misc, valid-type]
        def write(self, raw: Any) -> int:
            seen.append((self.tell(), len(raw)))
            return super().write(raw)

    opened: Callable[..., Any] = Path.open

    def watch(path: Path, mode: str = "r", buffering: int = -1) -> Any:
        if buffering <= 0:
            return opened(path, mode, buffering)
        return io.BufferedWriter(Watched(path, mode.replace("b", "")), buffering)

    monkeypatch.setattr(Path, "open", watch)
    return seen


@pytest.mark.parametrize("given", [400_000, 2 * PIECE_BYTES + 5, PIECE_BYTES, 7])
def test_bytes_of_any_sizes_reach_the_disk_in_whole_pieces(
    tmp_path: Path, writes: list[tuple[int, int]], given: int
) -> None:
    content = np.random.default_rng(0).bytes(2 * PIECE_BYTES + 123_457 if given > 7 else 1000)
    with LargeFile(tmp_path / "file") as file:
        for first in range(0, len(content), given):
            file.write(content[first : first + given])
    assert (tmp_path / "file").read_bytes() == content
    assert file.size == len(content)
    whole = len(content) // PIECE_BYTES * PIECE_BYTES
    expected = [(at, PIECE_BYTES) for at in range(0, whole, PIECE_BYTES)]
    assert writes == [*expected, (whole, len(content) - whole)]


def test_a_new_file_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"there")
    with pytest.raises(FileExistsError):
        LargeFile(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"there"
