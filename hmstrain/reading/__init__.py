"""A whole recording, as a reader sees it.

::

    pieces.py     EEG files of an import -> rows of microvolts, decoded or unpacked
    recording.py  an imported recording -> any stretch of it in microvolts: `Recording`
    clock.py      a recorder's file -> the time of day at which it starts
    cache.py      a recorder's file -> its import, kept by the file's SHA-256: `open_or_import`
    trends/       a recording -> spectrograms, asymmetry, aEEG, suppression, rhythm, quality
"""
