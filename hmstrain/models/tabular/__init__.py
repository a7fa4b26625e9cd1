"""A row of hand features -> logits, by numbers that were fitted to a table of them.

These models are fitted by scikit-learn and kept as plain arrays, which any checkpoint can hold: a
file that scikit-learn wrote itself would run code when it is loaded, so a run could not be taken
from strangers. XGBoost and LightGBM have formats that are data alone, but would be another large
dependency for the same trees, whose arrays take thirty lines to evaluate. The tests hold both kinds
equal to scikit-learn's own probabilities.

::

    base.py    what both kinds have in common; the arrays of a checkpoint -> a model
    linear.py  multinomial logistic regression on standardised features
    trees.py   gradient-boosted trees
"""
