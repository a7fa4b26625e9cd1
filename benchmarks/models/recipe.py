"""How much of the gap between constant and truth a recipe closes, and how long it takes.

Simulates windows, whose best possible score is known, and runs a recipe on them through
`hmstrain recipe`, as a user would. Rerun the same command to resume; the time is that of a
command that was not stopped.
"""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command, simulated_store
from hmsstore import CLASSES, Store
from hmsstore.windows import typical_rows
from hmstrain.runs.predictions import TESTED
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.comparison.compare import compare_matched
from hmstrain.scoring.formulas import kl_rows
from hmstrain.studies.answer import ANSWER
from hmstrain.studies.recipe_file import find_recipe


def truth(data: Path, store: Store, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distribution that each window's votes were drawn from, (rows, 6)."""
    with (data / "truth.csv").open() as file:
        drawn_from = {int(row["label_id"]): row for row in csv.DictReader(file)}
    found = [drawn_from[label] for label in store.windows["label_id"][rows].tolist()]
    values = np.asarray([[float(row[name]) for name in CLASSES] for row in found])
    whole: NDArray[np.float64] = values / values.sum(axis=1, keepdims=True)
    return whole


def levels(data: Path, store: Store) -> dict[str, float]:
    """`kl_votes` of the test windows: the training windows' mean target, their own, the truth."""
    rows = store.select("test")
    rows = rows[typical_rows(store.windows, rows)["votes"]]
    target = store.windows["target"][rows].astype(np.float64)
    usual = store.windows["target"][store.select("train")].mean(axis=0, dtype=np.float64)
    answers = {
        "constant": np.tile(usual / usual.sum(), (len(rows), 1)),
        "best constant": np.tile(target.mean(axis=0), (len(rows), 1)),
        "truth": truth(data, store, rows),
    }
    return {name: float(kl_rows(target, answer).mean()) for name, answer in answers.items()}


def main() -> None:
    """Make the data unless they are there, run the recipe, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument("--recipe", default="laptop")
    parser.add_argument("--windows", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=8, help="of the simulation")
    parser.add_argument("--options", default="", help="further options of `hmstrain recipe`")
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows, seed=arguments.seed)
    out, times = work / arguments.recipe, work / f"{arguments.recipe}-seconds.json"
    fresh, begun = not out.exists(), time.monotonic()
    options = arguments.options.split()
    command("hmstrain", "recipe", arguments.recipe, store.path, *options, "--out", out)
    if fresh:
        times.write_text(json.dumps(round(time.monotonic() - begun)))
    seconds = json.loads(times.read_text()) if times.exists() else None
    answers = [
        out / ANSWER,
        *(out / name / TESTED for name in find_recipe(arguments.recipe).members),
    ]
    matched = matched_answers(answers, truth=store, rows="typical")
    found = compare_matched(matched, rows="typical")
    level = levels(work / "data", store)
    rows = []
    for name, model in found.models.items():
        kl = model.scores["kl_votes"]
        assert kl is not None
        low, high = model.scores.intervals["kl_votes"] or (np.nan, np.nan)
        row: dict[str, Any] = {
            "answer": name.removesuffix("/predictions"),
            "kl_votes": f"{kl:.3f} [{low:.3f}, {high:.3f}]",
        }
        for key in ("constant", "best constant"):
            closed = (level[key] - kl) / (level[key] - level["truth"])
            row[f"closed, from the {key}"] = f"{closed:.0%}"
        row["accuracy"] = f"{model.scores['accuracy']:.3f}"
        rows.append(row)
    words = " ".join(["hmstrain recipe", arguments.recipe, *options])
    note = (
        f"`{words}` on {len(store):,} simulated windows (`hmsprep synth --windows "
        f"{arguments.windows} --seed {arguments.seed}`, identity {store.identity[:16]}). "
        "kl_votes of "
        + "; ".join(f"{name} {value:.3f}" for name, value in level.items())
        + ". 'constant' is the training windows' mean target, 'best constant' that of the test "
        "windows. "
        + ("Stopped and resumed, not timed." if seconds is None else f"It took {seconds:,} s.")
    )
    write_record(f"recipe-{arguments.recipe}", rows, note, arguments)


if __name__ == "__main__":
    main()
