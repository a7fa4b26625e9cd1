"""A recorder's file is read while it is imported: the same values, and nothing breaks with it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import edfio
import numpy as np
import pytest
from bokeh.document import Document
from support.recorder import write_edf

from hmsprep.importing.answering import answer
from hmsstore.schema import CHANNELS
from hmsstore.sums import of_recording
from hmstrain.errors import DataError
from hmstrain.reading.asked import AskedFile
from hmstrain.reading.cache import LOCK, key_of, open_at_once
from hmstrain.reading.coming import ComingRecording
from hmstrain.reading.page.app import Reader
from hmstrain.reading.page.opened import Opened
from hmstrain.reading.page.overview import Following
from hmstrain.reading.recording import Recording
from hmstrain.reading.trends.follow import kept_name, trends_of

RNG = np.random.default_rng(3)
NOISE_UV = RNG.normal(0, 20, (len(CHANNELS), 130 * 200)).astype(np.float32)


@pytest.fixture(scope="module")
def edf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes without an EKG, with a note."""
    return write_edf(
        tmp_path_factory.mktemp("edf") / "night.edf", NOISE_UV[:-1], channels=CHANNELS[:-1],
        annotations=[edfio.EdfAnnotation(12.5, None, "eyes closed")],
    )  # fmt: skip


@contextmanager
def waiting(path: Path, cache: Path) -> Iterator[None]:
    """Keep the import of a file from beginning, as another import of it does."""
    kept = cache / key_of(of_recording(path))
    kept.mkdir(parents=True)
    with (kept / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def coming_of(path: Path, cache: Path, **importing: object) -> Iterator[ComingRecording]:
    found = open_at_once(path, cache, importing=importing)
    assert isinstance(found, ComingRecording)
    try:
        yield found
    finally:
        found.stop()


def same(a: object, b: object) -> None:
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_a_file_is_read_before_it_is_imported_and_has_the_same_values_then(
    edf: Path, tmp_path: Path
) -> None:
    spans = [(0, 10), (-3, 4), (59.995, 70), (121, 140), (-9, -2), (0, 130)]
    with waiting(edf, tmp_path):
        found = open_at_once(edf, tmp_path)
        assert isinstance(found, ComingRecording)
        before = [found.read(*span) for span in spans]
        told = (found.name, found.seconds, found.sha256, found.annotations, found.states)
        assert not found.done
        assert found.warnings == ("night.edf has no EKG: filled with 0.",)
    trends = trends_of(found)
    imported = found.whole()
    assert (found.done, found.changed, found.problem) == (True, False, "")
    for span, values in zip(spans, before, strict=True):
        same(values, imported.read(*span))
        same(values, found.read(*span))
    assert np.isnan(before[0][:, CHANNELS.index("EKG")]).all()
    assert told == (imported.name, imported.seconds, imported.sha256, imported.annotations,
                    imported.states)  # fmt: skip
    found.stop()
    again = open_at_once(edf, tmp_path)
    assert isinstance(again, Recording)
    assert again.described == imported.described
    assert (again.cache / kept_name(again)).is_file()
    kept = trends_of(again).arrays()
    for name, values in trends.arrays().items():
        same(values, kept[name])


def test_a_high_pass_that_is_asked_for_holds_from_the_first_page(edf: Path, tmp_path: Path) -> None:
    with coming_of(edf, tmp_path, highpass="0.5") as found:
        before = found.read(40, 50)
        imported = found.whole()
        assert not found.changed
        np.testing.assert_allclose(before, imported.read(40, 50), atol=0.01)


def test_pages_and_trends_are_drawn_anew_where_an_import_finds_drift(tmp_path: Path) -> None:
    drift_uv = np.linspace(0, 2_800, NOISE_UV.shape[1], dtype=np.float32)
    path = write_edf(tmp_path / "drift.edf", NOISE_UV + drift_uv)
    cache = tmp_path / "cache"
    with waiting(path, cache):
        found = open_at_once(path, cache)
        assert isinstance(found, ComingRecording)
        before = found.read(100, 110)
        following = Following(found)
        following.tell(lambda _: None)
        while following.done_s < found.seconds:
            time.sleep(0.01)
        first = following.trends
        reader = Reader(Opened(found, tmp_path / "screen.json", following=following))
        reader.attach_to(Document())
        assert "is being imported, 0% so far" in reader.arriving.coming.text
        assert not list(cache.rglob("trends-*"))
    imported = found.whole()
    assert found.changed
    assert np.nanmean(before) > 1_000 > abs(np.nanmean(found.read(100, 110)))
    following.wait()
    assert following.trends is not first
    for name, values in trends_of(imported).arrays().items():
        assert following.trends is not None
        same(values, following.trends.arrays()[name])
    reader.arriving.show_import()
    assert "filtered out below 0.1 Hz" in reader.arriving.coming.text
    found.stop()


def test_what_only_an_import_finds_wrong_is_told_and_pages_stay(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "loud.edf", NOISE_UV + 2_500 * np.sign(NOISE_UV))
    cache = tmp_path / "cache"
    with coming_of(path, cache) as found:
        following = Following(found)
        following.tell(lambda _: None)
        with pytest.raises(DataError, match="are beyond the clip of a store"):
            found.whole()
        assert found.read(0, 10).std() > 1_000
        following.wait()
        assert following.problem == ""
        assert following.trends is not None
        assert np.isfinite(following.trends.quality).any()
        reader = Reader(Opened(found, tmp_path / "screen.json"))
        assert "This file cannot be imported" in reader.arriving.coming.text
        assert "are beyond the clip" in reader.arriving.coming.text
        assert list(cache.iterdir()) == []


def test_a_file_that_cannot_be_read_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    for name, content in (("a.edf", b"not a recording"), ("b.edf.gz", b"1")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name) as caught:
            open_at_once(tmp_path / name, tmp_path / "cache")
        assert "Traceback" not in str(caught.value)
        assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_breaks_off_later_is_told_for_that_stretch_alone(
    edf: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.edf"
    path.write_bytes(edf.read_bytes())
    answers = tmp_path / "answers"

    def requests() -> Iterator[str]:
        yield "0 400\n"
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        yield "20000 20400\n"
        yield "0 400\n"

    with answers.open("wb") as out:
        answer(path, requests(), out, {})
    content = answers.read_bytes()
    size = 400 * len(CHANNELS) * 4
    head, _, rest = content.partition(b"\n")
    assert json.loads(head)["recording"]["file"] == "cut.edf"
    assert json.loads(rest.partition(b"\n")[0]) == {"samples": 400}
    first, rest = rest.partition(b"\n")[2][:size], rest.partition(b"\n")[2][size:]
    problem, _, last = rest.partition(b"\n")
    assert "cut.edf" in json.loads(problem)["problem"]
    assert last.partition(b"\n")[2] == first


def test_an_import_whose_program_is_killed_comes_to_its_end_and_is_found(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "night.edf", np.tile(NOISE_UV, 4))
    cache = tmp_path / "cache"
    script = (
        "import sys; from pathlib import Path; from hmstrain.reading.cache import open_or_import\n"
        "open_or_import(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    with subprocess.Popen([sys.executable, "-c", script, path, cache]) as child:
        while child.poll() is None and not list(cache.glob("*/.import.*/test_eegs")):
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    found = open_at_once(path, cache)
    if isinstance(found, ComingRecording):
        assert np.isfinite(found.read(5, 15)).all()
    imported = found.whole()
    assert imported.seconds == 520
    assert [one.name for one in imported.folder.parent.iterdir() if one.name[0] == "."] == []
    if isinstance(found, ComingRecording):
        found.stop()


def test_a_killed_imports_remains_are_removed_and_it_is_imported_anew(
    edf: Path, tmp_path: Path
) -> None:
    kept = tmp_path / key_of(of_recording(edf))
    left = kept / ".import.0123abcd.partial"
    left.mkdir(parents=True)
    (left / "10000.parquet").write_bytes(b"half")
    with coming_of(edf, tmp_path) as found:
        assert found.whole().seconds == 130
        assert not left.exists()
    described = json.loads((kept / "import" / "recordings.json").read_text())
    described["recordings"][0]["sha256"] = "0" * 64  # imported while the file was another
    (kept / "import" / "recordings.json").write_text(json.dumps(described))
    with coming_of(edf, tmp_path) as found:
        assert found.whole().described.sha256 == found.sha256


def test_a_file_that_changes_while_it_is_imported_is_told_and_leaves_nothing(
    edf: Path, tmp_path: Path
) -> None:
    path = tmp_path / "night.edf"
    path.write_bytes(edf.read_bytes())
    cache = tmp_path / "cache"
    with waiting(path, cache):
        found = open_at_once(path, cache)
        assert isinstance(found, ComingRecording)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(DataError, match="changed while it was imported"):
        found.whole()
    found.stop()
    assert list(cache.iterdir()) == []


def test_nothing_runs_on_after_a_page_is_closed(edf: Path, tmp_path: Path) -> None:
    with waiting(edf, tmp_path):
        found = open_at_once(edf, tmp_path)
        assert isinstance(found, ComingRecording)
        found.read(0, 1)
        child = found._file._child
        found.stop()
        assert child.returncode is not None
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)
        with pytest.raises(DataError, match="was closed"):
            found.read(0, 1)


def test_a_file_too_short_for_a_window_is_refused_in_the_imports_own_words(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "short.edf", NOISE_UV[:, : 30 * 200])
    asked = AskedFile(path, ())
    try:
        with pytest.raises(DataError, match=r"30 s long; expected at least one window \(50 s\)"):
            asked.describe()
    finally:
        asked.close()
