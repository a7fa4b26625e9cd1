"""Sensitivities, places and times of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmstrain.errors import ConfigError
from hmstrain.reading.page.places import Place, exact_clock, read_clock
from hmstrain.reading.page.scale import (
    RULER_PX,
    Screen,
    Sensitivity,
    read_screen,
    write_screen,
)


def test_a_measured_screen_gives_microvolts_for_a_millimetre_at_any_zoom(tmp_path: Path) -> None:
    screen = Screen.measured(75.0, 2.0)  # 300 px of the page are 75 mm: 4 of them in each
    assert screen.px_mm(2.0) == RULER_PX / 75
    assert screen.px_mm(4.0) == RULER_PX / 75 / 2  # zoomed in: each is twice as large
    seven = Sensitivity(7, per_mm=True)
    assert seven.step_uv(32.0, screen.px_mm(2.0)) == 7 * 8  # traces are 8 mm apart
    assert seven.words == "7 uV/mm"
    write_screen(tmp_path / "new" / "screen.json", screen)
    assert read_screen(tmp_path / "new" / "screen.json") == screen
    (tmp_path / "screen.json").write_text("{")
    assert read_screen(tmp_path / "screen.json") is None
    for wrong in (0.0, 12.0, 1_000.0, float("nan")):
        with pytest.raises(ConfigError, match="Expected the bar to measure 30 to 300 mm"):
            Screen.measured(wrong, 1.0)


def test_without_a_ruler_the_page_says_microvolts_per_division() -> None:
    shown = Sensitivity(70, per_mm=False)
    assert shown.words == "70 uV per division"
    assert shown.step_uv(32.0, None) == 70
    assert shown.next(larger=True).value_uv == 50
    assert shown.next(larger=False).value_uv == 100
    assert Sensitivity(1, per_mm=True).next(larger=True).value_uv == 1


def test_pages_turn_and_stop_at_the_ends() -> None:
    first = Place(125.0)
    assert first.turned(-1).start_s == 0
    assert first.turned(1).start_s == 10
    assert first.turned(0.1).start_s == 1
    assert first.turned(99).start_s == 115
    assert first.at(120).stop_s == 125
    assert first.around(60).start_s == 55
    assert first.at(115).long(60.0).start_s == 65
    assert Place(4.0).at(3.0).start_s == 0
    assert Place(4.0).stop_s == 4


def test_times_are_written_and_read() -> None:
    assert exact_clock(3723.46) == "1:02:03.5"
    assert exact_clock(59.97) == "0:01:00.0"
    assert [exact_clock(-s) for s in (0.01, 0.5, 75)] == ["0:00:00.0", "-0:00:00.5", "-0:01:15.0"]
    for text, seconds in (("1:02:03.5", 3723.5), ("2:03", 123.0), (" 75 ", 75.0), ("0:00:00", 0.0)):
        assert read_clock(text) == seconds
    assert read_clock(exact_clock(1234.56), 1234.56) == 1234.56  # shown as 0:20:34.6
    for wrong in ("", "1:60:00", "0:75", "soon", "-3", "1:2:3:4"):
        with pytest.raises(ConfigError, match="Expected a time such as 1:02:03"):
            read_clock(wrong)
