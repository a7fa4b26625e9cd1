"""A sealed store -> hand features (quantitative EEG) of its windows, in a sealed table beside it.

::

    columns.py        the features by name, unit, formula and source; which columns a store gets
    time_domain.py    a signal -> its moments, line length, Hjorth parameters
    spectrum.py       a signal -> its power in bands, ratios, spectral edge and entropy
    wavelets.py       a signal -> how its energy is shared among wavelet scales
    rhythm.py         a signal -> how rhythmic its delta waves and its spikes are
    connectivity.py   two electrodes -> how coherent they are, how locked in phase
    window.py         a window's EEG -> all its columns
    judged/           a window's judged seconds -> what tells its pattern
    sets.py           what a table holds: of the whole window, or of its judged seconds alone
    table.py          store and windows -> rows of the table, a part at a time
    make.py           a store -> the sealed table, killed and resumed at any point
"""
