"""A local web page to browse a store, or a run's answers on it.

::

    browser.py    a store and predictions -> windows that pass a filter, in order
    answering.py  a window without a stored answer -> the run's answer, now
    figures.py    a window -> Bokeh figures, updated in place
    app.py        the page of one reader: filters, steps, figures
    serve.py      a browser of windows -> its page, served
    view.py       a run or a store -> its page, until it is interrupted
    page.html     the page's frame
"""
