"""Zarr v3 array metadata -> read-only NumPy views of the files themselves.

The format keeps every array uncompressed and in C order, so that a file is the raw array from its
first byte on. Nothing here decodes; what cannot be mapped is refused.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.schema import (
    DTYPE,
    GAP_COLUMNS,
    MONTAGE_COLUMNS,
    RECORDING_COLUMNS,
    WINDOW_COLUMNS,
    Column,
)
from hmsstore.spec import Signal, Spec

Metadata = Mapping[str, Any]
"""The content of one array's zarr.json."""

MAPPED_FILES = 65_536
"""Open files that a process may want: Linux maps no more than this by default."""
SHARD_INDEX_ENTRY = 16
"""Bytes of index per inner chunk: offset and length, both uint64."""
SHARD_INDEX_CHECKSUM = 4
"""Bytes of CRC-32C behind the index."""
BYTES_CODEC = {"name": "bytes", "configuration": {"endian": "little"}}


def zarr_dtype(dtype: str | np.dtype[Any]) -> str:
    """Name of a NumPy dtype in Zarr v3 metadata ('float16', 'int64', ...)."""
    return np.dtype(dtype).name


def shard_name(signal: str, number: int) -> str:
    """Path within the store of a shard's file."""
    return f"{signal}/c/{number}/0"


def column_name(table: str, column: Column) -> str:
    """Path within the store of a table column's file."""
    return f"{table}/{column.name}/c/0{'/0' if column.per_class else ''}"


def shard_bytes(signal: Signal, rows: int, shard_rows: int) -> int:
    """Size of the file of a shard that holds this many rows of a signal.

    Data come first, in whole inner chunks (one window each; the last one filled up with NaN), then
    the index of all inner chunks that a full shard would have, then the checksum of the index.
    """
    chunk_bytes = signal.window_rows * len(signal.features) * DTYPE.itemsize
    data = ceil(rows / signal.window_rows) * chunk_bytes
    return data + shard_rows // signal.window_rows * SHARD_INDEX_ENTRY + SHARD_INDEX_CHECKSUM


def check_layout(root: Mapping[str, Any], spec: Spec) -> list[str]:
    """Find every array that is missing or not laid out as FORMAT.md and the store's spec say.

    Takes the content of the root group's zarr.json.
    """
    nodes = root["consolidated_metadata"]["metadata"]
    problems = []
    for signal in spec.signals.values():
        problems += check_signal(signal, nodes.get(signal.name, {}))
    tables: dict[str, Sequence[Column]] = {"windows": WINDOW_COLUMNS} | {
        f"recordings/{n}": RECORDING_COLUMNS for n in spec.signals
    }
    tables["recordings/eeg"] = recording_columns("eeg", nodes)
    if keeps_gaps(nodes):
        tables |= {f"gaps/{name}": GAP_COLUMNS for name in spec.signals}
    for table, columns in tables.items():
        for column in columns:
            path = f"{table}/{column.name}"
            problems += check_column(path, column, nodes.get(path, {}), len(spec.classes))
    return problems


def keeps_gaps(nodes: Mapping[str, Metadata]) -> bool:
    """Whether a store has tables of gaps: those of earlier versions have none."""
    return "gaps" in nodes


def recording_columns(signal: str, nodes: Mapping[str, Metadata]) -> Sequence[Column]:
    """Columns of a signal's table of recordings: those of montages only where they are needed."""
    there = f"recordings/{signal}/{MONTAGE_COLUMNS[0].name}" in nodes
    return (*RECORDING_COLUMNS, *(MONTAGE_COLUMNS if there else ()))


def check_signal(signal: Signal, metadata: Metadata) -> list[str]:
    """Find what keeps the array of a signal from being mapped; empty if nothing does."""
    width = len(signal.features)
    codecs = metadata.get("codecs") or [{}]
    sharding = codecs[0].get("configuration", {})
    key = metadata.get("chunk_key_encoding", {})
    expected = {
        "data_type": (metadata.get("data_type"), "float16"),
        "axes": (metadata.get("dimension_names"), list(signal.dims)),
        "features": (metadata.get("shape", [0, 0])[1], width),
        "codecs": ([codec.get("name") for codec in codecs], ["sharding_indexed"]),
        "inner chunk": (sharding.get("chunk_shape"), [signal.window_rows, width]),
        "inner codecs": (sharding.get("codecs"), [BYTES_CODEC]),
        "index_location": (sharding.get("index_location"), "end"),
        "chunk keys": (key, {"name": "default", "configuration": {"separator": "/"}}),
    }
    problems = [
        f"{signal.name}/zarr.json: {what} is {found}, expected {wanted}"
        for what, (found, wanted) in expected.items()
        if found != wanted
    ]
    # The same number of other channels would be read as if they were these.
    names = metadata.get("attributes", {}).get("features", [])
    pairs = enumerate(zip(names, signal.features, strict=False))
    other = [(place, *pair) for place, pair in pairs if pair[0] != pair[1]]
    if other and len(names) == width:
        place, found, wanted = other[0]
        problems.append(
            f"{signal.name}/zarr.json: feature {place} is {found}, expected {wanted} "
            f"({len(other)} such features)"
        )
    return problems


def check_column(path: str, column: Column, metadata: Metadata, classes: int) -> list[str]:
    """Find what keeps a table column from being mapped; empty if nothing does."""
    shape = metadata.get("shape")
    expected = {
        "data_type": (metadata.get("data_type"), zarr_dtype(column.dtype)),
        "axes": (len(shape or ()), 2 if column.per_class else 1),
        "classes": ((shape or ())[1:], [classes] if column.per_class else []),
        "chunk": (
            metadata.get("chunk_grid", {}).get("configuration"),
            {"chunk_shape": list(chunk_shape(shape or ()))},
        ),
        "codecs": ([codec.get("name") for codec in metadata.get("codecs", [])], ["bytes"]),
    }
    return [
        f"{path}/zarr.json: {what} is {found}, expected {wanted}"
        for what, (found, wanted) in expected.items()
        if found != wanted
    ]


def chunk_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of the one chunk of a table column; that of an empty table is 1, and has no file."""
    return tuple(max(1, length) for length in shape)


def map_signal(store: Path, signal: Signal, metadata: Metadata) -> list[NDArray[np.float16]]:
    """Map every shard of a signal: float16 (rows, features) each, read-only, nothing read yet."""
    total, width = metadata["shape"]
    shard_rows = metadata["chunk_grid"]["configuration"]["chunk_shape"][0]
    count = ceil(total / shard_rows)
    return [
        map_file(
            store / shard_name(signal.name, number),
            "<f2",
            (min(shard_rows, total - number * shard_rows), width),
        )
        for number in range(count)
    ]


def map_column(store: Path, table: str, column: Column, metadata: Metadata) -> NDArray[Any]:
    """Map one table column, read-only."""
    shape = tuple(metadata["shape"])
    if 0 in shape:
        return np.empty(shape, column.dtype)
    return map_file(store / column_name(table, column), column.dtype, shape)


def map_file(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map the first bytes of a file as an array, as a plain ndarray (slices of it cost less)."""
    return np.memmap(path, dtype=dtype, mode="r", shape=shape).view(np.ndarray)


def release(array: NDArray[Any]) -> None:
    """Let go of the pages of a mapped file that were read: they no longer count as this process's.

    They stay in the page cache, and are mapped again when they are wanted.
    """
    mapping = getattr(array.base, "base", None)
    if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def allow_open_files() -> None:
    """Raise this process's soft limit on open files: every mapped file keeps one."""
    try:
        import resource
    except ImportError:
        return  # Windows has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAPPED_FILES if hard == resource.RLIM_INFINITY else min(MAPPED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
