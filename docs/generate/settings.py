"""The settings of a training run -> a Markdown page."""

from __future__ import annotations

from dataclasses import fields

from hmstrain.config import GROUPS, SETTINGS
from hmstrain.settings.setting import Setting


def settings_page() -> str:
    """List every setting with its meaning, range and default."""
    lines = [
        "# Settings",
        "",
        "Give any of them as `--set KEY=VALUE`, in a file with `--config`, or as a keyword",
        "argument of `hmstrain.train`. `hmstrain settings` prints the same list.",
        "",
    ]
    for group in GROUPS:
        lines += [f"## {(group.__doc__ or '').rstrip('.')}", ""]
        for item in fields(group):
            lines += _entry(SETTINGS[item.name])
    return "\n".join(lines)


def _entry(one: Setting) -> list[str]:
    meaning = f":   {one.meaning}"
    if one.choices:
        meaning += f" *One of: {', '.join(one.choices)}.*"
    elif one.range:
        meaning += f" *Range: {one.range}.*"
    return [f"`{one.name}`", meaning, f"    *Default: `{one.default_text or 'none'}`.*", ""]
