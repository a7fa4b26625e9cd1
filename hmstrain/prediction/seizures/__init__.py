"""Seizure-like events of a model, a reader's events -> scores as the seizure field reports them.

Events and scores are those of SzCORE, the framework of this field for validating detectors:
Dan et al., SzCORE: Seizure Community Open-Source Research Evaluation framework for the validation
of electroencephalography-based automated seizure detection algorithms, Epilepsia 2024,
doi:10.1111/epi.18113.

::

    events.py     a table of SzCORE events <-> onsets and ends of seizures
    answers.py    what `hmstrain predict` wrote of a recording -> its seizure-like events
    pairs.py      a file or a tree, of either -> which events belong to which answers
    measures.py   events of both -> sensitivity, precision, F1, false alarms, latency
    score.py      paths -> scores of one recording or many: `hmstrain.score`
"""
