"""A Typer application -> a Markdown page of its commands, their arguments and options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any, Literal, get_args, get_origin

import typer
import typer.main


def command_page(program: str, app: typer.Typer) -> str:
    """Describe every command of a program.

    Parameters
    ----------
    program : str
        Its name on the command line.
    app : typer.Typer
        The application.

    Returns
    -------
    str
        Markdown: a heading for each command, with definition lists.
    """
    group: Any = typer.main.get_command(app)
    lines = [f"# Commands of {program}", "", cleandoc(group.help or ""), ""]
    shown = [param for param in group.params if not param.hidden]
    lines += _parameters("Options of every command", shown)
    for name, command in group.commands.items():
        if not command.hidden:
            lines += _command(f"{program} {name}", command)
    return "\n".join(lines)


def _command(name: str, command: Any) -> Iterator[str]:
    shown = [param for param in command.params if not param.hidden]
    arguments = [param for param in shown if _is_argument(param)]
    words = [_argument_word(param) for param in arguments]
    yield from (f"## {name}", "", cleandoc(command.help or ""), "")
    yield from ("```text", " ".join([name, "[OPTIONS]", *words]), "```", "")
    yield from _parameters("Arguments", arguments)
    options = [param for param in shown if not _is_argument(param)]
    panels = dict.fromkeys(param.rich_help_panel or "Options" for param in options)
    for panel in sorted(panels, key=lambda panel: panel == "Options"):  # the rest comes last
        inside = [param for param in options if (param.rich_help_panel or "Options") == panel]
        yield from _parameters(panel, inside)


def _parameters(title: str, params: Iterable[Any]) -> Iterator[str]:
    params = list(params)
    if params:
        yield from (f"**{title}**", "")
    for param in params:
        names = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
        if _is_argument(param):
            names = f"`{_argument_word(param)}`"
        takes = _takes(param)
        yield f"{names}{f' `{takes}`' if takes and not _is_argument(param) else ''}"
        notes = [param.help or ""]
        if param.required:
            notes.append("*Required.*")
        elif default := _default(param):
            notes.append(f"*Default: {default}.*")
        if param.envvar:
            notes.append(f"*Environment: `{param.envvar}`.*")
        yield from (f":   {' '.join(note for note in notes if note)}", "")


def _is_argument(param: Any) -> bool:
    return not any(name.startswith("-") for name in param.opts)


def _argument_word(param: Any) -> str:
    word = param.metavar or param.name.upper()
    return word if param.required else f"[{word.strip('[]')}]"


def _takes(param: Any) -> str:
    """Say what follows an option: a metavar, its choices, or the kind of value."""
    if getattr(param, "is_flag", False):
        return ""
    if param.metavar:
        return str(param.metavar)
    kind = param.type_descriptor.annotation
    choices = _choices(kind)
    if choices:
        return "|".join(choices)
    inner = [item for item in (kind, *get_args(kind)) if isinstance(item, type)]
    names = {int: "N", float: "X", str: "TEXT"}
    return next((names[item] for item in inner if item in names), "PATH")


def _choices(kind: Any) -> list[str]:
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    return [choice for item in get_args(kind) for choice in _choices(item)]


def _default(param: Any) -> str:
    if isinstance(param.show_default, str):
        return param.show_default
    flag = getattr(param, "is_flag", False)
    if param.default in (None, "", (), []) or not param.show_default or callable(param.default):
        return ""
    if flag:
        return "on" if param.default and param.secondary_opts else ""
    value = param.default
    shown = " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return f"`{shown}`"
