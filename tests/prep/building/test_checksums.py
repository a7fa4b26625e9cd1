"""Checksums are CRC-32, by whichever library."""

from __future__ import annotations

import runpy
import sys
import zlib

import numpy as np
import pytest

from hmsprep.building import checksums


def test_checksums_are_zlibs_with_and_without_the_fast_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = [np.random.default_rng(n).bytes(n) for n in (0, 1, 1_000, 300_001)]
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    without = runpy.run_path(checksums.__file__)["crc32"]
    assert without is zlib.crc32
    for crc32 in (checksums.crc32, without):
        found = expected = 0
        for piece in pieces:
            found, expected = crc32(memoryview(piece), found), zlib.crc32(piece, expected)
            assert found == expected
