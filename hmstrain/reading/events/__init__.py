"""What a model and a reader found in a recording, as the reader leaves it, and what follows of it.

::

    acns.py        shares and seconds -> the words of the ACNS; terms of a background
    event.py       an event: what was proposed, what the reader made of it, and its row
    event_file.py  the model's episodes and the reader's own in one list, each change kept at once
    background.py  a reader's description of the background, in a file of its own
    summary.py     accepted events -> figures of each hour, and text for a report
    export.py      accepted events -> EDF+ annotations, CSV, SzCORE events
"""
