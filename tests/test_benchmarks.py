"""Every benchmark at toy size: they run and write a record. What they measure is not looked at."""

from __future__ import annotations

import csv
import errno
import importlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from support.answered import Set
from support.helpers import blank_outside, build_store, write_pair
from support.inside import Inside
from support.pages import CHROMIUM

from benchmarks.peers.peer_case import Case
from benchmarks.tools import conditions, footprint, simulated
from benchmarks.tools.record import command_line, write_record
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs import signal_names
from hmstrain.data.loader import MappedLoader, Request
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.precision import LEAST_WINDOWS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with simulated data and its store."""
    folder = tmp_path_factory.mktemp("toy")
    prep = Inside("hmsprep")
    prep.succeed("synth", folder / "data", "--windows", 96, "--fast")
    prep.succeed("build", folder / "data", folder / "hms.zarr")
    return folder


def records(script: str, folder: Path, *options: object) -> dict[str, dict[str, Any]]:
    """What a benchmark records, by name, that is run as a user would."""
    module = f"benchmarks.{script}"
    words = [sys.executable, "-m", module, "--results", folder / "results", *options]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path}
    subprocess.run(list(map(str, words)), check=True, cwd=folder, env=environment)
    return written(folder)


def records_inside(script: str, folder: Path, *options: object) -> dict[str, dict[str, Any]]:
    """The same; it and the programs of this project that it runs load PyTorch once, here."""
    main = importlib.import_module(f"benchmarks.{script}").main
    words = [script, "--results", folder / "results", *options]
    with programs_inside(), patch.object(sys, "argv", list(map(str, words))), chdir(folder):
        main()
    return written(folder)


@contextmanager
def programs_inside() -> Iterator[None]:
    """Let benchmarks run this project's programs in this process."""
    run = subprocess.run

    def run_inside(words: Sequence[str], **settings: Any) -> Any:
        if list(words[1:2]) == ["-m"] and words[2] in ("hmsprep", "hmstrain"):
            return Inside(words[2]).succeed(*words[3:])
        return run(words, **settings)

    class Run:
        """Such a program, when it is over; a look at it while it runs finds this process."""

        pid, returncode = os.getpid(), 0

        def __init__(self, words: Sequence[str], **settings: Any) -> None:
            run_inside(words, **settings)
            self.looked_at = 0

        def poll(self) -> int | None:
            self.looked_at += 1
            return None if self.looked_at == 1 else 0

    looking = SimpleNamespace(Popen=Run, DEVNULL=subprocess.DEVNULL)
    with (
        patch.object(subprocess, "run", run_inside),
        patch.object(footprint, "subprocess", looking),
    ):
        yield


def written(folder: Path) -> dict[str, dict[str, Any]]:
    """Records in a folder, by name."""
    found = sorted((folder / "results").glob("*.json"))
    assert {file.with_suffix(".md").exists() for file in found} == {True}
    return {file.stem: json.loads(file.read_text()) for file in found}


def note_simulated(work: Path, windows: int, seed: int = 11) -> None:
    """Say that the data of a working folder are those that a benchmark asks for."""
    (work / simulated.NOTED).write_text(json.dumps(simulated.way_of(windows, seed)))


def test_a_recorded_command_can_be_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--besides", "both cores (load 5 to 9); tmpfs", "--options", "--epochs 8"]
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])
    arguments = command_line("").parse_args(["--results", str(tmp_path)])
    write_record("some", [{"what": 1}], "A note.", arguments)
    command = json.loads((tmp_path / "some.json").read_text())["command"]
    assert shlex.split(command)[3:] == words
    assert f"`{command}`" in (tmp_path / "some.md").read_text()


def test_build(toy: Path, tmp_path: Path) -> None:
    like = ("--like", toy / "data" / "train.csv", "--fraction", 1 / 4)
    found = records_inside(
        "speed.build", tmp_path, *like, "--sample", 3, "--rounds", 1, "--factors", 1, 4
    )
    seconds = {row["what"]: row["seconds, median"] for row in found["build"]["rows"]}
    assert len(seconds) == 5
    sizes = {row["size"]: row["windows"] for row in found["build-growth"]["rows"]}
    assert sizes["1x"] < sizes["4x"]


def test_data_that_were_simulated_otherwise_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with programs_inside():
        first = simulated.simulated_store(tmp_path, 24, seed=3)
        assert simulated.simulated_store(tmp_path, 24, seed=3).identity == first.identity
        for windows, seed in ((25, 3), (24, 4)):
            with pytest.raises(SystemExit, match=r"expected windows .* name another --work\.$"):
                simulated.simulated_store(tmp_path, windows, seed=seed)
        with monkeypatch.context() as later:
            later.setattr(simulated, "__version__", "9")
            with pytest.raises(SystemExit, match="hms-eeg 9"):
                simulated.simulated_store(tmp_path, 24, seed=3)
        with monkeypatch.context() as later:
            later.setattr(simulated, "SIMULATES", ("hmsprep.simulator", "hmsprep.likeness"))
            with pytest.raises(SystemExit, match=r"expected .* simulator "):
                simulated.simulated_store(tmp_path, 24, seed=3)
        (tmp_path / simulated.NOTED).unlink()
        with pytest.raises(SystemExit, match=r"There is no .* name another --work"):
            simulated.simulated_store(tmp_path, 24, seed=3)


def test_a_change_of_any_module_of_the_simulator_changes_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(simulated.source_checksum(simulated.SIMULATES)) == 64
    package = tmp_path / "imagined"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    sums = []
    for name in ("__init__.py", "waves.py", "noise.py"):
        for text in ("RATE_HZ = 200\n", "RATE_HZ = 201\n"):
            (package / name).write_text(text)
            sums.append(simulated.source_checksum(["imagined"]))
    assert len(set(sums)) == len(sums)


def test_before(tmp_path: Path) -> None:
    if subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True).returncode:
        pytest.skip("the tests are not in a repository")
    small = ("--commit", "HEAD", "--windows", 24, "--builds", 2, "--processes", 2)
    found = records("speed.before", tmp_path, *small, "--rounds", 1, "--batches", 2)
    rows = {row["what"]: row for row in found["before"]["rows"]}
    assert set(rows) == {"build, s", "gather a batch, ms", "open, ms"}
    assert all(row["now, processor"] > 0 for row in rows.values())


def test_planning(toy: Path, tmp_path: Path) -> None:
    like = ("--like", toy / "data" / "train.csv", "--factors", 1, 2)
    rows = records("speed.planning", tmp_path, *like)["planning"]["rows"]
    assert [row["windows"] for row in rows] == [96, 192]
    assert rows[1]["store GB"] >= rows[0]["store GB"]


def test_inspecting(toy: Path, tmp_path: Path) -> None:
    found = records("speed.inspecting", tmp_path, "--data", toy / "data", "--rounds", 1)
    (row,) = found["inspecting"]["rows"]
    assert row["files"] > 10
    assert row["cold"] == "yes" or row["cold"].startswith("not measured")
    assert row["inspect s"] >= 0  # a machine may take less than is shown


@pytest.mark.parametrize("coolable", [4, 3, 0])
def test_inspecting_and_decoding_begin_alike(
    toy: Path, monkeypatch: pytest.MonkeyPatch, coolable: int
) -> None:
    from benchmarks.speed import inspecting

    done: list[str] = []

    def make_cold(_folder: Path) -> None:
        if done.count("cold") == coolable:
            raise conditions.NotMeasuredError("not measured: in memory")
        done.append("cold")

    def decode(*_words: object) -> float:
        done.append("decode")
        return 1.0

    def inspect(_words: object) -> dict[str, Any]:
        done.append("inspect")
        return {"seconds": 1.0, "peak own MiB": 1}

    monkeypatch.setattr(conditions, "make_cold", make_cold)
    monkeypatch.setattr(inspecting, "decode_seconds", decode)
    monkeypatch.setattr(inspecting, "measured", inspect)
    row = inspecting.compare(toy / "data", 2)
    works = ["inspect", "decode", "decode", "inspect"]
    cold = [word for work in works[:coolable] for word in ("cold", work)]
    if coolable == 4:
        assert done == cold
        assert row["cold"] == "yes"
    else:  # begun again, with a round that only reads the files
        assert done == [*cold, *works, "inspect", "decode"]
        assert row["cold"] == "not measured: in memory"


def test_trends(tmp_path: Path) -> None:
    found = records("speed.trends", tmp_path, "--hours", 1 / 20, "--pages", 2)
    (row,) = found["trends"]["rows"]
    assert row["hours"] == 0.1  # three minutes
    assert row["own MiB"] > 0


def test_features(toy: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").symlink_to(toy / "data")
    note_simulated(work, 96)
    small = ("--windows", 96, "--iterations", 3)
    found = records_inside("speed.features", tmp_path, "--work", work, *small)
    rows = {row["what"]: row for row in found["features"]["rows"]}
    assert {"measure, 1 at once", "fit, boosted", "fit, linear"} <= set(rows)
    assert rows["fit, linear"]["kl_votes"] >= 0


def test_transport(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed")
    monkeypatch.delenv("HMS_REAL_DATA", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").symlink_to(toy / "data")
    note_simulated(work, 96)
    small = ("--windows", 96, "--rounds", 1, "--most", 500_000)
    found = records_inside("speed.transport", tmp_path, "--work", work, *small)
    ratios = {(row["signal"], row["way"]): row["ratio"] for row in found["packing"]["rows"]}
    assert ratios["eeg", "columns, bytes apart, zstd 3"] > ratios["eeg", "as they are, zstd 3"] > 1
    rows = {row["what"]: row for row in found["transport"]["rows"]}
    assert rows["pull --compress"]["objects MB"] < rows["pull"]["objects MB"]


def test_transport_begins_anew_where_a_run_was_stopped(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.speed import transport

    found: list[bool] = []

    def stopped(words: list[str]) -> dict[str, Any]:
        if words[3] == "push":
            place = Path(words[5].removeprefix("file://"))
            found.append(place.exists())
            place.mkdir()
            if len(found) == 1:
                raise KeyboardInterrupt
        else:
            Path(words[5]).mkdir()
        return {"seconds": 1.0, "peak own MiB": 1}

    monkeypatch.setattr(transport, "measured", stopped)
    store = Store.open(toy / "hms.zarr")
    with pytest.raises(KeyboardInterrupt):
        transport.moved(store, tmp_path)
    transport.moved(store, tmp_path)
    assert found == [False, False, False]


def test_recording(tmp_path: Path) -> None:
    from benchmarks.speed import recording

    small = ("--minutes", 5, "--model", "resnet10t", "--image-size", 32, "--rounds", 1)
    with patch.object(recording, "join_world", wraps=recording.join_world) as joined:
        found = records_inside("speed.recording", tmp_path, *small)
    joined.assert_called_once_with("cpu")  # the network alone runs as predicting does
    rows = found["recording"]["rows"]
    assert [row["precision"] for row in rows] == ["float32", "auto, at first", "auto, again"]
    assert {(row["minutes"], row["windows"]) for row in rows} == {(10, 56)}  # tens, one at least
    assert min(row["predict / resident"] for row in rows) >= 0
    assert all(0 < row["processors busy"] <= 1.1 for row in rows)


def test_a_recording_has_enough_windows_for_auto_to_measure() -> None:
    from benchmarks.speed import recording

    assert recording.windows_of(recording.MINUTES) >= LEAST_WINDOWS


def test_reading(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium here: on Debian, apt-get install chromium")
    found = records("speed.reading", tmp_path, "--minutes", 5, "--pages", 1, "--chromium", CHROMIUM)
    (row,) = found["reading"]["rows"]
    assert row["marks"] == "4+4"
    assert row["windows built"] > 0


def test_loader(toy: Path, tmp_path: Path) -> None:
    found = records_inside("speed.loader", tmp_path, "--store", toy / "hms.zarr", "--batches", 2)
    (row,) = found["loader"]["rows"]
    assert row["windows"] == 96
    assert row["loader windows/s"] >= 0


def test_peers_and_charts(tmp_path: Path) -> None:
    chosen = ("one .npy file per window", "LMDB")
    options = ("--work", tmp_path / "work", "--windows", 64, "--cold-rounds", 1)
    found = records("peers.peers", tmp_path, *options, "--peers", *chosen)
    rows = {row["what"]: row for row in found["peers"]["rows"]}
    assert next(iter(rows)) == "Store.gather"  # what all are compared with, though not named
    lmdb = rows["LMDB"]["cached, windows/s"]
    assert lmdb.startswith("not measured") or lmdb.replace(",", "").isdigit()
    for condition in ("cached", "cold"):
        assert rows["Store.gather"][f"{condition}, windows/s"].replace(",", "").isdigit()
    (tmp_path / "charts").mkdir()
    records("charts", tmp_path, "--out", tmp_path / "charts")
    assert (tmp_path / "charts" / "peers.png").stat().st_size > 10_000


def test_the_plain_lmdb_reads_ahead_as_it_does_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.peers.peers import PEERS

    opened: dict[str, dict[str, Any]] = {}

    def read(path: str, **settings: Any) -> None:
        opened[Path(path).name] = settings

    monkeypatch.setitem(sys.modules, "lmdb", SimpleNamespace(open=read))
    for name in ("LMDB", "LMDB, no read-ahead"):
        (tmp_path / name).mkdir()  # so all is written
        PEERS[name].begin(Case(tmp_path / "hms.zarr", tmp_path / name, np.arange(32)))
    ahead = {name: settings.get("readahead", True) for name, settings in opened.items()}
    assert ahead == {"LMDB": True, "LMDB, no read-ahead": False}


def test_all_benchmarks_run_again_after_an_interruption() -> None:
    """The peers want an empty folder."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    (peers,) = (number for number, line in enumerate(lines) if "benchmarks.peers.peers" in line)
    assert lines[peers - 1].strip() == "rm -rf $(BENCH)/peers"


def test_judging(tmp_path: Path) -> None:
    made = Set(400)
    paths = [
        made.answers(tmp_path / f"{name}.csv", made.model(noise))
        for name, noise in (("good", 0.3), ("bad", 1.0))
    ]
    truth = made.table(tmp_path / "train.csv")
    options = (*paths, "--truth", truth, "--blend", "good", "bad")
    found = records_inside("models.judging", tmp_path, *options)
    rows = found["judging"]["rows"]
    assert {row["what"] for row in rows} >= {"good", "bad, temperature and bias"}
    charts = ("--results", tmp_path / "results", "--out", tmp_path)
    subprocess.run(
        [sys.executable, "-m", "benchmarks.charts", *map(str, charts)], check=True, cwd=ROOT
    )
    assert (tmp_path / "judging.png").stat().st_size > 5_000


def test_stages(tmp_path: Path) -> None:
    tiny = "--image-size 32 --set norm_windows=16 --epochs 1 --set second_epochs=1"
    options = ("--work", tmp_path / "work", "--windows", 300, "--votes", "all", "--options", tiny)
    found = records_inside("models.stages", tmp_path, *options)
    rows = {row["what"] for row in found["stages"]["rows"]}
    assert {"one stage, as it is", "two stages, temperature and bias"} <= rows


def test_recipe(tmp_path: Path) -> None:
    small = "--epochs 1 --steps 2 --image-size 32 --batch-size 8 --set norm_windows=0"
    options = ("--work", tmp_path / "work", "--windows", 90, "--options", small)
    found = records_inside("models.recipe", tmp_path, *options)["recipe-laptop"]
    names = {Path(row["answer"]).name for row in found["rows"]}
    assert {"answer", "image", "raw", "spectrogram", "features"} <= names
    assert "It took" in found["note"]


def make_segments(folder: Path, parts: Sequence[str]) -> list[str]:
    """Simulated segments beside a split.csv of sources and halves; their EEGs."""
    Inside("hmsprep").succeed("synth", folder, "--windows", 60, "--fast", "--seed", 5)
    with (folder / "train.csv").open(newline="") as file:
        eegs = sorted({row["eeg_id"] for row in csv.DictReader(file)})
    halves = [
        f"{eeg},{parts[i % 2]},{'choose' if i % 3 else 'report'}" for i, eeg in enumerate(eegs)
    ]
    (folder / "split.csv").write_text("\n".join(["eeg_id,source,half", *halves]))
    return eegs


def test_systems_and_real_segments(toy: Path, tmp_path: Path) -> None:
    work, small = tmp_path / "work", "--image-size 32 --set norm_windows=0"
    shutil.copytree(toy / "data", work / "data")
    note_simulated(work, 96)
    options = ("--work", work, "--windows", 96, "--steps", 2, "--options", small, "--paces")
    found = records_inside("models.systems", tmp_path, *options, "--systems", "features-linear")
    rows = {row["system"]: row for row in found["systems"]["rows"]}
    assert rows.keys() == {"naive_cnn-spec", "features-linear"}
    assert [row["seeds"] for row in rows.values()] in ([3, 1], [1, 3])
    assert rows["naive_cnn-spec"]["windows seen"] == "32"
    assert float(rows["naive_cnn-spec"]["windows/s"]) > 0
    segments, parts = tmp_path / "segments", ("there", "here")
    eegs = make_segments(segments, parts)
    sure = [f"{eegs[0]},1,0,0,0,0,0"]
    (tmp_path / "theirs.csv").write_text(
        "\n".join(["eeg_id,seizure,lpd,gpd,lrda,grda,other", *sure])
    )
    options = ("--runs", work / "systems", "--work", tmp_path / "real", "--segments", segments)
    found = records_inside(
        "models.real_segments", tmp_path, *options, "--others", tmp_path / "theirs.csv"
    )
    rows = found["real-segments"]["rows"]
    assert {(row["source"], row["half"]) for row in rows} == {
        (part, half) for part in parts for half in ("choose", "report")
    }
    assert {row["model"] for row in rows} == {
        "constant",
        "theirs",
        "features-linear-seed0",
        *(f"naive_cnn-spec-seed{seed}" for seed in range(3)),
    }
    assert sum(row["segments"] for row in rows if row["model"] == "theirs") > 0
    assert len((tmp_path / "results" / "real-segments-log.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("models.systems", ("--work", "work", "--systems", "features-liner")),
        ("models.judging", ("good.csv", "--truth", "train.csv", "--blend", "god")),
    ],
)
def test_an_unknown_name_is_refused(
    tmp_path: Path, script: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with patch("benchmarks.models.systems.simulated_store"), pytest.raises(SystemExit) as refused:
        records_inside(script, tmp_path, *options)
    assert refused.value.code == 2
    assert options[-1] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_states(tmp_path: Path) -> None:
    rows = records_inside("speed.states", tmp_path, "--windows", 60, "--batches", 2)["states"][
        "rows"
    ]
    assert rows[0]["state"] == "as built"
    assert rows[0]["mapped by 2 MiB"].endswith("%")
    assert not rows[0]["still reading the disk"]


def test_transfer(toy: Path, tmp_path: Path) -> None:
    make_segments(tmp_path / "segments", ("there", "here"))
    store = tmp_path / "hms.zarr"
    Inside("hmsprep").succeed("build", toy / "data", store, "--nan", "mean")
    stores = ("--stores", f"old={store}", f"new={store}", "--segments", tmp_path / "segments")
    small = "--epochs 1 --steps 1 --batch-size 4 --set norm_windows=0"
    options = ("--networks", "resnet1d", "linear", "--seeds", 1, "--options", small)
    found = records_inside(
        "models.transfer", tmp_path, "--work", tmp_path / "work", *stores, *options
    )
    rows = {
        (row["source"], row["half"], row["simulator"]): row
        for row in found["transfer"]["rows"]
        if row["network"] == "linear"
    }
    assert len(found["transfer"]["rows"]) == 2 * len(rows)
    assert str(tmp_path) not in found["transfer"]["command"]
    halves = ("choose", "report", "both")
    sources = ("there", "here", "all")
    assert rows.keys() == {
        (source, half, simulator)
        for source in sources for half in halves for simulator in ("old", "new")
    }  # fmt: skip
    assert {row["kl less old"] for row in rows.values()} == {"", "+0.000 [+0.000, +0.000]"}
    assert all(row["kl less old resnet1d"] for row in rows.values())
    counted = [[rows[source, half, "new"]["segments"] for half in halves] for source in sources]
    assert [sum(column) for column in zip(*counted[:2], strict=True)] == counted[2]


def test_telling(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.models import telling

    store = Store.open(toy / "hms.zarr")
    eegs = sorted(set(store.windows["eeg_id"].tolist()))
    halves = [
        f"{eeg},{'ab'[i % 2]},{'report' if i % 5 else 'choose'}" for i, eeg in enumerate(eegs)
    ]
    (tmp_path / "split.csv").write_text("\n".join(["eeg_id,source,half", *halves]))
    words = [
        "telling", "--real", toy / "hms.zarr", "--source", tmp_path / "split.csv",
        "--half", "report",
        "--stores", f"old={toy / 'hms.zarr'}", "--windows", 90,
        "--steps", 2, "--draws", 2, "--network-draws", 1, "--resamples", 5, "--repeats", 1,
        "--results", tmp_path / "results",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    telling.main()
    rows = json.loads((tmp_path / "results" / "realism.json").read_text())["rows"]
    told = {(row["samples"], row["judge"]): float(row["AUC"]) for row in rows}
    titles = (
        "real / old", "a / b", "sources, mean", "b / old for a", "a / old for b",
        "old for sources, mean",
    )  # fmt: skip
    assert told.keys() >= {
        (title, judge) for title in titles for judge in ("linear", "trees", "network")
    }
    assert all(0 <= area <= 1 for area in told.values())
    log = (tmp_path / "results" / "real-segments-log.csv").read_text().splitlines()
    assert ",report," in log[1]
    votes = store.windows["votes"].sum(axis=1)
    assert votes[telling.drawn(store, 1000, 1)].min() < 10
    assert votes[telling.drawn(store, 1000, 1, 10)].min() >= 10


def test_the_network_that_tells_finds_what_is_planted() -> None:
    from benchmarks.models.telling import network

    rng = np.random.default_rng(0)
    second = np.arange(60) % 2 == 1
    signals = rng.normal(0, 1, (60, 16, 1000))
    signals[second] += np.sin(np.arange(1000) / 4)
    score = network(30)(signals[:40], second[:40], np.ones(40), 1)
    found = score(signals[40:])
    assert found[second[40:]].min() > found[~second[40:]].max()
    np.testing.assert_array_equal(
        found, network(30)(signals[:40], second[:40], np.ones(40), 1)(signals[40:])
    )


def test_step(toy: Path, tmp_path: Path) -> None:
    from benchmarks.speed import step

    small = ("--models", "naive_cnn", "--image-size", 64, "--batch-size", 2, "--steps", 1)
    store = ("--store", toy / "hms.zarr", "--device", "cpu")
    with patch.object(step, "join_world", wraps=step.join_world) as joined:
        found = records_inside("speed.step", tmp_path, *store, *small)
    joined.assert_called_once_with("cpu")  # as training does
    (row,) = found["step-cpu"]["rows"]
    assert row["waiting"].endswith("%")


def test_the_batch_that_is_there_holds_what_a_loader_gives(tmp_path: Path) -> None:
    from benchmarks.speed.step import SameBatch

    names = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
    given = [{name: 10 * row + i for i, name in enumerate(names)} for row in range(1, 6)]
    data = write_pair(tmp_path / "data", given)
    blank_outside(data, 10, 11)
    store = build_store(data, tmp_path / "hms.zarr")
    config, cpu, rows = Config(inputs="spec+eeg"), torch.device("cpu"), np.arange(len(store))
    loader = MappedLoader(store, signal_names(config), len(rows), cpu)
    ((_, batch),) = loader.load([Request(rows)])
    there = SameBatch(store, config, len(rows), cpu).batch
    assert there.keys() == batch.keys() > set(signal_names(config))
    loader.close()


def test_gpu_at_toy_size_on_a_cpu(toy: Path, tmp_path: Path) -> None:
    small = ("--model", "resnet10t", "--image-size", 32, "--batch-size", 32, "--epochs", 1)
    store = ("--store", toy / "hms.zarr")
    found = records_inside("speed.gpu", tmp_path, *store, "--device", "cpu", *small)
    rows = found["gpu-cpu"]["rows"]
    assert [row["data"] for row in rows] == ["map", "device"]
    assert {row["windows of an epoch"] for row in rows} == {73}
    assert all(0 < row["of that, steps"] < row["seconds"] for row in rows)


def test_precision(toy: Path, tmp_path: Path) -> None:
    small = ("--models", "resnet10t", "--image-size", 32, "--batch-size", 8, "--train-steps", 2)
    store = ("--store", toy / "hms.zarr", "--batches", 3)
    rows = records_inside("speed.precision", tmp_path, *store, *small)["precision"]["rows"]
    assert [row["arithmetic"] for row in rows] == [
        "float32", "float32, channels last", "bfloat16, channels last",
    ]  # fmt: skip
    assert [row["auto"] for row in rows].count("taken") == 1
    assert {row["windows compared"] for row in rows} == {24}


def test_rehearsal(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes, own = [], conditions.own_processes

    def start(number: int) -> Any:
        processes.append(number)
        return own(number)

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(conditions, "own_processes", start)
    data = tmp_path / "data"
    shutil.copytree(toy / "data", data)
    like = ("--like", data / "train.csv", "--data", data, "--steps", 10, "--rounds", 1)
    found = records_inside("speed.rehearsal", tmp_path, *like)
    values = {row["what"]: row["value"] for row in found["rehearsal"]["rows"]}
    assert values["windows"] == 96
    assert float(values["cold: loader GB/s"].split()[0]) >= 0
    assert {values["workers"]} == set(processes) == {1}  # builds and decoding


def test_a_rehearsal_goes_on_where_files_cannot_be_made_cold(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.speed import rehearsal

    reason = "not measured: in memory"

    def refuse(_folder: Path) -> None:
        raise conditions.NotMeasuredError(reason)

    for one in (conditions, rehearsal):
        monkeypatch.setattr(one, "make_cold", refuse)
    store = tmp_path / "hms.zarr"
    with programs_inside():
        built = rehearsal.building(toy / "data", store, 1, 1)
        found = rehearsal.reading(store, 1, rehearsal.CAP_MIB)
    assert built["cold build and decoding"] == reason
    assert float(built["build seconds"].split()[0]) >= 0
    assert found["cold epoch of gather"] == found["cold"] == reason
    assert found["epoch of gather, warm, s"] >= 0


def test_a_rehearsal_goes_on_where_nothing_is_read_past_the_page_cache(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.speed import rehearsal

    open_file = os.open

    def refuse(path: Any, flags: int, *more: int) -> int:
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return open_file(path, flags, *more)

    def epoch(*_words: object, **_cap: int) -> dict[str, float]:
        return dict.fromkeys(("seconds", "GB/s", "first batch s"), 1.0)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(rehearsal, "epoch", epoch)
    monkeypatch.setattr(rehearsal, "make_cold", lambda _folder: None)
    found = rehearsal.reading(toy / "hms.zarr", 1, 64)
    assert found[rehearsal.PAST_CACHE] == "not measured: Invalid argument"
    assert "cold: loader / files" in found
    assert not any(key.endswith(f"/ {rehearsal.PAST_CACHE}") for key in found)


def test_demonstration(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.models import demonstration

    work, out = tmp_path / "work", tmp_path / "demo"
    shutil.copytree(toy / "data", work / "data")
    out.mkdir()
    (out / "CARD.md").write_text("a card")
    options = ("--options", "--set model.kind=boosted --set model.iterations=2")
    note_simulated(work, 96, seed=5)
    words = ["demonstration", "--work", work, "--windows", 96, "--out", out, *options]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    with programs_inside():
        demonstration.main()
    text = "".join(path.read_text() for path in out.rglob("*.json"))
    assert str(tmp_path) not in text
    assert RunFolder(out).store().path == "hms.zarr"
    assert (out / "CARD.md").read_text() == "a card"
    assert "simulated" in (out / "notice.txt").read_text()
