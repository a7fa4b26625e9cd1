"""What stands beside a store is recognised, restored, cleared away or left alone."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.helpers import SMALL, build_dataset, tree_bytes, write_pair

from hmsprep.building.build import build
from hmsprep.building.site import State
from hmsprep.errors import BuildError
from hmsprep.planning.load import Planned, load
from hmsprep.planning.parameters import Parameters
from hmsstore import Store
from hmsstore.atomic import hidden, previous
from hmsstore.manifest import MANIFEST_NAME, digest


@pytest.fixture
def dataset(tmp_path: Path) -> Planned:
    return load(write_pair(tmp_path / "data", [{}]), Parameters(**SMALL))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hms.zarr"


def run(dataset: Planned, path: Path, **options: Any) -> State:
    with ThreadPoolExecutor(1) as pool:
        return build(dataset, path, executor=pool, **options)


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def test_what_appeared_during_the_build_is_not_replaced(dataset: Planned, path: Path) -> None:
    def appear(stage: str, done: int, total: int) -> None:
        path.mkdir(exist_ok=True)
        (path / "precious").write_text("x")

    with pytest.raises(BuildError, match=r"Something appeared at .*hms\.zarr during the build"):
        run(dataset, path, progress=appear)
    assert (path / "precious").exists()
    path.rename(path.with_name("moved"))
    assert run(dataset, path) is State.SEALED
    Store.open(path)


def test_a_sealed_build_that_lacked_only_its_name_is_compared_with_its_sources(
    dataset: Planned, path: Path
) -> None:
    build_dataset(dataset, path).path.rename(beside(path, ".building"))
    file = dataset.source.path / "train_eegs" / "1.parquet"
    file.write_bytes(file.read_bytes() + b"PAR1")
    with pytest.raises(BuildError, match=r"files have changed since\. Use --force to rebuild it"):
        run(load(dataset.source.path, Parameters(**SMALL)), path)


def test_force_replaces_stores_only(dataset: Planned, path: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("x")
    with pytest.raises(BuildError, match="is a folder but not a store"):
        run(dataset, path, force=True)
    assert (path / "precious").exists()


def test_a_swap_that_was_cut_short_is_undone(dataset: Planned, path: Path) -> None:
    build_dataset(dataset, path)
    path.rename(previous(path))
    assert run(dataset, path) is State.BUILT
    assert sorted(p.name for p in path.parent.iterdir()) == ["data", "hms.zarr"]


def test_what_a_killed_deletion_left_is_cleared_away(dataset: Planned, path: Path) -> None:
    build_dataset(dataset, path)
    for left in (previous(path), hidden(path, "discarded")):
        shutil.copytree(path, left)
        (left / "zarr.json").unlink()
    assert run(dataset, path) is State.BUILT
    assert sorted(p.name for p in path.parent.iterdir()) == ["data", "hms.zarr"]


def test_the_users_own_folders_beside_a_store_are_left_alone(dataset: Planned, path: Path) -> None:
    """A store that he keeps is his, too, even while there is none under the name itself."""
    build_dataset(dataset, path)
    for suffix in (".replaced", ".discarded", ".old"):
        shutil.copytree(path, beside(path, suffix))
    shutil.rmtree(path)
    before = {suffix: tree_bytes(beside(path, suffix)) for suffix in (".replaced", ".discarded")}
    assert run(dataset, path) is State.NEW
    assert run(dataset, path, force=True) is State.NEW
    assert {suffix: tree_bytes(beside(path, suffix)) for suffix in before} == before
    assert beside(path, ".old").is_dir()


def test_what_has_the_name_of_our_folders_and_is_not_ours_is_refused_and_kept(
    dataset: Planned, path: Path
) -> None:
    theirs = path.parent / "theirs"
    theirs.mkdir()
    (theirs / "plan.json").write_text('{"my": "plan"}')
    (theirs / "notes").write_text("precious")
    before = tree_bytes(theirs)
    building, lock = beside(path, ".building"), beside(path, ".lock")
    for force in (False, True):
        building.symlink_to(theirs)
        with pytest.raises(BuildError, match="is a link that leads elsewhere"):
            run(dataset, path, force=force)
        assert building.is_symlink()
        building.unlink()
        shutil.copytree(theirs, building)
        with pytest.raises(BuildError, match="is not a build of this program"):
            run(dataset, path, force=force)
        assert tree_bytes(building) == before == tree_bytes(theirs)
        (building / "plan.json").unlink()
        with pytest.raises(BuildError, match="is not a build of this program"):
            run(dataset, path, force=force)
        assert (building / "notes").read_text() == "precious"
        shutil.rmtree(building)
        for kind in ("file", "link", "folder"):
            if kind == "file":
                lock.write_text("precious")
            elif kind == "link":
                lock.symlink_to(theirs / "new")
            else:
                lock.mkdir()
            with pytest.raises(BuildError, match=r"hms\.zarr\.lock is in the way"):
                run(dataset, path, force=force)
            assert not (theirs / "new").exists()
            if kind == "folder":
                lock.rmdir()
            else:
                assert kind == "link" or lock.read_text() == "precious"
                lock.unlink()
    assert run(dataset, path) is State.NEW


def test_a_damaged_store_is_no_finished_one(dataset: Planned, path: Path) -> None:
    sealed = tree_bytes(build_dataset(dataset, path).path)
    (path / "eeg/c/0/0").unlink()
    with pytest.raises(BuildError, match="holds a damaged store"):
        run(dataset, path)
    run(dataset, path, force=True)
    assert tree_bytes(path) == sealed


def test_a_sealed_build_that_was_damaged_is_built_anew(dataset: Planned, path: Path) -> None:
    sealed = tree_bytes(build_dataset(dataset, path).path)
    path.rename(beside(path, ".building"))
    (beside(path, ".building") / "eeg/c/0/0").write_text("x")
    assert run(dataset, path) is State.NEW
    assert tree_bytes(path) == sealed


def test_a_sealed_build_of_another_plan_is_discarded_only_by_force(
    dataset: Planned, path: Path
) -> None:
    build_dataset(dataset, path)
    path.rename(beside(path, ".building"))
    other = load(dataset.source.path, Parameters(**SMALL, nan="mean"))
    with pytest.raises(BuildError, match="it is sealed and of another plan"):
        run(other, path)
    assert run(other, path, force=True) is State.NEW
    assert Store.open(path).info["parameters"]["nan"] == "mean"


def make_newer(path: Path, **changes: Any) -> None:
    """Seal a store's manifest again, as a version to come would."""
    body = json.loads((path / MANIFEST_NAME).read_text()) | {"format_version": 3} | changes
    body.pop("sha256")
    body["sha256"] = digest(body)
    (path / MANIFEST_NAME).write_text(json.dumps(body))


def test_a_store_of_a_newer_version_is_called_so_and_replaced_only_by_force(
    dataset: Planned, path: Path
) -> None:
    sealed = tree_bytes(build_dataset(dataset, path).path)
    make_newer(path)
    newer = tree_bytes(path)
    with pytest.raises(BuildError, match=r"version 3; .*Upgrade hms-eeg.*name another place"):
        run(dataset, path)
    assert tree_bytes(path) == newer
    run(dataset, path, force=True)
    assert tree_bytes(path) == sealed


def test_a_finished_build_of_a_newer_version_is_discarded_only_by_force(
    dataset: Planned, path: Path
) -> None:
    build_dataset(dataset, path)
    building = beside(path, ".building")
    path.rename(building)
    make_newer(building)
    newer = tree_bytes(building)
    with pytest.raises(BuildError, match="is a finished build of a newer version of hms-eeg"):
        run(dataset, path)
    assert tree_bytes(building) == newer
    assert run(dataset, path, force=True) is State.NEW


def test_a_sealed_folder_of_another_format_is_not_touched_even_by_force(
    dataset: Planned, path: Path
) -> None:
    build_dataset(dataset, path)
    make_newer(path, format="photographs")
    for place, message in (
        (path, "is a folder but not a store"),
        (beside(path, ".building"), "is not a build of this program"),
    ):
        if place != path:
            path.rename(place)
        before = tree_bytes(place)
        for force in (False, True):
            with pytest.raises(BuildError, match=message):
                run(dataset, path, force=force)
        assert tree_bytes(place) == before


def test_a_link_is_followed_and_stays_a_link(dataset: Planned, path: Path) -> None:
    (path.parent / "big disk").mkdir()
    path.symlink_to(path.parent / "big disk" / "store.zarr")
    run(dataset, path)
    assert run(dataset, path) is State.BUILT
    run(dataset, path, force=True)
    assert path.is_symlink()
    assert [p.name for p in (path.parent / "big disk").iterdir()] == ["store.zarr"]
    Store.open(path)


def test_sources_that_changed_after_the_build_are_not_called_built(
    dataset: Planned, path: Path
) -> None:
    build_dataset(dataset, path)
    file = dataset.source.path / "train_eegs" / "1.parquet"
    file.write_bytes(file.read_bytes() + b"PAR1")
    changed = load(dataset.source.path, Parameters(**SMALL))
    with pytest.raises(BuildError, match="files have changed since"):
        run(changed, path)


def test_sources_of_the_same_size_that_were_written_after_the_build_are_warned_of(
    dataset: Planned, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build_dataset(dataset, path)
    sealed_ns = (path / MANIFEST_NAME).stat().st_mtime_ns
    folder = dataset.source.path
    archive = folder.parent / "hms.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for file in sorted(folder.rglob("*.*")):
            os.utime(file, ns=(sealed_ns, sealed_ns))
            packed.write(file, file.relative_to(folder))
    os.utime(archive, ns=(sealed_ns, sealed_ns))
    zipped = load(archive, Parameters(**SMALL))
    for source in (dataset, zipped):
        assert run(source, path) is State.BUILT
    assert not caplog.messages
    later = (sealed_ns + 1, sealed_ns + 1)
    os.utime(folder / "train_eegs" / "1.parquet", ns=later)
    assert run(dataset, path) is State.BUILT
    files = Store.open(path).info["sources"]["files"]
    ending = f"newer than {path}. If the values have changed: use --force to rebuild it."
    assert caplog.messages == [f"1 of {files} recording files is {ending}"]
    os.utime(archive, ns=later)
    assert run(zipped, path) is State.BUILT
    assert caplog.messages[1:] == [f"{files} of {files} recording files are {ending}"]


def test_every_file_is_on_the_disk_before_it_has_its_name_and_the_manifest_comes_last(
    dataset: Planned, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Record what is forced to disk and what is renamed, in the order in which it happens."""
    log: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def fsync_seen(descriptor: int) -> None:
        fsync(descriptor)
        log.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def replace_seen(source: Any, target: Any, **options: Any) -> None:
        replace(source, target, **options)
        log.append((f"from {source}", str(target)))

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", fsync_seen)
    monkeypatch.setattr(os, "replace", replace_seen)
    build_dataset(dataset, path)
    building = str(beside(path, ".building"))
    named = [
        (place, action.removeprefix("from "), Path(target))
        for place, (action, target) in enumerate(log)
        if action != "sync" and "/ingest/" not in target
    ]
    files = {f"{building}/{name}" for name in tree_bytes(path)}
    assert {str(target) for _, _, target in named} == files | {f"{building}/plan.json"}
    for place, source, target in named:
        assert ("sync", source) in log[:place], target
        assert ("sync", str(target.parent)) in log[place:], target
    assert named[-1][2].name == "MANIFEST.json"
    # Each folder on the way is synced too, after it was made.
    assert ("sync", building) in log
    assert ("sync", str(path.parent)) in log
