"""Runs and anyone's EEG -> probabilities, tables, and a timeline of each recording."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import HMS, SPLITS, Store
from hmsstore.atomic import is_empty, remove_leftovers
from hmsstore.manifest import MANIFEST_NAME
from hmstrain.data.context import Context, context_of
from hmstrain.data.inputs.physical import inputs_of_electrodes
from hmstrain.data.observed import LEAST_JUDGED
from hmstrain.errors import RESEARCH_ONLY, DataError, RunError
from hmstrain.events import Notices, Progress, silent
from hmstrain.models import find_model
from hmstrain.models.trust import Trust
from hmstrain.prediction.answering import How, Networks, loading
from hmstrain.prediction.beside import StartOf, by_recording, find_starts
from hmstrain.prediction.episodes import SHORTEST_S, SMOOTHING_S, THRESHOLD, EpisodeRule
from hmstrain.prediction.given import calibrating, check_answer, check_rule, given_runs
from hmstrain.prediction.recorded import Made, channels_read, looked_beyond, write_recording
from hmstrain.prediction.scored import Scored, score, warnings_of
from hmstrain.prediction.seizures.events import events_names
from hmstrain.prediction.source import STRIDE_S, open_or_build, result_names
from hmstrain.prediction.tables import is_windows, write_windows
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.json_file import write_json
from hmstrain.runs.notice import read_notice
from hmstrain.runs.outcome import Constant, Scores
from hmstrain.runs.precision import not_taken
from hmstrain.runs.trained import check_trust
from hmstrain.words import plural

WINDOWS, SUMMARY = "predictions.csv", "predictions.json"
DRAWING = "hmstrain.prediction.page"
"""Draws recordings, for which matplotlib is imported."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted, and where it was written."""

    out: Path
    rows: NDArray[np.int64]
    """(N,) windows of the store."""
    prediction: NDArray[np.float64]
    """(N, K) probabilities, in the order of the classes of the store, `summary["classes"]`; NaN
    where too little of the judged seconds was recorded."""
    context: Context
    """How much of what the runs look at was observed."""
    summary: dict[str, Any]
    """The content of predictions.json: the runs, how they were averaged, each recording; `scores`
    where there are votes."""
    scored: Scored | None = None
    """Scores of the windows that have votes and a probability; None where none has."""

    @property
    def scores(self) -> Scores | None:
        """Every score, over the windows that have votes; None where none has."""
        return None if self.scored is None else self.scored.scores

    @property
    def constant(self) -> Constant | None:
        """Of the same windows; None if the input is not a store with training windows."""
        return None if self.scored is None else self.scored.constant


def predict(
    runs: Sequence[Path | str] | Path | str,
    path: Store | Path | str,
    *,
    out: Path | str = "predicted",
    stride_s: float = STRIDE_S,
    importing: Mapping[str, Any] | None = None,
    average: str = "arithmetic",
    swap: bool = False,
    device: str = "auto",
    precision: str = "auto",
    trust: Trust = False,
    calibrated: bool = False,
    prior: str | None = None,
    reverse: bool = False,
    population: str | None = None,
    threshold: float = THRESHOLD,
    shortest_s: float = SHORTEST_S,
    smoothing_s: float = SMOOTHING_S,
    start_of: StartOf | None = None,
    progress: Progress = silent,
    notices: Notices = silent,
) -> Predictions:
    """Predict a store, a folder in Kaggle's layout, or recordings; write tables and pictures.

    Where windows have votes, the predictions are scored too.

    Parameters
    ----------
    runs : path or sequence of paths
        Folders of finished runs, whose probabilities are averaged; or a blend of runs.
    path : Store or path
        A store; a folder in Kaggle's layout or its zip; a recording of any format that
        `hmsprep import` reads, or a folder of such, which is searched with all below it.
    out : path
        Folder to write into: predictions.csv, predictions.json, and for each recording its
        timeline as CSV, JSON, SzCORE events, EDF+ annotations, picture and page.
    stride_s : float
        Seconds from window to window of a recording.
    importing : mapping, optional
        How recordings are to be read: options of `hmsprep import`, such as
        `{"rename": {"EEG1": "Fp1"}}`.
    average : str
        'arithmetic'; 'geometric'; or 'fitted': weights fitted on out-of-fold predictions.
    swap : bool
        Average with left-right mirrored input.
    device : str
        'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'.
    precision : str
        'float32', 'bfloat16' or 'float16'; 'auto': on CPUs, for 1,000 windows or more, the fastest
        arithmetic whose answers are near enough to those in the run's own, by trying some; else the
        run's own. What was chosen is kept in the run's folder, and taken again on this machine.
    trust : bool, str or sequence of str
        Networks 'package.module:function' of the runs that may be imported, which runs their code:
        these names; True: any. Needed for such runs alone.
    calibrated : bool
        Apply the run's or the blend's calibration.json. A recording gets its temperature alone.
    prior : str, optional
        Apply the bias of each class to a recording too, as of windows with so many votes: '10+',
        '4-9', '1-3' or 'all', which the calibration must be for.
    reverse : bool
        Average with time-reversed input; with `swap`, over all four views.
    population : str, optional
        'few' or 'many': the number of votes for which runs with two answers (`populations=bias` or
        `scale`) give theirs; by default many.
    threshold : float
        Smallest smoothed probability of a class that makes an episode of a recording.
    shortest_s : float
        Seconds of the shortest episode.
    smoothing_s : float
        Seconds over which probabilities are averaged before they are compared; 0: none.
    start_of : callable, optional
        Reads from a recorder's file at which time of day it starts, such as
        `hmstrain.reading.clock.clock_start`: pictures and pages then show that time.
    progress : callable, optional
        Called with the windows done and their number, each network's counted.
    notices : callable, optional
        Called with what the user should know of the input.

    Returns
    -------
    Predictions

    Raises
    ------
    StoreError
        The store cannot be opened.
    TrainError
        A run is not finished or does not fit the others or the input, the input is nothing that
        can be predicted, or `out` holds something else.

    Examples
    --------
    >>> found = hmstrain.predict("runs/first", "night.edf", out="night")  # doctest: +SKIP
    >>> found.prediction.shape  # doctest: +SKIP
    (2875, 6)
    """
    how = How(average, swap, device, trust, reverse, population, precision)
    rule = EpisodeRule(threshold, shortest_s, smoothing_s)
    given = given_runs(runs)
    folders = given.runs
    check_trust(folders, trust)
    check_answer(given, population, calibrated=calibrated)
    check_rule(given, rule)
    keys = [one.key for one in folders[0].store().classes]
    limits = tuple(dict.fromkeys(filter(None, (read_notice(one.path) for one in folders))))
    calibration = calibrating(given, keys, calibrated=calibrated, prior=prior)
    path, out = path.path if isinstance(path, Store) else Path(path), Path(out)
    if out.exists() and not (out.is_dir() and (is_empty(out) or _earlier(out))):
        raise RunError(f"{out} holds something other than predictions: name another --out.")
    begun = time.perf_counter()
    if not (path / MANIFEST_NAME).is_file():
        require_hms(
            folders,
            f"and {path}, which is not a store, is read as HMS data: build a store of those "
            "classes with hmsprep.build(..., spec=...), and name that",
        )
    features = of_features(folders)
    reading: dict[str, Any] = {
        "stride_s": stride_s,
        "importing": importing,
        "asked": (*rule.options, *("--time-of-day",) * (start_of is not None)),
        "features": features,
        "needs_reference": needs_reference(folders),
    }
    with (
        loading(given, how, DRAWING) as networks,
        open_or_build(path, cleaning_of(folders), **reading) as source,
    ):
        store = source.store
        rows = np.flatnonzero(store.windows["split"] != SPLITS.index("dropped"))
        rows, bipolar = with_reference(store, rows, reading["needs_reference"])
        prepared = time.perf_counter()
        configs = [folder.config() for folder in folders]
        context = context_of(configs, store, rows)
        prediction, made_of = _predict_judged(networks, store, rows, context, progress)
        if calibration is not None:
            new, known = bool(source.recordings), context.judged
            prediction[known] = calibration.apply(prediction[known], new=new)
            made_of["calibration"] = calibration.said(new=new)
            notices(calibration.words(new=new))
        predicted = time.perf_counter()
        found = score(folders, source, rows, prediction, context)
        warnings = [
            *limits,
            *warnings_of(found, source, made_of["runs"]),
            *([] if found is None else given.warnings(store, rows, calibration)),
            *how.views.warnings(folders),
            *(text for one in made_of["runs"] for text in not_taken(one["arithmetic"])),
            *context.warnings,
            *source.warnings,
            *bipolar,
            *(f"{one.file} was left out: {one.reason}" for one in source.left_out),
        ]
        for message in warnings:
            notices(message)
        windows = {name: column[rows] for name, column in store.windows.items()} | {"row": rows}
        out.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
        (out / SUMMARY).unlink(missing_ok=True)  # of other tables than those that come now
        write_windows(out / WINDOWS, store, rows, prediction, context)
        files = [one.file for one in source.recordings]
        starts = {} if start_of is None else find_starts(path, files, start_of)
        read = channels_read(configs, store.spec)
        beyond = looked_beyond(configs, store.spec)
        said = by_recording(source.warnings, files)
        made = Made(made_of, store, rule, read, source.notes, said, starts, limits, beyond)
        names = result_names(source.recordings)
        recordings = [
            write_recording(out / name, out / events, recording, windows, prediction, made)
            | {"timeline": f"{name}.csv"}
            for name, events, recording in zip(
                names, events_names(names), source.recordings, strict=True
            )
        ]
        summary = {
            "input": str(path),
            "windows": len(rows),
            "context": context.counts(),
            "store": store.identity,
            "classes": [asdict(one) for one in store.spec.classes],
            **made_of,
            "notice": " ".join((*limits, RESEARCH_ONLY)),
            **({"episode_rule": rule.to_json()} if recordings and not limits else {}),
            "warnings": warnings,
            **({} if found is None else found.to_json()),
            "recordings": recordings,
            "refused": [asdict(one) for one in source.left_out],
            "seconds": {
                "preparing": round(prepared - begun, 2),
                "predicting": round(predicted - prepared, 2),
                "writing": round(time.perf_counter() - predicted, 2),
            },
        }
    write_json(out / SUMMARY, summary)
    if found is None:
        return Predictions(out, rows, prediction, context, summary)
    return Predictions(out, rows, prediction, context, summary, found)


def require_hms(folders: Sequence[RunFolder], why: str) -> None:
    """Refuse runs that were trained on other classes than those of HMS.

    Raises
    ------
    DataError
        Naming the first such run, its classes, and why it cannot be used.
    """
    for folder in folders:
        trained_on = folder.store()
        if trained_on.classes != HMS.classes:
            titles = ", ".join(trained_on.class_titles)
            raise DataError(f"{folder.path} was trained on the classes {titles}, {why}.")


def _earlier(out: Path) -> bool:
    """Whether a folder holds what an earlier prediction left, finished or not, to be replaced."""
    return (out / SUMMARY).is_file() or is_windows(out / WINDOWS)


def cleaning_of(folders: Sequence[RunFolder]) -> dict[str, Any]:
    """How the first run's signals were cleaned; the others must agree, which is checked later."""
    from hmstrain.data.inputs.prepare import Normalisation

    described = read_description(folders[0].networks()[0].best)
    return Normalisation.from_json(described["normalisation"]).cleaning


def of_features(folders: Sequence[RunFolder]) -> tuple[str, ...]:
    """Spans of the hand features that runs take; none if they are all of networks."""
    configs = [folder.config() for folder in folders]
    spans = [one.features_span for one in configs if find_model(one.model).table]
    return tuple(dict.fromkeys(spans))


def needs_reference(folders: Sequence[RunFolder]) -> str:
    """Say what of the runs needs electrodes that share a reference; '' if nothing does."""
    if of_features(folders):
        return "the model features"
    found = [name for folder in folders for name in inputs_of_electrodes(folder.config())]
    return f"the input {', '.join(dict.fromkeys(found))}" if found else ""


def with_reference(
    store: Store, rows: NDArray[np.int64], needs_reference: str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Leave out windows of bipolar recordings, unless all are, where a run cannot take them."""
    bipolar = store.chains_only(rows)
    if not needs_reference or not bipolar.any() or bipolar.all():
        return rows, ()
    return rows[~bipolar], (
        f"{plural(int(bipolar.sum()), 'window')} of bipolar recordings left out: their electrodes "
        f"share no reference, and {needs_reference} needs one.",
    )


def _predict_judged(
    networks: Networks,
    store: Store,
    rows: NDArray[np.int64],
    context: Context,
    progress: Progress,
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """As `Networks.answer` has it, but NaN where too little of the judged seconds was recorded."""
    if len(rows) and not context.judged.any():
        raise DataError(
            f"None of the {plural(len(rows), 'window')} of {store.path} has a probability: more "
            f"than {1 - LEAST_JUDGED:.0%} of their judged seconds was not recorded."
        )
    found, made_of = networks.answer(store, rows[context.judged], progress)
    prediction = np.full((len(rows), found.shape[1]), np.nan)
    prediction[context.judged] = found
    return prediction, made_of
