"""The wheel and the source archive hold what people who install them need."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source archive, and the wheel built from it."""
    if UV is None:
        pytest.skip("uv is not installed")
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [UV, "build", "--quiet", "--out-dir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and re.search("connect|network|dns|timed out", done.stderr, flags=re.I):
        pytest.skip("the build's own requirements cannot be fetched here")
    assert done.returncode == 0, done.stderr
    return out


def test_the_wheel_holds_types_the_format_and_absolute_links(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        for package in ("hmsprep", "hmstrain", "hmsstore"):
            assert {f"{package}/__init__.py", f"{package}/py.typed"} <= names
            source = ROOT / ("store" if package == "hmsstore" else "") / package
            files = {p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
            assert {f"{package}/{p.relative_to(source)}" for p in files} <= names
        assert wheel.read("hmsstore/FORMAT.md") == (ROOT / "store" / "FORMAT.md").read_bytes()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        text = wheel.read(metadata).decode()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    assert [link for link in links if not re.match(r"https://|#", link)] == []


def test_the_source_archive_holds_all_that_its_tests_and_documents_need(built: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not a clone: nothing to compare with")
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kept = [name for name in tracked if (ROOT / name).exists()]
    assert sorted(set(kept) - names) == []
