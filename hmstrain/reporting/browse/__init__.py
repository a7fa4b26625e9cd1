"""A local web page to browse a store, or a run's answers on it.

::

    browser.py    a store and predictions -> windows that pass a filter, in order
    filters.py    a browser of windows -> widgets by which they are chosen
    answering.py  a window without a stored answer -> the run's answer, now
    figures.py    a window -> Bokeh figures, updated in place
    labels.py     initials, a window and a class -> a mark in the reader's file
    keys.py       keys and the address of a browser <-> texts that the page is told
    app.py        the page of one reader: filters, steps, figures
    serve.py      a browser of windows -> its page, served
    view.py       a run or a store -> its page, until it is interrupted
    page.html     the page's frame
"""
