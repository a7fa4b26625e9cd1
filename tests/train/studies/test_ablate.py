"""One factor at a time: rows of a list or one's own, in several seeds, compared with a base."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.inside import Inside
from support.recipes import write_small
from support.runs import SMALL, Stopped

import hmstrain
from hmsstore import Store
from hmstrain.config import Config
from hmstrain.errors import ConfigError, RunError
from hmstrain.models.network import make_network
from hmstrain.runs.checkpoint import read_description
from hmstrain.scoring.comparison.compare import compare
from hmstrain.studies.ablation_table import HEADER, Ablation
from hmstrain.studies.factors import base_of, listed_factors, make_rows, read_factor
from hmstrain.studies.made import generator_of, pretraining_of
from hmstrain.studies.recipe_file import Changes

OWN = "dropped: drop_rate=0.5, spectrogram_rows=100,200"
BASE: dict[str, Any] = SMALL | {"epochs": 1, "steps": 2, "validate_every": 2, "swap": 0.5}


def run_small(folder: Path, store: Store, **more: Any) -> Ablation:
    settings = folder / "base.json"
    settings.write_text(json.dumps(BASE))
    return hmstrain.ablate(
        settings, store, out=folder / "out", only=["no-swap"], factors=[OWN], seeds=2, **more
    )


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the ablation."""
    return tmp_path_factory.mktemp("ablation") / "out"


@pytest.fixture(scope="module")
def found(store: Store, out: Path) -> Ablation:
    return run_small(out.parent, store)


def test_each_row_is_compared_with_the_base_over_all_seeds(
    found: Ablation, out: Path, store: Store
) -> None:
    rows = ("base", "no-swap", "dropped")
    paths = [path for row in rows for path in sorted((out / row).glob("seed*"))]
    whole = compare(paths, truth=store, rows="typical", split="test", group_seeds=True)
    assert len(paths) == 6
    assert [found.model(row).seeds for row in rows] == [2, 2, 2]
    for row, model in zip(rows[1:], list(whole.models)[1:], strict=True):
        for key in ("kl_votes", "kl_hi"):
            assert found.less_base(row, key) == whole.differences[model].get(key)
    assert list(found.comparison.models) == [f"{row} (2 seeds)" for row in rows]
    assert found.comparison.seeds_resampled
    assert found.less_base("base", "kl_votes") is None


def test_a_row_changes_its_settings_and_nothing_else(found: Ablation, out: Path) -> None:
    configs = {
        row: json.loads((out / row / "config.json").read_text())["config"]
        for row in ("base", "no-swap", "dropped")
    }
    for row, changed in (
        ("no-swap", {"swap": 0.0}),
        ("dropped", {"drop_rate": 0.5, "spectrogram_rows": [100, 200]}),
    ):
        assert configs[row] == configs["base"] | changed


def test_the_table_is_written_for_people_and_programs(found: Ablation, out: Path) -> None:
    with (out / "ablation.csv").open() as file:
        table = list(csv.reader(file))
    written = json.loads((out / "ablation.json").read_text())
    html = (out / "ablation.html").read_text()
    assert tuple(table[0]) == HEADER
    assert [row[:3] for row in table[1:]] == [
        ["base", "", "2"],
        ["no-swap", "swap=0.0", "2"],
        ["dropped", "drop_rate=0.5, spectrogram_rows=100,200", "2"],
    ]
    less = found.less_base("no-swap", "kl_votes")
    assert less is not None
    assert f"{less.difference:+.4f}" in table[2]
    assert written["rows"][1]["less_base"]["kl_votes"]["difference"] == less.difference
    assert "mirroring left and right" in (out / "ablation.md").read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", html)
    assert (out / "ablation.png").stat().st_size > 5_000


def test_a_stopped_ablation_resumes_where_it_was(
    found: Ablation, store: Store, tmp_path: Path
) -> None:
    row = ""

    def stop_within(name: str, values: Mapping[str, Any]) -> None:
        nonlocal row
        row = values["name"] if name == "system" else row
        if row == "dropped" and name == "network" and values["number"] == 1:
            raise Stopped

    with pytest.raises(Stopped):
        run_small(tmp_path, store, events=stop_within)
    half = json.loads((tmp_path / "out" / "ablation.json").read_text())
    kept = tmp_path / "out" / "no-swap" / "metrics.json"
    before = kept.stat().st_mtime_ns
    again = run_small(tmp_path, store)
    assert [one["name"] for one in half["rows"]] == ["base", "no-swap"]
    assert kept.stat().st_mtime_ns == before
    assert again.cells() == found.cells()


def test_another_base_does_not_resume_in_the_folder(
    found: Ablation, out: Path, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "base.json").write_text(json.dumps(BASE | {"flip": 0.0}))
    with pytest.raises(RunError, match=r"flip was 0\.5, now 0\.0"):
        hmstrain.ablate(tmp_path / "base.json", store, out=out, only=["no-swap"], seeds=2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("")
    with pytest.raises(RunError, match="something other than an ablation"):
        hmstrain.ablate(tmp_path / "base.json", store, out=tmp_path / "other", only=["no-swap"])


def test_factors_that_say_nothing_of_a_base_are_left_out_and_said() -> None:
    rows = make_rows(Config(model="resnet18", flip=0.5, swap=0.0, second_epochs=2))
    names = [one.name for one in rows.factors]
    assert "no-flip" in names
    assert "one-stage" in names
    assert "no-swap changes nothing of the base." in rows.left_out
    assert "two-stages asks about a base with second_epochs=0." in rows.left_out
    with pytest.raises(ConfigError, match=r"no-swap .swap=0.0. changes nothing"):
        make_rows(Config(model="resnet18"), ["no-swap"])


def test_factors_that_the_bases_inputs_do_not_know_are_left_out() -> None:
    busy: dict[str, Any] = {"channel_dropout": 0.1, "mask": 1, "boxes": 1}
    for base, idle in (
        (Config(model="resnet18", **busy), {"no-channel-dropout"}),
        (Config(model="resnet1d", **busy), {"no-masks", "no-boxes"}),
        (Config(model="resnet18", inputs="spec+eeg", **busy), set()),
    ):
        left_out = " ".join(make_rows(base).left_out)
        for name in ("no-channel-dropout", "no-masks", "no-boxes"):
            assert (f"{name} changes nothing of the base" in left_out) is (name in idle), name


def test_each_listed_factor_changes_some_base() -> None:
    busy = {
        "second_epochs": 2, "swap": 0.5, "shift_s": 3.0, "stretch": 0.1, "front_back": 0.5,
        "permute_chains": 0.5, "channel_dropout": 0.1, "random_bandpass": 0.2, "mask": 1,
        "context_dropout": 0.1, "boxes": 1, "noise": 0.1, "mixup": 0.4, "ema": 0.9,
    }  # fmt: skip
    plain, rich = (Config(model="resnet18", inputs="spec+eeg", **more) for more in ({}, busy))
    bases = (plain, rich, Config(model="resnet18"))
    listed = listed_factors()
    used = {one.name for base in bases for one in make_rows(base).factors}
    assert used == {one.name for one in listed}
    assert all(one.asks.rstrip(".?") != one.asks for one in listed)


def test_rows_build_upon_a_pretraining_and_a_generator_that_are_made_first(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "base.json"
    view = {"eeg_seconds": 4.0, "spectrogram_rows": (138, 162), "swap": 0.5}
    settings.write_text(json.dumps(BASE | view))
    own = "few: weights=@pretraining, fraction=0.5"
    out = tmp_path / "out"

    begun: list[str] = []
    hmstrain.ablate(
        settings, store, out=out, only=["generated"], factors=[own], seeds=1,
        events=lambda name, values: begun.append(values["name"]) if name == "system" else None,
    )  # fmt: skip
    assert begun == ["base", "generator", "generated", "pretraining", "few"]
    pre, fine, generator = (
        json.loads((out / name / "config.json").read_text())["config"]
        for name in ("pretraining", "few", "generator")
    )
    assert (pre["inputs"], pre["pretraining"], pre["fraction"]) == ("spec+eeg", True, 1.0)
    assert (fine["inputs"], fine["weights"], fine["fraction"]) == (
        "spec",
        str(out / "pretraining"),
        0.5,
    )
    assert (generator["model"], generator["inputs"], generator["swap"]) == ("vae", "spec", 0.5)
    described = read_description(out / "few" / "best")["pretrained"]
    assert described["path"] == str(out / "pretraining/best/model.safetensors")
    monkeypatch.chdir(tmp_path)  # where the same folder has another name
    again = {"only": ["generated"], "factors": [own], "seeds": 1}
    hmstrain.ablate(settings, store, out="out", **again)
    text = (out / "ablation.md").read_text()
    assert "@pretraining: a window's partner is found in" in text
    held_out = np.unique(store.windows["patient_id"][store.select("valid", fold=0)])
    assert f"(by chance {1 / len(held_out):.1%})" in text
    assert "weights=@pretraining, fraction=0.5" in text


def test_what_rows_build_upon_fits_their_base() -> None:
    both = Config(
        model="resnet18", inputs="spec+eeg", sample="votes", vote_weight="log", second_epochs=2,
        fraction=0.5, contrastive=True, mixup=0.4,
    )  # fmt: skip
    made = pretraining_of(both)
    assert (made.inputs, made.sample, made.vote_weight) == ("spec+eeg", "eeg", "none")
    assert (made.second_epochs, made.fraction, made.mixup) == (0, 1.0, 0.0)
    raw = pretraining_of(Config(model="resnet1d", eeg_seconds=10.0))
    assert raw.encoders == {"raw": "resnet1d", "spec": "naive_cnn"}
    assert pretraining_of(Config(model="resnet18", inputs="mel16")).inputs == "mel16+spec"
    # What is not possible is left out, and said.
    left = make_rows(Config(model="resnet18", inputs="side-by-side")).left_out
    assert any(text.startswith("pretrained does not go together") for text in left)
    left = make_rows(Config(model="resnet1d")).left_out
    assert any(text.startswith("generated does not go together") for text in left)
    with pytest.raises(ConfigError, match="@other: expected @pretraining or @generator"):
        make_rows(both, own=["x: weights=@other"])
    with pytest.raises(ConfigError, match="--factor generator: there is a factor of that name"):
        make_rows(both, own=["generator: drop_rate=0.5"])
    window = generator_of(Config(model="resnet18", inputs="spec", standardise="window"))
    assert (window.model, window.standardise) == ("vae", "store")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drop_rate=0.5", "expected 'NAME: KEY=VALUE"),
        ("Wide: drop_rate=0.5", "a name of small letters"),
        ("wide:", "expected 'NAME: KEY=VALUE"),
        ("wide: droprate=0.5", "--factor wide: There is no setting 'droprate'"),
    ],
)
def test_a_factor_of_another_form_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_factor(text)


def test_names_of_rows_are_those_of_one_row() -> None:
    base = Config(model="resnet18")
    with pytest.raises(ConfigError, match="--factor no-flip: there is a factor of that name"):
        make_rows(base, own=["no-flip: drop_rate=0.5"])
    with pytest.raises(ConfigError, match="--factor base: there is"):
        make_rows(base, own=["base: drop_rate=0.5"])
    with pytest.raises(ConfigError, match="--only wide: expected one of spectrogram"):
        make_rows(base, ["wide"])
    with pytest.raises(ConfigError, match="Did you mean no-flip"):
        make_rows(base, ["noflip"])


@pytest.mark.parametrize("settings", ["seed=7", "seeds=5", "fold=1", "seed=7, fold=1"])
def test_a_row_that_is_the_base_but_for_seeds_and_fold_is_refused(settings: str) -> None:
    with pytest.raises(ConfigError, match=r"again .* is the row base again: rows that"):
        make_rows(Config(model="resnet18"), own=[f"again: {settings}"])


def test_two_rows_of_one_model_are_refused() -> None:
    twice = ["wide: drop_rate=0.2", "broad: drop_rate=0.2, seed=3"]
    with pytest.raises(ConfigError, match=r"broad .* is the row wide again"):
        make_rows(Config(model="resnet18"), own=twice)
    listed = next(one for one in listed_factors() if one.name == "no-flip")
    with pytest.raises(ConfigError, match=r"mine .* is the row no-flip again"):
        make_rows(Config(model="resnet18", flip=0.5), ["no-flip"], [f"mine: {listed.changed}"])


def test_a_base_is_a_member_of_a_recipe_or_a_file_of_settings(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    title, config = base_of(path, None, Changes.read({"fold": "all"}))
    assert title == "Ablation of small, spec"
    assert (config.fold, config.seeds) == ("0", 3)
    _, config = base_of(path, "both", Changes.read({"seeds": 1}))
    assert (config.inputs, config.seeds) == ("spec+eeg", 1)
    _, config = base_of(path, "both", Changes.read({}, ["both.seeds=2"]))
    assert config.seeds == 2
    _, config = base_of(path, "both", Changes.read({}, ["spec.seeds=2"]))
    assert config.seeds == 3
    with pytest.raises(ConfigError, match="--member raw: expected one of spec, both"):
        base_of(path, "raw", Changes())
    (tmp_path / "run.json").write_text(json.dumps({"model": "resnet18", "epochs": 2}))
    _, config = base_of(tmp_path / "run.json", None, Changes.read({"epochs": 3}))
    assert (config.model, config.epochs, config.seeds) == ("resnet18", 3, 3)


def test_the_command_lists_and_plans(tmp_path: Path) -> None:
    command = Inside("hmstrain")
    listed = json.loads(command.succeed("ablate", "--list", "--json").stdout)
    assert {one["name"] for one in listed} == {one.name for one in listed_factors()}
    done = command.succeed("ablate", write_small(tmp_path), "--dry-run", "--factor", OWN)
    assert "dropped: drop_rate=0.5, spectrogram_rows=100,200" in done.stdout
    assert "left out: no-swap changes nothing of the base." in done.stdout
    plan = ("ablate", write_small(tmp_path), "--member", "both", "--dry-run")
    built = command.succeed(*plan, "--only", "pretrained")
    assert "made first, in 3 seeds too: pretraining" in built.stdout
    told = json.loads(command.succeed(*plan, "--json", "--factor", OWN).stdout)
    assert told["base"]["seeds"] == 3
    assert told["factors"]["dropped"]["drop_rate"] == 0.5
    assert told["made_first"]["pretraining"]["pretraining"]
    for unknown in (("--set", "model=resnet_18"), ("--factor", "other: model=resnet_18")):
        for words in (unknown, (*unknown, "--json")):
            assert "There is no model 'resnet_18'" in command.fail(*plan, *words)
    failed = command.run("ablate")
    assert failed.returncode == 1
    assert "Name a recipe: " in failed.stderr


@pytest.mark.parametrize(
    ("document", "option"),
    [
        ("docs/recipes.md", r"--factor '(.+?)'"),
        ("hmstrain/cli/ablate.py", r"repeatable: '(.+?)'\."),
        ("hmstrain/studies/factors.py", r"'(dropped: .+?)'"),
    ],
)
def test_the_factor_that_documents_show_makes_a_network(document: str, option: str) -> None:
    (factor,) = re.findall(option, (Path(__file__).parents[3] / document).read_text())
    _, base = base_of("laptop", None, Changes())
    rows = make_rows(base, ["no-swap"], [factor])
    assert make_network(rows.configs[factor.partition(":")[0]], start=False).parameters()
