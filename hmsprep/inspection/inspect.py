"""A data set -> everything that is known of it, and a page with figures if asked."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from hmsprep.errors import ParameterError
from hmsprep.inspection.survey import Survey, survey
from hmsprep.kaggle.files import KaggleData
from hmsprep.planning import checks
from hmsprep.planning.choices import Part
from hmsprep.processes import Progress, default_workers, silent
from hmsstore.view.page import PAGES
from hmsstore.view.saving import check_suffix


def inspect(
    data: str | Path = "data",
    *,
    html: str | Path | None = None,
    part: Part | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> Survey:
    """Read a data set once and describe it: counts, votes, gaps, outliers, flat channels.

    Parameters
    ----------
    data : str or Path
        A folder in Kaggle's layout, or the competition's zip.
    html : str or Path, optional
        Page with tables, figures and windows to write.
    part : {'train', 'test'}, optional
        Part of the data set; 'train' if present, else 'test'.
    workers : int, optional
        Recordings decoded at a time; one per processor by default.
    executor : Executor, optional
        Executor that runs the work; by default `workers` processes on this machine.
    progress : callable
        Called with the stage 'look' and a number of bytes, then with 'draw' if a page is made.

    Returns
    -------
    Survey
        `facts` holds all numbers as a JSON value, `warnings` a sentence for each finding.

    Raises
    ------
    DataError
        The table is not as the competition's. Bad recordings are facts, not errors.
    ParameterError
        The page cannot be written there, or `workers` is not a whole number above 0.

    Examples
    --------
    >>> found = hmsprep.inspect("hms.zip", html="hms.html")
    >>> found.facts["windows"]
    106800
    """
    page = None if html is None else Path(html)
    if page is not None:  # refused now rather than after minutes
        check_suffix(page, PAGES)
        if not page.parent.is_dir():
            raise ParameterError(f"--html {page}: there is no folder {page.parent}.")
    found = survey(
        KaggleData(Path(data), part),
        workers=checks.workers(workers, default_workers()),
        executor=executor,
        progress=progress,
    )
    if page is not None:
        from hmsprep.inspection.page import make_page

        progress("draw", 0, 1)
        make_page(found).write(page)
        progress("draw", 1, 1)
    return found
