"""Arguments and options that several commands share, and how a setting becomes one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hmstrain.config import Config

WHAT, HOW, WHERE = "What to train", "How to train", "How to run"
DEFAULTS = Config().to_json()


def option(name: str, panel: str, help_: str, **more: Any) -> Any:
    """An option; one that is a setting shows the setting's default."""
    default = DEFAULTS.get(name.lstrip("-").replace("-", "_"))
    if default not in (None, False, ""):
        more.setdefault("show_default", f"{default}")
    return typer.Option(name, help=help_, rich_help_panel=panel, **more)


StoreIn = Annotated[Path, typer.Argument(envvar="HMS_STORE", help="The store.")]
Inputs = Annotated[str | None, option("--inputs", WHAT, "spec, eeg or spec+eeg.", metavar="WHICH")]
Epochs = Annotated[int | None, option("--epochs", HOW, "Passes over the windows.", metavar="N")]
Batch = Annotated[int | None, option("--batch-size", HOW, "Windows per step.", metavar="N")]
Steps = Annotated[int | None, option("--steps", HOW, "Stop after so many steps.", metavar="N")]
Fraction = Annotated[
    float | None, option("--fraction", HOW, "Share of the training patients.", metavar="F")
]
Size = Annotated[
    int | None,
    option("--image-size", WHAT, "Resize images to N x N; 0: 400 x 300.", metavar="N"),
]
Fold = Annotated[
    str | None,
    option("--fold", WHAT, "Fold to validate on; all; or rotate (leaks).", metavar="K|all|rotate"),
]
Seed = Annotated[int | None, option("--seed", HOW, "Of every random choice.", metavar="S")]
Pretrained = Annotated[bool, option("--pretrained", WHAT, "Start from timm's weights.")]
Weights = Annotated[
    Path | None, option("--weights", WHAT, "Start from this file: .safetensors or .pth.")
]
ConfigFile = Annotated[
    Path | None, option("--config", HOW, "Settings: JSON, TOML, or a run's config.json.")
]
Set = Annotated[
    list[str] | None,
    option("--set", HOW, "Any setting, again and again: mixup=0.4.", metavar="KEY=VALUE"),
]
Device = Annotated[
    str | None, option("--device", WHERE, "auto, cpu, cuda, cuda:1, mps.", metavar="NAME")
]
Data = Annotated[
    str | None,
    option("--data", WHERE, "map the store, or hold it on the device.", metavar="map|device"),
]
Precision = Annotated[
    str | None,
    option("--precision", WHERE, "float32, bfloat16 or float16.", metavar="KIND"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of a table.")]
RunIn = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
RunStore = Annotated[
    Path | None,
    typer.Option("--store", help="The store.", show_default="the one it was trained on"),
]
