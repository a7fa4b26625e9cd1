"""Runs, stores and recordings, told apart by what they hold -> the page that shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from hmsstore.manifest import MANIFEST_NAME
from hmsstore.recordings import RECORDINGS_NAME, import_words
from hmstrain.errors import ConfigError, DataError, RunError
from hmstrain.events import silent
from hmstrain.models.trust import Trust

if TYPE_CHECKING:
    from concurrent.futures import Future

    from hmsstore import Store
    from hmstrain.reading.coming import ComingRecording, Readable
    from hmstrain.reading.recording import Recording

SCREEN = "screen.json"
"""Of the cache folder: what a ruler showed for the screen."""
CONFIG = "config.json"
"""Of a run, as `hmstrain.runs.folder` has it: importing that takes as long as all the page."""
TABLES = ("train.csv", "test.csv")
"""Of a data set in Kaggle's layout."""
NEEDED = ("bokeh", "tornado")


@dataclass
class Kinds:
    """What was named."""

    runs: list[Path] = field(default_factory=list)
    stores: list[Path] = field(default_factory=list)
    data: list[Path] = field(default_factory=list)
    """Data sets in Kaggle's layout."""
    recordings: list[Path] = field(default_factory=list)


def told_apart(paths: list[Path]) -> Kinds:
    """Tell runs, stores, data sets and recordings apart by what they hold, in any order.

    Raises
    ------
    DataError
        Something is none of them, or there are several things to look at.
    """
    from hmstrain.scoring.blending import FILE as BLEND

    found = Kinds()
    for path in paths:
        if (path / CONFIG).is_file() or (path / BLEND).is_file():
            found.runs.append(path)
        elif (path / MANIFEST_NAME).is_file():
            found.stores.append(path)
        elif path.suffix == ".zip" and path.is_file():
            found.data.append(path)
        elif (path / RECORDINGS_NAME).is_file() or path.is_file():
            found.recordings.append(path)
        elif any((path / table).is_file() for table in TABLES):
            found.data.append(path)
        elif not path.exists():
            raise DataError(f"Expected a store, a run or a recording at {path}, got nothing.")
        else:
            raise DataError(
                f"{path} is not a run, a store, a recording or what `hmsprep import` made of one: "
                "expected one of these. Build a store of a data set with `hmsprep build`, import "
                "recordings with `hmsprep import`."
            )
    given = [*found.stores, *found.data, *found.recordings]
    if len(given) > 1:
        raise DataError(
            f"Expected one store, data set or recording to look at, got {len(given)}: "
            f"{', '.join(map(str, given))}."
        )
    return found


def view(
    *paths: Path | str,
    store: Path | str | None = None,
    port: int = 0,
    trust: Trust = False,
    recording: str | None = None,
    alias: str | None = None,
    labels: Path | str = "labels",
    cache: Path | str | None = None,
    importing: Mapping[str, Any] | None = None,
    started: Callable[[str, Store | Readable], object] = silent,
) -> None:
    """Serve a page to look at what is named, on 127.0.0.1 only, until Ctrl-C.

    Windows of a store are browsed, with the answers of a run if one is named, with a run also those
    of a data set in Kaggle's layout, which is built into a store for the time being; a recording is
    read and marked page by page, below its trends.

    Parameters
    ----------
    *paths : path
        A store; a recording of any format that `hmsprep import` reads, or the folder of an import;
        runs; in any order. A run alone stands for its own store.
    store : path, optional
        Store to browse a run's answers on; the same as to name it among `paths`.
    port : int
        0: any that is free.
    trust : bool, str or sequence of str
        As of `hmstrain.predict`.
    recording : str, optional
        Which recording of an import of several.
    alias : str, optional
        What stands for the file's name on the page and in names of label files, where that names a
        patient.
    labels : path
        Folder for label files; made with the first mark.
    cache : path, optional
        Folder where imports of recorders' files are kept; by default the user's.
    importing : mapping, optional
        How a recorder's file is to be read: options of `hmsprep import`.
    started : callable, optional
        Called once the page can be opened, with its address and the store or the recording.

    Raises
    ------
    StoreError
        The store cannot be opened.
    DataError
        Something named is nothing that can be shown, or does not fit the rest.
    RunError
        The port is taken, or a package is not installed.

    Examples
    --------
    >>> import webbrowser
    >>> hmstrain.view(
    ...     "runs/first", "night.edf", started=lambda address, _: webbrowser.open(address)
    ... )  # doctest: +SKIP
    """
    named = [Path(path) for path in paths] + ([] if store is None else [Path(store)])
    if not named:
        raise ConfigError("Name a store, a run or a recording to look at.")
    kinds = told_apart(named)
    try:
        if kinds.recordings:
            _check_marks(alias, Path(labels))
            read = {"name": recording, "importing": importing}
            _view_recording(kinds, port, trust, alias, Path(labels), cache, read, started)
        else:
            _refuse_words_of_recordings(recording, alias, importing)
            _view_windows(kinds, port, trust, Path(labels), started)
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        raise RunError(f"{error.name} is not installed. Run: pip install 'hms-eeg[view]'") from None


def _check_marks(name: str | None, labels: Path) -> None:
    """Refuse at once where no mark could be kept; the name is None before it is known."""
    from hmsstore.labels.owner import check_name

    if name is not None:
        check_name(name)
    if labels.exists() and not labels.is_dir():
        raise ConfigError(f"--labels {labels}: expected a folder for marks, got a file.")


def _refuse_words_of_recordings(
    recording: str | None, alias: str | None, importing: Mapping[str, Any] | None
) -> None:
    words = [f"--{name}" for name, value in (("recording", recording), ("alias", alias)) if value]
    if words := [*words, *import_words(importing or {})]:
        raise ConfigError(f"{words[0]} is for recordings, and none is named: leave it out.")


def _view_windows(
    kinds: Kinds,
    port: int,
    trust: Trust,
    labels: Path,
    started: Callable[[str, Store | Readable], object],
) -> None:
    if len(kinds.runs) > 1:
        raise ConfigError(
            f"Expected one run to browse windows with, got {len(kinds.runs)}: "
            f"{', '.join(map(str, kinds.runs))}."
        )
    from hmstrain.reporting.browse.view import view_windows
    from hmstrain.scoring.blending import FILE as BLEND

    for run in kinds.runs:
        if (run / BLEND).is_file():
            raise ConfigError(
                f"{run} is a blend of runs, which answers for recordings: name one of its runs to "
                "browse windows with."
            )
    if kinds.data:
        if not kinds.runs:
            raise DataError(
                f"{kinds.data[0]} is a data set: name a run, too, to look at its answers, or build "
                f"a store to look at: hmsprep build {quote(str(kinds.data[0]))} STORE"
            )
        from hmstrain.prediction.given import given_runs
        from hmstrain.prediction.predict import cleaning_of, needs_reference, of_features
        from hmstrain.prediction.source import open_or_build

        runs = given_runs(kinds.runs).runs
        with open_or_build(
            kinds.data[0], cleaning_of(runs), features=of_features(runs),
            needs_reference=needs_reference(runs),
        ) as built:  # fmt: skip
            view_windows(
                kinds.runs[0], store=built.store.path, port=port, trust=trust, labels=labels,
                started=started,
            )  # fmt: skip
        return
    path = kinds.runs[0] if kinds.runs else kinds.stores[0]
    beside = kinds.stores[0] if kinds.runs and kinds.stores else None
    view_windows(path, store=beside, port=port, trust=trust, labels=labels, started=started)


def _view_recording(
    kinds: Kinds,
    port: int,
    trust: Trust,
    alias: str | None,
    labels: Path,
    cache: Path | str | None,
    read: Mapping[str, Any],
    started: Callable[[str, Store | Readable], object],
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from hmstrain.reading.cache import default_cache, open_at_once

    home = default_cache() if cache is None else Path(cache)
    with ThreadPoolExecutor(1) as opening:  # a day of EEG takes a while to tell from all others
        coming = opening.submit(open_at_once, kinds.recordings[0], home, **read)
        try:
            from hmstrain.reading.page.answers import Answers
            from hmstrain.reading.page.app import Reader
            from hmstrain.reading.page.opened import Opened
            from hmstrain.reading.page.overview import Following
            from hmstrain.reporting.served import address, run_until_stopped, serve_pages

            opened = coming.result()
            _check_marks(alias or opened.name, labels)
        except BaseException:
            coming.add_done_callback(_stop)
            raise
    answers = Answers(kinds.runs, opened, trust_words(trust)) if kinds.runs else None
    shown = Opened(
        opened, home / SCREEN, alias=alias, following=Following(opened), answers=answers,
        labels=labels,
    )  # fmt: skip
    try:
        server = serve_pages(lambda: Reader(shown), port)
        run_until_stopped(server, lambda: started(address(server), opened))
    finally:
        if shown.coming is not None:
            shown.coming.stop()
        if answers is not None:
            answers.stop()


def _stop(coming: Future[Recording | ComingRecording]) -> None:
    """Stop an import that nobody waits for any more."""
    from hmstrain.reading.coming import ComingRecording

    if coming.exception() is None and isinstance(found := coming.result(), ComingRecording):
        found.stop()


def trust_words(trust: Trust) -> list[str]:
    """Options of `hmstrain predict` that trust the same."""
    if trust is True:
        return ["--trust"]
    names = [trust] if isinstance(trust, str) else list(trust or ())
    return [word for name in names for word in ("--model", name)]
