"""A package's public names -> a Markdown page that mkdocstrings fills from docstrings."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

TITLES = {
    "function": "Functions",
    "class": "Classes",
    "error": "Errors",
    "constant": "Constants",
}


def api_page(package: str, also: tuple[str, ...] = ()) -> str:
    """List what a package promises: the names in its `__all__`, by kind.

    Parameters
    ----------
    package : str
        Such as `hmsstore`.
    also : tuple of str
        Public objects of its submodules, by full name, to add at the end.

    Returns
    -------
    str
        Markdown with one mkdocstrings directive for each name.
    """
    module = importlib.import_module(package)
    lines = [f"# {package}", "", _summary(module.__doc__), ""]
    found: dict[str, list[tuple[str, str]]] = {kind: [] for kind in TITLES}
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        found[_kind(value)].append((f"{package}.{name}", _defined_as(value, package, name)))
    for path in also:
        home, _, name = path.rpartition(".")
        value = getattr(importlib.import_module(home), name)
        found[_kind(value)].append((path, path))
    for kind, names in found.items():
        if names:
            lines += [f"## {TITLES[kind]}", ""]
            for shown, path in names:
                lines += _directive(shown, path)
    return "\n".join(lines)


def _directive(shown: str, path: str) -> Iterator[str]:
    yield f"::: {path}"
    yield from ("    options:", f"      heading: {shown}", f"      toc_label: {shown}", "")


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return "error" if issubclass(value, Exception) else "class"
    return "function" if inspect.isroutine(value) else "constant"


def _defined_as(value: Any, package: str, name: str) -> str:
    """Where the sources define it: functions that are loaded on first use have no other path."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{package}.{name}"


def _summary(docstring: str | None) -> str:
    """Take a docstring's first paragraph: the guides have the examples."""
    return inspect.cleandoc(docstring or "").partition("\n\n")[0]
