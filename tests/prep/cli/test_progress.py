"""Progress as the user reads it where there is no terminal."""

from __future__ import annotations

from hmsprep.cli.progress import Lines, Stage

STAGES = {"read": Stage("Reading", "bytes"), "plan": Stage("Planning"), "cut": Stage("Cut", "EEG")}


def said(steps: list[tuple[str, int, int, float]]) -> list[str]:
    """Lines for these reports of progress: stage, done, total, second."""
    found: list[str] = []
    now = iter([step[-1] for step in steps])
    lines = Lines(STAGES, found.append, lambda: next(now))
    for stage, done, total, _ in steps:
        lines.show(stage, done, total)
    return found


def test_progress_is_a_line_per_tenth() -> None:
    steps = [("cut", done, 100, 3.0 * done) for done in range(101)]
    found = said(steps)
    assert len(found) == 10
    assert found[0] == "Cut: 10%, 10 of 100 EEGs, 30 s"
    assert found[-1] == "Cut: 100%, 100 of 100 EEGs, 300 s"


def test_slow_progress_is_a_line_per_half_minute() -> None:
    assert said([("read", 0, 10**9, 10.0 * n) for n in range(10)]) == [
        f"Reading: 0%, 0.0 kB of 1.0 GB, {seconds} s" for seconds in (30, 60, 90)
    ]


def test_a_quick_stage_has_one_line_and_a_quick_one_without_measure_none() -> None:
    found = said([("plan", 0, 1, 0.0), ("plan", 1, 1, 0.1)])
    assert found == []
    found = said([("cut", n, 5, 0.01 * n) for n in range(6)] + [("cut", 5, 5, 9.0)])
    assert found == ["Cut: 100%, 5 of 5 EEGs, 0 s"]


def test_stages_that_alternate_keep_their_own_lines() -> None:
    steps = [(name, n, 4, n + 0.1) for n in range(5) for name in ("cut", "read")]
    ends = [line for line in said(steps) if "100%" in line]
    assert [line.split(":")[0] for line in ends] == ["Cut", "Reading"]
