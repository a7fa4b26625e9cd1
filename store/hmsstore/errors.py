"""What can go wrong with a store, as one small tree of exceptions.

::

    StoreError              everything below; its text says what, where and what to do
    |-- NotAStoreError      nothing is there, or something else is
    |   `-- NewerStoreError a store that only a newer version of this package reads
    |-- UnsealedStoreError  a build that has not finished
    |-- DamagedStoreError   files are missing, cut short, changed or contradict each other
    |-- LeakingStoreError   a patient stands on both sides of a split and nobody declared it
    |-- SpecError           a description of a data set that contradicts itself
    |-- RecordingsError     `recordings.json` of an imported data set is missing or damaged
    |-- LabelsError         a reader's file cannot be read or written, or is of another recording
    `-- RequestError        rows, split, fold, signal or shift that this store cannot serve
        `-- ViewError       a display, picture or page that cannot be made as asked
"""

from __future__ import annotations

from collections.abc import Sequence


class StoreError(Exception):
    """A store cannot be opened or cannot serve a request."""


class NotAStoreError(StoreError):
    """There is no store at this path."""


class NewerStoreError(NotAStoreError):
    """A newer version of this package made the store, in a format that this one does not read.

    It is a `NotAStoreError` since nothing in it can be relied on.
    """


class UnsealedStoreError(StoreError):
    """The store's build has not finished."""


class DamagedStoreError(StoreError):
    """The store is not as it was sealed.

    Attributes
    ----------
    problems : tuple of str
        Every problem found, each naming its file.
    """

    def __init__(self, path: object, problems: Sequence[str]) -> None:
        super().__init__(path, problems)
        self.path = path
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """List the first ten problems and say what to do."""
        lines = [f"{self.path} is damaged: {len(self.problems)} problem(s)."]
        lines += [f"  {problem}" for problem in self.problems[:10]]
        if len(self.problems) > 10:
            lines.append(f"  and {len(self.problems) - 10} more")
        lines.append("Copy it again from where it came, or build it again.")
        return "\n".join(lines)


class LeakingStoreError(StoreError):
    """Patients are on both sides of a split that is not declared to leak."""


class SpecError(StoreError, ValueError):
    """The description of a data set is not valid.

    Attributes
    ----------
    problems : tuple of str
        Every problem found, each naming its part.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        """List all problems."""
        return "\n  ".join(
            [f"The description of the data has {len(self.problems)} problem(s):", *self.problems]
        )


class RecordingsError(StoreError):
    """`recordings.json` of an imported data set is missing, or it does not hold what it must."""


class LabelsError(StoreError, ValueError):
    """A reader's marks cannot be read or kept, or they are of another recording."""


class RequestError(StoreError, ValueError):
    """The caller asked for something that this store does not hold."""


class ViewError(RequestError):
    """A window cannot be drawn as asked, or a picture or page cannot be written.

    It is a `RequestError` so that one `except` covers all that a caller can ask for in vain.
    """
