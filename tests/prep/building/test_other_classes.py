"""Data of other classes, in another number, are planned, built, verified and described as such."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.helpers import build_store, tree_bytes, write_pair
from support.other_data import VOTED, WARD, write_ward

import hmsprep
from hmsprep.cli.tables import print_info, print_plan
from hmsprep.errors import BuildError, DataError, ParameterError
from hmsprep.planning.load import load
from hmsprep.planning.parameters import Parameters
from hmsprep.sealed.verification import verify
from hmsstore import CLASSES, HMS, PatternClass, RequestError, Signal, Spec, Store
from hmsstore.manifest import parse_manifest
from hmsstore.view import Display, draw_window


@pytest.fixture(scope="module")
def ward(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("ward")
    return build_store(write_ward(folder / "data", data), folder / "ward.zarr", spec=WARD)


def test_a_store_of_other_classes_says_so_and_verifies(ward: Store) -> None:
    assert verify(ward.path) == []
    assert ward.spec == WARD
    assert parse_manifest(ward.path).format_version == 2
    assert ward.info["format_version"] == 2
    assert ward.info["classes"] == ["quiet", "burst", "spikes"]


def test_its_votes_and_consensus_are_those_of_the_table(ward: Store, store: Store) -> None:
    of_hms = store.windows["votes"]
    summed = [of_hms[:, [CLASSES.index(n) for n in names]].sum(axis=1) for names in VOTED.values()]
    np.testing.assert_array_equal(ward.windows["votes"], np.stack(summed, axis=1))
    target = ward.windows["target"]
    assert target.shape == (len(store), 3)
    np.testing.assert_allclose(target.sum(axis=1), 1, rtol=1e-6)
    consensus = ward.windows["expert_consensus"]
    np.testing.assert_array_equal(consensus, ward.windows["votes"].argmax(axis=1))
    words = json.loads((ward.path / "windows" / "expert_consensus" / "zarr.json").read_text())
    assert words["attributes"]["flag_meanings"] == "quiet burst spikes"


def test_its_windows_are_those_of_the_same_recordings(ward: Store, store: Store) -> None:
    rows = np.arange(0, len(store), 17)
    windows, same = (s.denormalise(s.gather(rows)) for s in (ward, store))
    for name in HMS.signals:
        np.testing.assert_allclose(windows[name], same[name], rtol=0.02, atol=0.2)


def test_the_consensus_may_be_given_by_key(data: Path, ward: Store, tmp_path: Path) -> None:
    by_key = write_ward(tmp_path / "data", data, titles=False)
    built = build_store(by_key, tmp_path / "ward.zarr", spec=WARD)
    assert tree_bytes(built.path) == tree_bytes(ward.path)


def test_its_plan_and_description_are_printed_with_its_titles(
    data: Path, ward: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_plan(hmsprep.plan(write_ward(tmp_path / "data", data), spec=WARD))
    print_info(hmsprep.info(ward.path))
    text = " ".join(capsys.readouterr().out.split())
    votes = ward.windows["votes"].sum(axis=0)
    assert f"Quiet sleep {votes[0]:,}, Burst suppression {votes[1]:,}, Spikes {votes[2]:,}" in text
    assert "Quiet sleep, Burst suppression, Spikes (data 'ward')" in text


def test_its_windows_are_drawn_with_its_titles(ward: Store) -> None:
    figure = draw_window(ward, 0, prediction=[0.2, 0.3, 0.5])
    eeg = figure.subfigs[0].axes[0]
    assert "shaded: the 10 s that the raters judged" in eeg.get_xlabel()
    labels = [t.get_text() for t in figure.subfigs[1].axes[4].get_yticklabels()]
    assert labels == list(WARD.class_titles)


def test_the_judged_seconds_are_drawn_as_the_spec_says(data: Path, tmp_path: Path) -> None:
    spec = replace(HMS, judged_s=4.0)
    built = build_store(data, tmp_path / "short.zarr", spec=spec)
    whole, centre = (draw_window(built, 0, Display(seconds=s)).axes for s in (50, 3))
    assert "shaded: the 4 s that the raters judged" in whole[0].get_xlabel()
    assert "the raters judged the 4 s from 23 to 27" in centre[0].get_xlabel()
    (shaded,) = (p for p in whole[0].patches if p.get_alpha() == 0.25)
    assert (shaded.get_x(), shaded.get_width()) == (23, 4)
    edges = [line.get_xdata()[0] * 60 for line in whole[1].lines]
    assert sorted(round(edge) for edge in edges) == [-25, -2, 2, 25]
    labels = {axes.get_xlabel().split("; ")[-1] for axes in whole}
    assert "lines: the judged 4 s" in labels


def test_windows_are_chosen_by_its_classes(ward: Store) -> None:
    rows = list(hmsprep.show(ward, consensus="burst", count=3).rows)
    assert (ward.windows["expert_consensus"][rows] == 1).all()
    with pytest.raises(ParameterError, match="expected one of quiet, burst, spikes, got lpd"):
        hmsprep.show(ward, consensus="lpd")


def test_a_table_of_other_classes_needs_their_spec_and_theirs_alone(
    data: Path, tmp_path: Path
) -> None:
    folder = write_ward(tmp_path / "data", data)
    with pytest.raises(DataError, match=r"lacks 6 columns: seizure_vote"):
        load(folder, Parameters())
    with pytest.raises(DataError, match=r"lacks \d columns: quiet_vote"):
        load(data, Parameters(spec=WARD))
    wrong = (folder / "train.csv").read_text().replace(",Spikes", ",LPD", 1)
    (folder / "train.csv").write_text(wrong)
    with pytest.raises(DataError, match="one of Quiet sleep, Burst suppression, Spikes, found"):
        load(folder, Parameters(spec=WARD))


def test_warnings_and_balance_name_these_classes(data: Path, tmp_path: Path) -> None:
    folder = write_ward(tmp_path / "data", data)
    lines = (folder / "train.csv").read_text().splitlines()
    few = [*lines[:1], *(x for x in lines[1:] if "Spikes" not in x), *lines[-1:]]
    few[-1] = next(x for x in lines if "Spikes" in x)
    (folder / "train.csv").write_text("\n".join(few) + "\n")
    warnings = " ".join(load(folder, Parameters(spec=WARD)).plan.warnings)
    assert "Spikes has 1 window" in warnings
    balanced = load(folder, Parameters(spec=WARD, balance="votes")).plan
    assert any("Quiet sleep" in warning for warning in balanced.warnings)


def test_a_plan_of_hms_is_hashed_as_before_and_another_spec_is_another_plan(
    tmp_path: Path,
) -> None:
    data = write_pair(tmp_path / "data", [{}])
    plans = [load(data, Parameters(spec=spec)).plan for spec in (HMS, replace(HMS, judged_s=4.0))]
    assert plans[0].hash == load(data, Parameters()).plan.hash
    assert plans[0].hash != plans[1].hash
    assert "spec" not in plans[1].parameters.to_json()
    build_store(data, tmp_path / "hms.zarr")
    with pytest.raises(BuildError, match="a store of another plan"):
        build_store(data, tmp_path / "hms.zarr", spec=replace(HMS, judged_s=4.0))


def test_shards_and_filters_are_held_to_the_rates_of_the_spec() -> None:
    slow = replace(HMS.eeg, row_rate_hz=100.0, window_rows=5_000)
    signals = {"eeg": slow, "spectrogram": HMS.spectrogram}
    spec = replace(WARD, signals=signals)
    assert Parameters(spec=spec, eeg_shard_rows=15_000).shard_rows("eeg") == 15_000
    with pytest.raises(ParameterError, match="LOW < HIGH < 50"):
        Parameters(spec=spec, bandpass=(0.5, 60))
    with pytest.raises(ParameterError, match="a multiple of 10000"):
        Parameters(eeg_shard_rows=15_000)


def test_other_channels_rates_and_lengths_are_built_and_read(tmp_path: Path) -> None:
    spec = Spec(
        name="small",
        classes=(PatternClass("yes", "Yes"), PatternClass("no", "No")),
        signals={
            "eeg": Signal("eeg", ("A", "ECG", "B", "C"), HMS.eeg.dims, "uV", 100.0, 1_000, 4_000),
            "spectrogram": Signal(
                "spectrogram", ("L_1", "L_2", "R_1", "R_2"), HMS.spectrogram.dims, "dB", 1.0, 20, 80
            ),
        },
        chains={"L": ("A", "B"), "R": ("B", "C")},
        midline=(),
        heart="ECG",
        judged_s=2.0,
    )
    rng = np.random.default_rng(0)
    data = tmp_path / "data"
    (data / "train_eegs").mkdir(parents=True)
    (data / "train_spectrograms").mkdir()
    eeg = rng.normal(0, 1_200, (2_500, 4)).astype(np.float32)
    power = rng.lognormal(0, 1, (40, 4)).astype(np.float32)
    pl.DataFrame(eeg, spec.eeg.features).write_parquet(data / "train_eegs" / "1.parquet")
    pl.DataFrame(
        {"time": np.arange(40) + 0.5} | dict(zip(spec.spectrogram.features, power.T, strict=True))
    ).write_parquet(data / "train_spectrograms" / "2.parquet")
    pl.DataFrame(
        {
            "eeg_id": [1, 1],
            "spectrogram_id": [2, 2],
            "patient_id": [3, 3],
            "eeg_label_offset_seconds": [0.0, 7.25],
            "spectrogram_label_offset_seconds": [0.0, 7.25],
            "expert_consensus": ["No", "Yes"],
            "yes_vote": [1, 4],
            "no_vote": [2, 0],
        }
    ).write_csv(data / "train.csv")
    small = {"eeg_shard_rows": 4_000, "spectrogram_shard_rows": 80, "normalise": "none"}
    built = build_store(data, tmp_path / "small.zarr", spec=spec, **small)
    assert verify(built.path) == []
    assert Store.open(built.path).spec == spec
    batch = built.gather([0, 1], shift=[25, 0])
    limit = np.where(np.asarray(spec.eeg.features) == "ECG", 32_000, 1_024)
    clipped = np.clip(eeg, -limit, limit)
    np.testing.assert_allclose(batch["eeg"][0], clipped[25:1_025], rtol=1e-3)
    np.testing.assert_allclose(batch["eeg"][1], clipped[725:1_725], rtol=1e-3)
    expected = np.log(np.clip(power, np.exp(-4), np.exp(8)))
    np.testing.assert_allclose(batch["spectrogram"][0], expected[:20], rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(batch["spectrogram"][1], expected[7:27], rtol=1e-2, atol=1e-3)
    low, high = built.shift_room([1])
    assert (low[0], high[0]) == (-725, 0)
    with pytest.raises(RequestError, match="its signals are not those of HMS"):
        draw_window(built, 0)
