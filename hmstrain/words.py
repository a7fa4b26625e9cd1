"""Numbers -> words as a person reads them."""

from __future__ import annotations

import shlex


def plural(count: int, one: str, many: str | None = None) -> str:
    """Put a number before its noun: '1 row', '1,200 rows'.

    Parameters
    ----------
    count : int
    one : str
        The noun for one.
    many : str, optional
        The noun for any other number; by default with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def clock(seconds: float) -> str:
    """Write a time of a recording, or a length, as h:mm:ss: '0:00:30', '26:05:00', '-0:00:10'."""
    whole = abs(round(seconds))
    sign = "-" if round(seconds) < 0 else ""
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def resuming(folder: object, store: object = "STORE", *, pretraining: bool = False) -> str:
    """The command that resumes a run, to be copied into a shell."""
    verb = "pretrain" if pretraining else "run"
    return shlex.join(["hmstrain", verb, str(store), "--out", str(folder), "--resume"])
