"""A configuration and a store -> a trained, tested network in its run folder. Top to bottom.

`matching.Pretraining` and `generating.Generating` are runs with another loss and another score.

A signal stops a run between two steps, in all its processes at the same one, and saves it there.
Whatever stops a run, it resumes from its last checkpoint with the same windows, draws and rates: no
random state is carried along, since every step draws from the run's seed and its own number. On CPU
the resulting weights are identical.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.context import context_of
from hmstrain.data.inputs import signal_names
from hmstrain.data.inputs.prepare import NetworkInputs
from hmstrain.data.loader import Batch, make_loader
from hmstrain.data.mixture import MixedLoader, check_others, open_mixture
from hmstrain.data.rows import (
    Epoch,
    left_out,
    norm_rows,
    pairs_alike,
    plan_epochs,
    split_rows,
    tested_rows,
    training_rows,
)
from hmstrain.data.steps import Step, steps
from hmstrain.data.validation import Judge, judges
from hmstrain.distributed import World
from hmstrain.errors import ConfigError
from hmstrain.events import Events
from hmstrain.models import find_model
from hmstrain.models.arithmetic import AUTO, Arithmetic
from hmstrain.models.evaluate import Evaluator, forward, loader_batch
from hmstrain.models.network import Output, count_parameters
from hmstrain.runs.checkpoint import load_checkpoint
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import LOG, MetricsLog
from hmstrain.runs.outcome import Alignment, Outcome, StoreId
from hmstrain.runs.plots import draw_run
from hmstrain.runs.precision import machine
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, write_predictions
from hmstrain.runs.source import keep_source
from hmstrain.runs.stopping import Interrupted, StopRequest
from hmstrain.scoring.metrics import scores
from hmstrain.scoring.scores import epoch_test, final_test, validation
from hmstrain.training.idle import idle_notices
from hmstrain.training.losses import losses as losses_of
from hmstrain.training.origin import open_generator
from hmstrain.training.start import begin_at_prior, move_to_prior, refuse_probabilities
from hmstrain.training.state import TrainingState
from hmstrain.training.step_log import StepLog
from hmstrain.training.trial import try_steps


def train(
    config: Config,
    store: Store,
    folder: RunFolder,
    world: World,
    events: Events,
    *,
    out_of_fold: bool = False,
    kind: type[Run] | None = None,
    computing: Arithmetic | None = None,
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
    events : callable
        Told how training goes; in the main process.
    out_of_fold : bool
        Write predictions of every window of the fold that is held out, too, if one is.
    kind : type, optional
        Of the run, if its network learns something else than the votes.
    computing : Arithmetic, optional
        That `precision=auto` means, if it was chosen for another network of the same kind.

    Raises
    ------
    TrainError
        Bad settings or rows, or the loss diverged: the last good checkpoint stays.
    Interrupted
        A signal asked to stop, and the run is saved at the step that it names.
    """
    run = (kind or Run)(config, store, folder, world, events, computing)
    try:
        with run.stop:
            for epoch in run.epochs:
                run.train_epoch(epoch)
        run.finish(out_of_fold)
    finally:
        run.close()


class Run:
    """One network in training, with all that its steps need. Methods stand in order of use."""

    def __init__(
        self,
        config: Config,
        store: Store,
        folder: RunFolder,
        world: World,
        events: Events,
        computing: Arithmetic | None = None,
    ) -> None:
        self.config, self.store, self.folder = config, store, folder
        self.world, self.events, self.device = world, events, world.device
        self.epochs = plan_epochs(config, store)
        self.judges = judges(config, store, self.epochs)
        self.rows = training_rows(config, store, self.epochs[0].fold, self.epochs[0].min_votes)
        self.test_rows = tested_rows(config, store)
        if min(epoch.windows // epoch.parts for epoch in self.epochs) < world.size:
            raise ConfigError(
                f"A batch must have a window for each of the {world.size} processes: use a larger "
                "--batch-size, or fewer processes."
            )
        self.mixture = open_mixture(config, store)
        self.state = TrainingState(config, store, self.rows, folder, self.device)
        world.main_does(partial(keep_source, folder.path, config.model))
        self.progress = self.state.progress
        self.notices = list(self.state.notices)
        generator = open_generator(
            config, store, self.state.normalisation, self.state.generator, self.device
        )
        if generator is not None:
            self.state.generator = generator.described
            self.notices += generator.notices
        self.description = self.state.describe(store)
        if self.mixture is not None:
            if self.progress.step:
                check_others(self.state.others, self.mixture)
            self.description["also"] = self.mixture.describe(self.epochs)
        world.main_does(partial(self.state.complete, self.description))
        self.prepare = NetworkInputs(
            config, self.state.normalisation, store, self.device, generate=generator
        )
        self.loader = make_loader(
            store,
            signal_names(config),
            loader_batch(config, store, world),
            self.device,
            resident=config.data == "device",
            threads=config.loader_threads,
        )
        self.mixed_loader = None
        if self.mixture is not None:
            self.mixed_loader = MixedLoader(
                self.mixture,
                self.loader,
                signal_names(config),
                self.device,
                processes=world.size,
            )
        self.computing = self._in_arithmetic(computing).within(config)
        self.evaluator = Evaluator(self.computing, self.prepare, self.loader, world)
        self.notices += idle_notices(config)
        self.notices += [judge.notice for judge in self.judges if judge.notice]
        self.notices += left_out(config, store) + pairs_alike(config, store, self.rows)
        self.notices += getattr(self.state.network, "notices", [])
        if self.mixture is not None:
            self.notices += self.mixture.notices(self.epochs[0])
        refuse_probabilities(config, self.rows, self.state, self.evaluator)
        self.head: str | None = None
        if config.start_at_prior and config.answers:
            self.head, notices = begin_at_prior(
                config, store, self.rows, self.state, self.evaluator
            )
            self.notices += notices
        own = find_model(config.model).whole  # which may have layers that it does not use
        shared = world.shared(self.state.network, some_unused=own)
        self.stepper: Callable[..., Output] = torch.compile(shared) if config.compile else shared
        self.log = self._begin_log() if world.main else None
        self.stop = StopRequest(world, events)

    def _in_arithmetic(self, given: Arithmetic | None) -> Arithmetic:
        """What the steps compute in: as configured, as the checkpoint says, given or measured."""
        state = self.state
        if state.arithmetic is None:
            if given is None:
                choice = self.world.all_parts(try_steps(self))[0]  # the main process decides
                given = choice.arithmetic
                state.why_chosen = choice.to_json() | {"machine": machine()}
                self.notices += choice.notices
            else:
                self.notices.append(f"precision=auto: {given}, as of the run's first network.")
            state.compute_in(given)
            self.description |= state.chosen
        elif self.config.precision == AUTO:
            self.notices.append(f"precision=auto: {state.arithmetic}, as the run began.")
        assert state.arithmetic is not None
        return state.arithmetic

    def _begin_log(self) -> MetricsLog:
        last = self.epochs[-1]
        figures = {
            "model": f"{self.config.model}, {self.config.inputs}",
            "parameters": count_parameters(self.state.network),
            "train": len(self.rows),
            "valid": len(self.judges[0].rows),
            "sampled": self.judges[0].by.startswith("kl_"),
            "test": len(self.test_rows),
            "steps": last.first_step + last.steps,
            "epochs": len(self.epochs),
            "step": self.progress.step,
            "device": str(self.device),
            "random": not (self.config.pretrained or self.config.weights) and self.config.answers,
            "rotating": self.config.fold == "rotate",
        }
        path, tensorboard = self.folder.path / LOG, self.config.tensorboard
        log = MetricsLog(path, until_step=self.progress.step, tensorboard=tensorboard)
        self.events("start", figures)
        for notice in dict.fromkeys(self.notices):
            self.events("notice", {"text": notice})
        return log

    def train_epoch(self, epoch: Epoch) -> None:
        """Go through one epoch, or what is left of it, from one validation to the next."""
        stop = epoch.first_step + epoch.steps
        if self.progress.step >= stop:
            return
        of_stage = sum(other.steps for other in self.epochs if other.stage == epoch.stage)
        if self.state.begin_stage(epoch.stage, of_stage) and self.head is not None:
            move_to_prior(self.config, self.store, self.state, self.head, self.epochs, epoch)
        coming = steps(
            self.config,
            self.store,
            epoch,
            self.world,
            self.progress.step,
            mixture=self.mixture,
        )
        every = self.config.validate_every
        while self.progress.step < stop:
            until = min(stop, (self.progress.step // every + 1) * every)
            batches = islice(coming, (until - self.progress.step) * epoch.parts)
            self._take_steps(epoch, batches, until)
            self._check(epoch, last=until == stop)
            if number := self.stop.asked():
                raise self._interrupted(number)

    def _take_steps(self, epoch: Epoch, coming: Iterator[Step], until: int) -> None:
        """Train up to this step on the batches that come, the loader always ahead."""
        step_log = StepLog(self.world, self.log, self.events, epoch, self.store)
        loader = self.mixed_loader or self.loader
        loader.waited_s = 0.0
        of_step: list[dict[str, Tensor]] = []
        for step, batch in loader.load(coming):
            found = self.losses(step.to(self.device), batch)
            self.state.add_gradient(found["loss"] * step.part)
            of_step.append({name: value.detach() * step.part for name, value in found.items()})
            if not step.last:
                continue
            rate = self.state.advance()
            parts = {n: torch.stack([part[n] for part in of_step]).sum(dim=0) for n in found}
            step_log.add(step, parts, rate, loader.waited_s)
            of_step = []
            if self.progress.step == until:
                continue
            if number := self.stop.asked():
                step_log.flush(loader.waited_s)
                self.world.main_does(partial(self.state.save_between, self.description, now=True))
                raise self._interrupted(number)
            if self.world.main and not step_log.losses:
                self.state.save_between(self.description)
        step_log.flush(loader.waited_s)

    def _interrupted(self, number: int) -> Interrupted:
        return Interrupted(number, self.state.saved_step, self.folder.path)

    def losses(self, step: Step, batch: Batch) -> dict[str, Tensor]:
        """What is minimised of a step's batch, 'loss', and what it consists of."""
        torch.manual_seed(step.seed)
        prepared = self.prepare(batch, step.draws)
        if self.config.populations != "one":
            prepared["many_B"] = step.many_B
        return losses_of(forward(self.stepper, prepared, self.computing), step, self.config)

    def _check(self, epoch: Epoch, *, last: bool) -> None:
        """Validate, test after an epoch, save."""
        kept = self.state.kept
        self.evaluator.measure_norms(kept, norm_rows(self.config, self.store, self.rows))
        self.world.align(kept)
        improved = self._validate(epoch, kept)
        if last and len(self.test_rows) and self.config.test_each_epoch:
            values = epoch_test(self.store, self.evaluator, kept, self.test_rows)
            values = {"epoch": epoch.number, **values}
            self.progress.tests.append({"step": self.progress.step, **values})
            self._report("test", values)
        if self.world.main:
            self.state.save(self.description, improved=improved)
        self.world.wait()

    def _validate(self, epoch: Epoch, kept: nn.Module) -> bool:
        """Score the fold that is held out; say whether this is the best so far.

        Without a fold, and where the fold changes from epoch to epoch, the latest counts as best.
        """
        judge = self.judges[epoch.number]
        if not len(judge.rows):
            self._try_out(kept)
            return self.progress.judge(judge.by, judge.stage, {})
        values = self._score(kept, judge)
        improved = self.progress.judge(judge.by, judge.stage, values)
        described = {"epoch": epoch.number, **values, "best_by": judge.by, "best": improved}
        self._report("valid", described)
        return improved

    def _try_out(self, kept: nn.Module) -> None:
        """Refuse a network that gives NaN, where no windows are held out."""
        self.evaluator.predict(kept, self.rows[: self.config.batch_size])

    def _score(self, kept: nn.Module, judge: Judge) -> dict[str, Any]:
        """Score a network on held-out windows."""
        return validation(self.config, self.store, self.evaluator, kept, judge)

    def _report(self, event: str, values: dict[str, Any]) -> None:
        if self.log is not None:
            self.log.add(event, self.progress.step, values)
            self.events(event, {"step": self.progress.step, **values})

    def finish(self, out_of_fold: bool) -> None:
        """Test the last weights and the best, and write the outcome."""
        progress, store, kept = self.progress, self.store, self.state.kept
        test = partial(final_test, self.config, store, self.evaluator, kept, self.test_rows)
        last = tested = test() if len(self.test_rows) else None
        if progress.best_step != progress.step:
            load_checkpoint(self.folder.best, kept)
            tested = test() if len(self.test_rows) else None
        if tested is not None:
            self._write(TESTED, self.test_rows, tested.prediction)
        valid = None
        fold = self.epochs[0].fold
        answers = self.config.answers and self.config.fold != "rotate"
        if out_of_fold and fold is not None and answers:
            rows = split_rows(self.config, store, "valid", fold)
            prediction, _ = self.evaluator.predict(kept, rows)
            valid = scores(store, rows, prediction)
            self._write(OUT_OF_FOLD, rows, prediction)
        outcome = Outcome(
            store=StoreId.from_json(self.description["store"]),
            versions=self.description["versions"],
            leaks=store.leaks,
            test=None if tested is None else tested.scores,
            constant=None if tested is None else tested.constant,
            alignment=self._alignment(kept) if tested is None else tested.alignment,
            extended=self.config.extended,
            best_step=progress.best_step,
            steps=progress.step,
            best_by=progress.best_by,
            best_value=progress.best_value,
            best_stage=progress.best_stage,
            held_out=len(np.unique(store.windows["patient_id"][self.judges[-1].rows])),
            valid_kl_votes=progress.best_kl,
            validation_leaks=self.config.fold == "rotate",
            test_last=None if last is None else last.scores,
            test_per_epoch=progress.tests,
            valid=valid,
        )
        if self.world.main:
            draw_run(self.folder.path, outcome)
            self.folder.write_outcome(outcome)

    def _alignment(self, _kept: nn.Module) -> Alignment | None:
        """How well the best network's embeddings match, where the test split does not tell."""
        return None

    def _write(self, name: str, rows: NDArray[np.int64], prediction: NDArray[np.float64]) -> None:
        if self.world.main:
            observed = context_of([self.config], self.store, rows).observed
            path = self.folder.path / name
            write_predictions(path, self.store, rows, prediction, observed)

    def close(self) -> None:
        """Close the log and let go of the loaders."""
        if self.log is not None:
            self.log.close()
        self.loader.close()
        if self.mixed_loader is not None:
            self.mixed_loader.close()
