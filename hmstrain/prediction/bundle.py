"""Runs -> one folder from which a machine without internet predicts: weights, wheels, a cell.

::

    runs/NAME/      what predicting takes of a run: configuration, best weights of each network
    blend/          how they make one answer, where a blend was given
    wheels/         hms-eeg, and the packages that the other machine is not said to have
    cell.py         a notebook's cell, which installs and runs them
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hmsstore.atomic import whole_folder
from hmstrain.errors import ConfigError, RunError
from hmstrain.models import BRAINDECODE, find_model
from hmstrain.models.trust import Trust
from hmstrain.prediction.given import Given, calibrating, check_answer, given_runs
from hmstrain.runs import notice
from hmstrain.runs.checkpoint import check_checkpoint
from hmstrain.runs.folder import CONFIG, OUTCOME, RunFolder
from hmstrain.runs.json_file import write_sealed
from hmstrain.runs.predictions import OUT_OF_FOLD, read_arrays
from hmstrain.runs.source import DESCRIPTION, SOURCE, check_carried, read_source
from hmstrain.runs.trained import check_trust
from hmstrain.scoring import blending, calibration

OURS = "hms-eeg"
EXTRAS = ("prep", "train")
PACKAGES = ("hmsprep", "hmstrain", "hmsstore")
KAGGLE = (
    "matplotlib", "numpy", "packaging", "polars", "pyarrow", "rich", "safetensors", "scikit-learn",
    "scipy", "timm", "torch", "torchvision", "typer",
)  # fmt: skip
"""What Kaggle's and Colab's images have; their own dependencies come with them."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
CELL = '''"""Predict the competition's test data without internet: a notebook's cell."""
import glob, os, subprocess, sys

MOUNTS = "/kaggle/input", "/kaggle/input/datasets/*", "/kaggle/input/competitions"

def find(name, variable):
    """Find an input where Kaggle mounts it, or at the path that a variable gives."""
    given = os.environ.get(variable)
    places = [glob.escape(given)] if given else [f"{{mount}}/{{name}}" for mount in MOUNTS]
    found = [one for place in places for one in sorted(glob.glob(place))]
    if not found:
        places = " or ".join(places)
        raise FileNotFoundError(f"There is no {{places}}. Add that input, or set {{variable}}.")
    print(f"{{variable}}={{found[0]}}", flush=True)
    return found[0]

BUNDLE = find({name!r}, "HMS_BUNDLE")
DATA = find("hms-harmful-brain-activity-classification", "HMS_DATA")
pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index"]
wheels = sorted(glob.glob(f"{{glob.escape(BUNDLE)}}/wheels/*.whl"))
subprocess.run([*pip, "--no-deps", *wheels], check=True)
blend = glob.glob(f"{{glob.escape(BUNDLE)}}/blend")
runs = blend or sorted(glob.glob(f"{{glob.escape(BUNDLE)}}/runs/*"))
own = {own}  # networks of your own are imported from the source that the runs keep
command = [sys.executable, "-m", "hmstrain", "submission", *runs, DATA, *own]
subprocess.run(command, check=True)
'''


@dataclass(frozen=True, slots=True)
class Bundled:
    """What a bundle holds."""

    out: Path
    runs: tuple[str, ...]
    wheels: tuple[str, ...]
    nbytes: int


def bundle(
    runs: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    python: str | None = None,
    have: Sequence[str] = KAGGLE,
    trust: Trust = False,
    calibrated: bool = False,
    swap: bool = False,
    reverse: bool = False,
    population: str | None = None,
) -> Bundled:
    """Package runs for offline prediction: weights, wheels and a notebook cell.

    Parameters
    ----------
    runs : path or sequence of paths
        Folders of finished runs.
    out : path
        Folder to make.
    python : str, optional
        Python version of the offline machine, such as '3.11'; by default this one's.
    have : str or sequence of str
        Packages already installed there.
    trust : bool, str or sequence of str
        As of `hmstrain.predict`: the notebook's cell will import these networks
        from the source that the runs keep.
    calibrated : bool
        Let the notebook's cell apply the calibration of the run or the blend.
    swap, reverse : bool
        Let the cell average with mirrored and with time-reversed input.
    population : str, optional
        As of `hmstrain.predict`: what the notebook's cell will ask for.

    Returns
    -------
    Bundled

    Raises
    ------
    RunError
        A run is not finished or keeps no source of its own network, packages cannot be downloaded,
        or the folder is there already.
    ConfigError
        That is not a version of Python.
    ModelError
        A run's network is not to be imported.

    Examples
    --------
    >>> hmstrain.bundle("runs/first", "bundle", python="3.11").wheels  # doctest: +SKIP
    ('hms_eeg-0.3.0-py3-none-any.whl',)
    """
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    out = Path(out)
    parts = python.split(".")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--python {python}: expected a version such as 3.11.")
    if out.exists():
        raise RunError(f"{out} exists: name a folder that does not.")
    if not out.resolve().parent.is_dir():
        raise RunError(f"{out} cannot be made: there is no folder {out.parent}.")
    given = given_runs(runs)
    folders = given.runs
    for folder in folders:
        if not folder.finished:
            raise RunError(f"{folder.path} is not finished: {folder.how_to_resume}.")
    check_trust(folders, trust)
    for folder in folders:
        for network in folder.networks():
            check_carried(network.path, network.config().model)
    check_answer(given, population, calibrated=calibrated)
    named = {model for folder in folders for model in folder.config().encoders.values()}
    own = sorted(name for name in named if find_model(name).whole)
    vouched = [word for model in own for word in ("--model", model)]
    keys = [one.key for one in folders[0].store().classes]
    if calibrating(given, keys, calibrated=calibrated, prior=None) is not None:
        vouched.append("--calibrated")
    vouched += ["--swap"] * swap + ["--reverse"] * reverse
    if population is not None:
        vouched += ["--population", population]
    with whole_folder(out) as unfinished:
        names = [_copy_run(folder, unfinished / "runs") for folder in folders]
        if given.blend is not None and given.folder is not None:
            _copy_blend(given, names, unfinished / "blend")
        wheels = unfinished / "wheels"
        wheels.mkdir()
        write_own_wheel(wheels)
        extras = EXTRAS + ("braindecode",) * any(model.startswith(BRAINDECODE) for model in named)
        _download(missing_packages(have, python, extras), python, wheels)
        (unfinished / "cell.py").write_text(CELL.format(name=out.name, own=vouched))
    files = [path for path in out.rglob("*") if path.is_file()]
    return Bundled(
        out,
        tuple(names),
        tuple(sorted(path.name for path in (out / "wheels").iterdir())),
        sum(path.stat().st_size for path in files),
    )


def _copy_blend(given: Given, names: Sequence[str], target: Path) -> None:
    """Write the blend with its members where the bundle has them, and its calibration."""
    assert given.blend is not None
    assert given.folder is not None
    members = tuple(
        replace(member, paths=tuple(f"../runs/{names[place]}" for place in places))
        for member, places in zip(given.blend.members, given.members, strict=True)
    )
    target.mkdir()
    write_sealed(target / blending.FILE, replace(given.blend, members=members).to_json())
    if (given.folder / calibration.FILE).is_file():
        shutil.copyfile(given.folder / calibration.FILE, target / calibration.FILE)


def _copy_run(folder: RunFolder, runs: Path) -> str:
    """Copy what predicting takes; a second run of the same name gets a number."""
    name = folder.path.resolve().name
    number = 2
    while (runs / name).exists():
        name, number = f"{folder.path.resolve().name}-{number}", number + 1
    networks = [one.path for one in folder.networks()]
    for part in dict.fromkeys([folder.path, *networks]):
        target = runs / name / part.relative_to(folder.path)
        target.mkdir(parents=True, exist_ok=True)
        RunFolder(part).described()  # refuses what is damaged, as the next ones do
        RunFolder(part).outcome()
        if (part / OUT_OF_FOLD).is_file():
            read_arrays(part / OUT_OF_FOLD)
        for file in (CONFIG, OUTCOME, OUT_OF_FOLD, calibration.FILE, notice.FILE):
            if file in (CONFIG, OUTCOME) or (part / file).is_file():
                shutil.copyfile(part / file, target / file)
        if part in networks:
            best = RunFolder(part).best
            whole = check_checkpoint(best)  # a killed replacement left it a name of its own
            (target / best.name).mkdir()
            for one in whole.iterdir():  # rights of a folder that is read-only stay behind
                if not one.name.startswith("training"):
                    shutil.copyfile(one, target / best.name / one.name)
            if (kept := read_source(part)) is not None:
                for one in (part / SOURCE / DESCRIPTION, *kept.files.values()):
                    copy = target / one.relative_to(part)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(one, copy)
    return name


def missing_packages(
    have: Sequence[str], python: str, extras: Sequence[str] = EXTRAS
) -> dict[str, str]:
    """Packages that predicting takes on Linux, less those there: name -> version here."""
    machine = {
        "python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": "x86_64",
    }  # fmt: skip
    known = {canonicalize_name(name) for name in ([have] if isinstance(have, str) else have)}
    found: dict[str, str] = {}
    waiting = [Requirement(f"{OURS}[{','.join(extras)}]")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in known or (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            raise RunError(
                f"{name} is not installed here, so its version is unknown: "
                "pip install 'hms-eeg[prep,train]'"
            ) from None
        if name != OURS:
            found[name] = installed.version
        for text in installed.requires or ():
            needed = Requirement(text)
            wanted = needed.marker is None or any(
                needed.marker.evaluate(machine | {"extra": extra})
                for extra in (*requirement.extras, "")
            )
            if wanted:
                waiting.append(needed)
    return found


def _download(packages: dict[str, str], python: str, wheels: Path) -> None:
    """Download wheels for the other machine's Python and Linux, by pip."""
    if not packages:
        return
    if find_spec("pip") is None:
        raise RunError("pip is not installed. Run: python -m ensurepip")
    platforms = [word for one in PLATFORMS for word in ("--platform", one)]
    wanted = [f"{name}=={version}" for name, version in sorted(packages.items())]
    done = subprocess.run(  # noqa: S603
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary", ":all:", "--python-version", python, *platforms,
            "--dest", str(wheels), *wanted,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = lines[-1] if lines else done.stderr.strip()[-200:]
        raise RunError(f"Wheels cannot be downloaded for Python {python}: {reason}")


def write_own_wheel(folder: Path) -> Path:
    """Pack the installed hms-eeg, from a clone or not, into a wheel (the format of PEP 427)."""
    installed = distribution(OURS)
    stem = f"{OURS.replace('-', '_')}-{installed.version}"
    info = f"{stem}.dist-info"
    path = folder / f"{stem}-py3-none-any.whl"
    records = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in [*_sources(), *_metadata(installed, info)]:
            wheel.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            records.append(f"{name},sha256={digest.decode()},{len(content)}")
        records.append(f"{info}/RECORD,,")
        wheel.writestr(f"{info}/RECORD", "\n".join(records) + "\n")
    return path


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise RunError(f"{package} is not installed, so it cannot be bundled.")
        top = Path(spec.origin).parent
        for file in sorted(top.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{package}/{file.relative_to(top).as_posix()}", file.read_bytes()


def _metadata(installed: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    wheel = f"Wheel-Version: 1.0\nGenerator: {OURS}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    yield f"{info}/WHEEL", wheel.encode()
    for name in ("METADATA", "entry_points.txt"):
        yield f"{info}/{name}", (installed.read_text(name) or "").encode()
