"""Commands that tests fork are processes of their own, which do what a new Python's would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from support import forked

TOLD = """
import os, signal, sys
shown = [sys.argv[1:], os.getcwd(), sorted(os.environ), __name__, sys.stdout.isatty()]
print(*shown, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
print("\\u00b5V \\udc80", file=sys.stderr)
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.parametrize("how", [("-m", "told"), ("-c", TOLD), ("told.py",)])
def test_a_forked_command_does_what_a_new_python_does(tmp_path: Path, how: tuple[str, ...]) -> None:
    (tmp_path / "told.py").write_text(TOLD)
    words = [sys.executable, *how, "two words", "3"]
    environment = {"HOME": "/", "OWN": "1", "LC_CTYPE": "C.UTF-8"}
    found = forked.run(words, capture_output=True, env=environment, cwd=tmp_path)
    expected = subprocess.run(
        words, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert (found.returncode, found.stderr) == (expected.returncode, expected.stderr)
    assert found.stdout == expected.stdout
    assert found.returncode == 3


def test_it_need_not_import_and_comes_of_a_process_that_works_on_one_thread() -> None:
    """What other threads hold when a process is forked is held forever.

    jemalloc's own mind forks, and what polars left on the disk is cleared away by one that waits.
    """
    code = "import os, sys; print('polars' in sys.modules, os.getppid())"
    done = forked.run([sys.executable, "-c", code], capture_output=True)
    imported, parent = done.stdout.split()
    assert imported == "True"
    names = [one.read_text().strip() for one in Path(f"/proc/{parent}/task").glob("*/comm")]
    waiting = {"jemalloc_bg_thd", "polars-ooc-clea"}
    assert len([name for name in names if name not in waiting]) == 1


def test_it_ends_by_a_signal_as_others_do() -> None:
    waiting = forked.Popen(
        [sys.executable, "-c", "print('here', flush=True); import time; time.sleep(600)"],
        stdout=forked.PIPE,
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "here\n"
    assert waiting.poll() is None
    waiting.terminate()
    waiting.communicate(timeout=60)
    assert waiting.returncode == -signal.SIGTERM


def test_what_fails_says_so() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        forked.run([sys.executable, "-c", "import none_such"], stderr=forked.DEVNULL, check=True)
    with forked.forking(), pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["false"], check=True)


def test_no_test_depends_on_the_fonts_that_the_user_had() -> None:
    folder = Path(mpl.get_cachedir())
    assert folder.samefile(os.environ["MPLCONFIGDIR"])
    assert Path.home() not in folder.parents
