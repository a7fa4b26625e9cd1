"""When a run is scored, and which of its checkpoints is kept."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.settings.setting import Group, one_of, setting, within


@dataclass(frozen=True)
class ValidationSettings(Group):
    """When a run is scored, and which of its checkpoints is kept."""

    validate_every: int = within(
        500, 1, 10**9, "Steps between validations; each epoch ends with one too."
    )
    best_by: str = one_of(
        "auto",
        "kl",
        "kl_votes",
        "kl_hi",
        "last",
        meaning="Score that chooses the best checkpoint. auto: KL over held-out windows with as "
        "many votes as the stage trains on, separately in a second stage; last: the latest is "
        "kept, as with fold=rotate.",
        before="kl_votes",
    )
    test_each_epoch: bool = setting(
        False,
        "Also score the test split after each epoch, as the report did. Off by default, since a "
        "test score at every epoch tempts you to choose by it.",
        before=True,
    )
