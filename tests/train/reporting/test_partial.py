"""Explanations of windows that were not recorded from end to end."""

from __future__ import annotations

from dataclasses import replace
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
from hmstrain.reporting.attribution import as_importance, explain_window
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


@pytest.mark.parametrize(
    ("inputs", "model"),
    [
        ("raw", "resnet1d"),
        ("eeg-image", "naive_cnn"),
        ("mel16", "naive_cnn"),
        ("side-by-side", "naive_cnn"),
    ],
)
def test_no_evidence_lies_where_nothing_was_recorded_and_none_is_lost(
    partial: Store, inputs: str, model: str
) -> None:
    trained = untrained(partial, model=model, inputs=inputs, image_size=32)
    found = explain_window(trained, partial, EARLY)
    assert found.runs["eeg"] == (0, 7000)
    everywhere = np.random.default_rng(0).random(found.maps[inputs].shape, np.float32)
    found = replace(found, maps={inputs: everywhere})
    laid = as_importance(found, trained)
    before = as_importance(replace(found, runs={}), trained)
    recorded = len(laid.traces["LL" if "LL" in laid.traces else "Fp1-F7"]) * 7000 // 10_000
    assert sum(strip[recorded:].sum() for strip in before.traces.values()) > 0
    for label, strip in laid.traces.items():
        assert not strip[recorded:].any()
        assert strip.sum() == pytest.approx(before.traces[label].sum(), rel=1e-5)
    if inputs == "side-by-side":
        assert found.runs["spectrogram"] == (0, 250)
        assert before.spectrogram is not None
        assert laid.spectrogram is not None
        assert before.spectrogram[:, 250:].any()
        assert not laid.spectrogram[:, 250:].any()
        np.testing.assert_allclose(
            laid.spectrogram[:, 200:250],
            before.spectrogram[:, 200:250] + before.spectrogram[:, :249:-1],
            rtol=1e-5,
        )


def test_evidence_of_a_window_that_was_recorded_whole_stays_where_it_is(partial: Store) -> None:
    trained = untrained(partial, model="resnet1d", inputs="raw")
    found = explain_window(trained, partial, WHOLE, "gradients")
    assert found.runs == {}
