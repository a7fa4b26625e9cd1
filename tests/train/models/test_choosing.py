"""The arithmetic of a network is chosen by speed and parity, as documented."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from support.runs import SMALL

from hmstrain.config import Config
from hmstrain.data.inputs import make_inputs
from hmstrain.errors import ConfigError
from hmstrain.models.arithmetic import Arithmetic, check_precision
from hmstrain.models.choosing import (
    BATCHES,
    Choice,
    Forward,
    Parity,
    Tried,
    candidates,
    choose,
    compare,
)
from hmstrain.models.evaluate import forward, softmax
from hmstrain.models.network import make_network

OWN, LAST, SHORT = Arithmetic(), Arithmetic("float32", True), Arithmetic("bfloat16", True)
ALL = (OWN, LAST, SHORT)
FAIR = np.full((200, 6), 1 / 6) + np.linspace(0, 0.1, 6)


class Said:
    """Answers as it is told, in the time that it is told, and remembers its steps."""

    def __init__(
        self, seconds: Mapping[Arithmetic, Sequence[float]], answers: Mapping[Arithmetic, Any]
    ) -> None:
        self.seconds, self.said = seconds, answers
        self.steps: list[tuple[Arithmetic, int]] = []
        self.batches, self.now_s = BATCHES, 0.0

    def lay_out(self, arithmetic: Arithmetic) -> None:
        pass

    def step(self, arithmetic: Arithmetic, number: int) -> None:
        self.steps.append((arithmetic, number))
        if isinstance(self.said[arithmetic], Exception):
            raise self.said[arithmetic]
        self.now_s += self.seconds[arithmetic][number]

    def answers(self, arithmetic: Arithmetic, number: int) -> NDArray[np.float64]:  # noqa: ARG002
        found: NDArray[np.float64] = self.said[arithmetic]
        return found

    def clock(self) -> float:
        return self.now_s


def subject(own: Any, last: Any, short: Any, own_says: Any = FAIR, short_says: Any = FAIR) -> Said:
    """What takes so long for each batch, or for one after the other."""
    times = [one if isinstance(one, list) else [one] * 5 for one in (own, last, short)]
    answers = {OWN: own_says, LAST: FAIR, SHORT: short_says}
    return Said(dict(zip(ALL, times, strict=True)), answers)


def chosen(said: Said) -> Choice:
    return choose(said, ALL, clock=said.clock, used=lambda: (1.0, 1.0))


@pytest.mark.parametrize(
    ("seconds", "expected", "speed"),
    [
        ((1.0, 0.95, 0.5), SHORT, 2.0),
        ((1.0, 0.95, 0.93), OWN, 1.0),  # within what machines vary by
        ((1.0, 0.8, 0.75), LAST, 1.25),  # bfloat16 is not enough faster than that
        ((1.0, 0.8, 0.5), SHORT, 2.0),
        ((1.0, 2.0, 1.5), OWN, 1.0),
    ],
)
def test_the_choice_follows_from_the_times(
    seconds: tuple[float, ...], expected: Arithmetic, speed: float
) -> None:
    choices = [chosen(subject(*seconds)) for _ in range(2)]
    assert choices[0] == choices[1]
    assert choices[0].arithmetic == expected
    assert choices[0].taken.speed == pytest.approx(speed)


def test_the_first_batch_warms_up_and_one_disturbed_step_decides_nothing() -> None:
    said = subject(1.0, 1.0, [2.9, 0.5, 0.6, 9.0, 0.5])
    said.batches = 5
    assert chosen(said).arithmetic == SHORT


def test_what_is_far_slower_is_tried_once() -> None:
    said = subject(1.0, 1.0, 30.0)
    found = chosen(said)
    assert found.arithmetic == OWN
    assert [number for one, number in said.steps if one == SHORT] == [0]
    assert found.refused == []


@pytest.mark.parametrize(
    ("apart", "holds"),
    [
        (np.full((1000, 6), 0.009), True),
        (np.pad(np.full((1, 5), 0.029), ((0, 999), (0, 1))), True),
        (np.pad(np.full((2, 5), 0.029), ((0, 998), (0, 1))), False),  # 99.8% within 0.01
        (np.pad(np.full((1, 1), 0.031), ((0, 999), (0, 5))), False),
        (np.full((1000, 6), np.nan), False),
    ],
)
def test_parity_is_what_is_documented(apart: NDArray[np.float64], holds: bool) -> None:
    plain = np.tile(np.array([0.05, 0.1, 0.15, 0.2, 0.2, 0.3]), (1000, 1))
    assert Parity.between(plain, plain + apart).holds is holds


def test_other_answers_for_more_than_one_window_in_200_are_refused() -> None:
    plain = np.tile(np.array([0.5, 0.499, 0.001]), (1000, 1))
    for count, holds in ((5, True), (6, False)):
        other = plain.copy()
        other[:count, 1] += 0.002
        found = Parity.between(plain, other)
        assert (found.same, found.holds) == (1 - count / 1000, holds)


def test_one_window_of_a_few_may_have_another_answer_and_before_training_all_may() -> None:
    ties = np.tile(np.array([0.5, 0.5, 0.0]), (64, 1)) + [0, 1e-4, 0]
    for count, holds in ((0, True), (1, True), (2, False)):
        other = ties.copy()
        other[:count] -= [0, 2e-4, 0]
        found = Parity.between(ties, other)
        assert (found.holds, found.close) == (holds, True)
    said = subject(1.0, 1.0, 0.5, own_says=ties, short_says=ties - [0, 2e-4, 0])
    said.said = dict(said.said) | {LAST: ties}
    assert chosen(said).arithmetic == OWN
    found = choose(said, ALL, learned=False, clock=said.clock, used=lambda: (1.0, 1.0))
    assert found.arithmetic == SHORT


def test_what_answers_otherwise_is_not_taken_however_fast_and_that_is_said() -> None:
    found = chosen(subject(1.0, 0.8, 0.1, short_says=FAIR[:, ::-1]))
    assert found.arithmetic == LAST
    (said,) = found.refused
    assert said.startswith("bfloat16, channels last was not taken: its answers are too far from")
    assert "0.00% of answers the same" in said


def test_what_a_network_does_not_compute_in_is_not_taken_and_that_is_said() -> None:
    broken = RuntimeError("no kernel for BFloat16\nand a long trace")
    found = chosen(subject(1.0, 0.5, 0.0, short_says=broken))
    assert found.arithmetic == LAST
    assert found.refused == [
        "bfloat16, channels last was not taken: the network does not compute in it here (no kernel "
        "for BFloat16)."
    ]
    with pytest.raises(RuntimeError, match="no kernel"):
        chosen(subject(1.0, 1.0, 1.0, own_says=broken))


def test_a_choice_says_what_it_rests_on() -> None:
    found = chosen(subject(1.0, 0.8, 0.4))
    assert str(found) == (
        "bfloat16, channels last: 2.50 times as fast as float32 here (float32, channels last 1.25)"
        ", 0.4 s a batch instead of 1; of 600 windows' probabilities 100.00% within 0.01, all "
        "within 0.0000, 100.00% of answers the same"
    )
    assert found.taken.to_json() == {
        "precision": "bfloat16", "channels_last": True, "speed": 2.5, "seconds": 0.4,
        "parity": {"windows": 600, "within_0.01": 1.0, "largest": 0.0, "same_answer": 1.0},
    }  # fmt: skip
    slow = chosen(subject(1.0, 1.0, 2.0))
    assert str(slow) == (
        "float32: nothing else is 1.1 times as fast here (float32, channels last 1.00, bfloat16, "
        "channels last 0.50)"
    )
    assert Choice.among([Tried(OWN, 1.0)]).notices == ["precision=auto: float32."]
    assert Choice.unmade(OWN, "on cuda").notices == [
        "precision=auto: float32, since nothing is measured on cuda."
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"model": "resnet10t", "inputs": "spec+eeg"},
        {"model": "efficientnet_b0"},
        {"model": "vit_tiny_patch16_224"},
        {"model": "resnet1d", "inputs": "raw", "eeg_seconds": 10},
    ],
    ids=str,
)
def test_small_networks_answer_alike_in_each_arithmetic(settings: dict[str, Any]) -> None:
    config = Config(**(SMALL | settings))
    torch.manual_seed(0)
    network = make_network(config)
    batches = [
        {one.key: torch.randn(16, *one.shape) for one in make_inputs(config).values()}
        for _ in range(2)
    ]
    with torch.no_grad():
        for batch in batches:  # statistics of batch norm
            network(**batch)
    network.eval()

    def answer(arithmetic: Arithmetic, prepared: dict[str, torch.Tensor]) -> NDArray[np.float64]:
        with torch.no_grad():
            out = forward(network, prepared, arithmetic.within(config))
        return softmax(out.logits.float().numpy())

    own, *others = candidates(OWN, network)
    images = any(weight.dim() == 4 for weight in network.parameters())
    assert (own, others) == (OWN, [LAST, SHORT] if images else [Arithmetic("bfloat16")])
    for one in others:
        parity = compare(Forward(network, batches, answer), own, one)
        assert parity.holds, f"{one}: {parity}"
        assert parity.largest > 0 or one.precision == "float32"


def test_a_network_is_laid_out_in_place_and_computes_the_same_numbers() -> None:
    network = make_network(Config(**SMALL))
    before = {name: value.clone() for name, value in network.named_parameters()}
    kernels = [value for value in network.parameters() if value.dim() == 4 and value.shape[1] > 1]
    LAST.lay_out(network)
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in kernels)
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())
    OWN.lay_out(network)
    assert all(one.is_contiguous() for one in kernels)


def test_a_run_in_bfloat16_stays_so_and_only_its_layout_is_tried() -> None:
    network = make_network(Config(**SMALL))
    own = Arithmetic("bfloat16")
    assert candidates(own, network) == [own, SHORT]
    assert candidates(SHORT, network) == [SHORT]


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"precision": "double"}, "precision must be one of float32, bfloat16, float16, auto"),
        ({"precision": "auto", "channels_last": True}, "precision=auto chooses channels_last"),
        ({"precision": "auto", "compile": True}, "leave compile out, or name a precision"),
        ({"precision": "auto", "model": "vae"}, "precision=auto compares answers, and model=vae"),
        (
            {"precision": "auto", "pretraining": True, "inputs": "spec+eeg"},
            "precision=auto compares answers, and pretraining gives none",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Config(**settings)


def test_a_precision_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="--precision half: expected one of auto, float32, bf"):
        check_precision("half")


def test_threads_that_wait_for_a_processor_are_counted() -> None:
    """Of two programs on one processor, each waits for about as long as it runs."""
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not say for how long threads wait")
    script = """
import os, subprocess, sys
from hmstrain.models.choosing import of_threads
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
ran_s, waited_s = of_threads()
while of_threads()[0] < ran_s + 0.5:
    pass
print(of_threads()[1] - waited_s)
other.kill()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 0.2
