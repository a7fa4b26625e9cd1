"""Words of the corpora and of the user -> the six classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from hmsprep.errors import ParameterError
from hmsstore.schema import CLASSES

NONE = "none"
"""In place of a class: intervals of this word are left alone, as if they were not annotated."""
REST = "*"
"""The word for what no interval covers."""
SEIZURES = "seiz fnsz gnsz spsz cpsz absz tnsz cnsz tcsz atsz mysz nesz seizure sz".split()
"""Seizures of any kind, by the codes of Temple University's corpora (Shah et al. 2018)."""
ARTEFACTS = "artf eyem chew shiv musc elec elpp elst calb".split()
"""Of the same corpora (Hamid et al. 2020); compounds of them are 'other' too: 'eyem_musc'."""
PATTERNS = {
    "pled": "lpd",  # periodic lateralised epileptiform discharges, as they were called
    "gped": "gpd",
    **{word + plural: word for word in ("lpd", "gpd", "lrda", "grda") for plural in ("", "s")},
}
LABELS = {
    **dict.fromkeys(SEIZURES, "seizure"),
    **PATTERNS,
    **dict.fromkeys(["bckg", "null", "(null)", "spsw", "slow", "intr", "impd"], "other"),
    **dict.fromkeys(["other", "background", *ARTEFACTS], "other"),
}
"""Word in lower case -> class; `impd` is SzCORE's word for a check of impedances."""
TELLING = {*SEIZURES, *PATTERNS, "bckg"}
"""Words that nobody uses for anything but patterns of EEG; 'other' or 'slow' may be a task's."""
_NAMING = re.compile(
    rf"\b(?:{'|'.join(SEIZURES)}|seizures|ictal|gtcs|fbtcs|status epilepticus|convulsions?|"
    r"\w*anf(?:a|ä)ll\w*|krampf\w*|crises?|crisis|crisi|convulsión|aanval\w*|napad\w*|záchvat\w*|anfald\w*|"
    r"(?:lpd|gpd|lrda|grda|pled|bipled|gped)s?|periodic (?:epileptiform )?discharges?)\b"
    r"|приступ|发作|発作"
)
"""What patterns are called; seizures also in German, French, Spanish, Italian, Dutch, Polish,
Czech, Danish, Swedish, Russian, Chinese and Japanese."""
_SEIZURE_KIND = re.compile(r"sz_\w+")
"""SzCORE's kinds of seizure: 'sz_foc_ia' (Dan et al. 2024)."""


@dataclass(frozen=True, slots=True)
class Words:
    """Which class a word stands for."""

    own: Mapping[str, str] = field(default_factory=dict)
    """What the user says, before all else: word in lower case -> class or 'none'."""

    @classmethod
    def of(cls, label: Mapping[str, str]) -> Words:
        """Take what the user says.

        Raises
        ------
        ParameterError
            A class is none of the six.
        """
        own = {}
        for word, to in label.items():
            if word == REST and to.lower() not in ("other", NONE):
                raise ParameterError(
                    f"--label '{REST}={to}': what is not annotated can be other or {NONE}."
                )
            if to.lower() not in (*CLASSES, NONE):
                raise ParameterError(
                    f"--label {word}={to}: expected one of {', '.join(CLASSES)} or {NONE}."
                )
            own[_plain(word)] = to.lower()
        return cls(own)

    def rest(self, *, complete: bool) -> bool:
        """Whether what no interval covers is 'other'; by itself only if all seizures are listed."""
        return self.own.get(REST, "other" if complete else NONE) == "other"

    def find(self, word: str) -> str | None:
        """Class of a word, or 'none'; None if nobody knows it."""
        plain = _plain(word)
        if plain in self.own:
            return self.own[plain]
        if plain in LABELS:
            return LABELS[plain]
        if _SEIZURE_KIND.fullmatch(plain):
            return "seizure"
        parts = re.split(r"[_+/&,\s]+", plain)
        return "other" if all(part in ARTEFACTS for part in parts) else None

    def tells(self, word: str) -> bool:
        """Whether a word speaks of patterns of EEG, wherever it stands."""
        plain = _plain(word)
        return plain in self.own or plain in TELLING or bool(_SEIZURE_KIND.fullmatch(plain))


def seems_a_pattern(text: str) -> bool:
    """Whether a text seems to name a pattern of EEG, though it may be no label: 'no seizure'."""
    return bool(_NAMING.search(_plain(text).replace("_", " ")))


def unknown_words(words: set[str]) -> str:
    """Say which words are unknown, and what to do about them."""
    listed = ", ".join(repr(word) for word in sorted(words))
    first = next(iter(sorted(words))) or "WORD"
    near = get_close_matches(first.lower(), LABELS, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    example = f"--label '{first}=other'"
    return (
        f"unknown label{'s' if len(words) > 1 else ''} {listed}{hint}. Say which class "
        f"{'each' if len(words) > 1 else 'it'} stands for with {example} (classes: "
        f"{', '.join(CLASSES)}; {NONE}: leave it out), or import without labels with --unlabelled."
    )


def _plain(word: str) -> str:
    return " ".join(word.strip().strip("\"'").lower().split())
