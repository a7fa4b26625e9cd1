"""Encoders of raw EEG are what their sources say, and see what they should."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch
from support.peers import braindecode_models
from support.runs import train_small
from support.waiting import Waiting
from torch import Tensor, nn
from torch.nn import functional

from hmsstore import CHANNELS, Store
from hmsstore.montage import ELECTRODES, PAIRS, SWAPPED_CHANNELS
from hmstrain.config import Config
from hmstrain.data.eeg import bipolar, raw_input
from hmstrain.data.inputs import make_inputs
from hmstrain.errors import ModelError
from hmstrain.models import MODELS
from hmstrain.models.eeg import graph, signals, sparcnet, wavenet
from hmstrain.models.eeg.conformer import Conformer
from hmstrain.models.eeg.deep4 import Deep4
from hmstrain.models.eeg.eegnet import EEGNet
from hmstrain.models.eeg.pooling import PlacesThenTime
from hmstrain.models.eeg.shallow_fbcsp import ShallowFBCSP
from hmstrain.models.eeg.squeezeformer import rotated
from hmstrain.models.eeg.time_space import TimeSpaceConvolution
from hmstrain.models.network import count_parameters, make_network

ENCODERS = [name for name, model in MODELS.items() if model.takes == "raw"]
OF_ONE_LENGTH = ["eegnet", "deep4", "shallow_fbcsp", "conformer"]
OF_ANY_LENGTH = [name for name in ENCODERS if name not in OF_ONE_LENGTH]
KEY = "eeg_raw_BPT"
DEFINITIONS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "EEGNet": (lambda: EEGNet(22, 512, filters=8, depth=2, kernel=64, dropout=0.25), 512, 2_484),
    "Deep4Net": (lambda: Deep4(22, 1000, dropout=0.5), 1000, 282_879),
    "ShallowFBCSPNet": (lambda: ShallowFBCSP(22, 1000, filters=40, dropout=0.5), 1000, 46_084),
    "EEGConformer": (
        lambda: Conformer(22, 1000, layers=6, heads=10, dropout=0.5),
        1000,
        789_572,
    ),
}
"""Name in braindecode -> the network here; samples; parameters with 22 traces and 4 classes."""


def made(name: str, seconds: float = 10.0, **arguments: Any) -> Any:
    config = Config(model=name, inputs="eeg", eeg_seconds=seconds, model_args=arguments)
    return make_network(config)


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_gives_numbers_in_float16(name: str) -> None:
    torch.manual_seed(0)
    network, time_s = made(name), torch.arange(2000) / 200
    raw = torch.sin(2 * torch.pi * (5 * time_s + torch.rand(2, 18, 1)))  # of 32 uV
    raw[1, 3] = 0
    with torch.autocast("cpu", torch.float16):
        assert network(**{KEY: raw})[0].isfinite().all()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_answers_alone_and_beside_a_spectrogram(name: str) -> None:
    assert Config(model=name).inputs == "eeg"
    torch.manual_seed(0)
    network = made(name).eval()
    raw = torch.randn(2, 18, 2000)
    logits = network(**{KEY: raw})[0]
    assert logits.shape == (2, 6)
    assert not torch.allclose(logits[0], logits[1])
    torch.testing.assert_close(network(**{KEY: raw[:1]})[0], logits[:1], rtol=1e-4, atol=1e-5)
    config = Config(
        model="naive_cnn", inputs="spec+eeg", eeg_model=name, eeg_seconds=4, image_size=32
    )
    both = make_network(config)
    given = {one.key: torch.randn(2, *one.shape) for one in make_inputs(config).values()}
    assert both(**given)[0].shape == (2, 6)
    assert set(config.encoders.values()) == {"naive_cnn", name}


@pytest.mark.parametrize("name", ENCODERS)
def test_features_tell_windows_apart_from_the_start(name: str) -> None:
    """Where the EEG is lost on its way through the layers, nothing is learned of it."""
    torch.manual_seed(0)
    trunk = made(name).eval().trunks[KEY]
    time = torch.arange(2000) / 200
    rhythms = torch.stack([torch.sin(2 * torch.pi * hz * time) for hz in (0.7, 1, 1.5, 3, 8)])
    raw = rhythms[:, None] * torch.rand(5, 18, 1) + 0.5 * torch.randn(5, 18, 2000)
    with torch.no_grad():
        features = trunk(raw)
    assert features.std(dim=0).mean() > 0.02 * features.abs().mean()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_waits_for_no_gpu_once_its_constants_are_there(name: str) -> None:
    network = made(name)
    for _ in range(2):
        with Waiting() as waiting:
            network(**{KEY: torch.randn(2, 18, 2000)})
    assert waiting.seen == []


@pytest.mark.parametrize("name", OF_ANY_LENGTH)
def test_the_same_weights_see_windows_of_any_length(name: str) -> None:
    network = made(name).eval()
    with torch.no_grad():
        for samples in (10_000, 2000, 400):
            logits = network(**{KEY: torch.randn(2, 18, samples)})[0]
            assert logits.shape == (2, 6)
            assert logits.isfinite().all()


def test_deep4_says_how_long_a_window_it_needs() -> None:
    with pytest.raises(ModelError, match=r"deep4 needs windows of 441 samples .* eeg_seconds=2.21"):
        made("deep4", seconds=2)
    assert made("deep4", seconds=2.205)(**{KEY: torch.randn(2, 18, 441)})[0].shape == (2, 6)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(1)
    network = made(name)
    logits = network(**{KEY: torch.randn(4, 18, 2000)})[0]
    functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    named = dict(network.named_parameters())
    assert [key for key, value in named.items() if value.grad is None] == []
    # Of a bias under a batch norm, and of that of a softmax's keys, it is 0 up to rounding.
    weights = {key: value for key, value in named.items() if not key.endswith("bias")}
    assert [key for key, value in weights.items() if not value.grad.any()] == []


@pytest.mark.parametrize("name", ENCODERS)
def test_the_last_map_is_what_the_features_are_made_of(name: str) -> None:
    network = made(name).eval()
    (layer,) = network.last_maps.values()
    assert (layer is None) == (name in ("resnet1d_gru", "squeezeformer", "conformer"))
    if layer is None:
        return
    gave: list[Tensor] = []
    layer.register_forward_hook(lambda *called: gave.append(called[-1]))
    logits = network(**{KEY: torch.randn(2, 18, 2000)})[0]
    (maps,) = gave
    assert maps.shape[0] == 2
    assert maps.dim() == 3 or maps.shape[2] == 1  # over time alone: no row stands for a trace
    assert maps.shape[-1] > 1
    (gradient,) = torch.autograd.grad(logits[0, 0], maps)
    assert gradient[0].abs().sum() > 0
    assert not gradient[1].any()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_trains(
    name: str, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings: dict[str, Any] = {"eeg_seconds": 2.5, "steps": 1, "channel_dropout": 0.2, "swap": 0.5}
    outcome = train_small(store, tmp_path_factory.mktemp("run") / "run", model=name, **settings)
    assert outcome.test is not None
    assert outcome.test.windows == len(store.select("test"))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("wavenet", 97_958), ("resnet1d_gru", 168_822), ("sparcnet", 1_090_859)],
)
def test_an_encoder_with_its_head_is_as_large_as_its_source(name: str, parameters: int) -> None:
    assert count_parameters(made(name)) == parameters
    assert MODELS[name].parameters == parameters


def test_symmetric1d_stays_under_a_million_parameters() -> None:
    assert MODELS["symmetric1d"].parameters < 1_000_000


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_classics_are_as_large_as_in_braindecode(name: str) -> None:
    make, _, parameters = DEFINITIONS[name]
    trunk: Any = make()
    assert count_parameters(nn.Sequential(trunk, nn.Linear(trunk.features, 4))) == parameters


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_classics_answer_as_braindecodes_do_with_the_same_weights(name: str) -> None:
    models = braindecode_models()
    make, samples, _ = DEFINITIONS[name]
    torch.manual_seed(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(models, name)(n_chans=22, n_outputs=4, n_times=samples).eval()
    trunk: Any = make()
    ours = nn.Sequential(trunk, nn.Linear(trunk.features, 4)).eval()
    source = theirs.state_dict().values()
    state = ours.state_dict()
    ours.load_state_dict(
        {key: value.reshape(state[key].shape) for key, value in zip(state, source, strict=True)}
    )
    x = torch.randn(3, 22, samples)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_wavenet_has_the_layers_of_its_plan() -> None:
    """Of a block from c to C channels with n layers, cC + C + n(7C^2 + 3C) values."""
    blocks = wavenet.build(None).blocks  # type: ignore[arg-type]
    before = 1
    for block, (width, layers) in zip(blocks, wavenet.BLOCKS, strict=True):
        expected = before * width + width + layers * (7 * width**2 + 3 * width)
        assert count_parameters(block) == expected
        assert [gate.dilation[0] for gate in block.gates] == [2**n for n in range(layers)]
        before = width


def test_wavenet_shares_its_weights_over_the_pairs_of_a_chain() -> None:
    network = made("wavenet").eval()
    raw = torch.randn(1, 18, 2000)
    order = [1, 0, 3, 2, *range(4, 18)]  # within LL
    torch.testing.assert_close(network(**{KEY: raw[:, order]})[0], network(**{KEY: raw})[0])
    across = [4, 1, 2, 3, 0, *range(5, 18)]  # LL and RL exchange a pair
    assert not torch.allclose(network(**{KEY: raw[:, across]})[0], network(**{KEY: raw})[0])


def test_sparcnet_has_the_blocks_of_its_authors() -> None:
    net = sparcnet.build(None)  # type: ignore[arg-type]
    assert count_parameters(net.stem) == 7_232
    assert [count_parameters(block) for block in net.blocks] == [
        107_136, 123_520, 131_712, 135_808, 137_856, 138_880, 139_392,
    ]  # fmt: skip
    assert [count_parameters(part) for part in net.transitions] == [
        18_528, 25_200, 28_920, 30_876, 31_878, 32_385,
    ]  # fmt: skip
    assert net.features == 255
    assert not any(isinstance(module, nn.BatchNorm1d) for module in net.modules())
    gave: list[Tensor] = []
    net.last_map.register_forward_hook(lambda *called: gave.append(called[-1]))
    net(torch.randn(1, 18, 2000))
    assert gave[0].shape == (1, 255, 7)


def test_sparcnet_ends_in_relu_and_with_weights_of_earlier_versions_in_elu() -> None:
    torch.manual_seed(7)
    raw = torch.randn(2, 18, 2000)
    network = made("sparcnet").eval()
    (layer,) = network.last_maps.values()
    gave: list[Tensor] = []
    layer.register_forward_hook(lambda *called: gave.append(called[-1].detach()))
    rectified = network(**{KEY: raw})[0]
    assert float(gave[-1].min()) == 0
    state = network.state_dict()
    (mark,) = state.keys() - {name for name, _ in network.named_parameters()}
    earlier = {name: value for name, value in state.items() if name != mark}

    network.load_state_dict(earlier)
    (trunk,) = network.trunks.values()
    with torch.no_grad():
        bent = network(**{KEY: raw})[0]
    assert float(gave[-1].min()) < 0
    torch.testing.assert_close(functional.relu(gave[-1]), gave[0])
    assert not torch.allclose(bent, rectified)
    assert network.state_dict().keys() == earlier.keys()
    again = made("sparcnet").eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(**{KEY: raw})[0], bent)

    again.load_state_dict(state)
    assert torch.equal(again(**{KEY: raw})[0], rectified)
    exported = torch.export.export(trunk, (raw,)).module()
    torch.testing.assert_close(exported(raw), trunk(raw))


def test_sparcnet_sees_sixteen_pairs_in_microvolts_clipped_at_500() -> None:
    net = sparcnet.build(None).eval()  # type: ignore[arg-type]
    seen: list[Tensor] = []
    net.stem.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    raw = torch.zeros(1, 18, 400)
    raw[0, 0, :3] = torch.tensor([1.0, 10.0, -20.0])  # of 32 uV
    net(raw)
    assert seen[0].shape == (1, 16, 400)
    assert seen[0][0, 0, :4].tolist() == [32, 320, -500, 0]


@pytest.mark.parametrize("training", [False, True])
def test_symmetric1d_answers_the_same_for_a_head_and_its_mirror_image(training: bool) -> None:
    torch.manual_seed(3)
    network = made("symmetric1d").train(training)
    eeg = torch.randn(3, 2000, 20) * 50
    swapped = eeg[..., list(SWAPPED_CHANNELS)]
    given, mirrored = (raw_input(bipolar(each)) for each in (eeg, swapped))
    assert not torch.allclose(given, mirrored)
    with torch.no_grad():
        logits = network(**{KEY: given})[0]
        torch.testing.assert_close(network(**{KEY: mirrored})[0], logits, rtol=1e-4, atol=1e-5)
        half = given.clone()
        half[:, :4] = mirrored[:, :4]  # the left lateral chain alone: another head
        assert not torch.allclose(network(**{KEY: half})[0], logits, atol=1e-3)


def test_other_encoders_tell_left_from_right() -> None:
    network = made("efficientnet1d").eval()
    raw = torch.randn(1, 18, 2000)
    order = [*range(4, 8), *range(4), *range(12, 16), *range(8, 12), 16, 17]
    assert not torch.allclose(network(**{KEY: raw[:, order]})[0], network(**{KEY: raw})[0])


def test_the_midline_and_each_chain_are_where_they_are_expected() -> None:
    raw = torch.arange(18.0).expand(1, 18)[..., None].expand(-1, -1, 5)
    chains = signals.by_chain(raw)
    assert [PAIRS[int(i)][0] for i in chains[0, :, 0, 0]] == ["Fp1", "Fp2", "Fp1", "Fp2"]
    left, right = signals.by_side(raw)
    for each, electrodes in ((left, "T3 C3"), (right, "T4 C4")):
        assert [PAIRS[int(i)][0] for i in each[0, :, 2, 0]] == electrodes.split()
    eeg = torch.randn(2, 600, 20)
    long = signals.long_differences(bipolar(eeg))
    ends = "Fp1-T3 T3-O1 Fp2-T4 T4-O2 Fp1-C3 C3-O1 Fp2-C4 C4-O2".split()
    for row, pair in enumerate(ends):
        first, second = (CHANNELS.index(name) for name in pair.split("-"))
        alone = torch.zeros_like(eeg)
        alone[..., CHANNELS.index("Fp1")] = eeg[..., first] - eeg[..., second]
        torch.testing.assert_close(long[:, row], bipolar(alone)[:, 0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rate_hz", [40.0, 100.0, 128.0, 256.0])
def test_resampling_is_scipys_with_the_stated_response(rate_hz: float) -> None:
    x = np.random.default_rng(4).standard_normal((2, 3, 2000))
    count = round(2000 * rate_hz / 200)

    def response(frequency: Any) -> Any:
        hz = np.abs(frequency) * 200
        if rate_hz > 200:
            return (hz < 100) * 1.0  # what lies at the Nyquist frequency itself is cut off
        below = hz < rate_hz / 2
        return below / (1 + (hz / (0.45 * rate_hz)) ** 32)

    expected = scipy.signal.resample(x, count, axis=-1, window=response)
    found = signals.at_rate(torch.from_numpy(x).float(), rate_hz)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_resampling_keeps_slow_waves_and_lets_no_fast_one_pass_as_slow() -> None:
    time = np.arange(2000) / 200
    slow, fast = (np.sin(2 * np.pi * hz * time) for hz in (5.0, 38.0))  # 38 Hz would look like 2
    found = signals.at_rate(torch.tensor(np.stack([[slow, fast]]), dtype=torch.float32), 40.0)[0]
    np.testing.assert_allclose(found[0], slow[::5], atol=1e-4)
    assert found[1].abs().max() < 1e-4
    raw = torch.randn(1, 18, 2000)
    assert signals.at_rate(raw, 200.0) is raw


def test_filters_over_time_and_traces_are_the_product_of_both() -> None:
    torch.manual_seed(5)
    for space_bias in (False, True):
        both = TimeSpaceConvolution(18, 7, 11, space_bias=space_bias)
        x = torch.randn(2, 18, 60)
        one_by_one = both.space(both.time(x[:, None]))[:, :, 0]
        torch.testing.assert_close(both(x), one_by_one, rtol=1e-4, atol=1e-5)


def test_a_mean_over_places_and_time_is_one_over_both() -> None:
    maps = torch.randn(2, 3, 4, 50)
    mean = PlacesThenTime()
    gave: list[Tensor] = []
    mean.maps.register_forward_hook(lambda *called: gave.append(called[-1]))
    torch.testing.assert_close(mean(maps), maps.mean((2, 3)))
    torch.testing.assert_close(gave[0], maps.mean(2))


def test_rotation_tells_how_far_apart_tokens_are_and_not_where() -> None:
    query, key = torch.randn(2, 1, 1, 1, 32)
    turned_query, turned_key = (rotated(x.expand(1, 1, 40, 32)) for x in (query, key))
    products = turned_query[0, 0] @ turned_key[0, 0].T
    for distance in (0, 3, 17):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=1e-3, atol=1e-3)
    assert (products[0, 0] - products[0, 17]).abs() > 1e-2
    torch.testing.assert_close(turned_query.norm(dim=-1), query.norm(dim=-1).expand(1, 1, 40))


def test_squeezeformer_puts_left_beside_right() -> None:
    network = made("squeezeformer").eval()
    (trunk,) = network.trunks.values()
    seen: list[Tensor] = []
    trunk.stem.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    raw = torch.arange(18.0)[None, :, None].expand(1, 18, 400) + 0.25
    network(**{KEY: raw})
    rows = [PAIRS[int(value)] for value in seen[0][0, 0].mean(1)]
    assert rows[:4] == [("Fp1", "F7"), ("Fp2", "F8"), ("F7", "T3"), ("F8", "T4")]
    assert rows[-2:] == [("P3", "O1"), ("P4", "O2")]


def test_the_graphs_montage_joins_the_pairs_and_no_others() -> None:
    edges = graph.montage_edges()
    joined = {
        frozenset((ELECTRODES[i], ELECTRODES[j])) for i, j in edges.nonzero().tolist() if i != j
    }
    assert joined == {frozenset(pair) for pair in PAIRS}
    torch.testing.assert_close(edges, edges.T)


def test_the_graphs_coherence_is_scipys() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((2, 4, 2000))
    x[:, 1] += 2 * x[:, 0]
    found = graph.coherence_edges(torch.from_numpy(x).float())
    for i in range(4):
        for j in range(4):
            _, expected = scipy.signal.coherence(
                x[:, i], x[:, j], fs=200, nperseg=200, noverlap=100, detrend=False
            )
            np.testing.assert_allclose(found[:, i, j], expected[:, 1:21].mean(1), atol=1e-4)
    assert found[0, 0, 1] > 0.6
    assert found[0, 0, 2] < 0.3
    flat = graph.coherence_edges(torch.zeros(1, 3, 2000))
    assert flat.isfinite().all()


def test_the_graphs_electrodes_have_the_differences_that_they_are_made_of() -> None:
    net = graph.build(None)  # type: ignore[arg-type]
    potential = torch.randn(19, 50)
    pairs = graph.incidence() @ potential
    recovered = net.to_electrodes @ pairs
    torch.testing.assert_close(graph.incidence() @ recovered, pairs, atol=1e-4, rtol=1e-4)
    left = [ELECTRODES.index(name) for name in "Fp1 F7 T3 T5 O1 F3 C3 P3".split()]
    relative = potential[left] - potential[left].mean(0)
    torch.testing.assert_close(recovered[left], relative, atol=1e-4, rtol=1e-4)


def test_the_graphs_edges_are_those_that_are_asked_for() -> None:
    signals_BNT = torch.randn(2, 19, 2000)
    found = made("graph", edges="coherence+montage").trunks[KEY].edges(signals_BNT)
    assert list(found) == ["coherence", "montage"]
    for kind in ("montage", "coherence", "learned"):
        network = made("graph", edges=kind)
        (edges,) = network.trunks[KEY].edges(signals_BNT).values()
        torch.testing.assert_close(edges.sum(-1), torch.ones(edges.shape[:2]))
        assert (len(edges) == 2) == (kind == "coherence")  # of each window
        learns = any("ends" in key for key, _ in network.named_parameters())
        assert learns == (kind == "learned")
    for wrong in ("distance", "montage+montage"):
        with pytest.raises(ModelError, match=r"model.edges must be montage, coherence, learned"):
            made("graph", edges=wrong)


def test_the_graph_passes_on_what_an_electrode_holds_along_edges_alone() -> None:
    net = graph.Graph(("montage",), 8, 1)
    layer = net.layers[0].eval()
    edges = [net.edges(torch.zeros(1, 19, 400))["montage"]]
    x = torch.rand(1, 8, 19, 3)
    changed = x.clone()
    changed[:, :, ELECTRODES.index("Cz")] += 1
    moved = (layer(changed, edges) - layer(x, edges)).abs().amax((0, 1, 3)) > 1e-6
    assert {ELECTRODES[i] for i in moved.nonzero().flatten().tolist()} <= {"Fz", "Cz", "Pz"}
    assert moved.sum() > 1
