"""Five epochs of training on a GPU: how long they take, and how little of that is waiting for data.

ConvNeXt-Tiny on spectrograms in bfloat16 with channels last, from a store that is mapped and from
one that the GPU's memory holds. Validations and checkpoints count, as in any run.
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


def measure(config: Config, store: Store, folder: Path) -> dict[str, Any]:
    """One run."""
    waiting: list[tuple[float, float]] = []
    seen = [0]

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if event == "start":
            seen.append(values["train"] * config.epochs)
        elif event == "train":
            waiting.append((values["waiting"], values["windows_per_s"]))

    with join_world(config.device) as world:
        begun = time.perf_counter()
        train(config, store, RunFolder(folder / "run"), world, tell, resume=False)
        seconds = time.perf_counter() - begun
        name = torch.cuda.get_device_name() if world.device.type == "cuda" else str(world.device)
    shutil.rmtree(folder / "run")
    later = waiting[1:] or waiting  # the first warms up
    return {
        "device": name,
        "model": f"{config.model}, {config.inputs}",
        "data": config.data,
        "windows of all epochs": seen[-1],
        "seconds": round(seconds, 1),
        "windows/s while training": round(sum(rate for _, rate in later) / len(later), 1),
        "waiting": f"{sum(share for share, _ in later) / len(later):.2%}",
    }


def main() -> None:
    """Make a store unless one is given, train, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--store", type=Path, help="a store; made of simulated data if not given")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="convnext_tiny")
    parser.add_argument("--image-size", type=int, default=0, help="0: full resolution")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-gpu-"))
    rows = []
    try:
        with join_world(arguments.device):  # refuses a device that is not here, before any work
            pass
        store = Store.open(arguments.store) if arguments.store else simulated_store(folder, 2_000)
        for data in ("map", "device"):
            config = Config(
                model=arguments.model,
                inputs="spec",
                image_size=arguments.image_size,
                batch_size=arguments.batch_size,
                epochs=arguments.epochs,
                device=arguments.device,
                precision="bfloat16",
                channels_last=True,
                data=data,
            )
            try:
                rows.append(measure(config, store, folder))
            except DataError as error:  # the store does not fit into the device's memory
                rows.append({"data": data, "seconds": str(error)})
            print(rows[-1], flush=True)
    except ConfigError as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size = arguments.image_size or "400 x 300"
    note = (
        f"{arguments.epochs} epochs, images of {size} pixels, batches of {arguments.batch_size}, "
        "in bfloat16 with channels last. 'waiting' is the share of its time that the loop spent "
        "waiting for the loader, as `hmstrain run` logs it."
    )
    write_record(f"gpu-{arguments.device.partition(':')[0]}", rows, note, arguments)


if __name__ == "__main__":
    main()
