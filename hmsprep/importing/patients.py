"""Names, folders and headers of recordings -> which are of one patient, and how sure that is.

A split by patient is only as good as this. Names of known corpora, a list by the user, and codes or
names in EDF+ headers are taken as known. Other headers, folders and the stems of file names are
guesses. Where nothing tells, each recording counts as a patient of its own, and a warning says so.
What a header says is compared and forgotten; only numbers of patients are ever written.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.recording import Recording, read_text, stem_of
from hmsprep.words import plural
from hmsstore.schema import PATIENTS

KNOWN, GUESSED, UNKNOWN = PATIENTS
CORPORA = (
    re.compile(
        r"(?P<patient>chb\d\d)[a-z]?_\d+\+?", re.I
    ),  # CHB-MIT; parts of case 17 have letters
    re.compile(r"(?P<patient>PN\d\d)-[\d.]*", re.I),  # Siena
    # Temple University, whose codes count from aaaaaaaa on, and its older ones from 00000001 on
    re.compile(r"(?P<patient>aaaa[a-z]{4}|000\d{5})_s\d{3}_t\d{3}", re.I),
    re.compile(r"(?P<patient>aaaa[a-z]{4})_0000\d{4}", re.I),  # its events, TUEV
    re.compile(r"(?P<patient>S[01]\d\d)R[01]\d"),  # PhysioNet's motor movement and imagery
)
"""Names of the files of public corpora, whole."""
SAME_PATIENT = {"chb21": "chb01"}
"""Cases of CHB-MIT that are one girl, recorded 1.5 years apart (PhysioNet's description)."""
BIDS = re.compile(r"sub-([A-Za-z0-9]+)(?:_.*)?")
FOLDER = re.compile(r"(?:sub(?:j|ject)?|pat(?:ient)?|pt|case|person)[-_ ]?\d+", re.I)
"""Folders that are likely one patient's, with those of sessions below."""
SHORT_FOLDER = re.compile(r"[ps][-_ ]?\d+", re.I)
"""Folders that may be, if none above says more."""
DEEPEST = 3
"""Folders above a recording that are looked at."""
STEM = re.compile(
    r"(.*?[^\W_].*?)(?:[-_ ]+(?:s|ses|session|r|run|rec|part|t|n|nr|night)?[-_ ]*\d+)+"
)
"""File names that end in a separator and a number: 'p03_1', 'AB-ses2-run1'."""
NO_NAME = re.compile(
    r"(?:x+|[a-z]|0+|(\d)\1{2,}|1234\d*|n/?a|nn+|none|null|nil|no|name|no_?name|unnamed|nobody|"
    r"unknown|unk|undefined|undisclosed|(?:mne)?anon\w*|deid\w*|identified|removed|withheld|hidden|"
    r"masked|redacted|deleted|confidential|private|blank|empty|default|dummy|demo|test|temp|sample|"
    r"example|not|given|available|specified|patient(?:code|name|id)?\d?|subject\d?|person|"
    r"participant|pat|pt|sub|id|code|study|research|eeg|edf|recording|doe|mustermann|first|last|"
    r"firstname|lastname|surname|forename|unbekannt|inconnu|sin|nombre|apellido|sconosciuto|desconocido|"
    r"age\W{0,2}\d+\w*|f|m|male|female|man|woman|[fm]\d{1,3}|\d{1,3}y(?:ears?|rs?)?)?",
    re.I,
)
"""Words that headers hold in place of a name: placeholders, sexes, ages."""
SEX = re.compile(r"age\W{0,2}\d+\w*|f|m|male|female|man|woman", re.I)
AGE = re.compile(r"\d{1,3}")
SHORT = re.compile(r"\W*\d{1,3}\W*")
"""Codes that many a laboratory gives to somebody."""
DATE = re.compile(
    r"\d{1,2}[-./][a-z]{3}[-./]\d{2,4}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|"
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|(?:19|20)\d{6}|startdate",
    re.I,
)
"""Birth dates: many people share one, and de-identified files share a false one."""


@dataclass(frozen=True, slots=True)
class Patients:
    """Whose recordings they are."""

    numbers: tuple[int, ...]
    """Number of each recording's patient, from 1 on."""
    known: str
    """The least sure way by which any patient was told: 'known', 'guessed' or 'unknown'."""
    notes: tuple[str, ...]
    """What to warn of, a sentence each."""


def find_patients(recordings: Sequence[Recording], listed: Path | None = None) -> Patients:
    """Tell which recordings are of one patient.

    Parameters
    ----------
    recordings : sequence of Recording
        In the order in which patients are numbered.
    listed : Path, optional
        A CSV file with the columns file and patient, which decides alone.

    Raises
    ------
    ParameterError
        The list cannot be read, contradicts itself, or lacks a recording.
    """
    if listed is not None:
        table = _read_list(listed)
        return Patients(_numbered(_of_list(recordings, table, listed)), KNOWN, ())
    stems, coded = _stems(recordings), _coded(recordings)
    found = [_key(recording, stems, coded) for recording in recordings]
    keys: list[Hashable] = [
        (place,) if key is None else key for place, (_, key) in enumerate(found)
    ]
    ways = [way for way, _ in found]
    notes = []
    for key in dict.fromkeys(keys):
        places = [place for place, other in enumerate(keys) if other == key]
        if not _agree([recordings[place].patient for place in places]):
            shown = ", ".join(recordings[place].name for place in places[:3])
            notes.append(
                f"{plural(len(places), 'recording')} ({shown}{' ...' if len(places) > 3 else ''}) "
                "count as one patient, but what their headers say of the patient differs."
            )
            for place in places:
                ways[place] = max(ways[place], GUESSED, key=PATIENTS.index)
    if len(recordings) > 1:
        names = [recording.name for recording in recordings]
        for way, said in (
            (
                UNKNOWN,
                "Nothing tells whose {these}, so each counts as a patient of its own. If a patient "
                "has several, training and test data will share patients.",
            ),
            (
                GUESSED,
                "Whose {these} is guessed from file names, folders or headers. If the guess is "
                "wrong, training and test data may share patients.",
            ),
        ):
            those = [name for name, its in zip(names, ways, strict=True) if its == way]
            if those:
                shown = ", ".join(those[:3]) + (" ..." if len(those) > 3 else "")
                are = "is" if len(those) == 1 else "are"
                these = f"{plural(len(those), 'recording')} ({shown}) {are}"
                notes.append(
                    f"{said.format(these=these)} List the patients with --patients FILE (CSV: "
                    "file, patient)."
                )
    return Patients(_numbered(keys), max(ways, key=PATIENTS.index, default=KNOWN), tuple(notes))


def _key(
    recording: Recording, stems: Mapping[str, str], coded: Mapping[str, list[Hashable]]
) -> tuple[str, Hashable | None]:
    """How a recording's patient is told, and what all of one patient share; None: by nothing."""
    stem = stem_of(recording.path)
    for corpus in CORPORA:
        if named := corpus.fullmatch(stem):
            patient = named["patient"].lower()
            return KNOWN, ("corpus", SAME_PATIENT.get(patient, patient))
    folders = recording.path.parent
    if (of_bids := _bids(recording)) is not None:
        code, by_code, by_name = of_bids
        first, *others = coded[code]
        return (GUESSED, first) if by_name and others else (KNOWN, by_code)
    way, key = read_header(recording.patient)
    if key is not None:
        return way, key
    near = [one for one in (folders, *folders.parents)[:DEEPEST] if FOLDER.fullmatch(one.name)]
    if near or SHORT_FOLDER.fullmatch(folders.name):
        return GUESSED, ("folder", str((near or [folders])[0].resolve()))
    if stem in stems:
        return GUESSED, ("stem", str(folders.resolve()), stems[stem])
    return UNKNOWN, None


def _bids(recording: Recording) -> tuple[str, Hashable, bool] | None:
    """Code by BIDS, a key, and whether the file's name alone has the code, not a folder's."""
    folders = recording.path.parent
    for folder in (folders, *folders.parents):
        if named := BIDS.fullmatch(folder.name):
            return named[1], ("BIDS", str(folder.resolve())), False
    if named := BIDS.fullmatch(stem_of(recording.path)):
        return named[1], ("BIDS", str(folders.resolve()), named[1]), True
    return None


def _coded(recordings: Sequence[Recording]) -> dict[str, list[Hashable]]:
    """Keys of each code by BIDS: if several, names of files do not tell which is meant."""
    keys: dict[str, dict[Hashable, None]] = {}
    for code, key, _ in filter(None, map(_bids, recordings)):
        keys.setdefault(code, {})[key] = None
    return {code: list(several) for code, several in keys.items()}


def read_header(text: str) -> tuple[str, Hashable | None]:
    """Find in a header's patient field what identifies a person.

    EDF+ writes code, sex, birthdate and name, and X for what is left out; EDF anything. A code
    identifies by itself unless it is a short number or a mere word, a name together with a
    birthdate. Sex and birthdate alone do not.

    Parameters
    ----------
    text : str
        The field.

    Returns
    -------
    (str, object or None)
        'known' or 'guessed' and what to compare; 'unknown' and None if it names nobody.
    """
    words = text.replace("\0", " ").split()
    if (fields := _fields(text)) is not None:
        code, sex, born, name = fields
        if code:
            sure = any(map(str.isdigit, code)) and not SHORT.fullmatch(code)
            return (KNOWN if sure else GUESSED), ("code", code)
        if name:
            return (KNOWN if born else GUESSED), ("name", name, sex, born)
        return UNKNOWN, None
    naming = [word.casefold() for word in words if _names(word)]
    if any(SEX.fullmatch(word) for word in words):
        naming = [word for word in naming if not AGE.fullmatch(word)]
    if not naming or not _names(" ".join(words)):
        return UNKNOWN, None
    return GUESSED, ("header", *naming)


def _fields(text: str) -> tuple[str, str, str, str] | None:
    """Code, sex, birthdate and name of a field in EDF+'s form, '' where it says none, else None."""
    words = text.replace("\0", " ").split()
    if len(words) < 4 or words[1].upper() not in ("F", "M", "X"):
        return None
    code, sex, born, name = (word.casefold() for word in words[:4])
    return (
        code if _names(code) else "",
        sex.replace("x", ""),
        born if DATE.fullmatch(born) else "",
        name if _names(name) else "",
    )


def _agree(headers: Sequence[str]) -> bool:
    """Whether what headers say, in EDF+'s form, can be of one person."""
    fields = [found for text in headers if (found := _fields(text)) is not None]
    codes, sexes, births, names = ({one[n] for one in fields} - {""} for n in range(4))
    parts = [{*re.findall(r"\w+", name.replace("_", " "))} for name in names]
    same_name = all(parts[0] & other for other in parts)
    return max(len(codes), len(sexes), len(births)) < 2 and same_name


def _names(word: str) -> bool:
    """Whether a text may name somebody: not if each of its words stands in place of a name."""
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode() or word
    if DATE.fullmatch(word) or SEX.fullmatch(word):
        return False
    return not all(NO_NAME.fullmatch(part) for part in re.split(r"[\W_]+", plain))


def _stems(recordings: Sequence[Recording]) -> dict[str, str]:
    """What precedes the last numbers of file names, where that groups some and divides others."""
    stems = {}
    for recording in recordings:
        name = stem_of(recording.path)
        if (match := STEM.fullmatch(name)) and any(letter.isdigit() for letter in match[1]):
            stems[name] = match[1]
    several = Counter(stems.values())
    if len(several) < 2 or max(several.values()) < 2:
        return {}
    return stems


def _numbered(keys: Sequence[Hashable]) -> tuple[int, ...]:
    numbers: dict[Hashable, int] = {}
    return tuple(numbers.setdefault(key, len(numbers) + 1) for key in keys)


def _read_list(path: Path) -> dict[str, str]:
    """Read a list of patients: file -> patient."""
    try:
        lines = read_text(path).splitlines()
    except DataError as error:
        raise ParameterError(f"--patients {error}") from None
    delimiter = max(",;\t", key=(lines or [""])[0].count)
    table_rows = csv.reader(lines, delimiter=delimiter)
    try:
        rows = list(table_rows)
    except csv.Error as error:
        raise ParameterError(
            f"--patients {path}, line {table_rows.line_num}: expected a row, got {error}."
        ) from None
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    if not {"file", "patient"} <= {*head}:
        raise ParameterError(
            f"--patients {path}: expected a CSV file with the columns file and patient, got "
            f"{', '.join(head) or 'nothing'}."
        )
    table: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(head, (cell.strip() for cell in row), strict=False))
        if not any(cells.values()):
            continue
        file, patient = cells.get("file", ""), cells.get("patient", "")
        if not file or not patient:
            raise ParameterError(
                f"--patients {path}, line {number}: expected a file and a patient, got {row}."
            )
        if table.setdefault(file, patient) != patient:
            raise ParameterError(
                f"--patients {path}, line {number}: {file} is of {patient}, but of {table[file]} "
                "above. Which is right?"
            )
    return table


def _of_list(recordings: Sequence[Recording], table: Mapping[str, str], path: Path) -> list[str]:
    """Find each recording in the list, by its path, its name, or its name without the ending."""
    found, absent = [], []
    whose: dict[str, str] = {}
    plain = {_plain(name): patient for name, patient in table.items()}
    for recording in recordings:
        names = (str(recording.path), recording.name, recording.path.name, stem_of(recording.path))
        name = next((one for one in map(_plain, names) if one in plain), None)
        if name is None:
            absent.append(recording.name)
            continue
        if (other := whose.setdefault(name, recording.name)) != recording.name:
            raise ParameterError(
                f"--patients {path}: {name} may be {other} or {recording.name}. Name each so."
            )
        found.append(plain[name])
    if absent:
        shown = ", ".join(absent[:10]) + (" ..." if len(absent) > 10 else "")
        raise ParameterError(
            f"--patients {path} lacks {plural(len(absent), 'recording')}: {shown}. Add a line for "
            "each, or leave those files out."
        )
    return found


def _plain(file: str) -> str:
    """Name of a file as a list may have it, whichever way it separates folders."""
    return unicodedata.normalize("NFC", file.replace("\\", "/").removeprefix("./"))
