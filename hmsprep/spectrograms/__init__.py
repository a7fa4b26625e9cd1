"""EEG -> the competition's spectrogram.

::

    multitaper.py  raw EEG -> power per region and frequency, a row every 2 s
    files.py       EEG files -> spectrogram files
    agreement.py   computed and given spectrograms -> how well they agree
    figure.py      the agreement of two sets of spectrograms -> a figure
    check.py       a data set -> how well computed spectrograms agree with the given
"""
