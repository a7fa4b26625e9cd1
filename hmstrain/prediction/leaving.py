"""Episodes -> what leaves the program: texts that say what they are, EDF+ annotations.

Annotations travel into other viewers without the page beside them, so each says by itself that it
is a model's answer and for research, and which channels were not recorded as they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hmsstore.atomic import whole_file
from hmstrain.errors import RESEARCH_ONLY, RunError
from hmstrain.prediction.episodes import Episode, EpisodeRule, said

RESEARCH = "RESEARCH, model"
"""How every text begins."""
CAVEATS = {
    "still": "flat or railed",
    "railed": "railed at times",
    "flat": "flat at times",
    "bridged": "bridged",
    "interpolated": "interpolated",
    "filled": "missing",
}
"""What is said of channels, by the key of their list."""


def caveat_words(caveats: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which channels were not recorded as they are shown: 'T3, O1 interpolated'."""
    return [
        f"{', '.join(caveats[key])} {words}" for key, words in CAVEATS.items() if caveats.get(key)
    ]


def doubts_of(episode: Episode) -> list[str]:
    """Say what an episode rests on that was not recorded as it is shown."""
    found = caveat_words(episode.caveats)
    if episode.eeg_missing > 0:
        found.append(f"up to {episode.eeg_missing:.0%} of the EEG not recorded")
    return found


def text_of(episode: Episode) -> str:
    """Say what an episode is: 'RESEARCH, model, p=0.83: seizure-like; T3 interpolated'."""
    words = "; ".join([said(episode.pattern), *doubts_of(episode)])
    return f"{RESEARCH}, p={episode.mean:.2f}: {words}"


def write_annotations(episodes: Sequence[Episode], rule: EpisodeRule, path: Path) -> None:
    """Write episodes as an EDF+ file of annotations alone, which viewers show over the EEG.

    The first annotation says what they are.

    Raises
    ------
    RunError
        edfio is not installed.
    """
    try:
        import edfio
    except ImportError:
        raise RunError("edfio is not installed. Run: pip install 'hms-eeg[prep]'") from None
    first = f"{RESEARCH} (hms-eeg): {RESEARCH_ONLY} Episodes: {rule.words}."
    annotations = [edfio.EdfAnnotation(0, None, first)]
    annotations += [
        edfio.EdfAnnotation(one.start_s, round(one.seconds, 3), text_of(one)) for one in episodes
    ]
    with whole_file(path) as partial:
        edfio.Edf([], annotations=annotations).write(partial)
