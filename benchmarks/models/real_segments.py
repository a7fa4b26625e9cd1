"""Networks that saw nothing but simulated EEG, tested on real segments.

Tests runs, such as those of `models.systems`, on real labelled segments in the competition's
layout. Segments differ by source in length, in how much was recorded around the judged seconds and
in how clear they are, so scores are given by source and never pooled alone. Each run is scored on
segments of which as much was recorded as it has seen in training. Beside the runs stand the
constant prediction (the mean target of their training windows), the average rater, and others'
predictions of the same segments.

The folder of segments has `split.csv` beside train.csv: eeg_id, source, half. The half 'choose' may
be looked at while something is chosen, 'report' only reports; each evaluation adds a line with its
date to `real-segments-log.csv` beside the record. Others' predictions are files NAME.csv: eeg_id,
and one column for each class.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hmstrain
from benchmarks.tools.record import command_line, commit, write_record
from benchmarks.tools.simulated import command
from hmsstore import CLASSES, Store
from hmstrain.data.targets import mean_target
from hmstrain.prediction.predict import cleaning_of, of_features
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.experts import among_experts
from hmstrain.scoring.metrics import Judged, scores

Rows = NDArray[np.int64]
HALVES = ("choose", "report")
LOG = "real-segments-log.csv"


def read_split(segments: Path, store: Store) -> dict[tuple[str, str], Rows]:
    """Rows of the store by source and half, as split.csv tells them apart by EEG."""
    with (segments / "split.csv").open(newline="") as file:
        told = {int(row["eeg_id"]): (row["source"], row["half"]) for row in csv.DictReader(file)}
    each = [told[eeg] for eeg in store.windows["eeg_id"].tolist()]
    return {
        key: np.flatnonzero([one == key for one in each])
        for key in sorted(set(each), key=lambda key: (key[0], HALVES.index(key[1])))
    }


def read_others(path: Path, store: Store) -> NDArray[np.float64]:
    """Somebody's predictions (N, K) of the store's windows by EEG; NaN where there are none."""
    with path.open(newline="") as file:
        told = {
            int(row["eeg_id"]): [float(row[name]) for name in CLASSES]
            for row in csv.DictReader(file)
        }
    nothing = [np.nan] * len(CLASSES)
    found = np.asarray([told.get(eeg, nothing) for eeg in store.windows["eeg_id"].tolist()])
    whole: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
    return whole


def answers(
    runs: list[Path], others: list[Path], segments: Store, out: Path
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name and predictions (N, K) of the constant, each run and others; NaN: not to be scored."""
    first = RunFolder(runs[0])
    trained = Store.open(first.store().path)
    known = set(trained.windows["eeg_id"].tolist()) & set(segments.windows["eeg_id"].tolist())
    if known:
        raise SystemExit(f"{trained.path} holds {len(known)} of the segments: not a fair test.")
    constant = mean_target(first.config(), trained, trained.select("train"))
    yield "constant", np.tile(constant, (len(segments), 1))
    for run in runs:
        if RunFolder(run).store().identity != trained.identity:
            raise SystemExit(f"{run} and {runs[0]} were trained on different stores.")
        found = hmstrain.test(run, store=segments, split="all", out=out / run.name)
        prediction = np.full((len(segments), len(CLASSES)), np.nan)
        scored = found.context.comparable
        prediction[found.rows[scored]] = found.prediction[scored]
        yield run.name, prediction
    for path in others:
        yield path.stem, read_others(path, segments)


def scored(name: str, prediction: NDArray[np.float64], store: Store, rows: Rows) -> dict[str, Any]:
    """Scores on some rows, of those that are to be scored."""
    rows = rows[np.isfinite(prediction[rows]).all(axis=1)]
    if not len(rows):
        return {"model": name, "segments": 0, "kl": "", "accuracy": "", "balanced": ""} | {
            "among raters": "",
            "average rater": "",
        }
    found = scores(store, rows, prediction[rows])
    low, high = found.intervals["kl"] or (np.nan, np.nan)
    experts = among_experts([Judged.of_store(store, rows, prediction[rows])])
    return {
        "model": name,
        "segments": len(rows),
        "kl": f"{found['kl']:.3f} [{low:.3f}, {high:.3f}]",
        "accuracy": f"{found['accuracy']:.3f}",
        "balanced": f"{found['balanced_accuracy']:.3f}",
        "among raters": "" if experts is None else f"{experts.model:.3f}",
        "average rater": "" if experts is None else f"{experts.rater:.3f}",
    }


def note_evaluation(folder: Path, parts: Mapping[tuple[str, str], Rows], runs: list[Path]) -> None:
    """Add a line for each half that was looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOG
    new = not path.exists()
    with path.open("a", newline="") as file:
        lines = csv.writer(file)
        if new:
            lines.writerow(("date", "commit", "half", "segments", "runs"))
        for half in dict.fromkeys(half for _, half in parts):
            count = sum(len(rows) for (_, one), rows in parts.items() if one == half)
            date = datetime.now(UTC).date().isoformat()
            lines.writerow((date, commit(), half, count, len(runs)))


def main() -> None:
    """Build the segments, test each run on them, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="folder of runs, each finished")
    parser.add_argument("--work", type=Path, required=True, help="folder for a store and scores")
    parser.add_argument("--segments", type=Path, required=True, help="real segments and split.csv")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="others' predictions")
    parser.add_argument("--half", choices=HALVES, help="look at this half alone; default: both")
    parser.add_argument("--record", default="real-segments", help="name of the record")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    path = arguments.work / "segments.zarr"
    runs = sorted(one.parent for one in arguments.runs.glob("*/metrics.json"))
    if not runs:
        raise SystemExit(f"{arguments.runs} holds no finished run.")
    filled = cleaning_of([RunFolder(runs[0])])["nan"]
    built = ("--split-by", "all", "--nan", filled, "--force")
    command("hmsprep", "build", arguments.segments, path, *built)
    segments = Store.open(path)
    parts = {
        key: rows
        for key, rows in read_split(arguments.segments, segments).items()
        if arguments.half in (None, key[1])
    }
    for features_span in of_features([RunFolder(run) for run in runs]):
        command("hmsprep", "features", path, "--span", features_span)
    note_evaluation(arguments.results, parts, runs)
    said = dict(answers(runs, arguments.others, segments, arguments.work / "scores"))
    rows = [
        {"source": source, "half": half} | scored(name, prediction, segments, of_part)
        for (source, half), of_part in parts.items()
        for name, prediction in said.items()
    ]
    note = (
        "Networks that were trained on simulated windows alone, on real segments with the votes of "
        "real experts. A network is scored on the segments of which as much was recorded as it has "
        "seen in training; 0 segments: on none. 'among raters': how often it gives the majority of "
        "all raters but one, beside how often that one does, on segments with three votes or more. "
        "'choose' may be looked at while something is chosen, 'report' is not."
    )
    write_record(arguments.record, rows, note, arguments)


if __name__ == "__main__":
    main()
