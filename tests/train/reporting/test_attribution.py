"""Maps of what an answer rests on, and the test that they are put to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.inside import Inside
from support.runs import train_small
from support.single import SinglePrecision
from torch import Tensor, nn

from hmsstore import CHANNELS, CLASSES, REGIONS, Store
from hmsstore.montage import PAIRS
from hmsstore.view import Importance
from hmstrain.config import Config
from hmstrain.data.inputs import Input, make_input, make_inputs
from hmstrain.data.inputs.image import IMAGE_GRID
from hmstrain.data.inputs.pair_image import PairImage
from hmstrain.data.inputs.prepare import Normalisation
from hmstrain.errors import ModelError
from hmstrain.models.network import make_network
from hmstrain.reporting.attribution import (
    Explanation,
    _gradcam,
    _integrated,
    as_importance,
    described,
    explain_window,
)
from hmstrain.reporting.faithfulness import Faithfulness, measure_faithfulness
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.outcome import StoreId
from hmstrain.runs.trained import Trained, load_trained

CPU = torch.device("cpu")
PROGRAM = Inside("hmstrain")
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
        ("images", "gradcam", {"spec": (400, 300), "eeg-image": (300, 309)}),
        ("images", "gradients", {"spec": (400, 300), "eeg-image": (300, 309)}),
        ("raw", "gradcam", {"raw": (18, 2000)}),
        ("raw", "gradients", {"raw": (18, 2000)}),
        ("patches", "gradients", {"spec": (400, 300)}),
    ],
)
def test_every_kind_of_network_can_be_explained(
    runs: dict[str, RunFolder],
    store: Store,
    kind: str,
    method: str,
    shapes: dict[str, tuple[int, int]],
) -> None:
    found = explain_window(loaded(runs, kind), store, 3, method, target=2)
    assert {name: importance.shape for name, importance in found.maps.items()} == shapes
    assert min(importance.min() for importance in found.maps.values()) >= 0
    assert max(importance.max() for importance in found.maps.values()) in (0, 1)
    assert sum(found.shares.values()) in (0, pytest.approx(1))
    assert found.target == 2
    assert found.probability.sum() == pytest.approx(1)
    again = explain_window(loaded(runs, kind), store, 3, method, target=2)
    for name, importance in found.maps.items():
        np.testing.assert_array_equal(importance, again.maps[name])


def test_the_usual_method_is_gradcam_where_there_are_feature_maps(
    runs: dict[str, RunFolder], store: Store
) -> None:
    assert explain_window(loaded(runs, "raw"), store, 0).method == "gradcam"
    found = explain_window(loaded(runs, "patches"), store, 0)
    assert found.method == "gradients"
    assert found.target == found.probability.argmax()


def test_the_answer_that_is_explained_is_the_one_that_is_given(
    store: Store, tmp_path: Path
) -> None:
    """Of a network of sigmoids too, whose logits say other things."""
    outcome = train_small(store, tmp_path / "run", epochs=1, loss="bce", learning_rate=0.01)
    trained = load_trained(RunFolder(tmp_path / "run"), CPU)
    assert outcome.test is not None
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        row, expected = int(found["row"][0]), found["prediction"][0]
    explained = explain_window(trained, store, row)
    np.testing.assert_allclose(explained.probability, expected, atol=1e-5)


def test_a_device_without_float64_explains(runs: dict[str, RunFolder], store: Store) -> None:
    expected = explain_window(loaded(runs, "raw"), store, 3)
    with SinglePrecision():
        found = explain_window(loaded(runs, "raw"), store, 3)
    np.testing.assert_array_equal(found.probability, expected.probability)
    assert found.faithfulness == expected.faithfulness


def planted(importance: np.ndarray[Any, Any]) -> Faithfulness:
    """Faithfulness of a map where only the first eighth of an image decides."""

    def forward(image: Tensor) -> Tensor:
        decides = image[:, :10, :20].mean((1, 2))
        return torch.stack([4 * decides, -4 * decides], dim=1)

    prepared = {"spec": torch.ones(1, 80, 120)}
    return measure_faithfulness(forward, prepared, {"spec": importance}, {"spec": IMAGE_GRID}, 0)


def test_a_map_of_what_decides_passes_and_others_fail() -> None:
    right = np.zeros((80, 120), np.float32)
    right[:10, :20] = 1
    found = planted(right)
    assert found.holds
    assert found.beaten == found.compared
    assert found.deletion < found.misplaced_deletion - 0.05
    assert found.insertion > found.misplaced_insertion + 0.02
    assert not planted(1 - right).holds
    assert planted(np.zeros((80, 120), np.float32)).beaten == 0
    assert planted(np.ones((80, 120), np.float32)).beaten == 0


def test_a_map_of_half_of_what_decides_passes_deletion_but_not_insertion() -> None:
    def forward(image: Tensor) -> Tensor:
        both = torch.minimum(
            image[:, 10:15, 20:30].mean((1, 2)), image[:, 70:75, 10:20].mean((1, 2))
        )
        return torch.stack([4 * both, -4 * both], dim=1)

    half = np.zeros((80, 120), np.float32)
    half[10:15, 20:30] = 1
    inputs = {"spec": torch.ones(1, 80, 120)}
    found = measure_faithfulness(forward, inputs, {"spec": half}, {"spec": IMAGE_GRID}, 0)
    assert found.deletion < found.misplaced_deletion
    assert not found.holds


def test_integrated_gradients_of_a_linear_network_are_its_terms_for_the_class() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, image = torch.randn(2, 7, 9, generator=generator)

    def forward(image_BHW: Tensor) -> Tensor:
        first = (image_BHW * weight).sum((1, 2))
        return torch.stack([first, -first], dim=1)

    for target, sign in ((0, 1), (1, -1)):
        seen = make_inputs(Config())
        found = _integrated(forward, {"spec": image[None]}, seen, target)["spec"]
        torch.testing.assert_close(found, (sign * weight * image).clamp(min=0))


def test_gradcam_shows_what_speaks_for_the_class_that_is_asked_for() -> None:
    layer = nn.Conv2d(2, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2)[..., None, None])
    image = torch.zeros(1, 2, 8, 12)
    image[0, 0, 1, 2] = image[0, 1, 6, 9] = 1

    def forward(image_BPHW: Tensor) -> Tensor:
        first, second = layer(image_BPHW).mean((2, 3)).unbind(1)
        return torch.stack([first - second, second - first], dim=1)

    for target, place in ((0, (1, 2)), (1, (6, 9))):
        found = _gradcam(forward, {"spec": image}, {"spec": layer}, target, "two")["spec"]
        assert np.unravel_index(int(found.argmax()), found.shape) == place
        assert int((found > 0).sum()) == 1


def test_terms_for_and_against_cancel_nearby_but_traces_stay_apart() -> None:
    from hmstrain.reporting.attribution import _blurred

    terms = torch.zeros(100, 300)
    terms[40, 150], terms[41, 151], terms[80, 20] = 1, -1, 2
    found = _blurred(terms, traces=False)
    assert found[40, 150] == 0
    assert found[80, 20] > 0
    assert found[30:50, 140:160].sum() < 0.5
    assert found[70:90, 10:30].sum() == pytest.approx(2, rel=1e-5)
    traces = torch.zeros(18, 2000)
    traces[3, 1000] = 1
    found = _blurred(traces, traces=True)
    assert found[3].sum() == pytest.approx(1, rel=1e-5)
    assert found.sum() == found[3].sum()


@pytest.mark.parametrize(
    ("model", "has_map"),
    [
        ("resnet18", True), ("convnext_atto", True), ("efficientnet_b0", True), ("naive_cnn", True),
        ("tf_efficientnetv2_s", True), ("vit_tiny_patch16_224", False),
        ("swin_tiny_patch4_window7_224", False),
    ],
)  # fmt: skip
def test_gradcam_takes_the_map_after_the_last_whole_block(model: str, has_map: bool) -> None:
    config = Config(model=model, inputs="spec", image_size=64)
    network = make_network(config).eval()
    trunk = network.trunks["spectrogram_BHW"]
    image = torch.randn(1, 400, 300)
    layer = network.last_maps["spectrogram_BHW"]
    assert (layer is not None) == has_map
    if layer is None or model == "naive_cnn":
        return
    made = []
    layer.register_forward_hook(lambda *called: made.append(called[-1]))
    with torch.no_grad():
        features = trunk(image)
        pooled = trunk.backbone.forward_head(made[0])
    torch.testing.assert_close(pooled, features)


def test_inputs_compare_in_one_unit() -> None:
    """Of two inputs, one of which hardly counts, that one's map is small by either method."""
    from hmstrain.models.eeg.resnet1d import ResNet1D
    from hmstrain.models.network import PatternNetwork

    torch.manual_seed(0)
    names = "raw", "other"
    network = PatternNetwork({name: ResNet1D(18) for name in names}, 0.0, 0).eval()
    with torch.no_grad():
        network.head.weight[:, :256] *= 1e-3
    inputs = {name: torch.randn(1, 18, 600) for name in names}

    def forward(*given: Tensor) -> Tensor:
        return network(**dict(zip(names, given, strict=True)))[0]

    seen = dict.fromkeys(names, make_input("raw", Config()))
    for found in (
        _gradcam(forward, inputs, network.last_maps, 0, "two"),
        _integrated(forward, inputs, seen, 0),
    ):
        small, large = (found[name].sum() for name in names)
        assert 0 < small < 0.02 * large


def test_importance_lies_over_the_traces_that_it_is_of(
    runs: dict[str, RunFolder], store: Store
) -> None:
    trained = loaded(runs, "images")
    found = explain_window(trained, store, 0, "gradients")
    laid = as_importance(found, trained)
    assert tuple(laid.traces) == REGIONS
    assert laid.spectrogram is not None
    whole = laid.whole_spectrogram()
    np.testing.assert_array_equal(whole[7, 100:200], found.maps["spec"][100:200, 7])
    raw = loaded(runs, "raw")
    found = explain_window(raw, store, 0, "gradients")
    laid = as_importance(found, raw)
    assert laid.eeg_seconds == 10
    assert len(laid.traces) == 18
    for number, (first, second) in enumerate(PAIRS):
        strip = laid.of_trace(f"{first}-{second}", "")
        sums = found.maps["raw"][number].reshape(200, -1).sum(axis=1)
        np.testing.assert_allclose(strip, sums, rtol=1e-5, atol=1e-6)
    over_electrode = laid.of_trace("F7", "")
    both = [laid.traces["Fp1-F7"], laid.traces["F7-T3"]]
    np.testing.assert_array_equal(over_electrode, np.max(both, axis=0))
    assert laid.of_trace("Fz-avg", "") is not None
    assert laid.of_trace("EKG", "EKG") is None


@pytest.mark.parametrize("inputs", ["mel16+stft-50", "eeg-image+raw", "side-by-side+spec"])
def test_maps_of_inputs_that_share_a_signal_add_up(inputs: str, store: Store) -> None:
    config = Config(model="naive_cnn", inputs=inputs)
    made = make_inputs(config)
    tested = Faithfulness(0.4, 0.6, 0.5, 0.3, 19)
    trained = Trained(config, Normalisation({}, {}), nn.Identity(), CPU, {}, StoreId.of(store))
    rng = np.random.default_rng(0)
    maps = {
        name: unpadded(one, rng.random(one.shape).astype(np.float32)) for name, one in made.items()
    }

    parts = {"side-by-side": {"eeg": 0.5, "spectrogram": 0.5}}

    def drawn(of: str) -> Importance:
        seen = {name: found * (of in (name, "all")) for name, found in maps.items()}
        found = Explanation(0, 1, "gradients", np.full(6, 1 / 6), seen, tested, parts=parts)
        return as_importance(found, trained)

    def total(laid: Importance) -> dict[str, float]:
        spectrogram = 0.0 if laid.spectrogram is None else float(laid.spectrogram.sum())
        return {
            "eeg": sum(float(strip.sum()) for strip in laid.traces.values()),
            "spectrogram": spectrogram,
        }

    both = drawn("all")
    expected = dict.fromkeys(("eeg", "spectrogram"), 0.0)
    for name, one in made.items():
        alone = total(drawn(name))
        for signal, part in one.of_signals(maps[name]).items():
            assert alone[signal] == pytest.approx(float(part.sum()), rel=1e-4)
            expected[signal] += alone[signal]
    assert total(both) == pytest.approx(expected, rel=1e-4)
    if inputs == "eeg-image+raw":
        assert both.traces.keys() == {f"{a}-{b}" for a, b in PAIRS}


def unpadded(one: Input, found: Any) -> Any:
    """A map without values where an image is padded."""
    if not isinstance(one, PairImage):
        return found
    left, _, top, _ = one._padding
    height, width = one.unpadded
    kept = np.zeros_like(found)
    kept[top : top + height, left : left + width] = 1
    return found * kept


def test_evidence_of_a_channel_lies_once_over_its_traces() -> None:
    one = make_input("microvolts", Config(model="support.nets:spread", inputs="microvolts"))
    values = np.zeros((20, 10_000), np.float32)
    values[CHANNELS.index("F7"), 300] = 1
    values[CHANNELS.index("Fz"), 7] = 2
    values[CHANNELS.index("EKG"), 9] = 3
    laid = one.overlay(values).traces
    assert laid["Fp1-F7"][300] == laid["F7-T3"][300] == 0.5
    assert laid["Fz-Cz"][7] == 2
    assert laid["EKG"][9] == 3
    assert sum(float(strip.sum()) for strip in laid.values()) == 6


def test_a_map_that_fails_its_test_says_so() -> None:
    one = {"spec": np.ones((400, 300), np.float32)}

    def told(beaten: int, maps: dict[str, np.ndarray[Any, Any]]) -> str:
        tested = Faithfulness(0.6, 0.4, 0.3, 0.5, beaten)
        return described(Explanation(0, 1, "gradcam", np.full(6, 1 / 6), maps, tested))

    assert "do NOT trust this map: better than only 18 of 19 misplaced maps" in told(18, one)
    assert "NOT" not in told(19, one)
    assert "no map to trust" in told(19, {"spec": np.zeros((400, 300), np.float32)})
    several = one | {"raw": np.full((18, 2000), 3, np.float32)}
    assert "over time, the same for all traces, spectrogram 53%, EEG 47%" in told(19, several)


def test_gradcam_without_feature_maps_is_refused(store: Store, tmp_path: Path) -> None:
    train_small(
        store, tmp_path / "own", epochs=1, steps=2, model="support.nets:both", inputs="spec+eeg"
    )
    trained = load_trained(RunFolder(tmp_path / "own"), CPU, trust="support.nets:both")
    with pytest.raises(ModelError, match="use --method gradients"):
        explain_window(trained, store, 0, "gradcam")
    assert explain_window(trained, store, 0).method == "gradients"


def test_the_command_draws_and_tells(runs: dict[str, RunFolder], tmp_path: Path) -> None:
    folder = runs["images"].path
    done = PROGRAM.succeed(
        "explain", folder, 5, "--class", "lpd", "--out", tmp_path / "e.png", "--json"
    )
    told = json.loads(done.stdout)
    assert told["class"] == "lpd"
    assert set(told["probability"]) == set(CLASSES)
    assert told["faithfulness"].keys() >= {"deletion", "misplaced_insertion", "holds"}
    assert told["shares"].keys() == {"spectrogram", "EEG"}
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    assert "There is no method 'swap'" in PROGRAM.fail("explain", folder, 5, "--method", "swap")
    assert "There is no class 'heart'" in PROGRAM.fail("explain", folder, 5, "--class", "heart")
    assert "row 99999 does not exist" in PROGRAM.fail("explain", folder, 99999)
