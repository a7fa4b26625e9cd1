"""A store that somebody forged is refused in one sentence, and reads nothing outside itself."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import reseal, tree_bytes

import hmsprep
from hmsprep.sealed.verification import verify
from hmsstore import DamagedStoreError, NotAStoreError, Store, StoreError
from hmsstore.json_shapes import LARGEST_JSON
from hmsstore.manifest import MANIFEST_NAME, digest

Edit = Callable[[dict[str, Any]], object]
NAME = "windows/fold/c/0"


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    """A copy whose files may be replaced, not written to: they are the store's own."""
    return Path(shutil.copytree(store.path, tmp_path / "hms.zarr", copy_function=os.link))


def replace_file(path: Path, content: bytes | str) -> None:
    path.unlink()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def edit_manifest(path: Path, edit: Edit) -> None:
    """Change the manifest and seal it again, as only a forger would."""
    body = json.loads((path / MANIFEST_NAME).read_text())
    body.pop("sha256")
    edit(body)
    body["sha256"] = digest(body)
    replace_file(path / MANIFEST_NAME, json.dumps(body))


def edit_root(path: Path, edit: Edit) -> None:
    root = json.loads((path / "zarr.json").read_text())
    edit(root)
    replace_file(path / "zarr.json", json.dumps(root))
    manifest = (path / MANIFEST_NAME).read_bytes()
    replace_file(path / MANIFEST_NAME, manifest)
    reseal(path, "zarr.json")


def refused(path: Path) -> str:
    """The one problem that opening and verifying both name."""
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(path)
    assert verify(path) == list(caught.value.problems)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda body: body.pop("files"), "files: expected a value, got none"),
        (lambda body: body.update(files=[]), "files: expected an object, got a list"),
        (lambda body: body.update(plan=None), "plan: expected a text, got null"),
        (lambda body: body["files"].update({NAME: 7}), f"{NAME}: expected an object, got 7"),
        (lambda body: body["files"][NAME].pop("bytes"), "bytes: expected a value, got none"),
        (lambda body: body["files"][NAME].update(bytes=-1), "eight hexadecimal digits, got -1"),
        (lambda body: body["files"][NAME].update(bytes="9"), "expected a whole number"),
        (lambda body: body["files"][NAME].update(crc32="0x12"), "digits, got 90 and '0x12'"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(copy: Path, edit: Edit, problem: str) -> None:
    edit_manifest(copy, edit)
    assert problem in refused(copy)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
        (b'{"format": NaN}', "expected finite numbers, got NaN"),
        (b'{"format": 1e999}', "expected finite numbers, got 1e999"),
        (b"1" * 5000, "not JSON"),
        (b"null", "expected an object, got null"),
    ],
)
def test_a_manifest_that_is_none_is_refused(copy: Path, content: bytes, problem: str) -> None:
    replace_file(copy / MANIFEST_NAME, content)
    assert problem in refused(copy)


def test_a_folder_a_pipe_and_a_gigabyte_in_the_manifests_place_are_refused(copy: Path) -> None:
    path = copy / MANIFEST_NAME
    path.unlink()
    path.mkdir()
    assert refused(copy).endswith("is not a manifest: expected a file, got a folder")
    path.rmdir()
    os.mkfifo(path)  # opening it would wait for a writer
    assert refused(copy).endswith("is not a manifest: expected a file, got a pipe or device")
    path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 30)
    expected = f"expected at most {LARGEST_JSON:,} bytes, got {1 << 30:,}"
    assert refused(copy).endswith(expected)


def node(root: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = root["consolidated_metadata"]["metadata"][name]
    return found


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda root: root.pop("attributes"), "zarr.json: expected an object, got null"),
        (lambda root: root["attributes"]["hms"].pop("split"), "split: expected a value"),
        (lambda root: root["attributes"]["hms"]["split"].update(folds="5"), "folds: expected a"),
        (lambda root: root["attributes"]["hms"]["split"].update(folds=-1), "folds: expected 0 or"),
        (
            lambda root: root["attributes"]["hms"]["statistics"]["eeg"]["mean"].pop(),
            "statistics: eeg: mean: expected 20 numbers, got 19",
        ),
        (lambda root: node(root, "eeg").update(codecs={}), "codecs"),
        (lambda root: node(root, "eeg").update(codecs=[7]), "codecs"),
        (lambda root: node(root, "eeg").update(shape=7), "eeg/zarr.json: rows is None"),
        (lambda root: node(root, "eeg").update(shape=["x", 20]), "rows is x, expected 1 or more"),
        (lambda root: node(root, "windows/fold").update(shape=[-1]), "shape is [-1], expected"),
        (
            lambda root: node(root, "eeg").update(shape=[10**18, 20]),
            "zarr.json: its arrays would have more files than the store",
        ),
    ],
)
def test_metadata_of_another_shape_are_refused(copy: Path, edit: Edit, problem: str) -> None:
    edit_root(copy, edit)
    with pytest.raises(DamagedStoreError) as caught:
        Store.open(copy)
    assert any(problem in one for one in caught.value.problems)
    assert verify(copy) == list(caught.value.problems)


def test_arrays_that_are_larger_than_their_files_are_refused(copy: Path) -> None:
    def longer(root: dict[str, Any]) -> None:
        node(root, "eeg")["shape"][0] += 10_000

    edit_root(copy, longer)
    assert "by zarr.json" in refused(copy)


def test_a_file_that_the_manifest_does_not_name_is_not_read(copy: Path) -> None:
    edit_manifest(copy, lambda body: body["files"].pop(NAME))
    with pytest.raises(DamagedStoreError, match=f"{NAME} is not in the manifest"):
        Store.open(copy)


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../outside", "eeg/../../outside", "eeg//0", "c:/x", "a\\b", "a\nb"]
)
def test_a_name_that_leads_out_of_the_store_is_refused(copy: Path, name: str) -> None:
    (copy.parent / "outside").write_bytes(b"")
    edit_manifest(copy, lambda body: body["files"].update({name: {"bytes": 0, "crc32": "0" * 8}}))
    assert refused(copy) == (
        f"{MANIFEST_NAME}: files: expected paths within the store, got {name!r}"
    )
    with pytest.raises(StoreError, match="within the store"):
        hmsprep.publish(copy, copy.parent / "upload", name="me/store")


@pytest.mark.parametrize("linked", [NAME, "windows", "eeg/c/0"])
def test_a_link_that_leads_out_of_the_store_is_refused(copy: Path, linked: str) -> None:
    outside = copy.parent / "outside"
    (copy / linked).rename(outside)
    (copy / linked).symlink_to(outside)
    with pytest.raises(DamagedStoreError, match="is a link that leads out of the store"):
        Store.open(copy)
    assert any("leads out of the store" in problem for problem in verify(copy))
    with pytest.raises(DamagedStoreError, match="leads out of the store"):
        hmsprep.publish(copy, copy.parent / "upload", name="me/store")
    assert not (copy.parent / "upload").exists()


def test_a_link_to_itself_is_refused(copy: Path) -> None:
    (copy / NAME).unlink()
    (copy / NAME).symlink_to(copy / NAME)
    assert "symbolic links" in refused(copy) or "leads out" in refused(copy)


def test_links_within_the_store_and_to_the_store_are_read(copy: Path, store: Store) -> None:
    (copy / "eeg" / "c" / "0").rename(copy / "eeg" / "c" / "moved")
    (copy / "eeg" / "c" / "0").symlink_to("moved")
    link = copy.with_name("link.zarr")
    link.symlink_to(copy)
    np.testing.assert_array_equal(
        Store.open(link).gather([0], "eeg")["eeg"], store.gather([0], "eeg")["eeg"]
    )


def test_only_what_the_manifest_names_is_published(copy: Path, store: Store) -> None:
    (copy / "notes.txt").write_text("private")
    (copy / ".hidden").write_text("private")
    out = hmsprep.publish(copy, copy.parent / "upload", name="me/store").out
    assert tree_bytes(out / "hms.zarr") == tree_bytes(store.path)


@pytest.mark.parametrize(
    ("column", "dtype", "value", "problem"),
    [
        ("eeg_start", "i8", 10**12, "eeg_start is outside its span"),
        ("eeg_start", "i8", 2**63 - 1, "eeg_start is outside its span"),
        ("eeg_start", "i8", -1, "eeg_start is outside its span"),
        ("eeg_span_stop", "i8", 10**12, "eeg_span is outside /eeg"),
        ("spectrogram_span_start", "i8", -5, "spectrogram_span is outside /spectrogram"),
        ("expert_consensus", "i1", 6, "expert_consensus is not a class"),
        ("expert_consensus", "i1", -2, "expert_consensus is not a class"),
        ("split", "i1", 4, "split does not exist"),
        ("fold", "i1", 5, "fold does not exist"),
    ],
)
def test_rows_that_lead_nowhere_are_refused_at_opening(
    copy: Path, column: str, dtype: str, value: int, problem: str
) -> None:
    name = f"windows/{column}/c/0"
    values = np.fromfile(copy / name, dtype)
    values[2] = value
    replace_file(copy / name, values.tobytes())
    replace_file(copy / MANIFEST_NAME, (copy / MANIFEST_NAME).read_bytes())
    reseal(copy, name)
    with pytest.raises(DamagedStoreError, match=f"windows: {problem} in 1 row, the first 2"):
        Store.open(copy)


def test_a_span_in_two_shards_is_refused_at_opening(copy: Path, store: Store) -> None:
    """Its windows would be read from the shard that they begin in."""
    rows = store.shard_rows("eeg")
    changed = []
    for column, value in (("eeg_span_start", rows - 9000), ("eeg_span_stop", rows + 9000),
                          ("eeg_start", rows - 5000)):  # fmt: skip
        name = f"windows/{column}/c/0"
        values = np.fromfile(copy / name, "i8")
        values[0] = value
        replace_file(copy / name, values.tobytes())
        changed.append(name)
    replace_file(copy / MANIFEST_NAME, (copy / MANIFEST_NAME).read_bytes())
    reseal(copy, *changed)
    with pytest.raises(DamagedStoreError, match="eeg_span lies in two shards in 1 row"):
        Store.open(copy)


def test_a_name_with_a_nul_is_not_a_store() -> None:
    with pytest.raises(NotAStoreError):
        Store.open("hms\0.zarr")
