"""The path of a store -> its checked seal, description, and every file mapped; nothing read yet."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.errors import DamagedStoreError, LeakingStoreError, SpecError, StoreError
from hmsstore.manifest import Manifest, check_sizes, read_manifest
from hmsstore.reading.arrays import (
    Metadata,
    allow_open_files,
    check_layout,
    keeps_gaps,
    map_column,
    map_signal,
    recording_columns,
)
from hmsstore.reading.disk import CAN_READ, StoreFiles
from hmsstore.reading.shift import Table
from hmsstore.schema import GAP_COLUMNS, WINDOW_COLUMNS, Column
from hmsstore.spec import HMS, Spec
from hmsstore.windows import leaking_patients


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that passed every check made at opening."""

    path: Path
    manifest: Manifest
    files: StoreFiles | None
    """None on systems that can only map them."""
    info: dict[str, Any]
    """Attributes of the root group."""
    spec: Spec
    """What its data consist of."""
    shards: dict[str, list[NDArray[np.float16]]]
    """Signal -> its mapped shards, float16 (rows, features) each."""
    shard_rows: dict[str, int]
    windows: Table
    recordings: Mapping[str, Table]
    gaps: Mapping[str, Table] | None
    """None: the store was built before gaps were kept."""


def open_files(path: Path) -> Opened:
    """Check and map the store in this folder.

    Raises
    ------
    StoreError
        It is none, unsealed, damaged, or leaks without saying so.
    """
    manifest = read_manifest(path)
    problems = check_sizes(path, manifest)
    root = _read_root(path, manifest, problems)
    spec = HMS
    if not problems:
        spec = _read_spec(root, manifest, problems)
    if not problems:
        problems += check_layout(root, spec)
    if problems:
        raise DamagedStoreError(path, problems)
    allow_open_files()
    nodes = root["consolidated_metadata"]["metadata"]
    try:
        opened = Opened(
            path,
            manifest,
            StoreFiles(path) if CAN_READ else None,
            root["attributes"]["hms"],
            spec,
            {name: map_signal(path, signal, nodes[name]) for name, signal in spec.signals.items()},
            {
                name: nodes[name]["chunk_grid"]["configuration"]["chunk_shape"][0]
                for name in spec.signals
            },
            _map_table(path, "windows", WINDOW_COLUMNS, nodes),
            MappingProxyType(
                {
                    name: _map_table(
                        path, f"recordings/{name}", recording_columns(name, nodes), nodes
                    )
                    for name in spec.signals
                }
            ),
            _map_tables(path, "gaps", spec, GAP_COLUMNS, nodes) if keeps_gaps(nodes) else None,
        )
    except OSError as error:
        raise StoreError(f"{path} cannot be mapped into memory: {error.strerror}.") from error
    if problems := _changed_columns(opened):
        raise DamagedStoreError(path, problems)
    _refuse_leak(opened)
    return opened


def _read_root(path: Path, manifest: Manifest, problems: list[str]) -> Mapping[str, Any]:
    """Read the root group's zarr.json, which repeats the metadata of every array."""
    name = "zarr.json"
    text = (path / name).read_bytes() if (path / name).is_file() else b"{}"
    if zlib.crc32(text) != manifest.files.get(name, (0, -1))[1]:
        problems.append(f"{name} differs from its checksum")
        return {}
    root: dict[str, Any] = json.loads(text)
    return root


def _read_spec(root: Mapping[str, Any], manifest: Manifest, problems: list[str]) -> Spec:
    """Read what the data consist of; stores of version 1 are of HMS, whether they say so or not."""
    stated = root["attributes"]["hms"].get("spec")
    version = manifest.format_version
    if stated is None and version == HMS.format_version:
        return HMS
    try:
        spec = Spec.from_json(stated)
    except SpecError as error:
        problems += [f"zarr.json: spec: {problem}" for problem in error.problems]
        return HMS
    if spec.format_version != version:
        problems.append(
            f"zarr.json: spec: data of {spec.name!r} stand in a store of version {version}, "
            f"expected version {spec.format_version}"
        )
    return spec


def _map_table(
    path: Path, table: str, columns: Sequence[Column], nodes: Mapping[str, Metadata]
) -> Table:
    return MappingProxyType(
        {c.name: map_column(path, table, c, nodes[f"{table}/{c.name}"]) for c in columns}
    )


def _map_tables(
    path: Path,
    group: str,
    spec: Spec,
    columns: Sequence[Column],
    nodes: Mapping[str, Metadata],
) -> Mapping[str, Table]:
    """Map the tables of all signals."""
    return MappingProxyType(
        {name: _map_table(path, f"{group}/{name}", columns, nodes) for name in spec.signals}
    )


def _changed_columns(opened: Opened) -> list[str]:
    """Table columns whose checksum is not as it was sealed."""
    tables = {"windows": opened.windows}
    tables |= {f"recordings/{name}": table for name, table in opened.recordings.items()}
    tables |= {f"gaps/{name}": table for name, table in (opened.gaps or {}).items()}
    problems = []
    for path, table in tables.items():
        for column, values in table.items():
            if not values.size:
                continue  # has no file
            name = f"{path}/{column}/c/{'/'.join('0' * values.ndim)}"
            if zlib.crc32(values.data.cast("B")) != opened.manifest.files[name][1]:
                problems.append(f"{name} differs from its checksum")
    return problems


def _refuse_leak(opened: Opened) -> None:
    table = opened.windows
    patients = leaking_patients(table["patient_id"], table["split"], table["fold"])
    if len(patients) and not opened.info["split"]["leaks"]:
        raise LeakingStoreError(
            f"{opened.path}: {len(patients)} patient(s), the first {patients[0]}, are on both "
            "sides of the split or in two folds, and the store does not declare it. Scores on it "
            "would be too good: build it again."
        )
