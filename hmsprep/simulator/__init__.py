"""Simulated data sets in Kaggle's layout: structure, raters, EEG, spectrograms, files.

::

    raters.py      recordings to judge -> votes of simulated raters
    structure.py   a number of windows, or a table to copy -> who was recorded when
    head.py        electrodes -> how strongly a source is seen at each, and how late
    noise.py       a spectrum -> noise that has it, of any length and number of channels, float32
    traits.py      how raters vote on a stretch of EEG -> what must be in it for them to vote so
    course.py      when: beats of a pattern, how it comes and goes, pauses
    discharges.py  the shape of one discharge, and many of them in a row
    patterns.py    periodic discharges, rhythmic delta, and what lies between them
    seizures.py    seizures, and what comes after them
    background.py  a patient -> the EEG that patterns stand upon
    artefacts.py   what electrodes pick up besides the brain on a ward
    recorder.py    what amplifiers and recorders make of the potentials
    scene.py       a patient and what happens when -> EEG and EKG in microvolts
    layout.py      a table of windows -> the recordings to simulate
    make.py        a number and a seed -> a whole data set: `hmsprep.synth`
"""
