"""A network and a window -> what in its inputs the answer rests on, and how far to trust that.

Grad-CAM (Selvaraju et al. 2017) weighs the last feature maps of a convolutional network by the
gradient of a class; integrated gradients (Sundararajan et al. 2017, Axiomatic Attribution for Deep
Networks) sum gradients on the way from an empty input to the real one. Both by captum. Each map is
then put to the test: see `faithfulness`.

Legend: B windows, H rows (frequency, or bipolar pairs), W columns (time).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hmsstore import CHANNELS, REGIONS, Store
from hmsstore.schema import CLASS_TITLES
from hmsstore.view import Importance
from hmstrain.errors import ModelError
from hmstrain.faithfulness import Faithfulness, Forward, Inputs, measure_faithfulness
from hmstrain.inputs import signals
from hmstrain.models.network import PatternNetwork
from hmstrain.montage import PAIRS
from hmstrain.trained import Trained

TITLES = {"gradcam": "Grad-CAM", "gradients": "Integrated gradients"}
"""Methods, and how papers call them."""
STEPS = 32
"""Points on the way of integrated gradients."""
MAPPING = nn.Conv1d, nn.Conv2d, nn.modules.batchnorm._BatchNorm
"""Modules whose output may be a feature map."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a network gives a class its probability."""

    row: int
    target: int
    """Class explained, its index."""
    method: str
    probability: NDArray[np.float64]
    """(6,) of the whole answer."""
    maps: dict[str, NDArray[np.float32]]
    """Input's name -> importance (H, W), at least 0, largest 1: 'spectrogram_BHW' (400, rows),
    'eeg_image_BHW' (300, frames), 'eeg_raw_BPT' (18, T), 'eeg_uv_BTC' (20, T)."""
    faithfulness: Faithfulness


def explain(
    trained: Trained, store: Store, row: int, method: str | None = None, target: int | None = None
) -> Explanation:
    """Explain one answer.

    Parameters
    ----------
    trained : Trained
        A network.
    store : Store
        Where the window is.
    row : int
        Of its window table.
    method : str, optional
        'gradcam' or 'gradients'; the first where the network has feature maps.
    target : int, optional
        Class to explain; the most probable one if not given.

    Raises
    ------
    ModelError
        Grad-CAM of a network without feature maps, or captum is not installed.
    """
    batch = store.gather([row], signals(trained.config))
    stored = {name: torch.from_numpy(array).to(trained.device) for name, array in batch.items()}
    prepared = trained.inputs(store)(stored, None)
    names = tuple(prepared)

    def forward(*inputs: Tensor) -> Tensor:
        logits: Tensor = trained.network(**dict(zip(names, inputs, strict=True)))[0]
        return logits

    with torch.no_grad():
        probability = forward(*prepared.values()).double().softmax(dim=1)[0].cpu().numpy()
    chosen = int(probability.argmax()) if target is None else target
    layers = feature_layers(trained.network, forward, prepared)
    if method is None:
        method = "gradcam" if all(layer is not None for layer in layers) else "gradients"
    if method == "gradcam":
        found = _gradcam(forward, prepared, layers, chosen, trained.config.model)
    else:
        found = _integrated(forward, prepared, chosen)
    maps = {name: _as_map(name, tensor) for name, tensor in found.items()}
    return Explanation(
        row,
        chosen,
        method,
        probability,
        maps,
        measure_faithfulness(forward, prepared, maps, chosen),
    )


def feature_layers(
    network: nn.Module, forward: Forward, prepared: Inputs
) -> list[nn.Module | None]:
    """The last convolution or norm of each trunk that gives a map over its input; None if none.

    A convolution at the very beginning, by which transformers cut images into patches, is no such.
    """
    if not isinstance(network, PatternNetwork):
        return [None for _ in prepared]
    return [_last_map(network.trunks[name], forward, prepared, name) for name in prepared]


def _last_map(trunk: nn.Module, forward: Forward, prepared: Inputs, name: str) -> nn.Module | None:
    axes = 3 if name == "eeg_raw_BPT" else 4
    seen: list[tuple[nn.Module, bool]] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        is_map = isinstance(output, Tensor) and output.dim() == axes and min(output.shape[2:]) > 1
        seen.append((module, is_map and isinstance(module, MAPPING)))

    leaves = (module for module in trunk.modules() if not any(module.children()))
    hooks = [module.register_forward_hook(note) for module in leaves]
    with torch.no_grad():
        forward(*prepared.values())
    for hook in hooks:
        hook.remove()
    later = seen[len(seen) // 4 :]
    return next((module for module, is_map in reversed(later) if is_map), None)


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError:
        raise ModelError("captum is not installed. Run: pip install '.[explain]'") from None
    return captum.attr


def _gradcam(
    forward: Forward,
    prepared: Inputs,
    layers: list[nn.Module | None],
    target: int,
    model: str,
) -> Inputs:
    attr = _captum()
    found = {}
    for (name, tensor), layer in zip(prepared.items(), layers, strict=True):
        if layer is None:
            raise ModelError(f"{model} has no feature maps for Grad-CAM: use --method gradients.")
        heat = attr.LayerGradCam(forward, layer).attribute(
            tuple(prepared.values()), target=target, relu_attributions=True
        )
        if heat.dim() == 3:  # a map over time alone
            heat = functional.interpolate(heat, size=tensor.shape[-1], mode="linear")
            found[name] = heat[0].expand(tensor.shape[1], -1)
        else:
            size = tuple(tensor.shape[1:])
            found[name] = functional.interpolate(heat, size=size, mode="bilinear")[0, 0]
    return found


def _integrated(forward: Forward, prepared: Inputs, target: int) -> Inputs:
    """Towards the mean input: 0 in standardised images, silence in EEG."""
    found = (
        _captum()
        .IntegratedGradients(forward)
        .attribute(tuple(prepared.values()), target=target, n_steps=STEPS, internal_batch_size=4)
    )
    return {name: tensor[0].abs() for name, tensor in zip(prepared, found, strict=True)}


def _as_map(name: str, importance: Tensor) -> NDArray[np.float32]:
    """(H, W) scaled to at most 1; EEG in microvolts has its channels as rows."""
    found: NDArray[np.float32] = importance.detach().float().cpu().numpy()
    if name == "eeg_uv_BTC":
        found = found.T
    return found / max(float(found.max()), 1e-12)


def as_importance(explanation: Explanation, trained: Trained) -> Importance:
    """Lay an explanation out as it is drawn over a window."""
    traces: dict[str, NDArray[np.float32]] = {}
    spectrogram = None
    for name, found in explanation.maps.items():
        if name == "spectrogram_BHW":
            spectrogram = found
        elif name == "eeg_image_BHW":
            chains = found.reshape(len(REGIONS), -1, found.shape[1]).mean(axis=1)
            traces |= dict(zip(REGIONS, chains, strict=True))
        elif name == "eeg_raw_BPT":
            traces |= {f"{a}-{b}": row for (a, b), row in zip(PAIRS, found, strict=True)}
        else:
            channel = dict(zip(CHANNELS, found, strict=True))
            traces |= {f"{a}-{b}": np.maximum(channel[a], channel[b]) for a, b in PAIRS}
    return Importance(
        described(explanation),
        {label: smooth(strip) for label, strip in traces.items()},
        trained.config.eeg_seconds,
        spectrogram,
        trained.config.spectrogram_rows,
    )


def described(explanation: Explanation) -> str:
    """What was explained, and whether the map passed its test, in one line."""
    tested = explanation.faithfulness
    verdict = "better than chance" if tested.holds else "NOT better than chance: do not trust it"
    return (
        f"{TITLES[explanation.method]} of {CLASS_TITLES[explanation.target]} "
        f"({explanation.probability[explanation.target]:.2f}): {verdict} "
        f"(deletion {tested.deletion:.2f}, at random {tested.random_deletion:.2f}; insertion "
        f"{tested.insertion:.2f}, at random {tested.random_insertion:.2f})"
    )


def smooth(strip: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean importance of each of at most 200 stretches: what the eye can tell apart."""
    stretch = max(1, len(strip) // 200)
    whole = len(strip) // stretch * stretch
    means: NDArray[np.float32] = strip[:whole].reshape(-1, stretch).mean(axis=1)
    return means
