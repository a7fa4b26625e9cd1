"""Packed bytes come back as they were, and what is damaged or lies is refused before it costs."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsprep.sealed.transport import packing
from hmsprep.sealed.transport.packing import (
    FRAME,
    Packing,
    PackingError,
    Turn,
    Unpacker,
    frame,
    frame_bytes,
    head,
)


def packed(raw: bytes, width: int) -> bytes:
    step = frame_bytes(width)
    parts = [raw[start : start + step] for start in range(0, len(raw), step)]
    way = packing.SIGNALS["eeg"] if width else packing.OTHER
    return head(way, width) + b"".join(frame(part, way, width) for part in parts)


def unpacked(content: bytes, step: int) -> bytes:
    unpacker = Unpacker()
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    raw = b"".join(bytes(one) for piece in pieces for one in unpacker.feed(piece))
    unpacker.end()
    return raw


@pytest.mark.parametrize("turn", Turn)
@given(raw=st.binary(min_size=1, max_size=300), width=st.integers(1, 9))
def test_every_way_of_packing_gives_back_the_bytes(turn: Turn, raw: bytes, width: int) -> None:
    way = Packing(turn, 1)
    again = way.unpack(way.pack(memoryview(raw), width), len(raw), width)
    assert bytes(again) == raw


@given(
    raw=st.binary(max_size=400), width=st.integers(0, 5), step=st.integers(1, 200),
    most=st.integers(20, 100),
)  # fmt: skip
@settings(max_examples=50)
def test_a_packed_file_comes_back_however_its_bytes_come(
    raw: bytes, width: int, step: int, most: int
) -> None:
    before = packing.FRAME_BYTES
    packing.FRAME_BYTES = most
    try:
        assert unpacked(packed(raw, width), step) == raw
    finally:
        packing.FRAME_BYTES = before


def test_a_signals_bytes_become_fewer() -> None:
    rng = np.random.default_rng(0)
    eeg = np.cumsum(rng.normal(0, 0.1, (20_000, 20)), axis=0).astype(np.float16)
    raw = eeg.tobytes()
    assert len(packed(raw, 20)) < 0.9 * len(raw)
    assert len(packed(rng.bytes(1 << 20), 0)) < packing.most_bytes(1 << 20)


GOOD = packed(bytes(range(256)) * 40, 4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not packed, but long enough", "something else"),
        (packing.HEAD.pack(packing.MAGIC, 4, 99) + GOOD[12:], "something else"),
        (GOOD[:-1], "cut short"),
        (GOOD[:5], "cut short"),
        (GOOD[:-1] + b"?", "checksum"),
        (head(packing.OTHER, 4) + FRAME.pack(1 << 31, 10, 0), "got 2,147,483,648"),
        (head(packing.OTHER, 4) + FRAME.pack(10, 1 << 31, 0), "expected frames"),
        (head(packing.OTHER, 4) + FRAME.pack(9, 3, zlib.crc32(b"abc")) + b"abc", "Zstd"),
    ],
)
def test_damaged_and_lying_frames_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(PackingError, match=words):
        unpacked(content, 1000)


@pytest.mark.parametrize("stated", [0, 100, 5_000])
def test_a_frame_that_unpacks_to_more_than_it_states_is_refused(stated: int) -> None:
    body = packing.OTHER.pack(memoryview(bytes(10_000)), 0)
    content = head(packing.OTHER, 0) + FRAME.pack(stated, len(body), zlib.crc32(body)) + body
    with pytest.raises(PackingError):
        unpacked(content, 1000)
