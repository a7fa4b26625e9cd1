"""What the packages promise each other and their users, apart from behaviour."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hmsstore
from hmsstore.schema import GAP_COLUMNS, MONTAGE_COLUMNS, RECORDING_COLUMNS, SIGNALS, WINDOW_COLUMNS

ROOT = Path(__file__).parents[1]
ALLOWED = {
    # hmsstore reads with NumPy alone; matplotlib only where a figure is drawn.
    "store/hmsstore": {"numpy", "hmsstore"},
    "hmsprep": {
        "hmsprep",
        "hmsstore",
        "numpy",
        "polars",
        "pyarrow",
        "scipy",
        "threadpoolctl",
        "sklearn",
        "zarr",
        "numcodecs",
        "rich",
        "typer",
    },
    "hmstrain": {
        "hmstrain",
        "hmsstore",
        "numpy",
        "torch",
        "timm",
        "safetensors",
        "matplotlib",
        "rich",
        "typer",
    },
}


ALSO = {
    "store/hmsstore/plain/screen.py": {"rich"},
    "store/hmsstore/view/": {"matplotlib"},
    "store/hmsstore/mne_raw.py": {"mne"},
    "hmsprep/sealed/drawing.py": {"matplotlib"},
    "hmsprep/sealed/transport/": {"obstore"},
    "hmstrain/models/hub.py": {"huggingface_hub"},
    "hmstrain/training/tabular.py": {"sklearn"},
    "hmsprep/inspection/figures.py": {"matplotlib"},
    "hmsprep/inspection/channels.py": {"matplotlib"},
    "hmsprep/likeness/figures.py": {"matplotlib"},
    "hmsprep/likeness/two_samples.py": {"threadpoolctl"},
    "hmsprep/spectrograms/figure.py": {"matplotlib"},
    "hmsprep/importing/formats/through_mne.py": {"mne"},
    "hmsprep/qeeg/wavelets.py": {"pywt"},
    "hmsprep/building/checksums.py": {"isal"},
    "hmsprep/cli/cluster.py": {"distributed"},
    "hmstrain/models/braindecode.py": {"braindecode", "mne"},
    "hmstrain/reporting/attribution.py": {"captum"},
    "hmstrain/reporting/browse/": {"bokeh", "tornado"},
    "hmstrain/reporting/served.py": {"bokeh", "tornado"},
    "hmstrain/reporting/dark.py": {"bokeh"},
    "hmstrain/reading/page/": {"bokeh"},
    "hmstrain/prediction/leaving.py": {"edfio"},
    "hmstrain/reading/events/export.py": {"edfio"},
    "hmstrain/prediction/seizures/measures.py": {"timescoring"},
    "hmstrain/scoring/answers/tables.py": {"pyarrow"},
    "hmstrain/reading/pieces.py": {"pyarrow"},
    "hmstrain/prediction/bundle.py": {"packaging"},
}
"""What some files import besides: pictures, and extras."""


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_they_may(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        name = str(file.relative_to(ROOT))
        may = ALLOWED[package].union(*(m for part, m in ALSO.items() if name.startswith(part)))
        assert imported(file) - sys.stdlib_module_names - may == set(), file


def test_opening_and_reading_a_store_loads_numpy_and_nothing_else(store: hmsstore.Store) -> None:
    script = """
import importlib.util, sys
before = set(sys.modules)
import hmsstore, hmsstore.view
opened = hmsstore.Store.open(sys.argv[1])
opened.denormalise(opened.gather([0]))
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded - set(sys.stdlib_module_names)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, store.path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['hmsstore', 'numpy']"


@pytest.mark.parametrize("words", [["hmsprep", "info", "."], ["hmstrain", "test", "."]])
def test_ctrl_c_while_a_library_runs_code_given_as_text_exits_with_130(
    tmp_path: Path, words: list[str]
) -> None:
    """CPython remembers that one, though it was caught, and would end as killed by it."""
    code = "import signal; signal.raise_signal(signal.SIGINT)"
    (tmp_path / "numpy.py").write_text(f"exec({code!r})\n")
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert done.returncode == 130


def test_the_public_names_of_the_format_package_are_these() -> None:
    loading = {"TYPE_CHECKING", "Any", "annotations", "import_module"}
    public = {
        name
        for name in dir(hmsstore)
        if not name.startswith("_") and not isinstance(getattr(hmsstore, name), type(sys))
    } - loading
    assert public == set(hmsstore.__all__)


def table_rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first Markdown table after a heading, without its two head rows."""
    after = text.split(heading, 1)[1]
    lines = [line for line in after.split("\n#", 1)[0].splitlines() if line.startswith("|")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_format_md_lists_the_columns_that_the_code_has() -> None:
    text = (ROOT / "store" / "FORMAT.md").read_text()
    names = {
        "<i8": "int64",
        "<i4": "int32",
        "<i2": "int16",
        "|i1": "int8",
        "<f8": "float64",
        "<f4": "float32",
    }
    for heading, columns in (
        ("## Table of windows", WINDOW_COLUMNS),
        ("## Tables of recordings", RECORDING_COLUMNS),
        ("## Montages", MONTAGE_COLUMNS),
        ("## Tables of gaps", GAP_COLUMNS),
    ):
        rows = table_rows(text, heading)
        assert [row[0] for row in rows] == [column.name for column in columns]
        assert [row[1] for row in rows] == [names[column.dtype] for column in columns]


def test_format_md_states_the_arrays_that_the_code_has() -> None:
    rows = table_rows((ROOT / "store" / "FORMAT.md").read_text(), "## Arrays")
    for row, signal in zip(rows, SIGNALS.values(), strict=True):
        assert row[0] == f"/{signal.name}"
        assert row[1] == f"({', '.join(signal.dims)})"
        numbers = [int(n.replace(",", "")) for n in re.findall(r"[\d,]+\d", " ".join(row[2:4]))]
        width = len(signal.features)
        assert numbers == [signal.window_rows, width, signal.shard_rows, width]


def test_text_of_files_leaves_by_one_door() -> None:
    """Terminals through `Screen`, tables through `write_rows` or `cell`: see `hmsstore.plain`."""
    for path in (file for top in ALLOWED for file in sorted((ROOT / top).rglob("*.py"))):
        text, name = path.read_text(), path.relative_to(ROOT).as_posix()
        if name != "store/hmsstore/plain/screen.py":
            assert not re.search(r"(?<!\w)Console\(|rich\.print|from rich import print", text), name
        if name != "store/hmsstore/plain/text.py":
            assert not re.search(r"csv\.(writer|DictWriter)\(", text), name
        if name != "hmsprep/kaggle/write.py":
            assert not re.search(r"\.(write_csv|to_csv)\(path", text), name
        for bar in re.findall(r"TextColumn\([^()]*\)", text):
            assert "{" not in bar or "markup=False" in bar, name


def test_timm_is_imported_for_its_own_networks_alone() -> None:
    """It takes longer to import than a small model takes to predict a recording."""
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in sorted((ROOT / "hmstrain").rglob("*.py"))
        if file.stem not in ("__main__", "timm_backbone")
    ]
    code = "import sys\nfor name in sys.argv[1:]: __import__(name)\nprint(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], capture_output=True, text=True, check=True
    )
    assert "hmstrain.prediction.predict" in done.stdout
    assert "timm" not in ast.literal_eval(done.stdout.splitlines()[-1])


def test_stores_and_networks_clip_the_eeg_at_the_same_value() -> None:
    """Neither package may import the other, so nothing else holds the two together."""
    from hmsprep.planning.choices import EEG_CLIP_UV
    from hmsprep.planning.parameters import Parameters
    from hmstrain.data.eeg import CLIP_UV

    assert Parameters().eeg_clip == EEG_CLIP_UV == CLIP_UV


def test_settings_and_options_that_repeat_the_formats_numbers_repeat_them_rightly() -> None:
    """Command lines show these without importing NumPy, which the format's package needs."""
    import typer.main

    import hmsprep.cli
    import hmstrain.cli
    from hmsprep.spectrograms.multitaper import STEP_SAMPLES
    from hmsstore.schema import EEG, JUDGED_S, SPECTROGRAM
    from hmstrain.config import Config
    from hmstrain.errors import ConfigError

    rows = SPECTROGRAM.window_rows
    assert Config().spectrogram_rows == (0, rows)
    assert Config().eeg_seconds == EEG.window_s
    with pytest.raises(ConfigError, match=str(rows)):
        Config(spectrogram_rows=(0, rows + 1))
    assert STEP_SAMPLES * SPECTROGRAM.row_rate_hz == EEG.row_rate_hz
    for app, command in ((hmsprep.cli.app, "import"), (hmstrain.cli.app, "predict")):
        parameters = typer.main.get_command(app).commands[command].params
        (stride,) = (one for one in parameters if "--stride" in one.opts)
        assert stride.default == JUDGED_S
