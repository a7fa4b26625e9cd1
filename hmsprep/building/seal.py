"""Finished shards, the plan and the journal -> a sealed store: tables, metadata, the manifest last.

Every file is durable before the manifest names it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from hmsprep.building.clipped import clip_warnings
from hmsprep.building.durable import write_file
from hmsprep.building.journal import Journal
from hmsprep.building.site import Site
from hmsprep.building.values.gaps import no_gaps
from hmsprep.building.values.statistics import Statistics
from hmsprep.building.versions import versions
from hmsprep.building.zarr_metadata import Tables, documents
from hmsprep.kaggle.table import Columns
from hmsprep.planning.plan import Plan, summary
from hmsprep.planning.segments import Segments
from hmsstore.manifest import MANIFEST_NAME, Manifest, contents_identity
from hmsstore.reading.arrays import column_name, shard_name
from hmsstore.reading.gaps import count_missing
from hmsstore.schema import GAP_COLUMNS, MONTAGE_COLUMNS, RECORDING_COLUMNS, SPLITS, window_columns


def seal(site: Site, plan: Plan, journal: Journal, statistics: dict[str, Statistics]) -> None:
    """Write tables, metadata and at last the manifest beside the shards, which are all there.

    Parameters
    ----------
    site : Site
        Where the store in the making is.
    plan : Plan
        What was built.
    journal : Journal
        What was learned meanwhile.
    statistics : dict of str to Statistics
        Per signal, what values were normalised with.
    """
    gaps = {name: gap_table(plan.segments[name], journal, name) for name in plan.spec.signals}
    windows = final_windows(plan, gaps)
    tables: Tables = {"windows": (window_columns(plan.spec), windows)}
    for name in plan.spec.signals:
        tables[f"recordings/{name}"] = (RECORDING_COLUMNS, recording_table(plan.segments[name]))
        if name == "eeg" and (plan.montage.chains or plan.montage.interpolated):
            columns, table = tables["recordings/eeg"]
            whole = {**table, **montage_columns(plan)}
            tables["recordings/eeg"] = ((*columns, *MONTAGE_COLUMNS), whole)
        tables[f"gaps/{name}"] = (GAP_COLUMNS, gaps[name])
    files = {shard_name(*key): (made.size, made.crc) for key, made in journal.written.items()}
    for path, (columns, table) in tables.items():
        for column in columns:
            content = np.ascontiguousarray(table[column.name], column.dtype).tobytes()
            if content:
                name = column_name(path, column)
                files[name] = write_file(site.building / name, content, site.partial)
    identity = contents_identity(files)
    info = {"identity": identity} | store_info(plan, journal, statistics, windows)
    for name, node in documents(plan, tables, info).items():
        content = (json.dumps(node, indent=1, sort_keys=True) + "\n").encode()
        files[name] = write_file(site.building / name, content, site.partial)
    manifest = Manifest(identity, plan.hash, files, plan.spec.format_version)
    write_file(site.building / MANIFEST_NAME, manifest.to_text().encode(), site.partial)


def gap_table(segments: Segments, journal: Journal, signal: str) -> Columns:
    """List the gaps of all shards of a signal, in the order of the array."""
    parts = [read.gaps for (name, _), read in sorted(journal.read.items()) if name == signal]
    feature, start, rows = np.concatenate([no_gaps(), *parts]).T
    order = np.argsort(segments.start)
    segment = order[np.searchsorted(segments.start[order], start, side="right") - 1]
    return {
        "recording": segments.recording[segment],
        "feature": feature,
        "start": start,
        "rows": rows,
    }


def recording_table(segments: Segments) -> Columns:
    """List the segments as the store does."""
    return {
        "id": segments.recording,
        "patient_id": segments.patient,
        "start": segments.start,
        "rows": segments.rows,
        "source_start": segments.source_start,
    }


def montage_columns(plan: Plan) -> Columns:
    """What each segment's electrodes share, and which were computed from others."""
    montage, recordings = plan.montage, plan.segments["eeg"].recording.tolist()
    return {
        "reference": np.asarray([eeg in montage.chains for eeg in recordings], np.int8),
        "interpolated": np.asarray([montage.interpolated.get(eeg, 0) for eeg in recordings]),
    }


def final_windows(plan: Plan, gaps: dict[str, Columns]) -> Columns:
    """Add to the plan's window table what only the signals told.

    Each window's share of missing values, and with `--nan drop` the split 'dropped' for windows
    with any.
    """
    columns = dict(plan.columns)
    for name, signal in plan.spec.signals.items():
        missing = count_missing(
            gaps[name],
            columns[f"{name}_span_start"],
            columns[f"{name}_start"],
            signal.window_rows,
            len(signal.features),
        )
        values = signal.window_rows * len(signal.features)
        columns[f"{name}_nan_fraction"] = (missing / values).astype(np.float32)
    if plan.parameters.nan == "drop":
        incomplete = sum(columns[f"{name}_nan_fraction"] for name in plan.spec.signals) > 0
        dropped = SPLITS.index("dropped")
        columns["split"] = np.where(incomplete, dropped, columns["split"]).astype(np.int8)
        columns["fold"] = np.where(incomplete, -1, columns["fold"]).astype(np.int8)
    return columns


def store_info(
    plan: Plan, journal: Journal, statistics: dict[str, Statistics], windows: Columns
) -> dict[str, Any]:
    """Describe the store: what goes into the root group's attributes under 'hms'."""
    sources: dict[str, tuple[int, int]] = {}
    saturated = dict.fromkeys(plan.spec.signals, 0)
    for read in journal.read.values():
        sources |= read.fingerprints
        saturated[read.signal] += read.saturated
    for written in journal.written.values():
        saturated[written.signal] += written.saturated
    counted = summary(plan)
    trained = bool((plan.columns["split"] == SPLITS.index("train")).any())
    return {
        "format_version": plan.spec.format_version,
        "plan": plan.hash,
        "parameters": plan.parameters.to_json(),
        "versions": versions(),
        "classes": list(plan.spec.class_keys),
        "spec": plan.spec.to_json(),
        "counts": {
            **{key: counted[key] for key in ("windows", "eegs", "spectrograms", "patients")},
            **{w: int((windows["split"] == code).sum()) for code, w in enumerate(SPLITS)},
            "eeg_windows_with_nan": int((windows["eeg_nan_fraction"] > 0).sum()),
            "spectrogram_windows_with_nan": int((windows["spectrogram_nan_fraction"] > 0).sum()),
        },
        "split": {
            "by": plan.parameters.split_by,
            "folds": plan.split.folds,
            "leaks": plan.split.leaks,
            **({"patients": plan.montage.patients} if plan.montage.patients else {}),
        },
        "warnings": [*plan.warnings, *clip_warnings(plan, journal.read.values())],
        "statistics": {
            name: found.to_json()
            | {
                "constant": [
                    feature
                    for feature, constant in zip(
                        plan.spec.signals[name].features, found.constant, strict=True
                    )
                    if constant and trained
                ]
            }
            for name, found in statistics.items()
        },
        "saturated": saturated,
        "skipped": dict(plan.skipped),
        "sources": {"files": len(sources), "bytes": sum(size for size, _ in sources.values())},
    }
