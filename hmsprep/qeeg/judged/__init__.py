"""A window's judged seconds -> what tells its pattern: discharges, waves, coupling, course.

::

    measures.py     the measures by name, unit, formula and source; which columns a store gets
    aperiodic.py    a spectrum -> its exponent and its knee
    coupling.py     electrodes -> correlation and lag by distance on the head
    discharges.py   bipolar pairs -> discharges: rate, intervals, shape, field, lag
    artefacts.py    unfiltered EEG -> mains, muscle, steps, flat and clipped stretches
    course.py       bipolar pairs -> suppression, onsets, evolution, regularity of waves
    window.py       the judged seconds -> all columns
"""
