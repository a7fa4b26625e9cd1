"""What the network sees of a window."""

from __future__ import annotations

from dataclasses import dataclass

from hmstrain.settings.setting import Group, one_of, refuse, setting, within


@dataclass(frozen=True)
class InputSettings(Group):
    """What the network sees of a window."""

    inputs: str = setting(
        "",
        "Inputs of the model, joined by +, such as spec+eeg; eeg: EEG in the form that the model "
        "takes. Unset: the model's own inputs.",
    )
    eeg_as: str = one_of(
        "image",
        "raw",
        meaning="EEG as an image of short-time spectra for the same model, or raw for a separate "
        "model.",
    )
    eeg_seconds: float = within(50.0, 2, 50, "Seconds of EEG around the window's middle to use.")
    spectrogram_rows: tuple[int, int] = setting(
        (0, 300), "First spectrogram row to use, and the one after the last: 138,162."
    )
    image_size: int = within(
        0, 0, 4096, "Side of the square that images are resized to; 0: keep their own size."
    )
    image_channels: str = one_of(
        "one",
        "three",
        meaning="Channels of an image of one plane for timm's models. one: its stem takes one, "
        "pretrained weights summed; three: three equal ones. All other networks get three.",
        before="three",
    )
    planes: str = one_of(
        "one",
        "difference",
        meaning="Planes of images with a panel for each bipolar pair. difference: the panel, less "
        "the mean of all others, and less the mean of its neighbours in the chains.",
    )
    standardise: str = one_of(
        "store",
        "window",
        meaning="Standardise images by the training data's statistics; window: then each by its "
        "own mean and deviation too.",
    )
    context: str = one_of(
        "observed",
        "filled",
        meaning="View of networks in windows that were recorded only in part. observed: the "
        "recorded part, mirrored; filled: the values in the store.",
        before="filled",
    )

    features: str = setting(
        "",
        "Table of hand features, for model=features; unset: the one beside the store, as "
        "`hmsprep features` writes it.",
        machine_only=True,
    )
    features_span: str = one_of(
        "window",
        "judged",
        meaning="Table of hand features, for model=features. window: of whole windows and their "
        "judged seconds; judged: of the judged seconds alone, so that short recordings suffice.",
    )

    def check_together(self) -> None:
        """Refuse rows and sizes that no image has."""
        rows = self.spectrogram_rows
        if len(rows) != 2 or not 0 <= rows[0] < rows[1] <= 300:
            refuse("spectrogram_rows", "two numbers FIRST < STOP from 0 to 300", list(rows))
        if self.image_size and self.image_size < 16:
            refuse("image_size", "0, or at least 16 pixels", self.image_size)
