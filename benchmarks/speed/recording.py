"""From a long recording to its timeline: spectrogram, import and prediction, and their memory.

A spectrogram of ten minutes of EEG; how near it is to given ones, if data are named that hold
some; a simulated recording imported by `hmsprep import`; and `hmstrain predict` of it from the
command line, beside the model alone on windows that lie in memory.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import torch

from benchmarks.tools.conditions import module, timed
from benchmarks.tools.footprint import measured
from benchmarks.tools.record import command_line, write_record
from hmsprep.planning.choices import Part
from hmsprep.spectrograms.check import check_spectrograms
from hmsprep.spectrograms.multitaper import spectrogram
from hmsstore import CHANNELS, Store
from hmstrain.distributed import join_world
from hmstrain.models.arithmetic import Arithmetic
from hmstrain.models.evaluate import forward
from hmstrain.prediction.ensemble import BATCH
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.trained import load_trained

RATE_HZ = 256
MINUTES = 180
"""Of the recording: enough windows for `auto` to measure."""
NOTE = (
    "Spectrogram: ten minutes of 20 channels, all processors, medians and range. Agreement: "
    "`hmsprep spectrogram --check` on the data named, real pairs of the competition. Import: a "
    "recording of noise at 256 Hz. Predict: from the EDF file to tables, picture and page, a "
    f"window every 10 s; resident: input preparation and network, in batches of {BATCH} stored "
    "windows that lie in memory, the network in the same arithmetic (inputs are prepared in "
    "float32), with memory and threads set as predicting sets them. Processors busy: the share of "
    "their time that predicting took; by doing more at once it could come down to that share of "
    "its seconds. Seconds: as predictions.json has them. Memory is of the whole process tree: own, "
    "and with mapped files."
)


def spectrogram_seconds(rounds: int) -> dict[str, Any]:
    """Ten minutes of EEG."""
    eeg_uv = np.random.default_rng(0).normal(0, 30, (120_000, 20)).astype(np.float32)
    spectrogram(eeg_uv[:4_000])
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        spectrogram(eeg_uv)
        found.append(time.perf_counter() - begun)
    return {
        "spectrogram of 10 min, s": f"{statistics.median(found):.3f} "
        f"({min(found):.3f}-{max(found):.3f})"
    }


def agreement(data: Path | None, part: Part | None) -> dict[str, Any]:
    """With given spectrograms, if there are any."""
    if data is None:
        return {}
    found = check_spectrograms(data, count=100, part=part)
    numbers = found.by_region()["all"]
    return {
        "pairs": found.eegs,
        "values": numbers["values"],
        "correlation": round(numbers["correlation"], 5),
        "median ratio": round(numbers["median ratio"], 4),
    }


def write_recording(path: Path, minutes: int) -> None:
    """Ten minutes of noise, again and again."""
    rng = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            rng.normal(0, 30, 600 * RATE_HZ), RATE_HZ, label=f"EEG {name.upper()}-REF",
            physical_dimension="uV", physical_range=(-3_250, 3_250),
        )
        for name in CHANNELS
    ]  # fmt: skip
    edfio.Edf(signals).write(path)
    content = path.read_bytes()
    head, records = int(content[184:192]), int(content[236:244])
    times = minutes // 10
    count = str(records * times).ljust(8).encode()
    with path.open("wb") as file:
        file.write(content[:236] + count + content[244:head])
        for _ in range(times):
            file.write(content[head:])


def windows_of(minutes: int) -> int:
    """Windows of 50 s, one every 10 s, in so many minutes."""
    return (minutes * 60 - 50) // 10 + 1


def resident_rate(run: Path, store: Path, rounds: int, arithmetic: Arithmetic) -> float:
    """Windows a second of the model on windows that lie in memory."""
    trained = load_trained(RunFolder(run), torch.device("cpu")).computing(arithmetic)
    opened = Store.open(store)
    rows = np.arange(BATCH) % len(opened)
    batch = {name: torch.from_numpy(array) for name, array in opened.gather(rows).items()}
    prepare = trained.inputs(opened)
    seconds = []
    with torch.no_grad():
        for _ in range(1 + rounds):
            begun = time.perf_counter()
            forward(trained.network, prepare(batch, None), trained.config)
            seconds.append(time.perf_counter() - begun)
    return BATCH / statistics.median(seconds[1:])


def processors_s() -> float:
    """Seconds of processors' time that commands of this process took which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(
    folder: Path, minutes: int, model: str, image_size: int, rounds: int
) -> list[dict[str, Any]]:
    """Import and prediction of a recording, beside the model alone: in float32, then by auto."""
    minutes = max(10, minutes // 10 * 10)  # as `write_recording` makes them
    data, store, run = folder / "data", folder / "hms.zarr", folder / "run"
    timed(module("hmsprep", "synth", data, "--windows", 96))
    timed(module("hmsprep", "build", data, store))
    timed(
        module(
            "hmstrain", "run", store, "--out", run, "--model", model, "--inputs", "spec+eeg",
            "--image-size", image_size, "--epochs", 1, "--steps", 2, "--batch-size", 8,
        )
    )  # fmt: skip
    recording = folder / "night.edf"
    write_recording(recording, minutes)
    imported = measured(module("hmsprep", "import", recording, folder / "imported"))
    windows = windows_of(minutes)
    rows: list[dict[str, Any]] = []
    # auto measures when it first predicts 1,000 windows or more, and takes its choice again
    for name in ("float32", "auto, at first", "auto, again"):
        out = folder / name
        words = module(
            "hmstrain", "predict", run, recording, "--out", out,
            "--precision", name.partition(",")[0],
        )  # fmt: skip
        before = processors_s()
        seconds, _ = timed(words)  # by itself: looking at its memory holds a process up
        busy = (processors_s() - before) / (seconds * (os.cpu_count() or 1))
        summary = json.loads((out / "predictions.json").read_text())
        (taken,) = summary["runs"][0]["arithmetic"]
        arithmetic = Arithmetic(taken["precision"], taken["channels_last"])
        alone = resident_rate(run, store, rounds, arithmetic)
        row = {
            "precision": name,
            "computed in": str(arithmetic),
            "minutes": minutes,
            "windows": windows,
            "model": f"{model}, {image_size} px",
            "resident windows/s": round(alone, 1),
            "predict s": round(seconds, 1),
            "predict / resident": round(windows / seconds / alone, 2),
            "processors busy": round(busy, 2),
            "seconds": ", ".join(f"{key} {value}" for key, value in summary["seconds"].items()),
        }
        if not rows:
            predicted = measured(words)
            row |= {
                "import s": round(imported["seconds"], 1),
                "import own MiB": imported["peak own MiB"],
                "predict own MiB": predicted["peak own MiB"],
                "predict with files MiB": predicted["peak with files MiB"],
            }
        rows.append(row)
    return rows


def main() -> None:
    """Measure, and write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--pairs", type=Path, help="data with real spectrograms to compare with")
    parser.add_argument("--part", choices=("train", "test"), help="of those data")
    parser.add_argument("--minutes", type=int, default=MINUTES, help="of the recording, in tens")
    parser.add_argument("--model", default="efficientnet_b0")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--record", default="recording", help="name of the record")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hms-recording-"))
    try:
        first = spectrogram_seconds(arguments.rounds)
        first |= agreement(arguments.pairs, arguments.part)
        with join_world("cpu"):  # as predicting does
            rows = compare(
                folder, arguments.minutes, arguments.model, arguments.image_size, arguments.rounds
            )
        write_record(arguments.record, [first | rows[0], *rows[1:]], NOTE, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
