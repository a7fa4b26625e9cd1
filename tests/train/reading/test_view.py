"""What is named is told apart by what it holds, and refused in one sentence where it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.inside import Inside
from support.recorder import noise, write_edf
from support.runs import train_small
from tornado.ioloop import IOLoop

from hmsstore import Store
from hmsstore.errors import LabelsError
from hmstrain.errors import ConfigError, DataError
from hmstrain.prediction.source import open_or_build
from hmstrain.reading import view as viewing
from hmstrain.reading.view import CONFIG, told_apart, trust_words, view
from hmstrain.runs import folder as runs

PROGRAM = Inside("hmstrain")


@pytest.fixture
def things(tmp_path: Path) -> dict[str, Path]:
    """A run, a store, an import and a recorder's file, as far as they are told by."""
    made = {name: tmp_path / name for name in ("run", "store", "import")}
    for name, file in (("run", CONFIG), ("store", "MANIFEST.json"), ("import", "recordings.json")):
        made[name].mkdir()
        (made[name] / file).write_text("{}")
    made["file"] = tmp_path / "night.edf"
    made["file"].write_bytes(b"0")
    return made


def test_runs_stores_and_recordings_are_told_apart_in_any_order(things: dict[str, Path]) -> None:
    assert runs.CONFIG == CONFIG
    for order in (("run", "store"), ("store", "run")):
        found = told_apart([things[name] for name in order])
        assert (found.runs, found.stores) == ([things["run"]], [things["store"]])
    for order in (("run", "run", "file"), ("import", "run")):
        found = told_apart([things[name] for name in order])
        assert len(found.recordings) == 1
        assert len(found.runs) == order.count("run")


def test_a_data_set_is_built_for_the_run_that_answers_for_it(
    data: Path, store: Store, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "run", epochs=1, steps=2)
    left = tmp_path / "left"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(left))
        left.mkdir()
        seen: list[int] = []

        def started(address: str, opened: Any) -> None:
            seen.append(len(opened))
            assert address.startswith("http://127.0.0.1:")
            IOLoop.current().add_callback(IOLoop.current().stop)

        view(tmp_path / "run", data, started=started)
    assert seen == [len((data / "test.csv").read_text().splitlines()) - 1]
    assert list(left.iterdir()) == []
    with pytest.raises(DataError, match="is a data set: name a run, too"):
        view(data)
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", data.parent, data.name))
    with open_or_build(packed, {}) as found:
        assert len(found.store) == seen[0]


def test_two_to_look_at_or_something_else_is_refused(
    things: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="Expected one store, data set or recording to look"):
        told_apart([things["store"], things["file"]])
    with pytest.raises(DataError, match="is not a run, a store, a recording"):
        told_apart([tmp_path])
    with pytest.raises(DataError, match="Expected a store, a run or a recording at"):
        told_apart([tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="Name a store, a run or a recording"):
        view()
    (tmp_path / "blend").mkdir()
    (tmp_path / "blend" / "blend.json").write_text("{}")
    with pytest.raises(ConfigError, match="blend is a blend of runs, which answers for recordings"):
        view(tmp_path / "blend", things["store"])
    with pytest.raises(ConfigError, match="--alias is for recordings"):
        view(things["store"], alias="P1")
    with pytest.raises(ConfigError, match="--interpolate is for recordings"):
        view(things["store"], importing={"interpolate": True})
    with pytest.raises(ConfigError, match="Expected one run to browse windows with, got 2"):
        view(things["run"], things["run"], things["store"])


def test_the_command_takes_all_of_them(
    things: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(viewing, "view", lambda *paths, **more: given.append((paths, more)))
    PROGRAM.succeed("view", things["file"], things["run"], "--alias", "P1", "--unit", "uV")
    ((paths, more),) = given
    assert [Path(path).name for path in paths] == ["night.edf", "run"]
    assert more["alias"] == "P1"
    assert more["importing"]["unit"] == "uV"
    assert more["labels"] == Path("labels")


def test_the_cache_is_emptied_on_request(tmp_path: Path) -> None:
    kept = tmp_path / ("0" * 64) / "import"
    kept.mkdir(parents=True)
    (kept / "some.parquet").write_bytes(b"1234")
    said = PROGRAM.succeed("view", "--clear-cache", "--cache", tmp_path).stderr
    assert "Removed 0.0 MB" in said
    assert not kept.exists()


def test_trust_is_passed_on_to_the_process_that_predicts() -> None:
    assert trust_words(True) == ["--trust"]
    assert trust_words("nets:wide") == ["--model", "nets:wide"]
    assert trust_words(("a:b", "c:d")) == ["--model", "a:b", "--model", "c:d"]
    assert trust_words(False) == []


def test_where_no_mark_could_be_kept_is_said_at_once(things: dict[str, Path]) -> None:
    with pytest.raises(LabelsError, match=r"'../x' cannot be part of a file's name"):
        view(things["file"], alias="../x")
    with pytest.raises(ConfigError, match="expected a folder for marks, got a file"):
        view(things["file"], labels=things["file"])
    with pytest.raises(DataError, match=r"cannot be made: File exists\. Name another folder"):
        view(things["file"], cache=things["file"])


def test_a_recording_whose_name_no_label_file_can_have_needs_an_alias(tmp_path: Path) -> None:
    strange = write_edf(tmp_path / "night 23:15.edf", noise(60, seed=1))
    cache = tmp_path / "cache"
    shown: list[Any] = []

    def started(address: str, opened: Any) -> None:
        shown.append(opened.name)
        IOLoop.current().add_callback(IOLoop.current().stop)

    with pytest.raises(LabelsError, match=r"'night 23:15\.edf' cannot .*: give the recording"):
        view(strange, cache=cache, started=started)
    assert not list(cache.glob("*/import"))
    view(strange, cache=cache, alias="P1", started=started)
    assert shown == ["night 23:15.edf"]
