"""Options, a file and KEY=VALUE words -> one validated configuration of a training run.

Each field is a `settings.setting`, which holds its meaning, choices or bounds; what concerns
several fields is checked in `Config.__post_init__`. On disk it is a flat JSON object.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from hmstrain.data.inputs import INPUTS
from hmstrain.errors import ConfigError
from hmstrain.models.encoders import assign, default_inputs
from hmstrain.settings import Setting, described, one_of, setting, within, word_value


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides a run's weights, apart from the store itself.

    `hmstrain settings` explains each field; so does `hmstrain.list_settings()`.

    Examples
    --------
    >>> Config(model="resnet18", epochs=2).learning_rate
    0.001
    """

    model: str = setting(
        "convnext_tiny",
        "naive_cnn, resnet1d (raw EEG), a timm name, or package.module:function for your own.",
    )
    model_args: Mapping[str, Any] = setting(
        dict, "Arguments of the model or of your own function: --set model.width=64."
    )
    inputs: str = setting(
        "",
        "What the model sees: names of inputs joined by +, such as spec+eeg; eeg: EEG as the model "
        "takes it. Unset: what the model takes.",
    )
    fold: str = setting(
        "0",
        "Fold to validate on; all: one run for each; rotate: another fold in each epoch (leaks).",
    )
    seed: int = within(0, 0, 2**31 - 1, "Seed of weights, order and augmentation.")

    epochs: int = within(5, 1, 10_000, "Passes over the training windows.")
    batch_size: int = within(32, 1, 65_536, "Windows per step, over all processes.")
    steps: int = within(
        0, 0, 10**9, "Stop after this many steps, with the schedule ending there; 0: all epochs."
    )
    fraction: float = within(1.0, 1e-6, 1, "Share of the training patients to use.")
    learning_rate: float = within(1e-3, 1e-9, 100, "Peak of the OneCycle schedule.")
    weight_decay: float = within(1e-4, 0, 10, "Adam's weight decay.")
    validate_every: int = within(
        500, 1, 10**9, "Steps between validations; each epoch ends with one too."
    )
    best_by: str = one_of(
        "auto",
        "kl",
        "kl_votes",
        "kl_hi",
        "last",
        meaning="Score that chooses the best checkpoint. auto: KL over held-out windows with as "
        "many votes as the stage trains on, chosen anew in a second stage; last: the latest is "
        "kept, as with fold=rotate.",
        before="kl_votes",
    )
    test_each_epoch: bool = setting(
        False,
        "Score the test split after each epoch too, as the report did. Off by default: a test seen "
        "at every epoch invites choosing by it.",
        before=True,
    )
    clip_gradient: float = within(0.0, 0, 1e9, "Largest norm of the gradient; 0: no limit.")

    image_size: int = within(
        0, 0, 4096, "Side of the square that images are resized to; 0: keep 400 x 300."
    )
    eeg_as: str = one_of(
        "image",
        "raw",
        meaning="EEG as an image of short-time spectra for the same model, or raw for resnet1d.",
    )
    eeg_model: str = setting(
        "",
        "Model that encodes the EEG beside another for the spectrogram; unset: the same model, "
        "or resnet1d for raw EEG.",
    )
    eeg_seconds: float = within(50.0, 2, 50, "Seconds of EEG around the window's middle to use.")
    spectrogram_rows: tuple[int, int] = setting(
        (0, 300), "First spectrogram row to use, and the one after the last: 138,162."
    )
    standardise: str = one_of(
        "store",
        "window",
        meaning="Standardise images by the training data's statistics; window: then each by its "
        "own mean and deviation too.",
    )
    pretrained: bool = setting(False, "Start from timm's weights, from its cache or the network.")
    weights: str = setting("", "Start from the weights in this file (.safetensors or .pth).")
    start_at_prior: bool = setting(
        True,
        "Begin with the answer of the mean training target, whatever is seen; in a second stage, "
        "shift answers by how that changes.",
        before=False,
    )
    drop_rate: float = within(0.0, 0, 0.95, "Dropout before the last layer.")

    contrastive: bool = setting(
        False, "Add a loss that pulls a window's EEG and spectrogram embeddings together."
    )
    contrastive_weight: float = within(0.5, 0, 1e3, "Weight of that loss; KL has 1.")
    contrastive_loss: str = one_of(
        "cosine",
        "infonce",
        meaning="Cosine embedding loss with a margin, or InfoNCE with a temperature.",
    )
    contrastive_margin: float = within(
        0.2, -1, 1, "Cosine above which mismatched pairs are pushed apart."
    )
    contrastive_temperature: float = within(0.1, 1e-3, 100, "Temperature of InfoNCE.")
    projection_size: int = within(128, 1, 65_536, "Length of the embeddings that are compared.")

    flip: float = within(0.5, 0, 1, "Chance of reversing time, in both signals together.")
    shift_s: float = within(
        0.0,
        0,
        600,
        "Shift windows by up to this many seconds into the real signal around them, as far as "
        "there is any.",
    )
    swap: float = within(0.0, 0, 1, "Chance of mirroring left and right.")
    channel_dropout: float = within(0.0, 0, 1, "Chance of leaving out each bipolar channel.")
    mask: int = within(
        0, 0, 100, "Stripes across time, and as many across frequency, blanked in each image."
    )
    mask_size: float = within(0.1, 0, 1, "Largest width of a stripe, as a share of the image.")
    noise: float = within(
        0.0, 0, 100, "Deviation of added noise, in units of the input's own deviation."
    )
    mixup: float = within(
        0.0, 0, 100, "Alpha of the Beta distribution by which pairs of windows are mixed; 0: none."
    )

    context: str = one_of(
        "observed",
        "filled",
        meaning="What networks see around the part of a window that was recorded, if not all of it "
        "was. observed: that part mirrored; filled: whatever the store holds there.",
        before="filled",
    )
    context_dropout: float = within(
        0.0,
        0,
        1,
        "Chance of leaving out all around a window's judged seconds, in both signals, so that the "
        "model learns to do without.",
    )

    sample: str = one_of(
        "window",
        "votes",
        "eeg",
        meaning="An epoch has all windows, one at random for each EEG and votes, or one for each "
        "EEG.",
    )
    balance: str = one_of(
        "none", "votes", meaning="votes: weight windows so that all classes carry equal votes."
    )
    vote_weight: str = one_of(
        "none", "log", "linear", meaning="Weight a window by log(1 + votes), or by votes / 28."
    )
    min_votes: int = within(1, 1, 1000, "Train on windows with at least this many votes.")
    second_epochs: int = within(
        0, 0, 10_000, "Epochs of a second stage, on windows with many votes; 0: no such stage."
    )
    second_min_votes: int = within(10, 1, 1000, "Fewest votes of the second stage's windows.")
    second_learning_rate: float = within(
        1e-4, 1e-9, 100, "Peak of the second stage's OneCycle schedule."
    )
    ema: float = within(
        0.0,
        0,
        0.999999,
        "Decay of a moving average of the weights, which is then validated and kept; 0: none.",
    )
    norm_windows: int = within(
        0,
        0,
        10**6,
        "Training windows to measure batch norm on before each validation; 0: as gathered in "
        "training.",
    )

    device: str = setting("auto", "auto, cpu, cuda, cuda:1, mps.", machine_only=True)
    data: str = one_of(
        "map",
        "device",
        meaning="Map the store, or hold what is needed of it in the device's memory.",
        machine_only=True,
    )
    loader_threads: int = within(2, 1, 256, "Threads that gather batches.", machine_only=True)
    precision: str = one_of(
        "float32",
        "bfloat16",
        "float16",
        meaning="Precision of arithmetic (autocast).",
    )
    channels_last: bool = setting(False, "Lay images out channels last.")
    compile: bool = setting(False, "Compile the network (torch.compile).")
    tensorboard: bool = setting(False, "Write TensorBoard events too.", machine_only=True)

    extended: tuple[int, ...] = setting(
        (),
        "Epochs appended to the last stage, each time with a schedule of their own from the last "
        "rate; written by --resume --epochs N.",
    )

    def __post_init__(self) -> None:
        for known in SETTINGS.values():
            known.check(getattr(self, known.name))
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
                f"got {self.inputs}."
            )
        if self.contrastive and self.batch_size < 2:
            raise ConfigError("--contrastive needs a --batch-size of at least 2.")
        rows = self.spectrogram_rows
        if len(rows) != 2 or not 0 <= rows[0] < rows[1] <= 300:
            _refuse("spectrogram_rows", "two numbers FIRST < STOP from 0 to 300", list(rows))
        if self.context_dropout and self.context != "observed":
            raise ConfigError("context_dropout needs context=observed: what is left is mirrored.")
        if any(epochs < 1 for epochs in self.extended):
            _refuse("extended", "numbers of epochs from 1", list(self.extended))
        if self.image_size and self.image_size < 16:
            _refuse("image_size", "0, or at least 16 pixels", self.image_size)

    @property
    def encoders(self) -> dict[str, str]:
        """Name of each input, and of the model that encodes it."""
        return assign(self.model, self.inputs, self.eeg_as, self.eeg_model)

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @property
    def total_epochs(self) -> int:
        """Epochs of the first stage, and those by which the run was extended."""
        return self.epochs + sum(self.extended)


SETTINGS: dict[str, Setting] = {item.name: described(item) for item in fields(Config)}
"""All settings by name."""
BEFORE = {name: known.before for name, known in SETTINGS.items() if known.before is not None}
"""What the configuration of a run means that is older than these settings and lacks them."""
MACHINE_ONLY = tuple(name for name, known in SETTINGS.items() if known.machine_only)
"""Settings that change nothing about a run's outcome beyond rounding."""
ARGUMENT = "model."
"""`--set model.NAME=VALUE` is an argument of the model."""
HASH_DIGITS = 6


def list_settings(word: str | None = None) -> list[Setting]:
    """All settings that training takes, with their meaning, range and default.

    Parameters
    ----------
    word : str, optional
        Only those with this in their name or meaning.

    Returns
    -------
    list of Setting

    Raises
    ------
    ConfigError
        No setting has the word.

    Examples
    --------
    >>> [one.name for one in list_settings("mixed")]
    ['mixup']
    """
    known = list(SETTINGS.values())
    if word is None:
        return known
    low = word.lower()
    found = [one for one in known if low in one.name or low in one.meaning.lower()]
    if not found:
        near = get_close_matches(low, [one.name for one in known], n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ConfigError(f"No setting has {word!r} in its name or meaning.{hint}")
    return found


def make_config(
    file: Path | None = None,
    given: Mapping[str, Any] | None = None,
    words: Iterable[str] = (),
    *,
    base: Config | None = None,
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
    base : Config, optional
        What holds where nothing else is given, instead of the defaults.

    Raises
    ------
    ConfigError
        A key does not exist, or a value is not of its type or out of range.
    """
    return completed(given_settings(file, given, words), base)


def completed(given: Mapping[str, Any], base: Config | None = None) -> Config:
    """These settings, with all others as in `base`, or the defaults."""
    if base is None:
        return Config(**given)
    values = dict(given)
    if "model_args" in values:
        values["model_args"] = {**base.model_args, **values["model_args"]}
    return replace(base, **values)


def config_of_run(values: Mapping[str, Any]) -> Config:
    """The configuration that a run wrote; a key that it lacks means what held before the key."""
    return completed(_typed(BEFORE | dict(values)))


def given_settings(
    file: Path | None = None,
    given: Mapping[str, Any] | None = None,
    words: Iterable[str] = (),
) -> dict[str, Any]:
    """What a file, options and KEY=VALUE words set, each over the ones before, by name.

    Raises
    ------
    ConfigError
        A key does not exist, or a value is not of its type.
    """
    from_file = {} if file is None else _read(file)
    options = {key: value for key, value in (given or {}).items() if value is not None}
    last: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    for word in words:
        key, equals, text = (part.strip() for part in word.partition("="))
        if not equals:
            raise ConfigError(f"--set takes KEY=VALUE, such as mixup=0.4; got {word!r}.")
        if key.startswith(ARGUMENT):
            arguments[key.removeprefix(ARGUMENT)] = word_value(text)
        else:
            last[key.replace("-", "_")] = text
    parts = [_typed(part, file) for part in (from_file, options, last, {"model_args": arguments})]
    found: dict[str, Any] = {}
    for part in parts:
        merged = found.get("model_args", {}) | part.get("model_args", {})
        found |= part | ({"model_args": merged} if merged else {})
    return {key: value for key, value in found.items() if key != "model_args" or value}


def _typed(values: Mapping[str, Any], file: Path | None = None) -> dict[str, Any]:
    for key in values:
        if key not in SETTINGS:
            near = get_close_matches(key, SETTINGS, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            where = f" {file} and --set take those that `hmstrain settings` lists." if file else ""
            raise ConfigError(f"There is no setting {key!r}.{hint}{where}")
    return {key: SETTINGS[key].typed(value) for key, value in values.items()}


def run_name(config: Config) -> str:
    """Name of a run: MODEL-INPUTS-foldK-seedS, and six digits where other settings differ.

    The digits are the same for the same settings, whatever the machine: those that change nothing
    but speed do not count.
    """
    named = ("model", "inputs", "fold", "seed", *MACHINE_ONLY)
    values, usual = config.to_json(), Config().to_json()
    other = {k: v for k, v in values.items() if k not in named and v != usual[k]}
    model = config.model.replace(":", ".")
    parts = [model, config.inputs, f"fold{config.fold}", f"seed{config.seed}"]
    if other:
        text = json.dumps(other, sort_keys=True)
        parts.append(sha256(text.encode()).hexdigest()[:HASH_DIGITS])
    return "-".join(parts)


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
        from hmsstore.sums import broken_seal  # brings NumPy, which `--help` does without

        if problem := broken_seal(file, values):
            raise ConfigError(problem)
        values = BEFORE | values["config"]
    if not isinstance(values, dict):
        raise ConfigError(f"{file} must hold settings by name, such as {{'epochs': 5}}.")
    return values


def _refuse(name: str, expected: str, got: object) -> None:
    raise ConfigError(f"{name} must be {expected}; got {got}.")
