"""Kaggle's files -> one sealed store. Command line: `hmsprep --help`.

Every command is a function of this package, with most of its options as keyword arguments:

>>> import hmsprep
>>> store = hmsprep.build("hms.zip", "hms.zarr", workers=2)  # doctest: +SKIP

The functions print nothing, raise `PrepError` or `hmsstore.StoreError` for what a user can mend,
and log warnings and notes under 'hmsprep'. They are loaded when first used, so that importing this
package takes no time. Each part of the code imports only from those above it.

::

    errors.py        what a user can get wrong, as one small tree of exceptions
    words.py         numbers -> words with the right unit and number
    seeds.py         a seed, a stage and an item -> the random generator of just that
    processes/       tasks -> results, on worker processes or any executor; signals that stop them
    kaggle/          the competition's layout, read and written
    planning/        table and parameters -> which windows, which folds, what lies where
    building/        files and a plan -> a sealed store, killed and resumed at any point
    sealed/          a store -> what is wrong with it, what it holds, pictures; to S3 and back
    qeeg/            a store -> hand features of its windows, in a sealed table beside it
    likeness/        stores -> how alike their windows are, real beside simulated
    spectrograms/    EEG -> the competition's spectrogram
    importing/       recordings of other makers -> that layout
    labelling/       readers' marks -> votes of windows, agreement, what to look at again
    simulator/       nothing -> that layout, simulated
    inspection/      a data set -> numbers, findings, a page
    cli/             the command line, one file per verb
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmsprep.building.from_files import build, build_share, seal
    from hmsprep.building.sharing import ShareBuilt
    from hmsprep.errors import (
        BuildError,
        DataError,
        MissingFilesError,
        ParameterError,
        PrepError,
        TransferError,
        WorkerError,
    )
    from hmsprep.importing.convert import Imported, import_recordings
    from hmsprep.importing.listing import Listing, list_recordings
    from hmsprep.inspection.channels import Montage, montage
    from hmsprep.inspection.inspect import inspect
    from hmsprep.inspection.survey import Survey
    from hmsprep.kaggle.publish import Published, publish
    from hmsprep.labelling.merge import MergedVotes, votes
    from hmsprep.likeness.comparison import Realism
    from hmsprep.likeness.make import realism
    from hmsprep.planning.preview import Preview, plan
    from hmsprep.qeeg.make import FeaturePlan, features, plan_features
    from hmsprep.sealed.drawing import Drawn, show
    from hmsprep.sealed.summary import StoreSummary, info
    from hmsprep.sealed.transport.fetching import pull
    from hmsprep.sealed.transport.sending import Transferred, push
    from hmsprep.sealed.verification import verify
    from hmsprep.simulator.make import Simulated, synth
    from hmsprep.spectrograms.agreement import Agreement
    from hmsprep.spectrograms.check import check_spectrograms
    from hmsprep.spectrograms.files import spectrogram_file
    from hmsprep.spectrograms.multitaper import spectrogram

__all__ = [
    "Agreement",
    "BuildError",
    "DataError",
    "Drawn",
    "FeaturePlan",
    "Imported",
    "Listing",
    "MergedVotes",
    "MissingFilesError",
    "Montage",
    "ParameterError",
    "PrepError",
    "Preview",
    "Published",
    "Realism",
    "ShareBuilt",
    "Simulated",
    "StoreSummary",
    "Survey",
    "TransferError",
    "Transferred",
    "WorkerError",
    "build",
    "build_share",
    "check_spectrograms",
    "features",
    "import_recordings",
    "info",
    "inspect",
    "list_recordings",
    "montage",
    "plan",
    "plan_features",
    "publish",
    "pull",
    "push",
    "realism",
    "seal",
    "show",
    "spectrogram",
    "spectrogram_file",
    "synth",
    "verify",
    "votes",
]

_MODULES = {
    "building.from_files": ("build", "build_share", "seal"),
    "building.sharing": ("ShareBuilt",),
    "errors": (
        "BuildError",
        "DataError",
        "MissingFilesError",
        "ParameterError",
        "PrepError",
        "TransferError",
        "WorkerError",
    ),
    "importing.convert": ("Imported", "import_recordings"),
    "importing.listing": ("Listing", "list_recordings"),
    "inspection.channels": ("Montage", "montage"),
    "inspection.inspect": ("inspect",),
    "inspection.survey": ("Survey",),
    "kaggle.publish": ("Published", "publish"),
    "labelling.merge": ("MergedVotes", "votes"),
    "likeness.comparison": ("Realism",),
    "likeness.make": ("realism",),
    "planning.preview": ("Preview", "plan"),
    "qeeg.make": ("FeaturePlan", "features", "plan_features"),
    "sealed.drawing": ("Drawn", "show"),
    "sealed.summary": ("StoreSummary", "info"),
    "sealed.transport.fetching": ("pull",),
    "sealed.transport.sending": ("Transferred", "push"),
    "sealed.verification": ("verify",),
    "simulator.make": ("Simulated", "synth"),
    "spectrograms.agreement": ("Agreement",),
    "spectrograms.check": ("check_spectrograms",),
    "spectrograms.files": ("spectrogram_file",),
    "spectrograms.multitaper": ("spectrogram",),
}
_HOME = {name: f"hmsprep.{module}" for module, names in _MODULES.items() for name in names}

# A library is silent unless its user listens.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'hmsprep' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
