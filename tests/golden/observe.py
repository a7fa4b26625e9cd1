"""A store, a run's log, a program -> what can be compared with it later, as JSON values.

Both `make.py`, which froze them, and `tests/test_golden.py`, which holds the code to them, look
through these functions. They use nothing but `hmsstore` and what a command line shows of itself.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import typer
from numpy.typing import NDArray

from hmsstore import SIGNALS, SPLITS, Store

TIMES = ("windows_per_s", "waiting")
"""What a log line says of the machine rather than of the run."""
SHIFT = 137
"""EEG samples by which every window is moved too: as far as there is room."""
PHYSICAL = (0, 3, 11, 29, 127, 299)
"""Rows and, modulo their number, columns whose denormalised values are kept."""


def sha256(values: NDArray[Any]) -> str:
    """SHA-256 of an array's bytes, little endian, in C order."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def store_facts(store: Store) -> dict[str, Any]:
    """All that a store gives to whoever reads it."""
    rows = np.arange(len(store))
    still, moved = store.gather(rows), store.gather(rows, shift=SHIFT, clamp=True)
    physical = store.denormalise(still)
    selections = {split: store.select(split).tolist() for split in SPLITS}
    for fold in range(store.folds):
        selections[f"train without fold {fold}"] = store.select("train", fold=fold).tolist()
        selections[f"valid, fold {fold}"] = store.select("valid", fold=fold).tolist()
    return {
        "identity": store.identity,
        "info": {key: value for key, value in store.info.items() if key != "statistics"},
        "statistics": {
            name: {key: sha256(np.asarray(found[key], np.float64)) for key in ("mean", "std")}
            | {"constant": found["constant"]}
            for name, found in store.info["statistics"].items()
        },
        "leaks": store.leaks,
        "folds": store.folds,
        "selections": selections,
        "columns": {name: _column(values) for name, values in store.windows.items()},
        "recordings": {
            name: {column: _column(values) for column, values in table.items()}
            for name, table in store.recordings.items()
        },
        "windows": [
            {name: sha256(still[name][row]) for name in SIGNALS}
            | {f"{name}, moved": sha256(moved[name][row]) for name in SIGNALS}
            for row in rows
        ],
        "physical": {
            name: [
                [float(values[row, time, time % values.shape[2]]) for time in PHYSICAL]
                for row in rows
            ]
            for name, values in physical.items()
        },
    }


def _column(values: NDArray[Any]) -> dict[str, Any]:
    return {"dtype": values.dtype.name, "shape": list(values.shape), "sha256": sha256(values)}


def log_lines(path: Path) -> list[dict[str, Any]]:
    """Lines of a run's `metrics.jsonl`, without how long they took."""
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    return [{key: v for key, v in line.items() if key not in TIMES} for line in lines]


def program_options(app: typer.Typer) -> dict[str, Any]:
    """What each command of a program takes, by the command's name; '' is the program itself."""
    group = typer.main.get_command(app)
    above = typer.Context(group, **group.context_settings)
    found = {"": _parameters(group, above)}
    for name, command in sorted(group.commands.items()):  # type: ignore[attr-defined]
        inner = typer.Context(command, parent=above, info_name=name, **command.context_settings)
        found[name] = _parameters(command, inner)
    return found


def _parameters(command: Any, context: typer.Context) -> dict[str, Any]:
    arguments, options = [], []
    for parameter in command.get_params(context):
        is_flag = bool(getattr(parameter, "is_flag", False))
        takes = {
            "values": 0 if is_flag else parameter.nargs,
            "required": bool(parameter.required),
            "choices": _choices(parameter),
            "variable": parameter.envvar,
        }
        if parameter.param_type_name == "argument":
            arguments.append({"name": parameter.metavar or parameter.name.upper()} | takes)
            continue
        repeated = bool(parameter.multiple)
        forms = {"forms": sorted(parameter.opts), "opposites": sorted(parameter.secondary_opts)}
        options.append(forms | takes | {"flag": is_flag, "repeated": repeated})
    return {"arguments": arguments, "options": sorted(options, key=lambda one: one["forms"])}


def _choices(parameter: Any) -> list[str] | None:
    """Words that a parameter takes, if those are all; Typer keeps the kind, Click keeps a type."""
    described = getattr(parameter, "type_descriptor", None)
    if described is None:
        return sorted(getattr(parameter.type, "choices", ())) or None
    kind = described.annotation
    parts = (kind, *get_args(kind))
    words = [word for part in parts if get_origin(part) is Literal for word in get_args(part)]
    return sorted(words) or None


def pack(path: Path, folder: Path, names: Iterable[str]) -> None:
    """Zip files and whole folders below a folder, so that equal content gives equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for file in _files(folder, names):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_LZMA
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())


def _files(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = folder / name
        yield from [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def unpack(path: Path, folder: Path) -> None:
    """Undo `pack`."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
