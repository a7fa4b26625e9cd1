"""Predictions -> scores, differences and their intervals; a run on another store.

::

    bootstrap.py    sums of patients -> intervals, differences and tests
    formulas.py     targets, probabilities and counts -> KL, recall, F1, calibration error
    metrics.py      judged windows -> every score that is reported: `SCORES`
    experts.py      votes -> what a single rater is worth, and a model beside him
    fitting.py      probabilities and votes -> the few numbers that bring one to the other
    calibration.py  a temperature and a bias of each class, and whom they are for
    scores.py       a network at some step -> its validation and test scores
    seen.py         checkpoints and windows -> how many are of patients seen before
    tested.py       a run's scores on a store, and the folder that they are written into
    score_run.py    a finished run and any store -> its scores there: `hmstrain.test`
    answers/        predictions of anyone and their votes -> the same rows of all
    comparison/     the same rows of several models -> which is better: `hmstrain.compare`
    calibrate.py    predictions with votes -> a calibration: `hmstrain.calibrate`
    blending.py     several models on the same rows -> one answer: `hmstrain.blend`
"""
