"""A store's name follows its contents; versions decide only whether a build may be resumed."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.helpers import build_store, train_row, tree_bytes, write_pair

from hmsprep.building.build import build
from hmsprep.building.journal import Journal, finished_shards
from hmsprep.building.site import State
from hmsprep.building.tasks import Normalised
from hmsprep.errors import BuildError, DataError
from hmsprep.kaggle.table import read_table
from hmsprep.planning.load import Planned, load
from hmsprep.planning.parameters import Parameters
from hmsprep.planning.plan import make_plan
from hmsstore import Store

TWO_TO_A_SHARD = {"eeg_shard_rows": 20_000, "spectrogram_shard_rows": 600}


def test_the_identity_is_the_hash_of_sorted_names_sizes_and_checksums(store: Store) -> None:
    files = sorted(f for f in store.path.rglob("*") if f.is_file() and f.suffix != ".json")
    entries = [
        [str(f.relative_to(store.path)), f.stat().st_size, zlib.crc32(f.read_bytes())]
        for f in files
    ]
    text = json.dumps(sorted(entries), separators=(",", ":"))
    assert store.identity == hashlib.sha256(text.encode()).hexdigest()
    assert any("gaps/" in name for name, *_ in entries)


def test_the_identity_follows_every_value_and_vote_but_not_the_packaging(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    first = build_store(data, tmp_path / "a.zarr").identity
    archive = shutil.make_archive(str(tmp_path / "data"), "zip", data)
    assert build_store(Path(archive), tmp_path / "zip.zarr").identity == first
    found = {first, build_store(data, tmp_path / "c.zarr", normalise="none").identity}
    eeg = data / "train_eegs" / "1.parquet"
    frame = pl.read_parquet(eeg)
    frame.with_columns(pl.col("Fp1") + pl.lit(0.5, pl.Float32)).write_parquet(eeg)
    found.add(build_store(data, tmp_path / "d.zarr").identity)
    pl.read_csv(data / "train.csv").with_columns(lpd_vote=4).write_csv(data / "train.csv")
    found.add(build_store(data, tmp_path / "e.zarr").identity)
    assert len(found) == 4


def test_another_choice_that_changes_no_byte_is_another_plan_of_the_same_contents(
    tmp_path: Path,
) -> None:
    data = write_pair(tmp_path / "data", [{}])
    first, other = (build_store(data, tmp_path / f"{n}.zarr", seed=n) for n in (42, 1))
    assert first.identity == other.identity
    assert first.manifest.plan != other.manifest.plan


def test_other_versions_make_the_same_plan_and_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_pair(tmp_path / "data", [{}])
    first = build_store(data, tmp_path / "hms.zarr")
    monkeypatch.setattr("hmsprep.building.versions.version", lambda *_: "99.0")
    other = build_store(data, tmp_path / "other.zarr")
    assert other.info["versions"]["numpy"] == "99.0"
    assert (other.identity, other.manifest.plan) == (first.identity, first.manifest.plan)
    planned = load(data, Parameters(eeg_shard_rows=80_000, spectrogram_shard_rows=2_400))
    assert build(planned, first.path, workers=1) is State.BUILT


def test_the_hash_of_a_plan_holds_only_parameters_that_are_not_the_default() -> None:
    assert Parameters().changed() == {}
    assert Parameters(nan="mean", bandpass=(1, 40)).changed() == {
        "nan": "mean",
        "bandpass": [1, 40],
    }


def given_as(one: type[int] | type[float]) -> Parameters:
    return Parameters(
        eeg_clip=one(500),
        ekg_clip=one(20_000),
        spectrogram_clip=(0.5, one(100)),
        bandpass=(0.5, one(40)),
        **TWO_TO_A_SHARD,
    )


def test_whole_numbers_make_the_same_plan_as_the_floats_that_they_equal(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    whole, floats = (load(data, given_as(one)) for one in (int, float))
    assert whole.plan.hash == floats.plan.hash
    assert json.dumps(whole.plan.parameters.to_json()) == json.dumps(
        floats.plan.parameters.to_json()
    )
    assert Parameters(bandpass=[1, 40]) == Parameters(bandpass=(1.0, 40.0))  # type: ignore[arg-type]


def test_a_store_whose_hash_took_whole_numbers_as_they_were_given_is_of_the_plan() -> None:
    content = pl.DataFrame([train_row()]).write_csv().encode()
    plan = make_plan(read_table(content, "train.csv"), Parameters(bandpass=(0.5, 40.0)))
    earlier = "25dfe41389010f700c992b6753d513bce10922556845ac5607709f8d57dd221b"
    stated = Parameters().to_json() | {"bandpass": [0.5, 40]}
    assert plan.hash != earlier
    assert plan.is_of(earlier, {"parameters": stated, "versions": {}})
    assert not plan.is_of(earlier, {"parameters": plan.parameters.to_json(), "versions": {}})
    assert plan.has_hash(earlier, stated)
    stated["bandpass"] = [0.5, 41]
    assert not plan.is_of(earlier, {"parameters": stated, "versions": {}})


def test_an_option_that_a_later_version_adds_makes_no_other_plan() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Later(Parameters):
        detrend: bool = False

    table = read_table(pl.DataFrame([train_row()]).write_csv().encode(), "train.csv")
    before = make_plan(table, Parameters(nan="mean")).hash
    assert make_plan(table, Later(nan="mean")).hash == before
    assert make_plan(table, Later(nan="mean", detrend=True)).hash != before


EARLIER: dict[str, Any] = {
    "parameters": Parameters().to_json(),
    "versions": {"hms-eeg": "0.1.0", "numpy": "2.0.0"},
}
EARLIER_HASH = "b94371cab72a14fc9af7310f5b7fb3b82603e570224b20e969508a57b0a7ff22"
"""Of the plan of one usual row of train.csv, as version 0.1.0 computed it when it still took in
versions."""


def test_a_store_of_an_earlier_version_is_known_by_the_hash_it_stated() -> None:
    content = pl.DataFrame([train_row()]).write_csv().encode()
    plan = make_plan(read_table(content, "train.csv"), Parameters())
    assert plan.is_of(EARLIER_HASH, EARLIER)
    assert not plan.is_of(EARLIER_HASH, EARLIER | {"versions": {"numpy": "2.0.1"}})
    other = make_plan(read_table(content, "train.csv"), Parameters(nan="mean"))
    assert not other.is_of(EARLIER_HASH, EARLIER)
    # Another default than the store was built with, in a version to come:
    assert not plan.is_of(plan.hash, EARLIER | {"parameters": EARLIER["parameters"] | {"seed": 7}})
    # An option that the store's version did not have:
    del EARLIER["parameters"]["half"]
    assert plan.is_of(plan.hash, EARLIER)


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    rows = [{"eeg_id": n, "spectrogram_id": n, "patient_id": n} for n in range(1, 13)]
    return write_pair(tmp_path / "data", rows)


def half_built(data: Path, path: Path, stage: str, **parameters: Any) -> Planned:
    """Begin a build, and stop it in one of its two passes."""
    planned = load(data, Parameters(**(TWO_TO_A_SHARD | parameters)))

    def stop(now: str, done: int, total: int) -> None:
        if now == stage and done > total / 2:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyboardInterrupt):
        build(planned, path, executor=pool, progress=stop)
    return planned


def test_a_build_that_was_begun_with_whole_numbers_is_resumed(twelve: Path, tmp_path: Path) -> None:
    planned = half_built(twelve, tmp_path / "hms.zarr", "ingest", bandpass=(0.5, 40))
    described = tmp_path / "hms.zarr.building" / "plan.json"
    noted = json.loads(described.read_text())
    whole = planned.plan.parameters.changed() | {"bandpass": [0.5, 40]}
    noted["parameters"] |= whole
    noted["plan"] = planned.plan._hash_of(whole)
    assert noted["plan"] != planned.plan.hash
    described.write_text(json.dumps(noted))
    with ThreadPoolExecutor(2) as pool:
        assert build(planned, tmp_path / "hms.zarr", executor=pool) is State.RESUMED


def edit_journal(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the lines of a journal as if they had been written so."""
    journal = path.with_name("hms.zarr.building") / "journal.jsonl"
    lines = []
    for line in journal.read_bytes().splitlines():
        entry = json.loads(line[9:])
        change(entry)
        body = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        lines.append(b"%08x %s" % (zlib.crc32(body), body))
    journal.write_bytes(b"".join(lines))


def finished_files(path: Path) -> dict[str, bytes]:
    """All that a build has finished; what lies in 'partial' is nobody's any more."""
    found = tree_bytes(path.with_name("hms.zarr.building"))
    return {name: content for name, content in found.items() if not name.startswith("partial/")}


def begun_by_other_versions(entry: dict[str, Any]) -> None:
    if entry["stage"] == "versions":
        entry["versions"] |= {"numpy": "1.0.0", "zarr": "2.0.0"}


@pytest.mark.parametrize("stage", ["ingest", "normalise"])
def test_a_build_is_resumed_under_other_versions_that_make_the_same_bytes(
    twelve: Path, tmp_path: Path, stage: str
) -> None:
    path = tmp_path / "hms.zarr"
    planned = half_built(twelve, path, stage)
    edit_journal(path, begun_by_other_versions)
    building = tmp_path / "hms.zarr.building"
    kept = {
        file: file.stat().st_mtime_ns
        for file in building.glob("*/c/*/0")
        if file.parent.parent.parent.name in ("eeg", "spectrogram")
    }
    assert bool(kept) == (stage == "normalise")
    with ThreadPoolExecutor(2) as pool:
        assert build(planned, path, executor=pool) is State.RESUMED
    for file, changed in kept.items():
        assert (path / file.relative_to(building)).stat().st_mtime_ns == changed
    fresh = build_store(twelve, tmp_path / "fresh.zarr", **TWO_TO_A_SHARD)
    assert tree_bytes(path) == tree_bytes(fresh.path)


@pytest.mark.parametrize(
    ("stage", "pass_", "part"),
    [
        ("ingest", "ingest", "crc32"),
        ("ingest", "ingest", "moments"),
        ("normalise", "normalise", "crc32"),
    ],
)
def test_a_build_is_not_resumed_under_versions_that_make_other_bytes(
    twelve: Path, tmp_path: Path, stage: str, pass_: str, part: str
) -> None:
    path = tmp_path / "hms.zarr"
    planned = half_built(twelve, path, stage)

    def made_otherwise(entry: dict[str, Any]) -> None:
        begun_by_other_versions(entry)
        if entry["stage"] == pass_ and part == "crc32":
            entry["crc32"] += 1
        if entry["stage"] == pass_ and part == "moments":
            entry["moments"]["m2"][0] *= 1 + 1e-15

    edit_journal(path, made_otherwise)
    before = finished_files(path)
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(BuildError) as caught:
            build(planned, path, executor=pool)
        message = str(caught.value)
        assert "started with numpy 1.0.0, zarr 2.0.0, but the installed " in message
        assert (
            f"numpy {version('numpy')}, zarr {version('zarr')} gives different bytes for eeg/c/"
            in message
        )
        assert finished_files(path) == before
        assert not path.exists()
        build(planned, path, executor=pool, force=True)
    fresh = build_store(twelve, tmp_path / "fresh.zarr", **TWO_TO_A_SHARD)
    assert tree_bytes(path) == tree_bytes(fresh.path)


def test_under_the_same_versions_nothing_is_built_again_to_compare(
    twelve: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hms.zarr"
    planned = half_built(twelve, path, "ingest")

    def learned_otherwise(entry: dict[str, Any]) -> None:
        if entry["stage"] == "ingest" and (entry["signal"], entry["shard"]) == ("eeg", 0):
            entry["saturated"] = 1000

    edit_journal(path, learned_otherwise)
    with ThreadPoolExecutor(2) as pool:
        build(planned, path, executor=pool)
    assert Store.open(path).info["saturated"]["eeg"] == 1000


def test_a_build_begun_by_an_earlier_version_is_refused_and_left_alone(
    twelve: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hms.zarr"
    planned = half_built(twelve, path, "ingest")
    plan = tmp_path / "hms.zarr.building" / "plan.json"
    theirs = json.loads(plan.read_text())
    del theirs["journal"]
    plan.write_text(json.dumps(theirs | {"versions": {"hms-eeg": "0.1.0"}}))
    before = tree_bytes(tmp_path / "hms.zarr.building")
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(BuildError, match="was started by another version of hms-eeg"):
            build(planned, path, executor=pool)
        assert tree_bytes(tmp_path / "hms.zarr.building") == before
        assert build(planned, path, executor=pool, force=True) is State.NEW
    Store.open(path)


def test_a_journal_that_is_begun_anew_forgets_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add_versions({"numpy": "1"})
    journal.add_written(Normalised("eeg", 0, 1, 2, 3, "s", 4))
    journal.restart()
    assert (journal.versions, journal.written) == (None, {})
    journal.add_versions({"numpy": "2"})
    journal.close()
    assert finished_shards(tmp_path / "journal.jsonl") == 0
    again = Journal(tmp_path / "journal.jsonl")
    assert (again.versions, again.written) == ({"numpy": "2"}, {})
    again.close()


def test_bad_data_leave_nothing_although_versions_are_noted(tmp_path: Path) -> None:
    data = write_pair(tmp_path / "data", [{}])
    (data / "train_eegs" / "1.parquet").write_bytes(b"")
    with pytest.raises(DataError):
        build_store(data, tmp_path / "hms.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
