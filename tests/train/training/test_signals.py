"""A signal stops a run between two steps, saved; resumed, it comes to the same weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from support.runs import ALONE, SMALL, train_small

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.stopping import SIGNALS, Interrupted, StopRequest, held_back, raising
from hmstrain.training.run import run

LATE: dict[str, Any] = {"validate_every": 1000, "epochs": 1, "ema": 0.5, "clip_gradient": 1.0}
"""Settings of a run whose first validation is its last step."""
SLOW = """
import sys, time
from hmstrain.cli import main
from hmstrain.training import state

advance = state.TrainingState.advance

def slowly(self):
    time.sleep(0.05)
    rate = advance(self)
    sys.stdout.write(f"step {self.progress.step}\\n")  # whole, lest two processes mix their words
    sys.stdout.flush()
    return rate

state.TrainingState.advance = slowly
main()
"""
"""The command line, with steps slow enough to be counted."""
ONE = (sys.executable,)
TWO = (*ONE, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


class Running:
    """A command of hmstrain in a process of its own, which prints its steps."""

    def __init__(
        self, script: Path, *words: object, by: tuple[str, ...] = ONE, **settings: Any
    ) -> None:
        script.write_text(SLOW)
        setting = [f"--set={key}={value}" for key, value in settings.items()]
        self.process = subprocess.Popen(
            [*by, str(script), *map(str, words), *setting],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def reach(self, step: int) -> None:
        """Read what it prints until it has taken a step."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == f"step {step}\n":
                return
        raise AssertionError(self.process.communicate()[1])

    def end(self) -> tuple[int, str]:
        """Exit code, and what it said on stderr."""
        said = self.process.communicate(timeout=100)[1]
        return self.process.returncode, said


def saved_step(path: Path) -> int:
    step: int = json.loads((path / "last" / "model.json").read_text())["progress"]["step"]
    return step


def assert_same_run(ours: Path, theirs: Path) -> None:
    """Equal weights, averages and scores."""
    for file in ("last/model.safetensors", "last/average.safetensors", "best/model.safetensors"):
        a, b = load_file(ours / file), load_file(theirs / file)
        assert a.keys() == b.keys()
        assert all(a[name].equal(b[name]) for name in a), file
    a, b = (json.loads((path / "metrics.json").read_text()) for path in (ours, theirs))
    assert a == b


@pytest.fixture(scope="module")
def whole(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    train_small(store, path, **LATE)
    return path


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGUSR1, 128 + signal.SIGUSR1)]
)
def test_a_run_stopped_before_its_first_validation_resumes_to_the_same_weights(
    store: Store, whole: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    path = tmp_path / "run"
    running = Running(tmp_path / "slow.py", "run", store.path, "--out", path, **(SMALL | LATE))
    running.reach(3)
    running.process.send_signal(number)
    found, said = running.end()
    assert found == code, said
    step = saved_step(path)
    assert 3 <= step < saved_step(whole)
    how = f"Resume with hmstrain run {store.path} --out {path} --resume."
    assert f"Stopped; step {step} is saved in {path}. {how}" in said
    assert not (path / "best").exists()
    train_small(store, path, resume=True, **LATE)
    assert_same_run(path, whole)


def test_a_second_signal_stops_at_once_and_keeps_what_was_saved(
    store: Store, tmp_path: Path
) -> None:
    """Both come during one step, which would not end."""
    path = tmp_path / "run"
    running = Running(tmp_path / "slow.py", "run", store.path, "--out", path, **(SMALL | LATE))
    running.reach(2)
    running.process.send_signal(signal.SIGTERM)
    running.end()
    step = saved_step(path)
    stuck = SLOW.replace("time.sleep(0.05)", "print('stuck', flush=True); time.sleep(600)")
    again = subprocess.Popen(
        [sys.executable, "-c", stuck, "run", store.path, "--out", path, "--resume"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert again.stdout is not None
    assert again.stderr is not None
    assert again.stdout.readline() == "stuck\n"
    again.send_signal(signal.SIGTERM)
    said = iter(again.stderr.readline, "")
    assert any("Another signal stops at once." in line for line in said)
    again.send_signal(signal.SIGTERM)
    said_last = again.communicate(timeout=60)[1]
    assert again.returncode == 143
    assert f"Stopped; everything saved so far is in {path}. Resume with" in said_last
    assert saved_step(path) == step


def test_processes_of_torchrun_stop_at_the_same_step(store: Store, tmp_path: Path) -> None:
    """torchrun hands the signal on to both; whoever sees it first, both take the same steps."""
    settings = SMALL | LATE | {"epochs": 3}
    path = tmp_path / "run"
    script = tmp_path / "slow.py"
    running = Running(script, "run", store.path, "--out", path, by=TWO, **settings)
    running.reach(3)
    running.process.send_signal(signal.SIGTERM)
    code, said = running.end()
    assert code != 0
    step = saved_step(path)
    assert not (path / "metrics.json").exists()
    assert step >= 3
    assert said.count(f"Stopped; step {step} is saved in {path}.") == 1
    resumed = Running(script, "run", store.path, "--out", path, "--resume", by=TWO)
    code, said = resumed.end()
    assert code == 0, said
    assert f"resuming at step {step}" in said
    taken = [line["step"] for line in read_metrics(path / "metrics.jsonl", "train")]
    assert step in taken
    assert taken == sorted(set(taken))
    assert taken[-1] == RunFolder(path).outcome().steps > step


@pytest.mark.parametrize(
    ("verb", "more", "inner", "how"),
    [
        (
            "run",
            {"model": "naive_cnn", "fold": "all"},
            "fold0",
            "Resume with hmstrain run {store} --out {path} --resume.",
        ),
        (
            "pretrain",
            {"model": "naive_cnn"},
            ".",
            "Resume with hmstrain pretrain {store} --out {path} --resume.",
        ),
        ("study", {}, "naive_cnn-spec", "Rerun the same command to resume."),
    ],
)
def test_folds_and_studies_are_saved_and_say_how_to_resume(
    store: Store, tmp_path: Path, verb: str, more: dict[str, Any], inner: str, how: str
) -> None:
    path = tmp_path / "out"
    chosen = ["--system", "naive_cnn-spec"] if verb == "study" else []
    settings = {key: value for key, value in (SMALL | LATE).items() if key != "model"} | more
    running = Running(tmp_path / "slow.py", verb, store.path, "--out", path, *chosen, **settings)
    running.reach(3)
    running.process.send_signal(signal.SIGTERM)
    code, said = running.end()
    assert code == 143, said
    step = saved_step(path / inner)
    how = how.format(store=store.path, path=path)
    assert f"Stopped; step {step} is saved in {path / inner}. {how}" in said


def test_a_signal_during_a_validation_stops_after_it(store: Store, tmp_path: Path) -> None:
    def tell(event: str, values: Any) -> None:
        if event == "valid" and values["step"] == 3:
            signal.raise_signal(signal.SIGUSR1)

    path = tmp_path / "run"
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(Interrupted, match="SIGUSR1: step 3 is saved"):
        run(Config(**SMALL), store, RunFolder(path), ALONE, tell, resume=False)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert saved_step(path) == 3
    train_small(store, path, resume=True)
    train_small(store, tmp_path / "whole")
    a, b = (load_file(p / "last" / "model.safetensors") for p in (path, tmp_path / "whole"))
    assert all(a[name].equal(b[name]) for name in a)


def test_other_threads_install_no_handlers_and_handlers_of_others_stay() -> None:
    def handlers() -> list[Any]:
        return [signal.getsignal(number) for number in SIGNALS]

    def entered(check: Callable[[], object]) -> None:
        with raising(), StopRequest(ALONE, lambda _event, _values: None), held_back():
            check()

    before, seen = handlers(), []
    thread = threading.Thread(target=entered, args=(lambda: seen.append(handlers()),))
    thread.start()
    thread.join()
    assert seen == [before]
    mine = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    try:
        own = signal.getsignal(signal.SIGTERM)
        entered(lambda: seen.append([signal.getsignal(signal.SIGTERM)]))
        assert seen[1] == [own]
    finally:
        signal.signal(signal.SIGTERM, mine)
    entered(lambda: seen.append(handlers()))
    for now, then in zip(seen[2], before, strict=True):  # what is ignored, as under nohup, stays so
        assert (now == then) == (then == signal.SIG_IGN)
    assert handlers() == before


def test_a_signal_that_came_too_late_to_be_asked_about_is_not_lost() -> None:
    request = StopRequest(ALONE, lambda _event, _values: None)
    with pytest.raises(Interrupted, match="SIGTERM"), raising(), request:
        signal.raise_signal(signal.SIGTERM)
