"""Marks that readers made in recordings or in a store -> votes of windows, and how far they agree.

::

    agreement.py    classes that raters gave the same windows -> kappas, confusion
    places.py       a data set -> where in which recording the judged seconds of its windows lie
    marked_eegs.py  marks made in a store -> their EEGs that are others in the data set
    ratings.py      windows and marks -> the class that each reader gave each window
    predictions.py  a table of `hmstrain predict` -> the model's probabilities of the same windows
    second_look.py  ratings, a model's answers -> stretches that are worth a second look
    merge.py        a data set and a folder of label files -> all of it: `hmsprep.votes`
"""
