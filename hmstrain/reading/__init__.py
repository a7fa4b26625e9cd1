"""A whole recording, as a reader sees it.

::

    pieces.py     EEG files of an import -> rows of microvolts, decoded or unpacked
    recording.py  an imported recording -> any stretch of it in microvolts: `Recording`
    clock.py      a recorder's file -> the time of day at which it starts
    asked.py      a recorder's file -> any stretch of it, read by another process as it is asked
    coming.py     a recorder's file that is being imported -> a recording to read at once
    cache.py      a recorder's file -> its import, kept by the file's SHA-256: `open_or_import`
    trends/       a recording -> spectrograms, asymmetry, aEEG, suppression, rhythm, quality
    events/       what a model and a reader found -> one list, a summary by hour, exports
    page/         a recording -> its page: trends, EEG, marks
    view.py       runs, stores and recordings -> the page that shows them: `hmstrain.view`
"""
