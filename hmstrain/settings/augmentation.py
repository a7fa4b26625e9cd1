"""How training windows are changed at random."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.settings.setting import Group, within


@dataclass(frozen=True)
class AugmentationSettings(Group):
    """How training windows are changed at random."""

    flip: float = within(0.5, 0, 1, "Chance of reversing time, in both signals together.")
    shift_s: float = within(
        0.0,
        0,
        600,
        "Shift windows by up to this many seconds into the real signal around them, as far as "
        "there is any.",
    )
    swap: float = within(0.0, 0, 1, "Chance of mirroring left and right.")
    channel_dropout: float = within(0.0, 0, 1, "Chance of leaving out each bipolar channel.")
    context_dropout: float = within(
        0.0,
        0,
        1,
        "Chance of leaving out all around a window's judged seconds, in both signals, so that the "
        "model learns to do without.",
    )
    mask: int = within(
        0, 0, 100, "Stripes across time, and as many across frequency, blanked in each image."
    )
    mask_size: float = within(0.1, 0, 1, "Largest width of a stripe, as a share of the image.")
    noise: float = within(
        0.0, 0, 100, "Deviation of added noise, in units of the input's own deviation."
    )
    mixup: float = within(
        0.0, 0, 100, "Alpha of the Beta distribution by which pairs of windows are mixed; 0: none."
    )
