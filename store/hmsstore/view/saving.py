"""Figures -> picture files and PDFs, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hmsstore.atomic import refusal, whole_file
from hmsstore.errors import ViewError
from hmsstore.manifest import MANIFEST_NAME

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PICTURES = "png", "pdf", "svg", "jpg", "jpeg", "webp"
"""Formats of pictures."""


def save(figure: Figure, path: Path, *, dpi: float | None = None) -> None:
    """Write a figure; the path's suffix names the format.

    Parameters
    ----------
    dpi : float, optional
        Pixels per inch; else the figure's own.

    Raises
    ------
    ViewError
        It cannot be written there, or the name is not that of a picture.
    """
    form = check_suffix(path, PICTURES)
    with new_file(path) as partial:
        figure.savefig(partial, format=form, dpi="figure" if dpi is None else dpi)


def save_pages(figures: Iterable[Figure], path: Path) -> None:
    """Write figures as the pages of one PDF.

    Raises
    ------
    ViewError
        It cannot be written there.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    with new_file(path) as partial, PdfPages(partial) as pages:
        for figure in figures:
            pages.savefig(figure)


def check_suffix(path: Path, known: Sequence[str]) -> str:
    """Refuse a name that does not end in one of these formats, so that no other file is replaced.

    Raises
    ------
    ViewError
        It ends in something else.
    """
    form = path.suffix.removeprefix(".").lower()
    if form not in known:
        ends = ", ".join(f".{one}" for one in known)
        raise ViewError(f"{path} cannot be written: expected a name that ends in {ends}.")
    return form


def check_folder(path: Path) -> None:
    """Refuse a default place that cannot be written to, before anything is computed.

    Raises
    ------
    ViewError
        Nothing can be written into its folder, such as that of a run on a read-only mount.
    """
    if reason := refusal(path.parent):
        raise ViewError(f"{path} cannot be written: {reason}. Name another place with --out.")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Write a picture or page whole or not at all: the block writes under the name that it gets.

    Raises
    ------
    ViewError
        It cannot be written there: the folder does not exist, the name is taken by something other
        than a file, or it lies in a sealed store.
    """
    if path.exists() and not path.is_file():
        raise ViewError(f"{path} cannot be written: it is not a regular file.")
    if any((folder / MANIFEST_NAME).is_file() for folder in path.resolve().parents):
        raise ViewError(f"{path} cannot be written: it lies in a sealed store.")
    try:
        with whole_file(path) as partial:
            yield partial
    except OSError as error:
        raise ViewError(f"{path} cannot be written: {error.strerror}.") from None
