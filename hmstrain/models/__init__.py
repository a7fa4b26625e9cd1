"""Models by name, one line each in `MODELS`: how it is made, what it sees, how large it is.

::

    trunk.py          what all trunks have in common; images for a colour network
    pooling.py        feature maps -> one value of each channel
    naive_cnn.py      the naive CNN of the student report
    eeg/              encoders of raw EEG, one file each
    hub.py            the hub of pretrained weights, or its cache alone
    timm_backbone.py  any model of timm
    braindecode.py    any model of braindecode, given the EEG as it expects it
    custom.py         a network of your own, package.module:function
    source.py         a network of your own <-> the files of its source
    trust.py          a model that a file names -> whether its code may be imported
    tabular/          a row of hand features -> logits, by trees or weights
    encoders.py       a model and inputs -> the model that encodes each input
    weights.py        a file of weights -> tensors by name
    populations.py    logits for few votes -> those for many, of one network
    vae.py            votes and a seed -> an image: the generator of model=vae
    network.py        a configuration -> a trunk for each input, and one head
    catalogue.py      a word -> models with that word in their names
    head.py           a network and shares of classes -> its last layer, begun at these or moved
    arithmetic.py     precision and layout: in which arithmetic a network computes
    evaluate.py       a network and rows of a store -> probabilities
    choosing.py       a network and batches -> the arithmetic in which it is fastest here
    demo/             the demonstration model: a run, and its card

To add a model, write a file with its network and a function `build`, and add a line to `MODELS`.
Nothing here imports PyTorch or timm before a network is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

Build = Callable[..., Any]
"""`build(seen, **model_args)` makes the trunk of one input `seen`, an object of `data.inputs`.
`build(config, seen, classes, **model_args)` of a `whole` model makes a network of all, by name."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model before it is made."""

    build: Build
    takes: str
    """Layout of the inputs that it encodes: 'image', 'raw' or 'microvolts'; 'any' if `whole`."""
    parameters: int | None = None
    """Trained values of the network at default settings."""
    size: tuple[int, int] | None = None
    """Height and width of the images that the network sees at default settings."""
    pretrained: bool = False
    """Whether timm may have weights of it."""
    takes_file: bool = False
    """Whether it loads a file of weights itself, as those of timm do."""
    listed: bool = True
    """Whether `hmstrain models` lists it unasked."""
    pools: bool = False
    """Whether `pooling` says how it pools its last maps."""
    whole: bool = False
    """Whether it turns all inputs into logits by itself, instead of one into features."""
    generates: bool = False
    """Whether it draws images for given votes, and gives no probabilities."""
    table: bool = False
    """Whether it is fitted to the table of `hmsprep features`, and no network."""


def lazy(reference: str) -> Build:
    """Make a function that imports and calls 'module:function'."""

    def build(*given: Any, **named: Any) -> Any:
        module, _, name = reference.partition(":")
        return getattr(import_module(module), name)(*given, **named)

    return build


def timm(name: str, parameters: int, size: tuple[int, int] = (400, 300)) -> Model:
    """Make the line of one of timm's models."""
    return Model(_of_timm(name), "image", parameters, size, pretrained=True, pools=True)


def eeg(name: str, parameters: int) -> Model:
    """Make the line of one of the encoders of raw EEG."""
    return Model(lazy(f"hmstrain.models.eeg.{name}:build"), "raw", parameters)


def _of_timm(name: str) -> Build:
    return partial(lazy("hmstrain.models.timm_backbone:build"), name)


VAE = "vae"
"""Name of the generator of images."""
MODELS: dict[str, Model] = {
    "naive_cnn": Model(
        lazy("hmstrain.models.naive_cnn:build"), "image", 4_372_006, (400, 300), pools=True
    ),
    "efficientnet_b0": timm("efficientnet_b0", 4_014_658),
    "efficientnet_v2_s": timm("tf_efficientnetv2_s", 20_184_742),
    "convnext_tiny": timm("convnext_tiny", 27_821_670),
    "convnext_atto": timm("convnext_atto", 3_375_166),
    "mobilenetv3_small_100": timm("mobilenetv3_small_100", 1_523_718),
    "resnet18": timm("resnet18", 11_173_318),
    "vit_tiny_patch16_224": timm("vit_tiny_patch16_224", 5_472_582, (384, 288)),
    "swin_tiny_patch4_window7_224": timm("swin_tiny_patch4_window7_224", 27_520_896, (384, 288)),
    "wavenet": eeg("wavenet", 97_958),
    "resnet1d": eeg("resnet1d", 1_604_230),
    "resnet1d_gru": eeg("resnet1d_gru", 168_822),
    "squeezeformer": eeg("squeezeformer", 620_744),
    "efficientnet1d": eeg("efficientnet1d", 5_697_991),
    "symmetric1d": eeg("symmetric1d", 466_311),
    "sparcnet": eeg("sparcnet", 1_090_859),
    "eegnet": eeg("eegnet", 16_374),
    "deep4": eeg("deep4", 417_581),
    "shallow_fbcsp": eeg("shallow_fbcsp", 188_566),
    "conformer": eeg("conformer", 6_927_238),
    "graph": eeg("graph", 112_502),
    "features": Model(lazy("hmstrain.models.network:no_network"), "features", table=True),
    VAE: Model(lazy("hmstrain.models.vae:build"), "image", 257_361, (400, 300), generates=True),
}
"""Built-in models by name; others are timm's, braindecode:NAME, or package.module:function."""
BRAINDECODE = "braindecode:"
"""What the name of a model of braindecode begins with."""
ENCODERS = {"raw": "resnet1d"}
"""Layout -> model that encodes such an input beside a model that takes another layout."""


def find_model(name: str) -> Model:
    """What is known of a model of this name: built-in, of a library, or somebody's own."""
    if name.startswith(BRAINDECODE):
        build = partial(lazy("hmstrain.models.braindecode:build"), name.removeprefix(BRAINDECODE))
        return Model(build, "microvolts", takes_file=True)
    if ":" in name:
        return Model(lazy("hmstrain.models.custom:build"), "any", whole=True)
    return MODELS.get(name) or Model(_of_timm(name), "image", pretrained=True, pools=True)


def check_known(names: Iterable[str]) -> None:
    """Check that each name is of a model of ours or timm's, or says that it is another's.

    timm is imported for names that only it can know.

    Raises
    ------
    ModelError
        timm has no such model; with the nearest names.
    """
    for name in names:
        if name not in MODELS and ":" not in name:
            lazy("hmstrain.models.timm_backbone:check_name")(name)
