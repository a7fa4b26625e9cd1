"""How training windows are changed at random."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.errors import ConfigError
from hmstrain.settings.setting import Group, setting, within


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
    stretch: float = within(
        0.0,
        0,
        0.5,
        "Run time up to this much faster or slower around the label, in both signals: 0.25 for "
        "speeds from 1 / 1.25 to 1.25.",
    )
    zoom_jitter_s: float = within(
        0.0,
        0,
        20,
        "Move the parts at closer range, of inputs that have them, by up to this many seconds off "
        "the label.",
    )
    swap: float = within(0.0, 0, 1, "Chance of mirroring left and right.")
    front_back: float = within(0.0, 0, 1, "Chance of exchanging front and back.")
    permute_chains: float = within(
        0.0,
        0,
        1,
        "Chance of another order of the chains: lateral and parasagittal exchanged on one side or "
        "both, or left and right, or all of these.",
    )
    channel_dropout: float = within(
        0.0,
        0,
        1,
        "Chance of leaving out each bipolar channel; with channel_dropout_most, of leaving out "
        "some of a window's.",
    )
    channel_dropout_most: int = within(
        0,
        0,
        17,
        "Leave out from 1 to this many bipolar channels, all numbers equally likely; 0: each "
        "channel independently.",
    )
    random_bandpass: float = within(
        0.0,
        0,
        1,
        "Chance of filtering 1 to 8 bipolar channels of a window again: to a band from 0 to 2 Hz "
        "up to 10 to 19 Hz.",
    )
    context_dropout: float = within(
        0.0,
        0,
        1,
        "Chance of leaving out everything around a window's judged seconds, in both signals, so "
        "that the model learns to do without it.",
    )
    mask: int = within(
        0, 0, 100, "Stripes across time, and as many across frequency, blanked in each image."
    )
    mask_size: float = within(0.1, 0, 1, "Largest width of a stripe, as a share of the image.")
    boxes: int = within(
        0, 0, 100, "Blank from 0 to this many boxes in each image, different ones in each input."
    )
    box_size: float = within(
        0.0625, 0, 1, "Largest height and width of a box, as a share of the image."
    )
    noise: float = within(
        0.0, 0, 100, "Deviation of added noise, in units of the input's own deviation."
    )
    mixup: float = within(
        0.0, 0, 100, "Alpha of the Beta distribution by which pairs of windows are mixed; 0: none."
    )
    mixup_p: float = within(1.0, 0, 1, "Chance of mixup, for each batch.")
    mixup_clip: float = within(
        0.0, 0, 0.5, "Smallest share of a window under mixup: 0.4 for shares from 0.4 to 0.6."
    )
    generated: float = within(
        0.0,
        0,
        0.9,
        "Share of each batch with images drawn by a generator, for the same votes; 0: none.",
    )
    generator: str = setting(
        "", "The generator: a run of model=vae on the same input, with the same fold held out."
    )

    def check_together(self) -> None:
        """Refuse what does nothing without another setting."""
        if bool(self.generated) != bool(self.generator):
            raise ConfigError(
                "generated, a share of each batch, and generator, a run of model=vae, need each "
                "other."
            )
        if self.channel_dropout_most and not self.channel_dropout:
            raise ConfigError("channel_dropout_most needs channel_dropout, the chance of it.")
        if (self.mixup_p != 1 or self.mixup_clip) and not self.mixup:
            raise ConfigError("mixup_p and mixup_clip need mixup, the alpha to mix with.")
