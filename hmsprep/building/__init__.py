"""Files and a plan -> a sealed store, killed and resumed at any point.

::

    tasks.py          what a worker is given -> what it reports back, as values that pickle
    values/           a recording as it was read -> the values that are stored
    checksums.py      CRC-32 of what is read and written
    large_files.py    a large file, written in pieces that the page cache keeps whole
    shards.py         rows of values -> shard files: scratch while reading, Zarr v3 at the end
    worker.py         what a worker process does with a shard: ingest, normalise
    division.py       '3/16' -> a share of a build: its shards, and what all shares agree on
    versions.py       installed packages -> versions that decide the bytes of a store
    journal.py        what a build has finished -> an append-only file, and back after a crash
    durable.py        files that appear whole or not at all, and a lock that one process holds
    site.py           where a store is built: folders, what they hold now, the final rename
    passes.py         the two passes: source files -> scratch shards -> final shards
    clipped.py        what is beyond the clip -> a warning, or a refusal of what is not EEG in uV
    zarr_metadata.py  a plan -> every zarr.json of its store
    seal.py           finished shards, plan and journal -> a sealed store, the manifest last
    build.py          data and plan -> a sealed store, killed and resumed at any point
    sharing.py        shares of a build, on any machines -> one store, sealed at the end
    from_files.py     data and options -> a sealed store: `hmsprep.build`
"""
