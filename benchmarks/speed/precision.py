"""Networks in each arithmetic, beside float32: how fast they predict and train, how alike they are.

Each network is trained for some steps, then predicts windows in float32, in float32 with channels
last and in bfloat16 with channels last, batch by batch in turn; `auto` takes one of these by the
same rule as `hmstrain predict`. Training steps (forward and backward) take turns likewise, and
`auto` takes one by the rule of `hmstrain run`. Parity is of the probabilities of all windows that
were predicted; after training, of those of a network trained in an arithmetic, which then answers
in it and in float32.
"""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import simulated_store
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.distributed import World, join_world
from hmstrain.events import silent
from hmstrain.models.arithmetic import Arithmetic
from hmstrain.models.choosing import Choice, Parity, Subject, Tried, candidates, compare
from hmstrain.models.evaluate import Evaluator
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.precision import subject_of
from hmstrain.runs.trained import load_trained
from hmstrain.training.run import run as train
from hmstrain.training.train import Run
from hmstrain.training.trial import Trial

MODELS = ("resnet10t", "efficientnet_b0", "resnet1d")
Times = dict[Arithmetic, list[float]]


def take_turns(
    subject: Subject, tried: Sequence[Arithmetic], *, learned: bool = True
) -> tuple[Times, list[Tried]]:
    """Seconds of each batch but the first, and what that and the answers come to."""
    seconds: Times = {one: [] for one in tried}
    answers: dict[Arithmetic, list[Any]] = {one: [] for one in tried}
    for number in range(subject.batches):
        for one in tried:
            subject.lay_out(one)
            begun = time.perf_counter()
            subject.step(one, number)
            if number:
                seconds[one].append(time.perf_counter() - begun)
            answers[one].append(subject.answers(one, number))
    own = tried[0]
    found = []
    for one in tried:
        speed = statistics.median(ratios(seconds, own, one))
        parity = Parity.between(np.concatenate(answers[own]), np.concatenate(answers[one]))
        near = parity.holds if learned else parity.close
        found.append(Tried(one, speed, parity, "" if near else "too far"))
    return seconds, found


def ratios(seconds: Times, own: Arithmetic, one: Arithmetic) -> list[float]:
    """How many times as fast one is, batch by batch, ascending."""
    return sorted(a / b for a, b in zip(seconds[own], seconds[one], strict=True))


def measure(config: Config, store: Store, folder: Path, batches: int, world: World) -> list[Any]:
    """A row for each arithmetic."""
    path = RunFolder(folder / "run")
    train(config, store, path, world, silent, resume=False)
    trained = load_trained(path, world.device)
    rows = np.arange(len(store))
    with trained.evaluator(store, world, rows=rows) as evaluator:
        assert isinstance(evaluator, Evaluator)
        subject = subject_of(trained.network, evaluator, rows, batches)
    tried = candidates(Arithmetic(), trained.network)
    predicting, found = take_turns(subject, tried)
    shutil.rmtree(path.path)
    path.begin(config, store)
    begun = Run(config, store, path, world, silent)
    training, of_training = take_turns(Trial(begun, max(3, batches // 2)), tried, learned=False)
    begun.close()
    shutil.rmtree(path.path)
    taken = Choice.among(found).arithmetic
    taken_to_train = Choice.among(of_training).arithmetic
    trained_in = {
        one: parity_once_trained(one.within(config), store, path, batches, world)
        for one in tried[1:]
    }
    made = []
    for one in found:
        parity = one.parity
        assert parity is not None
        row: dict[str, Any] = {
            "model": f"{config.model}, {config.inputs}",
            "arithmetic": str(one.arithmetic),
            "auto": "taken" if one.arithmetic == taken else one.reason or "",
        }
        for what, seconds in (("predicting", predicting), ("training", training)):
            rate = config.batch_size / statistics.median(seconds[one.arithmetic])
            times = ratios(seconds, tried[0], one.arithmetic)
            row |= {
                f"{what}, windows/s": round(rate, 1),
                f"{what} / float32": f"{statistics.median(times):.2f} "
                f"({times[0]:.2f}-{times[-1]:.2f})",
            }
        made.append(
            row
            | {
                "windows compared": parity.windows,
                "probabilities within 0.01": f"{parity.near:.2%}",
                "largest difference": f"{parity.largest:.4f}",
                "same answer": f"{parity.same:.2%}",
                "auto, training": "taken" if one.arithmetic == taken_to_train else "",
                "once trained in it": str(trained_in.get(one.arithmetic, "")),
            }
        )
    return made


def parity_once_trained(
    config: Config, store: Store, folder: RunFolder, batches: int, world: World
) -> Parity:
    """Train a network in an arithmetic; compare its answers in it with those in float32."""
    train(config, store, folder, world, silent, resume=False)
    trained = load_trained(folder, world.device)
    rows = np.arange(len(store))
    with trained.evaluator(store, world, rows=rows) as evaluator:
        assert isinstance(evaluator, Evaluator)
        subject = subject_of(trained.network, evaluator, rows, batches)
    shutil.rmtree(folder.path)
    return compare(subject, Arithmetic(), Arithmetic.of(config))


def main() -> None:
    """Make a store unless one is given, measure every model, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--store", type=Path, help="a store; made of simulated data if not given")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--train-steps", type=int, default=30, help="before predicting")
    parser.add_argument("--batches", type=int, default=16, help="that are predicted and compared")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-precision-"))
    rows: list[Any] = []
    try:
        store = Store.open(arguments.store) if arguments.store else simulated_store(folder, 300)
        base = Config(
            batch_size=arguments.batch_size,
            image_size=arguments.image_size,
            device="cpu",
            epochs=1,
            steps=arguments.train_steps,
        )
        with join_world("cpu") as world:
            for model in arguments.models:
                config = dataclasses.replace(base, model=model, inputs="")
                rows += measure(config, store, folder, arguments.batches, world)
                print(*rows[-3:], sep="\n", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        f"Images of {arguments.image_size} pixels, batches of {arguments.batch_size}, "
        f"{torch.get_num_threads()} threads; networks trained for {arguments.train_steps} steps on "
        "simulated windows. Medians over batches in turn, with their range; the first warms up. "
        "Windows compared: with the answers in float32. Once trained in it: a network that took "
        "these steps in that arithmetic, its answers beside its own in float32."
    )
    write_record("precision", rows, note, arguments)


if __name__ == "__main__":
    main()
