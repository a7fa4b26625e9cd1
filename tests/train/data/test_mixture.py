"""A run on several stores sees windows of all in their shares, and is judged by its own alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from support.helpers import build_store
from support.inside import Inside
from support.recorder import noise, write_edf
from support.runs import SMALL, Stopped, train_small

from hmsprep.importing.convert import import_recordings
from hmsprep.simulator.make import synth
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.centre import CENTRE
from hmstrain.data.inputs.physical import Physical
from hmstrain.data.loader import MappedLoader
from hmstrain.data.mixture import MixedLoader, Mixture, open_mixture
from hmstrain.data.observed import run_key
from hmstrain.data.rows import epoch_order, plan_epochs, training_rows
from hmstrain.data.steps import Step, steps
from hmstrain.data.unlabelled import unlabelled
from hmstrain.data.weights import row_weights
from hmstrain.distributed import World
from hmstrain.errors import ConfigError, DataError
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.scoring.seen import learned_from, seen_before

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
SIGNALS = ("eeg", "spectrogram")
PROGRAM = Inside("hmstrain")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of other patients, in other units."""
    folder = tmp_path_factory.mktemp("other")
    synth(folder / "data", windows=40, seed=9, fast=True)
    return build_store(folder / "data", folder / "other.zarr")


@pytest.fixture(scope="module")
def same_patients(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The run's own windows in units of their own, split in another way."""
    out = tmp_path_factory.mktemp("same") / "same.zarr"
    return build_store(data, out, normalise="none", seed=5)


def config_of(*others: tuple[Store, float], **settings: Any) -> Config:
    also = ",".join(f"{store.path}:{share}" for store, share in others)
    usual = {"model": "naive_cnn", "inputs": "spec+eeg", "batch_size": 8, "also": also}
    return Config(**(usual | settings))


def taken(
    config: Config, store: Store, world: World = ALONE, first: int = 0
) -> tuple[Mixture, list[Step]]:
    (epoch, *_) = plan_epochs(config, store)
    mixture = open_mixture(config, store)
    assert mixture is not None
    return mixture, list(steps(config, store, epoch, world, first, mixture=mixture))


def test_each_batch_has_each_stores_share_and_an_epoch_all_own_windows_once(
    store: Store, other: Store, same_patients: Store
) -> None:
    config = config_of((other, 0.25), (same_patients, 0.1))
    mixture, found = taken(config, store)
    edges = mixture.edges
    rows = np.stack([step.rows for step in found])
    for place, count in enumerate((5, 2, 1)):
        inside = (rows >= edges[place]) & (rows < edges[place + 1])
        assert (inside.sum(axis=1) == count).all()
    epoch = plan_epochs(config, store)[0]
    order = epoch_order(config, store, training_rows(config, store, 0, 1), 0)
    own = rows[rows < len(store)]
    np.testing.assert_array_equal(own, order[: len(own)])
    assert len(order) - len(own) < 5
    assert epoch.steps == len(found)
    drawn = rows[(rows >= edges[1]) & (rows < edges[2])] - edges[1]
    assert set(drawn) <= set(other.select("train"))
    assert len(set(drawn)) > 5
    assert not set(drawn) & set(other.select("test"))


def test_targets_weights_and_patients_are_those_of_each_windows_store(
    store: Store, other: Store
) -> None:
    config = config_of((other, 0.5), vote_weight="log")
    mixture, found = taken(config, store)
    assert len(mixture.others) == 1
    (epoch, *_) = plan_epochs(config, store)
    of_own = training_rows(config, store, epoch.fold, epoch.min_votes)
    of_other = mixture.rows(0, epoch.fold, epoch.min_votes)
    weights = [row_weights(config, store, of_own), row_weights(config, other, of_other)]
    assert all(float(one.std()) > 0.1 for one in weights)
    for step in found:
        for place, row in enumerate(step.rows):
            one, number = (store, row) if row < len(store) else (other, row - len(store))
            np.testing.assert_array_equal(step.target[place], one.windows["target"][number])
            assert step.patient_BK[place, 0] == one.windows["patient_id"][number]
            assert step.weight_B[place] == weights[int(one is other)][number]


def test_draws_are_the_same_from_any_step_on_and_however_many_processes_share_them(
    store: Store, other: Store
) -> None:
    config = config_of((other, 0.3), shift_s=2.0, accumulate=2)
    _, whole = taken(config, store)
    _, later = taken(config, store, first=2)
    parts = [taken(config, store, World(rank, 2, CPU))[1] for rank in range(2)]
    assert later[0].number == 2
    for again, before in zip(later, whole[-len(later) :], strict=True):
        np.testing.assert_array_equal(again.rows, before.rows)
    for alone, *both in zip(whole, *parts, strict=True):
        for rank, part in enumerate(both):
            np.testing.assert_array_equal(part.rows, alone.rows[rank::2])
            np.testing.assert_array_equal(part.shift, alone.shift[rank::2])
    assert sum(step.part for step in whole if step.number == 0) == pytest.approx(1)


def test_windows_of_all_stores_mean_the_same_microvolts_and_power(
    store: Store, other: Store, same_patients: Store
) -> None:
    """Whatever the units of their store; with what was observed, and where labels lie."""
    config = config_of((other, 0.25), (same_patients, 0.25), shift_s=4.0)
    mixture, found = taken(config, store)
    own = MappedLoader(store, SIGNALS, 8, CPU)
    loader = MixedLoader(mixture, own, SIGNALS, CPU)
    stores = (store, other, same_patients)
    physical = [Physical(config, one, CPU) for one in stores]
    seen = partial = 0
    for step, batch in loader.load(found[:4]):
        joined = physical[0].windows(batch, None, SIGNALS)
        for place, row in enumerate(step.rows):
            which = int(np.searchsorted(mixture.edges, row, side="right")) - 1
            one, number = stores[which], np.asarray([row - mixture.edges[which]])
            shift = step.shift[place : place + 1]
            gathered = one.gather(number, SIGNALS, shift=shift, clamp=True)
            alone = {name: torch.from_numpy(array) for name, array in gathered.items()}
            observed = one.observed(number, SIGNALS, shift=shift, clamp=True)
            for name in SIGNALS:
                run = torch.tensor([[observed[name].first[0], observed[name].stop[0]]])
                alone[run_key(name)] = run
                partial += int(run[0, 0] > 0 or run[0, 1] < alone[name].shape[1])
            expected = physical[which].windows(alone, None, SIGNALS)
            for name in SIGNALS:
                size = float(expected.signals[name].abs().max())
                torch.testing.assert_close(
                    joined.signals[name][place], expected.signals[name][0],
                    atol=2e-3 * size, rtol=2e-3,
                )  # fmt: skip
            assert CENTRE in batch
            seen += which > 0
    loader.close()
    own.close()
    assert seen == 16
    assert partial


def test_a_process_without_a_window_of_another_store_gets_its_own_alone(
    store: Store, other: Store
) -> None:
    config = config_of((other, 0.125))
    for rank, of_other in ((0, 0), (1, 1)):
        mixture, found = taken(config, store, World(rank, 2, CPU))
        own = MappedLoader(store, SIGNALS, 4, CPU)
        loader = MixedLoader(mixture, own, SIGNALS, CPU, processes=2)
        for step, batch in loader.load(found[:2]):
            assert int((step.rows >= len(store)).sum()) == of_other
            assert {len(values) for values in batch.values()} == {4}
        loader.close()
        own.close()


def test_patients_that_the_run_is_judged_by_give_no_window(
    store: Store, same_patients: Store
) -> None:
    config = config_of((same_patients, 0.5))
    mixture, found = taken(config, store)
    judged = np.concatenate([store.select("test"), store.select("valid", fold=0)])
    refused = set(store.windows["patient_id"][judged].tolist())
    assert refused & set(same_patients.windows["patient_id"].tolist())
    patients = {int(patient) for step in found for patient in step.patient_BK[:, 0]}
    assert not patients & refused
    (notice,) = mixture.notices(plan_epochs(config, store)[0])
    assert notice.startswith(f"4 of 8 windows in each batch are of {same_patients.path}")
    assert "left out: their patients have the numbers of test or held-out patients" in notice
    (known,) = mixture.patients(plan_epochs(config, store))
    assert not set(known.tolist()) & refused


def test_a_run_on_two_stores_is_judged_by_its_own_and_resumes_to_the_same_weights(
    store: Store, other: Store, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "also": f"{other.path}:0.25", "mixup": 0.4, "shift_s": 2.0, "inputs": "spec+eeg",
        "sample": "votes", "epochs": 1, "validate_every": 2, "start_at_prior": False,
    }  # fmt: skip
    outcome = train_small(store, tmp_path / "whole", **settings)
    assert outcome.store.identity == store.identity
    assert outcome.test is not None
    assert outcome.test.windows == len(store.select("test"))
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        train_small(store, path, stop_at=2, **settings)
    train_small(store, path, resume=True, **settings)
    ours, theirs = (
        load_file(folder / "last" / "model.safetensors") for folder in (path, tmp_path / "whole")
    )
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    alone = train_small(store, tmp_path / "alone", **(settings | {"also": ""}))
    assert alone.steps != outcome.steps  # an epoch is of own windows, of which a batch has fewer
    described = read_description(RunFolder(path).best)
    (known,) = described["also"]
    assert (known["path"], known["identity"]) == (str(other.path), other.identity)
    assert known["share"] == 0.25
    seen = seen_before([described], other, other.select("train"))
    assert seen.trained.windows == len(other.select("train"))
    assert seen_before([described], other, other.select("test")).trained.windows == 0


def test_whom_a_run_knows_from_other_stores_is_known_to_what_starts_from_it(
    store: Store, other: Store, tmp_path: Path
) -> None:
    train_small(store, tmp_path / "first", steps=1, also=f"{other.path}:0.25")
    for name, before in (("second", "first"), ("third", "second")):
        train_small(store, tmp_path / name, steps=1, weights=str(tmp_path / before))
    (of_other,) = read_description(tmp_path / "first" / "best")["also"]
    for name in ("second", "third"):
        described = read_description(tmp_path / name / "best")
        here, elsewhere = learned_from(described, other)
        assert here.tolist() == of_other["patients"]
        assert elsewhere.tolist() == described["patients"]
        with pytest.raises(DataError, match="Train both with the same --fold"):
            train_small(other, tmp_path / f"{name}-there", weights=str(tmp_path / name))


def test_a_pretraining_on_two_stores_without_folds_leaves_out_whom_it_is_judged_by(
    tmp_path: Path,
) -> None:
    files = [write_edf(tmp_path / f"{n}.edf", noise(60, seed=n)) for n in range(6)]
    made = []
    for name, some in (("own", files[:3]), ("other", files)):
        import_recordings(some, tmp_path / name)
        made.append(build_store(tmp_path / name, tmp_path / f"{name}.zarr"))
    own, other = made
    config = config_of((other, 0.5), pretraining=True)
    mixture = open_mixture(config, own)
    assert mixture is not None
    held = own.windows["patient_id"][unlabelled(config, own, None).held_out]
    there = unlabelled(config, other, None)
    assert np.isin(other.windows["patient_id"][there.training], held).any()  # by its own choice
    assert not np.isin(other.windows["patient_id"][mixture.rows(0, None, 1)], held).any()


def test_another_store_under_the_same_name_does_not_resume_a_run(
    store: Store, other: Store, same_patients: Store, tmp_path: Path
) -> None:
    link = tmp_path / "link.zarr"
    link.symlink_to(other.path)
    settings: dict[str, Any] = {"also": f"{link}:0.25", "validate_every": 2}
    with pytest.raises(Stopped):
        train_small(store, tmp_path / "run", stop_at=4, **settings)
    link.unlink()
    link.symlink_to(same_patients.path)
    with pytest.raises(DataError, match=r"is store .*, but the run started with store"):
        train_small(store, tmp_path / "run", resume=True, **settings)


def test_stores_that_do_not_fit_are_refused(
    store: Store, data: Path, other: Store, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="holds the same windows as"):
        open_mixture(config_of((store, 0.3)), store)
    clipped = build_store(data, tmp_path / "clipped.zarr", eeg_clip=500.0)
    with pytest.raises(DataError, match=r"cleaned differently .* eeg_clip 500"):
        open_mixture(config_of((clipped, 0.3)), store)
    assert open_mixture(config_of(), store) is None


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ("sim.zarr", "also must be stores with a share"),
        ("sim.zarr:much", "also must be stores with a share"),
        ("sim.zarr:1.5", "also must be stores with a share"),
        ("a.zarr:0.6,b.zarr:0.4", "less than 1 together"),
        ("a.zarr:0.2,a.zarr:0.3", "each once"),
        ("a.zarr:0.01", "is less than a window of a.zarr"),
        ("a.zarr:0.99", "leaves no window of the run's own store"),
    ],
)
def test_shares_that_make_no_batch_are_refused(also: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(also=also)


def test_other_stores_are_options_of_a_run() -> None:
    told = PROGRAM.succeed("run", "--dry-run", "--also", "a.zarr:0.2", "--also", "b.zarr:0.1")
    assert json.loads(told.stdout)["also"] == "a.zarr:0.2,b.zarr:0.1"
    assert replace(Config(), also="a.zarr:0.2").others == {"a.zarr": 0.2}
    assert SMALL["batch_size"] == 8
