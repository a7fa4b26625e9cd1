"""Packages that are not needed, for tests that compare with them or use them."""

from __future__ import annotations

import warnings
from typing import Any

import pytest


def braindecode_models() -> Any:
    """braindecode's models; skips the test where they cannot be imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        try:
            import braindecode.models
        except Exception as error:  # torchaudio refuses another CUDA than torch's as RuntimeError
            pytest.skip(f"braindecode cannot be imported: {error}")
    return braindecode.models
