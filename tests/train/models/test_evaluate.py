"""Batch norm is measured as documented, and leaves training as it was."""

from __future__ import annotations

import numpy as np
import torch
from support.runs import ALONE, SMALL
from torch import nn

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs.prepare import NetworkInputs, measure_normalisation
from hmstrain.data.loader import Request, make_loader
from hmstrain.data.rows import norm_rows, training_rows
from hmstrain.models.evaluate import Evaluator, loader_batch
from hmstrain.models.network import make_network

CPU = torch.device("cpu")


def test_batch_norm_is_measured_on_clean_windows_in_large_batches(store: Store) -> None:
    config = Config(**(SMALL | {"norm_windows": 20, "batch_size": 4, "drop_rate": 0.5}))
    rows = norm_rows(config, store, training_rows(config, store, 0, 1))
    assert len(rows) == 20
    assert len(norm_rows(Config(), store, rows)) == 0
    normalisation = measure_normalisation(config, store, rows, CPU)
    prepare = NetworkInputs(config, normalisation, store, CPU)
    loader = make_loader(
        store, ("spectrogram",), loader_batch(config, store, ALONE), CPU, resident=False, threads=1
    )
    network = make_network(config).train()
    before = {name: value.clone() for name, value in network.named_parameters()}
    try:
        Evaluator(config, prepare, loader, ALONE).measure_norms(network, rows)
        ((_, loaded),) = loader.load([Request(rows)])
        batch = {name: value.clone() for name, value in loaded.items()}
    finally:
        loader.close()
    first, second = (m for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert network.training
    assert first.training
    assert first.momentum == second.momentum == 0.1
    seen: list[torch.Tensor] = []
    second.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.eval()
    with torch.no_grad():
        network(**prepare(batch, None))
    np.testing.assert_allclose(second.running_mean, seen[0].mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(second.running_var, seen[0].var((0, 2, 3)), rtol=1e-3)
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name])
