"""The path of a store -> its checked seal, description and tables, and every shard mapped.

No value of a signal is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore.atomic import read_whole
from hmsstore.errors import DamagedStoreError, LeakingStoreError, SpecError, StoreError
from hmsstore.json_shapes import (
    LARGEST_JSON,
    AccessError,
    ShapeError,
    mapping,
    parse_json,
    read_bytes,
)
from hmsstore.manifest import Manifest, check_sizes, no_access, read_manifest
from hmsstore.reading.arrays import (
    Metadata,
    allow_open_files,
    array_rows,
    at,
    check_layout,
    file_sizes,
    keeps_gaps,
    map_signal,
    nodes_of,
    open_table,
    recording_columns,
)
from hmsstore.reading.columns import COPIED_BYTES, Columns
from hmsstore.reading.contradictions import description_problems, table_problems
from hmsstore.reading.disk import CAN_READ, StoreFiles
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
    windows: Columns
    recordings: Mapping[str, Columns]
    gaps: Mapping[str, Columns] | None
    """None: the store was built before gaps were kept."""


def open_files(path: Path, *, tables: bool = True) -> Opened:
    """Check the store in this folder, copy its tables and map its shards.

    A store that is replaced meanwhile is opened again, so that what is opened is all of the old
    one or all of the new one.

    Parameters
    ----------
    path : Path
        The folder.
    tables : bool
        Refuse tables whose content contradicts the rest; `hmsprep verify` says more of them.

    Raises
    ------
    StoreError
        It is none, unsealed, damaged, leaks without saying so, or may not be read by this user.
    """

    def opened() -> Opened:
        try:
            return _open(path, tables)
        except PermissionError as error:
            raise no_access(error.filename or path) from None
        except OSError as error:
            where = error.filename or path
            raise StoreError(f"{where} cannot be opened: {error.strerror or error}.") from error

    return read_whole(path, opened, StoreError)


def _open(path: Path, tables: bool) -> Opened:
    manifest = read_manifest(path)
    problems = check_sizes(path, manifest)
    root = _read_root(path, manifest, problems)
    spec = HMS
    if not problems:
        spec = _read_spec(root, manifest, problems)
    if not problems:
        problems += check_layout(root, spec)
    if not problems:
        problems += description_problems(at(root, "attributes", "hms"), spec)
        problems += _other_sizes(root, spec, manifest)
    if problems:
        raise DamagedStoreError(path, problems)
    allow_open_files()
    nodes = nodes_of(root)
    opened = Opened(
        path,
        manifest,
        StoreFiles(path) if CAN_READ else None,
        root["attributes"]["hms"],
        spec,
        {name: map_signal(path, signal, nodes[name]) for name, signal in spec.signals.items()},
        {name: array_rows(nodes[name])[1] for name in spec.signals},
        open_table(path, "windows", WINDOW_COLUMNS, nodes),
        MappingProxyType(
            {
                name: open_table(path, f"recordings/{name}", recording_columns(name, nodes), nodes)
                for name in spec.signals
            }
        ),
        _open_tables(path, "gaps", spec, GAP_COLUMNS, nodes) if keeps_gaps(nodes) else None,
    )
    if problems := _copied_columns(opened):
        raise DamagedStoreError(path, problems)
    if tables:
        rows = {name: array_rows(nodes[name]) for name in spec.signals}
        if problems := table_problems(
            opened.windows,
            opened.recordings,
            opened.gaps,
            spec,
            rows,
            opened.info["split"]["folds"],
        ):
            raise DamagedStoreError(path, problems)
    _refuse_leak(opened)
    return opened


def _read_root(path: Path, manifest: Manifest, problems: list[str]) -> Mapping[str, Any]:
    """Read the root group's zarr.json, which repeats the metadata of every array."""
    name = "zarr.json"
    try:
        content = read_bytes(path / name, LARGEST_JSON)
        if zlib.crc32(content) != manifest.files.get(name, (0, -1))[1]:
            problems.append(f"{name} differs from its checksum")
            return {}
        return mapping(parse_json(content, finite=True))
    except FileNotFoundError:
        problems.append(f"{name} is missing")
    except AccessError:
        raise no_access(path / name) from None
    except ShapeError as error:
        problems.append(f"{name}: {error}")
    return {}


def _other_sizes(root: Mapping[str, Any], spec: Spec, manifest: Manifest) -> list[str]:
    """Find files that are not as large as the shapes of their arrays ask for."""
    expected = file_sizes(nodes_of(root), spec, len(manifest.files))
    if expected is None:
        return ["zarr.json: its arrays would have more files than the store"]
    problems = []
    for name, size in expected.items():
        if name not in manifest.files:
            problems.append(f"{name} is not in the manifest")
        elif manifest.files[name][0] != size:
            problems.append(
                f"{name} has {manifest.files[name][0]:,} bytes, expected {size:,} by zarr.json"
            )
    return problems


def _read_spec(root: Mapping[str, Any], manifest: Manifest, problems: list[str]) -> Spec:
    """Read what the data consist of; stores of version 1 are of HMS, whether they say so or not."""
    stated = at(root, "attributes", "hms", "spec")
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
            f"zarr.json: spec: data of {spec.name!r} are in a store of version {version}, "
            f"expected version {spec.format_version}"
        )
    return spec


def _open_tables(
    path: Path,
    group: str,
    spec: Spec,
    columns: Sequence[Column],
    nodes: Mapping[str, Metadata],
) -> Mapping[str, Columns]:
    """Open the tables of all signals."""
    return MappingProxyType(
        {name: open_table(path, f"{group}/{name}", columns, nodes) for name in spec.signals}
    )


def _copied_columns(opened: Opened) -> list[str]:
    """Copy the tables unless they are large; find columns that are not as they were sealed."""
    tables = [opened.windows, *opened.recordings.values(), *(opened.gaps or {}).values()]
    if sum(table.nbytes for table in tables) <= COPIED_BYTES:
        for table in tables:
            table.copy()
    return [
        f"{name} differs from its checksum"
        for table in tables
        for name, crc in table.checksums().items()
        if crc != opened.manifest.files[name][1]
    ]


def _refuse_leak(opened: Opened) -> None:
    table = opened.windows
    patients = leaking_patients(table["patient_id"], table["split"], table["fold"])
    if len(patients) and not opened.info["split"]["leaks"]:
        raise LeakingStoreError(
            f"{opened.path}: {len(patients)} patient(s), the first {patients[0]}, are on both "
            "sides of the split or in two folds, and the store does not declare it. Scores on it "
            "would be too good: build it again."
        )
