"""Settings come from defaults, a file, options and words, in that order, and are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hmstrain.config import Config, make_config
from hmstrain.errors import ConfigError


def test_defaults_are_the_reports_way_of_training() -> None:
    plain = Config()
    assert (plain.epochs, plain.batch_size, plain.weight_decay) == (5, 32, 1e-4)
    assert (plain.validate_every, plain.flip, plain.inputs, plain.image_size) == (
        500,
        0.5,
        "spec",
        0,
    )
    off = (plain.shift_s, plain.swap, plain.channel_dropout, plain.mask, plain.mixup, plain.noise)
    assert off == (0, 0, 0, 0, 0, 0)
    assert (plain.ema, plain.second_epochs, plain.clip_gradient) == (0, 0, 0)


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_words_go_before_options_and_options_before_the_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"settings.{suffix}"
    values = {"epochs": 7, "seed": 3, "mixup": 0.4}
    text = (
        json.dumps(values)
        if suffix == "json"
        else "\n".join(f"{k} = {v}" for k, v in values.items())
    )
    file.write_text(text)
    made = make_config(file, {"seed": 5, "model": None}, ["mixup=0.2", "swap = 0.5"])
    assert (made.epochs, made.seed, made.mixup, made.swap) == (7, 5, 0.2, 0.5)


def test_a_runs_config_json_makes_the_same_configuration(tmp_path: Path) -> None:
    chosen = Config(spectrogram_rows=(138, 162), contrastive=True, inputs="spec+eeg")
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"config": chosen.to_json(), "store": {}}))
    assert make_config(file) == chosen


def test_options_that_are_not_given_leave_a_files_settings_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('model = "naive_cnn"\nepochs = 77\nmixup = 0.3\n')
    given = {"model": None, "epochs": None, "seed": 4}
    config = make_config(file, given, ["mixup=0.1"])
    assert (config.model, config.epochs, config.seed, config.mixup) == ("naive_cnn", 77, 4, 0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mixpu=1"], "no setting 'mixpu'. Did you mean mixup"),
        (["mixup"], "takes KEY=VALUE"),
        (["epochs=two"], "epochs takes a whole number; found 'two'"),
        (["epochs=0"], "epochs must be from 1"),
        (["epochs=1.5"], "epochs takes a whole number"),
        (["ema=yes"], "ema takes a number"),
        (["contrastive=maybe"], "contrastive takes true or false"),
        (["inputs=both"], "inputs must be eeg, spec, eeg-image, raw, microvolts, or several"),
        (["inputs=spec+spec"], "inputs must differ from each other"),
        (["fold=some"], "fold must be a fold's number, all or rotate"),
        (["spectrogram_rows=5"], "spectrogram_rows takes two whole numbers"),
        (["spectrogram_rows=200,100"], "FIRST < STOP"),
        (["contrastive=true"], "needs --inputs spec\\+eeg; found spec"),
        (["model=resnet1d", "inputs=spec"], "needs --inputs eeg; found spec"),
        (["model=resnet1d", "inputs=spec+eeg"], "needs --inputs eeg; found spec\\+eeg"),
        (["inputs=microvolts"], "convnext_tiny does not take the input microvolts"),
        (["eeg_model=resnet1d"], "eeg_model=resnet1d needs EEG among the inputs; found spec"),
        (["model=mine:net", "eeg_model=resnet1d"], "takes all inputs itself"),
        (["inputs=spec+eeg", "eeg_as=raw", "eeg_model=resnet18"], "does not take raw EEG"),
        (["inputs=eeg", "eeg_as=raw"], "left for convnext_tiny: use --model resnet1d"),
        (["epochs=1e300"], "epochs must be from 1"),
        (["pretrained=true", "weights=x.pth"], "not both"),
        (["image_size=8"], "at least 16 pixels"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(words=words)


@pytest.mark.parametrize(
    ("settings", "encoders"),
    [
        ({}, {"spec": "convnext_tiny"}),
        ({"model": "resnet1d"}, {"raw": "resnet1d"}),
        ({"model": "mine:net"}, {"spec": "mine:net"}),
        ({"inputs": "eeg"}, {"eeg-image": "convnext_tiny"}),
        ({"inputs": "spec+eeg"}, {"spec": "convnext_tiny", "eeg-image": "convnext_tiny"}),
        (
            {"inputs": "spec+eeg", "eeg_as": "raw"},
            {"spec": "convnext_tiny", "raw": "resnet1d"},
        ),
        ({"inputs": "spec+raw"}, {"spec": "convnext_tiny", "raw": "resnet1d"}),
        (
            {"inputs": "spec+eeg", "eeg_model": "resnet1d"},
            {"spec": "convnext_tiny", "raw": "resnet1d"},
        ),
        (
            {"inputs": "spec+eeg", "eeg_model": "resnet18"},
            {"spec": "convnext_tiny", "eeg-image": "resnet18"},
        ),
        (
            {"inputs": "spec+eeg", "model": "mine:net", "eeg_as": "raw"},
            {"spec": "mine:net", "microvolts": "mine:net"},
        ),
    ],
)
def test_eeg_stands_for_what_its_model_takes(
    settings: dict[str, Any], encoders: dict[str, str]
) -> None:
    assert Config(**settings).encoders == encoders


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ("[1]", "must hold settings")]
)
def test_a_file_that_holds_no_settings_is_refused(
    tmp_path: Path, content: Any, message: str
) -> None:
    file = tmp_path / "settings.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        make_config(file)
    file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        make_config(file)


def test_every_setting_is_described() -> None:
    """The source documents each field by a string below it."""
    import ast
    import inspect

    (definition,) = ast.parse(inspect.getsource(Config)).body
    body = definition.body
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign):
            after = body[place + 1]
            assert isinstance(after, ast.Expr), ast.unparse(node)
