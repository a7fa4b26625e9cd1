"""Zarr v3 array metadata -> read-only NumPy views of the files themselves.

The format keeps every array uncompressed and in C order, so that a file is the raw array from its
first byte on. Nothing here decodes; what cannot be mapped is refused.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hmsstore.reading.columns import ColumnFile, Columns
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
    nodes = nodes_of(root)
    problems = []
    for signal in spec.signals.values():
        problems += check_signal(signal, nodes.get(signal.name, {}))
    for table, columns in table_columns(nodes, spec).items():
        rows = set()
        for column in columns:
            path = f"{table}/{column.name}"
            metadata = nodes.get(path, {})
            problems += check_column(path, column, metadata, len(spec.classes))
            rows.update(_shape(metadata, 2 if column.per_class else 1)[:1])
        if not problems and len(rows) > 1:
            problems.append(f"{table}: columns have {' and '.join(map(str, sorted(rows)))} rows")
    return problems


def nodes_of(root: object) -> Mapping[str, Metadata]:
    """Metadata of every array and group, by path, from the content of the root's zarr.json."""
    found = at(root, "consolidated_metadata", "metadata")
    return found if isinstance(found, dict) else {}


def table_columns(nodes: Mapping[str, Metadata], spec: Spec) -> dict[str, Sequence[Column]]:
    """Columns of each table that a store has, by the table's path."""
    tables: dict[str, Sequence[Column]] = {"windows": WINDOW_COLUMNS}
    tables |= {f"recordings/{name}": recording_columns(name, nodes) for name in spec.signals}
    if keeps_gaps(nodes):
        tables |= {f"gaps/{name}": GAP_COLUMNS for name in spec.signals}
    return tables


def file_sizes(nodes: Mapping[str, Metadata], spec: Spec, most: int) -> dict[str, int] | None:
    """Bytes of the file of each shard and column; None if there would be more than `most`.

    Takes metadata in which `check_layout` finds no problem.
    """
    sizes = {}
    for signal in spec.signals.values():
        total, shard_rows = array_rows(nodes[signal.name])
        if ceil(total / shard_rows) > most:
            return None
        for number in range(ceil(total / shard_rows)):
            rows = min(shard_rows, total - number * shard_rows)
            sizes[shard_name(signal.name, number)] = shard_bytes(signal, rows, shard_rows)
    for table, columns in table_columns(nodes, spec).items():
        for column in columns:
            shape = nodes[f"{table}/{column.name}"]["shape"]
            if nbytes := prod(shape) * np.dtype(column.dtype).itemsize:
                sizes[column_name(table, column)] = nbytes
    return sizes


def at(value: object, *keys: str | int) -> Any:
    """What stands at a path of keys in a JSON value; None if it has no such place."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _names(codecs: object) -> list[Any]:
    return [at(codec, "name") for codec in codecs] if isinstance(codecs, list) else []


def _shape(metadata: Metadata, axes: int) -> list[int]:
    """Shape of an array; empty unless it is so many whole numbers from 0."""
    shape = at(metadata, "shape")
    whole = isinstance(shape, list) and all(type(length) is int and length >= 0 for length in shape)
    return shape if whole and len(shape) == axes else []


def array_rows(metadata: Metadata) -> tuple[int, int]:
    """Rows of a signal's array, and of each of its shards."""
    rows: int = at(metadata, "shape", 0)
    shard_rows: int = at(metadata, "chunk_grid", "configuration", "chunk_shape", 0)
    return rows, shard_rows


def keeps_gaps(nodes: Mapping[str, Metadata]) -> bool:
    """Whether a store has tables of gaps: those of earlier versions have none."""
    return "gaps" in nodes


def recording_columns(signal: str, nodes: Mapping[str, Metadata]) -> Sequence[Column]:
    """Columns of a signal's table of recordings: those of montages only where they are needed."""
    there = f"recordings/{signal}/{MONTAGE_COLUMNS[0].name}" in nodes
    return (*RECORDING_COLUMNS, *(MONTAGE_COLUMNS if there else ()))


def check_signal(signal: Signal, metadata: Metadata) -> list[str]:
    """Find what keeps the array of a signal from being mapped; empty if nothing does."""
    window, width = signal.chunk
    inner = at(metadata, "codecs", 0, "configuration")
    shard = at(metadata, "chunk_grid", "configuration", "chunk_shape")
    shard_rows = at(shard, 0)
    whole_windows = type(shard_rows) is int and shard_rows > 0 and not shard_rows % window
    total, *_ = _shape(metadata, 2) or [0]
    expected = {
        "data_type": (at(metadata, "data_type"), "float16"),
        "axes": (at(metadata, "dimension_names"), list(signal.dims)),
        "features": (at(metadata, "shape", 1), width),
        "rows": (at(metadata, "shape", 0), total or "1 or more"),
        "shards": (shard, [shard_rows, width] if whole_windows else f"rows of whole {window}"),
        "codecs": (_names(at(metadata, "codecs")), ["sharding_indexed"]),
        "inner chunk": (at(inner, "chunk_shape"), [window, width]),
        "inner codecs": (at(inner, "codecs"), [BYTES_CODEC]),
        "index_location": (at(inner, "index_location"), "end"),
        "chunk keys": (
            at(metadata, "chunk_key_encoding"),
            {"name": "default", "configuration": {"separator": "/"}},
        ),
    }
    problems = [
        f"{signal.name}/zarr.json: {what} is {found}, expected {wanted}"
        for what, (found, wanted) in expected.items()
        if found != wanted
    ]
    # The same number of other channels would be read as if they were these.
    names = at(metadata, "attributes", "features")
    names = names if isinstance(names, list) and len(names) == width else []
    pairs = enumerate(zip(names, signal.features, strict=False))
    other = [(place, *pair) for place, pair in pairs if pair[0] != pair[1]]
    if other:
        place, found, wanted = other[0]
        problems.append(
            f"{signal.name}/zarr.json: feature {place} is {found}, expected {wanted} "
            f"({len(other)} such features)"
        )
    return problems


def check_column(path: str, column: Column, metadata: Metadata, classes: int) -> list[str]:
    """Find what keeps a table column from being mapped; empty if nothing does."""
    axes = 2 if column.per_class else 1
    shape = _shape(metadata, axes)
    found_shape = at(metadata, "shape")
    expected = {
        "data_type": (at(metadata, "data_type"), zarr_dtype(column.dtype)),
        "shape": (found_shape, shape or f"{axes} whole numbers"),
        "classes": (shape[1:], [classes] if column.per_class else []),
        "chunk": (
            at(metadata, "chunk_grid", "configuration"),
            {"chunk_shape": list(chunk_shape(shape))},
        ),
        "codecs": (_names(at(metadata, "codecs")), ["bytes"]),
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
    width = len(signal.features)
    total, shard_rows = array_rows(metadata)
    count = ceil(total / shard_rows)
    return [
        map_file(
            store / shard_name(signal.name, number),
            "<f2",
            (min(shard_rows, total - number * shard_rows), width),
        )
        for number in range(count)
    ]


def open_table(
    store: Path, table: str, columns: Sequence[Column], nodes: Mapping[str, Metadata]
) -> Columns:
    """Open the files of a table's columns."""
    return Columns(
        {
            column.name: ColumnFile(
                store,
                column_name(table, column),
                column.dtype,
                tuple(nodes[f"{table}/{column.name}"]["shape"]),
            )
            for column in columns
        }
    )


def map_file(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map the first bytes of a file as an array, as a plain ndarray (slices of it cost less)."""
    return np.memmap(path, dtype=dtype, mode="r", shape=shape).view(np.ndarray)


def on_a_page(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array, not filled, that begins with a page of memory, as mapped files do.

    A window begins with a line of the processor's cache in its file. Copied to where one begins,
    too, it takes up to a quarter less time than to where NumPy's arrays begin, 16 bytes later.
    Reads past the page cache ask for whole pages.
    """
    nbytes = prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(nbytes + mmap.PAGESIZE, np.uint8)
    return raw[-raw.ctypes.data % mmap.PAGESIZE :][:nbytes].view(dtype).reshape(shape)


def mapped_bytes(array: NDArray[Any]) -> int:
    """Bytes that the file of a mapped array has now: reading beyond ends the process (SIGBUS)."""
    mapping = getattr(array.base, "base", None)
    return mapping.size() if isinstance(mapping, mmap.mmap) else array.nbytes


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
