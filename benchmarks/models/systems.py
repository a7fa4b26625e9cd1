"""Every system on equal terms: one store, the same windows seen, the same test of other patients.

Trains each system through `hmstrain run`, as a user would, until it has seen as many windows as all
others; then the five that validation likes best with two further seeds. All are compared with the
naive CNN on the test windows, paired. A row whose network or images are smaller than its authors'
is marked and not ranked: it shows that the system learns, and no more.

`models.real_segments --runs WORK/systems` tests the same networks on real segments.

Rerun the same command to resume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import pace, simulated_store, train
from hmsstore import Store
from hmstrain.models.network import count_parameters, make_network
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.comparison import Comparison, compare_matched, matched_answers

BATCH = 16
COMMON = (
    f"--batch-size {BATCH} --set validate_every=125 --set norm_windows=256 --set swap=0.5 "
    "--set shift_s=3 --set ema=0.95 --set context_dropout=0.25"
)
"""The context is left out of a quarter, so that segments of ten seconds can be scored too."""
BEST = 5
"""Systems that are trained with further seeds."""
SEEDS = (0, 1, 2)
REFERENCE = "naive_cnn-spec"
SHOWN = {"kl_votes": 3, "kl_hi": 3, "balanced_accuracy": 3}


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table."""

    name: str
    options: str
    """Of `hmstrain run`, beside those that all have in common."""
    toy: bool = False
    """Whether its network or images are smaller than its authors'; then it is not ranked."""


def raw(model: str, *, seconds: int = 16) -> System:
    """A 1-D encoder as its authors made it, on the seconds around those that were judged."""
    return System(model, f"--model {model} --inputs eeg --set eeg_seconds={seconds}")


def image(model: str, inputs: str, more: str = "", *, size: int = 128) -> System:
    """An image network on images that are smaller than its authors'."""
    options = f"--model {model} --inputs {inputs} --image-size {size} --set standardise=window"
    return System(f"{model}-{inputs}", f"{options} {more}".strip(), toy=True)


SYSTEMS: tuple[System, ...] = (
    System(REFERENCE, "--model naive_cnn --inputs spec --set standardise=window"),
    System("naive_cnn-spec+eeg", "--model naive_cnn --inputs spec+eeg --set standardise=window"),
    image("efficientnet_b0", "spec+eeg"),
    image("efficientnet_v2_s", "spec+eeg", size=64),
    image("convnext_tiny", "spec+eeg", size=64),
    image("efficientnet_b0", "side-by-side"),
    image("resnet10t", "eeg", "--set eeg_seconds=16"),
    image("resnet10t", "mel16", size=192),
    image("resnet10t", "mel16-zoom", "--set planes=difference", size=192),
    image("resnet10t", "stft-50-10", size=192),
    image("resnet10t", "stft-50-30-10", size=192),
    image("resnet10t", "raw-image", size=192),
    image("resnet10t", "spec+raw", "--set eeg_model=wavenet --set eeg_seconds=16"),
    raw("wavenet"),
    raw("resnet1d"),
    raw("resnet1d_gru"),
    raw("squeezeformer"),
    raw("efficientnet1d"),
    raw("symmetric1d"),
    raw("sparcnet", seconds=10),
    raw("eegnet"),
    raw("deep4"),
    raw("shallow_fbcsp"),
    raw("conformer"),
    raw("graph"),
)


def run_all(store: Store, work: Path, systems: Sequence[System], options: str) -> dict[str, Path]:
    """Train systems that are not trained yet; where each one's first seed lies."""
    runs = {}
    for system in systems:
        runs[system.name] = work / f"{system.name}-seed0"
        train(store.path, runs[system.name], f"{system.options} {options}")
    return runs


def best_of(runs: Mapping[str, Path]) -> list[str]:
    """Names of the systems with the lowest `kl_votes` on the fold that was held out."""
    found = {}
    for name, run in runs.items():
        value = RunFolder(run).outcome().valid_kl_votes
        assert value is not None
        found[name] = value
    return sorted(found, key=lambda name: found[name])[:BEST]


def table(found: Comparison, runs: Mapping[str, Path], toys: set[str]) -> list[dict[str, Any]]:
    """One row for each system, the lowest `kl_votes` first; ranks are of those that have one."""
    by_run = {Path(one.path).parent.name: one for one in found.models.values()}
    rank, rows = 0, []
    ordered = sorted(runs, key=lambda name: by_run[runs[name].name].scores["kl_votes"])
    for name in ordered:
        model = by_run[runs[name].name]
        if ranked := name not in toys:
            rank += 1
        row: dict[str, Any] = {
            "system": name,
            "rank": rank if ranked else "toy",
            "seeds": model.seeds,
        }
        for key, digits in SHOWN.items():
            low, high = model.scores.intervals[key] or (np.nan, np.nan)
            value = model.scores[key]
            row[key] = f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
        less = found.differences.get(model.name, {}).get("kl_votes")
        row[f"kl_votes less {REFERENCE}"] = ""
        if less is not None and less.interval is not None:
            low, high = less.interval
            row[f"kl_votes less {REFERENCE}"] = f"{less.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        config = RunFolder(runs[name]).config()
        row["parameters"] = f"{count_parameters(make_network(config, start=False)):,}"
        row["windows/s"] = f"{pace(runs[name])[0]:.1f}"
        rows.append(row)
    return rows


def main() -> None:
    """Make the data unless they are there, train, compare, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=500, help=f"steps of {BATCH} windows")
    parser.add_argument("--systems", nargs="*", help="only these, and the reference")
    parser.add_argument("--options", default="", help="further options of all runs")
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows, "--nan", "mean")
    chosen = [
        one
        for one in SYSTEMS
        if arguments.systems is None or one.name in (REFERENCE, *arguments.systems)
    ]
    options = f"{COMMON} --epochs 1000 --steps {arguments.steps} {arguments.options}".strip()
    runs = run_all(store, work / "systems", chosen, options)
    folders = list(runs.values())
    by_name = {one.name: one for one in chosen}
    for name in best_of(runs):
        for seed in SEEDS[1:]:
            folder = work / "systems" / f"{name}-seed{seed}"
            train(store.path, folder, f"{by_name[name].options} {options}", seed)
            folders.append(folder)
    matched = matched_answers(folders, truth=store, rows="typical", split="test")
    found = compare_matched(matched, rows="typical", group_seeds=True)
    rows = table(found, runs, {one.name for one in chosen if one.toy})
    constant = RunFolder(runs[REFERENCE]).outcome().constant
    assert constant is not None
    level = constant["kl_votes"]
    note = (
        f"{len(store):,} simulated windows of identity {store.identity[:16]}, "
        f"{len(store.select('test')):,} of them tested, patients apart. Each network saw "
        f"{arguments.steps * BATCH:,} windows; a constant prediction has kl_votes "
        f"{level:.3f}. Systems with three seeds are the {BEST} best by validation. "
        "'toy': network or images smaller than its authors', not ranked. All ran with "
        f"`hmstrain run {options}`, and "
        + "; ".join(f"{one.name}: `{one.options}`" for one in chosen)
        + "."
    )
    write_record("systems", rows, note, arguments)


if __name__ == "__main__":
    main()
