"""A model sees the same whichever store its windows come from, and augmentation keeps meaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.helpers import build_store

from hmsstore import FEATURES, Store
from hmsstore.montage import SWAPPED_CHANNELS, SWAPPED_FEATURES
from hmstrain.config import Config
from hmstrain.data.augment import Draws, blank_stripes, draw, mixed, shifts
from hmstrain.data.inputs import make_inputs
from hmstrain.data.inputs.image import image_BCHW
from hmstrain.data.inputs.prepare import (
    NetworkInputs,
    Normalisation,
    check_cleaning,
    measure_normalisation,
)
from hmstrain.data.loader import stored_batch
from hmstrain.distributed import World
from hmstrain.errors import DataError

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
BOTH = Config(inputs="spec+eeg")


def tensors(store: Store, rows: Any) -> dict[str, torch.Tensor]:
    return stored_batch(store, np.asarray(rows), ("eeg", "spectrogram"), CPU)


def inputs(config: Config, store: Store) -> NetworkInputs:
    measured = measure_normalisation(config, store, store.select("train"), CPU)
    return NetworkInputs(config, measured, store, CPU)


def still(count: int) -> Draws:
    """Draws that change nothing."""
    calm = replace(BOTH, flip=0.0)
    return draw(calm, 0, count, ALONE)


def test_images_have_the_documented_shapes_and_are_standardised(store: Store) -> None:
    prepared = inputs(BOTH, store)(tensors(store, store.select("train")), None)
    made = make_inputs(BOTH)
    assert prepared["spectrogram_BHW"].shape[1:] == made["spec"].shape == (400, 300)
    assert prepared["eeg_image_BHW"].shape[1:] == made["eeg-image"].shape == (300, 309)
    rows = prepared["eeg_image_BHW"]
    # Of windows that were not recorded whole only what was is measured, and is mirrored here.
    assert float(rows.mean(dim=(0, 2)).abs().max()) < 5e-3
    assert float((rows.square().mean(dim=(0, 2)).sqrt() - 1).abs().max()) < 5e-3
    image = image_BCHW(prepared["spectrogram_BHW"][:2], (400, 300))
    assert image.shape == (2, 3, 400, 300)
    assert torch.equal(image[:, 0], image[:, 2])


def test_the_spectrogram_is_stored_values_with_frequency_upright(store: Store) -> None:
    batch = tensors(store, [3])
    image = inputs(BOTH, store)(batch, None)["spectrogram_BHW"][0]
    place = FEATURES.index("LP_0.59")
    torch.testing.assert_close(
        image[place], batch["spectrogram"][0, :, place].float(), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("other", [{"normalise": "none"}, {"split_by": "all"}])
def test_another_stores_windows_look_the_same(
    store: Store, data: Path, tmp_path: Path, other: dict[str, Any]
) -> None:
    """Stored without z-scores, or with no statistics at all: the run's own are applied."""
    second = build_store(data, tmp_path / "second.zarr", **other)
    measured = measure_normalisation(BOTH, store, store.select("train"), CPU)
    check_cleaning(measured, second)
    rows = np.arange(8)
    assert store.windows["label_id"][rows].tolist() == second.windows["label_id"][rows].tolist()
    seen = [
        NetworkInputs(BOTH, measured, one, CPU)(tensors(one, rows), None) for one in (store, second)
    ]
    for name in seen[0]:
        difference = (seen[0][name] - seen[1][name]).abs()
        assert float(difference.mean()) < 5e-3, name


def test_a_store_cleaned_in_another_way_is_refused(
    store: Store, data: Path, tmp_path: Path
) -> None:
    second = build_store(data, tmp_path / "second.zarr", eeg_clip=500.0, nan="interpolate")
    measured = measure_normalisation(BOTH, store, store.select("train"), CPU)
    with pytest.raises(
        DataError,
        match=r"nan interpolate \(trained with zero\), eeg_clip 500.0 \(trained with 1024",
    ):
        check_cleaning(measured, second)


def test_normalisation_survives_json(store: Store) -> None:
    measured = measure_normalisation(BOTH, store, store.select("train"), CPU)
    assert Normalisation.from_json(measured.to_json()) == measured


def test_an_image_standardised_by_itself_does_not_tell_how_loud_it_was(store: Store) -> None:
    config = replace(BOTH, standardise="window")
    rows = store.select("train")[:4]
    quiet = tensors(store, rows)
    prepare = inputs(config, store)
    mean, std = prepare.physical.scale["spectrogram"]
    loud = dict(quiet)
    loud["spectrogram"] = ((quiet["spectrogram"].float() * std + mean + 1.5) - mean) / std
    found, louder = prepare(quiet, None), prepare(loud, None)
    for image in found.values():
        assert image.mean((1, 2)).abs().max() < 1e-4
        torch.testing.assert_close(image.std((1, 2)), torch.ones(4), atol=1e-3, rtol=0)
    usual = inputs(BOTH, store)
    a, b = (usual(batch, None)["spectrogram_BHW"] for batch in (quiet, loud))
    changed = (a - b).abs().mean()
    a, b = found["spectrogram_BHW"], louder["spectrogram_BHW"]
    assert (a - b).abs().mean() < changed / 2  # what is clipped stays told
    constant = {"spectrogram": torch.zeros(1, 300, 400), "eeg": quiet["eeg"][:1]}
    assert torch.isfinite(prepare(constant, None)["spectrogram_BHW"]).all()


def test_a_flip_reverses_both_signals_together(store: Store) -> None:
    prepare = inputs(BOTH, store)
    batch = tensors(store, [0, 1, 2])
    drawn = replace(still(3), flip_B=torch.tensor([True, False, True]))
    plain, flipped = prepare(batch, None), prepare(batch, drawn)
    spectrogram, turned = plain["spectrogram_BHW"], flipped["spectrogram_BHW"]
    torch.testing.assert_close(turned[0], spectrogram[0].flip(1))
    torch.testing.assert_close(turned[1], spectrogram[1])
    eeg, reversed_ = (prepare.physical("eeg", batch["eeg"], draws) for draws in (None, drawn))
    torch.testing.assert_close(reversed_[2], eeg[2].flip(0))


def test_a_swap_exchanges_sides_in_physical_units(store: Store) -> None:
    config = replace(BOTH, swap=0.5)
    prepare = inputs(config, store)
    batch = tensors(store, [0, 1])
    drawn = replace(still(2), swap_B=torch.tensor([True, False]))
    eeg, swapped = (prepare.physical("eeg", batch["eeg"], draws) for draws in (None, drawn))
    torch.testing.assert_close(swapped[0], eeg[0][:, list(SWAPPED_CHANNELS)])
    torch.testing.assert_close(swapped[1], eeg[1])
    physical = store.denormalise(store.gather([0]))["spectrogram"][0][:, list(SWAPPED_FEATURES)]
    statistics = store.info["statistics"]["spectrogram"]
    expected = (physical - np.asarray(statistics["mean"])) / np.asarray(statistics["std"])
    found = prepare(batch, drawn)["spectrogram_BHW"][0].T.numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_only_the_chosen_part_of_the_signals_is_seen(store: Store) -> None:
    config = replace(BOTH, eeg_seconds=10.0, spectrogram_rows=(138, 162))
    batch = tensors(store, [0])
    whole, part = (inputs(one, store) for one in (BOTH, config))
    eeg, central = (one.physical("eeg", batch["eeg"], None) for one in (whole, part))
    torch.testing.assert_close(central, eeg[:, 4000:6000])
    image, cut = (one(batch, None)["spectrogram_BHW"] for one in (whole, part))
    torch.testing.assert_close(cut, image[:, :, 138:162])
    assert tuple(cut.shape[1:]) == make_inputs(config)["spec"].shape


def test_stripes_blank_what_they_cover_and_nothing_else() -> None:
    image = torch.ones(1, 10, 20)
    stripes = torch.tensor([[[[0.5, 0.2]], [[0.0, 0.1]]]])
    found = blank_stripes(image, stripes)[0]
    assert torch.nonzero(found[:, 10] == 0).flatten().tolist() == [5, 6]
    assert torch.nonzero(found[0] == 0).flatten().tolist() == [0, 1]


def test_mixing_takes_a_share_of_each_and_shifts_stay_within_their_limit() -> None:
    drawn = replace(still(4), mix=0.25, partner_B=torch.tensor([1, 0, 3, 2]))
    x = torch.arange(4.0)[:, None]
    assert mixed(x, drawn).flatten().tolist() == [0.75, 0.25, 2.75, 2.25]
    assert shifts(Config(), 3, 8) is None
    drawn_shifts = np.concatenate([shifts(Config(shift_s=2.0), step, 32) for step in range(200)])
    assert drawn_shifts.min() == -400
    assert drawn_shifts.max() == 400
