"""A network of one's own -> the files of its source; those files, kept elsewhere -> its import.

A module's own imports are followed, within functions too, as far as they lead to other modules of
the user: what Python, installed packages and hms-eeg bring is there on any machine.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from hmstrain.models.custom import NOT_THEIRS

OURS = ("hmsprep", "hmsstore", "hmstrain")


def source_of(module: str) -> dict[str, Path]:
    """Files of a module that is loaded and of all others of the user that it imports, by name.

    A package has its `__init__.py`. The file need not be source: see `is_source`.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        waiting += [name.rpartition(".")[0]] if "." in name else []
        file = _file_of(name)
        if name in found or file is None:
            continue
        found[name] = file
        if is_source(file):
            waiting += _imports(name, file)
    return found


def is_source(file: Path) -> bool:
    """Whether a file is Python's source: compiled modules are of one kind of machine alone."""
    return file.suffix == ".py"


def path_in_package(name: str, file: Path) -> str:
    """Where a module lies within a folder from which it can be imported: 'package/part.py'."""
    stem = name.replace(".", "/")
    return f"{stem}/{file.name}" if file.stem == "__init__" else f"{stem}{file.suffix}"


def use(files: Mapping[str, Path]) -> None:
    """Import these modules from these files from now on, and others from where they lie.

    Modules of the same names that came from other files are forgotten; networks that were made of
    them stay as they are.
    """
    if not any(isinstance(one, _Kept) for one in sys.meta_path):
        sys.meta_path.insert(0, _KEPT)
    for name in {*_KEPT.files, *files}:
        loaded = getattr(sys.modules.get(name), "__file__", None)
        kept = _KEPT.files.get(name)
        if (
            loaded is not None
            and Path(loaded) != files.get(name)
            and (name in files or (kept is not None and Path(loaded) == kept))
        ):
            del sys.modules[name]
    _KEPT.files = dict(files)


class _FromSource(SourceFileLoader):
    """Runs the source itself: bytecode that lies beside it was not checked, and none is written."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source."""
        file = self.get_filename(fullname)
        return self.source_to_code(self.get_data(file), file)


class _Kept:
    """Finds modules whose source a run has kept."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """How a module is loaded; None leaves it to the next finder."""
        file = self.files.get(name)
        if file is None:
            within = any(one.startswith(f"{name}.") for one in self.files)
            if not within:
                return None
            spec = ModuleSpec(name, None, is_package=True)  # a package without __init__.py
            spec.submodule_search_locations = []
            return spec
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        loader = _FromSource(name, str(file))
        return spec_from_file_location(name, file, loader=loader, submodule_search_locations=inside)


_KEPT = _Kept()


def _file_of(name: str) -> Path | None:
    """File of a loaded module of the user's own; None of any other."""
    if name.partition(".")[0] in OURS:
        return None
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None or file.startswith(NOT_THEIRS):
        return None
    return Path(file)


def _imports(name: str, file: Path) -> list[str]:
    """Names that a module may mean by its imports; some are of functions."""
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    found = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module] if node.module else above)
            base = base if node.level else node.module or ""
            found += [base, *(f"{base}.{one.name}" for one in node.names)]
    return found
