"""Traces and spectrograms of the page, as clinicians draw them."""

from __future__ import annotations

import numpy as np
from bokeh.events import RangesUpdate

from hmsstore import CHANNELS
from hmsstore.view import MONTAGES, Display
from hmsstore.view.eeg import SPACING_UV, trace_places
from hmsstore.view.spectrogram import SCALE_DB
from hmstrain.reporting.browse.figures import THINNED, Spectrograms, Traces, thinned


def test_the_page_draws_negative_upwards_and_the_last_region_at_the_bottom() -> None:
    eeg_uv = np.zeros((10_000, 20), np.float32)
    eeg_uv[5_000:5_020, CHANNELS.index("Fp1")] = -100
    traces = Traces()
    assert traces.draw(eeg_uv, Display(spacing_uv=50), None) == 50
    line, seconds = traces.lines.data["ys"][0], traces.lines.data["xs"][0]
    assert line[np.searchsorted(seconds, 25.05)] < line[0] - 0.5
    assert traces.figure.y_range.start > traces.figure.y_range.end
    pictures = Spectrograms(traces)
    log_power = np.tile(np.arange(400, dtype=np.float32), (300, 1))
    pictures.draw(log_power, None)
    image = pictures.source.data["image"][0]
    assert image.shape == (400, 300)
    corners = np.array([image[0, 0], image[99, 0], image[-1, 0]]) * np.log(10) / 10
    np.testing.assert_allclose(corners, [300, 399, 99], rtol=1e-5)
    assert (pictures.mapper.low, pictures.mapper.high) == SCALE_DB  # whatever the window


def test_no_trace_of_the_page_reaches_beyond_its_neighbours_line() -> None:
    eeg_uv = np.zeros((10_000, 20), np.float32)
    eeg_uv[:, CHANNELS.index("F3")] = 3_000 * np.sign(np.sin(np.arange(10_000) / 20))
    traces = Traces()
    assert traces.draw(eeg_uv, Display(), None) == SPACING_UV
    places = trace_places(MONTAGES["bipolar"])
    for line, place in zip(traces.lines.data["ys"][:18], places, strict=False):
        assert np.abs(line - place).max() <= 1
    assert "cut off at their neighbours" in traces.figure.title.text


def test_thinned_traces_keep_every_extreme_in_its_place_and_zooming_in_shows_all() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 805)).astype(np.float32)
    kept = thinned(noise).reshape(3, -1, 2)
    bins = noise[:, :800].reshape(3, -1, THINNED)
    np.testing.assert_array_equal(kept.min(axis=2), bins.min(axis=2))
    np.testing.assert_array_equal(kept.max(axis=2), bins.max(axis=2))
    rising = np.arange(16, dtype=np.float32)[None]
    assert thinned(rising).tolist() == [[0, 7, 8, 15]]
    assert thinned(-rising).tolist() == [[0, -7, -8, -15]]

    traces = Traces()
    traces.draw(np.zeros((10_000, 20), np.float32), Display(), None)
    assert {len(y) for y in traces.lines.data["ys"]} == {2_500}
    assert {len(x) for x in traces.lines.data["xs"]} == {2_500}
    for end, samples in ((10.0, 10_000), (50.0, 2_500)):
        traces.figure._trigger_event(RangesUpdate(traces.figure, x0=0, x1=end, y0=20, y1=0))
        assert {len(y) for y in traces.lines.data["ys"]} == {samples}
