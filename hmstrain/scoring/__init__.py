"""Predictions -> scores; a run on another store.

::

    bootstrap.py  sums of patients -> intervals, differences and tests
    formulas.py   targets, probabilities and counts -> KL divergence, recall, F1, calibration error
    metrics.py    judged windows -> every score that is reported: `SCORES`
    scores.py     a network at some step -> its validation and test scores
    score_run.py  a finished run and any store -> its scores there: `hmstrain.test`
"""
