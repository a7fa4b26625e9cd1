"""Faults and hostile bytes, for as long as there is time -> counts by kind, and reproducers.

Whatever strikes, what was there before or what is to come is there, whole; whatever somebody else
wrote is read rightly or refused by an error of the package. `make soak SECONDS=1200` runs all kinds
in turn; the tests run each for a moment, and find a bug that is planted.

::

    mutate.py   bytes, JSON values and a seed -> others that are nearly alike
    struck.py   a block of work -> the same, with its N-th change to the disk failing or fatal
    samples.py  nothing -> stores, a run and a file of each kind that is read
    readers.py  samples -> what reads them, with the errors that it may raise
    acts.py     paths -> what a process does with them, while others do the same
    forks.py    tasks -> how each ended, in processes of their own
    holds.py    a folder that was struck -> what has to hold there
    faults.py   samples -> what writes them, struck
    revoked.py  samples -> what reads or writes them, with rights taken away
    races.py    samples -> processes that want the same folder at the same time
    run.py      kinds and seconds -> counts, and a folder for each problem
"""
