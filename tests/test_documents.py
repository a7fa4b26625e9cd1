"""The documents: commands, Python, links, numbers and the site are what they say."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hmsprep.cli
import hmstrain.cli
from hmsstore import Store

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / name for name in ("benchmarks/README.md", "benchmarks/LOG.md", "store/FORMAT.md")),
    *GUIDES,
]
NOT_NEEDED = {"optuna"}
"""What an example uses besides, and the tests do without."""
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced code of some languages."""
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, flags=re.S)


def commands(text: str) -> Iterator[list[str]]:
    """Commands of hmsprep and hmstrain in the shell blocks of a document, as words."""
    for block in blocks(text, "bash", "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "-m" in words:  # python -m hmsprep, torchrun -m hmstrain
                words = words[words.index("-m") + 1 :]
            words = [word for word in words if word != "$@"]
            if words[:1] in (["hmsprep"], ["hmstrain"]) and len(words) > 1:
                yield words


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_command_in_the_documents_exists_with_its_options(document: Path) -> None:
    import typer.main

    groups: dict[str, Any] = {
        "hmsprep": typer.main.get_command(hmsprep.cli.app),
        "hmstrain": typer.main.get_command(hmstrain.cli.app),
    }
    for program, *words in commands(document.read_text()):
        if not words[0].startswith("-"):
            command = groups[program].commands[words[0]]
            command.make_context(words[0], list(words[1:]), resilient_parsing=False)


def test_the_guides_show_every_command() -> None:
    shown = {tuple(w[:2]) for d in DOCUMENTS for w in commands(d.read_text())}
    for program, app in (("hmsprep", hmsprep.cli.app), ("hmstrain", hmstrain.cli.app)):
        import typer.main

        group: Any = typer.main.get_command(app)
        assert {name for name in group.commands if (program, name) not in shown} == set(), program


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if blocks(d.read_text(), "python")], ids=name
)
def test_python_in_the_documents_compiles_and_imports_what_exists(document: Path) -> None:
    for block in blocks(document.read_text(), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    known = alias.name in NOT_NEEDED or importlib.util.find_spec(alias.name)
                    assert known, alias.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                if importlib.util.find_spec(node.module) is None:
                    pytest.fail(f"{document.name} imports {node.module}, which does not exist")
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module}.{alias.name}"


@pytest.mark.parametrize("document", [*GUIDES, ROOT / "README.md"], ids=name)
def test_python_that_starts_processes_has_a_guard(document: Path) -> None:
    starting = re.compile(r".*hmsprep\.(synth|build|build_share|seal|inspect|features|realism)\(")
    for block in blocks(document.read_text(), "python"):
        for line in filter(starting.match, block.splitlines()):
            assert line.startswith("    "), line
            assert 'if __name__ == "__main__":' in block, line


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "docs/reading.md"], ids=name)
def test_python_about_reading_runs(
    document: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hms.zarr").symlink_to(store.path)
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(document.read_text(), "python"))
    exec(compile(code, str(document), "exec"), {})


@pytest.mark.parametrize("taken", [True, False])
def test_a_store_is_replaced_as_reading_says(tmp_path: Path, taken: bool) -> None:
    text = (ROOT / "docs/reading.md").read_text()
    lines = re.findall(r"^ssh server '(.+)'$", text, flags=re.M)
    for name in ("hms.zarr.new", *(["hms.zarr"] if taken else [])):
        (tmp_path / name / "eeg").mkdir(parents=True)
        (tmp_path / name / "which").write_text(name)
    for line in lines:
        subprocess.run(["sh", "-c", line.replace("/data", str(tmp_path))], check=taken)
    assert [path.name for path in tmp_path.iterdir()] == ["hms.zarr"]
    assert (tmp_path / "hms.zarr" / "which").read_text() == "hms.zarr.new"
    assert sorted(path.name for path in (tmp_path / "hms.zarr").iterdir()) == ["eeg", "which"]


def anchors(text: str) -> set[str]:
    """What headings are called in links: as on the site and on the project's page."""
    without_code = re.sub(r"```.*?```", "", text, flags=re.S)
    titles = re.findall(r"^#+ (.+)$", without_code, flags=re.M)
    plain = [re.sub(r"[^\w\s-]", "", title.lower()) for title in titles]
    return {re.sub(r"\s+", "-", title.strip()) for title in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_within_the_repository_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_the_list_of_models_has_them_all_with_their_parameters() -> None:
    from hmstrain.models import MODELS

    text = (ROOT / "docs/models.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+|-) \|", text, flags=re.M))
    assert listed == {
        name: f"{model.parameters:,}" if model.parameters else "-" for name, model in MODELS.items()
    }


def test_the_list_of_inputs_has_them_all_with_their_sizes() -> None:
    from hmstrain.config import Config
    from hmstrain.data.inputs import INPUTS, make_input

    text = (ROOT / "docs/inputs.md").read_text()
    listed = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (\d+) x (\d+) \|", text, flags=re.M)
    words = {"eeg": "EEG", "spectrogram": "spectrogram", "eeg+spectrogram": "both"}
    expected = {
        name: (words[kind.signal], make_input(name, Config(model="mine:net", inputs=name)).shape)
        for name, kind in INPUTS.items()
    }
    assert {name: (of, (int(h), int(w))) for name, of, h, w in listed} == expected


def test_the_readme_is_short_and_fits_a_phone() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 150
    wide = [line for b in blocks("\n".join(lines), "bash", "python") for line in b.splitlines()]
    assert max(map(len, wide)) <= 48
    assert all(line.count("|") <= 3 for line in lines if line.startswith("|"))


def test_the_readmes_numbers_are_those_of_the_record() -> None:
    record = json.loads((ROOT / "benchmarks" / "results" / "rehearsal.json").read_text())
    found = {row["what"]: row["value"] for row in record["rows"]}
    text = (ROOT / "README.md").read_text()
    table = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", text, flags=re.M))
    assert table[f"build {float(found['source GB']):.1f} GB of cold parquet files"] == (
        f"{float(str(found['build seconds']).split()[0]):.0f} s"
    )
    assert table["peak memory of the build"] == f"{found['build peak own MiB']} MiB"
    assert table["size of the store"] == f"{float(found['store GB']):.1f} GB"
    assert table["open the store"] == f"{float(found['open ms']):.0f} ms"
    assert table["check every byte of it"] == f"{float(found['verify s']):.0f} s"
    assert table["memory added by the training loader"] == f"{found['memory added MiB']} MiB"


def test_the_readme_installs_what_its_commands_need() -> None:
    """Some commands need an extra that others do without."""
    needs = {"build": "prep", "run": "train", "explain": "explain", "view": "view"}
    text = (ROOT / "README.md").read_text()
    first = blocks(text, "bash")[0]
    installed = re.findall(r"\[([a-z,]+)\]", first)[0].split(",")
    used = {words[1] for words in commands(f"```bash\n{first}```")}
    assert {needs[name] for name in used & needs.keys()} <= set(installed)


def test_each_dependency_earns_its_place_in_a_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    wanted = [
        *project["project"]["dependencies"],
        *(one for some in extras.values() for one in some),
        *(one for one in groups["dev"] if isinstance(one, str)),
        *groups["docs"],
    ]
    names = {re.split(r"[^\w-]", one)[0] for one in wanted} - {"hms-eeg"}
    rows = cells((ROOT / "CONTRIBUTING.md").read_text())
    told = {name: row[0] for names, row in rows.items() for name in names.split(", ")}
    assert names - told.keys() == set()
    for extra in extras.keys() - {"all"}:
        for name in (re.split(r"[^\w-]", one)[0] for one in extras[extra]):
            assert told[name] == "all" or extra in re.findall(r"\w+", told[name]), (extra, name)


def test_the_benchmarks_tree_lists_every_module() -> None:
    (tree,) = blocks((ROOT / "benchmarks" / "README.md").read_text(), "text")
    for folder in ("speed", "models", "peers", "tools"):
        named = re.split(r"\n  \w+[./]", tree.split(f"  {folder}/")[1])[0]
        held = {path.stem for path in (ROOT / "benchmarks" / folder).glob("*.py")} - {"__init__"}
        assert held - set(re.findall(r"\w+", named)) == set(), folder


def rows_of(record: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (ROOT / "benchmarks" / "results" / f"{record}.json").read_text()
    )["rows"]
    return found


def cells(text: str) -> dict[str, list[str]]:
    """First cell of each row of a document's tables -> the others."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {first.strip(): [one.strip() for one in rest] for first, *rest in rows}


@pytest.mark.parametrize(
    ("line", "source", "half"),
    [
        ("half it was tuned by (35)", "all", "choose"),
        ("other half (37)", "all", "report"),
        ("all", "all", "both"),
        ("ten seconds, four classes (50)", "grond_10s", "both"),
        ("boundary cases (10)", "irr_10s", "both"),
        ("fifty seconds (12)", "sparcnet_50s", "both"),
    ],
)
def test_what_the_simulator_teaches_is_in_the_records(line: str, source: str, half: str) -> None:
    said = cells((ROOT / "docs/simulator.md").read_text())[line]
    columns = [("transfer-judged", "old"), ("transfer-judged", "new"), ("transfer-latest", "now")]
    for written, (record, simulator) in zip(said, columns, strict=True):
        (row,) = (
            row
            for row in rows_of(record)
            if (row["source"], row["half"], row["simulator"]) == (source, half, simulator)
        )
        kl, _, right = written.partition(", ")
        assert kl == row["kl"].split()[0]
        assert right in ("", f"{float(row['right'].split()[0]):.0f} right")


@pytest.mark.parametrize(
    ("line", "record", "samples"),
    [
        ("34 real, 500 of the first simulator", "realism", "real / first"),
        ("34 real, 500 of the second round", "realism", "real / now"),
        ("34 real, 500 of today's", "realism-latest", "real / latest"),
        ("two real sources, mean", "realism-latest", "sources, mean"),
        ("first simulator for a source, mean", "realism-latest", "first for sources, mean"),
        ("second round for a source, mean", "realism", "now for sources, mean"),
        ("today's for a source, mean", "realism-latest", "latest for sources, mean"),
    ],
)
def test_how_real_the_simulator_looks_is_in_the_records(
    line: str, record: str, samples: str
) -> None:
    said = cells((ROOT / "docs/simulator.md").read_text())[line]
    rows = {row["judge"]: row for row in rows_of(record) if row["samples"] == samples}
    for written, judge in zip(said, ("linear", "trees", "network"), strict=True):
        area, _, span = written.partition(" (")
        assert float(area) == pytest.approx(float(rows[judge]["AUC"]), abs=0.00501)
        assert span.rstrip(")") in ("", rows[judge]["95%"])


def test_what_the_demonstration_model_reaches_is_in_the_record() -> None:
    text = (ROOT / "hmstrain/models/demo/CARD.md").read_text()
    found: dict[tuple[str, str, str], dict[str, Any]] = {
        (row["source"], row["half"], row["model"]): row for row in rows_of("demonstration")
    }
    lines = re.findall(
        r"^\| ([a-z ,]*?) *\| (choose|report) \| (.+?) \| (\d+) of (\d+) \| (.+?) \|$",
        text,
        flags=re.M,
    )
    assert len(lines) == 6
    named = {
        "ten seconds, four classes": "grond_10s",
        "ten seconds, boundary cases": "irr_10s",
        "fifty seconds": "sparcnet_50s",
    }
    source = ""
    for name, half, kl, right, of, constant in lines:
        source = named.get(name, source)
        demo = found[source, half, "demo"]
        assert (kl, int(of)) == (demo["kl"], int(demo["segments"]))
        assert int(right) == round(float(demo["accuracy"]) * int(of))
        assert constant == found[source, half, "constant"]["kl"].split()[0]


def test_a_bare_make_lists_the_targets() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {"demo", "test", "check", "docs", "resolve", "help"} <= listed
    targets = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.M)
    assert listed == set(targets[0].split())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built with warnings as errors."""
    pytest.importorskip("mkdocs", reason="the group 'docs' is not installed")
    out = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(out)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'store'}", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def check() -> Any:
    """The module `docs/generate/check.py`."""
    path = ROOT / "docs" / "generate" / "check.py"
    spec = importlib.util.spec_from_file_location("docs_check", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_a_page_loads_from_another_host_is_found(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<link rel="stylesheet" href="https://a.example/a.css"><a href="https://b.example">b</a>'
        '<script src="//c.example/c.js"></script>'
        '<img src="d.png" srcset="d.png, http://d.example/d 2x">'
        "<style>@import 'https://e.example/e.css'; p { background: url(f.png) }</style>"
    )
    (tmp_path / "style.css").write_text("@font-face { src: url('https://g.example/g.woff2') }")
    found = [line.rpartition(" ")[2] for line in check().loaded_from_outside(tmp_path)]
    assert [re.findall(r"(\w)\.example", address)[0] for address in found] == list("acdeg")


def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    assert check().loaded_from_outside(site) == []


def test_the_site_has_each_command_and_each_public_name(site: Path) -> None:
    import typer.main

    import hmsstore

    for program, app in (("hmsprep", hmsprep.cli.app), ("hmstrain", hmstrain.cli.app)):
        page = (site / "reference" / f"{program}-commands.html").read_text()
        group: Any = typer.main.get_command(app)
        for command in group.commands:
            assert f'id="{program}-{command}"' in page
    for package in (hmsstore, hmsprep, hmstrain):
        page = (site / "reference" / f"{package.__name__}.html").read_text()
        for public in getattr(package, "__all__", ()):
            assert f"{package.__name__}.{public}" in page


def test_search_works_from_files_and_no_page_asks_the_network(site: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: on Debian, apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    asked: list[str] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: asked.append(request.url))
        for path in sorted(site.rglob("*.html")):
            page.goto(path.as_uri())
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{path.name} scrolls sideways on a phone"
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto((site / "index.html").as_uri())
        page.get_by_placeholder("Search").first.fill("bandpass")
        page.get_by_role("link", name=re.compile("hmsprep", re.I)).first.wait_for()
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_registries_and_files_that_extending_names_exist() -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    named = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", text)
    assert len(named) >= 7
    for registry, path in named:
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        module = importlib.import_module(module.__name__.removesuffix(".__init__"))
        assert hasattr(module, registry), f"{registry} in {path}"
    for path in re.findall(r"`((?:hms|tests/)[\w/]+(?:\.py|/))`", text):
        assert (ROOT / path).exists() or "NAME" in path, path


def test_python_about_training_and_sweeps_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks((ROOT / "docs" / "python.md").read_text(), "python"))
    full = "small = dict(image_size=128, fraction=0.2, epochs=2)"
    assert full in code
    code = code.replace(full, "small = dict(image_size=32, batch_size=8, steps=1)")
    exec(compile(code, "python.md", "exec"), {"__name__": "__main__"})
    assert (tmp_path / "sweep" / "1" / "metrics.json").is_file()
