"""What comparing, calibrating and blending say of real networks' answers.

Compares files of predictions on the rows that all share; calibrates each on windows with ten votes
or more, scored on patients left out of the fit; blends those named with `--blend`. Nothing of a
single row enters the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.record import command_line, write_record
from hmsstore.windows import MANY_VOTES
from hmstrain.scoring import bootstrap
from hmstrain.scoring.blending import HOWS, Blended, blend
from hmstrain.scoring.bootstrap import Span
from hmstrain.scoring.calibrate import Calibrated, calibrate
from hmstrain.scoring.comparison.compare import compare
from hmstrain.scoring.comparison.results import Comparison
from hmstrain.scoring.formulas import kl_rows

SCORES = ("kl", "kl_votes", "kl_hi", "accuracy", "kappa")


def row(what: str, windows: int, score: str, value: float, span: Span | None) -> dict[str, Any]:
    """One figure of the record."""
    text = "" if span is None else f"{span[0]:.4f} to {span[1]:.4f}"
    return {
        "what": what,
        "rows": windows,
        "score": score,
        "value": f"{value:.4f}",
        "95% interval": text,
    }


def compared(found: Comparison) -> list[dict[str, Any]]:
    """Scores of each model."""
    rows = []
    for key in SCORES:
        windows = found.populations.get(key, found.populations["kl"]).rows
        for name, model in found.models.items():
            value = model.scores.get(key)
            if value is not None:
                rows.append(row(name, windows, key, value, model.scores.intervals.get(key)))
    return rows


def calibrated(name: str, found: Calibrated) -> list[dict[str, Any]]:
    """KL by a temperature, and by a temperature and a bias, of patients left out of the fit."""
    judged, votes = found.judged, found.calibration.population
    rows = []
    for kind, one in found.kinds.items():
        span = bootstrap.interval(kl_rows(judged.target, found.answers[kind]), judged.patient)
        score = f"kl, {votes} votes, cross-fitted"
        line = row(f"{name}, {kind}", len(judged.target), score, one.kl, span)
        rows.append(line | {"less": f"{one.difference:+.4f}", "its interval": words(one.interval)})
    return rows


def blended(found: Blended) -> list[dict[str, Any]]:
    """KL of a way of blending, and that less the best member's."""
    matched, how = found.matched, found.blend.how
    part = np.flatnonzero(matched.counts >= MANY_VOTES)
    divergence = kl_rows(matched.shares[part], found.prediction[part])
    span = bootstrap.interval(divergence, matched.group[part])
    one = found.hows[how]
    line = row(
        f"{how} of {' and '.join(found.single)}",
        found.rows,
        "kl, 10+ votes, cross-fitted",
        one.kl,
        span,
    )
    return [line | {"less": f"{one.difference:+.4f}", "its interval": words(one.interval)}]


def words(span: Span | None) -> str:
    """An interval of a difference in words."""
    return "" if span is None else f"{span[0]:+.4f} to {span[1]:+.4f}"


def main() -> None:
    """Judge the files, and write the record."""
    parser = command_line(__doc__)
    parser.add_argument("predictions", type=Path, nargs="+", help="CSV or parquet")
    parser.add_argument("--truth", type=Path, required=True, help="table of votes and patients")
    parser.add_argument("--blend", nargs="*", default=[], help="names of files to blend")
    parser.add_argument("--segments", type=Path, help="further predictions, without ids")
    arguments = parser.parse_args()
    paths: list[Path] = arguments.predictions
    for name in arguments.blend:
        if name not in {path.stem for path in paths}:
            parser.error(f"--blend {name}: expected the name of a file given, without its ending")
    found = compare(paths, truth=arguments.truth)
    rows = compared(found)
    for path in paths:
        rows += calibrated(path.stem, calibrate(path, truth=arguments.truth, votes="10+"))
    notes = list(found.notes)
    chosen = [path for path in paths if path.stem in arguments.blend]
    if chosen:
        for how in HOWS:
            rows += blended(blend(chosen, how=how, truth=arguments.truth, votes="10+"))
    if arguments.segments is not None:
        segments = calibrate(arguments.segments, votes="all")
        rows += calibrated(arguments.segments.stem, segments)
        groups = segments.calibration.fitted_on["patterns_of_votes"]
        notes.append(f"{arguments.segments.name}: {groups:,} patterns of votes.")
    for one in rows:
        one |= {"less": one.get("less", ""), "its interval": one.get("its interval", "")}
    folder = str(arguments.truth.parent)
    text = " ".join(notes).replace(f"{folder}/", "").replace(f"{paths[0].parent}/", "")
    write_record(
        "judging",
        rows,
        f"{found.rows:,} rows of {found.groups:,} {found.unit}; intervals of {found.replicates:,} "
        "resamples of whole patients. Calibrations and blends are scored on patients left out of "
        "the fit; 'less' is to the model as it is, and to the best member. "
        f"{text}",
        arguments,
    )


if __name__ == "__main__":
    main()
