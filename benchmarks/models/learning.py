"""Do the models learn the real thing? Runs on simulated data, whose best possible score is known.

Trains through `hmstrain run`, as a user would, on about 2,000 simulated windows:

- single models, against the constant prediction and the truth that votes were drawn from;
- spectrogram and EEG against spectrogram alone, and contrastive against the same network without,
  three seeds each: paired differences of KL over the test windows, averaged over seeds, with a 95%
  interval that resamples patients.

Rerun the same command to resume.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.recipe import truth
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import simulated_store, train
from hmsstore import Store
from hmsstore.windows import typical_rows
from hmstrain.runs.outcome import score_text
from hmstrain.scoring.bootstrap import paired_difference
from hmstrain.scoring.formulas import kl_rows

AUGMENTED = "--sample votes --set swap=0.5 --set shift_s=3 --set channel_dropout=0.1 --set ema=0.95"
IMAGE = f"--image-size 128 --set eeg_seconds=16 --set validate_every=60 {AUGMENTED}"
SMALL = (
    "--image-size 96 --set eeg_seconds=12 --set spectrogram_rows=120,180 --learning-rate 3e-3 "
    f"--set validate_every=60 {AUGMENTED}"
)
"""Few pixels, for a network whose linear layer sees every one of them."""
SURE = "--set norm_windows=512"
"""Batch norm measured anew before each validation: a short training's running means are far off."""
SINGLE = {
    "naive CNN, spec+eeg": f"--model naive_cnn --inputs spec+eeg --epochs 30 {SMALL} {SURE}",
    "resnet10t, EEG": f"--model resnet10t --inputs eeg --epochs 20 {IMAGE} {SURE}",
    "raw EEG, 1-D": (
        f"--model resnet1d --inputs eeg --epochs 15 --set eeg_seconds=16 {AUGMENTED} {SURE}"
    ),
}
PAIRED = {
    "spec": f"--model naive_cnn --inputs spec --epochs 12 {SMALL}",
    "spec+eeg": f"--model naive_cnn --inputs spec+eeg --epochs 12 {SMALL}",
    "contrastive": f"--model naive_cnn --inputs spec+eeg --contrastive --epochs 12 {SMALL}",
}
SEEDS = (0, 1, 2)


def single(work: Path, store: Store, best_kl: dict[str, float]) -> list[dict[str, Any]]:
    """How much of the gap between constant and truth each model closes."""
    rows = []
    for name, options in SINGLE.items():
        outcome = train(store.path, work / name.replace(", ", "-").replace(" ", "-"), options, 0)
        test, constant = outcome.test, outcome.constant
        assert test is not None
        assert constant is not None
        row: dict[str, Any] = {"what": name}
        for key in ("kl", "kl_votes"):
            kl, usual = test[key] or np.nan, constant[key] or np.nan
            closed = (usual - kl) / (usual - best_kl[key])
            row |= {
                key: round(kl, 3),
                f"{key} of constant": round(usual, 3),
                f"{key} of truth": round(best_kl[key], 3),
                f"{key} gap closed": f"{closed:.0%}",
            }
        rows.append(row | {"accuracy": score_text(test["accuracy"])})
    return rows


def paired(work: Path, store: Store) -> list[dict[str, Any]]:
    """Differences over three seeds, and how well the embeddings match."""
    rows = store.select("test")
    target = store.windows["target"][rows]
    patients = store.windows["patient_id"][rows]
    divergence: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in PAIRED}
    alignment = []
    for seed in SEEDS:
        for name, options in PAIRED.items():
            out = work / f"{name}-seed{seed}"
            outcome = train(store.path, out, options, seed)
            with np.load(out / "predictions.npz") as found:
                divergence[name].append(kl_rows(target, found["prediction"]))
            if outcome.alignment is not None:
                alignment.append(asdict(outcome.alignment))
    places = typical_rows(store.windows, rows)["votes"]
    made = []
    for better, than in (("spec+eeg", "spec"), ("contrastive", "spec+eeg")):
        first, second = (np.mean(divergence[name], axis=0) for name in (better, than))
        row: dict[str, Any] = {"what": f"{better} less {than}"}
        for key, part in (("kl", np.arange(len(rows))), ("kl_votes", places)):
            less, span = paired_difference(first[part], second[part], patients[part])
            low, high = span or (np.nan, np.nan)
            row[key] = f"{less:+.3f} [{low:+.3f}, {high:+.3f}]"
            row[f"{key} by seed"] = ", ".join(
                f"{(a - b)[part].mean():+.3f}"
                for a, b in zip(divergence[better], divergence[than], strict=True)
            )
        made.append(row)
    made.append(
        {"what": "embeddings, contrastive"}
        | {
            key.replace("_", " "): round(float(np.mean([one[key] for one in alignment])), 3)
            for key in ("positive_cosine", "negative_cosine", "retrieval_at_1", "chance")
        }
    )
    return made


def main() -> None:
    """Make the data unless they are there, train, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument("--windows", type=int, default=2000)
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows)
    rows = store.select("test")
    divergence = kl_rows(store.windows["target"][rows], truth(work / "data", store, rows))
    places = typical_rows(store.windows, rows)["votes"]
    best_kl = {"kl": float(divergence.mean()), "kl_votes": float(divergence[places].mean())}
    found = [*single(work, store, best_kl), *paired(work, store)]
    cells = [{"what": r.pop("what"), "found": _words(r)} for r in found]
    options = [f"`{name}`: `hmstrain run {words}`" for name, words in (SINGLE | PAIRED).items()]
    note = (
        f"{len(store):,} simulated windows, {len(rows)} of them tested, patients apart. "
        "A negative difference means that the first is better. Runs: " + "; ".join(options) + "."
    )
    write_record("learning", cells, note, arguments)


def _words(row: dict[str, Any]) -> str:
    return "; ".join(f"{key} {value}" for key, value in row.items())


if __name__ == "__main__":
    main()
