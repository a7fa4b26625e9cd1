"""What predict, submission and bundle do once their options are read."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import CLASSES, SPLITS, Store
from hmstrain.cli import console
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.notice import RESEARCH_ONLY
from hmstrain.runs.folder import RunFolder, write_json


@dataclass(frozen=True, slots=True)
class How:
    """How several networks make one answer, and where they run."""

    average: str = "arithmetic"
    swap: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        from hmstrain.prediction.ensemble import AVERAGES

        if self.average not in AVERAGES:
            raise ConfigError(
                f"--average {self.average} does not exist: use {', '.join(AVERAGES)}."
            )


def predict(
    runs: Sequence[Path], path: Path, out: Path, how: How, *, stride_s: float, as_json: bool
) -> None:
    """Predict a store, a folder in Kaggle's layout or recordings; write tables and pictures."""
    from hmstrain.prediction.source import opened
    from hmstrain.prediction.tables import write_windows

    folders = [RunFolder(run) for run in runs]
    if out.exists() and not (out.is_dir() and (_earlier(out) or not any(out.iterdir()))):
        raise RunError(
            f"--out {out} holds something else than predictions: name another folder, or a new one."
        )
    begun = time.perf_counter()
    cleaning = _cleaning(folders)
    with opened(path, cleaning, stride_s=stride_s) as source:
        store = source.store
        if source.given:  # else its warnings are of a training that nobody does
            for message in store.info["warnings"]:
                console.warn(message)
        rows = np.flatnonzero(store.windows["split"] != SPLITS.index("dropped"))
        prepared = time.perf_counter()
        prediction, told = _predicted(folders, store, rows, how)
        predicted = time.perf_counter()
        if any(run["trained_on"] == store.identity for run in told["runs"]):
            console.warn(
                "A run was trained on this very store: what it says of windows in the split "
                "'train' it has seen the answers to."
            )
        windows = {name: column[rows] for name, column in store.windows.items()}
        out.mkdir(parents=True, exist_ok=True)
        write_windows(out / "predictions.csv", store, rows, prediction)
        recordings = [
            _write_recording(out, described, windows, prediction, told)
            for described in source.recordings
        ]
        found = {
            "input": str(path),
            "windows": len(rows),
            "store": store.identity,
            **told,
            "notice": RESEARCH_ONLY,
            "recordings": recordings,
            "seconds": {
                "preparing": round(prepared - begun, 2),
                "predicting": round(predicted - prepared, 2),
                "writing": round(time.perf_counter() - predicted, 2),
            },
        }
    write_json(out / "predictions.json", found)
    if as_json:
        console.print_json(found)
    else:
        console.print_predicted(found, prediction)
        console.note(f"{RESEARCH_ONLY} All of it is in {out}.")


def submission(runs: Sequence[Path], data: Path, out: Path, how: How, *, as_json: bool) -> None:
    """Write the competition's submission."""
    from hmstrain.prediction.source import opened
    from hmstrain.prediction.tables import is_submission, read_order, write_submission

    if out.suffix != ".csv":
        raise ConfigError(f"--out {out}: expected a name that ends in .csv.")
    if not out.resolve().parent.is_dir():
        raise RunError(f"--out {out}: there is no folder {out.parent}.")
    if out.exists() and not is_submission(out):
        raise RunError(f"--out {out} is there already, and no submission: name another file.")
    folders = [RunFolder(run) for run in runs]
    with opened(data, _cleaning(folders), part="test") as source:
        order = read_order(data)
        rows = np.arange(len(source.store))
        prediction, told = _predicted(folders, source.store, rows, how)
        count = write_submission(out, source.store, prediction, order)
    if as_json:
        console.print_json({"out": str(out), "rows": count, **told})
    else:
        console.note(f"Wrote {out}: {count:,} rows. {RESEARCH_ONLY}")


def _earlier(out: Path) -> bool:
    """Whether a folder holds what an earlier prediction left, and may be replaced."""
    return (out / "predictions.json").is_file()


def _cleaning(folders: Sequence[RunFolder]) -> dict[str, Any]:
    """How the first run's signals were cleaned; the others must agree, which is checked later."""
    from hmstrain.data.inputs.prepare import Normalisation
    from hmstrain.runs.checkpoint import read_description

    folder = folders[0]
    part = folder.path / "fold0" if folder.config().fold == "all" else folder.path
    described = read_description(RunFolder(part).best)
    return Normalisation.from_json(described["normalisation"]).cleaning


def _predicted(
    folders: Sequence[RunFolder], store: Store, rows: NDArray[np.int64], how: How
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Averaged probabilities, and what they come from."""
    from hmstrain.distributed import join_world
    from hmstrain.prediction.ensemble import average, fit_weights, load_members, predict_rows

    if not len(rows):
        raise DataError(f"{store.path} holds no windows.")
    weights = fit_weights(folders) if how.average == "fitted" else None
    with join_world(how.device) as world:
        members = load_members(folders, world)
        with console.counting("Predicting") as tell:
            found = predict_rows(members, store, rows, world, swap=how.swap, tell=tell)
        device = str(world.device)
    told = {
        "runs": [
            {
                "path": str(member.folder.path),
                "networks": len(member.networks),
                "trained_on": member.networks[0].described["store"]["identity"],
                "weight": None if weights is None else round(float(weights[number]), 6),
            }
            for number, member in enumerate(members)
        ],
        "average": how.average,
        "swap": how.swap,
        "device": device,
    }
    return average(found, how.average, weights), told


def _write_recording(
    out: Path,
    described: dict[str, Any],
    windows: dict[str, NDArray[Any]],
    prediction: NDArray[np.float64],
    told: dict[str, Any],
) -> dict[str, Any]:
    """A recording's timeline as CSV, JSON, EDF+ annotations, picture and page."""
    from hmsstore.view.saving import save
    from hmstrain.prediction.page import draw_timeline, make_page
    from hmstrain.prediction.tables import write_timeline
    from hmstrain.prediction.timeline import make_timeline, write_annotations

    timeline = make_timeline(described, windows, prediction)
    name = Path(described["file"]).stem
    write_timeline(out / f"{name}.csv", timeline)
    write_annotations(timeline, out / f"{name}.annotations.edf")
    save(draw_timeline(timeline), out / f"{name}.png")
    about = {
        "recording": described["file"],
        "length": f"{timeline.seconds:,.0f} s",
        "windows": f"{len(timeline.centre_s):,}",
        "runs": ", ".join(run["path"] for run in told["runs"]),
        "average": told["average"] + (", and of left and right exchanged" * told["swap"]),
        "references": ", ".join(described["references"]) or "not named",
        "channels filled with 0": ", ".join(described["filled"]) or "none",
    }
    make_page(timeline, about).write(out / f"{name}.html")
    episodes = timeline.episodes()
    found = {
        "file": described["file"],
        "seconds": timeline.seconds,
        "filled": described["filled"],
        "references": described["references"],
        "share_of_time": timeline.burden(),
        "episodes": [
            {
                "start_s": one.start_s,
                "stop_s": one.stop_s,
                "class": CLASSES[one.code],
                "mean": round(one.mean, 4),
                "largest": round(one.largest, 4),
            }
            for one in episodes
        ],
    }
    write_json(out / f"{name}.json", found)
    return {
        key: found[key] for key in ("file", "seconds", "filled", "references", "share_of_time")
    } | {"episodes": len(episodes)}


def bundle(
    runs: Sequence[Path],
    out: Path,
    python: str | None,
    have: Sequence[str] | None,
    *,
    as_json: bool,
) -> None:
    """Make a bundle and say what is in it."""
    from hmstrain.prediction.bundle import KAGGLE
    from hmstrain.prediction.bundle import bundle as make_bundle

    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    made = make_bundle(
        [RunFolder(run) for run in runs], out, python=python or here, have=have or KAGGLE
    )
    if as_json:
        console.print_json({"out": str(out), **asdict(made)})
        return
    print("\n".join(made.wheels))
    console.note(
        f"Made {out}: {len(made.runs)} run(s), {len(made.wheels)} wheels, "
        f"{made.nbytes / 1e6:,.1f} MB. {out / 'cell.py'} is for the notebook."
    )
