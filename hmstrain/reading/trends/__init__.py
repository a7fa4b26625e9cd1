"""Hours of EEG -> trends that a page shows above it: `follow_trends` and `Trends`.

::

    about.py       each trend's title, unit, formula, source and scale
    epochs.py      a recording -> blocks of bipolar pairs, cut into epochs of two seconds
    fir.py         gains by frequency -> a filter without delay, of a finite reach
    spectrum.py    pairs -> power: compressed spectrograms and asymmetry
    amplitude.py   pairs -> amplitude-integrated EEG
    suppression.py pairs -> how much of the time the EEG is suppressed
    rhythm.py      pairs -> how rhythmic the EEG is, and how fast
    quality.py     pairs -> how many of them hold EEG
    trends.py      all trends of a recording, at any resolution: `Trends`
    follow.py      a recording -> its trends, block by block, and kept: `follow_trends`
"""
