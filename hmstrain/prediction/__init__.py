"""Finished runs and anyone's EEG -> probabilities, a timeline of a recording, a submission.

::

    source      a store, a folder in Kaggle's layout or recordings -> a store, built if need be
    ensemble    runs and a store -> probabilities of its windows, averaged over networks
    recording   probabilities of sliding windows -> a recording's timeline and its episodes
    pages       a timeline -> picture and page
    tables      probabilities -> CSV files; the competition's submission
"""
