"""Precision of predictions and of training: what `auto` takes, where it stays, where it is off."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.clocks import Clock
from support.inside import Inside
from support.runs import ALONE, SMALL, Stopped, train_small, unsealed

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, RunError
from hmstrain.events import silent
from hmstrain.models.arithmetic import Arithmetic
from hmstrain.models.choosing import Choice, Parity, Tried, choose
from hmstrain.prediction.predict import predict
from hmstrain.runs import precision as precision_of_runs
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.json_file import write_sealed
from hmstrain.runs.log import read_metrics
from hmstrain.runs.precision import FILE, SWITCH, in_precision, machine, may_measure
from hmstrain.runs.predictions import TESTED, read_file
from hmstrain.runs.trained import load_trained
from hmstrain.scoring.score_run import test as score
from hmstrain.training import trial
from hmstrain.training.run import run as run_of
from hmstrain.training.trial import begun_in

PROGRAM = Inside("hmstrain")
CPU = torch.device("cpu")
SHORT = Arithmetic("bfloat16", True)
OWN = Arithmetic()
QUICK_SHORT, QUICK_OWN = [1.0, 0.9, 0.4], [1.0, 1.2, 1.4]
"""Seconds of float32, float32 with channels last, and bfloat16 with channels last."""


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From random weights, since after so few steps others would answer alike whatever they see."""
    path = tmp_path_factory.mktemp("runs") / "run"
    train_small(store, path, epochs=1, steps=4, start_at_prior=False)
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy to write into."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let speeds decide, of a few windows and steps too."""
    monkeypatch.setenv(SWITCH, "on")
    monkeypatch.setattr(precision_of_runs, "LEAST_WINDOWS", 1)
    monkeypatch.setattr(trial, "LEAST_STEPS", 1)
    return monkeypatch


def timed(monkeypatch: pytest.MonkeyPatch, seconds: list[float], waited_s: float = 0.0) -> None:
    """Let steps take so long, in the order in which they are tried, and threads run for 1 s."""
    used = cycle([(5.0, 5.0), (6.0, 5.0 + waited_s)])
    for module in (precision_of_runs, trial):
        measured = partial(choose, clock=Clock(seconds), used=lambda: next(used))
        monkeypatch.setattr(module, "choose", measured)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("measured again")


def test_float32_is_meant_where_nothing_is_to_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(SWITCH)
    assert may_measure(CPU)
    assert not may_measure(torch.device("cuda"))
    for word in ("", "0", "false", "No"):
        monkeypatch.setenv("CI", word)
        assert may_measure(CPU), word
    for word in ("1", "true", "woodpecker"):  # Woodpecker sets its own name
        monkeypatch.setenv("CI", word)
        assert not may_measure(CPU), word
    monkeypatch.setenv(SWITCH, "on")
    assert may_measure(CPU)
    monkeypatch.setenv(SWITCH, "off")
    assert not may_measure(CPU)
    monkeypatch.setenv(SWITCH, "never")
    with pytest.raises(ConfigError, match="HMS_AUTO_PRECISION=never: expected on or off"):
        may_measure(CPU)


def test_a_choice_is_kept_with_the_run_and_repeated_to_the_last_bit(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    plain = predict(run, store.path, out=tmp_path / "plain", precision="float32")
    assert not (run / FILE).exists()
    timed(measuring, QUICK_SHORT)
    first = predict(run, store.path, out=tmp_path / "first")
    (of_run,) = first.summary["runs"][0]["arithmetic"]
    assert (of_run["precision"], of_run["channels_last"], of_run["why"]) == (
        "bfloat16", True, "measured",
    )  # fmt: skip
    assert of_run["said"].startswith("bfloat16, channels last: 2.50 times as fast as float32 here")
    assert [one["speed"] for one in of_run["tried"]] == [1.0, 1.111, 2.5]
    (kept,) = unsealed(run / FILE)["machines"]
    assert kept == {
        "machine": machine(), "arithmetic": SHORT.to_json(), "tried": of_run["tried"],
        "near_on": [store.identity],
    }  # fmt: skip
    for name in ("choose", "compare"):
        measuring.setattr(precision_of_runs, name, refuse)
    again = predict(run, store.path, out=tmp_path / "again")
    assert again.summary["runs"][0]["arithmetic"][0]["why"] == "kept"
    np.testing.assert_array_equal(first.prediction, again.prediction)
    apart = np.abs(first.prediction - plain.prediction)
    assert 0 < apart.max() <= 0.03
    assert (apart <= 0.01).mean() >= 0.999
    tables = [(tmp_path / name / "predictions.csv").read_bytes() for name in ("first", "again")]
    assert tables[0] == tables[1]


def test_a_choice_made_beside_other_work_is_measured_anew_when_it_is_over(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_OWN, waited_s=1 / 3)
    busy = score(run, store=store, split="all", out=tmp_path / "busy")
    (computed,) = busy.arithmetic
    assert (computed.arithmetic, computed.why) == (OWN, "measured")
    assert computed.said.endswith(
        "; its threads waited for a processor 25% of the time, so an idle machine may differ"
    )
    assert not (run / FILE).exists()
    timed(measuring, QUICK_SHORT, waited_s=0.1)
    idle = score(run, store=store, split="all", out=tmp_path / "idle")
    assert [(one.arithmetic, one.why) for one in idle.arithmetic] == [(SHORT, "measured")]
    assert "waited" not in idle.arithmetic[0].said
    assert (run / FILE).exists()


def test_another_machine_measures_anew_and_the_first_keeps_its_own(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    score(run, store=store, split="all", out=tmp_path / "here")
    elsewhere = machine() | {"processor": "another"}
    with measuring.context() as there:
        there.setattr(precision_of_runs, "machine", lambda: elsewhere)
        timed(there, QUICK_OWN)
        found = score(run, store=store, split="all", out=tmp_path / "there")
    assert [one.arithmetic for one in found.arithmetic] == [OWN]
    machines = unsealed(run / FILE)["machines"]
    assert [one["arithmetic"] for one in machines] == [SHORT.to_json(), OWN.to_json()]
    found = score(run, store=store, split="all", out=tmp_path / "again")
    assert [(one.arithmetic, one.why) for one in found.arithmetic] == [(SHORT, "kept")]


def test_on_another_store_a_choice_is_compared_once_more_and_then_kept(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    first = score(run, store=store, split="all", out=tmp_path / "first")
    value = unsealed(run / FILE)
    value["machines"][0]["near_on"] = ["another"]
    write_sealed(run / FILE, value)
    measuring.setattr(precision_of_runs, "choose", refuse)
    again = score(run, store=store, split="all", out=tmp_path / "again")
    (computed,) = again.arithmetic
    assert (computed.arithmetic, computed.why) == (SHORT, "kept")
    assert "of 48 windows' probabilities 100.00% within 0.01" in computed.said
    np.testing.assert_array_equal(first.prediction, again.prediction)
    (kept,) = unsealed(run / FILE)["machines"]
    assert kept["near_on"] == ["another", store.identity]


def test_what_was_asked_for_is_taken_and_nothing_measured(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    measuring.setattr(precision_of_runs, "choose", refuse)
    found = score(run, store=store, out=tmp_path / "a", precision="bfloat16")
    assert [(one.arithmetic, one.why) for one in found.arithmetic] == [
        (Arithmetic("bfloat16"), "asked")
    ]
    plain = score(run, store=store, out=tmp_path / "b", precision="float32")
    saved = read_file(run / TESTED, store)
    np.testing.assert_array_equal(plain.prediction, saved.prediction)
    assert 0 < np.abs(found.prediction - plain.prediction).max() < 0.03
    with pytest.raises(ConfigError, match="--precision double: expected one of auto, float32"):
        score(run, store=store, out=tmp_path / "c", precision="double")


def test_few_windows_are_predicted_as_the_run_says(
    run: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "on")
    monkeypatch.setattr(precision_of_runs, "choose", refuse)
    found = score(run, store=store, split="all", out=tmp_path / "out")
    assert [(one.arithmetic, one.why) for one in found.arithmetic] == [(OWN, "own")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "precision.json is damaged: "),
        ('{"machines": [{"machine": {}, "tried": []}]}', "arithmetic: expected a value, got none"),
        (
            '{"machines": [{"machine": {}, "tried": [], "arithmetic": {"precision": "int8", '
            '"channels_last": true}}]}',
            "expected a precision and true or false",
        ),
    ],
)
def test_a_damaged_file_of_choices_is_refused_in_one_sentence(
    run: Path,
    store: Store,
    tmp_path: Path,
    measuring: pytest.MonkeyPatch,
    content: str,
    said: str,
) -> None:
    del measuring
    (run / FILE).write_text(content)
    with pytest.raises(RunError, match=said) as error:
        score(run, store=store, split="all", out=tmp_path / "out")
    assert "Remove it; it is then measured again." in str(error.value)


def test_a_run_that_cannot_be_written_into_is_measured_each_time(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    measuring.setattr(precision_of_runs, "refusal", lambda _: "Read-only file system")
    found = score(run, store=store, split="all", out=tmp_path / "out")
    assert [(one.arithmetic, one.why) for one in found.arithmetic] == [(SHORT, "measured")]
    assert not (run / FILE).exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sign", "its answers are too far from those in float32"),
        ("single", "does not compute in it here (support.nets:single fails on image_BCHW"),
    ],
)
def test_networks_that_bfloat16_does_not_suit_are_left_in_float32(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch, name: str, said: str
) -> None:
    model = f"support.nets:{name}"
    run = tmp_path / "run"
    train_small(store, run, model=model, inputs="spec", epochs=1, steps=2, learning_rate=0.1)
    timed(measuring, [1.0, 0.1] if name == "sign" else [1.0])
    found = score(run, store=store, split="all", out=tmp_path / "out", trust=model)
    assert [one.arithmetic for one in found.arithmetic] == [OWN]
    assert any(said in warning for warning in found.warnings)
    # A choice that was right elsewhere is compared on the windows at hand, too.
    one = {"machine": machine(), "arithmetic": Arithmetic("bfloat16").to_json(), "tried": []}
    write_sealed(run / FILE, {"machines": [one | {"near_on": ["another"]}]})
    if name == "sign":
        again = score(run, store=store, split="all", out=tmp_path / "again", trust=model)
        assert [(one.arithmetic, one.why) for one in again.arithmetic] == [(OWN, "own")]
        assert any(said in warning for warning in again.warnings)
        np.testing.assert_array_equal(again.prediction, found.prediction)


def test_the_command_says_in_one_line_what_was_chosen(
    run: Path, store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    out = tmp_path / "out"
    words = ("test", run, "--split", "all", "--store", store.path, "--out", out)
    done = PROGRAM.succeed(*words, **{SWITCH: "on"})
    lines = [line for line in done.stderr.splitlines() if line.startswith("precision=auto")]
    assert len(lines) == 1
    assert lines[0].startswith("precision=auto: bfloat16, channels last: 2.50 times as fast as")
    said = PROGRAM.fail("test", run, "--precision", "int8")
    assert "--precision int8: expected one of auto, float32, bfloat16, float16." in said


def weights(path: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(path / name / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    theirs = weights(other)
    return all(torch.equal(value, theirs[name]) for name, value in weights(one).items())


def test_a_resumed_run_computes_as_it_began(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    """Whatever would be measured when it is resumed."""
    timed(measuring, QUICK_SHORT)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train_small(store, whole, precision="auto", ema=0.9)
    timed(measuring, QUICK_SHORT)
    with pytest.raises(Stopped):
        train_small(store, parted, precision="auto", ema=0.9, stop_at=4)
    described = json.loads((parted / "last" / "model.json").read_text())
    assert described["arithmetic"] == SHORT.to_json()
    assert described["config"]["precision"] == "auto"
    measuring.setattr(trial, "choose", refuse)
    train_small(store, parted, precision="auto", ema=0.9, resume=True)
    assert same(whole, parted)
    outcome = RunFolder(parted).outcome()
    assert outcome.test == RunFolder(whole).outcome().test


def test_a_run_is_predicted_as_it_was_trained(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    train_small(store, tmp_path / "run", precision="auto", epochs=1, steps=4)
    trained = load_trained(RunFolder(tmp_path / "run"), CPU)
    assert Arithmetic.of(trained.config) == SHORT
    found = score(tmp_path / "run", store=store, precision="auto", out=tmp_path / "out")
    assert [(one.arithmetic, one.why) for one in found.arithmetic] == [(SHORT, "measured")]
    saved = read_file(tmp_path / "run" / TESTED, store)
    np.testing.assert_array_equal(found.prediction, saved.prediction)


REGULARISED: dict[str, Any] = {
    "model": "resnet10t", "inputs": "spec", "epochs": 1, "steps": 4, "drop_rate": 0.2,
    "mixup": 0.4, "ema": 0.9, "clip_gradient": 1.0,
}  # fmt: skip
"""With batch norm, and random numbers of all kinds."""


def of_training(path: Path) -> dict[str, Any]:
    """All that a run goes on from: weights, moving average, optimiser, schedule."""
    last = path / "last"
    found: dict[str, Any] = torch.load(last / "training.pt", weights_only=True)
    return {"weights": weights(path), "average": load_file(last / "average.safetensors"), **found}


def identical(one: Any, other: Any) -> bool:
    """Whether nested values are the same, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    return bool(one == other)


def test_trying_leaves_no_trace_of_itself(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    """Where another arithmetic is taken, the run is that in which it was asked for, bit for bit."""
    short = {"precision": "bfloat16", "channels_last": True}
    train_small(store, tmp_path / "asked", **REGULARISED, **short)
    timed(measuring, QUICK_SHORT)
    train_small(store, tmp_path / "auto", precision="auto", **REGULARISED)
    train_small(store, tmp_path / "plain", **REGULARISED)
    assert identical(of_training(tmp_path / "auto"), of_training(tmp_path / "asked"))
    assert not same(tmp_path / "auto", tmp_path / "plain")
    tested = [read_file(tmp_path / name / TESTED, store) for name in ("auto", "asked")]
    np.testing.assert_array_equal(tested[0].prediction, tested[1].prediction)


def test_a_run_keeps_what_was_measured_and_where(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    said: list[str] = []
    path = tmp_path / "run"
    config = Config(**SMALL | {"precision": "auto", "epochs": 1, "steps": 4})

    def tell(event: str, values: Mapping[str, Any]) -> None:
        if event == "notice":
            said.append(values["text"])
        if values.get("step", 0) >= 3 and event == "train":
            raise Stopped

    with pytest.raises(Stopped):
        run_of(config, store, RunFolder(path), ALONE, tell, resume=False)
    run_of(config, store, RunFolder(path), ALONE, silent, resume=True)
    for name in ("last", "best"):
        why = json.loads((path / name / "model.json").read_text())["why_arithmetic"]
        assert why["machine"] == machine()
        assert len([one["seconds"] for one in why["tried"]]) == 3
        assert f"precision=auto: {why['said']}." in said
    assert "2.50 times as fast as float32 here" in why["said"]


def test_the_main_process_decides_for_all(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    class Second(World):
        """Whose main process has chosen otherwise."""

        def all_parts(self, part: Any) -> list[Any]:
            return [of_main if isinstance(part, Choice) else part]

    of_main = Choice.among([Tried(OWN, 1.0), Tried(SHORT, 2.5)])
    timed(measuring, QUICK_OWN)
    config = Config(**SMALL | {"precision": "auto", "epochs": 1, "steps": 2})
    run_of(config, store, RunFolder(tmp_path / "run"), Second(0, 1, CPU), silent, resume=False)
    assert begun_in(RunFolder(tmp_path / "run")) == SHORT


def test_networks_of_one_run_compute_alike(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    """Also those that are trained after it was resumed, on whatever machine."""
    path = tmp_path / "run"
    config = Config(**SMALL | {"precision": "auto", "seeds": 2, "epochs": 1, "steps": 2})

    def stop_at_second(event: str, values: Mapping[str, Any]) -> None:
        if event == "network" and values["number"] == 1:
            raise Stopped

    timed(measuring, QUICK_SHORT)
    with pytest.raises(Stopped):
        run_of(config, store, RunFolder(path), ALONE, stop_at_second, resume=False)
    measuring.setattr(trial, "choose", refuse)
    run_of(config, store, RunFolder(path), ALONE, silent, resume=True)
    assert [begun_in(RunFolder(path / f"seed{seed}")) for seed in (0, 1)] == [SHORT, SHORT]


def test_answers_of_a_run_trained_by_auto_are_near_those_in_float32(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    settings = REGULARISED | {"steps": 12, "start_at_prior": False, "learning_rate": 1e-3}
    train_small(store, tmp_path / "run", precision="auto", **settings)
    found = {
        name: score(
            tmp_path / "run", store=store, split="all", out=tmp_path / name, precision=precision
        )
        for name, precision in (("own", "bfloat16"), ("plain", "float32"))
    }
    own, plain = found["own"], found["plain"]
    assert [one.arithmetic for one in own.arithmetic] == [SHORT]
    parity = Parity.between(plain.prediction, own.prediction)
    assert parity.windows == len(plain.rows)
    assert parity.largest > 0
    assert parity.holds, str(parity)


@pytest.mark.parametrize("off", [True, False])
def test_trying_leaves_no_trace_where_float32_is_taken(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch, off: bool
) -> None:
    settings: dict[str, Any] = {"epochs": 1, "steps": 4, "drop_rate": 0.2, "mixup": 0.4}
    train_small(store, tmp_path / "plain", **settings)
    if off:
        measuring.setenv(SWITCH, "off")
        measuring.setattr(trial, "choose", refuse)
    timed(measuring, QUICK_OWN)
    train_small(store, tmp_path / "auto", precision="auto", **settings)
    assert same(tmp_path / "plain", tmp_path / "auto")
    described = json.loads((tmp_path / "auto" / "best" / "model.json").read_text())
    assert described["arithmetic"] == OWN.to_json()
    lines = [read_metrics(tmp_path / name / "metrics.jsonl", "valid") for name in ("plain", "auto")]
    assert lines[0][-1]["kl_votes"] == lines[1][-1]["kl_votes"]


def test_a_checkpoint_without_its_choice_is_refused(
    store: Store, tmp_path: Path, measuring: pytest.MonkeyPatch
) -> None:
    measuring.setenv(SWITCH, "off")
    run = tmp_path / "run"
    train_small(store, run, precision="auto", epochs=1, steps=2)
    path = run / "best" / "model.json"
    described = json.loads(path.read_text())
    del described["arithmetic"]
    path.write_text(json.dumps(described))
    with pytest.raises(RunError, match="damaged"):
        load_trained(RunFolder(run), CPU)


def test_members_of_an_ensemble_choose_by_themselves(
    run: Path, store: Store, measuring: pytest.MonkeyPatch
) -> None:
    timed(measuring, QUICK_SHORT)
    folder = RunFolder(run)
    rows = store.select("train")
    found, computed = in_precision(
        load_trained(folder, CPU), folder, store, rows, ALONE, "auto", batch_size=16
    )
    assert computed.arithmetic == Arithmetic.of(found.config) == SHORT
    plain, own = in_precision(load_trained(folder, CPU), folder, store, rows, ALONE, None)
    assert (own.why, Arithmetic.of(plain.config)) == ("own", OWN)
