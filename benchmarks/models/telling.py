"""Tell simulated windows from real ones, by measures and by a small network.

Judges learn to tell samples of windows apart and are scored on patients held out, within each class
(see `hmsprep realism`): a linear model and trees on 137 measures, and a small network on the
bipolar signals themselves. All look at the central seconds alone, filtered alike. Compared are

- real windows and those of each simulator, as many as there are;
- each source of real windows and the other sources;
- the same at equal sizes: windows of a simulator stand in for a source, as many of each class,
  drawn again and again.

The first simulator should be told nearly always, which shows that a judge can learn from so few. A
simulator is as near to real EEG as one source to others if it is told no better, in the place of a
source, than the source itself. One half of the real windows is looked at, or both: each look is
logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter
from torch import Tensor, nn

from benchmarks.models.real_segments import HALVES, note_evaluation
from benchmarks.tools.record import command_line, write_record
from hmsprep import processes
from hmsprep.likeness.make import sources_beside
from hmsprep.likeness.sample import NO_CLASS, Sample, majority, measure, read_sources, rows_of
from hmsprep.likeness.stand_ins import Drawn, mean_areas, stand_ins
from hmsprep.likeness.two_samples import Auc, Fit, tell_apart
from hmsprep.processes import default_workers
from hmsprep.qeeg.judged.discharges import filtered_both_ways
from hmsprep.qeeg.judged.window import BANDPASS_HZ, ORDER
from hmsprep.seeds import generator
from hmsstore import Store
from hmsstore.montage import CHAIN_PAIRS
from hmsstore.reading.observed import judged_rows
from hmsstore.schema import CHANNELS

SHOWN = 600
"""Samples of a window that the network sees at once, anywhere in it while it learns."""
SLOWER = 2
"""What is left of up to 40 Hz is kept at half of 200 Hz."""
USUAL_UV = 30.0
"""Larger values are compressed."""
BATCH, RATE, DECAY = 32, 2e-3, 1e-2
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


class Network(nn.Module):
    """Signals (B, P, T) -> logits (B,) of being of the second sample; 10,000 numbers."""

    def __init__(self, pairs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(pairs, 16, 9, stride=4, padding=4), nn.GroupNorm(4, 16), nn.GELU(),
            nn.Conv1d(16, 32, 7, stride=2, padding=3), nn.GroupNorm(4, 32), nn.GELU(),
            nn.Conv1d(32, 32, 5, stride=2, padding=2), nn.GELU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(64, 1))

    def forward(self, signals_BPT: Tensor) -> Tensor:
        """Mean and deviation over time of what the convolutions see, weighed."""
        seen_BCT = self.body(signals_BPT)
        both = torch.cat([seen_BCT.mean(2), seen_BCT.std(2)], dim=1)
        logits: Tensor = self.head(both).squeeze(1)
        return logits


def network(steps: int) -> Fit:
    """Make the judge that trains a network for so many steps."""

    def fit(
        x_NPT: Floats, second: NDArray[np.bool_], weights: Floats, seed: int
    ) -> Callable[[Floats], Floats]:
        torch.manual_seed(seed)
        rng = generator(seed, "telling network", len(x_NPT))
        model = Network(x_NPT.shape[1])
        optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        signals, target = np.asarray(x_NPT, np.float32), second.astype(np.float32)
        for _ in range(steps):
            rows = rng.choice(len(signals), BATCH, p=weights / weights.sum())
            first = int(rng.integers(signals.shape[2] - SHOWN + 1))
            shown = torch.from_numpy(signals[rows, :, first : first + SHOWN])
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(shown), torch.from_numpy(target[rows])
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        model.eval()

        def score(values_NPT: Floats) -> Floats:
            """Mean logit of the beginning, the middle and the end of each window."""
            room = values_NPT.shape[2] - SHOWN
            each = []
            with torch.no_grad():
                for first in (0, room // 2, room):
                    shown = np.asarray(values_NPT[:, :, first : first + SHOWN], np.float32)
                    each.append(model(torch.from_numpy(shown)).double().numpy())
            return np.mean(each, axis=0)

        return score

    return fit


def whole(store: Store) -> NDArray[np.bool_]:
    """Of which windows all of the judged seconds was recorded, bool (N,)."""
    if store.gaps is None:
        raise SystemExit(f"{store.path} was built before gaps were kept: build it again.")
    rows = np.arange(len(store))
    found: NDArray[np.bool_] = store.observed(rows, "eeg")["eeg"].judged >= 1 - 1e-9
    return found


def drawn(store: Store, count: int, seed: int, least_votes: int = 0) -> Whole:
    """Rows of so many windows with a class and votes: one of each patient before a second."""
    votes = store.windows["votes"]
    known = whole(store) & (majority(votes) != NO_CLASS) & (votes.sum(axis=1) >= least_votes)
    rows = generator(seed, "telling windows", 0).permutation(np.flatnonzero(known))
    first = np.sort(np.unique(store.windows["patient_id"][rows], return_index=True)[1])
    order = np.concatenate([rows[first], np.delete(rows, first)])
    return np.sort(order[:count])


def traces(store: Store, rows: Whole) -> Floats:
    """Bipolar signals (N, 16, T) of the judged seconds, filtered as they are for measuring."""
    begin, stop = judged_rows(store.spec, "eeg")
    rate = store.spec.eeg.row_rate_hz
    sos = butter(ORDER, BANDPASS_HZ, "bandpass", fs=rate, output="sos")
    front, back = ([CHANNELS.index(pair[end]) for pair in CHAIN_PAIRS] for end in (0, 1))
    found = []
    for first in range(0, len(rows), 32):
        eeg_NTC = store.denormalise(store.gather(rows[first : first + 32], "eeg"))["eeg"]
        eeg_NCT = eeg_NTC[:, begin:stop].swapaxes(1, 2).astype(np.float64)
        for one in eeg_NCT[:, front] - eeg_NCT[:, back]:
            one -= one.mean(axis=1, keepdims=True)
            slow = filtered_both_ways(sos, one, rate)[:, ::SLOWER]
            found.append(np.arcsinh(slow / USUAL_UV))
        store.release()
    return np.array(found, np.float64)


@dataclass(frozen=True)
class Task:
    """A comparison for one process: of the sources of real windows, or of others with them."""

    real: Sample
    other: Sample | None
    told: Mapping[int, tuple[str, str]]
    steps: int | None
    """Of a network; None: by measures."""
    draws: int
    repeats: int
    resamples: int
    seed: int

    @property
    def judges(self) -> Mapping[str, Fit] | None:
        """What learns; None for models of measures."""
        return None if self.steps is None else {"network": network(self.steps)}


def judged(task: Task) -> list[dict[str, Any]]:
    """A row for each pair of samples and each judge."""
    torch.set_num_threads(1)
    return list(_of_sources(task) if task.other is None else _of_other(task, task.other))


def _of_sources(task: Task) -> Iterator[dict[str, Any]]:
    areas: dict[str, list[tuple[float, int]]] = {}
    for one, rest in sources_beside(task.real, task.told):
        for judge, auc, smaller, row in _told(task, one, rest):
            areas.setdefault(judge, []).append((auc, smaller))
            yield row
    for judge, each in areas.items():
        mean = float(np.average([auc for auc, _ in each], weights=[least for _, least in each]))
        yield _row("sources, mean", judge, Auc(mean, np.nan, np.nan, {}), "", "")


def _of_other(task: Task, other: Sample) -> Iterator[dict[str, Any]]:
    for _, _, _, row in _told(task, task.real, other):
        yield row
    found = [
        stand_in
        for pair in sources_beside(task.real, task.told)
        for stand_in in stand_ins(
            *pair, other, draws=task.draws, seed=task.seed, judges=task.judges
        )
    ]
    for stand_in in found:
        for judge, drawn_areas in stand_in.models.items():
            yield _row(stand_in.title, judge, drawn_areas, _both(stand_in.windows), "")
    for judge, mean in mean_areas(found).items():
        yield _row(f"{other.name} for sources, mean", judge, mean, "", "")


def _told(
    task: Task, one: Sample, other: Sample
) -> Iterator[tuple[str, float, int, dict[str, Any]]]:
    test = tell_apart(
        one, other, resamples=task.resamples, seed=task.seed, judges=task.judges,
        repeats=task.repeats,
    )  # fmt: skip
    if test is not None:
        for judge, auc in test.models.items():
            title, sizes = f"{one.name} | {other.name}", (_both(test.windows), _both(test.patients))
            yield judge, auc.auc, min(test.windows), _row(title, judge, auc, *sizes)


def _both(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}, {sizes[1]}"


def _row(title: str, judge: str, area: Auc | Drawn, windows: str, patients: str) -> dict[str, Any]:
    span = "" if np.isnan(area.low) else f"{area.low:.2f} to {area.high:.2f}"
    return {
        "samples": title.replace(" | ", " / "),  # a bar would end a cell
        "judge": judge,
        "AUC": f"{area.auc:.3f}",
        "95%": span,
        "windows": windows,
        "patients": patients,
    }


def main() -> None:
    """Measure, let judges learn, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--real", type=Path, required=True, help="store of real segments")
    parser.add_argument("--source", type=Path, required=True, help="eeg_id, source, half of them")
    parser.add_argument(
        "--stores", nargs="+", required=True, help="NAME=STORE of each simulator, first the oldest"
    )
    parser.add_argument("--half", choices=HALVES, nargs="+", default=HALVES[:1])
    parser.add_argument("--windows", type=int, default=700, help="of each simulator")
    parser.add_argument("--least-votes", type=int, default=0, help="of each simulated window")
    parser.add_argument("--steps", type=int, default=150, help="of the network")
    parser.add_argument("--draws", type=int, default=10, help="of what stands in for a source")
    parser.add_argument("--network-draws", type=int, default=5, help="the same, for the network")
    parser.add_argument("--repeats", type=int, default=3, help="divisions into folds")
    parser.add_argument("--network-repeats", type=int, default=1, help="the same, for the network")
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--record", default="realism", help="name of the record")
    arguments = parser.parse_args()
    told = read_sources(arguments.source)
    real = Store.open(arguments.real)
    complete = whole(real)
    parts = {}
    for half in arguments.half:
        rows = rows_of(real, told, half, arguments.source)
        parts["all", half] = rows[complete[rows]]
    stores = {"real": (real, np.concatenate(list(parts.values())))}
    for one in arguments.stores:
        name, _, path = one.partition("=")
        store = Store.open(path)
        stores[name] = store, drawn(store, arguments.windows, arguments.seed, arguments.least_votes)
    note_evaluation(arguments.results, parts, [])
    measured = [
        measure(
            store, of, name, bandpass=BANDPASS_HZ, workers=arguments.workers, executor=None,
            measured=lambda _: None,
        )
        for name, (store, of) in stores.items()
    ]  # fmt: skip
    seen = [
        replace(sample, values=traces(store, of), columns=())
        for sample, (store, of) in zip(measured, stores.values(), strict=True)
    ]
    tasks = [
        Task(samples[0], other, told, steps, draws, repeats, arguments.resamples, arguments.seed)
        for samples, steps, draws, repeats in (
            (seen, arguments.steps, arguments.network_draws, arguments.network_repeats),
            (measured, None, arguments.draws, arguments.repeats),
        )
        for other in (*samples[1:], None)
    ]
    with processes.executor(min(arguments.workers, len(tasks)), None) as pool:
        told_of = list(pool.map(judged, tasks))
    middle = len(told_of) // 2
    found = [row for part in (*told_of[middle:], *told_of[:middle]) for row in part]
    order = list(dict.fromkeys(row["samples"] for row in found))
    found.sort(key=lambda row: order.index(row["samples"]))
    about = "; ".join(
        f"{name}: {len(of):,} windows of identity {store.identity[:16]}"
        for name, (store, of) in stores.items()
    )
    note = (
        f"How well judges tell samples of windows apart ({about}; the real ones of "
        f"{' and '.join(map(repr, arguments.half))}), on patients held out and within each class: "
        "0.5 not at all, 1 always. The linear model and the trees go by 137 measures, the network "
        "by the bipolar "
        f"signals: all by the central seconds from {BANDPASS_HZ[0]:g} to {BANDPASS_HZ[1]:g} Hz. "
        "Windows that lack some of these seconds, and simulated ones of fewer than "
        f"{arguments.least_votes} votes, are left out. 'a / NAME for b': windows of a "
        f"simulator in the place of source b, as many of each class, drawn {arguments.draws} "
        f"times ({arguments.network_draws} for the network), each window of another patient where "
        "there are enough: to be held against what "
        "stands for the sources themselves. Intervals of 95% draw patients anew, those of what "
        "stands in are of the draws. Means are weighed by the smaller sample."
    )
    write_record(arguments.record, found, note, arguments)


if __name__ == "__main__":
    main()
