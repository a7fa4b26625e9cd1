"""Which windows a run trains on, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.errors import ConfigError
from hmstrain.settings.setting import Group, one_of, refuse, setting, within

ALSO = "stores with a share of each batch between 0 and 1, such as simulated.zarr:0.3"
LAST_SEED = 2**31 - 1


@dataclass(frozen=True)
class SamplingSettings(Group):
    """Which windows a run trains on, and how much each counts."""

    fold: str = setting(
        "0",
        "Fold to validate on; all: one run for each; rotate: another fold in each epoch (leaks).",
    )
    seed: int = within(0, 0, LAST_SEED, "Seed of weights, order and augmentation.")
    seeds: int = within(
        1, 1, 1000, "Networks of seed, seed + 1 ..., whose predictions are averaged."
    )
    fraction: float = within(1.0, 1e-6, 1, "Share of the training patients to use.")
    sample: str = one_of(
        "window",
        "votes",
        "eeg",
        meaning="An epoch has all windows, one at random for each EEG and votes, or one for each "
        "EEG.",
    )
    balance: str = one_of(
        "none", "votes", meaning="votes: weight windows so that all classes carry equal votes."
    )
    vote_weight: str = one_of(
        "none",
        "log",
        "linear",
        "ranges",
        meaning="Weight a window by log(1 + votes), or by votes / 28; ranges: 0.3 up to two votes, "
        "0.5 up to eight, else 1.",
    )
    vote_decay: float = within(
        0.0,
        0,
        100,
        "With vote_weight=ranges, multiply weights of windows with up to eight votes by 1 minus "
        "this times the share of finished epochs, but at least by 0.02; 1.2 reaches that in runs "
        "of six epochs or more.",
    )
    entropy_weight: float = within(
        0.0,
        0,
        100,
        "Weight windows whose votes disagree more: by 1 and this times their entropy, as a share "
        "of the largest there can be.",
    )
    target: str = one_of(
        "window",
        "eeg",
        meaning="Train on the shares of a window's own votes, or of all votes on its EEG. Scores "
        "always go by the window's own.",
    )
    also: str = setting(
        "",
        "Other stores to also train on, each with its share of every batch, joined by commas: "
        "simulated.zarr:0.3. Validation, test and statistics use only the run's own store.",
    )
    min_votes: int = within(1, 1, 1000, "Train on windows with at least this many votes.")
    second_min_votes: int = within(
        10,
        1,
        1000,
        "Fewest votes of the windows of the second stage, or of populations' second answer.",
    )

    @property
    def others(self) -> dict[str, float]:
        """Share of each batch that each other store gives, by its path."""
        words = [word.strip().rpartition(":") for word in self.also.split(",") if word.strip()]
        return {path: float(share) for path, _, share in words}

    def check_together(self) -> None:
        """Refuse words that are no fold or share, a decay of nothing, and seeds beyond the last."""
        count = len([word for word in self.also.split(",") if word.strip()])
        try:
            others = self.others
        except ValueError:
            refuse("also", ALSO, self.also)
        if "" in others or not all(0 < share < 1 for share in others.values()):
            refuse("also", ALSO, self.also)
        if len(others) < count or sum(others.values()) >= 1:
            refuse(
                "also", "other stores, each once, with shares of less than 1 together", self.also
            )
        if self.vote_decay and self.vote_weight != "ranges":
            raise ConfigError("vote_decay needs vote_weight=ranges, whose weights it lowers.")
        if not (self.fold.isascii() and self.fold.isdigit()) and self.fold not in ("all", "rotate"):
            refuse("fold", "a fold's number, all or rotate", self.fold)
        if self.seed + self.seeds - 1 > LAST_SEED:
            refuse(
                "seed", f"at most {LAST_SEED - self.seeds + 1} with seeds={self.seeds}", self.seed
            )
