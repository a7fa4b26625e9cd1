"""Train, test and compare models of EEG patterns on a sealed store.

What can be called from Python is listed in `__all__` and loaded when it is first used:

>>> import hmstrain
>>> hmstrain.train("hms.zarr", model="resnet18", out="runs/first")
>>> hmstrain.predict("runs/first", "night.edf", out="night")

Each part of the code imports only from those above it.

::

    errors.py       the errors that a user can cause
    words.py        numbers -> words as a person reads them
    settings/       what can be set about a run, each with its meaning, range and default
    events.py       what long work tells its caller while it runs
    distributed.py  one process or several under `torchrun`
    data/           a store -> rows of an epoch -> batches -> what a network sees
    models/         a configuration -> a network; a network and a batch -> probabilities
    config.py       options, a file and KEY=VALUE words -> one validated `Config`
    runs/           the folder of a run, written and read again
    scoring/        predictions -> figures; a run on another store
    training/       A configuration and a store -> a trained network in its run
    prediction/     runs and anyone's EEG -> tables, a timeline, a submission, a bundle
    reporting/      a run -> pages: its report, a comparison, attribution, a page to browse
    reading/        a whole recording, as a reader sees it: signals, trends, events, a page
    studies/        several runs as one work: recipes, the systems of a report
    cli/            the command line, one file per verb
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmstrain.config import Config, list_settings
    from hmstrain.data.dataset import WindowDataset
    from hmstrain.errors import TrainError
    from hmstrain.models.catalogue import list_models
    from hmstrain.prediction.bundle import bundle
    from hmstrain.prediction.predict import predict
    from hmstrain.prediction.seizures.score import score
    from hmstrain.prediction.submission import submission
    from hmstrain.reading.view import view
    from hmstrain.reporting.explain import explain
    from hmstrain.reporting.report import report
    from hmstrain.scoring.blending import blend
    from hmstrain.scoring.calibrate import calibrate
    from hmstrain.scoring.comparison.compare import compare
    from hmstrain.scoring.score_run import test
    from hmstrain.studies.ablate import ablate
    from hmstrain.studies.run_recipe import recipe
    from hmstrain.studies.study import study
    from hmstrain.training.run import pretrain, train

__all__ = [
    "Config",
    "TrainError",
    "WindowDataset",
    "ablate",
    "blend",
    "bundle",
    "calibrate",
    "compare",
    "explain",
    "list_models",
    "list_settings",
    "predict",
    "pretrain",
    "recipe",
    "report",
    "score",
    "study",
    "submission",
    "test",
    "train",
    "view",
]

_MODULES = {
    "Config": "config",
    "TrainError": "errors",
    "WindowDataset": "data.dataset",
    "ablate": "studies.ablate",
    "blend": "scoring.blending",
    "bundle": "prediction.bundle",
    "calibrate": "scoring.calibrate",
    "compare": "scoring.comparison.compare",
    "explain": "reporting.explain",
    "list_models": "models.catalogue",
    "list_settings": "config",
    "predict": "prediction.predict",
    "pretrain": "training.run",
    "recipe": "studies.run_recipe",
    "report": "reporting.report",
    "score": "prediction.seizures.score",
    "study": "studies.study",
    "submission": "prediction.submission",
    "test": "scoring.score_run",
    "train": "training.run",
    "view": "reading.view",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
