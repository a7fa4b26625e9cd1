"""A sealed store <-> objects below an address, such as s3://bucket/prefix.

The objects bear the names of the store's files, so any Zarr reader reads them where they are; or
they are packed, smaller and of use to `pull` alone. MANIFEST.json comes last: without it, what is
there is not a store. A ledger beside it tells which objects are whole, so that an interrupted push
resumes.

::

    objects.py     an address -> its objects, read and written; what goes wrong as one sentence
    background.py  coroutines -> results, several at once on a thread of their own, and progress
    packing.py     a file's bytes <-> the fewer that are sent
    ledger.py      which objects were written, and how <-> JSON
    sending.py     a store -> the objects: `push`
    fetching.py    the objects -> a store: `pull`
"""
