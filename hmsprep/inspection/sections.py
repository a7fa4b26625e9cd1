"""Facts of a survey -> tables and sentences, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass

from hmsprep.inspection.table import Facts
from hmsprep.planning.choices import EEG_CLIP_UV, EKG_CLIP_UV
from hmsprep.words import plural
from hmsstore.schema import CLASS_TITLES, CLASSES
from hmsstore.view.eeg import share
from hmsstore.windows import MANY_VOTES

SIGNAL_TITLES = {"eeg": "EEG", "spectrogram": "spectrogram"}
CLIP = f"{EEG_CLIP_UV:,.0f} uV, {EKG_CLIP_UV:,.0f} for the EKG, e^8 uV^2/Hz"
"""Where `hmsprep build` clips by default."""
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
    """What deserves attention, a sentence each."""
    found = [f"{problem}" for problem in facts["problems"][:10]]
    if len(facts["problems"]) > 10:
        found.append(f"{plural(len(facts['problems']) - 10, 'more file')} cannot be used.")
    for name, signal in facts["signals"].items():
        title = SIGNAL_TITLES[name]
        if signal["without_file"]:
            enough = facts["windows_with_missing"]["without files"] < facts["windows"]
            found.append(
                f"{signal['without_file']:,} of the {plural(signal['named'], title)} in the table "
                f"have no file: download them{SKIP if enough else ''}."
            )
        if signal["not_named"]:
            found.append(
                f"{plural(signal['not_named'], f'{title} file')} not named in the table; a build "
                "ignores such files."
            )
        if signal["short"]:
            found.append(f"{plural(signal['short'], 'window')} beyond the end of the {title} file.")
        found += [
            f"{title} files {', '.join(map(str, ids[:5]))} are identical."
            for ids in signal["same_content"][:5]
        ]
        if len(signal["same_content"]) > 5:
            found.append(
                f"{len(signal['same_content']) - 5:,} more groups of identical {title} files."
            )
    if facts["signals"]["eeg"]["other_rate"]:
        found.append(facts["signals"]["eeg"]["other_rate"])
    found += _out_of_range(facts)
    gaps = facts["windows_with_missing"]
    if gaps["without files"] == facts["windows"]:
        found.append("No window has both an EEG and a spectrogram file: nothing can be built.")
    if gaps["either"]:
        found.append(
            f"{plural(gaps['either'], 'window')} with missing values ({gaps['eeg']:,} in EEG, "
            f"{gaps['spectrogram']:,} in spectrogram): choose how to fill them with "
            "`hmsprep build --nan`."
        )
    quirks = facts["quirks"]
    if quirks["offsets_between_spectrogram_rows"]:
        found.append(
            f"{plural(quirks['offsets_between_spectrogram_rows'], 'spectrogram offset')} between "
            "two rows of 2 s (an odd number of seconds): rounded down to a row."
        )
    if quirks["eegs_that_move_against_their_spectrogram"]:
        found.append(
            f"{plural(quirks['eegs_that_move_against_their_spectrogram'], 'EEG')} with offsets "
            "that differ from the spectrogram's by varying amounts: the two windows of some rows "
            "cannot have the same centre."
        )
    if quirks["label_ids_given_twice"]:
        found.append(
            f"{plural(quirks['label_ids_given_twice'], 'label id')} used for several windows."
        )
    flat = {
        channel: sum(words.values())
        for channel, words in facts["signals"]["eeg"]["constant"].items()
    }
    if flat:
        worst = sorted(flat, key=lambda channel: -flat[channel])[:4]
        found.append(
            "Flat channels (number of recordings): "
            + ", ".join(f"{channel} {flat[channel]:,}" for channel in worst)
            + (" ..." if len(flat) > 4 else "")
            + "."
        )
    return found + _electrodes(facts["signals"]["eeg"]["condition"])


CONDITIONS = {
    "flat": "electrodes flat in at least a tenth of it",
    "railed": "electrodes at the rail of the amplifier in at least a tenth of it",
    "bridged": "neighbours that are bridged: both measure the same",
}
"""What is said of electrodes, by the key of their recordings."""


def _electrodes(condition: Facts) -> list[str]:
    """A sentence for each kind of electrode without EEG of its own."""
    found = []
    for key, words in CONDITIONS.items():
        count, most = condition[key]["recordings"], condition[key]["most"]
        if count:
            told = ", ".join(f"{one['id']} ({', '.join(one['names'])})" for one in most[:5])
            found.append(
                f"{plural(count, 'EEG recording')} with {words}: {told}"
                f"{' ...' if count > 5 else ''}."
            )
    return found


def _out_of_range(facts: Facts) -> list[str]:
    """A sentence for each signal that goes beyond the clip."""
    found = []
    for name, signal in facts["signals"].items():
        outside = signal["outside"]
        if outside["recordings"]:
            worst = ", ".join(f"{one['id']} ({share(one['share'])})" for one in outside["most"][:5])
            found.append(
                f"{plural(outside['recordings'], f'{SIGNAL_TITLES[name]} recording')} with values "
                f"beyond the clip ({CLIP}), most in {worst}."
            )
        if outside["channels"]:
            told = ", ".join(
                f"{one['id']} ({', '.join(f'{c} {share(s)}' for c, s in one['channels'].items())})"
                for one in outside["most"][:5]
                if one["channels"]
            )
            found.append(
                f"{plural(outside['channels'], 'EEG recording')} with 1% or more of a channel "
                f"beyond the clip: {told}. A store holds the clip there; do they need a high-pass, "
                "or another unit?"
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
    return Section("Contents", ("", ""), tuple(rows))


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
        "Agreement: how often two random raters of a window agree; windows of an EEG with the same "
        "votes count once. Unanimous: windows with two votes or more, all for one class."
    )
    return Section("Raters", header, tuple(rows), note)


def _signals(facts: Facts) -> Section:
    labels = (
        "files used",
        "in the table, without file",
        "files not in the table",
        "size",
        "length",
        "longest",
        "smallest value",
        "largest value",
        "recordings with missing values",
        "missing values",
        "rows with only NaN",
        "recordings beyond the clip",
        "values beyond the clip",
    )
    columns = [_signal_cells(facts["signals"][name]) for name in SIGNAL_TITLES]
    rows = zip(labels, *columns, strict=True)
    note = f"EEG in uV, spectrogram in uV^2/Hz. `hmsprep build` clips at {CLIP}."
    return Section("Recordings", ("", *SIGNAL_TITLES.values()), tuple(rows), note)


def _signal_cells(signal: Facts) -> tuple[str, ...]:
    low, high = signal.get("range", (None, None))
    return (
        f"{signal['files']:,}",
        f"{signal['without_file']:,}",
        f"{signal['not_named']:,}",
        f"{signal['bytes'] / 1e6:,.1f} MB",
        f"{signal['hours']:,.1f} h",
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
        ("files missing or unusable", f"{gaps['without files']:,}"),
        ("left if all of these are dropped", f"{gaps['left']:,}"),
    ]
    return Section("Windows with missing values", ("", "windows"), tuple(rows))


def _channels(facts: Facts) -> Section:
    eeg = facts["signals"]["eeg"]
    rows = []
    for channel, (low, high) in eeg["channels"].items():
        constant = ", ".join(
            f"{count:,} (at {word})" for word, count in eeg["constant"].get(channel, {}).items()
        )
        rows.append((channel, _value(low), _value(high), constant or "none"))
    header = ("channel", "smallest, uV", "largest, uV", "flat in recordings")
    return Section("EEG channels", header, tuple(rows))


def _percent(part: float | None) -> str:
    return "none" if part is None else f"{part:.0%}"


def _value(number: float | None) -> str:
    return "none" if number is None else f"{number:,.2f}"
