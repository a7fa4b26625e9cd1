"""Pretraining reads no votes and nobody's test EEG, and what starts from it starts from it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.inside import Inside
from support.runs import SMALL, Stopped, train_small
from support.watched import Watched

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.data.rows import pairs_alike, training_rows
from hmstrain.data.unlabelled import unlabelled
from hmstrain.errors import ConfigError, DataError, ModelError, RunError
from hmstrain.models.network import make_network
from hmstrain.models.weights import find_weights
from hmstrain.runs.checkpoint import read_description
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.log import read_metrics
from hmstrain.runs.trained import load_trained
from hmstrain.scoring.seen import seen_before
from hmstrain.training.losses import infonce

QUICK: dict[str, Any] = {
    "inputs": "spec+eeg", "epochs": 1, "eeg_seconds": 4.0, "spectrogram_rows": (138, 162),
    "projection_size": 16,
}  # fmt: skip
PRE: dict[str, Any] = QUICK | {"pretraining": True}


@pytest.fixture(scope="module")
def pre(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretraining of a pass over the training windows."""
    path = tmp_path_factory.mktemp("pre") / "run"
    train_small(store, path, **PRE)
    return path


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "best" / "model.safetensors")


def test_votes_are_not_read_and_patients_held_out_not_trained_on(
    store: Store, pre: Path, tmp_path: Path
) -> None:
    watched = Watched.watch(store.path, blind=True)
    train_small(watched, tmp_path / "run", **PRE)
    for name, value in weights_of(pre).items():
        torch.testing.assert_close(weights_of(tmp_path / "run")[name], value, rtol=0, atol=0)
    assert watched.seen_patients.isdisjoint(watched.patients("test"))
    chosen = unlabelled(Config(**(SMALL | PRE)), store, 0)
    patients = store.windows["patient_id"]
    assert set(patients[chosen.held_out].tolist()) == watched.patients("valid", 0)
    assert set(patients[chosen.training].tolist()) == watched.patients("train", 0)


def test_windows_that_are_not_labelled_are_trained_on_and_a_tenth_of_their_patients_held_out(
    store: Store,
) -> None:
    watched = Watched.watch(store.path, blind=True, unlabelled=True)
    assert len(watched.select("predict")) == len(watched)
    chosen = unlabelled(Config(**(SMALL | PRE)), watched, None)
    assert sorted(np.concatenate(chosen)) == list(range(len(watched)))
    patients = watched.windows["patient_id"]
    assert set(patients[chosen.training]).isdisjoint(patients[chosen.held_out])
    held = np.unique(patients[chosen.held_out])
    assert len(held) == max(1, round(0.1 * len(np.unique(patients))))
    other = unlabelled(Config(**(SMALL | PRE | {"seed": 1})), watched, None)
    assert set(held) != set(patients[other.held_out])


def test_a_store_without_any_votes_is_pretrained_on(store: Store, tmp_path: Path) -> None:
    watched = Watched.watch(store.path, blind=True, unlabelled=True)
    outcome = train_small(watched, tmp_path / "run", **(PRE | {"steps": 2}))
    assert outcome.alignment is not None
    known = read_description(tmp_path / "run" / "best")["patients"]
    assert known == sorted(set(watched.windows["patient_id"].tolist()))


@pytest.mark.parametrize("best_by", ["auto", "last"])
def test_of_one_held_out_patient_the_latest_checkpoint_is_kept_and_that_is_said(
    store: Store, tmp_path: Path, best_by: str
) -> None:
    told: list[str] = []
    few = {"steps": 4, "validate_every": 2}
    outcome = hmstrain.train(
        Watched.watch(store.path, blind=True, unlabelled=True),
        out=tmp_path / "run",
        events=lambda event, values: told.append(values["text"]) if event == "notice" else None,
        **(SMALL | PRE | few | {"best_by": best_by}),
    )
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl", "valid")
    assert len({line["step"] for line in lines}) > 1
    assert (outcome.best_by, outcome.best_step) == ("last", outcome.steps)
    why = "nly one patient is held out, so there are no negatives"
    assert outcome.kept.endswith(f"the latest: o{why}.")
    assert (f"O{why}: the latest checkpoint is kept." in told) == (best_by == "auto")


def test_of_several_held_out_patients_the_latest_checkpoint_is_kept_as_asked(
    store: Store, tmp_path: Path
) -> None:
    outcome = train_small(store, tmp_path / "run", best_by="last", **(PRE | {"steps": 4}))
    assert outcome.held_out == held_out(store)
    assert outcome.kept.endswith("the latest, as best_by=last asks.")


def test_windows_of_one_patient_are_refused_and_of_mostly_one_warned_of(store: Store) -> None:
    config = Config(**(SMALL | PRE))
    chosen = training_rows(config, store, 0, 1)
    patients = store.windows["patient_id"][chosen]
    every = len(np.unique(patients))
    with pytest.raises(DataError, match=r"windows of one patient to pretrain on: .* two or more"):
        training_rows(replace(config, fraction=1 / every), store, 0, 1)
    assert pairs_alike(config, store, chosen) == []
    first, second = (chosen[patients == one] for one in np.unique(patients)[:2])
    mostly = np.append(np.repeat(first[:1], 9), second[:1])
    (said,) = pairs_alike(config, store, mostly)
    assert said.startswith("82% of the pairs")
    assert pairs_alike(replace(config, sample="eeg"), store, mostly) == []
    votes = Config(**(SMALL | QUICK))
    assert pairs_alike(votes, store, mostly) == []
    assert pairs_alike(replace(votes, contrastive=True), store, mostly) == [said]


def test_a_share_of_the_patients_is_pretrained_on(store: Store) -> None:
    few = Config(**(SMALL | PRE | {"fraction": 0.3}))
    patients = store.windows["patient_id"]
    every = np.unique(patients[training_rows(replace(few, fraction=1.0), store, 0, 1)])
    some = np.unique(patients[training_rows(few, store, 0, 1)])
    assert len(some) == round(0.3 * len(every))


def held_out(store: Store) -> int:
    """Patients of the fold that is held out."""
    return len(np.unique(store.windows["patient_id"][store.select("valid", fold=0)]))


def test_what_is_logged_is_retrieval_among_held_out_patients_beside_chance(
    store: Store, pre: Path
) -> None:
    held = held_out(store)
    for line in read_metrics(pre / "metrics.jsonl", "valid"):
        assert line["patients"] == held
        assert line["chance"] == pytest.approx(1 / held)
        assert 0 <= line["retrieval_at_1"] <= 1
        assert "kl_votes" not in line
    outcome = RunFolder(pre).outcome()
    assert outcome.best_by == "infonce"
    assert outcome.test is None
    assert outcome.alignment is not None
    last = read_metrics(pre / "metrics.jsonl", "valid")[-1]
    best = next(
        line
        for line in read_metrics(pre / "metrics.jsonl", "valid")
        if line["step"] == outcome.best_step
    )
    assert outcome.alignment.retrieval_at_1 == pytest.approx(best["retrieval_at_1"])
    assert outcome.best_value == best["infonce"] <= last["infonce"]
    assert "infonce" in outcome.kept


def test_the_temperature_is_learned_and_the_head_is_not(store: Store, pre: Path) -> None:
    torch.manual_seed(0)
    begun = make_network(Config(**(SMALL | PRE)))
    done = weights_of(pre)
    assert done["log_temperature"] != begun.state_dict()["log_temperature"]
    assert float(begun.state_dict()["log_temperature"].exp()) == pytest.approx(0.1)
    torch.testing.assert_close(done["head.weight"], begun.state_dict()["head.weight"])
    logged = [line["temperature"] for line in read_metrics(pre / "metrics.jsonl", "train")]
    assert logged[-1] != pytest.approx(0.1, abs=1e-6)


def test_infonce_is_the_cross_entropy_among_windows_of_other_patients() -> None:
    rng = np.random.default_rng(0)
    spectrogram, eeg = rng.normal(size=(2, 5, 3))
    patients = [7, 7, 8, 9, 9]
    temperature = 0.3
    similar = spectrogram @ eeg.T / temperature
    terms = []
    for i in range(5):
        for row in (similar[i], similar[:, i]):
            others = [j for j in range(5) if patients[j] != patients[i] or j == i]
            terms.append(np.log(np.exp(row[others]).sum()) - row[i])
    found = infonce(
        torch.from_numpy(spectrogram),
        torch.from_numpy(eeg),
        torch.tensor(patients)[:, None],
        temperature,
    )
    assert float(found) == pytest.approx(np.mean(terms))


def test_a_pretraining_that_was_stopped_resumes_to_the_same_weights(
    store: Store, pre: Path, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        train_small(store, tmp_path / "run", stop_at=4, **PRE)
    outcome = train_small(store, tmp_path / "run", resume=True, **PRE)
    for name, value in weights_of(pre).items():
        torch.testing.assert_close(weights_of(tmp_path / "run")[name], value, rtol=0, atol=0)
    assert outcome.alignment == RunFolder(pre).outcome().alignment


@pytest.mark.parametrize("inputs", ["spec+eeg", "eeg", "spec"])
def test_a_run_starts_from_the_encoders_of_a_pretraining(pre: Path, inputs: str) -> None:
    config = Config(**(SMALL | QUICK | {"inputs": inputs, "weights": str(pre)}))
    network = make_network(config)
    there = weights_of(pre)
    ours = {k: v for k, v in network.state_dict().items() if k.startswith("trunks.")}
    assert ours
    for name, value in ours.items():
        torch.testing.assert_close(value, there[name])
    assert not network.loaded
    assert "log_temperature" not in network.state_dict()


def test_a_run_keeps_what_its_encoders_were_standardised_with(
    store: Store, pre: Path, tmp_path: Path
) -> None:
    few = {"fraction": 0.3, "steps": 1, "weights": str(pre)}
    train_small(store, tmp_path / "run", **(QUICK | few))
    theirs, ours = (read_description(run / "best") for run in (pre, tmp_path / "run"))
    assert ours["normalisation"] == theirs["normalisation"]
    # What it is scored on is known to have been seen by its pretraining.
    rows = store.select("train", fold=0)
    assert seen_before([ours], store, rows).trained.windows == len(rows)
    assert ours["pretrained"]["identity"] == store.identity
    shutil.rmtree(tmp_path / "run" / "last")
    assert seen_before([ours], store, store.select("test")).trained.windows == 0


def test_a_started_run_resumes_without_the_pretraining(
    store: Store, pre: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    shutil.copytree(pre, gone)
    settings = QUICK | {"weights": str(gone), "inputs": "spec"}
    with pytest.raises(Stopped):
        train_small(store, tmp_path / "run", stop_at=4, **settings)
    shutil.rmtree(gone)
    train_small(store, tmp_path / "run", resume=True, **settings)
    assert "pretrained" in read_description(tmp_path / "run" / "best")


def test_a_run_that_holds_out_whom_its_pretraining_saw_is_refused(
    store: Store, pre: Path, tmp_path: Path
) -> None:
    for fold in ("1", "all"):
        with pytest.raises(DataError, match="Train both with the same --fold"):
            train_small(store, tmp_path / fold, **(QUICK | {"weights": str(pre), "fold": fold}))
        assert not (tmp_path / fold).exists()


def test_of_a_pretraining_of_all_folds_the_network_of_the_same_fold_is_taken(
    store: Store, tmp_path: Path
) -> None:
    settings = PRE | {"fold": "all", "steps": 1, "validate_every": 100}
    outcome = train_small(store, tmp_path / "pre", **settings)
    assert outcome.scores is None
    for fold in range(store.folds):
        found = find_weights(tmp_path / "pre", str(fold), 0)
        assert found == tmp_path / "pre" / f"fold{fold}" / "best" / "model.safetensors"
    run = QUICK | {"weights": str(tmp_path / "pre"), "inputs": "spec", "steps": 1, "fold": "3"}
    train_small(store, tmp_path / "run", **run)
    for name in ("seed1", "fold0-seed1"):
        shutil.copytree(tmp_path / "pre" / "fold0", tmp_path / name / name)
        chosen = find_weights(tmp_path / name, "0", 1)
        assert chosen == tmp_path / name / name / "best" / "model.safetensors"
    with pytest.raises(ModelError, match="fold0, fold1, fold2, fold3, fold4, and nothing for"):
        find_weights(tmp_path / "pre", "9", 0)


def test_encoders_that_do_not_fit_are_refused(pre: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no encoder of eeg_raw_BPT"):
        make_network(Config(**(SMALL | {"model": "resnet1d", "weights": str(pre)})))
    with pytest.raises(ModelError, match="does not fit the model"):
        make_network(Config(**(SMALL | {"model": "resnet10t", "weights": str(pre)})))
    with pytest.raises(ModelError, match="a folder without the checkpoint of a run"):
        make_network(Config(**(SMALL | {"weights": str(tmp_path)})))


def test_a_run_that_sees_another_part_of_a_window_is_told(
    store: Store, pre: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    settings = SMALL | QUICK | {"eeg_seconds": 6.0, "weights": str(pre), "steps": 1}
    hmstrain.train(
        store,
        out=tmp_path / "run",
        events=lambda event, values: told.append(values["text"]) if event == "notice" else None,
        **settings,
    )
    assert any("eeg_seconds 4.0, here 6.0" in text for text in told)


def test_a_pretraining_gives_no_probabilities(store: Store, pre: Path, tmp_path: Path) -> None:
    for use in (
        lambda: hmstrain.test(pre, store=store, device="cpu"),
        lambda: hmstrain.bundle(pre, tmp_path / "bundle"),
        lambda: load_trained(RunFolder(pre), torch.device("cpu")),
        lambda: hmstrain.compare([pre]),
    ):
        with pytest.raises(RunError, match=r"gives no probabilities: .* by --weights"):
            use()
    page = hmstrain.report(pre, store=store).read_text()
    assert "retrieves its EEG" in page


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"inputs": "spec"}, "needs --inputs spec.eeg"),
        ({"batch_size": 1}, "at least 2"),
        ({"sample": "votes"}, "looks at no votes"),
        ({"vote_weight": "log"}, "vote_weight does nothing with pretraining"),
        ({"second_epochs": 1}, "second_epochs does nothing"),
        ({"best_by": "kl_hi"}, "auto or last"),
        ({"fold": "rotate"}, "rotate"),
    ],
)
def test_settings_that_make_no_sense_without_votes_are_refused(
    settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Config(**(SMALL | PRE | settings))


def test_the_command_says_how_often_partners_are_found(store: Store, tmp_path: Path) -> None:
    command = Inside("hmstrain")
    words = [
        *("--model", "naive_cnn", "--image-size", 32, "--batch-size", 8, "--steps", 2),
        *("--set", "eeg_seconds=4", "--set", "spectrogram_rows=138,162", "--device", "cpu"),
    ]
    done = command.succeed("pretrain", store.path, *words, "--out", tmp_path / "pre")
    assert "retrieval@1" in done.stdout
    assert f"chance {1 / held_out(store):.1%}" in done.stdout
    assert f"--weights {tmp_path / 'pre'}" in done.stderr
    assert "infonce" in done.stderr
    config = json.loads((tmp_path / "pre" / "config.json").read_text())["config"]
    assert (config["inputs"], config["pretraining"]) == ("spec+eeg", True)
    listed = command.succeed("--help").stdout
    assert "pretrain" in listed
