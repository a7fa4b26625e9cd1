"""The folder of a run, written and read again.

::

    stopping.py     signals -> an exception at once, or a note that is read between two steps
    json_file.py    values -> JSON files, sealed with their SHA-256
    log.py          steps, validations and tests <-> lines of `metrics.jsonl`
    outcome.py      scores of a finished run <-> `metrics.json`, and words for them
    predictions.py  probabilities of windows <-> `.npz` files, tied to their store
    source.py       a network of one's own <-> the files of its source, kept in its run
    folder.py       the folder of one run: what is written into it, and read again
    notice.py       a run -> what its outputs must say of it
    checkpoint.py   a network in training <-> the folders `best` and `last`
    trained.py      the best checkpoint of a run -> its network, ready for any store
    precision.py    a run's network and windows -> the arithmetic that it computes them in
    plots.py        scores and log -> pictures
"""
