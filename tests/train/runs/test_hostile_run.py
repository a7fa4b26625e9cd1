"""What somebody else wrote into a run, or beside one, is refused in one sentence with its name."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.runs import train_small, unsealed

from hmsstore import Store
from hmstrain.config import make_config
from hmstrain.errors import ConfigError, DataError, ModelError, RunError, TrainError
from hmstrain.models.weights import read_weights
from hmstrain.prediction.submission import SAMPLE, SUBMISSION, read_order
from hmstrain.runs.checkpoint import DESCRIPTION
from hmstrain.runs.folder import CONFIG, OUTCOME, RunFolder
from hmstrain.runs.log import LOG, read_metrics
from hmstrain.runs.predictions import COLUMNS, read_arrays, read_file, write_predictions
from hmstrain.runs.trained import load_trained
from hmstrain.scoring.answers.read import read_answers

Edit = Callable[[dict[str, Any]], object]
NO_JSON = (b"", b"\xff", b"[" * 100_000, b"1" * 5000, b"null", b"[]", b'{"a":', b"NaN")


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "run"
    train_small(store, path, epochs=1)
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained, tmp_path / "run")))


def read(run: RunFolder) -> None:
    """Read all that commands read of a run."""
    run.networks()
    run.outcome()
    load_trained(run, torch.device("cpu"))


@pytest.mark.parametrize("name", [CONFIG, OUTCOME, f"best/{DESCRIPTION}"])
def test_a_file_that_is_not_json_is_named(run: RunFolder, name: str) -> None:
    path = run.path / name
    for content in NO_JSON:
        path.write_bytes(content)
        with pytest.raises(RunError) as caught:
            read(run)
        assert str(path) in str(caught.value)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(TrainError):  # a pipe is no file; opening it would wait
        read(run)


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        (CONFIG, lambda value: value.update(config=7)),
        (CONFIG, lambda value: value.update(store=[])),
        (CONFIG, lambda value: value["config"].update(epochs=[])),
        (OUTCOME, lambda value: value.update(versions=[1])),
        (OUTCOME, lambda value: value["store"].update(path=10**400)),
        (f"best/{DESCRIPTION}", lambda value: value.update(config=[])),
        (f"best/{DESCRIPTION}", lambda value: value.update(patients=["x"])),
        (f"best/{DESCRIPTION}", lambda value: value.update(patients=[10**30])),
        (f"best/{DESCRIPTION}", lambda value: value.update(normalisation=None)),
        (f"best/{DESCRIPTION}", lambda value: value.update(files={"model.safetensors": 7})),
    ],
)
def test_values_of_another_kind_are_refused(run: RunFolder, name: str, edit: Edit) -> None:
    value = unsealed(run.path / name)
    edit(value)
    (run.path / name).write_text(json.dumps(value))
    with pytest.raises(TrainError):
        read(run)


def test_a_log_is_read_up_to_the_first_line_that_is_none(run: RunFolder) -> None:
    lines = read_metrics(run.path / LOG)
    for wrong in ("7", "[" * 100_000, '{"event": 7, "step": 1}', '{"event": "train", "step": "x"}'):
        with (run.path / LOG).open("a") as file:
            file.write(f"{wrong}\n")
        assert read_metrics(run.path / LOG) == lines
    (run.path / LOG).unlink()
    (run.path / LOG).mkdir()
    with pytest.raises(RunError, match="expected a file, got a folder"):
        read_metrics(run.path / LOG)


def test_a_configuration_that_is_no_file_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text('{"a":' * 100_000)
    for path in (tmp_path, deep):
        with pytest.raises(ConfigError, match=str(path)):
            make_config(path)


ODD = {
    "text": np.asarray("x"),
    "complex": np.zeros((30, 6), complex),
    "texts": np.asarray(["a"] * 30),
    "times": np.zeros(30, "M8[s]"),
    "records": np.zeros(30, [("a", "i4")]),
    "cubes": np.zeros((30, 6, 2)),
    "none": np.zeros(0),
    "one": np.asarray(1.0),
}


@pytest.mark.parametrize("odd", ODD)
def test_arrays_of_another_kind_are_refused(store: Store, tmp_path: Path, odd: str) -> None:
    path = tmp_path / "predictions.npz"
    rows = np.arange(30)
    write_predictions(path, store, rows, np.full((30, 6), 1 / 6))
    with np.load(path) as opened:
        arrays = dict(opened)
    for name in ("row", "prediction", *COLUMNS):
        np.savez(path, **(arrays | {name: ODD[odd]}))  # type: ignore[arg-type]
        for reading in (read_answers, lambda path: read_file(path, store)):
            with pytest.raises(RunError, match=rf"predictions\.npz is damaged.*{name} is|rows"):
                reading(path)


def test_rows_before_the_first_are_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    write_predictions(path, store, np.asarray([-1, 3]), np.full((2, 6), 1 / 6))
    with pytest.raises(RunError, match="its rows do not fit the store"):
        read_file(path, store)


def test_an_npz_that_cannot_be_unpacked_or_claims_more_than_it_holds_is_refused(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.npz"
    write_predictions(path, store, np.arange(5), np.full((5, 6), 1 / 6))
    with np.load(path) as opened:
        arrays = dict(opened)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    whole, refused = path.read_bytes(), 0
    for place in range(0, len(whole), 41):
        content = bytearray(whole)
        content[place] ^= 255
        path.write_bytes(content)
        try:
            found = read_arrays(path)
        except RunError:
            refused += 1
        else:  # the byte meant nothing, such as a file's time
            assert all((found[name] == arrays[name]).all() for name in COLUMNS)
    assert refused > 20
    for length in (10**12, True):
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<i8", "fortran_order": False, "shape": (length,)}
        )
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("row", "identity"):
                archive.writestr(f"{name}.npy", head.getvalue() + bytes(8))
        with pytest.raises(RunError, match=rf"int64 \({length},\) in"):
            read_arrays(path)


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (torch.eye(3).to_sparse(), "a is a tensor of layout torch.sparse_coo"),
        (torch.ones(3, device="meta"), r"a is a tensor without values \(meta\)"),
        (torch.ones(1).expand(10**12), "a claims 1,000,000,000,000 values"),
    ],
)
def test_tensors_that_are_not_plain_weights_are_refused(
    tmp_path: Path, tensor: torch.Tensor, reason: str
) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": tensor, "b": torch.ones(2)}, path)
    with pytest.raises(ModelError, match=reason):
        read_weights(path)


def test_weights_packed_by_another_program_are_refused(tmp_path: Path) -> None:
    path, packed = tmp_path / "weights.pth", tmp_path / "packed.pth"
    torch.save({"a": torch.zeros(1 << 20)}, path)
    with (
        zipfile.ZipFile(path) as opened,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in opened.namelist():
            archive.writestr(name, opened.read(name))
    with pytest.raises(ModelError, match="bytes of weights, in"):
        read_weights(packed)
    with pytest.raises(ModelError, match="expected a file, found a folder"):
        read_weights(tmp_path)


def test_a_sample_whose_lines_end_in_carriage_returns_is_read(tmp_path: Path) -> None:
    lines = [",".join(SUBMISSION), "7" + ",0" * 6, "5" + ",0" * 6]
    (tmp_path / SAMPLE).write_bytes(b"\xef\xbb\xbf" + "\r".join(lines).encode())
    assert read_order(tmp_path) == [7, 5]
    archive = tmp_path / "hms.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(SAMPLE, "\r".join(lines))
    assert read_order(archive) == [7, 5]


def test_a_sample_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / SAMPLE).write_text(f'{",".join(SUBMISSION)}\n"{"7" * 200_000}"\n')
    with pytest.raises(DataError, match="is not CSV: field larger than"):
        read_order(tmp_path)
    (tmp_path / SAMPLE).unlink()
    (tmp_path / SAMPLE).mkdir()
    with pytest.raises(DataError, match="expected a file, got a folder"):
        read_order(tmp_path)
    (tmp_path / "hms.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"in .*hms\.zip cannot be read"):
        read_order(tmp_path / "hms.zip")


def test_an_npz_with_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("x", b"1")
    content = path.read_bytes()
    name = content.rindex(b"x", 0, content.rindex(b"PK\5\6"))
    end = content.rindex(b"PK\5\6")
    start = content.rindex(b"PK\1\2")
    entry = bytearray(content[start:name] + content[name + 1 : end])
    entry[28:30] = b"\0\0"  # the length of its name
    tail = bytearray(content[end:])
    tail[12:16] = len(entry).to_bytes(4, "little")
    path.write_bytes(content[:start] + entry + tail)
    with pytest.raises(RunError, match=r"predictions\.npz is damaged"):
        read_arrays(path)
