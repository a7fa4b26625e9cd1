"""What commands share: arguments, options, how help is laid out.

Nothing heavy is imported, so that `--help` is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from hmsstore.recordings import ImportOption, with_import_options
from hmstrain.config import SETTINGS

RECORDINGS = "How to read recordings"
WHAT, HOW, WHERE, PRINT = "What to train", "How to train", "How to run", "What to print"
"""Sections of a command's help; the last stands last."""
UNSAID = ("", "false", "0", "0.0")
"""Defaults that mean: off. They need no mention."""


class Command(TyperCommand):
    """A command whose help has a section for each kind of option."""

    def invoke(self, ctx: Any) -> Any:
        """Refuse addresses where paths are expected: nothing is made in a folder called s3:."""
        from hmsstore.atomic import address_problem

        if problem := address_problem(ctx.params.values()):
            from hmstrain.errors import ConfigError

            raise ConfigError(problem)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, a section for each of their panels."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            is_argument = parameter.param_type_name == "argument"
            if is_argument and record is not None and parameter.metavar:
                record = (parameter.metavar, record[1])  # its type goes without saying
            panel = getattr(parameter, "rich_help_panel", None)
            title = "Arguments" if is_argument else panel or "Options"
            if record is not None:
                sections.setdefault(title, []).append(record)
        last = {"Options": 1, PRINT: 2}
        for title in sorted(sections, key=lambda title: last.get(title, 0)):
            if sections[title]:
                with formatter.section(title):
                    formatter.write_dl(sections[title])


def option(name: str, panel: str | None, help_: str, **more: Any) -> Any:
    """An option; one that is a setting says the setting's default."""
    known = SETTINGS.get(name.removeprefix("--").replace("-", "_"))
    if known is not None and known.default_text not in UNSAID and "[default:" not in help_:
        help_ = f"{help_} [default: {known.default_text}]"
    return typer.Option(name, help=help_, rich_help_panel=panel, show_default=False, **more)


def reads_recordings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an import of recordings, as the keyword `importing`."""

    def declare(one: ImportOption) -> Any:
        return option(one.flag, RECORDINGS, one.help, metavar=one.metavar)

    return with_import_options(command, declare)


StoreIn = Annotated[Path, typer.Argument(envvar="HMS_STORE", metavar="STORE", help="The store.")]
RunIn = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Finished runs; several are averaged.")
]
RunStore = Annotated[
    Path | None,
    option("--store", None, "The store. [default: the one it was trained on]", metavar="STORE"),
]

Inputs = Annotated[
    str | None,
    option(
        "--inputs",
        WHAT,
        "spec, eeg or spec+eeg. [default: the model's inputs]",
        metavar="A[+B]",
    ),
]
Size = Annotated[
    int | None,
    option("--image-size", WHAT, "Resize images to N x N; 0: keep 400 x 300.", metavar="N"),
]
Fold = Annotated[
    str | None,
    option(
        "--fold",
        WHAT,
        "Fold to validate on; all: one run for each; rotate: another in each epoch (leaks).",
        metavar="K|all|rotate",
    ),
]
Pretrained = Annotated[bool, option("--pretrained", WHAT, "Start from timm's weights.")]
Weights = Annotated[
    Path | None,
    option(
        "--weights",
        WHAT,
        "Start from this file, .safetensors or .pth, or this run of `hmstrain pretrain`.",
        metavar="FILE|RUN",
    ),
]

Epochs = Annotated[int | None, option("--epochs", HOW, "Passes over the windows.", metavar="N")]
Batch = Annotated[int | None, option("--batch-size", HOW, "Windows per step.", metavar="N")]
Steps = Annotated[int | None, option("--steps", HOW, "Stop after this many steps.", metavar="N")]
Fraction = Annotated[
    float | None, option("--fraction", HOW, "Share of the training patients.", metavar="F")
]
Seed = Annotated[int | None, option("--seed", HOW, "Random seed.", metavar="S")]
Seeds = Annotated[
    int | None,
    option("--seeds", HOW, "Average networks of N seeds.", metavar="N"),
]
ConfigFile = Annotated[
    Path | None,
    option("--config", HOW, "Settings: JSON, TOML, or a run's config.json.", metavar="FILE"),
]
Set = Annotated[
    list[str] | None,
    option(
        "--set",
        HOW,
        "Override any setting; repeatable: mixup=0.4. `hmstrain settings` lists them.",
        metavar="KEY=VALUE",
    ),
]

Device = Annotated[
    str | None, option("--device", WHERE, "auto, cpu, cuda, cuda:1, mps.", metavar="NAME")
]
Data = Annotated[
    str | None,
    option("--data", WHERE, "Map the store, or hold it on the device.", metavar="map|device"),
]
Precision = Annotated[
    str | None,
    option("--precision", WHERE, "float32, bfloat16, float16 or auto.", metavar="TYPE"),
]
PrecisionIn = Annotated[
    str,
    option(
        "--precision",
        None,
        "float32, bfloat16, float16; auto: the fastest that answers alike. [default: auto]",
        metavar="TYPE",
    ),
]
DeviceIn = Annotated[str, option("--device", None, "auto, cpu, cuda, cuda:1, mps.", metavar="NAME")]

Average = Annotated[
    str,
    typer.Option(
        "--average",
        metavar="HOW",
        help="arithmetic; geometric; or fitted: weights fitted out of fold.",
    ),
]
Swap = Annotated[bool, typer.Option("--swap", help="Average with left-right mirrored input.")]
Reverse = Annotated[bool, typer.Option("--reverse", help="Average with time-reversed input.")]

Calibrated = Annotated[
    bool,
    option("--calibrated", None, "Apply the calibration that hmstrain calibrate left there."),
]
Population = Annotated[
    str | None,
    option(
        "--population",
        None,
        "Answer as for windows with few or many votes, if a run has both. [default: many]",
        metavar="few|many",
    ),
]
Truth = Annotated[
    Path | None,
    option(
        "--truth",
        None,
        "Votes by id: a store, or a table such as train.csv. [default: the files' own]",
        metavar="STORE|TABLE",
    ),
]
Answered = Annotated[
    str,
    option(
        "--rows",
        None,
        "all: every row; typical: kl_hi over one row of each EEG. [default: all]",
        metavar="all|typical",
    ),
]
SplitOfRuns = Annotated[
    str | None,
    option(
        "--split",
        None,
        "For runs: test windows; valid: out-of-fold windows. [default: those a run has]",
        metavar="test|valid",
    ),
]
VotesOf = Annotated[
    str | None,
    option(
        "--votes",
        None,
        "Fit on windows with this many votes. [default: 10+, or all if these are few]",
        metavar="10+|4-9|1-3|all",
    ),
]
IdColumn = Annotated[
    str | None,
    option("--id", None, "Column that identifies a row in each file.", metavar="COLUMN"),
]
PatientColumn = Annotated[
    str | None,
    option("--patient", None, "Column whose values are resampled as one.", metavar="COLUMN"),
]
DifferentFolds = Annotated[
    bool, option("--different-folds", None, "Accept runs of different folds or stores.")
]
Scale = Annotated[bool, option("--scale", None, "Scale probabilities that do not sum to 1.")]
TrustIn = Annotated[
    bool, option("--trust", None, "Import and run any custom network that a run names.")
]
OwnModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Import and run this package.module:function, which a run names; repeatable.",
        show_default=False,
    ),
]


def trusted(trust: bool, models: Sequence[str] | None) -> bool | tuple[str, ...]:
    """What --trust and --model say, as the library takes it."""
    return trust or tuple(models or ())


Json = Annotated[bool, option("--json", PRINT, "Print one JSON value instead of a table.")]
Quiet = Annotated[
    bool, option("--quiet", PRINT, "Print no progress and no notes, only results and warnings.")
]
LogFile = Annotated[
    Path | None,
    option(
        "--log-file",
        PRINT,
        "Also append notes, warnings, progress and errors to FILE, with time stamps.",
        metavar="FILE",
    ),
]
