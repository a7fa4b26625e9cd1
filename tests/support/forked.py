"""Commands of this Python in processes of their own, which need not import anything.

A process of Python takes seconds to import PyTorch and all else. Here one process does so, and is
forked for each command: a process with memory, signals, streams, folder and environment of its own,
in which the command runs as `python` would run it. Commands must not depend on what is imported,
nor on variables of the environment that are read during imports.
"""

from __future__ import annotations

import atexit
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from multiprocessing import current_process, forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import DEVNULL, PIPE, CalledProcessError, CompletedProcess
from typing import IO, Any
from unittest.mock import patch

from support.helpers import Program

CONTEXT = get_context("forkserver")


EXTRAS = ("matplotlib.backends.backend_agg", "pyarrow.parquet", "sklearn.model_selection", "zarr")
"""What commands import beside the modules of the packages."""


def modules(package: str) -> list[str]:
    """Names of all modules of a package but its `__main__`."""
    found = pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
    return [one.name for one in found if not one.name.endswith("__main__")]


@cache
def start_server() -> None:
    """Start the process that is forked, unless it runs."""
    packages = ["hmsstore", "hmsprep", *(["hmstrain"] if "torch" in sys.modules else [])]
    CONTEXT.set_forkserver_preload([*EXTRAS, *(name for one in packages for name in modules(one))])
    found = os.pathsep.join(filter(None, sys.path))  # it looks for modules where this process does
    with patch.dict(os.environ, {"PYTHONPATH": found, "OPENBLAS_NUM_THREADS": "1"}):
        forkserver.ensure_running()


class Popen:
    """What `subprocess.Popen` is, for commands that begin with `sys.executable`.

    Parameters
    ----------
    words : sequence
        `sys.executable`, then `-m` and a module, `-c` and code, or a script; then its arguments.
    stdout, stderr
        `PIPE` for text to be read, `DEVNULL`, or None for those of this process.
    """

    def __init__(
        self,
        words: Sequence[object],
        *,
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        text: bool = True,
        start_new_session: bool = False,
    ) -> None:
        assert text, "what a command writes is read as text"
        start_server()
        self.args = [str(word) for word in words]
        assert is_ours(self.args), self.args
        self.stdout, out = stream(stdout, 1)
        self.stderr, err = stream(stderr, 2)
        environment = dict(os.environ if env is None else env)
        folder = str(Path(cwd or "").absolute())
        given = (self.args[1:], out, err, environment, folder, start_new_session)
        self._process = CONTEXT.Process(target=become, args=given, daemon=True)
        self._process.start()
        out.close()
        err.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it writes until it ends, on each stream that is a pipe."""
        streams = (self.stdout, self.stderr)
        with ThreadPoolExecutor(2) as pool:
            reading = [pool.submit(one.read) if one else None for one in streams]
            try:
                out, err = (one.result(timeout) if one else "" for one in reading)
            except TimeoutError:
                self.kill()
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
        for one in streams:
            if one:
                one.close()
        self.wait(timeout)
        return out, err


def is_ours(words: Sequence[str]) -> bool:
    """Whether a command can be run here: by this Python, without options of Python itself."""
    return words[0] == sys.executable and (words[1] in ("-m", "-c") or words[1][0] != "-")


def stream(where: int | None, number: int) -> tuple[IO[str] | None, Connection]:
    """The end of a stream that is read here, if any, and that which the process writes to."""
    if where == PIPE:
        reading, writing = CONTEXT.Pipe(duplex=False)
        ours = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        reading.close()
        return ours, writing
    assert where in (DEVNULL, None), where
    handle = os.open(os.devnull, os.O_WRONLY) if where == DEVNULL else os.dup(number)
    return None, Connection(handle, readable=False)


def become(
    words: list[str],
    out: Connection,
    err: Connection,
    environment: dict[str, str],
    folder: str,
    new_session: bool,
) -> None:
    """Run a command in this process, which was forked for it."""
    current_process().daemon = False  # or it could start no processes
    if new_session:
        os.setsid()
    for connection, number in ((out, 1), (err, 2)):
        os.dup2(connection.fileno(), number)
        connection.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    how, what = words[0], words[1]
    try:
        if how == "-m":
            sys.argv = words[1:]
            sys.path.insert(0, folder)
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        elif how == "-c":
            sys.argv = ["-c", *words[2:]]
            sys.path.insert(0, "")
            main = sys.modules["__main__"] = type(sys)("__main__")
            exec(compile(what, "<string>", "exec"), main.__dict__)
        else:
            sys.argv = words
            sys.path.insert(0, str(Path(how).absolute().parent))
            runpy.run_path(how, run_name="__main__")
    finally:
        atexit._run_exitfuncs()


def run(
    words: Sequence[object],
    *,
    capture_output: bool = False,
    check: bool = False,
    stdout: int | None = None,
    stderr: int | None = None,
    timeout: float | None = None,
    **how: Any,
) -> CompletedProcess[str]:
    """What `subprocess.run` does, for commands that begin with `sys.executable`."""
    pipes = {"stdout": PIPE, "stderr": PIPE} if capture_output else {}
    started = Popen(words, **({"stdout": stdout, "stderr": stderr} | pipes), **how)
    out, err = started.communicate(timeout)
    code = started.wait()
    if check and code:
        raise CalledProcessError(code, started.args, out, err)
    return CompletedProcess(started.args, code, out, err)


@dataclass(frozen=True)
class Forked(Program):
    """A command line in a process of its own, forked from one that has imported its package."""

    def started(self, words: list[str], environment: dict[str, str]) -> CompletedProcess[str]:
        return run(words, capture_output=True, env=environment)


@contextmanager
def forking() -> Iterator[None]:
    """Let `subprocess` fork the commands of this Python, whoever starts them in this process."""
    real_run, real_popen = subprocess.run, subprocess.Popen

    def either(ours: Any, real: Any, words: Any, **how: Any) -> Any:
        given = [words] if isinstance(words, str) else list(map(str, words))
        return ours(given, **how) if is_ours(given) else real(words, **how)

    with (
        patch.object(subprocess, "run", lambda words, **how: either(run, real_run, words, **how)),
        patch.object(
            subprocess, "Popen", lambda words, **how: either(Popen, real_popen, words, **how)
        ),
    ):
        yield
