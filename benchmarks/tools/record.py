"""Measurements -> a record: what was run, on what, with which versions, and the numbers."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = (
    "hms-eeg",
    "numpy",
    "polars",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "zarr",
    "torch",
    "timm",
    "pandas",
    "datasets",
    "litdata",
    "lmdb",
    "mosaicml-streaming",
    "tensordict",
    "tensorstore",
    "webdataset",
    "xarray",
    "xbatcher",
    "zarrs",
)
"""Of these, a record names the versions that are installed."""


def command_line(doc: str | None) -> argparse.ArgumentParser:
    """What every benchmark's command line has: its own documentation, and where records go."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for records")
    return parser


def machine() -> dict[str, Any]:
    """Processor, memory, kernel and Python of this machine."""
    memory_kb = next(
        int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal")
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    card = {}
    if "torch" in sys.modules and (cuda := sys.modules["torch"].cuda).is_available():
        card = {"gpu": cuda.get_device_name(), "cuda": sys.modules["torch"].version.cuda}
    return card | {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kb / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """Commit of the working tree, with a + if it was changed since."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno", ":(top,exclude)benchmarks/results"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _module() -> str:
    """Dotted name of the benchmark that runs."""
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec else Path(sys.argv[0]).stem


def _without_folder(word: str) -> str:
    """A path's name, also after NAME=: where it lay on this machine is nobody's business."""
    name, equals, path = word.rpartition("=")
    return f"{name}{equals}{Path(path).name}" if path.startswith("/") or "../" in path else word


def write_record(
    name: str, rows: list[dict[str, Any]], note: str, arguments: argparse.Namespace
) -> None:
    """Write NAME.json and .md into the folder for records, and print the latter."""
    folder: Path = arguments.results
    record = {
        "command": shlex.join(["python", "-m", _module(), *map(_without_folder, sys.argv[1:])]),
        "commit": commit(),
        "machine": machine(),
        "versions": _versions(),
        "note": note,
        "rows": rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [
        f"# {name}",
        "",
        note,
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows),
        "",
        f"Command: `{record['command']}`, commit {record['commit']}.",
        "",
        ", ".join(f"{key}: {value}" for key, value in machine().items()) + ".",
        "",
        ", ".join(f"{key} {value}" for key, value in record["versions"].items()) + ".",
    ]
    text = "\n".join(lines) + "\n"
    (folder / f"{name}.md").write_text(text)
    print(text)
