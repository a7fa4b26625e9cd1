"""Maps of what an answer rests on, and the test that they are put to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Program
from torch import Tensor
from train.runs import train_small

from hmsstore import CLASSES, REGIONS, Store
from hmstrain.errors import ModelError
from hmstrain.explain import (
    Explanation,
    as_importance,
    described,
    explain,
)
from hmstrain.faithfulness import Faithfulness, measure_faithfulness
from hmstrain.run_folder import RunFolder
from hmstrain.trained import Trained, load_trained

CPU = torch.device("cpu")
PROGRAM = Program("hmstrain")
KINDS: dict[str, dict[str, Any]] = {
    "images": {"model": "naive_cnn", "inputs": "spec+eeg"},
    "raw": {"model": "resnet1d", "inputs": "eeg", "eeg_seconds": 10},
    "patches": {"model": "vit_tiny_patch16_224", "inputs": "spec", "image_size": 32},
}


@pytest.fixture(scope="module")
def runs(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """A short run of each kind of network."""
    folders = {}
    for kind, settings in KINDS.items():
        path = tmp_path_factory.mktemp("runs") / kind
        train_small(store, path, epochs=1, steps=2, **settings)
        folders[kind] = RunFolder(path)
    return folders


def loaded(runs: dict[str, RunFolder], kind: str) -> Trained:
    return load_trained(runs[kind], CPU)


@pytest.mark.parametrize(
    ("kind", "method", "shapes"),
    [
        ("images", "gradcam", {"spectrogram_BHW": (400, 300), "eeg_image_BHW": (300, 309)}),
        ("images", "gradients", {"spectrogram_BHW": (400, 300), "eeg_image_BHW": (300, 309)}),
        ("raw", "gradcam", {"eeg_raw_BPT": (18, 2000)}),
        ("raw", "gradients", {"eeg_raw_BPT": (18, 2000)}),
        ("patches", "gradients", {"spectrogram_BHW": (400, 300)}),
    ],
)
def test_every_kind_of_network_can_be_explained(
    runs: dict[str, RunFolder],
    store: Store,
    kind: str,
    method: str,
    shapes: dict[str, tuple[int, int]],
) -> None:
    found = explain(loaded(runs, kind), store, 3, method, target=2)
    assert {name: importance.shape for name, importance in found.maps.items()} == shapes
    for importance in found.maps.values():
        assert importance.min() >= 0
        assert importance.max() <= 1
    assert found.target == 2
    assert found.probability.sum() == pytest.approx(1)
    again = explain(loaded(runs, kind), store, 3, method, target=2)
    for name, importance in found.maps.items():
        np.testing.assert_array_equal(importance, again.maps[name])


def test_the_usual_method_is_gradcam_where_there_are_feature_maps(
    runs: dict[str, RunFolder], store: Store
) -> None:
    assert explain(loaded(runs, "raw"), store, 0).method == "gradcam"
    found = explain(loaded(runs, "patches"), store, 0)
    assert found.method == "gradients"
    assert found.target == found.probability.argmax()


def planted(importance: np.ndarray[Any, Any]) -> Faithfulness:
    """Faithfulness of a map where only the first eighth of an image decides."""

    def forward(image: Tensor) -> Tensor:
        decides = image[:, :10, :20].mean((1, 2))
        return torch.stack([4 * decides, -4 * decides], dim=1)

    return measure_faithfulness(
        forward, {"spectrogram_BHW": torch.ones(1, 80, 120)}, {"spectrogram_BHW": importance}, 0
    )


def test_a_map_of_what_decides_passes_and_others_fail() -> None:
    right = np.zeros((80, 120), np.float32)
    right[:10, :20] = 1
    found = planted(right)
    assert found.holds
    assert found.deletion < found.random_deletion - 0.05
    assert found.insertion > found.random_insertion + 0.05
    assert not planted(1 - right).holds


def test_integrated_gradients_of_a_linear_network_are_its_terms(store: Store) -> None:
    from hmstrain.explain import _integrated

    generator = torch.Generator().manual_seed(0)
    weight, image = torch.randn(2, 7, 9, generator=generator)

    def forward(image_BHW: Tensor) -> Tensor:
        first = (image_BHW * weight).sum((1, 2))
        return torch.stack([first, -first], dim=1)

    found = _integrated(forward, {"spectrogram_BHW": image[None]}, 0)["spectrogram_BHW"]
    torch.testing.assert_close(found, (weight * image).abs())


def test_importance_lies_over_the_traces_that_it_is_of(
    runs: dict[str, RunFolder], store: Store
) -> None:
    trained = loaded(runs, "images")
    found = explain(trained, store, 0, "gradients")
    laid = as_importance(found, trained)
    assert tuple(laid.traces) == REGIONS
    assert laid.spectrogram is not None
    whole = laid.whole_spectrogram()
    np.testing.assert_array_equal(whole[7, 100:200], found.maps["spectrogram_BHW"][100:200, 7])
    raw = loaded(runs, "raw")
    laid = as_importance(explain(raw, store, 0), raw)
    assert laid.eeg_seconds == 10
    assert len(laid.traces) == 18
    assert laid.of_trace("F7-T3", "LL") is not None


def test_a_map_that_fails_its_test_says_so() -> None:
    bad = Faithfulness(0.6, 0.4, 0.3, 0.5, holds=False)
    found = Explanation(0, 1, "gradcam", np.full(6, 1 / 6), {}, bad)
    assert "NOT better than chance" in described(found)
    assert "NOT" not in described(
        Explanation(
            0, 1, "gradcam", np.full(6, 1 / 6), {}, Faithfulness(0.1, 0.4, 0.9, 0.5, holds=True)
        )
    )


def test_gradcam_without_feature_maps_is_refused(store: Store, tmp_path: Path) -> None:
    train_small(
        store, tmp_path / "own", epochs=1, steps=2, model="train.nets:both", inputs="spec+eeg"
    )
    trained = load_trained(RunFolder(tmp_path / "own"), CPU)
    with pytest.raises(ModelError, match="use --method gradients"):
        explain(trained, store, 0, "gradcam")
    assert explain(trained, store, 0).method == "gradients"


def test_the_command_draws_and_tells(runs: dict[str, RunFolder], tmp_path: Path) -> None:
    folder = runs["images"].path
    done = PROGRAM.succeed(
        "explain", folder, 5, "--class", "lpd", "--out", tmp_path / "e.png", "--json"
    )
    told = json.loads(done.stdout)
    assert told["class"] == "lpd"
    assert set(told["probability"]) == set(CLASSES)
    assert told["faithfulness"].keys() >= {"deletion", "random_insertion", "holds"}
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    assert "--method swap does not exist" in PROGRAM.fail("explain", folder, 5, "--method", "swap")
    assert "--class heart does not exist" in PROGRAM.fail("explain", folder, 5, "--class", "heart")
    assert "row 99999 does not exist" in PROGRAM.fail("explain", folder, 99999)
