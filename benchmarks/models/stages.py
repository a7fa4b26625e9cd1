"""What a second stage on windows with many votes gains, and how much of it seven numbers recover.

Trains one network on all windows, and the same with a second stage on windows with ten votes or
more; calibrates both on windows with ten votes or more of the fold that was held out, scored on
patients left out of the fit. On simulated data, whose raters differ by number as real ones do.

Rerun the same command to resume.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.models.judging import calibrated
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import simulated_store, train
from hmstrain.scoring.calibrate import calibrate

COMMON = (
    "--model naive_cnn --inputs spec+eeg --image-size 64 --batch-size 16 --epochs 6 "
    "--learning-rate 1e-3 --set eeg_seconds=12 --set spectrogram_rows=120,180 --set swap=0.5 "
    "--set shift_s=3 --set standardise=window --set norm_windows=512 --sample votes"
)
RUNS = {
    "one stage": COMMON,
    "two stages": f"{COMMON} --set second_epochs=6 --set second_min_votes=10 "
    "--set second_learning_rate=3e-4",
}


def main() -> None:
    """Make the data unless they are there, train, calibrate, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument("--windows", type=int, default=6000)
    parser.add_argument("--votes", default="10+", help="windows to calibrate and score on")
    parser.add_argument("--options", default="", help="further options of both runs")
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows, "--nan", "mean")
    rows: list[dict[str, Any]] = []
    kept = []
    for name, options in RUNS.items():
        run = work / name.replace(" ", "-")
        outcome = train(store.path, run, f"{options} {arguments.options}".strip())
        kept.append(f"{name}: step {outcome.best_step} of {outcome.steps}")
        rows += calibrated(name, calibrate(run, votes=arguments.votes))
    note = (
        f"{len(store):,} simulated windows. KL over windows of the fold "
        "held out; 'less' is to the network as it is. Checkpoints kept: "
        + "; ".join(kept)
        + ". Runs: "
        + "; ".join(f"{name}: `hmstrain run {options}`" for name, options in RUNS.items())
        + "."
    )
    write_record("stages", rows, note, arguments)


if __name__ == "__main__":
    main()
