"""What does a simulator teach of real EEG? The same networks from several, on real segments.

Trains each model, networks and models of hand features, with several seeds on a store of each
simulator, all with the same options, and tests all on real labelled segments (see
`models.real_segments`), looking at the central ten seconds alone. A calibration (temperature and
bias of each class) is fitted for each run to the half 'choose', so its figures on that half are too
good. Differences are paired by segment, of each segment's mean over the seeds; intervals resample
patients.

Sources are never pooled alone: 'all' stands beside each of them. Rerun the same command to resume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.real_segments import HALVES, Rows, answers, note_evaluation, read_split
from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command, train
from hmsstore import CLASSES, Store
from hmstrain.scoring.bootstrap import interval, paired_difference
from hmstrain.scoring.fitting import fit_logits, logs, softmax
from hmstrain.scoring.formulas import Floats, kl_rows

COMMON = (
    "--inputs eeg --set eeg_seconds=10 --sample votes --set swap=0.5 --set shift_s=3 "
    "--set channel_dropout=0.1 --set ema=0.98 --set norm_windows=512 --set validate_every=200"
)
JUDGED = "--model features --set features_span=judged --balance votes"
NETWORKS = {
    "resnet10t": f"--model resnet10t --image-size 128 {COMMON}",
    "resnet1d": f"--model resnet1d {COMMON}",
    "boosted": f"{JUDGED} --set model.kind=boosted",
    "linear": f"{JUDGED} --set model.kind=linear",
}
ALL = "all"


@dataclass(frozen=True, slots=True)
class Family:
    """One network from one simulator, trained with several seeds: (S, N, K) predictions."""

    plain: NDArray[np.float64]
    calibrated: NDArray[np.float64]

    @classmethod
    def of(cls, said: NDArray[np.float64], target: Floats, choose: Rows) -> Family:
        """Calibrate the predictions of each seed by the rows that may be looked at."""
        fitted = []
        for one in said:
            (slope,), bias = fit_logits(one[None, choose], target[choose])
            fitted.append(softmax(slope * logs(one) + bias))
        return cls(said, np.stack(fitted))


def kl_of(said: NDArray[np.float64], target: Floats) -> Floats:
    """KL divergence (S, N) of each seed and segment."""
    return np.stack([kl_rows(target, one) for one in said])


def right_of(said: NDArray[np.float64], target: Floats) -> NDArray[np.bool_]:
    """Whether each seed's answer (S, N) has as many votes as any other class."""
    top = target == target.max(axis=1, keepdims=True)
    return np.stack([top[np.arange(len(target)), one.argmax(axis=1)] for one in said])


def balanced(right: NDArray[np.bool_], target: Floats) -> Floats:
    """Mean (S,) over the classes that lead in some segment of the share that is right."""
    leading = target.argmax(axis=1)
    each = [right[:, leading == one].mean(axis=1) for one in np.unique(leading)]
    mean: Floats = np.stack(each).mean(axis=0)
    return mean


def with_spread(values: Floats, digits: int = 3) -> str:
    """Mean over seeds and, of more than one, their standard deviation."""
    spread = f" ({values.std(ddof=1):.{digits}f})" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


def options_of(network: str, options: str) -> str:
    """Options of a network's runs; those of steps mean nothing to a model of hand features."""
    given = NETWORKS[network]
    return given if given.startswith(JUDGED) else f"{given} {options}"


def span(found: tuple[float, float] | None) -> str:
    """An interval as text; nothing where there is none."""
    return "" if found is None else f" [{found[0]:+.3f}, {found[1]:+.3f}]"


def table(
    families: Mapping[tuple[str, str], Family],
    parts: Mapping[tuple[str, str], Rows],
    target: Floats,
    patients: NDArray[np.int64],
) -> list[dict[str, Any]]:
    """One row for each part of the segments and each network of each simulator.

    Each is paired with the same network of the first simulator, and with the first network of it.
    """
    reference, first = next(iter(families))
    rows = []
    for (source, half), of_part in parts.items():
        truth, whose = target[of_part], patients[of_part]
        for (network, simulator), family in families.items():
            said, fitted = family.plain[:, of_part], family.calibrated[:, of_part]
            right, kl = right_of(said, truth), kl_of(said, truth)
            row: dict[str, Any] = {
                "source": source,
                "half": half,
                "network": network,
                "simulator": simulator,
                "segments": len(of_part),
                "kl": with_spread(kl.mean(axis=1)) + span(interval(kl.mean(axis=0), whose)),
                "calibrated": with_spread(kl_of(fitted, truth).mean(axis=1)),
                "right": with_spread(right.sum(axis=1).astype(float), 1),
                "balanced": with_spread(balanced(right, truth)),
            }
            for name, other in (
                (f"kl less {first}", (network, first)),
                (f"kl less {first} {reference}", (reference, first)),
            ):
                row[name] = ""
                if other != (network, simulator):
                    base = kl_of(families[other].plain[:, of_part], truth)
                    less, found = paired_difference(kl.mean(axis=0), base.mean(axis=0), whose)
                    row[name] = f"{less:+.3f}{span(found)}"
            rows.append(row)
    return rows


def main() -> None:
    """Train, test, write the record."""
    parser = command_line(__doc__)
    parser.add_argument(
        "--stores", nargs="+", required=True, help="NAME=STORE of each simulator, first the oldest"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for runs; kept")
    parser.add_argument("--segments", type=Path, required=True, help="real segments and split.csv")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--options", default="--epochs 16", help="further options of networks")
    parser.add_argument("--record", default="transfer", help="name of the record")
    parser.add_argument("--half", choices=HALVES, help="look at this half alone; default: both")
    arguments = parser.parse_args()
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    stores = dict(one.split("=", 1) for one in arguments.stores)
    filled = Store.open(next(iter(stores.values()))).info["parameters"]["nan"]
    command(
        "hmsprep", "build", arguments.segments, work / "segments.zarr",
        "--split-by", "all", "--nan", filled, "--force",
    )  # fmt: skip
    if any(NETWORKS[name].startswith(JUDGED) for name in arguments.networks):
        for path in (*stores.values(), work / "segments.zarr"):
            command("hmsprep", "features", path, "--span", "judged")
    segments = Store.open(work / "segments.zarr")
    split = read_split(arguments.segments, segments)
    target = segments.windows["target"].astype(np.float64)
    choose = np.concatenate([rows for (_, half), rows in split.items() if half == HALVES[0]])
    runs = {
        (network, simulator): [
            work / "runs" / f"{network}-{simulator}-seed{seed}" for seed in range(arguments.seeds)
        ]
        for network in arguments.networks
        for simulator in stores
    }
    for seed in range(arguments.seeds):
        for (network, simulator), of_seed in runs.items():
            options = options_of(network, arguments.options)
            train(Path(stores[simulator]), of_seed[seed], options, seed)
    families = {}
    for key, of_family in runs.items():
        said = dict(answers(of_family, [], segments, work / "scores"))
        each = np.stack([said[run.name] for run in of_family])
        if not np.isfinite(each).all():
            raise SystemExit(f"{key}: not every segment holds as much as the network has seen.")
        families[key] = Family.of(each, target, choose)
    wanted = [half for half in HALVES if arguments.half in (None, half)]
    parts = {key: rows for key, rows in split.items() if key[1] in wanted}
    note_evaluation(arguments.results, parts, [run for some in runs.values() for run in some])
    for half in wanted:
        parts[ALL, half] = np.concatenate([rows for (_, one), rows in split.items() if one == half])
    if len(wanted) == len(HALVES):
        for source in dict.fromkeys(source for source, _ in split):
            parts[source, "both"] = np.concatenate(
                [rows for (one, _), rows in split.items() if one == source]
            )
        parts[ALL, "both"] = np.arange(len(segments))
    rows = table(families, parts, target, segments.windows["patient_id"].astype(np.int64))
    about = "; ".join(
        f"{name}: {len(store):,} windows of identity {store.identity[:16]}"
        for name, store in ((name, Store.open(path)) for name, path in stores.items())
    )
    note = (
        f"Networks that were trained on simulated windows alone ({about}), with "
        f"{arguments.seeds} seeds each, on real segments with the votes of real experts. In round "
        "brackets the standard deviation over seeds; in square brackets the 95% interval over "
        "patients of the seeds' mean. 'calibrated': after a temperature and a bias of each of "
        f"{len(CLASSES)} classes, fitted to the half 'choose' for each run: too good there. "
        "'right': segments of which the answer has the most votes. Options: "
        + "; ".join(
            f"{name}: `{options_of(name, arguments.options)}`" for name in arguments.networks
        )
        + "."
    )
    write_record(arguments.record, rows, note, arguments)


if __name__ == "__main__":
    main()
