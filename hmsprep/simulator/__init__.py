"""Simulated data sets in Kaggle's layout: structure, raters, EEG, spectrograms, files.

::

    structure.py  a number of windows, or a table to copy -> who was recorded when
    raters.py     recordings to judge -> votes of simulated raters
    layout.py     a table of windows -> the recordings to simulate
    head.py       electrodes -> how strongly a source is seen at each
    noise.py      A spectrum -> noise that has it, of any length and number of channels, float32
    patterns.py   the five patterns as time courses
    scene.py      a patient and what happens when -> EEG and EKG in microvolts
    make.py       a number and a seed -> a whole data set: `hmsprep.synth`
"""
