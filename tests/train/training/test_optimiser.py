"""What the optimiser does with a gradient, and how its rates rise and fall over a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.runs import ALONE, SMALL, Stopped, train_small
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs
from hmstrain.data.steps import steps
from hmstrain.errors import ConfigError
from hmstrain.models.network import make_network
from hmstrain.runs.log import read_metrics
from hmstrain.training.optimiser import make_optimiser
from hmstrain.training.schedule import make_schedule

TINY: dict[str, Any] = {"model": "resnet10t", "image_size": 32}


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "last" / "model.safetensors")


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_decay_of_adamw_shrinks_matrices_and_nothing_else(optimiser: str) -> None:
    config = Config(**TINY, optimiser=optimiser, weight_decay=0.1, learning_rate=0.01)
    network = make_network(config)
    for value in network.parameters():
        value.data += 1
        value.grad = torch.zeros_like(value)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    make_optimiser(config, network).step()
    for name, value in network.named_parameters():
        expected = before[name]
        if optimiser == "adamw" and value.ndim > 1:
            expected = expected * (1 - 0.01 * 0.1)
        elif optimiser == "adam":  # the decay is all there is of a gradient: a whole step
            expected = expected - 0.01 * expected.sign()
        torch.testing.assert_close(value.detach(), expected, msg=name)
    kinds = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert kinds


def test_two_rates_are_those_of_the_last_layer_and_of_all_before_it() -> None:
    config = Config(**TINY, learning_rate=0.01, backbone_learning_rate=0.001, optimiser="adamw")
    network = make_network(config)
    optimiser = make_optimiser(config, network)
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    found = {name: rates[id(p)] for name, p in network.named_parameters()}
    assert {name for name, rate in found.items() if rate == 0.01} == {"head.weight", "head.bias"}
    assert set(found.values()) == {0.01, 0.001}


@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_both_rates_follow_the_schedule_in_proportion_in_each_stage(
    store: Store, tmp_path: Path, schedule: str
) -> None:
    settings: dict[str, Any] = {"schedule": schedule, "epochs": 1, "second_epochs": 1}
    settings |= {"learning_rate": 0.01, "backbone_learning_rate": 0.002, "validate_every": 2}
    settings |= {"second_learning_rate": 0.001, "second_min_votes": 3}
    path = tmp_path / "run"
    first = plan_epochs(Config(**(SMALL | settings)), store)[0].steps
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=first - 1, **settings)
    for resume in (False, True):
        if resume:
            train_small(store, path, resume=True, **settings)
        saved = torch.load(path / "last" / "training.pt", weights_only=True)
        head, backbone = saved["optimiser"]["param_groups"]
        assert head["initial_lr"] == pytest.approx(5 * backbone["initial_lr"])
        assert head["lr"] == pytest.approx(5 * backbone["lr"])
        peak = 0.001 if resume else 0.01
        assert head["max_lr" if schedule == "onecycle" else "initial_lr"] == pytest.approx(peak)


def test_a_network_of_ones_own_has_one_rate() -> None:
    with pytest.raises(ConfigError, match=r"backbone_learning_rate needs to know .* got mine:net"):
        Config(model="mine:net", backbone_learning_rate=1e-4)


@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_cosine_is_that_of_pytorch_after_a_linear_rise(warmup: float) -> None:
    total, rising = 40, round(40 * warmup)

    def rates(make: Any) -> list[float]:
        optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
        schedule, found = make(optimiser), []
        for _ in range(total):
            found.append(float(optimiser.param_groups[0]["lr"]))
            optimiser.step()
            schedule.step()
        return found

    def theirs(optimiser: Any) -> Any:
        fall = CosineAnnealingLR(optimiser, total - rising)
        if not rising:
            return fall
        rise = LinearLR(optimiser, 1 / (rising + 1), 1.0, rising)
        return SequentialLR(optimiser, [rise, fall], [rising])

    config = Config(schedule="cosine", warmup=warmup, learning_rate=0.3)
    ours = rates(lambda optimiser: make_schedule(config, optimiser, [1.0], 0, total))
    assert ours == pytest.approx(rates(theirs))
    assert ours.index(max(ours)) == rising
    assert 0 < ours[-1] < 0.01


def test_an_extension_by_cosine_is_a_warm_restart() -> None:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.0)  # where a cosine ends
    config = Config(schedule="cosine", learning_rate=0.3, extended=(1,))
    make_schedule(config, optimiser, [1.0], 2, 10)
    assert optimiser.param_groups[0]["lr"] == 0.3


def test_a_warm_up_without_cosine_is_refused() -> None:
    with pytest.raises(ConfigError, match="warmup needs schedule=cosine"):
        Config(warmup=0.1)


PLAIN: dict[str, Any] = {"model": "support.nets:both", "inputs": "spec+eeg", "flip": 0, "epochs": 1}


def test_batches_that_are_accumulated_step_as_one_large_batch(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "one", **PLAIN, batch_size=12)
    train_small(store, tmp_path / "parts", **PLAIN, batch_size=4, accumulate=3)
    ours, theirs = weights(tmp_path / "parts"), weights(tmp_path / "one")
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-5, rtol=1e-4)
    logs = [
        [(x["event"], x["step"]) for x in read_metrics(tmp_path / name / "metrics.jsonl")]
        for name in ("one", "parts")
    ]
    assert logs[0] == logs[1]  # a step, a validation every so many steps: the same in both
    kls = [
        [x["kl"] for x in read_metrics(tmp_path / name / "metrics.jsonl", "train")]
        for name in ("one", "parts")
    ]
    assert kls[0] == pytest.approx(kls[1], rel=1e-5)
    train_small(store, tmp_path / "small", **PLAIN, batch_size=4)
    other = weights(tmp_path / "small")
    assert not all(torch.allclose(other[name], value, atol=1e-4) for name, value in theirs.items())


def test_each_window_weighs_the_same_in_batches_of_unequal_size(store: Store) -> None:
    config = Config(**(SMALL | PLAIN | {"batch_size": 50, "accumulate": 4, "mixup": 0.4}))
    (epoch,) = plan_epochs(config, store)
    assert (epoch.steps, epoch.parts) == (1, 2)
    found = list(steps(config, store, epoch, ALONE))
    assert [step.last for step in found] == [False, True]
    assert sum(step.part for step in found) == pytest.approx(1)
    assert [step.part * epoch.windows for step in found] == [len(step.rows) for step in found]
    assert sorted(r for step in found for r in step.rows) == sorted(found[0].windows)
    assert max(len(step.rows) for step in found) <= 50
    assert found[0].draws.mix != found[1].draws.mix
    assert found[0].seed != found[1].seed
