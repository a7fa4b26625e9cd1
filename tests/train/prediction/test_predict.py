"""Predictions of stores, folders and recordings, by one network or many."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import time
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from support.edf_bytes import Signal
from support.edf_bytes import write as write_bytes
from support.helpers import build_store
from support.inside import Inside
from support.recorder import CONVENTIONS, noise, write_edf
from support.runs import train_small

import hmsprep
import hmstrain
from hmsprep.kaggle.write import write_eeg, write_spectrogram
from hmsprep.planning.choices import EEG_CLIP_UV
from hmsstore import CHANNELS, CLASSES, Store
from hmsstore.labels import LabelFile, Mark
from hmsstore.montage import PAIRS
from hmsstore.recordings import (
    IMPORT_OPTIONS,
    ImportedPiece,
    ImportedRecording,
    read_recordings,
)
from hmstrain.config import Config
from hmstrain.data.inputs.physical import inputs_of_electrodes
from hmstrain.distributed import World
from hmstrain.errors import RESEARCH_ONLY, ConfigError, DataError, RunError
from hmstrain.models.evaluate import softmax
from hmstrain.prediction.ensemble import (
    fit_weights,
    load_members,
    predict_rows,
)
from hmstrain.prediction.episodes import EpisodeRule
from hmstrain.prediction.leaving import write_annotations
from hmstrain.prediction.picture import draw_timeline
from hmstrain.prediction.source import open_or_build, result_names
from hmstrain.prediction.submission import read_order, write_submission
from hmstrain.prediction.tables import write_timeline
from hmstrain.prediction.timeline import Timeline, make_timeline
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import OUT_OF_FOLD, TESTED, read_file
from hmstrain.runs.trained import Views, load_trained
from hmstrain.scoring.blending import combine
from hmstrain.scoring.fitting import fit_mixture
from hmstrain.scoring.formulas import kl_rows

CPU = World(0, 1, torch.device("cpu"))
PROGRAM = Inside("hmstrain")


@pytest.fixture(scope="module")
def runs(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small finished runs: of one fold, of raw EEG, and of all folds by two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    settings: dict[str, dict[str, Any]] = {
        "one": {"inputs": "spec+eeg"},
        "raw": {"model": "resnet1d", "inputs": "eeg", "eeg_seconds": 10},
        "all": {"fold": "all", "epochs": 1},
        "again": {"fold": "all", "epochs": 1, "seed": 7},
        "unflipped": {"flip": 0.0},
    }
    # From random weights, since after so few steps others would answer alike whatever they see.
    usual = {"epochs": 1, "steps": 4, "start_at_prior": False}
    for name, chosen in settings.items():
        train_small(store, folder / name, **usual | chosen)
    return {name: folder / name for name in settings}


def predicted(paths: list[Path], store: Store, rows: Any, **how: Any) -> list[Any]:
    members = load_members([RunFolder(path) for path in paths], CPU)
    return predict_rows(members, store, np.asarray(rows), CPU, **how)


def test_a_runs_own_test_predictions_come_back(runs: dict[str, Path], store: Store) -> None:
    for name in ("one", "raw", "all"):
        saved = read_file(runs[name] / TESTED, store)
        (found,) = predicted([runs[name]], store, saved.rows)
        np.testing.assert_allclose(found, saved.prediction, atol=1e-5)


def test_swapped_windows_are_the_mirror_image(runs: dict[str, Path], store: Store) -> None:
    """Left and right change places in microvolts and power, whatever each one's statistics."""
    from hmsstore import CHANNELS
    from hmsstore.schema import FEATURES

    trained = load_trained(RunFolder(runs["one"]), CPU.device)
    plain, mirrored = (trained.inputs(store, mirror=mirror) for mirror in (False, True))
    batch = {name: torch.from_numpy(array) for name, array in store.gather([3]).items()}
    left, right = CHANNELS.index("T3"), CHANNELS.index("T4")
    before, after = (one.physical("eeg", batch["eeg"], None) for one in (plain, mirrored))
    torch.testing.assert_close(after[..., left], before[..., right])
    torch.testing.assert_close(after[..., CHANNELS.index("Cz")], before[..., CHANNELS.index("Cz")])
    ours, theirs = FEATURES.index("LL_0.59"), FEATURES.index("RL_0.59")
    mean, scale = map(torch.tensor, trained.normalisation.scales["spec"])
    one, other = (
        prepare(batch, None)["spectrogram_BHW"].transpose(1, 2) * scale + mean
        for prepare in (plain, mirrored)
    )
    torch.testing.assert_close(other[..., ours], one[..., theirs], atol=1e-4, rtol=1e-4)

    rows = [0, 1, 2]
    (single,), (both,) = (
        predicted([runs["one"]], store, rows, views=Views(swap)) for swap in (False, True)
    )
    stored = {name: torch.from_numpy(array) for name, array in store.gather(rows).items()}
    with torch.no_grad():
        logits = trained.network(**mirrored(stored, None))[0]
    expected = (single + softmax(logits.numpy())) / 2
    np.testing.assert_allclose(both, expected, atol=1e-5)


def test_reversed_windows_are_averaged_with_the_others_and_all_four_views(
    runs: dict[str, Path], store: Store
) -> None:
    trained = load_trained(RunFolder(runs["one"]), CPU.device)
    rows = [0, 1, 2]
    stored = {name: torch.from_numpy(array) for name, array in store.gather(rows).items()}
    alone = {}
    for mirror, reverse in product((False, True), repeat=2):
        prepared = trained.inputs(store, mirror=mirror, reverse=reverse)(stored, None)
        with torch.no_grad():
            alone[mirror, reverse] = softmax(trained.network(**prepared)[0].numpy())
    assert np.abs(alone[False, False] - alone[False, True]).max() > 1e-4
    told: list[tuple[int, int]] = []
    (both,) = predicted(
        [runs["one"]], store, rows, views=Views(reverse=True), progress=lambda *at: told.append(at)
    )
    assert told[-1] == (6, 6)
    np.testing.assert_allclose(both, (alone[False, False] + alone[False, True]) / 2, atol=1e-5)
    (four,) = predicted([runs["one"]], store, rows, views=Views(swap=True, reverse=True))
    np.testing.assert_allclose(four, np.mean(list(alone.values()), axis=0), atol=1e-5)


def test_a_run_that_never_saw_reversed_time_is_named(runs: dict[str, Path], store: Store) -> None:
    folders = [RunFolder(runs[name]) for name in ("one", "unflipped")]
    assert Views(swap=True).warnings(folders) == []
    (warning,) = Views(reverse=True).warnings(folders)
    assert warning.startswith(f"{runs['unflipped']} was trained without time reversal (flip=0)")


def test_averages_are_means_of_probabilities_or_of_their_logarithms() -> None:
    one = np.asarray([[0.5, 0.1, 0.1, 0.1, 0.1, 0.1]])
    other = np.asarray([[0.1, 0.5, 0.1, 0.1, 0.1, 0.1]])
    np.testing.assert_allclose(combine(np.stack([one, other]), "arithmetic")[0, :2], 0.3)
    geometric = combine(np.stack([one, other]), "geometric")
    assert geometric.sum() == pytest.approx(1)
    assert geometric[0, 0] / geometric[0, 2] == pytest.approx(np.sqrt(5))
    weighed = combine(np.stack([one, other]), "fitted", np.asarray([0.75, 0.25]))
    assert weighed[0, 0] == pytest.approx(0.4)
    zero = combine(np.stack([np.eye(6)[:1], other]), "geometric")
    assert np.isfinite(zero).all()


def test_fitted_weights_are_the_best_there_are() -> None:
    rng = np.random.default_rng(0)
    target = rng.dirichlet(np.ones(6), 400)
    good = 0.7 * target + 0.3 * rng.dirichlet(np.ones(6), 400)
    bad = rng.dirichlet(np.ones(6), 400)
    weights = fit_mixture(np.stack([good, bad]), target)
    shares = np.linspace(0, 1, 1001)
    divergence = [kl_rows(target, w * good + (1 - w) * bad).mean() for w in shares]
    assert weights[0] == pytest.approx(shares[np.argmin(divergence)], abs=2e-3)
    assert weights.sum() == pytest.approx(1)
    assert fit_mixture(np.stack([good, target]), target)[1] > 0.99


def test_weights_are_fitted_out_of_fold_and_refused_for_other_folds(
    runs: dict[str, Path], store: Store, data: Path, tmp_path: Path
) -> None:
    folders = [RunFolder(runs[name]) for name in ("all", "again")]
    weights = fit_weights(folders)
    saved = [read_file(folder.path / OUT_OF_FOLD, store) for folder in folders]
    table = store.windows
    groups = np.column_stack([table["eeg_id"], table["votes"]])[saved[0].rows]
    _, once = np.unique(groups, axis=0, return_index=True)
    target = table["target"][saved[0].rows[once]].astype(np.float64)

    def divergence(weight: float) -> float:
        mixed = weight * saved[0].prediction + (1 - weight) * saved[1].prediction
        return float(kl_rows(target, mixed[once]).mean())

    best = min(np.linspace(0, 1, 201), key=divergence)
    assert divergence(weights[0]) <= divergence(best) + 1e-6
    with pytest.raises(RunError, match="no out-of-fold predictions"):
        fit_weights([folders[0], RunFolder(runs["one"])])
    other = build_store(data, tmp_path / "other.zarr", seed=5)
    train_small(other, tmp_path / "foreign", fold="all", epochs=1, steps=2)
    with pytest.raises(RunError, match="their folds differ"):
        fit_weights([folders[0], RunFolder(tmp_path / "foreign")])


def test_runs_of_other_cleanings_do_not_mix(
    runs: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    other = build_store(data, tmp_path / "other.zarr", nan="mean")
    train_small(other, tmp_path / "foreign", epochs=1, steps=2)
    with pytest.raises(ConfigError, match=r"cleaned in different ways \(nan\)"):
        load_members([RunFolder(runs["one"]), RunFolder(tmp_path / "foreign")], CPU)
    with pytest.raises(DataError, match="cleaned differently"):
        predicted([runs["one"]], other, [0])


def as_test_pair(data: Path, out: Path, rows: list[int]) -> Path:
    """Write training windows as the competition writes test data: a file for each."""
    table = pl.read_csv(data / "train.csv")
    ids = []
    for signal in ("eeg", "spectrogram"):
        (out / f"test_{signal}s").mkdir(parents=True)
    for number, row in enumerate(rows):
        chosen = table.row(row, named=True)
        eeg = pl.read_parquet(data / "train_eegs" / f"{chosen['eeg_id']}.parquet").to_numpy()
        first = int(chosen["eeg_label_offset_seconds"] * 200)
        write_eeg(out / "test_eegs" / f"{number + 1}.parquet", eeg[first : first + 10_000].T)
        power = pl.read_parquet(
            data / "train_spectrograms" / f"{chosen['spectrogram_id']}.parquet"
        ).drop("time").to_numpy()  # fmt: skip
        first = int(chosen["spectrogram_label_offset_seconds"] // 2)
        import pyarrow as pa

        path = out / "test_spectrograms" / f"{number + 1}.parquet"
        write_spectrogram(path, power[first : first + 300], pa.int16())
        ids.append({"spectrogram_id": number + 1, "eeg_id": number + 1, "patient_id": 9})
    pl.DataFrame(ids).write_csv(out / "test.csv")
    return out


def test_a_training_window_written_as_a_test_pair_gets_the_same_prediction(
    runs: dict[str, Path], store: Store, data: Path, tmp_path: Path
) -> None:
    rows = [0, 17, 40]
    folder = as_test_pair(data, tmp_path / "test", rows)
    ids = pl.read_csv(data / "train.csv")["label_id"].to_numpy()[rows]
    places = [int(np.flatnonzero(store.windows["label_id"] == one)[0]) for one in ids]
    for name in ("one", "raw", "all"):
        (expected,) = predicted([runs[name]], store, places)
        out = tmp_path / f"{name}.csv"
        PROGRAM.succeed("submission", runs[name], folder, "--out", out)
        found = pl.read_csv(out)
        assert found["eeg_id"].to_list() == [1, 2, 3]
        np.testing.assert_allclose(found.drop("eeg_id").to_numpy(), expected, atol=5e-4)
        assert np.ptp(expected, axis=0).max() > 2.5e-3  # so that another window would be noticed


def test_a_submission_is_as_the_sample_has_it(
    runs: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    folder = as_test_pair(data, tmp_path / "test", [1, 2])
    header = "eeg_id," + ",".join(f"{name}_vote" for name in CLASSES)
    sample = folder / "sample_submission.csv"
    sample.write_text(f"{header}\n2{',0.1' * 6}\n1{',0.1' * 6}\n")
    out = tmp_path / "submission.csv"
    told = json.loads(
        PROGRAM.succeed(
            "submission", runs["one"], runs["raw"], folder, "--out", out,
            "--average", "geometric", "--swap", "--reverse", "--json",
        ).stdout
    )  # fmt: skip
    assert told["rows"] == 2
    assert (told["swap"], told["reverse"], told["warnings"]) == (True, True, [])
    assert [run["networks"] for run in told["runs"]] == [1, 1]
    lines = out.read_text().splitlines()
    assert lines[0] == header
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "1"]
    values = np.asarray([line.split(",")[1:] for line in lines[1:]], float)
    np.testing.assert_allclose(values.sum(axis=1), 1)
    shutil.make_archive(str(tmp_path / "zipped"), "zip", folder)
    PROGRAM.succeed("submission", runs["one"], tmp_path / "zipped.zip", "--out", out)
    assert [line.split(",")[0] for line in out.read_text().splitlines()[1:]] == ["2", "1"]
    sample.write_text(f"{header}\n2{',0.1' * 6}\n7{',0.1' * 6}\n")
    assert "the first that differs is 1" in PROGRAM.fail(
        "submission", runs["one"], folder, "--out", tmp_path / "no.csv"
    )
    sample.write_text("id,x\n1,2\n")
    assert "expected the columns eeg_id" in PROGRAM.fail(
        "submission", runs["one"], folder, "--out", tmp_path / "no.csv"
    )
    assert not (tmp_path / "no.csv").exists()
    assert "ends in .csv" in PROGRAM.fail(
        "submission", runs["one"], folder, "--out", tmp_path / "no"
    )


def test_several_windows_of_an_eeg_are_no_submission(store: Store, tmp_path: Path) -> None:
    flat = np.full((len(store), 6), 1 / 6)
    with pytest.raises(DataError, match="one row for each"):
        write_submission(tmp_path / "s.csv", store, flat)
    assert read_order(tmp_path) is None


def test_the_real_test_pair_makes_a_valid_submission(
    runs: dict[str, Path], real_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "submission.csv"
    PROGRAM.succeed("submission", runs["one"], real_data / "kaggle", "--out", out)
    found, sample = (
        pl.read_csv(path) for path in (out, real_data / "kaggle" / "sample_submission.csv")
    )
    assert found.columns == sample.columns
    assert found["eeg_id"].to_list() == sample["eeg_id"].to_list() == [3911565283]
    assert found.drop("eeg_id").sum_horizontal()[0] == pytest.approx(1)


def test_a_store_or_a_folder_is_predicted_window_by_window(
    runs: dict[str, Path], store: Store, data: Path, tmp_path: Path
) -> None:
    told = json.loads(
        PROGRAM.succeed(
            "predict", runs["all"], runs["again"], store.path, "--out", tmp_path / "a",
            "--average", "fitted", "--json",
        ).stdout
    )  # fmt: skip
    assert told["windows"] == len(store)
    assert told["store"] == store.identity
    assert told["notice"] == RESEARCH_ONLY
    assert "episode_rule" not in told
    assert sum(run["weight"] for run in told["runs"]) == pytest.approx(1, abs=1e-5)
    found = pl.read_csv(tmp_path / "a" / "predictions.csv")
    assert found["eeg_id"].to_list() == store.windows["eeg_id"].tolist()
    assert found["eeg_offset_s"].to_list() == store.windows["eeg_offset_s"].tolist()
    np.testing.assert_allclose(found.select(CLASSES).sum_horizontal().to_numpy(), 1, atol=1e-5)
    labelled = tmp_path / "data"
    labelled.mkdir()
    for path in data.glob("train*"):
        (labelled / path.name).symlink_to(path)
    done = PROGRAM.succeed("predict", runs["one"], labelled, "--out", tmp_path / "b")
    assert RESEARCH_ONLY in done.stderr
    (direct,) = predicted([runs["one"]], store, np.arange(len(store)))
    again = pl.read_csv(tmp_path / "b" / "predictions.csv").select(CLASSES).to_numpy()
    np.testing.assert_allclose(again, direct, atol=2e-3)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve minutes at 256 Hz with an annotation of its own and a flat electrode, C3."""
    folder = tmp_path_factory.mktemp("recording")
    eeg_uv = noise(720, 256.0)
    eeg_uv[CHANNELS.index("C3")] = 300
    return write_edf(
        folder / "night.edf", eeg_uv, 256.0, CONVENTIONS["tuh"],
        annotations=[edfio.EdfAnnotation(3.0, None, "eyes open")], starttime=time(22, 15, 1),
    )  # fmt: skip


def test_a_reader_is_compared_with_the_predictions_of_a_recording(
    runs: dict[str, Path], recording: Path, tmp_path: Path
) -> None:
    """What predict writes of a file is of the windows that an import of it has."""
    hmsprep.import_recordings([recording], tmp_path / "imported", stride=60)
    hmstrain.predict(runs["one"], recording, out=tmp_path / "out", stride_s=60)
    (imported,) = read_recordings(tmp_path / "imported")
    labels = LabelFile.open(tmp_path / "labels", "night.edf", imported.sha256, "AB")
    labels.add(Mark(0, 720, "lpd"))
    found = hmsprep.votes(
        tmp_path / "imported", tmp_path / "labels", tmp_path / "votes.csv",
        predictions=tmp_path / "out" / "predictions.csv",
    )  # fmt: skip
    told = pl.read_csv(tmp_path / "out" / "predictions.csv")
    assert found.voted == told.height
    assert found.model[0].windows == told.height
    assert found.model[0].confusion[1].tolist() == [
        (told["predicted"] == key).sum() for key in CLASSES
    ]
    summary = tmp_path / "out" / "predictions.json"
    summary.write_text(summary.read_text().replace(imported.sha256, "12" * 32))
    with pytest.raises(hmsprep.DataError, match=r"is of another night\.edf than .* got 12121212"):
        hmsprep.votes(
            tmp_path / "imported", tmp_path / "labels", tmp_path / "other.csv",
            predictions=tmp_path / "out" / "predictions.csv",
        )  # fmt: skip


def test_a_recording_gets_a_timeline(
    runs: dict[str, Path], recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rule = ["--threshold", 0.1, "--shortest", 0, "--smoothing", 0]
    words = ["predict", runs["one"], recording, "--out", out, "--stride", 20, *rule, "--json"]
    told = json.loads(PROGRAM.succeed(*words, "--time-of-day").stdout)
    assert told["windows"] == (720 - 50) // 20 + 1
    (one,) = told["recordings"]
    assert one["seconds"] == 720
    assert one["episode_rule"] == {"threshold": 0.1, "shortest_s": 0, "smoothing_s": 0}
    assert told["episode_rule"] == one["episode_rule"]
    with (out / "night.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert float(lines[0]["start_s"]) == 20
    assert float(lines[-1]["stop_s"]) == 20 + 20 * (len(lines) - 1) + 10
    for before, after in pairwise(lines):
        assert before["stop_s"] == after["start_s"]
    assert float(lines[0]["spectrogram_missing"]) > 0.4
    windows = pl.read_csv(out / "predictions.csv")
    np.testing.assert_allclose(
        [[float(line[name]) for name in CLASSES] for line in lines],
        windows.select(CLASSES).to_numpy(), atol=1e-6,
    )  # fmt: skip
    notes = edfio.read_edf(out / "night.annotations.edf").annotations
    assert RESEARCH_ONLY in notes[0].text
    assert len(notes) == one["episodes"] + 1
    over = windows.select(CLASSES).to_numpy() >= 0.1
    shares = one["share_of_windows_over_threshold"]
    np.testing.assert_allclose([shares[name] for name in CLASSES], over.mean(axis=0))
    told_of = [note.text for note in notes[1:]]
    assert told_of
    assert all(text.startswith("RESEARCH, model, p=0.") for text in told_of)
    assert all("; C3 flat or railed" in text for text in told_of)
    episodes = json.loads((out / "night.json").read_text())["episodes"]
    assert all(one["still"] == ["C3"] for one in episodes)
    with (out / one["events"]).open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert one["events"] == "night_events.tsv"
    assert {row["recordingDuration"] for row in rows} == {"720.000"}
    assert (out / "night.png").read_bytes().startswith(b"\x89PNG")
    html = (out / "night.html").read_text()
    assert html.count(RESEARCH_ONLY) == 1
    assert "://" not in html
    assert "eyes open" in html
    assert "22:15:04" in html
    described = json.loads((out / "night.json").read_text())
    assert described["file"] == "night.edf"
    (warning,) = described["warnings"]
    assert warning.startswith("night.edf: C3 flat")
    assert warning in told["warnings"]
    assert f'<p class="warning">{warning}</p>' in html
    assert described["sha256"] == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert "22:15" not in json.dumps(described)  # which would tell who was recorded


def test_what_was_built_for_it_is_gone_afterwards(
    runs: dict[str, Path], recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cleaning = load_trained(RunFolder(runs["one"]), CPU.device).normalisation.cleaning
    assert cleaning["eeg_clip"] == EEG_CLIP_UV
    with open_or_build(recording, cleaning, stride_s=60) as source:
        assert len(source.store) == 12
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())
    shutil.copy(recording, tmp_path / "bad.edf")
    with (tmp_path / "bad.edf").open("r+b") as file:
        file.truncate(50_000)
    with (
        pytest.raises(DataError, match="is truncated"),
        open_or_build(tmp_path / "bad.edf", cleaning),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["bad.edf"]


def test_without_what_building_takes_one_sentence_says_so(
    runs: dict[str, Path], recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmstrain.prediction.hmsprep.find_spec", lambda _: None)
    cleaning = load_trained(RunFolder(runs["one"]), CPU.device).normalisation.cleaning
    with (
        pytest.raises(RunError, match=r"pip install 'hms-eeg\[prep\]'"),
        open_or_build(recording, cleaning),
    ):
        pass


def test_what_an_import_can_be_told_reaches_it_through_a_prediction(
    runs: dict[str, Path], store: Store, tmp_path: Path
) -> None:
    """Signals named by number are found with --rename, under the very option that import has."""
    import typer.main

    import hmsprep.cli
    import hmstrain.cli

    helps = []
    for app, command in ((hmsprep.cli.app, "import"), (hmstrain.cli.app, "predict")):
        group: Any = typer.main.get_command(app)
        helps.append({o: p for p in group.commands[command].params for o in p.opts})
    for option in IMPORT_OPTIONS:
        one, other = (found[option.flag] for found in helps)
        assert (one.help, one.metavar, one.multiple) == (other.help, other.metavar, other.multiple)

    path = write_edf(tmp_path / "a.edf", noise(60), names=lambda n: f"ch {CHANNELS.index(n)}")
    said = PROGRAM.fail("predict", runs["one"], path, "--out", tmp_path / "no")
    assert "--rename" in said
    renames = [f"--rename=ch {number}={name}" for number, name in enumerate(CHANNELS)]
    PROGRAM.succeed("predict", runs["one"], path, *renames, "--out", tmp_path / "out")
    assert len(pl.read_csv(tmp_path / "out" / "a.csv")) == 2
    said = PROGRAM.fail("predict", runs["one"], store.path, *renames, "--out", tmp_path / "no")
    assert "--rename is for recordings" in said


@pytest.mark.parametrize(
    "words",
    [["--stride", 5], ["--threshold", 0.2], ["--shortest", 0], ["--smoothing", 0],
     ["--time-of-day"]],
)  # fmt: skip
def test_options_for_recordings_are_refused_for_a_store_or_a_data_set(
    runs: dict[str, Path], store: Store, tmp_path: Path, words: list[object]
) -> None:
    said = PROGRAM.fail("predict", runs["one"], store.path, *words, "--out", tmp_path / "no")
    assert f"{words[0]} is for recordings, and {store.path} is a store already" in said
    (tmp_path / "test.csv").touch()
    said = PROGRAM.fail("predict", runs["one"], tmp_path, *words, "--out", tmp_path / "no")
    assert said.rstrip().endswith("is a data set already: leave it out.")
    (tmp_path / "recordings.json").touch()
    said = PROGRAM.fail("predict", runs["one"], tmp_path, *words, "--out", tmp_path / "no")
    assert "already: leave it out, or predict the files that were imported." in said


def test_a_recording_that_cannot_be_predicted_costs_no_other(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    for part in ("p1", "p2"):
        (folder / part).mkdir(parents=True)
        write_edf(folder / part / "eeg.edf", noise(60))
    write_edf(folder / "p2" / "short.edf", noise(30))
    done = PROGRAM.run("predict", runs["one"], folder, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "short.edf was left out" in done.stderr
    assert "30 s long; expected at least one window" in done.stderr
    for part in ("p1", "p2"):
        assert len(pl.read_csv(tmp_path / "out" / part / "eeg.csv")) == 2
        assert (tmp_path / "out" / part / "eeg.html").is_file()
    summary = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [one["file"] for one in summary["refused"]] == ["short.edf"]
    copied = "p2/eeg.edf is a copy of p1/eeg.edf"
    assert [one.partition(",")[0] for one in summary["recordings"][1]["warnings"]] == [copied]
    assert summary["recordings"][0]["warnings"] == []
    assert not any("--patients" in one for one in summary["warnings"])  # which predict has not
    # the same folder of results is taken again
    (folder / "p2" / "short.edf").unlink()
    PROGRAM.succeed("predict", runs["one"], folder, "--out", tmp_path / "out")


def test_a_bipolar_recording_costs_no_other_where_a_run_needs_a_reference(
    data: Path, tmp_path: Path
) -> None:
    uv = noise(60)
    at = dict(zip(CHANNELS, uv, strict=True))
    (tmp_path / "in").mkdir()
    pairs, names = [at[a] - at[b] for a, b in PAIRS], [f"{a}-{b}" for a, b in PAIRS]
    bipolar = write_edf(tmp_path / "in" / "chb.edf", np.stack(pairs), channels=names)
    write_edf(tmp_path / "in" / "night.edf", uv)
    store = build_store(data, tmp_path / "s.zarr")
    with ThreadPoolExecutor(2) as pool:
        hmsprep.features(store, executor=pool)
    hmstrain.train(store, out=tmp_path / "run", model="features", model_args={"kind": "linear"})
    done = PROGRAM.run("predict", tmp_path / "run", tmp_path / "in", "--out", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    told = "chb.edf is bipolar: its electrodes share no reference, and the model features needs one"
    assert told in done.stderr
    assert len(pl.read_csv(tmp_path / "out" / "night.csv")) == 2
    assert len(pl.read_csv(tmp_path / "out" / "predictions.csv")) == 2
    assert not (tmp_path / "out" / "chb.csv").exists()
    summary = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [one["file"] for one in summary["refused"]] == ["chb.edf"]
    assert told in PROGRAM.fail("predict", tmp_path / "run", bipolar, "--out", tmp_path / "no")
    single = Config(model="braindecode:EEGNet", inputs="microvolts")
    assert inputs_of_electrodes(single) == ["microvolts"]
    assert inputs_of_electrodes(Config(model="naive_cnn", inputs="spec+eeg")) == []


def test_warnings_of_an_import_are_shown_once_at_a_terminal(tmp_path: Path) -> None:
    """By whoever predicts: the import, which shows its progress there, leaves them to it."""
    write_edf(tmp_path / "a.edf", noise(60)[:19], channels=CHANNELS[:19])
    code = "from hmstrain.prediction.hmsprep import run_hmsprep; import sys; sys.stderr.isatty = "
    code += "lambda: True; run_hmsprep(*sys.argv[2:], warnings=sys.argv[1] == 'True')"
    for shown in (True, False):
        words = ["import", tmp_path / "a.edf", tmp_path / str(shown)]
        done = subprocess.run(
            [sys.executable, "-c", code, str(shown), *map(str, words)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert ("a.edf has no EKG" in done.stderr) == shown
        assert "Importing" in done.stderr


def test_what_an_import_or_a_build_says_reaches_a_prediction(data: Path, tmp_path: Path) -> None:
    cleaning = {"eeg_clip": 1024.0, "ekg_clip": 32_000.0}
    offsets = 5_000.0 * (-1) ** np.arange(20)[:, None]
    shifted = bytes_of(tmp_path / "dc.edf", noise(60) + offsets)
    with open_or_build(shifted, cleaning) as source:
        assert source.recordings[0].highpass_hz == 0.1
        (told,) = source.warnings
        assert told.startswith("dc.edf was high-passed at 0.1 Hz")
    with (
        pytest.raises(DataError, match=r"beyond the clip.*--clipped"),
        open_or_build(shifted, cleaning, importing={"highpass": "none"}),
    ):
        pass
    importing = {"highpass": "none", "clipped": True}
    with open_or_build(shifted, cleaning, importing=importing) as source:
        assert any(told.startswith("dc.edf: 100% of Fp1") for told in source.warnings)
    file = next((data / "test_eegs").iterdir())
    railed = pl.read_parquet(file).with_columns(pl.lit(2_000.0, pl.Float32).alias("Fp1"))
    copied = shutil.copytree(data, tmp_path / "data")
    railed.write_parquet(copied / "test_eegs" / file.name)
    with open_or_build(copied, cleaning) as source:
        assert any(f"{file.stem}: Fp1 100%" in told for told in source.warnings), source.warnings


def bytes_of(path: Path, eeg_uv: NDArray[np.float64]) -> Path:
    """Write EEG in whole microvolts up to +-32 mV at 200 Hz."""
    signals = [
        Signal(name, np.rint(values).astype(int), 200, physical=("-32768", "32767"))
        for name, values in zip(CHANNELS, eeg_uv, strict=True)
    ]
    return write_bytes(path, signals)


def test_results_are_called_as_their_recordings_and_never_alike() -> None:
    files = [
        "a.edf", "a.bdf", "p/a.edf", "night.edf.gz", "predictions.edf", "x.y.EDF",
        "night.episodes.edf", "night_Events.bdf", "a.edf.edf",
    ]  # fmt: skip
    recordings = [ImportedRecording(file, 60.0, 1, (), (), (), ()) for file in files]
    assert result_names(recordings) == [
        "a.edf", "a.bdf", "p/a", "night", "predictions.edf", "x.y",
        "night.episodes.edf", "night_Events.bdf", "a.edf.edf",
    ]  # fmt: skip


def test_every_cleaning_reaches_hmsprep(data: Path, tmp_path: Path) -> None:
    for number, settings in enumerate(
        [
            {"nan": "mean", "eeg_clip": None, "ekg_clip": None, "spectrogram_clip": None},
            {"nan": "interpolate", "eeg_clip": 200.5, "bandpass": (0.5, 40.0),
             "spectrogram_clip": (0.1, 100.0)},
        ]
    ):  # fmt: skip
        store = build_store(data, tmp_path / f"{number}.zarr", **settings)
        train_small(store, tmp_path / f"run{number}", epochs=1, steps=1)
        done = PROGRAM.succeed(
            "predict", tmp_path / f"run{number}", data, "--out", tmp_path / f"out{number}"
        )
        assert "windows" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{one}", "{tmp}/nothing"], "Expected a store.*got nothing"),
        (["{one}", "{tmp}"], "expected files that end in .*found no file"),
        (["{tmp}/none", "{store}"], "holds no config.json"),
        (["{one}", "{store}", "--average", "median"], "There is no average 'median'"),
        (["{one}", "{raw}", "{store}", "--average", "fitted"], "no out-of-fold predictions"),
    ],
)
def test_what_cannot_be_predicted_is_told(
    runs: dict[str, Path], store: Store, tmp_path: Path, arguments: list[str], message: str
) -> None:
    import re

    words = [word.format(tmp=tmp_path, store=store.path, **runs) for word in arguments]
    told = PROGRAM.fail("predict", *words, "--out", tmp_path / "out")
    assert re.search(message, told), told
    assert not (tmp_path / "out").exists()


def test_nothing_else_than_earlier_predictions_is_replaced(
    runs: dict[str, Path], store: Store, recording: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(recording, work / "night.edf")
    (work / "night.csv").write_text("start_time,stop_time,label\n")
    told = PROGRAM.fail("predict", runs["one"], work, "--out", work)
    assert "holds something other than predictions" in told
    assert (work / "night.csv").read_text() == "start_time,stop_time,label\n"
    out = tmp_path / "twice"
    for _ in range(2):
        PROGRAM.succeed("predict", runs["one"], store.path, "--out", out)
    (tmp_path / "mine.csv").write_text("precious\n")
    told = PROGRAM.fail("submission", runs["one"], store.path, "--out", tmp_path / "mine.csv")
    assert "is not a submission" in told
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs["one"], unfinished)
    (unfinished / "metrics.json").unlink()
    told = PROGRAM.fail("predict", unfinished, store.path, "--out", tmp_path / "no")
    assert (
        f"is not finished: resume it with hmstrain run STORE --out {unfinished} --resume." in told
    )


def timeline(codes: list[int], step: float = 10.0) -> Timeline:
    """One window each `step` seconds, its class sure."""
    centre = 25 + step * np.arange(len(codes))
    prediction = 0.5 * np.eye(6)[codes] + 0.5 / 6
    whole = np.zeros(len(codes))
    return Timeline("x.edf", centre[-1] + 25, centre, prediction, whole, whole.copy())


def test_windows_of_pieces_come_in_the_recordings_order() -> None:
    pieces = (ImportedPiece(7, 0.0), ImportedPiece(3, 3000.0))
    recording = ImportedRecording("x", 4000.0, 1, (200.0,), (), (), pieces)
    windows = {
        "eeg_id": np.asarray([3, 7, 7, 9]), "eeg_offset_s": np.asarray([275.0, 10.0, 0.0, 5.0]),
        "spectrogram_nan_fraction": np.asarray([0, 0.5, 0.25, 0], np.float32),
        "eeg_nan_fraction": np.asarray([0.75, 0, 0, 0], np.float32),
    }  # fmt: skip
    prediction = np.eye(6)[[0, 1, 2, 3]]
    found = make_timeline(recording, windows, prediction)
    assert found.centre_s.tolist() == [25, 35, 3300]
    assert found.prediction.argmax(axis=1).tolist() == [2, 1, 0]
    assert found.missing.tolist() == [0.25, 0.5, 0]
    assert found.eeg_missing.tolist() == [0, 0, 0.75]


def test_where_there_is_no_probability_there_is_no_pattern(tmp_path: Path) -> None:
    found = timeline([0, 0, 0, 1, 5])
    found.prediction[1] = np.nan
    found.eeg_missing[1:3] = (0.9, 0.1)
    assert found.codes.tolist() == [0, -1, 0, 1, 5]
    alone = EpisodeRule(shortest_s=0, smoothing_s=0)
    episodes = found.episodes(alone)
    assert [(one.start_s, one.stop_s) for one in episodes] == [(20, 30), (40, 50), (50, 60)]
    assert found.share_over_threshold(alone)["seizure"] == pytest.approx(2 / 4)
    write_timeline(tmp_path / "a.csv", found)
    with (tmp_path / "a.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["predicted"] for line in lines] == ["seizure", "", "seizure", "lpd", "other"]
    assert [lines[1][name] for name in CLASSES] == [""] * 6
    assert [line["eeg_missing"] for line in lines] == ["0.000", "0.900", "0.100", "0.000", "0.000"]
    found.prediction[:] = np.nan
    assert found.episodes(alone) == []
    assert set(found.share_over_threshold(alone).values()) == {0.0}


def test_lines_mark_what_is_missing_of_either_signal() -> None:
    found = timeline([0, 1, 5])
    found.missing[0], found.eeg_missing[2] = 0.5, 0.2
    found.prediction[1] = np.nan
    figure = draw_timeline(found)
    spectrogram, eeg = figure.axes[0].lines
    assert np.isfinite(spectrogram.get_ydata()).tolist() == [True, True] + 4 * [False]
    assert np.isfinite(eeg.get_ydata()).tolist() == 4 * [False] + [True, True]
    assert spectrogram.get_color() != eeg.get_color()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-2:] == ["lacks part of its ten minutes", "lacks part of its 50 s of EEG"]


def test_annotations_and_tables_hold_when_there_is_nothing(tmp_path: Path) -> None:
    nothing = timeline([5])
    write_annotations(nothing.episodes(EpisodeRule()), EpisodeRule(), tmp_path / "a.edf")
    assert len(edfio.read_edf(tmp_path / "a.edf").annotations) == 1
    write_timeline(tmp_path / "a.csv", nothing)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2
