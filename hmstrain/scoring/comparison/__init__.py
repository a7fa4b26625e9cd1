"""The same rows of several models -> which is better, by how much, how surely.

::

    results.py  what a comparison found, and the same as JSON
    sampled.py  judged rows of several models -> scores in each resample, differences
    models.py   what one model is worth, overall and on parts of the rows
    compare.py  predictions of several models -> all of it: `hmstrain.compare`
"""
