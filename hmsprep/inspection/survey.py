"""A data set -> all that is known of it, in one pass over its files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep import processes
from hmsprep.errors import DataError
from hmsprep.inspection.recording import Look, Looked, LookTask, Seen, look
from hmsprep.inspection.sections import findings
from hmsprep.inspection.table import Facts, describe_table
from hmsprep.kaggle.files import KaggleData
from hmsprep.kaggle.table import Columns, read_table, read_text
from hmsprep.planning.choices import CLIP_WARNED
from hmsprep.planning.rates import needed_rows, rate_warning
from hmsprep.processes import Progress, run_tasks, silent
from hmsstore import StoreError
from hmsstore.recordings import RECORDINGS_NAME, ImportedRecording, parse_montages
from hmsstore.schema import CHAINS, CHANNELS, MIDLINE, REFERENCES, SIGNALS

FILES_AT_ONCE = 24
"""Recordings of one task: handing it over costs little, and progress is reported often."""
WORST = 20
"""Recordings named of those with most values beyond the clip."""


@dataclass(frozen=True, slots=True)
class Survey:
    """All that is known of a data set."""

    source: KaggleData
    columns: Columns
    missing: dict[str, NDArray[np.int64]]
    """Per signal: missing values of each window (windows,); -1 where its file was of no use."""
    facts: Facts
    """Everything as numbers and words, for JSON."""

    @property
    def warnings(self) -> list[str]:
        """What should not be overlooked, a sentence each."""
        return findings(self.facts)


def survey(
    source: KaggleData,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> Survey:
    """Read the table and every recording that it names, and describe them.

    Parameters
    ----------
    source : KaggleData
        The data set.
    workers : int
        Recordings decoded at a time.
    executor : Executor, optional
        What runs the work; `workers` processes on this machine if not given.
    progress : callable
        Called with the stage 'look' and a number of bytes.

    Returns
    -------
    Survey

    Raises
    ------
    DataError
        The table is not as the competition's. Bad recordings are facts, not errors.
    """
    content = source.files.read(source.table_name)
    columns = read_table(content, source.table_name)
    facts = describe_table(columns, read_text(content, source.table_name))
    seen: dict[str, list[Seen]] = {name: [] for name in SIGNALS}
    problems: list[str] = []
    tasks = list(_tasks(source, columns))
    total = sum(source.sizes[one.file] for task in tasks for one in task.looks)
    done = 0
    small = total <= processes.SMALL_BYTES
    with processes.executor(min(workers, len(tasks) or 1), executor, here=small) as pool:
        progress("look", done, total)
        looked: Looked
        for looked in run_tasks(pool, look, tasks, workers + 1):
            seen[looked.signal] += looked.seen
            problems += looked.problems
            done += looked.nbytes
            progress("look", done, total)
    missing = {name: _missing(columns, seen[name], name) for name in SIGNALS}
    facts["signals"] = {
        name: _describe_signal(source, columns, sorted(seen[name], key=lambda s: s.recording), name)
        for name in SIGNALS
    }
    facts["windows_with_missing"] = _gaps(missing)
    facts["problems"] = sorted(problems)
    return Survey(source, columns, missing, facts)


def _tasks(source: KaggleData, columns: Columns) -> Iterator[LookTask]:
    """Every recording that the table names and that has a file, some at a time."""
    for name, signal in SIGNALS.items():
        ids = columns[f"{name}_id"]
        starts = signal.row_at(columns[f"{name}_offset_s"])
        order = np.argsort(ids, kind="stable")
        distinct, first = np.unique(ids[order], return_index=True)
        there = source.recordings(name)
        looks = [
            Look(
                recording,
                source.file_name(name, recording),
                tuple(rows.tolist()),
                tuple(starts[rows].tolist()),
            )
            for recording, rows in zip(distinct.tolist(), np.split(order, first[1:]), strict=True)
            if recording in there
        ]
        for begin in range(0, len(looks), FILES_AT_ONCE):
            yield LookTask(
                source.path.absolute(), name, tuple(looks[begin : begin + FILES_AT_ONCE])
            )


def _missing(columns: Columns, seen: list[Seen], name: str) -> NDArray[np.int64]:
    missing = np.zeros(len(columns["eeg_id"]), np.int64)
    usable = [one.recording for one in seen]
    missing[~np.isin(columns[f"{name}_id"], usable)] = -1
    for one in seen:
        for window, count in one.windows_missing.items():
            missing[window] = count
        missing[list(one.short_windows)] = -1
    return missing


def _gaps(missing: dict[str, NDArray[np.int64]]) -> Facts:
    """Windows with missing values, and what dropping them would leave."""
    gaps = {name: counts > 0 for name, counts in missing.items()}
    unusable = np.any([counts < 0 for counts in missing.values()], axis=0)
    either = np.any(list(gaps.values()), axis=0) & ~unusable
    return {
        **{name: int((gap & ~unusable).sum()) for name, gap in gaps.items()},
        "either": int(either.sum()),
        "without files": int(unusable.sum()),
        "left": int((~either & ~unusable).sum()),
    }


def _describe_signal(source: KaggleData, columns: Columns, seen: list[Seen], name: str) -> Facts:
    signal = SIGNALS[name]
    named = set(columns[f"{name}_id"].tolist())
    there = source.recordings(name)
    rows = np.asarray([one.rows for one in seen], np.int64)
    with_missing = [one for one in seen if one.missing]
    facts: Facts = {
        "named": len(named),
        "files": len(seen),
        "without_file": len(named - there),
        "not_named": len(there - named),
        "bytes": sum(one.size for one in seen),
        "hours": float(rows.sum() / signal.row_rate_hz / 3600),
        "longest_s": float(rows.max(initial=0) / signal.row_rate_hz),
        "missing": {
            "recordings": len(with_missing),
            "values": sum(one.missing for one in seen),
            "rows_all_missing": sum(one.empty_rows for one in seen),
        },
        "outside": {
            "recordings": sum(bool(one.outside) for one in seen),
            "values": sum(sum(one.outside.values()) for one in seen),
            "most": [
                {
                    "id": one.recording,
                    "share": sum(one.outside.values()) / (one.rows * len(signal.features)),
                    "channels": _channels_outside(one) if name == "eeg" else {},
                }
                for one in sorted(seen, key=lambda one: -sum(one.outside.values()))[:WORST]
                if one.outside
            ],
            "channels": sum(bool(_channels_outside(one)) for one in seen) if name == "eeg" else 0,
        },
        "short": sum(len(one.short_windows) for one in seen),
        "same_content": _same(seen),
    }
    imported = _imported(source) if name == "eeg" else {}
    facts["constant"] = _constant(seen, name, imported)
    if name == "eeg":
        facts["condition"] = _condition(seen, imported)
        found = {one.recording: one.rows for one in seen}
        other = None if imported else rate_warning(found, needed_rows(columns), signal.row_rate_hz)
        facts["other_rate"] = other
    if seen:
        lowest = np.fmin.reduce([one.lowest for one in seen])
        highest = np.fmax.reduce([one.highest for one in seen])
        facts["range"] = [_number(np.fmin.reduce(lowest)), _number(np.fmax.reduce(highest))]
        if name == "eeg":
            facts["channels"] = {
                channel: [_number(low), _number(high)]
                for channel, low, high in zip(CHANNELS, lowest, highest, strict=True)
            }
    return facts


def _channels_outside(one: Seen) -> dict[str, float]:
    """Channels of which 1% or more is beyond the clip, and the share of each."""
    shares = {CHANNELS[feature]: count / one.rows for feature, count in one.outside.items()}
    return {channel: share for channel, share in shares.items() if share >= CLIP_WARNED}


def _same(seen: list[Seen]) -> list[list[int]]:
    """Recordings under different ids whose files are equal, by size and CRC-32."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for one in seen:
        groups[one.size, one.crc].append(one.recording)
    return [ids for ids in groups.values() if len(ids) > 1]


CHAIN_ENDS = {chain[0] for chain in (*CHAINS.values(), MIDLINE)}
"""Electrodes that are 0 in a bipolar recording, since the others of their chain are told from
them."""


def _constant(seen: list[Seen], name: str, imported: Mapping[int, ImportedRecording]) -> Facts:
    """How many recordings hold features that never change, and with which value.

    Electrodes that are 0 by right, as what the others of an import were told from, do not count.
    """
    if name == "spectrogram":
        all_ = sum(len(one.constant) == len(SIGNALS[name].features) for one in seen)
        return {"any": sum(bool(one.constant) for one in seen), "all": all_}
    found: dict[str, Any] = {}
    for one in seen:
        for feature, value in one.constant.items():
            of_import = imported.get(one.recording)
            if of_import is not None and value == 0:
                zero = CHAIN_ENDS if of_import.reference != REFERENCES[0] else of_import.references
                if CHANNELS[feature] in zero and CHANNELS[feature] not in of_import.filled:
                    continue
            word = "NaN" if np.isnan(value) else f"{value:g}"
            channel = found.setdefault(CHANNELS[feature], {})
            channel[word] = channel.get(word, 0) + 1
    return {channel: found[channel] for channel in CHANNELS if channel in found}


def _imported(source: KaggleData) -> dict[int, ImportedRecording]:
    """EEG id -> the recording that it is of, if the data set was imported."""
    if RECORDINGS_NAME not in source.sizes:
        return {}
    where = str(source.path / RECORDINGS_NAME)
    try:
        found = parse_montages(source.files.read(RECORDINGS_NAME), where)
    except StoreError as error:
        raise DataError(str(error)) from None
    return {piece.eeg_id: one for one in found.recordings for piece in one.pieces}


def _condition(seen: list[Seen], imported: Mapping[int, ImportedRecording]) -> Facts:
    """How many recordings have electrodes that are flat, railed or bridged, and some by id.

    What the import found in the whole recording, before it took offsets off, comes first.
    """
    found: Facts = {}
    for key in ("flat", "railed", "bridged"):
        having: dict[int, list[str]] = {}
        for one in seen:
            of_import = imported.get(one.recording)
            told = () if of_import is None else getattr(of_import, key)
            names = dict.fromkeys((*told, *one.condition.get(key, ())))
            if names:
                having[one.recording] = list(names)
        worst = sorted(having.items(), key=lambda item: -len(item[1]))[:WORST]
        most = [{"id": number, "names": names} for number, names in worst]
        found[key] = {"recordings": len(having), "most": most}
    return found


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
