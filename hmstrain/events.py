"""What long work tells its caller while it runs, as callables that the caller hands in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

Events = Callable[[str, Mapping[str, Any]], object]
"""Called with the name of an event and its figures.

'system' (name): a study begins its next system; 'network' (name, fold, seed, number, networks): a
run of several networks begins or resumes the next; 'start': a run begins or resumes; 'notice'
(text): a sentence that the user should read; 'train' (step, loss ...): some steps are done; 'valid'
and 'test' (step, scores); 'kept' (name, fold, seed, text): which checkpoint a network of several
kept.
"""
Progress = Callable[[int, int], object]
"""Called with how much is done, and of how much."""
Notices = Callable[[str], object]
"""Called with a sentence that the user should read."""


def silent(*_: object) -> None:
    """Tell nobody."""


def is_main() -> bool:
    """Whether this process is the one that shows results: of several, the first."""
    return os.environ.get("RANK", "0") == "0"
