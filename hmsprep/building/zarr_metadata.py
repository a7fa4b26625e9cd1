"""A plan -> the Zarr v3 metadata of its store: the path of every zarr.json and its content.

zarr-python writes the documents, into memory. Each group also repeats those of all nodes below it
(`consolidated_metadata`), so that a reader opens the store with one small file and lists no folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.reading.arrays import chunk_shape
from hmsstore.schema import (
    DTYPE,
    FEATURES,
    FREQUENCIES_HZ,
    Column,
)
from hmsstore.spec import Signal

if TYPE_CHECKING:
    from hmsprep.planning.plan import Plan

Tables = dict[str, tuple[tuple[Column, ...], Mapping[str, NDArray[Any]]]]
"""Path of a table in the store -> descriptions of its columns, and their values."""

DOCUMENT = "zarr.json"


def documents(plan: Plan, tables: Tables, info: Mapping[str, Any]) -> dict[str, Any]:
    """Write the metadata of groups and arrays.

    Parameters
    ----------
    plan : Plan
        Shapes and parameters.
    tables : dict
        The tables of windows, recordings and gaps.
    info : dict
        Attributes of the root group, under 'hms'.

    Returns
    -------
    dict of str to JSON value
        By path within the store.
    """
    import zarr
    from zarr.storage import MemoryStore

    memory: dict[str, Any] = {}
    root = zarr.create_group(MemoryStore(memory), zarr_format=3, attributes={"hms": dict(info)})
    for name, signal in plan.spec.signals.items():
        width = len(signal.features)
        root.create_array(
            name,
            shape=(plan.array_rows(name), width),
            shards=(plan.parameters.shard_rows(name), width),
            chunks=(signal.window_rows, width),
            dtype=DTYPE,
            compressors=None,
            filters=None,
            fill_value=float("nan"),
            dimension_names=signal.dims,
            attributes=signal_attributes(signal, plan),
        )
    for path, (columns, table) in tables.items():
        group = root.require_group(path)
        row = path.partition("/")[0].removesuffix("s")
        for column in columns:
            shape = np.shape(table[column.name])
            group.create_array(
                column.name,
                shape=shape,
                chunks=chunk_shape(shape),
                dtype=column.dtype,
                compressors=None,
                filters=None,
                fill_value=column.absent,
                dimension_names=[row, "class"] if column.per_class else [row],
                attributes=column_attributes(column),
            )
    nodes = {name: json.loads(content.to_bytes()) for name, content in memory.items()}
    return consolidated({name: nodes[name] for name in sorted(nodes)})


def consolidated(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """Repeat in each group's document those of all nodes below it."""
    result = {}
    for name, node in nodes.items():
        result[name] = node
        if node["node_type"] == "group":
            top = name.removesuffix(DOCUMENT)
            below = {
                other[len(top) :].removesuffix(f"/{DOCUMENT}"): content
                for other, content in nodes.items()
                if other.startswith(top) and other != name
            }
            inline = {"kind": "inline", "must_understand": False, "metadata": below}
            result[name] = node | {"consolidated_metadata": inline}
    return result


def signal_attributes(signal: Signal, plan: Plan) -> dict[str, Any]:
    """What a reader without this package should know of a signal's array."""
    scaled = plan.parameters.normalise == "zscore"
    attributes = {
        "long_name": "z-scored " * scaled
        + ("referential EEG" if signal.name == "eeg" else "logarithm of spectral power"),
        "units": "1" if scaled else signal.unit,
        "denormalised_units": signal.unit,
        "row_rate_hz": signal.row_rate_hz,
        "features": list(signal.features),
    }
    if signal.name == "spectrogram":
        attributes["regions"] = list(plan.spec.chains)
        if signal.features == FEATURES:
            attributes["frequencies_hz"] = list(FREQUENCIES_HZ)
    return attributes


def column_attributes(column: Column) -> dict[str, Any]:
    """Meaning of a table column, and of its codes (as in the CF conventions)."""
    attributes: dict[str, Any] = {"long_name": column.meaning}
    if column.words:
        attributes["flag_values"] = list(range(len(column.words)))
        attributes["flag_meanings"] = " ".join(column.words)
    return attributes
