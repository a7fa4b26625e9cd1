"""Help at 80 columns: quick, with whole words and no programmer's types; completion."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support.inside import Inside

PROGRAM = Inside("hmstrain")
COMMANDS = (
    *("run", "pretrain", "test", "compare", "calibrate", "blend", "study", "recipe", "ablate"),
    *("report", "explain", "view", "predict", "score", "submission", "bundle", "models"),
    "settings",
)


def test_help_loads_nothing_heavy() -> None:
    script = """
import sys
from hmstrain.cli import app
try:
    app(["run", "--help"])
except SystemExit:
    pass
print(sorted({"numpy", "torch", "timm", "matplotlib"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_help_lists_every_command_on_a_line_of_its_own() -> None:
    text = PROGRAM.succeed("--help", COLUMNS="80").stdout
    listed = re.findall(r"^  (\w+) {2,}\S.*\.$", text, flags=re.M)
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_readable_at_80_columns(command: str) -> None:
    text = PROGRAM.succeed(command, "--help", COLUMNS="80").stdout
    assert max(map(len, text.splitlines())) <= 80
    for wrong in ("<bool>", "<path>", "BOOLEAN", "(none)", "default: (", "list["):
        assert wrong not in text
    for line in text.splitlines():
        assert not re.search(r"\w-$", line), line
    for option in ("--json", "--quiet", "--log-file FILE"):
        assert option in text


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in PROGRAM.succeed("--help").stdout
    script = "import sys; sys.argv[0] = 'hmstrain'; from hmstrain.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"_HMSTRAIN_COMPLETE": "source_bash"},
    )
    assert "complete -o default -F _hmstrain_completion hmstrain" in done.stdout
