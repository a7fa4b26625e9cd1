"""A store's path -> its files, opened, checked and mapped; rows and a shift -> where to read.

::

    columns.py        files of a table -> its columns in memory
    arrays.py         Zarr v3 array metadata -> read-only NumPy views of the files themselves
    requests.py       what a caller asks of a store -> rows, a fold, signals, arrays that fit it
    shift.py          rows of the window table, a shift -> where windows start in the arrays
    gaps.py           table of gaps -> what of a window was missing before it was filled
    contradictions.py tables and description -> what would make reading wrong
    opening.py        path -> checked seal, description and tables, every shard mapped
    zip_members.py    a zip archive -> the files in it, and their bytes
    feature_table.py  a sealed table of hand features -> its columns, tied to their store
    observed.py       gaps and places of windows -> which part of each window was observed
    memory.py         how much memory there is for files, of the machine or of the container
    pieces.py         parts of mapped files -> the large pieces around them, in the page cache
    disk.py           windows that come from a disk -> batch arrays, by reads, not page faults
"""
