"""Predictions of anyone and the votes they are judged by -> the same rows of all of them.

::

    tables.py    CSV, parquet -> columns
    columns.py   names of columns -> what they hold: ids, votes, probabilities
    truth.py     a store or a table -> votes and patients by id
    read.py      a file or a run -> one model's probabilities by id
    matching.py  several models and their truth -> rows that all share
"""
