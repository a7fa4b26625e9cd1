"""`hmstrain models`: what there is, without loading what makes it."""

from __future__ import annotations

import json
import subprocess
import sys

from support.inside import Inside

from hmstrain.models import MODELS

PROGRAM = Inside("hmstrain")
succeed, fail = PROGRAM.succeed, PROGRAM.fail


def test_models_are_listed_without_loading_torch_or_timm() -> None:
    script = """
import sys
from hmstrain.cli import app
try:
    app(["models", "--json"])
except SystemExit:
    pass
print(sorted({"torch", "timm"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"
    found = json.loads(done.stdout)
    assert [row["model"] for row in found] == [
        *MODELS,
        "braindecode:NAME",
        "package.module:function",
    ]
    assert found[0] == {
        "model": "naive_cnn",
        "parameters": 4_372_006,
        "takes": "images 400 x 300",
    }
    takes = {row["model"]: row["takes"] for row in found}
    assert takes["vae"] == "images 400 x 300; draws them"


def test_a_word_lists_timms_models_too() -> None:
    found = {row["model"]: row for row in json.loads(succeed("models", "resnet1", "--json").stdout)}
    assert found["resnet18"]["parameters"] == MODELS["resnet18"].parameters
    assert found["resnet10t"]["takes"] == "images 400 x 300"
    assert "naive_cnn" not in found
    assert "No model has 'resnut'" in fail("models", "resnut")


def test_the_table_fits_80_columns() -> None:
    done = succeed("models", COLUMNS="80")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "4.4 M" in done.stdout
    assert "hmstrain models WORD" in done.stderr
