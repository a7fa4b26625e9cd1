"""A run keeps the source of a network of one's own: it predicts and is bundled anywhere."""

from __future__ import annotations

import importlib
import json
import py_compile
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.runs import train_small, unsealed

from hmsstore import Store
from hmsstore.sums import sealed
from hmstrain.errors import ModelError, RunError
from hmstrain.models.source import use
from hmstrain.prediction import bundle as bundling
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.source import LARGEST_FILE, check_carried, keep_source, read_source
from hmstrain.runs.trained import load_trained

OWN = "guests.nets:network"
NETS = """
import json

import torch

from . import layers


def network():
    import shapes  # a module beside the package, needed once a network is made

    return layers.Means(shapes.SIZE)
"""
LAYERS = """
import torch

KIND = "as trained"


class Means(torch.nn.Module):
    kind = KIND

    def __init__(self, size):
        super().__init__()
        self.layer = torch.nn.Linear(size, 6)

    def forward(self, image_BCHW):
        return self.layer(image_BCHW[:, 0].mean(dim=2))
"""
CPU = torch.device("cpu")
MODULES = ("guests", "guests.nets", "guests.layers", "shapes")


def write_modules(folder: Path) -> None:
    (folder / "guests").mkdir()
    (folder / "guests" / "__init__.py").write_text("")
    (folder / "guests" / "nets.py").write_text(NETS)
    (folder / "guests" / "layers.py").write_text(LAYERS)
    (folder / "shapes.py").write_text("SIZE = 400\n")
    (folder / "unrelated.py").write_text("")


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a run, and the package of its network."""
    folder = tmp_path_factory.mktemp("own")
    write_modules(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        train_small(store, folder / "run", model=OWN, epochs=1, steps=2)
    yield folder
    use({})


@pytest.fixture
def elsewhere(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], RunFolder]:
    """Stand in an empty folder with nothing of the package imported; give a copy of the run."""
    use({})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(trained)])
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)

    def copy() -> RunFolder:
        shutil.copytree(trained / "run", tmp_path / "run")
        return RunFolder(tmp_path / "run")

    return copy


def test_a_run_keeps_what_its_network_imports_of_the_users_own(trained: Path) -> None:
    kept = read_source(trained / "run")
    assert kept is not None
    assert kept.model == OWN
    assert kept.missing == ()
    assert sorted(kept.files) == sorted(MODULES)
    for file in kept.files.values():
        there = trained / file.relative_to(trained / "run" / "source")
        assert file.read_bytes() == there.read_bytes()


def test_its_network_is_made_anywhere_on_the_users_word_alone(
    elsewhere: Callable[[], RunFolder],
) -> None:
    run = elsewhere()
    with pytest.raises(ModelError, match="which is code"):
        load_trained(run, CPU)
    assert not set(MODULES) & set(sys.modules)
    found = load_trained(run, CPU, trust=OWN)
    assert sys.modules["guests.layers"].__file__ == str(run.path / "source/guests/layers.py")
    assert found.network.network.kind == "as trained"
    assert not list(run.path.rglob("__pycache__"))


def test_a_source_that_changed_since_is_not_used_and_neither_is_bytecode(
    elsewhere: Callable[[], RunFolder], tmp_path: Path
) -> None:
    run = elsewhere()
    write_modules(tmp_path)
    load_trained(run, CPU, trust=True)
    assert sys.modules["guests.layers"].__file__ == str(tmp_path / "guests/layers.py")
    changed = LAYERS.replace("as trained", "as changed")
    (tmp_path / "guests" / "layers.py").write_text(changed)
    planted = run.path / "source" / "guests" / "__pycache__"
    planted.mkdir()
    for name in ("layers", "nets"):
        (planted / f"{name}.{sys.implementation.cache_tag}.pyc").write_bytes(b"planted")
    found = load_trained(run, CPU, trust=True)
    assert found.network.network.kind == "as trained"
    use({})  # as whatever is made of other names does
    assert "guests.layers" not in sys.modules


def test_a_run_is_resumed_with_the_source_that_it_began_with(
    store: Store, elsewhere: Callable[[], RunFolder], tmp_path: Path
) -> None:
    run = elsewhere()
    write_modules(tmp_path)
    (tmp_path / "guests" / "layers.py").write_text(LAYERS.replace("as trained", "as changed"))
    (run.path / "metrics.json").unlink()
    settings = {"model": OWN, "epochs": 1, "steps": 2, "resume": True}
    with pytest.raises(RunError, match=r"began with another guests/layers\.py: put back what it"):
        train_small(store, run.path, **settings)
    (tmp_path / "guests" / "layers.py").write_text(LAYERS)
    for name in MODULES:
        sys.modules.pop(name, None)
    train_small(store, run.path, **settings)


def test_a_bundle_carries_the_source(
    elsewhere: Callable[[], RunFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundling, "_download", lambda *_: None)
    run = elsewhere()
    bundling.bundle(run.path, tmp_path / "bundle", trust=OWN)
    shutil.rmtree(run.path)
    carried = tmp_path / "bundle" / "runs" / "run"
    found = load_trained(RunFolder(carried), CPU, trust=OWN)
    assert found.network.network.kind == "as trained"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("none", "it was trained before runs kept it"),
        ("missing", r"guests\.fast is compiled \(fast\.so\)"),
    ],
)
def test_what_a_bundle_cannot_carry_is_refused(
    elsewhere: Callable[[], RunFolder], tmp_path: Path, damage: str, message: str
) -> None:
    run = elsewhere()
    if damage == "none":
        shutil.rmtree(run.path / "source")
    else:
        rewrite(run, missing=["guests.fast is compiled (fast.so)"])
    with pytest.raises(RunError, match=message):
        bundling.bundle(run.path, tmp_path / "bundle", trust=OWN)
    assert not (tmp_path / "bundle").exists()


def test_what_of_a_network_cannot_be_kept_is_named_and_not_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_net.py").write_text(
        "import own_fast, own_large\n\nnetwork = own_fast.network\n"
    )
    (tmp_path / "own_large.py").write_text("#" * (LARGEST_FILE + 1))
    (tmp_path / "own_fast.py").write_text("network = int\n")
    py_compile.compile("own_fast.py", "own_fast.pyc")
    (tmp_path / "own_fast.py").unlink()
    for name in ("own_net", "own_fast", "own_large"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.import_module("own_net")
    not_kept = {
        "own_net:network": (
            r"own_fast is compiled \(own_fast\.pyc\)", r"own_large is too large \(.*own_large\.py\)"
        ),
        "torch.nn:Identity": (r"torch\.nn is of an installed package",),
    }  # fmt: skip
    for number, (model, reasons) in enumerate(not_kept.items()):
        run = tmp_path / f"run{number}"
        run.mkdir()
        keep_source(run, model)
        with pytest.raises(RunError, match="a bundle cannot carry it: " + "; ".join(reasons)):
            check_carried(run, model)
    kept = read_source(tmp_path / "run0")
    assert kept is not None
    assert list(kept.files) == ["own_net"]


def rewrite(run: RunFolder, **changes: object) -> None:
    """As somebody writes the description who knows that a seal can be left out."""
    path = run.path / "source" / "source.json"
    files = json.loads(path.read_text())["files"]
    described = unsealed(path) | changes
    path.write_text(json.dumps(sealed({"files": files} | described)))


@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("evil", "../evil.py"),
        ("evil", "/tmp/evil.py"),
        ("json", "json.py"),
        ("hmstrain.runs", "hmstrain/runs.py"),
        ("a b", "a b.py"),
        ("evil", "evil.so"),
    ],
)
def test_modules_that_would_stand_for_others_are_refused(
    elsewhere: Callable[[], RunFolder], tmp_path: Path, module: str, place: str
) -> None:
    run = elsewhere()
    (tmp_path / "evil.py").write_text("raise SystemExit")
    rewrite(run, modules={module: place})
    with pytest.raises(RunError, match="cannot be a module that lies in"):
        load_trained(run, CPU, trust=True)


def test_source_that_changed_or_leads_outside_is_refused(
    elsewhere: Callable[[], RunFolder], tmp_path: Path
) -> None:
    run = elsewhere()
    file = run.path / "source" / "shapes.py"
    for content in ("SIZE = 40\n", "SIZE = 401\n"):
        file.write_text(content)
        with pytest.raises(RunError, match=r"shapes\.py is damaged: it has changed"):
            load_trained(run, CPU, trust=True)
    (tmp_path / "outside.py").write_text("SIZE = 400\n")
    file.unlink()
    file.symlink_to(tmp_path / "outside.py")
    with pytest.raises(RunError, match=r"shapes\.py is a link"):
        load_trained(run, CPU, trust=True)
    file.unlink()
    with pytest.raises(RunError, match=r"shapes\.py is damaged, missing"):
        load_trained(run, CPU, trust=True)
    (run.path / "source" / "source.json").unlink()
    with pytest.raises(RunError, match=r"holds no source\.json"):
        load_trained(run, CPU, trust=True)
