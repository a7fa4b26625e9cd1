"""Training steps fed by the loader, beside the very same steps on a batch that is already there.

A run's own steps: inputs, network, loss, optimiser, log. In turn they are fed by the loader of the
mapped store, by the store held in the device's memory, and by one batch again and again. The share
of the time spent waiting for data is what `hmstrain run` logs. On a GPU each model runs as it is,
in bfloat16 with channels last, and compiled too; on a CPU as it is.
"""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import simulated_store
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs import signal_names
from hmstrain.data.loader import Batch, Loader, MappedLoader, R, ResidentLoader, stored_batch
from hmstrain.data.steps import steps as steps_of
from hmstrain.distributed import World, join_world
from hmstrain.errors import ConfigError, DataError
from hmstrain.runs.folder import RunFolder
from hmstrain.training.train import Run

ROUNDS = 5
MODELS = ("naive_cnn", "efficientnet_b0", "convnext_tiny")
GPU_WAYS: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16, channels last": {"precision": "bfloat16", "channels_last": True},
    "compiled too": {"precision": "bfloat16", "channels_last": True, "compile": True},
}
CPU_WAYS: dict[str, dict[str, Any]] = {"float32": {}}
THERE = "batch that is there"
RESIDENT = "store on the device"


class SameBatch:
    """Hands out one batch again and again: no loader can be faster."""

    def __init__(self, store: Store, config: Config, size: int, device: torch.device) -> None:
        rows = np.arange(size) % len(store)
        self.batch = stored_batch(store, rows, signal_names(config), device)
        self.waited_s = 0.0

    def load(self, requests: Iterable[R]) -> Iterator[tuple[R, Batch]]:
        """The batch, as often as it is asked for."""
        for request in requests:
            yield request, self.batch

    def close(self) -> None:
        """Nothing to let go of."""


def finished(device: torch.device) -> float:
    """The time, once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def measure(config: Config, store: Store, folder: Path, steps: int, world: World) -> dict[str, Any]:
    """Steps of one run, fed in three ways in turn."""
    run_folder = RunFolder(folder / "run")
    run_folder.begin(config, store)
    waiting: dict[int, list[float]] = defaultdict(list)

    def tell(event: str, figures: Any) -> None:
        if event == "train" and run.loader is loaders["loader"]:
            waiting[number].append(figures["waiting"])

    run = Run(config, store, run_folder, world, tell)
    epoch = run.epochs[0]
    loaders: dict[str, Loader] = {
        THERE: SameBatch(store, config, epoch.windows, world.device),
        "loader": MappedLoader(store, signal_names(config), config.batch_size, world.device),
    }
    with suppress(DataError):  # it does not fit
        loaders[RESIDENT] = ResidentLoader(store, signal_names(config), world.device)
    run.loader.close()
    run.state.begin_stage(epoch.stage, len(loaders) * (ROUNDS + 1) * steps)
    number = 0
    coming = chain.from_iterable(steps_of(config, store, epoch, world) for _ in count())
    seconds: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(ROUNDS + 1):
        for name, loader in loaders.items():
            run.loader = loader
            start = finished(world.device)
            run._take_steps(epoch, islice(coming, steps), run.progress.step + steps)
            if number:  # the first round warms up
                seconds[name].append(finished(world.device) - start)
    for loader in loaders.values():
        loader.close()
    run.close()
    shutil.rmtree(run_folder.path)
    rounds = [statistics.mean(values) for turn, values in waiting.items() if turn]
    return compared(seconds, steps * epoch.windows) | {
        "waiting": f"{statistics.median(rounds):.2%}"
    }


def compared(seconds: dict[str, list[float]], windows: int) -> dict[str, Any]:
    """Rates of some windows in each way, and beside those of the batch that is there."""
    made: dict[str, Any] = {
        f"{name}, windows/s": round(windows / statistics.median(taken), 1)
        for name, taken in seconds.items()
    }
    for name in ("loader", RESIDENT):
        if name not in seconds:
            made |= dict.fromkeys((f"{name}, windows/s", f"{name} / there"), "does not fit")
            continue
        ratios = sorted(a / b for a, b in zip(seconds[THERE], seconds[name], strict=True))
        made[f"{name} / there"] = (
            f"{statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})"
        )
    return made


def main() -> None:
    """Make a store unless one is given, measure every model, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--store", type=Path, help="a store; made of simulated data if not given")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--inputs", default="spec")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=0, help="0: full resolution")
    parser.add_argument("--steps", type=int, help="of a round; 50 on a GPU, else 4")
    arguments = parser.parse_args()
    steps = arguments.steps or (4 if arguments.device == "cpu" else 50)
    size = arguments.image_size or "400 x 300"
    note = (
        f"Inputs {arguments.inputs}, images of {size} pixels, batches of {arguments.batch_size}, "
        f"on {arguments.device}; {ROUNDS} rounds of {steps} steps fed in turn, medians "
        "and ranges. 'there' is one batch that is in the device's memory already. 'waiting' is the "
        "share of its time that the loop spent waiting for the loader, as `hmstrain run` logs it."
    )
    kind = arguments.device.partition(":")[0]
    folder = Path(tempfile.mkdtemp(prefix="hms-step-"))
    rows = []
    try:
        with join_world(arguments.device) as world:  # refuses a device that is not here
            store = Store.open(arguments.store) if arguments.store else simulated_store(folder, 500)
            base = Config(
                inputs=arguments.inputs,
                batch_size=arguments.batch_size,
                image_size=arguments.image_size,
                device=arguments.device,
                epochs=1,
            )
            for model in arguments.models:
                for way, changed in (GPU_WAYS if arguments.device != "cpu" else CPU_WAYS).items():
                    config = dataclasses.replace(base, model=model, **changed)
                    row = {"model": model, "arithmetic": way}
                    rows.append(row | measure(config, store, folder, steps, world))
                    # After each, so that rows are kept if the run is cut short.
                    write_record(f"step-{kind}", rows, note, arguments)
    except ConfigError as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
