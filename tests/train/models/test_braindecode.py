"""Models of braindecode see the EEG as they expect it, and begin with the weights of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.torch import save_file
from support.peers import braindecode_models
from support.runs import ALONE, SMALL, train_small
from torch import Tensor, nn

from hmsstore import CHANNELS, Store
from hmsstore.montage import ELECTRODES
from hmstrain.config import Config
from hmstrain.data.eeg import bipolar
from hmstrain.errors import ModelError, TrainError
from hmstrain.models.braindecode import NEEDS, BraindecodeTrunk, Expected, Needs, load
from hmstrain.models.catalogue import list_models
from hmstrain.models.network import make_network
from hmstrain.models.trust import refuse_untrusted
from hmstrain.runs.folder import RunFolder
from hmstrain.training.run import run

KEY = "eeg_uv_BTC"
SOURCE = '''
from torch import nn


class EEGModuleMixin:
    pass


class Tiny(EEGModuleMixin, nn.Module):
    """As braindecode's are: it knows its signal, and its last layer has their name."""

    def __init__(self, n_chans=None, n_times=None, sfreq=None, n_outputs=None, width=4):
        super().__init__()
        self.mapping = {"old.weight": "filters.weight"}
        self.given = (n_chans, n_times, sfreq)
        self.filters = nn.Conv1d(n_chans, width, 9)
        self.final_layer = nn.Linear(width, n_outputs)

    def forward(self, x):
        return self.final_layer(self.filters(x).square().mean(2))


class Stubborn(Tiny):
    """It does not run without its last layer."""

    def forward(self, x):
        return self.filters(x).mean(2) @ self.final_layer.weight.T


class Short(Tiny):
    def __init__(self, n_times=None, **others):
        if n_times > 2000:
            raise ValueError("n_times must be 2000 or less.")
        super().__init__(n_times=n_times, **others)
'''
"""What is used of braindecode, in small, for machines that do not have it."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of that name with three models."""
    folder = tmp_path / "path" / "braindecode" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "base.py").write_text(SOURCE)
    (folder / "__init__.py").write_text("from .base import *\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "braindecode"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path / "path")
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "braindecode"]:
        del sys.modules[name]


def made(name: str, seconds: float = 10.0, **settings: Any) -> Any:
    return make_network(Config(model=f"braindecode:{name}", eeg_seconds=seconds, **settings))


def microvolts(seconds: float = 10.0, count: int = 2) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(count, round(seconds * 200), len(CHANNELS)) * 40


def test_pairs_are_those_of_the_four_chains_in_the_networks_unit() -> None:
    eeg = microvolts()
    found = Expected(Needs("pairs", 200, 100))(eeg)
    torch.testing.assert_close(found, bipolar(eeg)[:, :16] / 100)
    loud = Expected(Needs("pairs", 200, 1))(eeg * 1000)
    assert loud.abs().max() == 1024
    quantile = Expected(Needs("pairs", 200, "quantile"))(eeg)
    np.testing.assert_allclose(np.quantile(quantile.abs(), 0.95, axis=2), 1, rtol=1e-4)
    assert Expected(Needs("pairs", 200, "quantile"))(eeg * 0).abs().max() == 0


def test_electrodes_are_less_their_mean_and_filtered_as_pairs_are() -> None:
    eeg = microvolts()
    found = Expected(Needs("electrodes", 200, 1))(eeg)
    assert found.shape == (2, 19, 2000)
    torch.testing.assert_close(found.mean(1), torch.zeros(2, 2000), atol=1e-3, rtol=0)
    first, second = ELECTRODES.index("Fp1"), ELECTRODES.index("F7")
    pair = found[:, first] - found[:, second]
    torch.testing.assert_close(pair, bipolar(eeg)[:, 0], atol=1e-3, rtol=1e-3)
    louder = eeg.clone()
    louder[..., CHANNELS.index("EKG")] += 5000
    torch.testing.assert_close(Expected(Needs("electrodes", 200, 1))(louder), found)


@pytest.mark.parametrize("rate_hz", [128, 256])
def test_the_rate_is_the_networks(rate_hz: int) -> None:
    time = torch.arange(2000) / 200
    eeg = torch.zeros(1, 2000, 20)
    eeg[..., CHANNELS.index("Fp1")] = 50 * torch.sin(2 * torch.pi * 7 * time)
    found = Expected(Needs("pairs", rate_hz, 1))(eeg)[0, 0]
    assert len(found) == rate_hz * 10
    frequency, power = scipy.signal.periodogram(found.numpy(), fs=rate_hz)
    assert frequency[power.argmax()] == pytest.approx(7)
    assert found.abs().max() == pytest.approx(50, rel=0.01)


def test_what_is_known_of_networks_can_be_made() -> None:
    for needs in NEEDS.values():
        expected = Expected(needs)(microvolts(count=1))
        assert expected.shape == (
            1, {"pairs": 16, "electrodes": 19}[needs.channels], 10 * needs.rate_hz,
        )  # fmt: skip
    assert NEEDS["BIOT"] == Needs("pairs", 200, "quantile")
    assert NEEDS["CBraMod"] == Needs("electrodes", 200, 100)


def test_a_network_that_asks_for_names_of_channels_gets_them() -> None:
    class Asking(nn.Module):
        def forward(self, x: Tensor, ch_names: list[str] | None = None) -> Tensor:
            assert ch_names is not None
            assert len(ch_names) == x.shape[1]
            return x[:, ch_names.index("Cz")] * self.gain

        def __init__(self) -> None:
            super().__init__()
            self.gain, self.mask = (nn.Parameter(torch.ones(1)) for _ in range(2))

    trunk = BraindecodeTrunk(Asking(), Needs("electrodes", 200, 1), 400)
    assert trunk.features == 400
    assert trunk.training
    idle = {name: not value.requires_grad for name, value in trunk.network.named_parameters()}
    assert idle == {"gain": False, "mask": True}  # as a mask token that only pretraining used
    assert trunk.network.gain.grad is None


@pytest.mark.usefixtures("small")
def test_a_model_of_braindecode_trains_resumes_and_stands_beside_a_spectrogram(
    store: Store, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"model": "braindecode:Tiny", "model_args": {"width": 5}}
    outcome = train_small(store, tmp_path / "run", steps=3, eeg_seconds=4, **settings)
    assert outcome.test is not None
    assert outcome.test.windows == len(store.select("test"))
    network = made("Tiny", model_args={"width": 5, "channels": "electrodes", "rate_hz": 100})
    (trunk,) = network.trunks.values()
    assert trunk.network.given == (19, 1000, 100.0)
    assert (trunk.features, network.head.weight.shape) == (5, (6, 5))
    beside = Config(
        model="naive_cnn", inputs="spec+eeg", eeg_model="braindecode:Tiny", image_size=32
    )
    assert beside.encoders == {"spec": "naive_cnn", "microvolts": "braindecode:Tiny"}
    assert make_network(beside).head.weight.shape == (6, 512 + 4)
    whole = made("Stubborn")
    assert whole.head.weight.shape == (6, 64)


@pytest.mark.usefixtures("small")
def test_weights_from_a_file_are_those_that_a_model_of_braindecode_begins_with(
    store: Store, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    weight, bias = torch.randn(4, 16, 9), torch.randn(4)
    file = tmp_path / "EEG-six-datasets-18-channels.safetensors"
    state = {"old.weight": weight, "filters.bias": bias, "final_layer.weight": torch.zeros(2, 4)}
    save_file({f"module.{key}": value for key, value in state.items()}, file)
    network = made("Tiny", weights=str(file))
    (trunk,) = network.trunks.values()
    assert torch.equal(trunk.network.filters.weight, weight)
    assert torch.equal(trunk.network.filters.bias, bias)
    told: list[str] = []
    config = Config(**SMALL | {"model": "braindecode:Tiny", "weights": str(file), "steps": 1})
    run(
        config,
        store,
        RunFolder(tmp_path / "run"),
        ALONE,
        lambda event, values: told.append(str(values["text"])) if event == "notice" else None,
        resume=False,
    )
    assert any("trained on the IIIC data, which has patients of the HMS data" in t for t in told)


def test_weights_that_do_not_fit_or_are_left_over_are_told(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = dict(network.state_dict())
    file = tmp_path / "weights.safetensors"

    def saved(changed: dict[str, Tensor]) -> Path:
        save_file({key: value.clone() for key, value in changed.items()}, file)
        return file

    assert load(network, saved(state), "Net") == []
    without_counter = {k: v for k, v in state.items() if v.is_floating_point()}
    assert load(network, saved(without_counter), "Net") == []
    (left,) = load(network, saved(state | {"decoder.weight": torch.zeros(2)}), "Net")
    assert left.endswith("decoder.weight was not used: the network has none.")
    few = {k: v for k, v in state.items() if not k.startswith("1.running")}
    with pytest.raises(
        ModelError, match=r"fit braindecode:Net: it holds no 1.running_mean and 1 m"
    ):
        load(network, saved(few), "Net")
    with pytest.raises(ModelError, match=r"0.weight is \(2, 4\) there and \(2, 3\) here; eeg_sec"):
        load(network, saved(state | {"0.weight": torch.zeros(2, 4)}), "Net")
    (leak,) = load(network, saved(state).rename(tmp_path / "biot-SIX-datasets.safetensors"), "Net")
    assert "trained on the IIIC data" in leak
    tokens = {"encoder.channel_tokens.weight": torch.zeros(18, 2)}
    assert "If these are they" in load(network, saved(state | tokens), "BIOT")[0]


def test_a_file_that_names_braindecode_runs_nobodys_code() -> None:
    refuse_untrusted("braindecode:EEGNet", trust=False)
    with pytest.raises(ModelError, match="which is code"):
        refuse_untrusted("braindecodes:EEGNet", trust=False)
    assert "braindecode:NAME" in [row.model for row in list_models()[0]]


def test_braindecode_that_is_missing_or_broken_is_told_in_a_sentence(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small.parent / "__init__.py").write_text("raise RuntimeError('other CUDA versions.')\n")
    with pytest.raises(
        ModelError, match=r"is installed but fails to start: other CUDA versions\.$"
    ):
        made("EEGNet")
    monkeypatch.setitem(sys.modules, "braindecode", None)
    with pytest.raises(ModelError, match=r"cannot be imported .* Run: pip install 'hms-eeg\[brain"):
        made("EEGNet")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Tinny", {}, r"has no model 'Tinny'\. Did you mean Tiny"),
        ("nn", {}, "has no model 'nn'"),
        ("Short", {"seconds": 50.0}, r"does not take 16 pairs of 50 s at 200 Hz: n_times must be"),
        ("Tiny", {"model_args": {"depth": 3}}, "depth"),
        ("Tiny", {"model_args": {"n_times": 3}}, "model.n_times follows from the run's EEG"),
        ("Tiny", {"model_args": {"channels": "chains"}}, "must be pairs or electrodes; got chains"),
        ("Tiny", {"model_args": {"rate_hz": 0}}, "model.rate_hz must be from 20 to 2000; got 0"),
        ("Tiny", {"model_args": {"scale": "uV"}}, "must be microvolts, or quantile; got uV"),
        ("Tiny", {"channel_dropout": 0.5}, "on which channel_dropout has no effect"),
        ("Tiny", {"pretrained": True}, "does not take pretrained weights"),
        ("Tiny", {"inputs": "spec"}, "does not take|nothing is left for braindecode:Tiny"),
    ],
)
def test_what_a_model_of_braindecode_does_not_take_is_told(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainError, match=message):
        made(name, **settings)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("EEGNet", {}),
        ("ShallowFBCSPNet", {"channels": "electrodes"}),
        ("CBraMod", {"n_layer": 1}),
        ("BIOT", {"num_layers": 1, "n_chans": 18}),
        ("Labram", {"num_layers": 1}),
        ("EEGDINO", {}),
    ],
)
def test_braindecodes_own_models_give_an_answer_that_can_be_trained(
    name: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    braindecode_models()
    settings: dict[str, Any] = {"seconds": 4.0, "model_args": arguments}
    network = made(name, **settings)
    logits = network(**{KEY: microvolts(4.0)})[0]
    assert logits.shape == (2, 6)
    logits.logsumexp(1).sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in network.parameters())
    file = tmp_path / "weights.safetensors"
    source = network.trunks[KEY].network.state_dict()
    save_file({key: value.clone().contiguous() for key, value in source.items()}, file)
    source = {key: value for key, value in source.items() if not key.startswith("final_layer")}
    loaded = made(name, weights=str(file), **settings).trunks[KEY].network.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in source.items())
