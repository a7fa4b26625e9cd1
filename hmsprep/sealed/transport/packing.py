"""A file's bytes <-> fewer bytes that are sent in their place: frames, each packed by itself.

A packed file begins with `MAGIC`, the number of values in a row (0: it has no rows) and how rows
are turned, and then has frames: the sizes of the raw and of the packed bytes and the CRC-32 of the
latter, little endian, then the packed bytes. So a damaged frame never reaches the codec, and no
frame takes more memory than `FRAME_BYTES`, whatever it claims.

Before it is compressed, a signal's frame is turned: the two bytes of each half-precision value
stand apart, since the one with sign and exponent repeats itself and the other hardly does; and of
EEG, neighbours in time stand beside each other. benchmarks/results/packing.md has what else was
tried, such as differences in time.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"HMSPACK1"
HEAD = struct.Struct("<8sHH")
FRAME = struct.Struct("<III")
FRAME_BYTES = 4 << 20
"""Most raw bytes of a frame."""
PACKED_BYTES = FRAME_BYTES + (1 << 16)
"""Most packed bytes of a frame: what cannot be compressed grows a little."""


class PackingError(ValueError):
    """Bytes are not those of a packed file, or not whole."""


class Turn(Enum):
    """How half-precision rows are turned before they are compressed."""

    NONE = "as they are"
    BYTES = "bytes apart"
    COLUMNS = "columns, bytes apart"


@dataclass(frozen=True, slots=True)
class Packing:
    """A way to make bytes fewer."""

    turn: Turn
    level: int
    """Of zstd."""

    def pack(self, raw: memoryview, width: int) -> bytes:
        """Compress the bytes of whole rows of so many values, and what may follow them."""
        return bytes(_zstd(self.level).encode(_turned(raw, width, self.turn)))

    def unpack(self, packed: bytes, nbytes: int, width: int) -> NDArray[np.uint8]:
        """Give back the bytes, which are so many; zeros follow if they are fewer.

        Raises
        ------
        PackingError
            There are more, or they were not packed so.
        """
        out = np.zeros(nbytes, np.uint8)
        try:
            _zstd(self.level).decode(packed, out)
        except (RuntimeError, ValueError) as error:
            raise PackingError(str(error)) from None
        return _turned_back(out, width, self.turn)


SIGNALS = {"eeg": Packing(Turn.COLUMNS, 3), "spectrogram": Packing(Turn.BYTES, 3)}
"""How the shards of signals are packed."""
OTHER = Packing(Turn.NONE, 3)
"""How tables and descriptions are."""
TURNS = list(Turn)
"""By their number in a packed file."""


def head(packing: Packing, width: int) -> bytes:
    """Begin of a packed file whose rows have so many values; 0: it has no rows."""
    return HEAD.pack(MAGIC, width, TURNS.index(packing.turn))


def frame(raw: bytes, packing: Packing, width: int) -> bytes:
    """Pack at most `FRAME_BYTES`, whole rows but for the end of the file."""
    packed = packing.pack(memoryview(raw), width)
    return FRAME.pack(len(raw), len(packed), zlib.crc32(packed)) + packed


def frame_bytes(width: int) -> int:
    """Raw bytes of each frame but the last: whole rows."""
    return FRAME_BYTES // (2 * width) * (2 * width) if width else FRAME_BYTES


def most_bytes(nbytes: int) -> int:
    """Most bytes that a file of so many may have when it is packed."""
    frames = nbytes // (FRAME_BYTES // 2) + 1
    return HEAD.size + nbytes + frames * (FRAME.size + PACKED_BYTES - FRAME_BYTES)


class Unpacker:
    """Packed bytes as they come -> raw bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._packing: Packing | None = None
        self._width = 0

    def feed(self, piece: Any) -> Iterator[NDArray[np.uint8]]:
        """Take some bytes; give the frames that are whole, each unpacked when it is asked for.

        So who takes them can stop before many frames of few packed bytes fill the memory.

        Raises
        ------
        PackingError
            These are not the bytes of a packed file, or they are damaged.
        """
        self._bytes += piece
        if self._packing is None:
            if len(self._bytes) < HEAD.size:
                return
            magic, self._width, turn = HEAD.unpack_from(self._bytes)
            if magic != MAGIC or turn >= len(TURNS):
                raise PackingError("expected a packed file, got something else")
            self._packing = Packing(TURNS[turn], 0)
            del self._bytes[: HEAD.size]
        while len(self._bytes) >= FRAME.size:
            nbytes, size, crc = FRAME.unpack_from(self._bytes)
            if nbytes > FRAME_BYTES or size > PACKED_BYTES:
                raise PackingError(f"expected frames of {FRAME_BYTES:,} bytes, got {nbytes:,}")
            stop = FRAME.size + size
            if len(self._bytes) < stop:
                return
            packed = bytes(memoryview(self._bytes)[FRAME.size : stop])
            if zlib.crc32(packed) != crc:
                raise PackingError("a frame does not have the checksum that it states")
            del self._bytes[:stop]  # from the start, which moves nothing
            yield self._packing.unpack(packed, nbytes, self._width)

    def end(self) -> None:
        """Refuse a file that ends within a frame."""
        if self._bytes or self._packing is None:
            raise PackingError("it is cut short")


def _zstd(level: int) -> Any:
    from numcodecs.zstd import Zstd

    return Zstd(level)


def _split(nbytes: int, width: int) -> tuple[int, int]:
    """Rows of so many values in these bytes, and where they end."""
    rows = nbytes // (2 * width) if width else 0
    return rows, rows * 2 * width


def _turned(raw: memoryview, width: int, turn: Turn) -> NDArray[np.uint8]:
    """Put bytes of rows (row, value) in the order in which they are compressed."""
    given = np.frombuffer(raw, np.uint8)
    rows, stop = _split(len(given), width)
    if turn is Turn.NONE or not rows:
        return given
    values = given[:stop].view("<u2").reshape(rows, width)
    if turn is Turn.COLUMNS:
        values = np.ascontiguousarray(values.T)
    out = np.empty_like(given)
    out[:stop] = values.reshape(-1).view(np.uint8).reshape(-1, 2).T.reshape(-1)
    out[stop:] = given[stop:]
    return out


def _turned_back(given: NDArray[np.uint8], width: int, turn: Turn) -> NDArray[np.uint8]:
    rows, stop = _split(len(given), width)
    if turn is Turn.NONE or not rows:
        return given
    values = np.ascontiguousarray(given[:stop].reshape(2, -1).T).reshape(-1).view("<u2")
    out = np.empty_like(given)
    if turn is Turn.BYTES:
        out[:stop] = values.view(np.uint8)
    else:
        out[:stop].view("<u2").reshape(rows, width)[:] = values.reshape(width, rows).T
    out[stop:] = given[stop:]
    return out
