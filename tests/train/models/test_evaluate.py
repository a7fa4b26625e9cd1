"""Batch norm is measured as documented, and leaves training as it was; subnormals are flushed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from support.runs import ALONE, SMALL
from torch import nn

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.inputs.prepare import NetworkInputs, measure_normalisation
from hmstrain.data.loader import Request, make_loader
from hmstrain.data.rows import norm_rows, training_rows
from hmstrain.distributed import flushing_subnormals, start_flushing_threads
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


def subnormal_is_kept() -> bool:
    tiny = torch.tensor([1e-20])
    return bool((tiny * tiny).item())


def test_activations_below_the_smallest_normal_number_are_flushed_and_nothing_else_is(
    store: Store,
) -> None:
    """`support.nets:faint` answers by such numbers alone: flushed, by nothing."""
    config = Config(**(SMALL | {"model": "support.nets:faint", "inputs": "spec"}))
    rows = store.select("test")[:4]
    prepare = NetworkInputs(config, measure_normalisation(config, store, rows, CPU), store, CPU)
    network = make_network(config, trust=True).eval()
    loader = make_loader(store, ("spectrogram",), 4, CPU, resident=False, threads=1)
    try:
        ((_, batch),) = loader.load([Request(rows)])
        with torch.no_grad():
            unflushed = network(**prepare(batch, None))[0]
        found, _ = Evaluator(config, prepare, loader, ALONE).predict(network, rows)
    finally:
        loader.close()
    torch.testing.assert_close(unflushed[0], torch.linspace(1, 6, 6), rtol=1e-2, atol=0)
    np.testing.assert_array_equal(found, np.full((4, 6), 1 / 6))
    assert subnormal_is_kept()


def test_flushing_ends_where_it_began_and_stays_where_it_was_on() -> None:
    with flushing_subnormals(CPU):
        assert not subnormal_is_kept()
        with flushing_subnormals(CPU):
            assert not subnormal_is_kept()
        assert not subnormal_is_kept()
    assert subnormal_is_kept()
    with flushing_subnormals(torch.device("cuda")):
        assert subnormal_is_kept()


@pytest.mark.parametrize("started", [True, False])
def test_threads_that_are_started_so_flush_all_their_lives(started: bool) -> None:
    """A thread of this process has threads of its own for its tensors."""

    def look() -> tuple[int, bool]:
        torch.set_num_threads(2)
        if started:
            start_flushing_threads()
        tiny = torch.full((1 << 20,), 1e-20)
        kept_at_first = bool((tiny[:100] * tiny[:100]).all())
        with flushing_subnormals(CPU):
            flushed = tiny * tiny == 0
        assert kept_at_first
        return torch.get_num_threads(), bool(flushed.all())

    before = torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() == (2, started)
    torch.set_num_threads(before)
