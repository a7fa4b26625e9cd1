"""The centre of a label stays at the seconds that were judged, however its window is moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.augment import draw
from hmstrain.data.centre import CENTRE, label_centres
from hmstrain.data.inputs.physical import Physical
from hmstrain.data.loader import MappedLoader, Request, ResidentLoader, stored_batch
from hmstrain.data.observed import run_key
from hmstrain.distributed import World

CPU = torch.device("cpu")
CALM = draw(Config(flip=0.0), 0, 3, World(0, 1, CPU))


def test_the_sample_at_a_moved_windows_centre_is_the_middle_one_of_before(store: Store) -> None:
    rows = np.arange(len(store))
    shift = np.random.default_rng(1).integers(-3000, 3000, len(rows))
    centre_B = label_centres(store, rows, shift)[CENTRE]
    before = store.gather(rows, "eeg")["eeg"]
    after = store.gather(rows, "eeg", shift=shift, clamp=True)["eeg"]
    moved = 0
    for window, (old, new, place) in enumerate(zip(before, after, centre_B, strict=True)):
        np.testing.assert_array_equal(new[place], old[5000])
        moved += place not in (5000, 5000 - shift[window])
    assert (centre_B != 5000).any()
    assert moved  # some had less room than they were to be moved by
    assert label_centres(store, rows, None) == {}


def test_both_loaders_give_the_centres_of_moved_windows_alone(store: Store) -> None:
    rows = np.arange(6)
    shift = np.asarray([0, 100, -100, 5000, -5000, 7])
    expected = label_centres(store, rows, shift)[CENTRE]
    for loader in (MappedLoader(store, ("eeg",), 6, CPU), ResidentLoader(store, ("eeg",), CPU)):
        (_, moved), (_, still) = loader.load([Request(rows, shift), Request(rows)])
        np.testing.assert_array_equal(moved[CENTRE].numpy(), expected)
        assert CENTRE not in still
        loader.close()


def test_a_centre_follows_the_part_that_is_used_and_time_as_it_is_turned(store: Store) -> None:
    batch = stored_batch(store, np.arange(3), ("eeg",), CPU)
    batch.pop(run_key("eeg"), None)
    turned = replace(CALM, flip_B=torch.tensor([True, False, True]))
    for config, middle in ((Config(), 5000), (Config(eeg_seconds=20.0), 2000)):
        physical = Physical(config, store, CPU)
        assert physical.windows(batch, None, ("eeg",)).centre_B.tolist() == [middle] * 3
        batch[CENTRE] = torch.tensor([4900, 5200, 5000])
        found = physical.windows(batch, turned, ("eeg",))
        assert found.centre_B.tolist() == [middle + 100, middle + 200, middle]
        for window in (0, 2):  # what lies there before and after the turn is the same
            flat = physical.windows(batch, CALM, ("eeg",))
            place, mirrored = int(flat.centre_B[window]), int(found.centre_B[window])
            assert torch.equal(
                flat.signals["eeg"][window, place : place + 9],
                found.signals["eeg"][window, mirrored - 9 : mirrored].flip(0),
            )
        del batch[CENTRE]


def test_a_centre_that_was_not_observed_moves_to_the_nearest_sample_that_was(
    store: Store,
) -> None:
    batch = stored_batch(store, np.arange(3), ("eeg",), CPU)
    batch[run_key("eeg")] = torch.tensor([[4000, 10_000], [0, 10_000], [0, 6000]])
    batch[CENTRE] = torch.tensor([3000, 3000, -50])
    physical = Physical(Config(), store, CPU)
    assert physical.windows(batch, None, ("eeg",)).centre_B.tolist() == [4000, 3000, 0]
    turned = replace(CALM, flip_B=torch.tensor([True, True, True]))
    assert physical.windows(batch, turned, ("eeg",)).centre_B.tolist() == [6000, 7000, 10_000]


def test_without_context_the_seconds_that_were_judged_are_left_of_a_moved_window(
    store: Store,
) -> None:
    signals = ("eeg", "spectrogram")
    batch = stored_batch(store, np.arange(3), signals, CPU)
    batch = {name: batch[name] for name in signals}
    physical = Physical(Config(context_dropout=0.5), store, CPU)
    draws = replace(CALM, alone_B=torch.tensor([True, True, False]))

    def runs() -> dict[str, list[list[int]]]:
        found = {name: physical.run(name, batch, draws) for name in signals}
        return {name: run.tolist() for name, run in found.items() if run is not None}

    whole = {"eeg": [0, 10_000], "spectrogram": [0, 300]}
    still = {"eeg": [4000, 6000], "spectrogram": [148, 152]}
    assert runs() == {name: [still[name], still[name], whole[name]] for name in signals}
    batch[CENTRE] = torch.tensor([3000, 5400, 1000])
    assert runs() == {
        "eeg": [[2000, 4000], [4400, 6400], whole["eeg"]],
        "spectrogram": [[143, 147], [149, 153], whole["spectrogram"]],
    }
    batch[CENTRE] = torch.tensor([-3000, 200, 1000])  # out of the window, and almost out of it
    assert runs()["eeg"] == [whole["eeg"], [0, 1200], whole["eeg"]]
