"""Predictions -> scores; a run on another store.

::

    metrics.py    targets, predictions, votes -> every score that is reported: `SCORES`
    scores.py     a network at some step -> its validation and test scores
    score_run.py  a finished run and any store -> its scores there: `hmstrain.test`
"""
