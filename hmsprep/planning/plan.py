"""The table of windows and the parameters -> what the store will hold; no signal is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.kaggle.table import Columns
from hmsprep.planning.folds import Split, assign
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.segments import Segments, plan_segments, window_places
from hmsprep.planning.windows import select
from hmsprep.words import PATIENT_WARNINGS, plural
from hmsstore.reading.arrays import shard_bytes
from hmsstore.schema import PATIENTS, RECORDING_COLUMNS, SPLITS, WINDOW_COLUMNS
from hmsstore.spec import HMS, Spec

PREDICT = SPLITS.index("predict")
HASHED_SEGMENTS = ("recording", "patient", "source_start", "rows", "shared", "shard", "start")
"""What the plan's hash covers of the segments; the rest follows from the table of windows."""


@dataclass(frozen=True, slots=True)
class Montage:
    """How recordings that were imported were recorded, where that is not as in the competition."""

    chains: frozenset[int] = frozenset()
    """Recordings of EEG whose electrodes share no reference."""
    interpolated: Mapping[int, int] = field(default_factory=dict)
    """Recording of EEG -> bits of the channels that were computed from others."""
    contiguous: frozenset[int] = frozenset()
    """Recordings of EEG whose records were read as they stand, against their onsets."""
    patients: str | None = None
    """How sure the patients are: a word of `hmsstore.schema.PATIENTS`; None: nothing was said."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON value; empty if everything is as in the competition."""
        found = {
            "chains": sorted(self.chains),
            "interpolated": {str(eeg): bits for eeg, bits in sorted(self.interpolated.items())},
            "contiguous": sorted(self.contiguous),
            "patients": None if self.patients == PATIENTS[0] else self.patients,
        }
        return {key: value for key, value in found.items() if value}


@dataclass(frozen=True)
class Plan:
    """Everything that a build will do.

    Attributes
    ----------
    parameters : Parameters
        What the user chose.
    columns : dict of arrays (windows, ...)
        The window table as it will be stored, but for what only the signals tell (NaN fractions,
        dropped windows).
    segments : dict of str to Segments
        Per signal, what goes where.
    split : Split
        Folds and leak.
    skipped : dict
        What the table names and has no file: 'windows' (a number), 'eeg' and 'spectrogram' (ids).
        Empty if every file is there.
    warnings : tuple of str
        What is not as usual.
    montage : Montage
        How the recordings were recorded.
    """

    parameters: Parameters
    columns: Columns
    segments: Mapping[str, Segments]
    split: Split
    skipped: Mapping[str, Any]
    warnings: tuple[str, ...]
    montage: Montage = Montage()

    @property
    def spec(self) -> Spec:
        """What the data consist of."""
        return self.parameters.spec

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the parameters that differ from their defaults and all that is planned."""
        return self._hash_of(self.parameters.changed())

    def is_of(self, stated: str, info: Mapping[str, Any]) -> bool:
        """Whether a store's hash and description are those of this very plan.

        Stores of earlier versions stated a hash over all parameters and the versions of packages.
        """
        ours, theirs = self.parameters.to_json(), info["parameters"]
        if any(ours.get(key) != value for key, value in theirs.items()):
            return False
        if self.parameters.changed().keys() - theirs.keys():
            return False
        earlier = {
            "parameters": theirs,
            "versions": info["versions"],
            "skipped": dict(self.skipped),
        }
        return self.has_hash(stated, theirs) or stated == self._hash(earlier)

    def has_hash(self, stated: str, parameters: Mapping[str, Any]) -> bool:
        """Whether a hash is that of this plan, of which the same parameters were stated.

        Earlier versions hashed numbers as they were given: 40 otherwise than 40.0.
        """
        if stated == self.hash:
            return True
        return stated == self._hash_of({key: parameters[key] for key in self.parameters.changed()})

    def _hash_of(self, changed: Mapping[str, Any]) -> str:
        return self._hash({"parameters": changed, "skipped": dict(self.skipped)})

    def _hash(self, head: dict[str, Any]) -> str:
        if montage := self.montage.to_json():
            head = head | {"montage": montage}
        if self.spec != HMS:  # so plans of HMS are hashed as they were before there were others
            head = head | {"spec": self.spec.to_json()}
        hasher = hashlib.sha256()
        hasher.update(json.dumps(head, sort_keys=True).encode())
        for name, values in sorted(self.columns.items()):
            hasher.update(f"{name} {values.dtype.str} {values.shape}".encode())
            hasher.update(np.ascontiguousarray(values).data)
        for signal, segments in sorted(self.segments.items()):
            for name in HASHED_SEGMENTS:
                hasher.update(f"{signal} {name}".encode())
                hasher.update(np.ascontiguousarray(getattr(segments, name)).data)
        return hasher.hexdigest()

    def shards(self, signal: str) -> int:
        """Number of shards of a signal."""
        return int(self.segments[signal].shard.max()) + 1

    def array_rows(self, signal: str) -> int:
        """Rows of the array of a signal: its last shard ends with its last segment."""
        segments = self.segments[signal]
        return int((segments.start + segments.rows).max())

    def rows_in_shard(self, signal: str, shard: int) -> int:
        """Rows of the array that lie in this shard, filling included."""
        shard_rows = self.parameters.shard_rows(signal)
        return min(shard_rows, self.array_rows(signal) - shard * shard_rows)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the arrays and tables of the finished store (metadata adds some 100 kB)."""
        total = 0
        for name, signal in self.spec.signals.items():
            shard_rows = self.parameters.shard_rows(name)
            for shard in range(self.shards(name)):
                total += shard_bytes(signal, self.rows_in_shard(name, shard), shard_rows)
            segments = len(self.segments[name].rows)
            total += sum(np.dtype(c.dtype).itemsize * segments for c in RECORDING_COLUMNS)
        windows = len(self.columns["eeg_id"])
        return total + sum(
            np.dtype(c.dtype).itemsize * windows * (len(self.spec.classes) if c.per_class else 1)
            for c in WINDOW_COLUMNS
        )

    def training(self, signal: str) -> NDArray[np.bool_]:
        """Which segments belong to a recording with at least one training window."""
        train = self.columns["split"] == SPLITS.index("train")
        ids = np.unique(self.columns[f"{signal}_id"][train])
        return np.isin(self.segments[signal].recording, ids)


def make_plan(
    table: Columns,
    parameters: Parameters,
    present: Columns | None = None,
    skipped: Mapping[str, Any] | None = None,
    montage: Montage | None = None,
) -> Plan:
    """Plan a store from the table of windows.

    Parameters
    ----------
    table : dict of arrays
        All windows, as `hmsprep.kaggle.table.read_table` gives them: they decide the spans.
    parameters : Parameters
        What to select of them.
    present : dict of arrays, optional
        The windows to select from, if not all.
    skipped : dict, optional
        What is not present, for the store's description.
    montage : Montage, optional
        How the recordings were recorded, if they were imported.
    """
    montage = montage or Montage()
    columns, warnings = select(table if present is None else present, parameters)
    split = assign(columns, parameters)
    warnings += split.warnings
    if not (split.split == SPLITS.index("train")).any() and parameters.normalise == "zscore":
        warnings += ("No training windows: nothing to normalise by, so values stay as they are.",)
    by_patient = parameters.split_by == "patient" and (split.split != PREDICT).any()
    if by_patient and montage.patients in PATIENT_WARNINGS:
        warnings += (PATIENT_WARNINGS[montage.patients],)
    if montage.contiguous:
        shown = ", ".join(map(str, sorted(montage.contiguous)[:3]))
        more = " ..." if len(montage.contiguous) > 3 else ""
        warnings += (
            f"{plural(len(montage.contiguous), 'EEG')} ({shown}{more}) from files that contradict "
            "themselves in time: records were read as they stand there (--contiguous), so pauses "
            "are not seen.",
        )
    columns |= {"split": split.split, "fold": split.fold}
    votes = columns["votes"].astype(np.float64)
    total = votes.sum(axis=1, keepdims=True)
    empty = np.full_like(votes, np.nan)
    columns["target"] = np.divide(votes, total, out=empty, where=total > 0)
    segments = {}
    for name, signal in parameters.spec.signals.items():
        segments[name] = plan_segments(table, columns, signal, parameters.shard_rows(name))
        columns |= window_places(columns, signal, segments[name])
    dtypes = {column.name: column.dtype for column in WINDOW_COLUMNS}
    columns = {name: values.astype(dtypes[name]) for name, values in columns.items()}
    return Plan(parameters, columns, segments, split, skipped or {}, warnings, montage)


def summary(plan: Plan) -> dict[str, Any]:
    """Count what the plan holds, as a JSON value."""
    columns = plan.columns
    split = columns["split"]
    patient = columns["patient_id"]
    rows = {word: split == code for code, word in enumerate(SPLITS[:3])}
    per_split = {word: int(chosen.sum()) for word, chosen in rows.items()}
    folds = [int((columns["fold"] == fold).sum()) for fold in range(plan.split.folds)]
    signals = {
        name: {
            "recordings": len(np.unique(plan.segments[name].recording)),
            "seconds": int(plan.segments[name].rows.sum() / signal.row_rate_hz),
            "rows": plan.array_rows(name),
            "shards": plan.shards(name),
        }
        for name, signal in plan.spec.signals.items()
    }
    return {
        "windows": len(split),
        "eegs": signals["eeg"]["recordings"],
        "spectrograms": signals["spectrogram"]["recordings"],
        "patients": len(np.unique(patient)),
        "patients_per_split": {w: len(np.unique(patient[chosen])) for w, chosen in rows.items()},
        "bytes": plan.nbytes,
        **per_split,
        "folds": folds,
        "leaks": plan.split.leaks,
        "votes": columns["votes"].sum(axis=0).tolist(),
        "signals": signals,
        "warnings": list(plan.warnings),
        "plan": plan.hash,
        "parameters": plan.parameters.to_json(),
    }
