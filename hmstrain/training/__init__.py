"""A configuration and a store -> a trained network in its run.

::

    idle.py       a configuration -> its settings that change nothing
    losses.py     logits, targets and embeddings -> what is minimised
    optimiser.py  a network -> its optimiser, with a group for each rate and decay
    origin.py     a pretraining or a generator that a run names -> what it gives, if it may
    schedule.py   an optimiser and a stage -> the learning rate of each step
    step_log.py   losses and times of steps -> the log; stops a run that diverged
    state.py      a network and all that its next step depends on
    start.py      a network and the mean target -> last layers that begin there, and move with it
    trial.py      a network about to train -> steps that can be tried in any arithmetic
    train.py      a configuration and a store -> a trained, tested network
    matching.py   windows without votes -> encoders pretrained on matching their two signals
    generating.py windows with votes -> a generator of images
    importance.py  a model of features and held-out windows -> which features it goes by
    tabular.py    a configuration and a table of features -> a fitted, tested model
    run.py        a store and settings -> one run, or one of each fold and seed: `hmstrain.train`
"""
