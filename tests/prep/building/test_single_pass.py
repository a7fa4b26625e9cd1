"""Where values do not depend on the training recordings, reading a shard finishes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.helpers import build_store, tree_bytes, write_pair

from hmsprep.building.build import build
from hmsprep.building.site import State
from hmsprep.planning.load import Planned, load
from hmsprep.planning.parameters import Parameters

AS_THEY_ARE: dict[str, Any] = {
    "normalise": "none", "eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600,
}  # fmt: skip


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 13)]
    return write_pair(tmp_path_factory.mktemp("twelve") / "data", rows)


@pytest.fixture(scope="module")
def fresh(twelve: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("fresh") / "hms.zarr"
    return tree_bytes(build_store(twelve, path, **AS_THEY_ARE).path)


def until(stage: str, planned: Planned, path: Path) -> list[str]:
    """Stop a build halfway through one of its passes; return the stages that it told."""
    told = []

    def stop(now: str, done: int, total: int) -> None:
        told.append(now)
        if now == stage and done > total / 2:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyboardInterrupt):
        build(planned, path, executor=pool, progress=stop)
    return told


def finished(building: Path) -> dict[Path, int]:
    """Final shards, with the time at which each was written."""
    shards = [*building.glob("eeg/c/*/0"), *building.glob("spectrogram/c/*/0")]
    return {file.relative_to(building): file.stat().st_mtime_ns for file in shards}


@pytest.mark.parametrize(
    ("options", "single"),
    [
        ({"normalise": "none"}, True),
        ({"normalise": "none", "nan": "interpolate"}, True),
        ({"normalise": "none", "nan": "mean"}, False),
        ({"normalise": "zscore"}, False),
    ],
)
def test_a_second_pass_is_made_only_for_values_that_need_the_statistics(
    twelve: Path, tmp_path: Path, options: dict[str, Any], single: bool
) -> None:
    told: list[str] = []
    path = tmp_path / "hms.zarr"
    with ThreadPoolExecutor(2) as pool:
        planned = load(twelve, Parameters(**options))
        build(planned, path, executor=pool, progress=lambda stage, *_: told.append(stage))
    assert ("normalise" in told) != single


def test_shards_that_were_finished_while_reading_are_kept_and_no_scratch_is_made(
    twelve: Path, fresh: dict[str, bytes], tmp_path: Path
) -> None:
    path, building = tmp_path / "hms.zarr", tmp_path / "hms.zarr.building"
    planned = load(twelve, Parameters(**AS_THEY_ARE))
    until("ingest", planned, path)
    kept = finished(building)
    assert kept
    assert list((building / "ingest").iterdir()) == []
    with ThreadPoolExecutor(2) as pool:
        assert build(planned, path, executor=pool) is State.RESUMED
    assert kept.items() <= finished(path).items()
    assert tree_bytes(path) == fresh


def test_a_finished_shard_that_is_lost_is_read_again(
    twelve: Path, fresh: dict[str, bytes], tmp_path: Path
) -> None:
    path, building = tmp_path / "hms.zarr", tmp_path / "hms.zarr.building"
    planned = load(twelve, Parameters(**AS_THEY_ARE))
    until("ingest", planned, path)
    lost, cut, *_ = finished(building)
    (building / lost).unlink()
    with (building / cut).open("r+b") as file:
        file.truncate(100)
    with ThreadPoolExecutor(2) as pool:
        build(planned, path, executor=pool)
    assert tree_bytes(path) == fresh


@pytest.mark.parametrize("stage", ["ingest", "normalise"])
def test_a_build_that_was_begun_in_two_passes_is_resumed(
    twelve: Path, fresh: dict[str, bytes], tmp_path: Path, stage: str
) -> None:
    """Versions before this one made two passes of every build."""
    path, building = tmp_path / "hms.zarr", tmp_path / "hms.zarr.building"
    planned = load(twelve, Parameters(**AS_THEY_ARE))
    with pytest.MonkeyPatch.context() as before:
        before.setattr(Parameters, "single_pass", False)
        until(stage, planned, path)
    kept = finished(building)
    assert any((building / "ingest").iterdir())
    with ThreadPoolExecutor(2) as pool:
        assert build(planned, path, executor=pool) is State.RESUMED
    assert kept.items() <= finished(path).items()
    assert tree_bytes(path) == fresh
