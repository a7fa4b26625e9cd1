"""Stores -> how alike their windows are: `hmsprep.realism`. Top to bottom.

The first store is what the others should be like: real windows, say. If a table says where its
EEGs come from, its sources are compared too: no other store can be asked to be more like the whole
than one of its sources is like the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError, ParameterError
from hmsprep.likeness.comparison import Realism, compare
from hmsprep.likeness.page import make_page, write_table
from hmsprep.likeness.sample import NO_CLASS, Sample, measure, read_sources, rows_of
from hmsprep.likeness.stand_ins import StandIn, stand_ins
from hmsprep.planning import checks
from hmsprep.planning.choices import LOWEST_HZ
from hmsprep.processes import Progress, default_workers, silent
from hmsprep.qeeg.judged.window import BANDPASS_HZ
from hmsprep.words import plural
from hmsstore import Store
from hmsstore.view.page import PAGES
from hmsstore.view.saving import check_suffix

RESAMPLES = 200


def realism(
    stores: Sequence[Store | Path | str] | Store | Path | str,
    *,
    source: Path | str | None = None,
    half: str | None = None,
    bandpass: tuple[float, float] | None = BANDPASS_HZ,
    resamples: int = RESAMPLES,
    seed: int = 42,
    html: Path | str | None = None,
    csv: Path | str | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> Realism:
    """Compare windows of stores, such as simulated ones with real ones.

    Only the longest part of the judged seconds that was recorded without a gap is looked at.

    Parameters
    ----------
    stores : Store or path, or sequence of these
        The first is what the others are compared with.
    source : path, optional
        CSV with eeg_id, source and half of the first store's EEGs.
    half : str, optional
        Look at EEGs of this half alone; nothing of the others is read.
    bandpass : (low, high), optional
        Filter in Hz of all but the artefacts' measures; None for no filter.
    resamples : int
        How often patients are drawn, for intervals and for chance.
    seed : int
        Of these draws and of the folds.
    html, csv : path, optional
        Page and table to write.
    workers : int, optional
        Number of processes; by default one per processor. Changes nothing about the result.
    executor : Executor, optional
        What runs the work instead: its workers must see the same files.
    progress : callable
        Called with the stages 'measure' and 'compare', and how much is done.

    Returns
    -------
    Realism
        Distances of each measure in each class, and the two-sample test.

    Raises
    ------
    ParameterError
        Fewer than two stores, or an option's value makes no sense.
    DataError
        The stores do not fit together, the table does not fit the first, or windows are of bipolar
        recordings.
    StoreError
        A store cannot be opened.

    Examples
    --------
    >>> found = hmsprep.realism(["real.zarr", "simulated.zarr"])
    >>> found.comparisons[0].largest("all", 3)
    """
    at_once = checks.workers(workers, default_workers())
    checks.whole("seed", seed, 0)
    opened = _checked(checks.each_of(stores), source, half, bandpass, resamples, html, csv)
    names = _names(opened)
    told = None if source is None else read_sources(Path(source))
    asked = [np.arange(len(store)) for store in opened]
    if told is not None and source is not None:
        asked[0] = rows_of(opened[0], told, half, Path(source))
    for store, rows in zip(opened, asked, strict=True):
        _refuse_pairs(store, rows)
    counter = _Counter(progress, sum(map(len, asked)))
    samples = []
    warnings = []
    for store, name, rows in zip(opened, names, asked, strict=True):
        sample = measure(
            store, rows, name, bandpass=bandpass, workers=at_once,
            executor=executor, measured=counter,
        )  # fmt: skip
        warnings += _said_of(store, sample, len(rows))
        samples.append(sample)
    spec = opened[0].spec
    pairs = [(samples[0], one) for one in samples[1:]]
    floors = [] if told is None else sources_beside(samples[0], told)
    found = []
    standing: list[StandIn] = []
    done, total = 0, len(pairs) + len(floors) * (1 + len(pairs))
    progress("compare", done, total)
    for one, other in (*pairs, *floors):
        found.append(compare(spec, one, other, resamples=resamples, seed=seed))
        done += 1
        progress("compare", done, total)
    for sample in samples[1:]:
        for one, other in floors:
            standing += stand_ins(one, other, sample, seed=seed)
            done += 1
            progress("compare", done, total)
    result = Realism(
        spec,
        tuple(found[: len(pairs)]),
        tuple(found[len(pairs) :]),
        tuple(standing),
        bandpass,
        half,
        tuple(warnings),
    )
    _write(result, html, csv)
    return result


class _Counter:
    """Counts windows of all stores together."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.done, self.total = progress, 0, total
        progress("measure", 0, total)

    def __call__(self, more: int) -> None:
        self.done += more
        self.progress("measure", self.done, self.total)


def sources_beside(
    sample: Sample, told: Mapping[int, tuple[str, str]]
) -> list[tuple[Sample, Sample]]:
    """Each source beside all others, unless two sources would give the same twice."""
    each = np.array([told[eeg][0] for eeg in sample.eeg_id.tolist()])
    names = sorted(set(each.tolist()))
    found = []
    for name in names if len(names) > 2 else names[:1]:
        rest = [one for one in names if one != name]
        other = rest[0] if len(rest) == 1 else "the others"
        if rest:
            found.append((sample.take(each == name, name), sample.take(each != name, other)))
    return found


def _checked(
    stores: Sequence[Store | Path | str],
    source: Path | str | None,
    half: str | None,
    bandpass: tuple[float, float] | None,
    resamples: int,
    html: Path | str | None,
    csv: Path | str | None,
) -> list[Store]:
    if len(stores) < 2:
        raise ParameterError(
            f"expected two stores or more, got {len(stores)}: name the one to be like, then "
            "those to compare with it."
        )
    if half is not None and source is None:
        raise ParameterError("--half names a half of the table that --source names: give both.")
    checks.whole("resamples", resamples, 1)
    for option, path, ends in (("--html", html, PAGES), ("--csv", csv, ("csv",))):
        if path is not None:  # refused now rather than after minutes
            check_suffix(Path(path), ends)
            if not Path(path).parent.is_dir():
                raise ParameterError(f"{option} {path}: there is no folder {Path(path).parent}.")
    opened = [one if isinstance(one, Store) else Store.open(one) for one in stores]
    first = opened[0].spec
    for store in opened:
        spec = store.spec
        if (
            spec.class_keys != first.class_keys
            or spec.eeg != first.eeg
            or spec.chains != first.chains
        ):
            raise DataError(
                f"{store.path} has other classes, channels or chains than {opened[0].path}: only "
                "stores of the same kind of data can be compared."
            )
    if not first.chains:
        raise DataError(f"{opened[0].path} describes no bipolar chains to measure along.")
    rate = first.eeg.row_rate_hz
    if bandpass is not None:
        low, high = checks.pair(bandpass)
        if not LOWEST_HZ <= low < high < rate / 2:
            expected = f"two rising frequencies from {LOWEST_HZ:g} to below {rate / 2:g} Hz"
            checks.refuse("bandpass", expected, bandpass)
    return opened


def _refuse_pairs(store: Store, rows: NDArray[np.int64]) -> None:
    pairs_only = int(store.chains_only(rows).sum())
    if pairs_only:
        raise DataError(
            f"{plural(pairs_only, 'window')} of {store.path} are of bipolar recordings, whose "
            "electrodes share no reference: amplitudes and correlations of electrodes cannot be "
            "measured. Compare referential recordings."
        )


def _names(stores: Sequence[Store]) -> list[str]:
    """Short names that differ: of the folders, numbered where several are alike."""
    stems = [store.path.resolve().stem for store in stores]
    return [
        stem if stems.count(stem) == 1 else f"{stem} {stems[:place].count(stem) + 1}"
        for place, stem in enumerate(stems)
    ]


def _said_of(store: Store, sample: Sample, asked: int) -> list[str]:
    """Sentences about windows that were left out."""
    found = []
    if len(sample) < asked:
        found.append(
            f"{sample.name}: {plural(asked - len(sample), 'window')} left out: too little of the "
            "judged seconds was recorded."
        )
    undecided = int((sample.code == NO_CLASS).sum())
    if undecided:
        found.append(
            f"{sample.name}: {plural(undecided, 'window')} left out: no class has most votes."
        )
    if store.gaps is None:
        found.append(
            f"{sample.name} was built before gaps were kept, so filled values are measured too. "
            "Build it again to measure only recorded values."
        )
    if not len(sample) - undecided:
        raise DataError(
            f"{store.path} has no window that can be compared: expected votes and recorded "
            "seconds. " + " ".join(found)
        )
    return found


def _write(found: Realism, html: Path | str | None, csv: Path | str | None) -> None:
    if html is not None:
        make_page(found).write(Path(html))
    if csv is not None:
        write_table(found, Path(csv))
