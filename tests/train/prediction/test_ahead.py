"""A recording is imported while its prediction is loaded: once, and nothing of it stays."""

from __future__ import annotations

import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from support.recorder import noise, write_edf

from hmsstore import Store
from hmstrain.errors import DataError
from hmstrain.prediction import source
from hmstrain.prediction.source import BEGUN, importing_ahead, open_or_build
from hmstrain.reading.asked import AskedFile
from hmstrain.reading.cache import open_or_import

CLEANING: dict[str, Any] = {"eeg_clip": 1024.0, "ekg_clip": 32_000.0}


@pytest.fixture
def run_later(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands of hmsprep that are run and waited for, as they come."""
    names: list[str] = []
    run = source.run_hmsprep

    def watched(*words: object, **how: Any) -> None:
        names.append(str(words[0]))
        run(*words, **how)

    monkeypatch.setattr(source, "run_hmsprep", watched)
    return names


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of all temporary files."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def test_an_import_under_way_is_taken_and_begun_only_once(
    tmp_path: Path, temporary: Path, run_later: list[str]
) -> None:
    path = write_edf(tmp_path / "night.edf", noise(60))
    with importing_ahead(path), open_or_build(path, CLEANING) as found:
        assert [one.file for one in found.recordings] == ["night.edf"]
        assert len(found.store) == 2
        assert run_later == ["build"]
    assert list(temporary.iterdir()) == []
    assert BEGUN.get() is None


def test_a_name_that_begins_like_an_option_is_a_name(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_edf(tmp_path / "-q.edf", noise(60))
    monkeypatch.chdir(tmp_path)
    path = Path("-q.edf")
    with open_or_build(path, CLEANING) as found:
        assert [one.file for one in found.recordings] == ["-q.edf"]
    with importing_ahead(path), open_or_build(path, CLEANING) as found:
        assert len(found.store) == 2
    with closing(AskedFile(path, ())) as asked:
        assert asked.describe()[0].file == "-q.edf"
    assert open_or_import(path, cache=tmp_path / "cache").described.file == "-q.edf"


def test_an_import_with_other_options_is_not_taken(
    tmp_path: Path, temporary: Path, run_later: list[str]
) -> None:
    path = write_edf(tmp_path / "night.edf", noise(60))
    with importing_ahead(path, 10.0), open_or_build(path, CLEANING, stride_s=5.0) as found:
        assert len(found.store) == 3
        assert run_later == ["import", "build"]
    assert list(temporary.iterdir()) == []


def test_what_an_import_under_way_refuses_is_told_where_it_is_needed(
    tmp_path: Path, temporary: Path
) -> None:
    path = tmp_path / "night.edf"
    path.write_bytes(b"0" + b" " * 300)
    with (
        importing_ahead(path),
        pytest.raises(DataError, match=r"night\.edf"),
        open_or_build(path, CLEANING),
    ):
        pass
    assert list(temporary.iterdir()) == []


def test_an_import_that_is_not_needed_any_more_is_ended(tmp_path: Path, temporary: Path) -> None:
    path = write_edf(tmp_path / "night.edf", noise(600))
    with suppress(ZeroDivisionError), importing_ahead(path):
        begun = BEGUN.get()
        assert begun is not None
        assert 1 / 0
    assert begun.running.child.returncode is not None
    assert list(temporary.iterdir()) == []


def test_nothing_is_begun_where_there_is_nothing_to_import(
    store: Store, data: Path, tmp_path: Path
) -> None:
    for path in (store.path, data, tmp_path / "nothing"):
        with importing_ahead(path):
            assert BEGUN.get() is None
