"""Models that saw nothing but simulated EEG, tested on real segments.

Trains on simulated data, then runs `hmstrain test RUN --store ...` on a few real segments in the
competition's layout, such as the samples of IIIC-SPaRCNet: fifty seconds each, a class but no vote
counts, and a spectrogram of the 24 rows that fifty seconds give. So models see the EEG, or those
rows alone, in training as in the test. Nothing is chosen by what comes out on the segments.

Stopped, the same command goes on where it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command, simulated_store, train
from hmsstore import CLASSES, Store
from hmstrain.runs.folder import RunFolder

AUGMENTED = "--sample votes --set swap=0.5 --set shift_s=3 --set channel_dropout=0.1 --set ema=0.95"
ROWS = "--set spectrogram_rows=138,162"
"""Spectrogram rows that fifty seconds fill: those that look at two-second steps 138 to 161."""
MODELS = {
    "EEG, raw": f"--model resnet1d --inputs eeg --epochs 8 --set eeg_seconds=16 {AUGMENTED}",
    "EEG, image": (
        "--model resnet10t --inputs eeg --epochs 8 --image-size 128 --set eeg_seconds=16 "
        f"{AUGMENTED}"
    ),
    "spectrogram": (
        f"--model naive_cnn --inputs spec --epochs 12 --image-size 96 {ROWS} {AUGMENTED}"
    ),
    "both": (
        "--model naive_cnn --inputs spec+eeg --epochs 12 --image-size 96 --set eeg_seconds=16 "
        f"{ROWS} {AUGMENTED}"
    ),
}


def segment_rows(name: str, run: Path, segments: Store) -> list[dict[str, Any]]:
    """Probabilities of each segment from what `hmstrain test` wrote."""
    with np.load(run / f"test-{segments.identity[:12]}.npz") as found:
        target, prediction = found["target"], found["prediction"]
        labels = found["label_id"].tolist()
    return [
        {
            "model": name,
            "segment": label,
            "is": CLASSES[int(truth.argmax())],
            "says": CLASSES[int(said.argmax())],
            **{kind: round(float(p), 3) for kind, p in zip(CLASSES, said, strict=True)},
        }
        for label, truth, said in zip(labels, target, prediction, strict=True)
    ]


def summary(name: str, run: Path, segments: Store, rows: list[dict[str, Any]]) -> str:
    """How many of the segments are right, and KL there and on simulated test windows."""
    there = json.loads((run / f"test-{segments.identity[:12]}.json").read_text())["test"]
    here = RunFolder(run).outcome().test
    assert here is not None
    right = sum(row["is"] == row["says"] for row in rows)
    low, high = there["intervals"]["kl"]
    return (
        f"{name}: {right} of {len(rows)} right, KL {there['kl']:.3f} [{low:.3f}, {high:.3f}] "
        f"(simulated test windows: accuracy {here['accuracy']:.3f}, KL {here['kl']:.3f})"
    )


def main() -> None:
    """Make the data unless they are there, train, test on the segments, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument(
        "--segments", type=Path, required=True, help="real segments in the competition's layout"
    )
    parser.add_argument("--windows", type=int, default=8000)
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows)
    path = work / "segments.zarr"
    command("hmsprep", "build", arguments.segments, path, "--split-by", "all", "--force")
    segments = Store.open(path)
    rows, summaries = [], []
    for name, options in MODELS.items():
        run = work / f"segments-{name.replace(', ', '-')}"
        train(store.path, run, options)
        command("hmstrain", "test", run, "--store", path)
        found = segment_rows(name, run, segments)
        summaries.append(summary(name, run, segments, found))
        rows += found
    commands = "; ".join(f"`{name}`: `hmstrain run {words}`" for name, words in MODELS.items())
    note = (
        f"Trained on {len(store):,} simulated windows and nothing else; tested on {len(segments)} "
        f"real segments, where chance is one in six. {'. '.join(summaries)}. "
        "A segment has one vote, so its KL is the logarithm of what its class was given. "
        f"Runs: {commands}."
    )
    write_record("real-segments", rows, note, arguments)


if __name__ == "__main__":
    main()
