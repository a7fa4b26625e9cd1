"""Measurements of speed, memory and learning, each beside its ceiling; records lie in `results/`.

::

    speed/     build, read, step, import and predict
    models/    what networks learn of simulated EEG, and what they say of real segments
    peers/     the loaders and builds that one might use instead
    tools/     conditions, memory, records
    charts.py  records -> figures of the documents
"""
