"""`python -m hmstrain` and the program `hmstrain`: the command line, and how the process ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from hmstrain.cli import main


def run() -> None:
    """Run the command line, and end the process.

    Once PyTorch and timm are imported, Python takes a second to free what they made, object by
    object. So the process ends without that: threads have ended by then, what was registered for
    the exit has run, and what was printed is written, all as Python does it.
    """
    code: str | int | None = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    if "torch" not in sys.modules or not isinstance(code, int):
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # Python tries once more, and says that it could not
    os._exit(code)


if __name__ == "__main__":
    try:
        run()
    finally:
        exec("")  # noqa: S102  # as in hmsprep: the exit code after Ctrl-C
