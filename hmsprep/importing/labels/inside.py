"""Annotations in the recording itself -> marked intervals.

Of notes of any kind, these are read: intervals whose whole text is a word for a pattern ('Seizure',
'LPDs', or one that the user gave), and pairs such as 'Seizure start' and 'Seizure end'. What no
interval covers has no label, since nobody says that the notes are complete. Of seizures that are
numbered, a start and an end belong together only by the same number.
"""

from __future__ import annotations

import re

from hmsprep.importing.labels.layout import Marked, Said
from hmsprep.importing.labels.words import NONE, PATTERNS, SEIZURES, Words, seems_a_pattern
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


def read_inside(recording: Recording, words: Words) -> Said | None:
    """Read a recording's own annotations; None if they mark and name no pattern."""
    marked: list[Marked] = []
    begun: dict[int | None, Marked] = {}
    unread: list[Marked] = []
    for onset, duration, text in sorted(recording.annotations, key=lambda note: note[0]):
        word, start_s = _word(text, words), max(onset, 0.0)
        known = word in words.own or word in SEIZURES or word in PATTERNS
        to = words.find(word) if known else None
        number = int(found[0]) if (found := re.search(r"\d+", word)) else None
        fitting = [one for one in begun if None in (one, number) or one == number]
        if to == NONE or (to == "other" and not duration):
            continue
        if to is not None and duration:
            marked.append(Marked(start_s, onset + duration, word))
        elif START.fullmatch(word):
            unread += map(begun.pop, fitting)
            begun[number] = Marked(start_s, start_s, text.strip())
        elif END.fullmatch(word) and fitting:
            marked.append(Marked(begun.pop(fitting[-1]).start_s, onset, "seizure"))
        elif to is not None or seems_a_pattern(word):
            unread.append(Marked(start_s, start_s, text.strip()))
    unread += begun.values()
    if not unread:
        return Said(tuple(marked)) if marked else None
    first = min(unread)
    note = (
        f"{recording.path.name} has {plural(len(unread), 'annotation')} of its own that "
        f"{'seem' if len(unread) > 1 else 'seems'} to name a seizure or another pattern, such as "
        f"{first.word!r}: not read as labels, since only whole texts such as 'seizure' are, with a "
        "length or an end (--label WORD=seizure adds a word)."
    )
    return Said(tuple(marked), notes=(note,), unread=f"{first.word!r} at {first.start_s:,.1f} s")


def _word(text: str, words: Words) -> str:
    """Text of a note as words are looked up: as the user gave it, else without punctuation."""
    whole = " ".join(text.lower().removeprefix("comment/").split())
    bare = " ".join(whole.strip(" .:!").split())
    loose = " ".join(re.sub(r"[-_]", " ", bare).split())
    return next((one for one in (whole, bare) if one in words.own), loose)
