"""Networks see what was recorded of a window and nothing that a build put around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from support.helpers import blank_outside, build_store, write_pair
from support.waiting import Waiting

from hmsstore import Store
from hmstrain.config import Config, config_of_run
from hmstrain.data.augment import Draws, draw
from hmstrain.data.centre import CENTRE
from hmstrain.data.eeg import bipolar
from hmstrain.data.inputs import signal_names
from hmstrain.data.inputs.image import image_mean
from hmstrain.data.inputs.physical import mirrored, seen_columns
from hmstrain.data.inputs.prepare import NetworkInputs, measure_normalisation
from hmstrain.data.loader import MappedLoader, Request, ResidentLoader, stored_batch
from hmstrain.data.observed import judged, observed_runs
from hmstrain.distributed import World
from hmstrain.errors import ConfigError
from hmstrain.models.network import make_network

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
SIGNALS = ("eeg", "spectrogram")
CONFIGS = (
    Config(model="naive_cnn", inputs="spec+eeg-image", image_size=32),
    Config(model="naive_cnn", inputs="spec+eeg-image", standardise="window"),
    Config(model="resnet1d", inputs="raw"),
    Config(model="resnet1d", inputs="raw", eeg_seconds=20),
    Config(model="naive_cnn", inputs="spec", spectrogram_rows=(140, 160)),
    Config(model="naive_cnn", inputs="mel16-zoom", standardise="window"),
    Config(model="naive_cnn", inputs="stft-50-30-10+raw-image-50-10", standardise="window"),
    Config(model="naive_cnn", inputs="side-by-side", standardise="window"),
)
FILLS = ("zero", "mean", "interpolate")


def ids(number: int) -> dict[str, Any]:
    """A row of train.csv of another recording and patient."""
    names = ("eeg_id", "spectrogram_id", "label_id", "patient_id")
    return {name: 10 * number + place for place, name in enumerate(names)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of which all, the judged seconds alone, or one side was recorded; one of neither."""
    made = write_pair(tmp_path_factory.mktemp("partial"), [ids(number) for number in range(1, 6)])
    blank_outside(made, 20, 21)
    blank_outside(made, 30, 31, (0, 7000), (100, 300))
    blank_outside(made, 40, 41, (5000, 6100), (149, 151))
    blank_outside(made, 50, 51, (9000, 10_000), (0, 100))
    return made


@pytest.fixture(scope="module")
def stores(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """Stores of them, each filled in another way."""
    out = tmp_path_factory.mktemp("filled")
    return {fill: build_store(folder, out / f"{fill}.zarr", nan=fill) for fill in FILLS}


def row_of(store: Store, number: int) -> int:
    return int(np.flatnonzero(store.windows["eeg_id"] == 10 * number)[0])


def inputs_of(config: Config, store: Store) -> NetworkInputs:
    rows = np.asarray([row_of(store, 1)])
    return NetworkInputs(config, measure_normalisation(config, store, rows, CPU), store, CPU)


def prepared(config: Config, store: Store, rows: Any, draws: Draws | None = None) -> Any:
    return inputs_of(config, store)(stored_batch(store, np.asarray(rows), SIGNALS, CPU), draws)


def test_a_run_is_mirrored_at_its_ends_as_often_as_it_takes() -> None:
    values = torch.arange(2 * 12 * 3).reshape(2, 12, 3)
    runs = torch.tensor([[4, 7], [0, 12]])
    found = mirrored(values, runs)
    expected = np.pad(values[0, 4:7].numpy(), ((4, 5), (0, 0)), "symmetric")
    np.testing.assert_array_equal(found[0].numpy(), expected)
    assert torch.equal(found[1], values[1])
    one = mirrored(values, torch.tensor([[5, 6], [11, 12]]))
    assert torch.equal(one[0], values[0, 5].expand(12, 3))
    assert torch.equal(one[1], values[1, 11].expand(12, 3))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.inputs}")
def test_inputs_do_not_depend_on_what_a_build_put_around_a_window(
    config: Config, stores: dict[str, Store]
) -> None:
    for number in (2, 3, 4):
        found = [prepared(config, stores[fill], [row_of(stores[fill], number)]) for fill in FILLS]
        for key, values in found[0].items():
            assert torch.equal(values, found[1][key])
            assert torch.equal(values, found[2][key])
    old = replace(config, context="filled")
    before = [prepared(old, stores[fill], [row_of(stores[fill], 4)]) for fill in FILLS]
    assert not all(torch.equal(values, before[2][key]) for key, values in before[0].items())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.inputs}")
def test_preparing_a_batch_waits_for_no_gpu_once_its_constants_are_there(
    config: Config, stores: dict[str, Store]
) -> None:
    store = stores["zero"]
    varied = replace(config, context_dropout=0.5, shift_s=2, swap=0.5, stretch=0.2)
    rows = np.asarray([row_of(store, number) for number in (1, 2, 3)])
    prepare = inputs_of(varied, store)
    for batch in range(2):
        loader = MappedLoader(store, signal_names(varied), 3, CPU)
        ((_, loaded),) = loader.load([Request(rows, np.asarray([10, 20, 30]))])
        draws = draw(varied, batch, 3, ALONE)
        with Waiting() as waiting:
            prepare(loaded, draws)
        loader.close()
    assert waiting.seen == []


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.inputs}")
def test_a_window_that_was_recorded_whole_is_seen_as_it_was_before(
    config: Config, stores: dict[str, Store]
) -> None:
    store = stores["zero"]
    rows = [row_of(store, number) for number in (1, 2, 3)]
    before = prepared(replace(config, context="filled"), store, rows)
    for key, values in prepared(config, store, rows).items():
        assert torch.equal(values[0], before[key][0])
    alone = stored_batch(store, np.asarray(rows[:1]), SIGNALS, CPU)
    assert set(alone) == set(SIGNALS)


def test_a_run_of_before_sees_what_the_store_holds(stores: dict[str, Store]) -> None:
    values = CONFIGS[0].to_json()
    del values["context"], values["context_dropout"]
    old = config_of_run(values)
    assert old.context == "filled"
    store = stores["zero"]
    rows = np.arange(len(store))
    stored = {name: torch.from_numpy(array) for name, array in store.gather(rows).items()}
    as_stored = inputs_of(CONFIGS[0], store)(stored, None)
    for key, found in prepared(old, store, rows).items():
        assert torch.equal(found, as_stored[key])


def test_the_filter_sees_no_step_at_the_ends_of_what_was_recorded(
    stores: dict[str, Store],
) -> None:
    """Mirrored by hand, then filtered."""
    store = stores["zero"]
    row = row_of(store, 2)
    (found,) = prepared(CONFIGS[2], store, [row]).values()
    eeg_uv = store.denormalise(store.gather([row], "eeg"))["eeg"][0, 4000:6000]
    by_hand = torch.from_numpy(np.pad(eeg_uv, ((4000, 4000), (0, 0)), "symmetric"))
    expected = bipolar(by_hand[None]).clamp(-1024, 1024) / 32
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_level_and_contrast_are_those_of_what_was_recorded(stores: dict[str, Store]) -> None:
    store = stores["zero"]
    row = row_of(store, 3)
    image = prepared(CONFIGS[1], store, [row])["spectrogram_BHW"]
    assert float(image[0, :, 100:].mean()) == pytest.approx(0, abs=1e-5)
    assert float(image[0, :, 100:].std(correction=0)) == pytest.approx(1, abs=1e-4)
    assert abs(float(image.mean())) > 1e-4
    seen = seen_columns(torch.tensor([[100, 300]]), 300, 300, None)
    assert seen[0].nonzero().flatten().tolist() == list(range(100, 300))
    assert float(image_mean(image, seen[:, None])) == pytest.approx(0, abs=1e-5)


def test_statistics_of_training_are_over_what_was_recorded(stores: dict[str, Store]) -> None:
    config = CONFIGS[0]
    scales = []
    for fill in FILLS:
        rows = np.asarray([row_of(stores[fill], number) for number in (2, 3)])
        scales.append(measure_normalisation(config, stores[fill], rows, CPU).scales)
    assert scales[0] == scales[1] == scales[2]


def test_a_column_is_seen_with_time_turned_as_drawn() -> None:
    calm = draw(Config(flip=0.0), 0, 1, ALONE)
    turned = replace(calm, flip_B=torch.tensor([True]))
    run = torch.tensor([[0, 30]])
    assert seen_columns(run, 100, 10, calm)[0].tolist() == [True] * 3 + [False] * 7
    assert seen_columns(run, 100, 10, turned)[0].tolist() == [False] * 7 + [True] * 3
    assert seen_columns(torch.tensor([[42, 44]]), 100, 10, calm).all()


def test_without_any_judged_second_a_window_is_left_as_the_store_holds_it(
    stores: dict[str, Store],
) -> None:
    store = stores["zero"]
    row = row_of(store, 5)
    assert observed_runs(store, np.asarray([row]), SIGNALS) == {}
    assert judged(store, np.arange(len(store))).tolist() == [
        eeg not in (40, 50) for eeg in store.windows["eeg_id"]
    ]


def test_judged_seconds_may_lack_two_of_ten(tmp_path: Path) -> None:
    folder = write_pair(tmp_path / "data", [ids(1), ids(2)])
    blank_outside(folder, 10, 11, (4400, 10_000))
    blank_outside(folder, 20, 21, (4401, 10_000))
    store = build_store(folder, tmp_path / "hms.zarr", split_by="all")
    enough = judged(store, np.arange(2))
    assert enough.tolist() == (store.windows["eeg_id"] == 10).tolist()


def test_loaders_give_the_runs_of_moved_windows(store: Store) -> None:
    rows = np.arange(len(store))
    shift = np.random.default_rng(0).integers(-3000, 3000, len(rows))
    asked = [Request(rows[i : i + 9], shift[i : i + 9]) for i in range(0, len(rows), 9)]
    loaders = (MappedLoader(store, SIGNALS, 9, CPU), ResidentLoader(store, SIGNALS, CPU))
    some = 0
    for loader in loaders:
        for request, batch in loader.load(asked):
            expected = observed_runs(store, request.rows, SIGNALS, request.shift)
            assert set(batch) == {*SIGNALS, *expected, CENTRE}
            for name, run in expected.items():
                np.testing.assert_array_equal(batch[name].numpy(), run)
                some += 1
        loader.close()
    assert some


def test_dropping_context_leaves_what_a_recording_of_the_judged_seconds_alone_would(
    tmp_path: Path,
) -> None:
    folder = write_pair(tmp_path / "data", [ids(1), ids(2)])
    whole = build_store(folder, tmp_path / "whole.zarr", normalise="none", split_by="all")
    blank_outside(folder, 10, 11)
    blank_outside(folder, 20, 21)
    cut = build_store(folder, tmp_path / "cut.zarr", normalise="none", split_by="all")
    rows = np.arange(2)
    for config in CONFIGS:
        dropping = replace(config, context_dropout=0.5, flip=0.0)
        draws = replace(draw(dropping, 0, 2, ALONE), alone_B=torch.tensor([True, False]))
        scales = measure_normalisation(config, whole, rows, CPU)
        found = NetworkInputs(dropping, scales, whole, CPU)(
            stored_batch(whole, rows, SIGNALS, CPU), draws
        )
        plain, short = (
            NetworkInputs(config, scales, store, CPU)(stored_batch(store, rows, SIGNALS, CPU), None)
            for store in (whole, cut)
        )
        for key, values in found.items():
            assert torch.equal(values[0], short[key][0])
            assert torch.equal(values[1], plain[key][1])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.inputs}")
def test_a_reversed_view_is_what_a_flip_makes_of_windows(
    config: Config, stores: dict[str, Store]
) -> None:
    """Of whole windows and of those that were recorded in part."""
    store = stores["zero"]
    rows = np.asarray([row_of(store, number) for number in (1, 2, 3, 4)])
    batch = stored_batch(store, rows, SIGNALS, CPU)
    batch[CENTRE] = torch.tensor([4800, 5300, 5000, 4900])
    scales = measure_normalisation(config, store, rows[:1], CPU)
    flipped = NetworkInputs(config, scales, store, CPU)
    reversed_ = NetworkInputs(config, scales, store, CPU, reverse=True)
    turned = draw(replace(config, flip=1.0), 0, 4, ALONE)
    for key, values in flipped(batch, turned).items():
        assert torch.equal(reversed_(batch, None)[key], values)
        assert not torch.equal(flipped(batch, None)[key], values)
    signals = signal_names(config)
    one, other = (
        prepare.physical.windows(batch, draws, signals)
        for prepare, draws in ((flipped, turned), (reversed_, None))
    )
    assert torch.equal(one.centre_B, other.centre_B)
    assert not torch.equal(one.centre_B, flipped.physical.windows(batch, None, signals).centre_B)
    for name, run_B2 in one.runs.items():
        assert torch.equal(run_B2, other.runs[name])


def test_context_is_dropped_by_draws_of_its_own() -> None:
    without, half = (Config(context_dropout=chance, mixup=0.4) for chance in (0.0, 0.5))
    for step in range(4):
        calm, drawn = draw(without, step, 64, ALONE), draw(half, step, 64, ALONE)
        again = draw(half, step, 64, ALONE)
        assert not calm.alone_B.any()
        assert 16 < int(drawn.alone_B.sum()) < 48
        assert torch.equal(drawn.alone_B, again.alone_B)
        for name in ("flip_B", "swap_B", "kept_BP", "stripes", "partner_B"):
            assert torch.equal(getattr(calm, name), getattr(drawn, name))
        assert (calm.mix, calm.noise_seed) == (drawn.mix, drawn.noise_seed)
    assert draw(replace(half, context_dropout=1.0), 0, 64, ALONE).alone_B.all()
    with pytest.raises(ConfigError, match="context_dropout needs context=observed"):
        Config(context="filled", context_dropout=0.5)


def real_part(real_data: Path, folder: Path) -> Path:
    """Two real segments of each kind: 50 s, ten seconds with ten minutes, ten seconds."""
    source = real_data / "real"
    table = pl.read_csv(source / "train.csv")
    kinds = [
        table.filter(pl.col("eeg_id").cast(str).str.starts_with(kind)).head(2)
        for kind in ("91", "92", "93")
    ]
    chosen = pl.concat(kinds)
    for name in ("eeg", "spectrogram"):
        (folder / f"train_{name}s").mkdir(parents=True)
        for number in chosen[f"{name}_id"].unique():
            file = Path(f"train_{name}s") / f"{number}.parquet"
            (folder / file).symlink_to((source / file).resolve())
    chosen.write_csv(folder / "train.csv")
    return folder


def holes(store: Store, row: int) -> int:
    """How many values are missing within the observed runs of a window."""
    missing, found = store.missing([row]), store.observed([row])
    return sum(
        int(missing[name][0, one.first[0] : one.stop[0]].sum()) for name, one in found.items()
    )


def probabilities(config: Config, store: Store) -> torch.Tensor:
    """Of all windows of a store, by a network of random weights."""
    torch.manual_seed(0)
    network = make_network(config).eval()
    rows = np.arange(len(store))
    scales = measure_normalisation(config, store, rows, CPU)
    seen = NetworkInputs(config, scales, store, CPU)
    with torch.no_grad():
        logits: torch.Tensor = network(**seen(stored_batch(store, rows, SIGNALS, CPU), None))[0]
    return logits.softmax(dim=1)


def test_predictions_of_real_segments_do_not_depend_on_how_their_store_was_filled(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_part(real_data, tmp_path / "data")
    zero, mean, line = (build_store(folder, tmp_path / f"{fill}.zarr", nan=fill) for fill in FILLS)
    rows = np.arange(len(zero))
    assert judged(zero, rows).all()
    unbroken = np.flatnonzero([holes(zero, row) == 0 for row in rows])
    assert len(unbroken) >= 5  # holes are filled by each build in its way
    for config in CONFIGS[:3]:
        now, *others = (probabilities(config, store) for store in (zero, mean, line))
        assert all(torch.equal(now[unbroken], other[unbroken]) for other in others)
        old = replace(config, context="filled")
        before, *others = (probabilities(old, store) for store in (zero, mean, line))
        assert not any(torch.equal(before, other) for other in others)
        seen_whole = zero.observed(rows, signal_names(config))
        whole = np.min([one.share for one in seen_whole.values()], axis=0) == 1
        assert torch.equal(now[whole], before[whole])
        assert not torch.isclose(now[~whole], before[~whole]).all(dim=1).any()
