"""Does each of the report's nine systems learn? Runs `hmstrain study` on simulated data.

Nobody's real recordings, nobody's weights: what counts is each system's KL less that of a constant
prediction, paired over test windows of other patients. The record also has the share of its time
that each run waited for data.

Rerun the same command to resume.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command, pace, simulated_store

BUILT = ("--nan", "mean")
"""Neither missing spectrogram, by default seven deviations off, nor one recording louder than all
others may decide a row: of what lies far outside, young networks are sure beyond all measure."""
OPTIONS = (
    "--image-size 64 --epochs 5 --batch-size 16 --precision bfloat16 --set learning_rate=3e-4 "
    "--set norm_windows=512 --set standardise=window --set channels_last=true "
    "--set sample=votes --set swap=0.5 --set shift_s=3 --set channel_dropout=0.1 "
    "--set ema=0.95 --set eeg_seconds=12 --set spectrogram_rows=120,180"
)


def main() -> None:
    """Make the data unless they are there, run the study, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument("--windows", type=int, default=8000)
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows, *BUILT)
    command("hmstrain", "study", store.path, *OPTIONS.split(), "--out", work / "study")
    table = json.loads((work / "study" / "study.json").read_text())
    with (work / "study" / "study.csv").open(newline="") as file:
        rows = [
            cells | {"waiting": f"{pace(work / 'study' / row['name'])[1]:.2%}"}
            for cells, row in zip(csv.DictReader(file), table["rows"], strict=True)
        ]
    note = (
        f"{table['title']}. {len(store):,} simulated windows (`hmsprep build {' '.join(BUILT)}`), "
        f"{len(store.select('test'))} of them "
        f"tested; a constant prediction has kl_votes {table['constant_kl_votes']:.3f}. "
        "'less constant': kl_votes less that, paired window by window, 95% interval over patients. "
        "The report's numbers are from real data, whose patients leaked between its random splits. "
        f"Made by `hmstrain study STORE {OPTIONS}`."
    )
    write_record("study", rows, note, arguments)


if __name__ == "__main__":
    main()
