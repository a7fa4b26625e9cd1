"""Episodes: a threshold, a shortest length, a smoothing; and what leaves the program of them."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsstore import HMS
from hmsstore.recordings import ImportedPiece, ImportedRecording
from hmstrain.config import Config
from hmstrain.errors import RESEARCH_ONLY, ConfigError
from hmstrain.prediction.episodes import EpisodeRule, smooth, spans_of, stretches
from hmstrain.prediction.leaving import caveat_words, text_of, write_annotations
from hmstrain.prediction.page import make_page
from hmstrain.prediction.picture import draw_timeline
from hmstrain.prediction.recorded import (
    caveats_of,
    channels_read,
    looked_beyond,
    still_electrodes,
)
from hmstrain.prediction.tables import write_episodes
from hmstrain.prediction.timeline import Timeline, make_timeline
from hmstrain.words import clock

SEIZURE, LPD, OTHER = 0, 1, 5


def timeline(centre_s: Any, seizure: Any, seconds: float = 600.0, **more: Any) -> Timeline:
    """A timeline whose probabilities beside the class seizure are all of the background."""
    centre, found = np.asarray(centre_s, float), np.asarray(seizure, float)
    prediction = np.zeros((len(found), 6))
    prediction[:, SEIZURE], prediction[:, OTHER] = found, 1 - found
    whole = np.zeros(len(found))
    return Timeline("x.edf", seconds, centre, prediction, whole, whole.copy(), **more)


def every(step_s: float, count: int) -> np.ndarray:
    return 25 + step_s * np.arange(count)


def bounds(found: Timeline, **rule: float) -> list[tuple[float, float]]:
    return [(one.start_s, one.stop_s) for one in found.episodes(EpisodeRule(**rule))]


def test_an_episode_is_a_stretch_over_the_threshold() -> None:
    found = timeline(every(10, 8), [0.1, 0.6, 0.5, 0.2, 0.9, 0.1, 0.7, 0.7])
    assert bounds(found, shortest_s=0, smoothing_s=0) == [(30, 50), (60, 70), (80, 100)]
    assert bounds(found, shortest_s=20, smoothing_s=0) == [(30, 50), (80, 100)]
    assert bounds(found, threshold=0.65, shortest_s=0, smoothing_s=0) == [(60, 70), (80, 100)]
    assert bounds(found, shortest_s=20.5, smoothing_s=0) == []


def test_by_default_one_window_alone_is_none_and_a_dip_does_not_break_one() -> None:
    alone = timeline(every(10, 7), [0, 0, 0, 1, 0, 0, 0])
    assert bounds(alone) == []
    dipped = timeline(every(10, 9), [0, 0, 0.9, 0.9, 0.2, 0.9, 0.9, 0, 0])
    assert bounds(dipped, smoothing_s=0) == [(40, 60), (70, 90)]
    assert bounds(dipped) == [(40, 90)]


def test_probabilities_of_an_episode_are_its_windows_own_not_smoothed() -> None:
    (one,) = timeline(every(10, 6), [0, 0.6, 0.9, 0.6, 0, 0]).episodes(EpisodeRule())
    assert (one.start_s, one.stop_s) == (30, 60)
    assert one.mean == pytest.approx(0.7)
    assert one.largest == 0.9


def test_classes_have_episodes_of_their_own_below_half() -> None:
    found = timeline(every(10, 3), [0.45, 0.45, 0.45])
    found.prediction[:, LPD], found.prediction[:, OTHER] = 0.4, 0.15
    rule = EpisodeRule(0.4, 0, 0)
    assert [(one.code, one.start_s, one.stop_s) for one in found.episodes(rule)] == [
        (SEIZURE, 20, 50), (LPD, 20, 50),
    ]  # fmt: skip
    assert found.share_over_threshold(rule)["lpd"] == 1


def test_the_share_of_windows_counts_those_too_short_for_an_episode() -> None:
    found = timeline(every(10, 5), [0.9, 0, 0, 0, np.nan])
    rule = EpisodeRule(0.5, 20, 0)
    assert found.episodes(rule) == []
    assert found.share_over_threshold(rule)["seizure"] == pytest.approx(1 / 4)


def test_a_class_whose_title_has_dollar_signs_is_drawn() -> None:
    classes = (HMS.classes[0], replace(HMS.classes[1], title="$x^$"), *HMS.classes[2:])
    found = replace(timeline(every(10, 5), [0.5] * 5), spec=replace(HMS, classes=classes))
    draw_timeline(found).savefig(BytesIO(), format="png")


def test_windows_without_probability_and_jumps_in_time_end_an_episode() -> None:
    gap = timeline(every(10, 5), [1, 1, np.nan, 1, 1])
    assert bounds(gap) == [(20, 40), (50, 70)]
    jump = timeline([25, 35, 45, 3625, 3635], [1, 1, 1, 1, 1], seconds=4000)
    assert bounds(jump) == [(20, 50), (3620, 3640)]
    drawn = [path for part in draw_timeline(jump).axes[0].collections for path in part.get_paths()]
    assert max(np.ptp(path.vertices[:, 0]) for path in drawn) == 30


def test_a_stretch_reaches_halfway_to_its_neighbours() -> None:
    assert spans_of(np.asarray([25.0]), 10).tolist() == [[20, 30]]
    assert spans_of(np.asarray([25.0, 27]), 10).tolist() == [[24, 26], [26, 28]]
    assert spans_of(np.asarray([25.0, 45, 65]), 10).tolist() == [[20, 35], [35, 55], [55, 70]]
    irregular = spans_of(np.asarray([25.0, 35, 41, 51]), 10)
    assert irregular.tolist() == [[20, 30], [30, 38], [38, 46], [46, 56]]


def averaged_one_by_one(spans_s: np.ndarray, values: np.ndarray, smoothing_s: float) -> np.ndarray:
    """The same mean in words: of each window, by how much of it lies in the seconds around."""
    found = np.full(len(values), np.nan)
    for place, (start, stop) in enumerate(spans_s):
        low, high = ((start + stop) / 2 + side * smoothing_s / 2 for side in (-1, 1))
        weight = np.clip(np.minimum(spans_s[:, 1], high) - np.maximum(spans_s[:, 0], low), 0, None)
        known = np.isfinite(values)
        if known[place]:
            found[place] = (weight[known] * values[known]).sum() / weight[known].sum()
    return found


@settings(deadline=None, max_examples=50)
@given(
    steps=st.lists(st.sampled_from([1.0, 7.0, 10.0, 300.0]), min_size=0, max_size=20),
    smoothing_s=st.sampled_from([5.0, 20.0, 30.0, 61.5]),
    seed=st.integers(0, 1000),
)
def test_smoothing_is_the_mean_over_the_seconds_around(
    steps: list[float], smoothing_s: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spans_s = spans_of(25 + np.cumsum([0.0, *steps]), 10)
    values = rng.random((len(spans_s), 2))
    values[rng.random(len(spans_s)) < 0.2] = np.nan
    found = smooth(spans_s, values, smoothing_s)
    for column in range(2):
        expected = averaged_one_by_one(spans_s, values[:, column], smoothing_s)
        np.testing.assert_allclose(found[:, column], expected, atol=1e-9)


def test_a_day_of_windows_is_smoothed_without_loss() -> None:
    spans_s = spans_of(every(2, 43_200), 10)
    values = np.full((len(spans_s), 1), 0.5)
    assert stretches(spans_s, smooth(spans_s, values, 30)[:, 0] >= 0.5 - 1e-9, 20) == [(0, 43_200)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threshold": 0}, "--threshold: expected a probability above 0 and up to 1, got 0"),
        ({"threshold": 1.01}, "--threshold: expected .* got 1.01"),
        ({"threshold": float("nan")}, "--threshold: .* got nan"),
        ({"shortest_s": -1}, "--shortest: expected 0 seconds or more, got -1"),
        ({"smoothing_s": float("inf")}, "--smoothing: expected 0 seconds or more, got inf"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EpisodeRule(**values)


def test_times_are_hours_minutes_and_seconds() -> None:
    assert [clock(s) for s in (0, 18, 120, 1100, 3599.6, 93_784)] == [
        "0:00:00", "0:00:18", "0:02:00", "0:18:20", "1:00:00", "26:03:04",
    ]  # fmt: skip


IMPORTED = ImportedRecording(
    "x.edf", 100.0, 1, (200.0,), ("EKG", "Fz"), (), (ImportedPiece(7, 0.0),), interpolated=("F7",)
)


def config(inputs: str, **more: Any) -> Config:
    return Config(model="resnet10t" if "raw" not in inputs else "resnet1d", inputs=inputs, **more)


def test_channels_are_in_doubt_where_a_run_looks_at_them() -> None:
    spectrogram = channels_read([config("spec")], HMS)
    assert "Fp1" in spectrogram
    assert not {"Fz", "EKG"} & spectrogram
    assert caveats_of(IMPORTED, spectrogram, HMS) == {"interpolated": ("F7",)}
    both = channels_read([config("spec"), config("raw", eeg_seconds=10)], HMS)
    assert caveats_of(IMPORTED, both, HMS) == {"interpolated": ("F7",), "filled": ("Fz",)}
    own = Config(model="mine:net", inputs="microvolts")
    assert caveats_of(IMPORTED, channels_read([own], HMS), HMS)["filled"] == ("EKG", "Fz")


def test_signals_that_the_import_found_wanting_are_in_doubt_where_a_run_looks_at_them() -> None:
    found = replace(
        IMPORTED, flat=("Cz",), railed=("O2", "#23"), bridged=("F3-C3", "Fz-Cz"), filled=()
    )
    of_chains = caveats_of(found, channels_read([config("spec")], HMS), HMS)
    assert of_chains == {
        "railed": ("O2", "#23"), "bridged": ("F3-C3",), "interpolated": ("F7",),
    }  # fmt: skip
    assert caveat_words(of_chains)[0] == "O2, #23 railed at times"
    of_all = caveats_of(found, channels_read([config("raw", eeg_seconds=10)], HMS), HMS)
    assert (of_all["flat"], of_all["bridged"]) == (("Cz",), ("F3-C3", "Fz-Cz"))


def doubtful() -> Timeline:
    windows = {
        "eeg_id": np.full(3, 7), "eeg_offset_s": np.asarray([0.0, 10, 20]),
        "spectrogram_nan_fraction": np.zeros(3), "eeg_nan_fraction": np.asarray([0, 0.4, 0.1]),
    }  # fmt: skip
    prediction = np.asarray([[0.83, 0, 0, 0, 0, 0.17]] * 3)
    caveats = {"filled": ("EKG",), "interpolated": ("T3", "O1")}
    return make_timeline(IMPORTED, windows, prediction, HMS, caveats)


def test_whatever_leaves_says_that_it_is_a_models_and_what_it_rests_on(tmp_path: Path) -> None:
    found, rule = doubtful(), EpisodeRule()
    episodes = found.episodes(rule)
    expected = (
        "RESEARCH, model, p=0.83: seizure-like; T3, O1 interpolated; EKG missing; "
        "up to 40% of the EEG not recorded"
    )
    assert [text_of(one) for one in episodes] == [expected]
    write_annotations(episodes, rule, tmp_path / "a.edf")
    first, one = edfio.read_edf(tmp_path / "a.edf").annotations
    assert first.text.startswith("RESEARCH, model (hms-eeg): ")
    assert RESEARCH_ONLY in first.text
    assert rule.words in first.text
    assert (one.onset, one.duration, one.text) == (20, 30, expected)
    write_episodes(tmp_path / "a.csv", episodes)
    with (tmp_path / "a.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["from (h:mm:ss)"] == "0:00:20"
    assert row["length (h:mm:ss)"] == "0:00:30"
    assert row["model's answer"] == "Seizure-like"
    assert row["what this is"] == expected
    html = make_page(found, rule, {}).to_html()
    assert "0:00:20" in html
    assert "not recorded as shown: T3, O1 interpolated; EKG missing." in html
    assert "share of windows over the threshold" in html
    assert ">Seizure<" not in html
    none = make_page(found, rule, {}, episodes=[]).to_html()
    assert f"There is no stretch of {rule.words}." in none
    assert "times in h:mm:ss" not in none
    legend = [text.get_text() for text in draw_timeline(found).legends[0].get_texts()]
    assert legend[:2] == ["Seizure-like", "LPD"]


def test_a_page_calls_a_model_less_sure_only_where_it_looks_at_what_is_missing() -> None:
    eeg = Config(model="resnet1d", inputs="eeg")
    for configs, beyond, words in (
        ([Config()], {"spectrogram"}, "less sure under the lower line than it says; the upper one"),
        ([eeg], {"eeg"}, "less sure under the upper line than it says; the lower one does"),
        ([Config(), eeg], {"eeg", "spectrogram"}, "under the lower or the upper line than"),
        ([Config(model="features")], {"eeg"}, "less sure under the upper line"),
        ([Config(model="features", features_span="judged")], set(),
         "looks at the 10 judged seconds alone, so neither line makes it less sure"),
    ):  # fmt: skip
        found = looked_beyond(configs, HMS)
        assert found == beyond
        assert words in make_page(doubtful(), EpisodeRule(), {}, beyond=found).to_html()


def test_electrodes_that_do_not_vary_are_found_and_gaps_are_not() -> None:
    rng = np.random.default_rng(0)
    eeg_uv = rng.normal(0, 20, (3, 2000, 4)).astype(np.float32)
    eeg_uv[:, :, 1] = 1024  # railed
    eeg_uv[:, 1200:, 2] = 0  # flat for 4 s of 10
    places = {"Fp1": 0, "F3": 1, "C3": 2, "P3": 3}
    assert still_electrodes(eeg_uv, 200, places) == ("F3",)
    eeg_uv[:, 900:, 2] = 0  # for 5.5 s, of which the half second varies
    assert still_electrodes(eeg_uv, 200, places) == ("F3", "C3")
    gap = rng.normal(0, 20, (1, 2000, 4)).astype(np.float32)
    gap[:, 600:] = 0
    assert still_electrodes(gap, 200, places) == ()
    assert still_electrodes(np.zeros((1, 2000, 4), np.float32), 200, places) == ()
