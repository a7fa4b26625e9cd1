"""A recording as it was read -> the values that are stored.

::

    gaps.py        what was missing of a recording -> its gaps, as the store keeps them
    clean.py       a raw recording -> filled, clipped, band-passed, as logarithm
    float16.py     float32 <-> float16 on whole blocks at a time: bit by bit what `astype` gives
    statistics.py  cleaned recordings -> exact mean and deviation per feature
"""
