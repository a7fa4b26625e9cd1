"""The on-disk format of hms-eeg, read with NumPy alone: open a store, select rows, gather windows.

>>> import hmsstore
>>> store = hmsstore.Store.open("hms.zarr")  # doctest: +SKIP
>>> batch = store.gather(store.select(split="train")[:32])  # doctest: +SKIP

::

    errors.py       what can go wrong with a store, as one small tree of exceptions
    plain/          text from files -> text that a terminal shows, a spreadsheet keeps, as text
    json_shapes.py  a JSON file -> the texts, numbers, lists and objects that it should hold
    spec/           what a data set consists of: classes, signals, electrodes, judged seconds
    schema.py       the words and columns of the format
    montage.py      electrodes and regions -> pairs, sides, mirror images, places on the head
    windows.py      table of windows -> typical windows, and patients that leak
    atomic.py       a path and a block that writes it -> the whole new file or folder, or the old
    sums.py         files and JSON objects <-> their SHA-256, which tells whether they changed
    recordings.py   recordings.json <-> which recording each imported EEG file comes from
    labels/         marks that readers made in EEG <-> their files, each change whole and at once
    manifest.py     every file with its size and checksum <-> the seal, MANIFEST.json
    reading/        path -> mapped files; rows and a shift -> where to read
    reader.py       a sealed store -> windows as NumPy arrays: `Store`
    view/           windows -> pictures as a doctor reads them, and pages
    mne_raw.py      a recording of a store -> MNE's own object
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmsstore.errors import (
        DamagedStoreError,
        LeakingStoreError,
        NewerStoreError,
        NotAStoreError,
        RequestError,
        SpecError,
        StoreError,
        UnsealedStoreError,
        ViewError,
    )
    from hmsstore.reader import Store
    from hmsstore.reading.feature_table import FeatureTable
    from hmsstore.schema import (
        CHAINS,
        CHANNELS,
        CLASSES,
        FEATURES,
        FORMAT_VERSION,
        FREQUENCIES_HZ,
        REGIONS,
        SIGNALS,
        SPLITS,
    )
    from hmsstore.spec import HMS, PatternClass, Signal, Spec
    from hmsstore.windows import most_overlapping

__version__ = "0.1.0"

__all__ = [
    "CHAINS",
    "CHANNELS",
    "CLASSES",
    "FEATURES",
    "FORMAT_VERSION",
    "FREQUENCIES_HZ",
    "HMS",
    "REGIONS",
    "SIGNALS",
    "SPLITS",
    "DamagedStoreError",
    "FeatureTable",
    "LeakingStoreError",
    "NewerStoreError",
    "NotAStoreError",
    "PatternClass",
    "RequestError",
    "Signal",
    "Spec",
    "SpecError",
    "Store",
    "StoreError",
    "UnsealedStoreError",
    "ViewError",
    "most_overlapping",
]

_MODULES = {
    "errors": (
        "DamagedStoreError",
        "LeakingStoreError",
        "NewerStoreError",
        "NotAStoreError",
        "RequestError",
        "SpecError",
        "StoreError",
        "UnsealedStoreError",
        "ViewError",
    ),
    "reader": ("Store",),
    "reading.feature_table": ("FeatureTable",),
    "schema": (
        "CHAINS",
        "CHANNELS",
        "CLASSES",
        "FEATURES",
        "FORMAT_VERSION",
        "FREQUENCIES_HZ",
        "REGIONS",
        "SIGNALS",
        "SPLITS",
    ),
    "spec": (
        "HMS",
        "PatternClass",
        "Signal",
        "Spec",
    ),
    "windows": ("most_overlapping",),
}
_HOME = {name: f"hmsstore.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that command lines start without NumPy."""
    if name not in _HOME:
        raise AttributeError(f"module 'hmsstore' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
