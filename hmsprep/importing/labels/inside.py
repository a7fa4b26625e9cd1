"""Annotations in the recording itself -> marked intervals.

Of notes of any kind, these are read: intervals whose whole text is a word for a pattern ('Seizure',
'LPDs', or one that the user gave), and pairs such as 'Seizure start' and 'Seizure end'. What no
interval covers has no label, since nobody says that the notes are complete.
"""

from __future__ import annotations

import re

from hmsprep.importing.labels.layout import Marked, Said
from hmsprep.importing.labels.words import NONE, PATTERNS, SEIZURES, Words
from hmsprep.importing.recording import Recording
from hmsprep.words import plural

SEIZURE = r"(?:electrographic |electroclinical |clinical |eeg )?(?:seizure|seiz|sz)"
START = re.compile(
    rf"{SEIZURE}(?: \d+)? (?:start|starts|started|begin|begins|beginning|onset)"
    rf"|(?:start|begin|beginning|onset)(?: of)?(?: the)? {SEIZURE}(?: \d+)?"
)
END = re.compile(
    rf"{SEIZURE}(?: \d+)? (?:end|ends|ended|stop|stops|stopped|finish|finished|offset|over)"
    rf"|(?:end|stop|offset)(?: of)?(?: the)? {SEIZURE}(?: \d+)?"
)
NAMED = re.compile(
    r"\b(?:seizures?|seiz|sz|ictal|gtcs|fbtcs|status epilepticus|convulsions?|\w*anf(?:a|ä)ll\w*|"
    r"krampf\w*|crises?|crisis|crisi|convulsión|aanval\w*|napad\w*|záchvat\w*|anfald\w*)\b"
    r"|приступ|发作|発作"
)
"""What seizures are called, also in German, French, Spanish, Italian, Dutch, Polish, Czech, Danish,
Swedish, Russian, Chinese and Japanese. Such notes are not read as labels, but said to be there."""


def read_inside(recording: Recording, words: Words) -> Said | None:
    """Read a recording's own annotations; None if they mark nothing and name no seizure."""
    marked: list[Marked] = []
    begun: float | None = None
    unread, named = 0, ""
    for onset, duration, text in sorted(recording.annotations, key=lambda note: note[0]):
        word = " ".join(text.lower().removeprefix("comment/").strip(" .:!").split())
        if word not in words.own:
            word = " ".join(re.sub(r"[-_]", " ", word).split())
        known = word in words.own or word in SEIZURES or word in PATTERNS
        if known and words.find(word) != NONE and duration:
            marked.append(Marked(max(onset, 0.0), onset + duration, word))
        elif START.fullmatch(word):
            unread += begun is not None
            begun = max(onset, 0.0)
        elif END.fullmatch(word) and begun is not None:
            marked.append(Marked(begun, onset, "seizure"))
            begun = None
        elif NAMED.search(word):
            unread += 1
            named = named or text.strip()
    unread += begun is not None
    if not marked and not unread:
        return None
    notes = []
    if unread:
        such = f", such as {named!r}" if named else ""
        notes.append(
            f"{recording.path.name} has {plural(unread, 'annotation')} of its own that "
            f"{'seem' if unread > 1 else 'seems'} to name a seizure{such}: not read as labels, "
            "since only whole texts such as 'seizure' are, with a length or an end "
            "(--label WORD=seizure adds a word)."
        )
    return Said(tuple(marked), notes=tuple(notes))
