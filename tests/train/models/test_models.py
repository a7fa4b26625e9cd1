"""Networks are what they are called, take what they are given, and refuse what does not fit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from support.runs import train_small
from torch import nn

from hmsstore import Store
from hmstrain.config import Config, config_of_run
from hmstrain.data.inputs import make_inputs
from hmstrain.distributed import World
from hmstrain.errors import ModelError
from hmstrain.models.naive_cnn import NaiveCNN
from hmstrain.models.network import count_parameters, make_network
from hmstrain.models.weights import read_weights, unwrapped


def prepared(config: Config, count: int = 2) -> dict[str, torch.Tensor]:
    return {one.key: torch.randn(count, *one.shape) for one in make_inputs(config).values()}


def test_the_naive_cnn_is_the_reports_layer_by_layer() -> None:
    naive = NaiveCNN((400, 300))
    shapes = [tuple(p.shape) for p in naive.parameters()]
    assert shapes == [
        *[(32, 3, 3, 3), (32,), (32,), (32,)],
        *[(32, 32, 3, 3), (32,), (32,), (32,)],
        *[(512, 8512), (512,)],
    ]
    kinds = [type(layer).__name__ for layer in (*naive.layers, *naive.fc1)]
    convolution = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert kinds == [*convolution * 2, "AvgPool2d", "Flatten", "Linear", "ReLU", "Dropout"]
    assert [naive.layers[i].kernel_size for i in (3, 7, 8)] == [2, 2, 5]
    assert naive.fc1[2].p == 0.1
    network = make_network(Config(model="naive_cnn"))
    assert network.head.weight.shape == (6, 512)
    assert naive.layers.training


@pytest.mark.parametrize("inputs", ["spec", "eeg", "spec+eeg"])
@pytest.mark.parametrize("model", ["naive_cnn", "convnext_atto", "vit_tiny_patch16_224"])
def test_every_kind_of_model_takes_every_input(model: str, inputs: str) -> None:
    config = Config(model=model, inputs=inputs, image_size=64)
    network = make_network(config)
    logits, embeddings, auxiliary, _ = network(**prepared(config))
    assert logits.shape == (2, 6)
    assert embeddings == auxiliary == ()
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_names_of_the_report_are_known() -> None:
    sizes = {"efficientnet_b0": 4.0, "efficientnet_v2_s": 20.2, "convnext_tiny": 27.8}
    for model, millions in sizes.items():
        network = make_network(Config(model=model))
        assert count_parameters(network) / 1e6 == pytest.approx(millions, abs=0.1)


def test_embeddings_have_length_one() -> None:
    config = Config(model="naive_cnn", inputs="spec+eeg", contrastive=True, image_size=32)
    embeddings = make_network(config)(**prepared(config)).embeddings
    for embedding in embeddings:
        assert embedding.shape == (2, 128)
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))


def test_an_unknown_model_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(
        ModelError, match=r"no model 'convnext_tinny'.* Did you mean .*convnext_tiny"
    ):
        make_network(Config(model="convnext_tinny"))
    with pytest.raises(ModelError, match=r"Did you mean .*resnet18") as refused:
        make_network(Config(model="timm/resnet18"))
    near = str(refused.value).partition("Did you mean ")[2].partition("?")[0].split(", ")
    assert len(near) == len(set(near)) == 3


@pytest.mark.parametrize("model", ["tf_efficientnet_b0_ns", "tf_efficientnet_b0_ns.any"])
def test_a_name_that_timm_has_given_up_is_answered_with_the_new_one(model: str) -> None:
    with pytest.raises(ModelError, match=r"timm calls it tf_efficientnet_b0\.ns_jft_in1k now"):
        make_network(Config(model=model))


def test_ones_own_network_trains_and_resumes_like_any_other(store: Store, tmp_path: Path) -> None:
    outcome = train_small(store, tmp_path / "run", model="support.nets:both", inputs="spec+eeg")
    assert outcome.test is not None
    assert outcome.test.windows == len(store.select("test"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("support.nets:none", r"module 'support\.nets' has no attribute 'none'\.$"),
        ("no_such_module:net", "no module 'no_such_module'; it must lie in the working folder"),
        ("support.broken:net", "no module 'no_such_package'; support.broken imports it"),
        ("./nets.py:net", "is not package.module:function"),
        ("support.nets:", "is not package.module:function"),
        ("support.nets:wide", r"must give logits \(8, 6\); it gave \(8, 7\)"),
        ("support.nets:number", r"must give a torch.nn.Module; it gave int"),
        ("support.nets:leaves", r"does not give a network: SystemExit"),
        ("support.nets:Needy", r"does not give a network: TypeError: .*missing 1 required"),
        (
            "support.nets:failing",
            r"fails on .*eeg_BTC \(8, 10000, 20\): KeyError: 'x' \(nets.py, line \d+: return {",
        ),
        ("support.nets:frozen", "does not have parameters that are trained"),
        ("support.nets:detached", "gives logits without a gradient"),
        ("support.nets:lazy", "has lazy layers"),
    ],
)
def test_ones_own_network_that_does_not_fit_is_told_what_was_expected(
    store: Store, tmp_path: Path, model: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        train_small(store, tmp_path / "run", model=model, inputs="spec+eeg")
    assert not (tmp_path / "run").exists()


def test_batch_norm_and_a_batch_of_one_window_do_not_go_together(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"resnet10t has batch norm, .* larger --batch-size"):
        train_small(store, tmp_path / "run", model="resnet10t", batch_size=1)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_weights_from_a_file_are_those_that_training_starts_from(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(5)
    source = timm.create_model("convnext_atto", num_classes=1000)
    file = tmp_path / f"weights.{kind}"
    if kind == "pth":
        torch.save(source.state_dict(), file)
    else:
        save_file(source.state_dict(), file)
    config = Config(model="convnext_atto", inputs="spec+eeg", weights=str(file))
    network = make_network(config)
    expected = source.state_dict()
    expected["stem.0.weight"] = expected["stem.0.weight"].sum(1, keepdim=True)
    for trunk in network.trunks.values():
        for name, value in trunk.backbone.state_dict().items():
            assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("model", ["resnet10t", "efficientnet_b0", "vit_tiny_patch16_224"])
def test_one_channel_gives_what_three_equal_ones_do_with_a_third_of_the_stem(
    model: str, tmp_path: Path
) -> None:
    """From the same weights, whose stem is summed over the three colours."""
    torch.manual_seed(2)
    file = tmp_path / "weights.safetensors"
    save_file(timm.create_model(model, num_classes=0).state_dict(), file)
    one, three = (
        make_network(
            Config(model=model, image_size=224, weights=str(file), image_channels=channels)
        )
        .trunks["spectrogram_BHW"]
        .eval()
        for channels in ("one", "three")
    )
    stems = [next(p for p in trunk.parameters() if p.dim() == 4) for trunk in (one, three)]
    assert [stem.shape[1] for stem in stems] == [1, 3]
    assert count_parameters(three) - count_parameters(one) == 2 * stems[0].numel()
    image = torch.randn(2, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(one(image), three(image), atol=1e-3, rtol=1e-3)


def test_planes_and_all_but_timms_models_keep_three_channels() -> None:
    planes = Config(model="resnet10t", inputs="mel16", planes="difference", image_size=64)
    trunk = make_network(planes).trunks["mel16_BPHW"]
    assert next(trunk.parameters()).shape[1] == 3
    assert trunk(torch.randn(2, 3, 1024, 313)).shape == (2, 512)
    naive = make_network(Config(model="naive_cnn", image_size=32)).trunks["spectrogram_BHW"]
    assert next(naive.parameters()).shape[1] == 3
    own = make_network(Config(model="support.nets:bad"), trust=True)
    seen: list[tuple[int, ...]] = []
    own.network.register_forward_pre_hook(
        lambda _, __, named: seen.append(tuple(named["image_BCHW"].shape)), with_kwargs=True
    )
    own(spectrogram_BHW=torch.randn(2, 400, 300))
    assert seen == [(2, 3, 400, 300)]


def test_a_run_of_before_keeps_its_three_channels() -> None:
    values = Config(model="resnet10t").to_json()
    assert values.pop("image_channels") == "one"
    old = config_of_run(values)
    assert old.image_channels == "three"
    (trunk,) = make_network(old).trunks.values()
    assert next(trunk.parameters()).shape[1] == 3


def test_channels_are_not_an_argument_of_the_model() -> None:
    with pytest.raises(ModelError, match=r"model.in_chans is not taken: use image_channels"):
        make_network(Config(model="resnet10t", model_args={"in_chans": 3}))


def test_weights_of_a_run_with_another_stem_name_the_setting(tmp_path: Path) -> None:
    old = make_network(Config(model="resnet10t", image_channels="three"))
    file = tmp_path / "model.safetensors"
    save_file(old.state_dict(), file)
    with pytest.raises(ModelError, match=r"size mismatch.* Use --set image_channels=three\."):
        make_network(Config(model="resnet10t", weights=str(file)))
    same = Config(model="resnet10t", weights=str(file), image_channels="three")
    assert make_network(same).loaded


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    other = timm.create_model("convnext_femto", num_classes=0)
    file = tmp_path / "weights.safetensors"
    save_file(other.state_dict(), file)
    with pytest.raises(ModelError, match=r"weights\.safetensors does not fit convnext_atto"):
        make_network(Config(model="convnext_atto", weights=str(file)))
    with pytest.raises(ModelError, match=r"does not fit resnet18: it holds no .* and \d+ more"):
        make_network(Config(model="resnet18", weights=str(file)))
    with pytest.raises(ModelError, match=r"none\.pth"):
        make_network(Config(model="convnext_atto", weights=str(tmp_path / "none.pth")))


@pytest.mark.parametrize(
    ("arguments", "lost", "said"),
    [
        ({"layers": [2, 1, 1, 1]}, "", r"holds layer1\.1\.\S+ and \d+ more, which resnet10t does"),
        ({"layers": [2, 1, 1, 1]}, "layer4", r"holds no layer4\.0\.\S+ and \d+ more\.$"),
        ({}, "running", r"holds no conv1\.1\.running_mean and \d+ more\.$"),
        ({}, "layer4.0.bn2", r"holds no layer4\.0\.bn2\.weight and 3 more\.$"),
        ({"stem_width": 48}, "", r"size mismatch for \S+: copying"),
    ],
)
def test_weights_of_another_network_and_parts_of_ones_own_are_refused_by_name(
    arguments: dict[str, Any],
    lost: str,
    said: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = timm.create_model("resnet10t", **arguments).state_dict()
    file = tmp_path / "weights.safetensors"
    save_file({k: v for k, v in state.items() if not lost or lost not in k}, file)
    with pytest.raises(ModelError, match=said) as refused:
        make_network(Config(model="resnet10t", weights=str(file)))
    assert "\n" not in str(refused.value)
    assert not caplog.records


@pytest.mark.parametrize(("model", "size"), [("levit_128s", 224), ("resnet10t", 64)])
def test_classifiers_and_counters_need_not_fit(model: str, size: int, tmp_path: Path) -> None:
    state = timm.create_model(model, num_classes=6).state_dict()  # levit's head has a norm
    file = tmp_path / "weights.safetensors"
    save_file({k: v for k, v in state.items() if "num_batches" not in k}, file)
    network: Any = make_network(Config(model=model, image_size=size, weights=str(file)))
    backbone = network.trunks["spectrogram_BHW"].backbone.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in backbone.items() if k.endswith("running_var"))


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "naive_cnn"},
        {"model": "resnet1d", "inputs": "eeg"},
        {"model": "support.nets:both", "inputs": "spec+eeg"},
    ],
)
def test_weights_that_nothing_takes_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="pretrained"):
        make_network(Config(pretrained=True, **settings), trust=True)
    file = tmp_path / "weights.safetensors"
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(ModelError, match=r"weights|does not fit"):
        make_network(Config(weights=str(file), **settings), trust=True)


def test_synchronised_batch_norm_changes_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm's norms hold activations, which torch's own conversion would lose."""
    monkeypatch.setattr(nn.parallel, "DistributedDataParallel", lambda network, **_: network)
    network = make_network(Config(model="efficientnet_b0", image_size=64)).eval()
    given = prepared(Config())
    before = network(**given)[0]
    converted = World(0, 2, torch.device("cuda", 0)).shared(network).eval()
    assert any(isinstance(m, nn.SyncBatchNorm) for m in converted.modules())
    torch.testing.assert_close(converted(**given)[0], before)


def test_ones_own_networks_weights_and_arguments(tmp_path: Path) -> None:
    from support.nets import Both

    source = Both()
    file = tmp_path / "own.safetensors"
    save_file(source.state_dict(), file)
    own = Config(model="support.nets:both", inputs="spec+eeg", weights=str(file))
    network: Any = make_network(own, trust=True)
    assert torch.equal(network.network.layer.weight, source.layer.weight)
    with pytest.raises(ModelError, match="its forward is called with image_BCHW"):
        make_network(Config(model="support.nets:both", inputs="spec"), trust=True)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_weights_of_ones_own_network_are_found_under_pytorchs_wrappers(
    prefix: str, tmp_path: Path
) -> None:
    from support.nets import Both

    source = Both().state_dict()
    file = tmp_path / "own.pth"
    own = Config(model="support.nets:both", inputs="spec+eeg", weights=str(file))
    torch.save({prefix + name: value for name, value in source.items()}, file)
    network: Any = make_network(own, trust=True)
    assert torch.equal(network.network.layer.weight, source["layer.weight"])
    assert unwrapped({"module.a": torch.ones(1)}, {"module.a"}).keys() == {"module.a"}
    torch.save({prefix + "layer.weight": source["layer.weight"]}, file)
    with pytest.raises(ModelError, match=r'Missing key\(s\) in state_dict: "layer\.bias"'):
        make_network(own, trust=True)


@pytest.mark.parametrize("key", ["model_state_dict", "net"])
def test_a_checkpoint_of_a_training_elsewhere_is_told_where_its_weights_are(
    key: str, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoint.pth"
    adam = {"state": {}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 3, key: {"a": torch.ones(1)}, "optimizer": adam}, file)
    with pytest.raises(ModelError, match=rf"by name, but under '{key}': save that alone\.$"):
        read_weights(file)
    torch.save({"epoch": 3, "optimizer": adam}, file)
    with pytest.raises(ModelError, match=r"does not hold weights by name\.$"):
        read_weights(file)


def test_a_file_that_could_run_code_is_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"x": nn.Linear(2, 2)}, file)
    with pytest.raises(ModelError, match=r"holds more than weights|cannot be read as weights"):
        make_network(Config(model="naive_cnn", weights=str(file)))


def test_pretrained_weights_that_cannot_be_had_are_no_silent_random_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ModelError, match=r"not in timm's cache and cannot be downloaded here.*--weights"
    ):
        make_network(Config(model="convnext_atto", pretrained=True))


def test_an_unreachable_hub_is_asked_once(tmp_path: Path) -> None:
    """In a process of its own: the hub's client reads its environment when it is imported."""
    script = """
from hmstrain.config import Config
from hmstrain.errors import ModelError
from hmstrain.models.network import make_network
try:
    make_network(Config(model="resnet18", pretrained=True))
except ModelError as error:
    print(error)
"""
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ
        | {"HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
        | dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), nowhere),
    )
    assert done.stdout.startswith("The pretrained weights of resnet18 are not in timm's cache")
    assert "Retrying" not in done.stderr


def test_a_runs_own_weights_start_another(store: Store, tmp_path: Path) -> None:
    train_small(store, tmp_path / "first", epochs=1)
    file = tmp_path / "first" / "best" / "model.safetensors"
    network: Any = make_network(Config(model="naive_cnn", image_size=32, weights=str(file)))
    assert torch.equal(network.head.weight, read_weights(file)["head.weight"])
