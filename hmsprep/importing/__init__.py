"""Recordings of other makers -> a data set in the competition's layout.

::

    electrodes.py  the label of one signal -> an electrode and what it was measured against
    splines.py     electrodes -> the weights of others in one, by spherical splines
    channels.py    labels of all signals -> how the store's twenty channels are mixed from them
    pieces.py      the length of a recording -> pieces of at most an hour, and the windows of each
    recording.py   what an import knows of a recording and of a format
    patients.py    names, folders and headers of recordings -> which are of one patient
    resampling.py  samples at a signal's own rate -> any part of it at 200 Hz
    values.py      a part of a recording -> without offsets, what is beyond the clip, its power
    writing.py     pieces of recordings -> files, high-passed where their offsets ask for it
    rings.py       the pairs of a bipolar recording -> whether two ways along them add up
    condition.py   stretches of a recording -> electrodes that are flat, railed or bridged
    labels/        what is annotated of a recording -> the class of its windows: one file per layout
    formats/       a recorder's file -> a recording: one file per format
    gathering.py   files and folders -> opened recordings, their labels, and what was left out
    listing.py     files and folders -> what an import would do with them
    convert.py     recordings -> a data set, with sliding windows and spectrograms
    answering.py   a recorder's file -> any stretch of it that another program asks for
"""
