"""An event: what was proposed, what a reader made of it <-> its row in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from hmsstore.errors import LabelsError
from hmsstore.labels.sheet import seconds

MODEL, READER = "model", "reader"
PROPOSED, ACCEPTED, REJECTED = "proposed", "accepted", "rejected"
STATES = (PROPOSED, ACCEPTED, REJECTED)
CERTAINTIES = ("definite", "probable", "possible")
"""How sure the reader is; or nothing."""
REQUIRED = ("start_s", "stop_s", "class", "state", "source")
COLUMNS = (
    *REQUIRED, "certainty", "text", "probability", "proposed_start_s", "proposed_stop_s",
    "proposed_class", "seen_model", "decided_at",
)  # fmt: skip
DECIMALS = 2


@dataclass(frozen=True)
class Event:
    """A stretch of a recording that a model or a reader takes for a pattern.

    Times are rounded to hundredths of a second.

    Raises
    ------
    LabelsError
        A value is not as it must be.
    """

    start_s: float
    """From the start of the recording."""
    stop_s: float
    label: str
    """Key of the class."""
    source: str = READER
    """Who found it: 'model' or 'reader'."""
    state: str = ACCEPTED
    """'proposed' by the model, 'accepted' or 'rejected' by the reader."""
    certainty: str = ""
    """'definite', 'probable', 'possible', or nothing."""
    text: str = ""
    probability: float | None = None
    """The model's mean probability of the class that it proposed."""
    proposed: tuple[float, float, str] | None = None
    """Start, stop and class as the model proposed them."""
    seen_model: bool = True
    """Whether the reader had seen the model's answer."""
    decided_at: str = ""
    """When the reader decided, in UTC."""

    def __post_init__(self) -> None:
        """Round, and check."""
        for name in ("start_s", "stop_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise LabelsError(f"expected a number of seconds as {name}, got {value!r}")
            object.__setattr__(self, name, round(float(value), DECIMALS))
        object.__setattr__(self, "text", " ".join(self.text.split()))
        if not 0 <= self.start_s < self.stop_s:
            raise LabelsError(
                f"expected a start from 0 s on and a stop behind it, got {self.start_s:.2f} s to "
                f"{self.stop_s:.2f} s"
            )
        for name, words in (
            ("source", (MODEL, READER)),
            ("state", STATES),
            ("certainty", ("", *CERTAINTIES)),
        ):
            if getattr(self, name) not in words:
                raise LabelsError(
                    f"expected {name} to be {', '.join(filter(None, words))}"
                    f"{' or nothing' * ('' in words)}, got {getattr(self, name)!r}"
                )
        if self.state == PROPOSED and self.source != MODEL:
            raise LabelsError("expected only a model's events to be proposed, got a reader's")

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.stop_s - self.start_s

    @property
    def edited(self) -> bool:
        """Whether the reader changed what the model proposed."""
        return self.proposed not in (None, (self.start_s, self.stop_s, self.label))

    def row(self) -> dict[str, str]:
        """As cells of a file."""
        start, stop, label = self.proposed or (None, None, "")
        return {
            "start_s": f"{self.start_s:.2f}",
            "stop_s": f"{self.stop_s:.2f}",
            "class": self.label,
            "state": self.state,
            "source": self.source,
            "certainty": self.certainty,
            "text": self.text,
            "probability": "" if self.probability is None else f"{self.probability:.4f}",
            "proposed_start_s": "" if start is None else f"{start:.2f}",
            "proposed_stop_s": "" if stop is None else f"{stop:.2f}",
            "proposed_class": label,
            "seen_model": "yes" if self.seen_model else "no",
            "decided_at": self.decided_at,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, str], classes: Sequence[str], commas: bool) -> Event:
        """Read cells of a file.

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
        told = row.get("probability", "")
        start = row.get("proposed_start_s", "")
        proposed = None
        if start:
            proposed = (
                seconds(start, commas),
                seconds(row.get("proposed_stop_s", ""), commas),
                check_label(row.get("proposed_class", "").lower(), classes),
            )
        seen = row.get("seen_model", "").lower() or "yes"
        if seen not in ("yes", "no"):
            raise ValueError(f"expected yes or no as seen_model, got {row['seen_model']!r}")
        return cls(
            start_s=seconds(row["start_s"], commas),
            stop_s=seconds(row["stop_s"], commas),
            label=check_label(row["class"].lower(), classes),
            source=row["source"].lower(),
            state=row["state"].lower(),
            certainty=row.get("certainty", "").lower(),
            text=row.get("text", ""),
            probability=seconds(told, commas) if told else None,
            proposed=proposed,
            seen_model=seen == "yes",
            decided_at=row.get("decided_at", ""),
        )


def check_label(label: str, classes: Sequence[str]) -> str:
    """Give an event's class if it may be one; raises LabelsError."""
    if label not in classes:
        raise LabelsError(f"expected a class of {', '.join(classes)}, got {label!r}")
    return label
