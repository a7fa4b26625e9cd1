"""A network of one's own <-> the files of its source, kept in its run.

::

    source/source.json   name of the network, its modules, sizes and SHA-256 of their files
    source/mine.py       the files, as packages lay them out

Whoever gets a run can so make its network, if he trusts it, and a bundle can carry it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmsstore.atomic import whole_folder
from hmsstore.json_shapes import ShapeError, entry, mapping, read_json, text, texts
from hmsstore.sums import FILES, sums_of
from hmstrain.errors import RunError
from hmstrain.models import find_model
from hmstrain.models.source import OURS, is_source, path_in_package, source_of
from hmstrain.runs.json_file import check_seal, write_sealed

SOURCE, DESCRIPTION = "source", "source.json"
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
LARGEST_FILE, MOST_FILES = 1 << 20, 256
"""Bytes of a file of source, and files, that a run keeps: a person wrote them."""


@dataclass(frozen=True, slots=True)
class KeptSource:
    """What a run keeps of its network's source."""

    model: str
    files: dict[str, Path]
    """By the name of the module."""
    missing: tuple[str, ...]
    """Why something that the network needs is not kept; empty if all of it is."""


def keep_source(run: Path, model: str) -> None:
    """Keep the source of a network of one's own, which was made just now, in its run.

    Raises
    ------
    RunError
        The run keeps another already: it began with another network.
    """
    if not find_model(model).whole:
        return
    module = model.partition(":")[0]
    found = source_of(module)
    missing = []
    if module not in found:
        missing.append(f"{module} is of an installed package")
    kept: dict[str, tuple[str, bytes]] = {}
    for name, file in sorted(found.items()):
        content = file.read_bytes() if is_source(file) else b""
        if not is_source(file):
            missing.append(f"{name} is compiled ({file.name})")
        elif len(content) > LARGEST_FILE or len(kept) == MOST_FILES:
            missing.append(f"{name} is too large ({file})")
        else:
            kept[name] = path_in_package(name, file), content
    before = read_source(run)
    if before is not None:
        _check_same(run, before, kept)
        return
    with whole_folder(run / SOURCE) as partial:
        for place, content in kept.values():
            (partial / place).parent.mkdir(parents=True, exist_ok=True)
            (partial / place).write_bytes(content)
        described = {
            "model": model,
            "modules": {name: place for name, (place, _) in kept.items()},
            "missing": missing,
            FILES: {
                place: sums_of([partial / place])[Path(place).name] for place, _ in kept.values()
            },
        }
        write_sealed(partial / DESCRIPTION, described)


def _check_same(run: Path, before: KeptSource, now: dict[str, tuple[str, bytes]]) -> None:
    for name, file in before.files.items():
        if name in now and now[name][1] != file.read_bytes():
            raise RunError(
                f"{run} began with another {now[name][0]}: put back what it keeps, {file}, to "
                "resume it, or name another --out."
            )


def read_source(run: Path) -> KeptSource | None:
    """Read what a run keeps; None where it keeps nothing: its network is built in, or it is old.

    Raises
    ------
    RunError
        It is damaged, or reaches outside its folder.
    """
    folder = run / SOURCE
    path = folder / DESCRIPTION
    try:
        described: dict[str, Any] = mapping(read_json(path))
        check_seal(path, described)
        model = entry(described, "model", text)
        modules = {
            name: text(place) for name, place in entry(described, "modules", mapping).items()
        }
        missing = entry(described, "missing", texts)
        sums = entry(described, FILES, mapping)
    except FileNotFoundError:
        if folder.exists():
            raise RunError(f"{folder} is damaged: it holds no {DESCRIPTION}.") from None
        return None
    except ShapeError as error:
        raise RunError(f"{path} is damaged: {error}.") from None
    files = {}
    for name, place in modules.items():
        top = name.partition(".")[0]
        stem = name.replace(".", "/")
        fits = MODULE.fullmatch(name) and place in (f"{stem}.py", f"{stem}/__init__.py")
        if not fits or top in OURS or top in sys.stdlib_module_names:
            raise RunError(
                f"{path} is damaged: {name!r} cannot be a module that lies in {place!r}."
            )
        file = folder / place
        if any(one.is_symlink() for one in (file, *file.parents[: place.count("/") + 1])):
            raise RunError(f"{file} is a link: a run holds its own files alone.")
        if not file.is_file() or file.stat().st_size > LARGEST_FILE or place not in sums:
            raise RunError(f"{file} is damaged, missing or too large.")
        files[name] = file
    if len(files) > MOST_FILES:
        raise RunError(f"{path} is damaged: it names {len(files):,} modules.")
    for name, file in files.items():
        if sums_of([file])[file.name] != sums[modules[name]]:
            raise RunError(f"{file} is damaged: it has changed since it was written.")
    return KeptSource(model, files, missing)


def check_carried(run: Path, model: str) -> None:
    """Refuse to carry a network of one's own elsewhere without all of its source.

    Raises
    ------
    RunError
        Some of it is not kept, or it is damaged.
    """
    if not find_model(model).whole:
        return
    kept = read_source(run)
    if kept is None:
        reason = "it was trained before runs kept it"
    elif kept.missing:
        reason = "; ".join(kept.missing)
    else:
        return
    raise RunError(
        f"{run} does not keep all of the source of {model}, so a bundle cannot carry it: {reason}. "
        "Train it with its module, and those that this imports, as .py files in the working folder."
    )


def to_import(run: Path, model: str) -> dict[str, Path]:
    """Modules of a run's network and the files to import them from.

    None are where the same files lie in the working folder, and where the run keeps none: then
    they are imported from there, or from where they are installed.
    """
    kept = read_source(run) if find_model(model).whole else None
    if kept is None or all(_lies_here(run, file) for file in kept.files.values()):
        return {}
    return kept.files


def _lies_here(run: Path, file: Path) -> bool:
    here = Path(file.relative_to(run / SOURCE))
    return here.is_file() and here.read_bytes() == file.read_bytes()
