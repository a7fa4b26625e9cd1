"""Shares of a build, in any order, killed and rerun, give the very bytes of one build."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.helpers import SMALL, build_dataset, build_store, tree_bytes, write_pair

import hmsprep
from hmsprep.building.build import build
from hmsprep.building.division import Division, Share, ranges
from hmsprep.building.sharing import ShareBuilt, build_share, seal_shares
from hmsprep.building.site import State
from hmsprep.errors import BuildError, ParameterError
from hmsprep.planning.load import Planned, load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store
from hmsstore.manifest import MANIFEST_NAME, digest

TWO_TO_A_SHARD = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six recordings of each signal, which fill three shards of each."""
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 7)]
    return write_pair(tmp_path_factory.mktemp("six") / "data", rows)


@pytest.fixture(scope="module")
def whole(six: Path) -> dict[str, bytes]:
    """The files of their store, built at once."""
    return tree_bytes(build_dataset(planned(six), six.parent / "hms.zarr").path)


def planned(data: Path, **parameters: Any) -> Planned:
    return load(data, Parameters(**(TWO_TO_A_SHARD | parameters)))


def division(dataset: Planned, of: int) -> Division:
    plan, source = dataset.plan, dataset.source
    return Division(of, source.path, source.part, "error", plan.parameters, plan.hash)


def share(dataset: Planned, path: Path, number: int, of: int, **options: Any) -> ShareBuilt:
    with ThreadPoolExecutor(1) as pool:
        of_all = division(dataset, of)
        return build_share(
            dataset, path, Share(number, of), of_all, workers=1, executor=pool, **options
        )


def seal(path: Path, **options: Any) -> Store:
    with ThreadPoolExecutor(2) as pool:
        return hmsprep.seal(path, executor=pool, workers=2, **options)


def building(path: Path) -> Path:
    return path.with_name(f"{path.name}.building")


def test_shares_in_any_order_stopped_and_rerun_give_the_bytes_of_one_build(
    data: Path, store: Store, tmp_path: Path
) -> None:
    dataset, path = load(data, Parameters(**SMALL)), tmp_path / "hms.zarr"

    def stop(stage: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    assert share(dataset, path, 3, 4).unread == (1, 2, 4)
    with pytest.raises(KeyboardInterrupt):
        share(dataset, path, 1, 4, progress=stop)
    with pytest.raises(BuildError, match=r"Shares 1-2,4 of 4 are missing from .*hms\.zarr\.build"):
        seal(path)
    assert share(dataset, path, 4, 4).unread == (1, 2)
    assert share(dataset, path, 2, 4).unread == (1,)
    with pytest.raises(BuildError, match=r"Share 1 of 4 is missing .* --share N/4` for it, with"):
        seal(path)
    last = share(dataset, path, 1, 4)
    assert last.unread == ()
    assert last.normalised == last.shards > 1
    assert not path.exists()
    seal(building(path))
    assert tree_bytes(path) == tree_bytes(store.path)
    assert [p.name for p in tmp_path.iterdir()] == ["hms.zarr"]
    assert share(dataset, path, 2, 4).sealed
    assert seal(path).identity == store.identity


def test_shares_that_run_again_share_out_the_second_pass_too(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    first = [share(dataset, path, number, 2) for number in (1, 2)]
    assert [done.normalised for done in first] == [0, 3]
    assert share(dataset, path, 1, 2).normalised == 3
    assert list((building(path) / "ingest").iterdir()) == []
    stages = set()
    seal(path, progress=lambda stage, done, total: stages.add((stage, done < total)))
    assert ("ingest", True) not in stages
    assert ("normalise", True) not in stages
    assert tree_bytes(path) == whole


def test_there_may_be_more_shares_than_shards(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    assert share(dataset, path, 9, 9).shards == 0
    for number in range(1, 7):
        done = share(dataset, path, number, 9)
    assert done.unread == ()
    seal(path)
    assert tree_bytes(path) == whole


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from test_sharing import planned, share

def stop(stage, done, total):
    if stage == "ingest" and done:
        os.kill(os.getpid(), signal.SIGKILL)

share(planned(Path(sys.argv[1])), Path(sys.argv[2]), 1, 2, progress=stop)
"""


def test_a_killed_share_keeps_what_it_had_finished(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "hms.zarr"
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", KILLED, six, path, here, here.parents[1]], check=False
    )
    assert done.returncode == -signal.SIGKILL
    journal = building(path) / "shares" / "1.jsonl"
    noted = journal.read_bytes()
    assert noted.count(b'"stage":"ingest"') == 1
    journal.write_bytes(noted + b"0badc0de {torn")
    (building(path) / "partial" / "1" / "left").write_text("x")
    (building(path) / "plan.json.0123").write_text("x")
    dataset = planned(six)
    share(dataset, path, 2, 2)
    began: list[int] = []
    share(dataset, path, 1, 2, progress=lambda *told: began.append(told[1]))
    assert began[0] > 0
    assert journal.read_bytes().startswith(noted)
    seal(path)
    assert tree_bytes(path) == whole


def test_neither_the_same_share_nor_a_build_nor_the_seal_runs_beside_a_share(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    found = []

    def meanwhile(stage: str, done: int, total: int) -> None:
        if not found:
            for work in (
                lambda: share(dataset, path, 1, 2),
                lambda: build_dataset(dataset, path),
                lambda: seal(path),
            ):
                with pytest.raises(BuildError) as caught:
                    work()
                found.append(str(caught.value))
            assert share(dataset, path, 2, 2).unread == (1,)

    share(dataset, path, 1, 2, progress=meanwhile)
    assert found[0] == f"Another process is building share 1/2 of {path} now."
    assert found[1].startswith(f"Another process is building {path} now.")
    assert found[2] == found[1]
    seal(path)
    assert tree_bytes(path) == whole


def test_nothing_is_shared_out_beside_a_build_of_one(six: Path, tmp_path: Path) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"

    def stop(stage: str, done: int, total: int) -> None:
        with pytest.raises(BuildError, match=r"Another process is building .*hms\.zarr now"):
            share(dataset, path, 1, 2)
        if done:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        build(dataset, path, executor=pool, progress=stop)
    with pytest.raises(BuildError, match="another plan: it is not shared out"):
        share(dataset, path, 1, 2)
    with pytest.raises(BuildError, match=r"holds a build without shares\. Finish it with the same"):
        seal(path)


def test_a_build_of_one_finishes_what_shares_have_begun(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    share(dataset, path, 2, 2)
    kept = {file: file.stat().st_mtime_ns for file in (building(path) / "ingest").iterdir()}
    seen: list[int] = []

    def check(stage: str, done: int, total: int) -> None:
        if not seen:
            assert {file: file.stat().st_mtime_ns for file in kept} == kept
        seen.append(done)

    with ThreadPoolExecutor(1) as pool:
        assert build(dataset, path, executor=pool, progress=check) is State.RESUMED
    assert seen[0] > 0
    assert tree_bytes(path) == whole


def test_a_share_of_another_plan_or_division_is_refused(six: Path, tmp_path: Path) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    share(dataset, path, 1, 2)
    before = tree_bytes(building(path))
    with pytest.raises(BuildError, match=r"another plan: there nan is zero, here mean\. Give all"):
        share(planned(six, nan="mean"), path, 2, 2)
    with pytest.raises(BuildError, match="another plan: it has 2 shares, not 3"):
        share(dataset, path, 2, 3)
    fewer = write_pair(tmp_path / "fewer", [{"eeg_id": 1, "spectrogram_id": 1}])
    with pytest.raises(BuildError, match="the table of windows, the available files or the split"):
        share(planned(fewer), path, 2, 2)
    assert tree_bytes(building(path)) == before
    share(dataset, path, 2, 2)
    seal(path)
    with pytest.raises(BuildError, match=r"holds a store of another plan\. Name another place"):
        share(planned(six, nan="mean"), path, 1, 2)


def test_shares_of_versions_that_make_other_bytes_are_refused(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    share(dataset, path, 1, 2)
    journal = building(path) / "shares" / "1.jsonl"

    def edit(crc_added: int) -> None:
        lines = []
        for line in journal.read_bytes().splitlines():
            entry = json.loads(line[9:])
            if entry["stage"] == "versions":
                entry["versions"]["numpy"] = "1.0.0"
            else:
                entry["crc32"] += crc_added
            body = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
            lines.append(b"%08x %s" % (zlib.crc32(body), body))
        journal.write_bytes(b"".join(lines))

    edit(1)
    told = (
        r"started with numpy 1\.0\.0, but the installed numpy .*, or name another place and start"
    )
    with pytest.raises(BuildError, match=told):
        share(dataset, path, 2, 2)
    edit(-1)
    share(dataset, path, 2, 2)
    seal(path)
    assert tree_bytes(path) == whole


def test_files_that_changed_since_their_share_are_read_again(six: Path, tmp_path: Path) -> None:
    six = Path(shutil.copytree(six, tmp_path / "data"))
    dataset, path = planned(six), tmp_path / "hms.zarr"
    for number in (1, 2):
        share(dataset, path, number, 2)
    other = write_pair(tmp_path / "other", [{"eeg_id": 2, "spectrogram_id": 2}], seed=5)
    for file in ("train_eegs/2.parquet", "train_spectrograms/2.parquet"):
        (other / file).replace(six / file)
    seal(path)
    fresh = build_dataset(planned(six), tmp_path / "one.zarr")
    assert tree_bytes(path) == tree_bytes(fresh.path)
    (six / "train_eegs" / "1.parquet").unlink()
    with pytest.raises(hmsprep.PrepError, match="recordings that have no file"):
        share(planned(six), tmp_path / "again.zarr", 1, 2)


def test_a_table_that_changed_since_is_not_sealed(six: Path, tmp_path: Path) -> None:
    six = Path(shutil.copytree(six, tmp_path / "data"))
    dataset, path = planned(six), tmp_path / "hms.zarr"
    for number in (1, 2):
        share(dataset, path, number, 2)
    table = six / "train.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(BuildError, match="has changed since the shares of"):
        seal(path)
    table.write_text("\n".join(lines) + "\n")
    seal(path)


def test_a_seal_that_lacked_only_its_name_is_finished(six: Path, tmp_path: Path) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    for number in (1, 2):
        share(dataset, path, number, 2)

    def appear(stage: str, done: int, total: int) -> None:
        path.mkdir(exist_ok=True)

    with pytest.raises(BuildError, match="Something appeared"), ThreadPoolExecutor(1) as pool:
        seal_shares(dataset, path, division(dataset, 2), executor=pool, progress=appear)
    path.rmdir()
    assert share(dataset, path, 1, 2).sealed
    (building(path) / "plan.json").unlink()
    assert len(seal(path)) == 6
    assert not building(path).exists()


def test_a_share_is_not_told_to_discard_what_it_may_not(six: Path, tmp_path: Path) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    build_dataset(dataset, path)
    path.rename(building(path))
    manifest = building(path) / MANIFEST_NAME
    body = json.loads(manifest.read_text()) | {"format_version": 99}
    body.pop("sha256")
    manifest.write_text(json.dumps(body | {"sha256": digest(body)}))
    for finish in (lambda: share(dataset, path, 1, 2), lambda: seal(path)):
        with pytest.raises(BuildError, match=r"newer version of hms-eeg.* Or move it away") as told:
            finish()
        assert "--force" not in str(told.value)


def test_shares_that_were_begun_with_whole_numbers_are_sealed(six: Path, tmp_path: Path) -> None:
    dataset, path = planned(six, bandpass=(0.5, 40)), tmp_path / "hms.zarr"
    share(dataset, path, 1, 2)
    described = building(path) / "plan.json"
    noted = json.loads(described.read_text())
    whole = dataset.plan.parameters.changed() | {"bandpass": [0.5, 40]}
    noted["parameters"] |= whole
    noted["plan"] = dataset.plan._hash_of(whole)
    assert noted["plan"] != dataset.plan.hash
    described.write_text(json.dumps(noted))
    share(dataset, path, 2, 2)
    assert len(seal(path)) == 6


def test_a_finished_build_of_another_plan_or_a_damaged_one_is_not_a_shares(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    build_dataset(dataset, path).path.rename(building(path))
    with pytest.raises(BuildError, match=r"hms\.zarr\.building holds a finished build of another"):
        share(planned(six, nan="mean"), path, 1, 2)
    assert share(dataset, path, 1, 2).sealed
    (building(path) / "eeg" / "c" / "1" / "0").unlink()
    with pytest.raises(BuildError, match=r"is sealed but damaged\. Move it away and build again"):
        share(dataset, path, 1, 2)
    (building(path) / "eeg" / "c" / "1" / "0").write_bytes(whole["eeg/c/1/0"])
    seal(path)
    assert tree_bytes(path) == whole


def test_a_store_of_files_that_changed_since_is_not_called_sealed(
    six: Path, tmp_path: Path
) -> None:
    six = Path(shutil.copytree(six, tmp_path / "data"))
    dataset, path = planned(six), tmp_path / "hms.zarr"
    build_dataset(dataset, path)
    file = six / "train_eegs" / "1.parquet"
    file.write_bytes(file.read_bytes() + b"PAR1")
    with pytest.raises(BuildError, match=r"files have changed since\. Name another place\."):
        share(planned(six), path, 1, 2)
    with ThreadPoolExecutor(1) as pool, pytest.raises(BuildError, match=r"Use --force to rebuild"):
        seal_shares(planned(six), path, division(dataset, 2), executor=pool)


def test_a_share_killed_at_its_very_start_is_in_nobodys_way(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset = planned(six)
    for name in ("hms.zarr", "one.zarr"):
        building(tmp_path / name).mkdir()
        (building(tmp_path / name) / "plan.json.0123").write_text("x")
    share(dataset, tmp_path / "hms.zarr", 1, 1)
    seal(tmp_path / "hms.zarr")
    assert tree_bytes(tmp_path / "hms.zarr") == whole
    assert tree_bytes(build_dataset(dataset, tmp_path / "one.zarr").path) == whole
    building(tmp_path / "mine.zarr").mkdir()
    (building(tmp_path / "mine.zarr") / "precious").write_text("x")
    with pytest.raises(BuildError, match=r"is not a build of this program\. Move it away"):
        share(dataset, tmp_path / "mine.zarr", 1, 1)


def test_there_must_be_something_to_seal(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"nothing to seal at .*: expected hms\.zarr\.building"):
        seal(tmp_path / "hms.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_replaced_by_its_shares_when_asked(
    six: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    dataset, path = planned(six), tmp_path / "hms.zarr"
    for number in (1, 2):
        share(dataset, path, number, 2)
    moved = building(path).rename(tmp_path / "kept")
    build_store(six, path, nan="mean")
    moved.rename(building(path))
    with pytest.raises(BuildError, match="holds a store of another plan"):
        seal(path)
    seal(path, force=True)
    assert tree_bytes(path) == whole


def test_a_file_system_without_locks_is_named(
    six: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(BuildError, match=r"hms\.zarr\.lock cannot be locked \(Function not impl"):
        share(planned(six), tmp_path / "hms.zarr", 1, 2)


@pytest.mark.parametrize("word", ["0/4", "5/4", "3", "3/", "a/b", "1/2/3", "-1/4", ""])
def test_a_share_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(ParameterError, match=f"expected N/OF, with N from 1 .*, got {word}"):
        Share.parse(word)


def test_shares_are_written_as_slurm_takes_them() -> None:
    assert str(Share.parse("3/16")) == "3/16"
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3,7,9-10"
    parts = [Share(number, 3).part(range(8)) for number in (1, 2, 3)]
    assert [list(part) for part in parts] == [[0, 3, 6], [1, 4, 7], [2, 5]]
