"""Pictures of windows and channels from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.forked import Forked
from support.helpers import build_store

from hmsprep.words import LEAK_WARNING
from hmsstore import Store

PROGRAM = Forked("hmsprep")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--count", 2, "--spacing", "auto"),
        ("--spacing", 70, "--row", 1, "--montage", "average", "--seconds", 10),
    ],
)
def test_windows_are_drawn(store: Store, tmp_path: Path, words: tuple[object, ...]) -> None:
    succeed("show", store.path, *words, "--out", tmp_path / "w.png")
    assert (tmp_path / "w.png").read_bytes()[:4] == b"\x89PNG"


def test_several_windows_are_pages_of_a_pdf(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "w.pdf"
    told = json.loads(
        succeed("show", store.path, "--row", 1, "--row", 2, "--out", out, "--json").stdout
    )
    assert out.read_bytes().startswith(b"%PDF")
    assert told["out"] == str(out)
    assert [window["row"] for window in told["windows"]] == [1, 2]
    assert told["windows"][0]["title"].startswith("row 1, ")


def test_what_cannot_be_drawn_is_refused(store: Store, tmp_path: Path) -> None:
    assert "99 seconds cannot be shown" in fail("show", store.path, "--seconds", 99)
    assert "expected a number or auto" in fail("show", store.path, "--spacing", "x", code=2)
    assert "has no EEG 1" in fail("show", store.path, "--eeg", 1)
    assert "has no row 90" in fail("show", store.path, "--row", 90)
    assert "w.xyz cannot be written" in fail("show", store.path, "--out", tmp_path / "w.xyz")


def test_a_leak_is_said_and_other_warnings_are_not(data: Path, tmp_path: Path) -> None:
    store = build_store(data, tmp_path / "leaking.zarr", split_by="window")
    picture = tmp_path / "w.png"
    told = succeed("show", store.path, "--row", 0, "--out", picture, "--quiet").stderr
    assert told == f"warning: {LEAK_WARNING}\n"
    honest = build_store(data, tmp_path / "honest.zarr", windows="eeg", half=True)
    assert honest.info["warnings"]
    assert succeed("show", honest.path, "--row", 0, "--out", picture, "--quiet").stderr == ""


def test_the_channels_are_explained(tmp_path: Path) -> None:
    picture = tmp_path / "montage.png"
    rows = json.loads(succeed("montage", "--json", "--out", picture).stdout)
    assert [row["channel"] for row in rows][-1] == "EKG"
    assert picture.exists()
    assert "double banana" in succeed("montage", "--out", picture).stdout
