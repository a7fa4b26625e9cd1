"""Options, a file and KEY=VALUE words -> one validated configuration of a training run.

What a field may be is written beside it, in its `choices` or `bounds`; everything else is checked
in `Config.__post_init__`. A configuration is a flat JSON object on disk.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hmstrain.data.inputs import INPUTS
from hmstrain.errors import ConfigError
from hmstrain.models.encoders import assign, default_inputs


def _one_of(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"choices": (default, *choices)})


def _within(default: Any, low: float, high: float) -> Any:
    return field(default=default, metadata={"bounds": (low, high)})


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides a run's weights, apart from the store itself."""

    model: str = "convnext_tiny"
    """naive_cnn, any timm name, resnet1d (raw EEG), or package.module:function for one's own."""
    model_args: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the model."""
    inputs: str = ""
    """What the model sees: names of inputs joined by +; eeg: EEG as the model takes it."""
    fold: str = "0"
    """Fold to validate on; all: one run of each; rotate: another in each epoch (leaks)."""
    seed: int = _within(0, 0, 2**31 - 1)
    """Of weights, order and augmentation."""

    epochs: int = _within(5, 1, 10_000)
    """Passes over the training rows."""
    batch_size: int = _within(32, 1, 65_536)
    """Windows per step, over all processes."""
    steps: int = _within(0, 0, 10**9)
    """Stop after this many steps, the schedule drawn to end there; 0: after the epochs."""
    fraction: float = _within(1.0, 1e-6, 1)
    """Share of the training patients to use."""
    learning_rate: float = _within(1e-3, 1e-9, 100)
    """Peak of the OneCycle schedule."""
    weight_decay: float = _within(1e-4, 0, 10)
    """Adam's."""
    validate_every: int = _within(500, 1, 10**9)
    """Steps between validations; there is one at the end of each epoch too."""
    clip_gradient: float = _within(0.0, 0, 1e9)
    """Largest norm of the gradient; 0: no limit."""

    image_size: int = _within(0, 0, 4096)
    """Side of the square that images are resized to; 0: 400 x 300, as they are."""
    eeg_as: str = _one_of("image", "raw")
    """EEG as an image of short-time spectra for the same backbone, or raw for a 1-D encoder."""
    eeg_model: str = ""
    """Model that encodes EEG beside another for the spectrogram; empty: the same, or resnet1d."""
    eeg_seconds: float = _within(50.0, 2, 50)
    """Central part of the EEG window to use."""
    spectrogram_rows: tuple[int, int] = (0, 300)
    """First spectrogram row to use, and the one after the last."""
    standardise: str = _one_of("store", "window")
    """Images by the training data's statistics; window: then each by its own mean and deviation."""
    pretrained: bool = False
    """Start from timm's weights, from its cache or the network."""
    weights: str = ""
    """Start from this file (safetensors or .pth), without a network."""
    drop_rate: float = _within(0.0, 0, 0.95)
    """Dropout before the head."""

    contrastive: bool = False
    """Add a loss that pulls a window's EEG and spectrogram embeddings together."""
    contrastive_weight: float = _within(0.5, 0, 1e3)
    """Of that loss, beside KL."""
    contrastive_loss: str = _one_of("cosine", "infonce")
    """Cosine embedding loss with a margin, or InfoNCE with a temperature."""
    contrastive_margin: float = _within(0.2, -1, 1)
    """Cosine above which a mismatched pair is pushed apart."""
    contrastive_temperature: float = _within(0.1, 1e-3, 100)
    """Of InfoNCE."""
    projection_size: int = _within(128, 1, 65_536)
    """Length of the embeddings that are compared."""

    flip: float = _within(0.5, 0, 1)
    """Chance of time reversal, both signals together."""
    shift_s: float = _within(0.0, 0, 600)
    """Move windows by up to this many seconds into real neighbouring signal, as far as there is."""
    swap: float = _within(0.0, 0, 1)
    """Chance of exchanging left and right."""
    channel_dropout: float = _within(0.0, 0, 1)
    """Chance of each bipolar channel to be left out."""
    mask: int = _within(0, 0, 100)
    """Stripes across time and stripes across frequency that are blanked in each image."""
    mask_size: float = _within(0.1, 0, 1)
    """Largest width of a stripe, as a share of the image."""
    noise: float = _within(0.0, 0, 100)
    """Standard deviation of noise on what the network sees, in units of its own deviation."""
    mixup: float = _within(0.0, 0, 100)
    """Alpha of the Beta distribution that pairs of windows are mixed by; 0: none."""

    sample: str = _one_of("window", "votes", "eeg")
    """An epoch: all windows, one at random of each EEG and votes, or one of each EEG."""
    balance: str = _one_of("none", "votes")
    """Weigh windows so that the six classes carry equal votes."""
    vote_weight: str = _one_of("none", "log", "linear")
    """Weigh a window by log(1 + votes), or by votes / 28."""
    min_votes: int = _within(1, 1, 1000)
    """Train on windows with at least this many votes."""
    second_epochs: int = _within(0, 0, 10_000)
    """A second stage of this many epochs, on windows with many votes."""
    second_min_votes: int = _within(10, 1, 1000)
    """Votes from which a window takes part in the second stage."""
    second_learning_rate: float = _within(1e-4, 1e-9, 100)
    """Peak of the second stage's OneCycle schedule."""
    ema: float = _within(0.0, 0, 0.999999)
    """Decay of a moving average of the weights that is validated and kept; 0: none."""
    norm_windows: int = _within(0, 0, 10**6)
    """Training windows to measure batch norm on before each validation; 0: as training went by."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    data: str = _one_of("map", "device")
    """Map the store, or hold what is needed of it in the device's memory."""
    loader_threads: int = _within(2, 1, 256)
    """Threads that gather batches."""
    precision: str = _one_of("float32", "bfloat16", "float16")
    """Of the network's arithmetic (autocast)."""
    channels_last: bool = False
    """Lay images out channels last."""
    compile: bool = False
    """Compile the network (torch.compile)."""
    tensorboard: bool = False
    """Write TensorBoard events too."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if "choices" in item.metadata and value not in item.metadata["choices"]:
                _refuse(item.name, f"one of {', '.join(item.metadata['choices'])}", value)
            if "bounds" in item.metadata:
                low, high = item.metadata["bounds"]
                if not low <= value <= high:
                    _refuse(item.name, f"from {low:g} to {high:g}", value)
        if not (self.fold.isascii() and self.fold.isdigit()) and self.fold not in ("all", "rotate"):
            _refuse("fold", "a fold's number, all or rotate", self.fold)
        if self.pretrained and self.weights:
            raise ConfigError("Give --pretrained or --weights, not both.")
        if not self.inputs:
            object.__setattr__(self, "inputs", default_inputs(self.model))
        signals = sorted(INPUTS[name].signal for name in self.encoders)
        if self.contrastive and signals != ["eeg", "spectrogram"]:
            raise ConfigError(
                "--contrastive compares EEG with spectrogram, so it needs --inputs spec+eeg; "
                f"found {self.inputs}."
            )
        if self.contrastive and self.batch_size < 2:
            raise ConfigError("--contrastive needs a --batch-size of at least 2.")
        first, stop = self.spectrogram_rows
        if not 0 <= first < stop <= 300:
            _refuse("spectrogram_rows", "two numbers FIRST < STOP from 0 to 300", [first, stop])
        if self.image_size and self.image_size < 16:
            _refuse("image_size", "0, or at least 16 pixels", self.image_size)

    @property
    def encoders(self) -> dict[str, str]:
        """Name of each input, and of the model that encodes it."""
        return assign(self.model, self.inputs, self.eeg_as, self.eeg_model)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


def make_config(
    file: Path | None = None,
    given: Mapping[str, Any] | None = None,
    words: Iterable[str] = (),
) -> Config:
    """Put together a configuration: defaults, then a file, then options, then KEY=VALUE words.

    Parameters
    ----------
    file : Path, optional
        JSON or TOML; a run's `config.json` will do.
    given : mapping, optional
        Options; None stands for one that was not given.
    words : iterable of str
        Such as 'mixup=0.4'.

    Raises
    ------
    ConfigError
        A key does not exist, or a value is not of its kind.
    """
    values: dict[str, Any] = {} if file is None else _read(file)
    values |= {key: value for key, value in (given or {}).items() if value is not None}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"--set takes KEY=VALUE, such as mixup=0.4; found {word!r}.")
        values[key.strip().replace("-", "_")] = text.strip()
    known = {item.name: item for item in fields(Config)}
    for key in values:
        if key not in known:
            near = get_close_matches(key, known, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            where = f" {file} and --set take those of --dry-run." if file else ""
            raise ConfigError(f"There is no setting {key!r}.{hint}{where}")
    return Config(**{key: _typed(key, known[key].type, value) for key, value in values.items()})


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8-sig")
        values = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        kind = "TOML" if file.suffix == ".toml" else "JSON (a TOML file's name must end in .toml)"
        raise ConfigError(f"{file} is not {kind}: {error}.") from None
    if isinstance(values, dict) and isinstance(values.get("config"), dict):
        values = values["config"]
    if not isinstance(values, dict):
        raise ConfigError(f"{file} must hold settings by name, such as {{'epochs': 5}}.")
    return values


def _typed(key: str, kind: Any, value: Any) -> Any:
    """Turn a value from a file or a word into the field's kind."""
    try:
        if kind == "bool":
            if isinstance(value, bool):
                return value
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        if kind == "int":
            number = float(value)
            if number != int(number) or isinstance(value, bool):
                raise ValueError
            return int(number)
        if kind == "float":
            if isinstance(value, bool):
                raise ValueError
            return float(value)
        if kind.startswith("Mapping"):
            return dict(json.loads(value) if isinstance(value, str) else value)
        if kind.startswith("tuple"):
            parts = value.split(",") if isinstance(value, str) else value
            first, stop = (_typed(key, "int", part) for part in parts)
            return first, stop
        if not isinstance(value, str | int):
            raise TypeError
    except (ValueError, KeyError, TypeError, OverflowError, ConfigError):
        shown = repr(value) if len(repr(value)) < 40 else f"{repr(value)[:40]}..."
        raise ConfigError(f"{key} takes {KINDS[kind]}; found {shown}.") from None
    return str(value)


KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a word",
    "Mapping[str, Any]": "a JSON object",
    "tuple[int, int]": "two whole numbers, such as 138,162",
}


def _refuse(name: str, expected: str, found: object) -> None:
    raise ConfigError(f"{name} must be {expected}; found {found}.")
