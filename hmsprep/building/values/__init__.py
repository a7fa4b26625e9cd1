"""A recording as it was read -> the values that are stored.

::

    gaps.py        what was missing of a recording -> its gaps, as the store keeps them
    clean.py       a raw recording -> filled, clipped, band-passed, as logarithm
    float16.py     float32 <-> float16 on whole blocks at a time: bit by bit what `astype` gives
    normalise.py   values of a scratch shard -> z-scores, with the mean where none was
    statistics.py  cleaned recordings -> exact mean and deviation per feature
"""
