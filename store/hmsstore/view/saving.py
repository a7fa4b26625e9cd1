"""Figures -> picture files and PDFs, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from hmsstore.errors import StoreError
from hmsstore.manifest import MANIFEST_NAME

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PICTURES = "png", "pdf", "svg", "jpg", "jpeg", "webp"
"""Formats of pictures."""


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the path's suffix says in which format.

    Raises
    ------
    StoreError
        It cannot be written there, or is no picture's name.
    """
    form = check_suffix(path, PICTURES)
    write_whole(path, lambda partial: figure.savefig(partial, format=form))


def save_pages(figures: Iterable[Figure], path: Path) -> None:
    """Write figures as the pages of one PDF.

    Raises
    ------
    StoreError
        It cannot be written there.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    def write(partial: Path) -> None:
        with PdfPages(partial) as pages:
            for figure in figures:
                pages.savefig(figure)

    write_whole(path, write)


def check_suffix(path: Path, known: Sequence[str]) -> str:
    """Refuse a name that does not say one of these formats, so that no other file is replaced."""
    form = path.suffix.removeprefix(".").lower()
    if form not in known:
        ends = ", ".join(f".{one}" for one in known)
        raise StoreError(f"{path} cannot be written: expected a name that ends in {ends}.")
    return form


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written under a name that nobody else uses, then give it its own.

    Raises
    ------
    StoreError
        It cannot be written there: there is no such folder, the name is that of something else
        than a file, or it lies in a sealed store.
    """
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} cannot be written: it is no file.")
    if any((folder / MANIFEST_NAME).is_file() for folder in path.resolve().parents):
        raise StoreError(f"{path} cannot be written: it lies in a sealed store.")
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
    try:
        write(partial)
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        partial.unlink(missing_ok=True)
