"""A run's seed and a stream's name -> random numbers that no other stream draws.

Everything random of a run comes from its seed, a stream and where in the run it is drawn (a step,
an epoch, a process), so a resumed run draws the same although no random state is stored. Each
stream is a generator of its own: drawing more from one changes none of the others. Dropout and the
like draw from torch's own generator, which each step seeds from the stream `NETWORK`.
"""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np


@unique
class Stream(IntEnum):
    """What is drawn. The numbers are part of every run: another number is another run."""

    AUGMENTATION = 1
    """By step: flips, swaps, dropped pairs, stripes, noise and mixing of the whole batch."""
    PARTNERS = 2
    """By step and process: which windows are mixed."""
    SHIFTS = 3
    """By step: how far windows are shifted in time."""
    NORMALISATION = 4
    """Windows that normalisation is measured on."""
    ORDER = 5
    """By epoch: which windows are seen, and in which order."""
    HELD_OUT_FOLD = 6
    """By epoch: fold held out where folds rotate."""
    PATIENTS = 7
    """Patients that are trained on, where only a share of them is."""
    ONE_PER_PATIENT = 8
    """Windows on which the two embeddings are matched, one of each patient."""
    NETWORK = 9
    """By step and process: what the network itself draws, such as dropout."""
    CONTEXT = 10
    """By step: windows of which only the judged seconds are left."""
    MIXUP = 11
    """By step: whether its windows are mixed at all."""
    DROPPED_PAIRS = 12
    """By step: pairs that are left out, where their number is drawn."""
    BOXES = 13
    """By step: boxes that are blanked in images."""
    BANDS = 14
    """By step: pairs that are filtered once more, and their pass bands."""
    CHAINS = 15
    """By step: orders of the chains."""
    FRONT_BACK = 16
    """By step: windows whose front and back are exchanged."""
    SPEEDS = 17
    """By step: how fast time runs."""
    ZOOM = 18
    """By step: how far what is shown at closer range is moved off the label."""
    OTHER_STORES = 19
    """By step and store: windows of other stores than the run's own."""
    WITHOUT_FOLDS = 20
    """Patients whom pretraining holds out, of a store without folds."""
    GENERATED = 21
    """By step: windows that a generator draws anew, and the seed of each."""
    CODES = 22
    """Codes with which a generator is validated."""
    IMPORTANCE = 101
    """By group of features and round: which window gets the features of which."""


def sequence(seed: int, stream: Stream, *where: int) -> np.random.SeedSequence:
    """Seed of a stream at one place of a run.

    Parameters
    ----------
    seed : int
        The run's.
    stream : Stream
        What is drawn.
    *where : int
        Step or epoch, and process, as the stream says.
    """
    return np.random.SeedSequence([seed, int(stream), *where])


def generator(seed: int, stream: Stream, *where: int) -> np.random.Generator:
    """Make the generator of a stream at one place of a run; parameters as for `sequence`."""
    return np.random.default_rng(sequence(seed, stream, *where))
