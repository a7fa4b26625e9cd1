"""The Dockerfile's lines do what they say, as far as that shows without a container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
PIP = """#!/bin/sh
# What is needed besides is there already; the wheel is built as it would be.
echo "$@" > "$CALLED"
[ "$1" = install ] || exit 1
exec "$UV" pip install --quiet --no-deps --python "$MACHINE" .
"""


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


def test_only_what_the_dockerfile_copies_reaches_it() -> None:
    copied = {word for kind, words in instructions() if kind == "COPY" for word in words.split()}
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert copied - {"./"} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_programs_do_not_run_as_root() -> None:
    kinds = [kind for kind, _ in instructions()]
    (user,) = (words for kind, words in instructions() if kind == "USER")
    assert user != "root"
    assert f" {user}" in " ".join(words for kind, words in instructions() if kind == "RUN")
    assert kinds.index("USER") < kinds.index("CMD")


def test_the_lines_install_both_programs_from_what_was_copied(tmp_path: Path) -> None:
    if UV is None:
        pytest.skip("uv is not installed")
    source, machine, tools = (tmp_path / name for name in ("src", "machine", "tools"))
    source.mkdir()
    for kind, words in instructions():
        if kind == "COPY":
            *names, into = words.split()
            for name in names:
                if (ROOT / name).is_dir():
                    leave = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / name, source / into, ignore=leave)
                else:
                    shutil.copy(ROOT / name, source / into)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, machine], check=True)
    tools.mkdir()
    for name, script in (("pip", PIP), ("useradd", "#!/bin/sh\n"), ("chown", "#!/bin/sh\n")):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HMS_", "PYTHON"))}
    environment = clean | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "UV": UV,
        "MACHINE": str(machine),
        "CALLED": str(tmp_path / "called"),
        "TORCH": "https://example.org",
    }
    for kind, words in instructions():
        if kind == "RUN":
            line = words.replace(" /work", f" {tmp_path}/work")
            done = subprocess.run(
                ["sh", "-euc", line], cwd=source, env=environment, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if done.returncode and re.search("connect|network|dns|timed out", done.stderr, re.I):
                pytest.skip("the build's own requirements cannot be fetched here")
            assert done.returncode == 0, done.stderr
    asked = (tmp_path / "called").read_text()
    assert ".[all]" in asked
    assert "--constraint constraints.txt" in asked
    others = Path(sysconfig.get_path("purelib"))
    (site,) = machine.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(f"{others}\n")
    (command,) = (json.loads(words) for kind, words in instructions() if kind == "CMD")
    for words in (command, ["hmsprep", "--version"], ["hmstrain", "--version"]):
        done = subprocess.run(
            [machine / "bin" / words[0], *words[1:]], cwd=tmp_path, env=clean, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout
    found = subprocess.run(
        [machine / "bin" / "python", "-c", "import hmsprep; print(hmsprep.__file__)"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.startswith(str(site))
