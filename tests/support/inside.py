"""A command line run in this process: as in one of its own, but without loading PyTorch anew."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch


@dataclass(frozen=True)
class Inside:
    """The program of a package, without the user's HMS_ variables."""

    name: str

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        main = importlib.import_module(f"{self.name}.cli").main
        words = [self.name, *map(str, arguments)]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HMS_")}
        code = 0
        with (
            redirect_stdout(StringIO()) as out,
            redirect_stderr(StringIO()) as err,
            patch.dict(os.environ, clean | {"COLUMNS": "100"} | environment, clear=True),
            patch.object(sys, "argv", words),
        ):
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def succeed(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return done

    def fail(self, *arguments: object, code: int = 1) -> str:
        done = self.run(*arguments)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        return done.stderr
