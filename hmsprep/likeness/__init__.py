"""Stores of windows -> how alike their windows are: `hmsprep.realism`, real beside simulated.

::

    measures.py     the measures by name, unit, formula and source; which columns a store gets
    aperiodic.py    a spectrum -> its exponent and its knee
    coupling.py     electrodes -> correlation and lag by distance on the head
    discharges.py   bipolar pairs -> discharges: rate, intervals, shape, field, lag
    artefacts.py    unfiltered EEG -> mains, muscle, steps, flat and clipped stretches
    course.py       bipolar pairs -> suppression, onsets, evolution, regularity of waves
    window.py       a window's judged seconds -> all its columns
    sample.py       a store -> columns, classes, patients and sources of its windows
    matching.py     two samples -> weights under which their classes agree, resampled by patient
    distances.py    two samples -> how far apart each measure's distributions are
    two_samples.py  two samples -> how well a classifier tells them apart
    comparison.py   two samples -> all of it; what several come to
    figures.py      what was found -> figures
    page.py         what was found -> one HTML file, CSV
    make.py         stores -> all of it: `hmsprep.realism`
"""
