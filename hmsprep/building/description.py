"""Plan and journal of a finished build -> the final window table and the store's description."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsprep.building.journal import Journal
from hmsprep.building.values.statistics import Statistics
from hmsprep.kaggle.table import Columns
from hmsprep.planning.plan import Plan, identity, summary, versions
from hmsstore.schema import SPLITS


def final_windows(plan: Plan, journal: Journal) -> Columns:
    """Add to the plan's window table what only the signals told.

    Each window's share of missing values, and with `--nan drop` the split 'dropped' for windows
    with any.
    """
    columns = dict(plan.columns)
    for name, signal in plan.spec.signals.items():
        fraction = np.zeros(len(columns["eeg_id"]), np.float32)
        values = signal.window_rows * len(signal.features)
        for (of, _), done in journal.read.items():
            if of == name:
                for window, count in done.missing.items():
                    fraction[window] = count / values
        columns[f"{name}_nan_fraction"] = fraction
    if plan.parameters.nan == "drop":
        gaps = sum(columns[f"{name}_nan_fraction"] for name in plan.spec.signals) > 0
        columns["split"] = np.where(gaps, SPLITS.index("dropped"), columns["split"]).astype(np.int8)
        columns["fold"] = np.where(gaps, -1, columns["fold"]).astype(np.int8)
    return columns


def store_info(
    plan: Plan,
    journal: Journal,
    statistics: dict[str, Statistics],
    windows: Columns,
) -> dict[str, Any]:
    """Describe the store: what goes into the root group's attributes under 'hms'."""
    fingerprints: dict[str, tuple[int, int]] = {}
    saturated = dict.fromkeys(plan.spec.signals, 0)
    for (name, _), read in journal.read.items():
        fingerprints |= read.fingerprints
        saturated[name] += read.saturated
    for (name, _), written in journal.written.items():
        saturated[name] += written.saturated
    counted = summary(plan)
    return {
        "format_version": plan.spec.format_version,
        "identity": identity(plan, fingerprints),
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
        },
        "warnings": list(plan.warnings),
        "statistics": {
            name: found.to_json()
            | {
                "constant": [
                    feature
                    for feature, constant, count in zip(
                        plan.spec.signals[name].features, found.constant, found.count, strict=True
                    )
                    if constant and count
                ]
            }
            for name, found in statistics.items()
        },
        "saturated": saturated,
        "skipped": dict(plan.skipped),
        "sources": {"files": len(fingerprints), "bytes": sum(s for s, _ in fingerprints.values())},
    }
