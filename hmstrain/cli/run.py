"""What each command does once its options are read: call the library, print the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from hmsstore import Store
from hmstrain.cli import console
from hmstrain.config import RESNET1D, Config
from hmstrain.errors import ModelError
from hmstrain.runs.folder import RunFolder, write_json
from hmstrain.runs.predictions import write_predictions

SHOWN = (
    "naive_cnn",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "convnext_tiny",
    "convnext_atto",
    "mobilenetv3_small_100",
    "resnet18",
    "vit_tiny_patch16_224",
    "swin_tiny_patch4_window7_224",
    RESNET1D,
)
"""Models listed without being asked for: the report's, small ones, transformers, raw EEG's."""


def run(store: Path, config: Config, out: Path | None, *, resume: bool, as_json: bool) -> None:
    """Train and test one configuration."""
    from hmstrain.distributed import join_world
    from hmstrain.training.run import run as run_folds

    opened = open_store(store)
    folder = RunFolder(out or default_out(config))
    with join_world(config.device) as world:
        tell = console.RunProgress(folder.path.name)
        try:
            outcome = run_folds(config, opened, folder, world, tell, resume=resume)
        except KeyboardInterrupt:
            tell.close()
            going_on = f"--out {folder.path} --resume goes on from the last checkpoint."
            if not folder.path.exists():
                going_on = "There was no checkpoint yet, so nothing is kept."
            console.note(f"Stopped. {going_on}")
            raise typer.Exit(130) from None
        finally:
            tell.close()
        if not world.main:
            return
    if as_json:
        console.print_json(outcome.to_json())
    else:
        console.print_outcome(outcome)
        console.note(f"All of it is in {folder.path}.")


def test(folder: RunFolder, store: Path | None, split: str, device: str, *, as_json: bool) -> None:
    """Test a run on a store."""
    from hmstrain.distributed import join_world
    from hmstrain.scoring.score_run import default_store, score_run

    opened = open_store(store or default_store(folder))
    with join_world(device) as world:
        found = score_run(folder, opened, split, world)
        if not world.main:
            return
    name = f"{split}-{opened.identity[:12]}"
    write_json(folder.path / f"{name}.json", found.to_json())
    write_predictions(folder.path / f"{name}.npz", opened, found.rows, found.prediction)
    if as_json:
        console.print_json(found.to_json())
    else:
        console.note(f"{folder.path} on {opened.path}, split {split}:")
        console.print_tested(found)
        console.note(f"Predictions are in {folder.path / name}.npz.")


def study(
    store: Path, config: Config, out: Path, systems: list[str] | None, *, as_json: bool
) -> None:
    """Run the report's systems and print their table."""
    from hmstrain.distributed import join_world
    from hmstrain.reporting.study import choose
    from hmstrain.reporting.study import study as run_study

    opened = open_store(store)
    chosen = choose(systems)
    shown: list[console.RunProgress] = []

    def tell(system: Any) -> console.RunProgress:
        for before in shown:
            before.close()
        shown.append(console.RunProgress(system.name))
        return shown[-1]

    with join_world(config.device) as world:
        try:
            table = run_study(config, opened, out, world, chosen, tell)
        except KeyboardInterrupt:
            console.note("Stopped. The same command goes on where it was.")
            raise typer.Exit(130) from None
        finally:
            for one in shown:
                one.close()
        if not world.main:
            return
    if as_json:
        console.print_json(table.to_json())
    else:
        print(table.to_markdown())


def models(word: str | None, *, as_json: bool) -> None:
    """List models with parameters and what they take."""
    import timm
    import torch

    from hmsstore.montage import PAIRS
    from hmstrain.models import count_parameters, make_network
    from hmstrain.models.network import ImageTrunk, PatternNetwork
    from hmstrain.models.timm_backbone import ALIASES

    known = timm.list_models()
    names = list(SHOWN)
    if word:
        names = [name for name in ["naive_cnn", RESNET1D, *ALIASES, *known] if word.lower() in name]
        if not names:
            raise ModelError(f"No model has {word!r} in its name.")
    rows: list[dict[str, Any]] = []
    for name in names[:60]:
        with torch.device("cpu"):
            try:
                network = make_network(
                    Config(model=name, inputs="eeg" if name == RESNET1D else "spec")
                )
            except Exception as error:
                rows.append({"model": name, "parameters": None, "takes": str(error)})
                continue
        assert isinstance(network, PatternNetwork)
        (trunk,) = network.trunks.values()
        takes = f"raw EEG, {len(PAIRS)} bipolar channels"
        if isinstance(trunk, ImageTrunk):
            takes = f"images 3 x {trunk.size[0]} x {trunk.size[1]}"
        rows.append(
            {
                "model": name,
                "parameters": count_parameters(network),
                "takes": takes,
            }
        )
    rows.append({"model": "package.module:function", "parameters": None, "takes": "see README"})
    if as_json:
        console.print_json(rows)
        return
    console.print_models(
        [
            (
                str(row["model"]),
                f"{row['parameters'] / 1e6:.1f} M" if row["parameters"] else "",
                str(row["takes"]),
            )
            for row in rows
        ],
        len(known) - len(SHOWN) if not word else max(0, len(names) - 60),
    )


def open_store(path: Path) -> Store:
    """Open a store and say what its users should know of it."""
    store = Store.open(path)
    for message in store.info.get("warnings", []):
        console.warn(message)
    return store


def default_out(config: Config) -> Path:
    """Folder of a run that was given none: runs/MODEL-INPUTS-foldK-seedS."""
    model = config.model.replace(":", ".")
    parts = [model, config.inputs, "contrastive" * config.contrastive]
    parts += [f"fold{config.fold}", f"seed{config.seed}"]
    return Path("runs") / "-".join(part for part in parts if part)


def show_config(config: Config) -> None:
    """Print a resolved configuration."""
    print(json.dumps(config.to_json(), indent=1))
