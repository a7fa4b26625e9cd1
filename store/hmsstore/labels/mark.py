"""A stretch of EEG with a reader's class, how he saw it <-> its row in a label file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from hmsstore.errors import LabelsError
from hmsstore.labels.sheet import seconds

UNSURE = "unsure"
"""Class of a stretch on which its reader will not decide; it is no vote."""
VIEW = (
    "montage",
    "low_filter_hz",
    "high_filter_hz",
    "notch_hz",
    "sensitivity",
    "page_s",
)
"""How the EEG was displayed, as texts: '0.5', '7 uV/mm', '100 uV/division', 'off'."""
REQUIRED = ("start_s", "stop_s", "class", "text", "seen_model")
COLUMNS = (*REQUIRED, *VIEW, "marked_at", "eeg_id")
SEEN = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
LONGEST_TEXT = 2000
DECIMALS = 2
"""Of seconds in the file. Never three: where a point parts thousands, a spreadsheet would read
12.345 as twelve thousand."""


@dataclass(frozen=True)
class Mark:
    """What a reader said of a stretch of EEG.

    Times are rounded to hundredths of a second.

    Raises
    ------
    LabelsError
        A time, the text or the view is not as it must be.
    """

    start_s: float
    """From the start of the recording, or of the EEG of `eeg_id`."""
    stop_s: float
    label: str
    """Key of a class, 'unsure', or nothing if there is a text."""
    text: str = ""
    """What he wrote, in one line of at most 2,000 characters."""
    seen_model: bool = False
    """Whether he saw the model's answer before."""
    view: Mapping[str, str] = field(default_factory=dict)
    """How the EEG was displayed: some of `VIEW` -> texts."""
    marked_at: str = ""
    """When, in UTC: '2026-01-31T12:00:00Z'."""
    eeg_id: int | None = None
    """EEG of a data set or store in which it lies; None for a whole recording."""

    def __post_init__(self) -> None:
        """Round, and check."""
        for name in ("start_s", "stop_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise LabelsError(f"expected a number of seconds as {name}, got {value!r}")
            object.__setattr__(self, name, round(float(value), DECIMALS))
        text = " ".join(self.text.split())
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "view", {k: v for k, v in self.view.items() if v})
        if self.start_s < 0 or self.stop_s < self.start_s:
            raise LabelsError(
                f"expected a start from 0 s on and a stop behind it, got {self.start_s:.2f} s to "
                f"{self.stop_s:.2f} s"
            )
        if self.label and self.start_s == self.stop_s:
            raise LabelsError(
                f"expected a stretch for the class {self.label}, got the moment {self.start_s:.2f} "
                "s: only a text may be of a moment"
            )
        if not self.label and not text:
            raise LabelsError("expected a class or a text, got neither")
        if len(text) > LONGEST_TEXT:
            raise LabelsError(
                f"expected a text of at most {LONGEST_TEXT:,} characters, got {len(text):,}"
            )
        if other := [key for key in self.view if key not in VIEW]:
            raise LabelsError(
                f"expected {', '.join(VIEW)} of the view, got {', '.join(map(repr, other))}"
            )

    def row(self) -> dict[str, str]:
        """As cells of a label file."""
        return {
            "start_s": f"{self.start_s:.{DECIMALS}f}",
            "stop_s": f"{self.stop_s:.{DECIMALS}f}",
            "class": self.label,
            "text": self.text,
            "seen_model": "yes" if self.seen_model else "no",
            **self.view,
            "marked_at": self.marked_at,
            "eeg_id": "" if self.eeg_id is None else str(self.eeg_id),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, str], classes: Sequence[str], commas: bool) -> Mark:
        """Read cells of a label file.

        Parameters
        ----------
        row : mapping
            Column -> cell.
        classes : sequence of str
            Keys of the classes.
        commas : bool
            Whether numbers may have decimal commas.

        Raises
        ------
        ValueError
            A cell is not as it must be.
        """
        seen = row["seen_model"].lower()
        if seen not in SEEN:
            raise ValueError(f"expected yes or no as seen_model, got {row['seen_model']!r}")
        eeg = row.get("eeg_id", "")
        if eeg and not eeg.isdecimal():
            raise ValueError(f"expected a whole number as eeg_id, got {eeg!r}")
        return cls(
            start_s=seconds(row["start_s"], commas),
            stop_s=seconds(row["stop_s"], commas),
            label=check_class(row["class"].lower(), classes),
            text=row["text"],
            seen_model=SEEN[seen],
            view={name: row.get(name, "") for name in VIEW},
            marked_at=row.get("marked_at", ""),
            eeg_id=int(eeg) if eeg else None,
        )


def check_class(label: str, classes: Sequence[str]) -> str:
    """Give a mark's class if it may be one; raises LabelsError."""
    if label and label != UNSURE and label not in classes:
        raise LabelsError(
            f"expected a class of {', '.join(classes)}, {UNSURE} or nothing, got {label!r}"
        )
    return label
