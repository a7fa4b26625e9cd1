"""A configuration and a store -> a trained, tested network in its run folder. Top to bottom.

Whatever stops a run, it goes on from its last checkpoint with the same windows, draws and rates: no
random state is carried along, since every step draws from the run's seed and its own number. On CPU
the weights are then the very same.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hmsstore import Store
from hmstrain.augment import draw, shifts
from hmstrain.checkpoint import find_checkpoint, load_checkpoint, read_description, save_checkpoint
from hmstrain.config import Config
from hmstrain.errors import DataError, DivergedError
from hmstrain.evaluate import Evaluator, autocast, embedding_alignment, one_per_patient
from hmstrain.inputs import (
    NetworkInputs,
    Normalisation,
    measure_normalisation,
    signals,
)
from hmstrain.loader import Batch, Request, make_loader
from hmstrain.losses import contrastive_loss, kl_loss
from hmstrain.metrics import interval, kl_rows, scores
from hmstrain.models import count_parameters, make_network
from hmstrain.run_folder import MetricsLog, RunFolder, versions, write_json, write_predictions
from hmstrain.selection import (
    Epoch,
    batches,
    epoch_order,
    plan_epochs,
    row_weights,
    training_rows,
    validation_rows,
)
from hmstrain.world import World

LOG_EVERY = 10
"""Steps between log lines; losses are looked at then, so that a GPU need not wait in between."""

OUT_OF_FOLD = "out_of_fold.npz"

Network = Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
"""What turns prepared inputs into logits and embeddings: compiled, shared or as it is."""

Tell = Callable[[str, Mapping[str, Any]], None]
"""Told of 'start', 'train', 'valid' and 'test' with figures to show."""


@dataclass
class Progress:
    """Where a run stands; saved with its checkpoints."""

    step: int = 0
    best_kl: float | None = None
    best_step: int = 0
    tests: list[dict[str, Any]] = field(default_factory=list)
    """Test figures after each epoch."""


def train(
    config: Config,
    store: Store,
    folder: RunFolder,
    world: World,
    tell: Tell,
    *,
    out_of_fold: bool = False,
) -> None:
    """Train, validate and test one network, from the start or from the last checkpoint.

    Parameters
    ----------
    config : Config
        With one fold, or 'rotate'.
    store : Store
        What to train on.
    folder : RunFolder
        Begun with `RunFolder.begin`. Afterwards it holds all that its module lists.
    world : World
        The processes that share the work.
    tell : callable
        Told how it goes; in the main process.
    out_of_fold : bool
        Write predictions of every window of the fold that is held out, too.

    Raises
    ------
    TrainError
        Bad settings or rows, or the loss became no number: the last good checkpoint stays.
    """
    epochs = plan_epochs(config, store)
    test_rows = store.select("test")
    rows = training_rows(config, store, epochs[0].fold, epochs[0].min_votes)
    torch.manual_seed(config.seed)
    network = make_network(config, start=find_checkpoint(folder.last) is None).to(world.device)
    if config.channels_last:
        network = network.to(memory_format=torch.channels_last)
    average = None
    if config.ema:
        average = AveragedModel(
            network, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True
        )
    optimiser = torch.optim.Adam(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    scaler = torch.amp.GradScaler(world.device.type, enabled=config.precision == "float16")

    progress, normalisation, training = Progress(), None, {}
    if find_checkpoint(folder.last) is not None:
        before = read_description(folder.last)
        progress = Progress(**before["progress"])
        normalisation = Normalisation.from_json(before["normalisation"])
        training = load_checkpoint(folder.last, network, average=average)
        optimiser.load_state_dict(training["optimiser"])
    if normalisation is None:
        normalisation = measure_normalisation(config, store, rows, world.device)

    prepare = NetworkInputs(config, normalisation, store, world.device)
    loader = make_loader(
        store,
        signals(config),
        -(-config.batch_size // world.size),
        world.device,
        resident=config.data == "device",
        threads=config.loader_threads,
    )
    evaluator = Evaluator(config, prepare, loader, world)
    description = {
        "config": config.to_json(),
        "store": {"path": str(store.path), "identity": store.identity, "leaks": store.leaks},
        "normalisation": normalisation.to_json(),
        "versions": versions(),
    }
    log = None
    if world.main:
        log = MetricsLog(
            folder.path / "metrics.jsonl", until_step=progress.step, tensorboard=config.tensorboard
        )
        tell(
            "start",
            {
                "parameters": count_parameters(network),
                "train": len(rows),
                "valid": len(validation_rows(store, epochs[0].fold)),
                "test": len(test_rows),
                "steps": epochs[-1].first_step + epochs[-1].steps,
                "epochs": len(epochs),
                "step": progress.step,
                "device": str(world.device),
            },
        )
    shared = world.shared(network)
    stepper: Network = torch.compile(shared) if config.compile else shared
    weights = torch.from_numpy(row_weights(config, store, rows))

    try:
        schedule, stage = None, -1
        for epoch in epochs:
            last_step = epoch.first_step + epoch.steps
            if last_step <= progress.step:
                continue
            if epoch.stage != stage:
                schedule = _one_cycle(config, optimiser, epochs, epoch.stage)
                stage = epoch.stage
                if training.get("stage") == stage:
                    # The new schedule has just set its first rate; put back the one it was at.
                    optimiser.load_state_dict(training["optimiser"])
                    schedule.load_state_dict(training["schedule"])
                    scaler.load_state_dict(training["scaler"])
            assert schedule is not None
            rows = training_rows(config, store, epoch.fold, epoch.min_votes)
            order = batches(config, epoch_order(config, store, rows, epoch.number))
            while progress.step < last_step:
                # A leg goes from one validation to the next, with the loader always ahead.
                first = progress.step
                stop = min(last_step, (first // config.validate_every + 1) * config.validate_every)
                share = order[first - epoch.first_step : stop - epoch.first_step]
                pace = _Pace(world, log, tell, epoch, store, order)
                loader.waited_s = 0.0
                requests = (
                    Request(world.own(part), _own_shifts(config, first + i, len(part), world))
                    for i, part in enumerate(share)
                )
                for part, batch in zip(share, loader.load(requests), strict=True):
                    torch.manual_seed(_step_seed(config, progress.step, world.rank))
                    loss, parts = _loss(
                        config, stepper, prepare, store, weights, world, part, batch, progress.step
                    )
                    optimiser.zero_grad(set_to_none=True)
                    scaler.scale(loss).backward()
                    if config.clip_gradient:
                        scaler.unscale_(optimiser)
                        nn.utils.clip_grad_norm_(network.parameters(), config.clip_gradient)
                    rate = float(schedule.get_last_lr()[0])
                    scaler.step(optimiser)
                    scaler.update()
                    schedule.step()
                    if average is not None:
                        average.update_parameters(network)
                    progress.step += 1
                    pace.add(progress.step, parts, rate, loader.waited_s)
                pace.flush(progress.step, loader.waited_s)

                kept = network if average is None else average.module
                improved = _validate(config, store, epoch, evaluator, kept, progress, log, tell)
                if progress.step == last_step:
                    _test_epoch(store, test_rows, evaluator, kept, epoch, progress, log, tell)
                if world.main:
                    described = description | {
                        "progress": vars(progress) | {"tests": list(progress.tests)}
                    }
                    if improved:
                        save_checkpoint(folder.best, kept, described)
                    save_checkpoint(
                        folder.last,
                        network,
                        described,
                        average=average,
                        training={
                            "stage": stage,
                            "optimiser": optimiser.state_dict(),
                            "schedule": schedule.state_dict(),
                            "scaler": scaler.state_dict(),
                        },
                    )
                world.wait()
        kept = copy.deepcopy(network if average is None else average.module)
        outcome = _outcome(config, store, folder, evaluator, kept, test_rows, progress)
        if out_of_fold:
            rows = store.select("valid", fold=epochs[0].fold)
            prediction, _ = evaluator.predict(kept, rows)
            outcome["valid"] = scores(store.windows, rows, prediction)
            if world.main:
                write_predictions(folder.path / OUT_OF_FOLD, store, rows, prediction)
        if world.main:
            described = {"store": description["store"], "versions": versions()}
            write_json(folder.path / "metrics.json", described | outcome)
    finally:
        if log is not None:
            log.close()
        loader.close()


def _one_cycle(
    config: Config, optimiser: torch.optim.Optimizer, epochs: list[Epoch], stage: int
) -> torch.optim.lr_scheduler.OneCycleLR:
    """Smith and Topin 2018: up to the peak and down again over one stage."""
    steps = sum(epoch.steps for epoch in epochs if epoch.stage == stage)
    peak = config.second_learning_rate if stage else config.learning_rate
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=peak, total_steps=steps + 1)


def _step_seed(config: Config, step: int, rank: int) -> int:
    """Seed of dropout and its like at one step."""
    return int(np.random.SeedSequence([config.seed, 9, step, rank]).generate_state(1)[0])


def _own_shifts(config: Config, step: int, count: int, world: World) -> NDArray[np.int64] | None:
    drawn = shifts(config, step)
    own: NDArray[np.int64] | None = None if drawn is None else world.own(drawn[:count])
    return own


def _loss(
    config: Config,
    network: Network,
    prepare: NetworkInputs,
    store: Store,
    weights: Tensor,
    world: World,
    rows: NDArray[np.int64],
    batch: Batch,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Loss of this process's part of a batch; its parts (sum, KL, contrastive) to be logged."""
    own = world.own(rows)
    draws = draw(config, step, len(rows), world.rank, world.size).to(world.device)
    prepared = prepare(batch, draws)
    target = torch.from_numpy(store.windows["target"][own]).to(world.device)
    if draws.mix != 1:
        target = draws.mix * target + (1 - draws.mix) * target[draws.partner_B]
    with autocast(config, world.device):
        logits, embeddings = network(**prepared)
    # Mean over this part, times its share: the mean over processes is that of the whole batch.
    share = len(own) * world.size / len(rows)
    kl = kl_loss(logits, target, weights[own].to(world.device)) * share
    if not embeddings:
        return kl, torch.stack([kl, kl]).detach()
    spectrogram_BE, eeg_BE = embeddings
    apart = contrastive_loss(
        spectrogram_BE,
        eeg_BE,
        torch.from_numpy(store.windows["patient_id"][own]).to(world.device),
        kind=config.contrastive_loss,
        margin=config.contrastive_margin,
        temperature=config.contrastive_temperature,
    )
    loss = kl + config.contrastive_weight * apart
    return loss, torch.stack([loss, kl, apart]).detach()


class _Pace:
    """Collects losses and times over some steps, and logs them together."""

    def __init__(
        self,
        world: World,
        log: MetricsLog | None,
        tell: Tell,
        epoch: Epoch,
        store: Store,
        order: list[NDArray[np.int64]],
    ) -> None:
        self.world, self.log, self.tell, self.epoch = world, log, tell, epoch
        self.store, self.order = store, order
        self.losses: list[Tensor] = []
        self.rate = 0.0
        self.start, self.waited = time.perf_counter(), 0.0

    def add(self, step: int, parts: Tensor, rate: float, waited_s: float) -> None:
        """Note a step; log once there are enough."""
        self.losses.append(parts)
        self.rate = rate
        if len(self.losses) == LOG_EVERY:
            self.flush(step, waited_s)

    def flush(self, step: int, waited_s: float) -> None:
        """Log what was collected.

        Raises
        ------
        DivergedError
            A loss is no number.
        """
        if not self.losses:
            return
        losses = self.world.mean(torch.stack(self.losses)).double().cpu().numpy()
        bad = np.flatnonzero(~np.isfinite(losses).all(axis=1))
        if len(bad):
            first = step - len(losses) + int(bad[0])
            rows = self.order[first - self.epoch.first_step]
            labels = self.store.windows["label_id"][rows].tolist()
            raise DivergedError(
                f"The loss of step {first + 1} is no number. Checkpoints from before are kept. "
                f"Its batch: rows {rows.tolist()}, label_id {labels}. A lower learning_rate, "
                "clip_gradient=1 or precision=float32 may help."
            )
        seconds = time.perf_counter() - self.start
        windows = sum(
            len(self.order[step - 1 - i - self.epoch.first_step]) for i in range(len(losses))
        )
        names = ("loss", "kl", "contrastive")[: losses.shape[1]]
        values = {
            "epoch": self.epoch.number,
            **dict(zip(names, losses.mean(axis=0).tolist(), strict=True)),
            "learning_rate": self.rate,
            "windows_per_s": windows / seconds,
            "waiting": (waited_s - self.waited) / seconds,
        }
        if self.log is not None:
            self.log.add("train", step, values)
            self.tell("train", {"step": step, **values})
        self.losses, self.start, self.waited = [], time.perf_counter(), waited_s


def _validate(
    config: Config,
    store: Store,
    epoch: Epoch,
    evaluator: Evaluator,
    network: nn.Module,
    progress: Progress,
    log: MetricsLog | None,
    tell: Tell,
) -> bool:
    """Score the fold that is held out; tell whether this is the best so far.

    Without a fold, and where the fold changes from epoch to epoch, the latest counts as the best.
    """
    rows = validation_rows(store, epoch.fold)
    if not len(rows):
        progress.best_step = progress.step
        return True
    prediction, embeddings = evaluator.predict(network, rows)
    found = scores(store.windows, rows, prediction)
    kl: float = found["kl_votes"]
    improved = progress.best_kl is None or kl < progress.best_kl or config.fold == "rotate"
    if improved:
        progress.best_kl, progress.best_step = kl, progress.step
    values = {
        "epoch": epoch.number,
        **{key: found[key] for key in ("kl_votes", "kl_hi", "accuracy", "balanced_accuracy")},
        "best": improved,
    }
    matched = embedding_alignment(embeddings, one_per_patient(store, rows, config.seed))
    if matched is not None:
        values |= matched
    if log is not None:
        log.add("valid", progress.step, values)
        tell("valid", {"step": progress.step, **values})
    return improved


def _test_epoch(
    store: Store,
    rows: NDArray[np.int64],
    evaluator: Evaluator,
    network: nn.Module,
    epoch: Epoch,
    progress: Progress,
    log: MetricsLog | None,
    tell: Tell,
) -> None:
    """Score the test split after an epoch. It is only looked at: nothing is chosen by it."""
    if not len(rows):
        return
    prediction, _ = evaluator.predict(network, rows)
    found = scores(store.windows, rows, prediction)
    keys = ("kl", "kl_votes", "kl_hi", "accuracy", "balanced_accuracy", "f1_macro")
    values = {"epoch": epoch.number, **{key: found[key] for key in keys}}
    progress.tests.append({"step": progress.step, **values})
    if log is not None:
        log.add("test", progress.step, values)
        tell("test", {"step": progress.step, **values})


def _outcome(
    config: Config,
    store: Store,
    folder: RunFolder,
    evaluator: Evaluator,
    kept: nn.Module,
    rows: NDArray[np.int64],
    progress: Progress,
) -> dict[str, Any]:
    """Test the last weights and the best, beside a constant prediction; `kept` ends as the best."""
    last, _ = evaluator.predict(kept, rows)
    load_checkpoint(folder.best, kept)
    best, embeddings = evaluator.predict(kept, rows)
    outcome: dict[str, Any] = {
        "best_step": progress.best_step,
        "steps": progress.step,
        "valid_kl_votes": progress.best_kl,
        "test_per_epoch": progress.tests,
        "leaks": store.leaks or config.fold == "rotate",
        "test": None,
        "test_last": None,
    }
    if len(rows):
        outcome["test"] = scores(store.windows, rows, best)
        outcome["test_last"] = scores(store.windows, rows, last)
        outcome["constant"] = constant(store, rows, best)
        matched = embedding_alignment(embeddings, one_per_patient(store, rows, config.seed))
        if matched is not None:
            outcome["alignment"] = matched
        if evaluator.world.main:
            write_predictions(folder.path / "predictions.npz", store, rows, best)
    return outcome


def constant(
    store: Store, rows: NDArray[np.int64], prediction: NDArray[np.float64]
) -> dict[str, Any]:
    """Predict the mean of all training targets everywhere: what any model has to beat.

    Its scores, and the paired 95% interval of the model's KL less its own.

    Raises
    ------
    DataError
        The store has no training windows to take the mean of.
    """
    training = store.select("train")
    if not len(training):
        raise DataError(f"{store.path} has no training windows to compare with.")
    mean = store.windows["target"][training].mean(axis=0, dtype=np.float64)
    same = np.tile(mean / mean.sum(), (len(rows), 1))
    target = store.windows["target"][rows]
    difference = kl_rows(target, prediction) - kl_rows(target, same)
    return {
        **{k: v for k, v in scores(store.windows, rows, same).items() if k.startswith("kl")},
        "difference": float(difference.mean()),
        "difference_interval": interval(difference, store.windows["patient_id"][rows]),
    }
