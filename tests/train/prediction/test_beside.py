"""Notes, spectrogram and clock stand beside the probabilities of a recording."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from hmsprep.kaggle.write import write_csv
from hmsstore import FREQUENCIES_HZ, REGIONS, Store
from hmstrain.prediction import picture
from hmstrain.prediction.beside import (
    NOTES_NAME,
    Note,
    Powers,
    by_recording,
    find_starts,
    powers_of,
    read_notes,
    time_of_day,
)
from hmstrain.prediction.episodes import EpisodeRule
from hmstrain.prediction.page import make_page
from hmstrain.prediction.picture import MOST_MARKS, _shortened, draw_timeline
from hmstrain.prediction.tables import write_episodes
from hmstrain.prediction.timeline import Timeline


def timeline(seconds: float = 600, **more: object) -> Timeline:
    """Windows every ten seconds, of which those from 200 to 300 s are seizure-like."""
    centre = np.arange(25, seconds - 25, 10.0)
    prediction = np.zeros((len(centre), 6))
    seizure = (centre > 200) & (centre < 300)
    prediction[:, 0], prediction[:, 5] = seizure, ~seizure
    whole = np.zeros(len(centre))
    found = Timeline("x.edf", seconds, centre, prediction, whole, whole.copy())
    return replace(found, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "start", "text"),
    [
        (3725, None, "1:02:05"),
        (-10, None, "-0:00:10"),
        (-3725, None, "-1:02:05"),
        (-0.4, None, "0:00:00"),
        (3725, time(8, 0, 1), "09:02:06"),
        (-60, time(0, 0, 1), "23:59:01 (-1 d)"),
        (3600, time(23, 30), "00:30:00 (+1 d)"),
        (90_000, time(0, 0, 1), "01:00:01 (+1 d)"),
        (0, time(23, 59, 59), "23:59:59"),
    ],
)
def test_times_are_of_the_recording_or_of_the_day(
    seconds: float, start: time | None, text: str
) -> None:
    assert time_of_day(seconds, start) == text


def test_notes_are_those_of_the_recorders_file(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == {}
    notes = [
        ("b.edf", 5.0, None, "x"),
        ("a.edf", 9.5, 2.0, "=HV\tend"),
        ("a.edf", 1.0, None, "eyes  shut"),
    ]
    columns = ("file", "onset_s", "duration_s", "text")
    write_csv(
        tmp_path / NOTES_NAME,
        {name: [note[n] for note in notes] for n, name in enumerate(columns)},
    )
    assert read_notes(tmp_path) == {
        "a.edf": (Note(1, "eyes shut"), Note(9.5, "=HV end")),
        "b.edf": (Note(5, "x"),),
    }


def test_warnings_are_of_the_recording_that_they_begin_with() -> None:
    said = [
        "a.edf has no EKG: filled with 0.", "a.edf b.edf: F7 flat.", "p/a.edf: no electrode moves.",
        "2 recordings (a.edf, c.edf) are gone.", "a.edfx: C3 flat.", "c.edf is a copy of a.edf.",
    ]  # fmt: skip
    assert by_recording(said, ["a.edf", "a.edf b.edf", "p/a.edf", "c.edf", "d.edf"]) == {
        "a.edf": (said[0],), "a.edf b.edf": (said[1],), "p/a.edf": (said[2],), "c.edf": (said[5],),
        "d.edf": (),
    }  # fmt: skip


def test_starts_are_read_from_the_files_that_were_given(tmp_path: Path) -> None:
    for name in ("a/n.edf", "b/n.edf", "b/m.edf", "b/night[1].edf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def start_of(path: Path) -> time | None:
        return {"a/n.edf": time(1), "b/n.edf": time(2), "b/night[1].edf": time(3)}.get(
            path.read_text()
        )

    files = ["a/n.edf", "b/n.edf", "m.edf", "gone.edf", "n.edf", "night[1].edf"]
    assert find_starts(tmp_path, files, start_of) == {
        "a/n.edf": time(1),
        "b/n.edf": time(2),
        "night[1].edf": time(3),  # and which n.edf is not told
    }
    assert find_starts(tmp_path / "a/n.edf", ["n.edf"], start_of) == {"n.edf": time(1)}


def test_power_is_the_mean_of_each_sides_chains_in_the_judged_seconds(store: Store) -> None:
    rows = np.asarray([7, 3, 70, 8])
    found = powers_of(store, rows)
    assert found is not None
    np.testing.assert_array_equal(found.hz, FREQUENCIES_HZ)
    for place, row in enumerate(rows):
        stored = store.gather([row], "spectrogram")
        log_power = store.denormalise(stored)["spectrogram"][0].astype(float)
        log_power[store.missing([row], "spectrogram")["spectrogram"][0]] = np.nan
        middle = log_power[148:152].reshape(4, 4, 100)  # 296 to 304 s of 600
        for side in ("left", "right"):
            of_side = middle[:, [name.startswith(side[0].upper()) for name in REGIONS]]
            with np.errstate(all="ignore"):
                expected = 10 * np.log10(np.nanmean(np.exp(of_side), axis=(0, 1)))
            np.testing.assert_allclose(found.db[side][place], expected, atol=1e-3)


def shown() -> Timeline:
    bare = timeline()
    db = {side: np.zeros((len(bare.centre_s), 100), np.float32) for side in ("left", "right")}
    notes = (Note(100, "eyes closed"), Note(101, "a <b>note</b> for $x_1$"), Note(595, "end"))
    return replace(bare, notes=notes, powers=Powers(np.asarray(FREQUENCIES_HZ), db))


def test_many_notes_are_drawn_at_once() -> None:
    notes = tuple(Note(number / 50, "note") for number in range(30_000))
    axes = draw_timeline(replace(shown(), notes=notes)).axes[1]
    assert len(axes.lines) == len(axes.texts) < 200
    (marks,) = axes.collections
    assert len(marks.get_paths()) <= MOST_MARKS


def test_notes_and_spectrograms_are_drawn_below_the_probabilities() -> None:
    assert len(draw_timeline(timeline()).axes) == 1
    figure = draw_timeline(shown())
    figure.canvas.draw()
    top, notes, left, right, _ = figure.axes
    assert top.get_ylim() == (0, 1.13)
    texts = [text.get_text() for text in notes.texts]
    assert texts == ["eyes closed", r"a <b>note</b> for \$x_1\$", "end"]
    assert notes.texts[-1].get_ha() == "right"  # there is no room behind it
    assert left.get_ylabel().startswith("left")
    assert {axis.get_xlim() for axis in (top, notes, left, right)} == {(0, 600)}
    long = replace(shown(), seconds=13 * 3600)
    assert len(draw_timeline(long).axes) == 3 * 4 + 1


def test_notes_are_cut_by_letters_and_need_no_font() -> None:
    """A letter that no font has is a box; it is as wide as two, as those of Japanese are."""
    notes = (Note(20, "a" * 300), Note(150, "eyes " + "\ue000" * 20), Note(300, "\ue000$x$"))
    figure = draw_timeline(replace(shown(), notes=notes))
    figure.savefig(BytesIO())  # warnings are errors
    box = "\u25a1"
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert texts == ["a" * 24 + " ...", f"eyes {box * 9} ...", rf"{box}\$x\$"]
    assert _shortened("\u76ee" * 14) == "\u76ee" * 14
    assert _shortened("\u76ee" * 15) == "\u76ee" * 12 + " ..."
    assert _shortened("eyes closed and then open again") == "eyes closed and then ope ..."


def test_notes_are_written_in_any_font_that_has_their_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture, "FAMILIES", ("no such font", "STIXNonUnicode"))
    picture._fonts.cache_clear()
    figure = draw_timeline(replace(shown(), notes=(Note(20, "eyes \ue000 \u76ee"),)))
    picture._fonts.cache_clear()
    figure.savefig(BytesIO())  # warnings are errors
    (text,) = figure.axes[1].texts
    assert text.get_text() == "eyes \ue000 \u25a1"


def test_nothing_is_drawn_of_the_time_between_two_windows() -> None:
    whole = shown()
    assert whole.powers is not None
    kept = (whole.centre_s < 200) | (whole.centre_s > 400)
    db = {side: one[kept] for side, one in whole.powers.db.items()}
    cut = replace(
        whole, centre_s=whole.centre_s[kept], prediction=whole.prediction[kept],
        missing=whole.missing[kept], eeg_missing=whole.eeg_missing[kept],
        powers=Powers(whole.powers.hz, db),
    )  # fmt: skip
    (mesh,) = draw_timeline(cut).axes[2].collections
    edges_s = mesh.get_coordinates()[0, :, 0]  # type: ignore[attr-defined]
    values = np.ma.getmaskarray(mesh.get_array()).reshape(100, -1)[0]
    (gap,) = np.flatnonzero(values)
    assert (edges_s[gap], edges_s[gap + 1]) == (200, 400)


def test_ends_without_a_window_are_not_called_unrecorded() -> None:
    found = shown()
    assert found.spans_s[[0, -1], [0, 1]].tolist() == [20, 570]
    left = draw_timeline(found).axes[2]
    (grey,) = left.patches
    assert grey.get_window_extent().transformed(left.transData.inverted()).intervalx.tolist() == (
        pytest.approx([20, 570])
    )
    html = make_page(found, EpisodeRule(), {}).to_html()
    ends = "No window covers the first 20 s or the last 30 s. Where nothing is drawn in between, "
    assert f"{ends}more than a fifth of those 10 seconds was not recorded." in html
    night = replace(found, seconds=6 * 3600 + 600)  # its second line is after the last window
    first, second = (draw_timeline(night).axes[place].patches[0] for place in (2, 6))
    assert (first.get_width(), second.get_width()) == (pytest.approx(550), 0)  # type: ignore[attr-defined]


def test_the_page_lists_notes_and_the_time_of_day_where_it_is_asked_for() -> None:
    found = shown()
    html = make_page(found, EpisodeRule(), {}).to_html()
    assert "Notes in the recording" in html
    assert "0:01:40" in html
    assert "a &lt;b&gt;note&lt;/b&gt; for $x_1$" in html
    assert "time of day" not in html
    html = make_page(replace(found, start=time(23, 55)), EpisodeRule(), {}).to_html()
    assert "23:56:40" in html
    assert "Notes in the recording" not in make_page(timeline(), EpisodeRule(), {}).to_html()


def test_the_table_of_episodes_has_the_time_of_day_where_it_is_asked_for(tmp_path: Path) -> None:
    found = timeline()
    episodes = found.episodes(EpisodeRule())
    write_episodes(tmp_path / "a.csv", episodes)
    write_episodes(tmp_path / "b.csv", episodes, time(23, 58))
    rows = []
    for name in ("a.csv", "b.csv"):
        with (tmp_path / name).open(newline="") as file:
            rows.append(next(csv.DictReader(file)))
    assert "from (time of day)" not in rows[0]
    assert rows[1] == {
        **rows[0],
        "from (time of day)": "00:01:20 (+1 d)",
        "to (time of day)": "00:03:00 (+1 d)",
    }
