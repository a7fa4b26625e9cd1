"""The settings of a training run -> a Markdown page."""

from __future__ import annotations

from hmstrain import list_settings


def settings_page() -> str:
    """List every setting with its meaning, range and default."""
    lines = [
        "# Settings",
        "",
        "Give any of them as `--set KEY=VALUE`, in a file with `--config`, or as a keyword",
        "argument of `hmstrain.train`. `hmstrain settings` prints the same list.",
        "",
    ]
    for one in list_settings():
        lines += [f"`{one.name}`", f":   {one.meaning}"]
        if one.choices:
            lines[-1] += f" *One of: {', '.join(one.choices)}.*"
        elif one.range:
            lines[-1] += f" *Range: {one.range}.*"
        lines += [f"    *Default: `{one.default_text or 'none'}`.*", ""]
    return "\n".join(lines)
