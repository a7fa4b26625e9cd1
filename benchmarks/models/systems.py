"""Every system on equal terms: one store, the same windows seen, the same test of other patients.

Trains each system through `hmstrain run`, as a user would, until it has seen as many windows as all
others; then the five that validation likes best with two further seeds. All are compared with the
naive CNN on the test windows, paired. A row whose network or images are smaller than its authors'
is marked and not ranked: it shows that the system learns, and no more. Models of hand features see
each training window once. Recipes are several networks, which see what their settings say; only
`laptop` runs as it stands, the others with small networks and images.

`models.real_segments --runs WORK/systems` tests the same networks on real segments.

Rerun the same command to resume. `--paces` times the training of all networks, one behind the
other, in short runs of their own: for a machine that does nothing else then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from benchmarks.tools.record import command_line, write_record
from benchmarks.tools.simulated import command, pace, simulated_store, train
from hmsstore import Store
from hmstrain.models import find_model
from hmstrain.models.network import count_parameters, make_network
from hmstrain.models.tabular.base import restored
from hmstrain.runs.checkpoint import WEIGHTS
from hmstrain.runs.folder import RunFolder
from hmstrain.runs.predictions import TESTED
from hmstrain.scoring.answers.matching import matched_answers
from hmstrain.scoring.comparison.compare import compare_matched
from hmstrain.scoring.comparison.results import Comparison
from hmstrain.studies.answer import ANSWER
from hmstrain.studies.recipe_file import find_recipe

BATCH = 16
COMMON = (
    f"--batch-size {BATCH} --set validate_every=125 --set norm_windows=256 --set swap=0.5 "
    "--set shift_s=3 --set ema=0.95 --set context_dropout=0.25"
)
"""The context is left out of a quarter, so that segments of ten seconds can be scored too."""
BEST = 5
"""Systems that are trained with further seeds."""
SEEDS = (0, 1, 2)
REFERENCE = "naive_cnn-spec"
PACED_STEPS = 20
SHOWN = {"kl_votes": 3, "kl_hi": 3, "balanced_accuracy": 3}


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table."""

    name: str
    options: str
    """Of `hmstrain run`, beside those that all have in common."""
    toy: bool = False
    """Whether its network or images are smaller than its authors'; then it is not ranked."""
    table: bool = False
    """Whether it is fitted to hand features, without steps."""
    recipe: str = ""
    """The recipe that it is, if it is one: `options` are of `hmstrain recipe`."""

    @property
    def rank(self) -> str:
        """What stands where systems that are not ranked would have their rank; empty if ranked."""
        return "toy" if self.toy else "recipe" if self.recipe else ""

    def train(self, store: Store, out: Path, common: str, seed: int = 0) -> None:
        """Train or resume it in a folder."""
        if self.recipe:
            words = (self.recipe, store.path, *self.options.split(), "--seed", seed, "--out", out)
            command("hmstrain", "recipe", *words)
        else:
            train(store.path, out, self.options if self.table else f"{self.options} {common}", seed)

    def answer(self, out: Path) -> Path:
        """The file of its answers to the test windows, once it is trained."""
        if (out / ANSWER).is_file():
            return out / ANSWER
        return self.parts(out)[0] / TESTED

    def parts(self, out: Path) -> list[Path]:
        """The runs that it consists of."""
        return [out / name for name in find_recipe(self.recipe).members] if self.recipe else [out]


def raw(model: str, *, seconds: int = 16) -> System:
    """A 1-D encoder as its authors made it, on the seconds around those that were judged."""
    return System(model, f"--model {model} --inputs eeg --set eeg_seconds={seconds}")


def image(model: str, inputs: str, more: str = "", *, size: int = 128) -> System:
    """An image network on images that are smaller than its authors'."""
    options = f"--model {model} --inputs {inputs} --image-size {size} --set standardise=window"
    return System(f"{model}-{inputs}", f"{options} {more}".strip(), toy=True)


def features(kind: str) -> System:
    """A model of hand features."""
    return System(f"features-{kind}", f"--model features --set model.kind={kind}", table=True)


def recipe(name: str, *words: str) -> System:
    """A recipe with small networks and images, and a few epochs."""
    small = "--set pretrained=false --image-size 128 --epochs 4 --fold 0"
    options = " ".join((small, *(f"--set {word}" for word in words)))
    return System(f"recipe {name}", options, toy=True, recipe=name)


SYSTEMS: tuple[System, ...] = (
    System(REFERENCE, "--model naive_cnn --inputs spec --set standardise=window"),
    System("naive_cnn-spec+eeg", "--model naive_cnn --inputs spec+eeg --set standardise=window"),
    image("efficientnet_b0", "spec+eeg"),
    image("efficientnet_v2_s", "spec+eeg", size=64),
    image("convnext_tiny", "spec+eeg", size=64),
    image("efficientnet_b0", "side-by-side"),
    image("resnet10t", "eeg", "--set eeg_seconds=16"),
    image("resnet10t", "mel16", size=192),
    image("resnet10t", "mel16-zoom", "--set planes=difference", size=192),
    image("resnet10t", "stft-50-10", size=192),
    image("resnet10t", "stft-50-30-10", size=192),
    image("resnet10t", "raw-image", size=192),
    image("resnet10t", "spec+raw", "--set eeg_model=wavenet --set eeg_seconds=16"),
    raw("wavenet"),
    raw("resnet1d"),
    raw("resnet1d_gru"),
    raw("squeezeformer"),
    raw("efficientnet1d"),
    raw("symmetric1d"),
    raw("sparcnet", seconds=10),
    raw("eegnet"),
    raw("deep4"),
    raw("shallow_fbcsp"),
    raw("conformer"),
    raw("graph"),
    features("linear"),
    features("boosted"),
    recipe("starter", "model=resnet10t"),
    recipe("mel16-zoom", "model=resnet10t", "min_votes=1"),
    recipe("stft-raw", "model=resnet10t"),
    recipe("sparcnet"),
    recipe("medal", "model=resnet10t", "mel.min_votes=1"),
    System("recipe laptop", "--fold 0", recipe="laptop"),
)


def run_all(store: Store, work: Path, systems: Sequence[System], options: str) -> dict[str, Path]:
    """Train systems that are not trained yet; where each one's first seed lies."""
    runs = {}
    for system in systems:
        runs[system.name] = folder_of(system, work)
        system.train(store, runs[system.name], options)
    return runs


def folder_of(system: System, work: Path, seed: int = 0) -> Path:
    """Where a system is trained; recipes lie beside the runs, not among them."""
    if system.recipe:
        return work.with_name("recipes") / f"{system.recipe}-seed{seed}"
    return work / f"{system.name}-seed{seed}"


def best_of(runs: Mapping[str, Path], systems: Mapping[str, System]) -> list[str]:
    """Names of the networks with the lowest `kl_votes` on the fold that was held out."""
    found = {}
    for name, run in runs.items():
        if systems[name].recipe or systems[name].table:
            continue  # a recipe is several networks; another seed of features changes nothing
        value = RunFolder(run).outcome().valid_kl_votes
        assert value is not None
        found[name] = value
    return sorted(found, key=lambda name: found[name])[:BEST]


def parameters(run: Path) -> int:
    """Trained values of a run's network, or of a model of features."""
    config = RunFolder(run).config()
    if find_model(config.model).table:
        state = load_file(run / "best" / WEIGHTS)
        return restored(config.model_args["kind"], state, run).parameters_fitted
    return count_parameters(make_network(config, start=False))


def windows_seen(run: Path) -> int:
    """Windows that training took, over all its networks' steps; 0 for a model of features."""
    config = RunFolder(run).config()
    if find_model(config.model).table:
        return 0
    steps = sum(network.outcome().steps or 0 for network in RunFolder(run).networks())
    return steps * config.batch_size * config.accumulate


def paces_of(systems: Sequence[System], store: Store, work: Path, options: str) -> dict[str, float]:
    """Windows per second of each network's training, in short runs one behind the other."""
    found = {}
    short = f"{options} --steps {PACED_STEPS} --set validate_every=1000"
    for system in systems:
        if not (system.table or system.recipe):
            run = work / f"{system.name}-pace"
            system.train(store, run, short)
            found[system.name] = pace(run)[0]
    return found


def table(
    found: Comparison,
    runs: Mapping[str, Path],
    systems: Mapping[str, System],
    paces: Mapping[str, float],
) -> list[dict[str, Any]]:
    """One row for each system, the lowest `kl_votes` first; ranks are of those that have one."""
    by_path = {Path(one.path).resolve(): one for one in found.models.values()}
    models = {name: by_path[systems[name].answer(run).resolve()] for name, run in runs.items()}
    rank, rows = 0, []
    for name in sorted(models, key=lambda name: models[name].scores.get("kl_votes") or np.inf):
        model, system = models[name], systems[name]
        if not system.rank:
            rank += 1
        row: dict[str, Any] = {
            "system": name,
            "rank": system.rank or rank,
            "seeds": model.seeds,
        }
        for key, digits in SHOWN.items():
            low, high = model.scores.intervals[key] or (np.nan, np.nan)
            value = model.scores[key]
            row[key] = f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
        less = found.differences.get(model.name, {}).get("kl_votes")
        row[f"kl_votes less {REFERENCE}"] = ""
        if less is not None and less.interval is not None:
            low, high = less.interval
            row[f"kl_votes less {REFERENCE}"] = f"{less.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        parts = system.parts(runs[name])
        row["parameters"] = f"{sum(parameters(part) for part in parts):,}"
        row["windows seen"] = f"{sum(windows_seen(part) for part in parts):,}"
        row["windows/s"] = f"{paces[name]:.1f}" if name in paces else ""
        rows.append(row)
    return rows


def main() -> None:
    """Make the data unless they are there, train, compare, write the record."""
    parser = command_line(__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and runs; kept")
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=500, help=f"steps of {BATCH} windows")
    parser.add_argument(
        "--systems", nargs="*", choices=[one.name for one in SYSTEMS], metavar="SYSTEM",
        help="only these, and the reference",
    )  # fmt: skip
    parser.add_argument("--paces", action="store_true", help="time the training of each network")
    parser.add_argument("--options", default="", help="further options of all runs")
    arguments = parser.parse_args()
    work: Path = arguments.work
    store = simulated_store(work, arguments.windows, "--nan", "mean")
    chosen = [
        one
        for one in SYSTEMS
        if arguments.systems is None or one.name in (REFERENCE, *arguments.systems)
    ]
    options = f"{COMMON} --epochs 1000 --steps {arguments.steps} {arguments.options}".strip()
    if any(one.table or one.recipe for one in chosen):
        command("hmsprep", "features", store.path)
    runs = run_all(store, work / "systems", chosen, options)
    by_name = {one.name: one for one in chosen}
    answers = [by_name[name].answer(run) for name, run in runs.items()]
    for name in best_of(runs, by_name):
        for seed in SEEDS[1:]:
            folder = folder_of(by_name[name], work / "systems", seed)
            by_name[name].train(store, folder, options, seed)
            answers.append(by_name[name].answer(folder))
    paces = paces_of(chosen, store, work / "paces", options) if arguments.paces else {}
    matched = matched_answers(answers, truth=store, rows="typical")
    found = compare_matched(matched, rows="typical", group_seeds=True)
    rows = table(found, runs, by_name, paces)
    constant = RunFolder(runs[REFERENCE]).outcome().constant
    assert constant is not None
    level = constant["kl_votes"]
    note = (
        f"{len(store):,} simulated windows of identity {store.identity[:16]}, "
        f"{len(store.select('test')):,} of them tested, patients apart. Each network saw "
        f"{arguments.steps * BATCH:,} windows; a constant prediction has kl_votes "
        f"{level:.3f}. Systems with three seeds are the {BEST} best by validation. "
        "'toy': network or images smaller than its authors', not ranked; 'recipe': several "
        "networks, not ranked either; `recipe report` consists of rows of this table. Windows/s is "
        "of training, "
        f"in runs of {PACED_STEPS} steps one behind the other. Networks ran with `hmstrain run "
        f"{options}`, and " + "; ".join(f"{one.name}: `{one.options}`" for one in chosen) + "."
    )
    write_record("systems", rows, note, arguments)


if __name__ == "__main__":
    main()
