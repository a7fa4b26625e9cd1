"""Explanations of windows that were not recorded from end to end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.helpers import blank_outside, build_store, train_row, write_pair

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs.prepare import measure_normalisation
from hmstrain.errors import DataError
from hmstrain.models.network import make_network
from hmstrain.reporting.attribution import explain_window
from hmstrain.runs.outcome import StoreId
from hmstrain.runs.trained import Trained

CPU = torch.device("cpu")
WHOLE, EARLY, SILENT = range(3)


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A whole window, one whose last 15 s are missing, one whose judged seconds are."""
    folder = tmp_path_factory.mktemp("partial")
    names = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
    rows = [train_row(**dict.fromkeys(names, number + 1)) for number in range(3)]
    write_pair(folder / "data", rows)
    blank_outside(folder / "data", 2, 2, (0, 7000), (0, 250))
    blank_outside(folder / "data", 3, 3, (0, 4000), (0, 300))
    made = build_store(folder / "data", folder / "hms.zarr", split_by="all")
    assert made.windows["eeg_id"].tolist() == [1, 2, 3]
    return made


def untrained(store: Store, **settings: Any) -> Trained:
    config = Config(**settings)
    torch.manual_seed(0)
    network = make_network(config, start=False).eval()
    scale = measure_normalisation(config, store, np.asarray([WHOLE]), CPU)
    return Trained(config, scale, network, CPU, {}, StoreId.of(store))


def test_a_window_without_its_judged_seconds_has_no_explanation(partial: Store) -> None:
    trained = untrained(partial, model="resnet1d", inputs="raw", eeg_seconds=10)
    with pytest.raises(DataError, match=r"Row 2 of .* has no probability: more than 20% of its"):
        explain_window(trained, partial, SILENT)
    assert np.isfinite(explain_window(trained, partial, EARLY).probability).all()
