"""What commands share: arguments, options, their help, and words that are numbers or 'none'.

Nothing heavy is imported, so that `--help` is quick.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from math import exp
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from hmsprep.planning.choices import (
    Balance,
    Fill,
    Missing,
    Normalise,
    Part,
    SplitBy,
    Windows,
)
from hmsstore.recordings import ImportOption, with_import_options

NAME_COLUMN = 30
"""Longest name of an option that stands beside its help."""
SELECT, CLEAN, RUN, REPORT = "What to build", "How to clean", "How to run", "What to print"


class Command(TyperCommand):
    """A command whose help has a section per kind of option, and whose ranges may be 'none'."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Accept `--bandpass none` where two numbers are expected, by writing 'none' twice."""
        ranges = {name for p in self.params if p.nargs == 2 for name in p.opts}
        words: list[str] = []
        for word in args:
            name, equals, value = word.partition("=")
            words += [name, value] if equals and name in ranges else [word]
            if words[-1] == "none" and words[-2:-1] and words[-2] in ranges:
                words.append("none")
        return super().parse_args(ctx, words)

    def invoke(self, ctx: Any) -> Any:
        """Refuse addresses where paths are expected: nothing is made in a folder called s3:."""
        from hmsstore.atomic import address_problem

        if problem := address_problem(ctx.params.values()):
            from hmsprep.errors import ParameterError

            raise ParameterError(problem)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, a section for each of their panels."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            name, about = record
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            if parameter.param_type_name == "argument":
                name, panel = parameter.metavar or name, "Arguments"
            elif "--help" in parameter.opts:
                panel = REPORT
            # A default that is said in words stands in parentheses that mean nothing.
            about = re.sub(r"default: \((.*?)\)(?=[;\]])", r"default: \1", about)
            sections.setdefault(panel, []).append((name, about))
        for panel in sorted(sections, key=lambda panel: (panel == REPORT, panel == "Options")):
            with formatter.section(panel):
                _write_columns(formatter, sections[panel])


def _write_columns(formatter: Any, rows: list[tuple[str, str]]) -> None:
    """Write names and what they mean beside each other; a long name has a line of its own.

    Lines break at spaces alone: the formatter's own columns would break '--dry-run' in two.
    """
    indent = " " * formatter.current_indent
    column = min(max(len(name) for name, _ in rows), NAME_COLUMN) + 2
    room = max(formatter.width - len(indent) - column, 20)
    for name, about in rows:
        lines = wrap(about, room, break_on_hyphens=False, break_long_words=False)
        beside = len(name) + 2 <= column
        formatter.write(
            f"{indent}{name:<{column}}{lines.pop(0)}\n" if beside else f"{indent}{name}\n"
        )
        for line in lines:
            formatter.write(f"{indent}{'':<{column}}{line}\n")


class FromStore(Command):
    """A command of a store and something else, which alone is given where HMS_STORE names one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the store before a single argument."""
        store = os.environ.get("HMS_STORE")
        second = self.params[1].name
        if store and "--help" not in args and "-h" not in args:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
            if not isinstance(given.get(second), str):
                args = [store, *args]
        return super().parse_args(ctx, args)


def option(name: str, help_: str, panel: str | None = None, **more: Any) -> Any:
    """Declare an option with its help text and the section of the help it stands in."""
    return typer.Option(name, help=help_, rich_help_panel=panel, **more)


def reads_recordings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an import, as the keyword `importing`."""

    def declare(one: ImportOption) -> Any:
        return option(one.flag, one.help, metavar=one.metavar)

    return with_import_options(command, declare)


Data = Annotated[
    Path,
    typer.Argument(
        envvar="HMS_DATA",
        metavar="DATA",
        help="Folder in Kaggle's layout, or the competition's zip.",
    ),
]
StoreOut = Annotated[
    Path, typer.Argument(envvar="HMS_STORE", metavar="STORE", help="Store to make.")
]
StoreIn = Annotated[Path, typer.Argument(envvar="HMS_STORE", metavar="STORE", help="The store.")]

HalfOption = Annotated[
    bool, option("--half", "Keep half of the windows, as whole recordings.", SELECT)
]
WindowsOption = Annotated[
    Windows,
    option(
        "--windows",
        "Every window; the most typical one per EEG and votes; or the middle one per EEG, with "
        "the votes summed.",
        SELECT,
        metavar="all|votes|eeg",
    ),
]
BalanceOption = Annotated[
    Balance,
    option(
        "--balance",
        "votes: keep fewer windows, so that each class has the same number of votes.",
        SELECT,
        metavar="none|votes",
    ),
]
SplitOption = Annotated[
    SplitBy,
    option(
        "--split-by",
        "Hold out whole patients, random windows (leaks!), or use every window for testing.",
        SELECT,
        metavar="patient|window|all",
    ),
]
MissingOption = Annotated[
    Missing,
    option(
        "--missing",
        "If recordings have no file: stop, or leave their windows out.",
        SELECT,
        metavar="error|skip",
    ),
]
PartOption = Annotated[
    Part | None,
    option(
        "--part",
        "Part of the data set.",
        SELECT,
        metavar="train|test",
        show_default="train if present, else test",
    ),
]
TableOption = Annotated[
    Path | None,
    option(
        "--table",
        "Take windows and votes from this table, for example one of `hmsprep votes`.",
        SELECT,
        metavar="FILE",
        show_default="the data set's own",
    ),
]
SeedOption = Annotated[int, option("--seed", "Random seed.", RUN, metavar="N")]
NanOption = Annotated[
    Fill,
    option(
        "--nan",
        "Fill missing values with 0, by interpolation or with the mean; or drop their windows.",
        CLEAN,
        metavar="zero|interpolate|mean|drop",
    ),
]
EegClipOption = Annotated[
    str, option("--eeg-clip", "Clip EEG at +-UV (EKG at 32,000).", CLEAN, metavar="UV|none")
]
SpectrogramClipOption = Annotated[
    tuple[str, str],
    option(
        "--spectrogram-clip",
        "Clip power to this range in uV^2/Hz, before the logarithm.",
        CLEAN,
        metavar="LOW HIGH|none",
        show_default="e^-4 e^8",
    ),
]
BandpassOption = Annotated[
    tuple[str, str],
    option(
        "--bandpass",
        "Zero-phase band-pass of the EEG, Hz.",
        CLEAN,
        metavar="LOW HIGH|none",
        show_default="none",
    ),
]
NormaliseOption = Annotated[
    Normalise,
    option(
        "--normalise",
        "z-score per channel and frequency, or not.",
        CLEAN,
        metavar="zscore|none",
    ),
]
CleaningOption = Annotated[
    Path | None,
    option(
        "--cleaning",
        "Read these options from a JSON file instead.",
        CLEAN,
        metavar="FILE",
    ),
]
WorkersOption = Annotated[
    int | None,
    option(
        "--workers",
        "Number of processes.",
        RUN,
        min=1,
        metavar="N",
        show_default="one per processor",
    ),
]
DaskOption = Annotated[
    str | None,
    option(
        "--dask",
        "Run the work on a Dask cluster: its scheduler's address or file.",
        RUN,
        metavar="ADDRESS|FILE",
        show_default="processes of this machine",
    ),
]

Json = Annotated[bool, option("--json", "Print one JSON value instead of a table.", REPORT)]
Quiet = Annotated[
    bool, option("--quiet", "Print no progress and no notes, only results and warnings.", REPORT)
]
LogFile = Annotated[
    Path | None,
    option(
        "--log-file",
        "Also append notes, warnings, progress and errors to FILE, with time stamps.",
        REPORT,
        metavar="FILE",
    ),
]


def parse_number(name: str, word: str) -> float:
    """Read a number, also as a power of e: 'e^-4'."""
    try:
        return exp(float(word[2:])) if word.startswith("e^") else float(word)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{name}: expected numbers or 'none', got {word!r}") from None


def parse_range(name: str, words: tuple[str, str]) -> tuple[float, float] | None:
    """Read two numbers; None if both words are 'none'."""
    if words == ("none", "none"):
        return None
    return parse_number(name, words[0]), parse_number(name, words[1])


def parse_clip(name: str, word: str) -> float | None:
    """Read a number; None if the word is 'none'."""
    return None if word == "none" else parse_number(name, word)
