"""Predictions of anyone and the votes they are judged by -> the same rows of all of them.

::

    tables.py    CSV, parquet -> columns
    columns.py   names of columns -> what they hold: ids, votes, probabilities
    truth.py     a store or a table -> votes and patients by id
    read.py      a file or a run -> one model's probabilities by id
    rows.py      rows of several files, each with its ids -> the same rows of all, by id
    votes.py     those rows -> their votes, and which of them are typical
    groups.py    those rows -> whose they are: what is resampled
    matched.py   rows that several models answered; the names of the models
    matching.py  several models and their truth -> rows that all share
"""
