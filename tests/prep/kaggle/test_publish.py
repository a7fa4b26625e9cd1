"""The folder that Kaggle's client uploads."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.helpers import build_store, tree_bytes

from hmsprep.errors import ParameterError
from hmsprep.kaggle.publish import publish
from hmsprep.sealed.verification import verify
from hmsstore import Store, StoreError


def test_the_folder_holds_the_very_store_and_what_kaggle_wants(
    store: Store, tmp_path: Path
) -> None:
    made = publish(store.path, tmp_path / "out", name="me/hms-store-1", title="A store")
    inside = tmp_path / "out" / store.path.name
    assert tree_bytes(inside) == tree_bytes(store.path)
    assert Store.open(inside).identity == store.identity
    about = json.loads((tmp_path / "out" / "dataset-metadata.json").read_text())
    assert about["id"] == "me/hms-store-1"
    assert about["licenses"] == [{"name": "other"}]
    for mount in ("datasets/me/hms-store-1", "hms-store-1"):
        assert f"/kaggle/input/{mount}/{store.path.name}" in about["description"]
    assert 20 <= len(about["subtitle"]) <= 80
    assert made.nbytes == sum(
        p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()
    )
    assert verify(inside) == []


@pytest.mark.parametrize(
    ("name", "title", "message"),
    [
        ("me", "A store", "expected USER/NAME"),
        ("me me/good", "A store", "without spaces"),
        ("me/Big", "A store", "lower-case"),
        ("me/a--b", "A store", "single hyphens"),
        ("me/ab", "A store", "3 to 50"),
        ("me/good", "Short", "expected 6 to 50 characters, got 5"),
    ],
)
def test_what_kaggle_would_refuse_is_refused_here(
    store: Store, tmp_path: Path, name: str, title: str, message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        publish(store.path, tmp_path / "out", name=name, title=title)
    assert not any(tmp_path.iterdir())


def test_nothing_is_replaced_and_only_a_store_is_taken(store: Store, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ParameterError, match="exists"):
        publish(store.path, tmp_path / "there", name="me/store")
    with pytest.raises(StoreError):
        publish(tmp_path, tmp_path / "out", name="me/store")


def test_a_store_that_is_replaced_meanwhile_is_published_whole(
    store: Store, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have files of the same names and sizes: without a look at the folder they would mix."""
    path, other = tmp_path / "hms.zarr", build_store(data, tmp_path / "new.zarr", nan="mean").path
    shutil.copytree(store.path, path)
    expected = tree_bytes(other)
    real, linked = os.link, []

    def replaced_after_some(source: Path, target: Path) -> None:
        real(source, target)
        linked.append(target)
        if len(linked) == 20:
            path.rename(tmp_path / "old.zarr")
            other.rename(path)

    monkeypatch.setattr(os, "link", replaced_after_some)
    publish(path, tmp_path / "out", name="me/store")
    assert tree_bytes(tmp_path / "out" / path.name) == expected
