"""Faults and hostile bytes, for as long as there is time -> counts by kind, and reproducers.

Whatever strikes, what was there before or what is to come is there, whole; whatever somebody else
wrote is read rightly or refused by an error of the package. `make soak SECONDS=1200` runs all kinds
in turn; the tests run each for a moment, and find a bug that is planted.

::

    mutate.py   bytes, JSON values and a seed -> others that are nearly alike
    struck.py   a block of work -> the same, with its N-th change to the disk failing or fatal
    samples.py  nothing -> a store, a run and a file of each kind that is read
    readers.py  samples -> what reads them, with the errors that it may raise
    faults.py   samples -> what writes them, struck, and what has to hold afterwards
    run.py      kinds and seconds -> counts, and a folder for each problem
"""
