"""A store's table of features: its windows' values, sealed, whole or not there at all."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.helpers import Program, blank_outside, build_store, tree_bytes, write_pair

import hmsprep
from hmsprep.errors import BuildError, ParameterError
from hmsprep.qeeg.columns import Layout
from hmsprep.qeeg.judged.measures import Columns
from hmsprep.qeeg.judged.window import BANDPASS_HZ, Measuring
from hmsprep.qeeg.sets import measure_set
from hmsprep.qeeg.window import Wiring, window_values
from hmsstore import HMS, DamagedStoreError, FeatureTable, NotAStoreError, RequestError, Store
from hmsstore.atomic import whole_folder
from hmsstore.reading import feature_table
from hmsstore.sums import sealed, sums_of

PREP = Program("hmsprep")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Windows of four recordings: whole, recorded in part, and without its judged seconds."""
    folder = tmp_path_factory.mktemp("few")
    rows: list[dict[str, Any]] = [
        {"eeg_id": n, "spectrogram_id": 10 + n, "label_id": 20 + n, "patient_id": 30 + n}
        for n in range(4)
    ]
    rows += [
        {**rows[0], "eeg_sub_id": n, "eeg_label_offset_seconds": 2.0 * n, "label_id": 40 + n}
        for n in range(1, 9)
    ]
    write_pair(folder / "data", rows)
    blank_outside(folder / "data", 1, 11, (2_000, 8_001), (140, 160))
    blank_outside(folder / "data", 2, 12, (0, 5_000), (0, 300))
    return build_store(folder / "data", folder / "few.zarr")


@pytest.fixture(scope="module")
def judged(few: Store) -> FeatureTable:
    with ThreadPoolExecutor(2) as pool:
        return hmsprep.features(few, span="judged", executor=pool, part_windows=5)


@pytest.fixture(scope="module")
def made(few: Store) -> FeatureTable:
    with ThreadPoolExecutor(2) as pool:
        return hmsprep.features(few, executor=pool, part_windows=5)


def test_the_table_lies_beside_the_store_and_says_of_which_it_is(
    few: Store, made: FeatureTable
) -> None:
    assert made.path == few.path.with_name("few.zarr-features")
    assert made.identity == few.identity
    assert made.values.shape == (len(few), len(made.columns))
    assert made.columns == Layout(few.spec).columns
    assert made.unit("line_length.Fp1-F7.10s") == "uV/s"
    assert {path.name for path in few.path.parent.iterdir()} == {
        "data", "few.zarr", "few.zarr-features"
    }  # fmt: skip
    made.check(few.identity, few.path)
    with pytest.raises(RequestError, match="another store"):
        made.check("0" * 64, few.path)


def test_a_row_holds_the_measures_of_its_windows_microvolts(few: Store, made: FeatureTable) -> None:
    row = int(np.flatnonzero(few.windows["eeg_id"] == 3)[0])
    eeg = few.denormalise(few.gather([row], "eeg"))["eeg"][0].astype(float)
    x = eeg[4_000:6_000, few.spec.eeg.features.index("F3")]
    x = x - eeg[4_000:6_000, few.spec.eeg.features.index("C3")]
    column = made.columns.index("line_length.F3-C3.10s")
    assert made.values[row, column] == pytest.approx(200 * np.abs(np.diff(x)).mean(), rel=1e-5)


def test_only_the_observed_run_is_measured(few: Store, made: FeatureTable) -> None:
    row = int(np.flatnonzero(few.windows["eeg_id"] == 1)[0])
    observed = few.observed([row], "eeg")["eeg"]
    assert (observed.first[0], observed.stop[0]) == (2_000, 8_001)
    eeg = few.denormalise(few.gather([row], "eeg"))["eeg"][0]
    layout = Layout(few.spec)
    expected = window_values(layout, Wiring.of(layout), eeg, 2_000, 8_001)
    np.testing.assert_array_equal(made.values[row], expected)
    whole = window_values(layout, Wiring.of(layout), eeg, 0, 10_000)
    assert not np.array_equal(made.values[row], whole, equal_nan=True)


def test_windows_whose_judged_seconds_were_not_recorded_are_named_and_have_no_values(
    few: Store, made: FeatureTable
) -> None:
    missing = np.flatnonzero(few.windows["eeg_id"] == 2)
    assert made.not_recorded.tolist() == missing.tolist()
    assert np.isnan(made.values[missing]).all()
    known = np.delete(made.values, missing, axis=0)
    assert np.isfinite(known).mean() > 0.95
    assert made.observed_known
    plan = hmsprep.plan_features(few)
    assert (plan.not_recorded, plan.windows) == (1, len(few))


def test_workers_and_parts_change_no_byte(
    few: Store, made: FeatureTable, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    for number, part in enumerate((1, 128)):
        other = hmsprep.features(
            few, out=tmp_path / f"{number}", executor=threads, part_windows=part
        )
        assert tree_bytes(other.path) == tree_bytes(made.path)


def test_a_table_that_is_there_is_kept_and_another_is_replaced_by_force_alone(
    few: Store, made: FeatureTable, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    def no_work(_stage: str, _done: int, _total: int) -> None:
        raise AssertionError

    assert hmsprep.features(few, progress=no_work).identity == few.identity
    out = tmp_path / "table"
    out.mkdir()
    value = json.loads((made.path / "features.json").read_text())
    (out / "features.npy").write_bytes((made.path / "features.npy").read_bytes())
    (out / "features.json").write_text(json.dumps(sealed(value | {"store": "e" * 64})))
    with pytest.raises(BuildError, match=r"another store \(eeeeeeeeeeee\)"):
        hmsprep.features(few, out=out)
    assert hmsprep.features(few, out=out, executor=threads, force=True).identity == few.identity
    (out / "features.npy").write_bytes(b"short")
    with pytest.raises(BuildError, match="damaged table"):
        hmsprep.features(few, out=out)


def test_what_is_no_table_is_never_written_over(few: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    for force in (False, True):
        with pytest.raises(BuildError, match="something other"):
            hmsprep.features(few, out=tmp_path / "mine", force=force)
    with pytest.raises(BuildError, match="within the store"):
        hmsprep.features(few, out=few.path / "features")
    with pytest.raises(BuildError, match="no folder"):
        hmsprep.features(few, out=tmp_path / "none" / "features")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_what_has_the_name_of_unfinished_work_and_is_none_is_kept(
    few: Store, tmp_path: Path
) -> None:
    out, theirs = tmp_path / "table", tmp_path / "table.building"
    theirs.mkdir()
    (theirs / "signals.npy").write_text("precious")
    for make_link in (False, True):
        if make_link:
            theirs.rename(tmp_path / "theirs")
            theirs.symlink_to(tmp_path / "theirs")
        for force in (False, True):
            with pytest.raises(BuildError, match="is not unfinished work of this command"):
                hmsprep.features(few, out=out, force=force)
        assert (theirs / "signals.npy").read_text() == "precious"


def test_a_mount_point_is_refused_before_anything_is_measured(
    few: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "features"
    out.mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == out)
    with pytest.raises(BuildError, match=r"a mount point .* Name another place with --out"):
        hmsprep.features(few, out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["features"]


def test_a_table_that_is_replaced_while_it_is_opened_is_opened_again(
    made: FeatureTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (Path(shutil.copytree(made.path, tmp_path / name)) for name in ("old", "new"))
    np.save(new / "features.npy", made.values + 1)
    value = json.loads((made.path / "features.json").read_text())
    other = {"store": "e" * 64, "files": sums_of([new / "features.npy"])}
    (new / "features.json").write_text(json.dumps(sealed(value | other)))
    real = feature_table._values

    def replaced_first(folder: Path, shape: tuple[int, int]) -> Any:
        monkeypatch.undo()
        with whole_folder(old, replace=True) as partial:
            shutil.copytree(new, partial, dirs_exist_ok=True)
        return real(folder, shape)

    monkeypatch.setattr(feature_table, "_values", replaced_first)
    found = FeatureTable.open(old)
    assert found.identity == "e" * 64
    np.testing.assert_array_equal(found.values, made.values + 1)


@pytest.mark.parametrize("name", ["features.npy", "features.json"])
def test_a_changed_table_is_refused(made: FeatureTable, tmp_path: Path, name: str) -> None:
    for file, content in tree_bytes(made.path).items():
        changed = bytearray(content)
        if file == name:
            place = content.index(b'"windows"') + 12 if file.endswith("json") else len(changed) - 9
            changed[place] ^= 1
        (tmp_path / file).write_bytes(changed)
    with pytest.raises(DamagedStoreError, match="damaged"):
        FeatureTable.open(tmp_path)
    with pytest.raises(NotAStoreError, match="hmsprep features STORE"):
        FeatureTable.open(tmp_path / "none")


DRIVER = """
import sys
import hmsprep
import typer
from hmsprep.cli import console

def told(stage, done, total):
    print(done, flush=True)
    if done >= 3:
        sys.stdin.readline()  # until the test has sent its signal

if __name__ == "__main__":
    try:
        with console.reporting(interrupted="Stopped."):
            hmsprep.features(sys.argv[1], out=sys.argv[2], workers=2, part_windows=1, progress=told)
    except typer.Exit as left:
        sys.exit(left.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_a_killed_run_leaves_nothing_half_and_resumes_to_the_same_bytes(
    few: Store,
    made: FeatureTable,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    number: signal.Signals,
) -> None:
    script, out = tmp_path / "driver.py", tmp_path / "out" / "table"
    script.write_text(DRIVER)
    out.parent.mkdir()

    with subprocess.Popen(
        [sys.executable, str(script), str(few.path), str(out)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=dict(os.environ),
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 3:
                child.send_signal(number)
                child.stdin.close()
                break
        rest = child.stdout.read().split()
        code = child.wait()
    assert code == (128 + number if number == signal.SIGTERM else -number)
    assert rest[-1:] != [str(len(few))]
    assert not out.exists()
    done = len(list(out.parent.glob("table.building/*.npy")))
    assert 3 <= done < len(few)
    told: list[int] = []
    hmsprep.features(
        few, out=out, executor=threads, part_windows=1, progress=lambda *said: told.append(said[1])
    )
    assert told[0] >= done  # resumed, not begun anew
    assert tree_bytes(out) == tree_bytes(made.path)
    assert [path.name for path in out.parent.iterdir()] == ["table"]


FILLING = """
import os, shutil, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import hmsprep
from hmsprep.errors import BuildError

disk = Path(sys.argv[2])
out, other = disk / "table", disk / "other"

def told(stage, done, total):
    if done == total and not other.exists():
        found = os.statvfs(disk)
        other.write_bytes(bytes((found.f_bavail - 4) * found.f_frsize))

with ThreadPoolExecutor(2) as pool:
    try:
        hmsprep.features(sys.argv[1], out=out, executor=pool, progress=told)
    except BuildError as error:
        print(error)
    assert [path.name for path in disk.iterdir() if path != other] == ["table.building"]
    try:
        hmsprep.features(sys.argv[1], out=out, executor=pool)
    except BuildError as error:
        print(error)
    other.unlink()
    hmsprep.features(sys.argv[1], out=out, executor=pool)
shutil.copytree(out, sys.argv[3])
"""


def test_a_disk_that_fills_meanwhile_is_said_and_the_work_is_resumed(
    few: Store, made: FeatureTable, tmp_path: Path
) -> None:
    disk, script = tmp_path / "disk", tmp_path / "filling.py"
    disk.mkdir()
    script.write_text(FILLING)
    mount = f"mount -t tmpfs -o size=1m none {shlex.quote(str(disk))}"
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    alone = ["unshare", *rights, "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*alone, mount], check=False).returncode:
        pytest.skip("nobody may mount a small disk here")
    words = [sys.executable, script, few.path, disk, tmp_path / "copy"]
    command = f"{mount} && exec {shlex.join(map(str, words))}"
    done = subprocess.run([*alone, command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    full, short = done.stdout.splitlines()
    assert "No space left on device. Run the same command again to resume." in full
    assert short.startswith(f"{disk} has 16.4 kB free, and making the table takes ")
    assert short.endswith(" kB more. Make room, or name another --out.")
    assert tree_bytes(tmp_path / "copy") == tree_bytes(made.path)


def test_the_command_says_what_it_made_and_a_dry_run_writes_nothing(
    few: Store, made: FeatureTable, tmp_path: Path
) -> None:
    out = tmp_path / "t"
    planned = json.loads(
        PREP.succeed("features", few.path, "--out", out, "--dry-run", "--json").stdout
    )
    assert (planned["windows"], planned["columns"]) == made.values.shape
    assert not list(tmp_path.iterdir())
    done = PREP.succeed("features", few.path)
    assert "12 windows, 2,038 features each" in done.stdout
    assert "1 of 12 windows have no features" in done.stderr
    refused = PREP.fail("features", few.path, "--out", few.path / "x")
    assert "within the store" in refused


def test_a_table_of_the_judged_seconds_measures_nothing_else(
    few: Store, made: FeatureTable, judged: FeatureTable
) -> None:
    columns = Columns(few.spec)
    assert judged.path == few.path.with_name("few.zarr-features-judged")
    assert (judged.span, made.span) == ("judged", "window")
    assert len(judged.columns) == len(columns.names)
    assert {"amplitude.Fp1.10s", "discharge_rate.head.10s", "std.spread.10s"} <= set(judged.columns)
    assert judged.unit("discharge_rate.head.10s") == "1/s"
    assert judged.not_recorded.tolist() == made.not_recorded.tolist()
    eeg = few.denormalise(few.gather(np.arange(len(few)), "eeg"))["eeg"]
    measuring = Measuring(columns, BANDPASS_HZ)
    for row in set(range(len(few))) - set(judged.not_recorded.tolist()):
        expected = measuring.values(eeg[row, 4_000:6_000]).astype(np.float32)
        np.testing.assert_array_equal(judged.values[row], expected)
    assert np.isnan(judged.values[judged.not_recorded]).all()


def test_a_table_of_another_span_is_not_taken_for_it(
    few: Store, made: FeatureTable, judged: FeatureTable
) -> None:
    assert hmsprep.features(few, span="judged").identity == judged.identity
    with pytest.raises(BuildError, match="holds a table of the span 'window'"):
        hmsprep.features(few, span="judged", out=made.path)
    with pytest.raises(ParameterError, match=r"--span judge: expected one of window, judged\."):
        hmsprep.plan_features(few, span="judge")
    assert "expected one of" in PREP.fail("features", few.path, "--span", "judge")


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"judged_s": 2.0}, "these data have 2 s at 200 Hz"),
        (
            {"signals": {**HMS.signals, "eeg": replace(HMS.eeg, row_rate_hz=64.0)}},
            "these data have 10 s at 64 Hz",
        ),
    ],
)
def test_judged_seconds_that_cannot_be_measured_are_refused(
    changed: dict[str, Any], what: str
) -> None:
    with pytest.raises(ParameterError, match=f"--span judged measures 4 judged .*{what}"):
        measure_set(replace(HMS, name="other", **changed), "judged")
