"""Settings come from defaults, a file, options and words, in that order, and are checked."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from hmstrain.config import (
    SETTINGS,
    Config,
    config_of_run,
    list_settings,
    make_config,
    run_name,
)
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
        (["epochs=two"], "epochs takes a whole number; got 'two'"),
        (["epochs=0"], "epochs must be from 1"),
        (["epochs=1.5"], "epochs takes a whole number"),
        (["ema=yes"], "ema takes a number"),
        (["contrastive=maybe"], "contrastive takes true or false"),
        (["inputs=both"], "inputs must be eeg, spec, eeg-image, .*, raw, microvolts, or several"),
        (["inputs=spec+spec"], "inputs must differ from each other"),
        (["fold=some"], "fold must be a fold's number, all or rotate"),
        (["spectrogram_rows=5"], "must be two numbers FIRST < STOP"),
        (["spectrogram_rows=200,100"], "FIRST < STOP"),
        (["contrastive=true"], "needs --inputs spec\\+eeg; got spec"),
        (["model=resnet1d", "inputs=spec"], "needs --inputs eeg; got spec"),
        (["model=resnet1d", "inputs=spec+eeg"], "needs --inputs eeg; got spec\\+eeg"),
        (["inputs=microvolts"], "convnext_tiny does not take the input microvolts"),
        (["eeg_model=resnet1d"], "eeg_model=resnet1d needs EEG among the inputs; got spec"),
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


FREE = {
    "model", "inputs", "eeg_model", "fold", "weights", "features", "device", "spectrogram_rows",
    "extended", "also", "generator",
}  # fmt: skip
"""Settings whose values are no list or range."""


def test_every_setting_says_what_it_means_and_may_be() -> None:
    assert set(SETTINGS) == {item.name for item in fields(Config)}
    for one in SETTINGS.values():
        assert one.meaning.endswith("."), one.name
        free = one.name in FREE
        assert one.range or free, one.name
        json.dumps(one.to_json())


def test_settings_are_found_by_a_word_of_their_name_or_meaning() -> None:
    assert [one.name for one in list_settings("mixup")] == [
        "mixup",
        "mixup_p",
        "mixup_clip",
    ]
    assert {"swap", "flip"} <= {one.name for one in list_settings("chance")}
    with pytest.raises(ConfigError, match="Did you mean mixup"):
        list_settings("mixpu")


def test_a_configuration_is_typed_as_that_of_a_file_is() -> None:
    given = {"fold": 0, "learning_rate": 1, "epochs": 2.0, "swap": "0.5"}
    assert Config(**given) == make_config(given=given)
    assert Config(**given).to_json() == make_config(given=given).to_json()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fold": 0.5}, "fold takes a word; got 0.5"),
        ({"fold": True}, "fold takes a word; got True"),
        ({"also": None}, "also takes a word; got None"),
        ({"model": 5.0}, "model takes a word; got 5.0"),
        ({"epochs": "many"}, "epochs takes a whole number; got 'many'"),
        ({"epochs": 1.5}, "epochs takes a whole number; got 1.5"),
        ({"mixup": None}, "mixup takes a number; got None"),
        ({"pretrained": "no"}, "pretrained takes true or false; got 'no'"),
        ({"model_args": 5}, "model_args takes a JSON object"),
    ],
)
def test_a_value_of_another_type_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config(**wrong)


def test_arguments_of_the_model_are_gathered_from_the_file_and_from_words(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[model_args]\nwidth = 32\ndepth = 3\n")
    words = ["model.width=64", "model.norm=layer", "model.wide=true"]
    made = make_config(file, words=words)
    expected = {"width": 64, "depth": 3, "norm": "layer", "wide": True}
    assert made.model_args == expected
    assert make_config(given={"model_args": '{"width": 64}'}).model_args == {"width": 64}
    assert Config().model_args == {}
    with pytest.raises(ConfigError, match="model_args takes a JSON object"):
        make_config(words=["model_args=[1]"])


def test_what_an_older_run_does_not_say_means_what_held_then(tmp_path: Path) -> None:
    """A settings file that lacks a key is another thing: the default holds."""
    values = Config(epochs=3).to_json()
    for name in ("test_each_epoch", "extended", "model_args"):
        del values[name]
    assert config_of_run(values) == Config(epochs=3, test_each_epoch=True)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"config": values}))
    assert make_config(file).test_each_epoch is True
    file.write_text(json.dumps(values))
    assert make_config(file).test_each_epoch is False


def test_a_base_holds_where_nothing_else_is_given() -> None:
    base = Config(epochs=9, seed=4)
    made = make_config(given={"seed": 5}, base=base)
    assert (made.epochs, made.seed) == (9, 5)


def test_runs_are_named_after_their_model_and_apart_where_other_settings_differ() -> None:
    assert run_name(Config()) == "convnext_tiny-spec-fold0-seed0"
    assert run_name(Config(fold="2", seed=3)) == "convnext_tiny-spec-fold2-seed3"
    machine = Config(device="cpu", data="device", loader_threads=7, tensorboard=True)
    assert run_name(machine) == run_name(Config())
    mixed, longer = run_name(Config(mixup=0.4)), run_name(Config(epochs=6))
    for name in (mixed, longer):
        assert re.fullmatch(r"convnext_tiny-spec-fold0-seed0-[0-9a-f]{6}", name)
    assert mixed != longer
    assert mixed == run_name(Config(mixup=0.4, device="cpu"))
    assert run_name(Config(model="mine:net", inputs="spec+eeg")) == "mine.net-spec+eeg-fold0-seed0"
