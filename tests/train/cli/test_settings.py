"""`hmstrain settings`: what each setting means, may be, and is by default."""

from __future__ import annotations

import json
from dataclasses import fields

from support.inside import Inside

from hmstrain.config import Config

PROGRAM = Inside("hmstrain")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


def test_every_setting_is_explained_within_80_columns() -> None:
    text = succeed("settings", COLUMNS="80").stdout
    names = [line.split()[0] for line in text.splitlines() if not line.startswith(" ")]
    assert names == [item.name for item in fields(Config)]
    assert max(map(len, text.splitlines())) <= 80
    assert "mixup  [default: 0.0; 0 to 100]" in text


def test_a_word_filters_and_json_holds_the_same() -> None:
    text = succeed("settings", "learning").stdout
    assert "second_learning_rate" in text
    assert "mixup" not in text
    found, *others = json.loads(succeed("settings", "mixup", "--json").stdout)
    assert [one["name"] for one in others] == ["mixup_p", "mixup_clip"]
    assert found == {
        "name": "mixup",
        "default": 0.0,
        "choices": None,
        "range": [0, 100],
        "meaning": "Alpha of the Beta distribution by which pairs of windows are mixed; 0: none.",
    }
    assert "No setting has 'mixpu'" in fail("settings", "mixpu")
