"""Finished shards and the plan -> a sealed store: tables, metadata, and the manifest last.

Every file is durable before the manifest names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.durable import write_file
from hmsprep.building.zarr_metadata import Tables, documents
from hmsprep.planning.plan import Plan
from hmsstore.manifest import MANIFEST_NAME, Manifest
from hmsstore.schema import RECORDING_COLUMNS, window_columns

FileTable = dict[str, tuple[int, int]]
"""Path in the store -> size and CRC-32."""


def seal(
    folder: Path,
    partial: Path,
    plan: Plan,
    windows: Mapping[str, NDArray[Any]],
    shards: FileTable,
    info: Mapping[str, Any],
) -> None:
    """Write tables, metadata and at last the manifest into a folder that holds all shards.

    Parameters
    ----------
    folder, partial : Path
        The store in the making, and where its temporary files may lie.
    plan : Plan
        What was built.
    windows : dict of arrays
        The final window table.
    shards : dict
        The shard files.
    info : dict
        What goes into the root group's attributes; its 'identity' names the store.
    """
    tables: Tables = {"windows": (window_columns(plan.spec), windows)}
    for name in plan.spec.signals:
        segments = plan.segments[name]
        values = {
            "id": segments.recording,
            "patient_id": segments.patient,
            "start": segments.start,
            "rows": segments.rows,
            "source_start": segments.source_start,
        }
        tables[f"recordings/{name}"] = (RECORDING_COLUMNS, values)
    files = dict(shards)
    for path, (columns, table) in tables.items():
        for column in columns:
            name = f"{path}/{column.name}/c/0{'/0' if column.per_class else ''}"
            content = np.ascontiguousarray(table[column.name], column.dtype).tobytes()
            files[name] = write_file(folder / name, content, partial)
    for name, node in documents(plan, tables, info).items():
        content = (json.dumps(node, indent=1, sort_keys=True) + "\n").encode()
        files[name] = write_file(folder / name, content, partial)
    manifest = Manifest(info["identity"], plan.hash, files, plan.spec.format_version)
    write_file(folder / MANIFEST_NAME, manifest.to_text().encode(), partial)
