"""What is not a whole, sealed store of separate patients is refused, with what and where."""

from __future__ import annotations

import errno
import importlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import reseal

from hmsprep.sealed.verification import verify
from hmsstore import (
    HMS,
    DamagedStoreError,
    LeakingStoreError,
    NewerStoreError,
    NotAStoreError,
    Store,
    StoreError,
    UnsealedStoreError,
)
from hmsstore.manifest import MANIFEST_NAME
from hmsstore.schema import SPLITS


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store.path, tmp_path / "hms.zarr"))


def edit_column(path: Path, name: str, dtype: str, row: object, value: object) -> str:
    (file,) = (f for f in (path / "windows" / name / "c").rglob("*") if f.is_file())
    column = np.fromfile(file, dtype)
    column[row] = value
    column.tofile(file)
    return str(file.relative_to(path))


IDENTITY = "MANIFEST.json: the identity is not that of the contents"
"""What is said of every forgery that keeps the store's name for itself."""


def test_a_sealed_store_opens_and_verifies(store: Store) -> None:
    assert verify(store.path) == []


def test_nothing_is_said_to_be_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotAStoreError, match="found nothing"):
        Store.open(tmp_path / "none.zarr")


def test_a_file_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "hms.zarr").write_text("x")
    with pytest.raises(NotAStoreError, match="found a file"):
        Store.open(tmp_path / "hms.zarr")


def test_a_folder_without_manifest_is_not_a_store(copy: Path) -> None:
    (copy / MANIFEST_NAME).unlink()
    with pytest.raises(NotAStoreError, match=r"holds no MANIFEST\.json"):
        Store.open(copy)


def test_an_unfinished_build_is_named_as_such(copy: Path) -> None:
    building = copy.rename(copy.with_name("hms.zarr.building"))
    with pytest.raises(UnsealedStoreError, match="resumes where it stopped"):
        Store.open(building)
    with pytest.raises(UnsealedStoreError, match="not built yet"):
        Store.open(copy)


def test_a_truncated_shard_is_found_at_opening(copy: Path) -> None:
    shard = copy / "eeg" / "c" / "0" / "0"
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size - 1)
    with pytest.raises(DamagedStoreError, match=r"eeg/c/0/0 has .* bytes, sealed with"):
        Store.open(copy)
    assert any("eeg/c/0/0" in problem for problem in verify(copy))


def test_a_missing_shard_is_found_at_opening(copy: Path) -> None:
    (copy / "spectrogram" / "c" / "1" / "0").unlink()
    with pytest.raises(DamagedStoreError, match="spectrogram/c/1/0 is missing"):
        Store.open(copy)


@pytest.mark.parametrize(
    "name", ["eeg/c/1/0", "spectrogram/c/0/0", "windows/votes/c/0/0", "eeg/zarr.json"]
)
def test_a_flipped_bit_is_found_by_verifying(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 4
    (copy / name).write_bytes(content)
    problems = verify(copy)
    assert len(problems) == 1
    assert problems[0].startswith(f"{name}: expected checksum")


def test_changed_root_metadata_are_found_at_opening(copy: Path) -> None:
    text = (copy / "zarr.json").read_text()
    (copy / "zarr.json").write_text(text.replace('"leaks": false', '"leaks": true '))
    with pytest.raises(DamagedStoreError, match=r"zarr\.json differs from its checksum"):
        Store.open(copy)


def test_a_changed_manifest_is_found_at_opening(copy: Path) -> None:
    text = (copy / MANIFEST_NAME).read_text()
    (copy / MANIFEST_NAME).write_text(text.replace('"bytes": 1', '"bytes": 2', 1))
    with pytest.raises(DamagedStoreError, match=r"MANIFEST\.json was changed"):
        Store.open(copy)
    (copy / MANIFEST_NAME).write_text("{")
    with pytest.raises(DamagedStoreError, match="is not a manifest"):
        Store.open(copy)


def test_a_format_version_to_come_is_refused_and_says_to_upgrade(copy: Path) -> None:
    from hmsstore.manifest import digest

    body = json.loads((copy / MANIFEST_NAME).read_text())
    body.pop("sha256")
    body["format_version"] = 3
    body["sha256"] = digest(body)
    (copy / MANIFEST_NAME).write_text(json.dumps(body))
    with pytest.raises(NewerStoreError, match=r"version 3; .* versions 1 and 2\. Upgrade hms-eeg"):
        Store.open(copy)


def test_another_array_layout_is_refused(copy: Path) -> None:
    root = json.loads((copy / "zarr.json").read_text())
    nodes = root["consolidated_metadata"]["metadata"]
    nodes["eeg"]["codecs"][0]["configuration"]["index_location"] = "start"
    nodes["windows/fold"]["data_type"] = "int32"
    (copy / "zarr.json").write_text(json.dumps(root))
    reseal(copy, "zarr.json")
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(copy)
    assert caught.value.problems == (
        "eeg/zarr.json: index_location is start, expected end",
        "windows/fold/zarr.json: data_type is int32, expected int8",
    )


def edit_root(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the root group's metadata and seal the store again."""
    root = json.loads((path / "zarr.json").read_text())
    edit(root)
    (path / "zarr.json").write_text(json.dumps(root))
    reseal(path, "zarr.json")


def test_other_channels_in_the_same_number_are_refused(copy: Path) -> None:
    def swap(root: dict[str, Any]) -> None:
        features = root["consolidated_metadata"]["metadata"]["eeg"]["attributes"]["features"]
        features[0], features[11] = features[11], features[0]

    edit_root(copy, swap)
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(copy)
    assert caught.value.problems == (
        "eeg/zarr.json: feature 0 is Fp2, expected Fp1 (2 such features)",
    )


def test_a_store_without_a_spec_is_of_hms(copy: Path) -> None:
    edit_root(copy, lambda root: root["attributes"]["hms"].pop("spec", None))
    assert Store.open(copy).spec == HMS


def test_a_spec_that_contradicts_itself_is_refused_with_all_its_problems(copy: Path) -> None:
    wrong = HMS.to_json() | {"midline": ["Fz", "Q1"], "judged_s": 60, "heart": 7}
    edit_root(copy, lambda root: root["attributes"]["hms"].update(spec=wrong))
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(copy)
    assert caught.value.problems == (
        "zarr.json: spec: heart: expected a text, got 7",
        "zarr.json: spec: judged_s: expected over 0 and up to the EEG window's 50 s, got 60",
    )


def test_other_classes_in_a_store_of_version_1_are_refused(copy: Path) -> None:
    other = HMS.to_json() | {"name": "other"}
    edit_root(copy, lambda root: root["attributes"]["hms"].update(spec=other))
    with pytest.raises(DamagedStoreError, match="store of version 1, expected version 2"):
        Store.open(copy)


def test_another_number_of_classes_than_the_spec_says_is_refused(copy: Path) -> None:
    def narrow(root: dict[str, Any]) -> None:
        votes = root["consolidated_metadata"]["metadata"]["windows/votes"]
        votes["shape"][1] = 3

    edit_root(copy, narrow)
    with pytest.raises(DamagedStoreError, match=r"windows/votes/zarr\.json: classes is \[3\]"):
        Store.open(copy)


def test_a_leaking_store_is_refused_even_if_its_checksums_fit(copy: Path, store: Store) -> None:
    row = int(store.select("train")[0])
    name = edit_column(copy, "split", "i1", row, SPLITS.index("test"))
    reseal(copy, name)
    patient = store.windows["patient_id"][row]
    with pytest.raises(LeakingStoreError, match=f"the first {patient}"):
        Store.open(copy)
    assert any("both sides" in problem for problem in verify(copy))


def test_a_patient_in_two_folds_is_a_leak(copy: Path, store: Store) -> None:
    patients = store.windows["patient_id"]
    train = store.select("train")
    row = next(r for r in train if (patients[train] == patients[r]).sum() > 1)
    other = (int(store.windows["fold"][row]) + 1) % store.folds
    reseal(copy, edit_column(copy, "fold", "i1", int(row), other))
    with pytest.raises(LeakingStoreError):
        Store.open(copy)


@pytest.mark.parametrize(
    ("column", "dtype", "value", "message"),
    [
        ("eeg_start", "i8", 10**12, "eeg_start is outside its span"),
        ("eeg_id", "i8", 7, "eeg_span belongs to another recording"),
        ("eeg_offset_s", "f8", 9999, "eeg_start disagrees with eeg_offset_s"),
        ("expert_consensus", "i1", -1, "expert_consensus disagrees with votes"),
        ("fold", "i1", 9, "fold does not exist"),
        ("split", "i1", SPLITS.index("predict"), "split disagrees with votes"),
        ("split", "i1", SPLITS.index("dropped"), "fold is set outside the training windows"),
        ("eeg_span_stop", "i8", 20_000, "eeg_span is no recording's span"),
        ("patient_id", "i8", 10**9, "patient_id differs from the recording's"),
    ],
)
def test_tables_that_contradict_each_other_are_found_by_verifying(
    copy: Path, store: Store, column: str, dtype: str, value: int, message: str
) -> None:
    patients = store.windows["patient_id"]
    rows = np.flatnonzero(patients == patients[store.select("train")[0]])
    reseal(copy, edit_column(copy, column, dtype, rows, value))
    problems = verify(copy)
    assert any(message in problem and f"the first {rows[0]}" in problem for problem in problems)


def test_a_target_that_does_not_follow_from_the_votes_is_found(copy: Path) -> None:
    reseal(copy, edit_column(copy, "target", "f4", slice(0, 6), (0.5, 0.5, 0, 0, 0, 0.5)))
    assert verify(copy) == [
        IDENTITY,
        "windows: target is not votes over their sum in 1 row, the first 0",
    ]


def test_a_consensus_without_the_most_votes_is_found(copy: Path, store: Store) -> None:
    votes = store.windows["votes"]
    row = int(np.flatnonzero((votes > 0).sum(axis=1) > 1)[0])
    last = int(np.argsort(votes[row], kind="stable")[0])
    reseal(copy, edit_column(copy, "expert_consensus", "i1", row, last))
    what = f"expert_consensus does not have the most votes in 1 row, the first {row}"
    assert verify(copy) == [IDENTITY, f"windows: {what}"]


def test_votes_below_none_are_found(copy: Path, store: Store) -> None:
    votes = store.windows["votes"].reshape(-1).copy()
    row = int(np.flatnonzero(store.windows["votes"].min(axis=1) == 0)[0])
    none, most = (6 * row + int(at(votes[6 * row : 6 * row + 6])) for at in (np.argmin, np.argmax))
    names = [
        edit_column(copy, "votes", "i4", [none, most], (-1, votes[most] + 1)),
        edit_column(copy, "target", "f4", [none, most], (-1, 2)),
    ]
    reseal(copy, *names)
    assert f"windows: votes are below 0 in 1 row, the first {row}" in verify(copy)


def test_a_changed_column_under_the_old_identity_is_found(copy: Path) -> None:
    reseal(copy, edit_column(copy, "label_id", "i8", 3, 12345))
    assert verify(copy) == [IDENTITY]


@pytest.mark.parametrize(
    ("name", "keys", "value"),
    [
        ("eeg/zarr.json", ("shape", 0), 12_345),
        ("windows/fold/zarr.json", ("attributes", "long_name"), "x"),
        ("windows/zarr.json", ("consolidated_metadata", "metadata", "fold", "data_type"), "int16"),
        ("gaps/zarr.json", ("node_type",), "array"),
    ],
)
def test_what_is_said_of_an_array_otherwise_than_in_the_root_group_is_found(
    copy: Path, name: str, keys: tuple[Any, ...], value: object
) -> None:
    node = place = json.loads((copy / name).read_text())
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (copy / name).write_text(json.dumps(node))
    reseal(copy, name)
    assert Store.open(copy)
    assert verify(copy) == [f"{name} is not what zarr.json repeats of it"]


def test_an_array_that_the_root_group_does_not_know_is_found(copy: Path) -> None:
    shutil.copytree(copy / "windows" / "fold", copy / "windows" / "mood")
    reseal(copy, "windows/mood/zarr.json")
    (copy / "windows" / "mood" / "c" / "0").unlink()
    assert verify(copy) == ["windows/mood/zarr.json is not what zarr.json repeats of it"]


@pytest.mark.parametrize("signal", ["eeg", "spectrogram"])
@pytest.mark.parametrize("deviation", [0, -1.5])
def test_a_deviation_that_is_none_is_found(copy: Path, signal: str, deviation: float) -> None:
    edit_root(
        copy,
        lambda root: root["attributes"]["hms"]["statistics"][signal]["std"].__setitem__(
            2, deviation
        ),
    )
    said = f"zarr.json: statistics: {signal}: std: expected numbers above 0, got {deviation} as "
    assert verify(copy) == [f"{said}number 2"]


def test_a_count_that_is_not_the_tables_is_found(copy: Path, store: Store) -> None:
    row = int(store.select("train")[0])
    same = np.flatnonzero(store.windows["patient_id"] == store.windows["patient_id"][row])
    names = [edit_column(copy, c, "i1", same, v) for c, v in (("split", 1), ("fold", -1))]
    reseal(copy, *names)
    said = f"counts: expected {store.info['counts']['test'] + len(same):,} as test, by the tables"
    assert any(said in problem for problem in verify(copy))


@pytest.mark.parametrize(
    "key",
    ["windows", "eegs", "spectrograms", "patients", "dropped", "eeg_windows_with_nan",
     "spectrogram_windows_with_nan"],
)  # fmt: skip
def test_counts_that_are_not_the_tables_are_found(copy: Path, key: str) -> None:
    def more(root: dict[str, Any]) -> None:
        root["attributes"]["hms"]["counts"][key] += 1

    edit_root(copy, more)
    (problem,) = verify(copy)
    assert f" as {key}, by the tables, found " in problem


def test_a_recording_in_two_shards_and_overlapping_spans_are_found(
    copy: Path, store: Store
) -> None:
    name = "recordings/eeg/rows/c/0"
    rows = np.fromfile(copy / name, "i8")
    rows += store.shard_rows("eeg")
    rows.tofile(copy / name)
    reseal(copy, name)
    problems = verify(copy)
    assert "recordings/eeg: spans overlap in /eeg" in problems
    assert "recordings/eeg: a span lies in two shards" in problems


def test_a_shard_index_and_missing_values_among_recorded_ones_are_found(copy: Path) -> None:
    for name, place, value in (
        ("eeg/c/0/0", 7, b"\x00\x7e"),
        ("spectrogram/c/0/0", -7, b"\x01\x01"),
    ):
        raw = bytearray((copy / name).read_bytes())
        at = place * 2 if place > 0 else len(raw) + place
        raw[at : at + 2] = value
        (copy / name).write_bytes(raw)
    reseal(copy, "eeg/c/0/0", "spectrogram/c/0/0")
    assert verify(copy) == [
        IDENTITY,
        "eeg/c/0/0: NaN or infinity among recorded values",
        "spectrogram/c/0/0: the shard index is not as FORMAT.md says",
    ]


def test_values_where_no_recording_is_are_found_by_verifying(copy: Path, store: Store) -> None:
    name = "eeg/c/0/0"
    raw = np.fromfile(copy / name, "u1")
    rows = store.recordings["eeg"]
    last = int((rows["start"] + rows["rows"])[rows["start"] < store.shard_rows("eeg")].max())
    assert last < store.shard_rows("eeg")
    raw[last * 40 : last * 40 + 2] = (0, 60)
    raw.tofile(copy / name)
    reseal(copy, name)
    assert verify(copy) == [IDENTITY, f"{name}: values where no recording is"]


def test_a_file_that_nobody_sealed_is_found_by_verifying(copy: Path) -> None:
    (copy / "windows" / "notes.txt").write_text("x")
    (copy / ".DS_Store").write_text("x")
    assert verify(copy) == ["windows/notes.txt is not in the manifest"]


@pytest.mark.parametrize("name", ["desktop.ini", "eeg/Thumbs.db", "Icon\r", ".DS_Store"])
def test_what_a_system_leaves_in_a_folder_is_no_problem(copy: Path, name: str) -> None:
    (copy / name).write_bytes(b"x")
    assert verify(copy) == []


@pytest.mark.parametrize(
    ("call", "name", "opening"),
    [
        ("os.open", "MANIFEST.json", Store.open),
        ("os.open", "MANIFEST.json", verify),
        ("os.open", "zarr.json", Store.open),
        ("os.lstat", "eeg/c/0/0", Store.open),
        ("os.lstat", "eeg/c/0/0", verify),
        ("numpy.memmap", "eeg/c/0/0", Store.open),
        ("io.open", "eeg/c/0/0", verify),
    ],
)
def test_a_store_that_may_not_be_read_is_not_called_damaged(
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    name: str,
    opening: Callable[[Path], object],
) -> None:
    """As a user without rights finds it, whoever runs this."""
    module = importlib.import_module(call.partition(".")[0])
    real = getattr(module, call.partition(".")[2])

    def refusing(path: Any, *how: Any, **more: Any) -> Any:
        if path == copy / name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *how, **more)

    monkeypatch.setattr(call, refusing)
    with pytest.raises(StoreError, match=f"^No permission to read {copy / name}: change") as caught:
        opening(copy)
    assert not isinstance(caught.value, DamagedStoreError)
    assert len(str(caught.value).splitlines()) == 1


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(DamagedStoreError("there", [f"p{i}" for i in range(12)])))
    assert isinstance(error, StoreError)
    assert "and 2 more" in str(error)
