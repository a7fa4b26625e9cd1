"""Finished runs and anyone's EEG -> probabilities, a timeline of a recording, a submission.

::

    demo.py        the demonstration model by its name
    hmsprep.py     hmsprep in a process of its own
    beside.py      a recording and its store -> notes, spectrogram, clock beside probabilities
    source.py      a store, a folder in Kaggle's layout, or recordings -> a store
    scored.py      predictions and votes -> scores, and what speaks against them
    ensemble.py    runs and a store -> probabilities averaged over networks
    given.py       runs, or a blend of them -> how their answers become one, and are calibrated
    answering.py   networks, loaded while their input is prepared, and a store -> one answer
    episodes.py    probabilities over time -> stretches over a threshold: episodes
    timeline.py    probabilities of sliding windows -> a recording's timeline
    leaving.py     episodes -> texts that say what they are, EDF+ annotations
    tables.py      probabilities and episodes -> CSV files
    picture.py     a timeline -> a picture of the night
    page.py        a timeline -> a page around its picture
    seizures/      seizure-like events and a reader's -> SzCORE events and scores: `hmstrain.score`
    recorded.py    a recording's probabilities -> all its files
    predict.py     runs and anyone's EEG -> all of it: `hmstrain.predict`
    submission.py  runs and the competition's test data -> submission.csv
    bundle.py      runs -> a folder from which a machine without internet predicts
"""
