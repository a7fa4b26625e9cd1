"""The tree tells the data's way: what each folder lists is there, and imports follow the list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "hmsstore": ROOT / "store/hmsstore",
    "hmsprep": ROOT / "hmsprep",
    "hmstrain": ROOT / "hmstrain",
}
UNLISTED = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
ALIASES = {
    "hmsprep": {"multitaper.py", "verification.py", "summary.py", "drawing.py"},
    "hmstrain": {"dataset.py"},
    "hmsstore": set[str](),
}
"""Old import paths that live for one release."""
MOST_ENTRIES = 16


def folders() -> list[str]:
    """Every package and folder of modules, as a path from the root."""
    found = [
        init.parent.relative_to(ROOT).as_posix()
        for top in PACKAGES.values()
        for init in sorted(top.rglob("__init__.py"))
    ]
    return sorted(found)


def entries(folder: Path) -> set[str]:
    """What `ls` shows of a folder, apart from what every package has."""
    hidden = UNLISTED | ALIASES.get(folder.name, set())
    names = {path.name + "/" * path.is_dir() for path in folder.iterdir()}
    return {name for name in names if name.rstrip("/") not in hidden}


def listed(folder: Path) -> list[str]:
    """Entries that a folder's docstring lists, in its order."""
    doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    block = doc.partition("\n::\n")[2]
    lines = [line for line in block.splitlines() if re.match(r" {4}\S", line)]
    return [line.split()[0] for line in lines]


def typed_only(tree: ast.AST) -> set[int]:
    """Nodes that only a type checker reads."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }


def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    top = PACKAGES[package]
    found = {}
    for path in sorted(top.rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        dotted = ".".join((package, *parts)).removesuffix(".__init__")
        found[dotted] = path
    return found


def imports(package: str) -> Iterator[tuple[str, str]]:
    """Which module imports which of the same package, within functions too."""
    known = modules(package)
    for name, path in known.items():
        tree = ast.parse(path.read_text())
        skipped = typed_only(tree)
        for node in ast.walk(tree):
            if id(node) in skipped:
                continue
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in wanted:
                while target and target not in known:
                    target = target.rpartition(".")[0]
                if target and target != name:
                    yield name, target


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_shows_few_entries(package: str) -> None:
    assert len(entries(PACKAGES[package])) <= MOST_ENTRIES


@pytest.mark.parametrize("folder", folders())
def test_each_folder_lists_what_it_holds(folder: str) -> None:
    here = ROOT / folder
    assert sorted(listed(here)) == sorted(entries(here))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_runs_in_a_circle(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for name, target in imports(package):
        if name != package:  # a package's lazy names come from all over it
            graph.setdefault(name, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_up_the_list_of_the_package(package: str) -> None:
    order = [entry.removesuffix("/").removesuffix(".py") for entry in listed(PACKAGES[package])]
    wrong = []
    for name, target in imports(package):
        rooms = [dotted.split(".")[1] for dotted in (name, target) if dotted.count(".")]
        if len(rooms) < 2 or rooms[0] == rooms[1] or not set(rooms) <= set(order):
            continue
        if order.index(rooms[1]) > order.index(rooms[0]):
            wrong.append(f"{name} imports {target}")
    assert wrong == []
