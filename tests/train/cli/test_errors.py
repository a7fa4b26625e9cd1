"""What a user can mend is one message, exits with 1 and leaves no folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.inside import Inside

from hmsstore import Store

PROGRAM = Inside("hmstrain")
fail = PROGRAM.fail
WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "none.zarr"), "none.zarr"),
        (("run", "--set", "mixpu=1"), "Did you mean mixup"),
        (("run", "{store}", "--model", "resnet_18", "--out", "{out}"), "Did you mean resnet18"),
        (("run", "{store}", "--fold", "7", "--out", "{out}"), "There is no fold 7"),
        (("run", "{store}", "--device", "cuda:9", "--out", "{out}"), "No device cuda:9"),
        (("run", "{store}", "--config", "none.json", "--out", "{out}"), "cannot be read"),
        (("run", "{store}", "--log-file", "none/x.log", "--out", "{out}"), "--log-file none/x.log"),
        (("run", "{store}", "--log-file", "{store}/x.log"), "outside of a sealed store"),
        (("test", "{out}"), "holds no config.json"),
        (
            ("explain", "{out}", "0", "--store", "{store}", "--method", "lime"),
            "There is no method 'lime'",
        ),
        (("predict", "{out}", "{store}", "--average", "best"), "There is no average 'best'"),
    ],
)
def test_a_users_error_is_one_message_and_leaves_no_folder(
    store: Store, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    out = tmp_path / "run"
    filled = [word.format(store=store.path, out=out) for word in arguments]
    text = fail(*filled)
    assert message in text
    assert text.splitlines()[-1].startswith("hmstrain: ")
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("hmsprep", "info", "{loop}"),
        ("hmsprep", "verify", "{loop}"),
        ("hmsprep", "build", "{loop}", "{out}"),
        ("hmsprep", "build", "{data}", "{loop}"),
        ("hmsprep", "info", "{store}", "--log-file", "{loop}"),
        ("hmsprep", "import", "{loop}", "{out}"),
        ("hmsprep", "publish", "{store}", "{loop}", "--id", "me/hms-eeg-store"),
        ("hmsprep", "features", "{store}", "--out", "{loop}"),
        ("hmsprep", "show", "{store}", "--row", "0", "--out", "{loop}.png"),
        ("hmsprep", "synth", "{loop}"),
        ("hmstrain", "run", "{loop}", "--out", "{out}"),
        ("hmstrain", "run", "{store}", "--out", "{loop}"),
        ("hmstrain", "test", "{loop}"),
        ("hmstrain", "predict", "{loop}", "{store}"),
        ("hmstrain", "report", "{loop}"),
        ("hmstrain", "compare", "{loop}"),
        ("hmstrain", "recipe", "laptop", "{store}", "--out", "{loop}"),
    ],
    ids=" ".join,
)
def test_a_link_that_leads_to_itself_is_one_message(
    data: Path, store: Store, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    loop, other, out = tmp_path / "loop", tmp_path / "loop.png", tmp_path / "out"
    loop.symlink_to(loop)
    other.symlink_to(other)
    program, *words = (
        word.format(loop=loop, data=data, store=store.path, out=out) for word in arguments
    )
    text = Inside(program).fail(*words)
    assert str(loop) in text.replace("\n", "")
    assert "Traceback" not in text
    assert loop.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop", "loop.png"]


@pytest.mark.parametrize("arguments", [("run", "--nope"), ("nope",), ("test",)])
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    fail(*arguments, code=2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "20000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_threads_that_wait_sleep_soon_unless_the_user_says_otherwise(
    given: dict[str, str], expected: str | None
) -> None:
    script = """
import os, sys
from hmstrain.cli import main
assert "torch" not in sys.modules
try:
    main()
finally:
    print(os.environ.get("GOMP_SPINCOUNT"))
"""
    others = {name: value for name, value in os.environ.items() if name not in WAITING}
    done = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        env=others | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == str(expected)


def test_without_torch_one_sentence_says_what_to_install(store: Store, tmp_path: Path) -> None:
    script = """
import sys
sys.modules["torch"] = None
from hmstrain.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, "run", store.path, "--out", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "hmstrain: torch is not installed. Run: pip install 'hms-eeg[train]'\n"
