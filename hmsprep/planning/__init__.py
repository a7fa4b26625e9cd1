"""A table of windows and parameters -> which windows, which folds, what lies where.

::

    choices.py     the words that options take
    checks.py      what a caller gives for an option -> that, checked, or a refusal
    parameters.py  what the user chose -> one checked, frozen value
    cleaning.py    a file that says how signals are cleaned -> parameters
    windows.py     all windows -> the windows to build: typical, balanced, half, present
    folds.py       windows with patients and classes -> split and fold of each
    segments.py    windows and a shard's length -> which rows are stored, and where
    plan.py        table and parameters -> what the store will hold
    load.py        a path and parameters -> source and plan, compared with the files there
    rates.py       rows of recordings and rows that windows need -> whether they have another rate
    preview.py     data and options -> what a build would make, without reading a recording
"""
