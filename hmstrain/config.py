"""Options, a file and KEY=VALUE words -> one validated configuration of a training run.

Its fields are those of the groups in `settings/`; what concerns fields of several groups is checked
in `Config._check_together`. On disk it is a flat JSON object.
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

from hmsstore.json_shapes import LARGEST_JSON, parse_json, read_bytes
from hmstrain.data.inputs import INPUTS
from hmstrain.errors import ConfigError
from hmstrain.models import find_model
from hmstrain.models.encoders import assign, default_inputs
from hmstrain.settings.augmentation import AugmentationSettings
from hmstrain.settings.inputs import InputSettings
from hmstrain.settings.loss import LossSettings
from hmstrain.settings.machine import MachineSettings
from hmstrain.settings.model import ModelSettings
from hmstrain.settings.optimisation import OptimisationSettings
from hmstrain.settings.sampling import SamplingSettings
from hmstrain.settings.setting import Group, Setting, described, word_value
from hmstrain.settings.validation import ValidationSettings


@dataclass(frozen=True)
class Config(  # a dataclass has the fields of its last base first
    MachineSettings,
    ValidationSettings,
    OptimisationSettings,
    LossSettings,
    AugmentationSettings,
    SamplingSettings,
    InputSettings,
    ModelSettings,
):
    """Everything that decides a run's weights, apart from the store itself.

    `hmstrain settings` explains each field; so does `hmstrain.list_settings()`.

    Examples
    --------
    >>> Config(model="resnet18", epochs=2).learning_rate
    0.001
    """

    def __post_init__(self) -> None:
        for known in SETTINGS.values():
            value = known.typed(getattr(self, known.name))
            known.check(value)
            object.__setattr__(self, known.name, value)
        for group in GROUPS:
            group.check_together(self)
        self._check_together()

    def _check_together(self) -> None:
        """Refuse settings of several groups that make no sense together."""
        if not self.inputs:
            object.__setattr__(self, "inputs", default_inputs(self.model))
        if self.contrastive and signals_of(self.encoders) != ["eeg", "spectrogram"]:
            raise ConfigError(
                "--contrastive compares EEG with spectrogram, so it needs --inputs spec+eeg; "
                f"got {self.inputs}."
            )
        if self.contrastive and self.batch_size < 2:
            raise ConfigError("--contrastive needs a --batch-size of at least 2.")
        if self.backbone_learning_rate and find_model(self.model).whole:
            raise ConfigError(
                "backbone_learning_rate needs to know which layer is the last: it is for the "
                f"models that `hmstrain models` lists, and got {self.model}."
            )
        if self.auxiliary_weight and (len(self.encoders) < 2 or find_model(self.model).whole):
            raise ConfigError(
                "auxiliary_weight is for models with a branch for each of two inputs or more, such "
                f"as --inputs spec+eeg; got {self.model} on {self.inputs}."
            )
        self._check_populations()
        models = [find_model(name) for name in self.encoders.values()]
        if self.pooling != "avg" and not any(model.pools for model in models):
            raise ConfigError(
                f"pooling={self.pooling} is for timm's models and naive_cnn; got {self.model}."
            )
        if self.drop_path and not any(model.pretrained for model in models):
            raise ConfigError(f"drop_path is for timm's models; got {self.model}.")
        if self.context_dropout and self.context != "observed":
            raise ConfigError("context_dropout needs context=observed: what is left is mirrored.")
        for path, share in self.others.items():
            if not round(share * self.batch_size):
                raise ConfigError(
                    f"also: {share:g} of a batch of {self.batch_size} is less than a window of "
                    f"{path}: give a larger share, or a larger batch_size."
                )
        if sum(round(share * self.batch_size) for share in self.others.values()) >= self.batch_size:
            raise ConfigError(
                f"also: {self.also} leaves no window of the run's own store in a batch of "
                f"{self.batch_size}: give smaller shares, or a larger batch_size."
            )
        kinds = [INPUTS[name] for name in self.encoders]
        if self.random_bandpass and not any(
            "eeg" in kind.signals and kind.layout != "microvolts" for kind in kinds
        ):
            raise ConfigError(
                f"random_bandpass needs an input of bipolar channels; {self.inputs} has none."
            )
        self._check_inputs()
        self._check_features()
        self._check_answers()

    def _check_answers(self) -> None:
        """Refuse what pretraining and generators cannot use, and images that none can draw."""
        if self.pretraining and signals_of(self.encoders) != ["eeg", "spectrogram"]:
            raise ConfigError(
                "Pretraining matches EEG with spectrogram, so it needs --inputs spec+eeg, or "
                f"others of one signal each; got {self.inputs}."
            )
        if self.pretraining and self.batch_size < 2:
            raise ConfigError("Pretraining needs a --batch-size of at least 2.")
        if self.pretraining and find_model(self.model).whole:
            raise ConfigError("Pretraining needs a model of two trunks, not a network of your own.")
        generates = find_model(self.model).generates
        if (generates or self.generated) and len(self.encoders) > 1:
            raise ConfigError(f"A generator draws one input; got --inputs {self.inputs}.")
        if self.generated and INPUTS[next(iter(self.encoders))].layout != "image":
            raise ConfigError(f"generated draws images; got --inputs {self.inputs}.")
        if self.answers:
            return
        what = "pretraining" if self.pretraining else f"model={self.model}"
        if self.precision == "auto":
            raise ConfigError(
                f"precision=auto compares answers, and {what} gives none: use float32, bfloat16 or "
                "float16."
            )
        useless = [*USELESS, *(OF_VOTES if self.pretraining else OF_IMAGES)]
        for name in useless:
            if getattr(self, name) != SETTINGS[name].default:
                raise ConfigError(f"{name} does nothing with {what}: leave it out.")
        if self.sample == "votes" and self.pretraining:
            raise ConfigError("sample=votes: pretraining looks at no votes; use window or eeg.")
        if self.best_by not in ("auto", "last"):
            raise ConfigError(f"best_by={self.best_by}: with {what}, auto or last.")
        if self.fold == "rotate":
            raise ConfigError(f"--fold rotate: with {what}, hold out one fold, or all in turn.")

    def _check_inputs(self) -> None:
        """Refuse settings that the inputs cannot be made with, or that do nothing with them."""
        kinds = {name: INPUTS[name] for name in self.encoders}
        for name, kind in kinds.items():
            if self.eeg_seconds < kind.seconds:
                raise ConfigError(
                    f"The input {name} is made of {kind.seconds:g} s of EEG; got "
                    f"eeg_seconds={self.eeg_seconds:g}."
                )
        for setting, is_set, needed in (
            ("planes=difference", self.planes == "difference", "by_pair"),
            ("zoom_jitter_s", self.zoom_jitter_s > 0, "zooms"),
        ):
            if is_set and not any(getattr(kind, needed) for kind in kinds.values()):
                fitting = [name for name, kind in INPUTS.items() if getattr(kind, needed)]
                raise ConfigError(
                    f"{setting} needs an input such as {' or '.join(fitting[:2])}; got "
                    f"{self.inputs}."
                )

    def _check_features(self) -> None:
        """Refuse a span of features where none are looked at."""
        if self.features_span != "window" and not find_model(self.model).table:
            raise ConfigError(
                f"features_span={self.features_span} does nothing with model={self.model}, which "
                "takes no table of features: leave it out, or use model=features."
            )

    def _check_populations(self) -> None:
        if self.populations == "one":
            return
        if find_model(self.model).whole:
            raise ConfigError(
                "populations needs a last layer of this package, to give it a second bias: it is "
                f"for the models that `hmstrain models` lists, and got {self.model}."
            )
        if self.second_epochs:
            raise ConfigError(
                "populations trains on windows with few and many votes in one stage: leave out "
                "second_epochs."
            )
        if self.min_votes >= self.second_min_votes:
            raise ConfigError(
                "populations needs windows with fewer than second_min_votes="
                f"{self.second_min_votes} votes too; got min_votes={self.min_votes}."
            )

    @property
    def encoders(self) -> dict[str, str]:
        """Name of each input, and of the model that encodes it."""
        return assign(self.model, self.inputs, self.eeg_as, self.eeg_model)

    @property
    def answers(self) -> bool:
        """Whether its network gives probabilities of the classes."""
        return not (self.pretraining or find_model(self.model).generates)

    @property
    def several(self) -> bool:
        """Whether it makes several networks, of folds or seeds, whose answers are averaged."""
        return self.fold == "all" or self.seeds > 1

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @property
    def total_epochs(self) -> int:
        """Epochs of the first stage, and those by which the run was extended."""
        return self.epochs + sum(self.extended)


GROUPS: tuple[type[Group], ...] = tuple(
    base for base in reversed(Config.__bases__) if issubclass(base, Group)
)
"""What `Config` is made of, in the order in which settings are listed."""
SETTINGS: dict[str, Setting] = {item.name: described(item) for item in fields(Config)}
"""All settings by name."""
BEFORE = {name: known.before for name, known in SETTINGS.items() if known.before is not None}
"""What the configuration of a run means that is older than these settings and lacks them."""
MACHINE_ONLY = tuple(name for name, known in SETTINGS.items() if known.machine_only)
"""Settings that change nothing about a run's outcome beyond rounding."""
PATHS = ("weights", "generator")
"""Settings that are paths of files and folders, which may be spelt in several ways."""
OF_TABLES = (
    "model", "model_args", "inputs", "features", "features_span", "fold", "seed", "seeds",
    "fraction", "sample", "balance", "vote_weight", "entropy_weight", "target", "min_votes",
    "best_by", "context",
)  # fmt: skip
"""Settings that mean something to a model that is fitted to a table of features."""
USELESS = (
    "populations", "auxiliary_weight", "loss", "contrastive", "generated", "test_each_epoch",
    "drop_rate",
)  # fmt: skip
"""Settings that do nothing where a network gives no probabilities."""
OF_VOTES = (
    "balance", "vote_weight", "vote_decay", "entropy_weight", "target", "min_votes",
    "second_epochs",
)  # fmt: skip
"""Those that also do nothing where no votes are looked at."""
OF_IMAGES = ("standardise", "pretrained", "backbone_learning_rate", "planes")
"""Those that also do nothing for a generator."""
ARGUMENT = "model."
"""`--set model.NAME=VALUE` is an argument of the model."""
HASH_DIGITS = 6


def signals_of(inputs: Iterable[str]) -> list[str]:
    """Signals that inputs are made of, in order, those of several joined by +."""
    return sorted(INPUTS[name].signal for name in inputs)


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


def pretraining_config(given: Mapping[str, Any]) -> Config:
    """The configuration of a pretraining: of both signals, unless other inputs are given."""
    return completed({"inputs": "spec+eeg", **given, "pretraining": True})


def config_of_run(values: Mapping[str, Any]) -> Config:
    """The configuration that a run wrote; a key that it lacks means what held before the key.

    Raises
    ------
    ConfigError
        A key does not exist, or a value is not of its type or out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"A run's config must hold settings by name; got {values!r:.60}.")
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
    named = ("model", "inputs", "fold", "seed", "pretraining", *MACHINE_ONLY)
    values, usual = config.to_json(), Config().to_json()
    other = {k: v for k, v in values.items() if k not in named and v != usual[k]}
    model = config.model.replace(":", ".")
    parts = ["pretrain"] * config.pretraining
    parts += [model, config.inputs, f"fold{config.fold}", f"seed{config.seed}"]
    if other:
        text = json.dumps(other, sort_keys=True)
        parts.append(sha256(text.encode()).hexdigest()[:HASH_DIGITS])
    return "-".join(parts)


def _read(file: Path) -> dict[str, Any]:
    try:
        text = read_bytes(file, LARGEST_JSON).decode("utf-8-sig")
        values: Any = tomllib.loads(text) if file.suffix == ".toml" else parse_json(text)
    except FileNotFoundError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        kind = "TOML" if file.suffix == ".toml" else "JSON (a TOML file's name must end in .toml)"
        raise ConfigError(f"{file} is not {kind}: {error}.") from None
    if isinstance(values, dict) and isinstance(values.get("config"), dict):
        from hmsstore.sums import broken_seal, newer  # bring NumPy, which `--help` does without

        if problem := broken_seal(file, values) or newer(file, values):
            raise ConfigError(problem)
        values = BEFORE | values["config"]
    if not isinstance(values, dict):
        raise ConfigError(f"{file} must hold settings by name, such as {{'epochs': 5}}.")
    return values
