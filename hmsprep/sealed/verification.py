"""A store -> everything that is wrong with it, each problem as one sentence that names the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsprep.building.shards import shard_index
from hmsprep.building.zarr_metadata import DOCUMENT, consolidated
from hmsprep.processes import Progress, silent
from hmsprep.words import plural
from hmsstore import Store
from hmsstore.errors import DamagedStoreError, LeakingStoreError, StoreError
from hmsstore.json_shapes import ShapeError, read_json
from hmsstore.manifest import (
    MANIFEST_NAME,
    check_sizes,
    checksum,
    contents_identity,
    no_access,
    read_manifest,
)
from hmsstore.reading.arrays import at, nodes_of
from hmsstore.reading.gaps import check_gaps, count_missing
from hmsstore.reading.opening import open_files
from hmsstore.schema import SPLITS
from hmsstore.spec import Signal

EXPONENT = np.uint16(0x7C00)
"""Bits that are all set in a half-precision number just if it is infinite or NaN."""

SYSTEM_FILES = ("desktop.ini", "Thumbs.db", "Icon\r")
"""What Windows and macOS leave in folders that somebody looked at."""


def verify(store: str | Path, *, progress: Progress = silent) -> list[str]:
    """Check everything about a store.

    Seal, size and checksum of every file, files that should not be there, shard indexes, that every
    recorded value is finite, that the tables agree with each other: spans, starts, votes, targets
    and consensus, recordings, gaps, folds and splits without leak; and that the description agrees
    with them: identity, counts, statistics, and what is said of an array in two places.

    Parameters
    ----------
    store : str or Path
        The store.
    progress : callable
        Called with the stage 'verify' and a number of bytes.

    Returns
    -------
    list of str
        The problems; empty if there are none.

    Raises
    ------
    StoreError
        There is no sealed store at all, or this user may not read it.

    Examples
    --------
    >>> hmsprep.verify("hms.zarr")
    []
    """
    path = Path(store).absolute()
    try:
        manifest = read_manifest(path)
    except DamagedStoreError as error:
        return list(error.problems)
    except PermissionError as error:
        raise no_access(error.filename or path) from None
    problems = check_sizes(path, manifest)
    total = sum(size for size, _ in manifest.files.values())
    done = 0
    for name, (size, crc) in sorted(manifest.files.items()):
        try:
            if (path / name).is_file() and (path / name).stat().st_size == size:
                found = checksum(path / name)
                if found != crc:
                    problems.append(f"{name}: expected checksum {crc:08x}, got {found:08x}")
        except PermissionError:
            raise no_access(path / name) from None
        except OSError as error:
            problems.append(_unreadable(name, error))
        done += size
        progress("verify", done, total)
    problems += unknown_files(path, set(manifest.files))
    if problems:
        return problems
    try:
        opened = Store(open_files(path, tables=False))  # all that the tables have is said below
    except LeakingStoreError as error:
        return [str(error)]
    except StoreError as error:
        return list(getattr(error, "problems", [str(error)]))
    if (opened.info["identity"], opened.info["plan"]) != (manifest.identity, manifest.plan):
        problems.append(f"identity or plan differ between {MANIFEST_NAME} and zarr.json")
    problems += _check_identity(opened) + _check_documents(opened)
    problems += _check_counts(opened) + _check_statistics(opened)
    for name, signal in opened.spec.signals.items():
        problems += _check_placement(opened, name, signal)
        problems += _check_shards(opened, name, signal)
    return problems + gap_problems(opened) + _check_labels(opened)


def unknown_files(path: Path, known: set[str]) -> list[str]:
    """Files that the manifest does not name; hidden ones and a few are the operating system's.

    Folders that cannot be looked into are said, too.
    """
    errors: list[OSError] = []
    found = [
        (Path(folder) / name).relative_to(path).as_posix()
        for folder, _, names in os.walk(path, onerror=errors.append)
        for name in names
        if not name.startswith(".") and name not in SYSTEM_FILES and (Path(folder) / name).is_file()
    ]
    return [
        f"{name} is not in the manifest"
        for name in sorted(found)
        if name not in known | {MANIFEST_NAME}
    ] + [_unreadable(os.path.relpath(str(error.filename), path), error) for error in errors]


def _unreadable(name: str, error: OSError) -> str:
    return f"{name} cannot be read: {error.strerror or error}"


def _check_identity(store: Store) -> list[str]:
    """Check that the identity follows the contents; that of stores without gaps never did."""
    files = store.manifest.files
    contents = {name: files[name] for name in files if name.rpartition("/")[2] != DOCUMENT}
    if store.gaps is None or contents_identity(contents) == store.manifest.identity:
        return []
    return [f"{MANIFEST_NAME}: the identity is not that of the contents"]


def _check_documents(store: Store) -> list[str]:
    """Check that each group's and array's own metadata are what the root group repeats of them."""
    named = {name for name in store.manifest.files if name.endswith(f"/{DOCUMENT}")}
    try:
        nodes = nodes_of(read_json(store.path / DOCUMENT))
        expected = consolidated(
            {f"{path}/{DOCUMENT}": node for path, node in nodes.items() if at(node, "node_type")}
        )
        found = {name: read_json(store.path / name) for name in named}
    except (FileNotFoundError, ShapeError) as error:
        return [f"{DOCUMENT}: {error}"]
    return [
        f"{name} is not what {DOCUMENT} repeats of it"
        for name in sorted(named | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def _check_counts(store: Store) -> list[str]:
    """Check what the description counts."""
    windows, counts = store.windows, store.info["counts"]
    eeg, spectrogram = (len(np.unique(store.recordings[name]["id"])) for name in store.spec.signals)
    expected = {
        "windows": len(windows["split"]),
        "eegs": eeg,
        "spectrograms": spectrogram,
        "patients": len(np.unique(windows["patient_id"])),
        **{word: int((windows["split"] == code).sum()) for code, word in enumerate(SPLITS)},
        **{
            f"{name}_windows_with_nan": int((windows[f"{name}_nan_fraction"] > 0).sum())
            for name in store.spec.signals
        },
    }
    return [
        f"{DOCUMENT}: counts: expected {number:,} as {key}, by the tables, found {counts.get(key)}"
        for key, number in expected.items()
        if counts.get(key) != number
    ]


def _check_statistics(store: Store) -> list[str]:
    """Check that no column is said to deviate by 0 or less."""
    return [
        f"{DOCUMENT}: statistics: {name}: std: expected numbers above 0, got {deviation} as number "
        f"{column}"
        for name in store.spec.signals
        for column, deviation in enumerate(store.info["statistics"][name]["std"])
        if not deviation > 0
    ]


def _check_placement(store: Store, name: str, signal: Signal) -> list[str]:
    """Check that recordings do not overlap and windows lie in their own recording's span."""
    problems = []
    recordings, windows = store.recordings[name], store.windows
    order = np.argsort(recordings["start"])
    start = recordings["start"][order]
    stop = start + recordings["rows"][order]
    rows = store.shard_rows(name)
    if (start[1:] < stop[:-1]).any() or start[0] < 0:
        problems.append(f"recordings/{name}: spans overlap in /{name}")
    if (start // rows != (stop - 1) // rows).any():
        problems.append(f"recordings/{name}: a span lies in two shards")
    first = windows[f"{name}_start"]
    low, high = windows[f"{name}_span_start"], windows[f"{name}_span_stop"]
    place = np.minimum(np.searchsorted(start, low), len(start) - 1)
    recorded = (start[place] == low) & (stop[place] == high)
    own = recordings["id"][order][place] == windows[f"{name}_id"]
    same_patient = recordings["patient_id"][order][place] == windows["patient_id"]
    source = recordings["source_start"][order][place]
    offset = signal.row_at(windows[f"{name}_offset_s"])
    for wrong, what in (
        (~recorded, f"{name}_span is no recording's span"),
        ((first < low) | (first > high - signal.window_rows), f"{name}_start is outside its span"),
        (~own, f"{name}_span belongs to another recording"),
        (~same_patient, "patient_id differs from the recording's"),
        (first - low + source != offset, f"{name}_start disagrees with {name}_offset_s"),
    ):
        problems += _rows(wrong, what)
    return problems


def _check_shards(store: Store, name: str, signal: Signal) -> list[str]:
    """Check that recorded values are finite and everything around them NaN, and the indexes."""
    problems = []
    shard_rows = store.shard_rows(name)
    start, rows = store.recordings[name]["start"], store.recordings[name]["rows"]
    for number, values in enumerate(store.shards(name)):
        file = store.path / name / "c" / str(number) / "0"
        index = shard_index(signal.chunk, len(values), shard_rows)
        try:
            with file.open("rb") as opened:
                opened.seek(-len(index), 2)
                if opened.read() != index:
                    problems.append(
                        f"{name}/c/{number}/0: the shard index is not as FORMAT.md says"
                    )
        except OSError as error:
            problems.append(_unreadable(f"{name}/c/{number}/0", error))
        recorded = np.zeros(len(values), bool)
        for segment in np.flatnonzero(start // shard_rows == number):
            first = start[segment] - number * shard_rows
            recorded[first : first + rows[segment]] = True
        for first in range(0, len(values), signal.window_rows):
            block = slice(first, first + signal.window_rows)
            bits = values[block].view(np.uint16)
            special = (bits & EXPONENT) == EXPONENT
            if special[recorded[block]].any():
                problems.append(f"{name}/c/{number}/0: NaN or infinity among recorded values")
                break
            if not np.isnan(values[block][~recorded[block]]).all():
                problems.append(f"{name}/c/{number}/0: values where no recording is")
                break
    return problems


def gap_problems(store: Store) -> list[str]:
    """Check the tables of gaps, and that windows miss what these say; older stores have none."""
    problems = []
    for name, gaps in (store.gaps or {}).items():
        signal, windows = store.spec.signals[name], store.windows
        features = len(signal.features)
        if found := check_gaps(gaps, store.recordings[name], features):
            problems += [f"gaps/{name}: {problem}" for problem in found]
            continue
        span, start = windows[f"{name}_span_start"], windows[f"{name}_start"]
        missing = count_missing(gaps, span, start, signal.window_rows, features)
        share = (missing / (signal.window_rows * features)).astype(np.float32)
        wrong = share != windows[f"{name}_nan_fraction"]
        problems += _rows(wrong, f"{name}_nan_fraction disagrees with the gaps")
    return problems


def _check_labels(store: Store) -> list[str]:
    """Check that targets, consensus, splits and folds agree with votes and description."""
    windows = store.windows
    votes, target = windows["votes"].astype(np.float64), windows["target"]
    total = votes.sum(axis=1)
    labelled = total > 0
    expected = votes[labelled] / total[labelled, None]
    consensus, split, fold = windows["expert_consensus"], windows["split"], windows["fold"]
    train = split == SPLITS.index("train")
    wrong_target = np.zeros(len(votes), bool)
    wrong_target[labelled] = ~np.isclose(target[labelled], expected).all(axis=1)
    wrong_target[~labelled] = ~np.isnan(target[~labelled]).all(axis=1)
    predict = split == SPLITS.index("predict")
    own = votes[np.arange(len(votes)), np.clip(consensus, 0, votes.shape[1] - 1)]
    trails = labelled & (consensus >= 0) & (own < votes.max(axis=1))
    return [
        *_rows(votes.min(axis=1) < 0, "votes are below 0"),
        *_rows(wrong_target, "target is not votes over their sum"),
        *_rows((consensus < 0) == labelled, "expert_consensus disagrees with votes"),
        *_rows(consensus >= len(store.spec.classes), "expert_consensus is not a class"),
        *_rows(trails, "expert_consensus does not have the most votes"),
        *_rows(predict == labelled, "split disagrees with votes"),
        *_rows(~train & (fold >= 0), "fold is set outside the training windows"),
        *_rows((fold < -1) | (fold >= store.folds), "fold does not exist"),
    ]


def _rows(wrong: NDArray[Any], what: str) -> list[str]:
    rows = np.flatnonzero(wrong)
    return (
        [f"windows: {what} in {plural(len(rows), 'row')}, the first {rows[0]}"] if len(rows) else []
    )
