"""A reader's initials, a window of a store and a class -> a mark in his file.

While he marks, votes and the model's answers are hidden until he asks for them; a mark says whether
the model's answer for its window had been shown before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from bokeh.models import Div, TextInput

from hmsstore import Store
from hmsstore.errors import LabelsError
from hmsstore.labels import UNSURE, LabelFile, Mark
from hmsstore.labels.label_file import now
from hmstrain.reporting.dark import FIELDS

UNSURE_KEY = "0"


class Labels:
    """Widgets and keys by which a reader marks windows.

    Parameters
    ----------
    store : Store
    folder : Path
        Where label files lie.
    model : bool
        Whether there are answers of a model that could be seen.
    changed : callable
        Called when who reads, or what is hidden, has changed.
    """

    def __init__(
        self, store: Store, folder: Path, *, model: bool, changed: Callable[[], object]
    ) -> None:
        self.store, self.folder, self.model, self.changed = store, folder, model, changed
        self.file: LabelFile | None = None
        self.blind = False
        self.seen: set[int] = set()
        """Rows whose answer by the model was shown."""
        self.undone: list[Callable[[LabelFile], None]] = []
        keys = store.spec.class_keys
        self.keys = {str(n): key for n, key in enumerate(keys, start=1) if n < 10}
        self.keys[UNSURE_KEY] = UNSURE
        self.titles = dict(zip(keys, store.spec.class_titles, strict=True)) | {UNSURE: "Unsure"}
        self.initials = TextInput(
            name="initials", title="your initials, to mark", placeholder="such as AB", width=150,
            stylesheets=[FIELDS],
        )  # fmt: skip
        self.said = Div(name="said", sizing_mode="stretch_width")

        def signed(attr: str, old: Any, new: Any) -> None:  # noqa: ARG001
            self._tell(lambda: self.sign(str(new)))

        self.initials.on_change("value", signed)
        self.tell_keys()

    def tell_keys(self, also: str = "") -> None:
        """Say what keys do, and what has happened."""
        if self.file is None:
            self.said.text = escape(also)
            return
        keys = ", ".join(f"{key} {self.titles[label]}" for key, label in self.keys.items())
        hidden = "hidden, v shows them" if self.blind else "shown, v hides them"
        self.said.text = escape(
            f"{self.file.reader}: {len(self.file.marks):,} marks. Keys: {keys}; u undo; votes and "
            f"answers are {hidden}. {also}"
        )

    def _tell(self, act: Callable[[], object]) -> None:
        try:
            act()
        except LabelsError as error:
            self.tell_keys(str(error))
            self.changed()  # what another page wrote may have been read

    def sign(self, initials: str) -> None:
        """Open the file of the reader with these initials, who is blind from now on."""
        self.file, self.undone = None, []
        self.blind = bool(initials.strip())
        if self.blind:
            self.file = LabelFile.open(
                self.folder, self.store.path.name, self.store.identity, initials,
                spec=self.store.spec,
            )  # fmt: skip
        self.tell_keys()
        self.changed()

    def showed(self, row: int) -> None:
        """Take note of a window that is shown."""
        if self.model and not self.blind:
            self.seen.add(row)

    def pressed(self, key: str, row: int, view: Mapping[str, str]) -> bool:
        """Do what a key is for; False if it is for nothing here."""
        if self.file is None or key not in (*self.keys, "u", "v"):
            return False
        file = self.file
        if key == "v":
            self.blind = not self.blind
            self.tell_keys()
            self.changed()
        elif key == "u":
            self._tell(lambda: self._undo(file))
        else:
            self._tell(lambda: self._mark(file, row, self.keys[key], view))
        return True

    def _mark(self, file: LabelFile, row: int, label: str, view: Mapping[str, str]) -> None:
        begin, stop = self._span(row)
        eeg = int(self.store.windows["eeg_id"][row])
        before = self.of(row)
        seen = row in self.seen or (before is not None and before.seen_model)
        text = "" if before is None else before.text  # it may have been added in a spreadsheet
        made = Mark(begin, stop, label, text, seen, view, marked_at=now(), eeg_id=eeg)
        if before is None:
            file.add(made)
            self.undone.append(lambda labels: labels.remove(labels.place(made)))
        else:
            file.replace(file.place(before), made)
            self.undone.append(lambda labels: labels.replace(labels.place(made), before))
        self.tell_keys(f"Marked as {self.titles[label]}.")
        self.changed()

    def _undo(self, file: LabelFile) -> None:
        if not self.undone:
            raise LabelsError("there is nothing to undo")
        self.undone.pop()(file)
        self.tell_keys("Taken back.")
        self.changed()

    def _span(self, row: int) -> tuple[float, float]:
        """Start and stop of a window's judged seconds in its EEG."""
        spec = self.store.spec
        begin = float(self.store.windows["eeg_offset_s"][row]) + spec.judged_from_s
        return round(begin, 2), round(begin + spec.judged_s, 2)

    def of(self, row: int) -> Mark | None:
        """The reader's mark of a window's judged seconds, if he made one."""
        if self.file is None:
            return None
        wanted = (int(self.store.windows["eeg_id"][row]), *self._span(row))
        for mark in self.file.marks:
            if (mark.eeg_id, mark.start_s, mark.stop_s) == wanted:
                return mark
        return None

    def words(self, row: int) -> dict[str, str]:
        """What is said of a window's mark; nothing before the reader has signed."""
        if self.file is None:
            return {}
        mark = self.of(row)
        return {"your mark": "none" if mark is None else self.titles.get(mark.label, mark.text)}
