"""Train, test and compare models of EEG patterns on a sealed store.

What can be called from Python is listed in `__all__` and loaded when it is first used::

    import hmstrain

    hmstrain.train("hms.zarr", model="resnet18", out="runs/first")
    hmstrain.predict("runs/first", "night.edf", out="night")

Its folders and files, in the data's order::

    cli/          one file for each command
    config        options, file and words -> one configuration
    settings      one setting: its meaning, range and default
    events        what long work tells its caller
    data/         store -> rows of an epoch -> batches -> what a network sees
    models/       configuration -> network; network and batch -> probabilities
    training/     configuration and store -> a trained network in its run
    runs/         a run's folder, written and read again
    scoring/      predictions -> scores; a run on another store
    prediction/   runs and anyone's EEG -> tables, a timeline, a submission, a bundle
    reporting/    pages of a run, the study, attribution, the page to browse
    distributed   one process or several
    seeds         the random streams of a run by name
    words         numbers as a person reads them
    errors        what a user can cause
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
    from hmstrain.prediction.submission import submission
    from hmstrain.reporting.browse.view import view
    from hmstrain.reporting.explain import explain
    from hmstrain.reporting.report import report
    from hmstrain.reporting.study import study
    from hmstrain.scoring.score_run import test
    from hmstrain.training.run import train

__all__ = [
    "Config",
    "TrainError",
    "WindowDataset",
    "bundle",
    "explain",
    "list_models",
    "list_settings",
    "predict",
    "report",
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
    "bundle": "prediction.bundle",
    "explain": "reporting.explain",
    "list_models": "models.catalogue",
    "list_settings": "config",
    "predict": "prediction.predict",
    "report": "reporting.report",
    "study": "reporting.study",
    "submission": "prediction.submission",
    "test": "scoring.score_run",
    "train": "training.run",
    "view": "reporting.browse.view",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
