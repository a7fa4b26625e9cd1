"""The page of a recording: trends above, EEG below, marks and events beside them.

::

    places.py    times, texts -> which stretch a page shows
    zoom.py      a page and a length -> which part of a recording its trends show
    scale.py     a measured screen, a sensitivity -> microvolts from trace to trace
    traces.py    a recording and how it is shown -> the traces of one page
    eeg.py       the traces of a page -> a Bokeh figure
    strips.py    values over a recording -> strips in one Bokeh figure
    answers.py   runs and a recording -> a model's probabilities, from another process
    overview.py  trends and a model's answers -> the strips that show them
    opened.py    a recording, runs and folders -> what a page is of
    arriving.py  trends and answers that come meanwhile -> the strips of a page
    commands.py  keys, buttons and the address of a browser <-> texts that a page is told
    controls.py  what can be set about a page -> widgets
    marking.py   initials, a stretch and a class -> marks in the reader's file
    reviewing.py a model's episodes and a reader's marks -> events, a summary, exports
    app.py       the page of one reader
    page.html    the page's frame
"""
