"""A network and a window -> which parts of its inputs the answer rests on, and a test of that.

Grad-CAM (Selvaraju et al. 2017) weights the last feature maps of a convolutional network by the
gradient of a class; integrated gradients (Sundararajan et al. 2017, Axiomatic Attribution for Deep
Networks) sum gradients along the path from an empty input to the real one. Both use captum, and
both say how much each place adds to the logit of the class, so that parts of several inputs can be
compared. Each map is then tested: see `faithfulness`.

Legend: B windows, H rows (frequency, or bipolar pairs), W columns (time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hmsstore import HMS, PatternClass, Store
from hmsstore.montage import PAIRS, neighbours
from hmsstore.schema import CHAINS, EEG
from hmsstore.view import Importance
from hmstrain.data.inputs import INPUTS, Input, make_inputs, signal_names
from hmstrain.data.inputs.pair_image import STRETCHES
from hmstrain.data.inputs.stretch import folded
from hmstrain.data.loader import stored_batch
from hmstrain.data.observed import check_judged
from hmstrain.errors import ModelError
from hmstrain.models.evaluate import as_logits
from hmstrain.models.tabular.base import TabularModel
from hmstrain.reporting.faithfulness import Faithfulness, Forward, Inputs, measure_faithfulness
from hmstrain.runs.trained import Trained

TITLES = {"gradcam": "Grad-CAM", "gradients": "Integrated gradients"}
"""Methods, and their names in the literature."""
SIGNAL_TITLES = {"eeg": "EEG", "spectrogram": "spectrogram"}
STEPS = 32
"""Points along the path of integrated gradients."""
BLUR = 50
"""Integrated gradients are averaged over this fraction of height and width: between neighbouring
values, terms for and against a class alternate and cancel."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a network gives a class its probability, for one window."""

    row: int
    target: int
    """Index of the explained class."""
    method: str
    probability: NDArray[np.float64]
    """(K,) of all classes."""
    maps: dict[str, NDArray[np.float32]]
    """Name of an input -> evidence for the class (H, W), at least 0, scaled so that the largest of
    all inputs is 1: 'spec' (400, rows), 'eeg-image' (300, frames), 'raw' (18, T), 'microvolts'
    (20, T); of planes, their sum."""
    faithfulness: Faithfulness
    classes: tuple[PatternClass, ...] = HMS.classes
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Name of an input of several signals -> importance of each of these."""
    runs: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Signal that was not observed from end to end -> first row of its observed run and the one
    after the last, of those that are used: around it, networks see it mirrored."""

    @property
    def shares(self) -> dict[str, float]:
        """Signal -> its share of all importance; 0 if nothing is important."""
        sums: dict[str, float] = {}
        for name, found in self.maps.items():
            whole_map = {INPUTS[name].signal: float(found.sum())}
            for signal, part in self.parts.get(name, whole_map).items():
                title = SIGNAL_TITLES[signal]
                sums[title] = sums.get(title, 0.0) + part
        whole = sum(sums.values()) or 1.0
        return {title: value / whole for title, value in sums.items()}


def explain_window(
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
    DataError
        The window's judged seconds were not recorded, or the store does not fit the network.
    ModelError
        Grad-CAM of a network without feature maps, an answer that is NaN or infinite, or captum is
        not installed.
    """
    check_judged(store, row)
    rows = np.asarray([row], np.int64)
    stored = stored_batch(store, rows, signal_names(trained.config), trained.device)
    prepare, network = trained.inputs(store, rows=rows), trained.network
    assert not isinstance(network, TabularModel)
    given = prepare(stored, None)
    seen = prepare.inputs
    prepared = {name: one.upright(given[one.key]) for name, one in seen.items()}

    def forward(*upright: Tensor) -> Tensor:
        named = zip(seen.values(), upright, strict=True)
        out = network(**{one.key: one.upright(x) for one, x in named})
        return as_logits(out[0], trained.config)

    with torch.no_grad():
        probability = forward(*prepared.values()).cpu().double().softmax(dim=1)[0].numpy()
    if not np.isfinite(probability).all():
        raise ModelError(f"{trained.config.model} gives NaN or infinite values for row {row}.")
    chosen = int(probability.argmax()) if target is None else target
    layers = {name: network.last_maps.get(one.key) for name, one in seen.items()}
    if method is None:
        method = "gradcam" if all(layer is not None for layer in layers.values()) else "gradients"
    if method == "gradcam":
        found = _gradcam(forward, prepared, layers, chosen, trained.config.model)
    else:
        found = _integrated(forward, prepared, seen, chosen)
    maps = _as_maps(found)
    grids = {name: one.grid for name, one in seen.items()}
    tested = measure_faithfulness(forward, prepared, maps, grids, chosen)
    parts = {
        name: {signal: float(part.sum()) for signal, part in one.of_signals(maps[name]).items()}
        for name, one in seen.items()
        if len(one.signals) > 1
    }
    runs = {
        name: (int(run_B2[0, 0]), int(run_B2[0, 1]))
        for name in signal_names(trained.config)
        if (run_B2 := prepare.physical.run(name, stored, None)) is not None
    }
    classes = store.spec.classes
    return Explanation(row, chosen, method, probability, maps, tested, classes, parts, runs)


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError:
        raise ModelError("captum is not installed. Run: pip install 'hms-eeg[explain]'") from None
    return captum.attr


def _gradcam(
    forward: Forward,
    prepared: Inputs,
    layers: Mapping[str, nn.Module | None],
    target: int,
    model: str,
) -> Inputs:
    attr = _captum()
    found = {}
    for name, tensor in prepared.items():
        layer = layers[name]
        if layer is None:
            raise ModelError(f"{model} has no feature maps for Grad-CAM: use --method gradients.")
        heat = attr.LayerGradCam(forward, layer).attribute(
            tuple(prepared.values()), target=target, relu_attributions=True
        )
        if heat.dim() == 3:  # a map over time alone
            wide = functional.interpolate(heat, size=tensor.shape[-1], mode="linear")
            wide = wide[0].expand(tensor.shape[1], -1)
        else:
            size = tuple(tensor.shape[-2:])
            wide = functional.interpolate(heat, size=size, mode="bilinear")[0, 0]
        found[name] = wide * (heat.sum() / wide.sum().clamp(min=1e-12))
    return found


def _integrated(
    forward: Forward, prepared: Inputs, seen: Mapping[str, Input], target: int
) -> Inputs:
    """Integrate from the mean input: 0 in standardised images, silence in EEG."""
    found = (
        _captum()
        .IntegratedGradients(forward)
        .attribute(tuple(prepared.values()), target=target, n_steps=STEPS, internal_batch_size=4)
    )
    return {
        name: _blurred(_over_planes(tensor[0]), traces=seen[name].grid[0] is None)
        for name, tensor in zip(prepared, found, strict=True)
    }


def _over_planes(terms: Tensor) -> Tensor:
    """Sum of the terms of an image's planes, (H, W)."""
    return terms.sum(0) if terms.dim() == 3 else terms


def _blurred(terms: Tensor, *, traces: bool) -> Tensor:
    """Mean of signed terms (H, W) around each place, where positive; traces are not mixed."""
    size = [max(1, side // BLUR) | 1 for side in terms.shape]
    if traces:
        size[0] = 1
    mean = functional.avg_pool2d(
        terms[None].float(), size, 1, [side // 2 for side in size], count_include_pad=False
    )[0]
    return mean.clamp(min=0)


def _as_maps(found: Inputs) -> dict[str, NDArray[np.float32]]:
    """Scale all maps together, so that the largest value is 1."""
    maps = {name: tensor.detach().float().cpu().numpy() for name, tensor in found.items()}
    largest = max(float(array.max()) for array in maps.values())
    return {name: (array / max(largest, 1e-12)).astype(np.float32) for name, array in maps.items()}


def as_importance(explanation: Explanation, trained: Trained) -> Importance:
    """Arrange an explanation as it is drawn over a window.

    Evidence in maps of several inputs adds up. That of the mirror image of an observed run counts
    where what it mirrors was recorded, and none where nothing was.
    """
    config, runs = trained.config, explanation.runs
    samples = round(config.eeg_seconds * EEG.row_rate_hz)
    traces: dict[str, NDArray[np.float64]] = {}
    spectrogram: NDArray[np.float64] | None = None
    for name, one in make_inputs(config).items():
        overlay = one.overlay(explanation.maps[name])
        for label, strip in overlay.traces.items():
            found = in_stretches(strip, samples, runs.get("eeg"))
            traces[label] = traces.get(label, 0) + found
        if overlay.spectrogram is not None:
            found = unmirrored(overlay.spectrogram, runs.get("spectrogram"))
            spectrogram = found if spectrogram is None else spectrogram + found
    return Importance(
        described(explanation),
        {label: strip.astype(np.float32) for label, strip in _of_pairs(traces).items()},
        config.eeg_seconds,
        None if spectrogram is None else spectrogram.astype(np.float32),
        config.spectrogram_rows,
        explanation.faithfulness.holds,
    )


def in_stretches(
    strip: NDArray[np.floating[Any]], samples: int, run: tuple[int, int] | None = None
) -> NDArray[np.float64]:
    """Sums of evidence over equal stretches of the EEG, as many as the eye can tell apart.

    Parameters
    ----------
    strip : (frames,)
        Evidence of equally long frames.
    samples : int
        Of the EEG that they are of.
    run : (int, int), optional
        The observed run among these samples.

    Returns
    -------
    float64 (`STRETCHES`,)
    """
    each = unmirrored(_shared_out(strip, samples), run)
    return _shared_out(each, STRETCHES)


def unmirrored(
    values: NDArray[np.floating[Any]], run: tuple[int, int] | None
) -> NDArray[np.float64]:
    """Add evidence (..., T) outside of an observed run to that of the rows that it mirrors."""
    if run is None:
        return values.astype(np.float64)
    rows = folded(torch.arange(values.shape[-1]), torch.tensor([run]))[0].numpy()
    found = np.zeros(values.shape)
    np.add.at(found.T, rows, values.T)
    return found


def _shared_out(strip: NDArray[np.floating[Any]], count: int) -> NDArray[np.float64]:
    """Share equally long frames out over so many others of the same time, none of it lost."""
    total = np.concatenate([[0.0], np.cumsum(strip, dtype=np.float64)])
    edges = np.linspace(0, len(strip), count + 1)
    return np.diff(np.interp(edges, np.arange(len(total)), total)).clip(0)


def _of_pairs(traces: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Share the evidence of whole chains out to their pairs, where there is evidence of pairs."""
    if not traces.keys() & {f"{a}-{b}" for a, b in PAIRS}:
        return traces
    found = {label: strip for label, strip in traces.items() if label not in CHAINS}
    for chain in traces.keys() & CHAINS.keys():
        pairs = [f"{a}-{b}" for a, b in neighbours({chain: CHAINS[chain]})]
        for label in pairs:
            found[label] = found.get(label, 0) + traces[chain] / len(pairs)
    return found


def described(explanation: Explanation) -> str:
    """Say in one line what was explained, by which signals, and whether the map passed its test."""
    tested = explanation.faithfulness
    what = (
        f"{TITLES[explanation.method]} of {explanation.classes[explanation.target].title} "
        f"({explanation.probability[explanation.target]:.2f})"
    )
    if not any(explanation.shares.values()):
        return f"{what}: no evidence for it was found, so there is no map to trust"
    layouts = {INPUTS[name].layout for name in explanation.maps}
    if explanation.method == "gradcam" and "raw" in layouts:
        what += ", over time, the same for all traces"
    if len(explanation.shares) > 1:
        what += ", " + ", ".join(f"{name} {s:.0%}" for name, s in explanation.shares.items())
    verdict = "better than" if tested.holds else "do NOT trust this map: better than only"
    return (
        f"{what}: {verdict} {tested.beaten} of {tested.compared} misplaced maps "
        f"(deletion {tested.deletion:.2f}, misplaced {tested.misplaced_deletion:.2f}; insertion "
        f"{tested.insertion:.2f}, misplaced {tested.misplaced_insertion:.2f})"
    )
