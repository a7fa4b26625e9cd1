"""The on-disk format of hms-eeg, read with NumPy alone: open a store, select rows, gather windows.

>>> import hmsstore
>>> store = hmsstore.Store.open("hms.zarr")  # doctest: +SKIP
>>> batch = store.gather(store.select(split="train")[:32])  # doctest: +SKIP
"""

from hmsstore.errors import (
    DamagedStoreError,
    LeakingStoreError,
    NotAStoreError,
    RequestError,
    SpecError,
    StoreError,
    UnsealedStoreError,
    ViewError,
)
from hmsstore.reader import Store
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
    "LeakingStoreError",
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
