"""Stores of windows -> how alike their windows are: `hmsprep.realism`, real beside simulated.

::

    sample.py       a store -> columns, classes, patients and sources of its windows
    matching.py     two samples -> weights under which their classes agree, resampled by patient
    distances.py    two samples -> how far apart each measure's distributions are
    two_samples.py  two samples -> how well a classifier tells them apart
    stand_ins.py    two sources and another sample -> the same at equal sizes
    comparison.py   two samples -> all of it; what several come to
    figures.py      what was found -> figures
    page.py         what was found -> one HTML file, CSV
    make.py         stores -> all of it: `hmsprep.realism`
"""
