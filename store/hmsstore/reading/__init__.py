"""A store's path -> its files, opened, checked and mapped; rows and a shift -> where to read.

::

    opening.py        path -> checked seal and description, every file mapped; nothing read yet
    arrays.py         Zarr v3 array metadata -> read-only NumPy views of the files themselves
    shift.py          rows of the window table, a shift -> where windows start in the arrays
    feature_table.py  a sealed table of hand features -> its columns, tied to their store
    disk.py           windows that come from a disk -> batch arrays, by reads, not page faults
"""
