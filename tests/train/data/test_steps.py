"""A step draws the same whatever went before, and however many processes share it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import plan_epochs
from hmstrain.data.steps import Step, steps
from hmstrain.distributed import World

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
DRAWN = Config(
    model="naive_cnn",
    inputs="spec+eeg",
    batch_size=7,
    swap=0.5,
    channel_dropout=0.3,
    context_dropout=0.4,
    mask=2,
    noise=0.1,
    mixup=0.4,
    mixup_p=0.7,
    boxes=3,
    random_bandpass=0.5,
    permute_chains=0.5,
    front_back=0.5,
    stretch=0.2,
    shift_s=2.0,
    sample="votes",
    vote_weight="log",
)


def taken(store: Store, config: Config, world: World = ALONE, first: int = 0) -> list[Step]:
    (epoch, *_) = plan_epochs(config, store)
    return list(steps(config, store, epoch, world, first))


def drawn_of(step: Step) -> dict[str, Any]:
    """What does not depend on how a batch is shared out, window by window."""
    found = {name: getattr(step.draws, f"{name}_B") for name in ("flip", "swap", "alone")}
    found |= {"kept": step.draws.kept_BP, "stripes": step.draws.stripes}
    found |= {name: getattr(step.draws, f"{name}_B") for name in ("chains", "front_back", "speed")}
    bands = step.draws.bands
    found |= {"low": bands.low_hz_B, "high": bands.high_hz_B, "pairs": bands.pairs_BP}
    return found | {"boxes": step.draws.boxes, "rows": step.rows, "shift": step.shift}


def test_draws_are_the_same_however_many_processes_share_a_batch(store: Store) -> None:
    whole = taken(store, DRAWN)
    parts = [taken(store, DRAWN, World(rank, 2, CPU)) for rank in range(2)]
    assert len(whole) == len(parts[0]) == len(parts[1]) > 2
    for alone, *both in zip(whole, *parts, strict=True):
        for rank, part in enumerate(both):
            assert part.number == alone.number
            np.testing.assert_array_equal(part.windows, alone.windows)
            for name, values in drawn_of(alone).items():
                np.testing.assert_array_equal(values[rank::2], drawn_of(part)[name], name)
            assert part.draws.mix == alone.draws.mix
        assert both[0].seed != both[1].seed
        assert both[0].draws.noise_seed != both[1].draws.noise_seed


def test_shares_of_a_batch_add_up_to_its_mean(store: Store) -> None:
    """Of seven windows, one process has four and the other three."""
    plain = replace(DRAWN, mixup=0.0, mixup_p=1.0)
    whole = taken(store, plain)[0]
    parts = [taken(store, plain, World(rank, 2, CPU))[0] for rank in range(2)]
    assert [len(part.rows) for part in parts] == [4, 3]
    means = [float(part.weight_B.mean()) * part.share for part in parts]
    assert np.mean(means) == pytest.approx(float(whole.weight_B.mean()) * whole.share)


def test_a_step_is_the_same_whichever_one_is_begun_with(store: Store) -> None:
    later = taken(store, DRAWN, first=2)
    assert later[0].number == 2
    for again, before in zip(later, taken(store, DRAWN)[2:], strict=True):
        for name, values in drawn_of(before).items():
            np.testing.assert_array_equal(values, drawn_of(again)[name], name)
        assert torch.equal(again.target, before.target)
        assert again.seed == before.seed
    one, other = taken(store, DRAWN)[:2]
    assert not torch.equal(one.draws.kept_BP, other.draws.kept_BP)


def test_targets_weights_and_patients_are_mixed_as_the_windows_are(store: Store) -> None:
    table = store.windows
    step = taken(store, DRAWN)[0]
    share, partner = step.draws.mix, step.draws.partner_B.numpy()
    target = table["target"][step.rows]
    np.testing.assert_allclose(step.target, share * target + (1 - share) * target[partner])
    patients = table["patient_id"][step.rows]
    np.testing.assert_array_equal(step.patient_BK, np.stack([patients, patients[partner]], axis=1))
    plain = taken(store, replace(DRAWN, mixup=0.0, mixup_p=1.0))[0]
    np.testing.assert_array_equal(plain.target, target)
    np.testing.assert_array_equal(plain.patient_BK, patients[:, None])
