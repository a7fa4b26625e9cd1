"""Checksums of files and of JSON objects find every bit that changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hmsstore.sums import broken_seal, damage, sealed, sums_of

VALUE: dict[str, Any] = {"a": [1, 0.1, None, "é"], "b": {"2": True}, "c": float("nan")}


def write(folder: Path) -> tuple[Path, Path]:
    file, description = folder / "file.bin", folder / "about.json"
    file.write_bytes(bytes(range(256)))
    text = json.dumps(sealed({**VALUE, "files": sums_of([file])}), indent=1)
    description.write_text(text + "\n")
    return file, description


def test_a_bit_that_changes_in_the_name_of_the_seal_does_not_take_it_away(tmp_path: Path) -> None:
    path = tmp_path / "about.json"
    whole = json.dumps(sealed(VALUE)).encode()
    name = whole.index(b"sha256")
    told = 0
    for bit in range(8 * len("sha256")):
        flipped = bytearray(whole)
        flipped[name + bit // 8] ^= 1 << bit % 8
        try:
            value = json.loads(flipped)
        except ValueError:
            continue
        assert f"{path} is damaged: its own checksum is called" in (broken_seal(path, value) or "")
        told += 1
    assert told > 30
    for unsealed in ({}, VALUE, {**VALUE, "identity": "0" * 64}):
        assert broken_seal(path, unsealed) is None


def test_no_bit_of_a_file_changes_unnoticed(tmp_path: Path) -> None:
    file, description = write(tmp_path)
    whole = file.read_bytes()
    assert damage(file, description) is None
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        assert str(file) in (damage(file, description) or "")
    for other in (whole[:-1], whole + b"\0", b""):
        file.write_bytes(other)
        assert f"states 256 bytes with SHA-256 40aff2e9d2d8, got {len(other)} bytes" in (
            damage(file, description) or ""
        )
    file.unlink()
    assert damage(file, description) == f"{file} cannot be read: No such file or directory."


def test_no_bit_of_a_sealed_object_changes_its_values_unnoticed(tmp_path: Path) -> None:
    """Another spelling of the same values is none: an E in a number for an e."""
    file, description = write(tmp_path)
    whole = description.read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        description.write_bytes(flipped)
        try:
            same = str(json.loads(flipped)) == str(json.loads(whole))
        except ValueError:
            same = False
        problem = damage(file, description)
        assert same if problem is None else str(description) in problem, bytes(flipped)


@pytest.mark.parametrize("value", [VALUE, {}, [], None, {"bytes": 1}])
def test_an_object_without_a_seal_is_taken_as_it_is(tmp_path: Path, value: object) -> None:
    file, description = write(tmp_path)
    description.write_text(json.dumps(value))
    assert broken_seal(description, value) is None
    assert damage(file, description) is None
    description.unlink()
    assert damage(file, description) is None


def test_a_seal_is_of_the_values_as_they_are_read(tmp_path: Path) -> None:
    first = sealed({"pair": (1, 2), 3: "three"})
    read = json.loads(json.dumps(first))
    assert broken_seal(tmp_path, read) is None
    assert sealed(read) == read
    assert broken_seal(tmp_path, dict(reversed(read.items()))) is None
    assert "on purpose" in (broken_seal(tmp_path, {**read, "3": "four"}) or "")
