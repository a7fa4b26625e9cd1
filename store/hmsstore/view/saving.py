"""Figures -> picture files and PDFs, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hmsstore.errors import StoreError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the path's suffix says in which format.

    Raises
    ------
    StoreError
        It cannot be written there, or matplotlib knows no such format.
    """

    def write(partial: Path) -> None:
        figure.savefig(partial, format=path.suffix.removeprefix(".") or "png")

    write_whole(path, write)


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


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written under another name, then give it its own."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    except ValueError as error:  # matplotlib's, with the formats that it knows
        raise StoreError(f"{path} cannot be written: {error}.") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        partial.unlink(missing_ok=True)
