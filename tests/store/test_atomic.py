"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import ast
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hmsstore.atomic import previous, remove_leftovers, whole_file, whole_folder

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its text, temporary ones included."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in found}


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def fill_file(path: Path, error: BaseException) -> None:
    with whole_file(path) as partial:
        partial.write_text("half of the n")
        raise error


def fill_folder(path: Path, error: BaseException, *, replace: bool) -> None:
    with whole_folder(path, replace=replace) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a").write_text("half of the n")
        raise error


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    (tmp_path / "a.csv").write_text("old")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(error):
            fill_file(tmp_path / name, error())
    assert contents(tmp_path) == {"a.csv": "old"}


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, error: type[BaseException], replace: bool
) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_text("old")
    path = tmp_path / ("old" if replace else "new")
    with pytest.raises(error):
        fill_folder(path, error(), replace=replace)
    assert contents(tmp_path) == {"old/a": "old"}
    assert [one.name for one in tmp_path.iterdir()] == ["old"]


def test_until_the_block_ends_the_old_content_is_there(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.csv", tmp_path / "best"
    file.write_text("old")
    folder.mkdir()
    (folder / "a").write_text("old")
    with whole_file(file) as partial:
        partial.write_text("new")
        assert file.read_text() == "old"
    with whole_folder(folder, replace=True) as partial:
        (partial / "b").write_text("new")
        assert (folder / "a").read_text() == "old"
    assert contents(tmp_path) == {"a.csv": "new", "best/b": "new"}


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_and_folders_get_the_rights_that_the_umask_gives(
    tmp_path: Path, mask: int, expected: int
) -> None:
    def private(path: Path) -> None:
        """Write as safetensors does: a file for its owner alone."""
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))

    with umask(mask):
        for name, write in (("a", Path.touch), ("b", private)):
            with whole_file(tmp_path / name) as partial:
                write(partial)
            assert rights(tmp_path / name) == expected
        with whole_folder(tmp_path / "c") as partial:
            (partial / "a").touch()
        assert rights(tmp_path / "c") == 0o777 & ~mask
        assert rights(tmp_path / "c" / "a") == expected


def test_a_taken_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "b").write_text("old")
    before = contents(tmp_path)
    ways: list[tuple[Callable[..., object], str]] = [
        (whole_file, "a"),
        (whole_file, "full"),
        (whole_file, "dangling"),
        (whole_folder, "a"),
        (whole_folder, "full"),
        (whole_folder, "dangling"),
    ]
    for way, name in ways:
        with pytest.raises(FileExistsError) as caught, way(tmp_path / name, replace=False):
            pytest.fail("the block ran")
        assert caught.value.filename == str(tmp_path / name)
    assert contents(tmp_path) == before


def test_a_name_that_is_taken_while_the_block_runs_is_refused(tmp_path: Path) -> None:
    def overtaken_file(path: Path) -> None:
        with whole_file(path, replace=False) as partial:
            partial.write_text("new")
            path.write_text("another's")

    def overtaken_folder(path: Path) -> None:
        with whole_folder(path) as partial:
            (partial / "a").write_text("new")
            path.mkdir()
            (path / "a").write_text("another's")

    with pytest.raises(FileExistsError):
        overtaken_file(tmp_path / "a")
    with pytest.raises(FileExistsError, match="exists already: another process has made it"):
        overtaken_folder(tmp_path / "b")
    assert contents(tmp_path) == {"a": "another's", "b/a": "another's"}
    with pytest.raises(FileExistsError, match="exists already"), whole_folder(tmp_path / "c"):
        (tmp_path / "c").write_text("another's")


def test_an_empty_folder_counts_as_free(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with whole_folder(tmp_path / "a") as partial:
        (partial / "b").write_text("new")
    assert contents(tmp_path) == {"a/b": "new"}


def test_errors_name_the_target_and_never_the_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.csv"
    with pytest.raises(FileNotFoundError) as caught, whole_file(path):
        pytest.fail("the block ran")
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "a.csv"):
        pass  # writes nothing
    assert caught.value.filename == str(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError) as caught, whole_folder(tmp_path / "a") as partial:
        (partial / "b" / "c").write_text("x")
    assert caught.value.filename == str(tmp_path / "a" / "b" / "c")
    with pytest.raises(FileNotFoundError) as caught, whole_file(tmp_path / "a.csv"):
        Path("elsewhere/source").read_text()
    assert caught.value.filename == "elsewhere/source"
    assert contents(tmp_path) == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
def test_the_error_of_a_full_disk_names_the_target(tmp_path: Path) -> None:
    for whole in (whole_file, whole_folder):
        with (
            pytest.raises(OSError, match=r"No space left on device: '.*table\.csv'"),
            whole(tmp_path / "table.csv"),
            Path("/dev/full").open("w") as full,
        ):
            full.write("a,b")


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 120 + ".csv")
    with whole_file(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_content_is_forced_to_disk_before_the_name_and_the_name_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noted of each fsync: which file it was of, and whether the target had its name by then."""
    seen: list[tuple[str, bool]] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        what = os.fstat(descriptor)
        found = [
            path for path in (tmp_path, *tmp_path.rglob("*")) if path.stat().st_ino == what.st_ino
        ]
        seen.append((found[0].name.rpartition(".")[2], target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    target = tmp_path / "a"
    with whole_file(target) as partial:
        partial.write_text("new")
    assert seen == [("partial", False), (tmp_path.name, True)]
    seen.clear()
    target = tmp_path / "b"
    with whole_folder(target) as partial:
        (partial / "one").write_text("new")
        (partial / "sub").mkdir()
        (partial / "sub" / "two").write_text("new")
    names = sorted(seen[:4])
    assert names == [("one", False), ("partial", False), ("sub", False), ("two", False)]
    assert seen[4:] == [(tmp_path.name, True)]


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from hmsstore.atomic import whole_file, whole_folder

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}

def write(folder, kill_before):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if writing or event in CHANGES:
            seen += 1
            if seen == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    with whole_file(folder / "file") as partial:
        partial.write_text("new")
    with whole_folder(folder / "folder", replace=True) as partial:
        (partial / "a").write_text("new")
        (partial / "b").write_text("new")

for number in range(1, 100):
    folder = Path(sys.argv[1], str(number))
    (folder / "folder").mkdir(parents=True)
    (folder / "folder" / "a").write_text("old")
    (folder / "file").write_text("old")
    pid = os.fork()
    if not pid:
        write(folder, number)
        os._exit(0)
    if os.waitpid(pid, 0)[1] == 0:
        break
"""


def test_killed_before_any_change_either_the_old_or_the_new_is_whole(tmp_path: Path) -> None:
    old_or_new = ({"a": "old"}, {"a": "new", "b": "new"})
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=True)
    states = set()
    for folder in tmp_path.iterdir():
        file = (folder / "file").read_text()
        stands = folder / "folder"
        found = contents(stands if stands.exists() else previous(stands))
        assert file in ("old", "new")
        assert found in old_or_new
        states.add((file, found["a"], stands.exists()))
        remove_leftovers(folder)
        left = {path.name for path in folder.iterdir()}
        assert left <= {"file", "folder", previous(folder / "folder").name}
    assert 8 < len(list(tmp_path.iterdir())) < 99
    assert states == {
        ("old", "old", True),
        ("new", "old", True),
        ("new", "old", False),
        ("new", "new", True),
    }


def test_what_a_kill_between_two_renames_left_is_there_until_the_next_folder_stands(
    tmp_path: Path,
) -> None:
    path = tmp_path / "best"
    previous(path).mkdir()
    (previous(path) / "a").write_text("old")
    with pytest.raises(ValueError, match="stop"):
        fill_folder(path, ValueError("stop"), replace=True)
    assert (previous(path) / "a").read_text() == "old"
    with whole_folder(path, replace=True) as partial:
        (partial / "a").write_text("new")
        assert (previous(path) / "a").read_text() == "old"
    assert contents(tmp_path) == {"best/a": "new"}


def test_the_users_folder_beside_what_is_replaced_stays(tmp_path: Path) -> None:
    for name in ("best", "best.old", "best.replaced", "best.discarded"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    with whole_folder(tmp_path / "best", replace=True) as partial:
        (partial / "a").write_text("new")
    kept = {f"{name}/a": name for name in ("best.old", "best.replaced", "best.discarded")}
    assert contents(tmp_path) == kept | {"best/a": "new"}


def test_a_link_to_a_folder_that_is_replaced_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "best").mkdir()
    (tmp_path / "best").symlink_to(tmp_path / "disk" / "best")
    with whole_folder(tmp_path / "best", replace=True) as partial:
        (partial / "a").write_text("new")
    assert (tmp_path / "best").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "disk"]
    assert contents(tmp_path / "disk") == {"best/a": "new"}


def test_a_link_to_an_empty_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk" / "out").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "out")
    with whole_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("new")
    assert (tmp_path / "out").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "out"]
    assert contents(tmp_path / "disk") == {"out/a": "new"}


def test_a_mount_point_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same file system too, which nothing but a rename tells."""
    (tmp_path / "out").mkdir(mode=0o750)
    rename = Path.rename

    def busy(source: Path, target: Path) -> Path:
        if target == tmp_path / "out":
            raise OSError(errno.EBUSY, "Device or resource busy", str(source), None, str(target))
        return rename(source, target)

    monkeypatch.chdir(tmp_path / "out")
    with monkeypatch.context() as mounted:
        mounted.setattr(Path, "rename", busy)
        for path in (Path("/proc"), tmp_path / "out", Path()):
            for replace in (False, True):
                with (
                    pytest.raises(OSError, match="a mount point or the current") as caught,
                    whole_folder(path, replace=replace),
                ):
                    pytest.fail("the block ran")
                assert caught.value.filename == str(path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(ValueError, match="stop"):
        fill_folder(tmp_path / "out", ValueError("stop"), replace=False)
    assert rights(tmp_path / "out") == 0o750
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_folder_that_cannot_take_its_name_leaves_the_old_one_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    path = tmp_path / "best"
    path.mkdir()
    (path / "a").write_text("old")
    rename = Path.rename

    def failing(source: Path, target: Path) -> Path:
        if source.name.endswith(".partial"):
            raise error
        return rename(source, target)

    def replace() -> None:
        with whole_folder(path, replace=True) as partial:
            (partial / "a").write_text("new")

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(error):
        replace()
    assert contents(tmp_path) == {"best/a": "old"}


def test_leftovers_are_told_from_other_files(tmp_path: Path) -> None:
    for name in (".a.csv.0123abcd.partial", "sub/.b.89abcdef.partial/deep/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("a.partial", ".a.partial", ".a.0123abcd.part", "sub/.b.xyz.partial"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"a.partial", ".a.partial", ".a.0123abcd.part", "sub", "sub/.b.xyz.partial"}


RENAMES = {
    "store/hmsstore/atomic.py",
    "hmsprep/building/durable.py",  # shards and the store's files, from the build's own folder
    "hmsprep/building/passes.py",  # scratch shards, which a resumed build checks by their CRC-32
    "hmsprep/building/site.py",  # whole stores, each step of which a killed build resumes from
    "hmsprep/sealed/transport/fetching.py",  # what a resumed pull checks by its CRC-32
    "hmsprep/simulator/make.py",  # files that are made again if a process dies, not forced to disk
}
"""Files that give a path its final name themselves."""


def renames(tree: ast.AST) -> Iterator[int]:
    """Lines that rename or move a path: Path.rename and .replace, os.rename, shutil.move.

    Text is replaced with two arguments, a dataclass with keywords; columns are renamed by
    functions and mappings, not by paths.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        module = owner.id if isinstance(owner, ast.Name) else ""
        of_path = len(node.args) == 1 and not node.keywords
        column = of_path and ast.unparse(node.args[0]).startswith(("str.", "{"))
        if (node.func.attr in ("rename", "replace") and of_path and not column) or (
            (module, node.func.attr)
            in {("os", "rename"), ("os", "replace"), ("os", "renames"), ("shutil", "move")}
        ):
            yield node.lineno


def test_nothing_else_renames_unfinished_files_by_hand() -> None:
    sample = ast.parse("a.replace(b)\nos.rename(a, b)\na.replace('x', 'y')\nreplace(c, d=1)\n")
    assert list(renames(sample)) == [1, 2]
    found = {
        str(path.relative_to(ROOT))
        for package in ("store/hmsstore", "hmsprep", "hmstrain")
        for path in sorted((ROOT / package).rglob("*.py"))
        if any(renames(ast.parse(path.read_text())))
    }
    assert found <= RENAMES
