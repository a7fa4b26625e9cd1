"""The settings of a training run -> a Markdown page."""

from __future__ import annotations

import ast
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

from hmstrain import config


def settings_page() -> str:
    """List every setting with its meaning, range and default."""
    texts = _docstrings(Path(config.__file__))
    lines = [
        "# Settings",
        "",
        "Give any of them as `--set KEY=VALUE`, or in a file with `--config`.",
        "",
    ]
    for item in fields(config.Config):
        lines += [f"`{item.name}`", f":   {texts[item.name]}"]
        if "choices" in item.metadata:
            lines[-1] += f" *One of: {', '.join(item.metadata['choices'])}.*"
        if "bounds" in item.metadata:
            low, high = item.metadata["bounds"]
            lines[-1] += f" *From {low:g} to {high:g}.*"
        words = item.default if isinstance(item.default, tuple) else (item.default,)
        lines += [f"    *Default: `{','.join(map(str, words)) or 'none'}`.*", ""]
    return "\n".join(lines)


def _docstrings(file: Path) -> dict[str, str]:
    """Read the sentences below the fields of `Config`."""
    tree = ast.parse(file.read_text())
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Config").body
    found = {}
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = str(text.value.value)
    return found
