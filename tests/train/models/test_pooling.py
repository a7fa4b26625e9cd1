"""How last maps become features, and how residual branches are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import DropPath
from torch import Tensor, nn

from hmstrain.config import Config
from hmstrain.errors import ConfigError, ModelError
from hmstrain.models.network import make_network
from hmstrain.models.pooling import GeM

MAPS = torch.tensor([[0.1, 2.0, 3.0, 0.5]]).reshape(1, 1, 2, 2)
POOLED = ["resnet10t", "convnext_atto", "efficientnet_b0", "swin_tiny_patch4_window7_224"]


def everywhere(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def trunk_of(model: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    network = make_network(Config(model=model, image_size=64, **settings))
    return network.trunks["spectrogram_BHW"].eval()


def test_the_generalised_mean_is_that_of_its_formula_and_its_exponent_is_trained() -> None:
    pool = GeM(everywhere)
    expected = (((0.1**3 + 2**3 + 3**3 + 0.5**3) / 4) ** (1 / 3),)
    assert pool(MAPS)[0].tolist() == pytest.approx(expected)
    pool(MAPS).sum().backward()
    assert pool.p.grad is not None
    assert pool.p.grad > 0  # a larger exponent, a larger mean
    with torch.no_grad():
        pool.p.fill_(1)
        assert pool(MAPS).item() == pytest.approx(1.4)
        pool.p.fill_(40)
        assert pool(MAPS).item() == pytest.approx(3, abs=0.12)
    assert torch.isfinite(pool(torch.full((1, 1, 2, 2), -5.0))).all()


def test_the_generalised_mean_is_taken_in_float32() -> None:
    pool = GeM(everywhere)
    small = torch.full((1, 1, 2, 2), 1e-3, dtype=torch.bfloat16)  # its cube is 0 in float16
    with torch.autocast("cpu", torch.float16):
        pooled = pool(small.half())
    assert pooled.dtype == torch.float32
    assert pooled.item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("model", POOLED)
def test_models_of_timm_pool_as_asked(model: str) -> None:
    """The mean is GeM's with p = 1 where maps are positive, and half of what catavgmax gives."""
    images = torch.randn(2, *trunk_of(model).size)
    plain, gem, both = (trunk_of(model, pooling=kind) for kind in ("avg", "gem", "catavgmax"))
    with torch.no_grad():
        mean, joined = plain(images), both(images)
        assert (plain.features, gem.features) == (mean.shape[1], mean.shape[1])
        assert joined.shape == (2, both.features) == (2, 2 * plain.features)
        torch.testing.assert_close(joined[:, : plain.features], mean)
        assert not torch.allclose(joined[:, plain.features :], mean)
        generalised = gem(images)
        assert generalised.shape == mean.shape
        assert not torch.allclose(generalised, mean)
        (pool,) = [module for module in gem.modules() if isinstance(module, GeM)]
        pool.p.fill_(1)
        for one in (plain, gem):
            one.backbone.forward_features = _positive(one.backbone.forward_features)
        torch.testing.assert_close(gem(images), plain(images), atol=1e-4, rtol=1e-3)


def _positive(forward: Any) -> Any:
    return lambda image: forward(image).abs() + 0.01


def test_the_maximum_is_the_other_half() -> None:
    both = trunk_of("resnet10t", pooling="catavgmax")
    with torch.no_grad():
        image = torch.randn(2, 64, 64)
        maps = both.backbone.forward_features(image[:, None])
        torch.testing.assert_close(both(image)[:, 512:], maps.amax((2, 3)))


@pytest.mark.parametrize(("kind", "channels"), [("avg", 32), ("gem", 32), ("catavgmax", 64)])
def test_the_naive_network_pools_as_asked(kind: str, channels: int) -> None:
    naive = trunk_of("naive_cnn", pooling=kind).backbone
    maps: list[Tensor] = []
    naive.layers[-3].register_forward_hook(lambda _, __, out: maps.append(out))
    naive.last_map.register_forward_hook(lambda _, __, out: maps.append(out))
    naive(torch.randn(2, 3, 64, 64))
    before, after = maps
    assert after.shape[1] == channels
    mean = nn.functional.avg_pool2d(before, 5)
    if kind == "gem":
        cubes = nn.functional.avg_pool2d(before.clamp_min(1e-6) ** 3, 5)
        torch.testing.assert_close(after, cubes ** (1 / 3))
    else:
        torch.testing.assert_close(after[:, :32], mean)
    if kind == "catavgmax":
        torch.testing.assert_close(after[:, 32:], nn.functional.max_pool2d(before, 5))


@pytest.mark.parametrize("kind", ["gem", "catavgmax"])
def test_weights_of_a_file_are_pooled_so_too(tmp_path: Path, kind: str) -> None:
    backbone = timm.create_model("resnet10t", num_classes=0, in_chans=1)
    file = tmp_path / "w.safetensors"
    save_file(backbone.state_dict(), file)
    trunk = trunk_of("resnet10t", pooling=kind, weights=str(file))
    image = torch.randn(1, 64, 64)
    other = trunk_of("resnet10t", pooling=kind)
    other.backbone.load_state_dict(backbone.state_dict(), strict=False)
    with torch.no_grad():
        torch.testing.assert_close(trunk(image), other(image))


def test_drop_path_leaves_branches_out_in_training_alone() -> None:
    trunk = trunk_of("resnet10t", drop_path=0.5)
    rates = [m.drop_prob for m in trunk.modules() if isinstance(m, DropPath)]
    assert max(rates) == 0.5
    assert rates == sorted(rates)
    image = torch.randn(8, 64, 64)
    with torch.no_grad():
        assert torch.equal(trunk(image), trunk(image))
        for norm in trunk.modules():
            if isinstance(norm, nn.BatchNorm2d):  # of the last of each branch, timm begins at 0
                norm.weight.fill_(1)
        trunk.train()
        assert not torch.allclose(trunk(image), trunk(image))
        plain = trunk_of("resnet10t").train()
        torch.testing.assert_close(plain(image), plain(image))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "resnet1d", "pooling": "gem"}, "pooling=gem is for timm's .*; got resnet1d"),
        ({"model": "mine:net", "pooling": "gem"}, "pooling=gem is for timm's .*; got mine:net"),
        ({"model": "naive_cnn", "drop_path": 0.1}, "drop_path is for timm's models; got naive_cnn"),
    ],
)
def test_models_that_a_setting_is_not_for_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**settings)


def test_models_of_timm_that_lack_what_a_setting_changes_are_refused() -> None:
    with pytest.raises(ModelError, match=r"pooling=gem needs .*, which VisionTransformer does not"):
        trunk_of("vit_tiny_patch16_224", pooling="gem")
    with pytest.raises(ModelError, match="vgg11 does not take drop_path"):
        trunk_of("vgg11", drop_path=0.1)
