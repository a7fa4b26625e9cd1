"""Lines of a run's log are read as far as they are whole, and kept up to where a run resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmstrain.runs.log import MetricsLog, read_metrics


def test_lines_are_read_in_order_and_by_event(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", until_step=0, tensorboard=False)
    log.add("train", 10, {"kl": 1.5})
    log.add("valid", 10, {"kl_votes": 1.25, "epoch": 0})
    log.add("train", 20, {"kl": 1.0})
    log.close()
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [(line["event"], line["step"]) for line in lines] == [
        ("train", 10),
        ("valid", 10),
        ("train", 20),
    ]
    assert [x["kl"] for x in read_metrics(tmp_path / "metrics.jsonl", "train")] == [1.5, 1.0]


@pytest.mark.parametrize("until", [0, 10, 30])
def test_tensorboard_shows_steps_after_that_of_a_resumed_run_once(
    tmp_path: Path, until: int
) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    path = tmp_path / "metrics.jsonl"
    for start in (0, until):
        log = MetricsLog(path, until_step=start, tensorboard=True)
        for step in range(start + 10, 50, 10):
            log.add("train", step, {"kl": step + start})
        log.close()
    shown = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    points = [(point.step, point.value) for point in shown.Scalars("train/kl")]
    assert points == [(line["step"], line["kl"]) for line in read_metrics(path)]


def test_a_resumed_run_keeps_lines_up_to_its_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, until_step=0, tensorboard=False)
    for step in (10, 20, 30):
        log.add("train", step, {})
    log.close()
    path.write_bytes(path.read_bytes()[:-4])  # the last line was cut short
    assert [line["step"] for line in read_metrics(path)] == [10, 20]
    MetricsLog(path, until_step=10, tensorboard=False).close()
    assert [line["step"] for line in read_metrics(path)] == [10]
