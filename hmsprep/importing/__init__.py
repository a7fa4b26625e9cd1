"""Recordings of other makers -> a data set in the competition's layout.

::

    names      labels of signals -> the twenty channels, and what is missing
    edf        EDF, EDF+ and BDF files -> microvolts at 200 Hz, any part of them
    intervals  annotated seizures and patterns beside a file -> votes of windows
    pieces     a recording -> pieces of at most an hour, and the windows of each
    dataset    all of it -> parquet files, tables, annotations
"""
