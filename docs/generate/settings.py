"""The settings of a training run -> a Markdown page."""

from __future__ import annotations

from hmstrain.config import list_settings


def settings_page() -> str:
    """List every setting with its meaning, range and default."""
    lines = [
        "# Settings",
        "",
        "Give any of them as `--set KEY=VALUE`, in a file with `--config`, or as a keyword",
        "argument of `hmstrain.train`. `hmstrain settings` prints the same list.",
        "",
    ]
    for setting in list_settings():
        takes = f" `{setting.range}`" if setting.range else ""
        default = f" *Default: `{setting.default_text}`.*" if setting.default_text else ""
        lines += [f"`{setting.name}`{takes}", f":   {setting.meaning}{default}", ""]
    return "\n".join(lines)
