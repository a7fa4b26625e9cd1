"""Epochs of training on a GPU: how long they take, and how little of that is waiting for data.

ConvNeXt-Tiny on spectrograms in bfloat16 with channels last, from a store that is mapped and from
one that the GPU's memory holds. Validations, tests and checkpoints count, as in any run; how long
the steps alone took stands beside.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import simulated_store
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.distributed import join_world
from hmstrain.errors import ConfigError, DataError
from hmstrain.runs.folder import RunFolder
from hmstrain.training.run import run as train

WAYS = ("map", "device")


def measure(config: Config, store: Store, folder: Path) -> dict[str, Any]:
    """One run."""
    lines: list[tuple[int, float, float]] = []
    sizes: dict[str, int] = {}

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if event == "start":
            sizes.update(windows=values["train"], validated=values["valid"], tested=values["test"])
        elif event == "train":
            steps = values["step"] - (lines[-1][0] if lines else 0)
            seconds = steps * config.batch_size / values["windows_per_s"]
            lines.append((values["step"], seconds, seconds * values["waiting"]))

    with join_world(config.device) as world:
        begun = time.perf_counter()
        train(config, store, RunFolder(folder / "run"), world, tell, resume=False)
        seconds = time.perf_counter() - begun
        name = torch.cuda.get_device_name() if world.device.type == "cuda" else str(world.device)
    shutil.rmtree(folder / "run")
    _, training, waited = (sum(values) for values in zip(*lines, strict=True))
    later = lines[1:] or lines  # the first warms up, and compiles
    rate = config.batch_size * (lines[-1][0] - lines[0][0] or lines[0][0])
    return {
        "device": name,
        "model": f"{config.model}, {config.inputs}",
        "data": config.data,
        "compiled": config.compile,
        "windows of an epoch": sizes["windows"],
        "validated each epoch": sizes["validated"],
        "tested": sizes["tested"],
        "seconds": round(seconds, 1),
        "of that, steps": round(training, 1),
        "windows/s while training": round(rate / sum(taken for _, taken, _ in later), 1),
        "waiting": f"{waited / training:.2%}",
    }


def main() -> None:
    """Make a store unless one is given, train, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--store", type=Path, help="a store; made of simulated data if not given")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="convnext_tiny")
    parser.add_argument("--image-size", type=int, default=224, help="0: full resolution")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--sample", default="window", help="windows of an epoch: window, votes, eeg"
    )
    parser.add_argument("--data", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    size = arguments.image_size or "400 x 300"
    note = (
        f"{arguments.epochs} epochs, images of {size} pixels, batches of {arguments.batch_size}, "
        "in bfloat16 with channels last. 'seconds' from the start of a run to its end, with "
        "validations, tests and checkpoints; 'windows/s while training' without the first steps, "
        "which warm up. 'waiting' is the share of the steps' time that the loop spent "
        "waiting for the loader, as `hmstrain run` logs it."
    )
    folder = Path(tempfile.mkdtemp(prefix="hms-gpu-"))
    rows = []
    try:
        with join_world(arguments.device):  # refuses a device that is not here, before any work
            pass
        store = Store.open(arguments.store) if arguments.store else simulated_store(folder, 2_000)
        for data in arguments.data:
            config = Config(
                model=arguments.model,
                inputs="spec",
                image_size=arguments.image_size,
                batch_size=arguments.batch_size,
                epochs=arguments.epochs,
                sample=arguments.sample,
                device=arguments.device,
                precision="bfloat16",
                channels_last=True,
                compile=arguments.compile,
                data=data,
            )
            try:
                rows.append(measure(config, store, folder))
            except DataError as error:  # the store does not fit into the device's memory
                rows.append({"data": data, "seconds": str(error)})
            # After each, so that rows are kept if the run is cut short.
            write_record(f"gpu-{arguments.device.partition(':')[0]}", rows, note, arguments)
    except ConfigError as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
