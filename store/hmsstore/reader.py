"""A sealed store on disk -> windows as NumPy arrays, copied straight out of its files.

Shapes: B windows of a batch, T rows in time, C channels or features, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hmsstore.atomic import is_address
from hmsstore.errors import RequestError
from hmsstore.reading.arrays import release, shard_name
from hmsstore.reading.disk import Wanted, disk_inputs, readable_bytes, refuse_short
from hmsstore.reading.gaps import missing_values
from hmsstore.reading.memory import available_memory
from hmsstore.reading.observed import Observed, Silences, find_observed, find_silences
from hmsstore.reading.opening import Opened, open_files
from hmsstore.reading.requests import (
    destination,
    fold_number,
    named_signals,
    row_numbers,
    stored_values,
)
from hmsstore.reading.shift import shift_room, window_starts
from hmsstore.schema import PATIENTS, SPLITS
from hmsstore.spec import Spec

Batch = dict[str, NDArray[Any]]
"""Signals of a batch by name."""
ROOM = 0.8
"""Share of the available memory that a store's files may fill; the rest is others'."""


class Store:
    """A sealed store, open for reading. Nothing is loaded until it is asked for.

    Use `Store.open`. A store pickles as its path, so it may be sent to other processes, and may be
    read from many threads at once.

    Attributes
    ----------
    path : Path
        Where it lies.
    identity : str
        SHA-256 that names its contents; written into whatever is made from it.
    info : dict
        Parameters, statistics, counts, split, versions: the attributes of the root group.
    spec : Spec
        What the data consist of: classes, channels, rates. `hmsstore.HMS` unless the store says
        otherwise.
    windows : mapping of str to array (windows,)
        One row per window; FORMAT.md lists the columns.
    recordings : mapping of str to mapping of str to array (recordings,)
        Per signal, one row per stored span of a recording.
    gaps : mapping of str to mapping of str to array (gaps,), optional
        Per signal, one row per gap that the build filled (see `missing`). None: the store was
        built before gaps were kept.
    reading_disk : bool
        Whether windows are read from the files, not copied out of the mapping, the next time: the
        kernel says that a disk had to be waited for this time.
    """

    def __init__(self, opened: Opened) -> None:
        self.path = opened.path
        self.manifest = opened.manifest
        self.identity = opened.manifest.identity
        self.info = opened.info
        self.spec: Spec = opened.spec
        self.windows = opened.windows
        self.recordings = opened.recordings
        self.gaps = opened.gaps
        self._shards = opened.shards
        self._shard_rows = opened.shard_rows
        self._files = opened.files
        self._silences: dict[str, Silences] = {}
        self._kept: dict[tuple[str, ...], frozenset[str]] = {}
        self.reading_disk = self._files is not None

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open the sealed store in this folder; works on read-only file systems.

        The seal, every file's size, the metadata and tables with their checksums and the split are
        checked, in milliseconds. What is not checked is the content of the shards, the large files:
        `hmsprep verify` does that.

        Raises
        ------
        StoreError
            Saying what is wrong and what to do: see `hmsstore.errors` for the kinds.
        """
        given = Path(path)  # an address is refused as it was given
        return cls(open_files(given if is_address(given) else given.absolute()))

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.windows["eeg_id"])

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<hmsstore.Store {self.path} ({len(self):,} windows, {self.identity[:12]})>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as path and identity: every process maps the very same store for itself."""
        return _reopen, (self.path, self.identity)

    @property
    def leaks(self) -> bool:
        """Whether this store declares that patients are in both train and test."""
        return bool(self.info["split"]["leaks"])

    @property
    def folds(self) -> int:
        """Number of folds of cross-validation; 0 if there are too few patients for any."""
        return int(self.info["split"]["folds"])

    @property
    def patients(self) -> str:
        """How sure it is whose recordings are whose: 'known', 'guessed' or 'unknown'."""
        return str(self.info["split"].get("patients", PATIENTS[0]))

    def chains_only(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """Tell of which windows only differences of neighbours on a chain are known, bool (B,).

        Their electrodes share no reference: each chain is known up to a constant of its own, so
        single electrodes and averages mean nothing.
        """
        numbers = row_numbers(rows, len(self))
        found: NDArray[np.bool_] = self._of_recordings("reference")[numbers] == 1
        return found

    def interpolated(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """Tell which channels of windows were computed from other electrodes, bool (B, C)."""
        bits = self._of_recordings("interpolated")[row_numbers(rows, len(self))]
        found: NDArray[np.bool_] = bits[:, None] >> np.arange(len(self.spec.eeg.features)) & 1 == 1
        return found

    def _of_recordings(self, column: str) -> NDArray[np.int64]:
        """A column of the table of recordings of EEG for each window, 0 where there is none."""
        table = self.recordings["eeg"]
        if column not in table:
            return np.zeros(len(self), np.int64)
        ids, first = np.unique(table["id"], return_index=True)
        place = first[np.searchsorted(ids, self.windows["eeg_id"])]
        return np.asarray(table[column], np.int64)[place]

    def shards(self, signal: str) -> Sequence[NDArray[np.float16]]:
        """The mapped shards of a signal, float16 (rows, features) each, in order."""
        return tuple(self._shards[signal])

    def release(self) -> None:
        """Let go of all that was read so far, for work that goes through a large store once.

        What is mapped counts as this process's memory until then; it stays in the page cache.
        """
        for shards in self._shards.values():
            for shard in shards:
                release(shard)

    def shard_rows(self, signal: str) -> int:
        """Rows of the array of a signal that each shard holds (the last may hold fewer)."""
        return self._shard_rows[signal]

    def select(self, split: str = "train", fold: int | None = None) -> NDArray[np.int64]:
        """Choose windows by what they are for.

        Parameters
        ----------
        split : str
            'train', 'valid', 'test', 'predict' or 'dropped'. 'valid' is the fold of the training
            windows that is held out, so it needs `fold`.
        fold : int, optional
            With 'train': leave this fold out.

        Returns
        -------
        int64 (rows,)
            Row numbers in ascending order.

        Raises
        ------
        RequestError
            The split or fold does not exist, or the fold is not a whole number.
        """
        fold = fold_number(fold)
        if not isinstance(split, str) or split not in (*SPLITS, "valid"):
            raise RequestError(f"split {split!r} does not exist: use valid, {', '.join(SPLITS)}")
        if fold is not None and not 0 <= fold < self.folds:
            raise RequestError(f"fold {fold} does not exist: {self.path} has {self.folds} folds")
        if split == "valid" and fold is None:
            raise RequestError("split 'valid' needs a fold: it is the training fold held out")
        if split not in ("train", "valid") and fold is not None:
            raise RequestError(f"split {split!r} is in no fold: only training windows are")
        code = SPLITS.index("train" if split == "valid" else split)
        chosen = self.windows["split"] == code
        if fold is not None and split == "valid":
            chosen &= self.windows["fold"] == fold
        elif fold is not None and split == "train":
            chosen &= self.windows["fold"] != fold
        return np.flatnonzero(chosen)

    def gather(
        self,
        rows: ArrayLike,
        signals: str | Sequence[str] | None = None,
        out: Batch | None = None,
        shift: ArrayLike | None = None,
        clamp: bool = False,
    ) -> Batch:
        """Copy windows into batch arrays, each by one contiguous copy.

        While windows have to come from a disk, the kernel is told of the whole batch first.

        Parameters
        ----------
        rows : integers (B,)
            Row numbers of the window table.
        signals : str or sequence of str, optional
            'eeg', 'spectrogram' or both (the default); only the files of these are touched.
        out : dict of float16 arrays, optional
            Arrays to write into, shaped as those returned.
        shift : integer or integers (B,), optional
            Move each window by this many EEG samples (of HMS 1/200 s) within its recording's
            stored span; the spectrogram starts at the row that the moved window's start lies in.
            Votes were cast on the central seconds of the window where it stands, so they fit a
            moved one the less the further it moves.
        clamp : bool
            Move as far as there is room instead of refusing a shift that leaves the span.

        Returns
        -------
        dict of float16 arrays
            As stored (see `denormalise`); of HMS 'eeg' (B, 10000, 20) and 'spectrogram'
            (B, 300, 400).

        Raises
        ------
        RequestError
            A row, signal or `out` array does not fit, or a shift leaves the span.
        """
        numbers = row_numbers(rows, len(self))
        starts = window_starts(self.spec, self.windows, numbers, shift, clamp)
        batch: Batch = {}
        for signal in named_signals(self.spec, signals):
            batch[signal.name] = destination(signal, len(numbers), out)
        self._fill(batch, starts)
        return batch

    def missing(
        self,
        rows: ArrayLike,
        signals: str | Sequence[str] | None = None,
        shift: ArrayLike | None = None,
        clamp: bool = False,
    ) -> Batch:
        """Mark the values of windows that were not recorded, whatever was put in their place.

        Parameters
        ----------
        rows, signals, shift, clamp
            As for `gather`.

        Returns
        -------
        dict of bool arrays
            'eeg' (B, 10000, 20) and 'spectrogram' (B, 300, 400): True where a value was missing.

        Raises
        ------
        RequestError
            As `gather`; or the store was built before gaps were kept (`gaps` is None).
        """
        gaps = self._known_gaps()
        numbers = row_numbers(rows, len(self))
        starts = window_starts(self.spec, self.windows, numbers, shift, clamp)
        marked: Batch = {}
        for signal in named_signals(self.spec, signals):
            name = signal.name
            segments = self.windows[f"{name}_span_start"][numbers]
            marked[name] = np.zeros((len(numbers), *signal.chunk), bool)
            for into, segment, start in zip(marked[name], segments, starts[name], strict=True):
                into[:] = missing_values(gaps[name], segment, start, *signal.chunk)
        return marked

    def observed(
        self,
        rows: ArrayLike,
        signals: str | Sequence[str] | None = None,
        shift: ArrayLike | None = None,
        clamp: bool = False,
    ) -> dict[str, Observed]:
        """Tell which part of windows was observed, from the tables alone.

        Parameters
        ----------
        rows, signals, shift, clamp
            As for `gather`.

        Returns
        -------
        dict of Observed
            By signal: the observed run around the judged seconds, wherever `shift` has moved the
            window, and shares.
            `hmsstore.reading.observed` says what an observed run is.

        Raises
        ------
        RequestError
            As `gather`; or the store was built before gaps were kept (`gaps` is None).
        """
        gaps = self._known_gaps()
        numbers = row_numbers(rows, len(self))
        starts = window_starts(self.spec, self.windows, numbers, shift, clamp)
        found = {}
        for name in (signal.name for signal in named_signals(self.spec, signals)):
            if name not in self._silences:
                self._silences[name] = find_silences(
                    self.spec, name, gaps[name], self.recordings[name]
                )
            labelled = self.windows[f"{name}_start"][numbers]
            found[name] = find_observed(
                self.spec, name, self._silences[name], starts[name], labelled
            )
        return found

    def _known_gaps(self) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        if self.gaps is None:
            raise RequestError(
                f"{self.path} was built before gaps were kept, so the places of its filled values "
                "are unknown. Build it again with `hmsprep build DATA STORE --force`."
            )
        return self.gaps

    def _fill(self, batch: Batch, starts: Mapping[str, NDArray[np.int64]]) -> None:
        if self._files is not None and self.reading_disk:
            kept = self._kept_files(tuple(batch))
            self.reading_disk = self._files.read(self._wanted(batch, starts), kept) > 0
            return
        before = disk_inputs()
        for name, windows in batch.items():
            self._copy(name, windows, starts[name])
        self.reading_disk = self._files is not None and disk_inputs() > before

    def _copy(self, name: str, windows: NDArray[np.float16], starts: NDArray[np.int64]) -> None:
        """Copy windows out of the mapping: 40 us each, so all else has to take little."""
        shards, shard_rows = self._shards[name], self._shard_rows[name]
        rows, row_bytes = self.spec.signals[name].window_rows, shards[0].strides[0]
        there: dict[int, int] = {}
        for into, start in zip(windows, starts.tolist(), strict=True):
            number, first = divmod(start, shard_rows)
            shard, end = shards[number], first + rows
            if number not in there:
                there[number] = readable_bytes(shard) // row_bytes
            if there[number] < end:
                refuse_short(self.path, shard_name(name, number), shard)
            np.copyto(into, shard[first:end])

    def _kept_files(self, names: tuple[str, ...]) -> frozenset[str]:
        """Shards of these signals that memory has room for: all of them, or as many of each.

        The same ones in every epoch: of windows in random order none is wanted sooner than another.
        """
        if names not in self._kept:
            nbytes = sum(shard.nbytes for name in names for shard in self._shards[name])
            share = min(1.0, ROOM * available_memory() / max(1, nbytes))
            self._kept[names] = frozenset(
                shard_name(name, number)
                for name in names
                for number in range(int(share * len(self._shards[name])))
            )
        return self._kept[names]

    def _wanted(self, batch: Batch, starts: Mapping[str, NDArray[np.int64]]) -> Iterator[Wanted]:
        for name, windows in batch.items():
            shards, shard_rows = self._shards[name], self._shard_rows[name]
            rows, row_bytes = self.spec.signals[name].window_rows, shards[0].strides[0]
            for into, start in zip(windows, starts[name].tolist(), strict=True):
                number, first = divmod(start, shard_rows)
                mapped = shards[number][first : first + rows]
                yield Wanted(
                    shard_name(name, number), first * row_bytes, mapped, shards[number], into
                )

    def shift_room(self, rows: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How far each window can move: smallest and largest shift in EEG samples, int64 (B,)."""
        return shift_room(self.spec, self.windows, row_numbers(rows, len(self)))

    def denormalise(self, batch: Mapping[str, ArrayLike]) -> Batch:
        """Turn stored values back into float32 microvolts and ln(uV^2/Hz).

        Parameters
        ----------
        batch : dict of arrays (..., C)
            Any of 'eeg' and 'spectrogram' as `gather` returns them.

        Raises
        ------
        RequestError
            It is not such a dict.
        """
        physical: Batch = {}
        for name, values in stored_values(self.spec, batch).items():
            physical[name] = values.astype(np.float32)
            if self.info["parameters"]["normalise"] == "zscore":
                statistics = self.info["statistics"][name]
                physical[name] *= np.asarray(statistics["std"], np.float32)
                physical[name] += np.asarray(statistics["mean"], np.float32)
        return physical


def _reopen(path: Path, identity: str) -> Store:
    store = Store.open(path)
    if store.identity != identity:
        raise RequestError(f"{path} was replaced by another store since it was opened elsewhere")
    return store
