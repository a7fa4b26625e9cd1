"""Labels of a recording's signals, judged as a set -> how the store's twenty channels are mixed.

Each signal is the difference of two places on the head. Where one second part is common to the
electrodes, it is their reference. Else the differences are followed from electrode to electrode:
whatever hangs together is known up to a constant, which cancels in the pairs of the montage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hmsprep.errors import DataError, ParameterError
from hmsprep.importing.electrodes import HEART, SCALP, read_label, shown
from hmsprep.importing.splines import spline_weights
from hmsstore.montage import side
from hmsstore.schema import CHAINS, CHANNELS, REFERENCES

SCALP_REFERENCE, CHAINS_REFERENCE = REFERENCES
NEEDED = tuple(sorted({name for chain in CHAINS.values() for name in chain}, key=CHANNELS.index))
"""Electrodes without which there is no bipolar montage."""
LEFT, RIGHT = (tuple(name for name in NEEDED if side(name) == which) for which in ("left", "right"))
MIDLINE = tuple(name for name in CHANNELS if name not in NEEDED and name != HEART)
MOST_INTERPOLATED = 1 / 4
"""Share of the electrodes of chains that hang together; of more, too little is measured."""
LAPLACIANS = frozenset(("LAP", "LAPLACE", "LAPLACIAN", "SL", "CSD", "SD", "HJORTH"))
"""Second parts that name a source derivation: an electrode less its neighbours (Hjorth 1975)."""
NONE = "none"
"""What a signal is renamed to that is to be left out."""
TEXT = "annotations"
"""Stands for the label of a signal that holds text, which is no channel and not listed."""
MOST_NAMED = 64
"""Signals that a refusal names: all of most recorders, and not the hundreds of some."""

ReadSignals = Callable[[Sequence[int], int, int], NDArray[np.floating]]
"""Numbers of signals, first sample at 200 Hz, the one after the last -> (signals, samples) uV."""
Mix = dict[str, dict[int, float]]
Difference = tuple[int, str, str]
"""Number of a signal, and the electrodes that it is the difference of."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """How the channels are mixed from a file's signals."""

    mix: Mapping[str, Mapping[int, float]]
    """Channel -> number of each signal that it consists of -> weight. A channel of no signals is 0
    by right: the electrode that the others were measured against, or the first of a chain."""
    references: tuple[str, ...] = ()
    """What the labels say that electrodes were measured against; empty if they do not."""
    reference: str = SCALP_REFERENCE
    """'scalp' if all electrodes share a reference; 'chains' if only the differences of electrodes
    along a chain are known, each chain up to a constant."""
    interpolated: tuple[str, ...] = ()
    """Electrodes that were computed from others."""
    notes: tuple[str, ...] = ()
    """What was guessed or left out, a sentence each, without the file's name."""
    differences: tuple[Difference, ...] = ()
    """Signals that are read and are the difference of two electrodes."""

    @property
    def filled(self) -> tuple[str, ...]:
        """Channels that the file lacks and the montage can do without."""
        return tuple(name for name in CHANNELS if name not in self.mix)

    @property
    def signals(self) -> tuple[int, ...]:
        """Numbers of the signals that are read, ascending."""
        return tuple(sorted({number for parts in self.mix.values() for number in parts}))

    def mixed(self, read: ReadSignals, first: int, stop: int) -> NDArray[np.float32]:
        """Read the channels of samples [first, stop): (20, samples) microvolts at 200 Hz.

        A channel of no signals is 0, and NaN where no electrode is known: a gap is one of all
        channels, whichever of them the file has.
        """
        numbers = self.signals
        weights = np.zeros((len(CHANNELS), len(numbers)))
        for channel, parts in self.mix.items():
            for number, weight in parts.items():
                weights[CHANNELS.index(channel), numbers.index(number)] = weight
        signals_uv = read(numbers, first, stop)
        mixed_uv = np.zeros((len(CHANNELS), stop - first), np.float32)
        for mixture, row in zip(mixed_uv, weights, strict=True):
            used = np.flatnonzero(row)  # or one signal's missing values would be everyone's
            mixture[:] = row[used] @ signals_uv[used]
        measured = np.array([bool(self.mix.get(name)) for name in CHANNELS])
        electrodes = measured & (np.asarray(CHANNELS) != HEART)
        gap = np.isnan(mixed_uv[electrodes]).all(axis=0)
        mixed_uv[~measured[:, None] & gap] = np.nan
        return mixed_uv


@dataclass(frozen=True, slots=True)
class _Lead:
    """A signal that measures an electrode against something."""

    number: int
    electrode: str
    second: str


def choose_signals(
    labels: Sequence[str],
    renamed: Mapping[str, str],
    where: str,
    *,
    unusable: Mapping[int, str] | None = None,
    interpolate: bool = False,
) -> Chosen:
    """Find out how the twenty channels are mixed from a file's signals.

    Parameters
    ----------
    labels : sequence of str
        As they stand in the file; `TEXT` of signals that hold text.
    renamed : mapping
        Label, or '#' and the number of a signal from 1 on -> what to read it as; 'none': leave it
        out.
    where : str
        Name of the file, for messages.
    unusable : mapping, optional
        Number of a signal (from 0 on) that holds no EEG -> why, a sentence.
    interpolate : bool
        Compute electrodes that are missing or unusable from the others.

    Returns
    -------
    Chosen
        Electrodes along chains are the least-squares solution of all their differences, with the
        first electrode of each chain at 0: each difference is exact within a quantisation step.

    Raises
    ------
    DataError
        An electrode of the four chains is missing, or stands there twice.
    ParameterError
        A signal is renamed to what is no channel.
    """
    unusable = unusable or {}
    names, notes = _renamed(labels, renamed, where)
    leads, hearts = _leads(names)
    heart = next((number for number in hearts if number not in unusable), None)
    used = [lead for lead in leads if lead.number not in unusable]
    used = _of_one_reference(used, labels, notes)
    used = _unrepeated(used, labels, where, notes)
    groups = _groups(used)
    left, right, middle = (_largest(groups, place) for place in (LEFT, RIGHT, MIDLINE))
    on_scalp = left == right
    mix: Mix = {} if heart is None else {HEART: {heart: 1.0}}
    for place, group in ((LEFT, left), (RIGHT, right), (MIDLINE, left if on_scalp else middle)):
        solved = _solved([lead for lead in used if lead.electrode in group])
        mix |= {name: solved[name] for name in place if name in solved}
    wanted = [name for name in NEEDED if name not in mix]
    places = ((*LEFT, *RIGHT),) if on_scalp else (LEFT, RIGHT)
    few = all(len(set(wanted) & set(place)) <= len(place) * MOST_INTERPOLATED for place in places)
    if wanted and not (interpolate and few):
        raise DataError(_lacking(wanted, leads, labels, unusable, where, few, interpolate))
    if on_scalp and interpolate:
        wanted += [name for name in MIDLINE if name not in mix]
        places = ((*LEFT, *MIDLINE, *RIGHT),)
    for place in places:
        mix |= _interpolated(mix, place, [name for name in place if name in wanted])
    notes += _left_out(leads, hearts, mix, wanted, labels, unusable)
    seconds = {lead.second for lead in used if lead.electrode in mix} - {""}
    notes += [
        f"Its electrodes are measured against {second}, by its name the mean of each one's "
        "neighbours: they share no reference, so differences such as Fp1-F7 are not those of other "
        "recordings. Export it with a common reference."
        for second in sorted(seconds & LAPLACIANS)
    ]
    if not on_scalp or len(seconds) > 1:
        seconds = {second for second in seconds if second not in CHANNELS}
    return Chosen(
        mix,
        tuple(sorted(seconds)),
        SCALP_REFERENCE if on_scalp else CHAINS_REFERENCE,
        tuple(sorted(wanted, key=CHANNELS.index)),
        tuple(notes),
        tuple(
            (lead.number, lead.electrode, lead.second)
            for lead in used
            if lead.electrode in mix and lead.second in CHANNELS
        ),
    )


def named(number: int, labels: Sequence[str]) -> str:
    """Name a signal in a message: by its number from 1 on, and its label."""
    return f"#{number + 1} {shown(labels[number])!r}"


def _renamed(
    labels: Sequence[str], renamed: Mapping[str, str], where: str
) -> tuple[list[str], list[str]]:
    """What to read each signal as, and what of the renaming fits no signal."""
    names, notes = list(labels), []
    texts = [shown(label) for label in labels]
    for key, name in renamed.items():
        if name != NONE and read_label(name) is None:
            raise ParameterError(
                f"--rename {key}={name}: expected a channel, such as Fp1 or EKG, a pair, such as "
                f"Fp1-F7, or {NONE!r}, got {name!r}."
            )
        found = [number for number, text in enumerate(texts) if text == shown(key)]
        if not found and key[:1] == "#" and key[1:].isdecimal():
            found = [int(key[1:]) - 1] if 0 < int(key[1:]) <= len(labels) else []
        if len(found) > 1:
            numbers = ", ".join(f"#{number + 1}" for number in found)
            raise DataError(
                f"{where} has {len(found)} signals {key!r} ({numbers}), so --rename {key}={name} "
                f"fits more than one. Name one by its number: --rename '#{found[-1] + 1}={name}'."
            )
        for number in found:
            names[number] = name
        if not found:
            notes.append(f"No signal is named {key!r}, so --rename {key}={name} does nothing.")
    return names, notes


def _leads(names: Sequence[str]) -> tuple[list[_Lead], list[int]]:
    """Signals of electrodes, and those of the heart."""
    leads, hearts = [], []
    for number, name in enumerate(names):
        found = read_label(name)
        if found is None:
            continue
        if found[0] == HEART:
            hearts.append(number)
        elif found[0] != found[1]:
            leads.append(_Lead(number, *found))
    return leads, hearts


def _of_one_reference(leads: list[_Lead], labels: Sequence[str], notes: list[str]) -> list[_Lead]:
    """Keep only the leads of a second part that is common to the electrodes of the chains.

    Where most leads name one and the same reference, those that name none are taken to share it.
    """
    counts = Counter(lead.second for lead in leads)
    blank = counts.pop("", 0)
    if blank and len(counts) == 1:
        ((common, count),) = counts.items()
        have = {lead.electrode for lead in leads if lead.second}
        joining = [lead for lead in leads if not lead.second and lead.electrode not in have]
        if count > blank and joining:
            taken = ", ".join(named(lead.number, labels) for lead in joining)
            notes.append(f"{taken}: no reference is named; taken to be {common} as of the others.")
            leads = [replace(lead, second=common) if lead in joining else lead for lead in leads]
    seconds = Counter(lead.second for lead in leads).most_common()
    for second, _ in seconds:
        own = [lead for lead in leads if lead.second == second]
        if {*NEEDED} <= {second, *(lead.electrode for lead in own)}:
            have = {lead.electrode for lead in own}
            unread = [
                named(lead.number, labels)
                for lead in leads
                if lead.second not in (second, *CHANNELS) and lead.electrode in have
            ]
            if unread:
                notes.append(
                    f"Signals {_against(second)} are read, and not others of the same electrodes: "
                    f"{', '.join(unread[:3])}{' ...' if len(unread) > 3 else ''}."
                )
            return own
    others = [name for name, _ in seconds if name not in CHANNELS and SCALP.fullmatch(name)]
    beside = {name for name in others if 2 * dict(seconds)[name] <= len(leads)}  # T7-FT9
    return [lead for lead in leads if lead.second not in beside]


def _against(second: str) -> str:
    return f"measured against {second}" if second else "without a reference in their labels"


def _unrepeated(
    leads: list[_Lead], labels: Sequence[str], where: str, notes: list[str]
) -> list[_Lead]:
    """Keep the first of signals that say the same; refuse to choose among an electrode's."""
    kept: dict[frozenset[str], _Lead] = {}
    for lead in leads:
        pair = frozenset((lead.electrode, lead.second))
        first = kept.setdefault(pair, lead)
        if first is lead:
            continue
        both = f"{named(first.number, labels)} and {named(lead.number, labels)}"
        if lead.electrode in NEEDED and lead.second not in CHANNELS:
            raise DataError(
                f"{where} has two signals for {lead.electrode}: {both}. Leave one of them out with "
                f"--rename '#{lead.number + 1}={NONE}'."
            )
        notes.append(f"{both} measure the same by their labels: the first is read.")
    return list(kept.values())


def _groups(leads: Iterable[_Lead]) -> list[frozenset[str]]:
    """Electrodes and seconds that hang together by differences."""
    groups: list[frozenset[str]] = []
    for lead in leads:
        ends = frozenset((lead.electrode, lead.second))
        joined = [group for group in groups if group & ends]
        groups = [group for group in groups if group not in joined] + [ends.union(*joined)]
    return groups


def _largest(groups: Sequence[frozenset[str]], names: Collection[str]) -> frozenset[str]:
    """Find the group of most of the electrodes, the first of several; empty if none has any."""
    best = max(groups, key=lambda group: len(group.intersection(names)), default=frozenset[str]())
    return best if best.intersection(names) else frozenset()


def _solved(leads: Sequence[_Lead]) -> Mix:
    """Mix the electrodes of one group from its differences, by least squares.

    The reference that most share is 0, else the first electrode.
    """
    if not leads:
        return {}
    counts = Counter(lead.second for lead in leads).most_common()
    electrodes = {name for lead in leads for name in (lead.electrode, lead.second)} & {*CHANNELS}
    nodes = [name for name in CHANNELS if name in electrodes]
    outside = [second for second, _ in counts if second not in electrodes]
    common, count = counts[0]
    shared = count > max(1, len(leads) / 2)
    zero = outside[0] if outside else common if shared else nodes[0]
    unknown = [name for name in (*nodes, *outside) if name != zero]
    differences = np.zeros((len(leads), len(unknown)))
    for row, lead in zip(differences, leads, strict=True):
        for name, sign in ((lead.electrode, 1.0), (lead.second, -1.0)):
            if name != zero:
                row[unknown.index(name)] = sign
    weights = np.linalg.pinv(differences).round(12)
    mix: Mix = {zero: {}} if zero in electrodes else {}
    for name, row in zip(unknown, weights, strict=True):
        if name in electrodes:
            mix[name] = {
                lead.number: float(weight)
                for lead, weight in zip(leads, row, strict=True)
                if weight
            }
    return mix


def _interpolated(mix: Mix, place: Sequence[str], wanted: Sequence[str]) -> Mix:
    """Mix electrodes from the others of their place on the head, by spherical splines."""
    if not wanted:
        return {}
    known = [name for name in place if name in mix]
    found: Mix = {}
    for name, row in zip(wanted, spline_weights(known, wanted), strict=True):
        parts: dict[int, float] = {}
        for other, weight in zip(known, row.tolist(), strict=True):
            for number, share in mix[other].items():
                parts[number] = parts.get(number, 0.0) + weight * share
        found[name] = parts
    return found


def _left_out(
    leads: Sequence[_Lead],
    hearts: Sequence[int],
    mix: Mix,
    interpolated: Collection[str],
    labels: Sequence[str],
    unusable: Mapping[int, str],
) -> list[str]:
    """Why channels that the file seems to have are 0 or computed."""
    notes = []
    for lead in leads:
        if lead.electrode in mix and lead.electrode not in interpolated:
            continue
        if lead.number in unusable:
            notes.append(unusable[lead.number])
        else:
            notes.append(
                f"{named(lead.number, labels)} is measured against what the other electrodes are "
                "not, so it is left out."
            )
    if HEART not in mix:
        notes += [unusable[number] for number in hearts]
    return notes


def _lacking(
    absent: Sequence[str],
    leads: Sequence[_Lead],
    labels: Sequence[str],
    unusable: Mapping[int, str],
    where: str,
    few: bool,
    interpolate: bool,
) -> str:
    """Say why electrodes are not known, and what would help."""
    broken = [
        unusable[n]
        for lead in leads
        if (n := lead.number) in unusable and (lead.electrode in absent or lead.second in absent)
    ]
    if interpolate:
        advice = " At most a quarter of the electrodes can be interpolated."
    elif few:
        advice = " To compute them from the other electrodes, use --interpolate."
    else:
        advice = ""
    if broken:
        return f"{where}: {broken[0]}{advice}"
    elsewhere = [lead for lead in leads if lead.electrode in absent and lead.number not in unusable]
    own = {lead.second for lead in elsewhere}
    counts = Counter(lead.second for lead in leads if lead.second not in own)
    common, count = counts.most_common(1)[0] if counts else ("", 0)
    if elsewhere and 4 * count >= len(leads) and common not in CHANNELS:
        first = elsewhere[0]
        listed = ", ".join(named(lead.number, labels) for lead in elsewhere)
        as_others = f"{first.electrode}-{common}" if common else first.electrode
        return (
            f"{where} lacks {', '.join(absent)} of the 16 electrodes of the montage: {listed} "
            f"{'are' if len(elsewhere) > 1 else 'is'} {_against(first.second)}, and others are "
            f"{_against(common)}. If that is the same, say so with --rename "
            f"'#{first.number + 1}={as_others}'.{advice}"
        )
    signals = [named(number, labels) for number, label in enumerate(labels) if label != TEXT]
    held = ", ".join(signals[:MOST_NAMED])
    if len(signals) > MOST_NAMED:
        held += f" and {len(signals) - MOST_NAMED:,} more signals"
    pairs = [lead for lead in leads if lead.second in CHANNELS]
    why = " Its differences do not lead from electrode to electrode." if pairs else ""
    return (
        f"{where} lacks {', '.join(absent)} of the 16 electrodes of the montage.{why} It has "
        f"{held or 'no signals'}. If electrodes have other names, give them, such as "
        f"--rename '#1=Fp1'.{advice}"
    )
