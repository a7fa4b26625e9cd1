"""What pictures of windows show, and the page that holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hmsstore import CHANNELS, RequestError, Store, StoreError, ViewError
from hmsstore.view import (
    MONTAGES,
    Display,
    Importance,
    draw,
    draw_grid,
    draw_window,
    load_window,
)
from hmsstore.view.eeg import band_pass
from hmsstore.view.importance import contour_levels
from hmsstore.view.page import Page
from hmsstore.view.saving import save, save_pages
from hmsstore.view.spectrogram import SCALE_DB


def test_the_bipolar_montage_is_the_double_banana() -> None:
    montage = MONTAGES["bipolar"]
    assert len(montage.labels) == 18
    assert montage.labels[:4] == ("Fp1-F7", "F7-T3", "T3-T5", "T5-O1")
    assert montage.labels[-2:] == ("Fz-Cz", "Cz-Pz")
    eeg_uv = np.zeros((5, 20), np.float32)
    eeg_uv[:, CHANNELS.index("T3")] = 7
    traces = dict(zip(montage.labels, montage.derive(eeg_uv)[0].tolist(), strict=True))
    assert {label: value for label, value in traces.items() if value} == {"F7-T3": -7, "T3-T5": 7}


def test_referential_traces_are_the_channels_and_average_ones_add_up_to_nothing() -> None:
    eeg_uv = np.random.default_rng(0).normal(0, 30, (50, 20)).astype(np.float32)
    referential, average = MONTAGES["referential"], MONTAGES["average"]
    order = [CHANNELS.index(label) for label in referential.labels]
    assert sorted(order) == list(range(19))
    np.testing.assert_allclose(referential.derive(eeg_uv), eeg_uv[:, order], rtol=1e-6)
    traces = average.derive(eeg_uv)
    np.testing.assert_allclose(traces.sum(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(traces[:, 0], eeg_uv[:, 0] - eeg_uv[:, :19].mean(axis=1), atol=1e-4)
    assert average.labels[0] == "Fp1-avg"


def test_the_transverse_montage_runs_from_left_to_right_in_rows_from_front_to_back() -> None:
    montage = MONTAGES["transverse"]
    assert montage.labels == (
        "F7-Fp1", "Fp1-Fp2", "Fp2-F8", "F7-F3", "F3-Fz", "Fz-F4", "F4-F8", "T3-C3", "C3-Cz",
        "Cz-C4", "C4-T4", "T5-P3", "P3-Pz", "Pz-P4", "P4-T6", "T5-O1", "O1-O2", "O2-T6",
    )  # fmt: skip
    sides = dict(zip(montage.labels, montage.sides, strict=True))
    assert [sides[label] for label in ("F7-Fp1", "Fp1-Fp2", "Fz-F4")] == [
        "left",
        "midline",
        "right",
    ]
    eeg_uv = np.zeros((5, 20), np.float32)
    eeg_uv[:, CHANNELS.index("Cz")] = 7
    traces = dict(zip(montage.labels, montage.derive(eeg_uv)[0].tolist(), strict=True))
    assert {label: value for label, value in traces.items() if value} == {"C3-Cz": -7, "Cz-C4": 7}


def test_a_gap_in_one_electrode_is_a_gap_in_just_the_traces_that_need_it() -> None:
    eeg_uv = np.ones((4, 20), np.float32)
    eeg_uv[2, CHANNELS.index("Fz")] = np.nan
    eeg_uv[3, CHANNELS.index("EKG")] = np.nan
    montage = MONTAGES["bipolar"]
    gaps = np.isnan(montage.derive(eeg_uv))
    assert [montage.labels[n] for n in np.flatnonzero(gaps[2])] == ["Fz-Cz"]
    assert gaps.sum() == 1


def test_negative_goes_up_and_the_judged_ten_seconds_are_shaded(store: Store) -> None:
    figure = draw_window(store, 0)
    eeg, *spectrograms, votes = (a for a in figure.axes if a.get_label() != "<colorbar>")
    assert eeg.yaxis_inverted()
    assert eeg.get_xlim() == (0, 50)
    shaded = eeg.patches[0].get_extents().transformed(eeg.transData.inverted())
    assert (round(shaded.x0), round(shaded.x1)) == (20, 30)
    assert [axes.get_title("left")[:2] for axes in spectrograms] == ["LL", "RL", "LP", "RP"]
    assert len({axes.images[0].get_clim() for axes in spectrograms}) == 1
    cast = store.windows["votes"][0]
    np.testing.assert_allclose([bar.get_width() for bar in votes.patches], cast / cast.sum())


def test_a_negative_wave_of_the_first_electrode_is_drawn_upwards(store: Store) -> None:
    window = load_window(store, 0)
    window.eeg_uv[:] = 0
    window.eeg_uv[5_000:5_020, CHANNELS.index("Fp1")] = -100
    for display in (Display(), Display("referential"), Display("average")):
        eeg = draw(window, display).axes[0]
        line = eeg.lines[0].get_ydata()
        assert line[5_010] < line[0] - 20
        assert eeg.get_ylim()[0] > eeg.get_ylim()[1]


def test_low_frequencies_are_at_the_bottom_of_each_spectrogram(store: Store) -> None:
    window = load_window(store, 0)
    window.log_power[:] = np.tile(np.arange(100), 4)
    axes = next(a for a in draw(window).axes if a.get_title("left").startswith("LL"))
    picture = axes.images[0]
    assert picture.origin == "upper"
    assert picture.get_array()[0, 0] == pytest.approx(99 * 10 / np.log(10))
    assert picture.get_extent()[2:] == pytest.approx([0.48828125, 20.01953125])


def test_a_shorter_page_shows_the_middle_at_the_spacing_asked_for(store: Store) -> None:
    figure = draw_window(store, 0, Display("referential", 10, 70))
    eeg = figure.axes[0]
    assert eeg.get_xlim() == (20, 30)
    assert any(text.get_text() == "70 uV, 1 s" for text in eeg.texts)
    assert len(eeg.get_yticklabels()) == 20
    line = eeg.lines[0].get_xdata()
    assert line[0] >= 20
    assert line[-1] <= 30


def test_predictions_stand_beside_votes(store: Store) -> None:
    prediction = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]
    votes = draw_window(store, 0, prediction=prediction).axes[-2]
    assert [bar.get_width() for bar in votes.patches][6:] == prediction
    assert "model" in votes.get_title("left")


def test_what_was_not_recorded_is_a_gap_in_traces_and_grey_in_spectrograms(store: Store) -> None:
    window = load_window(store, 1)
    window.eeg_uv[2_000:3_000] = np.nan
    window.log_power[:40] = np.nan
    figure = draw(window)
    trace = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(trace[2_000:3_000]).all()
    assert np.isfinite(trace[4_000:]).all()
    picture = figure.axes[1].images[0].get_array()
    assert picture.mask[:, :40].all()
    assert not picture.mask[:, 40:].any()
    window.eeg_uv[:] = np.nan
    window.log_power[:] = np.nan
    draw(window).canvas.draw()


def test_what_was_filled_is_a_gap_again(store: Store) -> None:
    filled = store.windows["spectrogram_nan_fraction"] + store.windows["eeg_nan_fraction"]
    for row in np.argsort(-filled)[:3].tolist():
        window = load_window(store, row)
        for name, values in (("eeg", window.eeg_uv), ("spectrogram", window.log_power)):
            fraction = store.windows[f"{name}_nan_fraction"][row]
            assert np.isnan(values).mean() == pytest.approx(fraction, abs=0.01)
            assert f"of {name} missing" in window.short_title or not fraction
    whole = load_window(store, int(filled.argmin()))
    assert np.isfinite(whole.eeg_uv).all()


def test_only_long_stretches_that_repeat_all_values_count_as_filled() -> None:
    from hmsstore.view.window import _repeated

    values = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    values[10:15] = 0
    values[30:32] = values[29]
    values[60:90, :3] = 7
    assert np.flatnonzero(_repeated(values, 3)).tolist() == [10, 11, 12, 13, 14, 29, 30, 31]
    assert np.flatnonzero(_repeated(values, 5)).tolist() == [10, 11, 12, 13, 14]
    values[95:] = 1
    assert np.flatnonzero(_repeated(values, 5)).tolist()[-5:] == [95, 96, 97, 98, 99]


def test_ties_name_every_class(store: Store) -> None:
    from hmsstore.view.window import vote_label

    assert vote_label(np.asarray([0, 5, 0, 0, 2, 0])) == "LPD 5/7"
    assert vote_label(np.asarray([0, 3, 3, 0, 0, 1])) == "LPD = GPD 3/7"
    assert vote_label(np.zeros(6, int)) == "not labelled"


def test_importance_lies_where_its_rows_were_and_contours_hold_its_shares() -> None:
    found = np.zeros((400, 100), np.float32)
    found[7, 3] = 6
    found[300:310] = 0.001
    laid = Importance("why", spectrogram=found, spectrogram_rows=(100, 200))
    whole = laid.whole_spectrogram()
    assert whole.shape == (300, 400)
    assert whole[103, 7] == 6
    assert not whole[:100].any()
    assert not whole[200:].any()
    spread = np.linspace(0, 1, 1000, dtype=np.float32)
    low, high = contour_levels(spread)
    assert spread[spread >= high].sum() == pytest.approx(0.2 * spread.sum(), rel=0.02)
    assert spread[spread >= low].sum() == pytest.approx(0.5 * spread.sum(), rel=0.02)
    assert contour_levels(np.zeros(9, np.float32)) == []


def test_the_display_filter_keeps_ten_hertz_and_takes_drift_away() -> None:
    seconds = np.arange(10_000)[:, None] / 200
    alpha = 20 * np.sin(2 * np.pi * 10 * seconds).astype(np.float32)
    filtered = band_pass(alpha + 300 + 5 * seconds.astype(np.float32), 200.0)
    np.testing.assert_allclose(filtered[1000:-1000], alpha[1000:-1000], atol=1.0)
    gappy = (300 + 0 * alpha).astype(np.float32)
    gappy[4_000:5_000] = np.nan
    bridged = band_pass(gappy, 200.0)
    assert np.isnan(bridged[4_000:5_000]).all()
    assert np.nanmax(np.abs(bridged)) < 1
    hum = (50 * np.sin(2 * np.pi * 50 * seconds)).astype(np.float32)
    without = band_pass(hum + alpha, 200.0, notch_hz=50.0)
    np.testing.assert_allclose(without[1000:-1000], alpha[1000:-1000], atol=1.0)
    high = band_pass(alpha, 200.0, (0.5, 5.0))
    assert np.abs(high[1000:-1000]).max() < 2


@pytest.mark.parametrize("number", [2, 3, 7])
def test_a_grid_has_a_cell_for_each_window(store: Store, number: int) -> None:
    figure = draw_grid([load_window(store, row) for row in range(number)])
    assert len([axes for axes in figure.axes if axes.get_label() != "<colorbar>"]) == 2 * number
    figure.canvas.draw()


def test_figures_are_written_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    figure = draw_grid([load_window(store, 0)])
    save(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    save_pages([figure, figure], tmp_path / "b.pdf")
    assert (tmp_path / "b.pdf").read_bytes().count(b"/Type /Page ") == 2
    for name in ("a.xyz", "config", "train.csv", ""):
        with pytest.raises(ViewError, match="expected a name that ends in"):
            save(figure, tmp_path / name)
    with pytest.raises(ViewError, match="lies in a sealed store"):
        save(figure, store.path / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ViewError, match="it is not a regular file"):
        save(figure, tmp_path / "folder.png")
    (tmp_path / "folder.png").rmdir()
    with pytest.raises(ViewError, match="name that ends in"):
        Page("p").write(tmp_path / "train.csv")
    with pytest.raises(ViewError, match="No such file"):
        save(figure, tmp_path / "nowhere" / "a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.pdf"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"montage": "circular"}, "montage 'circular' does not exist: use bipolar"),
        ({"seconds": 51}, "use 1 to 50"),
        ({"spacing_uv": 0}, "spacing of 0 uV"),
        ({"band_hz": (70.0, 0.5)}, "band of 70 to 0.5 Hz"),
        ({"band_hz": (0.5, 101.0)}, "up to 100"),
        ({"notch_hz": -3.0}, "notch at -3 Hz"),
    ],
)
def test_a_display_that_cannot_be_is_refused(wish: dict[str, object], message: str) -> None:
    with pytest.raises(ViewError, match=message):
        Display(**wish)  # type: ignore[arg-type]


def test_whoever_catches_a_refused_request_catches_a_refused_picture_too() -> None:
    assert issubclass(ViewError, RequestError)
    assert issubclass(ViewError, StoreError)


def test_a_row_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        draw_window(store, len(store))


def test_a_page_shows_markup_as_text_and_names_no_other_host(store: Store, tmp_path: Path) -> None:
    page = Page("<b>title</b>")
    page.section("One & two")
    page.table("t", ("word", "number"), [("<i>", "1,000"), ("b", "-2")])
    page.warning("<script>")
    page.figure(draw_grid([load_window(store, 0)]), 'a "window"')
    page.write(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "<b>title" not in html
    assert "&lt;script&gt;" in html
    assert html.count("class=number") == 3
    assert "://" not in html
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_gain_and_colours_are_the_same_in_all_pictures(store: Store) -> None:
    quiet, loud = load_window(store, 0), load_window(store, 1)
    loud.eeg_uv[:] *= 20
    loud.log_power[:] += 5
    seen = set()
    for window in (quiet, loud):
        eeg, picture = draw(window).axes[:2]
        heights = tuple(np.diff(eeg.get_yticks()[:3]))
        assert any(text.get_text() == "100 uV, 1 s" for text in eeg.texts)
        seen.add((heights, picture.images[0].get_clim(), eeg.get_ylim()))
    assert len(seen) == 1
    assert {clim for _, clim, _ in seen} == {SCALE_DB}


def test_a_chosen_spacing_is_the_same_for_all_windows_of_a_picture(store: Store) -> None:
    windows = [load_window(store, row) for row in range(3)]
    windows[1].eeg_uv[:] *= 30
    figure = draw_grid(windows, Display(seconds=10, spacing_uv=None))
    limits = {axes.get_ylim() for axes in figure.axes if axes.get_ylim()[0] > 100}
    assert len(limits) == 1


def test_no_trace_reaches_beyond_its_neighbours_line(store: Store) -> None:
    window = load_window(store, 0)
    window.eeg_uv[:] = 0
    window.eeg_uv[:, CHANNELS.index("F3")] = 3_000 * np.sign(np.sin(np.arange(10_000) / 20))
    eeg = draw(window).axes[0]
    places = eeg.get_yticks()
    for line, place in zip(eeg.lines[:18], places, strict=False):
        assert np.abs(line.get_ydata() - place).max() <= 100
    assert "cut off at their neighbours" in eeg.get_title("left")


def test_spectrograms_are_in_decibels(store: Store) -> None:
    window = load_window(store, 0)
    window.log_power[:] = np.log(100.0)  # uV^2/Hz
    axes = next(a for a in draw(window).axes if a.get_title("left").startswith("LL"))
    np.testing.assert_allclose(axes.images[0].get_array(), 20.0, rtol=1e-5)
    bar = next(a for a in draw(window).axes if a.get_label() == "<colorbar>")
    assert "dB" in bar.get_ylabel()


def test_small_panels_keep_names_seconds_and_minutes(store: Store) -> None:
    figure = draw_grid([load_window(store, row) for row in range(2)])
    eeg = [axes for axes in figure.axes if axes.yaxis_inverted() and len(axes.lines) > 10]
    assert len(eeg) == 2
    for axes in eeg:
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names[:2] == ["Fp1-F7", "F7-T3"]
        assert names[-1] == "EKG"
        assert list(axes.get_xticks()) == list(range(20, 31))
    stacked = [axes for axes in figure.axes if axes.images and axes.get_label() != "<colorbar>"]
    assert all(list(axes.get_xticks()) == [-4, -2, 0, 2, 4] for axes in stacked)
