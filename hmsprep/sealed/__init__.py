"""A sealed store -> what is wrong with it, what it holds, what its windows look like; and copies.

::

    verification.py  a store -> everything that is wrong with it
    summary.py       a store -> what it holds and how it was made
    drawing.py       a store -> pictures of its windows
    transport/       a store <-> objects in S3 and its like
"""
