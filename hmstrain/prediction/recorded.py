"""A recording's probabilities -> its files: tables, events, annotations, a picture and a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hmsstore import Spec, Store
from hmsstore.reading.observed import judged_rows
from hmsstore.recordings import ImportedRecording
from hmstrain.data.inputs import INPUTS, signal_names, spans
from hmstrain.models import find_model
from hmstrain.prediction.beside import Note, powers_of
from hmstrain.prediction.episodes import SEIZURE, Episode, EpisodeRule
from hmstrain.prediction.leaving import caveat_words, write_annotations
from hmstrain.prediction.tables import write_episodes, write_timeline
from hmstrain.prediction.timeline import Timeline, make_timeline
from hmstrain.runs.json_file import write_json
from hmstrain.words import clock

if TYPE_CHECKING:
    from hmstrain.config import Config


@dataclass(frozen=True, slots=True)
class Made:
    """What the answers of all recordings have in common."""

    of: Mapping[str, Any]
    """The runs, and how their answers became one."""
    store: Store
    """Of their windows."""
    rule: EpisodeRule
    channels: frozenset[str]
    """Those that a run looks at."""
    notes: Mapping[str, tuple[Note, ...]] = field(default_factory=dict)
    """Recording -> what the recorder's file says of it."""
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Recording -> what the import said of it."""
    starts: Mapping[str, time] = field(default_factory=dict)
    """Recording -> time of day at which it starts, if that is to be shown."""
    limits: tuple[str, ...] = ()
    """What must be said of the runs; where there is something, probabilities alone are given."""
    beyond: frozenset[str] = frozenset(("eeg", "spectrogram"))
    """Signals of which a run looks at more than the judged seconds."""


def looked_beyond(configs: Iterable[Config], spec: Spec) -> frozenset[str]:
    """Tell of which signals runs look at more than the judged seconds: 'eeg', 'spectrogram'."""
    found: set[str] = set()
    for config in configs:
        for name in signal_names(config):
            (first, stop), (judged_first, judged_stop) = (
                spans(config)[name],
                judged_rows(spec, name),
            )
            if first < judged_first or stop > judged_stop:
                found.add(name)
    return frozenset(found)


def channels_read(configs: Iterable[Config], spec: Spec) -> frozenset[str]:
    """Tell which channels the answers of runs rest on.

    A spectrogram rests on the electrodes of the chains. Inputs made of the EEG are taken to rest on
    all electrodes, and on the EKG if they show each channel by itself; hand features on everything.
    """
    found: set[str] = set()
    for config in configs:
        if "spectrogram" in signal_names(config):
            found |= {name for chain in spec.chains.values() for name in chain}
        if "eeg" in signal_names(config):
            found |= {name for name in spec.eeg.features if name != spec.heart}
        layouts = {INPUTS[name].layout for name in config.encoders}
        if "microvolts" in layouts or find_model(config.model).table:
            found |= set(spec.eeg.features)
    return frozenset(found)


def caveats_of(
    recording: ImportedRecording, channels: frozenset[str], spec: Spec
) -> dict[str, tuple[str, ...]]:
    """Channels of a recording that were not recorded as they are shown, of those that count.

    Pairs count if both electrodes do, signals of other names always.
    """
    unread = set(spec.eeg.features) - channels
    lists = {
        "railed": recording.railed,
        "flat": recording.flat,
        "bridged": recording.bridged,
        "interpolated": recording.interpolated,
        "filled": recording.filled,
    }
    found = {
        key: tuple(name for name in names if unread.isdisjoint(name.split("-")))
        for key, names in lists.items()
    }
    return {key: names for key, names in found.items() if names}


STILL_UV = 0.1
"""An electrode that varies by no more than this over a second is flat, or at the recorder's end."""
MOST_WINDOWS = 60
"""Of an episode that are examined, spread over it."""


def still_electrodes(
    eeg_uv: NDArray[np.float32], rate_hz: float, electrodes: Mapping[str, int]
) -> tuple[str, ...]:
    """Find electrodes that do not vary in at least half of the seconds.

    Seconds in which none varies were not recorded, and do not count.

    Parameters
    ----------
    eeg_uv : float32 (N, T, C)
        Stretches of EEG.
    rate_hz : float
        Samples per second.
    electrodes : mapping of str to int
        Which to examine, with their places among the C.
    """
    second = round(rate_hz)
    seconds = eeg_uv.shape[1] // second
    blocks = eeg_uv[:, : seconds * second, list(electrodes.values())]
    blocks = blocks.reshape(len(eeg_uv) * seconds, second, len(electrodes))
    still = np.ptp(blocks, axis=1) <= STILL_UV
    still = still[~still.all(axis=1)]
    if not len(still):
        return ()
    return tuple(
        name for name, share in zip(electrodes, still.mean(axis=0), strict=True) if share >= 0.5
    )


def _examined(recording: ImportedRecording, channels: frozenset[str], spec: Spec) -> dict[str, int]:
    """Electrodes that should vary, with their places: not those that stand for a reference."""
    if recording.reference != "scalp":
        return {}
    silent = {*recording.filled, *recording.references, spec.heart}
    return {
        name: place
        for place, name in enumerate(spec.eeg.features)
        if name in channels and name not in silent
    }


def _with_still(
    episode: Episode, timeline: Timeline, store: Store, electrodes: Mapping[str, int]
) -> Episode:
    """Add electrodes that are flat or railed in an episode's judged seconds to its caveats."""
    inside = (timeline.centre_s > episode.start_s) & (timeline.centre_s < episode.stop_s)
    if timeline.rows is None or not electrodes:
        return episode
    rows = timeline.rows[inside]
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, MOST_WINDOWS).round().astype(int))]
    spec = store.spec
    rate = spec.eeg.row_rate_hz
    first, last = (
        round(at * rate) for at in (spec.judged_from_s, spec.judged_from_s + spec.judged_s)
    )
    stored = store.gather(np.sort(rows), "eeg")["eeg"][:, first:last]
    names = still_electrodes(store.denormalise({"eeg": stored})["eeg"], rate, electrodes)
    if not names:
        return episode
    others = {
        key: tuple(n for n in of if n not in names) if key in ("flat", "railed") else of
        for key, of in episode.caveats.items()
    }
    return replace(
        episode, caveats={"still": names, **{key: of for key, of in others.items() if of}}
    )


def write_recording(
    out: Path,
    events: Path,
    recording: ImportedRecording,
    windows: Mapping[str, NDArray[Any]],
    prediction: NDArray[np.float64],
    made: Made,
) -> dict[str, Any]:
    """Write everything of a recording; return what the summary of all tells of it.

    `out` is the common path of its files, without their endings; only that of its SzCORE events,
    `events`, may differ.
    """
    from hmsstore.view.saving import save
    from hmstrain.prediction.page import make_page
    from hmstrain.prediction.picture import draw_timeline
    from hmstrain.prediction.seizures.events import write_events

    rule, spec = made.rule, made.store.spec
    caveats = caveats_of(recording, made.channels, spec)
    timeline = make_timeline(recording, windows, prediction, spec, caveats)
    timeline = replace(
        timeline,
        notes=made.notes.get(recording.file, ()),
        powers=None if timeline.rows is None else powers_of(made.store, timeline.rows),
        start=made.starts.get(recording.file),
    )
    electrodes = _examined(recording, made.channels, spec)
    found_by_rule = [] if made.limits else timeline.episodes(rule)
    episodes = [_with_still(one, timeline, made.store, electrodes) for one in found_by_rule]
    out, name = out.parent, out.name
    out.mkdir(parents=True, exist_ok=True)
    write_timeline(out / f"{name}.csv", timeline)
    of_episodes = out / f"{name}.episodes.csv", out / f"{name}.annotations.edf"
    has_seizures = SEIZURE in spec.class_keys and not made.limits
    if made.limits:
        for left in (*of_episodes, events):  # of an earlier prediction
            left.unlink(missing_ok=True)
    else:
        write_episodes(of_episodes[0], episodes, timeline.start)
        write_annotations(episodes, rule, of_episodes[1])
    if has_seizures:
        write_events(events, episodes, timeline.seconds, rule)
    save(draw_timeline(timeline), out / f"{name}.png")
    about = _about(recording, timeline, made)
    warnings = made.warnings.get(recording.file, ())
    page = make_page(timeline, rule, about, episodes, made.limits, made.beyond, warnings)
    page.write(out / f"{name}.html")
    found = {
        "file": recording.file,
        "sha256": recording.sha256,
        "seconds": timeline.seconds,
        "filled": list(recording.filled),
        "interpolated": list(recording.interpolated),
        "reference": recording.reference,
        "references": list(recording.references),
        "flat": list(recording.flat),
        "railed": list(recording.railed),
        "bridged": list(recording.bridged),
        "warnings": list(warnings),
        "episode_rule": rule.to_json(),
        "share_of_windows_over_threshold": timeline.share_over_threshold(rule),
        "windows": timeline.counts(),
        "events": events.name if has_seizures else None,
        "episodes": [
            {
                "start_s": one.start_s,
                "stop_s": one.stop_s,
                "class": one.pattern.key,
                "mean": round(one.mean, 4),
                "largest": round(one.largest, 4),
                "eeg_missing": round(one.eeg_missing, 4),
                "spectrogram_missing": round(one.spectrogram_missing, 4),
                **{key: list(names) for key, names in one.caveats.items()},
            }
            for one in episodes
        ],
    }
    if made.limits:
        for key in ("episode_rule", "share_of_windows_over_threshold", "episodes"):
            del found[key]
        found["notice"] = " ".join(made.limits)
        write_json(out / f"{name}.json", found)
        return found
    write_json(out / f"{name}.json", found)
    return found | {"episodes": len(episodes)}


def _about(recording: ImportedRecording, timeline: Timeline, made: Made) -> dict[str, str]:
    """Where the probabilities come from, for the page."""
    return {
        "recording": recording.file,
        "length, h:mm:ss": clock(timeline.seconds),
        **({} if timeline.start is None else {"starts at": f"{timeline.start:%H:%M:%S}"}),
        "windows": f"{len(timeline.centre_s):,}",
        "runs": ", ".join(run["path"] for run in made.of["runs"]),
        "average": made.of["average"]
        + ", and of left-right mirrored input" * made.of["swap"]
        + ", and of time-reversed input" * made.of["reverse"],
        "references": ", ".join(recording.references) or "not named",
        "electrodes interpolated": ", ".join(recording.interpolated) or "none",
        "channels filled with 0": ", ".join(recording.filled) or "none",
        "electrodes bridged": ", ".join(recording.bridged) or "none",
        "channels in doubt that a run looks at": "; ".join(caveat_words(timeline.caveats))
        or "none",
    }
