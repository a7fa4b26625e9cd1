"""Steps, validations and tests of a run -> lines of `metrics.jsonl`, and back.

Each line is a JSON object with `event` (train, valid or test), `step` (how many steps were taken)
and figures. `epoch` counts from 0 in this file, and from 1 in all that is shown: the terminal,
reports and TensorBoard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from hmsstore.atomic import whole_file
from hmsstore.json_shapes import ShapeError, entry, mapping, parse_json, read_bytes, text, whole
from hmstrain.errors import RunError

LOG, EVENTS = "metrics.jsonl", "tensorboard"
LARGEST_LOG = 256 << 20
"""Bytes: a million steps."""


class MetricsLog:
    """Writes `metrics.jsonl`, each line flushed, and the same to TensorBoard if asked.

    Parameters
    ----------
    path : Path
        The file; lines of an earlier start of the run are kept up to `until_step`.
    until_step : int
        Step from which the run resumes, or 0.
    tensorboard : bool
        Whether to write events beside it, into `tensorboard/`.

    Raises
    ------
    RunError
        TensorBoard is not installed.
    """

    def __init__(self, path: Path, *, until_step: int, tensorboard: bool) -> None:
        before = read_metrics(path) if path.exists() else []
        kept = takewhile(lambda line: line["step"] <= until_step, before)
        with whole_file(path) as partial:
            partial.write_text("".join(f"{json.dumps(line)}\n" for line in kept))
        self._file = path.open("a")
        self._events = _tensorboard(path.parent / EVENTS, until_step) if tensorboard else None

    def add(self, event: str, step: int, values: Mapping[str, Any]) -> None:
        """Append a line."""
        self._file.write(json.dumps({"event": event, "step": step, **values}) + "\n")
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                if isinstance(value, int | float):
                    shown = value + 1 if name == "epoch" else value
                    self._events.add_scalar(f"{event}/{name}", shown, step)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def _tensorboard(folder: Path, until_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError(
            "tensorboard is not installed. Run: pip install 'hms-eeg[tensorboard]'"
        ) from None
    return SummaryWriter(str(folder), purge_step=until_step + 1)


def read_metrics(path: Path, event: str | None = None) -> list[dict[str, Any]]:
    """Read the lines of a `metrics.jsonl`, up to one that was cut short when the run ended.

    Parameters
    ----------
    path : Path
        The file.
    event : str, optional
        Only lines of this event: 'train', 'valid' or 'test'.

    Returns
    -------
    list of dict
        `event`, `step` and the figures of each line, as they were logged.

    Raises
    ------
    RunError
        It cannot be read.
    """
    found = []
    try:
        content = read_bytes(path, LARGEST_LOG)
    except (OSError, ShapeError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from None
    for words in content.decode(errors="replace").splitlines():
        try:
            line = mapping(parse_json(words))
            entry(line, "event", text), entry(line, "step", whole)
        except ShapeError:
            break
        found.append(line)
    return [line for line in found if event in (None, line["event"])]
