"""Facts of a survey -> tables and sentences, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass

from hmsprep.inspection.table import Facts
from hmsprep.planning.choices import EEG_CLIP_UV, EKG_CLIP_UV
from hmsstore.schema import CLASS_TITLES, CLASSES
from hmsstore.view.eeg import share
from hmsstore.windows import MANY_VOTES

SIGNAL_TITLES = {"eeg": "EEG", "spectrogram": "spectrogram"}
CLIP = f"{EEG_CLIP_UV:,.0f} uV, {EKG_CLIP_UV:,.0f} for the EKG, e^8 uV^2/Hz"
"""What `hmsprep build` cuts off, unless told otherwise."""
SKIP = ", or build with --missing skip"


@dataclass(frozen=True, slots=True)
class Section:
    """One table with its title."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def sections(facts: Facts) -> list[Section]:
    """All tables, the most general first."""
    tables = [_overview(facts), _columns(facts)]
    if facts["labelled"]:
        tables += [_classes(facts), _agreement(facts)]
    tables += [_signals(facts), _missing(facts)]
    if "channels" in facts["signals"]["eeg"]:
        tables.append(_channels(facts))
    return tables


def findings(facts: Facts) -> list[str]:
    """What should not be overlooked, a sentence each."""
    found = [f"{problem}" for problem in facts["problems"][:10]]
    if len(facts["problems"]) > 10:
        found.append(f"{len(facts['problems']) - 10:,} more files cannot be used.")
    for name, signal in facts["signals"].items():
        title = SIGNAL_TITLES[name]
        if signal["without_file"]:
            enough = facts["windows_with_missing"]["without files"] < facts["windows"]
            found.append(
                f"{signal['without_file']:,} of {signal['named']:,} {title} recordings that the "
                f"table names have no file: download them{SKIP if enough else ''}."
            )
        if signal["not_named"]:
            found.append(
                f"{signal['not_named']:,} {title} files are not named in the table; nothing reads "
                "them."
            )
        if signal["short"]:
            found.append(f"{signal['short']:,} windows reach past the end of their {title} file.")
        found += [
            f"{title} recordings {', '.join(map(str, ids[:5]))} have the very same content."
            for ids in signal["same_content"][:5]
        ]
        if len(signal["same_content"]) > 5:
            found.append(
                f"{len(signal['same_content']) - 5:,} more groups of {title} files are equal."
            )
    found += _wild(facts)
    gaps = facts["windows_with_missing"]
    if gaps["without files"] == facts["windows"]:
        found.append("No window has both its EEG and its spectrogram: nothing can be built.")
    if gaps["either"]:
        found.append(
            f"{gaps['either']:,} windows hold missing values ({gaps['eeg']:,} EEG, "
            f"{gaps['spectrogram']:,} spectrogram): `hmsprep build --nan` says what then."
        )
    quirks = facts["quirks"]
    if quirks["offsets_between_spectrogram_rows"]:
        found.append(
            f"{quirks['offsets_between_spectrogram_rows']:,} spectrogram offsets are odd and fall "
            "between two rows (2 s each): the half row is floored."
        )
    if quirks["eegs_that_move_against_their_spectrogram"]:
        found.append(
            f"{quirks['eegs_that_move_against_their_spectrogram']:,} EEGs have windows that do not "
            "keep their distance from the spectrogram's: their centres cannot all agree."
        )
    if quirks["label_ids_given_twice"]:
        found.append(f"{quirks['label_ids_given_twice']:,} label ids stand for several windows.")
    dead = {
        channel: sum(words.values())
        for channel, words in facts["signals"]["eeg"]["constant"].items()
    }
    if dead:
        worst = sorted(dead, key=lambda channel: -dead[channel])[:4]
        found.append(
            "Channels that never change, in so many recordings: "
            + ", ".join(f"{channel} {dead[channel]:,}" for channel in worst)
            + (" ..." if len(dead) > 4 else "")
            + "."
        )
    return found


def _wild(facts: Facts) -> list[str]:
    """A sentence for each signal that goes beyond the clip."""
    found = []
    for name, signal in facts["signals"].items():
        outside = signal["outside"]
        if outside["recordings"]:
            worst = ", ".join(f"{one['id']} ({share(one['share'])})" for one in outside["most"][:5])
            found.append(
                f"{outside['recordings']:,} {SIGNAL_TITLES[name]} recordings hold values beyond "
                f"the clip ({CLIP}), the largest part in {worst}."
            )
    return found


def _overview(facts: Facts) -> Section:
    per_eeg, per_spectrogram = facts["windows_per_eeg"], facts["eegs_per_spectrogram"]
    rows = [
        ("windows", f"{facts['windows']:,}"),
        ("labelled", f"{facts['labelled']:,}"),
        ("EEG recordings", f"{facts['eegs']:,}"),
        ("spectrograms", f"{facts['spectrograms']:,}"),
        ("patients", f"{facts['patients']:,}"),
        ("distinct votes of an EEG", f"{facts['distinct_votes']:,}"),
        ("windows of an EEG", _spread(per_eeg)),
        ("EEGs of a spectrogram", _spread(per_spectrogram)),
        ("EEGs of a patient", _spread(facts["eegs_per_patient"])),
    ]
    return Section("What there is", ("", ""), tuple(rows))


def _spread(spread: Facts) -> str:
    if spread["min"] == spread["max"]:
        return f"{spread['min']:,}"
    return (
        f"{spread['min']:,} to {spread['max']:,}, median {spread['median']:g}, "
        f"99% up to {spread['p99']:,.0f}"
    )


def _range(spread: Facts) -> str:
    if spread["min"] == spread["max"]:
        return f"{spread['min']}"
    return f"{spread['min']} to {spread['max']}, median {spread['median']:g}"


def _columns(facts: Facts) -> Section:
    rows = []
    for column in facts["columns"]:
        low, _, middle, _, high = column.get("range", [None] * 5)
        if column["name"].endswith("_id"):
            low = middle = high = None  # such numbers only name
        spread = ("" if value is None else f"{value:,.10g}" for value in (low, middle, high))
        rows.append((column["name"], f"{column['missing']:,}", f"{column['distinct']:,}", *spread))
    header = ("column", "missing", "distinct", "min", "median", "max")
    return Section("The table's columns", header, tuple(rows))


def _classes(facts: Facts) -> Section:
    groups = [group for group in facts["votes"].values() if "votes_by_class" in group]
    rows = []
    for key, title in zip(CLASSES, CLASS_TITLES, strict=True):
        cells = [title]
        for group in groups:
            votes, all_votes = group["votes_by_class"][key], sum(group["votes_by_class"].values())
            windows = group["consensus_by_class"][key]
            cells += [f"{votes:,} ({votes / all_votes:.0%})", f"{windows:,}"]
        rows.append(tuple(cells))
    header = ["class", "votes", "windows by consensus"]
    if len(groups) > 1:
        header += [f"votes, {MANY_VOTES}+", f"windows, {MANY_VOTES}+"]
    return Section("Classes", tuple(header), tuple(rows))


def _agreement(facts: Facts) -> Section:
    rows = []
    for name, group in facts["votes"].items():
        if "agreement" in group:
            agreement, per_window = group["agreement"], group["votes_per_window"]
            rows.append(
                (
                    name,
                    f"{group['windows']:,}",
                    f"{group['patients']:,}",
                    _range(per_window),
                    _percent(agreement["two raters agree"]),
                    f"{agreement['unanimous']:,}",
                    f"{agreement['ties']:,}",
                )
            )
    header = ("votes", "windows", "patients", "votes each", "agreement", "unanimous",
              "ties")  # fmt: skip
    note = (
        "Agreement: how often two raters of a window say the same, drawn at random; windows of an "
        "EEG with the same votes count once. Unanimous: of two votes or more."
    )
    return Section("Raters", header, tuple(rows), note)


def _signals(facts: Facts) -> Section:
    labels = (
        "files used",
        "named, but without file",
        "not named in the table",
        "size",
        "hours",
        "longest",
        "smallest value",
        "largest value",
        "recordings with missing values",
        "missing values",
        "rows with nothing but NaN",
        "recordings beyond the clip",
        "values beyond the clip",
    )
    columns = [_signal_cells(facts["signals"][name]) for name in SIGNAL_TITLES]
    rows = zip(labels, *columns, strict=True)
    note = f"EEG in uV, spectrogram in uV^2/Hz. The clip is that of `hmsprep build`: {CLIP}."
    return Section("Recordings", ("", *SIGNAL_TITLES.values()), tuple(rows), note)


def _signal_cells(signal: Facts) -> tuple[str, ...]:
    low, high = signal.get("range", (None, None))
    return (
        f"{signal['files']:,}",
        f"{signal['without_file']:,}",
        f"{signal['not_named']:,}",
        f"{signal['bytes'] / 1e6:,.1f} MB",
        f"{signal['hours']:,.1f}",
        f"{signal['longest_s']:,.0f} s",
        _value(low),
        _value(high),
        f"{signal['missing']['recordings']:,}",
        f"{signal['missing']['values']:,}",
        f"{signal['missing']['rows_all_missing']:,}",
        f"{signal['outside']['recordings']:,}",
        f"{signal['outside']['values']:,}",
    )


def _missing(facts: Facts) -> Section:
    gaps = facts["windows_with_missing"]
    rows = [
        ("EEG", f"{gaps['eeg']:,}"),
        ("spectrogram", f"{gaps['spectrogram']:,}"),
        ("either", f"{gaps['either']:,}"),
        ("files missing or of no use", f"{gaps['without files']:,}"),
        ("left if all these are dropped", f"{gaps['left']:,}"),
    ]
    return Section("Windows with missing values", ("", "windows"), tuple(rows))


def _channels(facts: Facts) -> Section:
    eeg = facts["signals"]["eeg"]
    rows = []
    for channel, (low, high) in eeg["channels"].items():
        constant = ", ".join(
            f"{count:,} with {word}" for word, count in eeg["constant"].get(channel, {}).items()
        )
        rows.append((channel, _value(low), _value(high), constant or "none"))
    header = ("channel", "smallest, uV", "largest, uV", "recordings in which it never changes")
    return Section("EEG channels", header, tuple(rows))


def _percent(part: float | None) -> str:
    return "none" if part is None else f"{part:.0%}"


def _value(number: float | None) -> str:
    return "none" if number is None else f"{number:,.2f}"
