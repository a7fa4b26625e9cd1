"""Marks that readers made in EEG <-> their files, one a reader and recording.

Each change is written whole and at once, on top of what others wrote meanwhile. A file that a
person edited in a spreadsheet is read; one that was cut short, or of another recording, is refused.

::

    sheet.py       rows of texts <-> a CSV file, also as spreadsheets save it
    keeping.py     a file that several programs write -> each change on top of the last, whole
    owner.py       a recording and a reader <-> the name and the first lines of a file of theirs
    mark.py        `Mark`, a stretch of EEG with a reader's class, and its row
    label_file.py  `LabelFile`: the marks of one reader in one recording
"""

from hmsstore.labels.keeping import Kept
from hmsstore.labels.label_file import LabelFile, Labels, label_files, read_labels
from hmsstore.labels.mark import UNSURE, VIEW, Mark

__all__ = [
    "UNSURE",
    "VIEW",
    "Kept",
    "LabelFile",
    "Labels",
    "Mark",
    "label_files",
    "read_labels",
]
