"""The program as a whole: help, exit codes, messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from support.forked import Forked
from support.helpers import write_pair

from hmsprep.cli import app

PROGRAM = Forked("hmsprep")
succeed, fail = PROGRAM.succeed, PROGRAM.fail
GROUP: Any = typer.main.get_command(app)
COMMANDS = dict(GROUP.commands)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two windows."""
    folder = tmp_path_factory.mktemp("cli")
    return write_pair(folder / "data", [{}, {"eeg_label_offset_seconds": 4.0, "label_id": 5}])


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    script = """
import sys
from hmsprep.cli import app
try:
    app(["build", "--help"])
except SystemExit:
    pass
heavy = {"numpy", "polars", "scipy", "sklearn", "zarr", "pyarrow", "matplotlib"} & set(sys.modules)
print(sorted(heavy), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    text = succeed("--help").stdout
    assert all(f"  {name} " in text for name in COMMANDS)


def help_text(name: str, width: int) -> str:
    """Help of a command on a screen of this width."""
    above = typer.Context(GROUP, info_name="hmsprep", terminal_width=width)
    command = COMMANDS.get(name, GROUP)
    if name:
        above = typer.Context(command, info_name=name, parent=above, terminal_width=width)
    return command.get_help(above)


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_breaks_no_word_and_says_nothing_empty(name: str, width: int) -> None:
    text = help_text(name, width)
    assert max(map(len, text.splitlines())) <= width
    command = COMMANDS.get(name, GROUP)
    meant = [command.help or ""]
    if not name:
        meant += [one.help.split("\n")[0] for one in COMMANDS.values()]
    for one in (one for one in command.params if not getattr(one, "hidden", False)):
        meant += [one.help or "", one.metavar or "", *(f for f in one.opts if f.startswith("-"))]
    assert (
        set(" ".join(meant).split()) - set(re.split(r"[\s,]+", text)) - set(text.split()) == set()
    )
    for empty in ("<", "(none)", "default: ("):
        assert empty not in text


def test_every_command_takes_json_quiet_and_a_log_file() -> None:
    for name, command in COMMANDS.items():
        options = {one for parameter in command.params for one in parameter.opts}
        assert {"--json", "--quiet", "--log-file"} <= options, name


def test_plan_takes_all_options_of_build_but_those_of_writing() -> None:
    def options(name: str) -> set[str]:
        return {one for parameter in COMMANDS[name].params for one in parameter.opts}

    writing = {"store", "--workers", "--dask", "--share", "--force", "--clipped", "--dry-run"}
    assert options("build") - options("plan") == writing
    assert options("plan") <= options("build")


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in succeed("--help").stdout
    script = "import sys; sys.argv[0] = 'hmsprep'; from hmsprep.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"_HMSPREP_COMPLETE": "source_bash"},
    )
    assert "complete -o default -F _hmsprep_completion hmsprep" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--nan", "some"),
        ("build", "--spectrogram-clip", "a", "b"),
        ("build", "--workers", "0"),
        ("plan", "--what"),
        ("show", "--montage", "circular"),
        ("nothing",),
    ],
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert "Usage" in fail(*arguments, code=2)


def test_a_users_error_is_one_message_and_exits_with_1(pair: Path, tmp_path: Path) -> None:
    assert fail("build", tmp_path / "none", tmp_path / "x").startswith("hmsprep: Expected the comp")
    assert "found nothing" in fail("info", tmp_path / "none")
    assert "--bandpass: expected none, or Hz" in fail(
        "build", pair, tmp_path / "x", "--bandpass", "9", "2"
    )
    assert "/ cannot be a store's name" in fail("build", pair, "/")
    (tmp_path / "file").write_text("x")
    assert "is a file" in fail("build", pair, tmp_path / "file")
    assert "There is no folder" in fail("build", pair, tmp_path / "no" / "x.zarr")
    assert "exists already" in fail("synth", pair)


def test_without_the_prep_packages_one_sentence_says_what_to_install() -> None:
    script = """
import sys
sys.modules["polars"] = None
sys.argv = ["hmsprep", "plan", "x.csv"]
from hmsprep.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "hmsprep: polars is not installed. Run: pip install 'hms-eeg[prep]'\n"
