"""The demonstration model: trees on features of the judged seconds, from simulated EEG alone.

Simulates windows, builds their store, measures the judged seconds, trains a model for each fold
left out, and writes what predicting takes into the package (`hmstrain predict --model demo`), with
the notice that its outputs carry. Rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from benchmarks.tools.simulated import command, simulated_store, train
from hmsstore.atomic import whole_folder
from hmsstore.sums import SEAL
from hmstrain.prediction.demo import demo_run
from hmstrain.runs.folder import CONFIG, OUTCOME, RunFolder
from hmstrain.runs.json_file import write_sealed
from hmstrain.runs.notice import FILE

OPTIONS = "--model features --set features_span=judged --balance votes --fold all"
NOTICE = "Trained on simulated EEG, not for patients; false alarms on real EEG not measured."
CARD = "CARD.md"
MOST_BYTES = 5_000_000
"""Of the weights of all its networks: it comes with the package."""


def without_path(source: Path, target: Path) -> None:
    """Copy a sealed JSON file of a run, its store named without the folder that it lay in."""
    values = json.loads(source.read_bytes())
    if "store" in values:
        values["store"]["path"] = Path(values["store"]["path"]).name
    write_sealed(target, {key: value for key, value in values.items() if key != SEAL})


def copy_run(run: RunFolder, out: Path) -> None:
    """Write what predicting takes of a run, with its notice; a card that is there stays."""
    weights = sum((one.best / "model.safetensors").stat().st_size for one in run.networks())
    if weights > MOST_BYTES:
        raise SystemExit(f"The weights take {weights:,} bytes; expected {MOST_BYTES:,} or fewer.")
    card = (out / CARD).read_text() if (out / CARD).is_file() else None
    with whole_folder(out, replace=True) as made:
        for part in (run.path, *(one.path for one in run.networks())):
            target = made / part.relative_to(run.path)
            target.mkdir(exist_ok=True)
            for name in (CONFIG, OUTCOME):
                without_path(part / name, target / name)
        for one in run.networks():
            best = made / one.path.relative_to(run.path) / one.best.name
            best.mkdir()
            shutil.copyfile(one.best / "model.safetensors", best / "model.safetensors")
            without_path(one.best / "model.json", best / "model.json")
        (made / FILE).write_text(f"{NOTICE}\n")
        if card is not None:
            (made / CARD).write_text(card)


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and run; kept")
    parser.add_argument("--windows", type=int, default=16_000)
    parser.add_argument("--seed", type=int, default=5, help="of the simulation")
    parser.add_argument("--options", default="", help="further options of the run")
    parser.add_argument("--out", type=Path, default=demo_run(), help="the run; replaced")
    given = parser.parse_args()
    store = simulated_store(given.work, given.windows, seed=given.seed)
    command("hmsprep", "features", store.path, "--span", "judged")
    run = given.work / "demo"
    train(store.path, run, f"{OPTIONS} {given.options}")
    copy_run(RunFolder(run), given.out)


if __name__ == "__main__":
    main()
